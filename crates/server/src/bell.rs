//! A bell: one PHP request that comes for events.
//!
//! It is asked for by the [dispatcher](crate::dispatch), rung by the host, claimed by the PHP request that proves itself with the
//! nonce, and then drained: each event handed out is acknowledged, or fails, before the next one. A nonce is good for one
//! claim, and only until the host says that the request is over.

use std::sync::Arc;
use std::time::Instant;

use dashmap::DashMap;
use fws_session::Event;
use hashbrown::DefaultHashBuilder;
use parking_lot::{Mutex, MutexGuard};

use crate::conn::Conn;
use crate::dispatch::{HandedOut, Lease, Slot, Wanted};
use crate::shard::Deferral;

/// A bell that the host is to ring.
#[derive(Debug)]
pub struct Ring {
    /// 32 hexadecimal digits, to be put into the request's query as `fws_bell`.
    pub nonce: String,
    /// The worker.
    pub worker: Arc<str>,
}

/// How a bell's request went, as the host saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was served.
    Served,
    /// It failed.
    Failed,
    /// It never reached PHP.
    Abandoned,
}

/// All bells between being handed out and being over, by nonce.
pub type Bells = DashMap<String, Arc<Bell>, DefaultHashBuilder>;

/// A claimed bell. Used by one thread at a time; the host may end it from another.
pub struct Bell {
    pub(crate) worker: Arc<str>,
    /// Which of its handlers' sends wait for others.
    pub(crate) deferral: Deferral,
    /// Guards how far it is; held while an event is handed out and end.
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    /// Its part in the counts of its worker, from when it is asked for until PHP has released it.
    pub(crate) slot: Option<Slot>,
    /// Until the host is through with it, and PHP, if it has claimed it.
    pub(crate) handed_out: Option<HandedOut>,
    pub(crate) lease: Option<Lease>,
    pub(crate) current: Option<Event>,
    /// The id with which the current event was handed out: it is not moved or changed before the next one.
    pub(crate) id: Option<Arc<str>>,
    pub(crate) started: Option<Instant>,
    pub(crate) handed: u32,
    /// The last connection an event of which was handed out, for the log.
    pub(crate) last: Option<Arc<Conn>>,
    pub(crate) failed: bool,
    /// The host is through with the request while PHP goes on: `frankenphp_finish_request()` does that.
    pub(crate) detached: bool,
    /// An event that was acknowledged without PHP: PHP may still read it.
    pub(crate) retired: Option<Event>,
}

/// The event that a bell is handling. It is not moved or changed until the bell's next call.
pub struct Current<'a> {
    pub(crate) state: MutexGuard<'a, State>,
}

impl State {
    /// PHP has claimed it and has not released it.
    pub(crate) fn is_claimed(&self) -> bool {
        self.slot.as_ref().is_some_and(Slot::is_claimed)
    }
}

impl Current<'_> {
    /// The connection; `None` where the event is a timer's.
    pub fn conn(&self) -> Option<&Arc<Conn>> {
        self.state.lease.as_ref().expect("bug: an event without a lease").source.conn()
    }

    /// The connection's id when the event was handed out; empty for a timer.
    pub fn id(&self) -> &str {
        self.state.id.as_deref().unwrap_or_default()
    }

    /// The event.
    pub fn event(&self) -> &Event {
        self.state.current.as_ref().expect("bug: no current event")
    }
}

impl Bell {
    /// A bell that is to be rung.
    pub(crate) fn new(wanted: Wanted) -> Bell {
        let Wanted { worker, slot, handed_out } = wanted;
        let state = State {
            slot: Some(slot),
            handed_out: Some(handed_out),
            lease: None,
            current: None,
            id: None,
            started: None,
            handed: 0,
            last: None,
            failed: false,
            detached: false,
            retired: None,
        };
        Bell { worker, deferral: Deferral::default(), state: Mutex::new(state) }
    }

    /// The worker that was rung for.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// The event that was handed out last and is not acknowledged yet.
    pub fn current(&self) -> Option<Current<'_>> {
        let state = self.state.lock();
        state.current.is_some().then_some(Current { state })
    }
}
