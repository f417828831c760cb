//! Several servers that meet in a Redis or Valkey server.
//!
//! [`Cluster`] is the handle. All I/O is on one thread of its own; the calls of other threads wait for it, no longer than
//! [`Settings::timeout`]. In the order of a call:
//!
//! * `settings` says where Redis is, `node` what the servers are called, `frame` what they say to each other, as bytes;
//! * `link` connects, again and again if need be, and keeps the server's lease; `reach` finds the server to connect to;
//! * `outgoing` publishes what is for other servers, in the order in which it was given;
//! * `asking` has other servers do something, `questions` waits for their answers, `topics` says what other servers send here;
//! * `claims` are ids of clients that applications choose: one server has each;
//! * `values` are the global values, `records` the histories of channels, `members` who is in which channel on which server: each `member` is in one;
//! * `counts` is what is counted.
//!
//! There is no consensus and no gossip: Redis carries messages, and scripts in it decide what must be decided once.

mod asking;
mod claims;
mod counts;
mod frame;
mod link;
mod member;
mod members;
mod node;
mod outgoing;
mod questions;
mod reach;
mod records;
mod settings;
mod topics;
mod values;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use fws_hub::ClusterError;
use parking_lot::{Condvar, Mutex, RwLock};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};
use tokio::runtime::{Builder, Handle};

use self::asking::{Absent, Missed};
use self::claims::Claims;
use self::counts::Counts;
use self::frame::{Frame, Kind};
use self::link::Health;
use self::members::Members;
use self::outgoing::{Outbound, Outgoing};
use self::questions::Questions;
use self::topics::{Flag, Topics};

pub use self::asking::GONE;
pub use self::member::{Became, Member};
pub use self::node::NodeId;
pub use self::records::{Recorded, Records, Retention};
pub use self::settings::{Address, AddressError, Settings};
pub use self::topics::tag_topic;
pub use self::values::Left;

/// The most calls at a time.
const CALLS: usize = 10_000;
/// Above the timeout a caller waits so much longer for the thread that is to tell it of the timeout.
const SLACK: Duration = Duration::from_millis(500);

/// Something that another server sent.
#[derive(Debug)]
pub struct Incoming {
    /// Who sent it.
    pub from: NodeId,
    /// What it says.
    pub payload: Vec<u8>,
    /// That of what was [told](Cluster::tell): what its server tells has growing numbers. 0 where an answer is asked for.
    pub number: u64,
    /// Where the answer goes; `None`: nobody waits for one.
    pub answer: Option<Answer>,
}

/// Where the answer to a question goes. Dropped without an answer, the other server waits until its timeout.
pub struct Answer(Way);

/// What takes bytes to another server, once.
type Way = Box<dyn FnOnce(&[u8]) + Send>;

impl Answer {
    /// `send` takes it there.
    pub fn new(send: impl FnOnce(&[u8]) + Send + 'static) -> Answer {
        Answer(Box::new(send))
    }

    /// Answers.
    pub fn send(self, payload: &[u8]) {
        (self.0)(payload);
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

/// What is told of other servers. All of it is called on the thread of the cluster, and must be quick.
pub trait Receiver: Send + Sync {
    /// Another server has sent something.
    fn incoming(&self, incoming: Incoming);

    /// A message of a topic that is subscribed to was recorded, by this server or another one. They come in the order of their numbers, but some may be
    /// missing after the connection was broken.
    fn recorded(&self, epoch: u64, recorded: Recorded);

    /// Redis can be reached. `anew`: the other servers believed that this one was dead, or Redis has lost what it knew.
    fn connected(&self, anew: bool);

    /// Redis cannot be reached any more, for this reason.
    fn disconnected(&self, why: &str);

    /// Other servers have these ids by now, since this one was believed to be dead.
    fn lost(&self, ids: Vec<Box<str>>);

    /// This has become of a member of a channel whose [topic](tag_topic) is subscribed to. All servers hear it, also that where the member is, in the order
    /// of the channel's list in Redis, but some may be missing after the connection was broken.
    fn attended(&self, became: Became, member: Member);

    /// These members are in no channel any more, since their server is dead.
    fn vacated(&self, members: Vec<Member>);

    /// These members of this server are in their channels again: it was believed to be dead.
    fn entered(&self, members: Vec<Member>);

    /// What has happened while Redis could not be told, and what nobody was told as one of all servers: these members have come, and are on no other
    /// server; these have left, and are on no server.
    fn late(&self, come: Vec<Member>, left: Vec<Member>);
}

/// Another server, as it told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it says of itself: see [`Settings::label`].
    pub label: Box<str>,
}

/// The servers that work as one, as one of them sees them.
#[derive(Debug, Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

/// A subscription that Redis has not confirmed yet.
#[derive(Debug)]
pub struct Subscribing {
    cluster: Cluster,
    done: Arc<Flag>,
}

impl Subscribing {
    /// Waits until it has, no longer than the timeout. An error says that it will do so later.
    pub fn wait(self) -> Result<(), ClusterError> {
        if !self.cluster.is_connected() {
            return Err(ClusterError::Unavailable);
        }
        if self.done.wait(self.cluster.shared.settings.timeout) { Ok(()) } else { Err(ClusterError::Timeout) }
    }
}

/// What the callers and the cluster's thread share.
pub(crate) struct Shared {
    settings: Settings,
    node: NodeId,
    /// Of the cluster's thread.
    runtime: Handle,
    /// `None`: Redis cannot be reached.
    connection: RwLock<Option<MultiplexedConnection>>,
    outgoing: Outgoing,
    questions: Questions,
    topics: Topics,
    claims: Claims,
    members: Members,
    /// The others that are alive.
    nodes: RwLock<Arc<[Node]>>,
    health: Mutex<Health>,
    counts: Counts,
    calls: AtomicUsize,
    /// The number of what was told last. Locked until it is queued, so that the numbers are in the order of the queue.
    told: Mutex<u64>,
    started: Instant,
    /// There was a connection.
    connected_once: (Mutex<bool>, Condvar),
    absent: Absent,
    /// When the connection was made.
    linked_at: Mutex<Option<Instant>>,
    missed: Missed,
    /// Scripts can have flags: Redis 7.
    flags: AtomicBool,
    /// Other servers of a Redis Cluster, to be asked where it is if the one that was named is away.
    fallbacks: Mutex<Vec<(String, u16)>>,
    /// By this it is known whether Redis has lost what it knew.
    born: Mutex<Option<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("node", &self.node).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts the thread, which connects by itself. `receiver` is made with the handle, so that it can have it.
    pub fn start<R: Receiver + 'static>(settings: Settings, receiver: impl FnOnce(&Cluster) -> Arc<R>) -> io::Result<Cluster> {
        settings.check().map_err(io::Error::other)?;
        // Where the process has another one already, that is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let node = NodeId::random().map_err(io::Error::other)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (outgoing, queue) = Outgoing::new();
        let (topics, wishes) = Topics::new();
        let shared = Arc::new(Shared {
            settings,
            node,
            runtime: runtime.handle().clone(),
            connection: RwLock::default(),
            outgoing,
            questions: Questions::default(),
            topics,
            claims: Claims::default(),
            members: Members::default(),
            nodes: RwLock::new(Arc::new([])),
            health: Mutex::default(),
            counts: Counts::default(),
            calls: AtomicUsize::new(0),
            told: Mutex::new(0),
            started: Instant::now(),
            connected_once: Default::default(),
            absent: Absent::default(),
            linked_at: Mutex::default(),
            missed: Missed::default(),
            flags: AtomicBool::new(false),
            fallbacks: Mutex::default(),
            born: Mutex::default(),
        });
        let cluster = Cluster { shared: shared.clone() };
        let receiver: Arc<dyn Receiver> = receiver(&cluster);
        std::thread::Builder::new().name("fws-engine".into()).spawn(move || {
            let keep = || runtime.block_on(link::keep(&shared, &*receiver, queue, wishes));
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(keep)).is_err() {
                // Nobody would answer other servers, and nobody would notice.
                eprintln!("frankenphp-ws: the thread of the cluster has panicked; ending the process");
                std::process::abort();
            }
        })?;
        Ok(cluster)
    }

    /// The name of this server.
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// The other servers that are alive, as far as is known. Does no I/O.
    pub fn others(&self) -> Arc<[Node]> {
        self.shared.nodes.read().clone()
    }

    /// Whether Redis can be reached.
    pub fn is_connected(&self) -> bool {
        self.shared.connection.read().is_some()
    }

    /// What is counted, by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = self.shared.counts.list();
        counts.push(("waiting", self.shared.outgoing.waiting() as u64));
        counts.push(("topics", self.shared.topics.len() as u64));
        counts.push(("claims", self.shared.claims.len() as u64));
        counts.push(("connected", self.is_connected().into()));
        counts
    }

    /// Why Redis cannot be reached; `None`: it can. There is no secret in it.
    pub fn trouble(&self) -> Option<String> {
        self.shared.health.lock().trouble()
    }

    /// Waits until there is room for what is [told](Cluster::tell) to others, no longer than the timeout. Where Redis cannot be reached it does not wait.
    pub fn wait_for_room(&self) {
        if self.is_connected() {
            self.shared.outgoing.wait_for_room(self.shared.settings.timeout);
        }
    }

    /// How many messages were told to others, and lost since Redis stopped: it is not known whether they have come there.
    pub fn untold(&self) -> u64 {
        self.shared.outgoing.untold()
    }

    /// Sends something to all other servers that have subscribed to a topic; to all, without one. Does not wait. The number that it gets is
    /// greater than those before.
    pub fn tell(&self, topic: Option<&str>, payload: &[u8]) -> Result<u64, ClusterError> {
        let shared = &self.shared;
        let channel = topic.map_or_else(|| shared.settings.key("n", b""), |topic| shared.settings.key("t", topic.as_bytes()));
        let mut told = shared.told.lock();
        let number = *told + 1;
        let frame = Frame { kind: Kind::Tell, from: shared.node, number, payload }.encode(shared.settings.version);
        shared.publish(Outbound { channel, frame, number: None, told: true }).inspect_err(|error| shared.counts.failed(error))?;
        *told = number;
        Ok(number)
    }

    /// The number of what this server has told last; 0: nothing.
    pub fn told(&self) -> u64 {
        *self.shared.told.lock()
    }

    /// How long callers wait.
    pub fn timeout(&self) -> Duration {
        self.shared.settings.timeout
    }

    /// Has other servers send here what they tell of a topic, from when this returns. It waits for Redis, but only until a topic is subscribed to for
    /// the first time. Each call needs one of [`Cluster::unsubscribe`]. An error says that it will be subscribed to later.
    pub fn subscribe(&self, topic: &str) -> Result<(), ClusterError> {
        self.begin_to_subscribe(topic).map_or(Ok(()), Subscribing::wait)
    }

    /// The same, but does not wait. `None`: it is subscribed to.
    pub fn begin_to_subscribe(&self, topic: &str) -> Option<Subscribing> {
        let done = self.shared.topics.want(topic)?;
        Some(Subscribing { cluster: self.clone(), done })
    }

    /// A subscription that somebody has begun, and that is not confirmed yet.
    pub fn subscribing(&self, topic: &str) -> Option<Subscribing> {
        let done = self.shared.topics.awaited(topic)?;
        Some(Subscribing { cluster: self.clone(), done })
    }

    /// Since when all is heard of a topic that is subscribed to. Of what was heard before that, and of what comes later, some may be missing in between.
    pub fn listens_since(&self, topic: &str) -> Option<Instant> {
        self.shared.topics.since(topic)
    }

    /// Ends a subscription. Does not wait.
    pub fn unsubscribe(&self, topic: &str) {
        self.shared.topics.unwant(topic);
    }
}

impl Shared {
    /// Runs something on the connection, and waits for it.
    fn call<T, F>(&self, run: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, ClusterError>
    where
        T: Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        self.wait_for_the_first_connection();
        let connection = self.connection.read().clone().ok_or(ClusterError::Unavailable).inspect_err(|error| self.counts.failed(error))?;
        if self.calls.fetch_add(1, Ordering::Relaxed) >= CALLS {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            self.counts.failed(&ClusterError::Overloaded);
            return Err(ClusterError::Overloaded);
        }
        let (done, answer) = sync_channel(1);
        let (timeout, begun) = (self.settings.timeout, Instant::now());
        let future = run(connection);
        self.runtime.spawn(async move {
            let _ = done.send(tokio::time::timeout(timeout, future).await);
        });
        let answer = answer.recv_timeout(timeout + SLACK);
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.counts.called(begun.elapsed());
        let answer = match answer {
            Ok(Ok(answer)) => answer.map_err(|error| refused(&error)),
            Ok(Err(_)) | Err(_) => Err(ClusterError::Timeout),
        };
        answer.inspect_err(|error| self.counts.failed(error))
    }

    /// Waits for an answer of Redis, no longer than the timeout.
    async fn in_time<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let late = |_| redis::RedisError::from((redis::ErrorKind::Io, "it did not answer within the timeout"));
        tokio::time::timeout(self.settings.timeout, answer).await.map_err(late)?
    }

    fn publish(&self, outbound: Outbound) -> Result<(), ClusterError> {
        let connected = if self.connection.read().is_some() { Ok(()) } else { Err(ClusterError::Unavailable) };
        connected.and_then(|()| self.outgoing.push(outbound))
    }

    /// The first calls of a server come before it can have connected: they wait for that, no longer than the timeout.
    fn wait_for_the_first_connection(&self) {
        let mut connected = self.connected_once.0.lock();
        let until = self.started + self.settings.timeout;
        while !*connected && !self.connected_once.1.wait_until(&mut connected, until).timed_out() {}
    }

    /// A script that also runs where Redis has no memory left, if Redis is new enough to be told so.
    fn script(&self, text: &str) -> Script {
        if self.flags.load(Ordering::Relaxed) { Script::new(&format!("#!lua flags=allow-oom\n{text}")) } else { Script::new(text) }
    }

    fn answer(&self, kind: Kind, to: NodeId, number: u64, payload: &[u8]) {
        let channel = self.settings.key("n", to.bytes());
        let frame = Frame { kind, from: self.node, number, payload }.encode(self.settings.version);
        // Who does not get it finds that out by its timeout.
        let _ = self.publish(Outbound { channel, frame, number: None, told: false });
    }
}

/// What Redis said, or what the connection met.
fn refused(error: &redis::RedisError) -> ClusterError {
    if error.is_timeout() {
        ClusterError::Timeout
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_cluster_error() {
        ClusterError::Unavailable
    } else {
        ClusterError::Refused(format!("Redis answered {} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default()).into())
    }
}
