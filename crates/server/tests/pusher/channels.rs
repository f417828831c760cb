//! Channels: who gets what, and in which order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::peer::{Peer, core, inner, publish};

#[test]
fn an_event_reaches_the_subscribers_but_the_one_that_caused_it() {
    let core = core(&json!({}));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.subscribe("news");
    bob.subscribe("news");
    publish(&core, "news", "1", None);
    publish(&core, "news", "2", Some(&ann.id));
    publish(&core, "news", "3", Some("1.1"));
    assert_eq!(ann.event("news"), json!({ "event": "news", "channel": "news", "data": "1" }));
    assert_eq!(ann.event("news")["data"], "3");
    for wanted in ["1", "2", "3"] {
        assert_eq!(bob.event("news")["data"], wanted);
    }
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    ann.nothing_came();
    publish(&core, "news", "4", None);
    assert_eq!(bob.event("news")["data"], "4");
    ann.nothing_came();
}

#[test]
fn the_channels_of_applications_are_apart() {
    let core = core(&json!({}));
    let mut other = Peer::connect(&core, "/app/other?protocol=7", "");
    other.id = inner(&other.event("pusher:connection_established"))["socket_id"].as_str().expect("an id").to_owned();
    other.subscribe("news");
    publish(&core, "news", "1", None);
    other.nothing_came();
}

#[test]
fn a_private_channel_needs_a_signature_and_its_clients_can_speak_to_each_other() {
    let core = core(&json!({}));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.say(&json!({ "event": "pusher:subscribe", "data": { "channel": "private-x", "auth": "key:00" } }));
    let refused = ann.event("pusher:subscription_error");
    assert_eq!((&refused["channel"], &refused["data"]["status"]), (&json!("private-x"), &json!(401)));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    ann.say(&json!({ "event": "client-typing", "channel": "private-x", "data": { "a": [1, 2] } }));
    assert_eq!(bob.next(), json!({ "event": "client-typing", "channel": "private-x", "data": { "a": [1, 2] } }));
    ann.nothing_came();
    // What is said next comes next.
    for n in 0..9 {
        ann.say(&json!({ "event": "client-n", "channel": "private-x", "data": n }));
    }
    (0..9).for_each(|n| assert_eq!(bob.event("client-n")["data"], n));
}

#[test]
fn a_member_joins_and_leaves_once_however_many_tabs_there_are() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    assert_eq!(ann.join("presence-room", "ann"), ["ann"]);
    let (mut tab, mut other) = (Peer::new(&core), Peer::new(&core));
    assert_eq!(tab.join("presence-room", "bob"), ["ann", "bob"]);
    let added = ann.event("pusher_internal:member_added");
    assert_eq!(
        (added["channel"].as_str(), inner(&added)),
        (Some("presence-room"), json!({ "user_id": "bob", "user_info": { "name": "bob" } }))
    );
    assert_eq!(other.join("presence-room", "bob"), ["ann", "bob"]);
    tab.nothing_came();
    // A client event says whose it is.
    tab.say(&json!({ "event": "client-hi", "channel": "presence-room", "data": null }));
    assert_eq!(ann.event("client-hi")["user_id"], "bob");
    assert_eq!(other.event("client-hi")["user_id"], "bob");
    drop(tab);
    other.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-room" } }));
    assert_eq!(inner(&ann.event("pusher_internal:member_removed")), json!({ "user_id": "bob" }));
    ann.nothing_came();
    // One connection can be somebody else in each channel.
    assert_eq!(ann.join("presence-hall", "anna"), ["anna"]);
}

#[test]
fn who_leaves_and_comes_again_at_once_is_told_of_neither_and_the_others_of_both() {
    let core = core(&json!({}));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.socket.get_ref().set_nodelay(true).expect("a socket");
    bob.join("presence-x", "bob");
    for _ in 0..200 {
        assert_eq!(ann.join("presence-x", "ann"), ["ann", "bob"]);
        assert_eq!(inner(&bob.event("pusher_internal:member_added"))["user_id"], "ann");
        ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-x" } }));
        assert_eq!(ann.join("presence-x", "ann"), ["ann", "bob"]);
        assert_eq!(inner(&bob.event("pusher_internal:member_removed"))["user_id"], "ann");
        assert_eq!(inner(&bob.event("pusher_internal:member_added"))["user_id"], "ann");
        ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-x" } }));
        assert_eq!(inner(&bob.event("pusher_internal:member_removed"))["user_id"], "ann");
        ann.nothing_came();
    }
}

#[test]
fn a_page_that_is_loaded_anew_has_not_left_if_the_operator_says_so() {
    let core = core(&json!({ "presence_grace": 3_000_000_000_000_u64 }));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.join("presence-room", "ann");
    bob.join("presence-room", "bob");
    ann.event("pusher_internal:member_added");
    drop(bob);
    let mut again = Peer::new(&core);
    assert_eq!(again.join("presence-room", "bob"), ["ann", "bob"]);
    ann.nothing_came();
}

#[test]
fn a_channel_has_no_more_members_than_it_may() {
    let core = core(&json!({ "max_presence_members": 2 }));
    let mut peers: Vec<Peer> = (0..3).map(|_| Peer::new(&core)).collect();
    peers[0].join("presence-room", "a");
    peers[1].join("presence-room", "b");
    peers[0].event("pusher_internal:member_added");
    peers[2].wish_to_join("presence-room", "c");
    let refused = peers[2].event("pusher:subscription_error");
    assert_eq!((&refused["data"]["type"], &refused["data"]["status"]), (&json!("LimitReached"), &json!(403)));
    assert_eq!(peers[2].join("presence-room", "a"), ["a", "b"], "another tab of a member");
    peers[0].nothing_came();
}

#[test]
fn a_cache_channel_tells_its_last_event_or_that_there_is_none() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    ann.subscribe("cache-x");
    ann.event("pusher:cache_miss");
    publish(&core, "cache-x", "1", None);
    publish(&core, "cache-x", "2", Some(&ann.id));
    assert_eq!(ann.event("news")["data"], "1");
    let mut bob = Peer::new(&core);
    bob.subscribe("cache-x");
    assert_eq!(bob.event("news"), json!({ "event": "news", "channel": "cache-x", "data": "2" }));
    bob.nothing_came();
    // What clients say, and who comes, is no event of the application's.
    let mut cyd = Peer::new(&core);
    cyd.join("presence-cache-x", "cyd");
    cyd.event("pusher:cache_miss");
    let mut dan = Peer::new(&core);
    dan.join("presence-cache-x", "dan");
    dan.event("pusher:cache_miss");
    cyd.event("pusher_internal:member_added");
    dan.say(&json!({ "event": "client-x", "channel": "presence-cache-x", "data": 1 }));
    cyd.event("client-x");
    let mut eve = Peer::new(&core);
    eve.join("presence-cache-x", "eve");
    eve.event("pusher:cache_miss");
    eve.nothing_came();
}

#[test]
fn no_event_comes_before_the_subscription_and_none_twice() {
    let core = core(&json!({}));
    let done = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (core, done) = (core.clone(), done.clone());
        std::thread::spawn(move || {
            let mut n = 0_u64;
            while !done.load(Ordering::Acquire) {
                n += 1;
                publish(&core, "cache-n", &n.to_string(), None);
                publish(&core, "presence-n", &n.to_string(), None);
            }
        })
    };
    let mut comers = Vec::new();
    for n in 0..60 {
        let mut peer = Peer::new(&core);
        if n % 2 == 0 {
            peer.subscribe("cache-n");
        } else {
            peer.join("presence-n", &n.to_string());
        }
        let mut last = None;
        while last.is_none_or(|(_, seen)| seen < 5) {
            let message = peer.next();
            match message["event"].as_str() {
                Some("news") => {
                    let number: u64 = message["data"].as_str().expect("text").parse().expect("a number");
                    let (before, seen) = last.unwrap_or((number - 1, 0));
                    assert_eq!(number, before + 1, "each once, and in order");
                    last = Some((number, seen + 1));
                }
                Some("pusher_internal:member_added" | "pusher_internal:member_removed" | "pusher:cache_miss") => {}
                other => panic!("{other:?}"),
            }
        }
        comers.push(peer);
        if comers.len() > 5 {
            comers.remove(0);
        }
    }
    done.store(true, Ordering::Release);
    publisher.join().expect("it publishes");
}

#[test]
fn a_user_is_signed_in_and_reached_and_ended() {
    let core = core(&json!({}));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.say(&json!({ "event": "pusher:subscribe", "data": { "channel": "#server-to-user-7" } }));
    ann.event("pusher:subscription_error");
    ann.sign_in("7");
    bob.sign_in("8");
    ann.subscribe("#server-to-user-7");
    // Who is signed in is a member without another word.
    let id = fws_pusher::SocketId::parse(&ann.id).expect("an id");
    let auth = fws_pusher::auth::sign_channel(&super::peer::app(), id, "presence-x", None);
    ann.say(&json!({ "event": "pusher:subscribe", "data": { "channel": "presence-x", "auth": auth } }));
    assert_eq!(inner(&ann.event("pusher_internal:subscription_succeeded"))["presence"]["ids"], json!(["7"]));
    publish(&core, "#server-to-user-7", "for you", None);
    assert_eq!(ann.event("news")["data"], "for you");
    let ended = super::peer::call(&core, "POST", "/apps/1/users/7/terminate_connections", "", "");
    assert_eq!(ended, (200, json!({})));
    assert_eq!(ann.event("pusher:error")["data"]["code"], 4009);
    assert_eq!(ann.next(), json!({ "closed": 4009 }));
    bob.nothing_came();
}

#[test]
fn subscribers_are_told_how_many_they_are_if_the_application_wants_it() {
    let core = core(&json!({ "subscription_count": true }));
    let mut ann = Peer::new(&core);
    ann.subscribe("news");
    assert_eq!(inner(&ann.event("pusher_internal:subscription_count")), json!({ "subscription_count": 1 }));
}

#[test]
fn no_more_members_enter_a_channel_than_may_however_many_come_at_once() {
    let core = core(&json!({ "max_presence_members": 5 }));
    let entered = std::thread::scope(|scope| {
        let peers: Vec<_> = (0..30)
            .map(|n| {
                let core = &core;
                scope.spawn(move || {
                    let mut peer = Peer::new(core);
                    peer.wish_to_join("presence-x", &format!("user-{n}"));
                    let succeeded = loop {
                        match peer.next()["event"].as_str().expect("text") {
                            "pusher_internal:subscription_succeeded" => break true,
                            "pusher:subscription_error" => break false,
                            _ => {}
                        }
                    };
                    (peer, succeeded)
                })
            })
            .collect();
        let peers: Vec<_> = peers.into_iter().map(|peer| peer.join().expect("it ends")).collect();
        peers.iter().filter(|(_, succeeded)| *succeeded).count()
    });
    assert_eq!(entered, 5);
}

#[test]
fn a_client_that_has_no_room_for_the_list_of_members_is_refused_before_it_is_one() {
    let core = core(&json!({}));
    let routes = super::peer::routes(&json!({ "max_payload": 10 }));
    let routes = routes.replace(r#""name":"pusher""#, r#""name":"pusher","max_outbox":70000"#);
    core.stage(2, routes.as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    let mut ann = Peer::new(&core);
    ann.join("presence-x", "ann");
    let info = "i".repeat(1000);
    let mut refused = 0;
    let members: Vec<Peer> = (0..90)
        .map(|n| {
            let mut peer = Peer::new(&core);
            peer.wish_to_join_as("presence-x", &json!({ "user_id": n.to_string(), "user_info": info }));
            loop {
                let told = peer.next();
                match told["event"].as_str().expect("text") {
                    "pusher_internal:subscription_succeeded" => return peer,
                    "pusher:subscription_error" => {
                        assert_eq!((&told["data"]["status"], &told["data"]["type"]), (&json!(413), &json!("LimitReached")), "{told}");
                        refused += 1;
                        return peer;
                    }
                    _ => {}
                }
            }
        })
        .collect();
    assert!((10..40).contains(&refused), "{refused}");
    (0..90 - refused).for_each(|_| drop(ann.event("pusher_internal:member_added")));
    ann.nothing_came();
    let mut last = members.into_iter().last().expect("there are some");
    assert_eq!(last.subscribe("news"), json!({}), "the connection stays");
}

#[test]
fn a_client_that_php_has_taken_out_of_a_channel_says_nothing_there() {
    let core = core(&json!({}));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    let id = ann.id.clone();
    core.ask(&fws_hub::Command::Untag(fws_hub::command::Untag { id: &id, tag: "1:private-x" })).expect("it is there");
    ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 }));
    let error = ann.event("pusher:error");
    assert!(error["data"]["message"].as_str().is_some_and(|text| text.contains("not subscribed")), "{error}");
    bob.nothing_came();
}

#[test]
fn a_user_who_comes_again_as_the_old_connection_ends_is_there() {
    let core = core(&json!({}));
    let mut old = Peer::new(&core);
    old.join("presence-x", "ann");
    for _ in 0..200 {
        let mut new = Peer::new(&core);
        drop(old);
        let mut there: std::collections::BTreeSet<String> = new.join("presence-x", "ann").into_iter().collect();
        new.say(&json!({ "event": "pusher:ping", "data": {} }));
        loop {
            let told = new.next();
            match told["event"].as_str().expect("text") {
                "pusher:pong" => break,
                "pusher_internal:member_removed" => drop(there.remove("ann")),
                "pusher_internal:member_added" => drop(there.insert("ann".to_owned())),
                other => panic!("{other}"),
            }
        }
        while !there.contains("ann") {
            assert_eq!(inner(&new.event("pusher_internal:member_added"))["user_id"], "ann");
            there.insert("ann".to_owned());
        }
        old = new;
    }
}

#[test]
fn subscribers_are_told_how_many_they_are_when_that_has_changed() {
    let core = core(&json!({ "subscription_count": true }));
    let mut ann = Peer::new(&core);
    let is_told =
        |peer: &mut Peer, count: u64| while inner(&peer.event("pusher_internal:subscription_count"))["subscription_count"] != count {};
    ann.subscribe("cache-x");
    is_told(&mut ann, 1);
    ann.event("pusher:cache_miss");
    let (mut bob, mut cid) = (Peer::new(&core), Peer::new(&core));
    bob.subscribe("cache-x");
    cid.subscribe("cache-x");
    is_told(&mut ann, 3);
    bob.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "cache-x" } }));
    is_told(&mut ann, 2);
    drop(cid);
    is_told(&mut ann, 1);
    // It is not the channel's last event.
    let mut late = Peer::new(&core);
    late.subscribe("cache-x");
    is_told(&mut late, 2);
    late.event("pusher:cache_miss");
}
