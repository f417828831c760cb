//! A shard by itself, with surroundings that only take notes.

use std::cell::RefCell;
use std::time::Duration;

use fws_hub::RouteId;
use fws_session::{Closed, Event, Failed, Opened, Saved};

use super::*;
use crate::conn::{Request, Through, Transport};
use crate::dispatch::BranchId;
use crate::pipe::Pipes;
use crate::quota::{Quota, Seat};
use crate::routes::RoutesConfig;

/// What a shard has told its surroundings, in order.
#[derive(Default)]
struct Notes {
    told: RefCell<Vec<String>>,
    /// Says of every event that its connection is not to be read for now.
    full: bool,
}

impl Notes {
    fn note(&self, what: String) {
        self.told.borrow_mut().push(what);
    }

    fn take(&self) -> Vec<String> {
        self.told.take()
    }
}

impl Surroundings for Notes {
    fn push(&self, events: &mut Vec<Arrival>) -> Vec<Key> {
        let keys = events.iter().filter_map(|arrival| arrival.source.conn()).map(|conn| conn.key).collect();
        for arrival in events.drain(..) {
            self.note(match arrival.event {
                Event::Open(_) => "open".to_owned(),
                Event::Message { data, .. } => format!("message {}", String::from_utf8_lossy(&data)),
                Event::Close(closed) => format!("close {}", closed.code),
                Event::Suspend => "suspend".to_owned(),
                Event::Resume(opened) => format!("resume {}", opened.ip),
                of_no_connection => of_no_connection.name().to_owned(),
            });
        }
        if self.full { keys } else { Vec::new() }
    }

    fn has_pending(&self) -> bool {
        false
    }

    fn care(&self) {}

    fn next_alarm(&self) -> Option<Duration> {
        None
    }

    fn ring_alarms(&self) {}

    fn dismiss(&self, _: &Arc<Conn>) {
        self.note("dismissed".to_owned());
    }

    fn suspend(&self, _: &Conn) -> bool {
        true
    }

    fn resumed(&self, _: &Conn) {
        self.note("resumed".to_owned());
    }

    fn closed(&self, _: &Conn) {
        self.note("closed".to_owned());
    }

    fn through(&self, _: &Conn, side: Through) {
        self.note(format!("through {side:?}"));
    }

    fn failed(&self, _: &Conn, failed: Failed, _: &Closed) {
        self.note(format!("failed {failed:?}"));
    }

    fn count(&self, tally: &Tally, _: Saved) {
        if tally.messages_received + tally.messages_discarded > 0 {
            self.note(format!("counted {} received, {} discarded", tally.messages_received, tally.messages_discarded));
        }
    }

    fn evict(&self) {}

    fn report(&self, report: Report, _: &Conn, count: u64) {
        self.note(format!("{report:?} {count}"));
    }

    fn complain(&self, message: &str, _: Option<&Conn>, _: &io::Error) {
        self.note(message.to_owned());
    }
}

/// A shard without a thread, and a client of it that is connected by a pipe.
struct Stage {
    handle: ShardHandle,
    pipes: Pipes,
    pipe: crate::pipe::PipeId,
    key: Key,
    notes: Notes,
}

impl Stage {
    fn new() -> Stage {
        let (_thread, handle) = Shard::create(0, 1, Spares::default()).expect("an epoll");
        let config = RoutesConfig::parse(br#"{"routes":[{"name":"r","worker":"w"}]}"#).expect("legal");
        let quota = Arc::new(Quota::default());
        let route = Arc::new(Route::new(&config.routes[0], RouteId(0), "r".into(), quota.clone(), |_| BranchId(0)));
        let key = Key { index: 0, generation: 0 };
        let request = Request { path: (*b"/").into(), ip: "192.0.2.1".into(), subprotocol: "".into(), transport: Transport::Tls };
        let conn = Arc::new(Conn::new(key, "ann".into(), &route, BranchId(0), request));
        let pipes = Pipes::new().expect("a flag");
        let pipe = pipes.open(key, Seat::new(quota, None, key));
        let stage = Stage { handle, pipe: pipe.id(), pipes, key, notes: Notes::default() };
        let opened = Opened { path: b"/".into(), ip: "192.0.2.1".into(), ..Opened::default() };
        stage.turn(vec![
            Op::Enter(Box::new(Newcomer { conn, route, greeting: None })),
            Op::Link(Box::new(Linked { key, link: Link::Pipe(pipe), opened: Box::new(opened), buffered: Box::default() })),
        ]);
        stage
    }

    /// A turn in which these are carried out.
    fn turn(&self, ops: Vec<Op>) {
        let mut shard = self.handle.shard.lock();
        let mut scratch = vec![0; SCRATCH];
        for op in ops {
            shard.carry_out(&self.notes, op, &mut scratch);
        }
        shard.read_all(&mut scratch);
        shard.finish_all(&self.notes);
        shard.hand_over(&self.notes);
        shard.count_up(&self.notes);
    }

    /// The client sends a short text message, on a thread that has the turn.
    fn message(&self, text: &str) -> usize {
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.feed(&frame)
    }

    fn feed(&self, bytes: &[u8]) -> usize {
        let pipe = self.pipes.get(self.pipe).expect("it is open");
        self.handle.try_turn(&self.notes, &pipe, bytes).map_or(0, |(count, _)| count)
    }

    /// What the client gets.
    fn output(&self) -> Vec<u8> {
        let mut buffer = [0; 1024];
        let (count, ..) = self.pipes.get(self.pipe).expect("it is open").take(&mut buffer);
        buffer[..count].to_vec()
    }
}

#[test]
fn messages_are_pushed_in_order_behind_the_open_event() {
    let stage = Stage::new();
    assert_eq!(stage.notes.take(), ["open"]);
    assert_eq!((stage.message("a"), stage.message("b")), (7, 7));
    assert_eq!(stage.notes.take(), ["message a", "counted 1 received, 0 discarded", "message b", "counted 1 received, 0 discarded"]);
}

#[test]
fn a_connection_that_is_not_to_be_read_is_not_read_until_it_may_be_again() {
    let mut stage = Stage::new();
    stage.notes.full = true;
    assert_eq!(stage.message("a"), 7);
    assert_eq!(stage.message("b"), 0, "the host has to queue it");
    stage.notes.full = false;
    stage.turn(vec![Op::ReadAgain { key: stage.key }]);
    assert_eq!(stage.message("b"), 7);
}

#[test]
fn a_hushed_shard_reads_nothing_more_until_its_clients_are_closed_and_says_when_it_is_quiet() {
    let stage = Stage::new();
    stage.message("before");
    let (done, quiet) = std::sync::mpsc::channel();
    stage.turn(vec![Op::Hush { done }]);
    assert_eq!(quiet.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected), "what it has read is pushed");
    stage.notes.take();
    assert_eq!(stage.message("meanwhile"), 0, "the host has to queue it");
    assert_eq!(stage.notes.take(), Vec::<String>::new());
    stage.turn(vec![Op::CloseRoute { route: None }]);
    let told = stage.notes.take();
    assert!(!told.is_empty() && told.iter().all(|what| what == "dismissed"), "{told:?}");
    assert_eq!(stage.message("meanwhile"), 15, "it is read on, for its close frame");
}

#[test]
fn a_close_of_the_server_dismisses_the_client_and_is_one_event_when_the_client_has_answered() {
    let stage = Stage::new();
    stage.notes.take();
    stage.turn(vec![Op::Close { key: stage.key, code: 4001, reason: "enough".into() }]);
    let told = stage.notes.take();
    assert!(!told.is_empty() && told.iter().all(|what| what == "dismissed"), "{told:?}");
    assert_eq!(stage.output(), b"\x88\x08\x0f\xa1enough");
    stage.feed(&[0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1]);
    let told = stage.notes.take();
    assert_eq!(told.iter().filter(|what| what.starts_with("close ")).collect::<Vec<_>>(), ["close 4001"]);
    assert_eq!(told.iter().filter(|what| **what == "closed").count(), 1);
}

#[test]
fn a_violation_is_told_with_its_code_and_nothing_behind_it_is_pushed() {
    let stage = Stage::new();
    stage.notes.take();
    // A frame that is not masked, and a message behind it.
    stage.feed(b"\x81\x01a\x81\x81\0\0\0\0b");
    let told = stage.notes.take();
    assert!(told.contains(&"failed Violation".to_owned()) && told.contains(&"close 1002".to_owned()), "{told:?}");
    assert!(!told.iter().any(|what| what.starts_with("message")), "{told:?}");
}

#[test]
fn an_idle_connection_stays_small() {
    // Up to 184 bytes glibc takes 192.
    assert!(size_of::<Entry>() <= 184, "{}", size_of::<Entry>());
}
