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
}

#[test]
fn above_the_limit_those_who_have_most_of_it_are_refused_and_newcomers_are_let_in() {
    let core = started();
    let addresses: Vec<_> = (1..=6).map(|n| format!("192.0.2.{n}")).collect();
    let mut clients: Vec<_> = addresses.iter().map(|address| connect_from(&core, "php", address)).collect();
    handle(&core, 6);
    // Each less than a quarter, and together more than may wait. The last one has little.
    for client in &mut clients[..5] {
        client.send(message(1, 22_000)).expect("sent");
    }
    clients[5].send(message(1, 10_000)).expect("sent");
    wait_until("the limit is passed", || counter(&core, "events_pending_bytes") > 120_000);
    let answer = |address: &str| {
        let handshake = core.handshake("php", HEAD, address);
        (handshake.status(), handshake.text().to_owned())
    };
    let refused = (503, "too many events wait for PHP".to_owned());
    for address in &addresses[..5] {
        assert_eq!(answer(address), refused, "{address}");
    }
    assert_eq!(answer(&addresses[5]).0, 101, "it has less than the mean");
    assert_eq!(answer("2001:db8::1").0, 101, "it has nothing");
    assert_eq!(answer(""), refused, "who has no address cannot be told from those who have most");
    assert_eq!(core.handshake("echo", HEAD, &addresses[0]).status(), 101, "PHP has no part in it");
    handle(&core, 6);
    wait_until("nothing waits", || counter(&core, "events_pending_bytes") == 0);
    assert!(addresses.iter().all(|address| answer(address).0 == 101));
}

#[test]
fn an_address_with_many_connections_whose_events_take_long_is_one_among_others() {
    let core = started();
    let mut many: Vec<_> = (0..8).map(|_| connect_from(&core, "php", "192.0.2.1")).collect();
    let mut other = connect_from(&core, "php", "192.0.2.2");
    handle(&core, 9);
    for client in &mut many {
        for _ in 0..5 {
            client.send(message(1, 10)).expect("sent");
        }
    }
    wait_until("all of it waits", || counter(&core, "events_queued") == 9 + 8 * 5);
    let (nonce, bell) = bell(&core);
    let mut got = Vec::new();
    while got.len() < 3 {
        let Some(current) = core.next_event(&bell) else { break };
        let Event::Message { data, .. } = current.event() else { continue };
        got.push(data[0]);
        drop(current);
        if got.len() == 1 {
            // While PHP is with the first event.
            other.send(message(2, 10)).expect("sent");
            wait_until("the other's waits too", || counter(&core, "events_queued") == 9 + 8 * 5 + 1);
        }
        // What a turn takes is over, while the bell is far from its end.
        std::thread::sleep(Duration::from_millis(6));
    }
    core.release_bell(&bell, false, "");
    core.end_bell(&nonce, Ended::Served, b"", "");
    // The address had its place in the line again before the other one came.
    assert_eq!(got, [1, 1, 2], "39 events of that address came before, and most of them have to wait");
    handle(&core, 8 * 5 + 1 - 3);
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
