//! Several servers that work as one, with a real Redis.

mod common;

use std::net::TcpStream;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use common::redis::{Redis, is_connected, wait_connected};
use common::wait_until;
use fws_hub::command::{
    Add, ClearHistory, Close, Count, Delete, Describe, DisconnectUser, Expiry, Get, GetInformation, Increment, List, Presence, ReadHistory,
    Rename, SendTo, Set, SetInformation, SetUser, Tag, Tags, Untag,
};
use fws_hub::{ClusterError, Command, CommandError, KeyValueError, Outcome, Renamed, Reply, Target};
use fws_server::{AdmissionError, Core};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ROUTES: &str = r#"{"routes":[{"name":"chat","echo":true,"channels":[{"pattern":"room:*","presence":{"grace":0}},
    {"pattern":"news:*","history":{"count":100000,"age":3600000000000}}]},
  {"name":"plain","echo":true},
  {"name":"worker","worker":"w","channels":[{"pattern":"hall:*","presence":{"grace":0}}]}]}"#;

/// A client, with an id that the host has chosen or one that the server makes.
fn connect(core: &Core, id: Option<&str>) -> WebSocket<TcpStream> {
    let mut handshake = core.handshake("chat", HEAD, "192.0.2.1");
    if let Some(id) = id {
        core.set_id(&mut handshake, id).expect("free");
    }
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

fn message(to: Target<'_>) -> Command<'_> {
    Command::Send(SendTo { to, route: None, except: None, binary: false, data: b"hello"[..].into() })
}

fn read(client: &mut WebSocket<TcpStream>) -> String {
    client.read().expect("a message").to_text().expect("text").to_owned()
}

#[test]
fn what_is_about_one_client_works_from_every_server() {
    let redis = Redis::start();
    let (here, there) = (redis.server(ROUTES), redis.server(ROUTES));
    let mut client = connect(&there, None);
    let id = there.ids()[0].clone();
    let ask = |command: Command<'_>| here.ask(&command);
    assert_eq!(ask(message(Target::Client(&id))), Ok(Reply::Sent(Outcome::Queued)));
    assert_eq!(read(&mut client), "hello");
    assert_eq!(ask(Command::SetInformation(SetInformation { id: &id, key: "k", value: b"v"[..].into() })), Ok(Reply::Flag(true)));
    assert_eq!(ask(Command::GetInformation(GetInformation { id: &id, key: "k" })), Ok(Reply::Value(Some(b"v"[..].into()))));
    assert_eq!(ask(Command::Tag(Tag { id: &id, tag: "t", since: None, member: None })), Ok(Reply::Flag(true)));
    assert_eq!(
        ask(Command::Tag(Tag { id: &id, tag: "", since: None, member: None })),
        Err(CommandError::InvalidTag),
        "its errors come back as they are"
    );
    assert!(matches!(ask(Command::Client(Describe { id: &id })), Ok(Reply::Client(client)) if client.tags == [Arc::<str>::from("t")]));
    assert_eq!(ask(Command::Rename(Rename { id: &id, new: "ann" })), Ok(Reply::Renamed(Renamed::Done)));
    assert_eq!(ask(message(Target::Client("ann"))), Ok(Reply::Sent(Outcome::Queued)), "it is found by its new id");
    assert_eq!(read(&mut client), "hello");
    assert_eq!(ask(Command::Close(Close { id: "ann", code: 4000, reason: "bye" })), Ok(Reply::Flag(true)));
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
    drop(client);
    wait_until(PATIENCE, "it is gone", || there.connections() == 0);
    for gone in [&*id, "ann", "nobody"] {
        assert_eq!(ask(message(Target::Client(gone))), Ok(Reply::Sent(Outcome::Gone)));
        assert_eq!(ask(Command::Untag(Untag { id: gone, tag: "t" })), Ok(Reply::Flag(false)));
        assert_eq!(ask(Command::Client(Describe { id: gone })), Ok(Reply::Gone));
        assert_eq!(ask(Command::Rename(Rename { id: gone, new: "x" })), Ok(Reply::Renamed(Renamed::Gone)));
    }
}

#[test]
fn what_is_about_groups_reaches_all_servers() {
    let redis = Redis::start();
    let servers = [redis.server(ROUTES), redis.server(ROUTES), redis.server(ROUTES)];
    let mut clients: Vec<_> = ["a", "b", "c"].iter().zip(&servers).map(|(id, core)| connect(core, Some(id))).collect();
    let ask = |command: Command<'_>| servers[0].ask(&command);
    for id in ["a", "b", "c"] {
        assert_eq!(ask(Command::Tag(Tag { id, tag: "room:1", since: None, member: None })), Ok(Reply::Flag(true)));
        assert_eq!(ask(Command::SetUser(SetUser { id, user: Some("ann"), info: b"Ann"[..].into() })), Ok(Reply::Flag(true)));
    }
    assert_eq!(ask(Command::Count(Count::default())), Ok(Reply::Count(3)));
    let mut ids = match ask(Command::List(List { of: Target::Tag("room:1"), route: None })) {
        Ok(Reply::Names(ids)) => ids,
        other => panic!("{other:?}"),
    };
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c"].map(Arc::<str>::from));
    assert_eq!(ask(Command::Tags(Tags { id: None })), Ok(Reply::Names(vec!["room:1".into()])));
    let members = ask(Command::Presence(Presence { tag: "room:1", route: None }));
    assert!(matches!(&members, Ok(Reply::Members(members)) if members.len() == 1 && members[0].connections == 3), "{members:?}");
    for to in [Target::Tag("room:1"), Target::User("ann"), Target::Expression("room:*"), Target::All] {
        assert_eq!(ask(message(to)), Ok(Reply::Queued(1)), "on this server");
        assert!(clients.iter_mut().all(|client| read(client) == "hello"), "{to:?}");
    }
    // All that is sent comes in its order, whomever it is sent to.
    for n in 0..200 {
        let text = n.to_string();
        let to = [Target::Tag("room:1"), Target::Client("b"), Target::All][n % 3];
        let send = SendTo { to, route: None, except: None, binary: false, data: text.as_bytes().into() };
        servers[0].ask(&Command::Send(send)).expect("connected");
    }
    for n in 0..200 {
        assert_eq!(read(&mut clients[1]), n.to_string());
    }
    assert_eq!(ask(Command::DisconnectUser(DisconnectUser { user: "ann", code: 1000, reason: "", route: None })), Ok(Reply::Count(3)));
    drop(clients);
    wait_until(PATIENCE, "all are gone", || servers.iter().all(|core| core.connections() == 0));
    wait_until(PATIENCE, "nobody listens any more", || servers.iter().all(|core| core.stats()["cluster_topics"] == 0));
}

#[test]
fn one_id_has_one_client_on_all_servers() {
    let redis = Redis::start();
    let servers = [redis.server(ROUTES), redis.server(ROUTES), redis.server(ROUTES)];
    let clients: Vec<_> = ["a", "b", "c"].iter().zip(&servers).map(|(id, core)| connect(core, Some(id))).collect();
    let renamed: Vec<Reply> = std::thread::scope(|scope| {
        let renaming: Vec<_> = ["a", "b", "c"]
            .iter()
            .zip(&servers)
            .map(|(id, core)| scope.spawn(move || core.ask(&Command::Rename(Rename { id, new: "king" })).expect("connected")))
            .collect();
        renaming.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(renamed.iter().filter(|reply| **reply == Reply::Renamed(Renamed::Done)).count(), 1, "{renamed:?}");
    let mut handshake = servers[0].handshake("chat", HEAD, "192.0.2.1");
    for taken in ["a", "b", "c", "king"] {
        if servers.iter().any(|core| core.ids().iter().any(|id| **id == *taken)) {
            assert_eq!(servers[0].set_id(&mut handshake, taken), Err(AdmissionError::IdTaken), "{taken}");
        } else {
            wait_until(PATIENCE, "the others know that it is free", || servers[0].set_id(&mut handshake, taken).is_ok());
        }
    }
    // What a handshake has claimed is free when it is given up, and what a client had when it is gone.
    drop(handshake);
    drop(clients);
    for id in ["a", "b", "c", "king"] {
        wait_until(PATIENCE, "the id is free", || {
            let mut handshake = servers[1].handshake("chat", HEAD, "192.0.2.1");
            servers[1].set_id(&mut handshake, id).is_ok()
        });
    }
}

#[test]
fn values_are_the_same_on_all_servers_and_have_their_errors() {
    let redis = Redis::start();
    let (here, there) = (redis.server(ROUTES), redis.server(ROUTES));
    let key = || b"\xff\0"[..].into();
    assert_eq!(here.ask(&Command::Set(Set { key: key(), value: b"v"[..].into(), expire: None })), Ok(Reply::Done));
    assert_eq!(there.ask(&Command::Get(Get { key: key() })), Ok(Reply::Value(Some(b"v"[..].into()))));
    assert_eq!(there.ask(&Command::Add(Add { key: key(), value: b"w"[..].into(), expire: None })), Ok(Reply::Flag(false)));
    assert_eq!(there.ask(&Command::Increment(Increment { key: key(), by: 1 })), Err(KeyValueError::NotAnInteger.into()));
    assert_eq!(there.ask(&Command::Expiry(Expiry { key: key() })), Ok(Reply::Expiry(Some(None))));
    assert_eq!(there.ask(&Command::Delete(Delete { key: key() })), Ok(Reply::Flag(true)));
    assert_eq!(here.ask(&Command::Increment(Increment { key: key(), by: 5 })), Ok(Reply::Integer(5)));
    let empty = Command::Set(Set { key: b""[..].into(), value: b""[..].into(), expire: None });
    assert_eq!(here.ask(&empty), Err(KeyValueError::InvalidKey.into()));
}

#[test]
fn without_redis_a_server_serves_its_own_clients_and_says_what_does_not_work() {
    let mut redis = Redis::start();
    let (here, there) = (redis.server(ROUTES), redis.server(ROUTES));
    let (mut client, _far) = (connect(&here, None), connect(&there, None));
    let (id, far) = (here.ids()[0].clone(), there.ids()[0].clone());
    here.ask(&Command::Tag(Tag { id: &id, tag: "t", since: None, member: None })).expect("connected");
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || !is_connected(&here));
    let away = Err(CommandError::Cluster(ClusterError::Unavailable));
    for to in [Target::Client(&id), Target::Tag("t"), Target::All] {
        assert!(here.ask(&message(to)).is_ok(), "{to:?}");
        assert_eq!(read(&mut client), "hello");
    }
    assert_eq!(here.ask(&Command::Tag(Tag { id: &id, tag: "new", since: None, member: None })), Ok(Reply::Flag(true)));
    assert_eq!(here.ask(&message(Target::Client(&far))), away);
    assert_eq!(here.ask(&Command::Count(Count::default())), away);
    assert_eq!(here.ask(&Command::Get(Get { key: b"k"[..].into() })), away);
    assert_eq!(here.ask(&Command::Rename(Rename { id: &id, new: "x" })), away);
    assert_eq!(here.stats()["cluster_groups_not_told"], 2);
    let log = common::log(&here);
    assert!(log.iter().any(|record| record["msg"].as_str().is_some_and(|text| text.contains("cannot be reached"))), "{log:?}");
    redis.restart();
    [&here, &there].iter().for_each(|core| wait_connected(core));
    wait_until(PATIENCE, "the servers see each other", || here.ask(&Command::Count(Count::default())) == Ok(Reply::Count(2)));
    let send = SendTo { to: Target::Tag("new"), route: None, except: None, binary: false, data: b"again"[..].into() };
    there.ask(&Command::Send(send)).expect("connected");
    assert_eq!(read(&mut client), "again", "what was subscribed to meanwhile is");
}

fn history(core: &Core, since: Option<&str>, limit: u32) -> fws_hub::History {
    match core.ask(&Command::History(ReadHistory { tag: "news:1", since, limit, route: None })) {
        Ok(Reply::History(history)) => *history,
        other => panic!("{other:?}"),
    }
}

fn texts(history: &fws_hub::History) -> Vec<String> {
    history.messages.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect()
}

fn news(core: &Core, text: &str) -> u64 {
    let send = SendTo { to: Target::Tag("news:1"), route: None, except: None, binary: false, data: text.as_bytes().into() };
    match core.ask(&Command::Send(send)) {
        Ok(Reply::Queued(queued)) => queued,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_channel_has_one_history_on_all_servers() {
    let redis = Redis::start();
    let servers = [redis.server(ROUTES), redis.server(ROUTES)];
    let mut clients: Vec<_> = ["a", "b"].iter().zip(&servers).map(|(id, core)| connect(core, Some(id))).collect();
    let mut plain = {
        let mut handshake = servers[1].handshake("plain", HEAD, "192.0.2.1");
        servers[1].set_id(&mut handshake, "p").expect("free");
        WebSocket::from_raw_socket(common::adopt(&servers[1], handshake, &[], PATIENCE), Role::Client, None)
    };
    let tag = |id, since| servers[0].ask(&Command::Tag(Tag { id, tag: "news:1", since, member: None }));
    assert_eq!(history(&servers[0], None, 0).messages, []);
    assert_eq!(news(&servers[0], "one"), 0);
    assert_eq!((tag("a", None), tag("p", None)), (Ok(Reply::Flag(true)), Ok(Reply::Flag(true))));
    assert_eq!(news(&servers[0], "two"), 1, "the clients of the own server");
    // Only a channel is in the same order for all.
    assert_eq!(read(&mut plain), "two");
    assert_eq!(news(&servers[1], "three"), 1);
    assert_eq!(tag("b", Some("")), Ok(Reply::Flag(true)));
    assert_eq!(news(&servers[1], "four"), 2);
    assert_eq!([(); 3].map(|()| read(&mut clients[0])), ["two", "three", "four"]);
    assert_eq!([(); 4].map(|()| read(&mut clients[1])), ["one", "two", "three", "four"]);
    assert_eq!([(); 2].map(|()| read(&mut plain)), ["three", "four"], "a route without a history gets it as always");
    let all = history(&servers[1], Some(""), 0);
    assert_eq!((texts(&all), all.complete, all.messages[0].offset), (["one", "two", "three", "four"].map(String::from).into(), true, 1));
    assert_eq!(history(&servers[0], Some(""), 0), all, "it is the same wherever it is read");
    let last = history(&servers[0], None, 2);
    assert_eq!((texts(&last), last.complete), (vec!["three".to_owned(), "four".to_owned()], false));
    let page = history(&servers[0], Some(&all.messages[0].position), 2);
    assert_eq!((texts(&page), page.complete), (vec!["two".to_owned(), "three".to_owned()], true));
    let other = history(&servers[0], Some("00000000deadbeef:2"), 0);
    assert_eq!((other.messages.len(), other.complete), (4, false));
    // It comes back to where it was.
    assert_eq!(servers[1].ask(&Command::Untag(Untag { id: "b", tag: "news:1" })), Ok(Reply::Flag(true)));
    news(&servers[0], "five");
    assert_eq!(tag("b", Some(&all.position)), Ok(Reply::Flag(true)));
    assert_eq!(read(&mut clients[1]), "five");
    let clear = || servers[1].ask(&Command::ClearHistory(ClearHistory { tag: "news:1", route: None }));
    assert_eq!((clear(), clear()), (Ok(Reply::Flag(true)), Ok(Reply::Flag(false))));
    assert_eq!((history(&servers[0], None, 0).messages.len(), history(&servers[0], Some(&all.position), 0).complete), (0, false));
}

#[test]
fn members_on_all_servers_get_each_message_once_and_in_order_while_others_join_and_connections_break() {
    let redis = Redis::start();
    let servers = [redis.server(ROUTES), redis.server(ROUTES), redis.server(ROUTES)];
    let mut members: Vec<_> = (0..3).map(|n| connect(&servers[n], Some(&format!("m{n}")))).collect();
    for (n, core) in servers.iter().enumerate() {
        assert_eq!(core.ask(&Command::Tag(Tag { id: &format!("m{n}"), tag: "news:1", since: None, member: None })), Ok(Reply::Flag(true)));
    }
    const EACH: usize = 300;
    let joined = std::thread::scope(|scope| {
        for (number, core) in servers.iter().enumerate() {
            scope.spawn(move || {
                for n in 0..EACH {
                    let text = format!("{number} {n}");
                    let send = SendTo { to: Target::Tag("news:1"), route: None, except: None, binary: false, data: text.as_bytes().into() };
                    // While the connection is broken it is refused. Where that was too late to know, it may be recorded twice.
                    wait_until(PATIENCE, "it is recorded", || core.ask(&Command::Send(send.clone())).is_ok());
                }
            });
        }
        let socket = redis.folder.join("s");
        scope.spawn(move || {
            for round in 0..6 {
                let kind = if round % 2 == 0 { "pubsub" } else { "normal" };
                let killed = Process::new("redis-cli").arg("-s").arg(&socket).args(["CLIENT", "KILL", "TYPE", kind]).output();
                assert!(killed.expect("redis-cli").status.success());
                std::thread::sleep(Duration::from_millis(120));
            }
        });
        // Meanwhile clients join with all that was sent before.
        (0..12)
            .map(|n| {
                let core = &servers[n % 3];
                let id = format!("j{n}");
                let mut client = None;
                wait_until(PATIENCE, "its id can be claimed", || {
                    let mut handshake = core.handshake("chat", HEAD, "192.0.2.1");
                    if core.set_id(&mut handshake, &id).is_ok() {
                        client = Some(WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None));
                    }
                    client.is_some()
                });
                let join = Tag { id: &id, tag: "news:1", since: Some(""), member: None };
                wait_until(PATIENCE, "it joins", || core.ask(&Command::Tag(join.clone())) == Ok(Reply::Flag(true)));
                client.expect("just connected")
            })
            .collect::<Vec<_>>()
    });
    wait_until(PATIENCE, "all are connected", || servers.iter().all(|core| is_connected(core)));
    wait_until(PATIENCE, "the last is recorded", || servers[0].ask(&message(Target::Tag("news:1"))).is_ok());
    let all = texts(&history(&servers[0], Some(""), 0));
    assert!(all.len() > 3 * EACH);
    members.extend(joined);
    for client in &mut members {
        let mut got = Vec::new();
        while got.len() < all.len() {
            got.push(read(client));
        }
        let differs = got.iter().zip(&all).position(|(got, all)| got != all);
        assert_eq!(differs.map(|at| (at, &got[at..], &all[at..])), None);
    }
    assert!(servers.iter().all(|core| common::counter(core, "history_gaps") == 0));
}

/// The events of joining and leaving that PHP is told on a server, as "+ann" and "-ann", until so many have come.
fn attendance(core: &Core, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    wait_until(PATIENCE, "users join and leave", || {
        while let Some(ring) = core.take_ring() {
            let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
            while let Some(current) = core.next_event(&bell) {
                match current.event() {
                    fws_session::Event::Join(membership) => told.push(format!("+{}", membership.user)),
                    fws_session::Event::Leave(membership) => told.push(format!("-{}", membership.user)),
                    _ => {}
                }
            }
            core.release_bell(&bell, false, "");
            core.end_bell(&ring.nonce, fws_server::Ended::Served, b"", "");
        }
        told.len() >= count
    });
    told
}

#[test]
fn a_user_joins_a_channel_once_on_all_servers_and_leaves_with_the_last_connection() {
    let redis = Redis::start();
    let servers = [redis.server(ROUTES), redis.server(ROUTES)];
    let join = |core: &Core, user: &str| {
        let mut handshake = core.handshake("worker", HEAD, "192.0.2.1");
        handshake.set_user(user, b"").expect("legal");
        handshake.add_tag("hall:1").expect("legal");
        common::adopt(core, handshake, &[], PATIENCE)
    };
    let close = |core: &Core, user: &str| {
        core.ask(&Command::DisconnectUser(DisconnectUser { user, code: 1000, reason: "", route: None })).expect("connected")
    };
    let (first, second) = (join(&servers[0], "ann"), join(&servers[0], "ann"));
    assert_eq!(attendance(&servers[0], 1), ["+ann"]);
    let third = join(&servers[1], "ann");
    let bob = join(&servers[1], "bob");
    assert_eq!(attendance(&servers[1], 1), ["+bob"], "ann was there");
    drop((first, second));
    wait_until(PATIENCE, "ann has left this server", || servers[0].connections() == 0);
    let eve = join(&servers[0], "eve");
    assert_eq!(attendance(&servers[0], 1), ["+eve"], "ann is still on the other server");
    drop(third);
    assert_eq!(attendance(&servers[1], 1), ["-ann"]);
    // A reload that ends presence tells nobody, and leaves nothing behind.
    for core in &servers {
        core.stage(2, br#"{"routes":[{"name":"worker","worker":"w"}]}"#).expect("legal");
        core.commit(2).expect("staged");
        core.stage(3, ROUTES.as_bytes()).expect("legal");
    }
    wait_until(PATIENCE, "Redis knows of nobody", || {
        let keys =
            Process::new("redis-cli").arg("-s").arg(redis.folder.join("s")).args(["KEYS", "{fws}:at:*"]).output().expect("redis-cli");
        keys.stdout.trim_ascii().is_empty()
    });
    servers[0].commit(3).expect("staged");
    let mut joined = attendance(&servers[0], 1);
    assert_eq!(joined.pop().as_deref(), Some("+eve"));
    assert_eq!(close(&servers[0], "eve"), Reply::Count(1));
    assert_eq!(attendance(&servers[0], 1), ["-eve"]);
    drop((bob, eve));
}

#[test]
fn a_client_that_comes_back_with_its_id_before_its_old_socket_is_closed_keeps_the_id() {
    let redis = Redis::start();
    let (here, there) = (redis.server(ROUTES), redis.server(ROUTES));
    for _ in 0..20 {
        let mut old = connect(&here, Some("ann"));
        old.close(None).expect("a close frame");
        // The closing handshake is over, and the socket is not closed yet.
        while old.read().is_ok() {}
        let mut client = None;
        wait_until(PATIENCE, "the id is free", || {
            let mut handshake = here.handshake("chat", HEAD, "192.0.2.1");
            if here.set_id(&mut handshake, "ann").is_ok() {
                client = Some(common::adopt(&here, handshake, &[], PATIENCE));
            }
            client.is_some()
        });
        drop(old);
        wait_until(PATIENCE, "the old one is gone", || here.connections() == 1);
        let mut handshake = there.handshake("chat", HEAD, "192.0.2.1");
        assert_eq!(there.set_id(&mut handshake, "ann"), Err(AdmissionError::IdTaken));
        drop(client);
        wait_until(PATIENCE, "it is gone", || here.connections() == 0);
        wait_until(PATIENCE, "the id is free everywhere", || {
            [&there, &here].iter().all(|core| core.set_id(&mut core.handshake("chat", HEAD, "192.0.2.1"), "ann").is_ok())
        });
    }
}
