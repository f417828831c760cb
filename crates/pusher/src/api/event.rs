//! Events that an application's server sends.

use serde::Deserialize;

use super::{Info, refused};
use crate::app::Limits;
use crate::channel::Channel;
use crate::error::Error;
use crate::json;
use crate::socket_id::SocketId;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: String,
    /// The channels, each once; one in a batch.
    pub channels: Vec<String>,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// What the answer is to tell of the channels. Of each it tells what the channel [has](Info::within).
    pub info: Info,
}

impl Event {
    /// An event that does not come by a call, under the same conditions.
    pub fn new(name: &str, data: &str, channels: Vec<String>, socket_id: Option<&str>, limits: &Limits) -> Result<Event, Error> {
        let (name, data, socket_id) = (name.to_owned(), data.to_owned(), socket_id.map(str::to_owned));
        Sent { name, data, channel: None, channels: Some(channels), socket_id, info: None }.check(limits)
    }
}

/// As it is sent. What a library adds of its own is left out.
#[derive(Deserialize)]
struct Sent {
    name: String,
    data: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    channels: Option<Vec<String>>,
    #[serde(default)]
    socket_id: Option<String>,
    #[serde(default)]
    info: Option<String>,
}

/// The body of a call that sends one event.
pub(super) fn one(body: &[u8], limits: &Limits) -> Result<Event, Error> {
    let sent: Sent = read(body)?;
    sent.check(limits)
}

/// The body of a call that sends several events.
pub(super) fn batch(body: &[u8], limits: &Limits) -> Result<Vec<Event>, Error> {
    #[derive(Deserialize)]
    struct Batch {
        batch: Vec<Sent>,
    }
    let Batch { batch } = read(body)?;
    if batch.len() > limits.batch {
        return Err(Error::InvalidCall(format!("a batch has at most {} events", limits.batch)));
    }
    if batch.iter().any(|sent| sent.channels.is_some()) {
        return Err(refused("each event of a batch has one channel, in the field channel"));
    }
    batch.into_iter().map(|sent| sent.check(limits)).collect()
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let wanted = "an event has the strings name and data, and channels (or channel)";
    json::object(body).map_err(|why| Error::InvalidCall(format!("the body is not understood: {why}; {wanted}")))
}

impl Sent {
    fn check(self, limits: &Limits) -> Result<Event, Error> {
        let length = self.name.chars().count();
        if length == 0 || length > limits.event_name {
            return Err(Error::InvalidCall(format!("the name of an event has 1 to {} characters", limits.event_name)));
        }
        // Clients would take these for what the server itself says.
        if self.name.starts_with("pusher:") || self.name.starts_with("pusher_internal:") {
            return Err(refused("names of events that begin with pusher: or pusher_internal: are the server's own"));
        }
        if self.data.len() > limits.payload {
            return Err(Error::TooLarge { what: "data of the event", most: limits.payload });
        }
        let except = match self.socket_id.as_deref() {
            None | Some("") => None,
            Some(id) if !SocketId::is_well_formed(id) => return Err(refused("socket_id must be digits, a dot, and digits")),
            // One that is no connection's leaves nobody out.
            Some(id) => SocketId::parse(id),
        };
        let channels = match (self.channels, self.channel) {
            // One of the two would be left out, and nobody told.
            (Some(_), Some(_)) => return Err(refused("an event has channels, or a channel, not both")),
            (Some(channels), None) => channels,
            (None, Some(channel)) => vec![channel],
            (None, None) => return Err(refused("an event needs channels, or a channel")),
        };
        if channels.is_empty() || channels.len() > limits.event_channels {
            return Err(Error::InvalidCall(format!("an event is sent to 1 to {} channels", limits.event_channels)));
        }
        for channel in &channels {
            Channel::parse(channel, limits)?;
        }
        Ok(Event { name: self.name, data: self.data, channels: unique(channels), except, info: Info::parse(self.info.as_deref())? })
    }
}

/// Each channel once, where it first stands: its subscribers get an event once.
fn unique(channels: Vec<String>) -> Vec<String> {
    let mut seen = hashbrown::HashSet::with_capacity(channels.len());
    channels.into_iter().filter(|channel| seen.insert(channel.clone())).collect()
}
