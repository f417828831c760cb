//! Who is online, and who wants to know it of whom.
//!
//! The connections that are signed in are members of one internal channel, so a user comes with the first of them on any server and goes with the last
//! one. A connection whose user has a watchlist has a tag for each user on it, and what becomes of a user is sent to that tag.

use fws_hub::command::{InChannel, Tag, Tagged};
use fws_hub::{ClusterError, CommandError, Key};
use fws_pusher::{AppConfig, User, channel, frame};

use super::super::Core;
use super::members::Attendee;
use super::subscribe::Waiting;
use crate::conn::Conn;
use crate::routes::Route;

/// Its members are the users that are signed in. No channel of an application has such a name.
pub(super) const USERS: &str = "#users";

/// By this tag those are reached who have a user on the watchlist. It is no longer than the user's own channel, so that it fits.
fn watching(user: &str) -> String {
    format!("#watching-{user}")
}

impl Core {
    /// A connection is signed in.
    pub(super) fn pusher_is_online(&self, conn: &Conn, app: &AppConfig, user: &User) {
        let info = user.info.as_deref().map_or("", |info| info.get());
        let member = Some(InChannel { user: &user.id, info: info.as_bytes().into() });
        let _ = self.tag(&Tag { id: &conn.id(), tag: &channel::tag(&app.id, USERS), since: None, member });
    }

    /// A user has come or gone: those on this server are told who want to know it.
    pub(super) fn pusher_tell_watchers(&self, (route, app): (&Route, &AppConfig), attendee: Attendee<'_>, joined: bool) {
        let user = attendee.user;
        let told = if joined { frame::watchlist_events(&[user], &[]) } else { frame::watchlist_events(&[], &[user]) };
        // A user on the own watchlist was told of itself when it signed in.
        self.pusher_tell_here(&route.name, (app, &watching(user)), &told, attendee.by);
    }

    /// Tells a client which of these users are online, and from then on who of them comes or goes.
    pub(super) fn pusher_watch(&self, conn: &Conn, (route, app): (&Route, &AppConfig), users: &[String]) {
        let (id, mut waiting) = (conn.id(), None);
        // All servers hear of the users where the connection has signed in: nothing that others send to these tags is waited for.
        let _ = self.change(|hub| {
            for user in users {
                let tag = channel::tag(&app.id, &watching(user));
                let tagged = Tag { id: &id, tag: &tag, since: None, member: None }.put_on(hub)?;
                if let (Tagged::Now(key), None) = (tagged, &waiting) {
                    waiting = Some(Waiting::begin(self, key));
                }
            }
            Ok::<(), CommandError>(())
        });
        if let Some(waiting) = &mut waiting {
            self.engine.wait_attended();
            waiting.say(self.watched(conn.key, (route, app), users));
        }
    }

    /// Tells a client once more who of its watchlist is online.
    pub(super) fn pusher_watch_again(&self, key: Key) {
        let Some(client) = self.pusher.get(key) else { return };
        // It is locked until it is told, so that it does not become a subscriber meanwhile: its shard waits for one thing at a time.
        let client = client.lock();
        let Some(user) = client.connection.user().filter(|user| !user.watchlist.is_empty()) else { return };
        let Some(route) = self.pusher_route(&client.conn.route_name) else { return };
        let Some(app) = route.apps.as_ref().and_then(|apps| apps.of_id(&client.app)) else { return };
        Waiting::begin(self, key).say(self.watched(key, (&route, app), &user.watchlist));
    }

    /// Which of these users are online, as a client is told: on all servers, if their Redis can be asked, else on this one. Then it is told once more later.
    fn watched(&self, key: Key, (route, app): (&Route, &AppConfig), users: &[String]) -> String {
        let tag = channel::tag(&app.id, USERS);
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let online = self.engine.are_present(&route.name, &tag, &users).unwrap_or_else(|error| {
            // Once Redis is back, all are told.
            if error != ClusterError::Unavailable {
                self.pusher.watch_again(key);
            }
            let hub = self.hub.read();
            users.iter().map(|user| hub.is_present(route.id, &tag, user)).collect()
        });
        let those = |wanted| users.iter().zip(&online).filter(move |(_, online)| **online == wanted).map(|(user, _)| *user);
        frame::watchlist_events(&those(true).collect::<Vec<_>>(), &those(false).collect::<Vec<_>>())
    }
}
