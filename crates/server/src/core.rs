//! The core: what its threads share, and what can be asked of it.

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fws_hub::{
    Bounds, Client, Command, CommandError, Due, Hub, Key, Outcome, Outlet, PING_INTERVALS, Pinging, Reply, RouteId, Target, TimerError,
};
use fws_session::{Event, Frame, Timer};
use fws_wire::close;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, RwLock};
use serde::Deserialize;
use serde_json::{Value, json};
use socket2::Socket;

use crate::admission::{Handshake, Ticket};
use crate::bell::Bells;
use crate::claims::Claims;
use crate::compress::Compressors;
use crate::conn::{Conn, Request, Through, Transport};
use crate::dispatch::{Arrival, Dispatch, Orphans, Source};
use crate::flag::Flag;
use crate::link::Link;
use crate::log::{Level, Log, Trouble};
use crate::pipe::Pipes;
use crate::routes::{ConfigError, Route, Routes, RoutesConfig, Stale};
use crate::shard::{Adoption, Op, Shard, ShardHandle, panicked};
use crate::stats::{Counters, add};
use crate::timers::Timers;
use crate::values::Values;

/// What the core is started with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Threads that own sockets; 0: one for every two processors. At most 256.
    #[serde(default)]
    pub shards: usize,
    /// What the global values may take.
    #[serde(default)]
    pub values: ValuesConfig,
}

/// What the global values may take; absent or 0: the defaults of [`fws_hub::Bounds`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValuesConfig {
    /// The most values.
    pub max_entries: usize,
    /// The most bytes of keys and values, with 128 for each.
    pub max_size: usize,
}

impl ValuesConfig {
    fn bounds(&self) -> Bounds {
        let or = |configured, default| if configured == 0 { default } else { configured };
        let defaults = Bounds::default();
        Bounds { entries: or(self.max_entries, defaults.entries), bytes: or(self.max_size, defaults.bytes) }
    }
}

/// The running core. There is one in a process; it is never stopped, but can be [drained](Core::drain).
pub struct Core {
    /// Guards who is connected. Written at a connection's beginning and end and by tagging, read by everything else.
    pub(crate) hub: RwLock<Hub<Arc<Conn>>>,
    /// Guards the configuration; written by commits only, and read while a connection is posted to its shard, so that each is either
    /// in the old generation and told to go, or in the new one.
    /// Where both are locked, this is locked before `hub`.
    pub(crate) routes: RwLock<Routes>,
    /// Ids that are promised to clients the hub does not know yet.
    pub(crate) claims: Claims,
    pub(crate) values: Values,
    pub(crate) timers: Timers,
    pub(crate) dispatch: Dispatch,
    pub(crate) bells: Bells,
    pub(crate) pipes: Pipes,
    pub(crate) log: Log,
    pub(crate) counters: Counters,
    pub(crate) compressors: Compressors,
    pub(crate) started: Instant,
    shards: Vec<ShardHandle>,
    flag: Arc<Flag>,
    draining: AtomicBool,
    /// Signalled when the last connection is gone.
    empty: (Mutex<()>, Condvar),
}

impl Core {
    /// Starts the core's threads.
    pub fn start(config: &Config) -> io::Result<Arc<Core>> {
        let count = match config.shards {
            // The other processors are for PHP and for the kernel's side of the sockets. Measured with 2 processors, 100 clients and one
            // message in flight on each: one shard takes a quarter less CPU for a message than two.
            0 => std::thread::available_parallelism()?.get().div_ceil(2),
            count => count,
        }
        .min(256);
        let flag = Arc::new(Flag::new()?);
        let (shards, handles): (Vec<_>, Vec<_>) =
            (0..count).map(|number| Shard::create(number, count)).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        let core = Arc::new(Core {
            hub: RwLock::default(),
            routes: RwLock::default(),
            claims: Claims::default(),
            values: Values::new(config.values.bounds()),
            timers: Timers::default(),
            dispatch: Dispatch::new(flag.clone()),
            bells: Bells::default(),
            pipes: Pipes::new()?,
            log: Log::new(flag.clone()),
            counters: Counters::default(),
            compressors: Compressors::default(),
            started: Instant::now(),
            shards: handles,
            flag,
            draining: AtomicBool::new(false),
            empty: Default::default(),
        });
        for shard in shards {
            let core = core.clone();
            std::thread::Builder::new().name(format!("fws-shard-{}", shard.number)).spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| shard.run(&core))).is_err() {
                    panicked();
                }
            })?;
        }
        Ok(core)
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

    /// Takes over an accepted connection. `buffered`: what was read behind the request. `Err` gives the socket back.
    pub fn adopt(&self, handshake: Handshake, socket: Socket, buffered: &[u8]) -> Result<(), Socket> {
        let Some(ticket) = handshake.ticket else { return Err(socket) };
        let mut socket = Some(socket);
        self.take_over(ticket, Transport::Tcp, buffered, |_| Link::Socket(socket.take().expect("bug: there is one socket")));
        // The closure is not called where the hub does not take the client.
        socket.map_or(Ok(()), Err)
    }

    /// Registers a client and gives its connection, which `link` makes, to its shard. `link` is not called if that cannot be.
    pub(crate) fn take_over(&self, ticket: Ticket, transport: Transport, buffered: &[u8], link: impl FnOnce(Key) -> Link) {
        let routes = self.routes.read();
        let route = routes.current.get(&ticket.route.name).cloned();
        let gone = route.as_ref().is_none_or(|route| !route.serves(ticket.line));
        let route = route.unwrap_or(ticket.route);
        let mut made = None;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        // Kept locked until the shard has it: who finds the client in the hub posts behind its adoption, not before.
        let mut hub = self.hub.write();
        let registered = hub.register(ticket.id.clone(), route.id, |key| {
            let opened = &ticket.opened;
            let (path, ip, subprotocol) = (&*opened.path, &*opened.ip, &*opened.subprotocol);
            let request = Request { path: path.into(), ip: ip.into(), subprotocol: subprotocol.into() };
            let name = route.name.clone();
            let mut conn = Conn::new(key, ticket.id, route.id, ticket.line, name, &route.settings, request, transport);
            conn.compression = ticket.compression;
            conn.traffic.opened(now);
            made.insert(Arc::new(conn)).clone()
        });
        let (Some(key), Some(conn)) = (registered, made) else { return };
        hub.furnish(key, ticket.outfit);
        let adoption = Adoption { conn, route, link: link(key), opened: ticket.opened, buffered: buffered.into() };
        self.post(key, Op::Adopt(Box::new(adoption)));
        ticket.reservation.adopted();
        drop(hub);
        drop(ticket.claim);
        add(&self.counters.connections_opened, 1);
        if gone || self.is_draining() {
            self.post(key, Op::Close { key, code: close::GOING_AWAY, reason: "".into() });
        }
    }

    /// Carries out a command. See [`Command`] for what each answers.
    pub fn execute(&self, command: &Command<'_>) -> Result<Reply, CommandError> {
        match command {
            Command::Rename { id, new } => {
                let new: Arc<str> = (*new).into();
                let mut hub = self.hub.write();
                if self.claims.contains(&new) {
                    return Ok(Reply::Flag(false));
                }
                let renamed = hub.rename(id, new.clone())?;
                if let Some(conn) = renamed {
                    conn.set_id(new);
                }
                return Ok(Reply::Flag(renamed.is_some()));
            }
            Command::Routes => {
                let mut names: Vec<Arc<str>> = self.routes.read().current.keys().cloned().collect();
                names.sort_unstable();
                return Ok(Reply::Names(names));
            }
            Command::Client { id } => {
                let hub = self.hub.read();
                let (conn, tags, connected) = hub.client(id).ok_or(CommandError::UnknownClient)?;
                let mut tags = tags.to_vec();
                tags.sort_unstable();
                return Ok(Reply::Client(Box::new(Client { connected, tags, ..conn.describe() })));
            }
            Command::PingTime { id } => {
                let hub = self.hub.read();
                let (conn, ..) = hub.client(id).ok_or(CommandError::UnknownClient)?;
                return Ok(Reply::Integer(conn.traffic.ping_time().map_or(0, |took| i64::try_from(took).unwrap_or(i64::MAX))));
            }
            Command::Ping { how: Pinging::Every(interval), .. } if !PING_INTERVALS.contains(interval) => {
                return Err(CommandError::PingInterval);
            }
            // Timers that have fired are events: their own bound does not count them any more.
            Command::SetTimer { .. } if self.dispatch.is_overloaded() => return Err(TimerError::Full.into()),
            Command::SetTimer { .. } | Command::ClearTimer { .. } => {
                return self.timers.execute(command, |worker| self.dispatch.worker(worker).is_some(), || self.shards[0].wake());
            }
            Command::Stats => return Ok(Reply::Stats(self.stats().to_string().into())),
            _ if command.is_change() => return self.hub.write().change(command),
            _ if command.is_about_values() => return self.values.execute(command, || self.shards[0].wake()),
            Command::Send { binary: false, data, .. } if std::str::from_utf8(data).is_err() => return Err(CommandError::InvalidUtf8),
            Command::Close { code, .. } if !close::is_sendable(*code) => return Err(CommandError::InvalidCloseCode),
            Command::Close { reason, .. } if reason.len() > close::MAX_REASON => return Err(CommandError::ReasonTooLong),
            _ => {}
        }
        let mut post = Post { core: self, command, parcel: Parcel::default(), put_off: Vec::new(), dropped: 0, logged: None };
        let reply = self.hub.read().ask(command, &mut post);
        post.finish(reply)
    }

    /// Reads and keeps a generation of routes, to be committed later.
    pub fn stage(&self, generation: u64, json: &[u8]) -> Result<(), ConfigError> {
        let config = RoutesConfig::parse(json)?;
        self.routes.write().staged.insert(generation, config);
        Ok(())
    }

    /// Puts a staged generation in force, and forgets all older ones.
    pub fn commit(&self, generation: u64) -> Result<(), Stale> {
        let mut routes = self.routes.write();
        if routes.committed.is_some_and(|committed| committed >= generation) {
            return if routes.committed == Some(generation) { Ok(()) } else { Err(Stale) };
        }
        let config = routes.staged.get(&generation).cloned().ok_or(Stale)?;
        routes.staged.retain(|&staged, _| staged > generation);
        routes.committed = Some(generation);
        self.draining.store(false, Ordering::Release);
        self.put_in_force(&mut routes, &config);
        Ok(())
    }

    /// A generation ends. If it is the committed one the newest staged one takes its place; without one all connections are closed.
    pub fn withdraw(&self, generation: u64) -> Result<(), Stale> {
        let successor = {
            let mut routes = self.routes.write();
            if routes.committed != Some(generation) {
                routes.staged.remove(&generation);
                return Ok(());
            }
            match routes.staged.keys().next_back().copied() {
                Some(successor) => successor,
                None => {
                    routes.committed = None;
                    self.put_in_force(&mut routes, &RoutesConfig::default());
                    return Ok(());
                }
            }
        };
        self.commit(successor)
    }

    fn put_in_force(&self, routes: &mut Routes, config: &RoutesConfig) {
        let mut hub = self.hub.write();
        let mut current = std::collections::HashMap::new();
        let mut workers: Vec<Arc<str>> = config.workers.iter().map(|worker| worker.name.as_str().into()).collect();
        let mut worker_of_line = HashMap::new();
        for route in &config.routes {
            let id = hub.route(&route.name);
            let name = hub.route_name(id).clone();
            let places = routes.places.entry(name.clone()).or_default().clone();
            let live = hub.handles().filter(|(_, on, _)| *on == id).filter_map(|(_, _, conn)| conn.address());
            places.count_connections(route.max_connections_per_ip.is_some(), live);
            let route = Route::new(route, id, name.clone(), places, |subprotocol| routes.line(id, subprotocol));
            for (line, worker) in route.lines.iter().filter_map(|line| Some((line.id, line.worker.as_ref()?))) {
                worker_of_line.insert(line, worker.clone());
                if !workers.contains(worker) {
                    workers.push(worker.clone());
                }
            }
            current.insert(name, Arc::new(route));
        }
        drop(hub);
        let removed: Vec<RouteId> = routes.current.values().filter(|old| !current.contains_key(&old.name)).map(|old| old.id).collect();
        routes.current = current;
        // Before the shards know: what they queue from then on must have somewhere to go.
        let orphans = self.dispatch.configure(&worker_of_line, &workers);
        let timers = self.timers.retain_workers(|worker| workers.iter().any(|known| **known == *worker));
        for shard in &self.shards {
            for route in routes.current.values() {
                shard.post(Op::Configure(route.clone()));
            }
            for &route in &removed {
                shard.post(Op::CloseRoute { route: Some(route) });
            }
            shard.wake();
        }
        self.orphaned(orphans);
        if timers > 0 {
            add(&self.counters.timers_dropped, timers as u64);
            self.log.write(Level::Warn, "timers were cleared: their worker is gone", json!({ "timers": timers }));
        }
    }

    /// Queues the timers that are due for their workers.
    pub(crate) fn fire_timers(&self) {
        let mut batch = Vec::new();
        for Due { id, worker, payload } in self.timers.take_due() {
            // A repeating timer never overtakes itself.
            if self.dispatch.has_timer(id) {
                add(&self.counters.timers_skipped, 1);
                continue;
            }
            match self.dispatch.worker(&worker) {
                Some(pool) => {
                    let event = Event::Timer(Box::new(Timer { id, payload }));
                    batch.push(Arrival { source: Source::Timer { id, pool }, event, limits: (usize::MAX, usize::MAX) });
                }
                None => add(&self.counters.timers_dropped, 1),
            }
        }
        if !batch.is_empty() {
            add(&self.counters.timers_fired, batch.len() as u64);
            let pushed = self.dispatch.push(&mut batch);
            add(&self.counters.events_queued, pushed.queued);
            self.orphaned(pushed.orphans);
        }
    }

    /// Closes all connections with 1001 and waits until they are gone and their close events handled. How many are left after `timeout`.
    pub fn drain(&self, timeout: Duration) -> u64 {
        let until = Instant::now() + timeout;
        self.draining.store(true, Ordering::Release);
        for shard in &self.shards {
            shard.post(Op::CloseRoute { route: None });
            shard.wake();
        }
        let mut guard = self.empty.0.lock();
        loop {
            let known = self.hub.read().known();
            if known == 0 || self.empty.1.wait_until(&mut guard, until).timed_out() {
                return self.hub.read().known();
            }
        }
    }

    /// Closes the gate: see [`Core::open_gate`]. Waits for running bells; how many are still there after `timeout`.
    pub fn close_gate(&self, timeout: Duration) -> usize {
        self.dispatch.close_gate(timeout)
    }

    /// Opens the gate once. While it is closed – by so many closings – no bell is handed out, so that the host can restart PHP.
    pub fn open_gate(&self) {
        self.dispatch.open_gate();
    }

    /// Everything that is counted.
    pub fn stats(&self) -> Value {
        let (pending_events, pending_connections) = self.dispatch.pending();
        let in_force = self.routes.read();
        let hub = self.hub.read();
        let routes: serde_json::Map<String, Value> =
            in_force.current.values().map(|route| (route.name.to_string(), route_stats(route, hub.route_len(route.id)))).collect();
        let workers: serde_json::Map<String, Value> = self
            .dispatch
            .workers()
            .into_iter()
            .map(|(name, [parked, running, idle, waiting])| {
                let bells = json!({ "bells_parked": parked, "bells_running": running, "bells_idle": idle, "connections_waiting": waiting });
                (name.to_string(), bells)
            })
            .collect();
        let mut stats = self.counters.to_json();
        let own = json!({
            "connections": hub.len(),
            "connections_known": hub.known(),
            "tags": hub.tag_count(),
            "values": self.values.len(),
            "values_bytes": self.values.bytes(),
            "timers": self.timers.len(),
            "events_pending": pending_events,
            "connections_with_events": pending_connections,
            "shards": self.shards.len(),
            "pipes": self.pipes.len(),
            "uptime_seconds": self.started.elapsed().as_secs(),
            "routes": routes,
            "workers": workers,
        });
        if let (Value::Object(stats), Value::Object(own)) = (&mut stats, own) {
            stats.extend(own);
        }
        stats
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Posts to the shard of a connection and wakes it.
    pub(crate) fn post(&self, key: Key, op: Op) {
        let shard = self.shard(key);
        shard.post(op);
        shard.wake();
    }

    pub(crate) fn wake_deferred(&self) {
        crate::shard::take_deferred(|number| self.shards[number].wake());
    }

    fn shard_number(&self, key: Key) -> usize {
        key.index as usize % self.shards.len()
    }

    pub(crate) fn shard(&self, key: Key) -> &ShardHandle {
        &self.shards[self.shard_number(key)]
    }

    /// A connection is no longer: neither is it sent to nor does it take a place on its route.
    pub(crate) fn closed(&self, conn: &Conn, route: &Route) {
        let mut hub = self.hub.write();
        hub.close(conn.key);
        route.places.left(conn.address());
    }

    /// One side is through with a closed connection.
    pub(crate) fn through(&self, conn: &Conn, side: Through) {
        if conn.through(side) {
            let mut hub = self.hub.write();
            hub.forget(conn.key);
            if hub.is_empty() && self.is_draining() {
                drop(hub);
                let _guard = self.empty.0.lock();
                self.empty.1.notify_all();
            }
        }
    }

    /// Events were dropped because nobody is there to handle them.
    pub(crate) fn orphaned(&self, orphans: Orphans) {
        for key in orphans.resume {
            self.post(key, Op::Resume { key });
        }
        if orphans.events == 0 {
            return;
        }
        add(&self.counters.events_dropped, orphans.events);
        let of: Arc<str> = orphans.over.first().map_or_else(|| "".into(), |conn| conn.route_name.clone());
        self.log.burst(Trouble::EventsDropped, &of, "WebSocket events were dropped: their route's worker is gone", || {
            let mut fields = serde_json::Map::new();
            fields.insert("route".into(), of.as_ref().into());
            fields.insert("events".into(), orphans.events.into());
            fields
        });
        for conn in orphans.over {
            self.through(&conn, Through::Events);
        }
    }

    /// A message did not fit a client's outbox. `logged`: the route of which that was told a moment ago.
    fn outbox_full(&self, conn: &Conn, len: usize, logged: &mut Option<RouteId>) {
        if conn.overflowed() {
            self.post(conn.key, Op::CloseSlow { key: conn.key });
        }
        if logged.replace(conn.route) != Some(conn.route) {
            let message = "messages are dropped: a client does not read as fast as it is sent to";
            self.log.burst(Trouble::OutboxFull, &conn.route_name, message, || not_sent(conn, len));
        }
    }

    /// Messages to a client were dropped for newer ones.
    pub(crate) fn overtaken(&self, conn: &Conn, messages: u64) {
        let message = "old messages are dropped: a client does not read as fast as it is sent to";
        self.log.burst(Trouble::OutboxFull, &conn.route_name, message, || dropped(conn, messages));
    }

    /// A client is closed because it does not read, and what waited for it is dropped.
    pub(crate) fn too_slow(&self, conn: &Conn, messages: u64) {
        add(&self.counters.slow_clients_closed, 1);
        let message = "a client is closed with 1013: it does not read as fast as it is sent to";
        self.log.burst(Trouble::SlowClient, &conn.route_name, message, || dropped(conn, messages));
    }

    /// Clients send faster than they may.
    pub(crate) fn too_fast(&self, conn: &Conn, times: u64) {
        add(&self.counters.rate_limit_delays, times);
        let message = "a client is not read for a while: it sends faster than rate_limit allows";
        self.log.burst(Trouble::RateLimit, &conn.route_name, message, || about(conn));
    }

    /// A message is longer than a client's whole outbox.
    fn too_large(&self, conn: &Conn, len: usize) {
        let message = "messages are dropped: they are longer than max_outbox, so that they can never be sent";
        self.log.burst(Trouble::TooLarge, &conn.route_name, message, || not_sent(conn, len));
    }
}

fn route_stats(route: &Route, connections: u64) -> Value {
    let own = route.lines.iter().filter(|line| line.worker != route.worker);
    let own: serde_json::Map<String, Value> = own.map(|line| (line.subprotocol.clone(), json!(line.worker))).collect();
    json!({ "connections": connections, "worker": route.worker, "subprotocol_workers": own, "options": route.options() })
}

fn about(conn: &Conn) -> serde_json::Map<String, Value> {
    let mut fields = serde_json::Map::new();
    fields.insert("route".into(), conn.route_name.as_ref().into());
    fields.insert("connection".into(), conn.id().as_ref().into());
    fields
}

fn dropped(conn: &Conn, messages: u64) -> serde_json::Map<String, Value> {
    let mut fields = about(conn);
    fields.insert("messages".into(), messages.into());
    fields.insert("max_outbox".into(), conn.max_outbox().into());
    fields
}

fn not_sent(conn: &Conn, len: usize) -> serde_json::Map<String, Value> {
    let mut fields = about(conn);
    fields.insert("frame_bytes".into(), len.into());
    fields.insert("max_outbox".into(), conn.max_outbox().into());
    fields
}

/// Posts what a command sends to the shards: encoded once, one operation for each shard.
pub(crate) struct Post<'a> {
    pub(crate) core: &'a Core,
    pub(crate) command: &'a Command<'a>,
    parcel: Parcel,
    /// Clients that get it compressed, which is done when the hub is not locked any more.
    put_off: Vec<(Key, Arc<Conn>)>,
    dropped: u64,
    /// The route on which a full outbox was told last.
    logged: Option<RouteId>,
}

/// A frame, and the clients that get it.
#[derive(Default)]
pub(crate) struct Parcel {
    pub(crate) frame: Option<Frame>,
    /// Most sends are to one client.
    first: Option<Key>,
    more: Vec<Key>,
}

impl Parcel {
    pub(crate) fn of(frame: Frame) -> Parcel {
        Parcel { frame: Some(frame), ..Parcel::default() }
    }

    pub(crate) fn add(&mut self, key: Key) {
        match self.first {
            None => self.first = Some(key),
            Some(_) => self.more.push(key),
        }
    }

    /// How many clients get it.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.first.is_some()) + self.more.len() as u64
    }
}

impl Post<'_> {
    /// The hub has answered, and is not locked any more.
    fn finish(mut self, reply: Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        let put_off = std::mem::take(&mut self.put_off);
        let reply = if put_off.is_empty() { reply } else { self.compress(put_off, reply) };
        if self.dropped > 0 {
            add(&self.core.counters.messages_dropped, self.dropped);
        }
        let parcel = std::mem::take(&mut self.parcel);
        self.post(parcel);
        reply
    }

    /// The message as it is.
    pub(crate) fn frame(&mut self) -> &Frame {
        let Command::Send { binary, data, .. } = self.command else { unreachable!("bug: only Send sends") };
        self.parcel.frame.get_or_insert_with(|| Frame::message(*binary, data))
    }

    /// Makes room for a frame of this length with a client.
    pub(crate) fn reserve(&mut self, to: &Conn, len: usize) -> Outcome {
        if len > to.max_outbox() {
            self.dropped += 1;
            self.core.too_large(to, len);
            return Outcome::TooLarge;
        }
        if !to.reserve(len, || self.core.shard(to.key).is_behind()) {
            self.dropped += 1;
            self.core.outbox_full(to, len, &mut self.logged);
            return Outcome::Dropped;
        }
        Outcome::Queued
    }

    pub(crate) fn post(&self, parcel: Parcel) {
        let Parcel { frame: Some(frame), first: Some(first), mut more } = parcel else { return };
        add(&self.core.counters.messages_sent, 1 + more.len() as u64);
        if more.is_empty() {
            let shard = self.core.shard(first);
            shard.post(Op::Send { key: first, frame });
            shard.wake_or_defer();
            return;
        }
        more.push(first);
        for (number, shard) in self.core.shards.iter().enumerate() {
            let keys: Vec<Key> = more.iter().copied().filter(|key| self.core.shard_number(*key) == number).collect();
            if !keys.is_empty() {
                shard.post(Op::SendMany { keys, frame: frame.clone() });
                shard.wake_or_defer();
            }
        }
    }
}

impl Outlet<Arc<Conn>> for Post<'_> {
    fn send(&mut self, key: Key, to: &Arc<Conn>) -> Outcome {
        if let Some(compression) = &to.compression
            && let Command::Send { data, .. } = self.command
            && compression.wants(data.len())
        {
            self.put_off.push((key, to.clone()));
            return Outcome::Queued;
        }
        let len = self.frame().len();
        let outcome = self.reserve(to, len);
        if outcome == Outcome::Queued {
            self.parcel.add(key);
        }
        outcome
    }

    fn order(&mut self, key: Key, _: &Arc<Conn>) {
        self.core.post(
            key,
            match *self.command {
                Command::Close { code, reason, .. } => Op::Close { key, code, reason: reason.into() },
                Command::Kill { .. } => Op::Kill { key },
                Command::Ping { how, .. } => Op::Ping { key, how },
                _ => unreachable!("bug: {:?} orders nothing", self.command),
            },
        );
    }
}

impl Core {
    /// How many connections are live.
    pub fn connections(&self) -> u64 {
        match self.execute(&Command::Count { of: Target::All, route: None }) {
            Ok(Reply::Count(count)) => count,
            _ => 0,
        }
    }

    /// The ids of all live connections.
    pub fn ids(&self) -> Vec<Arc<str>> {
        match self.execute(&Command::List { of: Target::All, route: None }) {
            Ok(Reply::Names(names)) => names,
            _ => Vec::new(),
        }
    }
}
