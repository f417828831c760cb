//! The core: what its threads share, and what can be asked of it.
//!
//! * `admission` examines opening handshakes, `adoption` enters their clients and takes their connections over;
//! * `execute` carries out commands, `post` takes what they send to the shards, `compress` for those who want it compressed;
//! * `bells` hands events to PHP, `firing` makes events of timers that are due, `pipes` is for the host that carries bytes;
//! * `caller` is who gives a command, `patience` how long it may take;
//! * `config` is what the core is started with, and its defaults;
//! * `dismiss` ends connections that the server has decided to end;
//! * `histories` records what is sent to channels, and sends it to those who join later; `channels` does that where several servers have one
//!   history, with `joining`; `missing` knows of which channels something is missing, and `fetching` fetches it;
//! * `presence` tells of users who join channels and leave them;
//! * `pusher` serves the Pusher protocol, by threads of its own;
//! * `handover` lets clients change their server;
//! * `generations` puts configurations in force and takes them out of it;
//! * `resume` waits for clients whose network is away, and lets them take up their session;
//! * `report` is what is counted, `reporting` what the log hears of clients;
//! * `surroundings` is what the shards see of all this.
//!
//! The parts that these use – the dispatcher, bells, pipes, timers, values, the log – know nothing of the core.

mod admission;
mod adoption;
mod bells;
mod caller;
mod channels;
mod compress;
mod config;
mod dismiss;
mod execute;
mod fetching;
mod firing;
mod generations;
mod handover;
mod histories;
mod joining;
mod missing;
mod patience;
mod pipes;
mod post;
mod presence;
mod pusher;
mod report;
mod reporting;
mod resume;
mod surroundings;
mod yields;

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fws_engine::{Engine, Memory};
use fws_hub::{Hub, Key};
use fws_session::{KeptMemory, Spares};
use fws_wire::Budget;
use fws_wire::deflate::{Shelf, Shelved};
use fws_wire::ledger::Ledger;
use parking_lot::{Condvar, Mutex, RwLock};

pub use self::caller::Caller;
use self::channels::Stays;
use self::config::Options;
pub use self::config::{Config, ValuesConfig};
pub use self::generations::Left;
pub(crate) use self::handover::{Departed, Fate, Gone, Handed, Order, Sent, Underway, Wanted, Who};
pub(crate) use self::missing::Missing;
pub(crate) use self::post::{Fanout, Post};
use self::presence::Presences;
pub(crate) use self::pusher::is_followed;
pub use self::pusher::{HttpCall, Unread};
pub(crate) use self::resume::Wish;
pub(crate) use self::yields::{Seen, Yields};
use crate::bell::Bells;
use crate::clock;
use crate::compress::Compressors;
use crate::conn::{Conn, Through};
use crate::dispatch::{Dispatch, Orphans};
use crate::histories::Histories;
use crate::log::{Log, Trouble};
use crate::notifier::Notifier;
use crate::pipe::Pipes;
use crate::pusher::Clients;
use crate::reserved_ids::ReservedIds;
use crate::routes::Routes;
use crate::servers::Servers;
use crate::shard::{Op, Shard, ShardHandle, ShardThread, panicked};
use crate::stats::{Authorizing, Counters, add};
use crate::timers::Timers;
use crate::values::Values;
use crate::webhooks::Webhooks;

/// The running core. There is one in a process; it is never stopped, but can be [drained](Core::drain).
pub struct Core {
    /// Guards who is connected. Written at a connection's beginning and end and by tagging, read by everything else.
    pub(crate) hub: RwLock<Hub<Arc<Conn>>>,
    /// Guards the configuration; written by commits only, and read while a connection is posted to its shard, so that each is either
    /// in the old generation and told to go, or in the new one.
    /// Where both are locked, this is locked before `hub`.
    pub(crate) routes: RwLock<Routes>,
    /// Ids that are promised to clients the hub does not know yet.
    pub(crate) reserved_ids: ReservedIds,
    /// Knows the other servers. Asked on the threads of callers only, and while nothing is locked.
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) values: Values,
    pub(crate) histories: Histories,
    presences: Presences,
    pub(crate) pusher: Clients,
    webhooks: Webhooks,
    /// Tags that clients of this server have, where it is one of several: each with a number that is another one after nobody had the tag.
    stays: Stays,
    /// Channels of which messages are missing here.
    pub(crate) missing: Arc<Missing>,
    /// Lets clients change their server between two messages to groups.
    pub(crate) order: Order,
    /// Clients that have gone to other servers.
    pub(crate) departed: Departed,
    pub(crate) underway: Arc<Underway>,
    /// What is kept for clients that may come back.
    kept: Arc<KeptMemory>,
    /// The clients that are waited for, by their addresses. Nothing is locked while it is.
    suspended: Mutex<Ledger<Key>>,
    pub(crate) timers: Timers,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) bells: Bells,
    pub(crate) pipes: Pipes,
    pub(crate) log: Arc<Log>,
    pub(crate) counters: Counters,
    /// Guards what the host says of its authorisation.
    pub(crate) authorizing: Mutex<Authorizing>,
    pub(crate) compressors: Compressors,
    /// Messages that have come in part.
    pub(crate) unfinished: Arc<Budget>,
    /// What compression keeps between messages, and how much that may be.
    pub(crate) shelved: Arc<Shelved>,
    options: Options,
    pub(crate) started: Instant,
    pub(crate) shards: Vec<ShardHandle>,
    flag: Arc<Notifier>,
    draining: AtomicBool,
    /// Signalled when the last connection is gone.
    empty: (Mutex<()>, Condvar),
}

impl Core {
    /// Starts the core's threads, for a server that is alone.
    pub fn start(config: &Config) -> io::Result<Arc<Core>> {
        let Some(cluster) = &config.cluster else { return Core::start_with(config, Arc::new(Memory)) };
        let servers = Servers::start(cluster)?;
        let core = Core::start_with(config, servers.clone())?;
        servers.serve(&core)?;
        Ok(core)
    }

    /// Starts the core's threads, with an engine that knows other servers.
    pub fn start_with(config: &Config, engine: Arc<dyn Engine>) -> io::Result<Arc<Core>> {
        let (core, shards) = Core::build(config, engine)?;
        for shard in shards {
            let core = core.clone();
            std::thread::Builder::new().name(format!("fws-shard-{}", shard.number)).spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| shard.run(&*core))).is_err() {
                    panicked();
                }
            })?;
        }
        Ok(core)
    }

    /// The core, and its threads, which are not started.
    pub(crate) fn build(config: &Config, engine: Arc<dyn Engine>) -> io::Result<(Arc<Core>, Vec<ShardThread>)> {
        let options = Options::new(config)?;
        let count = options.shards;
        let flag = Arc::new(Notifier::new()?);
        let log = Arc::new(Log::new(flag.clone()));
        let unfinished = Arc::new(Budget::new(options.max_unfinished));
        let shelved = Arc::new(Shelved::default());
        let spares = || Spares::new(unfinished.clone(), Arc::new(Shelf::new(options.max_compression_memory / count, shelved.clone())));
        let (shards, handles): (Vec<_>, Vec<_>) =
            (0..count).map(|number| Shard::create(number, count, spares())).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        let core = Arc::new(Core {
            hub: RwLock::default(),
            routes: RwLock::default(),
            reserved_ids: ReservedIds::default(),
            engine,
            values: Values::new(options.values),
            histories: Histories::new(options.max_history_bytes),
            presences: Presences::new(),
            pusher: Clients::new(),
            webhooks: Webhooks::new(log.clone()),
            stays: Stays::default(),
            missing: Arc::default(),
            order: Order::default(),
            departed: Departed::default(),
            underway: Arc::default(),
            kept: Arc::new(KeptMemory::new(options.max_resume_bytes)),
            suspended: Mutex::default(),
            timers: Timers::default(),
            dispatch: Arc::new(Dispatch::new(flag.clone(), options.max_pending_bytes)),
            bells: Bells::default(),
            pipes: Pipes::new()?,
            log,
            counters: Counters::default(),
            authorizing: Mutex::default(),
            compressors: Compressors::default(),
            unfinished,
            shelved,
            options,
            started: clock::now(),
            shards: handles,
            flag,
            draining: AtomicBool::new(false),
            empty: Default::default(),
        });
        core.pusher.belong_to(&core);
        if core.engine.standing().is_some() {
            core.hub.write().watch();
        }
        Ok((core, shards))
    }

    /// A descriptor that becomes readable when bells or log records wait. It belongs to the core.
    pub fn flag(&self) -> RawFd {
        self.flag.fd()
    }

    /// The host begins to take bells and log records: what comes from here on raises the flag again.
    pub fn lower_flag(&self) {
        self.flag.lower();
    }

    /// Moves whole log records, JSON lines, into `buffer`; returns the bytes written.
    pub fn take_log(&self, buffer: &mut [u8]) -> usize {
        self.log.take(buffer)
    }

    /// Closes the gate: see [`Core::open_gate`]. Waits for running bells; how many are still there after `timeout`.
    pub fn close_gate(&self, timeout: Duration) -> usize {
        self.dispatch.close_gate(timeout)
    }

    /// Opens the gate once. While it is closed – by so many closings – no bell is handed out, so that the host can restart PHP.
    pub fn open_gate(&self) {
        self.dispatch.open_gate();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether new clients may refer to what they have sent before: not once nearly as much is kept as may be, since who comes then would
    /// lose it, or take it from others.
    pub(crate) fn has_windows(&self) -> bool {
        self.shelved.windows.load(Ordering::Relaxed) <= self.options.max_compression_memory / 8 * 7
    }

    /// Has connections closed whose unfinished messages have to go in favour of others'.
    pub(crate) fn evict(&self) {
        for connection in self.unfinished.take_evicted() {
            let key = Conn::key_of(connection);
            self.post(key, Op::Evict { key });
        }
    }

    /// Posts to the shard of a connection and wakes it.
    pub(crate) fn post(&self, key: Key, op: Op) {
        let shard = self.shard(key);
        shard.post(op);
        shard.wake();
    }

    fn shard_number(&self, key: Key) -> usize {
        key.index as usize % self.shards.len()
    }

    pub(crate) fn shard(&self, key: Key) -> &ShardHandle {
        &self.shards[self.shard_number(key)]
    }

    /// Events were dropped because nobody is there to handle them.
    pub(crate) fn orphaned(&self, orphans: Orphans) {
        for key in orphans.resume {
            self.post(key, Op::ReadAgain { key });
        }
        if orphans.events == 0 {
            return;
        }
        add(&self.counters.events_dropped, orphans.events);
        let (route, worker) = (orphans.over.first().map(|conn| conn.route_name.clone()), orphans.worker);
        let of = route.clone().or(worker.clone()).unwrap_or_default();
        let message = match self.is_draining() {
            true => "WebSocket events were dropped: PHP had not handled them when the server ended",
            false => "WebSocket events were dropped: their worker is gone",
        };
        self.log.burst(Trouble::EventsDropped, &of, message, || {
            let mut fields = serde_json::Map::new();
            for (name, value) in [("route", route), ("worker", worker)] {
                fields.extend(value.map(|value| (name.to_owned(), value.as_ref().into())));
            }
            fields.insert("events".into(), orphans.events.into());
            fields
        });
        for conn in orphans.over {
            self.through(&conn, Through::Events);
        }
    }
}
