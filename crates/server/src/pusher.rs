//! What is kept for the Pusher protocol: its connections, and when each of them is looked at next.
//!
//! A connection is used by one thread at a time, that which has its lease, or the clock's. What is done with it is the core's
//! (`core/pusher`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use fws_hub::Key;
use fws_pusher::{Connection, Millis};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use parking_lot::{Condvar, Mutex, MutexGuard};

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

/// How long servers are not asked for numbers that clients are told unasked, once one has not answered.
const HOPELESS: Millis = 5000;

/// So many users are remembered who were there again before it was told that they had left.
const MOST_RETURNED: usize = 10_000;

/// A tag and a user.
type Returned = (Box<str>, Box<str>);

/// Nobody else enters a channel.
pub type Entering<'a> = MutexGuard<'a, ()>;

/// What the clock's thread does next.
pub enum Due {
    /// It looks at a connection.
    Client(Key),
    /// It tells everybody who is in their presence channels.
    List,
    /// It tells the clients in these channels who is there, and these clients who of their watchlists is online.
    ListSome(Vec<Named>, Vec<Key>),
    /// It looks at all connections, since the configuration has changed.
    Reload,
    /// It tells the subscribers of these channels how many they are.
    Counts(Vec<Named>),
}

/// The name of a route, and the tag of a channel.
pub type Named = (Arc<str>, Box<str>);

/// So long after a change that is not told by itself clients are told who is in their channel, so that they are not told of each change.
const LISTED: Millis = 250;

/// When it is tried again where Redis has not said who is there.
const LISTED_AGAIN: Millis = 1000;

/// So long after a change subscribers are told how many they are, so that they are not told of each change.
const COUNTED: Millis = 1000;

/// So many channels with another number of subscribers wait. Those of others are told with their next change.
const MOST_COUNTED: usize = 10_000;

/// So many are looked at before connections are again: other servers, or Redis, are asked about each.
const TOGETHER: usize = 100;

/// All of them.
pub struct Clients {
    by_key: DashMap<Key, Arc<Mutex<Client>>, DefaultHashBuilder>,
    clock: Clock,
    /// Locked while a client enters a presence channel of a server that is alone, by the channel's hash: so no more enter than may.
    entrances: [Mutex<()>; 64],
    hasher: DefaultHashBuilder,
    /// Until then.
    hopeless: AtomicU64,
    /// By tag and user: those who were in their channels again before it was told that they had left, with the client by which they had left.
    returned: Mutex<HashMap<Returned, Option<Box<str>>>>,
    /// Locked while clients are told of members of a channel among several servers.
    pub listing: Mutex<Option<Listing>>,
    /// The channels whose subscribers are being counted for webhooks.
    pub counting: Counting,
    started: Instant,
    running: AtomicBool,
    core: OnceLock<Weak<Core>>,
}

impl Clients {
    pub fn new() -> Clients {
        Clients {
            by_key: DashMap::default(),
            clock: Clock { due: Mutex::default(), sooner: Condvar::new() },
            entrances: [const { Mutex::new(()) }; 64],
            hasher: DefaultHashBuilder::default(),
            hopeless: AtomicU64::new(0),
            returned: Mutex::default(),
            listing: Mutex::default(),
            counting: Counting::default(),
            started: Instant::now(),
            running: AtomicBool::new(false),
            core: OnceLock::new(),
        }
    }

    /// Whom the threads will work for.
    pub fn belong_to(&self, core: &Arc<Core>) {
        let _ = self.core.set(Arc::downgrade(core));
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

    /// A client is about to enter a presence channel.
    pub fn enter(&self, tag: &str) -> Entering<'_> {
        self.entrances[self.hasher.hash_one(tag) as usize % self.entrances.len()].lock()
    }

    /// It is told that a user has left, who is there again: by other clients, which hear of it as well.
    pub fn leave_early(&self, tag: &str, user: &str, by: Option<&str>) {
        let mut returned = self.returned.lock();
        // Where another server has the user, nobody asks for it here.
        if returned.len() >= MOST_RETURNED {
            returned.clear();
        }
        returned.insert((tag.into(), user.into()), by.map(Box::from));
    }

    /// It is told that a user has come by a client. Whether that client has to hear of it, since it was told that the user had left.
    pub fn comes_late(&self, tag: &str, user: &str, by: Option<&str>) -> bool {
        let user = (tag.into(), user.into());
        self.returned.lock().remove(&user).is_some_and(|left| left.as_deref() != by)
    }

    /// Another server has not answered.
    pub fn lose_hope(&self) {
        self.hopeless.store(self.now() + HOPELESS, Ordering::Relaxed);
    }

    /// Whether one has not answered lately.
    pub fn is_hopeless(&self) -> bool {
        self.hopeless.load(Ordering::Relaxed) > self.now()
    }

    /// Everybody is to be told who is in the presence channels, since what was told may have been lost: after this time.
    pub fn list_again(&self, after: Duration) {
        self.clock.due.lock().list_at = Some(self.now() + after.as_millis() as Millis);
        self.clock.sooner.notify_one();
    }

    /// The clients in a channel are to be told soon who is there.
    pub fn list_channel(&self, channel: Named) {
        self.list_later(LISTED, [channel], []);
    }

    /// A client is to be told soon who of its watchlist is online.
    pub fn watch_again(&self, key: Key) {
        self.list_later(LISTED_AGAIN, [], [key]);
    }

    /// The clients in these channels, and these clients, are to be told now.
    pub fn list_now(&self, channels: impl IntoIterator<Item = Named>, clients: impl IntoIterator<Item = Key>) {
        self.list_later(0, channels, clients);
    }

    /// Redis has not said who is in these channels, and who is online: it is asked later, and not about others until then.
    pub fn list_in_vain(&self, channels: impl IntoIterator<Item = Named>, clients: impl IntoIterator<Item = Key>) {
        self.clock.due.lock().lists_at = Some(self.now() + LISTED_AGAIN);
        self.list_later(LISTED_AGAIN, channels, clients);
    }

    /// There are no more of them than channels and clients on this server.
    fn list_later(&self, after: Millis, channels: impl IntoIterator<Item = Named>, clients: impl IntoIterator<Item = Key>) {
        let mut due = self.clock.due.lock();
        // All of them are told then.
        if due.list_at.is_some() {
            return;
        }
        due.lists.extend(channels);
        due.watchers.extend(clients);
        due.lists_at.get_or_insert(self.now() + after);
        self.clock.sooner.notify_one();
    }

    /// The configuration has changed.
    pub fn reload(&self) {
        self.clock.due.lock().reload = true;
        self.clock.sooner.notify_one();
    }

    /// A channel has another number of subscribers. `false`: too many wait.
    pub fn count_later(&self, channel: Named) -> bool {
        let mut due = self.clock.due.lock();
        if due.counts.len() >= MOST_COUNTED {
            return false;
        }
        if due.counts.insert(channel) && due.counts_at.is_none() {
            due.counts_at = Some(self.now() + COUNTED);
            self.clock.sooner.notify_one();
        }
        true
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All connections that there are.
    pub fn keys(&self) -> Vec<Key> {
        self.by_key.iter().map(|client| *client.key()).collect()
    }

    /// Waits until something is to be done.
    pub fn wait(&self) -> Due {
        let mut due = self.clock.due.lock();
        loop {
            if std::mem::take(&mut due.reload) {
                return Due::Reload;
            }
            let now = self.now();
            if due.list_at.take_if(|at| *at <= now).is_some() {
                return Due::List;
            }
            let next = due.clients.peek().map(|Reverse(next)| *next);
            match next {
                Some((at, key)) if at <= now => {
                    due.clients.pop();
                    return Due::Client(key);
                }
                Some(_) | None if due.lists_at.is_some_and(|at| at <= now) => {
                    let Waiting { lists, watchers, lists_at, .. } = &mut *due;
                    let (channels, clients) = (some(lists), some(watchers));
                    lists_at.take_if(|_| lists.is_empty() && watchers.is_empty());
                    return Due::ListSome(channels, clients);
                }
                Some(_) | None if due.counts_at.is_some_and(|at| at <= now) => {
                    let Waiting { counts, counts_at, .. } = &mut *due;
                    let channels = some(counts);
                    counts_at.take_if(|_| counts.is_empty());
                    return Due::Counts(channels);
                }
                Some(_) | None => {
                    let others = [due.list_at, due.lists_at, due.counts_at];
                    match next.map(|(at, _)| at).into_iter().chain(others.into_iter().flatten()).min() {
                        Some(at) => drop(self.clock.sooner.wait_until(&mut due, self.started + Duration::from_millis(at))),
                        None => self.clock.sooner.wait(&mut due),
                    }
                }
            }
        }
    }
}

/// Takes some of those who wait.
fn some<T: Clone + Eq + Hash>(waiting: &mut HashSet<T>) -> Vec<T> {
    let some: Vec<T> = waiting.iter().take(TOGETHER).cloned().collect();
    for one in &some {
        waiting.remove(one);
    }
    some
}

/// A channel whose list is asked for in Redis, and what clients are told of its members until the list is told: it may not have that.
#[derive(Debug)]
pub struct Listing {
    channel: Named,
    /// By user, the last of it: whether it has joined, and what clients were told.
    changes: HashMap<Box<str>, (bool, String)>,
}

impl Listing {
    pub fn of(channel: Named) -> Listing {
        Listing { channel, changes: HashMap::new() }
    }

    /// Clients are told of a member of a channel.
    pub fn note(&mut self, (route, tag): (&str, &str), user: &str, joined: bool, told: String) {
        if *self.channel.0 == *route && *self.channel.1 == *tag {
            self.changes.insert(user.into(), (joined, told));
        }
    }

    pub fn changes(self) -> HashMap<Box<str>, (bool, String)> {
        self.changes
    }
}

/// The channels whose subscribers are being counted, each by one thread: so what is told last of a channel is true.
#[derive(Default)]
pub struct Counting(Mutex<HashMap<Named, Count>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    /// A thread counts.
    Now,
    /// A thread counts, and the number has changed since.
    Again,
    /// The clock's thread will count.
    Later,
}

impl Counting {
    /// A channel has another number of subscribers. Whether the caller is to count them; else another thread does, or will.
    pub fn begin(&self, channel: &Named) -> bool {
        let mut counts = self.0.lock();
        match counts.get_mut(channel) {
            Some(count @ Count::Now) => *count = Count::Again,
            Some(Count::Again | Count::Later) => {}
            None => {
                counts.insert(channel.clone(), Count::Now);
                return true;
            }
        }
        false
    }

    /// The number was counted and told. Whether it has changed meanwhile: then the caller is to count again.
    pub fn end(&self, channel: &Named) -> bool {
        let mut counts = self.0.lock();
        match counts.get_mut(channel) {
            Some(count @ Count::Again) => *count = Count::Now,
            _ => {
                counts.remove(channel);
                return false;
            }
        }
        true
    }

    /// The caller, which was to count, leaves it to the clock's thread.
    pub fn put_off(&self, channel: &Named) {
        self.0.lock().insert(channel.clone(), Count::Later);
    }

    /// Whether the caller is to count what was put off.
    pub fn resume(&self, channel: &Named) -> bool {
        let mut counts = self.0.lock();
        let Some(count) = counts.get_mut(channel).filter(|count| **count == Count::Later) else { return false };
        *count = Count::Now;
        true
    }

    /// The channel is gone.
    pub fn forget(&self, channel: &Named) {
        self.0.lock().remove(channel);
    }
}

/// When connections are to be looked at: each stands here once. One that has gone is left out when its time comes.
struct Clock {
    due: Mutex<Waiting>,
    /// Signalled when one is to be looked at before all others, and when lists or numbers are to be told.
    sooner: Condvar,
}

#[derive(Default)]
struct Waiting {
    clients: BinaryHeap<Reverse<(Millis, Key)>>,
    reload: bool,
    /// When all presence channels are listed.
    list_at: Option<Millis>,
    lists: HashSet<Named>,
    watchers: HashSet<Key>,
    lists_at: Option<Millis>,
    counts: HashSet<Named>,
    counts_at: Option<Millis>,
}

impl Clock {
    fn set(&self, at: Millis, key: Key) {
        let mut due = self.due.lock();
        let sooner = due.clients.peek().is_none_or(|Reverse((first, _))| at < *first);
        due.clients.push(Reverse((at, key)));
        if sooner {
            self.sooner.notify_one();
        }
    }
}
