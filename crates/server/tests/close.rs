//! The server's close is the end: from the decision on, PHP is told nothing of a client but its close event.
//!
//! Clients send as fast as they can, over sockets and over pipes, while the server closes them in each of the ways it has.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::counter;
use fws_hub::command::{Close, Count, Describe, Kill, Ping, Rename, SendTo, Tag};
use fws_hub::{Command, CommandError, Outcome, Renamed, Reply, Target};
use fws_server::{Bell, Config, Core, Ended, PipeId, Transport};
use fws_session::Event;

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

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The client's end of a connection.
#[derive(Clone)]
enum Peer {
    Socket(Arc<TcpStream>),
    Pipe(Arc<Core>, PipeId),
}

impl Peer {
    fn connect(core: &Arc<Core>, piped: bool) -> Peer {
        let handshake = core.handshake("r", HEAD, "192.0.2.1");
        if piped {
            return Peer::Pipe(core.clone(), core.open_pipe(handshake, Transport::Tls).expect("accepted"));
        }
        Peer::Socket(Arc::new(common::adopt(core, handshake, &[], PATIENCE)))
    }

    /// Sends some of the bytes; how many. `None`: the connection is over.
    fn send(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Peer::Socket(socket) => (&**socket).write(bytes).ok(),
            Peer::Pipe(core, id) => core.feed_pipe(*id, bytes).map(|(count, _)| count),
        }
    }

    fn send_all(&self, mut bytes: &[u8]) {
        wait_until("all is sent", || {
            bytes = &bytes[self.send(bytes).unwrap_or(bytes.len())..];
            bytes.is_empty()
        });
    }

    /// Reads until the end: the code and the reason of the close frame, if one came.
    fn read_to_end(&self) -> Option<(u16, String)> {
        let mut got = Vec::new();
        match self {
            Peer::Socket(socket) => drop((&**socket).read_to_end(&mut got)),
            Peer::Pipe(core, id) => {
                let mut buffer = [0; 4096];
                wait_until("the pipe is over", || {
                    let Some((count, news)) = core.take_pipe(*id, &mut buffer) else { return true };
                    got.extend_from_slice(&buffer[..count]);
                    !news.output && (news.over || news.finished)
                });
            }
        }
        let mut rest = &got[..];
        while let [first, second, more @ ..] = rest {
            let (len, more) = match second {
                126 => (usize::from(u16::from_be_bytes([more[0], more[1]])), &more[2..]),
                127 => (u64::from_be_bytes(more[..8].try_into().expect("8 bytes")) as usize, &more[8..]),
                len => (usize::from(*len), more),
            };
            if *first == 0x88 {
                let code = more.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                return Some((code, String::from_utf8_lossy(more.get(2..len).unwrap_or_default()).into_owned()));
            }
            rest = more.get(len..).unwrap_or_default();
        }
        None
    }

    /// Is gone.
    fn vanish(&self) {
        match self {
            Peer::Socket(socket) => drop(socket.shutdown(Shutdown::Both)),
            Peer::Pipe(core, id) => drop(core.close_pipe(*id)),
        }
    }
}

/// What PHP was told, of all clients in the order of their events.
#[derive(Default)]
struct Told {
    opened: AtomicUsize,
    messages: AtomicUsize,
    /// Code, reason and whether it was clean.
    closed: Mutex<Vec<(u16, String, bool)>>,
    /// Clients leave by themselves: then what they sent before is told.
    leave: bool,
}

fn is_live(core: &Core, id: &str) -> bool {
    core.ask(&Command::Client(Describe { id })).is_ok_and(|reply| matches!(reply, Reply::Client(client) if client.connected))
}

/// Handles events as PHP would, in a thread, until `until`. `act` is called with each that is not a close event; what it returns is the
/// cause of a failure.
///
/// None is a message of a client that was gone before it was asked for.
fn handle(core: &Arc<Core>, told: &Told, until: &AtomicBool, act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync)) {
    while !until.load(Ordering::SeqCst) {
        let Some(ring) = core.take_ring() else {
            std::thread::yield_now();
            continue;
        };
        let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
        while let Some((id, failure)) = one(core, told, &bell, act) {
            if let Some(cause) = failure {
                core.fail_event(&bell, &format!("{id}: {cause}"));
            }
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&ring.nonce, Ended::Served, b"", "");
    }
}

fn one(
    core: &Arc<Core>,
    told: &Told,
    bell: &Bell,
    act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync),
) -> Option<(String, Option<String>)> {
    let live: Vec<Arc<str>> = core.ids();
    let current = core.next_event(bell)?;
    let (id, event) = (current.id().to_owned(), current.event().clone());
    drop(current);
    match &event {
        Event::Open(_) => drop(told.opened.fetch_add(1, Ordering::SeqCst)),
        Event::Message { .. } => {
            told.messages.fetch_add(1, Ordering::SeqCst);
            assert!(told.leave || live.iter().any(|live| **live == *id), "a message of a client that was gone before it was asked for");
        }
        Event::Close(closed) => {
            told.closed.lock().expect("sound").push((closed.code, closed.reason.clone(), closed.clean));
            assert!(!is_live(core, &id));
            assert_eq!(send(core, &id), Ok(Reply::Sent(Outcome::Gone)));
            return Some((id, None));
        }
        Event::Suspend | Event::Resume(_) | Event::Timer(_) | Event::Join(_) | Event::Leave(_) => {}
    }
    let failure = act(core, &id, &event);
    Some((id, failure))
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
    assert_eq!(core.ask(&Command::Tag(Tag { id, tag: "late", since: None })), Ok(Reply::Flag(false)));
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

const CLIENTS: usize = 12;
/// As many as a client of them sends at least, if it is not closed before.
const MESSAGES: u32 = 3000;

/// Clients send as fast as they can while PHP and `end` do what they do. Each is closed in the end, with this code.
fn hammer(options: &str, code: u16, act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync), end: &dyn Fn(&Core, &Told)) {
    for piped in [false, true] {
        // Nobody answers the close frame, and what each sends until it is cut is thrown away.
        let core = started(&format!(r#","close_timeout":300000000{options}"#));
        let (told, over, stop) = (Told::default(), AtomicBool::new(false), AtomicBool::new(false));
        let peers: Vec<Peer> = (0..CLIENTS).map(|_| Peer::connect(&core, piped)).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| handle(&core, &told, &over, act));
            }
            let mut readers = Vec::new();
            for peer in &peers {
                scope.spawn(|| flood(peer, &stop));
                readers.push(scope.spawn(|| peer.read_to_end()));
            }
            end(&core, &told);
            wait_until("PHP was told of all ends", || told.closed.lock().expect("sound").len() == CLIENTS);
            stop.store(true, Ordering::SeqCst);
            for (peer, reader) in peers.iter().zip(readers) {
                // A client that was cut sees no close frame. One that still sent when the connection was closed may not see it either.
                let seen = reader.join().expect("it has ended");
                assert!(seen.is_none_or(|seen| seen.0 == code));
                peer.vanish();
            }
            wait_until("all are forgotten", || core.stats()["connections_known"] == 0);
            over.store(true, Ordering::SeqCst);
        });
        let closed = told.closed.lock().expect("sound");
        assert_eq!((closed.len(), told.opened.load(Ordering::SeqCst)), (CLIENTS, CLIENTS), "one event each");
        assert!(closed.iter().all(|closed| closed.0 == code), "{closed:?}");
        let (received, handled, discarded) =
            (counter(&core, "messages_received"), told.messages.load(Ordering::SeqCst) as u64, counter(&core, "messages_discarded"));
        assert_eq!(received, handled + discarded, "nothing is lost uncounted");
        let stats = core.stats();
        assert_eq!((&stats["events_pending"], &stats["events_pending_bytes"]), (&0.into(), &0.into()));
    }
}

/// Sends until the end of the connection, or until told to stop, and reads nothing.
fn flood(peer: &Peer, stop: &AtomicBool) {
    let mut number = 0;
    while number < MESSAGES || !stop.load(Ordering::SeqCst) {
        // A few at a time, as they come over a network.
        let bytes: Vec<u8> = (0..20).flat_map(|more| numbered(number + more)).collect();
        number += 20;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match peer.send(rest) {
                Some(0) if stop.load(Ordering::SeqCst) => return,
                Some(0) => std::thread::yield_now(),
                Some(count) => rest = &rest[count..],
                None => return,
            }
        }
    }
}

fn nothing(_: &Core, _: &str, _: &Event) -> Option<String> {
    None
}

/// The number of a message, counted from 0.
fn number(event: &Event) -> Option<u32> {
    match event {
        Event::Message { data, .. } => Some(u32::from_be_bytes(data[..4].try_into().expect("a number"))),
        Event::Open(_) | Event::Suspend | Event::Resume(_) | Event::Close(_) | Event::Timer(_) | Event::Join(_) | Event::Leave(_) => None,
    }
}

fn tag(core: &Core, id: &str) {
    core.ask(&Command::Tag(Tag { id, tag: id, since: None })).expect("it is live");
}

#[test]
fn after_close_in_a_handler_no_message_comes() {
    let act = |core: &Core, id: &str, event: &Event| {
        match number(event) {
            None => tag(core, id),
            Some(50) => {
                assert_eq!(core.ask(&Command::Close(Close { id, code: 4001, reason: "enough" })), Ok(Reply::Flag(true)));
                check_gone(core, id);
            }
            Some(number) => assert!(number < 50),
        }
        None
    };
    hammer("", 4001, &act, &|_, _| {});
}

#[test]
fn after_a_kill_in_a_handler_no_message_comes() {
    let act = |core: &Core, id: &str, event: &Event| {
        match number(event) {
            None => tag(core, id),
            Some(50) => {
                assert_eq!(core.ask(&Command::Kill(Kill { id })), Ok(Reply::Flag(true)));
                check_gone(core, id);
            }
            Some(number) => assert!(number < 50),
        }
        None
    };
    hammer("", 1006, &act, &|_, _| {});
}

#[test]
fn after_a_close_or_a_kill_by_anybody_else_no_message_comes() {
    for kill in [false, true] {
        hammer("", if kill { 1006 } else { 1000 }, &nothing, &|core, told| {
            wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
            for id in core.ids() {
                let done = match kill {
                    true => core.ask(&Command::Kill(Kill { id: &id })),
                    false => core.ask(&Command::Close(Close { id: &id, code: 1000, reason: "" })),
                };
                assert_eq!(done, Ok(Reply::Flag(true)));
                check_gone(core, &id);
            }
        });
    }
}

#[test]
fn after_an_event_that_failed_no_message_comes_where_on_error_closes() {
    let act = |_: &Core, _: &str, event: &Event| {
        assert!(number(event).is_none_or(|number| number <= 50));
        (number(event) == Some(50)).then(|| "it failed".to_owned())
    };
    hammer(r#","on_error":"close""#, 1011, &act, &|_, _| {});
}

#[test]
fn a_client_whose_first_event_failed_is_closed_whatever_on_error_says_and_none_of_its_messages_comes() {
    for on_error in ["continue", "close"] {
        let act = |_: &Core, _: &str, event: &Event| {
            assert_eq!(number(event), None);
            Some("nobody let it in".to_owned())
        };
        hammer(&format!(r#","on_error":"{on_error}""#), 1011, &act, &|_, _| {});
    }
}

#[test]
fn after_a_rate_limit_that_closes_no_message_comes() {
    hammer(r#","rate_limit":{"messages":200,"burst":1000000000,"exceed":"close"}"#, 1008, &nothing, &|_, _| {});
}

#[test]
fn after_the_end_of_a_lifetime_no_message_comes() {
    hammer(r#","max_lifetime":200000000"#, 1001, &nothing, &|_, _| {});
}

#[test]
fn after_a_reload_that_has_no_such_route_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        // Its worker is still there, for the other route.
        configure(core, 2, "");
    });
}

#[test]
fn after_a_reload_that_makes_it_an_echo_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        configure(core, 2, r#"{"name":"r","echo":true},"#);
    });
}

#[test]
fn at_the_end_of_the_server_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        core.drain(Duration::ZERO);
    });
}

#[test]
fn of_a_client_that_breaks_the_protocol_nothing_that_waited_comes() {
    for piped in [false, true] {
        let core = started("");
        let peer = Peer::connect(&core, piped);
        // All in one read, and the violation at its end.
        let mut bytes: Vec<u8> = (0..100).flat_map(numbered).collect();
        bytes.extend_from_slice(&[0x81, 0x01, b'x']); // not masked
        peer.send_all(&bytes);
        wait_until("it is found", || counter(&core, "violations") == 1);
        let told = Told::default();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!((told.opened.load(Ordering::SeqCst), told.messages.load(Ordering::SeqCst)), (1, 0));
        assert_eq!(told.closed.lock().expect("sound")[0].0, 1002);
        assert_eq!(counter(&core, "messages_discarded"), 100);
        assert_eq!(core.stats()["events_pending_bytes"], 0);
        peer.vanish();
    }
}

#[test]
fn of_a_client_that_is_closed_because_it_does_not_read_nothing_that_waited_comes() {
    for piped in [false, true] {
        let core = started(r#","max_outbox":100000,"close_timeout":50000000"#);
        let peer = Peer::connect(&core, piped);
        peer.send_all(&(0..100).flat_map(numbered).collect::<Vec<_>>());
        wait_until("all wait", || counter(&core, "events_pending") == 101);
        let id = core.ids()[0].clone();
        tag(&core, &id);
        let data = vec![0; 50_000];
        let to_it = || Command::Send(SendTo { to: Target::Client(&id), route: None, except: None, binary: true, data: data[..].into() });
        wait_until("a message does not fit", || core.ask(&to_it()) == Ok(Reply::Sent(Outcome::Dropped)));
        // On this thread, before the shard knows.
        check_gone(&core, &id);
        assert_eq!((counter(&core, "events_pending"), counter(&core, "messages_discarded")), (1, 100));
        let (told, over) = (Told::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!((told.messages.load(Ordering::SeqCst), told.closed.lock().expect("sound")[0].0), (0, 1013));
        peer.vanish();
    }
}

#[test]
fn what_a_client_sent_before_its_own_end_comes_unless_the_application_closes_it_meanwhile() {
    for closes in [false, true] {
        for (end, code) in [(Some(frame(0x88, &4000u16.to_be_bytes())), 4000), (Some(frame(0x88, b"")), 1005), (None, 1006)] {
            let core = started("");
            let peer = Peer::connect(&core, false);
            peer.send_all(&(0..100).flat_map(numbered).chain(end.iter().flatten().copied()).collect::<Vec<_>>());
            if end.is_none() {
                peer.vanish();
            }
            wait_until("its end is known", || counter(&core, "events_pending") == 102);
            let act = |core: &Core, id: &str, event: &Event| {
                assert!(!is_live(core, id));
                if closes && number(event) == Some(10) {
                    assert_eq!(core.ask(&Command::Close(Close { id, code: 4001, reason: "" })), Ok(Reply::Flag(false)));
                }
                None
            };
            let (told, over) = (Told { leave: true, ..Told::default() }, AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| handle(&core, &told, &over, &act));
                wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
                over.store(true, Ordering::SeqCst);
            });
            assert_eq!(told.messages.load(Ordering::SeqCst), if closes { 11 } else { 100 });
            assert_eq!(told.closed.lock().expect("sound").iter().map(|closed| closed.0).collect::<Vec<_>>(), [code]);
            assert_eq!(counter(&core, "messages_discarded"), if closes { 89 } else { 0 });
        }
    }
}

#[test]
fn a_client_that_is_not_read_since_php_is_behind_can_still_answer_the_close() {
    for piped in [false, true] {
        // Longer than this test may take: it must be the answer that ends it.
        let core = started(r#","max_pending_events":4,"close_timeout":3600000000000"#);
        let peer = Peer::connect(&core, piped);
        let id = core.ids()[0].clone();
        let bytes: Vec<u8> = (0..2000).flat_map(numbered).collect();
        let sender = {
            let peer = peer.clone();
            std::thread::spawn(move || {
                peer.send_all(&bytes);
                peer.send_all(&frame(0x88, &4001u16.to_be_bytes()));
            })
        };
        wait_until("it is not read any more", || counter(&core, "events_pending") >= 4);
        assert_eq!(core.ask(&Command::Close(Close { id: &id, code: 4001, reason: "" })), Ok(Reply::Flag(true)));
        assert_eq!(peer.read_to_end().map(|seen| seen.0), Some(4001));
        sender.join().expect("all was sent");
        peer.vanish();
        let (told, over) = (Told::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!(*told.closed.lock().expect("sound"), [(4001, String::new(), true)]);
        assert_eq!((told.messages.load(Ordering::SeqCst), counter(&core, "messages_discarded")), (0, 2000));
    }
}

#[test]
fn a_client_that_the_server_closes_may_come_back_at_once_though_it_has_not_answered() {
    for reload in [false, true] {
        let limit = r#""max_connections_per_ip":1,"close_timeout":3600000000000"#;
        let core = started(&if reload { r#","close_timeout":3600000000000"#.to_owned() } else { format!(",{limit}") });
        let peer = Peer::connect(&core, false);
        let id = core.ids()[0].clone();
        assert_eq!(core.ask(&Command::Close(Close { id: &id, code: 4001, reason: "" })), Ok(Reply::Flag(true)));
        if reload {
            // The option comes with a reload while the end is under way.
            configure(&core, 2, &format!(r#"{{"name":"r","worker":"w",{limit}}},"#));
        }
        let again = Peer::connect(&core, false);
        assert_eq!(core.handshake("r", HEAD, "192.0.2.1").status(), 429, "there is one place, and it is taken");
        again.vanish();
        wait_until("the place is free", || core.handshake("r", HEAD, "192.0.2.1").status() == 101);
        peer.vanish();
    }
}
