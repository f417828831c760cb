//! What the servers of an application are told.

use fws_hub::command::{InChannel, Tag, Untag};
use fws_pusher::webhook::{Event, Kind, client_event_data};
use fws_pusher::{AppConfig, ClientEvent, WebhookTarget};
use serde_json::json;

use super::super::Core;
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

/// Whether an application is to be told which channels have subscribers.
fn counts_channels(app: &AppConfig) -> bool {
    app.wants(Kind::ChannelOccupied) || app.wants(Kind::ChannelVacated)
}

impl Core {
    /// Tells who wants to know.
    pub(super) fn pusher_hook(&self, app: &AppConfig, event: &Event<'_>) {
        for webhook in app.webhooks.iter().filter(|webhook| webhook.wants(event)) {
            let WebhookTarget::Url(url) = &webhook.target else { continue };
            if let Err(error) = self.webhooks.tell(app, url, event) {
                self.log.write(
                    Level::Error,
                    "a webhook is not told: its thread could not be started",
                    json!({ "app": app.id, "error": error.to_string() }),
                );
            }
        }
    }

    /// A client has subscribed to a channel.
    pub(super) fn pusher_hook_subscribed(&self, conn: &Conn, (route, app): (&Route, &AppConfig), name: &str) {
        if counts_channels(app) {
            self.pusher_hook_occupies(conn, app, name);
        }
        self.pusher_hook_count(route, app, name);
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
                (true, false) if has(&fws_pusher::channel::tag(&app.id, name)) => self.pusher_hook_occupies(&client.conn, app, name),
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
        self.pusher_hook_count(route, app, name);
    }

    /// The connection of a client has ended: the tags have gone with it.
    pub(super) fn pusher_hook_left(&self, client: &Client, (route, app): (&Route, &AppConfig)) {
        client.connection.channels().for_each(|name| self.pusher_hook_count(route, app, name));
    }

    fn pusher_hook_count(&self, route: &Route, app: &AppConfig, name: &str) {
        if app.wants(Kind::SubscriptionCount)
            && let Some(count) = self.pusher_count_at_ease(&route.name, &fws_pusher::channel::tag(&app.id, name), app)
        {
            self.pusher_hook(app, &Event::SubscriptionCount { channel: name, subscription_count: count });
        }
    }

    pub(super) fn pusher_hook_event(&self, client: &Client, app: &AppConfig, event: &ClientEvent) {
        if app.wants(Kind::ClientEvent) {
            let (data, id) = (client_event_data(event), client.conn.id());
            let user_id = event.user_id.as_deref();
            self.pusher_hook(
                app,
                &Event::ClientEvent { channel: &event.channel, event: &event.event, data: &data, socket_id: &id, user_id },
            );
        }
    }
}
