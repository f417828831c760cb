//! A shard: one thread that owns sockets, with one epoll, one timer queue and one receive buffer.
//!
//! A turn reads each ready socket once, takes what other threads posted, writes each touched socket once, and hands the events to the
//! dispatcher together. Reading once – rather than until a socket is empty – keeps a fast client from starving the others.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fws_hub::{Key, Pinging, RouteId};
use fws_session::{Event, Frame, Millis, Opened, Session, Settings, Spares};
use fws_wire::close;
use mio::{Events, Poll, Registry, Token, Waker};
use parking_lot::Mutex;

use crate::conn::{Conn, Through};
use crate::core::Core;
use crate::dispatch::{Arrival, Source};
use crate::link::Link;
use crate::log::{Level, Trouble};
use crate::os;
use crate::pipe::{News, Pipe, Stir};
use crate::routes::Route;
use crate::stats::add;

/// The receive buffer: the most that is read of a connection in a turn.
const SCRATCH: usize = 64 * 1024;
/// When the compressed messages of a connection have become so long in a turn, what is left of the read waits for the next turn: only
/// then are limits looked at again.
const INFLATED: usize = 1 << 20;
/// The most that is handled at a time of what is fed.
const FED: usize = 16 * 1024;
/// The most sockets that a turn hears of.
const EVENTS: usize = 1024;
/// Slices in one write.
const SLICES: usize = 32;
/// A shard sleeps no longer than these while events wait or are handled; doubling between them.
const TICK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));
/// Connections of a removed route are closed at this rate for each shard, so that their clients do not all come back at once.
const CLOSES_PER_SECOND: u64 = 2_000;
/// And after this time at the latest.
const CLOSES_WITHIN: Millis = 30_000;

const WAKE: Token = Token(usize::MAX);

/// What other threads ask of a shard.
pub enum Op {
    Adopt(Box<Adoption>),
    Send {
        key: Key,
        frame: Frame,
    },
    SendMany {
        keys: Vec<Key>,
        frame: Frame,
    },
    /// A message for a client that wants it compressed by its own context. `reserved`: the bytes of its outbox that were kept for it.
    SendPrivately {
        key: Key,
        binary: bool,
        payload: Box<[u8]>,
        reserved: usize,
    },
    Close {
        key: Key,
        code: u16,
        reason: Box<str>,
    },
    /// The connection is cut.
    Kill {
        key: Key,
    },
    /// The connection gets another ping interval.
    Ping {
        key: Key,
        how: Pinging,
    },
    /// The client does not read and a message to it was lost: it is closed, and what waits for it dropped.
    CloseSlow {
        key: Key,
    },
    /// The connection may be read again: its events are being handled.
    Resume {
        key: Key,
    },
    /// A pipe has bytes, or room.
    Stir(Stir),
    /// A route has a new configuration.
    Configure(Arc<Route>),
    /// Connections of a route that is gone are closed with 1001, spread over time; with `None` all at once.
    CloseRoute {
        route: Option<RouteId>,
    },
}

/// A connection to be taken over.
pub struct Adoption {
    pub conn: Arc<Conn>,
    pub route: Arc<Route>,
    pub link: Link,
    pub opened: Box<Opened>,
    pub buffered: Box<[u8]>,
}

/// A shard as other threads see it.
pub struct ShardHandle {
    number: usize,
    inbox: Arc<Inbox>,
    /// Held by the shard's thread while it is awake. Another thread may have a turn of its own with a pipe while it is free, and never
    /// waits for it. Locked before all others.
    shard: Arc<Mutex<Shard>>,
}

struct Inbox {
    /// Guards what was posted and not taken yet.
    ops: Mutex<Vec<Op>>,
    /// Bytes of messages among them; written under their lock.
    bytes: AtomicUsize,
    /// [`AWAKE`], [`DOZING`] or [`ASLEEP`].
    state: AtomicU8,
    waker: Waker,
}

/// A shard with so many bytes of messages posted to it is behind: where old messages make room for new ones, nothing else bounds how
/// many are on their way.
const BACKLOG: usize = 64 << 20;

/// The shard will look at what was posted before it sleeps.
const AWAKE: u8 = 0;
/// It sleeps, or is about to, but looks in every few milliseconds.
const DOZING: u8 = 1;
/// It sleeps, or is about to, until it is woken.
const ASLEEP: u8 = 2;

thread_local! {
    /// How many posts of this thread may still go without waking a shard.
    static DEFER: Cell<u32> = const { Cell::new(0) };
    /// Shards that have such posts, by bit.
    static DEFERRED: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
}

/// The next `count` sends of this thread need not be looked at at once: more will follow, and wake the shards, very soon.
pub fn defer(count: u32) {
    DEFER.set(count);
}

/// Calls `wake` for each shard that has deferred posts of this thread.
pub fn take_deferred(wake: impl Fn(usize)) {
    for (word, bits) in DEFERRED.take().into_iter().enumerate() {
        let mut bits = bits;
        while bits != 0 {
            wake(word * 64 + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}

impl Inbox {
    fn wake(&self) {
        // Pairs with the shard's look at `ops` after it says that it sleeps.
        if self.state.swap(AWAKE, Ordering::SeqCst) != AWAKE {
            // Writing to an eventfd can only fail when its counter is full: then the shard wakes anyway.
            let _ = self.waker.wake();
        }
    }
}

impl ShardHandle {
    /// Posts without waking: [`ShardHandle::wake`] or [`ShardHandle::wake_or_defer`] must follow.
    pub fn post(&self, op: Op) {
        let bytes = match &op {
            Op::Send { frame, .. } | Op::SendMany { frame, .. } => frame.len(),
            Op::SendPrivately { reserved, .. } => *reserved,
            _ => 0,
        };
        let mut ops = self.inbox.ops.lock();
        ops.push(op);
        self.inbox.bytes.store(self.inbox.bytes.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    /// Whether messages are posted faster than the shard takes them.
    pub fn is_behind(&self) -> bool {
        self.inbox.bytes.load(Ordering::Relaxed) >= BACKLOG
    }

    pub fn wake(&self) {
        self.inbox.wake();
    }

    /// Lets the calling thread have the shard's turn with a pipe, if the shard's own is not having one. See [`Shard::turn_of`].
    pub fn try_turn(&self, core: &Core, pipe: &Pipe, bytes: &[u8]) -> Option<(usize, News)> {
        let mut shard = self.shard.try_lock()?;
        // As on the shard's own thread: a turn that was broken off leaves all of its connections in disorder.
        catch_unwind(AssertUnwindSafe(|| shard.turn_of(core, pipe, bytes))).unwrap_or_else(|_| panicked())
    }

    /// Wakes, unless this thread may [defer] that and the shard would look in by itself if the thread got stuck before it wakes it.
    pub fn wake_or_defer(&self) {
        let left = DEFER.get();
        if left == 0 || self.inbox.state.load(Ordering::SeqCst) == ASLEEP {
            return self.wake();
        }
        DEFER.set(left - 1);
        let mut deferred = DEFERRED.get();
        deferred[self.number / 64] |= 1 << (self.number % 64);
        DEFERRED.set(deferred);
    }
}

/// A connection as its shard holds it.
struct Entry {
    conn: Arc<Conn>,
    route: Arc<Route>,
    link: Link,
    session: Session,
    /// When the timer queue will look at it, and when once more.
    timer: Millis,
    then: Millis,
    readable: bool,
    writable: bool,
    /// The peer closed its end: what is still there must be read to the end.
    finished: bool,
    /// Not read because PHP does not keep up.
    paused: bool,
    /// In the list of sockets to read, or of those to finish, of this turn.
    reading: bool,
    touched: bool,
}

/// What a turn counts, added to the shared counters once.
#[derive(Default)]
struct Tally {
    messages_received: u64,
    bytes_received: u64,
    messages_sent: u64,
    bytes_sent: u64,
    /// Sent to connections that are closing, or dropped for newer ones.
    messages_dropped: u64,
}

/// What a turn has to log.
struct Note {
    trouble: Trouble,
    /// One connection stands for all of its route.
    conn: Arc<Conn>,
    count: u64,
}

pub struct Shard {
    pub number: usize,
    /// Slots of the hub are dealt to the shards in turn: slot `n` is here at `n / count`.
    count: usize,
    registry: Registry,
    inbox: Arc<Inbox>,
    entries: Vec<Option<Box<Entry>>>,
    read: Vec<usize>,
    touched: Vec<usize>,
    arrivals: Vec<Arrival>,
    timers: BinaryHeap<Reverse<(Millis, usize)>>,
    spares: Spares,
    tally: Tally,
    notes: Vec<Note>,
    /// Where bytes are copied that are fed.
    fed: Box<[u8]>,
    started: Instant,
    /// The wall clock at the start, milliseconds since 1970.
    epoch: u64,
    now: Millis,
    /// Until when the thread sleeps, if nothing happens.
    asleep_until: Millis,
}

impl Shard {
    pub fn create(number: usize, count: usize) -> io::Result<(ShardThread, ShardHandle)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let inbox = Arc::new(Inbox { ops: Mutex::default(), bytes: AtomicUsize::new(0), state: AtomicU8::new(AWAKE), waker });
        let shard = Shard {
            number,
            count,
            registry: poll.registry().try_clone()?,
            inbox: inbox.clone(),
            entries: Vec::new(),
            read: Vec::new(),
            touched: Vec::new(),
            arrivals: Vec::new(),
            timers: BinaryHeap::new(),
            spares: Spares::default(),
            tally: Tally::default(),
            notes: Vec::new(),
            fed: vec![0; FED].into(),
            started: Instant::now(),
            epoch: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            now: 0,
            asleep_until: Millis::MAX,
        };
        let shard = Arc::new(Mutex::new(shard));
        let handle = ShardHandle { number, inbox: inbox.clone(), shard: shard.clone() };
        Ok((ShardThread { number, poll, inbox, shard }, handle))
    }

    fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    fn take_posted(&self, ops: &mut Vec<Op>) {
        let mut posted = self.inbox.ops.lock();
        std::mem::swap(&mut *posted, ops);
        self.inbox.bytes.store(0, Ordering::Relaxed);
    }

    /// How long to sleep: not at all where something waits already.
    fn prepare_to_sleep(&mut self, core: &Core, tick: Duration) -> Option<Duration> {
        self.asleep_until = 0;
        if !self.read.is_empty() {
            return Some(Duration::ZERO);
        }
        self.inbox.state.store(ASLEEP, Ordering::SeqCst);
        if !self.inbox.ops.lock().is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.now();
        // The first shard is also the clock of the values that expire, and of PHP's timers.
        let [sweep, due] = if self.number == 0 { [core.values.sweep(), core.timers.next()] } else { [None, None] };
        let timer = self.timers.peek().map(|Reverse((at, _))| Duration::from_millis(at.saturating_sub(now)));
        let timer = [timer, sweep, due].into_iter().flatten().min();
        let timeout = if core.dispatch.has_pending() {
            // Lines may become overdue, and somebody may post without waking us.
            self.inbox.state.store(DOZING, Ordering::SeqCst);
            Some(timer.map_or(tick, |timer| timer.min(tick)))
        } else {
            timer
        };
        self.asleep_until = timeout.map_or(Millis::MAX, |timeout| now + timeout.as_millis() as Millis);
        timeout
    }

    fn ready(&mut self, event: &mio::event::Event) {
        let at = event.token().0;
        let Some(entry) = self.entries.get_mut(at).and_then(Option::as_mut) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            entry.readable = true;
            entry.finished |= event.is_read_closed() || event.is_error();
            if !entry.reading {
                entry.reading = true;
                self.read.push(at);
            }
        }
        if event.is_writable() && !entry.writable {
            entry.writable = true;
            if entry.session.outbox_len() > 0 {
                self.touch(at);
            }
        }
    }

    fn read_all(&mut self, scratch: &mut [u8]) {
        for at in std::mem::take(&mut self.read) {
            if let Some(entry) = self.entries[at].as_mut() {
                entry.reading = false;
                self.read(at, scratch);
            }
        }
    }

    /// Reads a connection once, if it should be.
    fn read(&mut self, at: usize, scratch: &mut [u8]) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if !(entry.readable || entry.session.has_rest()) || entry.paused || !entry.session.wants_read() {
            return;
        }
        if let Some(mut rest) = entry.session.take_rest() {
            self.decode(at, &mut rest, 0);
            self.read_again(at);
            return;
        }
        match entry.link.read(scratch) {
            Ok(0) => {
                entry.readable = false;
                entry.session.disconnected();
                self.touch(at);
            }
            Ok(count) => {
                // The end may have been told already.
                entry.readable = entry.link.has_more(count == scratch.len() || entry.finished);
                self.receive(at, &mut scratch[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                entry.readable = false;
                entry.session.disconnected();
                self.touch(at);
            }
        }
        self.read_again(at);
    }

    /// Puts a connection in the list of those to read, if it should be.
    fn read_again(&mut self, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if (entry.readable || entry.session.has_rest()) && !entry.paused && !entry.reading && entry.session.wants_read() {
            entry.reading = true;
            self.read.push(at);
        }
    }

    fn receive(&mut self, at: usize, input: &mut [u8]) {
        let bytes = input.len() as u64;
        self.tally.bytes_received += bytes;
        self.decode(at, input, bytes);
    }

    /// What the connection held back is looked at, once it may be.
    fn resume(&mut self, at: usize) {
        if let Some(mut held) = self.entries[at].as_mut().and_then(|entry| entry.session.resume(self.now)) {
            self.decode(at, &mut held, 0);
            self.read_again(at);
        }
    }

    /// `bytes`: how many of them have just come, and are not counted yet.
    fn decode(&mut self, at: usize, mut input: &mut [u8], bytes: u64) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_ending() {
            return;
        }
        if entry.session.has_rest() {
            entry.conn.traffic.received(bytes, 0, self.epoch + self.now);
            entry.session.put_by(input);
            return;
        }
        let echo = entry.route.echo;
        let mut inflated = 0;
        let (mut received, mut echoed) = (0, 0);
        while let Some(message) = entry.session.receive(&mut input, self.now, &mut self.spares) {
            received += 1;
            inflated += message.payload.as_slice().len();
            if echo {
                let sent = entry.session.send_message(message.binary, message.payload.as_slice(), &mut self.spares);
                echoed += u64::from(sent);
            } else {
                self.arrivals.push(Arrival {
                    source: Source::Conn(entry.conn.clone()),
                    event: Event::Message { binary: message.binary, data: message.payload.into_boxed() },
                    limits: entry.route.event_limits(),
                });
            }
            if inflated >= INFLATED && !input.is_empty() && entry.session.put_by(input) {
                break;
            }
        }
        self.tally.messages_received += received;
        self.tally.messages_sent += echoed;
        entry.conn.traffic.received(bytes, received, self.epoch + self.now);
        if echoed > 0 {
            entry.conn.traffic.sent_messages(echoed);
        }
        if entry.session.take_signs().pong_received {
            entry.conn.traffic.pong_received(self.started.elapsed().as_nanos() as u64);
        }
        let held = entry.session.is_held();
        if held {
            note(&mut self.notes, Trouble::RateLimit, &entry.conn, 1);
        }
        if held || entry.session.is_ending() || entry.session.outbox_len() > 0 {
            self.touch(at);
        }
    }

    fn touch(&mut self, at: usize) {
        if let Some(entry) = self.entries[at].as_mut()
            && !entry.touched
        {
            entry.touched = true;
            self.touched.push(at);
        }
    }

    fn carry_out(&mut self, core: &Core, op: Op, scratch: &mut [u8]) {
        match op {
            Op::Adopt(adoption) => self.adopt(core, *adoption, scratch),
            Op::Send { key, frame } => self.send(key, frame),
            Op::SendMany { keys, frame } => {
                for key in keys {
                    self.send(key, frame.clone());
                }
            }
            Op::SendPrivately { key, binary, payload, reserved } => self.send_privately(key, binary, &payload, reserved),
            Op::Close { key, code, reason } => self.close(key, code, &reason),
            Op::Kill { key } => {
                if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
                    entry.session.cut("the server cut the connection");
                    self.touch(at);
                }
            }
            Op::Ping { key, how } => {
                let interval = match how {
                    Pinging::Route => None,
                    Pinging::Every(interval) => Some(interval),
                    Pinging::Off => Some(0),
                };
                if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
                    let interval = interval.map(|asked| u32::try_from(entry.conn.transport.ping_interval(asked.into())).unwrap_or(asked));
                    entry.session.set_ping_interval(interval, self.now);
                    // Whoever asks for pings wants to know their time, and not only after the first interval.
                    if how != Pinging::Off {
                        entry.session.ping(self.now, &mut self.spares);
                        note_ping(entry, self.started);
                    }
                    self.touch(at);
                }
            }
            Op::CloseSlow { key } => {
                if let Some((at, entry)) = find(&mut self.entries, self.count, key)
                    && let Some(dropped) = entry.session.close_slow(self.now, &mut self.spares)
                {
                    entry.conn.count_dropped(dropped);
                    core.too_slow(&entry.conn, dropped);
                    self.tally.messages_dropped += dropped;
                    self.touch(at);
                }
            }
            Op::Resume { key } => {
                if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
                    entry.paused = false;
                    self.read_again(at);
                }
            }
            Op::Stir(stir) => self.stir(stir, scratch),
            Op::Configure(route) => {
                let mut order = 0;
                for at in 0..self.entries.len() {
                    let Some(entry) = self.entries[at].as_mut().filter(|entry| entry.route.id == route.id) else { continue };
                    entry.conn.configure(&route.settings);
                    let leaving = entry.session.leaves_at();
                    entry.session.configure(route.settings_for(entry.conn.transport), self.now, entry.conn.key.index);
                    if entry.route.echo == route.echo {
                        entry.route = route.clone();
                        // Of a sub-protocol that is gone it leaves as from a route that is gone.
                        if !route.serves(entry.conn.line) {
                            entry.session.leave(leaving.unwrap_or_else(|| leave_at(self.now, order)), self.now);
                            order += 1;
                        }
                    } else {
                        // To PHP it would be a connection without its first event, or without its last: it ends as what it was.
                        entry.session.close(close::GOING_AWAY, "", self.now, &mut self.spares);
                    }
                    // Its times may be others now.
                    self.touch(at);
                }
            }
            Op::CloseRoute { route: None } => {
                // The host waits for it, but not long.
                for at in 0..self.entries.len() {
                    if let Some(entry) = self.entries[at].as_mut() {
                        let hurried = Settings { close_timeout: 3_000, linger: 1_000, ..Settings::clone(&entry.route.settings) };
                        entry.session.configure(Arc::new(hurried), self.now, entry.conn.key.index);
                        entry.session.close(close::GOING_AWAY, "", self.now, &mut self.spares);
                        self.touch(at);
                    }
                }
            }
            Op::CloseRoute { route: Some(route) } => {
                let mut order = 0;
                for at in 0..self.entries.len() {
                    if let Some(entry) = self.entries[at].as_mut().filter(|entry| entry.route.id == route) {
                        entry.session.leave(leave_at(self.now, order), self.now);
                        order += 1;
                        self.touch(at);
                    }
                }
            }
        }
    }

    fn adopt(&mut self, core: &Core, adoption: Adoption, scratch: &mut [u8]) {
        let Adoption { conn, route, link, opened, buffered } = adoption;
        let key = conn.key;
        let at = key.index as usize / self.count;
        if let Err(error) = link.register(&self.registry, Token(at)) {
            core.log.write(
                Level::Error,
                "a connection could not be watched and was closed",
                serde_json::json!({ "route": conn.route_name, "error": error.to_string() }),
            );
            core.closed(&conn, &route);
            conn.through(Through::Events);
            core.through(&conn, Through::Socket);
            return;
        }
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, || None);
        }
        let session = Session::new(route.settings_for(conn.transport), self.now, key.index).with_compression(conn.compression);
        if !route.echo {
            let limits = route.event_limits();
            self.arrivals.push(Arrival { source: Source::Conn(conn.clone()), event: Event::Open(opened), limits });
        }
        self.entries[at] = Some(Box::new(Entry {
            conn,
            route,
            link,
            session,
            timer: Millis::MAX,
            then: Millis::MAX,
            readable: false,
            writable: true,
            finished: false,
            paused: false,
            reading: false,
            touched: false,
        }));
        for piece in buffered.chunks(scratch.len()) {
            let scratch = &mut scratch[..piece.len()];
            scratch.copy_from_slice(piece);
            self.receive(at, scratch);
        }
        self.read_again(at);
        self.touch(at);
    }

    /// A pipe is ready, as [`Shard::ready`] says it of sockets. It is read at once: this turn has had its look at epoll.
    fn stir(&mut self, stir: Stir, scratch: &mut [u8]) {
        let Some((at, entry)) = find(&mut self.entries, self.count, stir.key) else { return };
        if stir.writable && !entry.writable {
            entry.writable = true;
            if entry.session.outbox_len() > 0 {
                self.touch(at);
            }
        }
        if stir.readable
            && let Some(entry) = self.entries[at].as_mut()
        {
            entry.readable = true;
            self.read(at, scratch);
        }
    }

    /// A turn with one pipe on the thread of the host that feeds it, for which it need not be woken, nor the host's. Returns how much of
    /// the bytes it took and what the host has to do. `None`: they must go the other way, behind what waits already.
    fn turn_of(&mut self, core: &Core, pipe: &Pipe, bytes: &[u8]) -> Option<(usize, News)> {
        let (at, entry) = find(&mut self.entries, self.count, pipe.key())?;
        let behind = entry.reading || entry.paused || entry.session.has_rest() || !entry.session.wants_read();
        if behind || !pipe.begin_turn() {
            return None;
        }
        self.now = self.now();
        let mut fed = std::mem::take(&mut self.fed);
        let count = bytes.len().min(fed.len());
        fed[..count].copy_from_slice(&bytes[..count]);
        self.receive(at, &mut fed[..count]);
        self.fed = fed;
        self.read_again(at);
        self.finish_all(core);
        self.hand_over(core);
        self.count_up(core);
        let due = self.timers.peek().is_some_and(|Reverse((at, _))| *at < self.asleep_until);
        // Where events wait it must look in from time to time.
        let unwatched = || self.inbox.state.load(Ordering::SeqCst) == ASLEEP && core.dispatch.has_pending();
        if !self.read.is_empty() || due || unwatched() {
            self.inbox.wake();
        }
        Some((count, pipe.end_turn()))
    }

    fn send(&mut self, key: Key, frame: Frame) {
        let Some((at, entry)) = find(&mut self.entries, self.count, key) else { return };
        entry.conn.taken(frame.len());
        if make_room(entry, &mut self.tally, &mut self.notes, frame.len()) {
            let sent = entry.session.send(frame, &mut self.spares);
            self.sent(at, sent);
        }
    }

    fn send_privately(&mut self, key: Key, binary: bool, payload: &[u8], reserved: usize) {
        let Some((at, entry)) = find(&mut self.entries, self.count, key) else { return };
        entry.conn.taken(reserved);
        if make_room(entry, &mut self.tally, &mut self.notes, reserved) {
            let sent = entry.session.send_message(binary, payload, &mut self.spares);
            self.sent(at, sent);
        }
    }

    /// A message was put into the outbox – or not: the connection is closing.
    fn sent(&mut self, at: usize, sent: bool) {
        let Some(entry) = self.entries[at].as_mut().filter(|_| sent) else {
            self.tally.messages_dropped += 1;
            return;
        };
        entry.conn.traffic.sent_messages(1);
        self.touch(at);
    }

    fn close(&mut self, key: Key, code: u16, reason: &str) {
        if let Some((at, entry)) = find(&mut self.entries, self.count, key) {
            entry.session.close(code, reason, self.now, &mut self.spares);
            self.touch(at);
        }
    }

    /// Does what is due.
    fn tick(&mut self) {
        while let Some(&Reverse((time, at))) = self.timers.peek()
            && time <= self.now
        {
            self.timers.pop();
            let Some(entry) = self.entries.get_mut(at).and_then(Option::as_mut).filter(|entry| entry.timer == time) else { continue };
            entry.timer = std::mem::replace(&mut entry.then, Millis::MAX);
            if entry.paused {
                // It is we who do not listen: the client's silence means nothing.
                entry.session.heard(self.now);
            }
            entry.session.tick(self.now, &mut self.spares);
            note_ping(entry, self.started);
            self.resume(at);
            self.touch(at);
        }
    }

    /// Writes, half-closes, ends and re-arms every connection that was touched in this turn.
    fn finish_all(&mut self, core: &Core) {
        for at in std::mem::take(&mut self.touched) {
            self.finish(core, at);
        }
    }

    fn finish(&mut self, core: &Core, at: usize) {
        // Before the client reads our close frame: it may come back at once, and its place must be free.
        self.tell_end(core, at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        entry.touched = false;
        while entry.writable && entry.session.outbox_len() > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = entry.session.slices(&mut slices);
            match entry.link.write(&slices[..filled]) {
                Ok(count) => {
                    self.tally.bytes_sent += count as u64;
                    entry.conn.traffic.sent_bytes(count as u64);
                    entry.session.wrote(count, self.now, &mut self.spares);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => entry.session.disconnected(),
            }
        }
        entry.conn.set_waiting(entry.session.outbox_len());
        if entry.session.take_half_close() {
            entry.link.half_close();
        }
        self.tell_end(core, at);
        let Some(entry) = self.entries[at].as_mut() else { return };
        if entry.session.is_ended() {
            entry.link.end(&self.registry);
            if let Some(entry) = self.entries[at].take() {
                core.through(&entry.conn, Through::Socket);
            }
            return;
        }
        if let Some(deadline) = entry.session.deadline()
            && deadline < entry.timer
        {
            // Who comes back to the queue again and again, as a rate limit does, shall not leave a later place in it each time.
            entry.then = entry.timer;
            entry.timer = deadline;
            self.timers.push(Reverse((deadline, at)));
        }
        if entry.session.is_ending() {
            // Nothing but the end is left to wait for.
            entry.paused = false;
        }
        // There may be room in the outbox, by what was written, dropped or configured: then reading goes on.
        self.read_again(at);
    }

    /// Tells the registry and PHP that a connection is over, once that is known.
    fn tell_end(&mut self, core: &Core, at: usize) {
        let Some(entry) = self.entries[at].as_mut() else { return };
        let Some(closed) = entry.session.take_closed() else { return };
        core.closed(&entry.conn, &entry.route);
        if closed.violation {
            add(&core.counters.violations, 1);
            core.log.burst(Trouble::Violation, &entry.conn.route_name, "a client broke the protocol or a limit", || {
                let mut fields = serde_json::Map::new();
                fields.insert("route".into(), entry.conn.route_name.as_ref().into());
                fields.insert("connection".into(), entry.conn.id().as_ref().into());
                fields.insert("code".into(), closed.code.into());
                fields.insert("reason".into(), closed.reason.as_str().into());
                fields
            });
        }
        if !entry.route.echo {
            let limits = entry.route.event_limits();
            self.arrivals.push(Arrival { source: Source::Conn(entry.conn.clone()), event: Event::Close(closed), limits });
        } else {
            core.through(&entry.conn, Through::Events);
        }
    }

    /// Gives this turn's events to the dispatcher.
    fn hand_over(&mut self, core: &Core) {
        if self.arrivals.is_empty() {
            return;
        }
        let pushed = core.dispatch.push(&mut self.arrivals);
        add(&core.counters.events_queued, pushed.queued);
        for key in pushed.full {
            if let Some((_, entry)) = find(&mut self.entries, self.count, key)
                && !entry.session.is_ending()
            {
                entry.paused = true;
            }
        }
        core.orphaned(pushed.orphans);
    }

    fn count_up(&mut self, core: &Core) {
        for Note { trouble, conn, count } in self.notes.drain(..) {
            match trouble {
                Trouble::RateLimit => core.too_fast(&conn, count),
                _ => core.overtaken(&conn, count),
            }
        }
        let tally = std::mem::take(&mut self.tally);
        core.count_saved(self.spares.take_saved());
        for (counter, count) in [
            (&core.counters.messages_received, tally.messages_received),
            (&core.counters.bytes_received, tally.bytes_received),
            (&core.counters.messages_sent, tally.messages_sent),
            (&core.counters.bytes_sent, tally.bytes_sent),
            (&core.counters.messages_dropped, tally.messages_dropped),
        ] {
            if count > 0 {
                add(counter, count);
            }
        }
    }
}

/// When the connection of this order among those that leave is to be closed.
fn leave_at(now: Millis, order: u64) -> Millis {
    now + (order * 1000 / CLOSES_PER_SECOND).min(CLOSES_WITHIN)
}

/// The thread of a shard.
pub struct ShardThread {
    pub number: usize,
    poll: Poll,
    inbox: Arc<Inbox>,
    shard: Arc<Mutex<Shard>>,
}

impl ShardThread {
    /// Runs for the life of the process.
    pub fn run(mut self, core: &Core) {
        if let Err(error) = os::block_signals() {
            core.log.write(
                Level::Error,
                "signals could not be blocked on a core thread",
                serde_json::json!({ "error": error.to_string() }),
            );
        }
        let mut events = Events::with_capacity(EVENTS);
        let mut scratch = vec![0u8; SCRATCH];
        let mut ops = Vec::new();
        let mut tick = TICK.0;
        let mut cared = 0;
        loop {
            let timeout = self.shard.lock().prepare_to_sleep(core, tick);
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                panic!("bug: epoll_wait: {error}");
            }
            self.inbox.state.store(AWAKE, Ordering::SeqCst);
            let mut shard = self.shard.lock();
            shard.now = shard.now();
            let idle = events.is_empty();
            for event in &events {
                if event.token() != WAKE {
                    shard.ready(event);
                }
            }
            shard.read_all(&mut scratch);
            shard.take_posted(&mut ops);
            let idle = idle && ops.is_empty();
            for op in ops.drain(..) {
                shard.carry_out(core, op, &mut scratch);
            }
            // After a long stop of the process, what clients have sent in time may still wait for the next turns.
            if events.iter().count() < EVENTS {
                shard.tick();
            }
            if shard.number == 0 {
                core.fire_timers();
            }
            shard.finish_all(core);
            shard.hand_over(core);
            shard.count_up(core);
            tick = if idle { (tick * 2).min(TICK.1) } else { TICK.0 };
            let care = core.dispatch.has_pending() && (idle || shard.now >= cared + TICK.1.as_millis() as Millis);
            if care {
                cared = shard.now;
            }
            drop(shard);
            if care {
                core.dispatch.care();
            }
        }
    }
}

/// A thread was broken off in the middle of a turn, which leaves connections in disorder, or without anybody to look after them. The
/// panic's own message is on stderr.
pub fn panicked() -> ! {
    eprintln!("frankenphp-ws: a thread that owns connections has panicked; ending the process");
    std::process::abort();
}

/// Remembers when a ping was sent, if one was.
fn note_ping(entry: &mut Entry, started: Instant) {
    if entry.session.take_signs().ping_sent {
        entry.conn.traffic.ping_sent(started.elapsed().as_nanos() as u64);
    }
}

/// The connection of a key, with its place, if it is still the one there.
fn find(entries: &mut [Option<Box<Entry>>], count: usize, key: Key) -> Option<(usize, &mut Entry)> {
    let at = key.index as usize / count;
    let entry = entries.get_mut(at)?.as_deref_mut()?;
    (entry.conn.key == key).then_some((at, entry))
}

/// Makes room for a message in the way of the route, and counts what that costs. `false`: it costs the message itself.
fn make_room(entry: &mut Entry, tally: &mut Tally, notes: &mut Vec<Note>, len: usize) -> bool {
    let room = entry.session.make_room(len, entry.conn.posted());
    let overtaken = room.dropped + u64::from(!room.fits);
    if overtaken > 0 {
        entry.conn.count_dropped(overtaken);
        tally.messages_dropped += overtaken;
        note(notes, Trouble::OutboxFull, &entry.conn, overtaken);
    }
    room.fits
}

/// Remembers to log: one record for each route and turn.
fn note(notes: &mut Vec<Note>, trouble: Trouble, conn: &Arc<Conn>, count: u64) {
    match notes.iter_mut().find(|note| note.trouble == trouble && note.conn.route == conn.route) {
        Some(note) => note.count += count,
        None => notes.push(Note { trouble, conn: conn.clone(), count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_stays_small() {
        // Up to 184 bytes glibc takes 192.
        assert!(size_of::<Entry>() <= 184, "{}", size_of::<Entry>());
    }
}
