//! The global key-value store, shared by all threads and with a clock.

use std::time::Duration;

use fws_hub::{Bounds, KeyValue};

use crate::alarm::Alarm;

/// The most values that are freed in one turn.
const TURN: usize = 1024;

/// [`KeyValue`] and its time.
pub struct Values {
    store: KeyValue,
    /// When the store is to be swept.
    alarm: Alarm,
}

impl Values {
    pub fn new(bounds: Bounds) -> Values {
        Values { store: KeyValue::new(bounds), alarm: Alarm::new() }
    }

    /// Runs one operation on the store, which is told the time in milliseconds. `sooner` is called when [`Values::sweep`] is due sooner
    /// than before.
    pub fn run<T>(&self, run: impl FnOnce(&KeyValue, u64) -> T, sooner: impl FnOnce()) -> T {
        let answer = run(&self.store, self.alarm.now());
        if self.store.tell_expiry(|next| self.alarm.set(next)) {
            sooner();
        }
        answer
    }

    /// Frees what has expired; how long it is until that is due again.
    pub fn sweep(&self) -> Option<Duration> {
        let left = self.alarm.left();
        if left.is_none_or(|left| !left.is_zero()) {
            return left;
        }
        // There may be more: then the alarm stays in the past, and the next turn comes at once.
        self.store.sweep(self.alarm.now(), TURN);
        self.store.tell_expiry(|next| self.alarm.set(next));
        self.alarm.left()
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// What they count for.
    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }
}
