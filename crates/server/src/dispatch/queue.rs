//! What waits for PHP: the queue of one connection or timer, and the parts of it that are handed out.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_hub::{Key, RouteId};
use fws_session::{Event, Fifo};

use super::pool::{Pool, PoolId};
use crate::conn::Conn;

/// Where events come from.
#[derive(Debug, Clone)]
pub enum Source {
    Conn(Arc<Conn>),
    /// A timer of a worker.
    Timer {
        id: u64,
        pool: PoolId,
    },
    /// A channel of a route.
    Channel {
        /// The same for the same channel, and rarely so for others: these wait together then.
        id: u64,
        route: RouteId,
    },
    /// What a worker is told by the core's own threads, of a connection or of a channel.
    Told {
        /// As that of a channel.
        id: u64,
        route: RouteId,
        /// The worker. `None`: that of the route, whichever that is when it is told.
        pool: Option<PoolId>,
        /// It is of a channel, not of a connection.
        of_channel: bool,
    },
}

impl Source {
    /// A channel of a route.
    pub fn channel(route: RouteId, tag: &str) -> Source {
        Source::Channel { id: hashed((route, tag)), route }
    }

    /// What the worker of a route is told of a connection, which is not in the way of what the connection itself says.
    pub fn told(route: RouteId, key: Key) -> Source {
        Source::Told { id: hashed(key), route, pool: None, of_channel: false }
    }

    /// What a worker is told of a channel of a route. `None`: that of the route, whichever that is when it is told.
    pub fn told_of_channel(pool: Option<PoolId>, route: RouteId, tag: &str) -> Source {
        Source::Told { id: hashed((route, tag)), route, pool, of_channel: true }
    }

    /// The connection, if it is one.
    pub fn conn(&self) -> Option<&Arc<Conn>> {
        match self {
            Source::Conn(conn) => Some(conn),
            Source::Timer { .. } | Source::Channel { .. } | Source::Told { .. } => None,
        }
    }

    pub(super) fn key(&self) -> QueueKey {
        match self {
            Source::Conn(conn) => QueueKey::Conn(conn.key),
            Source::Timer { id, .. } => QueueKey::Timer(*id),
            Source::Channel { id, route } => QueueKey::Channel(*id, *route),
            Source::Told { id, route, pool, .. } => QueueKey::Told(*id, *route, *pool),
        }
    }
}

fn hashed(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum QueueKey {
    Conn(Key),
    Timer(u64),
    // Clients choose the names of channels, and may find two of the same number. What goes to different workers does not wait together even then.
    Channel(u64, RouteId),
    Told(u64, RouteId, Option<PoolId>),
}

pub(super) struct Queue {
    pub(super) source: Source,
    pub(super) fifo: Fifo,
    /// It waits for its worker.
    pub(super) listed: bool,
    pub(super) leased: bool,
    /// The shard does not read the socket because the queue was full.
    pub(super) full: bool,
    pub(super) limits: (usize, usize),
    pub(super) since: Instant,
}

/// A connection, or a timer, handed to a bell with events that wait on it.
#[derive(Debug)]
pub struct Lease {
    pub source: Source,
    pub events: VecDeque<Event>,
    /// Events handled, and their weight.
    pub handled: (usize, usize),
    /// More waited when this one was taken.
    pub more: bool,
    pub(super) taken: Instant,
}

/// One event on its way into the queues.
pub struct Arrival {
    pub source: Source,
    pub event: Event,
    /// The most events, and the most bytes of events, before the connection is not read any more.
    pub limits: (usize, usize),
}

/// What became of a batch.
#[derive(Default)]
pub struct Pushed {
    /// Connections that should not be read for now.
    pub full: Vec<Key>,
    /// How many of these are held back only because the events of all weigh too much, and one of them.
    pub held_back: u64,
    pub held: Option<Arc<Conn>>,
    pub queued: u64,
    /// What a worker is not told, since too much waits.
    pub refused: u64,
    pub orphans: Orphans,
    pub discarded: Discarded,
}

impl Pushed {
    /// Nobody is there to handle an event.
    pub(super) fn orphan(&mut self, source: Source, event: &Event) {
        if matches!(source, Source::Channel { .. } | Source::Told { .. }) {
            // A route without PHP: nobody is to be told.
            return;
        }
        self.orphans.events += 1;
        if let (Source::Conn(conn), Event::Close(_)) = (source, event) {
            self.orphans.over.push(conn);
        }
    }
}

/// Messages that PHP is not told, since the server has decided to end their connection.
#[derive(Default)]
pub struct Discarded {
    pub messages: u64,
    /// One of the connections.
    pub of: Option<Arc<Conn>>,
}

impl Discarded {
    /// So many of a connection.
    pub fn add(&mut self, conn: &Arc<Conn>, messages: u64) {
        if messages > 0 {
            conn.count_discarded(messages);
            self.messages += messages;
            self.of = Some(conn.clone());
        }
    }
}

/// Events that nobody is there to handle, as their worker is gone.
#[derive(Default)]
pub struct Orphans {
    pub events: u64,
    /// The worker of some of them, where it is not known by their route.
    pub worker: Option<Arc<str>>,
    /// Connections whose last event was among them.
    pub over: Vec<Arc<Conn>>,
    /// Connections that may be read again.
    pub resume: Vec<Key>,
}

/// What is to be done after a lease.
#[derive(Default)]
pub struct LeaseEnd {
    /// The connection may be read again.
    pub resume: Option<Key>,
    pub orphans: Orphans,
    pub discarded: Discarded,
}

impl LeaseEnd {
    pub fn is_nothing(&self) -> bool {
        self.resume.is_none() && self.orphans.events == 0 && self.discarded.messages == 0
    }
}

/// A lease ends after this time, though it may have events left: others have their turn.
const TURN: Duration = Duration::from_millis(5);

impl Lease {
    /// It has had its turn.
    pub fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.taken) >= TURN
    }

    /// Drops the messages among its events if the server has decided to end their connection; how many.
    pub fn discard(&mut self) -> u64 {
        if !self.source.conn().is_some_and(|conn| conn.is_dismissed()) {
            return 0;
        }
        let (mut messages, mut weight) = (0, 0);
        self.events.retain(|event| {
            if event.is_message() {
                messages += 1;
                weight += event.weight();
            }
            !event.is_message()
        });
        self.handled.0 += messages;
        self.handled.1 += weight;
        messages as u64
    }
}

impl Queue {
    pub(super) fn new(source: Source, limits: (usize, usize), since: Instant) -> Queue {
        Queue { source, fifo: Fifo::default(), listed: false, leased: false, full: false, limits, since }
    }

    /// There is room again, if it was full: the connection that may be read. While there are too many events in all (`overloaded`) it has
    /// room only when it has none any more.
    pub(super) fn drained(&mut self, overloaded: bool) -> Option<Key> {
        let has_room = if overloaded { self.fifo.is_empty() } else { self.fifo.is_half_empty(self.limits.0, self.limits.1) };
        if !self.full || !has_room {
            return None;
        }
        self.full = false;
        self.source.conn().map(|conn| conn.key)
    }

    /// Drops what waits; returns how many events that were, and their weight.
    pub(super) fn orphan(mut self, pools: &[Pool], orphans: &mut Orphans) -> (usize, usize) {
        if let Source::Timer { pool, .. } | Source::Told { pool: Some(pool), .. } = &self.source {
            orphans.worker = Some(pools[pool.0].name.clone());
        }
        let mut events = VecDeque::new();
        self.fifo.lease(usize::MAX, &mut events);
        orphans.events += events.len() as u64;
        if let Source::Conn(conn) = self.source {
            if self.full {
                orphans.resume.push(conn.key);
            }
            if matches!(events.back(), Some(Event::Close(_))) {
                orphans.over.push(conn);
            }
        }
        (events.len(), events.iter().map(Event::weight).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_different_workers_waits_apart_though_the_numbers_be_the_same() {
        let told = |route, pool| Source::Told { id: 7, route: RouteId(route), pool, of_channel: true }.key();
        let channel = |route| Source::Channel { id: 7, route: RouteId(route) }.key();
        let keys = [told(1, None), told(1, Some(PoolId(1))), told(1, Some(PoolId(2))), told(2, None), channel(1), channel(2)];
        let apart: std::collections::HashSet<QueueKey> = keys.into_iter().collect();
        assert_eq!(apart.len(), keys.len());
    }
}
