//! Where events wait for PHP.
//!
//! Events queue by connection, and those of a timer by timer, of a channel by channel.
//! A connection that has some and is not out on lease waits for its worker; a bell takes it
//! together with what waits on it, so the events of one connection are handled by one thread at a time, in order, and
//! connections by as many threads as the worker has.
//!
//! One lock guards all of it. It is held for a few map operations, never over I/O or waiting (the condition variable gives it up).
//!
//! `queue` is what waits of one connection or timer, `line` the order in which a worker takes them, `pool` the bells of a worker, `shares` how
//! much waits of each address.

mod line;
mod pool;
mod queue;
mod served;
mod shares;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fws_hub::Key;
use fws_session::Event;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, MutexGuard};

use self::line::Party;
use self::pool::Pool;
pub use self::pool::{HandedOut, PoolId, Slot, Wanted};
pub use self::queue::{Arrival, Discarded, Lease, LeaseEnd, Orphans, Pushed, Source};
use self::queue::{Queue, QueueKey};
use self::served::{Assigned, pool_of};
pub use self::served::{Served, Serving};
use self::shares::Shares;
use crate::clock;
use crate::conn::Conn;
use crate::notifier::Notifier;
use crate::quota::Address;

/// A connection that waits longer than this shows that the worker's threads are busy: another bell is rung.
const OVERDUE: Duration = Duration::from_millis(2);
/// The most events in one lease.
const LEASE: usize = 256;
/// A bell without work waits so long for more before it ends: cheaper than a new bell.
pub const LINGER: Duration = Duration::from_millis(2);
/// A branch of a route: its connections with one sub-protocol, or with none. They share a worker. A branch keeps its number over generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BranchId(pub u32);

/// Why PHP gets no client more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// Too much waits of this address.
    Address,
    /// Too much waits of all together.
    All,
}

pub struct Dispatch {
    inner: Mutex<Inner>,
    /// Connections with events, waiting or leased: while there are any, the shard that brought them looks in with [`Dispatch::care`].
    pending: AtomicUsize,
    /// How many events there are, waiting or leased, and their weight.
    events: AtomicUsize,
    weight: AtomicUsize,
    /// From this weight on a connection that has events is not read until they are handled, and [`Dispatch::admits`] refuses new ones.
    max_weight: usize,
    /// How often the gate is closed.
    gate: AtomicUsize,
    /// Signalled when a bell ends.
    ended: Condvar,
    /// Signalled when the last event of a connection has been handled.
    calm: Condvar,
    flag: Arc<Notifier>,
}

#[derive(Default)]
struct Inner {
    pools: Vec<Pool>,
    assigned: Assigned,
    queues: HashMap<QueueKey, Queue>,
    shares: Shares,
    /// How many of them are of no connection.
    unconnected: usize,
    /// Bells that are to be rung.
    wanted: VecDeque<PoolId>,
    /// Bells that were handed out, claimed or not, and have not ended.
    bells: usize,
}

impl Dispatch {
    /// A worker of the configuration in force, by name.
    pub fn worker(&self, name: &str) -> Option<PoolId> {
        let inner = self.inner.lock();
        inner.pools.iter().position(|pool| pool.present && !pool.own && *pool.name == *name).map(PoolId)
    }

    /// Whether an event of this timer still waits or is being handled.
    pub fn has_timer(&self, id: u64) -> bool {
        self.inner.lock().queues.contains_key(&QueueKey::Timer(id))
    }

    /// Whether an event of a connection waits or is being handled.
    pub fn has_events_of(&self, key: Key) -> bool {
        self.inner.lock().queues.contains_key(&QueueKey::Conn(key))
    }

    pub fn new(flag: Arc<Notifier>, max_weight: usize) -> Dispatch {
        Dispatch {
            inner: Mutex::default(),
            pending: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
            max_weight,
            gate: AtomicUsize::new(0),
            ended: Condvar::new(),
            calm: Condvar::new(),
            flag,
        }
    }

    /// Queues a batch of events and sees to it that a thread comes for them.
    pub fn push(&self, batch: &mut Vec<Arrival>) -> Pushed {
        let mut pushed = Pushed::default();
        let mut weight = 0;
        let before = self.weight();
        let now = clock::now();
        let mut run = None;
        let mut inner = self.inner.lock();
        let Inner { queues, pools, unconnected, shares, assigned, .. } = &mut *inner;
        for Arrival { source, event, limits } in batch.drain(..) {
            let Some(pool) = assigned.pool(pools, &source) else {
                pushed.orphan(source, &event);
                continue;
            };
            // Looked at under the lock: what is not seen here is queued when the decision's purge comes.
            if let Some(conn) = source.conn().filter(|conn| event.is_message() && conn.is_dismissed()) {
                pushed.discarded.add(conn, 1);
                continue;
            }
            let key = source.key();
            if matches!(event, Event::Channel(_)) && queues.get_mut(&key).is_some_and(|queue| queue.fifo.renew(&event)) {
                continue;
            }
            // Nobody is held back by what the core's own threads tell: half of the room is left to clients, and no worker takes more than a quarter.
            let most = if before + weight < self.max_weight / 2 { self.max_share() } else { 0 };
            if !pools[pool.0].takes(&source, event.weight(), most) {
                pushed.refused += 1;
                continue;
            }
            pushed.queued += 1;
            weight += event.weight();
            let share = shares.grow(&mut run, &source, event.weight());
            let queue = queues.entry(key).or_insert_with(|| {
                *unconnected += usize::from(source.conn().is_none());
                Queue::new(source, limits, now)
            });
            queue.fifo.push(event);
            queue.limits = limits;
            let overloaded = before + weight >= self.max_weight || share >= self.max_share();
            if overloaded
                && !queue.full
                && !queue.fifo.is_full(limits.0, limits.1)
                && let Some(conn) = queue.source.conn()
            {
                pushed.held_back += 1;
                pushed.held = Some(conn.clone());
            }
            queue.full |= overloaded || queue.fifo.is_full(limits.0, limits.1);
            if queue.full {
                // Each time: the shard may have heard of room there was in between.
                pushed.full.extend(queue.source.conn().map(|conn| conn.key));
            }
            if !queue.listed && !queue.leased {
                queue.since = now;
                queue.listed = true;
                pools[pool.0].waiting.push_back(Party::of(&queue.source), key);
            }
        }
        shares.write_down(run);
        self.pending.store(inner.queues.len(), Ordering::Release);
        self.events.fetch_add(pushed.queued as usize, Ordering::Relaxed);
        self.weight.fetch_add(weight, Ordering::Relaxed);
        self.call_all(&mut inner, now);
        pushed
    }

    /// Calls threads for what waits for a worker: idle ones first; a new bell where none runs or those that run are too slow.
    fn call(&self, inner: &mut Inner, id: PoolId, now: Instant) {
        let gate_open = self.gate.load(Ordering::Acquire) == 0;
        let Inner { pools, queues, wanted, .. } = inner;
        let pool = &mut pools[id.0];
        let Some(first) = pool.waiting.front() else { return };
        while pool.called < pool.idle.min(pool.waiting.len()) {
            pool.called += 1;
            pool.wake.notify_one();
        }
        if pool.own || pool.called > 0 || pool.unclaimed > 0 || !gate_open || pool.retry.is_some_and(|retry| now < retry) {
            return;
        }
        let overdue = || queues.get(first).is_some_and(|queue| now.duration_since(queue.since) >= OVERDUE);
        if pool.running == 0 || overdue() {
            pool.unclaimed += 1;
            wanted.push_back(id);
            self.flag.raise();
        }
    }

    fn call_all(&self, inner: &mut Inner, now: Instant) {
        for pool in 0..inner.pools.len() {
            self.call(inner, PoolId(pool), now);
        }
    }

    /// Looks after what nobody else would: connections that wait too long, bells to be tried again.
    pub fn care(&self) {
        let now = clock::now();
        let mut inner = self.inner.lock();
        self.call_all(&mut inner, now);
    }

    /// Whether events wait or are being handled.
    pub fn has_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire) > 0
    }

    /// Bytes that all events take.
    pub fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// So many events of a source, of this weight, are handled or dropped. Whether as much waits as may, of all or of its address.
    fn count_down(&self, shares: &mut Shares, source: &Source, (events, weight): (usize, usize)) -> bool {
        self.events.fetch_sub(events, Ordering::Relaxed);
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        shares.shrink(source, weight) >= self.max_share() || self.is_overloaded()
    }

    /// From this weight on the clients of one address are held back: so they alone cannot have those of others refused.
    fn max_share(&self) -> usize {
        self.max_weight / 4
    }

    /// Whether a new client of an address may have events for PHP.
    ///
    /// Also while as much waits as may, an address is let in that has less of it than the mean: those who take more do not lock out others. That
    /// is so where it is clients whose events wait, and not mostly timers and channels, which nobody's turn makes less.
    pub fn admits(&self, address: Option<Address>) -> Result<(), Overload> {
        let inner = self.inner.lock();
        let share = address.map_or(0, |address| inner.shares.of(address));
        if share >= self.max_share() {
            return Err(Overload::Address);
        }
        let of_clients = inner.shares.total() >= self.max_weight / 2;
        let below_mean = of_clients && address.is_some_and(|address| inner.shares.is_below_mean(address));
        if self.is_overloaded() && !below_mean { Err(Overload::All) } else { Ok(()) }
    }

    /// Whether as much waits as may.
    pub fn is_overloaded(&self) -> bool {
        self.weight() >= self.max_weight
    }

    /// Ends a bell's lease, if it has one, and waits until `until` for the next connection of its worker.
    ///
    /// Returns at once, without one, where the ended lease left something to do: then the caller does that and comes again.
    pub fn exchange(&self, id: PoolId, lease: Option<Lease>, until: Instant, after: &mut LeaseEnd) -> Option<Lease> {
        let mut inner = self.inner.lock();
        let mut spare = VecDeque::new();
        if let Some(lease) = lease {
            (*after, spare) = self.end_lease(&mut inner, lease);
        }
        loop {
            if self.gate.load(Ordering::Acquire) > 0 && !inner.pools[id.0].own {
                return None;
            }
            if let Some(lease) = self.take(&mut inner, id, &mut spare) {
                return Some(lease);
            }
            if !after.is_nothing() || clock::now() >= until || !clock::may_linger() {
                return None;
            }
            self.linger(&mut inner, id, until);
        }
    }

    fn linger(&self, inner: &mut MutexGuard<'_, Inner>, id: PoolId, until: Instant) {
        let pool = &mut inner.pools[id.0];
        pool.idle += 1;
        let wake = pool.wake.clone();
        wake.wait_until(inner, until);
        let pool = &mut inner.pools[id.0];
        pool.idle -= 1;
        pool.called = pool.called.saturating_sub(1);
    }

    /// A queue has no event any more.
    fn remove(&self, inner: &mut Inner, key: QueueKey) -> Option<Queue> {
        let queue = inner.queues.remove(&key)?;
        inner.unconnected -= usize::from(queue.source.conn().is_none());
        self.removed(inner);
        Some(queue)
    }

    /// Queues were removed.
    fn removed(&self, inner: &Inner) {
        self.pending.store(inner.queues.len(), Ordering::Release);
        if inner.queues.len() == inner.unconnected {
            self.calm.notify_all();
        }
    }

    /// Waits until no connection has an event that waits or is being handled, or until `until`.
    pub fn wait_calm(&self, until: Instant) {
        let mut inner = self.inner.lock();
        while inner.queues.len() > inner.unconnected && !clock::wait_until(&self.calm, &mut inner, until) {}
    }

    fn take(&self, inner: &mut Inner, id: PoolId, spare: &mut VecDeque<Event>) -> Option<Lease> {
        let key = loop {
            let key = inner.pools[id.0].waiting.pop_front()?;
            let queue = inner.queues.get_mut(&key).expect("bug: a connection that waits has a queue");
            queue.listed = false;
            if queue.fifo.has_waiting() {
                break key;
            }
            // All that waited was dropped.
            self.remove(inner, key);
        };
        let more = !inner.pools[id.0].waiting.is_empty();
        let queue = inner.queues.get_mut(&key).expect("bug: it was there just now");
        queue.leased = true;
        let mut events = std::mem::take(spare);
        queue.fifo.lease(LEASE, &mut events);
        let taken = clock::now();
        let lease = Lease { source: queue.source.clone(), events, handled: (0, 0), more, taken };
        if more {
            self.call(inner, id, taken);
        }
        Some(lease)
    }

    /// Ends a lease: what is to be done about its connection, and an empty queue for reuse.
    fn end_lease(&self, inner: &mut Inner, mut lease: Lease) -> (LeaseEnd, VecDeque<Event>) {
        let mut end = LeaseEnd::default();
        let key = lease.source.key();
        let Inner { queues, shares, .. } = inner;
        let queue = queues.get_mut(&key).expect("bug: a lease has a queue");
        queue.leased = false;
        queue.fifo.acknowledge(lease.handled.0, lease.handled.1, &mut lease.events);
        // Perhaps not the one it came from: the branch may have got another one.
        let pool = inner.assigned.pool(&inner.pools, &lease.source);
        if let Some(pool) = pool {
            inner.pools[pool.0].shrink(&lease.source, lease.handled.1);
        }
        let mut overloaded = self.count_down(shares, &lease.source, lease.handled);
        if let Some(conn) = lease.source.conn().filter(|conn| conn.is_dismissed()) {
            let (messages, weight) = queue.fifo.take_messages();
            overloaded = self.count_down(shares, &lease.source, (messages.len(), weight));
            end.discarded.add(conn, messages.len() as u64);
        }
        end.resume = queue.drained(overloaded);
        if queue.fifo.has_waiting() {
            queue.since = clock::now();
            match pool {
                Some(pool) => {
                    queue.listed = true;
                    inner.pools[pool.0].waiting.push_back(Party::of(&lease.source), key);
                }
                None => {
                    let gone = self.remove(inner, key).map_or((0, 0), |queue| queue.orphan(&inner.pools, &mut end.orphans));
                    self.count_down(&mut inner.shares, &lease.source, gone);
                }
            }
        } else {
            self.remove(inner, key);
        }
        lease.events.clear();
        (end, lease.events)
    }

    /// Ends the last lease of a bell.
    pub fn give_back(&self, lease: Lease) -> LeaseEnd {
        let mut inner = self.inner.lock();
        let source = lease.source.clone();
        let (end, _) = self.end_lease(&mut inner, lease);
        if let Some(pool) = inner.assigned.pool(&inner.pools, &source) {
            self.call(&mut inner, pool, clock::now());
        }
        end
    }

    /// The server has decided to end a connection, which says so already: drops its messages that wait. Those on lease are dropped by
    /// whoever has the lease.
    pub fn discard(&self, conn: &Arc<Conn>) -> LeaseEnd {
        let mut end = LeaseEnd::default();
        let mut inner = self.inner.lock();
        let Inner { queues, shares, .. } = &mut *inner;
        let Some(queue) = queues.get_mut(&QueueKey::Conn(conn.key)) else { return end };
        let (messages, weight) = queue.fifo.take_messages();
        let overloaded = self.count_down(shares, &queue.source, (messages.len(), weight));
        end.resume = queue.drained(overloaded);
        drop(inner);
        end.discarded.add(conn, messages.len() as u64);
        // The messages are freed here, where nothing is locked.
        end
    }

    /// A new generation: which worker each branch has, and which workers there are, those of the branches included. What waits for a worker that
    /// is gone goes to its branch's new one, or is dropped and told.
    pub fn configure(&self, serving: &Serving, workers: &[Arc<str>]) -> Orphans {
        let mut orphans = Orphans::default();
        let mut inner = self.inner.lock();
        let Inner { pools, assigned, queues, unconnected, wanted, shares, .. } = &mut *inner;
        // Those of branches are among them; a worker without a branch can have timers.
        for worker in workers {
            if !pools.iter().any(|pool| !pool.own && pool.name == *worker) {
                pools.push(Pool::new(worker.clone()));
            }
        }
        for pool in pools.iter_mut() {
            pool.present = pool.own || workers.contains(&pool.name);
            pool.waiting.clear();
            pool.retry = None;
            pool.told = 0;
        }
        // Branches that left keep their worker as long as it is there, so that their last events are handled.
        assigned.branches.retain(|branch, pool| !serving.branches.contains_key(branch) && pools[pool.0].present);
        assigned.branches.extend(serving.branches.iter().map(|(&branch, served)| (branch, pool_of(pools, served))));
        assigned.routes = serving.channels.iter().map(|(&route, served)| (route, pool_of(pools, served))).collect();
        assigned.told = serving.told.iter().map(|(&route, served)| (route, pool_of(pools, served))).collect();
        wanted.retain(|id| {
            let stays = pools[id.0].present;
            pools[id.0].unclaimed -= usize::from(!stays);
            stays
        });
        let mut waiting = Vec::new();
        let gone = queues.extract_if(|key, queue| {
            queue.listed = false;
            let pool = assigned.pool(pools, &queue.source);
            if let Some(pool) = pool {
                pools[pool.0].grow(&queue.source, queue.fifo.weight());
                if !queue.leased {
                    waiting.push((queue.since, *key, pool));
                }
            }
            pool.is_none() && !queue.leased
        });
        for (_, queue) in gone.collect::<Vec<_>>() {
            *unconnected -= usize::from(queue.source.conn().is_none());
            let source = queue.source.clone();
            self.count_down(shares, &source, queue.orphan(pools, &mut orphans));
        }
        // Who has waited longest is still the first.
        waiting.sort_unstable_by_key(|(since, key, _)| (*since, *key));
        for (_, key, pool) in waiting {
            let Some(queue) = queues.get_mut(&key) else { continue };
            queue.listed = true;
            pools[pool.0].waiting.push_back(Party::of(&queue.source), key);
        }
        self.removed(&inner);
        let now = clock::now();
        self.call_all(&mut inner, now);
        orphans
    }

    /// The pool that threads of the core serve, if any route has ever had it, with how many connections and channels wait for them.
    pub fn own_pool(&self) -> Option<(PoolId, usize)> {
        let inner = self.inner.lock();
        let (at, pool) = inner.pools.iter().enumerate().find(|(_, pool)| pool.own)?;
        Some((PoolId(at), pool.waiting.len()))
    }

    /// Events waiting or leased, and connections that have some.
    pub fn pending(&self) -> (u64, u64) {
        (self.events.load(Ordering::Relaxed) as u64, self.pending.load(Ordering::Acquire) as u64)
    }

    /// Each worker's name with its bells: asked for or parked, running, of these idle; and connections that wait.
    pub fn workers(&self) -> Vec<(Arc<str>, [usize; 4])> {
        let inner = self.inner.lock();
        let workers = inner.pools.iter().filter(|pool| !pool.own);
        workers.map(|pool| (pool.name.clone(), [pool.unclaimed, pool.running, pool.idle, pool.waiting.len()])).collect()
    }
}
