//! Turns that other threads than the shard's have: with one pipe, or with a few sends.
//!
//! To wake the shard's thread, and then the host's, costs more than the turn itself. So whoever feeds a pipe, or sends to a shard that
//! sleeps, has the turn on its own thread, if the shard is free.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use super::handle::ASLEEP;
use super::{Op, SENDS, Shard, Surroundings, find};
use crate::pipe::{News, Pipe};

impl Shard {
    /// A turn with one pipe on the thread of the host that feeds it, for which it need not be woken, nor the host's. Returns how much of
    /// the bytes it took and what the host has to do. `None`: they must go the other way, behind what waits already.
    pub(super) fn turn_of(&mut self, around: &impl Surroundings, pipe: &Pipe, bytes: &[u8]) -> Option<(usize, News)> {
        let (at, entry) = find(&mut self.entries, self.count, pipe.key())?;
        let behind = self.hushed
            || !entry.link.is(pipe)
            || entry.reading
            || entry.paused
            || entry.session.has_rest()
            || !entry.session.wants_read(&entry.conn.backlog);
        if behind || !pipe.begin_turn() {
            return None;
        }
        self.now = self.now();
        let mut fed = std::mem::take(&mut self.fed);
        let count = bytes.len().min(fed.len());
        fed[..count].copy_from_slice(&bytes[..count]);
        self.receive(at, &mut fed[..count]);
        self.fed = fed;
        self.read_again(at);
        self.end_foreign_turn(around);
        Some((count, pipe.end_turn()))
    }

    /// A turn on the thread of somebody who sent, for which the shard's own need not be woken. `false`: that one has to do it, since it
    /// is much, or something else.
    pub(super) fn turn_of_sends(&mut self, around: &impl Surroundings) -> bool {
        let mut ops = self.inbox.ops.lock();
        let short = |op: &Op| matches!(op, Op::Send { .. } | Op::SendPrivately { .. });
        if ops.len() > SENDS || !ops.iter().all(short) {
            return false;
        }
        let mut sends = std::mem::replace(&mut *ops, std::mem::take(&mut self.sends));
        self.inbox.bytes.store(0, Ordering::Relaxed);
        drop(ops);
        self.now = self.now();
        for op in sends.drain(..) {
            self.carry_out(around, op, &mut []); // sends read nothing
        }
        self.sends = sends;
        self.end_foreign_turn(around);
        true
    }

    /// The end of a turn on another thread.
    fn end_foreign_turn(&mut self, around: &impl Surroundings) {
        self.finish_all(around);
        self.hand_over(around);
        self.count_up(around);
        let due = self.timers.peek().is_some_and(|Reverse((at, _))| *at < self.asleep_until);
        // Where events wait it must look in from time to time.
        let unwatched = || self.inbox.state.load(Ordering::SeqCst) == ASLEEP && around.has_pending();
        if !self.read.is_empty() || due || unwatched() {
            self.inbox.wake();
        }
    }
}
