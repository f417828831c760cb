//! The bells of a worker: how many there are, and what each takes part in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Condvar;

use super::Dispatch;
use super::line::Line;
use super::queue::Source;
use crate::clock;

/// After bells that brought nothing, the next one waits; doubling between these.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A worker by number; names keep their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub usize);

pub(super) struct Pool {
    pub(super) name: Arc<str>,
    /// Threads of the core come for its events, and no bells. There is one such pool at most, and it stays.
    pub(super) own: bool,
    /// The configuration in force has this worker.
    pub(super) present: bool,
    /// Connections, and timers, with events that wait for a bell.
    pub(super) waiting: Line,
    /// Signalled when something waits, and when the gate closes.
    pub(super) wake: Arc<Condvar>,
    /// Bells that wait for work.
    pub(super) idle: usize,
    /// Of these, how many have been called already.
    pub(super) called: usize,
    /// Bells asked for that PHP has not claimed yet.
    pub(super) unclaimed: usize,
    /// Bells that PHP has claimed.
    pub(super) running: usize,
    /// What the weight is of what the core's own threads tell it, waiting or leased.
    pub(super) told: usize,
    pub(super) retry: Option<Instant>,
    pub(super) backoff: Duration,
}

impl Pool {
    pub(super) fn new(name: Arc<str>) -> Pool {
        Pool {
            name,
            own: false,
            present: false,
            waiting: Line::default(),
            wake: Arc::default(),
            idle: 0,
            called: 0,
            unclaimed: 0,
            running: 0,
            told: 0,
            retry: None,
            backoff: BACKOFF.0,
        }
    }

    /// So much more of a source waits, unless the core's own threads tell it, and this much waits already.
    pub(super) fn takes(&mut self, source: &Source, weight: usize, most: usize) -> bool {
        let takes = self.told < most || !matches!(source, Source::Told { .. });
        if takes {
            self.grow(source, weight);
        }
        takes
    }

    /// So much more of a source waits.
    pub(super) fn grow(&mut self, source: &Source, weight: usize) {
        if matches!(source, Source::Told { .. }) {
            self.told += weight;
        }
    }

    /// So much less.
    pub(super) fn shrink(&mut self, source: &Source, weight: usize) {
        if matches!(source, Source::Told { .. }) {
            self.told -= weight;
        }
    }
}

/// The part of one bell in the counts of its worker: asked for, then claimed. Its drop takes it out of them.
pub struct Slot {
    dispatch: Arc<Dispatch>,
    pool: PoolId,
    claimed: bool,
}

impl Slot {
    /// The worker.
    pub fn pool(&self) -> PoolId {
        self.pool
    }

    /// Whether PHP has claimed the bell.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// PHP claims the bell.
    pub fn claim(&mut self) {
        let mut inner = self.dispatch.inner.lock();
        let pool = &mut inner.pools[self.pool.0];
        pool.unclaimed -= 1;
        pool.running += 1;
        pool.retry = None;
        pool.backoff = BACKOFF.0;
        self.claimed = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut inner = self.dispatch.inner.lock();
        let pool = &mut inner.pools[self.pool.0];
        if self.claimed {
            pool.running -= 1;
            self.dispatch.call(&mut inner, self.pool, clock::now());
        } else {
            // It brought nothing: the next one waits a while.
            pool.unclaimed -= 1;
            pool.retry = Some(clock::now() + pool.backoff);
            pool.backoff = (pool.backoff * 2).min(BACKOFF.1);
        }
    }
}

/// A bell that was handed out to the host. A closed gate waits for its drop.
pub struct HandedOut {
    dispatch: Arc<Dispatch>,
}

impl Drop for HandedOut {
    fn drop(&mut self) {
        self.dispatch.inner.lock().bells -= 1;
        self.dispatch.ended.notify_all();
    }
}

/// A bell that the host is to ring.
pub struct Wanted {
    pub worker: Arc<str>,
    pub slot: Slot,
    pub handed_out: HandedOut,
}

impl Dispatch {
    /// The next bell to ring.
    pub fn take_wanted(self: &Arc<Self>) -> Option<Wanted> {
        let mut inner = self.inner.lock();
        // Looked at under the lock: who closes the gate either is seen here, or sees the bell that is counted here.
        if self.gate.load(Ordering::Acquire) > 0 {
            return None;
        }
        let pool = inner.wanted.pop_front()?;
        inner.bells += 1;
        let worker = inner.pools[pool.0].name.clone();
        Some(Wanted {
            worker,
            slot: Slot { dispatch: self.clone(), pool, claimed: false },
            handed_out: HandedOut { dispatch: self.clone() },
        })
    }

    /// No new bell is handed out and running ones end soon; waits for them. How many are still there after `timeout`.
    pub fn close_gate(&self, timeout: Duration) -> usize {
        self.gate.fetch_add(1, Ordering::AcqRel);
        let until = clock::now() + timeout;
        let mut inner = self.inner.lock();
        for pool in &inner.pools {
            pool.wake.notify_all();
        }
        while inner.bells > 0 && !clock::wait_until(&self.ended, &mut inner, until) {}
        inner.bells
    }

    pub fn open_gate(&self) {
        let before = self.gate.fetch_update(Ordering::AcqRel, Ordering::Acquire, |gate| gate.checked_sub(1));
        if before == Ok(1) {
            let mut inner = self.inner.lock();
            if !inner.wanted.is_empty() {
                self.flag.raise();
            }
            for pool in &mut inner.pools {
                pool.retry = None;
            }
            drop(inner);
            self.care();
        }
    }

    pub fn gate_is_closed(&self) -> bool {
        self.gate.load(Ordering::Acquire) > 0
    }
}
