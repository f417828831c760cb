//! Pipes of the running core: the test is the host that carries the bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_hub::{Command, Reply, Target};
use fws_server::{Config, Core, News, PipeId, Transport};

const ROUTES: &str = r#"{"routes":[
  {"name":"echo","echo":true,"max_outbox":100000},
  {"name":"php","worker":"w","max_outbox":100000,"max_pending_events":8}]}"#;

const HEAD: &[u8] = b"CONNECT /p?q=1 HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// `hi` from a client.
const HI: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn open(core: &Core, route: &str) -> PipeId {
    let handshake = core.handshake(route, HEAD, "192.0.2.1", true);
    assert_eq!((handshake.status(), handshake.headers()), (200, &[][..]), "{}", handshake.text());
    core.open_pipe(handshake, Transport::Http2).expect("accepted")
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Feeds until all is taken.
fn feed(core: &Core, pipe: PipeId, mut bytes: &[u8]) {
    wait_until("all is fed", || {
        let (count, _) = core.feed_pipe(pipe, bytes).expect("live");
        bytes = &bytes[count..];
        bytes.is_empty()
    });
}

/// Takes until `enough`.
fn take(core: &Core, pipe: PipeId, enough: impl Fn(&[u8], News) -> bool) -> Vec<u8> {
    let (mut got, mut buffer) = (Vec::new(), [0; 1000]);
    wait_until("there is enough to take", || {
        let (count, news) = core.take_pipe(pipe, &mut buffer).expect("live");
        got.extend_from_slice(&buffer[..count]);
        enough(&got, news)
    });
    got
}

/// Looks at dirty pipes until one of them is this one.
fn news(core: &Core, pipe: PipeId) -> News {
    let mut found = None;
    wait_until("the pipe is dirty", || {
        found = core.dirty_pipe().filter(|(id, _)| *id == pipe);
        found.is_some()
    });
    found.expect("just seen").1
}

fn send(core: &Core, data: &[u8]) {
    core.execute(&Command::Send { to: Target::All, route: None, except: None, binary: true, data: data.into() }).expect("legal");
}

#[test]
fn a_pipe_is_dirty_once_until_the_host_has_looked() {
    let core = started();
    let pipe = open(&core, "echo");
    for _ in 0..100 {
        send(&core, b"x");
    }
    take(&core, pipe, |got, _| got.len() == 300);
    assert!(!news(&core, pipe).resume);
    assert_eq!(core.dirty_pipe(), None, "listed twice");
    send(&core, b"y");
    assert_eq!(news(&core, pipe), News { output: true, ..News::default() });
    core.close_pipe(pipe).expect("live");
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0 && core.stats()["pipes"] == 0);
}

#[test]
fn who_feeds_is_told_at_once_what_came_of_it() {
    let core = started();
    let pipe = open(&core, "echo");
    // The shard has it when a message comes through it.
    send(&core, b"x");
    take(&core, pipe, |got, _| got.len() == 3);
    while core.dirty_pipe().is_some() {}
    wait_until("the shard is free for the feeder", || {
        let (count, news) = core.feed_pipe(pipe, HI).expect("live");
        assert_eq!(count, HI.len());
        news.output
    });
    core.close_pipe(pipe).expect("live");
}

#[test]
fn a_connection_whose_events_nobody_handles_is_not_read_any_more() {
    let core = started();
    let pipe = open(&core, "php");
    let mut fed = 0;
    let message = [&[0x82, 0xfe, 4, 0, 0, 0, 0, 0][..], &[0; 1024]].concat();
    wait_until("a feed is refused", || {
        let (count, _) = core.feed_pipe(pipe, &message).expect("live");
        fed += count;
        count < message.len()
    });
    assert!(fed < 200_000, "{fed} bytes were taken though nobody handles them");
    let rest = (message.len() - fed % message.len()) % message.len();

    let mut ring = None;
    wait_until("a bell is wanted", || {
        ring = ring.take().or_else(|| core.take_ring());
        ring.is_some()
    });
    let nonce = ring.expect("just seen").nonce;
    let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("live");
    let (mut events, mut resumed) = (0, false);
    wait_until("the host is told to go on", || {
        events += usize::from(core.next_event(&bell).is_some());
        resumed |= core.dirty_pipe().is_some_and(|(_, news)| news.resume);
        resumed
    });
    feed(&core, pipe, &message[message.len() - rest..]);
    core.release_bell(&bell, false, "");
    core.close_pipe(pipe).expect("live");
}

#[test]
fn commands_reach_a_pipe_and_its_end_is_told() {
    let core = started();
    let pipe = open(&core, "echo");
    feed(&core, pipe, HI);
    take(&core, pipe, |got, _| got == b"\x81\x02hi");
    let Ok(Reply::Names(ids)) = core.execute(&Command::List { of: Target::All, route: None }) else { panic!("a list") };
    core.execute(&Command::Close { id: &ids[0], code: 4000, reason: "bye" }).expect("legal");
    take(&core, pipe, |got, _| got == b"\x88\x05\x0f\xa0bye");
    feed(&core, pipe, &[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0]);
    take(&core, pipe, |_, news| news.finished && !news.over);
    core.end_pipe(pipe).expect("live");
    take(&core, pipe, |_, news| news.over);

    let other = open(&core, "echo");
    feed(&core, other, HI);
    take(&core, other, |got, _| got == b"\x81\x02hi");
    let Ok(Reply::Names(ids)) = core.execute(&Command::List { of: Target::All, route: None }) else { panic!("a list") };
    core.execute(&Command::Kill { id: &ids[0] }).expect("live");
    take(&core, other, |_, news| news.over);
    assert_eq!(core.feed_pipe(other, HI).map(|(count, _)| count), Some(HI.len()), "what comes after the end is thrown away");
    for pipe in [pipe, other] {
        core.close_pipe(pipe).expect("live");
        assert_eq!(core.take_pipe(pipe, &mut [0; 10]), None);
    }
}

#[test]
fn large_messages_go_through_small_pipes_both_ways() {
    let core = started();
    let pipe = open(&core, "echo");
    let payload: Vec<u8> = (0..900_000u32).map(|n| n as u8).collect();
    let mut frame = vec![0x82, 0xff];
    frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&payload);
    feed(&core, pipe, &frame);
    let got = take(&core, pipe, |got, _| got.len() == payload.len() + 10);
    assert!(got[10..] == payload);
    core.close_pipe(pipe).expect("live");
}

#[test]
fn a_pipe_that_the_host_is_through_with_ends_its_connection_though_nothing_more_can_be_written() {
    let core = started();
    let pipe = open(&core, "echo");
    let mut message = vec![0x82, 0xfe, 0x3f, 0xff, 0, 0, 0, 0];
    message.resize(8 + 0x3fff, 0);
    // The host takes nothing: what waits fills the pipe, then the outbox, and then what was fed is not read.
    wait_until("a feed is refused", || core.feed_pipe(pipe, &message).expect("live").0 < message.len());
    assert_eq!(core.close_pipe(pipe), Some(()));
    wait_until("the connection is cut", || core.stats()["connections_known"] == 0);
}
