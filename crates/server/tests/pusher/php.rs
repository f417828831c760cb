//! What workers are told: that of a route, and those that webhooks name.

use std::sync::Arc;
use std::time::Instant;

use fws_server::{Bell, Config, Core};
use fws_session::{ChannelEventKind, Event};
use serde_json::{Value, json};

use super::PATIENCE;
use super::common::counter;
use super::common::redis::Redis;
use super::peer::{Peer, routes};

/// The route has the worker "chat".
pub fn with_worker(options: &Value) -> String {
    routes(options).replace(r#""name":"pusher""#, r#""name":"pusher","worker":"chat""#)
}

/// `max_pending_bytes`: 0 is the default.
pub fn core_with(routes: &str, max_pending_bytes: usize) -> Arc<Core> {
    let core = Core::start(&Config { shards: 1, max_pending_bytes, ..Config::default() }).expect("threads and epolls");
    core.stage(1, routes.as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

fn core() -> Arc<Core> {
    core_with(&with_worker(&json!({})), 0)
}

/// The next events of the worker "chat", as text.
fn told(core: &Core, bell: &mut Option<Arc<Bell>>, count: usize) -> Vec<String> {
    told_to("chat", core, bell, count)
}

/// The next events of the only worker, as text.
fn told_to(worker: &str, core: &Core, bell: &mut Option<Arc<Bell>>, count: usize) -> Vec<String> {
    let (mut told, until) = (Vec::new(), Instant::now() + PATIENCE);
    while told.len() < count {
        assert!(Instant::now() < until, "only {told:?}");
        let Some(claimed) = bell else {
            *bell = core.take_ring().and_then(|ring| {
                assert_eq!(&*ring.worker, worker);
                core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes())
            });
            std::thread::yield_now();
            continue;
        };
        let Some(current) = core.next_event(claimed) else {
            core.release_bell(claimed, false, "");
            *bell = None;
            continue;
        };
        told.push(match current.event() {
            Event::Subscribe(told) => format!("subscribe {} {} {}", told.tag, told.user, String::from_utf8_lossy(&told.data)),
            Event::Unsubscribe(told) => format!("unsubscribe {} {}", told.tag, told.user),
            Event::ClientEvent(told) => format!("{} {} {} {}", told.event, told.tag, told.user, String::from_utf8_lossy(&told.data)),
            Event::Join(member) => format!("join {} {}", member.tag, member.user),
            Event::Leave(member) => format!("leave {} {}", member.tag, member.user),
            Event::Channel(channel) => match channel.kind {
                ChannelEventKind::SubscriptionCount(count) => format!("{} {count}", channel.tag),
                kind => format!("{} {}", kind.name(), channel.tag),
            },
            other => panic!("{other:?}"),
        });
    }
    told
}

#[test]
fn a_worker_is_told_what_each_client_does_in_order_and_what_happens_in_each_channel() {
    let core = core();
    let mut bell = None;
    let mut ann = Peer::new(&core);
    ann.subscribe("news");
    ann.subscribe("private-x");
    ann.say(&json!({ "event": "client-a", "channel": "private-x", "data": { "n": 1 } }));
    ann.say(&json!({ "event": "client-b", "channel": "private-x", "data": 2 }));
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } }));
    let wanted = [
        "subscribe 1:news  ",
        "subscribe 1:private-x  ",
        r#"client-a 1:private-x  {"n":1}"#,
        "client-b 1:private-x  2",
        "unsubscribe 1:news ",
    ];
    assert_eq!(told(&core, &mut bell, 5), wanted);
    ann.join("presence-x", "ann");
    let mut both = told(&core, &mut bell, 2);
    both.sort();
    assert_eq!(both, ["join 1:presence-x ann", r#"subscribe 1:presence-x ann {"name":"ann"}"#]);
    drop(ann);
    let mut rest = told(&core, &mut bell, 3);
    rest.sort();
    assert_eq!(rest, ["leave 1:presence-x ann", "unsubscribe 1:presence-x ann", "unsubscribe 1:private-x "]);
}

#[test]
fn clients_are_served_whether_php_listens_or_not() {
    let core = core();
    let (mut ann, mut bob) = (Peer::new(&core), Peer::new(&core));
    ann.subscribe("private-x");
    bob.subscribe("private-x");
    ann.say(&json!({ "event": "client-a", "channel": "private-x", "data": 1 }));
    bob.event("client-a");
}

#[test]
fn a_worker_that_a_webhook_names_is_told_what_a_server_would_be() {
    let core = core_with(&routes(&json!({ "webhooks": [{ "worker": "news" }] })), 0);
    let mut bell = None;
    let mut ann = Peer::new(&core);
    ann.join("presence-cache-x", "ann");
    ann.event("pusher:cache_miss");
    ann.say(&json!({ "event": "client-x", "channel": "presence-cache-x", "data": { "n": 1 } }));
    ann.nothing_came();
    let mut all = told_to("news", &core, &mut bell, 5);
    all.sort();
    let tag = "1:presence-cache-x";
    let come = [
        format!("{tag} 1"),
        format!("cache_miss {tag}"),
        format!("channel_occupied {tag}"),
        format!(r#"client-x {tag} ann {{"n":1}}"#),
        format!("join {tag} ann"),
    ];
    assert_eq!(all, come);
    drop(ann);
    let mut all = told_to("news", &core, &mut bell, 3);
    all.sort();
    assert_eq!(all, [format!("{tag} 0"), format!("channel_vacated {tag}"), format!("leave {tag} ann")]);
}

#[test]
fn a_worker_is_told_each_event_once_however_often_it_is_named() {
    let hooks = json!([{ "worker": "chat" }, { "worker": "chat", "events": ["channel_occupied", "member_added", "client_event"] }]);
    let core = core_with(&with_worker(&json!({ "webhooks": hooks })), 0);
    let mut bell = None;
    let mut ann = Peer::new(&core);
    ann.join("presence-x", "ann");
    ann.say(&json!({ "event": "client-x", "channel": "presence-x", "data": 1 }));
    ann.nothing_came();
    let mut all = told(&core, &mut bell, 5);
    drop(ann);
    all.extend(told(&core, &mut bell, 4));
    all.sort();
    let tag = "1:presence-x";
    let once = [
        format!("{tag} 0"),
        format!("{tag} 1"),
        format!("channel_occupied {tag}"),
        format!("channel_vacated {tag}"),
        format!("client-x {tag} ann 1"),
        format!("join {tag} ann"),
        format!("leave {tag} ann"),
        format!(r#"subscribe {tag} ann {{"name":"ann"}}"#),
        format!("unsubscribe {tag} ann"),
    ];
    assert_eq!(all, once);
}

#[test]
fn a_worker_is_told_only_what_its_webhook_asks_for_and_of_many_counts_the_last() {
    let hooks = json!([{ "worker": "news", "events": ["subscription_count", "channel_occupied"], "channel_prefix": "room-" }]);
    let core = core_with(&routes(&json!({ "webhooks": hooks })), 0);
    let mut peers: Vec<Peer> = (0..5).map(|_| Peer::new(&core)).collect();
    for peer in &mut peers {
        peer.subscribe("hall");
        peer.subscribe("room-7");
        peer.nothing_came();
    }
    let mut bell = None;
    // A bell that was asked for may have taken the first of them.
    let mut all = told_to("news", &core, &mut bell, 2);
    while all.last().is_none_or(|last| last != "1:room-7 5") {
        all.extend(told_to("news", &core, &mut bell, 1));
    }
    assert!(all.contains(&"channel_occupied 1:room-7".to_owned()), "{all:?}");
    assert!(all.len() <= 3, "those that waited were renewed: {all:?}");
    assert!(all.iter().all(|told| told.contains("room-7")), "{all:?}");
    core.release_bell(&bell.expect("a bell"), false, "");
    assert_eq!((counter(&core, "events_pending"), counter(&core, "events_pending_bytes")), (0, 0));
}

#[test]
fn a_reload_that_takes_the_worker_of_a_webhook_away_drops_what_waits_and_counts_it() {
    let core = core_with(&routes(&json!({ "webhooks": [{ "worker": "news", "events": ["channel_occupied"] }] })), 0);
    let mut ann = Peer::new(&core);
    ann.subscribe("room");
    super::common::wait_until(PATIENCE, "it waits", || counter(&core, "events_pending") == 1);
    core.stage(2, routes(&json!({})).as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    assert_eq!((counter(&core, "events_pending"), counter(&core, "events_dropped")), (0, 1));
    ann.nothing_came();
}

#[test]
fn among_several_servers_one_worker_is_told() {
    let redis = Redis::start();
    let routes = routes(&json!({ "webhooks": [{ "worker": "news", "events": ["channel_occupied", "channel_vacated", "member_added"] }] }));
    let (here, there) = (redis.server(&routes), redis.server(&routes));
    let (mut ann, mut bob) = (Peer::new(&here), Peer::new(&there));
    ann.join("presence-x", "ann");
    let mut bell = None;
    let mut first = told_to("news", &here, &mut bell, 2);
    first.sort();
    assert_eq!(first, ["channel_occupied 1:presence-x", "join 1:presence-x ann"]);
    bob.join("presence-x", "bob");
    let mut other = None;
    assert_eq!(told_to("news", &there, &mut other, 1), ["join 1:presence-x bob"]);
    ann.event("pusher_internal:member_added");
    ann.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-x" } }));
    ann.nothing_came();
    bob.event("pusher_internal:member_removed");
    bob.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-x" } }));
    assert_eq!(told_to("news", &there, &mut other, 1), ["channel_vacated 1:presence-x"]);
}

#[test]
fn a_webhook_has_an_address_or_a_worker() {
    let core = core();
    for (webhook, wanted) in [
        (json!({}), "is an environment variable not set"),
        (json!({ "worker": "news", "url": "http://a/" }), "not both"),
        (json!({ "worker": "news", "events": ["nothing"] }), "there is no event"),
        (json!({ "worker": "" }), "names no worker"),
    ] {
        let error = core.stage(2, routes(&json!({ "webhooks": [webhook.clone()] })).as_bytes());
        assert!(error.as_ref().is_err_and(|error| error.to_string().contains(wanted)), "{webhook}: {error:?}");
    }
}
