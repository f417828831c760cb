//! What workers are told. That of a route, where it has one: who subscribes, what clients say to each other, who joins and leaves. One that a webhook
//! names: what that is told.

use std::sync::Arc;

use fws_pusher::{AppConfig, ClientEvent, channel};
use fws_session::{Event, Membership, Subscriber};

use super::super::Core;
use crate::conn::Conn;
use crate::dispatch::{Arrival, Source};
use crate::log::Trouble;
use crate::pusher::Client;
use crate::routes::Route;
use crate::stats::add;

/// What a subscriber has done.
#[derive(Clone, Copy)]
pub(super) enum Deed<'a> {
    /// It has subscribed, and this was said about it.
    Subscribe(&'a str),
    Unsubscribe,
    /// It has sent an event.
    Event(&'a str, &'a str),
}

impl<'a> Deed<'a> {
    /// A client has sent an event to others.
    pub(super) fn event(event: &'a ClientEvent) -> Deed<'a> {
        Deed::Event(&event.event, event.data.as_deref().map_or("", |data| data.get()))
    }

    /// The same as PHP is told it.
    pub(super) fn told(self, client: &Client, (route, app): (&Route, &AppConfig), name: &str) -> Event {
        let user = client.members.get(name).cloned().or_else(|| client.connection.user().map(|user| user.id.clone()));
        let (event, data) = match self {
            Deed::Subscribe(info) => ("", info),
            Deed::Unsubscribe => ("", ""),
            Deed::Event(event, data) => (event, data),
        };
        let told = Box::new(Subscriber {
            route: route.name.clone(),
            id: client.conn.id(),
            tag: channel::tag(&app.id, name).into(),
            user: user.unwrap_or_default(),
            event: event.into(),
            data: data.as_bytes().into(),
        });
        match self {
            Deed::Subscribe(_) => Event::Subscribe(told),
            Deed::Unsubscribe => Event::Unsubscribe(told),
            Deed::Event(..) => Event::ClientEvent(told),
        }
    }
}

impl Core {
    /// Tells what a client has done in a channel, behind what it has done before.
    pub(super) fn pusher_told(&self, client: &Client, (route, app): (&Route, &AppConfig), name: &str, deed: Deed<'_>) {
        if let Some(worker) = &route.worker {
            self.pusher_queue(Source::told(route.id, client.conn.key), (route, worker), deed.told(client, (route, app), name));
        }
    }

    /// The connection of a client has ended: it has left all of its channels.
    pub(super) fn pusher_left(&self, conn: &Arc<Conn>) {
        let Some(client) = self.pusher.remove(conn.key) else { return };
        let client = client.lock();
        let Some(route) = self.pusher_route(&conn.route_name) else { return };
        let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(&client.app)) else { return };
        self.pusher_hook_left(&client, (&route, app));
        client.connection.channels().for_each(|name| self.pusher_counts((&route, app), name));
        let mut channels: Vec<&str> = client.connection.channels().collect();
        channels.sort_unstable();
        channels.into_iter().for_each(|name| self.pusher_told(&client, (&route, app), name, Deed::Unsubscribe));
    }

    /// Tells who has joined a channel, or left it, in the order of the channel.
    pub(super) fn pusher_attended(&self, route: &Route, membership: &Membership, told: impl FnOnce() -> Event) {
        if let Some(worker) = &route.worker {
            self.pusher_tell_worker(worker, route, &membership.tag, told());
        }
    }

    /// Tells a worker, that of the route or one that a webhook names, in the order of the channel.
    pub(super) fn pusher_tell_worker(&self, worker: &Arc<str>, route: &Route, tag: &str, event: Event) {
        let mut pool = None;
        if route.worker.as_ref() != Some(worker) {
            pool = self.dispatch.worker(worker);
            // Between two configurations it may be gone.
            if pool.is_none() {
                return;
            }
        }
        self.pusher_queue(Source::told_of_channel(pool, route.id, tag), (route, worker), event);
    }

    fn pusher_queue(&self, source: Source, (route, worker): (&Route, &Arc<str>), event: Event) {
        let pushed = self.dispatch.push(&mut vec![Arrival { source, event, limits: (usize::MAX, usize::MAX) }]);
        add(&self.counters.events_queued, pushed.queued);
        self.orphaned(pushed.orphans);
        if pushed.refused > 0 {
            add(&self.counters.pusher_events_not_told, pushed.refused);
            let message = "a worker is not told what clients of the Pusher protocol do: too much waits for it";
            let fields = [("route", &route.name), ("worker", worker)].map(|(name, value)| (name.into(), value.as_ref().into()));
            self.log.burst(Trouble::NotTold, worker, message, || serde_json::Map::from_iter(fields));
        }
    }
}
