//! Who is connected, without I/O: ids, routes and tags, and the one vocabulary of what can be asked of them.
//!
//! * [`Hub`] is the registry. It holds an opaque handle per client and never sends anything itself;
//! * [`Command`] and [`Reply`] are what every door (C ABI, JSON, control socket) carries, and [`Blob`] the bytes in them;
//!   [`command`] has one type for each command;
//! * [`Expression`] selects clients by their tags: `(premium|vip)&!banned`;
//! * [`Information`] is what PHP stores about one client, [`KeyValue`] what it shares among all its threads;
//! * [`Histories`] keep what was sent to tags that a route makes channels;
//! * [`User`] is whose a client is, and [`Present`] who is in a channel; a [`Change`] says who has joined or left;
//! * [`Timers`] are what PHP wants to be told of later;
//! * [`Access`] is how commands about many clients get at the registry: for a short time, however much there is in it;
//! * [`InitialState`] is what a client has from its first moment, where the host has authorised it with tags and information.
//!
//! Nothing here creates state for a client that does not exist, and all that belongs to a client goes with it.
#![forbid(unsafe_code)]

mod blob;
mod channel;
pub mod command;
mod expression;
mod fold;
mod history;
mod information;
mod initial_state;
mod keyvalue;
mod matcher;
mod patience;
mod pattern;
mod presence;
mod registry;
mod reply;
mod selection;
mod tags;
mod timers;
mod users;

pub use blob::Blob;
pub use channel::{Channel, ChannelPattern, HistoryPolicy, PresencePolicy};
pub use command::{ClusterError, Command, CommandError, PING_INTERVALS, Pinging, Scope, Target, UnknownRoute};
pub use expression::{Expected, Expression, SyntaxError, TagIndex};
pub use history::{Held, Histories, InvalidPosition, Kept, Position, Read, Swept};
pub use information::{Information, InformationError};
pub use initial_state::InitialState;
pub use keyvalue::{Bounds, KeyValue, KeyValueError, MAX_KEY};
pub use matcher::{Matcher, Operator};
pub use patience::{Always, GoOn, Stopped};
pub use presence::{Change, Present, Settling};
pub use registry::{Belongings, Hub, Key, RouteId};
pub use reply::{Client, History, Member, Outcome, Recorded, Renamed, Reply};
pub use selection::{Access, Steps};
pub use timers::{Due, MAX_DELAY, MAX_TIMER_PAYLOAD, NewTimer, TimerBounds, TimerError, Timers};
pub use users::{User, Watched};

/// The longest id, tag or user, bytes.
pub const MAX_NAME: usize = 255;
/// The most tags of one client.
pub const MAX_TAGS: usize = 4096;
/// The most that channels tell of a user, bytes.
pub const MAX_USER_INFO: usize = 4096;
