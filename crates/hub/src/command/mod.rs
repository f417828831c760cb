//! What can be asked, in one vocabulary for every door.
//!
//! The C ABI, JSON and the control socket all carry [`Command`]. Each command is a type of its own, in the file of its noun, next to
//! the `apply` that carries it out:
//!
//! * `message`: sending; `publish`: the same in the Pusher protocol;
//! * `client`: one client: its end, its id, what is known of it, how it is pinged;
//! * `clients`: which and how many there are;
//! * `tag`, `information`: what is attached to a client;
//! * `value`: the global values;
//! * `timer`: timers of PHP;
//! * `history`: what was sent to a tag;
//! * `user`: whose clients are whose, and who is in a channel.
//!
//! To add a command: write its type in its noun's file, and its variant here. The compiler then names every match that must know it:
//! [`Command::scope`], [`Command::placeholder`], `Core::ask` of the server, and the C ABI's `kind`.

mod client;
mod clients;
mod error;
mod history;
mod information;
mod left_out;
mod message;
mod publish;
mod tag;
mod timer;
mod user;
mod value;

use serde::{Deserialize, Serialize};

pub use self::client::{Close, Describe, Kill, PING_INTERVALS, Ping, PingTime, Pinging, Rename};
pub use self::clients::{Count, List, Target};
pub use self::error::{ClusterError, CommandError, UnknownRoute};
pub use self::history::{ClearHistory, ReadHistory};
pub use self::information::{AllInformation, ClearInformation, DeleteInformation, GetInformation, SearchInformation, SetInformation};
pub use self::message::SendTo;
pub use self::publish::Publish;
pub use self::tag::check as check_tag;
pub use self::tag::{ClearTags, InChannel, Tag, Tagged, Tags, Untag};
pub use self::timer::{ClearTimer, SetTimer};
pub use self::user::check as check_user;
pub use self::user::{DisconnectUser, Presence, SetUser};
pub use self::value::{Add, Delete, Expiry, Get, Increment, Set};
use crate::reply::{Outcome, Renamed, Reply};

/// Everything that anyone can ask. A command borrows from its caller: asking copies nothing.
///
/// A client that is gone is no error, since clients go at any time. A command that does something to such a client answers
/// [`Reply::Flag`] with `false` ([`Reply::Sent`] with [`Outcome::Gone`] for a message); a command that asks about one answers
/// [`Reply::Gone`].
///
/// In JSON a command is an object of one entry, named as the variant. An argument that may be left out has a default, which is PHP's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command<'a> {
    /// See [`SendTo`].
    #[serde(borrow)]
    Send(SendTo<'a>),
    /// See [`List`].
    #[serde(borrow)]
    List(List<'a>),
    /// See [`Count`].
    #[serde(borrow)]
    Count(Count<'a>),
    /// See [`Close`].
    #[serde(borrow)]
    Close(Close<'a>),
    /// See [`Describe`].
    #[serde(borrow)]
    Client(Describe<'a>),
    /// See [`PingTime`].
    #[serde(borrow)]
    PingTime(PingTime<'a>),
    /// See [`Ping`].
    #[serde(borrow)]
    Ping(Ping<'a>),
    /// See [`Kill`].
    #[serde(borrow)]
    Kill(Kill<'a>),
    /// See [`Rename`].
    #[serde(borrow)]
    Rename(Rename<'a>),
    /// The names of the routes in force, sorted: [`Reply::Names`].
    Routes,
    /// Counters and gauges: [`Reply::Stats`].
    Stats,
    /// See [`Tag`].
    #[serde(borrow)]
    Tag(Tag<'a>),
    /// See [`Untag`].
    #[serde(borrow)]
    Untag(Untag<'a>),
    /// See [`ClearTags`].
    #[serde(borrow)]
    ClearTags(ClearTags<'a>),
    /// See [`Tags`].
    #[serde(borrow)]
    Tags(Tags<'a>),
    /// See [`SetInformation`].
    #[serde(borrow)]
    SetInformation(SetInformation<'a>),
    /// See [`GetInformation`].
    #[serde(borrow)]
    GetInformation(GetInformation<'a>),
    /// See [`DeleteInformation`].
    #[serde(borrow)]
    DeleteInformation(DeleteInformation<'a>),
    /// See [`ClearInformation`].
    #[serde(borrow)]
    ClearInformation(ClearInformation<'a>),
    /// See [`AllInformation`].
    #[serde(borrow)]
    AllInformation(AllInformation<'a>),
    /// See [`SearchInformation`].
    #[serde(borrow)]
    SearchInformation(SearchInformation<'a>),
    /// See [`Set`].
    #[serde(borrow)]
    Set(Set<'a>),
    /// See [`Add`].
    #[serde(borrow)]
    Add(Add<'a>),
    /// See [`Get`].
    #[serde(borrow)]
    Get(Get<'a>),
    /// See [`Delete`].
    #[serde(borrow)]
    Delete(Delete<'a>),
    /// See [`Increment`].
    #[serde(borrow)]
    Increment(Increment<'a>),
    /// See [`Expiry`].
    #[serde(borrow)]
    Expiry(Expiry<'a>),
    /// See [`SetTimer`].
    #[serde(borrow)]
    SetTimer(SetTimer<'a>),
    /// See [`ClearTimer`].
    ClearTimer(ClearTimer),
    /// See [`ReadHistory`].
    #[serde(borrow)]
    History(ReadHistory<'a>),
    /// See [`ClearHistory`].
    #[serde(borrow)]
    ClearHistory(ClearHistory<'a>),
    /// See [`SetUser`].
    #[serde(borrow)]
    SetUser(SetUser<'a>),
    /// See [`DisconnectUser`].
    #[serde(borrow)]
    DisconnectUser(DisconnectUser<'a>),
    /// See [`Presence`].
    #[serde(borrow)]
    Presence(Presence<'a>),
    /// See [`Publish`].
    #[serde(borrow)]
    Publish(Publish<'a>),
}

/// Where what a command is about can be found, where several servers work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// On the server that this client is connected to.
    Client(&'a str),
    /// On all servers: each has a part of the clients that the command is about.
    Clients,
    /// Where the global value of this key is kept.
    Value(&'a [u8]),
    /// Where the history of this tag is kept.
    Channel(&'a str),
    /// On the server that was asked: each server has its own.
    Node,
}

impl Command<'_> {
    /// Where the command has to be carried out.
    pub fn scope(&self) -> Scope<'_> {
        match self {
            Command::Send(SendTo { to, .. }) => to.scope(),
            Command::List(List { of, .. }) | Command::Count(Count { of, .. }) => of.scope(),
            Command::Tags(Tags { id: None }) | Command::SearchInformation(_) | Command::DisconnectUser(_) | Command::Presence(_) => {
                Scope::Clients
            }
            Command::Close(Close { id, .. })
            | Command::Client(Describe { id })
            | Command::PingTime(PingTime { id })
            | Command::Ping(Ping { id, .. })
            | Command::Kill(Kill { id })
            | Command::Rename(Rename { id, .. })
            | Command::Tag(Tag { id, .. })
            | Command::Untag(Untag { id, .. })
            | Command::ClearTags(ClearTags { id })
            | Command::Tags(Tags { id: Some(id) })
            | Command::SetInformation(SetInformation { id, .. })
            | Command::GetInformation(GetInformation { id, .. })
            | Command::DeleteInformation(DeleteInformation { id, .. })
            | Command::ClearInformation(ClearInformation { id })
            | Command::AllInformation(AllInformation { id })
            | Command::SetUser(SetUser { id, .. }) => Scope::Client(id),
            Command::Set(Set { key, .. })
            | Command::Add(Add { key, .. })
            | Command::Get(Get { key })
            | Command::Delete(Delete { key })
            | Command::Increment(Increment { key, .. })
            | Command::Expiry(Expiry { key }) => Scope::Value(key),
            Command::History(ReadHistory { tag, .. }) | Command::ClearHistory(ClearHistory { tag, .. }) => Scope::Channel(tag),
            // It becomes messages to groups, which go to all servers.
            Command::SetTimer(_) | Command::ClearTimer(_) | Command::Publish(_) | Command::Routes | Command::Stats => Scope::Node,
        }
    }

    /// Puts the answers of several servers together to one.
    pub fn join(&self, mut here: Reply, others: Vec<Reply>) -> Reply {
        for other in others {
            here.join(other);
        }
        // Several servers have the same tags, and the same users.
        if let (Command::Tags(_), Reply::Names(names)) = (self, &mut here) {
            names.sort_unstable();
            names.dedup();
        }
        if let Reply::Members(members) = &mut here {
            members.sort_by(|one, other| one.user.cmp(&other.user));
            members.dedup_by(|second, first| {
                let same = first.user == second.user;
                first.connections += if same { second.connections } else { 0 };
                same
            });
        }
        here
    }

    /// The answer to a command about a client that no server knows.
    pub fn gone(&self) -> Reply {
        match self {
            Command::Send(_) => Reply::Sent(Outcome::Gone),
            Command::Rename(_) => Reply::Renamed(Renamed::Gone),
            // What changes something says that it did not.
            other => match other.placeholder() {
                Some(Reply::Flag(_)) => Reply::Flag(false),
                Some(_) | None => Reply::Gone,
            },
        }
    }

    /// What a caller is told who need not wait for the answer, since the command changes or sends something. `None`: the command only
    /// asks, so its caller waits.
    pub fn placeholder(&self) -> Option<Reply> {
        Some(match self {
            Command::Send(SendTo { to: Target::Client(_), .. }) => Reply::Sent(Outcome::Queued),
            Command::Send(_) | Command::Publish(_) => Reply::Queued(0),
            Command::Set(_) => Reply::Done,
            Command::Rename(_) => Reply::Renamed(Renamed::Done),
            Command::Close(_)
            | Command::Tag(_)
            | Command::Untag(_)
            | Command::ClearTags(_)
            | Command::SetInformation(_)
            | Command::ClearInformation(_)
            | Command::Ping(_)
            | Command::Kill(_)
            | Command::DeleteInformation(_)
            | Command::Add(_)
            | Command::Delete(_)
            | Command::ClearTimer(_)
            | Command::ClearHistory(_)
            | Command::SetUser(_) => Reply::Flag(true),
            Command::DisconnectUser(_) => Reply::Count(0),
            Command::Increment(_) | Command::SetTimer(_) => Reply::Integer(0),
            Command::List(_)
            | Command::Count(_)
            | Command::Client(_)
            | Command::PingTime(_)
            | Command::Routes
            | Command::Stats
            | Command::Tags(_)
            | Command::GetInformation(_)
            | Command::AllInformation(_)
            | Command::SearchInformation(_)
            | Command::Get(_)
            | Command::Expiry(_)
            | Command::History(_)
            | Command::Presence(_) => return None,
        })
    }
}
