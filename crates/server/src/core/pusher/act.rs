//! Carrying out what a connection asks for.

use std::collections::VecDeque;
use std::sync::Arc;

use fws_hub::command::{SendTo, SetUser, Untag};
use fws_hub::{Command, Target};
use fws_pusher::{Action, AppConfig, ClientEvent, Code, Error, User, channel, frame};
use fws_session::ChannelEventKind;

use super::super::{Caller, Core};
use super::tell::Deed;
use super::user_name;
use crate::conn::Conn;
use crate::pusher::Client;
use crate::routes::Route;
use crate::shard::Op;
use crate::stats::add;

impl Core {
    /// Does what a connection wants, in its order.
    pub(super) fn pusher_act(&self, client: &mut Client, of: (&Route, &AppConfig), actions: Vec<Action>) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(frame) => self.pusher_tell(&client.conn, &frame),
                Action::Subscribe { channel, kind, member, subscription } => {
                    let more = self.pusher_subscribe(client, of, (&channel, kind), member, subscription);
                    more.into_iter().rev().for_each(|action| actions.push_front(action));
                }
                Action::Unsubscribe { channel } => {
                    self.pusher_unsubscribe(&client.conn, of.1, &channel);
                    self.pusher_hook_unsubscribed(&client.conn, of, &channel);
                    self.pusher_told(client, of, &channel, Deed::Unsubscribe);
                    self.pusher_counts(of, &channel);
                    client.members.remove(&*channel);
                }
                Action::ClientEvent(event) => {
                    if !self.hub.read().has_tag(client.conn.key, &channel::tag(&of.1.id, &event.channel)) {
                        // PHP has taken it out of the channel.
                        let told = frame::error(&Error::NotSubscribed(event.channel));
                        self.pusher_tell(&client.conn, &told);
                        continue;
                    }
                    self.pusher_client_event(&client.conn, of, &event);
                    self.pusher_hook_event(client, of, &event);
                    self.pusher_told(client, of, &event.channel, Deed::event(&event));
                }
                Action::SignIn(user) => self.pusher_sign_in(&client.conn, of.1, &user),
                Action::Watch(users) => self.pusher_watch(&client.conn, of, &users),
                Action::CacheMiss { channel } => self.pusher_hook_channel(of, &channel, ChannelEventKind::CacheMiss),
                Action::Close { code, reason } => self.pusher_close(&client.conn, code, &reason),
            }
        }
    }

    /// Sends a client a message.
    pub(super) fn pusher_tell(&self, conn: &Conn, frame: &str) {
        let id = conn.id();
        let message = SendTo { to: Target::Client(&id), route: None, except: None, binary: false, data: frame.as_bytes().into() };
        // One that is gone, or does not read, is told nothing.
        let _ = self.execute(&Command::Send(message), Caller::default());
    }

    /// Ends a connection, behind what it was sent.
    pub(super) fn pusher_close(&self, conn: &Arc<Conn>, code: Code, reason: &str) {
        self.dismiss(conn);
        self.post(conn.key, Op::Close { key: conn.key, code: code.number(), reason: reason.into() });
    }

    pub(super) fn pusher_unsubscribe(&self, conn: &Conn, app: &AppConfig, channel: &str) {
        let tag = channel::tag(&app.id, channel);
        let _ = self.execute(&Command::Untag(Untag { id: &conn.id(), tag: &tag }), Caller::default());
    }

    fn pusher_client_event(&self, conn: &Conn, (route, app): (&Route, &AppConfig), event: &ClientEvent) {
        add(&self.counters.pusher_client_events, 1);
        // Where other servers cannot be told, this one's clients are, and that is counted.
        let _ = self.pusher_send(&route.name, (app, &event.channel), &event.frame(), Some(&conn.id()), false);
    }

    fn pusher_sign_in(&self, conn: &Conn, app: &AppConfig, user: &User) {
        let name = user_name(app, &user.id);
        let info = user.info.as_deref().map_or("", |info| info.get());
        let _ =
            self.execute(&Command::SetUser(SetUser { id: &conn.id(), user: Some(&name), info: info.as_bytes().into() }), Caller::default());
        self.pusher_is_online(conn, app, user);
    }
}
