//! The server's close is the end: from the decision on, PHP is told nothing of a client but its close event.
//!
//! Clients send as fast as they can, over sockets and over pipes, while the server closes them in each of the ways it has.

#[path = "../common/mod.rs"]
mod common;
mod floods;
mod peer;
mod php;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use fws_hub::command::{Close, Count, Kill, Ping, Rename, SendTo, Tag};
use fws_hub::{Command, CommandError, Outcome, Renamed, Reply, Target};
use fws_server::{Config, Core};
use fws_session::Event;
use peer::frame;

const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

/// A core whose route `r` has a worker and these options, beside a route `other` that has the same worker.
fn started(options: &str) -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    configure(&core, 1, &format!(r#"{{"name":"r","worker":"w"{options}}},"#));
    core
}

fn configure(core: &Core, generation: u64, route: &str) {
    let json = format!(r#"{{"routes":[{route}{{"name":"other","worker":"w"}}]}}"#);
    core.stage(generation, json.as_bytes()).expect("legal");
    core.commit(generation).expect("staged");
}

fn send(core: &Core, id: &str) -> Result<Reply, CommandError> {
    core.ask(&Command::Send(SendTo { to: Target::Client(id), route: None, except: None, binary: true, data: b"x"[..].into() }))
}

/// Nobody finds a client any more.
fn check_gone(core: &Core, id: &str) {
    assert_eq!(send(core, id), Ok(Reply::Sent(Outcome::Gone)));
    assert!(!core.ids().iter().any(|other| **other == *id));
    for of in [Target::Tag(id), Target::Expression(&format!("\"{id}\"")), Target::Client(id)] {
        assert_eq!(core.ask(&Command::Count(Count { of, route: None })), Ok(Reply::Count(0)));
    }
    assert_eq!(core.ask(&Command::Tag(Tag { id, tag: "late", since: None, member: None })), Ok(Reply::Flag(false)));
    assert_eq!(core.ask(&Command::Rename(Rename { id, new: "late" })), Ok(Reply::Renamed(Renamed::Gone)));
    assert_eq!(core.ask(&Command::Ping(Ping { id, how: fws_hub::Pinging::Off })), Ok(Reply::Flag(false)));
    for id in [id, "never there"] {
        assert_eq!(core.ask(&Command::Close(Close { id, code: 1000, reason: "" })), Ok(Reply::Flag(false)));
    }
    assert_eq!(core.ask(&Command::Kill(Kill { id: "never there" })), Ok(Reply::Flag(false)));
}

/// A message of a client that sends as fast as it can: its number, and some weight.
fn numbered(number: u32) -> Vec<u8> {
    let mut payload = vec![7; 200];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    frame(0x82, &payload)
}

fn nothing(_: &Core, _: &str, _: &Event) -> Option<String> {
    None
}

/// The number of a message, counted from 0.
fn number(event: &Event) -> Option<u32> {
    match event {
        Event::Message { data, .. } => Some(u32::from_be_bytes(data[..4].try_into().expect("a number"))),
        Event::Open(_)
        | Event::Suspend
        | Event::Resume(_)
        | Event::Close(_)
        | Event::Timer(_)
        | Event::Join(_)
        | Event::Leave(_)
        | Event::Subscribe(_)
        | Event::Unsubscribe(_)
        | Event::ClientEvent(_)
        | Event::Channel(_) => None,
    }
}

fn tag(core: &Core, id: &str) {
    core.ask(&Command::Tag(Tag { id, tag: id, since: None, member: None })).expect("it is live");
}
