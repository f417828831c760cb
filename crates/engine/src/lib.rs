//! Where commands are carried out when several servers work as one.
//!
//! A server carries out commands on its own clients. An [`Engine`] knows the other servers. For each command it says which servers are
//! asked, by the command's [`Scope`], and it asks the others.
//!
//! [`Memory`] is the engine of a server that is alone: everything is here.
#![forbid(unsafe_code)]

mod memory;
pub mod redis;

use fws_hub::{Command, CommandError, Reply, Scope};

pub use self::memory::Memory;

/// Which servers carry out a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This one.
    Here,
    /// One other.
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
}
