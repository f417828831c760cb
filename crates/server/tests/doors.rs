//! Every command with every argument gives the same answer through every door. The table is the one of docs/commands.md.

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::command::{Describe, Rename};
use fws_hub::{Command, CommandError, Renamed, Reply};
use fws_server::{Batch, Config, Control, ControlConfig, Core, Remote};
use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};
use serde_json::{Value, json};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A core with the clients of docs/commands.md, which are kept as long as the second part lives.
fn core() -> (Arc<Core>, Vec<TcpStream>) {
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    core.stage(1, br#"{"routes":[{"name":"chat","echo":true,"channels":[{"pattern":"room:*","history":{"count":9,"age":3600000000000},"presence":{}}]},{"name":"news","echo":true},{"name":"pusher","pusher":{"apps":[{"id":"shop","key":"k","secret":"s"}]}}],"workers":[{"name":"jobs","threads":1}]}"#)
        .expect("legal");
    core.commit(1).expect("staged");
    let clients = [("ann", "chat"), ("bob", "chat"), ("cyd", "news")].map(|(id, route)| {
        let known = core.ids();
        let client = common::adopt(&core, core.handshake(route, HEAD, "192.0.2.1"), &[], Duration::from_secs(60));
        // It reads what it is sent, until it is closed.
        let mut reader = client.try_clone().expect("a socket");
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        let new = core.ids().into_iter().find(|id| !known.contains(id)).expect("the new client");
        assert_eq!(core.ask(&Command::Rename(Rename { id: &new, new: id })), Ok(Reply::Renamed(Renamed::Done)));
        client
    });
    (core, clients.into())
}

/// The rows of the table in docs/commands.md: arguments, example, answer.
fn table() -> Vec<[String; 3]> {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md")).expect("docs/commands.md");
    let rows = docs.lines().filter(|line| line.starts_with("| ")).skip(1).map(|line| {
        // Expressions may have a | of their own: columns are parted by one between blanks.
        let columns: Vec<&str> = line.trim_matches('|').split(" | ").map(|column| column.trim().trim_matches('`')).collect();
        let [arguments, example, answer] = columns[..] else { panic!("not three columns: {line}") };
        [arguments.to_owned(), example.to_owned(), answer.to_owned()]
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 20, "the table was not found");
    rows
}

/// What a reader of documents does not show, run behind the table's examples.
#[expect(clippy::too_many_lines, reason = "a list")]
fn more() -> Vec<Value> {
    let long = "x".repeat(300);
    vec![
        json!({ "send": { "to": { "client": "rob" }, "data": "NUL \0 and 👋", "route": "chat", "except": null, "binary": false } }),
        json!({ "send": { "to": { "client": "rob" }, "data": "x".repeat(1 << 20) } }),
        json!({ "send": { "to": { "tag": "room:1" }, "data": "kept" } }),
        json!({ "send": { "to": { "tag": "room:1" }, "data": { "base64": "/w==" }, "binary": true, "route": "chat" } }),
        json!({ "history": { "tag": "room:1" } }),
        json!({ "history": { "tag": "room:1", "since": "never" } }),
        json!({ "history": { "tag": "hall" } }),
        json!({ "clear_history": { "tag": "room:1" } }),
        json!({ "set_user": { "id": "rob", "user": "" } }),
        json!({ "set_user": { "id": "rob", "user": "rob", "info": "y".repeat(4097) } }),
        json!({ "set_user": { "id": "rob", "user": "rob", "info": { "base64": "/w==" } } }),
        json!({ "presence": { "tag": "room:1" } }),
        json!({ "presence": { "tag": "hall" } }),
        json!({ "publish": { "channels": ["a"], "event": "e", "data": "" } }),
        json!({ "publish": { "channels": [], "event": "e", "data": "" } }),
        json!({ "publish": { "channels": ["a b"], "event": "e", "data": "" } }),
        json!({ "publish": { "channels": ["a"], "event": "pusher:e", "data": "" } }),
        json!({ "publish": { "channels": ["a"], "event": "e", "data": "x".repeat(20_000) } }),
        json!({ "publish": { "channels": ["a"], "event": "e", "data": "", "except": "nobody" } }),
        json!({ "publish": { "channels": ["a"], "event": "e", "data": "", "app": "nobody" } }),
        json!({ "presence": { "tag": "room:1", "route": "nowhere" } }),
        json!({ "list": { "of": { "user": "rob" }, "route": "chat" } }),
        json!({ "count": { "of": { "user": "nobody" } } }),
        json!({ "send": { "to": { "user": "rob" }, "data": "to a user" } }),
        json!({ "list": { "of": { "user": "" } } }),
        json!({ "disconnect_user": { "user": "", "code": 1000 } }),
        json!({ "disconnect_user": { "user": "nobody", "code": 1005 } }),
        json!({ "send": { "to": { "client": "rob" }, "data": "x".repeat(5 << 20) } }),
        json!({ "send": { "to": { "client": "nobody" }, "data": "" } }),
        json!({ "send": { "to": { "client": "rob" }, "data": { "base64": "/w==" } } }),
        json!({ "send": { "to": { "expression": "a&" }, "data": "" } }),
        json!({ "list": { "of": { "expression": "(((" } } }),
        json!({ "list": { "of": { "client": "rob" } } }),
        json!({ "list": { "of": { "expression": "\"open" } } }),
        json!({ "tags": { "id": "nobody" } }),
        json!({ "tag": { "id": "rob", "tag": "" } }),
        json!({ "tag": { "id": "rob", "tag": long } }),
        json!({ "rename": { "id": "rob", "new": long } }),
        json!({ "rename": { "id": "nobody", "new": "x" } }),
        json!({ "close": { "id": "rob", "code": 1005 } }),
        json!({ "close": { "id": "rob", "reason": long } }),
        json!({ "kill": { "id": "nobody" } }),
        json!({ "client": { "id": "rob" } }),
        json!({ "client": { "id": "nobody" } }),
        json!({ "ping": { "id": "rob", "how": { "every": 1 } } }),
        json!({ "ping": { "id": "rob", "how": "off" } }),
        json!({ "ping": { "id": "nobody", "how": "route" } }),
        json!({ "set_timer": { "delay": 0, "payload": "", "worker": "jobs" } }),
        json!({ "set_timer": { "delay": 1, "payload": "", "worker": "nobody" } }),
        json!({ "set_timer": { "delay": 1, "payload": "x".repeat((1 << 20) + 1), "worker": "jobs" } }),
        json!({ "clear_timer": { "timer": 99 } }),
        json!({ "ping_time": { "id": "nobody" } }),
        json!({ "close": { "id": "nobody" } }),
        json!({ "tag": { "id": "nobody", "tag": "x" } }),
        json!({ "untag": { "id": "nobody", "tag": "x" } }),
        json!({ "clear_tags": { "id": "nobody" } }),
        json!({ "set_information": { "id": "nobody", "key": "k", "value": "" } }),
        json!({ "get_information": { "id": "nobody", "key": "k" } }),
        json!({ "delete_information": { "id": "nobody", "key": "k" } }),
        json!({ "clear_information": { "id": "nobody" } }),
        json!({ "all_information": { "id": "nobody" } }),
        json!({ "list": { "route": "nowhere" } }),
        json!({ "count": { "of": { "tag": "lyon" }, "route": "nowhere" } }),
        json!({ "send": { "to": "all", "data": "", "route": "nowhere" } }),
        json!({ "send": { "to": { "client": "rob" }, "data": "", "route": "nowhere" } }),
        json!({ "send": { "to": { "client": "rob" }, "data": "", "except": "rob" } }),
        json!({ "search_information": { "key": "k", "operator": "eq", "value": "", "route": "nowhere" } }),
        json!({ "set_information": { "id": "rob", "key": "", "value": "" } }),
        json!({ "set_information": { "id": "rob", "key": "bytes", "value": { "base64": "/wA=" } } }),
        json!({ "all_information": { "id": "rob" } }),
        json!({ "search_information": { "key": "bytes", "operator": "regex", "value": "(" } }),
        json!({ "search_information": { "key": "bytes", "operator": "neq", "value": "" } }),
        json!({ "set": { "key": "", "value": "" } }),
        json!({ "set": { "key": "megabyte\0", "value": "y".repeat(1 << 20) } }),
        json!({ "get": { "key": "megabyte\0" } }),
        json!({ "set_information": { "id": "rob", "key": "full", "value": "y".repeat(4 << 20) } }),
        json!({ "set": { "key": "text", "value": "many" } }),
        json!({ "increment": { "key": "text" } }),
        json!({ "increment": { "key": "visits", "by": i64::MAX } }),
        json!({ "expiry": { "key": "no such key" } }),
    ]
}

type Answer = Result<Reply, CommandError>;

/// Runs the table and what is behind it, by way of `door`.
fn run(core: &Core, door: impl Fn(&Core, &Value) -> Answer) -> Vec<Answer> {
    let table = table().into_iter().map(|[_, example, _]| serde_json::from_str(&example).expect("an example is JSON"));
    let run = table.chain(more()).map(|command| {
        wait_until_quiet(core);
        door(core, &command)
    });
    run.collect()
}

/// Waits until the shard has written all that was sent: a client's counters depend on it.
fn wait_until_quiet(core: &Core) {
    let queued = |id: &str| match core.ask(&Command::Client(Describe { id })) {
        Ok(Reply::Client(client)) => client.queued_bytes,
        _ => 0,
    };
    common::wait_until(Duration::from_secs(10), "all is written", || core.ids().iter().all(|id| queued(id) == 0));
}

/// What differs from run to run is taken out of the answers.
fn comparable(mut answers: Vec<Answer>) -> Vec<Answer> {
    for answer in &mut answers {
        if let Ok(Reply::Stats(stats)) = answer {
            assert!(serde_json::from_str::<Value>(stats).expect("JSON")["connections"].is_number());
            *stats = "".into();
        }
        if let Ok(Reply::History(history)) = answer {
            // An epoch is random, and the time is that of the run.
            history.position = "".into();
            for message in &mut history.messages {
                assert!(std::mem::take(&mut message.time) > 1 << 40);
                message.position = "".into();
            }
        }
        if let Ok(Reply::Client(client)) = answer {
            assert!(std::mem::take(&mut client.connected_at) > 1 << 40);
            (client.bytes_sent, client.queued_bytes) = (0, 0);
        }
    }
    answers
}

fn directly(core: &Core, command: &Value) -> Answer {
    core.ask(&Command::deserialize(command).expect("a command"))
}

/// As the JSON door writes and reads: the command from its text, the answer to its text and back.
fn through_json(core: &Core, command: &Value) -> Answer {
    let value: Value = serde_json::from_str(&command.to_string()).expect("JSON");
    let reply = core.ask(&Command::deserialize(&value).expect("a command"))?;
    let text = serde_json::to_string(&reply).expect("writable");
    Ok(serde_json::from_str(&text).expect("readable"))
}

/// Over the control socket, on one connection for all.
fn through_the_socket(core: &Arc<Core>) -> Vec<Answer> {
    let mut name = [0; 8];
    getrandom::fill(&mut name).expect("random bytes");
    let path = std::env::temp_dir().join(format!("fws-doors-{}", u64::from_ne_bytes(name)));
    std::fs::create_dir(&path).expect("a folder");
    // SAFETY: no other test of this process looks at this variable, and none sets one.
    unsafe { std::env::set_var("FRANKENPHP_WS_SOCKET", &path) };
    let control = Control::serve(core.clone(), &ControlConfig::default()).expect("a socket");
    let remote = RefCell::new(Remote::default());
    let answers = run(core, |_, command| {
        let command = Command::deserialize(command).expect("a command");
        remote.borrow_mut().call(&Batch::from(&command)).expect("an answer")
    });
    drop(control);
    std::fs::remove_dir(&path).expect("an empty folder");
    answers
}

#[test]
fn every_command_with_every_argument_is_answered_the_same_through_every_door() {
    let (direct, _clients) = core();
    let wanted = comparable(run(&direct, directly));
    assert!(wanted.iter().filter(|answer| answer.is_err()).count() > 12, "refusals are compared, too");
    let (json, _clients) = core();
    let (socket, _clients) = core();
    for (door, answers) in [("JSON", run(&json, through_json)), ("the socket", through_the_socket(&socket))] {
        for (n, (got, wanted)) in comparable(answers).into_iter().zip(&wanted).enumerate() {
            assert!(got == *wanted, "command {n} through {door}: {got:.200?}, not {wanted:.200?}");
        }
    }
}

#[test]
fn the_examples_of_the_documentation_are_answered_as_it_says() {
    let (core, _clients) = core();
    for [_, example, answer] in table() {
        let reply = directly(&core, &serde_json::from_str(&example).expect("JSON")).unwrap_or_else(|why| panic!("{example}: {why}"));
        if answer.contains('…') {
            let reply = serde_json::to_string(&reply).expect("writable");
            assert_eq!(reply.split(':').next(), answer.split(':').next(), "{example}");
        } else {
            let wanted: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(serde_json::to_value(&reply).expect("writable"), wanted, "{example}");
        }
    }
}

#[test]
fn an_argument_that_may_be_left_out_may_be_null() {
    let mut tried = BTreeSet::new();
    let mut optional = BTreeSet::new();
    for [arguments, example, _] in table() {
        let mut example: Value = serde_json::from_str(&example).expect("JSON");
        let Some((name, given)) = example.as_object_mut().and_then(|command| command.iter_mut().next()) else { continue };
        if !arguments.is_empty() {
            optional =
                arguments.split('[').skip(1).map(|rest| rest.trim_start_matches('`').split('`').next().unwrap_or("").to_owned()).collect();
        }
        for argument in &optional {
            let given = given.as_object_mut().expect("arguments");
            given.remove(argument);
            let without = json!({ name: given.clone() });
            given.insert(argument.clone(), Value::Null);
            let null = json!({ name: given.clone() });
            let wanted = Command::deserialize(&without).unwrap_or_else(|why| panic!("{without}: {why}"));
            assert_eq!(Command::deserialize(&null).unwrap_or_else(|why| panic!("{null}: {why}")), wanted);
            tried.insert((name.clone(), argument.clone()));
        }
    }
    assert!(tried.len() >= 15, "{tried:?}");
    for required in [json!({ "tag": { "id": null, "tag": "t" } }), json!({ "close": null }), json!({ "set": { "key": null, "value": "" } })]
    {
        assert!(Command::deserialize(&required).is_err(), "{required}");
    }
}

#[test]
fn the_documentation_lists_every_command_with_every_argument_and_the_examples_use_each() {
    let (mut documented, mut used) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for [arguments, example, _] in table() {
        if !arguments.is_empty() {
            let (name, arguments) = arguments.split_once("`: ").unwrap_or((&arguments, ""));
            let arguments = arguments.split(", ").map(|argument| argument.trim_matches(['[', ']', '`']).to_owned());
            documented.insert(name.to_owned(), arguments.filter(|argument| !argument.is_empty()).collect::<BTreeSet<_>>());
        }
        let (name, arguments) = match serde_json::from_str(&example).expect("JSON") {
            Value::String(name) => (name, Vec::new()),
            Value::Object(command) => {
                let (name, arguments) = command.into_iter().next().expect("one entry");
                (name, arguments.as_object().expect("arguments").keys().cloned().collect())
            }
            _ => panic!("{example}"),
        };
        used.entry(name).or_default().extend(arguments);
    }
    let commands = commands();
    assert!(commands.len() >= 24);
    assert_eq!(documented, commands, "docs/commands.md is not what crates/hub/src/command says");
    assert_eq!(used, commands, "the examples of docs/commands.md leave something out");
}

/// All commands with their arguments, as serde knows them.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut names = &[][..];
    let _ = Command::deserialize(Spy { variant: None, found: &mut names });
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let arguments = |variant| {
        let mut arguments = &[][..];
        let _ = Command::deserialize(Spy { variant: Some(variant), found: &mut arguments });
        own(arguments)
    };
    names.iter().map(|&name| (name.to_owned(), arguments(name))).collect()
}

/// A deserializer that gives nothing. It notes what it is asked for: the variants of an enum, or the fields of a variant's type.
struct Spy<'a> {
    variant: Option<&'static str>,
    found: &'a mut &'static [&'static str],
}

fn noted<T>() -> Result<T, Error> {
    Err(serde::de::Error::custom("noted"))
}

impl<'de> Deserializer<'de> for Spy<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        noted()
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &str, variants: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        if self.variant.is_none() {
            *self.found = variants;
            return noted();
        }
        visitor.visit_enum(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &str, fields: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        *self.found = fields;
        noted()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Spy<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = serde::de::value::StrDeserializer::<Error>::new(self.variant.unwrap_or_default());
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Spy<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        noted()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, arguments: T) -> Result<T::Value, Error> {
        arguments.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        panic!("a command has named arguments")
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        panic!("a command's arguments are a type of their own")
    }
}

/// What crosses the control socket, line by line: a version, and then each value with its bytes.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/control.txt");

#[test]
fn the_bytes_on_the_control_socket_do_not_change_without_a_new_version() {
    let mut lines = Vec::new();
    let more: Vec<String> = more().iter().map(Value::to_string).collect();
    let examples = table().into_iter().map(|[_, example, _]| example).chain(more);
    for example in examples.filter(|example| example.len() < 400) {
        let value: Value = serde_json::from_str(&example).expect("JSON");
        let command = Command::deserialize(&value).expect("a command");
        lines.push(format!("command {value} {}", hex(&command)));
    }
    let (core, _clients) = core();
    for answer in comparable(run(&core, directly)) {
        match answer {
            Ok(reply) => lines.push(format!("reply {} {}", serde_json::to_string(&reply).unwrap_or_default(), hex(&reply))),
            Err(error) => lines.push(format!("error {error} {}", hex(&error))),
        }
    }
    lines.retain(|line| line.len() < 1500);
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));

    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let (version, known) = golden.split_once('\n').unwrap_or(("version 0", ""));
    let now = lines.join("\n") + "\n";
    if now == known {
        return;
    }
    let version: u32 = version.trim_start_matches("version ").parse().expect("a version");
    let differs = now.lines().zip(known.lines()).find(|(now, known)| now != known);
    if std::env::var_os("FWS_WRITE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, format!("version {}\n{now}", version + 1)).expect("writable");
    }
    panic!(
        "what is sent over the control socket has changed: {differs:?}. If that is meant, run this test with FWS_WRITE_GOLDEN=1, and set VERSION \
         in crates/server/src/control/protocol.rs to {}",
        version + 1
    );
}

fn hex(value: &impl serde::Serialize) -> String {
    postcard::to_allocvec(value).expect("encodable").iter().map(|byte| format!("{byte:02x}")).collect()
}
