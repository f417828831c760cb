//! Lists of members that are told once more, and what is told beside them.

use std::time::{Duration, Instant};

use fws_server::Core;
use serde_json::{Value, json};

use super::common::redis::Redis;
use super::common::wait_until;
use super::peer::{PATIENCE, Peer, inner, routes};
use super::webhooks::{listener, next};

const CHANNEL: &str = "presence-x";

impl Peer {
    /// Whether a user is in the only channel, as the client was told since it was asked before.
    fn knows(&mut self, user: &str) -> bool {
        let mut is_there = false;
        self.say(&json!({ "event": "pusher:ping", "data": {} }));
        loop {
            let told = self.next();
            match told["event"].as_str() {
                Some("pusher:pong") => return is_there,
                Some("pusher_internal:subscription_succeeded") => {
                    is_there = inner(&told)["presence"]["hash"].get(user).is_some();
                }
                Some("pusher_internal:member_added") if inner(&told)["user_id"] == user => is_there = true,
                Some("pusher_internal:member_removed") if inner(&told)["user_id"] == user => is_there = false,
                Some("pusher_internal:member_added" | "pusher_internal:member_removed" | "pusher:ping") => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// All servers hear that a user is in the channel after all, as if one of them had been believed to be dead: each tells its clients the list soon.
fn have_it_listed(redis: &Redis, user: &str) {
    let version = include_str!("../golden/control.txt").lines().next().and_then(|line| line.strip_prefix("version ")).expect("a version");
    let publish = r"
local function text(text) return string.char(0, #text) .. text end
local head = string.char(ARGV[1], 6) .. '00000000' .. string.rep('\0', 8)
redis.call('PUBLISH', '{fws}:t:t:1:presence-x', head .. 'R' .. text('') .. text(ARGV[2]) .. text('pusher') .. text('1:presence-x') .. '{}')";
    redis.cli(&["EVAL", publish, "0", version, user]);
}

/// A server whose lease is looked after so seldom that what happens meanwhile breaks no connection.
fn calm(redis: &Redis) -> std::sync::Arc<Core> {
    redis.server_with(&redis.folder.join("s"), &routes(&json!({})), Duration::from_secs(1), Duration::from_secs(60))
}

#[test]
fn a_list_that_redis_did_not_tell_in_time_is_told_when_it_does() {
    let redis = Redis::start();
    let (here, there) = (calm(&redis), calm(&redis));
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.join(CHANNEL, "ann");
    assert_eq!(bob.join(CHANNEL, "bob"), ["ann", "bob"]);
    let mut cid = Peer::new(&here);
    redis.cli(&["CLIENT", "PAUSE", "5000"]);
    assert_eq!(cid.join(CHANNEL, "cid"), ["ann", "cid"], "those on the same server are known");
    cid.is_told_of(CHANNEL, &["ann", "bob", "cid"]);
}

#[test]
fn a_watchlist_that_redis_did_not_tell_in_time_is_told_when_it_does() {
    let redis = Redis::start();
    let (here, there) = (calm(&redis), calm(&redis));
    let (mut ann, mut bob, mut tab) = (Peer::new(&here), Peer::new(&there), Peer::new(&here));
    let list = |online: &[&str], offline: &[&str]| {
        let names = [("online", online), ("offline", offline)].into_iter().filter(|(_, users)| !users.is_empty());
        Value::from_iter(names.map(|(name, users)| json!({ "name": name, "user_ids": users })))
    };
    bob.sign_in("bob");
    ann.watch("ann", &["ann", "bob"]);
    assert_eq!(ann.told(), list(&["ann", "bob"], &[]));
    redis.cli(&["CLIENT", "PAUSE", "5000"]);
    tab.watch("ann", &["ann", "bob"]);
    assert_eq!(tab.told(), list(&["ann"], &["bob"]), "those on the same server are known");
    while tab.told() != list(&["ann", "bob"], &[]) {}
}

#[test]
fn who_subscribes_while_a_list_is_told_is_on_its_own_list() {
    let redis = Redis::start();
    let core = redis.server(&routes(&json!({})));
    let (mut ann, mut bob, mut cid) = (Peer::new(&core), Peer::new(&core), Peer::new(&core));
    ann.join(CHANNEL, "ann");
    have_it_listed(&redis, "ann");
    // Redis is told of bob once it has put cid on a list, and is asked for the list before that.
    redis.cli(&["CLIENT", "PAUSE", "1000", "WRITE"]);
    cid.wish_to_join("presence-y", "cid");
    std::thread::sleep(Duration::from_millis(100));
    bob.wish_to_join(CHANNEL, "bob");
    std::thread::sleep(Duration::from_millis(1500));
    wait_until(PATIENCE, "bob knows that it is there", || bob.knows("bob"));
}

#[test]
fn clients_that_join_and_leave_all_the_time_do_not_make_lists_be_told_over_and_over() {
    let redis = Redis::start();
    let core = redis.server(&routes(&json!({ "max_presence_members": 1000 })));
    let mut ann = Peer::new(&core);
    ann.join(CHANNEL, "ann");
    // Users of another server.
    let others = r"for n = 1, 500 do redis.call('HSET', '{fws}:in:\0\6pusher\0\0121:presence-x', 'u' .. n, '{}') end";
    redis.cli(&["EVAL", others, "0"]);
    let until = Instant::now() + Duration::from_secs(3);
    let restless = ["a", "b", "c", "d"].map(|user| {
        let mut peer = Peer::new(&core);
        std::thread::spawn(move || {
            while Instant::now() < until {
                peer.wish_to_join(CHANNEL, user);
                while peer.next()["event"] != "pusher_internal:subscription_succeeded" {}
                peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": CHANNEL } }));
            }
        })
    });
    have_it_listed(&redis, "ann");
    restless.into_iter().for_each(|peer| peer.join().expect("it ends"));
    ann.say(&json!({ "event": "pusher:ping", "data": {} }));
    let mut lists = 0;
    loop {
        match ann.next()["event"].as_str() {
            Some("pusher_internal:subscription_succeeded") => lists += 1,
            Some("pusher:pong") => break,
            _ => {}
        }
    }
    assert_eq!(lists, 1);
}

#[test]
fn a_user_who_changes_the_tab_at_once_is_on_the_list_of_the_new_tab() {
    let redis = Redis::start();
    let core = redis.server(&routes(&json!({})));
    let (mut tab, mut other) = (Peer::new(&core), Peer::new(&core));
    tab.join(CHANNEL, "ann");
    // Others have the server subscribe to other channels, so that it is not told at once what it wants to hear.
    let until = Instant::now() + Duration::from_secs(8);
    let others = [(); 3].map(|()| {
        let mut peer = Peer::new(&core);
        std::thread::spawn(move || {
            while Instant::now() < until {
                peer.subscribe("news");
                peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
            }
        })
    });
    for round in 0.. {
        if Instant::now() > until {
            break;
        }
        other.wish_to_join(CHANNEL, "ann");
        std::thread::sleep(Duration::from_micros(round % 40 * 50));
        tab.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": CHANNEL } }));
        std::mem::swap(&mut tab, &mut other);
        let until = Instant::now() + Duration::from_secs(5);
        while !tab.knows("ann") {
            assert!(Instant::now() < until, "round {round}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    others.into_iter().for_each(|peer| peer.join().expect("it ends"));
}

#[test]
fn clients_of_other_servers_hear_who_has_gone_with_a_route_that_a_reload_takes_away() {
    let redis = Redis::start();
    let before = routes(&json!({}));
    for after in [
        before.replace(r#""name":"pusher""#, r#""name":"renamed""#),
        r#"{"routes":[]}"#.to_owned(),
        before.replace(r#""id":"1""#, r#""id":"3""#),
    ] {
        let (here, there) = (redis.server(&before), redis.server(&before));
        let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
        ann.join(CHANNEL, "ann");
        bob.join(CHANNEL, "bob");
        assert_eq!(inner(&ann.event("pusher_internal:member_added"))["user_id"], "bob");
        let reader = std::thread::spawn(move || while bob.socket.read().is_ok() {});
        there.stage(2, after.as_bytes()).expect("legal");
        there.commit(2).expect("staged");
        reader.join().expect("it ends");
        assert_eq!(inner(&ann.event("pusher_internal:member_removed"))["user_id"], "bob", "{after}");
        drop(ann);
        wait_until(PATIENCE, "ann has gone", || redis.cli(&["KEYS", "{fws}:in:*"]).trim().is_empty());
    }
}

#[test]
fn who_goes_and_comes_again_while_redis_is_away_has_neither_left_nor_joined() {
    let mut redis = Redis::start();
    let (url, hooks) = listener(&[]);
    let routes = routes(&json!({ "presence_grace": 1, "webhooks": [{ "url": url, "events": ["member_added", "member_removed"] }] }));
    let core = redis.server(&routes);
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.join(CHANNEL, "ann");
    bob.join(CHANNEL, "bob");
    next(&hooks, 2);
    redis.cli(&["SAVE"]);
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || !super::common::redis::is_connected(&core));
    drop(bob);
    wait_until(PATIENCE, "bob has gone", || core.ids().len() == 1);
    let (mut bob, mut brief) = (Peer::new(&core), Peer::new(&core));
    bob.join(CHANNEL, "bob");
    brief.join(CHANNEL, "brief");
    drop(brief);
    wait_until(PATIENCE, "brief has gone", || core.ids().len() == 2);
    redis.restart();
    ann.is_told_of(CHANNEL, &["ann", "bob"]);
    Peer::new(&core).join(CHANNEL, "last");
    assert_eq!(next(&hooks, 1)[0], json!({ "name": "member_added", "channel": CHANNEL, "user_id": "last" }));
}
