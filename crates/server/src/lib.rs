//! The running core: threads that own the sockets, and queues in which events wait for PHP.
//!
//! In the order of the data:
//! * [`Core::handshake`] examines an upgrade request, [`Core::adopt`] takes the connection over,
//!   or [`Core::open_pipe`] where there is no socket to move (TLS, HTTP/2, HTTP/3) and the host carries the bytes;
//! * a `shard` – one thread, one epoll – owns it from then on: reads, feeds its [`fws_session::Session`], writes once per turn;
//! * the route's `handler` says what becomes of what it receives: an answer, or an event;
//! * events go to the `dispatch`er, which queues events by connection and hands connections to PHP by *lease*;
//! * a [`Bell`] is one PHP request that drains events; [`Core::rings`] says which are to be rung;
//! * [`Core::ask`] carries out commands of any thread: an engine says where, with several servers; here it is done on the hub, and what
//!   follows is posted to the shards;
//! * `servers` is the engine of a cluster: it asks other servers, and carries out what they ask;
//! * [`Control`] serves commands of other processes, [`Remote`] is their side;
//! * `webhooks` tells servers of applications what happens, by requests;
//! * `pusher` is what is kept for the Pusher protocol, which threads of the core serve;
//! * `values` is the global key-value store with its clock, `timers` are those that PHP sets; `routes` holds what the configuration
//!   says, by generation; `quota` counts who is on a route, by address where asked for; `log` and `stats` tell what happens;
//!   `resume` is what is known of clients that may come back.
//!
//! `core/` is what holds all of this together, one file a noun. The parts know nothing of it; a shard knows it as a trait of its own.
//!
//! The core never calls its host. It raises one flag, a file descriptor ([`Core::flag`]), when bells or log records wait.

mod admission;
mod adoption;
mod alarm;
mod bell;
mod clock;
mod compress;
mod conn;
mod control;
mod core;
mod dispatch;
mod handler;
mod histories;
mod link;
mod log;
mod notifier;
mod os;
mod pipe;
mod pusher;
mod quota;
mod reserved_ids;
mod resume;
mod routes;
mod servers;
mod shard;
#[cfg(feature = "simulation")]
pub mod simulation;
mod stats;
mod timers;
mod values;
mod webhooks;

pub use admission::{AdmissionError, Handshake};
pub use bell::{Bell, Current, Ended, Ring};
pub use conn::{Conn, Transport};
pub use control::{Batch, Control, ControlConfig, MAX_COMMAND, Project, Remote, RemoteError, RemoteFailure, forked};
pub use core::{Caller, Config, Core, HttpCall, Left, Unread, ValuesConfig};
pub use fws_pusher::api::answer::Answer;
pub use os::own_socket;
pub use pipe::{News, PipeId};
pub use quota::Address;
pub use routes::{ConfigError, RouteConfig, RoutesConfig, Stale, SubprotocolConfig, check_origin};
pub use servers::ClusterConfig;
pub use stats::Authorizing;
