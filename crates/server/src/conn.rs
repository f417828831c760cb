//! What other threads know of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use fws_hub::{Client, Key, RouteId};
use fws_session::{Backlog, Compression, Millis};
use fws_wire::{Owner, Peer};
use parking_lot::RwLock;

use crate::dispatch::BranchId;
use crate::quota::{Address, Quota};
use crate::resume::Resume;
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
    pub branch: BranchId,
    /// The quota of its route.
    pub(crate) quota: Arc<Quota>,
    /// Its route's name.
    pub route_name: Arc<str>,
    /// What waits for it.
    pub(crate) backlog: Backlog,
    /// The server has decided that it ends: see [`Core::dismiss`](crate::Core::dismiss).
    dismissed: AtomicBool,
    /// Messages from it that PHP was not told for that.
    discarded: AtomicU64,
    /// Bits of [`Through`].
    over: AtomicU8,
    /// Whose it is.
    address: Option<Address>,
    /// What its upgrade request said: the last one, if it came back.
    request: RwLock<Request>,
    /// Only of a client that may come back.
    pub(crate) resume: Option<Box<Resume>>,
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
    /// What carries it.
    pub transport: Transport,
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
    /// Its id was given up.
    Id = 16,
}

impl Conn {
    pub(crate) fn new(key: Key, id: Arc<str>, route: &Route, branch: BranchId, request: Request) -> Conn {
        Conn {
            key,
            id: RwLock::new(id),
            route: route.id,
            branch,
            quota: route.quota.clone(),
            route_name: route.name.clone(),
            backlog: Backlog::new(&route.settings.backlog),
            dismissed: AtomicBool::new(false),
            discarded: AtomicU64::new(0),
            over: AtomicU8::new(0),
            address: Address::parse(&request.ip),
            request: RwLock::new(request),
            resume: None,
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
        let request = self.request.read();
        Client {
            id: self.id(),
            route: self.route_name.clone(),
            path: request.path.clone(),
            ip: request.ip.clone(),
            subprotocol: request.subprotocol.clone(),
            transport: request.transport.as_str().into(),
            connected: true,
            suspended: self.resume.as_ref().is_some_and(|resume| resume.is_suspended()),
            connected_at: load(&traffic.connected_at),
            last_message_at: Some(load(&traffic.last_message_at)).filter(|at| *at > 0),
            messages_received: load(&traffic.messages_received),
            bytes_received: load(&traffic.bytes_received),
            messages_sent: load(&traffic.messages_sent),
            bytes_sent: load(&traffic.bytes_sent),
            messages_dropped: self.backlog.dropped(),
            messages_discarded: self.discarded(),
            queued_bytes: self.backlog.queued() as u64,
            ping_time: traffic.ping_time(),
            user: "".into(),
            tags: Vec::new(),
        }
    }

    /// The sub-protocol agreed on; empty where there is none.
    pub(crate) fn subprotocol(&self) -> Box<str> {
        self.request.read().subprotocol.clone()
    }

    /// What carries it.
    pub fn transport(&self) -> Transport {
        self.request.read().transport
    }

    /// It came back by another request.
    pub(crate) fn set_request(&self, request: Request) {
        *self.request.write() = request;
    }

    pub(crate) fn set_id(&self, id: Arc<str>) {
        *self.id.write() = id;
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

    /// Its id is given up. `true`: this is the first time. Later another client may have it.
    pub(crate) fn give_up_id(&self) -> bool {
        let bit = Through::Id as u8;
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
