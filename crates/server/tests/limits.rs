//! What a route limits, with real sockets and an independent client.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use common::counter;
use fws_hub::command::{Ping, SendTo};
use fws_hub::{Command, CommandError, Outcome, Pinging, Reply, Target};
use fws_server::{Config, Core, Handshake, own_socket};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(20);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A core with one echo route, `r`, that has these options.
fn started(options: &str) -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    configure(&core, 1, options);
    core
}

fn configure(core: &Core, generation: u64, options: &str) {
    let comma = if options.is_empty() { "" } else { "," };
    let json = format!(r#"{{"routes":[{{"name":"r","echo":true{comma}{options}}}]}}"#);
    core.stage(generation, json.as_bytes()).expect("legal");
    core.commit(generation).expect("staged");
}

fn adopt(core: &Core, handshake: Handshake) -> WebSocket<TcpStream> {
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn connect(core: &Core, ip: &str) -> WebSocket<TcpStream> {
    adopt(core, core.handshake("r", HEAD, ip))
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

fn send(core: &Core, id: &str, data: &[u8]) -> Outcome {
    match core.ask(&Command::Send(SendTo { to: Target::Client(id), route: None, except: None, binary: true, data: data.into() })) {
        Ok(Reply::Sent(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

/// The number at the start of a message.
fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.clone().into_data()[..4].try_into().expect("a number"))
}

fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(len, 0);
    data
}

/// All binary messages up to the close frame, and its code.
fn read_to_close(client: &mut WebSocket<TcpStream>) -> (Vec<u32>, u16) {
    let mut got = Vec::new();
    loop {
        match client.read().expect("a message or a close frame") {
            Message::Close(frame) => return (got, frame.map_or(1005, |frame| frame.code.into())),
            message => got.push(number(&message)),
        }
    }
}

#[test]
fn a_slow_client_is_closed_with_1013_though_its_outbox_is_full_and_what_it_misses_is_counted() {
    let core = started(r#""max_outbox":100000"#);
    let mut client = connect(&core, "");
    let id = core.ids()[0].clone();
    let mut queued = 0;
    wait_until("a message does not fit", || match send(&core, &id, &numbered(queued, 10_000)) {
        Outcome::Queued => {
            queued += 1;
            false
        }
        outcome => {
            assert_eq!(outcome, Outcome::Dropped);
            true
        }
    });
    wait_until("it is closed", || counter(&core, "slow_clients_closed") == 1);
    assert_eq!(send(&core, &id, b"too late"), Outcome::Gone);
    let (got, code) = read_to_close(&mut client);
    assert_eq!(code, 1013);
    assert_eq!(got, (0..got.len() as u32).collect::<Vec<_>>(), "without a gap up to the close frame");
    let missed = u64::from(queued) - got.len() as u64;
    assert!(missed > 0 && counter(&core, "messages_dropped") > missed, "{missed} of {queued}");
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    let mut log = vec![0; 65536];
    let written = core.take_log(&mut log);
    let log = String::from_utf8_lossy(&log[..written]).into_owned();
    assert_eq!(log.matches("a client is closed with 1013").count(), 1, "{log}");
}

#[test]
fn a_message_as_long_as_the_outbox_is_sent_and_one_of_a_byte_more_never_is() {
    // On both sides of where the header of a frame becomes longer.
    for (generation, most) in [1, 125, 126, 65_535, 65_536, 200_000].into_iter().enumerate() {
        for policy in ["close", "drop_oldest", "drop_newest"] {
            let core = started(&format!(r#""max_outbox":{most},"slow_client":"{policy}""#));
            let mut client = connect(&core, "");
            let id = core.ids()[0].clone();
            assert_eq!(send(&core, &id, &vec![generation as u8; most]), Outcome::Queued, "{most} {policy}");
            assert_eq!(client.read().expect("the message").len(), most);
            let data = vec![0; most + 1];
            let command = |to| Command::Send(SendTo { to, route: None, except: None, binary: true, data: data[..].into() });
            assert_eq!(core.ask(&command(Target::Client(&id))), Err(CommandError::TooLarge), "{most} {policy}");
            assert_eq!(core.ask(&command(Target::All)), Ok(Reply::Queued(0)));
            assert_eq!(core.stats()["routes"]["r"]["options"]["max_outbox"], most);
            client.send(Message::text("")).expect("it is still there");
            assert_eq!(client.read().expect("an echo"), Message::text(""));
        }
    }
}

#[test]
fn a_slow_client_that_never_reads_again_is_cut_and_its_memory_free() {
    let core = started(r#""max_outbox":100000,"close_timeout":50000000"#);
    let _client = connect(&core, "");
    let id = core.ids()[0].clone();
    wait_until("it is cut", || {
        send(&core, &id, &[0; 10_000]);
        core.stats()["connections_known"] == 0
    });
}

#[test]
fn with_drop_oldest_a_slow_client_gets_the_newest_in_order_and_whole() {
    let core = started(r#""max_outbox":100000,"slow_client":"drop_oldest""#);
    let mut client = connect(&core, "");
    let id = core.ids()[0].clone();
    const COUNT: u32 = 20_000;
    for n in 0..COUNT {
        // However far the sender outruns the shard: it is old messages that go.
        assert_eq!(send(&core, &id, &numbered(n, 1000 + n as usize % 3000)), Outcome::Queued);
    }
    assert_eq!(send(&core, &id, &numbered(COUNT, 10)), Outcome::Queued);
    let mut got = Vec::new();
    while got.last() != Some(&COUNT) {
        got.push(number(&client.read().expect("a message")));
    }
    assert!(got.is_sorted() && got.len() < COUNT as usize / 2, "{} of {COUNT}", got.len());
    assert_eq!(counter(&core, "messages_dropped"), u64::from(COUNT) + 1 - got.len() as u64, "what is missing is counted");
    client.send(Message::text("and lives on")).expect("sent");
    assert_eq!(client.read().expect("an answer"), Message::text("and lives on"));
}

#[test]
fn other_settings_hold_for_living_connections() {
    let core = started(r#""max_outbox":100000"#);
    let mut client = connect(&core, "");
    configure(&core, 2, r#""idle_timeout":20000000"#);
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
}

#[test]
fn a_rate_limit_that_is_lifted_lets_what_was_held_go_on_at_once() {
    let core = started(r#""rate_limit":{"messages":1,"burst":1000000}"#);
    let mut client = connect(&core, "");
    for n in 0..100 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    assert_eq!(client.read().expect("an answer"), Message::text("0"));
    wait_until("it is delayed", || counter(&core, "rate_limit_delays") > 0);
    configure(&core, 2, "");
    assert_eq!(client.read().expect("an answer"), Message::text("1"));
    let delays = counter(&core, "rate_limit_delays");
    for n in 2..100 {
        assert_eq!(client.read().expect("an answer"), Message::text(n.to_string()));
    }
    assert_eq!(counter(&core, "rate_limit_delays"), delays, "nothing is held any more");
}

#[test]
fn connections_by_address_are_counted_exactly_through_closes_failures_and_reloads() {
    let core = started(r#""max_connections_per_ip":2"#);
    let status = |ip: &str| core.handshake("r", HEAD, ip).status();
    let (a, b) = ("192.0.2.1", "192.0.2.2");
    // A handshake that comes to nothing gives its place back.
    let held = [core.handshake("r", HEAD, a), core.handshake("r", HEAD, a)];
    assert_eq!((status(a), status(b)), (429, 101));
    drop(held);
    let (mut first, second) = (connect(&core, a), connect(&core, a));
    assert_eq!((status(a), status(b)), (429, 101));
    // A client that has read the answer to its close frame may come again at once.
    first.close(None).expect("sent");
    while first.read().is_ok() {}
    let third = connect(&core, a);
    assert_eq!(status(a), 429);
    // A client that is cut gives its place back, too.
    drop(third);
    wait_until("it is gone", || core.connections() == 1);
    assert_eq!(status(a), 101);
    // A reload without the limit, connections that come then, and one with it: they are counted.
    configure(&core, 2, "");
    let pending = core.handshake("r", HEAD, a);
    let more = [connect(&core, a), connect(&core, a)];
    configure(&core, 3, r#""max_connections_per_ip":5"#);
    assert_eq!(status(a), 101, "three connections, a handshake, and this one");
    let last = adopt(&core, pending);
    let fifth = connect(&core, a);
    assert_eq!((status(a), status(b)), (429, 101));
    // Past closing, nothing is left.
    drop((second, more, last, fifth));
    wait_until("all are gone", || core.connections() == 0);
    let all: Vec<_> = (0..5).map(|_| core.handshake("r", HEAD, a)).collect();
    assert!(all.iter().all(|handshake| handshake.status() == 101) && status(a) == 429);
}

#[test]
fn a_client_that_breaks_the_protocol_and_keeps_its_socket_does_not_get_another_place_for_it() {
    let core = started(r#""max_connections_per_ip":1"#);
    let ask = || core.handshake("r", HEAD, "192.0.2.1");
    let mut sockets = Vec::new();
    for _ in 0..40 {
        let handshake = ask();
        if handshake.status() == 429 {
            continue;
        }
        let (server, mut client) = UnixStream::pair().expect("sockets");
        // SAFETY: the descriptor is open and given away.
        let server = unsafe { own_socket(server.into_raw_fd()) }.expect("a socket");
        assert!(core.adopt(handshake, server, &[]).is_ok());
        // An unmasked frame: it is closed with 1002, and does not close its socket.
        client.write_all(&[0x82, 0x00]).expect("sent");
        wait_until("it is over", || core.connections() == 0);
        sockets.push(client);
        // While the server has its end, it takes what still comes, and throws it away.
        let open = sockets.iter_mut().filter_map(|socket| socket.write(&[0]).ok()).count();
        assert!(open <= 2, "{open} sockets of an address that may have one connection");
    }
    assert!(sockets.len() > 1, "one that is over makes room");
    // Somebody else is not concerned, and the address itself may come back.
    assert_eq!(core.handshake("r", HEAD, "192.0.2.2").status(), 101);
    drop(sockets);
    wait_until("the sockets are closed", || ask().status() == 101);
}

#[test]
fn of_many_at_once_exactly_as_many_as_there_are_places_are_accepted() {
    for limit in [r#""max_connections_per_ip":100"#, r#""max_connections":100"#] {
        let core = started(limit);
        let accepted: Vec<Handshake> = std::thread::scope(|scope| {
            let ask = || (0..250).map(|_| core.handshake("r", HEAD, "192.0.2.1")).collect::<Vec<_>>();
            let threads = [(); 4].map(|()| scope.spawn(ask));
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).filter(|h| h.status() == 101).collect()
        });
        assert_eq!(accepted.len(), 100, "{limit}");
    }
}

#[test]
fn of_all_clients_that_begin_messages_and_do_not_end_them_the_address_that_holds_most_pays() {
    let core = Core::start(&Config { shards: 2, max_unfinished: 1_300_000, ..Config::default() }).expect("threads and epolls");
    configure(&core, 1, "");
    let (attacker, other) = ("192.0.2.1", "192.0.2.2");
    let mut clients = [attacker, attacker, other, attacker, other].map(|ip| connect(&core, ip));
    // 600,000 bytes are declared, 450,000 come. Room for a message is made as its bytes come, so two take 900,000 to 1,200,000, and three
    // always more than there is.
    let mut begin = vec![0x82, 0xff];
    begin.extend_from_slice(&600_000u64.to_be_bytes());
    begin.resize(begin.len() + 4 + 450_000, 0);
    for (number, client) in clients.iter_mut().enumerate().take(2) {
        client.get_mut().write_all(&begin).expect("sent");
        wait_until("it has come", || counter(&core, "bytes_received") == (number as u64 + 1) * begin.len() as u64);
    }
    assert!((900_000..=1_200_000).contains(&counter(&core, "unfinished_bytes")));
    // Somebody else's is received, and the oldest of who holds most has to go.
    clients[2].get_mut().write_all(&begin).expect("sent");
    assert!(is_1013(&mut clients[0]));
    assert_eq!((counter(&core, "unfinished_refused"), counter(&core, "violations")), (1, 0));
    // The attacker's next one goes on at the cost of its own.
    clients[3].get_mut().write_all(&begin).expect("sent");
    assert!(is_1013(&mut clients[1]));
    // What is whole takes nothing, and the others go on.
    clients[4].send(Message::binary(vec![1; 60_000])).expect("sent");
    assert_eq!(clients[4].read().expect("an answer").len(), 60_000);
    for client in &mut clients[2..4] {
        client.get_mut().write_all(&[0; 150_000]).expect("sent");
        assert_eq!(client.read().expect("an answer").len(), 600_000);
    }
    wait_until("nothing is held", || counter(&core, "unfinished_bytes") == 0);
    assert_eq!(counter(&core, "unfinished_refused"), 2);
    let told =
        common::log(&core).iter().filter(|record| record["msg"].as_str().is_some_and(|text| text.contains("max_unfinished"))).count();
    assert_eq!(told, 1, "once a burst");
}

fn is_1013(client: &mut WebSocket<TcpStream>) -> bool {
    matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1013)
}

#[test]
fn a_message_that_does_not_come_to_its_end_ends_its_connection_and_no_other() {
    let core = started(r#""message_timeout":50000000"#);
    let mut clients = ["192.0.2.1", "192.0.2.1", "192.0.2.2"].map(|ip| connect(&core, ip));
    // A byte of a header, and a fragment.
    clients[0].get_mut().write_all(&[0x82]).expect("sent");
    clients[1].get_mut().write_all(&[0x02, 0x81, 0, 0, 0, 0, b'x']).expect("sent");
    assert!(is_1013(&mut clients[0]) && is_1013(&mut clients[1]));
    clients[2].send(Message::text("still there")).expect("sent");
    assert_eq!(clients[2].read().expect("an answer"), Message::text("still there"));
    assert_eq!((counter(&core, "message_timeouts"), counter(&core, "violations")), (2, 0));
    assert!(common::log(&core).iter().any(|record| record["msg"].as_str().is_some_and(|text| text.contains("message_timeout"))));
}

#[test]
fn the_end_of_a_life_is_told_with_1001_and_the_socket_closed() {
    let core = started(r#""max_lifetime":50000000"#);
    let mut client = connect(&core, "");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    let _ = client.read();
    let _ = client.get_mut().read(&mut [0; 1]);
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
}

#[test]
fn after_a_pong_the_next_ping_comes_at_the_interval_however_long_a_pong_may_take() {
    // An hour: whoever waits for the pong's deadline pings once and no more.
    let core = started(r#""ping_interval":50000000,"pong_timeout":3600000000000"#);
    let mut client = connect(&core, "192.0.2.1");
    for round in 1..=3u32 {
        assert_eq!(client.read().expect("a ping"), Message::Ping(round.to_be_bytes().to_vec().into()));
        client.flush().expect("the pong");
    }
    // Nor does one that has an interval of its own, whatever it sends in place of a pong.
    let id = core.ids()[0].clone();
    core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Every(100) })).expect("legal");
    for _ in 0..3 {
        assert!(matches!(client.read().expect("a ping"), Message::Ping(_)));
        client.flush().expect("the pong");
        client.send(Message::text("busy")).expect("sent");
        assert_eq!(client.read().expect("the echo"), Message::text("busy"));
    }
}
