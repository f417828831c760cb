//! The WebSocket protocol (RFC 6455) without I/O: bytes in, messages and answers out.
//!
//! In the order a connection meets them:
//! * [`handshake`] examines the upgrade request and says what to answer;
//! * [`frame`] reads and writes frame headers and removes the mask;
//! * [`message`] puts frames together to messages, with every check and limit, and no memory while idle;
//! * [`close`] knows which close codes may be sent and reads a close frame's body.
//!
//! Errors ([`Error`]) are the peer's: each names the close code it is answered with.
#![forbid(unsafe_code)]

pub mod close;
mod error;
pub mod frame;
pub mod handshake;
pub mod message;

pub use error::Error;
