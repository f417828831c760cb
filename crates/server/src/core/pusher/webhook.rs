//! What the servers of an application are told, and the workers that its webhooks name.

use std::sync::Arc;

use fws_hub::command::{InChannel, Tag, Untag};
use fws_pusher::webhook::{Event, Kind, client_event_data};
use fws_pusher::{AppConfig, ClientEvent, Webhook, WebhookTarget, channel};
use fws_session::{ChannelEvent, ChannelEventKind, Event as Told};
use serde_json::json;

use super::super::Core;
use super::tell::Deed;
use crate::conn::Conn;
use crate::log::Level;
use crate::pusher::Client;
use crate::routes::Route;

/// By this tag, of which every subscriber of a channel has it, it is known whether the channel has any, on all servers. No channel has such a name.
fn occupied(app: &AppConfig, name: &str) -> String {
    format!("{}:##{name}", app.id)
}

/// The channel of such a tag, without the application.
pub(super) fn occupied_channel(name: &str) -> Option<&str> {
    name.strip_prefix("##")
}

/// Whether the worker of a route, which is told what clients do, hears of this without a webhook.
fn is_told_anyway(route: &Route, worker: &Arc<str>, kind: Kind) -> bool {
    route.worker.as_ref() == Some(worker) && matches!(kind, Kind::MemberAdded | Kind::MemberRemoved | Kind::ClientEvent)
}

/// Whether an application is to be told which channels have subscribers.
fn counts_channels(app: &AppConfig) -> bool {
    app.wants(Kind::ChannelOccupied) || app.wants(Kind::ChannelVacated)
}

impl Core {
    /// Tells who wants to know, each once. `told` is the same for a worker.
    pub(super) fn pusher_hook(&self, (route, app): (&Route, &AppConfig), event: &Event<'_>, told: impl Fn() -> Told) {
        let wants = |webhook: &&Webhook| webhook.wants(event);
        for (at, webhook) in app.webhooks.iter().enumerate().filter(|(_, webhook)| wants(webhook)) {
            if app.webhooks[..at].iter().filter(wants).any(|other| other.target == webhook.target) {
                continue;
            }
            match &webhook.target {
                WebhookTarget::Url(url) => self.pusher_hook_server(app, url, event),
                WebhookTarget::Worker(worker) if is_told_anyway(route, worker, event.kind()) => {}
                WebhookTarget::Worker(worker) => self.pusher_tell_worker(worker, route, &channel::tag(&app.id, event.channel()), told()),
            }
        }
    }

    fn pusher_hook_server(&self, app: &AppConfig, url: &str, event: &Event<'_>) {
        if let Err(error) = self.webhooks.tell(app, url, event) {
            self.log.write(
                Level::Error,
                "a webhook is not told: its thread could not be started",
                json!({ "app": app.id, "error": error.to_string() }),
            );
        }
    }

    /// Something has become of a channel.
    pub(super) fn pusher_hook_channel(&self, (route, app): (&Route, &AppConfig), name: &str, kind: ChannelEventKind) {
        let event = match kind {
            ChannelEventKind::Occupied => Event::ChannelOccupied { channel: name },
            ChannelEventKind::Vacated => Event::ChannelVacated { channel: name },
            ChannelEventKind::CacheMiss => Event::CacheMiss { channel: name },
            ChannelEventKind::SubscriptionCount(count) => Event::SubscriptionCount { channel: name, subscription_count: count },
        };
        let tag = || channel::tag(&app.id, name).into();
        self.pusher_hook((route, app), &event, || Told::Channel(Box::new(ChannelEvent { route: route.name.clone(), tag: tag(), kind })));
    }

    /// A client has subscribed to a channel.
    pub(super) fn pusher_hook_subscribed(&self, conn: &Conn, (route, app): (&Route, &AppConfig), name: &str) {
        if counts_channels(app) {
            self.pusher_hook_occupies(conn, app, name);
        }
        self.pusher_hook_count((route, app), name);
    }

    fn pusher_hook_occupies(&self, conn: &Conn, app: &AppConfig, name: &str) {
        let (id, tag) = (conn.id(), occupied(app, name));
        let member = Some(InChannel { user: "-", info: b""[..].into() });
        let _ = self.tag(&Tag { id: &id, tag: &tag, since: None, member });
    }

    /// A reload may have changed whether an application is to be told which channels have subscribers.
    pub(super) fn pusher_hook_channels(&self, client: &Client, (_, app): (&Route, &AppConfig)) {
        for name in client.connection.channels() {
            let (has, tag) = (|tag: &str| self.hub.read().has_tag(client.conn.key, tag), occupied(app, name));
            match (counts_channels(app), has(&tag)) {
                // One that is about to become a subscriber has no tag yet, and gets both.
                (true, false) if has(&channel::tag(&app.id, name)) => self.pusher_hook_occupies(&client.conn, app, name),
                (false, true) => drop(self.untag(&Untag { id: &client.conn.id(), tag: &tag })),
                (true, _) | (false, false) => {}
            }
        }
    }

    /// A client has left a channel.
    pub(super) fn pusher_hook_unsubscribed(&self, conn: &Conn, (route, app): (&Route, &AppConfig), name: &str) {
        if counts_channels(app) {
            let _ = self.untag(&Untag { id: &conn.id(), tag: &occupied(app, name) });
        }
        self.pusher_hook_count((route, app), name);
    }

    /// The connection of a client has ended: the tags have gone with it.
    pub(super) fn pusher_hook_left(&self, client: &Client, (route, app): (&Route, &AppConfig)) {
        client.connection.channels().for_each(|name| self.pusher_hook_count((route, app), name));
    }

    /// A client has sent an event to others.
    pub(super) fn pusher_hook_event(&self, client: &Client, (route, app): (&Route, &AppConfig), event: &ClientEvent) {
        if app.wants(Kind::ClientEvent) {
            let (data, id) = (client_event_data(event), client.conn.id());
            let user_id = event.user_id.as_deref();
            let hook = Event::ClientEvent { channel: &event.channel, event: &event.event, data: &data, socket_id: &id, user_id };
            self.pusher_hook((route, app), &hook, || Deed::event(event).told(client, (route, app), &event.channel));
        }
    }
}
