//! The end of a turn: what is due, written, told.

use std::cmp::Reverse;
use std::io::{self, IoSlice};

use fws_session::Millis;

use super::{Entry, Note, SLICES, Shard, Surroundings, find, note_ping};
use crate::conn::Through;
use crate::dispatch::{Arrival, Source};
use crate::handler::Handler as _;

impl Shard {
    /// Does what is due.
    pub(super) fn tick(&mut self) {
        while let Some(&Reverse((time, at))) = self.timers.peek()
            && time <= self.now
        {
            self.timers.pop();
            let Some(entry) = self.entries.get_mut(at).and_then(Option::as_mut).filter(|entry| entry.timer == time) else { continue };
            entry.timer = std::mem::replace(&mut entry.then, Millis::MAX);
            if entry.paused || self.hushed {
                // It is we who do not listen: the client's silence means nothing.
                entry.session.heard(self.now);
            }
            self.wait_for_visitor(at);
            let Some(entry) = self.entries[at].as_mut() else { continue };
            entry.session.tick(self.now, &mut self.spares);
            note_ping(entry, self.started);
            self.look_at_held(at);
            self.touch(at);
        }
    }

    /// Writes, half-closes, ends and re-arms every connection that was touched in this turn.
    pub(super) fn finish_all(&mut self, around: &impl Surroundings) {
        for at in std::mem::take(&mut self.touched) {
            self.finish(around, at);
        }
        if self.timers.len() > 4 * self.entries.len() + 1024 {
            // Most are of connections that are gone.
            let entries = &self.entries;
            let holds = |at: usize, time: Millis| entries[at].as_ref().is_some_and(|entry| entry.timer == time || entry.then == time);
            self.timers.retain(|&Reverse((time, at))| holds(at, time));
        }
    }

    pub(super) fn finish(&mut self, around: &impl Surroundings, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.link.is_pending() {
            entry.touched = false;
            // Whatever ends it, PHP is told behind its first event; but nobody finds it any more.
            if entry.session.is_closing() || entry.session.is_ended() {
                around.dismiss(&entry.conn);
            }
            return;
        }
        let keeps = entry.session.keeps();
        if keeps {
            self.keep_up(at);
            if !self.is_there(around, at) {
                return;
            }
        }
        // Before the client reads our close frame: it may come back at once, and its old connection must not keep it out.
        self.tell_end(around, at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        entry.touched = false;
        self.write_out(at, keeps);
        self.report_waiting(at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.take_half_close() {
            entry.link.half_close();
        }
        if keeps && !self.is_there(around, at) {
            return;
        }
        self.tell_end(around, at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_ended() {
            entry.link.end(&self.registry);
            if let Some(entry) = self.entries[at].take() {
                let Entry { conn, route, link, .. } = *entry;
                link.give_up(&route.quota, conn.address(), conn.key);
                around.through(&conn, Through::Socket);
            }
            self.give_up_catching_up(at);
            return;
        }
        self.set_timer(at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_closing() || entry.session.is_ending() {
            // Nothing but the end is left to wait for, and nothing that comes is for PHP.
            entry.paused = false;
        }
        // There may be room in the outbox, by what was written, dropped or configured: then reading goes on.
        self.read_again(at);
    }

    /// Writes until nothing is left, or the socket takes no more.
    fn write_out(&mut self, at: usize, keeps: bool) {
        while self.has_more(at) {
            if keeps {
                // What it has missed was numbered just now: it may say that it has got it as soon as it is written.
                self.keep_up(at);
            }
            let Some(entry) = self.entries[at].as_mut() else { return };
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = entry.session.slices(&mut slices);
            match entry.link.write(&slices[..filled]) {
                Ok(count) => {
                    self.tally.bytes_sent += count as u64;
                    entry.conn.traffic.sent_bytes(count as u64);
                    entry.session.wrote(count, self.now, &entry.conn.backlog, &mut self.spares);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => entry.session.disconnected(self.now),
            }
        }
    }

    /// Has the timer queue look at a connection when something of it is due.
    pub(super) fn set_timer(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if let Some(deadline) = entry.session.deadline()
            && deadline < entry.timer
        {
            // A connection that is queued again and again, as by a rate limit, must not move back in the queue each time.
            entry.then = entry.timer;
            entry.timer = deadline;
            self.timers.push(Reverse((deadline, at)));
        }
    }

    /// Tells the registry and PHP that a connection is over, once that is known.
    pub(super) fn tell_end(&mut self, around: &impl Surroundings, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        let closed = entry.session.take_closed();
        let failed = closed.as_ref().is_some_and(|closed| closed.failed.is_some());
        if entry.session.is_closing() || failed {
            around.dismiss(&entry.conn);
        }
        let Some(closed) = closed else { return };
        around.closed(&entry.conn);
        if let Some(failed) = closed.failed {
            around.failed(&entry.conn, failed, &closed);
        }
        match entry.route.protocol.closed(closed) {
            Some(event) => {
                let limits = entry.route.event_limits();
                self.arrivals.push(Arrival { source: Source::Conn(entry.conn.clone()), event, limits });
            }
            None => around.through(&entry.conn, Through::Events),
        }
    }

    /// Gives this turn's events to the dispatcher.
    pub(super) fn hand_over(&mut self, around: &impl Surroundings) {
        if !self.arrivals.is_empty() {
            for key in around.push(&mut self.arrivals) {
                if let Some((_, entry)) = find(&mut self.entries, self.count, key)
                    && !entry.session.is_ending()
                {
                    entry.paused = true;
                }
            }
        }
        // All that this shard has read is with the dispatcher now.
        self.hushing.clear();
        for (reply, answer) in self.replies.drain(..) {
            let _ = reply.send(answer);
        }
    }

    pub(super) fn count_up(&mut self, around: &impl Surroundings) {
        around.evict();
        for Note { report, conn, count } in self.notes.drain(..) {
            around.report(report, &conn, count);
        }
        let tally = std::mem::take(&mut self.tally);
        around.count(&tally, self.spares.take_saved());
    }
}
