//! Clients whose network is away, and that come back for what they missed.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::visitor::{Visitor, handshake};
use common::{counter, wait_until};
use fws_hub::command::{Close, Describe, Kill, Rename, SendTo, SetInformation, Tag};
use fws_hub::{Client, Command, Outcome, Reply, Target};
use fws_server::{AdmissionError, Config, Core, Ended};
use fws_session::{Event, Opened};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

const ROUTES: &str = r#"{"routes":[
  {"name":"chat","worker":"w","subprotocols":["a","b"],"compression":{},"max_outbox":4000,"resume":{"window":3600000000000}},
  {"name":"short","worker":"w","resume":{"window":1000000000}},
  {"name":"echo","echo":true,"resume":{"window":3600000000000,"parameter":"session","received":"count"},"max_connections":1,"max_connections_per_ip":1},
  {"name":"plain","worker":"w"}]}"#;

fn started(config: Config) -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..config }).expect("threads and epolls");
    core.stage(1, ROUTES.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn ids(core: &Core) -> Vec<String> {
    core.ids().iter().map(|id| id.to_string()).collect()
}

fn only(core: &Core) -> String {
    let ids = ids(core);
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].clone()
}

fn send(core: &Core, id: &str, text: &str) {
    let message = SendTo { to: Target::Client(id), route: None, except: None, binary: false, data: text.as_bytes().into() };
    assert_eq!(core.ask(&Command::Send(message)), Ok(Reply::Sent(Outcome::Queued)), "{text}");
}

fn describe(core: &Core, id: &str) -> Client {
    match core.ask(&Command::Client(Describe { id })) {
        Ok(Reply::Client(client)) => *client,
        other => panic!("{other:?}"),
    }
}

fn wait_suspended(core: &Core, count: u64) {
    wait_until(PATIENCE, "clients are waited for", || counter(core, "suspended") == count);
}

/// The events that PHP is told until one of this kind has come.
fn events(core: &Core, until: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    while !told.iter().any(|event| event.starts_with(until)) {
        let mut ring = None;
        wait_until(PATIENCE, until, || {
            ring = ring.take().or_else(|| core.take_ring());
            ring.is_some()
        });
        let nonce = ring.expect("just seen").nonce;
        let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
        while let Some(current) = core.next_event(&bell) {
            told.push(match current.event() {
                Event::Open(opened) => format!("open {}", String::from_utf8_lossy(&opened.query)),
                Event::Message { data, .. } => format!("message {}", String::from_utf8_lossy(data)),
                Event::Suspend => "suspend".into(),
                Event::Resume(opened) => {
                    let Opened { ip, query, user, .. } = &**opened;
                    let user = if user.is_empty() { String::new() } else { format!(" of {user}") };
                    format!("resume {ip} {}{user}", String::from_utf8_lossy(query))
                }
                Event::Close(closed) => format!("close {} {}", closed.code, closed.reason),
                other => unreachable!("there are no timers and channels: {other:?}"),
            });
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&nonce, Ended::Served, b"", "");
    }
    told
}

#[test]
fn a_client_that_never_asks_sees_nothing_of_it_and_is_not_waited_for() {
    let core = started(Config::default());
    for (route, query) in [("chat", ""), ("chat", "?received=1"), ("plain", "?resume=")] {
        let socket = common::adopt(&core, handshake(&core, route, query, ""), &[], PATIENCE);
        let mut socket = WebSocket::from_raw_socket(socket, Role::Client, None);
        wait_until(PATIENCE, "it is known", || core.connections() == 1);
        send(&core, &only(&core), "first");
        assert_eq!(socket.read().expect("a message"), Message::text("first"));
        drop(socket);
        wait_until(PATIENCE, "it is gone", || core.connections() == 0);
    }
    assert_eq!((counter(&core, "connections_suspended"), counter(&core, "resume_bytes")), (0, 0));
}

#[test]
fn a_client_that_comes_back_has_all_that_it_had_and_gets_what_it_missed_once_and_in_order() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "chat");
    assert_eq!((&visitor.greeting["resumed"], &visitor.greeting["window"]), (&Value::Bool(false), &3600.into()));
    let id = only(&core);
    core.ask(&Command::Tag(Tag { id: &id, tag: "room", since: None, member: None })).expect("legal");
    core.ask(&Command::SetInformation(SetInformation { id: &id, key: "k", value: b"v"[..].into() })).expect("legal");
    for text in ["1", "2", "3"] {
        send(&core, &id, text);
    }
    assert_eq!([visitor.next(), visitor.next()], ["1", "2"]);
    visitor.cut();
    wait_suspended(&core, 1);
    assert!(describe(&core, &id).suspended && describe(&core, &id).connected);
    let group = SendTo { to: Target::Tag("room"), route: None, except: None, binary: false, data: b"4"[..].into() };
    assert_eq!(core.ask(&Command::Send(group)), Ok(Reply::Queued(1)));
    core.ask(&Command::Rename(Rename { id: &id, new: "ann" })).expect("free");
    send(&core, "ann", "5");
    let mut back = visitor.back(&core);
    assert_eq!((&back.greeting["resumed"], &back.greeting["received"]), (&Value::Bool(true), &0.into()));
    assert_ne!(back.token(), visitor.token());
    send(&core, "ann", "6");
    assert_eq!([back.next(), back.next(), back.next(), back.next()], ["3", "4", "5", "6"]);
    assert_eq!(only(&core), "ann");
    assert_eq!(describe(&core, "ann").tags, [Arc::<str>::from("room")]);
    assert!(!describe(&core, "ann").suspended);
    back.socket.send(Message::text("hi")).expect("sent");
    assert_eq!(events(&core, "message"), ["open ", "suspend", "resume 192.0.2.1 ", "message hi"]);
    assert_eq!((counter(&core, "connections_opened"), counter(&core, "connections_resumed"), counter(&core, "suspended")), (1, 1, 0));
}

#[test]
fn a_client_whose_old_connection_seems_alive_takes_its_place() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "chat");
    send(&core, &only(&core), "1");
    assert_eq!(visitor.next(), "1");
    visitor.socket.send(Message::text("from the old connection")).expect("sent");
    assert_eq!(events(&core, "message"), ["open ", "message from the old connection"]);
    let mut back = visitor.back(&core);
    assert_eq!((&back.greeting["resumed"], &back.greeting["received"]), (&Value::Bool(true), &1.into()));
    send(&core, &only(&core), "2");
    assert_eq!(back.next(), "2");
    assert!(matches!(visitor.socket.read(), Err(Error::Protocol(_) | Error::Io(_))), "it is cut");
    assert_eq!(events(&core, "resume"), ["suspend", "resume 192.0.2.1 "]);
}

#[test]
fn a_greeting_that_did_not_arrive_is_told_again_and_a_token_that_was_used_is_not_good_any_more() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "chat");
    let id = only(&core);
    for text in ["1", "2"] {
        send(&core, &id, text);
    }
    assert_eq!(visitor.next(), "1");
    visitor.cut();
    // The new connection breaks before its client has read anything.
    let lost = common::adopt(&core, handshake(&core, "chat", &visitor.query(), ""), &[], PATIENCE);
    wait_until(PATIENCE, "it is back", || counter(&core, "connections_resumed") == 1);
    drop(lost);
    let mut back = visitor.back(&core);
    assert_eq!(back.greeting["resumed"], true);
    assert_eq!(back.next(), "2");
    // The pong to the ping behind that message proves that the token was told.
    send(&core, &id, "3");
    assert_eq!(back.next(), "3");
    wait_until(PATIENCE, "its pong has come", || counter(&core, "resume_bytes") < 200);
    for stale in [visitor.query(), format!("?resume={}&received=0", visitor.token())] {
        let stranger = Visitor::of(&core, handshake(&core, "chat", &stale, ""));
        assert_eq!((&stranger.greeting["resumed"], &stranger.greeting["reason"]), (&Value::Bool(false), &"unknown".into()));
    }
    assert_eq!(counter(&core, "resumes_refused"), 2);
}

#[test]
fn what_does_not_fit_the_session_gets_a_new_one_and_is_told_why() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "chat");
    send(&core, &only(&core), "1");
    visitor.next();
    visitor.cut();
    wait_suspended(&core, 1);
    let (token, query) = (visitor.token(), visitor.query());
    let compressed = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    for (route, query, headers, why) in [
        ("chat", format!("?resume={token}&received=2"), "", "received"),
        ("chat", format!("?resume={token}"), "", "received"),
        ("chat", format!("?resume={}A&received=1", &token[..31]), "", "unknown"),
        ("chat", query.clone(), "Sec-WebSocket-Protocol: a\r\n", "different"),
        ("chat", query.clone(), compressed, "different"),
        ("short", query.clone(), "", "unknown"),
    ] {
        let other = Visitor::of(&core, handshake(&core, route, &query, headers));
        assert_eq!((&other.greeting["resumed"], &other.greeting["reason"]), (&Value::Bool(false), &why.into()), "{query} {headers}");
    }
    for user in ["bob", "ann"] {
        let mut handshake = handshake(&core, "chat", &query, "");
        handshake.set_user(user, b"").expect("legal");
        assert_eq!(Visitor::of(&core, handshake).greeting["reason"], "different", "it had no user");
    }
    assert_eq!(visitor.back(&core).greeting["resumed"], true, "none of that harmed it");
}

#[test]
fn who_had_an_id_and_a_user_must_have_them_again() {
    let core = started(Config::default());
    let as_ann = |query: &str, id: &str, user: &str| {
        let mut handshake = handshake(&core, "chat", query, "");
        core.set_id(&mut handshake, id).map(|()| {
            handshake.set_user(user, b"").expect("legal");
            handshake
        })
    };
    let visitor = Visitor::of(&core, as_ann("?resume=", "ann-1", "ann").expect("free"));
    core.ask(&Command::Rename(Rename { id: "ann-1", new: "other" })).expect("free");
    visitor.cut();
    wait_suspended(&core, 1);
    let query = visitor.query();
    assert_eq!(Visitor::of(&core, as_ann(&query, "bob-1", "ann").expect("free")).greeting["reason"], "different");
    assert_eq!(Visitor::of(&core, as_ann(&query, "ann-1", "ann").expect("its own")).greeting["resumed"], true);
    assert!(ids(&core).contains(&"other".to_owned()) && !ids(&core).contains(&"ann-1".to_owned()));
}

#[test]
fn who_comes_with_the_id_of_a_client_that_is_away_takes_the_id() {
    let core = started(Config::default());
    let as_ann = |query: &str| {
        let mut handshake = handshake(&core, "chat", query, "");
        core.set_id(&mut handshake, "ann").map(|()| handshake)
    };
    let visitor = Visitor::of(&core, as_ann("?resume=").expect("free"));
    assert_eq!(as_ann("?resume=").err(), Some(AdmissionError::IdTaken));
    visitor.cut();
    wait_suspended(&core, 1);
    assert_eq!(as_ann("?resume=").err(), Some(AdmissionError::IdLeaving));
    let told = events(&core, "close");
    assert!(told.last().is_some_and(|event| event.starts_with("close 1006")), "{told:?}");
    assert_eq!(Visitor::of(&core, as_ann(&visitor.query()).expect("free now")).greeting["reason"], "unknown");
}

#[test]
fn a_client_that_stays_away_is_closed_after_the_window_and_what_was_kept_is_counted_as_dropped() {
    let core = started(Config::default());
    let visitor = Visitor::new(&core, "short");
    let id = only(&core);
    visitor.cut();
    wait_suspended(&core, 1);
    send(&core, &id, "1");
    assert_eq!(events(&core, "close"), ["open ", "suspend", "close 1006 the client did not come back within the time of resume"]);
    wait_until(PATIENCE, "it is forgotten", || core.stats()["connections_known"] == 0);
    assert_eq!([counter(&core, "messages_dropped"), counter(&core, "suspended"), counter(&core, "resume_bytes")], [1, 0, 0]);
}

#[test]
fn a_client_whose_handshake_takes_longer_than_the_window_is_waited_for() {
    let core = started(Config::default());
    let visitor = Visitor::new(&core, "short");
    visitor.cut();
    wait_suspended(&core, 1);
    let pending = handshake(&core, "short", &visitor.query(), "");
    let begun = std::time::Instant::now();
    wait_until(PATIENCE, "the window is over", || begun.elapsed() > Duration::from_millis(1500));
    let back = Visitor::of(&core, pending);
    assert_eq!(back.greeting["resumed"], true);
    let visitor = Visitor::new(&core, "short");
    visitor.cut();
    wait_suspended(&core, 1);
    drop(handshake(&core, "short", &visitor.query(), ""));
    wait_until(PATIENCE, "who gave its handshake up is not waited for", || counter(&core, "suspended") == 0);
}

#[test]
fn a_client_that_is_away_can_be_closed_and_killed() {
    let core = started(Config::default());
    for (kills, code) in [(false, "close 4000 gone"), (true, "close 1006 the server cut the connection")] {
        let visitor = Visitor::new(&core, "chat");
        let id = only(&core);
        visitor.cut();
        wait_suspended(&core, 1);
        let command = if kills { Command::Kill(Kill { id: &id }) } else { Command::Close(Close { id: &id, code: 4000, reason: "gone" }) };
        assert_eq!(core.ask(&command), Ok(Reply::Flag(true)));
        assert_eq!(events(&core, "close").last().map(String::as_str), Some(code));
        assert_eq!(counter(&core, "suspended"), 0);
        assert_eq!(visitor.back(&core).greeting["reason"], "unknown");
        let rest = only(&core);
        core.ask(&Command::Kill(Kill { id: &rest })).expect("legal");
        events(&core, "close");
    }
}

#[test]
fn what_cannot_be_kept_for_a_client_that_is_away_ends_it_and_is_counted_and_logged() {
    let core = started(Config::default());
    let visitor = Visitor::new(&core, "chat");
    let id = only(&core);
    visitor.cut();
    wait_suspended(&core, 1);
    for _ in 0..3 {
        send(&core, &id, &"a".repeat(1000));
    }
    send(&core, &id, &"b".repeat(1000));
    let told = events(&core, "close");
    assert!(told.last().is_some_and(|event| event.contains("could not be kept")), "{told:?}");
    assert_eq!([counter(&core, "messages_dropped"), counter(&core, "resumes_lost"), counter(&core, "resume_bytes")], [4, 1, 0]);
    assert!(common::log(&core).iter().any(|record| record["msg"].as_str().is_some_and(|text| text.contains("max_resume_bytes"))));
}

#[test]
fn no_more_clients_are_waited_for_than_max_suspended() {
    let core = started(Config { max_suspended: 1, ..Config::default() });
    let visitors = [Visitor::new(&core, "chat"), Visitor::new(&core, "chat")];
    visitors[0].cut();
    wait_suspended(&core, 1);
    visitors[1].cut();
    let told = events(&core, "close");
    assert!(told.iter().any(|event| event.contains("max_suspended")), "{told:?}");
    assert_eq!([counter(&core, "suspensions_refused"), counter(&core, "suspended")], [1, 1]);
    let anew = visitors[0].back(&core);
    assert_eq!(anew.greeting["reason"], "unknown", "it had been away longest");
    let back = visitors[1].back(&core);
    assert_eq!((&back.greeting["resumed"], counter(&core, "suspended")), (&Value::Bool(true), 0));
}

#[test]
fn the_address_that_has_most_clients_that_are_away_gives_up_its_own() {
    let core = started(Config { max_suspended: 3, ..Config::default() });
    let from = |ip: &str| {
        let head = "GET /?resume= HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        Visitor::of(&core, core.handshake("chat", head.as_bytes(), ip))
    };
    let honest = from("192.0.2.1");
    honest.cut();
    wait_suspended(&core, 1);
    for n in 0..6 {
        let stranger = from("198.51.100.1");
        stranger.cut();
        wait_until(PATIENCE, "it is away", || counter(&core, "connections_suspended") == n + 2);
    }
    assert_eq!((&honest.back(&core).greeting["resumed"], counter(&core, "suspensions_refused")), (&Value::Bool(true), 4));
}

#[test]
fn a_client_that_changes_its_network_needs_no_place_among_those_that_are_away() {
    let core = started(Config { max_suspended: 1, ..Config::default() });
    let (away, changing) = (Visitor::new(&core, "chat"), Visitor::new(&core, "chat"));
    away.cut();
    wait_suspended(&core, 1);
    let changed = changing.back(&core);
    assert_eq!((&changed.greeting["resumed"], counter(&core, "suspended")), (&Value::Bool(true), 1));
    assert_eq!(&away.back(&core).greeting["resumed"], &Value::Bool(true));
}

#[test]
fn a_handshake_that_comes_too_late_leaves_the_good_connection_alone() {
    let core = started(Config::default());
    let visitor = Visitor::new(&core, "chat");
    let slow = handshake(&core, "chat", &visitor.query(), "");
    let mut good = visitor.back(&core);
    // Its pong makes the token before it useless.
    wait_until(PATIENCE, "its pong has come", || {
        good.socket.flush().expect("a pong");
        let _ = good.socket.get_ref().set_read_timeout(Some(Duration::from_millis(20)));
        let _ = good.socket.read();
        counter(&core, "bytes_received") > 0
            && Visitor::of(&core, handshake(&core, "chat", &visitor.query(), "")).greeting["reason"] == "unknown"
    });
    good.socket.get_ref().set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut late = common::adopt(&core, slow, &[], PATIENCE);
    assert_eq!(std::io::Read::read(&mut late, &mut [0; 64]).expect("the end"), 0, "it gets nothing");
    let id =
        core.ids().into_iter().find(|id| !describe(&core, id).suspended && describe(&core, id).messages_sent == 0).expect("the good one");
    send(&core, &id, "still here");
    assert_eq!(good.next(), "still here");
}

#[test]
fn a_client_that_has_just_got_a_history_may_say_how_many_messages_that_were() {
    let routes = r#"{"routes":[{"name":"chat","echo":true,"resume":{"window":3600000000000},"channels":[{"pattern":"news","history":{"count":100,"age":3600000000000}}]}]}"#;
    let core = Core::start(&Config { shards: 1, ..Config::default() }).expect("threads and epolls");
    core.stage(1, routes.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    for n in 0..50 {
        let text = n.to_string();
        let message = SendTo { to: Target::Tag("news"), route: None, except: None, binary: false, data: text.as_bytes().into() };
        core.ask(&Command::Send(message)).expect("legal");
    }
    for _ in 0..20 {
        let mut visitor = Visitor::new(&core, "chat");
        let id = core.ids().into_iter().max_by_key(|id| describe(&core, id).connected_at).expect("there is one");
        assert_eq!(core.ask(&Command::Tag(Tag { id: &id, tag: "news", since: Some(""), member: None })), Ok(Reply::Flag(true)));
        for n in 0..50 {
            assert_eq!(visitor.next(), n.to_string());
        }
        let back = visitor.back(&core);
        assert_eq!(back.greeting["resumed"], true, "{}", back.greeting);
        core.ask(&Command::Kill(Kill { id: &id })).expect("legal");
        wait_until(PATIENCE, "it is gone", || core.connections() == 0);
    }
}

#[test]
fn the_event_of_a_client_that_is_back_has_the_user_that_the_site_says() {
    let core = started(Config::default());
    let of_ann = |query: &str| {
        let mut handshake = handshake(&core, "chat", query, "");
        handshake.set_user("ann", b"").expect("legal");
        handshake
    };
    let visitor = Visitor::of(&core, of_ann("?resume="));
    let _back = Visitor::of(&core, of_ann(&visitor.query()));
    assert_eq!(events(&core, "resume"), ["open ", "suspend", "resume 192.0.2.1  of ann"]);
}

#[test]
fn a_client_that_comes_back_takes_the_place_that_it_has() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "echo");
    assert_eq!(handshake(&core, "echo", "?session=", "").status(), 429, "its address has as many as it may");
    visitor.socket.send(Message::text("echo")).expect("sent");
    assert_eq!(visitor.next(), "echo");
    visitor.cut();
    wait_suspended(&core, 1);
    assert_eq!(handshake(&core, "echo", "?session=", "").status(), 429, "it has its place still");
    let query = format!("?session={}&count={}", visitor.token(), visitor.received);
    let mut back = Visitor::of(&core, handshake(&core, "echo", &query, ""));
    assert_eq!((&back.greeting["resumed"], &back.greeting["received"]), (&Value::Bool(true), &1.into()));
    back.socket.send(Message::text("again")).expect("sent");
    assert_eq!(back.next(), "again");
    back.socket.close(None).expect("closing");
    wait_until(PATIENCE, "its place is free", || handshake(&core, "echo", "?session=", "").status() == 101);
}

#[test]
fn a_reload_keeps_clients_that_are_away_and_the_end_of_their_route_ends_them() {
    let core = started(Config::default());
    let visitor = Visitor::new(&core, "chat");
    visitor.cut();
    wait_suspended(&core, 1);
    core.stage(2, ROUTES.as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    let back = visitor.back(&core);
    assert_eq!(back.greeting["resumed"], true);
    back.cut();
    wait_suspended(&core, 1);
    core.stage(3, br#"{"routes":[{"name":"other","echo":true}],"workers":[{"name":"w"}]}"#).expect("legal");
    core.commit(3).expect("staged");
    wait_until(PATIENCE, "nobody is waited for", || counter(&core, "suspended") == 0 && core.connections() == 0);
}

#[test]
fn the_end_of_the_server_waits_for_nobody_who_is_away() {
    let core = started(Config::default());
    let mut visitor = Visitor::new(&core, "echo");
    visitor.cut();
    wait_suspended(&core, 1);
    assert_eq!(core.drain(PATIENCE).connections, 0);
    assert!(visitor.socket.read().is_err());
    assert_eq!((core.connections(), counter(&core, "suspended")), (0, 0));
}
