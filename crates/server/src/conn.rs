//! What other threads know of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use fws_hub::{Client, Key, RouteId};
use fws_session::{Compression, Millis, Settings, SlowClient, outbox_room};
use fws_wire::{Owner, Peer};
use parking_lot::RwLock;

use crate::dispatch::LineId;
use crate::places::{Address, Places};
use crate::routes::Route;

/// The handle of a connection: the hub keeps one per client. The socket and the session belong to its shard alone.
#[derive(Debug)]
pub struct Conn {
    /// Its place in the hub, which also tells its shard.
    pub key: Key,
    /// Its id, which can be changed. Written under the hub's lock only, so that both always agree.
    id: RwLock<Arc<str>>,
    /// Its route.
    pub route: RouteId,
    /// Where its events go.
    pub line: LineId,
    /// The places of its route.
    pub(crate) places: Arc<Places>,
    /// Its route's name.
    pub route_name: Arc<str>,
    /// How large its outbox is, see [`outbox_room`].
    max_outbox: AtomicUsize,
    /// Bytes that wait for the socket: those posted to the shard, and those in the outbox.
    queued: AtomicUsize,
    /// How many of them are in the outbox. Written by the shard only.
    waiting: AtomicUsize,
    /// Messages to it that were dropped because it does not read as fast as it is sent to.
    dropped: AtomicU64,
    /// A [`SlowClient`] as a number.
    slow_client: AtomicU8,
    /// It lost a message under [`SlowClient::Close`]: its end is on its way.
    doomed: AtomicBool,
    /// The server has decided that it ends: see [`Core::dismiss`](crate::Core::dismiss).
    dismissed: AtomicBool,
    /// Messages from it that PHP was not told for that.
    discarded: AtomicU64,
    /// Bits of [`Through`].
    over: AtomicU8,
    /// Whose it is.
    address: Option<Address>,
    /// What its upgrade request said.
    pub request: Request,
    /// What carries it.
    pub transport: Transport,
    pub(crate) traffic: Traffic,
    /// How what is sent to it is compressed.
    pub compression: Option<Compression>,
}

/// What is kept of an upgrade request as long as its connection lives.
#[derive(Debug)]
pub struct Request {
    /// The path, byte for byte as sent.
    pub path: Box<[u8]>,
    /// The client's address as the web server sees it.
    pub ip: Box<str>,
    /// The sub-protocol agreed on; empty where there is none.
    pub subprotocol: Box<str>,
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A plain TCP socket.
    Tcp,
    /// A Unix socket: a proxy on the same machine, mostly.
    Unix,
    /// TLS over HTTP/1.1.
    Tls,
    /// A stream of HTTP/2 (RFC 8441).
    Http2,
    /// A stream of HTTP/3 (RFC 9220).
    Http3,
}

impl Transport {
    /// Its name: `tcp`, `unix`, `tls`, `http2` or `http3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Unix => "unix",
            Transport::Tls => "tls",
            Transport::Http2 => "http2",
            Transport::Http3 => "http3",
        }
    }
}

/// A connection of QUIC that is silent for 30 seconds is cut by either side: pings keep it.
const HTTP3_PING_INTERVAL: Millis = 20_000;

impl Transport {
    /// How often a silent client is pinged that is to be pinged so often; 0: never.
    pub(crate) fn ping_interval(self, asked: Millis) -> Millis {
        match self {
            Transport::Http3 if asked == 0 => HTTP3_PING_INTERVAL,
            Transport::Http3 => asked.min(HTTP3_PING_INTERVAL),
            Transport::Tcp | Transport::Unix | Transport::Tls | Transport::Http2 => asked,
        }
    }
}

/// What a connection has carried. Written by who has its shard's turn, but for its beginning, and read by everyone.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Milliseconds since 1970.
    connected_at: AtomicU64,
    /// Milliseconds since 1970; 0: no message yet.
    last_message_at: AtomicU64,
    messages_received: AtomicU64,
    bytes_received: AtomicU64,
    messages_sent: AtomicU64,
    bytes_sent: AtomicU64,
    /// When the last ping was sent, nanoseconds of the shard's clock.
    ping_sent: AtomicU64,
    /// How long its pong took, nanoseconds; 0: none came yet.
    ping_time: AtomicU64,
}

/// Adds to a count that only one thread at a time writes: no locked instruction.
fn count(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

impl Traffic {
    pub fn opened(&self, at: u64) {
        self.connected_at.store(at, Ordering::Relaxed);
    }

    /// `bytes` came, with `messages` whole messages, at `at` milliseconds since 1970.
    pub fn received(&self, bytes: u64, messages: u64, at: u64) {
        count(&self.bytes_received, bytes);
        if messages > 0 {
            count(&self.messages_received, messages);
            // The shard's clock stands still within a turn, which may have begun before the connection.
            self.last_message_at.store(at.max(self.connected_at.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    pub fn sent_messages(&self, messages: u64) {
        count(&self.messages_sent, messages);
    }

    pub fn sent_bytes(&self, bytes: u64) {
        count(&self.bytes_sent, bytes);
    }

    pub fn ping_sent(&self, now: u64) {
        self.ping_sent.store(now, Ordering::Relaxed);
    }

    pub fn pong_received(&self, now: u64) {
        // Never 0, which stands for none.
        let took = now.saturating_sub(self.ping_sent.load(Ordering::Relaxed)).max(1);
        self.ping_time.store(took, Ordering::Relaxed);
    }

    pub fn ping_time(&self) -> Option<u64> {
        Some(self.ping_time.load(Ordering::Relaxed)).filter(|took| *took > 0)
    }
}

/// How far the end of a connection has come. When the socket is closed and the events are handled, its place in the hub is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Through {
    /// The shard: the socket is closed.
    Socket = 1,
    /// PHP: the close event was handled, or nobody is there to handle it.
    Events = 2,
    /// The shard: how it ended is known, and no frame will be looked at any more.
    Frames = 4,
    /// The registry: it is in no list.
    Lists = 8,
}

impl Conn {
    pub(crate) fn new(key: Key, id: Arc<str>, route: &Route, line: LineId, request: Request, transport: Transport) -> Conn {
        Conn {
            key,
            id: RwLock::new(id),
            route: route.id,
            line,
            places: route.places.clone(),
            route_name: route.name.clone(),
            max_outbox: AtomicUsize::new(route.settings.max_outbox),
            queued: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            slow_client: AtomicU8::new(route.settings.slow_client as u8),
            doomed: AtomicBool::new(false),
            dismissed: AtomicBool::new(false),
            discarded: AtomicU64::new(0),
            over: AtomicU8::new(0),
            address: Address::parse(&request.ip),
            request,
            transport,
            traffic: Traffic::default(),
            compression: None,
        }
    }

    /// Whose it is, for the count of connections by address.
    pub(crate) fn address(&self) -> Option<Address> {
        self.address
    }

    /// Whose bytes are received from it, for what all share: clients of one address pay for each other.
    pub(crate) fn peer(&self) -> Peer {
        let owner = Owner(self.address.map_or(0, Address::number));
        Peer { owner, connection: u64::from(self.key.generation) << 32 | u64::from(self.key.index) }
    }

    /// The key of a connection by its name in [`Conn::peer`].
    pub(crate) fn key_of(connection: u64) -> Key {
        Key { index: connection as u32, generation: (connection >> 32) as u32 }
    }

    /// Its id at the moment.
    pub fn id(&self) -> Arc<str> {
        self.id.read().clone()
    }

    /// All that is known of it, but its tags and whether it is connected: those the hub knows.
    pub(crate) fn describe(&self) -> Client {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let traffic = &self.traffic;
        Client {
            id: self.id(),
            route: self.route_name.clone(),
            path: self.request.path.clone(),
            ip: self.request.ip.clone(),
            subprotocol: self.request.subprotocol.clone(),
            transport: self.transport.as_str().into(),
            connected: true,
            connected_at: load(&traffic.connected_at),
            last_message_at: Some(load(&traffic.last_message_at)).filter(|at| *at > 0),
            messages_received: load(&traffic.messages_received),
            bytes_received: load(&traffic.bytes_received),
            messages_sent: load(&traffic.messages_sent),
            bytes_sent: load(&traffic.bytes_sent),
            messages_dropped: self.dropped(),
            messages_discarded: self.discarded(),
            queued_bytes: self.queued.load(Ordering::Relaxed) as u64,
            ping_time: traffic.ping_time(),
            tags: Vec::new(),
        }
    }

    pub(crate) fn set_id(&self, id: Arc<str>) {
        *self.id.write() = id;
    }

    /// Reserves room for a frame that is about to be posted. `false`: it does not fit.
    ///
    /// The outbox is the shard's, which may be writing it at this moment: what is compared is what waited when the shard last told, and
    /// all that was posted since. Where the oldest messages are dropped the shard makes the room when it takes the frame – else a
    /// sender in a hurry would lose its newest ones – unless it is too far `behind` with what was posted to it.
    pub(crate) fn reserve(&self, len: usize, behind: impl FnOnce() -> bool) -> bool {
        let before = self.queued.fetch_add(len, Ordering::Relaxed);
        let room = match self.slow_client.load(Ordering::Relaxed) == SlowClient::DropOldest as u8 {
            true => !behind(),
            false => before + len <= outbox_room(self.max_outbox()),
        };
        let fits = room && !self.doomed.load(Ordering::Relaxed);
        if !fits {
            self.queued.fetch_sub(len, Ordering::Relaxed);
        }
        fits
    }

    /// A message did not fit. `true`, once: the connection is to be closed for it.
    pub(crate) fn overflowed(&self) -> bool {
        self.count_dropped(1);
        self.slow_client.load(Ordering::Relaxed) == SlowClient::Close as u8 && !self.doomed.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn count_dropped(&self, messages: u64) {
        self.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Messages to it that were dropped because it does not read as fast as it is sent to.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Bytes posted to the shard that it has not taken yet. For the shard.
    pub(crate) fn posted(&self) -> usize {
        self.queued.load(Ordering::Relaxed) - self.waiting.load(Ordering::Relaxed)
    }

    /// The shard tells that so much waits in the outbox now, and that it took so much of what was posted, into the outbox or not: both at
    /// once, so that what moves from the one to the other is neither missed nor counted twice.
    pub(crate) fn set_waiting(&self, waiting: usize, taken: usize) {
        let before = self.waiting.load(Ordering::Relaxed);
        if waiting != before || taken > 0 {
            self.waiting.store(waiting, Ordering::Relaxed);
            self.queued.fetch_add(waiting.wrapping_sub(before).wrapping_sub(taken), Ordering::Relaxed);
        }
    }

    /// Other settings hold from now on.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.max_outbox.store(settings.max_outbox, Ordering::Relaxed);
        self.slow_client.store(settings.slow_client as u8, Ordering::Relaxed);
    }

    pub(crate) fn max_outbox(&self) -> usize {
        self.max_outbox.load(Ordering::Relaxed)
    }

    /// The end has come so far. `true`: now socket and events are both done with.
    pub(crate) fn through(&self, side: Through) -> bool {
        let both = Through::Socket as u8 | Through::Events as u8;
        (self.over.fetch_or(side as u8, Ordering::AcqRel) | side as u8) & both == both
    }

    /// It is taken out of the lists. `true`: this is the first time.
    pub(crate) fn unlist(&self) -> bool {
        let bit = Through::Lists as u8;
        self.over.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Whether the end has come so far.
    pub(crate) fn is_through(&self, side: Through) -> bool {
        self.over.load(Ordering::Acquire) & side as u8 != 0
    }

    /// The server has decided that the connection ends. `true`: this was the first time.
    pub(crate) fn dismiss(&self) -> bool {
        !self.dismissed.swap(true, Ordering::AcqRel)
    }

    /// Whether the server has decided that the connection ends.
    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Acquire)
    }

    pub(crate) fn count_discarded(&self, messages: u64) {
        self.discarded.fetch_add(messages, Ordering::Relaxed);
    }

    /// Messages from it that PHP was not told, since the server had decided to end it.
    pub fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }
}
