//! With an engine that knows other servers, commands are carried out where their scope says.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fws_engine::{Engine, Place};
use fws_hub::command::{Close, Count, Get, List, Rename, SendTo, Tag, Tags};
use fws_hub::{Command, CommandError, Outcome, Renamed, Reply, Scope, Target};
use fws_server::{Config, Core};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

type Answers = Result<Vec<Reply>, CommandError>;

/// Another server, which has the clients whose ids begin with "far". It answers what it is given to answer.
struct Other {
    asked: Sender<String>,
    answers: Mutex<Receiver<Answers>>,
}

impl Engine for Other {
    fn place(&self, scope: Scope<'_>) -> Place {
        match scope {
            Scope::Client(id) if id.starts_with("far") => Place::Elsewhere,
            Scope::Client(_) | Scope::Node => Place::Here,
            Scope::Clients => Place::Everywhere,
            Scope::Value(_) | Scope::Channel(_) => Place::Elsewhere,
        }
    }

    fn ask_others(&self, command: &Command<'_>) -> Answers {
        self.asked.send(serde_json::to_string(command).expect("writable")).expect("the test listens");
        self.answers.lock().expect("no panic").recv().expect("the test answers")
    }
}

/// A core with the client "ann" and another server, which tells what it was asked, and is told what to answer.
fn core() -> (Arc<Core>, std::net::TcpStream, Receiver<String>, Sender<Answers>) {
    let ((asked, questions), (answer, answers)) = (channel(), channel());
    let engine = Other { asked, answers: Mutex::new(answers) };
    let core = Core::start_with(&Config { shards: 1, ..Config::default() }, Arc::new(engine)).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"chat","echo":true}]}"#).expect("legal");
    core.commit(1).expect("staged");
    let client = common::adopt(&core, core.handshake("chat", HEAD, "192.0.2.1"), &[], Duration::from_secs(60));
    let id = core.ids()[0].clone();
    assert_eq!(core.ask(&Command::Rename(Rename { id: &id, new: "ann" })), Ok(Reply::Renamed(Renamed::Done)));
    assert_eq!(core.ask(&Command::Tag(Tag { id: "ann", tag: "lyon", since: None, member: None })), Ok(Reply::Flag(true)));
    (core, client, questions, answer)
}

#[test]
fn a_command_about_groups_is_carried_out_everywhere_and_its_answers_are_put_together() {
    let (core, _client, questions, answer) = core();
    let everywhere = |command: Command<'_>, other: Reply| {
        answer.send(Ok(vec![other])).expect("the core listens");
        let reply = core.ask(&command);
        assert_eq!(questions.recv().expect("it was asked"), serde_json::to_string(&command).expect("writable"));
        reply
    };
    let all = List::default();
    assert_eq!(everywhere(Command::List(all), Reply::Names(vec!["far".into()])), Ok(Reply::Names(vec!["ann".into(), "far".into()])));
    assert_eq!(everywhere(Command::Count(Count::default()), Reply::Count(2)), Ok(Reply::Count(3)));
    let others = Reply::Names(vec!["zzz".into(), "lyon".into(), "ghent".into()]);
    let together = Reply::Names(vec!["ghent".into(), "lyon".into(), "zzz".into()]);
    assert_eq!(everywhere(Command::Tags(Tags { id: None }), others), Ok(together));
    let send = SendTo { to: Target::Tag("lyon"), route: None, except: None, binary: false, data: b"x".into() };
    assert_eq!(everywhere(Command::Send(send), Reply::Queued(4)), Ok(Reply::Queued(5)));
}

#[test]
fn a_command_about_one_client_or_value_is_carried_out_where_that_is() {
    let (core, _client, questions, answer) = core();
    for (command, reply) in [
        (Command::Close(Close { id: "far-1", code: 1000, reason: "" }), Reply::Flag(true)),
        (Command::Tags(Tags { id: Some("far-1") }), Reply::Gone),
        (Command::Get(Get { key: b"k".into() }), Reply::Value(None)),
    ] {
        answer.send(Ok(vec![reply.clone()])).expect("the core listens");
        assert_eq!(core.ask(&command), Ok(reply));
        assert_eq!(questions.recv().expect("it was asked"), serde_json::to_string(&command).expect("writable"));
    }
    answer.send(Err(CommandError::InvalidId)).expect("the core listens");
    assert_eq!(core.ask(&Command::Get(Get { key: b"k".into() })), Err(CommandError::InvalidId));
    questions.recv().expect("it was asked");

    let send = SendTo { to: Target::Client("ann"), route: None, except: None, binary: false, data: b"x".into() };
    assert_eq!(core.ask(&Command::Send(send)), Ok(Reply::Sent(Outcome::Queued)));
    assert_eq!(core.ask(&Command::Routes), Ok(Reply::Names(vec!["chat".into()])));
    assert!(questions.try_recv().is_err(), "what is here is not asked elsewhere");
}

#[test]
fn who_waits_for_another_server_holds_up_nobody() {
    let (core, _client, questions, answer) = core();
    let waiting = std::thread::spawn({
        let core = core.clone();
        move || core.ask(&Command::Count(Count::default()))
    });
    questions.recv().expect("it is asked and waits from now on");
    assert_eq!(core.ask(&Command::Tag(Tag { id: "ann", tag: "more", since: None, member: None })), Ok(Reply::Flag(true)));
    assert_eq!(core.ask(&Command::Tags(Tags { id: Some("ann") })), Ok(Reply::Names(vec!["lyon".into(), "more".into()])));
    let _second = common::adopt(&core, core.handshake("chat", HEAD, "192.0.2.1"), &[], Duration::from_secs(60));
    assert_eq!(core.connections(), 2);
    assert!(!waiting.is_finished());
    answer.send(Ok(vec![Reply::Count(7)])).expect("the core listens");
    assert_eq!(waiting.join().expect("no panic"), Ok(Reply::Count(8)));
}
