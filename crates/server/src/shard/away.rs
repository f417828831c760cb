//! Clients whose network is away, and that come back.

use fws_hub::Key;
use fws_session::{Event, Millis};
use mio::Token;

use super::{Report, Returned, Shard, Surroundings, find, note};
use crate::conn::{Conn, Request};
use crate::dispatch::{Arrival, Source};
use crate::handler::Handler as _;
use crate::link::Link;
use crate::resume::Resume;

/// A client that is on its way back is waited for by so much more.
const VISIT: Millis = 250;

impl Shard {
    /// Tells other threads how far a client is that may come back, and asks the client what has arrived if much is kept for it.
    pub(super) fn keep_up(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        let (Some(resume), Some(progress)) = (&entry.conn.resume, entry.session.progress()) else { return };
        if resume.publish(progress) && !entry.session.is_ended() {
            note(&mut self.notes, Report::NotKept, &entry.conn, 1);
        }
        entry.session.probe(self.now, &mut self.spares);
    }

    /// `false`: the connection broke and its client is waited for, so nothing is to be written.
    pub(super) fn is_there(&mut self, around: &impl Surroundings, at: usize) -> bool {
        let Some(entry) = self.entries[at].as_mut() else { return false };
        if !entry.session.is_suspended() {
            if matches!(entry.link, Link::Absent) {
                // It has ended while it was waited for.
                self.tally.messages_dropped += entry.session.take_kept();
            }
            return true;
        }
        entry.touched = false;
        if !matches!(entry.link, Link::Absent) {
            if !around.suspend(&entry.conn) {
                entry.session.cut("the connection was cut without a close frame");
                return true;
            }
            self.part(at);
        }
        self.set_timer(at);
        false
    }

    /// Lets go of the broken connection of a client, and tells PHP.
    pub(super) fn part(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        entry.session.report_written(&entry.conn.backlog);
        entry.link.end(&self.registry);
        let link = std::mem::replace(&mut entry.link, Link::Absent);
        link.give_up(&entry.route.quota, entry.conn.address(), entry.conn.key);
        (entry.readable, entry.writable, entry.finished) = (false, false, false);
        let event = entry.route.protocol.suspended();
        self.tell(at, event);
    }

    fn tell(&mut self, at: usize, event: Option<Event>) {
        if let (Some(entry), Some(event)) = (self.entries[at].as_ref(), event) {
            let limits = entry.route.event_limits();
            self.arrivals.push(Arrival { source: Source::Conn(entry.conn.clone()), event, limits });
        }
    }

    /// A client came back on another connection: it takes the place of the old one, which may not be known yet to be broken.
    pub(super) fn take_back(&mut self, around: &impl Surroundings, returned: Returned, scratch: &mut [u8]) {
        let Returned { key, link, opened, buffered, back } = returned;
        let Some((at, entry)) = find(&mut self.entries, self.count, key) else { return dismiss(&link) };
        // It has ended, or another connection was faster, or the client has proved meanwhile that it has more.
        let progress =
            entry.session.progress().filter(|progress| !progress.lost && (progress.arrived..=progress.sent).contains(&back.arrived));
        let (Some(resume), Some(progress)) = (&entry.conn.resume, progress) else { return dismiss(&link) };
        if resume.mark(&back.secret).is_none() {
            return dismiss(&link);
        }
        let can_wait = entry.session.is_suspended() || (!entry.link.is_pending() && entry.session.suspend(self.now));
        let Some(received) = resume.renew(&back.secret, back.fresh, back.arrived, progress).filter(|_| can_wait) else {
            self.touch(at);
            return dismiss(&link);
        };
        if !matches!(entry.link, Link::Absent) {
            // The new connection is there, so it is not waited for.
            self.part(at);
        }
        if let Err(error) = link.register(&self.registry, Token(at)) {
            if let Some(entry) = self.entries[at].as_ref() {
                around.complain("a connection could not be watched and was closed", Some(&entry.conn), &error);
            }
            self.touch(at);
            return dismiss(&link);
        }
        let Some(entry) = self.entries[at].as_mut() else { return };
        entry.link = link;
        entry.writable = true;
        let (path, ip, subprotocol) = ((*opened.path).into(), (*opened.ip).into(), (*opened.subprotocol).into());
        entry.conn.set_request(Request { path, ip, subprotocol, transport: back.transport });
        entry.session.configure(entry.route.settings_for(back.transport), self.now, key.index);
        let greeting = greeting(&entry.conn, entry.route.settings.resume_window, received);
        let back =
            fws_session::Back { arrived: back.arrived, compression: back.compression, owner: entry.conn.peer().owner, greeting: &greeting };
        entry.session.come_back(back, self.now, &mut self.spares);
        around.resumed(&entry.conn);
        let event = entry.route.protocol.resumed(opened);
        self.tell(at, event);
        for piece in buffered.chunks(scratch.len()) {
            let scratch = &mut scratch[..piece.len()];
            scratch.copy_from_slice(piece);
            self.receive(at, scratch);
        }
        self.read_again(at);
        self.touch(at);
    }

    /// A client is not waited for any more.
    pub(super) fn give_up(&mut self, key: Key) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key)
            && entry.session.is_suspended()
        {
            entry.session.cut("more clients are away than max_suspended allows");
            self.touch(at);
        }
    }

    /// A client that is on its way back is waited for.
    pub(super) fn wait_for_visitor(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_suspended() && entry.conn.resume.as_ref().is_some_and(|resume| resume.is_visited()) {
            entry.session.wait_until(self.now + VISIT);
        }
    }
}

fn greeting(conn: &Conn, window: Millis, received: u64) -> String {
    let greet = |resume: &Resume| resume.greeting(conn.key, window, Ok(received));
    conn.resume.as_deref().map(greet).unwrap_or_default()
}

/// A connection that nobody needs: its client tries once more.
fn dismiss(link: &Link) {
    if let Link::Pipe(pipe) = link {
        pipe.finish_all();
    }
}
