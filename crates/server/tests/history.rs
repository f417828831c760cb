//! Histories of channels: what is recorded, and what a client gets that joins.

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fws_hub::command::{ClearHistory, ReadHistory, SendTo, Tag, Untag};
use fws_hub::{Command, CommandError, History, Outcome, Reply, Target};
use fws_server::{Config, Core};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ROUTES: &str = r#"{"routes":[
  {"name":"chat","echo":true,"compression":{"threshold":100},"max_outbox":10000000,"channels":[
    {"pattern":"room:quiet","history":{"count":1,"age":3600000000000}},
    {"pattern":"room:*","history":{"count":100000,"age":3600000000000}}]},
  {"name":"news","echo":true,"channels":[{"pattern":"room:*","history":{"count":2,"age":3600000000000}}]},
  {"name":"plain","echo":true}]}"#;

fn started_with(config: Config, routes: &str) -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..config }).expect("threads and epolls");
    core.stage(1, routes.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn started() -> Arc<Core> {
    started_with(Config::default(), ROUTES)
}

/// A client with an id.
fn connect(core: &Core, route: &str, id: &str) -> WebSocket<TcpStream> {
    let mut handshake = core.handshake(route, HEAD, "192.0.2.1");
    core.set_id(&mut handshake, id).expect("free");
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn send(core: &Core, tag: &str, route: Option<&str>, data: &str) -> u64 {
    let send = SendTo { to: Target::Tag(tag), route, except: None, binary: false, data: data.as_bytes().into() };
    match core.ask(&Command::Send(send)) {
        Ok(Reply::Queued(queued)) => queued,
        other => panic!("{other:?}"),
    }
}

fn join(core: &Core, id: &str, tag: &str, since: Option<&str>) -> Result<Reply, CommandError> {
    core.ask(&Command::Tag(Tag { id, tag, since, member: None }))
}

fn history(core: &Core, tag: &str, since: Option<&str>, limit: u32, route: Option<&str>) -> Result<History, CommandError> {
    core.ask(&Command::History(ReadHistory { tag, since, limit, route })).map(|reply| match reply {
        Reply::History(history) => *history,
        other => panic!("{other:?}"),
    })
}

fn texts(history: &History) -> Vec<String> {
    history.messages.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect()
}

#[test]
fn what_is_sent_to_a_channel_is_kept_for_its_route_and_nothing_else_is() {
    let core = started();
    assert_eq!(texts(&history(&core, "room:1", None, 0, Some("chat")).expect("a channel")), [""; 0]);
    for n in 0..3 {
        send(&core, "room:1", None, &n.to_string());
        send(&core, "room:1", Some("chat"), &format!("chat {n}"));
        send(&core, "room:quiet", Some("chat"), &n.to_string());
        send(&core, "hall", None, "no channel");
    }
    let chat = history(&core, "room:1", None, 0, Some("chat")).expect("a channel");
    assert_eq!((texts(&chat), chat.complete), (["0", "chat 0", "1", "chat 1", "2", "chat 2"].map(String::from).into(), true));
    assert_eq!(chat.messages.iter().map(|message| message.offset).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(chat.messages.iter().all(|message| message.time > 1_700_000_000_000 && !message.binary));
    let news = history(&core, "room:1", None, 0, Some("news")).expect("a channel");
    assert_eq!((texts(&news), news.complete), (["1", "2"].map(String::from).into(), false));
    assert_eq!(texts(&history(&core, "room:quiet", None, 0, Some("chat")).expect("a channel")), ["2"], "the first pattern counts");

    // Paging, from any place on.
    let page = history(&core, "room:1", Some(&chat.messages[1].position), 3, Some("chat")).expect("a channel");
    assert_eq!((texts(&page), page.complete), (["1", "chat 1", "2"].map(String::from).into(), true));
    assert_eq!(texts(&history(&core, "room:1", None, 2, Some("chat")).expect("a channel")), ["2", "chat 2"], "the last ones");
    assert_eq!(texts(&history(&core, "room:1", Some(&chat.position), 0, Some("chat")).expect("a channel")), [""; 0]);

    assert_eq!(history(&core, "room:1", None, 0, None), Err(CommandError::SeveralHistories));
    assert_eq!(history(&core, "hall", None, 0, None), Err(CommandError::NoHistory));
    assert_eq!(history(&core, "room:1", None, 0, Some("plain")), Err(CommandError::NoHistory));
    assert!(matches!(history(&core, "room:1", None, 0, Some("nowhere")), Err(CommandError::UnknownRoute(_))));
    assert!(matches!(history(&core, "room:1", Some("12"), 0, Some("chat")), Err(CommandError::InvalidPosition(_))));
    let clear = |tag| core.ask(&Command::ClearHistory(ClearHistory { tag, route: Some("chat") }));
    assert_eq!(
        (clear("room:1"), clear("room:1"), clear("room:9")),
        (Ok(Reply::Flag(true)), Ok(Reply::Flag(false)), Ok(Reply::Flag(false)))
    );
    let after = history(&core, "room:1", Some(&chat.messages[4].position), 0, Some("chat")).expect("a channel");
    assert_eq!((after.messages.len(), after.complete), (0, false), "one was not read before it was cleared");
}

#[test]
fn a_client_that_joins_gets_what_it_has_missed_and_then_what_comes() {
    let core = started();
    send(&core, "room:1", Some("chat"), "early");
    let mut ann = connect(&core, "chat", "ann");
    assert_eq!(join(&core, "ann", "room:1", Some("")), Ok(Reply::Flag(true)));
    send(&core, "room:1", Some("chat"), "late");
    assert_eq!([ann.read().expect("sent"), ann.read().expect("sent")], [Message::text("early"), Message::text("late")]);
    // One that is a member gets nothing anew.
    assert_eq!(join(&core, "ann", "room:1", Some("")), Ok(Reply::Flag(true)));
    let seen = history(&core, "room:1", None, 0, Some("chat")).expect("a channel").position;
    core.ask(&Command::Untag(Untag { id: "ann", tag: "room:1" })).expect("legal");
    send(&core, "room:1", Some("chat"), "missed");
    assert_eq!(join(&core, "ann", "room:1", Some(&seen)), Ok(Reply::Flag(true)));
    assert_eq!(ann.read().expect("sent"), Message::text("missed"));
    // Without a position it is an ordinary tag.
    core.ask(&Command::Untag(Untag { id: "ann", tag: "room:1" })).expect("legal");
    assert_eq!(join(&core, "ann", "room:1", None), Ok(Reply::Flag(true)));
    send(&core, "room:1", Some("chat"), "last");
    assert_eq!(ann.read().expect("sent"), Message::text("last"));

    assert_eq!(join(&core, "ghost", "room:1", Some("")), Ok(Reply::Flag(false)));
    assert_eq!(join(&core, "ann", "hall", Some("")), Err(CommandError::NoHistory));
    assert!(matches!(join(&core, "ann", "room:2", Some("x")), Err(CommandError::InvalidPosition(_))));
}

/// Ends the senders, also when an assertion fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whatever_is_sent_while_clients_join_each_gets_every_message_once_and_in_order() {
    const SENDERS: usize = 3;
    const JOINS: usize = 2_000;
    let core = started();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (core, done) = (&core, &done);
            scope.spawn(move || {
                for n in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    // Some are long enough to be compressed, which is done on another way.
                    send(core, "room:1", Some("chat"), &format!("{sender} {n} {}", "x".repeat(if n % 3 == 0 { 200 } else { 0 })));
                    std::thread::yield_now();
                }
            });
        }
        let _done = Done(&done);
        let mut client = connect(&core, "chat", "joiner");
        let mut seen = String::new();
        for round in 0..JOINS {
            assert_eq!(join(&core, "joiner", "room:1", Some(&seen)), Ok(Reply::Flag(true)));
            core.ask(&Command::Untag(Untag { id: "joiner", tag: "room:1" })).expect("legal");
            // It has left: what it has got is the beginning of what was sent by now.
            let to_come = history(&core, "room:1", Some(&seen), 0, Some("chat")).expect("a channel");
            assert!(to_come.complete, "round {round}");
            // What is sent to it alone comes behind all that.
            let mark = SendTo { to: Target::Client("joiner"), route: None, except: None, binary: false, data: b"mark".into() };
            assert_eq!(core.ask(&Command::Send(mark)), Ok(Reply::Sent(Outcome::Queued)));
            let mut got = Vec::new();
            loop {
                match client.read().expect("sent") {
                    Message::Text(text) if text == "mark" => break,
                    Message::Text(text) => got.push(text.to_string()),
                    other => panic!("{other:?}"),
                }
            }
            let expected = texts(&to_come);
            assert_eq!(got, expected[..got.len()], "round {round}: a gap, a double or disorder");
            if let Some(last) = got.len().checked_sub(1) {
                seen = to_come.messages[last].position.to_string();
            }
        }
    });
}

#[test]
fn all_histories_together_are_bounded_and_what_goes_before_its_time_is_counted() {
    let core = started_with(Config { max_history_bytes: 100_000, ..Config::default() }, ROUTES);
    for n in 0..100 {
        send(&core, &format!("room:{n}"), Some("chat"), &"x".repeat(5_000));
        assert!(core.stats()["histories_bytes"].as_u64().expect("a number") <= 100_000);
    }
    assert!(common::counter(&core, "history_evicted") > 50);
    assert_eq!(history(&core, "room:99", None, 0, Some("chat")).expect("a channel").messages.len(), 1);
}

#[test]
fn messages_are_forgotten_in_time_though_nobody_asks() {
    let core = started_with(
        Config::default(),
        r#"{"routes":[{"name":"chat","echo":true,"channels":[{"pattern":"*","history":{"count":9,"age":50000000}}]}]}"#,
    );
    // Nobody is connected, so that the core's threads sleep until they are woken.
    std::thread::sleep(Duration::from_millis(300));
    send(&core, "a", None, "x");
    common::wait_until(PATIENCE, "it is forgotten", || common::counter(&core, "histories_messages") == 0);
    let read = history(&core, "a", Some(""), 0, None).expect("a channel");
    assert_eq!((read.messages.len(), read.complete), (0, false));
}

#[test]
fn a_client_that_joins_gets_more_than_may_wait_for_it_without_being_taken_for_slow() {
    const SMALL: &str = r#"{"routes":[{"name":"chat","echo":true,"max_outbox":65536,"channels":[
        {"pattern":"room:*","history":{"count":1000,"age":3600000000000}}]}]}"#;
    let core = started_with(Config::default(), SMALL);
    let _early = connect(&core, "chat", "early");
    join(&core, "early", "room:1", None).expect("known");
    for n in 0..200 {
        let text = format!("{n} {}", "x".repeat(if n == 100 { 70_000 } else { 20_000 }));
        core.ask(&Command::Send(SendTo {
            to: Target::Tag("room:1"),
            route: Some("chat"),
            except: Some("early"),
            binary: false,
            data: text.as_bytes().into(),
        }))
        .expect("recorded");
    }
    let mut client = connect(&core, "chat", "late");
    assert_eq!(join(&core, "late", "room:1", Some("")), Ok(Reply::Flag(true)));
    let number = |client: &mut WebSocket<TcpStream>| {
        let text = client.read().expect("a message").into_text().expect("text");
        text.split(' ').next().expect("a number").to_owned()
    };
    // What is sent while it catches up comes behind, and so does the end.
    assert_eq!(send(&core, "room:1", Some("chat"), "new"), 2);
    let close = fws_hub::command::Close { id: "late", code: 4000, reason: "" };
    assert_eq!(core.ask(&Command::Close(close)), Ok(Reply::Flag(true)));
    // The one that is longer than max_outbox is nobody's.
    for n in (0..200).filter(|n| *n != 100) {
        assert_eq!(number(&mut client), n.to_string());
    }
    assert_eq!(number(&mut client), "new");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
    assert_eq!(common::counter(&core, "messages_dropped"), 1);
}

#[test]
fn a_channel_that_was_none_for_a_while_does_not_claim_to_be_complete() {
    let core = started();
    for text in ["one", "two"] {
        send(&core, "room:1", Some("chat"), text);
    }
    let seen = history(&core, "room:1", None, 0, Some("chat")).expect("a channel").position;
    core.stage(2, br#"{"routes":[{"name":"chat","echo":true}]}"#).expect("legal");
    core.commit(2).expect("staged");
    assert_eq!((common::counter(&core, "histories"), common::counter(&core, "histories_bytes")), (0, 0));
    send(&core, "room:1", Some("chat"), "missed");
    core.stage(3, ROUTES.as_bytes()).expect("legal");
    core.commit(3).expect("staged");
    send(&core, "room:1", Some("chat"), "four");
    let after = history(&core, "room:1", Some(&seen), 0, Some("chat")).expect("a channel");
    assert_eq!((texts(&after), after.complete), (vec!["four".to_owned()], false));
}
