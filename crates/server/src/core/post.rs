//! A message on its way to the shards.

use std::sync::Arc;

use fws_hub::command::SendTo;
use fws_hub::{CommandError, Key, Outcome, Reply, RouteId, Target};
use fws_session::{Frame, Offer};

use super::Core;
use crate::conn::Conn;
use crate::shard::{Deferral, Op};
use crate::stats::add;

/// Posts a message to the shards of those who get it: encoded once, one operation for each shard.
pub(crate) struct Post<'a> {
    pub(crate) core: &'a Core,
    pub(crate) message: &'a SendTo<'a>,
    /// What may put off that the shards look at it.
    pub(super) deferral: Option<&'a Deferral>,
    fanout: Fanout,
    /// For how many clients it was queued.
    queued: u64,
    /// What became of it with the last client.
    last: Outcome,
    /// Clients that get it compressed, which is done when the hub is not locked any more.
    put_off: Vec<(Key, Arc<Conn>)>,
    dropped: u64,
    /// Clients that are closed since a message did not fit their outbox.
    slow: Vec<Arc<Conn>>,
    /// The route on which a full outbox was told last.
    logged: Option<RouteId>,
}

/// A frame, and the clients that get it.
#[derive(Default)]
pub(crate) struct Fanout {
    pub(crate) frame: Option<Frame>,
    /// Most sends are to one client.
    first: Option<Key>,
    more: Vec<Key>,
}

impl Fanout {
    pub(crate) fn of(frame: Frame) -> Fanout {
        Fanout { frame: Some(frame), ..Fanout::default() }
    }

    pub(crate) fn add(&mut self, key: Key) {
        match self.first {
            None => self.first = Some(key),
            Some(_) => self.more.push(key),
        }
    }

    /// How many clients get it.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.first.is_some()) + self.more.len() as u64
    }
}

impl<'a> Post<'a> {
    pub(super) fn new(core: &'a Core, message: &'a SendTo<'a>, deferral: Option<&'a Deferral>) -> Post<'a> {
        Post {
            core,
            message,
            deferral,
            fanout: Fanout::default(),
            queued: 0,
            last: Outcome::Gone,
            put_off: Vec::new(),
            dropped: 0,
            slow: Vec::new(),
            logged: None,
        }
    }

    /// Queues the message for one client, or puts that off. Called while the hub is locked.
    pub(super) fn send(&mut self, key: Key, to: &Arc<Conn>) {
        if to.compression.as_ref().is_some_and(|compression| compression.wants(self.message.data.len())) {
            self.put_off.push((key, to.clone()));
            return;
        }
        let len = self.frame().len();
        if self.reserve(to, len) == Outcome::Queued {
            self.fanout.add(key);
        }
    }

    /// All who get it are known, and the hub is not locked any more: sends it, and says what became of it.
    pub(super) fn finish(mut self) -> Result<Reply, CommandError> {
        let put_off = std::mem::take(&mut self.put_off);
        self.compress(put_off);
        if self.dropped > 0 {
            add(&self.core.counters.messages_dropped, self.dropped);
        }
        let fanout = std::mem::take(&mut self.fanout);
        self.post(fanout);
        for conn in self.slow {
            self.core.dismiss(&conn);
        }
        match self.message.to {
            Target::Client(_) if self.last == Outcome::TooLarge => Err(CommandError::TooLarge),
            Target::Client(_) => Ok(Reply::Sent(self.last)),
            Target::Tag(_) | Target::User(_) | Target::Expression(_) | Target::All => Ok(Reply::Queued(self.queued)),
        }
    }

    /// The message as it is.
    pub(crate) fn frame(&mut self) -> &Frame {
        let SendTo { binary, ref data, .. } = *self.message;
        self.fanout.frame.get_or_insert_with(|| Frame::message(binary, data))
    }

    /// Makes room for a frame of this length with a client.
    pub(crate) fn reserve(&mut self, to: &Arc<Conn>, len: usize) -> Outcome {
        self.last = match to.backlog.offer(len, || self.core.shard(to.key).is_behind()) {
            Offer::Accepted => {
                self.queued += 1;
                Outcome::Queued
            }
            Offer::TooLarge => {
                self.dropped += 1;
                self.core.too_large(to, len);
                Outcome::TooLarge
            }
            Offer::Full { closes } => {
                self.dropped += 1;
                self.core.outbox_full(to, len, &mut self.logged);
                if closes {
                    self.core.post(to.key, Op::CloseSlow { key: to.key });
                    self.slow.push(to.clone());
                }
                Outcome::Dropped
            }
        };
        self.last
    }

    pub(crate) fn post(&self, fanout: Fanout) {
        let Fanout { frame: Some(frame), first: Some(first), mut more } = fanout else { return };
        add(&self.core.counters.messages_sent, 1 + more.len() as u64);
        if more.is_empty() {
            let shard = self.core.shard(first);
            shard.post(Op::Send { key: first, frame });
            shard.flush_or_defer(self.core, self.deferral);
            return;
        }
        more.push(first);
        for (number, shard) in self.core.shards.iter().enumerate() {
            let keys: Vec<Key> = more.iter().copied().filter(|key| self.core.shard_number(*key) == number).collect();
            if !keys.is_empty() {
                shard.post(Op::SendMany { keys, frame: frame.clone() });
                shard.flush_or_defer(self.core, self.deferral);
            }
        }
    }
}
