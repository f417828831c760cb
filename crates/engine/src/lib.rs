//! Where commands are carried out when several servers work as one.
//!
//! A server carries out commands on its own clients. An [`Engine`] knows the other servers. For each command it says which servers are
//! asked, by the command's [`Scope`], and it asks the others.
//!
//! [`Memory`] is the engine of a server that is alone: everything is here. [`redis`] is what an engine for several servers is made of: it asks
//! others by a [`Broker`].
#![forbid(unsafe_code)]

mod broker;
mod memory;
pub mod redis;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_hub::command::SendTo;
use fws_hub::{ClusterError, Command, CommandError, HistoryPolicy, Position, Reply, RouteId, Scope};

pub use self::broker::Broker;
pub use self::memory::Memory;
pub use self::redis::NodeId;

/// Which servers carry out a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This one.
    Here,
    /// One other, or what keeps the values of all.
    Elsewhere,
    /// This one and all others; their answers are put together with [`Command::join`].
    Everywhere,
}

/// What knows the other servers.
///
/// Both methods are called on the thread of whoever asks: a thread of PHP, or a task of the control socket. They are never called by a
/// shard or while a lock is held. So they may wait, and nobody else waits with them.
pub trait Engine: Send + Sync {
    /// Which servers carry out a command of this scope. It does not wait: what can be answered here must not cost anything.
    fn place(&self, scope: Scope<'_>) -> Place;

    /// Has the other servers carry out a command; their answers. It waits for them, and no longer than a time of its own.
    fn ask_others(&self, command: &Command<'_>) -> Result<Vec<Reply>, CommandError>;

    /// Waits, for a time of its own, until there is room for a message to others. Who does not call it before may find that there is none.
    fn wait_for_room(&self) {}

    /// The id of a client that has none, from a random text: it may name this server, so that the others find the client.
    fn id(&self, random: String) -> String {
        random
    }

    /// Claims an id that an application has chosen for a client of this server. `false`: another server has a client with it.
    fn claim(&self, id: &str) -> Result<bool, CommandError> {
        let _ = id;
        Ok(true)
    }

    /// Somebody comes who is to have an id that another server has. `true`: that server gives it up soon, since its client is not there. It waits for
    /// that server.
    fn make_way(&self, id: &str) -> Result<bool, CommandError> {
        let _ = id;
        Ok(false)
    }

    /// The client with an id is gone, or it has another id. Does not wait.
    fn release(&self, id: &str) {
        let _ = id;
    }

    /// There is a client now with this tag, or of this user: what others send to these is wanted here. Does not wait; it is called while the
    /// registry is locked, so that the order is right. What is returned waits until it is so.
    fn watch(&self, topic: Topic<'_>) -> Option<Watching> {
        let _ = topic;
        None
    }

    /// Waits for what [`watch`](Engine::watch) has returned for another client, if that is not so yet. Does not wait itself.
    fn watching(&self, topic: Topic<'_>) -> Option<Watching> {
        let _ = topic;
        None
    }

    /// There is none any more.
    fn unwatch(&self, topic: Topic<'_>) {
        let _ = topic;
    }

    /// Users have joined channels with their first client on this server, or left with the last one, in this order. An engine that has to ask whether
    /// that is so on all servers takes the changes, and tells later which ones are; it does not wait. Else they are left.
    fn attend(&self, changes: &mut Vec<Attendance>) {
        let _ = changes;
    }

    /// Waits until what was [changed](Engine::attend) before is known to all servers, for a time of its own.
    fn wait_attended(&self) {}

    /// Who is in a channel of a route on all servers, with what was said about each. It waits for the engine. [`ClusterError::Unavailable`]: this server is
    /// alone, or it is until it is told that it is not. Other errors pass without a word.
    fn present(&self, route: &str, tag: &str) -> Result<Present, ClusterError> {
        let _ = (route, tag);
        Err(ClusterError::Unavailable)
    }

    /// Of each of these users, whether it is in a channel of a route on any server. It waits for the engine. Errors: as of [`present`](Engine::present).
    fn are_present(&self, route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError> {
        let _ = (route, tag, users);
        Err(ClusterError::Unavailable)
    }

    /// Since when all that other servers send to a topic is heard here, without a gap. `None`: it is not now.
    fn listens_since(&self, topic: Topic<'_>) -> Option<Instant> {
        let _ = topic;
        None
    }

    /// The server has drained, and is to go on after all. Does not wait.
    fn go_on(&self) {}

    /// Where channels are recorded for all servers. `None`: each server records its own.
    fn recorder(&self) -> Option<&dyn Recorder> {
        None
    }

    /// The name of this server among others; `None`: it is alone.
    fn node(&self) -> Option<NodeId> {
        None
    }

    /// Asks one other server something that only servers ask; its answer. `None`: there is no such server.
    fn ask_server(&self, node: NodeId, question: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
        let _ = (node, question);
        Ok(None)
    }

    /// Whether another server is believed to be alive, whether it can be reached at this moment or not.
    fn is_alive(&self, node: NodeId) -> bool {
        let _ = node;
        false
    }

    /// Has something done behind all that other servers have sent until now. It is done later, on another thread, or dropped where nobody sends.
    fn in_order(&self, task: Box<dyn FnOnce() + Send>) {
        drop(task);
    }

    /// The number of the last message to a group that this server has sent to others.
    fn told(&self) -> u64 {
        0
    }

    /// The client with an id goes to another server, which [takes the id over](Engine::take_claim). Does not wait.
    fn let_go(&self, id: &str) {
        let _ = id;
    }

    /// Claims an id for a client that another server had until now. It is claimed later where that cannot be done now. `false`: a third one has it.
    fn take_claim(&self, id: &str, from: NodeId) -> bool {
        let _ = (id, from);
        true
    }

    /// How long others are waited for.
    fn timeout(&self) -> Duration {
        Duration::ZERO
    }

    /// How the server and the others are; `None`: it is alone.
    fn standing(&self) -> Option<Standing> {
        None
    }
}

/// A user has joined a channel on this server, or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendance {
    /// It has joined; else it has left.
    pub joined: bool,
    /// Nobody is to be told.
    pub silent: bool,
    /// The route that the channel is of, on this server.
    pub id: RouteId,
    /// Its name.
    pub route: Arc<str>,
    /// The channel's tag.
    pub tag: Arc<str>,
    /// The user.
    pub user: Arc<str>,
    /// What was said about the user.
    pub info: Arc<[u8]>,
    /// The id of the client by which it has joined, or of the one that was taken out of the channel.
    pub by: Option<Arc<str>>,
}

/// Users who are in a channel, with what was said about each, in no order.
pub type Present = Vec<(Arc<str>, Arc<[u8]>)>;

/// Records what is sent to channels, once for all servers. Its calls wait for it.
pub trait Recorder: Send + Sync {
    /// Records a message to a tag of a route. All servers with a client that has the tag are told of it, this one included.
    fn record(&self, route: &str, message: &SendTo<'_>, policy: HistoryPolicy) -> Result<(), CommandError>;

    /// What is kept of a tag of a route: at most so many messages after a position, or the last ones, as many as fit in one answer. A position of another
    /// epoch is the one before all.
    fn read(&self, route: &str, tag: &str, after: Option<Position>, most: usize, policy: HistoryPolicy) -> Result<Past, CommandError>;

    /// Forgets the messages of a channel. Whether there were any.
    fn clear(&self, route: &str, tag: &str) -> Result<bool, CommandError>;
}

/// What is kept of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// That of the last message; [`Position::BEGINNING`]: there never was one.
    pub last: Position,
    /// Up to this number the messages were read.
    pub read: u64,
    /// In their order.
    pub messages: Vec<Sent>,
}

/// A message that was sent to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number among all of the channel, from 1 on.
    pub offset: u64,
    /// When it was sent, milliseconds since 1970.
    pub time: u64,
    /// Binary rather than text.
    pub binary: bool,
    /// Who did not get it.
    pub except: Option<Box<str>>,
    /// The payload.
    pub data: Arc<[u8]>,
}

/// What servers send each other messages about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic<'a> {
    /// Clients with a tag.
    Tag(&'a str),
    /// Clients of a user.
    User(&'a str),
}

/// What waits until others send here what was asked for.
pub struct Watching(Box<dyn FnOnce() + Send>);

impl Watching {
    /// `wait` waits for it, no longer than a time of its own.
    pub fn new(wait: impl FnOnce() + Send + 'static) -> Watching {
        Watching(Box::new(wait))
    }

    /// Waits.
    pub fn wait(self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watching")
    }
}

/// How a server is among others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The name of this server.
    pub node: String,
    /// The names of the others that are alive, and what they say of themselves.
    pub others: Vec<(String, String)>,
    /// Why they cannot be reached; `None`: they can. There is no secret in it.
    pub trouble: Option<String>,
    /// What is counted, by name.
    pub counts: Vec<(&'static str, u64)>,
}
