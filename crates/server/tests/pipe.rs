//! Pipes of the running core: the test is the host that carries the bytes.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fws_hub::command::{Close, Kill, List, SendTo};
use fws_hub::{Command, Reply, Target};
use fws_server::{Config, Core, News, PipeId, Transport};

const PATIENCE: Duration = Duration::from_secs(10);

const ROUTES: &str = r#"{"routes":[
  {"name":"echo","echo":true,"max_outbox":100000},
  {"name":"php","worker":"w","max_outbox":100000,"max_pending_events":8},
  {"name":"single","echo":true,"max_connections_per_ip":1}]}"#;

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
    let handshake = core.handshake_by_connect(route, HEAD, "192.0.2.1");
    assert_eq!((handshake.status(), handshake.headers()), (200, &[][..]), "{}", handshake.text());
    core.open_pipe(handshake, Transport::Http2).expect("accepted")
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    common::wait_until(PATIENCE, what, condition);
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
    core.ask(&Command::Send(SendTo { to: Target::All, route: None, except: None, binary: true, data: data.into() })).expect("legal");
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
    let Ok(Reply::Names(ids)) = core.ask(&Command::List(List { of: Target::All, route: None })) else { panic!("a list") };
    core.ask(&Command::Close(Close { id: &ids[0], code: 4000, reason: "bye" })).expect("legal");
    take(&core, pipe, |got, _| got == b"\x88\x05\x0f\xa0bye");
    feed(&core, pipe, &[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0]);
    take(&core, pipe, |_, news| news.finished && !news.over);
    core.end_pipe(pipe).expect("live");
    take(&core, pipe, |_, news| news.over);

    let other = open(&core, "echo");
    feed(&core, other, HI);
    take(&core, other, |got, _| got == b"\x81\x02hi");
    let Ok(Reply::Names(ids)) = core.ask(&Command::List(List { of: Target::All, route: None })) else { panic!("a list") };
    core.ask(&Command::Kill(Kill { id: &ids[0] })).expect("live");
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

/// Set when dropped: also by a thread that panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the host knows of a pipe that is to be done, and who waits for it.
#[derive(Default)]
struct Told {
    news: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Told {
    fn tell(&self, news: News) {
        let mut told = self.news.lock().expect("no panic");
        told.0 |= news.output || news.over;
        told.1 |= news.resume || news.over;
        self.changed.notify_all();
    }

    /// Waits for what is told of one direction, as a host does: without another look.
    fn wait(&self, which: impl Fn(&mut (bool, bool)) -> &mut bool) {
        let told = self.news.lock().expect("no panic");
        let (mut told, timeout) = self.changed.wait_timeout_while(told, Duration::from_secs(20), |told| !*which(told)).expect("no panic");
        assert!(!timeout.timed_out(), "waited in vain to be told");
        *which(&mut told) = false;
    }
}

/// How many messages go through each pipe.
const MESSAGES: u32 = 3000;

/// How long the payload of a message is, in the pipe of this seed.
fn length(seed: usize, n: u32) -> usize {
    4 + ((n.wrapping_add(seed as u32).wrapping_mul(0x9e37_79b9) >> 7) % 3000) as usize
}

/// Sends all messages, as a host does with what its client sends.
fn feed_all(core: &Core, pipe: PipeId, told: &Told, seed: usize) {
    for n in 0..MESSAGES {
        let length = length(seed, n);
        let mut frame = vec![0x82, 0xfe, (length >> 8) as u8, length as u8, 0, 0, 0, 0];
        if length < 126 {
            frame = vec![0x82, 0x80 | length as u8, 0, 0, 0, 0];
        }
        frame.extend_from_slice(&n.to_be_bytes());
        frame.resize(frame.len() - 4 + length, n as u8);
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let (count, news) = core.feed_pipe(pipe, rest).expect("live");
            rest = &rest[count..];
            told.tell(news);
            if !rest.is_empty() {
                told.wait(|told| &mut told.1);
            }
        }
    }
}

/// Takes all answers, which are the messages, and looks that they come in order and whole.
fn take_all(core: &Core, pipe: PipeId, told: &Told, seed: usize) {
    let (mut got, mut at, mut buffer) = (Vec::new(), 0, [0; 5000]);
    let mut n = 0;
    while n < MESSAGES {
        let (count, news) = core.take_pipe(pipe, &mut buffer).expect("live");
        got.extend_from_slice(&buffer[..count]);
        while n < MESSAGES {
            let length = length(seed, n);
            let header = if length < 126 { 2 } else { 4 };
            let Some(frame) = got.get(at..at + header + length) else { break };
            assert_eq!(frame[header..header + 4], n.to_be_bytes(), "of the pipe {seed}");
            at += header + length;
            n += 1;
        }
        got.drain(..at);
        at = 0;
        if n < MESSAGES && !news.output {
            told.wait(|told| &mut told.0);
        }
    }
    assert!(got.is_empty());
}

#[test]
fn nothing_is_lost_or_out_of_order_however_the_threads_of_the_host_and_the_shards_meet() {
    let core = started();
    let pipes: Vec<(PipeId, Told)> = (0..6).map(|_| (open(&core, "echo"), Told::default())).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        let mut hosts = Vec::new();
        // It takes what is dirty, and nothing else tells of it.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                match core.dirty_pipe() {
                    Some((id, news)) => pipes.iter().filter(|(of, _)| *of == id).for_each(|(_, told)| told.tell(news)),
                    None => std::thread::yield_now(),
                }
            }
        });
        // Limits come and go meanwhile.
        scope.spawn(|| {
            for generation in 2.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let most = if generation % 2 == 0 { "1000" } else { "1000000" };
                core.stage(generation, ROUTES.replace("100000", most).as_bytes()).expect("legal");
                core.commit(generation).expect("staged");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for (seed, (pipe, told)) in pipes.iter().enumerate() {
            let core = &core;
            hosts.push(scope.spawn(move || feed_all(core, *pipe, told, seed)));
            hosts.push(scope.spawn(move || take_all(core, *pipe, told, seed)));
        }
        for host in hosts {
            host.join().expect("no panic");
        }
    });
    for (pipe, _) in &pipes {
        core.close_pipe(*pipe).expect("live");
    }
    wait_until("all is given back", || core.stats()["connections_known"] == 0 && core.stats()["pipes"] == 0);
}

#[test]
fn a_connection_takes_the_place_of_its_address_until_the_host_is_through_with_it() {
    let core = started();
    let status = || core.handshake_by_connect("single", HEAD, "192.0.2.1").status();
    let mut pipes = Vec::new();
    for _ in 0..2 {
        // One that is over makes room, once.
        let pipe = open(&core, "single");
        assert_eq!(status(), 429);
        feed(&core, pipe, &[0x82, 0x00]);
        wait_until("it is over", || core.connections() == 0);
        pipes.push(pipe);
    }
    // For the shard both come to their end; the host has two sockets.
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    assert_eq!(status(), 429);
    core.close_pipe(pipes[0]).expect("live");
    assert_eq!(status(), 200);
    core.close_pipe(pipes[1]).expect("live");
    assert_eq!(status(), 200);
}
