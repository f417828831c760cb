//! The core with real sockets and an independent client, without a host: the tests ring the bells themselves.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::counter;
use fws_hub::command::{
    Add, ClearTimer, Close, Count, Describe, Expiry, Get, Increment, Kill, List, Ping, PingTime, Rename, SendTo, Set, SetInformation,
    SetTimer, Tag, Tags, Untag,
};
use fws_hub::{Client, Command, CommandError, Outcome, Pinging, Renamed, Reply, Target};
use fws_server::{Bell, Config, Core, Ended, Left};
use fws_session::Event;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(10);

const ROUTES: &str = r#"{"routes":[
  {"name":"echo","echo":true},
  {"name":"php","worker":"w","max_outbox":100000,"slow_client":"drop_newest","max_pending_events":8},
  {"name":"strict","worker":"w","on_error":"close","max_connections":1}]}"#;

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

const HEAD: &[u8] = b"GET /p?q=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Test: yes\r\n\r\n";

/// A client whose opening handshake is done, and whose first bytes may have come with it.
fn connect_with(core: &Core, route: &str, buffered: &[u8]) -> WebSocket<TcpStream> {
    let handshake = core.handshake(route, HEAD, "192.0.2.1");
    WebSocket::from_raw_socket(common::adopt(core, handshake, buffered, PATIENCE), Role::Client, None)
}

fn connect(core: &Core, route: &str) -> WebSocket<TcpStream> {
    connect_with(core, route, &[])
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
}

/// Rings the next bell as a host would, and claims it as PHP would.
fn bell(core: &Core) -> (String, Arc<Bell>) {
    let mut ring = None;
    wait_until("a bell is wanted", || {
        ring = ring.take().or_else(|| core.take_ring());
        ring.is_some()
    });
    let nonce = ring.expect("just seen").nonce;
    let bell = core.claim_bell(format!("a=b&fws_bell={nonce}&c").as_bytes()).expect("a live nonce");
    (nonce, bell)
}

fn end(core: &Core, (nonce, bell): &(String, Arc<Bell>)) {
    core.release_bell(bell, false, "");
    core.end_bell(nonce, Ended::Served, b"", "");
}

/// What the next event is, in a word.
fn next(core: &Core, bell: &Bell) -> Option<String> {
    let current = core.next_event(bell)?;
    Some(match current.event() {
        Event::Open(opened) => format!("open {}?{}", String::from_utf8_lossy(&opened.path), String::from_utf8_lossy(&opened.query)),
        Event::Message { data, .. } => String::from_utf8_lossy(data).into_owned(),
        Event::Close(closed) => format!("close {} {}", closed.code, closed.clean),
        Event::Timer(timer) => format!("timer {} {}", timer.id, String::from_utf8_lossy(&timer.payload)),
    })
}

/// All that comes, over as many bells as it takes, until at least `count` events were handled. More, where more come while a bell
/// lingers: on a busy machine that is long.
fn handle(core: &Core, count: usize) -> Vec<String> {
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

fn send(core: &Core, to: Target<'_>, data: &[u8]) -> Reply {
    core.ask(&Command::Send(SendTo { to, route: None, except: None, binary: true, data: data.into() })).expect("legal")
}

#[test]
fn the_echo_route_answers_and_closes_without_a_host() {
    let core = started();
    let mut client = connect(&core, "echo");
    for message in [Message::text("héllo"), Message::binary(vec![7; 300_000]), Message::text("")] {
        client.send(message.clone()).expect("sent");
        assert_eq!(client.read().expect("an answer"), message);
    }
    client.close(Some(CloseFrame { code: 4000.into(), reason: "done".into() })).expect("sent");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
}

#[test]
fn bytes_read_behind_the_request_are_the_first_frames() {
    let core = started();
    let mut client = connect_with(&core, "echo", &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert_eq!(client.read().expect("an answer"), Message::text("hi"));
}

#[test]
fn events_come_in_order_and_carry_their_facts() {
    let core = started();
    let mut client = connect(&core, "php");
    for n in 0..100 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    client.close(None).expect("sent");
    let expected: Vec<String> =
        ["open /p?q=1".into()].into_iter().chain((0..100).map(|n| n.to_string())).chain(["close 1005 true".into()]).collect();
    assert_eq!(handle(&core, 102), expected);
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    assert_eq!((counter(&core, "events_queued"), counter(&core, "events_acknowledged")), (102, 102));
}

#[test]
fn a_connection_is_leased_to_one_bell_at_a_time() {
    let core = started();
    let mut client = connect(&core, "php");
    let first = bell(&core);
    assert_eq!(next(&core, &first.1).as_deref(), Some("open /p?q=1"));
    client.send(Message::text("a")).expect("sent");
    let mut other = connect(&core, "php");
    other.send(Message::text("b")).expect("sent");
    // The first bell is busy with `open` and too slow: a second one is rung, for the other connection.
    let second = bell(&core);
    assert_eq!(next(&core, &second.1).as_deref(), Some("open /p?q=1"));
    assert_eq!(next(&core, &second.1).as_deref(), Some("b"));
    assert_eq!(next(&core, &second.1), None, "the first connection is not handed out twice");
    assert_eq!(next(&core, &first.1).as_deref(), Some("a"));
    end(&core, &second);
    end(&core, &first);
}

#[test]
fn what_a_bell_did_not_come_to_is_handed_out_again_and_what_it_had_is_not() {
    let core = started();
    let mut client = connect(&core, "php");
    for n in 0..5 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    wait_until("all have arrived", || counter(&core, "events_queued") == 6);
    let dying = bell(&core);
    assert_eq!(next(&core, &dying.1).as_deref(), Some("open /p?q=1"));
    assert_eq!(next(&core, &dying.1).as_deref(), Some("0"));
    // The request dies without a word.
    core.end_bell(&dying.0, Ended::Failed, b"PHP Fatal error", "worker died");
    assert_eq!(next(&core, &dying.1), None, "a bell that is over gives nothing more");
    assert_eq!(handle(&core, 4), ["1", "2", "3", "4"]);
    assert_eq!(counter(&core, "events_failed"), 1);
    let mut log = vec![0; 65536];
    let written = core.take_log(&mut log);
    let log = String::from_utf8_lossy(&log[..written]).into_owned();
    assert!(log.contains("PHP failed on a WebSocket event") && log.contains("PHP Fatal error"), "{log}");
}

#[test]
fn on_error_close_closes_with_1011() {
    let core = started();
    let mut client = connect(&core, "strict");
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    assert!(core.fail_event(&bell.1, "Exception: no"));
    assert!(!core.fail_event(&bell.1, "again"), "no event is current");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1011));
    end(&core, &bell);
}

#[test]
fn a_nonce_is_good_for_one_claim_and_only_while_its_bell_is_rung() {
    let core = started();
    let _client = connect(&core, "php");
    let bell = bell(&core);
    let query = format!("fws_bell={}", bell.0);
    assert!(core.claim_bell(query.as_bytes()).is_none(), "claimed already");
    end(&core, &bell);
    assert!(core.claim_bell(query.as_bytes()).is_none(), "over");
    assert!(core.claim_bell(b"fws_bell=00000000000000000000000000000000").is_none());
    assert!(core.claim_bell(b"").is_none() && core.claim_bell(b"fws_bell=\xff").is_none());
}

#[test]
fn a_bell_that_never_reached_php_is_rung_again() {
    let core = started();
    let _client = connect(&core, "php");
    let mut lost = None;
    wait_until("a bell is wanted", || {
        lost = core.take_ring();
        lost.is_some()
    });
    core.end_bell(&lost.expect("just seen").nonce, Ended::Abandoned, b"", "");
    assert_eq!(handle(&core, 1), ["open /p?q=1"]);
    assert_eq!(counter(&core, "bells_abandoned"), 1);
}

#[test]
fn while_php_does_not_come_the_socket_is_not_read_and_nothing_is_lost() {
    let core = started();
    let mut client = connect(&core, "php");
    const COUNT: usize = 3000;
    let sender = std::thread::spawn(move || {
        for n in 0..COUNT {
            client.send(Message::text(format!("{n:01000}"))).expect("sent");
        }
        client
    });
    wait_until("the queue is full", || counter(&core, "events_pending") >= 8);
    // One read brings at most 64 KiB; more than that and the limit never waits.
    assert!(counter(&core, "events_pending") <= 8 + 66, "{}", counter(&core, "events_pending"));
    let got = handle(&core, COUNT + 1);
    let expected: Vec<String> = ["open /p?q=1".into()].into_iter().chain((0..COUNT).map(|n| format!("{n:01000}"))).collect();
    assert_eq!(got, expected);
    sender.join().expect("all was sent");
}

#[test]
fn sends_reach_one_a_tag_or_all_and_tell_when_a_client_is_gone() {
    let core = started();
    let (mut a, mut b) = (connect(&core, "echo"), connect(&core, "echo"));
    let ids = core.ids();
    assert_eq!(ids.len(), 2);
    core.ask(&Command::Tag(Tag { id: &ids[0], tag: "t" })).expect("known");
    assert_eq!(send(&core, Target::All, b"all"), Reply::Queued(2));
    assert_eq!(a.read().expect("sent"), Message::binary(&b"all"[..]));
    assert_eq!(b.read().expect("sent"), Message::binary(&b"all"[..]));
    assert_eq!(send(&core, Target::Tag("t"), b"tag"), Reply::Queued(1));
    assert_eq!(a.read().expect("sent"), Message::binary(&b"tag"[..]));
    core.ask(&Command::Close(Close { id: &ids[0], code: 1000, reason: "bye" })).expect("known");
    assert!(matches!(a.read(), Ok(Message::Close(Some(frame))) if frame.reason == "bye"));
    let _ = a.read();
    wait_until("it is gone", || core.connections() == 1);
    assert_eq!(send(&core, Target::Client(&ids[0]), b"x"), Reply::Sent(Outcome::Gone));
}

#[test]
fn sends_come_in_order_whoever_has_the_turn_of_the_shard() {
    let core = started();
    // Sends that find the shard asleep are carried out by who sends, others by the shard; two clients share each shard.
    let mut known = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = connect(&core, "echo");
            let id = core.ids().into_iter().find(|id| !known.contains(id)).expect("the new one");
            known.push(id.clone());
            let core = &core;
            scope.spawn(move || {
                let (mut sent, mut came) = (0u32, 0);
                for burst in (1..40).cycle().take(400) {
                    for _ in 0..burst {
                        assert_eq!(send(core, Target::Client(&id), &sent.to_be_bytes()), Reply::Sent(Outcome::Queued));
                        sent += 1;
                    }
                    // What the client sends has the shard awake at that time.
                    client.send(Message::text("echo")).expect("sent");
                    let mut echoed = false;
                    while came < sent || !echoed {
                        match client.read().expect("a message") {
                            Message::Binary(data) => {
                                assert_eq!(data[..], came.to_be_bytes());
                                came += 1;
                            }
                            other => echoed = other == Message::text("echo"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(counter(&core, "messages_dropped"), 0);
}

#[test]
fn a_client_that_does_not_read_is_bounded_and_the_sender_is_told() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    let mut queued = 0;
    wait_until("the outbox is full", || match send(&core, Target::Client(&id), &[0; 10_000]) {
        Reply::Sent(Outcome::Queued) => {
            queued += 1;
            false
        }
        reply => {
            assert_eq!(reply, Reply::Sent(Outcome::Dropped));
            true
        }
    });
    assert!(counter(&core, "messages_dropped") >= 1);
    // The outbox, what the kernel keeps unsent, and the client's receive buffer.
    #[cfg(target_os = "linux")]
    assert!(queued * 10_000 <= 100_000 + 128 * 1024 + 300_000, "{queued} messages are on their way to a client that does not read");
    let too_large =
        Command::Send(SendTo { to: Target::Client(&id), route: None, except: None, binary: true, data: (&[0; 100_001]).into() });
    assert_eq!(core.ask(&too_large), Err(CommandError::TooLarge));
    for _ in 0..queued {
        assert_eq!(client.read().expect("what was queued arrives").len(), 10_000);
    }
    wait_until("there is room again", || send(&core, Target::Client(&id), b"x") == Reply::Sent(Outcome::Queued));
}

#[test]
fn a_route_takes_no_more_than_its_connections() {
    let core = started();
    let held = core.handshake("strict", HEAD, "");
    assert_eq!(held.status(), 101);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 503);
    drop(held);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 101);
}

#[test]
fn a_new_generation_keeps_connections_and_closes_those_of_removed_routes() {
    let core = started();
    let (mut stays, mut leaves) = (connect(&core, "echo"), connect(&core, "php"));
    core.stage(2, br#"{"routes":[{"name":"echo","echo":true,"max_message_size":10}]}"#).expect("legal");
    stays.send(Message::text("before")).expect("sent");
    assert_eq!(stays.read().expect("an answer"), Message::text("before"));
    core.commit(2).expect("staged");
    assert!(matches!(leaves.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    let _ = leaves.read();
    wait_until("it is forgotten though nobody handles its events", || core.stats()["connections_known"] == 1);
    assert_eq!(counter(&core, "events_dropped"), 2);
    assert_eq!(core.handshake("php", HEAD, "").status(), 503);
    stays.send(Message::text("longer than ten")).expect("sent");
    assert!(matches!(stays.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1009), "the new limit holds");
}

#[test]
fn a_generation_that_was_never_committed_leaves_without_a_trace() {
    let core = started();
    let mut client = connect(&core, "echo");
    core.stage(2, br#"{"routes":[]}"#).expect("legal");
    core.withdraw(2).expect("staged");
    client.send(Message::text("still")).expect("sent");
    assert_eq!(client.read().expect("an answer"), Message::text("still"));
    assert!(core.commit(2).is_err(), "it is forgotten");
    core.stage(3, br#"{"routes":[{"name":"echo","echo":true}]}"#).expect("legal");
    core.withdraw(1).expect("committed");
    client.send(Message::text("the staged one took over")).expect("sent");
    client.read().expect("an answer");
    core.withdraw(3).expect("committed");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001), "none is left");
}

#[test]
fn the_gate_ends_running_bells_and_holds_new_ones_back_and_nothing_is_lost() {
    let core = started();
    let mut client = connect(&core, "php");
    let running = bell(&core);
    assert!(next(&core, &running.1).is_some());
    let gate = std::thread::spawn({
        let core = core.clone();
        move || core.close_gate(Duration::from_secs(10))
    });
    wait_until("the bell is told to end", || next(&core, &running.1).is_none());
    end(&core, &running);
    assert_eq!(gate.join().expect("no panic"), 0);
    client.send(Message::text("meanwhile")).expect("sent");
    wait_until("it waits", || counter(&core, "events_pending") == 1);
    assert!(core.take_ring().is_none());
    core.open_gate();
    assert_eq!(handle(&core, 1), ["meanwhile"]);
}

#[test]
fn draining_closes_all_with_1001_delivers_the_close_events_and_refuses_new_connections() {
    let core = started();
    let mut client = connect(&core, "php");
    let reader = std::thread::spawn(move || {
        let close = client.read();
        let _ = client.read();
        close
    });
    let drain = std::thread::spawn({
        let core = core.clone();
        move || core.drain(Duration::from_secs(10))
    });
    assert_eq!(handle(&core, 2)[1], "close 1001 true");
    assert_eq!(drain.join().expect("no panic"), Left::default());
    assert!(matches!(reader.join().expect("no panic"), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    assert_eq!(core.handshake("echo", HEAD, "").status(), 503);
}

#[test]
fn what_a_drain_did_not_wait_for_is_told_apart_and_the_log_does_not_blame_a_worker() {
    let core = started();
    let mut answers = connect(&core, "php");
    let _silent = connect(&core, "php");
    set_timer(&core, 60_000, "later", false);
    // Nobody has answered yet.
    assert_eq!(core.drain(Duration::ZERO), Left { connections: 2, unhandled: 0 });
    let reader = std::thread::spawn(move || {
        while answers.read().is_ok() {}
        drop(answers);
    });
    reader.join().expect("it has read the close frame");
    // PHP handles nothing.
    wait_until("the one that answers has ended", || core.drain(Duration::ZERO) == Left { connections: 1, unhandled: 1 });
    core.stage(2, b"{}").expect("legal");
    core.withdraw(2).expect("staged");
    core.withdraw(1).expect("committed");
    let mut log = vec![0; 65536];
    let written = core.take_log(&mut log);
    let log = String::from_utf8_lossy(&log[..written]).into_owned();
    assert!(log.contains("PHP had not handled them when the server ended") && !log.contains("worker is gone"), "{log}");
}

#[test]
fn a_thousand_connections_opened_and_cut_leave_nothing() {
    let core = started();
    for round in 0..4 {
        let clients: Vec<_> = (0..250).map(|_| connect(&core, "echo")).collect();
        wait_until("all are there", || core.connections() == 250);
        drop(clients);
        wait_until("all are gone", || core.stats()["connections_known"] == 0);
        assert_eq!(counter(&core, "connections_opened"), (round + 1) * 250);
    }
}

/// Renames, tags, stores, sends, closes and cuts whatever clients there are, until `stop`; returns how many commands did something.
fn meddle(core: &Core, seed: u64, stop: &AtomicBool) -> u64 {
    let (mut random, mut done, mut renamed) = (seed, 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let ids = core.ids();
        for id in &ids {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (tag, new) = (format!("tag {}", random >> 60), format!("{seed} {renamed}"));
            let command = match random >> 33 & 15 {
                0..=3 => Command::Rename(Rename { id, new: &new }),
                4..=7 => Command::Tag(Tag { id, tag: &tag }),
                8 => Command::Untag(Untag { id, tag: &tag }),
                9 => Command::SetInformation(SetInformation { id, key: &tag, value: b"v".into() }),
                10 => Command::Send(SendTo { to: Target::Tag(&tag), route: None, except: Some(id), binary: true, data: b"m".into() }),
                11 => Command::Ping(Ping { id, how: Pinging::Every(100) }),
                12 => Command::Client(Describe { id }),
                13 => Command::Close(Close { id, code: 1000, reason: "" }),
                14 => Command::Kill(Kill { id }),
                _ => Command::List(List { of: Target::Expression("tag*&!tag?1"), route: Some("php") }),
            };
            match core.ask(&command) {
                Ok(Reply::Flag(false)) => {}
                Ok(_) => {
                    done += 1;
                    renamed += u64::from(matches!(command, Command::Rename(_)));
                }
                Err(error) => panic!("{command:?}: {error}"),
            }
        }
    }
    done
}

#[test]
fn concurrent_renames_tags_and_closes_leave_nothing_of_a_client_that_is_gone() {
    let core = started();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (1..=3)
        .map(|seed| {
            let (core, stop) = (core.clone(), stop.clone());
            std::thread::spawn(move || meddle(&core, seed, &stop))
        })
        .collect();
    // PHP handles their events meanwhile.
    let php = std::thread::spawn({
        let (core, stop) = (core.clone(), stop.clone());
        move || {
            let (mut opened, mut closed) = (0, 0);
            while !stop.load(Ordering::Relaxed) || counter(&core, "connections_known") > 0 {
                let Some(ring) = core.take_ring() else {
                    std::thread::yield_now();
                    continue;
                };
                let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
                while let Some(event) = next(&core, &bell) {
                    opened += u32::from(event.starts_with("open"));
                    closed += u32::from(event.starts_with("close"));
                }
                end(&core, &(ring.nonce, bell));
            }
            (opened, closed)
        }
    });
    for _ in 0..20 {
        let clients: Vec<_> = (0..20).map(|n| connect(&core, if n % 2 == 0 { "php" } else { "echo" })).collect();
        wait_until("some are closed", || core.connections() <= 10);
        drop(clients);
    }
    stop.store(true, Ordering::Relaxed);
    let done: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(php.join().expect("no panic"), (200, 200), "each was opened and closed, once");
    assert!(done > 1000, "{done} commands did something");
    assert_eq!((counter(&core, "connections"), counter(&core, "connections_known"), counter(&core, "tags")), (0, 0, 0));
    assert_eq!(core.ask(&Command::Tags(Tags { id: None })), Ok(Reply::Names(vec![])));
    assert_eq!(core.ask(&Command::Count(Count { of: Target::Expression("!nobody"), route: None })), Ok(Reply::Count(0)));
    // Their ids are free again.
    let _client = connect(&core, "echo");
    for id in ["1 0", "2 0", "3 0"] {
        assert_eq!(core.ask(&Command::Rename(Rename { id: &core.ids()[0], new: id })), Ok(Reply::Renamed(Renamed::Done)));
    }
}

fn described(core: &Core, id: &str) -> Client {
    match core.ask(&Command::Client(Describe { id })) {
        Ok(Reply::Client(client)) => *client,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_client_has_carried_is_known_until_its_close_event_is_handled() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    core.ask(&Command::Tag(Tag { id: &id, tag: "b" })).expect("legal");
    core.ask(&Command::Tag(Tag { id: &id, tag: "a" })).expect("legal");
    let before = described(&core, &id);
    assert_eq!(
        (&*before.route, &*String::from_utf8_lossy(&before.path), &*before.ip, &*before.transport),
        ("php", "/p", "192.0.2.1", "tcp")
    );
    assert_eq!((before.last_message_at, before.ping_time, before.connected), (None, None, true));
    assert_eq!(before.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["a", "b"]);

    client.send(Message::binary(vec![1; 100])).expect("sent");
    wait_until("it has come", || described(&core, &id).messages_received == 1);
    send(&core, Target::Client(&id), b"0123456789");
    assert_eq!(client.read().expect("an answer").len(), 10);
    wait_until("it is counted", || described(&core, &id).bytes_sent > 0);
    let after = described(&core, &id);
    assert_eq!((after.bytes_received, after.messages_sent, after.bytes_sent, after.queued_bytes), (106, 1, 12, 0));
    assert!(after.last_message_at >= Some(after.connected_at) && after.connected_at > 1_600_000_000_000);

    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Every(99) })), Err(CommandError::PingInterval));
    assert_eq!(core.ask(&Command::Ping(Ping { id: "nobody", how: Pinging::Every(100) })), Ok(Reply::Flag(false)));
    assert_eq!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Integer(0)));
    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Every(100) })), Ok(Reply::Flag(true)));
    assert!(matches!(client.read(), Ok(Message::Ping(_))));
    client.flush().expect("the pong");
    wait_until("the ping's time is known", || described(&core, &id).ping_time.is_some());
    assert!(matches!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Integer(1..))));
    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Off })), Ok(Reply::Flag(true)));

    drop(client);
    wait_until("it is closed", || !described(&core, &id).connected);
    handle(&core, 3);
    assert_eq!(core.ask(&Command::Client(Describe { id: &id })), Ok(Reply::Gone));
    assert_eq!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Gone));
}

#[test]
fn a_client_has_its_time_from_the_moment_it_is_known() {
    let core = started();
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let client = connect(&core, "echo");
            assert!(core.ids().iter().all(|id| described(&core, id).connected_at > 1_600_000_000_000));
            client
        })
        .collect();
    drop(clients);
}

fn set_timer(core: &Core, delay: u64, payload: &str, repeat: bool) -> i64 {
    match core.ask(&Command::SetTimer(SetTimer { delay, payload: payload.as_bytes().into(), repeat, worker: "w", name: None })) {
        Ok(Reply::Integer(id)) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn timers_are_told_to_their_worker_in_time_and_in_order() {
    let core = started();
    let since = Instant::now();
    let late = set_timer(&core, 120, "late", false);
    let soon = set_timer(&core, 40, "soon", false);
    let never = set_timer(&core, 60_000, "never", false);
    assert_eq!(core.ask(&Command::ClearTimer(ClearTimer { timer: never as u64 })), Ok(Reply::Flag(true)));
    assert_eq!(core.ask(&Command::ClearTimer(ClearTimer { timer: never as u64 })), Ok(Reply::Flag(false)));
    let mut told = handle(&core, 1);
    assert!(since.elapsed() >= Duration::from_millis(told.len() as u64 * 80 - 40), "{told:?}");
    if told.len() == 1 {
        told.extend(handle(&core, 1));
    }
    assert!(since.elapsed() >= Duration::from_millis(120));
    assert_eq!(told, [format!("timer {soon} soon"), format!("timer {late} late")]);
    assert_eq!((counter(&core, "timers"), counter(&core, "timers_fired")), (0, 2));
    let unknown = Command::SetTimer(SetTimer { delay: 1, payload: b"".into(), repeat: false, worker: "nobody", name: None });
    assert_eq!(core.ask(&unknown), Err(CommandError::UnknownWorker));
}

#[test]
fn a_repeating_timer_never_overtakes_itself() {
    let core = started();
    let id = set_timer(&core, 5, "tick", true);
    let bell = bell(&core);
    assert_eq!(next(&core, &bell.1), Some(format!("timer {id} tick")));
    wait_until("it is due again while it is handled", || counter(&core, "timers_skipped") >= 3);
    assert_eq!(counter(&core, "timers_fired"), 1);
    end(&core, &bell);
    let told = handle(&core, 2);
    assert!(told.iter().all(|event| *event == format!("timer {id} tick")), "{told:?}");
}

#[test]
fn timers_survive_a_reload_and_go_with_their_worker() {
    let core = started();
    set_timer(&core, 50, "stays", false);
    set_timer(&core, 60_000, "goes", false);
    core.stage(2, ROUTES.as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    assert_eq!(handle(&core, 1).len(), 1);
    core.stage(3, br#"{"routes":[{"name":"echo","echo":true}]}"#).expect("legal");
    core.commit(3).expect("staged");
    assert_eq!((counter(&core, "timers"), counter(&core, "timers_dropped")), (0, 1));
}

#[test]
fn a_worker_that_starts_sets_timers_before_its_configuration_is_in_force() {
    let core = started();
    let set = |worker: &str, payload: &str| {
        let command = Command::SetTimer(SetTimer { delay: 1, payload: payload.as_bytes().into(), repeat: false, worker, name: None });
        core.ask(&command).map(|_| ())
    };
    assert_eq!(set("new", "too early"), Err(CommandError::UnknownWorker));

    assert_eq!(core.close_gate(Duration::ZERO), 0);
    core.stage(2, br#"{"routes":[{"name":"r","worker":"new"}],"workers":[{"name":"other","threads":1}]}"#).expect("legal");
    assert_eq!(set("new", "from the start"), Ok(()));
    assert_eq!(set("other", "from the start"), Ok(()));
    assert_eq!(set("w", "of one that goes"), Ok(()));
    wait_until("they are due", || counter(&core, "timers_fired") == 3);
    assert!(core.take_ring().is_none(), "a bell while the gate is closed");
    core.commit(2).expect("staged");
    core.open_gate();
    let mut told: Vec<_> = (0..2).flat_map(|_| handle(&core, 1)).collect();
    told.iter_mut().for_each(|event| event.retain(|c| !c.is_ascii_digit()));
    assert_eq!(told, ["timer  from the start", "timer  from the start"]);

    // A configuration that is given up takes its timers along.
    core.stage(3, br#"{"workers":[{"name":"third","threads":1}]}"#).expect("legal");
    let late = Command::SetTimer(SetTimer { delay: 60_000, payload: b"".into(), repeat: false, worker: "third", name: None });
    core.ask(&late).expect("staged");
    core.withdraw(3).expect("staged");
    assert_eq!((counter(&core, "timers"), core.ask(&late)), (0, Err(CommandError::UnknownWorker)));
}

#[test]
fn a_failed_timer_event_is_counted_and_the_next_one_comes() {
    let core = started();
    set_timer(&core, 1, "bad", false);
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    assert!(core.fail_event(&bell.1, "on purpose"));
    end(&core, &bell);
    set_timer(&core, 1, "good", false);
    assert_eq!(handle(&core, 1).len(), 1);
    assert_eq!((counter(&core, "events_failed"), counter(&core, "events_acknowledged")), (1, 1));
}

#[test]
fn values_expire_without_being_read() {
    let core = started();
    let set = Command::Set(Set { key: b"k".into(), value: b"v\0".into(), expire: Some(1) });
    assert_eq!(core.ask(&set), Ok(Reply::Done));
    assert_eq!(core.ask(&Command::Get(Get { key: b"k".into() })), Ok(Reply::Value(Some((*b"v\0").into()))));
    assert!(matches!(core.ask(&Command::Expiry(Expiry { key: b"k".into() })), Ok(Reply::Expiry(Some(Some(1..=1000))))));
    let since = Instant::now();
    wait_until("its memory is free", || counter(&core, "values") == 0);
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(core.ask(&Command::Get(Get { key: b"k".into() })), Ok(Reply::Value(None)));
}

#[test]
fn of_many_threads_that_add_one_succeeds_and_increments_are_never_lost() {
    let core = started();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let core = core.clone();
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    core.ask(&Command::Increment(Increment { key: b"n".into(), by: 1 })).expect("an integer");
                }
                core.ask(&Command::Add(Add { key: b"lock".into(), value: b"".into(), expire: None })) == Ok(Reply::Flag(true))
            })
        })
        .collect();
    let winners = threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert_eq!(core.ask(&Command::Increment(Increment { key: b"n".into(), by: 0 })), Ok(Reply::Integer(8000)));
}

#[test]
fn a_request_that_was_answered_early_goes_on_with_its_events_and_is_waited_for_by_the_gate() {
    let core = started();
    let mut client = connect(&core, "php");
    client.send(Message::text("a")).expect("sent");
    wait_until("both have arrived", || counter(&core, "events_queued") == 2);
    let early = bell(&core);
    assert_eq!(next(&core, &early.1).as_deref(), Some("open /p?q=1"));
    core.end_bell(&early.0, Ended::Served, b"", "");
    assert!(matches!(early.1.current().expect("PHP still has it").event(), Event::Open(_)));
    assert_eq!(core.close_gate(Duration::ZERO), 1, "it still runs");
    core.open_gate();
    assert_eq!(next(&core, &early.1).as_deref(), Some("a"));
    assert_eq!(counter(&core, "events_failed"), 0);
    core.release_bell(&early.1, false, "");
    assert_eq!(core.close_gate(Duration::from_secs(10)), 0);
}

#[test]
fn an_event_that_the_host_ended_without_php_can_still_be_read() {
    let core = started();
    let mut client = connect(&core, "php");
    client.send(Message::text("payload")).expect("sent");
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    let mut event = None;
    wait_until("the message is there", || {
        event = event.or_else(|| {
            core.next_event(&bell.1).map(|current| match current.event() {
                Event::Message { data, .. } => (data.as_ptr() as usize, data.len()),
                event => panic!("{event:?}"),
            })
        });
        event.is_some()
    });
    core.end_bell(&bell.0, Ended::Abandoned, b"", "");
    let others: Vec<Box<[u8]>> = (0..1000).map(|_| b"payload"[..].into()).collect();
    let (address, len) = event.expect("just seen");
    assert!(others.iter().all(|other| other.as_ptr() as usize != address), "its memory was given to others");
    assert_eq!(len, 7);
}

#[test]
fn closed_connections_count_until_their_events_are_handled() {
    let core = started();
    drop(connect(&core, "strict"));
    wait_until("it is closed", || core.connections() == 0);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 503);
    assert_eq!(handle(&core, 2), ["open /p?q=1", "close 1006 false"]);
    wait_until("it is forgotten", || core.handshake("strict", HEAD, "").status() == 101);
}

#[test]
fn connections_of_a_route_that_goes_from_php_to_the_echo_end_and_php_is_told() {
    let core = started();
    let mut client = connect(&core, "php");
    assert_eq!(handle(&core, 1), ["open /p?q=1"]);
    core.stage(2, br#"{"routes":[{"name":"php","echo":true},{"name":"strict","worker":"w"}]}"#).expect("legal");
    core.commit(2).expect("staged");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    let _ = client.read();
    assert_eq!(handle(&core, 1), ["close 1001 true"]);
    let mut client = connect(&core, "php");
    client.send(Message::text("echo")).expect("sent");
    assert_eq!(client.read().expect("an answer"), Message::text("echo"));
}

#[test]
fn a_renamed_connection_keeps_its_events_in_order_and_what_was_sent_to_it() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    for n in 0..3 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    wait_until("all have arrived", || counter(&core, "events_queued") == 4);
    let bell = bell(&core);
    assert_eq!(core.next_event(&bell.1).expect("open").id(), &*id);
    send(&core, Target::Client(&id), b"before");
    assert_eq!(core.ask(&Command::Rename(Rename { id: &id, new: "ann" })), Ok(Reply::Renamed(Renamed::Done)));
    assert_eq!(core.ask(&Command::Rename(Rename { id: &id, new: "bob" })), Ok(Reply::Renamed(Renamed::Gone)));
    assert_eq!(send(&core, Target::Client("ann"), b"after"), Reply::Sent(Outcome::Queued));
    for n in ["0", "1", "2"] {
        let current = core.next_event(&bell.1).expect("a message");
        assert_eq!(current.id(), "ann");
        assert!(matches!(current.event(), Event::Message { data, .. } if **data == *n.as_bytes()));
    }
    assert_eq!(client.read().expect("sent"), Message::binary(&b"before"[..]));
    assert_eq!(client.read().expect("sent"), Message::binary(&b"after"[..]));
    assert_eq!(core.ask(&Command::Kill(Kill { id: "ann" })), Ok(Reply::Flag(true)));
    assert!(client.read().is_err());
    wait_until("the close event comes", || next(&core, &bell.1).as_deref() == Some("close 1006 false"));
    end(&core, &bell);
    assert_eq!(core.ask(&Command::Kill(Kill { id: "ann" })), Ok(Reply::Flag(false)));
    assert!(matches!(core.ask(&Command::Routes), Ok(Reply::Names(names)) if names.len() == 3));
}
