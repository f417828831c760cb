//! What is kept for the Pusher protocol: its connections, and when each of them is looked at next.
//!
//! A connection is used by one thread at a time, that which has its lease, or the clock's. What is done with it is the core's
//! (`core/pusher`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use fws_hub::Key;
use fws_pusher::{Connection, Millis};
use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::{Condvar, Mutex};

use crate::conn::Conn;
use crate::core::Core;

/// A connection that was admitted.
#[derive(Debug)]
pub struct Client {
    pub conn: Arc<Conn>,
    /// The id of its application.
    pub app: Box<str>,
    pub connection: Connection,
    /// Who it is in presence channels, by the channel's name.
    pub members: HashMap<Box<str>, Arc<str>>,
}

/// All of them.
pub struct Clients {
    by_key: DashMap<Key, Arc<Mutex<Client>>, DefaultHashBuilder>,
    clock: Clock,
    started: Instant,
    running: AtomicBool,
    core: OnceLock<Weak<Core>>,
}

impl Clients {
    pub fn new() -> Clients {
        let clock = Clock { due: Mutex::default(), sooner: Condvar::new() };
        Clients { by_key: DashMap::default(), clock, started: Instant::now(), running: AtomicBool::new(false), core: OnceLock::new() }
    }

    /// Whom the threads will work for.
    pub fn belong_to(&self, core: &Arc<Core>) {
        let _ = self.core.set(Arc::downgrade(core));
    }

    /// Whom the threads work for.
    pub fn core(&self) -> Option<Weak<Core>> {
        self.core.get().cloned()
    }

    /// The core, if its threads are to be started now: the first time that this is called.
    pub fn begin(&self) -> Option<Arc<Core>> {
        let core = self.core.get()?.upgrade()?;
        (!self.running.swap(true, Ordering::AcqRel)).then_some(core)
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    /// A connection is there, and is to be looked at then.
    pub fn insert(&self, client: Client, due: Millis) {
        let key = client.conn.key;
        self.by_key.insert(key, Arc::new(Mutex::new(client)));
        self.clock.set(due, key);
    }

    pub fn get(&self, key: Key) -> Option<Arc<Mutex<Client>>> {
        self.by_key.get(&key).map(|client| client.clone())
    }

    pub fn remove(&self, key: Key) -> Option<Arc<Mutex<Client>>> {
        self.by_key.remove(&key).map(|(_, client)| client)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// A connection is to be looked at then.
    pub fn look_at(&self, key: Key, due: Millis) {
        self.clock.set(due, key);
    }

    /// Waits until a connection is to be looked at.
    pub fn wait(&self) -> Key {
        let mut due = self.clock.due.lock();
        loop {
            match due.peek() {
                Some(Reverse((at, key))) if *at <= self.now() => {
                    let key = *key;
                    due.pop();
                    return key;
                }
                Some(Reverse((at, _))) => {
                    let until = self.started + Duration::from_millis(*at);
                    self.clock.sooner.wait_until(&mut due, until);
                }
                None => self.clock.sooner.wait(&mut due),
            }
        }
    }
}

/// When connections are to be looked at: each stands here once. One that has gone is left out when its time comes.
struct Clock {
    due: Mutex<BinaryHeap<Reverse<(Millis, Key)>>>,
    /// Signalled when one is to be looked at before all others.
    sooner: Condvar,
}

impl Clock {
    fn set(&self, at: Millis, key: Key) {
        let mut due = self.due.lock();
        let sooner = due.peek().is_none_or(|Reverse((first, _))| at < *first);
        due.push(Reverse((at, key)));
        if sooner {
            self.sooner.notify_one();
        }
    }
}
