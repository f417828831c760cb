//! Several servers that work as one, with a real Redis.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fws_server::Core;
use serde_json::json;

use super::common::redis::{Redis, is_connected, wait_connected};
use super::common::wait_until;
use super::peer::{PATIENCE, Peer, call, inner, publish, routes};
use super::webhooks::{listener, next};

#[test]
fn an_event_reaches_subscribers_on_all_servers_but_the_one_that_caused_it() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.subscribe("news");
    bob.subscribe("news");
    publish(&there, "news", "1", Some(&ann.id));
    publish(&there, "news", "2", None);
    assert_eq!(bob.event("news")["data"], "1");
    assert_eq!(ann.event("news")["data"], "2");
    // A function of PHP reaches a client by its socket_id from anywhere.
    let id = ann.id.clone();
    let told = there.ask(&fws_hub::Command::Client(fws_hub::command::Describe { id: &id }));
    assert!(matches!(told, Ok(fws_hub::Reply::Client(client)) if *client.id == *id));
    assert_eq!(bob.event("news")["data"], "2");
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 }));
    bob.event("client-x");
    ann.nothing_came();
    assert_eq!(call(&here, "GET", "/apps/1/connections", "", ""), (200, json!({ "connections": 2 })));
    assert_eq!(call(&here, "GET", "/apps/1/channels", "info=subscription_count", "").1["channels"]["news"]["subscription_count"], 2);
}

#[test]
fn members_are_told_once_for_all_servers() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let mut ann = Peer::new(&here);
    assert_eq!(ann.join("presence-x", "ann"), ["ann"]);
    let mut bob = Peer::new(&there);
    assert_eq!(bob.join("presence-x", "bob"), ["ann", "bob"]);
    assert_eq!(inner(&ann.event("pusher_internal:member_added"))["user_id"], "bob");
    let mut tab = Peer::new(&here);
    assert_eq!(tab.join("presence-x", "bob"), ["ann", "bob"]);
    drop(bob);
    wait_until(PATIENCE, "the connection has ended", || there.ids().is_empty());
    ann.nothing_came();
    assert_eq!(call(&there, "GET", "/apps/1/channels/presence-x/users", "", "").1, json!({ "users": [{ "id": "ann" }, { "id": "bob" }] }));
    drop(tab);
    assert_eq!(inner(&ann.event("pusher_internal:member_removed"))["user_id"], "bob");
    ann.nothing_came();
}

#[test]
fn the_last_event_of_a_cache_channel_is_one_for_all_servers() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let mut ann = Peer::new(&here);
    ann.subscribe("cache-x");
    ann.event("pusher:cache_miss");
    for n in 0..20 {
        publish(if n % 2 == 0 { &here } else { &there }, "cache-x", &n.to_string(), None);
    }
    let mut bob = Peer::new(&there);
    bob.subscribe("cache-x");
    assert_eq!(bob.event("news")["data"], "19");
    bob.nothing_came();
    (0..20).for_each(|n| assert_eq!(ann.event("news")["data"], n.to_string()));
    assert_eq!(call(&here, "GET", "/apps/1/channels/cache-x", "info=cache", "").1["cache"]["data"], "19");
}

#[test]
fn a_user_is_ended_wherever_it_is() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let mut ann = Peer::new(&there);
    ann.sign_in("7");
    ann.subscribe("#server-to-user-7");
    publish(&here, "#server-to-user-7", "hi", None);
    ann.event("news");
    assert_eq!(call(&here, "POST", "/apps/1/users/7/terminate_connections", "", ""), (200, json!({})));
    assert_eq!(ann.event("pusher:error")["data"]["code"], 4009);
    assert_eq!(ann.next(), json!({ "closed": 4009 }));
}

#[test]
fn without_redis_a_server_serves_its_own_clients() {
    let mut redis = Redis::start();
    let core = redis.server(&routes(&json!({})));
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || !super::common::redis::is_connected(&core));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    ann.say(&json!({ "event": "client-x", "channel": "private-x", "data": 1 }));
    bob.event("client-x");
    publish(&core, "private-x", "1", None);
    bob.event("news");
    ann.event("news");
    assert_eq!(ann.join("presence-x", "ann"), ["ann"], "who is here is known");
    assert_eq!(call(&core, "GET", "/apps/1/channels/presence-x/users", "", "").0, 503, "who is elsewhere is not");
    redis.restart();
    ann.is_told_of("presence-x", &["ann"]);
    wait_until(PATIENCE, "the others can be asked", || call(&core, "GET", "/apps/1/channels/presence-x/users", "", "").0 == 200);
}

#[test]
fn lists_of_members_are_right_on_all_servers_after_redis_was_away() {
    for saved in [true, false] {
        let mut redis = Redis::start();
        let (url, hooks) = listener(&[]);
        let routes = routes(&json!({ "presence_grace": 1, "webhooks": [{ "url": url, "events": ["member_added", "member_removed"] }] }));
        let (here, there) = (redis.server(&routes), redis.server(&routes));
        let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
        ann.join("presence-x", "ann");
        bob.join("presence-x", "bob");
        let (leaver, tab) = (Peer::new(&here), Peer::new(&here));
        let (mut leaver, mut tab) = (leaver, tab);
        leaver.join("presence-x", "leaver");
        assert_eq!(tab.join("presence-x", "bob"), ["ann", "bob", "leaver"]);
        next(&hooks, 3);
        if saved {
            redis.cli(&["SAVE"]);
        }
        redis.kill();
        wait_until(PATIENCE, "it is noticed", || [&here, &there].iter().all(|core| !super::common::redis::is_connected(core)));
        drop((leaver, tab));
        wait_until(PATIENCE, "they have gone", || here.ids().len() == 1);
        let mut comer = Peer::new(&here);
        assert!(comer.join("presence-x", "comer").contains(&"ann".to_owned()));
        redis.restart();
        for peer in [&mut ann, &mut bob, &mut comer] {
            peer.is_told_of("presence-x", &["ann", "bob", "comer"]);
        }
        let mut told: Vec<String> = next(&hooks, 2).iter().map(|hook| format!("{} {}", hook["name"], hook["user_id"])).collect();
        told.sort();
        assert_eq!(told, [r#""member_added" "comer""#, r#""member_removed" "leaver""#]);
        let mut late = Peer::new(&there);
        assert_eq!(late.join("presence-x", "late"), ["ann", "bob", "comer", "late"]);
    }
}

#[test]
fn who_comes_to_another_server_as_one_ends_has_never_left_and_the_others_have() {
    let redis = Redis::start();
    let routes = routes(&json!({ "presence_grace": 1 }));
    let socket = redis.way("of the one that ends");
    let (ending, staying) = (redis.server_by(&socket, &routes, PATIENCE / 6), redis.server(&routes));
    let mut ann = Peer::new(&staying);
    ann.join("presence-x", "ann");
    let mut others: Vec<Peer> = ["bob", "cid"]
        .map(|user| (Peer::new(&ending), user))
        .into_iter()
        .map(|(mut peer, user)| {
            peer.join("presence-x", user);
            assert_eq!(inner(&ann.event("pusher_internal:member_added"))["user_id"], user);
            peer
        })
        .collect();
    let readers = others.drain(..).map(|mut peer| std::thread::spawn(move || while peer.socket.read().is_ok() {}));
    let readers: Vec<_> = readers.collect();
    ending.drain(PATIENCE);
    readers.into_iter().for_each(|reader| reader.join().expect("it ends"));
    let mut back = Peer::new(&staying);
    assert_eq!(back.join("presence-x", "bob"), ["ann", "bob", "cid"]);
    ann.nothing_came();
    // The process ends.
    std::fs::remove_file(&socket).expect("it is there");
    redis.drop_connections();
    ann.is_told_of("presence-x", &["ann", "bob"]);
    ann.nothing_came();
}

#[test]
fn a_server_that_goes_on_after_its_end_tells_who_has_left() {
    let redis = Redis::start();
    let routes = routes(&json!({ "presence_grace": 1 }));
    let (ending, staying) = (redis.server(&routes), redis.server(&routes));
    let (mut ann, mut bob) = (Peer::new(&staying), Peer::new(&ending));
    ann.join("presence-x", "ann");
    bob.join("presence-x", "bob");
    assert_eq!(inner(&ann.event("pusher_internal:member_added"))["user_id"], "bob");
    let reader = std::thread::spawn(move || while bob.socket.read().is_ok() {});
    ending.drain(PATIENCE);
    reader.join().expect("it ends");
    ending.stage(2, routes.as_bytes()).expect("legal");
    ending.commit(2).expect("staged");
    assert_eq!(inner(&ann.event("pusher_internal:member_removed"))["user_id"], "bob");
    let mut back = Peer::new(&ending);
    assert_eq!(back.join("presence-x", "bob"), ["ann", "bob"]);
}

/// The ways of two servers to Redis, which can be cut.
struct Ways<'a> {
    redis: &'a Redis,
    paths: [PathBuf; 2],
}

const WAYS: [&str; 2] = ["here", "there"];

impl Ways<'_> {
    fn new(redis: &Redis) -> Ways<'_> {
        Ways { redis, paths: WAYS.map(|name| redis.way(name)) }
    }

    fn servers(&self, routes: &str) -> [Arc<Core>; 2] {
        self.paths.each_ref().map(|path| self.redis.server_by(path, routes, Duration::from_secs(1)))
    }

    fn cut(&self) {
        self.paths.iter().for_each(|path| std::fs::remove_file(path).expect("it is there"));
        self.redis.drop_connections();
    }

    fn mend(&self, which: usize) {
        self.redis.way(WAYS[which]);
    }
}

#[test]
fn who_is_on_another_server_stays_a_member_though_redis_was_away_for_longer_than_a_lease() {
    let redis = Redis::start();
    let (url, hooks) = listener(&[]);
    let routes = routes(&json!({ "webhooks": [{ "url": url, "events": ["member_added", "member_removed"] }] }));
    let ways = Ways::new(&redis);
    let [here, there] = ways.servers(&routes);
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.join("presence-x", "ann");
    bob.join("presence-x", "bob");
    ann.event("pusher_internal:member_added");
    assert_eq!(next(&hooks, 2).iter().filter(|hook| hook["name"] == "member_added").count(), 2);
    ways.cut();
    let alive = r"local t = redis.call('TIME')
return redis.call('ZCOUNT', '{fws}:nodes:', t[1] * 1000 + math.floor(t[2] / 1000) - 2000, '+inf')";
    wait_until(PATIENCE, "both seem dead", || redis.cli(&["EVAL", alive, "0"]).trim() == "0");
    ways.mend(0);
    wait_connected(&here);
    ways.mend(1);
    wait_connected(&there);
    // Both were told the list anew.
    for peer in [&mut ann, &mut bob] {
        peer.is_told_of("presence-x", &["ann", "bob"]);
    }
    for (peer, user) in [(bob, "bob"), (ann, "ann")] {
        drop(peer);
        assert_eq!(next(&hooks, 1), [json!({ "name": "member_removed", "channel": "presence-x", "user_id": user })]);
    }
}

#[test]
fn who_was_on_a_server_that_died_while_redis_was_away_leaves() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let ways = Ways::new(&redis);
    let [here, there] = ways.servers(&routes);
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.join("presence-x", "ann");
    bob.join("presence-x", "bob");
    ways.cut();
    wait_until(PATIENCE, "it is noticed", || !is_connected(&here));
    ways.mend(0);
    ann.is_told_of("presence-x", &["ann"]);
}
