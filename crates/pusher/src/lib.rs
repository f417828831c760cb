//! The Pusher protocol, version 7, and its HTTP API, without I/O: bytes and the time go in, actions and bytes come out.
//!
//! * [`AppConfig`] is what the operator says of an application, and [`Limits`] what its clients may use;
//! * [`Handshake`] is the request of a client that wants to connect, and says whether it may;
//! * [`Connection`] is one client's connection: it takes messages and answers with [`Action`]s;
//! * [`message`] reads what clients send, and [`frame`] writes what they are sent;
//! * [`Channel`] is a channel's name and what it says of the channel, and [`Member`] who is in a presence channel;
//! * [`auth`] makes and checks signatures, and [`SocketId`] is the name of a connection in them;
//! * [`api`] checks the calls of an application's servers, and writes the answers;
//! * [`webhook`] writes what an application's servers are told, and puts it together to requests;
//! * [`Error`] is all that can be wrong, and says what becomes of the connection or the call.
//!
//! The caller keeps who is in which channel, carries messages to subscribers, and does all I/O. Time is an argument everywhere.
#![forbid(unsafe_code)]

pub mod api;
pub mod app;
pub mod auth;
pub mod channel;
mod connection;
mod error;
pub mod frame;
mod handshake;
mod json;
mod member;
pub mod message;
mod percent;
mod socket_id;
pub mod webhook;

pub use app::{AppConfig, ClientEvents, InvalidApp, Limits, Secret, Webhook, WebhookTarget};
pub use channel::{Access, Channel, Kind};
pub use connection::{Action, ClientEvent, Connection, Joined};
pub use error::{Code, Error, Reaction};
pub use handshake::{Handshake, Visitor};
pub use member::{Member, User};
pub use socket_id::SocketId;

/// Milliseconds since the caller's start.
pub type Millis = u64;
