//! A shard as other threads see it: what they post to it, and how it is woken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use mio::Waker;
use parking_lot::Mutex;

use super::{Op, Shard, Surroundings, panicked};
use crate::pipe::{News, Pipe};

/// A shard as other threads see it.
#[derive(Clone)]
pub struct ShardHandle {
    pub(super) number: usize,
    pub(super) inbox: Arc<Inbox>,
    /// Held by the shard's thread while it is awake. Another thread may have a turn of its own, with a pipe or with what was posted, while
    /// it is free, and never waits for it. Locked before all others.
    pub(super) shard: Arc<Mutex<Shard>>,
}

pub(super) struct Inbox {
    /// Guards what was posted and not taken yet.
    pub(super) ops: Mutex<Vec<Op>>,
    /// Bytes of messages among them; written under their lock.
    pub(super) bytes: AtomicUsize,
    /// [`AWAKE`], [`DOZING`] or [`ASLEEP`].
    pub(super) state: AtomicU8,
    pub(super) waker: Waker,
}

/// A shard is behind when so many bytes of messages are posted to it. Where old messages make room for new ones, nothing else bounds how
/// many are on their way.
const BEHIND: usize = 64 << 20;

/// The shard will look at what was posted before it sleeps.
pub(super) const AWAKE: u8 = 0;
/// It sleeps, or is about to, but looks in every few milliseconds.
pub(super) const DOZING: u8 = 1;
/// It sleeps, or is about to, until it is woken.
pub(super) const ASLEEP: u8 = 2;

/// Which sends of a bell's handlers need not be looked at at once, since others of the same bell will follow, and wake the shards, very soon.
/// Used by one thread at a time.
#[derive(Debug, Default)]
pub struct Deferral {
    /// How many more sends may go without waking a shard.
    left: AtomicU32,
    /// Shards that have such sends, by bit.
    shards: [AtomicU64; 4],
}

impl Deferral {
    /// The next `count` sends may be put off.
    pub fn allow(&self, count: u32) {
        self.left.store(count, Ordering::Relaxed);
    }

    /// Whether one more send to a shard may be put off. It is noted.
    fn takes(&self, shard: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        // One thread at a time: no need for the processor to lock.
        let word = &self.shards[shard / 64];
        word.store(word.load(Ordering::Relaxed) | 1 << (shard % 64), Ordering::Relaxed);
        true
    }

    /// No send is put off any more: calls `wake` for each shard that has some.
    pub fn end(&self, wake: impl Fn(usize)) {
        self.allow(0);
        for (word, bits) in self.shards.iter().enumerate() {
            let mut left = bits.load(Ordering::Relaxed);
            if left == 0 {
                continue;
            }
            bits.store(0, Ordering::Relaxed);
            while left != 0 {
                wake(word * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
    }
}

impl Inbox {
    pub(super) fn wake(&self) {
        // Pairs with the shard's look at `ops` after it says that it sleeps.
        if self.state.swap(AWAKE, Ordering::SeqCst) != AWAKE {
            // Writing to an eventfd can only fail when its counter is full: then the shard wakes anyway.
            let _ = self.waker.wake();
        }
    }
}

impl ShardHandle {
    /// Posts without waking: [`ShardHandle::wake`], [`ShardHandle::flush`] or [`ShardHandle::flush_or_defer`] must follow.
    pub fn post(&self, op: Op) {
        let bytes = match &op {
            Op::Send { frame, .. } | Op::SendMany { frame, .. } => frame.len(),
            Op::SendPrivately { reserved, .. } => *reserved,
            _ => 0,
        };
        let mut ops = self.inbox.ops.lock();
        ops.push(op);
        self.inbox.bytes.store(self.inbox.bytes.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    /// Whether messages are posted faster than the shard takes them.
    pub fn is_behind(&self) -> bool {
        self.inbox.bytes.load(Ordering::Relaxed) >= BEHIND
    }

    pub fn wake(&self) {
        self.inbox.wake();
    }

    /// Lets the calling thread have the shard's turn with a pipe, if the shard's own is not having one. See [`Shard::turn_of`].
    pub fn try_turn(&self, around: &impl Surroundings, pipe: &Pipe, bytes: &[u8]) -> Option<(usize, News)> {
        self.foreign_turn(|shard| shard.turn_of(around, pipe, bytes))?
    }

    /// A turn on the calling thread. `None`: the shard is not free.
    fn foreign_turn<T>(&self, turn: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        #[cfg(feature = "simulation")]
        if crate::simulation::world().is_some_and(|world| !world.is_shard_free()) {
            return None;
        }
        let mut shard = self.shard.try_lock()?;
        // As on the shard's own thread: a turn that was broken off leaves all of its connections in disorder.
        Some(catch_unwind(AssertUnwindSafe(|| turn(&mut shard))).unwrap_or_else(|_| panicked()))
    }

    /// Sees to it that what was posted is carried out: on the calling thread, if the shard's own sleeps and it is little, since to wake
    /// that costs more. Only for who holds no lock of the core's.
    pub fn flush(&self, around: &impl Surroundings) {
        // A shard that says that it is awake looks at what was posted before it sleeps.
        if self.inbox.state.load(Ordering::SeqCst) == AWAKE {
            return;
        }
        if self.foreign_turn(|shard| shard.turn_of_sends(around)) != Some(true) {
            self.wake();
        }
    }

    /// [Flushes](Self::flush), unless that may be put off and the shard would look in by itself if the caller got stuck before it does.
    pub fn flush_or_defer(&self, around: &impl Surroundings, deferral: Option<&Deferral>) {
        let Some(deferral) = deferral else { return self.flush(around) };
        if self.inbox.state.load(Ordering::SeqCst) == ASLEEP && deferral.left.load(Ordering::Relaxed) > 0 {
            return self.wake();
        }
        if !deferral.takes(self.number) {
            self.flush(around);
        }
    }
}
