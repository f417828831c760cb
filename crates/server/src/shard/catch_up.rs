//! Clients that get what they have missed.
//!
//! It may be more than may wait for a client, so it is put into the outbox piece by piece, as the client reads, and does not count for the
//! client's limit. What is sent to the client meanwhile waits behind it, and counts as always.

use std::collections::VecDeque;

use fws_hub::Key;
use fws_session::{Frame, Posted, Spares};
use fws_wire::frame;

use super::{Missed, Report, Shard, find, note};

/// While less waits for the socket, more is put into the outbox.
const FED: usize = 64 * 1024;

/// What a client is still to get.
pub struct CatchUp {
    items: VecDeque<Item>,
    /// So many of them come before something that is still to be told, and nothing is sent until that is there.
    held: Option<usize>,
    /// The client is to be closed behind all that.
    close: Option<(u16, Box<str>)>,
}

enum Item {
    Missed(Missed),
    /// Sent meanwhile, with the room that it has in the backlog.
    Frame(Frame),
    Message {
        binary: bool,
        payload: Box<[u8]>,
        reserved: usize,
    },
}

impl CatchUp {
    /// Something is sent to the client.
    pub fn push(&mut self, posted: Posted<'_>) {
        self.items.push_back(match posted {
            Posted::Frame(frame) => Item::Frame(frame),
            Posted::Message { binary, payload, reserved } => Item::Message { binary, payload: payload.into(), reserved },
        });
    }

    /// All of it, for another server.
    pub fn into_missed(self, spares: &mut Spares) -> Vec<Missed> {
        self.items.into_iter().map(|item| item.into_missed(spares)).collect()
    }

    /// The client is closed when it has got all.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.close.get_or_insert_with(|| (code, reason.into()));
    }
}

impl Item {
    fn into_missed(self, spares: &mut Spares) -> Missed {
        match self {
            Item::Missed(missed) => missed,
            Item::Message { binary, payload, .. } => Missed { binary, data: payload.into() },
            Item::Frame(frame) => {
                let (binary, payload) = spares.decode(&frame);
                Missed { binary, data: payload.into() }
            }
        }
    }
}

impl Shard {
    /// A client is to get these messages before all others.
    pub(super) fn catch_up(&mut self, key: Key, messages: VecDeque<Missed>) {
        let Some((at, _)) = find(&mut self.entries, self.count, key) else { return };
        self.behind(at).items.extend(messages.into_iter().map(Item::Missed));
        self.touch(at);
    }

    fn behind(&mut self, at: usize) -> &mut CatchUp {
        self.catching_up.entry(at).or_insert_with(|| CatchUp { items: VecDeque::new(), held: None, close: None })
    }

    /// What is sent to a client waits, until the shard is told what comes before it.
    pub(super) fn hold(&mut self, key: Key) {
        let Some((at, _)) = find(&mut self.entries, self.count, key) else { return };
        let behind = self.behind(at);
        let before = behind.items.len();
        behind.held.get_or_insert(before);
    }

    /// A client that waits for these messages gets them, and then what was sent to it meanwhile.
    pub(super) fn release(&mut self, key: Key, messages: VecDeque<Missed>) {
        let Some((at, _)) = find(&mut self.entries, self.count, key) else { return };
        let behind = self.behind(at);
        let before = behind.held.take().unwrap_or(behind.items.len()).min(behind.items.len());
        let after = behind.items.split_off(before);
        behind.items.extend(messages.into_iter().map(Item::Missed));
        behind.items.extend(after);
        self.touch(at);
    }

    /// Whether there is something to write, and the socket takes it. First more of what a client has missed is put into its outbox.
    pub(super) fn has_more(&mut self, at: usize) -> bool {
        let Some(entry) = self.entries[at].as_ref() else { return false };
        if !entry.writable {
            return false;
        }
        if !self.catching_up.is_empty() {
            self.feed(at);
        }
        self.entries[at].as_ref().is_some_and(|entry| entry.session.outbox_len() > 0)
    }

    /// Puts more into the outbox. What was missed goes there in pieces and does not count for the client's limit; what was sent meanwhile goes there
    /// when nothing of that is left in the outbox, so that what counts is counted alone.
    fn feed(&mut self, at: usize) {
        while let (Some(entry), Some(behind)) = (self.entries[at].as_mut(), self.catching_up.get_mut(&at)) {
            let open = !(entry.session.is_closing() || entry.session.is_ending());
            let waiting = entry.session.outbox_len();
            let room = match behind.items.front() {
                Some(Item::Missed(_)) => waiting < FED,
                Some(Item::Frame(_) | Item::Message { .. }) | None => waiting == 0,
            };
            if !room || !open || behind.held.is_some() {
                return;
            }
            if waiting == 0 {
                entry.session.report_written(&entry.conn.backlog);
            }
            let Some(item) = behind.items.pop_front() else {
                let close = self.catching_up.remove(&at).and_then(|behind| behind.close);
                if let (Some((code, reason)), Some(entry)) = (close, self.entries[at].as_mut()) {
                    entry.session.close(code, &reason, self.now, &mut self.spares);
                }
                return;
            };
            let taken = match &item {
                // What no client of the route can be sent, those who were there have not got either.
                Item::Missed(Missed { data, .. }) if frame::encoded_len(data.len()) > entry.conn.backlog.longest() => {
                    entry.conn.backlog.count_dropped(1);
                    self.tally.messages_dropped += 1;
                    note(&mut self.notes, Report::TooLarge, &entry.conn, 1);
                    continue;
                }
                Item::Missed(Missed { binary, data }) => {
                    entry.session.send_message(*binary, data, &mut self.spares);
                    entry.conn.traffic.sent_messages(1);
                    self.tally.messages_sent += 1;
                    continue;
                }
                Item::Frame(frame) => Posted::Frame(frame.clone()),
                Item::Message { binary, payload, reserved } => Posted::Message { binary: *binary, payload, reserved: *reserved },
            };
            self.put(at, taken);
        }
    }

    /// Tells the backlog of a client what waits for it, unless that is what it has missed.
    pub(super) fn report_waiting(&self, at: usize) {
        if let Some(entry) = self.entries[at].as_ref()
            && (entry.session.outbox_len() == 0 || !self.catching_up.contains_key(&at))
        {
            entry.session.report_written(&entry.conn.backlog);
        }
    }

    /// A client that was to get more has ended.
    pub(super) fn give_up_catching_up(&mut self, at: usize) {
        if let Some(behind) = self.catching_up.remove(&at) {
            self.tally.messages_dropped += behind.items.len() as u64;
        }
    }
}
