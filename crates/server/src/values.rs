//! The global key-value store, shared by all threads and with a clock.

use std::time::Duration;

use fws_hub::{Bounds, KeyValue};
use parking_lot::Mutex;

use crate::alarm::Alarm;

/// The most values that are freed while they are locked once.
const HOLD: usize = 1024;

/// [`KeyValue`] and its time.
pub struct Values {
    /// Guards the store; held for one operation on it.
    store: Mutex<KeyValue>,
    /// When the store is to be swept.
    alarm: Alarm,
}

impl Values {
    pub fn new(bounds: Bounds) -> Values {
        Values { store: Mutex::new(KeyValue::new(bounds)), alarm: Alarm::new() }
    }

    /// Runs one operation on the store, which is told the time in milliseconds. `sooner` is called when [`Values::sweep`] is due sooner
    /// than before.
    pub fn run<T>(&self, run: impl FnOnce(&mut KeyValue, u64) -> T, sooner: impl FnOnce()) -> T {
        let mut store = self.store.lock();
        let answer = run(&mut store, self.alarm.now());
        if self.alarm.set(store.next_expiry()) {
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
        let mut store = self.store.lock();
        // There may be more: then the alarm stays in the past, and the next turn comes at once.
        store.sweep(self.alarm.now(), HOLD);
        self.alarm.set(store.next_expiry());
        self.alarm.left()
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.store.lock().len()
    }

    /// What they count for.
    pub fn bytes(&self) -> usize {
        self.store.lock().bytes()
    }
}
