//! Connections come, say something, and are silent.

use std::sync::Arc;

use fws_hub::command::Tag;
use fws_hub::{Command, Key};
use fws_pusher::{AppConfig, Connection, Error, Handshake, SocketId, Visitor, frame};
use fws_session::Opened;
use hashbrown::HashMap;

use super::super::{Caller, Core};
use super::everybody;
use crate::conn::{Conn, Transport};
use crate::pusher::{Client, Due};
use crate::routes::Route;
use crate::stats::add;

impl Core {
    pub(super) fn pusher_opened(&self, conn: &Arc<Conn>, opened: &Opened) {
        let Some(route) = self.pusher_route(&conn.route_name) else { return };
        let Some(apps) = &route.apps else { return };
        let (path, query) = (String::from_utf8_lossy(&opened.path), String::from_utf8_lossy(&opened.query));
        let admitted = Handshake::parse(&path, &query).and_then(|handshake| {
            let app = apps.of_key(&handshake.key);
            let connections = app.map_or(0, |app| self.enter_app(conn, app));
            handshake.admit(app, &visitor(conn, opened, connections.saturating_sub(1)))?;
            app.ok_or(Error::UnknownApp(handshake.key))
        });
        let app = match admitted {
            Ok(app) => app,
            Err(error) => {
                add(&self.counters.pusher_connections_refused, 1);
                return self.pusher_refuse(conn, &error);
            }
        };
        let id = SocketId::parse(&conn.id()).unwrap_or(SocketId::new(0, 0));
        let (connection, greeting) = Connection::open(app, id, self.pusher.now());
        let due = connection.deadline(app);
        self.pusher_tell(conn, &greeting);
        let client = Client { conn: conn.clone(), app: app.id.as_str().into(), connection, members: HashMap::new() };
        self.pusher.insert(client, due);
    }

    /// Counts a connection among those of its application; how many that are on this server.
    fn enter_app(&self, conn: &Conn, app: &AppConfig) -> u64 {
        let tag = everybody(app);
        let _ = self.execute(&Command::Tag(Tag { id: &conn.id(), tag: &tag, since: None, member: None }), Caller::default());
        self.hub.read().tagged(&tag)
    }

    pub(super) fn pusher_message(&self, conn: &Arc<Conn>, data: &[u8]) {
        let Some(client) = self.pusher.get(conn.key) else { return };
        let client = &mut *client.lock();
        let route = self.pusher_route(&conn.route_name);
        let (route, app) = match application(route.as_ref(), &client.app) {
            Ok(of) => of,
            Err(error) => return self.pusher_refuse(conn, &error),
        };
        let mut actions = Vec::new();
        client.connection.message(app, data, self.pusher.now(), &mut actions);
        self.pusher_act(client, (route, app), actions);
    }

    /// Tells a client why it is not served, and ends its connection.
    fn pusher_refuse(&self, conn: &Arc<Conn>, error: &Error) {
        self.pusher_tell(conn, &frame::error(error));
        if let Some((code, reason)) = error.close() {
            self.pusher_close(conn, code, &reason);
        }
    }

    /// Looks at connections that were silent, and after lists of members.
    pub(super) fn tick_pusher(&self) {
        loop {
            match self.pusher.wait() {
                Due::Client(key) => self.pusher_look_at(key),
                Due::List => self.pusher_list_again(),
                Due::ListSome(channels, clients) => self.pusher_list_some(&channels, &clients),
                Due::Counts(channels) => self.pusher_tell_counts(&channels),
                Due::Reload => self.pusher.keys().into_iter().for_each(|key| self.pusher_look_after_reload(key)),
            }
        }
    }

    /// Brings a connection in line with the configuration as it is now.
    fn pusher_look_after_reload(&self, key: Key) {
        let Some(client) = self.pusher.get(key) else { return };
        let client = &mut *client.lock();
        let route = self.pusher_route(&client.conn.route_name);
        match application(route.as_ref(), &client.app) {
            Ok(of) => self.pusher_hook_channels(client, of),
            Err(error) => self.pusher_refuse(&client.conn, &error),
        }
    }

    fn pusher_look_at(&self, key: Key) {
        let Some(client) = self.pusher.get(key) else { return };
        // Whoever has it hears of it now.
        let Some(mut client) = client.try_lock() else {
            return self.pusher.look_at(key, self.pusher.now() + 1000);
        };
        let client = &mut *client;
        let route = self.pusher_route(&client.conn.route_name);
        let (route, app) = match application(route.as_ref(), &client.app) {
            Ok(of) => of,
            Err(error) => return self.pusher_refuse(&client.conn, &error),
        };
        let mut actions = Vec::new();
        client.connection.tick(app, self.pusher.now(), &mut actions);
        self.pusher.look_at(key, client.connection.deadline(app).max(self.pusher.now() + 1));
        self.pusher_act(client, (route, app), actions);
    }
}

/// The application of a connection, as the configuration in force has it.
fn application<'a>(route: Option<&'a Arc<Route>>, id: &str) -> Result<(&'a Route, &'a AppConfig), Error> {
    let found = route.and_then(|route| Some((&**route, route.apps.as_ref()?.of_id(id)?)));
    let (route, app) = found.ok_or_else(|| Error::UnknownApp(id.to_owned()))?;
    if app.enabled { Ok((route, app)) } else { Err(Error::AppDisabled) }
}

/// What is known of a client apart from what it says.
fn visitor<'a>(conn: &Conn, opened: &'a Opened, connections: u64) -> Visitor<'a> {
    let header = |name: &str| {
        let (_, value) = opened.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value).ok()
    };
    let tls = match conn.transport() {
        Transport::Tls | Transport::Http2 | Transport::Http3 => true,
        // Whoever says so that is no proxy does without TLS for itself only.
        Transport::Tcp | Transport::Unix => header("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
    };
    Visitor { origin: header("origin"), host: header("host").unwrap_or_default(), tls, connections }
}
