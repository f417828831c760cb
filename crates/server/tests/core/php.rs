//! A host and its PHP, as far as the tests need them.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::command::{SendTo, SetTimer};
use fws_hub::{Command, Reply, Target};
use fws_server::{Bell, Config, Core, Ended};
use fws_session::Event;
use tokio_tungstenite::tungstenite::WebSocket;
use tokio_tungstenite::tungstenite::protocol::Role;

pub const PATIENCE: Duration = Duration::from_secs(10);

pub const ROUTES: &str = r#"{"routes":[
  {"name":"echo","echo":true},
  {"name":"php","worker":"w","max_outbox":100000,"slow_client":"drop_newest","max_pending_events":8},
  {"name":"strict","worker":"w","on_error":"close","max_connections":1}]}"#;

pub fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

pub const HEAD: &[u8] = b"GET /p?q=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Test: yes\r\n\r\n";

/// A client whose opening handshake is done, and whose first bytes may have come with it.
pub fn connect_with(core: &Core, route: &str, buffered: &[u8]) -> WebSocket<TcpStream> {
    let handshake = core.handshake(route, HEAD, "192.0.2.1");
    WebSocket::from_raw_socket(crate::common::adopt(core, handshake, buffered, PATIENCE), Role::Client, None)
}

pub fn connect(core: &Core, route: &str) -> WebSocket<TcpStream> {
    connect_with(core, route, &[])
}

pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    crate::common::wait_until(PATIENCE, what, condition);
}

/// Rings the next bell as a host would, and claims it as PHP would.
pub fn bell(core: &Core) -> (String, Arc<Bell>) {
    let mut ring = None;
    wait_until("a bell is wanted", || {
        ring = ring.take().or_else(|| core.take_ring());
        ring.is_some()
    });
    let nonce = ring.expect("just seen").nonce;
    let bell = core.claim_bell(format!("a=b&fws_bell={nonce}&c").as_bytes()).expect("a live nonce");
    (nonce, bell)
}

pub fn end(core: &Core, (nonce, bell): &(String, Arc<Bell>)) {
    core.release_bell(bell, false, "");
    core.end_bell(nonce, Ended::Served, b"", "");
}

/// What the next event is, in a word.
pub fn next(core: &Core, bell: &Bell) -> Option<String> {
    let current = core.next_event(bell)?;
    Some(match current.event() {
        Event::Open(opened) => format!("open {}?{}", String::from_utf8_lossy(&opened.path), String::from_utf8_lossy(&opened.query)),
        Event::Message { data, .. } => String::from_utf8_lossy(data).into_owned(),
        Event::Close(closed) => format!("close {} {}", closed.code, closed.clean),
        Event::Join(membership) => format!("join {} {}", membership.tag, membership.user),
        Event::Leave(membership) => format!("leave {} {}", membership.tag, membership.user),
        Event::Suspend => "suspend".to_owned(),
        Event::Resume(_) => "resume".to_owned(),
        Event::Subscribe(_) | Event::Unsubscribe(_) | Event::ClientEvent(_) | Event::Channel(_) => "of the Pusher protocol".to_owned(),
        Event::Timer(timer) => format!("timer {} {}", timer.id, String::from_utf8_lossy(&timer.payload)),
    })
}

/// All that comes, over as many bells as it takes, until at least `count` events were handled. More, where more come while a bell
/// lingers: on a busy machine that is long.
pub fn handle(core: &Core, count: usize) -> Vec<String> {
    let mut got = Vec::new();
    while got.len() < count {
        let bell = bell(core);
        while let Some(event) = next(core, &bell.1) {
            got.push(event);
        }
        end(core, &bell);
    }
    got
}

pub fn send(core: &Core, to: Target<'_>, data: &[u8]) -> Reply {
    core.ask(&Command::Send(SendTo { to, route: None, except: None, binary: true, data: data.into() })).expect("legal")
}

pub fn set_timer(core: &Core, delay: u64, payload: &str, repeat: bool) -> i64 {
    match core.ask(&Command::SetTimer(SetTimer { delay, payload: payload.as_bytes().into(), repeat, worker: "w", name: None })) {
        Ok(Reply::Integer(id)) => id,
        other => panic!("{other:?}"),
    }
}
