//! What any bytes must not do to the core. Each module is a target: its `check` panics where a promise is broken.
//!
//! * [`frame`]: headers and masks;
//! * [`message`]: frames put together to messages, also against tungstenite;
//! * [`handshake`]: upgrade requests, also against tungstenite, and origins against the URL standard;
//! * [`inflate`]: compressed messages against another implementation of DEFLATE;
//! * [`session`]: whole connections, however their bytes are cut into segments and whatever the clock says;
//! * [`control`]: what the control socket carries, and commands of any kind to a running core;
//! * [`pusher`]: messages to a connection of the Pusher protocol, also against another reader of JSON;
//! * [`pusher_api`]: calls of its HTTP API, signed over what the URL standard reads;
//! * [`expression`]: tag expressions against a parser and an evaluator without any cleverness.
//!
//! The targets are programs of libFuzzer (`fuzz_targets`, `make fuzz`) and tests that replay the corpus (`tests/corpus.rs`, `make
//! test-fuzz`).
#![forbid(unsafe_code)]

pub mod control;
pub mod expression;
pub mod frame;
pub mod handshake;
pub mod inflate;
pub mod message;
mod peer;
pub mod pusher;
pub mod pusher_api;
mod segments;
pub mod session;

/// A target's name and its check.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("frame", frame::check),
    ("message", message::check),
    ("handshake", handshake::check),
    ("inflate", inflate::check),
    ("session", session::check),
    ("expression", expression::check),
    ("control", control::check),
    ("pusher", pusher::check),
    ("pusher_api", pusher_api::check),
];
