//! Users who want to know which others are online.

use std::time::Duration;

use fws_hub::command::Tags;
use fws_hub::{Command, Reply};
use fws_pusher::{SocketId, auth};
use fws_server::Core;
use serde_json::{Value, json};

use super::common::redis::{Redis, is_connected};
use super::common::wait_until;
use super::peer::{PATIENCE, Peer, app, call, core, inner, routes};

impl Peer {
    /// Signs in with a watchlist.
    pub fn watch(&mut self, user: &str, others: &[&str]) {
        self.wish_to_watch(user, others);
        self.event("pusher:signin_success");
    }

    pub fn wish_to_watch(&mut self, user: &str, others: &[&str]) {
        let data = json!({ "id": user, "user_info": { "name": user }, "watchlist": others }).to_string();
        let auth = auth::sign_user(&app(), SocketId::parse(&self.id).expect("an id"), &data);
        self.say(&json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": data } }));
    }

    /// The next message, which must tell of users who come or go.
    pub fn told(&mut self) -> Value {
        inner(&self.event("pusher_internal:watchlist_events"))["events"].clone()
    }
}

fn online(users: &[&str]) -> Value {
    json!({ "name": "online", "user_ids": users })
}

fn offline(users: &[&str]) -> Value {
    json!({ "name": "offline", "user_ids": users })
}

/// A connection of this user has ended.
fn leave(core: &Core, peer: Peer) {
    let connections = core.ids().len();
    drop(peer);
    wait_until(PATIENCE, "the connection has ended", || core.ids().len() < connections);
}

fn tags(core: &Core) -> Vec<String> {
    match core.ask(&Command::Tags(Tags { id: None })) {
        Ok(Reply::Names(names)) => names.iter().map(|name| name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_is_told_at_once_who_is_online_and_then_who_comes_and_goes_once_per_user() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    ann.watch("ann", &["bob", "ann", "cid", "bob"]);
    assert_eq!(ann.told(), json!([online(&["ann"]), offline(&["bob", "cid"])]));
    let (mut bob, mut tab) = (Peer::new(&core), Peer::new(&core));
    bob.sign_in("bob");
    assert_eq!(ann.told(), json!([online(&["bob"])]));
    tab.sign_in("bob");
    let mut dan = Peer::new(&core);
    dan.watch("dan", &["bob"]);
    assert_eq!(dan.told(), json!([online(&["bob"])]));
    leave(&core, bob);
    tab.nothing_came();
    ann.nothing_came();
    dan.nothing_came();
    leave(&core, tab);
    assert_eq!(ann.told(), json!([offline(&["bob"])]));
    assert_eq!(dan.told(), json!([offline(&["bob"])]));
    let mut cid = Peer::new(&core);
    cid.sign_in("cid");
    assert_eq!(ann.told(), json!([online(&["cid"])]));
    assert_eq!(call(&core, "POST", "/apps/1/users/cid/terminate_connections", "", "").0, 200);
    assert_eq!(ann.told(), json!([offline(&["cid"])]));
    ann.nothing_came();
    dan.nothing_came();
}

#[test]
fn a_page_that_is_loaded_anew_is_told_to_nobody_in_the_time_of_grace() {
    let patient = core(&json!({ "presence_grace": 3_600_000_000_000_u64 }));
    let (mut ann, mut bob) = (Peer::new(&patient), Peer::new(&patient));
    ann.watch("ann", &["bob"]);
    assert_eq!(ann.told(), json!([offline(&["bob"])]));
    bob.sign_in("bob");
    assert_eq!(ann.told(), json!([online(&["bob"])]));
    leave(&patient, bob);
    let mut dan = Peer::new(&patient);
    dan.watch("dan", &["bob"]);
    assert_eq!(dan.told(), json!([online(&["bob"])]));
    Peer::new(&patient).sign_in("bob");
    ann.nothing_came();
    dan.nothing_came();
    let hasty = core(&json!({ "presence_grace": 50_000_000 }));
    let (mut ann, mut bob) = (Peer::new(&hasty), Peer::new(&hasty));
    ann.watch("ann", &["bob"]);
    ann.told();
    bob.sign_in("bob");
    assert_eq!(ann.told(), json!([online(&["bob"])]));
    drop(bob);
    assert_eq!(ann.told(), json!([offline(&["bob"])]));
}

#[test]
fn the_longest_watchlist_with_the_longest_ids_is_told_and_forgotten_with_its_connection() {
    let core = core(&json!({}));
    let users: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut ann = Peer::new(&core);
    ann.watch("ann", &users);
    assert_eq!(ann.told(), json!([offline(&users)]));
    assert_eq!(tags(&core).len(), 102, "a tag for each, and two that all have who are signed in");
    let mut last = Peer::new(&core);
    last.sign_in(users[99]);
    assert_eq!(ann.told(), json!([online(&[users[99]])]));
    leave(&core, last);
    leave(&core, ann);
    assert_eq!(tags(&core), [""; 0]);
}

#[test]
fn clients_and_servers_do_not_see_how_it_is_done() {
    let core = core(&json!({ "webhooks": [{ "url": "http://127.0.0.1:1/", "events": ["channel_occupied"] }] }));
    let mut ann = Peer::new(&core);
    ann.watch("ann", &["bob"]);
    ann.told();
    assert_eq!(call(&core, "GET", "/apps/1/channels", "", ""), (200, json!({ "channels": {} })));
    for channel in ["#users", "#watching-bob"] {
        ann.say(&json!({ "event": "pusher:subscribe", "data": { "channel": channel } }));
        assert_eq!(ann.event("pusher:subscription_error")["data"]["status"], 400, "{channel}");
        let event = json!({ "name": "news", "channel": channel, "data": "1" }).to_string();
        assert_eq!(call(&core, "POST", "/apps/1/events", "", &event).0, 400, "{channel}");
    }
    ann.nothing_came();
}

#[test]
fn another_application_has_other_users() {
    let core = core(&json!({}));
    let mut ann = Peer::new(&core);
    ann.watch("ann", &["bob"]);
    ann.told();
    let mut other = Peer::connect(&core, "/app/other?protocol=7", "");
    let id = inner(&other.event("pusher:connection_established"))["socket_id"].as_str().expect("an id").to_owned();
    let data = r#"{"id":"bob"}"#;
    let hidden = fws_pusher::AppConfig::new("2", "other", "hidden");
    let auth = auth::sign_user(&hidden, SocketId::parse(&id).expect("an id"), data);
    other.say(&json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": data } }));
    other.event("pusher:signin_success");
    let mut dan = Peer::new(&core);
    dan.watch("dan", &["bob"]);
    assert_eq!(dan.told(), json!([offline(&["bob"])]));
    ann.nothing_came();
}

#[test]
fn users_are_online_on_any_of_three_servers() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let servers = [(); 3].map(|()| redis.server(&routes));
    let mut watchers: Vec<Peer> = servers.iter().map(|core| Peer::new(core)).collect();
    for (n, watcher) in watchers.iter_mut().enumerate() {
        watcher.watch(&format!("watcher {n}"), &["bob", "cid"]);
        assert_eq!(watcher.told(), json!([offline(&["bob", "cid"])]));
    }
    let (mut bob, mut tab) = (Peer::new(&servers[1]), Peer::new(&servers[2]));
    bob.sign_in("bob");
    watchers.iter_mut().for_each(|watcher| assert_eq!(watcher.told(), json!([online(&["bob"])])));
    tab.sign_in("bob");
    let mut late = Peer::new(&servers[0]);
    late.watch("late", &["cid", "bob"]);
    assert_eq!(late.told(), json!([online(&["bob"]), offline(&["cid"])]));
    leave(&servers[1], bob);
    // The next event is the first that is told.
    Peer::new(&servers[1]).watch("cid", &["bob"]);
    watchers.iter_mut().chain([&mut late]).for_each(|watcher| assert_eq!(watcher.told(), json!([online(&["cid"])])));
    watchers.iter_mut().chain([&mut late]).for_each(|watcher| assert_eq!(watcher.told(), json!([offline(&["cid"])])));
    leave(&servers[2], tab);
    watchers.iter_mut().chain([&mut late]).for_each(|watcher| assert_eq!(watcher.told(), json!([offline(&["bob"])])));
}

#[test]
fn users_of_a_server_that_dies_are_offline() {
    let redis = Redis::start();
    let routes = routes(&json!({}));
    let socket = redis.way("of the one that dies");
    let (dying, staying) = (redis.server_by(&socket, &routes, Duration::from_secs(1)), redis.server(&routes));
    let (mut ann, mut bob) = (Peer::new(&staying), Peer::new(&dying));
    ann.watch("ann", &["bob"]);
    assert_eq!(ann.told(), json!([offline(&["bob"])]));
    bob.sign_in("bob");
    assert_eq!(ann.told(), json!([online(&["bob"])]));
    std::fs::remove_file(&socket).expect("it is there");
    redis.drop_connections();
    while ann.told() != json!([offline(&["bob"])]) {}
}

#[test]
fn while_redis_is_away_users_of_this_server_are_told_and_all_of_them_afterwards() {
    let mut redis = Redis::start();
    let routes = routes(&json!({}));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let (mut ann, mut bob, mut cid) = (Peer::new(&here), Peer::new(&here), Peer::new(&there));
    ann.watch("ann", &["bob", "cid"]);
    assert_eq!(ann.told(), json!([offline(&["bob", "cid"])]));
    bob.sign_in("bob");
    assert_eq!(ann.told(), json!([online(&["bob"])]));
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || [&here, &there].iter().all(|core| !is_connected(core)));
    cid.sign_in("cid");
    let mut dan = Peer::new(&here);
    dan.watch("dan", &["bob", "cid"]);
    assert_eq!(dan.told(), json!([online(&["bob"]), offline(&["cid"])]));
    ann.nothing_came();
    redis.restart();
    for peer in [&mut ann, &mut dan] {
        while peer.told() != json!([online(&["bob", "cid"])]) {}
    }
}
