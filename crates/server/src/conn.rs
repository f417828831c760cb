//! What other threads know of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use fws_hub::{Key, RouteId};
use parking_lot::RwLock;

/// The handle of a connection: the hub keeps one per client. The socket and the session belong to its shard alone.
#[derive(Debug)]
pub struct Conn {
    /// Its place in the hub, which also tells its shard.
    pub key: Key,
    /// Its id, which can be changed. Written under the hub's lock only, so that both always agree.
    id: RwLock<Arc<str>>,
    /// Its route.
    pub route: RouteId,
    /// Its route's name.
    pub route_name: Arc<str>,
    /// The most bytes that may wait for it.
    max_outbox: AtomicUsize,
    /// Bytes posted to the shard that it has not taken into the outbox yet.
    posted: AtomicUsize,
    /// Bytes in the outbox when the shard last looked.
    waiting: AtomicUsize,
    over: AtomicU8,
}

/// Who is through with a closed connection: when both are, its slot in the hub is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Through {
    /// The shard: the socket is closed.
    Socket = 1,
    /// PHP: the close event was handled, or nobody is there to handle it.
    Events = 2,
}

impl Conn {
    pub(crate) fn new(key: Key, id: Arc<str>, route: RouteId, route_name: Arc<str>, max_outbox: usize) -> Conn {
        Conn {
            key,
            id: RwLock::new(id),
            route,
            route_name,
            max_outbox: AtomicUsize::new(max_outbox),
            posted: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            over: AtomicU8::new(0),
        }
    }

    /// Its id at the moment.
    pub fn id(&self) -> Arc<str> {
        self.id.read().clone()
    }

    pub(crate) fn set_id(&self, id: Arc<str>) {
        *self.id.write() = id;
    }

    /// Reserves room for a frame that is about to be posted. `false`: it does not fit.
    pub(crate) fn reserve(&self, len: usize) -> bool {
        let before = self.posted.fetch_add(len, Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed);
        let fits = before + len <= self.max_outbox.load(Ordering::Relaxed);
        if !fits {
            self.posted.fetch_sub(len, Ordering::Relaxed);
        }
        fits
    }

    /// The shard took a posted frame into the outbox, or dropped it.
    pub(crate) fn taken(&self, len: usize) {
        self.posted.fetch_sub(len, Ordering::Relaxed);
    }

    /// The shard tells how much waits.
    pub(crate) fn set_waiting(&self, len: usize) {
        self.waiting.store(len, Ordering::Relaxed);
    }

    pub(crate) fn set_max_outbox(&self, bytes: usize) {
        self.max_outbox.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn max_outbox(&self) -> usize {
        self.max_outbox.load(Ordering::Relaxed)
    }

    /// One side is through with the closed connection. `true`: now both are.
    pub(crate) fn through(&self, side: Through) -> bool {
        self.over.fetch_or(side as u8, Ordering::AcqRel) | side as u8 == Through::Socket as u8 | Through::Events as u8
    }
}
