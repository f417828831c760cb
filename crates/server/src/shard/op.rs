//! What other threads ask of a shard.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use fws_hub::{Key, Pinging, RouteId};
use fws_session::{Frame, Luggage, Millis, Opened};

use crate::adoption::Back;
use crate::conn::Conn;
use crate::link::Link;
use crate::pipe::PipeReady;
use crate::routes::Route;

/// What other threads ask of a shard.
pub enum Op {
    /// A client is known; its connection is still to come.
    Enter(Box<Newcomer>),
    /// The connection of a client that was entered is there.
    Link(Box<Linked>),
    /// A client that is known came back on another connection.
    Return(Box<Returned>),
    /// The connection of a client that was entered will not come.
    Abandon {
        key: Key,
    },
    /// The connection of a client that is elsewhere by now is let go of, and the client is waited for. Whether that is possible is told when its
    /// events are queued.
    Suspend {
        key: Key,
        reply: Sender<bool>,
    },
    /// A client that is waited for goes to another server, with what is sent to it until now.
    Pack {
        key: Key,
        reply: Sender<Packed>,
    },
    /// A client comes from another server, and is waited for.
    Arrive(Box<Arrived>),
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
    /// Messages that the client gets before all that is sent to it from now on, as fast as it reads.
    CatchUp {
        key: Key,
        messages: VecDeque<Missed>,
    },
    /// What is sent to a client from now on waits for [`Op::Release`].
    Hold {
        key: Key,
    },
    /// The client gets these messages, and then what has waited.
    Release {
        key: Key,
        messages: VecDeque<Missed>,
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
    /// The client is not waited for any more, if it still is: too many are.
    GiveUp {
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
    /// Its unfinished message has to go, if it is not whole by now.
    Evict {
        key: Key,
    },
    /// The connection may be read again: its events are being handled.
    ReadAgain {
        key: Key,
    },
    /// A pipe has bytes, or room.
    PipeReady(PipeReady),
    /// A route has a new configuration.
    Configure(Arc<Route>),
    /// The shard reads no connection from now on, but those that are closing, until they are all closed. Behind this turn, when what it has
    /// read is queued, it drops `done`.
    Hush {
        done: Sender<Infallible>,
    },
    /// Connections of a route that is gone are closed with 1001, spread over time; with `None` all at once.
    CloseRoute {
        route: Option<RouteId>,
    },
}

/// A client without a connection.
pub struct Newcomer {
    pub conn: Arc<Conn>,
    pub route: Arc<Route>,
    /// The first message to a client that may come back.
    pub greeting: Option<String>,
}

/// A client's connection, with what was read of it already.
pub struct Linked {
    pub key: Key,
    pub link: Link,
    pub opened: Box<Opened>,
    pub buffered: Box<[u8]>,
}

/// The new connection of a client that came back.
pub struct Returned {
    pub key: Key,
    pub link: Link,
    pub opened: Box<Opened>,
    pub buffered: Box<[u8]>,
    pub back: Box<Back>,
}

/// What a client takes along to another server.
pub struct Packed {
    pub luggage: Luggage,
    /// What it gets behind that.
    pub missed: Vec<Missed>,
}

/// A client that comes from another server.
pub struct Arrived {
    pub conn: Arc<Conn>,
    pub route: Arc<Route>,
    pub luggage: Luggage,
    pub missed: Vec<Missed>,
    /// For how long it has been connected, milliseconds.
    pub age: Millis,
}

/// A message that a client has missed.
pub struct Missed {
    pub binary: bool,
    pub data: Arc<[u8]>,
}
