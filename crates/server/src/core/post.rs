//! What commands send, on its way to the shards.

use std::sync::Arc;

use fws_hub::{Command, CommandError, Key, Outcome, Outlet, Reply, RouteId};
use fws_session::{Frame, outbox_room};

use super::Core;
use crate::conn::Conn;
use crate::shard::Op;
use crate::stats::add;

/// Posts what a command sends to the shards: encoded once, one operation for each shard.
pub(crate) struct Post<'a> {
    pub(crate) core: &'a Core,
    pub(crate) command: &'a Command<'a>,
    parcel: Parcel,
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
pub(crate) struct Parcel {
    pub(crate) frame: Option<Frame>,
    /// Most sends are to one client.
    first: Option<Key>,
    more: Vec<Key>,
}

impl Parcel {
    pub(crate) fn of(frame: Frame) -> Parcel {
        Parcel { frame: Some(frame), ..Parcel::default() }
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
    pub(super) fn new(core: &'a Core, command: &'a Command<'a>) -> Post<'a> {
        Post { core, command, parcel: Parcel::default(), put_off: Vec::new(), dropped: 0, slow: Vec::new(), logged: None }
    }

    /// The hub has answered, and is not locked any more.
    pub(super) fn finish(mut self, reply: Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        let put_off = std::mem::take(&mut self.put_off);
        let reply = if put_off.is_empty() { reply } else { self.compress(put_off, reply) };
        if self.dropped > 0 {
            add(&self.core.counters.messages_dropped, self.dropped);
        }
        let parcel = std::mem::take(&mut self.parcel);
        self.post(parcel);
        for conn in self.slow {
            self.core.dismiss(&conn);
        }
        reply
    }

    /// The message as it is.
    pub(crate) fn frame(&mut self) -> &Frame {
        let Command::Send { binary, data, .. } = self.command else { unreachable!("bug: only Send sends") };
        self.parcel.frame.get_or_insert_with(|| Frame::message(*binary, data))
    }

    /// Makes room for a frame of this length with a client.
    pub(crate) fn reserve(&mut self, to: &Arc<Conn>, len: usize) -> Outcome {
        if len > outbox_room(to.max_outbox()) {
            self.dropped += 1;
            self.core.too_large(to, len);
            return Outcome::TooLarge;
        }
        if !to.reserve(len, || self.core.shard(to.key).is_behind()) {
            self.dropped += 1;
            if self.core.outbox_full(to, len, &mut self.logged) {
                self.slow.push(to.clone());
            }
            return Outcome::Dropped;
        }
        Outcome::Queued
    }

    pub(crate) fn post(&self, parcel: Parcel) {
        let Parcel { frame: Some(frame), first: Some(first), mut more } = parcel else { return };
        add(&self.core.counters.messages_sent, 1 + more.len() as u64);
        if more.is_empty() {
            let shard = self.core.shard(first);
            shard.post(Op::Send { key: first, frame });
            shard.settle_or_defer(self.core);
            return;
        }
        more.push(first);
        for (number, shard) in self.core.shards.iter().enumerate() {
            let keys: Vec<Key> = more.iter().copied().filter(|key| self.core.shard_number(*key) == number).collect();
            if !keys.is_empty() {
                shard.post(Op::SendMany { keys, frame: frame.clone() });
                shard.settle_or_defer(self.core);
            }
        }
    }
}

impl Outlet<Arc<Conn>> for Post<'_> {
    fn send(&mut self, key: Key, to: &Arc<Conn>) -> Outcome {
        if let Some(compression) = &to.compression
            && let Command::Send { data, .. } = self.command
            && compression.wants(data.len())
        {
            self.put_off.push((key, to.clone()));
            return Outcome::Queued;
        }
        let len = self.frame().len();
        let outcome = self.reserve(to, len);
        if outcome == Outcome::Queued {
            self.parcel.add(key);
        }
        outcome
    }

    fn ping(&mut self, key: Key, _: &Arc<Conn>) {
        let Command::Ping { how, .. } = *self.command else { unreachable!("bug: only Ping pings") };
        self.core.post(key, Op::Ping { key, how });
    }
}
