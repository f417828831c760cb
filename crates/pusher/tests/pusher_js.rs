//! What pusher-js sends is understood here, and what is sent from here is understood by pusher-js.
//!
//! `testdata/frames.json` has the messages that this crate writes (`UPDATE=1 cargo test -p fws-pusher --test pusher_js` writes it anew).
//! `testdata/record.js` gave them to pusher-js, and wrote down what that sent and what it told its application.

use std::collections::BTreeMap;

use fws_pusher::{Action, AppConfig, Channel, Connection, Error, Handshake, Joined, Limits, Member, SocketId, Visitor, frame};
use serde_json::{Value, json};

const ID: SocketId = SocketId { first: 12, second: 34 };

fn member(data: &str) -> Member {
    Member::parse(data, &Limits::default()).expect("a member")
}

/// The answers, by what they answer.
fn frames() -> BTreeMap<&'static str, Vec<String>> {
    let raw = serde_json::from_str(r#"{"typing":true}"#).expect("JSON");
    let (me, other) = (member(r#"{"user_id":"7","user_info":{"name":"Ada"}}"#), member(r#"{"user_id":8,"user_info":{"name":"Bob"}}"#));
    BTreeMap::from([
        ("open", vec![frame::connection_established(ID, 120)]),
        ("signin", vec![frame::signin_success(r#"{"id":"7","watchlist":["8"]}"#), frame::watchlist_events(&["8"], &["9"])]),
        (
            "#server-to-user-7",
            vec![frame::subscription_succeeded("#server-to-user-7"), frame::event("#server-to-user-7", "note", "{\"n\":1}")],
        ),
        (
            "news",
            vec![
                frame::subscription_succeeded("news"),
                frame::subscription_count("news", 3),
                frame::event("news", "said", "{\"text\":\"é\"}"),
            ],
        ),
        ("cache-news", vec![frame::subscription_succeeded("cache-news"), frame::cache_miss("cache-news")]),
        (
            "private-room",
            vec![frame::subscription_succeeded("private-room"), frame::client_event("private-room", "client-typing", Some(raw), None)],
        ),
        ("private-denied", vec![frame::subscription_error("private-denied", &Error::NotAuthorized("the signature is wrong"))]),
        (
            "presence-room",
            vec![
                frame::presence_succeeded("presence-room", std::slice::from_ref(&me)),
                frame::member_added("presence-room", &other),
                frame::client_event("presence-room", "client-typing", Some(raw), Some("8")),
                frame::member_removed("presence-room", "8"),
            ],
        ),
        (
            "client-typing",
            vec![frame::error(&Error::TooManyClientEvents(10)), frame::error(&Error::NotSubscribed("private-x".into())), frame::ping()],
        ),
        ("ping", vec![frame::pong()]),
    ])
}

fn recorded() -> Value {
    serde_json::from_str(include_str!("testdata/recorded.json")).expect("JSON")
}

#[test]
fn pusher_js_was_given_what_is_sent_now() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testdata/frames.json");
    let text = serde_json::to_string_pretty(&frames()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    assert_eq!(std::fs::read_to_string(path).expect("a file"), text, "write it anew, and run testdata/record.js");
}

#[test]
fn pusher_js_tells_its_application_all_that_it_is_sent() {
    let told = &recorded()["told"];
    let wanted = json!([
        ["connection connected", {"socket_id": "12.34"}],
        ["user watchlist online", {"name": "online", "user_ids": ["8"]}],
        ["user watchlist offline", {"name": "offline", "user_ids": ["9"]}],
        ["user note", {"n": 1}],
        ["news pusher:subscription_succeeded", {}],
        ["news pusher:subscription_count", {"subscription_count": 3}],
        ["news said", {"text": "é"}],
        ["cache-news pusher:subscription_succeeded", {}],
        ["cache-news pusher:cache_miss", null],
        ["private-room pusher:subscription_succeeded", {}],
        ["private-room client-typing", {"typing": true}],
        ["private-room client-typing from", null],
        ["private-denied pusher:subscription_error",
            {"type": "AuthError", "error": "the subscription is not authorised: the signature is wrong", "status": 401}],
        ["presence-room pusher:subscription_succeeded",
            {"members": {"7": {"name": "Ada"}}, "count": 1, "myID": "7", "me": {"id": "7", "info": {"name": "Ada"}}}],
        ["presence-room pusher:member_added", {"id": "8", "info": {"name": "Bob"}}],
        ["presence-room client-typing", {"typing": true}],
        ["presence-room client-typing from", "8"],
        ["presence-room pusher:member_removed", {"id": "8", "info": {"name": "Bob"}}],
        ["connection error", {"code": 4301, "message": "client event rejected: more than 10 in a second"}],
        ["connection error", {"code": null, "message": "Cannot broadcast client event (connection not subscribed to channel private-x)"}],
    ]);
    assert_eq!(told, &wanted);
}

#[test]
fn what_pusher_js_sends_is_understood() {
    let recorded = recorded();
    let (path, query) = recorded["url"].as_str().and_then(|url| url.split_once('?')).expect("a URL");
    let app = AppConfig::new("1", "key", "secret");
    let handshake = Handshake::parse(path, query).expect("a client");
    assert_eq!((&*handshake.key, handshake.protocol, handshake.client.as_deref()), ("key", 7, Some("js")));
    let visitor = Visitor { origin: None, host: "localhost", tls: false, connections: 0 };
    assert_eq!(handshake.admit(Some(&app), &visitor), Ok(()));

    let (mut connection, _) = Connection::open(&app, ID, 0);
    let mut done = Vec::new();
    for message in recorded["sent"].as_array().expect("messages") {
        let mut actions = Vec::new();
        connection.message(&app, message.as_str().expect("text").as_bytes(), 0, &mut actions);
        for action in std::mem::take(&mut actions) {
            if let Action::Subscribe { channel, subscription, .. } = &action {
                let channel = Channel::parse(channel, &app.limits).expect("a channel");
                connection.subscribed(channel, *subscription, Joined::default(), &mut actions);
            }
            done.push(match action {
                Action::Send(frame) => {
                    format!("send {}", serde_json::from_str::<Value>(&frame).expect("JSON")["event"].as_str().expect("a name"))
                }
                Action::Subscribe { channel, member, .. } => {
                    format!("subscribe {channel}{}", member.map_or(String::new(), |member| format!(" as {}", member.user_id)))
                }
                Action::Unsubscribe { channel } => format!("unsubscribe {channel}"),
                Action::ClientEvent(event) => format!("event {}", event.frame()),
                Action::SignIn(user) => format!("sign in {}", user.id),
                Action::Watch(users) => format!("watch {}", users.join(" ")),
                other => panic!("{other:?}"),
            });
        }
    }
    let wanted = [
        "sign in 7",
        "send pusher:signin_success",
        "watch 8",
        "subscribe #server-to-user-7",
        "subscribe news",
        "subscribe cache-news",
        "subscribe private-room",
        "send pusher:subscription_error",
        "subscribe presence-room as 7",
        r#"event {"event":"client-typing","channel":"private-room","data":{"a":[1,"é"]}}"#,
        "unsubscribe news",
        "send pusher:pong",
    ];
    assert_eq!(done, wanted);
}

#[test]
fn pusher_js_reacts_to_each_code_as_is_said_here() {
    let closes = recorded()["closes"].clone();
    for code in fws_pusher::Code::ALL.into_iter().filter(|code| code.closes()) {
        let wanted = match code.reaction() {
            fws_pusher::Reaction::UseTls => "tls_only",
            fws_pusher::Reaction::GiveUp => "refused",
            fws_pusher::Reaction::BackOff => "backoff",
            fws_pusher::Reaction::Reconnect => "retry",
            fws_pusher::Reaction::Stay => panic!("{code:?} closes nothing"),
        };
        assert_eq!(closes[code.number().to_string()], wanted, "{code:?}");
    }
}
