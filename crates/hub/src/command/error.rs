//! Why a command is refused.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::expression::SyntaxError;
use crate::history::InvalidPosition;
use crate::information::InformationError;
use crate::keyvalue::KeyValueError;
use crate::patience::Stopped;
use crate::timers::TimerError;

/// Why a command was refused. Nothing was changed or sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum CommandError {
    /// No route has the name that was given.
    #[error(transparent)]
    UnknownRoute(#[from] UnknownRoute),
    /// A text message that is not UTF-8.
    #[error("a text message must be UTF-8; send it as binary")]
    InvalidUtf8,
    /// A new id that is empty or too long.
    #[error("an id has 1 to 255 bytes")]
    InvalidId,
    /// A tag that is empty or too long.
    #[error("a tag has 1 to 255 bytes")]
    InvalidTag,
    /// A user that is empty or too long.
    #[error("a user has 1 to 255 bytes")]
    InvalidUser,
    /// Too much about a user.
    #[error("the information about a user has at most 4096 bytes")]
    UserInfoTooLong,
    /// The client has as many tags as it may.
    #[error("a client has at most 4096 tags")]
    TooManyTags,
    /// A close code that must not be sent.
    #[error("a close code is 1000 to 1003, 1007 to 1014, or 3000 to 4999")]
    InvalidCloseCode,
    /// A close reason that does not fit a control frame.
    #[error("a close reason has at most 123 bytes")]
    ReasonTooLong,
    /// A message longer than the client's whole outbox.
    #[error("the message is longer than the max_outbox of the client's route")]
    TooLarge,
    /// A tag expression that cannot be read.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Stored information that could not be changed or searched.
    #[error(transparent)]
    Information(#[from] InformationError),
    /// A global value that could not be changed.
    #[error(transparent)]
    KeyValue(#[from] KeyValueError),
    /// A timer that could not be set.
    #[error(transparent)]
    Timer(#[from] TimerError),
    /// No worker of the configuration in force has this name.
    #[error("no worker that handles WebSocket events has this name")]
    UnknownWorker,
    /// A ping interval that is too short or too long.
    #[error("a client is pinged every 100 milliseconds to 24 hours")]
    PingInterval,
    /// A text that is no position of a history.
    #[error(transparent)]
    InvalidPosition(#[from] InvalidPosition),
    /// No route that was meant keeps a history of the tag.
    #[error(
        "no history is kept of this tag: a line `history COUNT AGE` in a block `channel PATTERN` of its route's websocket directive does that"
    )]
    NoHistory,
    /// Several routes keep a history of the tag.
    #[error("several routes keep a history of this tag: name the route")]
    SeveralHistories,
    /// No route that was meant has presence for the tag.
    #[error(
        "it is not known who has this tag: a line `presence` in a block `channel PATTERN` of its route's websocket directive does that"
    )]
    NoPresence,
    /// Several routes have presence for the tag.
    #[error("several routes have presence for this tag: name the route")]
    SeveralPresences,
    /// No route has the application of the Pusher protocol that was meant.
    #[error("no route has this application: a line `app ID KEY SECRET` in the block `pusher` of a websocket directive names one")]
    NoApp,
    /// There are several applications of the Pusher protocol.
    #[error("there are several applications: name one by its id")]
    SeveralApps,
    /// An event that the Pusher protocol does not have, and why.
    #[error("{}", if .0.is_empty() { "the event cannot be published" } else { .0 })]
    InvalidEvent(Box<str>),
    /// Other servers are needed, and cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A search took too long, or was interrupted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why other servers of a cluster could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ClusterError {
    /// There is no connection to the Redis server at the moment.
    #[error("the cluster's Redis server cannot be reached: what concerns this server only works; try again later")]
    Unavailable,
    /// Redis, or another server, did not answer in time.
    #[error("the cluster did not answer within its timeout; what was asked may have been done")]
    Timeout,
    /// Some servers did not answer in time.
    #[error("{missing} of {others} other servers did not answer within the timeout of the cluster")]
    Incomplete {
        /// So many.
        missing: u32,
        /// Of so many that were asked.
        others: u32,
    },
    /// More waits to be sent to other servers than may.
    #[error("too much waits to be sent to the other servers; try again later")]
    Overloaded,
    /// Redis or another server refused it.
    #[error("it was refused: {0}")]
    Refused(Box<str>),
    /// The client that was meant is on its way to another server, or has gone there. Servers tell each other so, and callers are told
    /// [`ClusterError::Timeout`] if it does not arrive.
    #[error("the client changes its server")]
    Moved {
        /// The server that it has gone to; empty: it came here and is gone.
        to: Box<str>,
        /// It has left a moment ago, so it may not have arrived yet.
        lately: bool,
    },
}

/// A name that no route has, and those there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("no route is named {}{}", Quoted(.name), There(.known))]
pub struct UnknownRoute {
    /// The name that was given.
    pub name: Box<str>,
    /// The names of the routes that are configured or still have clients, sorted.
    pub known: Vec<Arc<str>>,
}

/// A name of somebody's choice in a sentence: not longer than what can be read, and without control characters.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        f.write_char('"')?;
        for c in self.0.chars().take(SHOWN) {
            if c.is_control() { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
        }
        f.write_str(if self.0.chars().nth(SHOWN).is_some() { "...\"" } else { "\"" })
    }
}

/// The second half of that sentence.
struct There<'a>(&'a [Arc<str>]);

impl fmt::Display for There<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        f.write_str(match self.0 {
            [] => ": there is no route",
            [_] => ": there is only ",
            _ => ": there are ",
        })?;
        for (n, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{}", if n > 0 { ", " } else { "" }, Quoted(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
