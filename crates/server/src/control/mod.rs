//! The control socket: commands from other processes of the same machine, above all from PHP on the command line.
//!
//! * `location` is where the socket is: one rule that server and client share;
//! * `place` is the socket in the file system: its lock, its mode, its removal;
//! * `protocol` is what is said: a greeting, then commands and answers in frames;
//! * [`Control`] serves, on a thread of its own: the threads of the core never wait for it;
//! * [`Remote`] is the client.

mod client;
mod location;
mod place;
mod protocol;
mod server;

pub use client::{Remote, RemoteError, RemoteFailure};
pub use place::forked;
pub use protocol::{Batch, MAX_COMMAND};
pub use server::{Control, ControlConfig};
