//! A client is known before its handshake is answered, and nothing reaches it before the answer.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use common::counter;
use fws_hub::command::{Close, Count, Kill, SendTo};
use fws_hub::{Command, Outcome, Reply, Target};
use fws_server::{AdmissionError, Config, Core, Ended, Handshake, Transport, own_socket};
use fws_session::Event;

const PATIENCE: Duration = Duration::from_secs(20);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ROUTES: &str = r#"{"routes":[{"name":"php","worker":"w","max_connections":1,"max_connections_per_ip":1,"max_outbox":1000},
    {"name":"many","worker":"w"},{"name":"echo","echo":true}]}"#;

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

/// A handshake whose client is known as `id`, with a tag.
fn entered(core: &Core, route: &str, id: &str) -> Handshake {
    let mut handshake = core.handshake(route, HEAD, "192.0.2.1");
    core.set_id(&mut handshake, id).expect("it is free");
    handshake.add_tag("t").expect("legal");
    assert!(core.enter(&mut handshake, Transport::Tcp));
    assert!(core.enter(&mut handshake, Transport::Tcp), "once more changes nothing");
    assert_eq!((handshake.status(), handshake.headers().len()), (101, 3));
    assert_eq!(core.set_id(&mut handshake, "late"), Err(AdmissionError::Refused));
    handshake
}

fn send(core: &Core, to: Target<'_>, data: &[u8]) -> Reply {
    core.ask(&Command::Send(SendTo { to, route: None, except: None, binary: true, data: data.into() })).expect("legal")
}

/// The client's and the server's ends of a connection.
fn ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("loopback");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    (client, listener.accept().expect("a connection").0)
}

fn adopt(core: &Core, handshake: Handshake, server: TcpStream, buffered: &[u8]) {
    // SAFETY: the descriptor is open and given away.
    let socket = unsafe { own_socket(server.into_raw_fd()) }.expect("a socket");
    assert!(core.adopt(handshake, socket, buffered).is_ok());
}

/// What PHP is told, up to `count` events.
fn told(core: &Core, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        let mut ring = None;
        wait_until("a bell is wanted", || {
            ring = ring.take().or_else(|| core.take_ring());
            ring.is_some()
        });
        let nonce = ring.expect("just seen").nonce;
        let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
        while let Some(current) = core.next_event(&bell) {
            told.push(match current.event() {
                Event::Open(_) => format!("{} open", current.id()),
                Event::Message { data, .. } => format!("{} {}", current.id(), String::from_utf8_lossy(data)),
                Event::Close(closed) => format!("{} close {}", current.id(), closed.code),
                Event::Suspend | Event::Resume(_) => unreachable!("nobody asks for it"),
                other => unreachable!("there are no timers and channels: {other:?}"),
            });
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&nonce, Ended::Served, b"", "");
    }
    told
}

/// `hi` from a client.
const HI: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];

#[test]
fn a_client_is_found_before_its_answer_and_what_it_is_sent_comes_behind_it() {
    let core = started();
    let (mut client, mut server) = ends();
    let handshake = entered(&core, "php", "ann");
    assert_eq!(core.ids(), [std::sync::Arc::<str>::from("ann")]);
    assert_eq!(core.ask(&Command::Count(Count { of: Target::Tag("t"), route: Some("php") })), Ok(Reply::Count(1)));
    assert_eq!(send(&core, Target::Client("ann"), b"one"), Reply::Sent(Outcome::Queued));
    assert_eq!(send(&core, Target::Expression("t"), b"two"), Reply::Queued(1));
    server.write_all(b"101").expect("the answer is written by the host");
    assert_eq!(send(&core, Target::All, b"three"), Reply::Queued(1));
    assert!(core.take_ring().is_none() && counter(&core, "events_queued") == 0, "PHP has heard nothing");
    adopt(&core, handshake, server, HI);
    let mut got = [0; 3 + 5 + 5 + 7];
    client.read_exact(&mut got).expect("all of it");
    assert_eq!(&got, b"101\x82\x03one\x82\x03two\x82\x05three");
    assert_eq!(told(&core, 2), ["ann open", "ann hi"]);
    assert_eq!(counter(&core, "connections_opened"), 1);
}

#[test]
fn a_client_whose_answer_fails_leaves_no_trace_and_php_hears_nothing() {
    let core = started();
    for _ in 0..100 {
        let handshake = entered(&core, "php", "ann");
        assert_eq!(send(&core, Target::Client("ann"), b"x"), Reply::Sent(Outcome::Queued));
        assert_eq!(core.handshake("php", HEAD, "192.0.2.1").status(), 429, "it has the place");
        drop(handshake);
        wait_until("its place and its id are free", || core.handshake("php", HEAD, "192.0.2.1").status() == 101);
        assert_eq!(core.stats()["connections_known"], 0);
        assert_eq!(send(&core, Target::Client("ann"), b"x"), Reply::Sent(Outcome::Gone));
    }
    // Denied by the host, it is one of the refused.
    let mut handshake = entered(&core, "php", "ann");
    core.deny(&mut handshake);
    assert_eq!((handshake.status(), counter(&core, "handshakes_refused_host")), (403, 1));
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    assert_eq!((counter(&core, "events_queued"), counter(&core, "connections_opened")), (0, 0));
    assert!(core.take_ring().is_none());
}

#[test]
fn what_ends_a_client_before_its_connection_is_there_is_carried_out_behind_the_answer() {
    for (kill, code) in [(false, 4001), (true, 1006)] {
        let core = started();
        let (mut client, mut server) = ends();
        let handshake = entered(&core, "php", "ann");
        send(&core, Target::Client("ann"), b"one");
        let ends = match kill {
            false => Command::Close(Close { id: "ann", code: 4001, reason: "" }),
            true => Command::Kill(Kill { id: "ann" }),
        };
        assert_eq!(core.ask(&ends), Ok(Reply::Flag(true)));
        assert_eq!((send(&core, Target::Client("ann"), b"x"), core.ids().len()), (Reply::Sent(Outcome::Gone), 0));
        server.write_all(b"101").expect("the answer");
        adopt(&core, handshake, server, HI);
        if kill {
            let mut got = Vec::new();
            let _ = client.read_to_end(&mut got); // perhaps a reset, since `hi` was not read
            assert!(got.is_empty() || got == b"101");
        } else {
            let mut got = [0; 3 + 5 + 4];
            client.read_exact(&mut got).expect("all of it");
            assert_eq!(&got, b"101\x82\x03one\x88\x02\x0f\xa1");
            drop(client);
        }
        assert_eq!(told(&core, 2), ["ann open".to_owned(), format!("ann close {code}")]);
        wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    }
}

#[test]
fn who_gets_too_much_before_its_answer_is_closed_as_a_slow_client() {
    let core = started();
    let (mut client, server) = ends();
    let handshake = entered(&core, "php", "ann");
    assert_eq!(send(&core, Target::Client("ann"), &[0; 600]), Reply::Sent(Outcome::Queued));
    assert_eq!(send(&core, Target::Client("ann"), &[0; 600]), Reply::Sent(Outcome::Dropped));
    assert_eq!(send(&core, Target::Client("ann"), b""), Reply::Sent(Outcome::Gone));
    adopt(&core, handshake, server, &[]);
    let mut got = [0; 4];
    client.read_exact(&mut got).expect("the close frame");
    assert_eq!((got[0], &got[2..]), (0x88, &1013u16.to_be_bytes()[..]));
    drop(client);
    assert_eq!(told(&core, 2), ["ann open", "ann close 1013"]);
}

#[test]
fn a_reload_and_the_end_of_the_server_find_who_waits_for_its_connection_and_refuse_who_is_not_known_yet() {
    for ends_all in [false, true] {
        let core = started();
        let (mut client, server) = ends();
        let (known, mut unknown) = (entered(&core, "many", "ann"), core.handshake("many", HEAD, "192.0.2.1"));
        if ends_all {
            core.drain(Duration::ZERO);
        } else {
            core.stage(2, br#"{"routes":[{"name":"other","worker":"w"}]}"#).expect("legal");
            core.commit(2).expect("staged");
        }
        assert!(!core.enter(&mut unknown, Transport::Tcp));
        assert_eq!((unknown.status(), unknown.headers().len()), (503, 0));
        assert!(!unknown.text().is_empty() && counter(&core, "handshakes_refused_unavailable") == 1);
        adopt(&core, known, server, HI);
        let mut got = [0; 4];
        client.read_exact(&mut got).expect("the close frame");
        assert_eq!(&got, b"\x88\x02\x03\xe9");
        drop(client);
        assert_eq!(told(&core, 2), ["ann open", "ann close 1001"]);
    }
}

#[test]
fn a_pipe_too_is_opened_behind_the_answer() {
    let core = started();
    let mut handshake = core.handshake("echo", HEAD, "192.0.2.1");
    assert!(core.enter(&mut handshake, Transport::Tls));
    let id = core.ids()[0].clone();
    assert_eq!(send(&core, Target::Client(&id), b"one"), Reply::Sent(Outcome::Queued));
    let pipe = core.open_pipe(handshake, Transport::Tls).expect("accepted");
    let (mut got, mut buffer) = (Vec::new(), [0; 100]);
    wait_until("all has come", || {
        core.feed_pipe(pipe, if got.is_empty() { HI } else { &[] }).expect("live");
        let (count, _) = core.take_pipe(pipe, &mut buffer).expect("live");
        got.extend_from_slice(&buffer[..count]);
        got.ends_with(b"\x81\x02hi")
    });
    assert!(got.starts_with(b"\x82\x03one"), "{got:?}");
    core.close_pipe(pipe).expect("live");
}

#[test]
fn clients_that_come_and_fail_while_everybody_is_sent_to_leave_nothing() {
    let core = started();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for _ in 0..20_000 {
                send(&core, Target::All, b"to all");
            }
        });
        for thread in 0..2 {
            let core = &core;
            scope.spawn(move || {
                for round in 0..500 {
                    let id = format!("{thread} {round}");
                    let (mut client, server) = ends();
                    let handshake = entered(core, "many", &id);
                    if round % 2 == 0 {
                        drop(handshake);
                        continue;
                    }
                    adopt(core, handshake, server, &[]);
                    // A whole frame, whatever came between.
                    send(core, Target::Client(&id), b"to it");
                    let mut head = [0; 2];
                    client.read_exact(&mut head).expect("a frame");
                    assert_eq!(head[0], 0x82);
                }
            });
        }
        sender.join().expect("no panic");
    });
    let all: usize = 500;
    wait_until("half of them were opened", || counter(&core, "connections_opened") == all as u64);
    assert_eq!(told(&core, 2 * all).iter().filter(|told| told.ends_with("open")).count(), all);
    wait_until("all are forgotten", || core.stats()["connections_known"] == 0);
}
