//! What waits for PHP is bounded, of all clients together.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use common::counter;
use fws_server::{Bell, Config, Core, Ended};
use fws_session::Event;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(20);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A core in which 100,000 bytes of events may wait for PHP.
fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, max_pending_bytes: 100_000, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"php","worker":"w"},{"name":"echo","echo":true}]}"#).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn connect(core: &Core, route: &str) -> WebSocket<TcpStream> {
    connect_from(core, route, "192.0.2.1")
}

fn connect_from(core: &Core, route: &str, ip: &str) -> WebSocket<TcpStream> {
    let handshake = core.handshake(route, HEAD, ip);
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

fn bell(core: &Core) -> (String, Arc<Bell>) {
    let mut ring = None;
    wait_until("a bell is wanted", || {
        ring = ring.take().or_else(|| core.take_ring());
        ring.is_some()
    });
    let nonce = ring.expect("just seen").nonce;
    let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
    (nonce, bell)
}

/// Handles events until `count` have come; of messages the first byte.
fn handle(core: &Core, count: usize) -> Vec<u8> {
    let (mut handled, mut got) = (0, Vec::new());
    while handled < count {
        let (nonce, bell) = bell(core);
        while let Some(current) = core.next_event(&bell) {
            handled += 1;
            if let Event::Message { data, .. } = current.event() {
                got.push(data[0]);
            }
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&nonce, Ended::Served, b"", "");
    }
    got
}

fn message(first: u8, len: usize) -> Message {
    Message::binary([&[first][..], &vec![0; len - 1]].concat())
}

#[test]
fn a_client_with_events_waiting_is_not_read_while_too_many_wait_and_others_are() {
    let core = started();
    let (mut greedy, mut modest) = (connect(&core, "php"), connect(&core, "php"));
    // The open events are out of the way.
    handle(&core, 2);
    greedy.send(message(1, 120_000)).expect("sent");
    wait_until("the limit is reached", || counter(&core, "events_pending_bytes") > 100_000);
    assert_eq!(counter(&core, "events_held_back"), 1);
    let other = core.handshake("php", HEAD, "192.0.2.9");
    assert_eq!(other.status(), 503, "{}", other.text());

    // What it sends now comes before what the others send, and still is not read.
    for first in 2..10 {
        greedy.send(message(first, 1000)).expect("sent");
    }
    let mut echo = connect(&core, "echo");
    echo.send(message(0, 10)).expect("sent");
    assert_eq!(echo.read().expect("an answer").len(), 10, "a route without PHP is served");
    modest.send(message(100, 1000)).expect("sent");
    wait_until("a client that had nothing waiting is read", || counter(&core, "events_queued") == 4);
    modest.send(message(101, 1000)).expect("sent");
    echo.send(message(0, 10)).expect("sent");
    echo.read().expect("an answer, a turn later");
    assert_eq!(counter(&core, "events_queued"), 4, "now that has events waiting, too");
    assert_eq!(counter(&core, "events_held_back"), 2);
    let told: Vec<_> = common::log(&core).into_iter().filter(|record| record["msg"].to_string().contains("max_pending_bytes")).collect();
    assert_eq!(told.len(), 1, "once a burst: {told:?}");

    // Nothing is lost, and the order of each is kept.
    let got = handle(&core, 11);
    let of = |range: std::ops::Range<u8>| got.iter().copied().filter(|first| range.contains(first)).collect::<Vec<_>>();
    assert_eq!((of(1..10), of(100..200)), ((1..10).collect(), vec![100, 101]));
    wait_until("nothing waits", || counter(&core, "events_pending_bytes") == 0);
    assert_eq!(core.handshake("php", HEAD, "192.0.2.9").status(), 101);
}

#[test]
fn many_clients_that_send_without_end_pass_the_limit_by_one_read_each_and_lose_nothing() {
    let core = started();
    let clients: Vec<_> = (0..20).map(|_| connect(&core, "php")).collect();
    handle(&core, 20);
    let senders: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                for n in 0..50 {
                    client.send(message(n, 5000)).expect("sent");
                }
                client
            })
        })
        .collect();
    let (mut handled, mut most) = (0, 0);
    while handled < 20 * 50 {
        most = most.max(counter(&core, "events_pending_bytes"));
        handled += handle(&core, 1).len();
    }
    let clients: Vec<_> = senders.into_iter().map(|sender| sender.join().expect("no panic")).collect();
    assert_eq!(handled, 20 * 50);
    assert!(most < 100_000 + 20 * (64 << 10) + 20 * 5064, "{most} bytes waited");
    assert_eq!(core.connections(), 20);
    drop(clients);
}

#[test]
fn one_address_takes_a_quarter_of_what_may_wait_and_others_are_let_in_and_read() {
    let core = started();
    let mut greedy: Vec<_> = (0..3).map(|_| connect_from(&core, "php", "192.0.2.1")).collect();
    let mut modest = connect_from(&core, "php", "192.0.2.9");
    handle(&core, 4);
    for client in &mut greedy {
        client.send(message(1, 10_000)).expect("sent");
    }
    wait_until("its share is taken", || counter(&core, "events_pending_bytes") > 30_000);
    // Each of them has something waiting, and the next of it is not read.
    let mut echo = connect_from(&core, "echo", "192.0.2.1");
    for first in 2..20 {
        greedy[0].send(message(first, 10_000)).expect("sent");
    }
    let refused = core.handshake("php", HEAD, "192.0.2.1");
    assert_eq!((refused.status(), refused.text()), (429, "too many events of this address wait for PHP"));
    let other = connect_from(&core, "php", "192.0.2.8");
    for first in 100..105 {
        modest.send(message(first, 1000)).expect("sent");
    }
    // An open event and five messages of others come, though they have events waiting, and nothing more of the greedy ones.
    wait_until("others are read", || counter(&core, "events_queued") >= 4 + 3 + 1 + 5);
    echo.send(message(0, 10)).expect("sent");
    echo.read().expect("an answer, a turn later");
    assert!(counter(&core, "events_pending_bytes") < 100_000);

    let got = handle(&core, 3 + 18 + 1 + 5);
    let of = |range: std::ops::Range<u8>| got.iter().copied().filter(|first| range.contains(first)).collect::<Vec<_>>();
    assert_eq!((of(2..20), of(100..200)), ((2..20).collect(), (100..105).collect()), "nothing is lost");
    wait_until("nothing waits", || counter(&core, "events_pending_bytes") == 0);
    assert_eq!(core.handshake("php", HEAD, "192.0.2.1").status(), 101);
    drop(other);
}
