//! The global key-value store, shared by all threads and with a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fws_hub::{Bounds, Command, CommandError, KeyValue, Reply};
use parking_lot::Mutex;

/// [`KeyValue`] and its time.
pub struct Values {
    /// Guards the store; held for one operation on it.
    store: Mutex<KeyValue>,
    started: Instant,
    /// When the store is to be swept, in its milliseconds; `u64::MAX`: never.
    due: AtomicU64,
}

impl Values {
    pub fn new(bounds: Bounds) -> Values {
        Values { store: Mutex::new(KeyValue::new(bounds)), started: Instant::now(), due: AtomicU64::new(u64::MAX) }
    }

    /// Carries out a command on values. `sooner` is called when [`Values::sweep`] is due sooner than before.
    pub fn execute(&self, command: &Command<'_>, sooner: impl FnOnce()) -> Result<Reply, CommandError> {
        let mut store = self.store.lock();
        let now = self.now();
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
        let due = store.next_expiry().unwrap_or(u64::MAX);
        if due < self.due.swap(due, Ordering::AcqRel) {
            sooner();
        }
        Ok(reply)
    }

    /// Frees what has expired; how long it is until that is due again.
    pub fn sweep(&self) -> Option<Duration> {
        let due = self.due.load(Ordering::Acquire);
        let now = self.now();
        if due > now {
            return (due != u64::MAX).then(|| Duration::from_millis(due - now));
        }
        let mut store = self.store.lock();
        store.sweep(now);
        let due = store.next_expiry();
        self.due.store(due.unwrap_or(u64::MAX), Ordering::Release);
        due.map(|due| Duration::from_millis(due - now))
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.store.lock().len()
    }

    /// What they count for.
    pub fn bytes(&self) -> usize {
        self.store.lock().bytes()
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
