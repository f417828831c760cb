//! What the servers of an application are told by requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use fws_pusher::auth;
use serde_json::{Value, json};

use super::common::redis::Redis;
use super::common::{counter, wait_until};
use super::peer::{PATIENCE, Peer, app, core, routes};

/// A server that takes requests, and answers the first ones with these statuses. What was told, each event by itself.
pub fn listener(statuses: &'static [u16]) -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook?token=t", listener.local_addr().expect("an address"));
    let (told, events) = channel();
    std::thread::spawn(move || {
        let mut answers = statuses.iter();
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut line, mut length, mut signature, mut key) = (String::new(), 0, String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let (name, value) = line.trim().split_once(": ").unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().expect("a number"),
                    "x-pusher-signature" => signature = value.to_owned(),
                    "x-pusher-key" => key = value.to_owned(),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                continue;
            }
            assert_eq!((key.as_str(), signature), ("key", auth::sign(&app().secret, &body)));
            let status = *answers.next().unwrap_or(&200);
            // A test may look at what was told as soon as the answer has come.
            if status == 200 {
                let body: Value = serde_json::from_slice(&body).expect("JSON");
                assert!(body["time_ms"].as_u64().is_some());
                body["events"].as_array().expect("events").iter().for_each(|event| told.send(event.clone()).unwrap_or_default());
            }
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).expect("a connection");
        }
    });
    (url, events)
}

pub fn next(events: &Receiver<Value>, count: usize) -> Vec<Value> {
    (0..count).map(|_| events.recv_timeout(PATIENCE).expect("an event")).collect()
}

#[test]
fn a_server_is_told_what_happens_signed_and_in_order() {
    let (url, events) = listener(&[500]);
    let core = core(&json!({ "webhooks": [{ "url": url }] }));
    let mut ann = Peer::new(&core);
    ann.join("presence-cache-x", "ann");
    ann.event("pusher:cache_miss");
    ann.say(&json!({ "event": "client-x", "channel": "presence-cache-x", "data": { "n": 1 } }));
    let id = ann.id.clone();
    ann.nothing_came();
    let mut told = next(&events, 5);
    drop(ann);
    told.extend(next(&events, 3));
    let channel = "presence-cache-x";
    for wanted in [
        json!({ "name": "channel_occupied", "channel": channel }),
        json!({ "name": "member_added", "channel": channel, "user_id": "ann" }),
        json!({ "name": "subscription_count", "channel": channel, "subscription_count": 1 }),
        json!({ "name": "cache_miss", "channel": channel }),
        json!({ "name": "client_event", "channel": channel, "event": "client-x", "data": r#"{"n":1}"#, "socket_id": id, "user_id": "ann" }),
        json!({ "name": "channel_vacated", "channel": channel }),
        json!({ "name": "member_removed", "channel": channel, "user_id": "ann" }),
        json!({ "name": "subscription_count", "channel": channel, "subscription_count": 0 }),
    ] {
        assert_eq!(told.iter().filter(|event| **event == wanted).count(), 1, "{wanted} in {told:?}");
    }
    assert!(counter(&core, "webhooks_failed") >= 1 && counter(&core, "webhooks_sent") >= 1, "it was sent again");
}

#[test]
fn a_server_is_told_only_what_it_wants_to_know() {
    let (url, events) = listener(&[]);
    let core = core(&json!({ "webhooks": [{ "url": url, "events": ["channel_occupied"], "channel_prefix": "private-" }] }));
    let mut ann = Peer::new(&core);
    ann.subscribe("news");
    ann.subscribe("private-x");
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "private-x" } }));
    ann.subscribe("private-y");
    let told = next(&events, 2);
    assert_eq!(
        told,
        [json!({ "name": "channel_occupied", "channel": "private-x" }), json!({ "name": "channel_occupied", "channel": "private-y" })]
    );
    assert_eq!(super::peer::call(&core, "GET", "/apps/1/channels", "", "").1, json!({ "channels": { "news": {}, "private-y": {} } }));
    let known = core.stats().to_string();
    assert!(!known.contains("token"), "an address may have a token: {known}");
}

#[test]
fn nobody_waits_for_a_server_that_does_not_answer() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", deaf.local_addr().expect("an address"));
    let core = core(&json!({ "webhooks": [{ "url": url }], "client_event_rate": 0, "max_payload": 100_000 }));
    let mut ann = Peer::new(&core);
    ann.subscribe("private-x");
    let data = "x".repeat(90_000);
    for _ in 0..100 {
        ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": data }));
    }
    ann.nothing_came();
    wait_until(PATIENCE, "what does not fit is dropped", || counter(&core, "webhooks_dropped") > 0);
}

#[test]
fn a_channel_is_occupied_and_vacated_once_for_all_servers() {
    let redis = Redis::start();
    let (url, events) = listener(&[]);
    let routes = routes(&json!({ "webhooks": [{ "url": url, "events": ["channel_occupied", "channel_vacated"] }] }));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.subscribe("news");
    assert_eq!(next(&events, 1), [json!({ "name": "channel_occupied", "channel": "news" })]);
    bob.subscribe("news");
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    ann.nothing_came();
    bob.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    assert_eq!(next(&events, 1), [json!({ "name": "channel_vacated", "channel": "news" })]);
}

#[test]
fn webhooks_that_a_reload_brings_know_which_channels_have_subscribers() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    ann.subscribe("news");
    let (url, events) = listener(&[]);
    let webhook = json!({ "webhooks": [{ "url": url, "events": ["channel_occupied", "channel_vacated"] }] });
    for (generation, options, told) in
        [(2, &webhook, Some("channel_occupied")), (3, &json!({}), None), (4, &webhook, Some("channel_occupied"))]
    {
        core.stage(generation, routes(options).as_bytes()).expect("legal");
        core.commit(generation).expect("staged");
        match told {
            // That it was vacated as nobody wanted to know may be told to those who want to know again.
            Some(name) => while next(&events, 1) != [json!({ "name": name, "channel": "news" })] {},
            None => wait_until(PATIENCE, "nobody wants to know", || {
                let id = ann.id.clone();
                let tags = core.ask(&fws_hub::Command::Tags(fws_hub::command::Tags { id: Some(&id) }));
                matches!(tags, Ok(fws_hub::Reply::Names(tags)) if tags.iter().all(|tag| !tag.contains("##")))
            }),
        }
    }
    drop(ann);
    assert_eq!(next(&events, 1), [json!({ "name": "channel_vacated", "channel": "news" })]);
}

#[test]
fn the_end_of_the_server_waits_for_what_webhooks_are_to_be_told() {
    let (url, events) = listener(&[503, 503, 503, 503]);
    let core = core(&json!({ "webhooks": [{ "url": url, "events": ["client_event", "subscription_count", "channel_vacated"] }] }));
    let mut ann = Peer::new(&core);
    ann.subscribe("private-x");
    ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": "last words" }));
    ann.nothing_came();
    let reader = std::thread::spawn(move || while ann.socket.read().is_ok() {});
    core.drain(PATIENCE);
    reader.join().expect("it ends");
    let told: Vec<Value> = events.try_iter().collect();
    assert!(told.iter().any(|event| event["data"] == "last words"), "{told:?}");
    assert_eq!(told.last(), Some(&json!({ "name": "subscription_count", "channel": "private-x", "subscription_count": 0 })), "{told:?}");
    assert!(told.iter().all(|event| event["name"] != "channel_vacated"), "nobody leaves because the server ends: {told:?}");
    assert_eq!((counter(&core, "webhooks_waiting"), counter(&core, "webhooks_dropped")), (0, 0));
}
