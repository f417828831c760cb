//! What can be asked of the hub, and why it may be refused.
//!
//! Every door carries these types: the C ABI builds them, JSON and the control socket are their serde forms. An argument that may be left
//! out has a default here, which is PHP's.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::expression::SyntaxError;
use crate::information::{InformationError, Operator};
use crate::keyvalue::KeyValueError;
use crate::registry::Key;
use crate::reply::{Outcome, Reply};
use crate::timers::TimerError;

/// Everything anyone can ask. Borrowed from the caller: nothing is copied to ask.
///
/// A client that is gone is no error, since clients go at any time: what does something to one answers [`Reply::Flag`] with `false`
/// ([`Reply::Sent`] with [`Outcome::Gone`] for a message), and what asks about one answers [`Reply::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command<'a> {
    /// A message to one or many. Answered with [`Reply::Sent`] for one client, [`Reply::Queued`] for groups.
    Send {
        /// To whom.
        #[serde(borrow)]
        to: Target<'a>,
        /// Only to clients of this route.
        #[serde(borrow)]
        route: Option<&'a str>,
        /// Not to this client.
        #[serde(borrow)]
        except: Option<&'a str>,
        /// Binary rather than text; text must be UTF-8.
        #[serde(default, deserialize_with = "left_out::or_default")]
        binary: bool,
        /// The payload.
        #[serde(borrow)]
        data: Blob<'a>,
    },
    /// The ids of clients: [`Reply::Names`].
    List {
        /// Which.
        #[serde(borrow, default, deserialize_with = "left_out::or_default")]
        of: Target<'a>,
        /// Only those of this route.
        #[serde(borrow)]
        route: Option<&'a str>,
    },
    /// How many clients: [`Reply::Count`].
    Count {
        /// Which.
        #[serde(borrow, default, deserialize_with = "left_out::or_default")]
        of: Target<'a>,
        /// Only those of this route.
        #[serde(borrow)]
        route: Option<&'a str>,
    },
    /// Starts the closing handshake: [`Reply::Flag`], `false` where the client is gone.
    Close {
        /// The client.
        id: &'a str,
        /// A code that may be sent (RFC 6455, 7.4).
        #[serde(default = "normal", deserialize_with = "left_out::or_normal")]
        code: u16,
        /// At most 123 bytes.
        #[serde(default, deserialize_with = "left_out::or_default")]
        reason: &'a str,
    },
    /// All that is known of a client: [`Reply::Client`], or [`Reply::Gone`].
    Client {
        /// The client.
        id: &'a str,
    },
    /// How long a client's last pong took, in nanoseconds, 0 before the first: [`Reply::Integer`], or [`Reply::Gone`].
    PingTime {
        /// The client.
        id: &'a str,
    },
    /// How often a client is pinged, instead of what its route says: [`Reply::Flag`], `false` where the client is gone.
    Ping {
        /// The client.
        id: &'a str,
        /// [`Pinging`].
        how: Pinging,
    },
    /// Cuts a connection, without a closing handshake: [`Reply::Flag`], `false` where the client is gone.
    Kill {
        /// The client.
        id: &'a str,
    },
    /// Gives a client another id; tags, stored information and what waits stay: [`Reply::Flag`], `false` where the client
    /// is gone or the new id is taken.
    Rename {
        /// The client.
        id: &'a str,
        /// 1 to 255 bytes.
        new: &'a str,
    },
    /// The names of the routes in force, sorted: [`Reply::Names`].
    Routes,
    /// Counters and gauges: [`Reply::Stats`].
    Stats,
    /// Puts a tag on a client; a tag it has already is fine: [`Reply::Flag`], `false` where the client is gone.
    Tag {
        /// The client.
        id: &'a str,
        /// 1 to 255 bytes.
        tag: &'a str,
    },
    /// Takes a tag off a client; one it does not have is fine: [`Reply::Flag`], `false` where the client is gone.
    Untag {
        /// The client.
        id: &'a str,
        /// 1 to 255 bytes.
        tag: &'a str,
    },
    /// Takes all tags off a client: [`Reply::Flag`], `false` where the client is gone.
    ClearTags {
        /// The client.
        id: &'a str,
    },
    /// The tags of a client, or all that are in use, sorted: [`Reply::Names`]; [`Reply::Gone`] where the client is gone.
    Tags {
        /// The client.
        #[serde(borrow)]
        id: Option<&'a str>,
    },
    /// Stores information about a client: [`Reply::Flag`], `false` where the client is gone.
    SetInformation {
        /// The client.
        id: &'a str,
        /// 1 to 255 bytes.
        key: &'a str,
        /// The value.
        #[serde(borrow)]
        value: Blob<'a>,
    },
    /// What is stored for a client under a key: [`Reply::Value`], or [`Reply::Gone`].
    GetInformation {
        /// The client.
        id: &'a str,
        /// The key.
        key: &'a str,
    },
    /// Deletes what is stored for a client under a key: [`Reply::Flag`], whether there was something.
    DeleteInformation {
        /// The client.
        id: &'a str,
        /// The key.
        key: &'a str,
    },
    /// Deletes all that is stored for a client: [`Reply::Flag`], `false` where the client is gone.
    ClearInformation {
        /// The client.
        id: &'a str,
    },
    /// All that is stored for a client, sorted by key: [`Reply::Pairs`], or [`Reply::Gone`].
    AllInformation {
        /// The client.
        id: &'a str,
    },
    /// The ids of the live clients for whom something fitting is stored: [`Reply::Names`].
    SearchInformation {
        /// The key.
        key: &'a str,
        /// How what is stored is compared with the value.
        operator: Operator,
        /// The value.
        #[serde(borrow)]
        value: Blob<'a>,
        /// Only clients of this route.
        #[serde(borrow)]
        route: Option<&'a str>,
    },
    /// Sets a global value: [`Reply::Done`].
    Set {
        /// 1 to 1024 bytes.
        #[serde(borrow)]
        key: Blob<'a>,
        /// The value.
        #[serde(borrow)]
        value: Blob<'a>,
        /// After so many seconds it is gone; `None`: never.
        #[serde(default)]
        expire: Option<u64>,
    },
    /// Sets a global value if the key has none: [`Reply::Flag`], whether it was set.
    Add {
        /// 1 to 1024 bytes.
        #[serde(borrow)]
        key: Blob<'a>,
        /// The value.
        #[serde(borrow)]
        value: Blob<'a>,
        /// After so many seconds it is gone; `None`: never.
        #[serde(default)]
        expire: Option<u64>,
    },
    /// A global value: [`Reply::Value`].
    Get {
        /// The key.
        #[serde(borrow)]
        key: Blob<'a>,
    },
    /// Deletes a global value: [`Reply::Flag`], whether there was one.
    Delete {
        /// The key.
        #[serde(borrow)]
        key: Blob<'a>,
    },
    /// Adds to a global value that is a decimal integer: [`Reply::Integer`], the sum.
    Increment {
        /// 1 to 1024 bytes.
        #[serde(borrow)]
        key: Blob<'a>,
        /// What to add.
        #[serde(default = "one", deserialize_with = "left_out::or_one")]
        by: i64,
    },
    /// When a global value expires: [`Reply::Expiry`].
    Expiry {
        /// The key.
        #[serde(borrow)]
        key: Blob<'a>,
    },
    /// Sets a timer, of which a worker is told when it is due: [`Reply::Integer`], its number.
    SetTimer {
        /// Milliseconds from now, at least 1, at most 366 days.
        delay: u64,
        /// What the worker is told.
        #[serde(borrow)]
        payload: Blob<'a>,
        /// Again and again, each time after the delay.
        #[serde(default, deserialize_with = "left_out::or_default")]
        repeat: bool,
        /// The worker.
        worker: &'a str,
        /// 1 to 255 bytes. A worker has one timer of a name: setting it again changes nothing, or replaces it if it is to be another one.
        #[serde(borrow)]
        name: Option<&'a str>,
    },
    /// Clears a timer: [`Reply::Flag`], whether it was set.
    ClearTimer {
        /// Its number.
        timer: u64,
    },
}

/// The close code of an end as intended (RFC 6455, 7.4.1).
fn normal() -> u16 {
    1000
}

fn one() -> i64 {
    1
}

/// Arguments that may be left out: in JSON, null is nothing. Binary formats leave nothing out.
mod left_out {
    use serde::{Deserialize, Deserializer};

    fn or<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D, default: impl FnOnce() -> T) -> Result<T, D::Error> {
        if !deserializer.is_human_readable() {
            return T::deserialize(deserializer);
        }
        Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_else(default))
    }

    pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
        or(deserializer, T::default)
    }

    pub fn or_normal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
        or(deserializer, super::normal)
    }

    pub fn or_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        or(deserializer, super::one)
    }
}

impl Command<'_> {
    /// Whether it changes the registry: then it is for [`Hub::change`](crate::Hub::change).
    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Command::Tag { .. }
                | Command::Untag { .. }
                | Command::ClearTags { .. }
                | Command::SetInformation { .. }
                | Command::DeleteInformation { .. }
                | Command::ClearInformation { .. }
        )
    }

    /// What a caller is told who does not wait for the answer, where he need not: a command that changes or sends. `None`: it only asks.
    pub fn placeholder(&self) -> Option<Reply> {
        Some(match self {
            Command::Send { to: Target::Client(_), .. } => Reply::Sent(Outcome::Queued),
            Command::Send { .. } => Reply::Queued(0),
            Command::Set { .. } => Reply::Done,
            Command::Close { .. }
            | Command::Tag { .. }
            | Command::Untag { .. }
            | Command::ClearTags { .. }
            | Command::SetInformation { .. }
            | Command::ClearInformation { .. }
            | Command::Ping { .. }
            | Command::Kill { .. }
            | Command::Rename { .. }
            | Command::DeleteInformation { .. }
            | Command::Add { .. }
            | Command::Delete { .. }
            | Command::ClearTimer { .. } => Reply::Flag(true),
            Command::Increment { .. } | Command::SetTimer { .. } => Reply::Integer(0),
            Command::List { .. }
            | Command::Count { .. }
            | Command::Client { .. }
            | Command::PingTime { .. }
            | Command::Routes
            | Command::Stats
            | Command::Tags { .. }
            | Command::GetInformation { .. }
            | Command::AllInformation { .. }
            | Command::SearchInformation { .. }
            | Command::Get { .. }
            | Command::Expiry { .. } => return None,
        })
    }

    /// Whether it is about global values, of which the registry knows nothing.
    pub fn is_about_values(&self) -> bool {
        matches!(
            self,
            Command::Set { .. }
                | Command::Add { .. }
                | Command::Get { .. }
                | Command::Delete { .. }
                | Command::Increment { .. }
                | Command::Expiry { .. }
        )
    }
}

/// How often a client is pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinging {
    /// As its route says: after so long a silence.
    Route,
    /// Every so many milliseconds, silent or not; [`PING_INTERVALS`](crate::PING_INTERVALS).
    Every(u32),
    /// Never.
    Off,
}

/// Whom a command is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target<'a> {
    /// One client, by id.
    Client(&'a str),
    /// All with a tag.
    Tag(&'a str),
    /// All whose tags fit an [expression](crate::Expression).
    Expression(&'a str),
    /// All.
    #[default]
    All,
}

/// Why a command was refused. Nothing was changed or sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// The client has as many tags as it may.
    #[error("a client has at most 256 tags")]
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

/// Where the hub's sends and closes go.
pub trait Outlet<C> {
    /// Queues the command's message to one client.
    fn send(&mut self, key: Key, to: &C) -> Outcome;
    /// Pings one client as the command says.
    fn ping(&mut self, key: Key, to: &C);
}
