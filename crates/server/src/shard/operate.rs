//! What other threads have posted, carried out.

use std::sync::Arc;

use fws_hub::{Key, Pinging, RouteId};
use fws_session::{Millis, Posted, Settings, Taken};
use fws_wire::close;

use crate::routes::Route;

use super::{CLOSES_PER_SECOND, CLOSES_WITHIN, Op, Report, Shard, Surroundings, find, note, note_ping};

impl Shard {
    pub(super) fn carry_out(&mut self, around: &impl Surroundings, op: Op, scratch: &mut [u8]) {
        match op {
            Op::Enter(newcomer) => self.enter(*newcomer),
            Op::Link(linked) => self.link(around, *linked, scratch),
            Op::Return(returned) => self.take_back(around, *returned, scratch),
            Op::Abandon { key } => self.abandon(around, key),
            Op::Suspend { key, reply } => self.let_wait(around, key, reply),
            Op::Pack { key, reply } => self.pack(around, key, &reply),
            Op::Arrive(arrived) => self.arrive(*arrived),
            Op::Send { key, frame } => self.send(key, Posted::Frame(frame)),
            Op::SendMany { keys, frame } => {
                for key in keys {
                    self.send(key, Posted::Frame(frame.clone()));
                }
            }
            Op::SendPrivately { key, binary, payload, reserved } => {
                self.send(key, Posted::Message { binary, payload: &payload, reserved });
            }
            Op::CatchUp { key, messages } => self.catch_up(key, messages),
            Op::Hold { key } => self.hold(key),
            Op::Release { key, messages } => self.release(key, messages),
            Op::Close { key, code, reason } => self.close(key, code, &reason),
            Op::Kill { key } => self.kill(key),
            Op::GiveUp { key } => self.give_up(key),
            Op::Ping { key, how } => self.ping(key, how),
            Op::CloseSlow { key } => self.close_slow(around, key),
            Op::Evict { key } => self.evict(key),
            Op::ReadAgain { key } => self.resume_reading(key),
            Op::PipeReady(stir) => self.stir(stir, scratch),
            Op::Configure(route) => self.configure(&route),
            Op::Hush { done } => {
                self.hushed = true;
                self.hushing.push(done);
            }
            Op::CloseRoute { route: None } => self.close_all(),
            Op::CloseRoute { route: Some(route) } => self.leave_route(route),
        }
    }

    /// Cuts a connection without a closing handshake.
    fn kill(&mut self, key: Key) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            entry.session.cut("the server cut the connection");
            self.touch(at);
        }
    }

    /// Pings a client, or says how it is to be pinged.
    fn ping(&mut self, key: Key, how: Pinging) {
        let interval = match how {
            Pinging::Route => None,
            Pinging::Every(interval) => Some(interval),
            Pinging::Off => Some(0),
        };
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            let interval = interval.map(|asked| u32::try_from(entry.conn.transport().ping_interval(asked.into())).unwrap_or(asked));
            entry.session.set_ping_interval(interval, self.now);
            // A caller that asks for pings wants to know their time at once, not only after the first interval.
            if how != Pinging::Off {
                entry.session.ping(self.now, &mut self.spares);
                note_ping(entry, self.started);
            }
            self.touch(at);
        }
    }

    /// Closes a client that does not read what it is sent.
    fn close_slow(&mut self, around: &impl Surroundings, key: Key) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key)
            && let Some(dropped) = entry.session.close_slow(self.now, &entry.conn.backlog, &mut self.spares)
        {
            around.report(Report::TooSlow, &entry.conn, dropped);
            self.tally.messages_dropped += dropped;
            self.touch(at);
        }
    }

    /// Closes a client whose unfinished message has to go in favour of others.
    fn evict(&mut self, key: Key) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            entry.session.evict(self.now, &mut self.spares);
            self.touch(at);
        }
    }

    /// The events of a connection have room again.
    fn resume_reading(&mut self, key: Key) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            entry.paused = false;
            // It was we who did not listen: what it has begun has its time from now on.
            entry.session.heard(self.now);
            self.read_again(at);
        }
    }

    /// A route has other settings now.
    fn configure(&mut self, route: &Arc<Route>) {
        let mut order = 0;
        for at in 0..self.entries.len() {
            let Some(entry) = self.entries[at].as_mut().filter(|entry| entry.route.id == route.id) else { continue };
            entry.conn.backlog.configure(&route.settings.backlog);
            let leaving = entry.session.leaves_at();
            entry.session.configure(route.settings_for(entry.conn.transport()), self.now, entry.conn.key.index);
            if entry.route.protocol == route.protocol {
                entry.route = route.clone();
                // Of a sub-protocol that is gone it leaves as from a route that is gone.
                if !route.serves(entry.conn.branch) {
                    entry.session.leave(leaving.unwrap_or_else(|| leave_at(self.now, order)), self.now);
                    order += 1;
                }
            } else {
                // To PHP it would be a connection without its first event, or without its last: it ends as what it was.
                entry.session.close(close::GOING_AWAY, "", self.now, &mut self.spares);
            }
            // Its times may be others now.
            self.touch(at);
        }
    }

    /// The server ends: closes all connections, and does not wait long for their clients.
    fn close_all(&mut self) {
        self.hushed = false;
        // The host waits for it, but not long.
        for at in 0..self.entries.len() {
            if let Some(entry) = self.entries[at].as_mut() {
                let hurried = Settings { close_timeout: 2_000, linger: 1_000, ..Settings::clone(&entry.route.settings) };
                entry.session.configure(Arc::new(hurried), self.now, entry.conn.key.index);
                entry.session.close(close::GOING_AWAY, "", self.now, &mut self.spares);
                self.touch(at);
            }
        }
    }

    /// A route is gone: its connections are closed little by little.
    fn leave_route(&mut self, route: RouteId) {
        let mut order = 0;
        for at in 0..self.entries.len() {
            if let Some(entry) = self.entries[at].as_mut().filter(|entry| entry.route.id == route) {
                entry.session.leave(leave_at(self.now, order), self.now);
                order += 1;
                self.touch(at);
            }
        }
    }

    /// Puts a message that was posted into the outbox of its client.
    pub(super) fn send(&mut self, key: Key, posted: Posted<'_>) {
        let Some((at, _)) = find(&mut self.entries, self.count, key) else { return };
        if let Some(behind) = self.catching_up.get_mut(&at) {
            behind.push(posted);
            return;
        }
        self.put(at, posted);
    }

    /// Puts a message into the outbox of the client at a place.
    pub(super) fn put(&mut self, at: usize, posted: Posted<'_>) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        let dropped = match entry.session.take(posted, &entry.conn.backlog, &mut self.spares) {
            Taken::Queued { dropped } => {
                entry.conn.traffic.sent_messages(1);
                dropped
            }
            Taken::NoRoom { dropped } => dropped + 1,
            Taken::Closing => {
                self.tally.messages_dropped += 1;
                return;
            }
            Taken::NotKept { dropped } => {
                self.tally.messages_dropped += dropped + 1;
                note(&mut self.notes, Report::NotKept, &entry.conn, 1);
                0
            }
        };
        if dropped > 0 {
            self.tally.messages_dropped += dropped;
            note(&mut self.notes, Report::Overtaken, &entry.conn, dropped);
        }
        self.touch(at);
    }

    pub(super) fn close(&mut self, key: Key, code: u16, reason: &str) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            if let Some(behind) = self.catching_up.get_mut(&at) {
                behind.close(code, reason);
            } else {
                entry.session.close(code, reason, self.now, &mut self.spares);
            }
            self.touch(at);
        }
    }
}

/// When the connection of this order among those that leave is to be closed.
fn leave_at(now: Millis, order: u64) -> Millis {
    now + (order * 1000 / CLOSES_PER_SECOND).min(CLOSES_WITHIN)
}
