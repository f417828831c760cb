//! The control socket: commands from other processes of the same machine, above all from PHP on the command line.
//!
//! * `location` is where sockets are: one rule that server and client share;
//! * `registry` is which servers have one there, and `description` what each tells about itself;
//! * `choose` is which of them a script is for;
//! * `place` is a socket in the file system, its mode and its removal, and `lock` how it is known that its server lives;
//! * `stand` is all that a server has in the file system, taken and kept together;
//! * `peer` is who may give commands;
//! * `protocol` is what is said: a greeting, then commands and answers in frames;
//! * [`Control`] serves, on a thread of its own: the threads of the core never wait for it;
//! * [`Remote`] is the client.

mod choose;
mod client;
mod description;
mod location;
mod lock;
mod peer;
mod place;
pub(crate) mod protocol;
mod registry;
mod server;
mod stand;
#[cfg(test)]
mod test_folder;

pub use client::{Remote, RemoteError, RemoteFailure};
pub use description::Project;
pub use place::forked;
pub use protocol::{Batch, MAX_COMMAND};
pub use server::{Control, ControlConfig};
