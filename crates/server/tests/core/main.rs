//! The core with real sockets and an independent client, without a host: the tests ring the bells themselves.

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod generations;
mod php;
mod sends;
mod timers;
mod values;
