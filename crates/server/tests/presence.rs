//! Who is in which channel: what PHP is told of it, and what can be asked.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::counter;
use fws_hub::command::{Close, DisconnectUser, List, Presence, Rename, SendTo, SetUser, Tag, Untag};
use fws_hub::{Command, CommandError, Member, Reply, Target};
use fws_server::{Config, Core, Ended};
use fws_session::Event;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ROUTES: &str = r#"{"routes":[
  {"name":"chat","worker":"w","channels":[{"pattern":"room:*","presence":{"grace":0}},{"pattern":"slow","presence":{"grace":200000000}}]},
  {"name":"echo","echo":true,"channels":[{"pattern":"room:*","presence":{"grace":0}}]},
  {"name":"plain","worker":"w"}]}"#;

fn started() -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

/// A client of a user, with an id and tags from its first moment.
fn connect(core: &Core, route: &str, id: &str, user: &str, tags: &[&str]) -> WebSocket<TcpStream> {
    let mut handshake = core.handshake(route, HEAD, "192.0.2.1");
    core.set_id(&mut handshake, id).expect("free");
    handshake.set_user(user, user.to_uppercase().as_bytes()).expect("legal");
    for tag in tags {
        handshake.add_tag(tag).expect("legal");
    }
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn presence(core: &Core, tag: &str, route: Option<&str>) -> Result<Vec<(String, u32)>, CommandError> {
    core.ask(&Command::Presence(Presence { tag, route })).map(|reply| match reply {
        Reply::Members(members) => members.iter().map(|member| (member.user.to_string(), member.connections)).collect(),
        other => panic!("{other:?}"),
    })
}

/// The events that a bell brings.
fn all_events(core: &Core, nonce: &str) -> Vec<String> {
    let mut told = Vec::new();
    let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
    while let Some(current) = core.next_event(&bell) {
        told.push(match current.event() {
            Event::Open(opened) => format!("open {}", opened.user),
            Event::Join(membership) => format!("+{} {}", membership.user, membership.tag),
            Event::Leave(membership) => format!("-{} {}", membership.user, membership.tag),
            Event::Message { .. } => "message".into(),
            Event::Close(_) => "close".into(),
            Event::Suspend | Event::Resume(_) | Event::Subscribe(_) | Event::Unsubscribe(_) | Event::ClientEvent(_) | Event::Channel(_) => {
                "away".into()
            }
            Event::Timer(_) => "timer".into(),
        });
    }
    core.release_bell(&bell, false, "");
    core.end_bell(nonce, Ended::Served, b"", "");
    told
}

/// Events, as "+ann room:1" and "open", until so many of joining and leaving have come; none after `PATIENCE`.
fn events(core: &Core, joins_and_leaves: usize) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let of_channel = |told: &[String]| told.iter().filter(|event| event.starts_with(['+', '-'])).count();
    while of_channel(&told) < joins_and_leaves {
        let mut ring = None;
        common::wait_until(PATIENCE, "a bell is wanted", || {
            ring = ring.take().or_else(|| core.take_ring());
            ring.is_some()
        });
        told.extend(all_events(core, &ring.expect("just seen").nonce));
    }
    told.retain(|event| event != "message");
    told
}

fn of_channels(events: Vec<String>) -> Vec<String> {
    events.into_iter().filter(|event| event.starts_with(['+', '-'])).collect()
}

#[test]
fn php_is_told_once_of_a_user_with_several_connections_and_who_is_there_can_be_asked() {
    let core = started();
    let first = connect(&core, "chat", "tab 1", "ann", &["room:1"]);
    let second = connect(&core, "chat", "tab 2", "ann", &["room:1", "hall"]);
    let other = connect(&core, "chat", "b", "bob", &["room:1"]);
    let told = events(&core, 2);
    assert!(told.contains(&"open ann".to_owned()), "{told:?}");
    assert_eq!(of_channels(told), ["+ann room:1", "+bob room:1"]);
    assert_eq!(presence(&core, "room:1", Some("chat")), Ok(vec![("ann".into(), 2), ("bob".into(), 1)]));
    let Ok(Reply::Members(members)) = core.ask(&Command::Presence(Presence { tag: "room:1", route: Some("chat") })) else { panic!() };
    assert_eq!(members[1], Member { user: "bob".into(), info: b"BOB"[..].into(), connections: 1 });

    drop(first);
    common::wait_until(PATIENCE, "one of its connections is gone", || {
        presence(&core, "room:1", Some("chat")).is_ok_and(|all| all[0].1 == 1)
    });
    drop(second);
    assert_eq!(of_channels(events(&core, 1)), ["-ann room:1"]);
    assert_eq!(presence(&core, "room:1", Some("chat")), Ok(vec![("bob".into(), 1)]));
    assert_eq!(core.ask(&Command::Rename(Rename { id: "b", new: "bee" })), Ok(Reply::Renamed(fws_hub::Renamed::Done)));
    assert_eq!(core.ask(&Command::SetUser(SetUser { id: "bee", user: None, info: b""[..].into() })), Ok(Reply::Flag(true)));
    assert_eq!(of_channels(events(&core, 1)), ["-bob room:1"]);
    assert_eq!(core.ask(&Command::SetUser(SetUser { id: "nobody", user: Some("x"), info: b""[..].into() })), Ok(Reply::Flag(false)));
    assert_eq!((counter(&core, "users"), counter(&core, "presence_members")), (0, 0));
    drop(other);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_would_be_right() {
    let core = started();
    for (tag, route, error) in [
        ("hall", None, CommandError::NoPresence),
        ("room:1", None, CommandError::SeveralPresences),
        ("room:1", Some("plain"), CommandError::NoPresence),
        ("", None, CommandError::InvalidTag),
    ] {
        assert_eq!(presence(&core, tag, route), Err(error), "{tag} {route:?}");
    }
    assert!(matches!(presence(&core, "room:1", Some("nope")), Err(CommandError::UnknownRoute(_))));
    assert_eq!(presence(&core, "slow", None), Ok(vec![]));
    let set = |user: &str, info: &[u8]| core.ask(&Command::SetUser(SetUser { id: "a", user: Some(user), info: info.into() }));
    assert_eq!(set("", b""), Err(CommandError::InvalidUser));
    assert_eq!(set(&"u".repeat(256), b""), Err(CommandError::InvalidUser));
    assert_eq!(set("u", &[0; 4097]), Err(CommandError::UserInfoTooLong));
    let mut handshake = core.handshake("chat", HEAD, "192.0.2.1");
    assert!(handshake.set_user("", b"").is_err() && handshake.set_user("u", &[0; 4096]).is_ok());
}

#[test]
fn a_user_leaves_after_the_time_of_grace_also_where_nothing_else_happens() {
    let core = started();
    let before = connect(&core, "chat", "before", "ann", &["slow"]);
    assert_eq!(of_channels(events(&core, 1)), ["+ann slow"]);
    drop(before);
    common::wait_until(PATIENCE, "it is away", || counter(&core, "presence_members_away") == 1);
    assert_eq!(presence(&core, "slow", None), Ok(vec![("ann".into(), 0)]));
    assert_eq!(of_channels(events(&core, 1)), ["-ann slow"]);
    assert_eq!(presence(&core, "slow", None), Ok(vec![]));
}

#[test]
fn all_clients_of_a_user_are_sent_to_listed_and_disconnected() {
    let core = started();
    let mut clients = ["a1", "a2"].map(|id| connect(&core, "chat", id, "ann", &[]));
    let mut echo = connect(&core, "echo", "a3", "ann", &["room:9"]);
    let mut bob = connect(&core, "chat", "b", "bob", &[]);
    let list = |route| match core.ask(&Command::List(List { of: Target::User("ann"), route })) {
        Ok(Reply::Names(ids)) => ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(list(None), BTreeSet::from(["a1", "a2", "a3"].map(String::from)));
    assert_eq!(list(Some("echo")), BTreeSet::from(["a3".to_owned()]));
    let send = SendTo { to: Target::User("ann"), route: None, except: Some("a2"), binary: false, data: b"hi"[..].into() };
    assert_eq!(core.ask(&Command::Send(send)), Ok(Reply::Queued(2)));
    for client in [&mut clients[0], &mut echo] {
        assert_eq!(client.read().expect("a message"), Message::text("hi"));
    }
    let disconnect = DisconnectUser { user: "ann", code: 4003, reason: "banned", route: Some("chat") };
    assert_eq!(core.ask(&Command::DisconnectUser(disconnect.clone())), Ok(Reply::Count(2)));
    for client in &mut clients {
        let Ok(Message::Close(Some(frame))) = client.read() else { panic!("it is closed") };
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4003, "banned"));
    }
    assert_eq!(list(None), BTreeSet::from(["a3".to_owned()]));
    assert_eq!(core.ask(&Command::DisconnectUser(DisconnectUser { code: 1005, ..disconnect })), Err(CommandError::InvalidCloseCode));
    // Nobody is told of the channels of a route without PHP, but who is there is known.
    assert_eq!(presence(&core, "room:9", Some("echo")), Ok(vec![("ann".into(), 1)]));
    bob.send(Message::text("served")).expect("sent");
}

#[test]
fn a_reload_brings_members_into_what_becomes_a_channel_and_out_of_what_is_none_any_more() {
    let core = started();
    let _clients: Vec<_> = (0..600).map(|n| connect(&core, "plain", &format!("c{n}"), &format!("u{}", n % 300), &["hall"])).collect();
    let with = r#"{"routes":[{"name":"plain","worker":"w","channels":[{"pattern":"hall","presence":{}}]}]}"#;
    core.stage(2, with.as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    let members = presence(&core, "hall", None).expect("a channel");
    assert!(members.len() == 300 && members.iter().all(|(_, connections)| *connections == 2), "{members:?}");
    assert_eq!(of_channels(events(&core, 300)).len(), 300);
    core.stage(3, br#"{"routes":[{"name":"plain","worker":"w"}]}"#).expect("legal");
    core.commit(3).expect("staged");
    assert_eq!((presence(&core, "hall", None), counter(&core, "presence_members")), (Err(CommandError::NoPresence), 0));
    core.stage(4, with.as_bytes()).expect("legal");
    core.commit(4).expect("staged");
    assert_eq!(presence(&core, "hall", None).map(|members| members.len()), Ok(300));
    assert!(of_channels(events(&core, 300)).iter().all(|event| event.starts_with('+')), "nobody has left meanwhile");
}

#[test]
fn whatever_many_threads_do_at_once_events_come_in_order_and_tell_who_is_there() {
    let core = started();
    let joined = AtomicU64::new(0);
    let mut told: BTreeMap<String, bool> = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let (core, joined) = (&core, &joined);
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for n in 0..150 {
                        let id = format!("{thread}-{n}");
                        let user = format!("u{}", n % 4);
                        let client = connect(core, "chat", &id, &user, &["room:1"]);
                        joined.fetch_add(1, Ordering::Relaxed);
                        for tag in ["room:2", "room:1"] {
                            core.ask(&Command::Tag(Tag { id: &id, tag, since: None, member: None })).expect("legal");
                        }
                        match n % 3 {
                            0 => kept.push(client),
                            1 => drop(core.ask(&Command::Untag(Untag { id: &id, tag: "room:1" }))),
                            _ => drop(core.ask(&Command::Close(Close { id: &id, code: 1000, reason: "" }))),
                        }
                    }
                    // The same user comes and goes on all threads.
                    let own = format!("own {thread}");
                    kept.push(connect(core, "chat", &own, "u0", &[]));
                    for _ in 0..1500 {
                        core.ask(&Command::Tag(Tag { id: &own, tag: "room:3", since: None, member: None })).expect("legal");
                        core.ask(&Command::Untag(Untag { id: &own, tag: "room:3" })).expect("legal");
                    }
                    // All but those of one user go.
                    kept.into_iter().enumerate().filter(|(at, _)| at % 4 == 0).map(|(_, client)| client).collect::<Vec<_>>()
                })
            })
            .collect();
        let kept: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        let quiet = |core: &Core| counter(core, "connections") == kept.len() as u64;
        common::wait_until(PATIENCE, "the others are gone", || quiet(&core));
        // A last one, whose events are the last of their channels.
        let _last = connect(&core, "chat", "last", "last", &["room:1", "room:2", "room:3"]);
        while ["room:1", "room:2", "room:3"].iter().any(|room| !told.contains_key(&format!("last {room}"))) {
            for event in of_channels(events(&core, 1)) {
                let (sign, of) = event.split_at(1);
                let before = told.insert(of.to_owned(), sign == "+");
                assert_ne!(before.unwrap_or(false), sign == "+", "{of}: joins and leaves come in turns");
            }
        }
        for room in ["room:1", "room:2", "room:3"] {
            let there: BTreeSet<String> =
                presence(&core, room, Some("chat")).expect("a channel").into_iter().map(|(user, _)| user).collect();
            let heard = told.iter().filter(|(of, there)| **there && of.ends_with(room));
            assert_eq!(heard.map(|(of, _)| of.split(' ').next().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>(), there, "{room}");
        }
    });
    assert_eq!(joined.load(Ordering::Relaxed), 450);
}

#[test]
fn nobody_leaves_a_channel_because_the_server_ends() {
    let core = started();
    let clients: Vec<_> = (0..20).map(|n| connect(&core, "chat", &format!("c{n}"), &format!("u{n}"), &["room:1", "slow"])).collect();
    assert_eq!(events(&core, 40).iter().filter(|event| event.starts_with('+')).count(), 40);
    let told = std::thread::scope(|scope| {
        // The clients do not answer: only the server's own end could have them leave.
        let draining = scope.spawn(|| core.drain(Duration::from_millis(500)));
        let mut told = Vec::new();
        while !draining.is_finished() {
            if core.take_ring().map(|ring| told.extend(all_events(&core, &ring.nonce))).is_none() {
                std::thread::yield_now();
            }
        }
        told
    });
    assert!(!told.iter().any(|event| event.starts_with('-')), "{told:?}");
    drop(clients);
}
