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
//!
//! ```
//! use fws_pusher::{Action, AppConfig, Channel, Connection, Handshake, Joined, SocketId, Visitor};
//!
//! let app = AppConfig::new("1", "key", "secret");
//! let visitor = Visitor { origin: Some("https://site.example"), host: "site.example", tls: true, connections: 0 };
//! Handshake::parse("/app/key", "protocol=7&client=js&version=8.6.0")?.admit(Some(&app), &visitor)?;
//! let (mut connection, greeting) = Connection::open(&app, SocketId::new(1, 2), 0);
//! assert!(greeting.contains("pusher:connection_established"));
//!
//! let mut actions = Vec::new();
//! connection.message(&app, br#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, 10, &mut actions);
//! let Some(Action::Subscribe { channel, subscription, .. }) = actions.pop() else { panic!("nothing else was asked for") };
//! // Here the caller makes the client a subscriber; then it says how that went.
//! connection.subscribed(Channel::parse(&channel, &app.limits)?, subscription, Joined::default(), &mut actions);
//! assert!(matches!(&actions[..], [Action::Send(frame)] if frame.contains("subscription_succeeded")));
//! # Ok::<(), fws_pusher::Error>(())
//! ```
//!
//! # Where Pusher's documents are silent, or others differ
//!
//! * What a client does wrong gets `pusher:error` with the code `null`, as with Pusher, and the connection stays: a message that is no
//!   message, a second subscription to a channel, a client event where there are none. Reverb gives some of these codes whose documented
//!   meaning is that the connection ends, and some clients then end it.
//! * A subscription that is refused gets `pusher:subscription_error`, which pusher-js gives to the channel. Reverb sends `pusher:error`.
//! * To leave a channel that one is not in is no error, as with Reverb.
//! * Ids of users are text for clients, whatever they were to the application. Reverb keeps numbers, and pusher-js then finds one user by
//!   two ids.
//! * A client event that is refused for its size or its channel counts against the rate.
//! * Calls are refused that are late, have another application's key, or another version; Reverb looks at the signature only. The names of
//!   events that a call sends may not be the server's own.
//! * A presence channel without members has no users, and `GET …/users` says so with 200. Reverb says 404.
//! * A program without an Origin may connect whatever the origins are: they keep pages out.
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
