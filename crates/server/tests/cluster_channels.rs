//! What several servers send each other while the lines to Redis are slow, held up, or broken.

mod common;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::line::Line;
use common::redis::{Redis, is_connected, wait_connected};
use common::{counter, wait_until};
use fws_hub::command::{SendTo, Tag};
use fws_hub::{Command, Reply, Target};
use fws_server::Core;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that a server may wait.
const LONG: Duration = Duration::from_secs(30);

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ROUTES: &str = r#"{"routes":[{"name":"chat","echo":true,"max_outbox":100000000,
    "channels":[{"pattern":"news:*","history":{"count":100000,"age":3600000000000}}]}]}"#;

fn connect(core: &Core, id: &str) -> WebSocket<TcpStream> {
    let mut handshake = core.handshake("chat", HEAD, "192.0.2.1");
    core.set_id(&mut handshake, id).expect("free");
    WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None)
}

/// The same, once the id can be claimed.
fn connect_when_possible(core: &Core, id: &str) -> WebSocket<TcpStream> {
    let mut client = None;
    wait_until(PATIENCE, "its id can be claimed", || {
        let mut handshake = core.handshake("chat", HEAD, "192.0.2.1");
        if core.set_id(&mut handshake, id).is_ok() {
            client = Some(WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None));
        }
        client.is_some()
    });
    client.expect("just connected")
}

fn member(core: &Core, id: &str, tag: &str) -> WebSocket<TcpStream> {
    let client = connect(core, id);
    assert_eq!(core.ask(&Command::Tag(Tag { id, tag, since: None, member: None })), Ok(Reply::Flag(true)));
    client
}

fn send(core: &Core, tag: &str, text: &str) {
    let message = SendTo { to: Target::Tag(tag), route: None, except: None, binary: false, data: text.as_bytes().into() };
    core.ask(&Command::Send(message)).expect("connected");
}

fn read(client: &mut WebSocket<TcpStream>) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Message::Text(text) = client.read().expect("a message") {
            return text.to_string();
        }
        assert!(Instant::now() < until, "nothing but pings comes");
    }
}

#[test]
fn more_than_a_line_carries_within_the_timeout_is_fetched_page_by_page() {
    let redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let (here, there) = (redis.server(ROUTES), redis.server_by(&line.socket, ROUTES, Duration::from_secs(1)));
    let mut far = member(&there, "far", "news:1");
    send(&here, "news:1", "first");
    assert_eq!(read(&mut far), "first");
    line.set_rate(2 << 20);
    line.cut();
    wait_until(PATIENCE, "the cut is noticed", || !is_connected(&there));
    // So much takes several times as long as the server waits for Redis.
    let texts: Vec<String> = (0..200).map(|n| format!("{n} {}", "x".repeat(40_000))).collect();
    texts.iter().for_each(|text| send(&here, "news:1", text));
    line.mend();
    for text in &texts {
        assert!(read(&mut far) == *text, "{}", &text[..5]);
    }
    send(&here, "news:1", "last");
    assert_eq!(read(&mut far), "last");
    assert_eq!(counter(&there, "history_gaps"), 0);
}

#[test]
fn what_is_recorded_in_an_empty_redis_before_a_server_is_back_reaches_its_members_once() {
    let mut redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let (here, there) = (redis.server(ROUTES), redis.server_by(&line.socket, ROUTES, Duration::from_secs(5)));
    let (mut near, mut far) = (member(&here, "near", "news:1"), member(&there, "far", "news:1"));
    for text in ["old 1", "old 2"] {
        send(&here, "news:1", text);
        assert_eq!((&*read(&mut near), &*read(&mut far)), (text, text));
    }
    line.cut();
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || !is_connected(&here) && !is_connected(&there));
    redis.restart();
    wait_connected(&here);
    let texts = ["new 1", "new 2", "new 3"];
    texts.iter().for_each(|text| send(&here, "news:1", text));
    assert_eq!([(); 3].map(|()| read(&mut near)), texts);
    line.mend();
    assert_eq!([(); 3].map(|()| read(&mut far)), texts);
    send(&here, "news:1", "new 4");
    assert_eq!((&*read(&mut near), &*read(&mut far)), ("new 4", "new 4"));
    assert_eq!((counter(&here, "history_gaps"), counter(&there, "history_gaps")), (0, 0), "nothing is known to be lost");
}

#[test]
fn what_is_really_gone_is_counted() {
    let redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let (here, there) = (redis.server(ROUTES), redis.server_by(&line.socket, ROUTES, Duration::from_secs(5)));
    let mut far = member(&there, "far", "news:1");
    send(&here, "news:1", "first");
    assert_eq!(read(&mut far), "first");
    line.cut();
    wait_until(PATIENCE, "it is noticed", || !is_connected(&there));
    (0..3).for_each(|n| send(&here, "news:1", &n.to_string()));
    redis.cli(&["DEL", "{fws}:h:4:chatnews:1"]);
    send(&here, "news:1", "kept");
    line.mend();
    assert_eq!(read(&mut far), "kept");
    assert_eq!(counter(&there, "history_gaps"), 1);
}

#[test]
fn those_who_wait_for_the_past_of_a_channel_wait_at_the_same_time_and_its_members_do_not_wait() {
    let redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let (here, there) = (redis.server(ROUTES), redis.server_by(&line.socket, ROUTES, LONG));
    let mut far = member(&there, "far", "news:1");
    let mut joining: Vec<_> = (0..5).map(|n| connect(&there, &format!("j{n}"))).collect();
    send(&here, "news:1", "first");
    assert_eq!(read(&mut far), "first");
    // Each who joins makes Redis look into the channel twice: for the message, and for what comes behind it.
    let looks = || {
        let stats = redis.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_xrange:calls=")).unwrap_or("0,");
        line.split(',').next().and_then(|calls| calls.parse::<u64>().ok()).expect("a number")
    };
    line.hold_answers(true);
    let before = looks();
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..5)
            .map(|n| {
                let there = &there;
                scope.spawn(move || there.ask(&Command::Tag(Tag { id: &format!("j{n}"), tag: "news:1", since: Some(""), member: None })))
            })
            .collect();
        wait_until(PATIENCE, "all have asked", || looks() >= before + 10);
        for n in 0..10 {
            send(&here, "news:1", &n.to_string());
            assert_eq!(read(&mut far), n.to_string(), "a member gets it meanwhile");
        }
        line.hold_answers(false);
        assert!(joins.into_iter().all(|join| join.join().expect("no panic") == Ok(Reply::Flag(true))));
    });
    send(&here, "news:1", "last");
    let expected: Vec<String> = ["first".into()].into_iter().chain((0..10).map(|n| n.to_string())).chain(["last".into()]).collect();
    for client in &mut joining {
        assert_eq!((0..expected.len()).map(|_| read(client)).collect::<Vec<_>>(), expected);
    }
    assert_eq!(read(&mut far), "last");
}

#[test]
fn a_burst_waits_for_room_and_reaches_all_servers_in_order() {
    let redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let (here, there) = (redis.server_by(&line.socket, ROUTES, LONG), redis.server(ROUTES));
    let mut far = member(&there, "far", "plain");
    const COUNT: usize = 20_000;
    std::thread::scope(|scope| {
        line.hold_all(true);
        scope.spawn(|| (0..COUNT).for_each(|n| send(&here, "plain", &n.to_string())));
        wait_until(PATIENCE, "there is no room", || counter(&here, "cluster_waiting") >= 16_384);
        line.hold_all(false);
    });
    for n in 0..COUNT {
        assert_eq!(read(&mut far), n.to_string());
    }
    assert_eq!((counter(&here, "cluster_groups_not_told"), counter(&there, "cluster_dropped")), (0, 0));
}

#[test]
fn what_was_on_its_way_when_redis_stopped_is_counted_and_said() {
    let mut redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let here = redis.server_by(&line.socket, ROUTES, LONG);
    let mut near = member(&here, "near", "plain");
    line.hold_all(true);
    for n in 0..100 {
        send(&here, "plain", &n.to_string());
        assert_eq!(read(&mut near), n.to_string(), "this server's clients have it");
    }
    assert_eq!(counter(&here, "cluster_groups_not_told"), 0);
    redis.kill();
    line.cut();
    wait_until(PATIENCE, "it is noticed", || !is_connected(&here) && counter(&here, "cluster_groups_not_told") == 100);
    let said = || common::log(&here).iter().any(|record| record["fields"]["messages"] == 100);
    wait_until(PATIENCE, "the log says so", said);
}

#[test]
fn pages_messages_and_those_who_join_meet_in_order_and_once_while_a_line_breaks_again_and_again() {
    let redis = Redis::start();
    let line = Line::new(&redis.folder, "line");
    let servers = [redis.server(ROUTES), redis.server_by(&line.socket, ROUTES, Duration::from_secs(5))];
    let mut clients: Vec<_> = (0..2).map(|n| member(&servers[n], &format!("m{n}"), "news:1")).collect();
    const COUNT: usize = 600;
    const JOIN: usize = 30;
    // About ten are a page, and more than a page is missed each time.
    let text = |n: usize| format!("{n} {}", "x".repeat(25_000));
    let done = std::sync::atomic::AtomicBool::new(false);
    let joined: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..COUNT).for_each(|n| send(&servers[0], "news:1", &text(n)));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                line.cut();
                wait_until(PATIENCE, "it is noticed", || !is_connected(&servers[1]));
                line.mend();
                wait_connected(&servers[1]);
            }
        });
        let mut joined: Vec<_> = (0..JOIN).map(|n| connect_when_possible(&servers[n % 2], &format!("j{n}"))).collect();
        for (n, client) in joined.iter_mut().enumerate() {
            let (id, core) = (format!("j{n}"), &servers[n % 2]);
            let join = Tag { id: &id, tag: "news:1", since: Some(""), member: None };
            wait_until(PATIENCE, "it joins", || core.ask(&Command::Tag(join.clone())) == Ok(Reply::Flag(true)));
            assert!(read(client) == text(0), "{id}");
        }
        joined
    });
    for (n, client) in clients.iter_mut().enumerate() {
        for message in 0..COUNT {
            let got = read(client);
            assert!(got == text(message), "m{n} gets {} in the place of {message}", &got[..5]);
        }
    }
    for (n, mut client) in joined.into_iter().enumerate() {
        for message in 1..COUNT {
            let got = read(&mut client);
            assert!(got == text(message), "j{n} gets {} in the place of {message}", &got[..5]);
        }
    }
    assert!(servers.iter().all(|core| counter(core, "history_gaps") == 0));
}

#[test]
fn the_first_message_of_a_channel_reaches_those_who_have_joined_while_others_join() {
    let redis = Redis::start();
    let (here, there) = (redis.server(ROUTES), redis.server(ROUTES));
    for round in 0..60 {
        let tag = format!("news:{round}");
        let mut handshake = here.handshake("chat", HEAD, "192.0.2.1");
        handshake.add_tag(&tag).expect("legal");
        let mut member = WebSocket::from_raw_socket(common::adopt(&here, handshake, &[], PATIENCE), Role::Client, None);
        let others: Vec<_> = (0..3).map(|n| connect(&here, &format!("other-{round}-{n}"))).collect();
        std::thread::scope(|scope| {
            for id in here.ids() {
                let (here, tag) = (&here, &tag);
                scope.spawn(move || here.ask(&Command::Tag(Tag { id: &id, tag, since: None, member: None })));
            }
            let message = SendTo { to: Target::Tag(&tag), route: None, except: None, binary: false, data: b"first"[..].into() };
            assert!(there.ask(&Command::Send(message)).is_ok());
        });
        assert_eq!(member.read().expect("the first message").to_text().expect("text"), "first", "round {round}");
        drop((member, others));
        wait_until(PATIENCE, "all are gone", || here.connections() == 0);
    }
}
