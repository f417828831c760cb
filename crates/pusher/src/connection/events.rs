//! Events that clients send to each other: whether this client may send this one now.

use serde_json::value::RawValue;

use super::Connection;
use super::rate::Bucket;
use crate::app::{AppConfig, ClientEvents};
use crate::channel::Channel;
use crate::error::{Error, shortened};
use crate::message::Event;
use crate::{Millis, frame};

/// An event for the other subscribers of a channel.
#[derive(Debug, Clone)]
pub struct ClientEvent {
    /// The channel.
    pub channel: String,
    /// Its name.
    pub event: String,
    /// Its data, as it came.
    pub data: Option<Box<RawValue>>,
    /// Who sends it, in a presence channel.
    pub user_id: Option<std::sync::Arc<str>>,
}

impl ClientEvent {
    /// As the others get it.
    pub fn frame(&self) -> String {
        frame::client_event(&self.channel, &self.event, self.data.as_deref(), self.user_id.as_deref())
    }
}

impl PartialEq for ClientEvent {
    fn eq(&self, other: &ClientEvent) -> bool {
        self.frame() == other.frame()
    }
}

impl Connection {
    pub(super) fn client_event(&mut self, app: &AppConfig, event: &Event<'_>, now: Millis) -> Result<ClientEvent, Error> {
        let ClientEvents::On { rate } = app.client_events else { return Err(Error::ClientEventsDisabled) };
        let bucket = self.bucket.get_or_insert_with(|| Bucket::full(rate, now));
        // What is refused for another reason costs as much to look at.
        if !bucket.take(rate, rate, now) {
            return Err(Error::TooManyClientEvents(rate));
        }
        let limits = &app.limits;
        let channel = Channel::parse(&event.channel, limits)?;
        if !channel.kind.has_client_events() {
            return Err(Error::NoClientEventsHere);
        }
        let subscription = self.subscriptions.get(channel.name).filter(|subscription| !subscription.pending);
        let subscription = subscription.ok_or_else(|| Error::NotSubscribed(shortened(channel.name)))?;
        if event.event.chars().count() > limits.event_name {
            return Err(Error::TooLarge { what: "name of the event", most: limits.event_name });
        }
        if event.data.is_some_and(|data| data.get().len() > limits.payload) {
            return Err(Error::TooLarge { what: "data of the event", most: limits.payload });
        }
        Ok(ClientEvent {
            channel: event.channel.clone(),
            event: event.event.clone().into_owned(),
            data: event.data.map(RawValue::to_owned),
            user_id: subscription.user_id.clone(),
        })
    }
}
