//! What workers that webhooks name are told where much happens at once, and where one of them does not keep up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use fws_server::{Bell, Core, Ended};
use fws_session::{ChannelEventKind, Event};
use serde_json::{Value, json};

use super::peer::{Peer, core, routes};
use super::php::{core_with, with_worker};
use super::{PATIENCE, common, counter, wait_until};

/// A bell of this worker. Those of others do not reach PHP.
fn bell(core: &Core, worker: &str) -> Arc<Bell> {
    let mut bell = None;
    wait_until(PATIENCE, "a bell is wanted", || {
        let Some(ring) = core.take_ring() else { return false };
        if &*ring.worker != worker {
            core.end_bell(&ring.nonce, Ended::Abandoned, b"", "");
            return false;
        }
        bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes());
        bell.is_some()
    });
    bell.expect("just seen")
}

/// Has bells handle what waits, and notes the last number of subscribers that is told of each channel.
fn note_counts(core: &Core, worker: &str, last: &mut HashMap<Box<str>, u64>) {
    let until = Instant::now() + PATIENCE;
    while counter(core, "events_pending") > 0 {
        assert!(Instant::now() < until, "events wait");
        let bell = bell(core, worker);
        while let Some(current) = core.next_event(&bell) {
            if let Event::Channel(told) = current.event()
                && let ChannelEventKind::SubscriptionCount(count) = told.kind
            {
                last.insert(told.tag.clone(), count);
            }
        }
        core.release_bell(&bell, false, "");
    }
}

#[test]
fn the_last_number_of_subscribers_that_is_told_is_true() {
    let core = core(&json!({ "webhooks": [{ "worker": "news", "events": ["subscription_count"] }] }));
    let mut peers: Vec<Peer> = (0..8).map(|_| Peer::new(&core)).collect();
    for round in 0..100 {
        let channel = format!("room-{round}");
        for peer in &mut peers {
            peer.subscribe(&channel);
        }
        for peer in &mut peers {
            peer.say(&json!({ "event": "pusher:unsubscribe", "data": { "channel": channel } }));
        }
        peers.iter_mut().for_each(Peer::nothing_came);
    }
    // What changes all the time is counted by the clock's thread, a second later.
    let (mut last, until) = (HashMap::new(), Instant::now() + PATIENCE / 6);
    while last.len() < 100 || last.values().any(|count| *count != 0) {
        assert!(Instant::now() < until, "of {}: {:?}", last.len(), last.iter().filter(|(_, count)| **count != 0).collect::<Vec<_>>());
        note_counts(&core, "news", &mut last);
    }
}

#[test]
fn what_the_worker_of_the_route_is_told_of_a_channel_waits_together() {
    let core =
        core_with(&with_worker(&json!({ "webhooks": [{ "worker": "chat", "events": ["channel_occupied", "subscription_count"] }] })), 0);
    let mut ann = Peer::new(&core);
    ann.join("presence-x", "ann");
    // What the client has done waits by client, and who has come with what has become of the channel.
    wait_until(PATIENCE, "all wait, in two lines", || {
        counter(&core, "events_pending") == 4 && counter(&core, "connections_with_events") == 2
    });
}

#[test]
fn a_worker_that_does_not_keep_up_is_not_in_the_way_of_others() {
    let hook = |worker: &str, prefix: &str| json!({ "worker": worker, "events": ["channel_occupied"], "channel_prefix": prefix });
    let core = core_with(&routes(&json!({ "webhooks": [hook("slow", "room-"), hook("news", "news")] })), 40_000);
    let mut ann = Peer::new(&core);
    for n in 0..400 {
        ann.subscribe(&format!("room-{n}"));
    }
    wait_until(PATIENCE, "all is told, or not", || counter(&core, "events_pending") + counter(&core, "pusher_events_not_told") == 400);
    let (waits, untold) = (counter(&core, "events_pending_bytes"), counter(&core, "pusher_events_not_told"));
    assert!(untold > 0 && waits < 11_000, "{untold} {waits}");
    ann.subscribe("news");
    let news = bell(&core, "news");
    let told = core.next_event(&news);
    assert!(matches!(told.as_ref().map(|told| told.event()), Some(Event::Channel(told)) if &*told.tag == "1:news"));
    drop(told);
    let log = common::log(&core).into_iter().find(|record| record["msg"].as_str().is_some_and(|text| text.contains("too much waits")));
    assert_eq!(log.map(|record| record["fields"]["worker"].clone()), Some(json!("slow")));
    core.release_bell(&news, false, "");
    assert_eq!(counter(&core, "events_pending"), 400 - untold);
    // What is handled makes room again.
    let slow = bell(&core, "slow");
    while core.next_event(&slow).is_some() {}
    core.release_bell(&slow, false, "");
    wait_until(PATIENCE, "it is handled", || counter(&core, "events_pending") == 0);
    ann.subscribe("room-more");
    wait_until(PATIENCE, "it is told", || counter(&core, "events_pending") == 1);
    assert_eq!(counter(&core, "pusher_events_not_told"), untold);
}

#[test]
fn a_number_of_subscribers_that_waits_is_renewed_though_no_more_may_wait() {
    let core = core_with(&routes(&json!({ "webhooks": [{ "worker": "slow", "events": ["subscription_count"] }] })), 8_000);
    let mut ann = Peer::new(&core);
    ann.subscribe("last");
    ann.nothing_came();
    for n in 0..100 {
        ann.subscribe(&format!("room-{n}"));
    }
    wait_until(PATIENCE, "no more may wait", || counter(&core, "pusher_events_not_told") > 0);
    let mut bob = Peer::new(&core);
    bob.subscribe("last");
    bob.nothing_came();
    let mut last = HashMap::new();
    note_counts(&core, "slow", &mut last);
    assert_eq!(last.get("1:last"), Some(&2));
}

#[test]
fn what_a_worker_had_waiting_that_a_reload_takes_away_makes_room_and_the_log_names_it() {
    let hooks = |worker: &str| routes(&json!({ "webhooks": [{ "worker": worker, "events": ["channel_occupied"] }] }));
    let core = core_with(&hooks("old"), 8_000);
    let mut ann = Peer::new(&core);
    let fill = |ann: &mut Peer, name: &str| (0..100).for_each(|n| drop(ann.subscribe(&format!("{name}-{n}"))));
    fill(&mut ann, "room");
    wait_until(PATIENCE, "all is told, or not", || counter(&core, "events_pending") + counter(&core, "pusher_events_not_told") == 100);
    let waited = counter(&core, "events_pending");
    core.stage(2, hooks("new").as_bytes()).expect("legal");
    core.commit(2).expect("staged");
    assert_eq!((counter(&core, "events_dropped"), counter(&core, "events_pending")), (waited, 0));
    let log = common::log(&core).into_iter().find(|record| record["msg"].as_str().is_some_and(|text| text.contains("dropped")));
    let log = log.expect("it is logged");
    assert_eq!(log["msg"], "WebSocket events were dropped: their worker is gone");
    assert_eq!((&log["fields"]["worker"], &log["fields"]["route"]), (&json!("old"), &Value::Null));
    // The worker comes back, and has room.
    core.stage(3, hooks("old").as_bytes()).expect("legal");
    core.commit(3).expect("staged");
    ann.subscribe("again");
    wait_until(PATIENCE, "it is told", || counter(&core, "events_pending") == 1);
}
