//! The WebSocket protocol (RFC 6455) with compression (RFC 7692), without I/O: bytes in, messages and answers out.
//!
//! In the order a connection meets them:
//! * [`handshake`] examines the upgrade request and says what to answer; [`origin`] knows which pages may connect;
//! * [`frame`] reads and writes frame headers and removes the mask;
//! * [`message`] puts frames together to messages, with every check and limit, and no memory while idle; a [`Budget`] bounds what the
//!   unfinished messages of all connections take together;
//! * [`deflate`] is compression: its negotiation, contexts that are lent rather than owned, and what is kept between messages;
//! * [`close`] knows which close codes may be sent and reads a close frame's body.
//!
//! Errors ([`Error`]) are the peer's, but for one: each names the close code it is answered with.
#![forbid(unsafe_code)]

mod budget;
pub mod close;
pub mod deflate;
mod error;
pub mod frame;
pub mod handshake;
pub mod ledger;
pub mod message;
pub mod origin;

pub use budget::{Budget, Peer};
pub use error::{Error, Fault};
pub use ledger::Owner;
