//! When something that many threads change is to be looked at again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock;

/// A clock, and the next time on it. Changed under the lock of what it is for; read without, by a shard that says first that it sleeps:
/// whoever changes it after that reading sees that it is to be woken.
pub struct Alarm {
    started: Instant,
    /// In milliseconds since the start; `u64::MAX`: never.
    due: AtomicU64,
}

impl Alarm {
    pub fn new() -> Alarm {
        Alarm { started: clock::now(), due: AtomicU64::new(u64::MAX) }
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        clock::since(self.started).as_millis() as u64
    }

    /// Sets it. `true`: it is sooner than it was.
    pub fn set(&self, due: Option<u64>) -> bool {
        let due = due.unwrap_or(u64::MAX);
        due < self.due.swap(due, Ordering::SeqCst)
    }

    /// How long it is until then; nothing where that is past, `None` where it is not set.
    pub fn left(&self) -> Option<Duration> {
        let due = self.due.load(Ordering::SeqCst);
        (due != u64::MAX).then(|| Duration::from_millis(due.saturating_sub(self.now())))
    }
}
