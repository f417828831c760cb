//! What clients do that they should not.

use serde_json::{Value, json};

use super::common::counter;
use super::peer::{Peer, core, publish};

#[test]
fn what_is_no_message_is_an_error_and_the_connection_stays() {
    let core = core(&json!({}));
    let mut peer = Peer::new(&core);
    let long = "x".repeat(20_000);
    for wrong in [
        "",
        "x",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"event":1}"#,
        r#"{"event":"pusher:subscribe"}"#,
        r#"{"event":"pusher:nothing"}"#,
        r#"{"event":"hello"}"#,
        &long,
    ] {
        peer.socket.send(tokio_tungstenite::tungstenite::Message::text(wrong)).expect("a connection");
        let error = peer.event("pusher:error");
        assert_eq!(error["data"]["code"], Value::Null, "{wrong}");
    }
    peer.subscribe("news");
    peer.say(&json!({ "event": "pusher:subscribe", "data": { "channel": "news" } }));
    peer.event("pusher:error");
    peer.nothing_came();
}

#[test]
fn a_connection_has_no_more_channels_than_it_may() {
    let core = core(&json!({}));
    let mut peer = Peer::new(&core);
    for n in 0..10_000 {
        peer.say(&json!({ "event": "pusher:subscribe", "data": { "channel": format!("c-{n}") } }));
        let wanted = if n < 1000 { "pusher_internal:subscription_succeeded" } else { "pusher:subscription_error" };
        peer.event(wanted);
    }
    publish(&core, "c-999", "1", None);
    publish(&core, "c-1000", "2", None);
    assert_eq!(peer.event("news")["data"], "1");
    peer.nothing_came();
}

#[test]
fn names_that_no_channel_has_are_refused() {
    let core = core(&json!({}));
    let mut peer = Peer::new(&core);
    let long = "x".repeat(300);
    for name in ["", "a b", "a:b", "#connections", "#server-to-user-", "é", "a/b", "a\u{0}", &long] {
        peer.say(&json!({ "event": "pusher:subscribe", "data": { "channel": name } }));
        peer.event("pusher:subscription_error");
    }
    assert_eq!(counter(&core, "tags"), 1, "that of all connections");
}

#[test]
fn client_events_are_for_subscribers_of_private_channels_and_not_too_many() {
    let core = core(&json!({ "client_event_rate": 3 }));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    bob.subscribe("private-x");
    bob.subscribe("news");
    ann.subscribe("news");
    ann.say(&json!({ "event": "client-x", "channel": "news", "data": 1 }));
    assert_eq!(ann.event("pusher:error")["data"]["code"], Value::Null);
    ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 }));
    assert_eq!(ann.event("pusher:error")["data"]["code"], Value::Null);
    (0..10).for_each(|_| ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 })));
    let mut refused = 0;
    for _ in 0..10 {
        refused += u32::from(ann.event("pusher:error")["data"]["code"] == 4301);
    }
    assert!(refused > 0);
    bob.nothing_came();
    let off = super::peer::core(&json!({ "client_events": false }));
    let mut cyd = Peer::new(&off);
    cyd.subscribe("private-x");
    cyd.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 }));
    assert_eq!(cyd.event("pusher:error")["data"]["code"], 4301);
}

#[test]
fn clients_that_come_and_go_and_join_and_leave_leave_nothing_behind() {
    let core = core(&json!({}));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let core = core.clone();
            std::thread::spawn(move || {
                for n in 0..40 {
                    let mut peer = Peer::new(&core);
                    peer.wish_to_join("presence-x", &format!("{}", (thread + n) % 5));
                    peer.say(&json!({ "event": "pusher:subscribe", "data": { "channel": "cache-x" } }));
                    if n % 2 == 0 {
                        peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-x" } }));
                    }
                    if n % 3 == 0 {
                        peer.say(&json!({ "event": "pusher:ping", "data": {} }));
                        while peer.next()["event"] != "pusher:pong" {}
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it comes and goes"));
    let all = ["pusher_connections", "connections_known", "tags", "presence_members", "events_pending"];
    super::wait_until(super::PATIENCE, "all is gone", || all.iter().all(|name| counter(&core, name) == 0));
}

#[test]
fn the_data_of_a_client_event_is_measured_as_it_is_sent() {
    let core = core(&json!({ "max_payload": 100, "client_event_rate": 0 }));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    let mut say = |data: &str| {
        let text = format!(r#"{{"event":"client-x","channel":"private-x","data":{data}}}"#);
        ann.socket.send(tokio_tungstenite::tungstenite::Message::text(text)).expect("a connection");
        ann.say(&json!({ "event": "pusher:ping", "data": {} }));
        let first = ann.next();
        if first["event"] == "pusher:error" {
            ann.event("pusher:pong");
        }
        first["event"] == "pusher:pong"
    };
    for (most, more) in [("x".repeat(98), "x".repeat(99)), (r"\n".repeat(49), r"\n".repeat(50)), ("é".repeat(49), "é".repeat(50))] {
        assert!(say(&format!(r#""{most}""#)), "{most}");
        assert_eq!(bob.event("client-x")["data"].as_str().map(str::is_empty), Some(false));
        assert!(!say(&format!(r#""{more}""#)), "{more}");
    }
    bob.nothing_came();
}
