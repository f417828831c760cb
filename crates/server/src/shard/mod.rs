//! A shard: one thread that owns sockets, with one epoll, one timer queue and one receive buffer.
//!
//! A turn reads each ready socket once, takes what other threads posted, writes each touched socket once, and hands the events to the
//! dispatcher together. Reading once – rather than until a socket is empty – keeps a fast client from starving the others.
//!
//! In the order of a turn: `thread` waits, `input` reads, `operate` carries out what was posted (an [`Op`], through the `handle`; those of
//! new clients are in `arrive`, those of clients whose network was away in `away`; `catch_up` sends
//! what clients have missed), `doing` what handlers want, `output` writes and tells. `turn` has the turns that other threads may have. What is around a shard it
//! knows as [`Surroundings`] only.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use fws_hub::Key;
use fws_session::{Millis, Session, Spares};
use hashbrown::HashMap;
use mio::{Poll, Registry, Token, Waker};
use parking_lot::Mutex;

use crate::clock;
use crate::conn::Conn;
use crate::dispatch::Arrival;
use crate::link::Link;
use crate::routes::Route;

mod arrive;
mod away;
mod catch_up;
mod doing;
mod handle;
mod input;
mod migrate;
mod op;
mod operate;
mod output;
mod surroundings;
mod thread;
mod turn;

pub use handle::{Deferral, ShardHandle};
pub use op::{Arrived, Linked, Missed, Newcomer, Op, Packed, Returned};
pub use surroundings::{Report, Surroundings};
pub use thread::{ShardThread, panicked};

use catch_up::CatchUp;
use handle::{ASLEEP, AWAKE, DOZING, Inbox};

/// The receive buffer: the most that is read of a connection in a turn.
const SCRATCH: usize = 64 * 1024;
/// When the compressed messages of a connection have become so long in a turn, what is left of the read waits for the next turn: only
/// then are limits looked at again.
const INFLATED: usize = 1 << 20;
/// The most that is handled at a time of what is fed.
const FED: usize = 16 * 1024;
/// The most messages that are sent on the thread of who sends them.
const SENDS: usize = 64;
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

impl Entry {
    /// Whether there is something to read that should be read. What was read already, and put by, is looked at in a `hushed` shard, too.
    fn is_to_be_read(&self, hushed: bool) -> bool {
        let readable = self.readable && (!hushed || self.session.is_closing());
        (readable || self.session.has_rest()) && !self.paused && self.session.wants_read(&self.conn.backlog)
    }
}

/// What a turn counts, added to the shared counters once.
#[derive(Debug, Default)]
pub struct Tally {
    pub messages_received: u64,
    pub bytes_received: u64,
    pub messages_sent: u64,
    pub bytes_sent: u64,
    /// Sent to connections that are closing, or dropped for newer ones.
    pub messages_dropped: u64,
    /// Not told to PHP, since the server has decided to end their connection.
    pub messages_discarded: u64,
}

/// What a turn has to log.
struct Note {
    report: Report,
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
    /// Clients that get what they have missed, by their places.
    catching_up: HashMap<usize, CatchUp>,
    arrivals: Vec<Arrival>,
    timers: BinaryHeap<Reverse<(Millis, usize)>>,
    spares: Spares,
    tally: Tally,
    notes: Vec<Note>,
    /// Where bytes are copied that are fed.
    fed: Box<[u8]>,
    /// Connections that are not closing are not read: PHP is to handle first what they have sent.
    hushed: bool,
    /// The shard tells the threads that hushed it by these that it is quiet.
    hushing: Vec<Sender<Infallible>>,
    /// Told when what this turn has for PHP is queued.
    replies: Vec<(Sender<bool>, bool)>,
    /// Where posted sends are taken to by who sends.
    sends: Vec<Op>,
    started: Instant,
    /// The wall clock at the start, milliseconds since 1970.
    epoch: u64,
    now: Millis,
    /// Until when the thread sleeps, if nothing happens.
    asleep_until: Millis,
}

impl Shard {
    pub fn create(number: usize, count: usize, spares: Spares) -> io::Result<(ShardThread, ShardHandle)> {
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
            catching_up: HashMap::new(),
            arrivals: Vec::new(),
            timers: BinaryHeap::new(),
            spares,
            tally: Tally::default(),
            notes: Vec::new(),
            fed: vec![0; FED].into(),
            hushed: false,
            hushing: Vec::new(),
            replies: Vec::new(),
            sends: Vec::new(),
            started: clock::now(),
            epoch: clock::unix_millis(),
            now: 0,
            asleep_until: Millis::MAX,
        };
        let shard = Arc::new(Mutex::new(shard));
        let handle = ShardHandle { number, inbox: inbox.clone(), shard: shard.clone() };
        Ok((ShardThread::new(number, poll, inbox, shard), handle))
    }

    fn now(&self) -> Millis {
        clock::since(self.started).as_millis() as Millis
    }

    fn take_posted(&self, ops: &mut Vec<Op>) {
        let mut posted = self.inbox.ops.lock();
        std::mem::swap(&mut *posted, ops);
        self.inbox.bytes.store(0, Ordering::Relaxed);
    }

    /// How long to sleep: not at all where something waits already.
    fn prepare_to_sleep(&mut self, around: &impl Surroundings, tick: Duration) -> Option<Duration> {
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
        let alarm = if self.number == 0 { around.next_alarm() } else { None };
        let timer = self.timers.peek().map(|Reverse((at, _))| Duration::from_millis(at.saturating_sub(now)));
        let timer = [timer, alarm].into_iter().flatten().min();
        let timeout = if around.has_pending() {
            // Lines may become overdue, and somebody may post without waking us.
            self.inbox.state.store(DOZING, Ordering::SeqCst);
            Some(timer.map_or(tick, |timer| timer.min(tick)))
        } else {
            timer
        };
        self.asleep_until = timeout.map_or(Millis::MAX, |timeout| now + timeout.as_millis() as Millis);
        timeout
    }

    fn touch(&mut self, at: usize) {
        if let Some(entry) = self.entries[at].as_mut()
            && !entry.touched
        {
            entry.touched = true;
            self.touched.push(at);
        }
    }
}

/// Remembers when a ping was sent, if one was.
fn note_ping(entry: &mut Entry, started: Instant) {
    if entry.session.take_signs().ping_sent {
        entry.conn.traffic.ping_sent(clock::since(started).as_nanos() as u64);
    }
}

/// The connection of a key, with its place, if it is still the one there.
fn find(entries: &mut [Option<Box<Entry>>], count: usize, key: Key) -> Option<(usize, &mut Entry)> {
    let at = key.index as usize / count;
    let entry = entries.get_mut(at)?.as_deref_mut()?;
    (entry.conn.key == key).then_some((at, entry))
}

/// Remembers to report: once for each kind of trouble, route and turn.
fn note(notes: &mut Vec<Note>, report: Report, conn: &Arc<Conn>, count: u64) {
    match notes.iter_mut().find(|note| note.report == report && note.conn.route == conn.route) {
        Some(note) => note.count += count,
        None => notes.push(Note { report, conn: conn.clone(), count }),
    }
}

#[cfg(test)]
mod tests;
