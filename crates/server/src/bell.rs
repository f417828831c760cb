//! A bell: one PHP request that comes for events.
//!
//! It is asked for by the [dispatcher](crate::dispatch), rung by the host, claimed by the PHP request that proves itself with the
//! nonce, and then drained: each event handed out is settled – acknowledged or failed – before the next one. A nonce is good for one
//! claim, and only until the host says that the request is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use fws_session::Event;
use parking_lot::{Mutex, MutexGuard};

use crate::conn::Conn;
use crate::dispatch::{Lease, PoolId};

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
pub type Bells = Mutex<HashMap<String, Arc<Bell>>>;

/// A claimed bell. Used by one thread at a time; the host may end it from another.
pub struct Bell {
    pub(crate) pool: PoolId,
    pub(crate) worker: Arc<str>,
    /// Guards how far it is; held while an event is handed out and settled.
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) phase: Phase,
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
    /// An event that was settled over PHP's head: PHP may still read it.
    pub(crate) retired: Option<Event>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Rung,
    Claimed,
    Released,
}

/// The event that a bell is handling. It is not moved or changed until the bell's next call.
pub struct Current<'a> {
    pub(crate) state: MutexGuard<'a, State>,
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
    /// The worker that was rung for.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// The event that was handed out last and is not settled yet.
    pub fn current(&self) -> Option<Current<'_>> {
        let state = self.state.lock();
        state.current.is_some().then_some(Current { state })
    }
}
