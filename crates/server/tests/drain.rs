//! The end of the server: what clients have sent before it is handled first.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use common::counter;
use fws_hub::Command;
use fws_hub::command::SetTimer;
use fws_server::{Bell, Config, Core, Ended, Left};
use fws_session::Event;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(20);
/// A grace time half of which no test waits for.
const LONG: Duration = Duration::from_secs(3600);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"php","worker":"w"},{"name":"echo","echo":true}]}"#).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn connect(core: &Core, route: &str) -> WebSocket<TcpStream> {
    let handshake = core.handshake(route, HEAD, "192.0.2.1");
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

/// A client of which `count` messages wait for PHP, behind its open event.
fn waiting(core: &Core, count: usize) -> WebSocket<TcpStream> {
    let before = counter(core, "events_queued");
    let mut client = connect(core, "php");
    for n in 0..count {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    wait_until("all wait", || counter(core, "events_queued") == before + 1 + count as u64);
    client
}

fn drain(core: &Arc<Core>, timeout: Duration) -> JoinHandle<Left> {
    let thread = std::thread::spawn({
        let core = core.clone();
        move || core.drain(timeout)
    });
    wait_until("new clients are refused", || core.handshake("php", HEAD, "192.0.2.9").status() == 503);
    thread
}

/// Reads until the close frame and answers it; its code.
fn close_code(mut client: WebSocket<TcpStream>) -> JoinHandle<Option<u16>> {
    std::thread::spawn(move || {
        let mut code = None;
        while let Ok(message) = client.read() {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    })
}

/// One bell's worth of events.
fn handle(core: &Core) -> Vec<String> {
    let mut ring = None;
    wait_until("a bell is wanted", || {
        ring = ring.take().or_else(|| core.take_ring());
        ring.is_some()
    });
    let nonce = ring.expect("just seen").nonce;
    let bell: Arc<Bell> = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
    let mut got = Vec::new();
    while let Some(current) = core.next_event(&bell) {
        got.push(match current.event() {
            Event::Open(_) => "open".to_owned(),
            Event::Message { data, .. } => String::from_utf8_lossy(data).into_owned(),
            Event::Close(closed) => format!("close {}", closed.code),
            Event::Suspend => "suspend".into(),
            Event::Resume(_) => "resume".into(),
            of_no_connection => of_no_connection.name().to_owned(),
        });
    }
    core.release_bell(&bell, false, "");
    core.end_bell(&nonce, Ended::Served, b"", "");
    got
}

#[test]
fn what_clients_have_sent_before_is_handled_before_they_are_closed() {
    let core = started();
    let clients = [waiting(&core, 20), waiting(&core, 20)];
    let draining = drain(&core, LONG);
    let codes = clients.map(close_code);
    let mut handled = Vec::new();
    while handled.iter().filter(|event| *event == "close 1001").count() < 2 {
        handled.extend(handle(&core));
    }
    assert_eq!(draining.join().expect("no panic"), Left::default());
    assert_eq!(codes.map(|code| code.join().expect("no panic")), [Some(1001), Some(1001)]);
    assert_eq!(handled.len(), 2 * 22, "{handled:?}");
    for n in 0..20 {
        let n = n.to_string();
        assert_eq!(handled.iter().filter(|event| **event == n).count(), 2, "message {n}");
    }
    assert_eq!(counter(&core, "messages_discarded"), 0);
}

#[test]
fn a_client_that_never_stops_sending_does_not_hold_up_the_end() {
    let core = started();
    let mut client = waiting(&core, 1);
    let sender = std::thread::spawn(move || while client.send(Message::text("more")).is_ok() {});
    let draining = drain(&core, LONG);
    let mut last = String::new();
    while last != "close 1001" {
        last = handle(&core).pop().unwrap_or(last);
    }
    assert_eq!(draining.join().expect("no panic").unhandled, 0);
    sender.join().expect("no panic");
}

#[test]
fn what_php_has_not_begun_after_half_of_the_time_is_counted_and_the_clients_are_closed_all_the_same() {
    let core = started();
    let client = waiting(&core, 20);
    let draining = drain(&core, Duration::from_millis(200));
    let code = close_code(client);
    assert_eq!(code.join().expect("no panic"), Some(1001));
    assert_eq!(draining.join().expect("no panic"), Left { connections: 0, unhandled: 1 });
    assert_eq!(counter(&core, "messages_discarded"), 20);
    assert_eq!(handle(&core), ["open", "close 1001"]);
}

#[test]
fn timers_and_routes_without_php_do_not_hold_up_the_end() {
    let core = started();
    let timer = Command::SetTimer(SetTimer { worker: "w", delay: 1, payload: b"".into(), repeat: true, name: None });
    core.ask(&timer).expect("legal");
    wait_until("its event waits", || counter(&core, "events_pending") == 1);
    let code = close_code(connect(&core, "echo"));
    assert_eq!(drain(&core, LONG).join().expect("no panic"), Left::default());
    assert_eq!(code.join().expect("no panic"), Some(1001));
}
