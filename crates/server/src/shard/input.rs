//! What arrives: readiness, bytes, messages.

use std::io;

use super::doing::Doing;
use super::{INFLATED, Report, Shard, find, note};
use crate::handler::Handler as _;
use crate::pipe::PipeReady;

impl Shard {
    pub(super) fn ready(&mut self, event: &mio::event::Event) {
        let at = event.token().0;
        let Some(entry) = self.entries.get_mut(at).and_then(Option::as_mut) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            entry.readable = true;
            entry.finished |= event.is_read_closed() || event.is_error();
            if !entry.reading {
                entry.reading = true;
                self.read.push(at);
            }
        }
        if event.is_writable() && !entry.writable {
            entry.writable = true;
            if entry.session.outbox_len() > 0 {
                self.touch(at);
            }
        }
    }

    pub(super) fn read_all(&mut self, scratch: &mut [u8]) {
        for at in std::mem::take(&mut self.read) {
            if let Some(entry) = self.entries[at].as_mut() {
                entry.reading = false;
                self.read(at, scratch);
            }
        }
    }

    /// Reads a connection once, if it should be.
    pub(super) fn read(&mut self, at: usize, scratch: &mut [u8]) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if !entry.is_to_be_read(self.hushed) {
            return;
        }
        if let Some(mut rest) = entry.session.take_rest() {
            self.decode(at, &mut rest, 0);
            self.read_again(at);
            return;
        }
        match entry.link.read(scratch) {
            Ok(0) => {
                entry.readable = false;
                entry.session.disconnected(self.now);
                self.touch(at);
            }
            Ok(count) => {
                // The end may have been told already.
                entry.readable = entry.link.has_more(count == scratch.len() || entry.finished);
                self.receive(at, &mut scratch[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                entry.readable = false;
                entry.session.disconnected(self.now);
                self.touch(at);
            }
        }
        self.read_again(at);
    }

    /// Puts a connection in the list of those to read, if it should be.
    pub(super) fn read_again(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.is_to_be_read(self.hushed) && !entry.reading {
            entry.reading = true;
            self.read.push(at);
        }
    }

    pub(super) fn receive(&mut self, at: usize, input: &mut [u8]) {
        let bytes = input.len() as u64;
        self.tally.bytes_received += bytes;
        self.decode(at, input, bytes);
    }

    /// What the connection held back is looked at, once it may be.
    pub(super) fn look_at_held(&mut self, at: usize) {
        if let Some(mut held) = self.entries[at].as_mut().and_then(|entry| entry.session.take_held(self.now)) {
            self.decode(at, &mut held, 0);
            self.read_again(at);
        }
    }

    /// `bytes`: how many of them have just come, and are not counted yet.
    pub(super) fn decode(&mut self, at: usize, mut input: &mut [u8], bytes: u64) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_ending() {
            return;
        }
        if entry.session.has_rest() {
            entry.conn.traffic.received(bytes, 0, self.epoch + self.now);
            entry.session.put_by(input);
            return;
        }
        let (protocol, peer) = (entry.route.protocol, entry.conn.peer());
        let mut inflated = 0;
        let (mut received, mut sent, mut discarded) = (0, 0, 0);
        while let Some(message) = entry.session.receive(&mut input, self.now, peer, &entry.conn.backlog, &mut self.spares) {
            received += 1;
            inflated += message.payload.as_slice().len();
            let mut doing = Doing::new(entry, &mut self.arrivals, &mut self.spares);
            protocol.message(message, &mut doing);
            sent += doing.sent;
            discarded += doing.discarded;
            if inflated >= INFLATED && !input.is_empty() && entry.session.put_by(input) {
                break;
            }
        }
        self.tally.messages_received += received;
        self.tally.messages_sent += sent;
        entry.conn.traffic.received(bytes, received, self.epoch + self.now);
        if sent > 0 {
            entry.conn.traffic.sent_messages(sent);
        }
        if discarded > 0 {
            entry.conn.count_discarded(discarded);
            self.tally.messages_discarded += discarded;
            note(&mut self.notes, Report::ThrownAway, &entry.conn, discarded);
        }
        let signs = entry.session.take_signs();
        if signs.pong_received {
            entry.conn.traffic.pong_received(crate::clock::since(self.started).as_nanos() as u64);
            if let Some(resume) = entry.conn.resume.as_ref().filter(|_| entry.session.is_greeted()) {
                resume.greeted();
            }
        }
        let held = entry.session.is_held();
        if held {
            note(&mut self.notes, Report::TooFast, &entry.conn, 1);
        }
        // What is set is mostly a ping's time, which comes before that of a message.
        let early = entry.session.message_due().is_some_and(|due| due < entry.timer);
        // After a ping, the timer waits for the pong's deadline, which may be far behind the next ping.
        if held || early || signs.broke_silence || entry.session.is_ending() || entry.session.outbox_len() > 0 {
            self.touch(at);
        }
    }

    /// A pipe is ready, as [`Shard::ready`] says it of sockets. It is read at once: this turn has had its look at epoll.
    pub(super) fn stir(&mut self, stir: PipeReady, scratch: &mut [u8]) {
        let Some((at, entry)) = find(&mut self.entries, self.count, stir.key) else { return };
        if stir.writable && !entry.writable {
            entry.writable = true;
            if entry.session.outbox_len() > 0 {
                self.touch(at);
            }
        }
        if stir.readable
            && let Some(entry) = self.entries[at].as_mut()
        {
            entry.readable = true;
            self.read(at, scratch);
        }
    }
}
