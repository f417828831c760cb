use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use fws_engine::{Engine, Past, Place, Recorder, Sent};
use fws_hub::command::{SendTo, Tag};
use fws_hub::{HistoryPolicy, Position};
use parking_lot::Mutex;
use socket2::Socket;

use super::*;
use crate::core::Config;

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ROUTES: &[u8] = br#"{"routes":[{"name":"chat","echo":true,"channels":[{"pattern":"news:*","history":{"count":9,"age":3600000}}]}]}"#;

/// An engine whose Redis has this many messages of a channel, and tells when it is asked for them.
struct Records {
    last: Mutex<u64>,
    asked: Sender<Option<Position>>,
}

impl Engine for Records {
    fn place(&self, _: Scope<'_>) -> Place {
        Place::Here
    }

    fn ask_others(&self, _: &Command<'_>) -> Result<Vec<Reply>, CommandError> {
        Ok(Vec::new())
    }

    fn recorder(&self) -> Option<&dyn Recorder> {
        Some(self)
    }

    fn standing(&self) -> Option<fws_engine::Standing> {
        Some(fws_engine::Standing::default())
    }
}

impl Recorder for Records {
    fn record(&self, _: &str, _: &SendTo<'_>, _: HistoryPolicy) -> Result<(), CommandError> {
        Ok(())
    }

    fn read(&self, _: &str, _: &str, after: Option<Position>, _: usize, _: HistoryPolicy) -> Result<Past, CommandError> {
        let last = *self.last.lock();
        let sent = |offset| Sent { offset, time: 0, binary: false, except: None, data: b"hello"[..].into() };
        let messages = after.map_or_else(Vec::new, |after| (after.offset + 1..=last).map(sent).collect());
        let _ = self.asked.send(after);
        Ok(Past { last: Position { epoch: 1, offset: last }, read: last, messages })
    }

    fn clear(&self, _: &str, _: &str) -> Result<bool, CommandError> {
        Ok(false)
    }
}

/// A server with a member of a channel that is at its first message; its relay; and what Redis is asked for.
fn server() -> (Arc<Core>, Arc<Records>, Relay, Receiver<Option<Position>>, TcpStream) {
    let (asked, questions) = channel();
    let records = Arc::new(Records { last: Mutex::new(1), asked });
    let core = Core::start_with(&Config { shards: 1, ..Config::default() }, records.clone()).expect("threads and epolls");
    core.stage(1, ROUTES).expect("legal");
    core.commit(1).expect("staged");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("loopback");
    let socket = Socket::from(listener.accept().expect("a connection").0);
    socket.set_nonblocking(true).expect("a socket");
    assert!(core.adopt(core.handshake("chat", HEAD, "192.0.2.1"), socket, &[]).is_ok());
    let id = core.ids()[0].clone();
    assert_eq!(core.ask(&Command::Tag(Tag { id: &id, tag: "news:1", since: None, member: None })), Ok(Reply::Flag(true)));
    assert_eq!(questions.recv(), Ok(None), "it is found out where the channel is");
    let relay = Relay::start(&core).expect("threads");
    (core, records, relay, questions, client)
}

/// Has the thread that keeps the order wait; until what is returned is dropped.
fn hold_up(relay: &Relay) -> Sender<()> {
    let (go_on, wait) = channel::<()>();
    let (tell, begun) = channel();
    relay.in_order(Box::new(move || {
        let _ = tell.send(());
        let _ = wait.recv();
    }));
    begun.recv().expect("it waits");
    go_on
}

fn fill(relay: &Relay) {
    let big = || Incoming { from: fws_engine::NodeId::random().expect("randomness"), payload: vec![0; 1 << 20], number: 1, answer: None };
    while relay.dropped() == 0 {
        relay.give(big());
    }
}

#[test]
fn a_recorded_message_that_finds_no_room_is_fetched_without_a_further_one() {
    let (core, records, relay, questions, _client) = server();
    let _held = hold_up(&relay);
    fill(&relay);
    *records.last.lock() = 2;
    let payload = super::super::recorder::tests::entry("chat", "news:1", &[b'x'; 2 << 20]);
    relay.recorded(1, Recorded { offset: 2, time: 0, payload });
    assert_eq!(questions.recv(), Ok(Some(Position { epoch: 1, offset: 1 })), "while the others still wait");
    assert_eq!(core.counters.to_json()["history_gaps"], 0);
    assert_eq!(relay.dropped(), 1, "it is not lost");
}

#[test]
fn clients_are_closed_and_channels_fetched_although_too_much_waits_and_what_is_dropped_is_said() {
    let (core, records, relay, questions, _client) = server();
    let held = hold_up(&relay);
    fill(&relay);
    relay.catch_up();
    *records.last.lock() = 2;
    drop(held);
    assert_eq!(questions.recv(), Ok(Some(Position { epoch: 1, offset: 1 })));
    let _held = hold_up(&relay);
    relay.close(vec![core.ids()[0].to_string().into()]);
    while core.connections() > 0 {
        std::thread::yield_now();
    }
    let mut buffer = vec![0; 64 << 10];
    let written = core.take_log(&mut buffer);
    let log = String::from_utf8_lossy(&buffer[..written]).into_owned();
    assert_eq!(log.matches("were dropped: they came faster").count(), 1, "{log}");
}
