//! Who is connected, without I/O: ids, routes and tags, and the one vocabulary of what can be asked of them.
//!
//! * [`Hub`] is the registry. It holds an opaque handle per client and never sends anything itself;
//! * [`Command`] and [`Reply`] are what every door (C ABI, and later command line, admin API and other nodes) carries;
//! * [`Outlet`] is how a send reaches the connections.
//!
//! Nothing here creates state for a client that does not exist, and all that belongs to a client goes with it.
#![forbid(unsafe_code)]

mod command;
mod registry;

pub use command::{Command, CommandError, Outcome, Outlet, Reply, Target};
pub use registry::{Hub, Key, RouteId};

/// The longest id or tag, bytes.
pub const MAX_NAME: usize = 255;
/// The most tags of one client.
pub const MAX_TAGS: usize = 256;
