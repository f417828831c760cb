//! How clients come: first without a connection, then with it, or not.

use fws_hub::Key;
use fws_session::{Millis, Session};
use mio::Token;

use super::doing::Doing;
use super::{Entry, Linked, Newcomer, Shard, Surroundings, find};
use crate::conn::Through;
use crate::handler::Handler as _;
use crate::link::Link;

impl Shard {
    /// A client is known. What it is sent waits until its connection is there, and so does its end, if it comes first.
    pub(super) fn enter(&mut self, newcomer: Newcomer) {
        let Newcomer { conn, route, greeting } = newcomer;
        let at = conn.key.index as usize / self.count;
        self.give_up_catching_up(at);
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, || None);
        }
        let session = Session::new(route.settings_for(conn.transport()), self.now, conn.key.index);
        let mut session = session.with_compression(conn.compression, conn.peer().owner, &self.spares);
        if let (Some(resume), Some(greeting)) = (&conn.resume, greeting) {
            session.send_message(false, greeting.as_bytes(), &mut self.spares);
            session.keep(resume.memory.clone());
        }
        self.entries[at] = Some(Box::new(Entry {
            conn,
            route,
            link: Link::Pending,
            session,
            timer: Millis::MAX,
            then: Millis::MAX,
            readable: false,
            writable: false,
            finished: false,
            paused: false,
            reading: false,
            touched: false,
        }));
    }

    /// Its connection is there: now PHP is told of it.
    pub(super) fn link(&mut self, around: &impl Surroundings, linked: Linked, scratch: &mut [u8]) {
        let Linked { key, link, opened, buffered } = linked;
        let Some((at, entry)) = find(&mut self.entries, self.count, key) else { return };
        if let Err(error) = link.register(&self.registry, Token(at)) {
            around.complain("a connection could not be watched and was closed", Some(&entry.conn), &error);
            entry.link = link;
            return self.abandon(around, key);
        }
        entry.link = link;
        entry.writable = true;
        // It could not say anything before.
        entry.session.heard(self.now);
        let protocol = entry.route.protocol;
        protocol.opened(opened, &mut Doing::new(entry, &mut self.arrivals, &mut self.spares));
        for piece in buffered.chunks(scratch.len()) {
            let scratch = &mut scratch[..piece.len()];
            scratch.copy_from_slice(piece);
            self.receive(at, scratch);
        }
        self.read_again(at);
        self.touch(at);
    }

    /// A client of which PHP has heard nothing goes, and PHP hears nothing of that either.
    pub(super) fn abandon(&mut self, around: &impl Surroundings, key: Key) {
        let Some((at, _)) = find(&mut self.entries, self.count, key) else { return };
        self.give_up_catching_up(at);
        if let Some(entry) = self.entries[at].take() {
            let Entry { conn, route, link, .. } = *entry;
            around.closed(&conn);
            link.give_up(&route.quota, conn.address(), key);
            conn.through(Through::Events);
            around.through(&conn, Through::Socket);
        }
    }
}
