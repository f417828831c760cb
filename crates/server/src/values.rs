//! The global key-value store, shared by all threads and with a clock.

use std::time::Duration;

use fws_hub::{Bounds, Command, CommandError, KeyValue, Reply};
use parking_lot::Mutex;

use crate::alarm::Alarm;

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

    /// Carries out a command on values. `sooner` is called when [`Values::sweep`] is due sooner than before.
    pub fn execute(&self, command: &Command<'_>, sooner: impl FnOnce()) -> Result<Reply, CommandError> {
        let mut store = self.store.lock();
        let now = self.alarm.now();
        let at = |expire: Option<u64>| expire.map(|seconds| now.saturating_add(seconds.saturating_mul(1000)));
        let reply = match *command {
            Command::Set { ref key, ref value, expire } => store.set(key, value, at(expire), now).map(|()| Reply::Done)?,
            Command::Add { ref key, ref value, expire } => Reply::Flag(store.add(key, value, at(expire), now)?),
            Command::Get { ref key } => Reply::Value(store.get(key, now).map(Box::from)),
            Command::Delete { ref key } => Reply::Flag(store.delete(key, now)),
            Command::Increment { ref key, by } => Reply::Integer(store.increment(key, by, now)?),
            Command::Expiry { ref key } => Reply::Expiry(store.ttl(key, now)),
            _ => unreachable!("bug: {command:?} is not about values"),
        };
        if self.alarm.set(store.next_expiry()) {
            sooner();
        }
        Ok(reply)
    }

    /// Frees what has expired; how long it is until that is due again.
    pub fn sweep(&self) -> Option<Duration> {
        let left = self.alarm.left();
        if left.is_none_or(|left| !left.is_zero()) {
            return left;
        }
        let mut store = self.store.lock();
        store.sweep(self.alarm.now());
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
