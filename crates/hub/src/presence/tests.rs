use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::channel::{ChannelPattern, PresencePolicy};
use crate::command::{ClearTags, SetUser, Tag, Untag};
use crate::registry::Key;

const GRACE: u64 = 5000;

fn channels(patterns: &[(&str, Option<u64>)]) -> Arc<[Channel]> {
    let channel = |&(pattern, grace): &(&str, Option<u64>)| Channel {
        pattern: ChannelPattern::new(pattern),
        history: None,
        presence: grace.map(|grace| PresencePolicy { grace }),
    };
    patterns.iter().map(channel).collect()
}

/// A registry with a route whose rooms have presence.
fn rooms() -> (Hub<()>, RouteId) {
    let mut hub = Hub::default();
    let route = hub.route("chat");
    hub.set_channels(route, channels(&[("room:*", Some(GRACE))]));
    (hub, route)
}

fn enter(hub: &mut Hub<()>, route: RouteId, id: &str, user: Option<&str>) -> Key {
    let key = hub.register(id.into(), route, |_| ()).expect("the id is free");
    if user.is_some() {
        set_user(hub, id, user, "");
    }
    key
}

fn set_user(hub: &mut Hub<()>, id: &str, user: Option<&str>, info: &str) {
    SetUser { id, user, info: info.as_bytes().into() }.apply(hub).expect("legal");
}

fn tag(hub: &mut Hub<()>, id: &str, tag: &str) {
    Tag { id, tag, since: None }.apply(hub).expect("legal");
}

fn untag(hub: &mut Hub<()>, id: &str, tag: &str) {
    Untag { id, tag }.apply(hub).expect("legal");
}

/// What has changed, as "+ann room:1".
fn told(hub: &mut Hub<()>) -> Vec<String> {
    let told = |change: Change| format!("{}{} {}", if change.joined { '+' } else { '-' }, change.user.name, change.tag);
    hub.take_changes().into_iter().map(told).collect()
}

fn members(hub: &Hub<()>, route: RouteId, tag: &str) -> Vec<(String, u32)> {
    hub.present(route, tag, None, usize::MAX).iter().map(|present| (present.user.name.to_string(), present.connections)).collect()
}

#[test]
fn a_user_joins_with_the_first_connection_and_leaves_with_the_last_one() {
    let (mut hub, route) = rooms();
    for id in ["tab 1", "tab 2"] {
        enter(&mut hub, route, id, Some("ann"));
        tag(&mut hub, id, "room:1");
        tag(&mut hub, id, "other");
    }
    enter(&mut hub, route, "nobody", None);
    tag(&mut hub, "nobody", "room:1");
    assert_eq!(told(&mut hub), ["+ann room:1"]);
    assert_eq!(members(&hub, route, "room:1"), [("ann".to_owned(), 2)]);
    untag(&mut hub, "tab 1", "room:1");
    untag(&mut hub, "tab 1", "room:1");
    assert_eq!((told(&mut hub), members(&hub, route, "room:1")), (vec![], vec![("ann".to_owned(), 1)]));
    // By somebody's will, there is no grace.
    ClearTags { id: "tab 2" }.apply(&mut hub);
    assert_eq!((told(&mut hub), members(&hub, route, "room:1")), (vec!["-ann room:1".to_owned()], vec![]));
    assert_eq!(hub.presence_counts(), [0, 0, 0]);
}

#[test]
fn a_page_that_is_loaded_anew_neither_leaves_nor_joins() {
    let (mut hub, route) = rooms();
    let first = enter(&mut hub, route, "before", Some("ann"));
    tag(&mut hub, "before", "room:1");
    told(&mut hub);
    hub.set_time(1000);
    hub.close(first);
    hub.forget(first);
    assert_eq!(members(&hub, route, "room:1"), [("ann".to_owned(), 0)], "it may come back");
    hub.set_time(1000 + GRACE - 1);
    assert!(!hub.end_grace(10));
    let second = enter(&mut hub, route, "after", Some("ann"));
    tag(&mut hub, "after", "room:1");
    assert_eq!((told(&mut hub), hub.next_leave()), (vec![], None));
    hub.close(second);
    assert_eq!(hub.next_leave(), Some(1000 + 2 * GRACE - 1));
    hub.set_time(1000 + 2 * GRACE - 1);
    assert!(!hub.end_grace(10));
    assert_eq!((told(&mut hub), members(&hub, route, "room:1")), (vec!["-ann room:1".to_owned()], vec![]));
}

#[test]
fn another_user_joins_and_the_one_before_leaves_and_other_information_is_no_event() {
    let (mut hub, route) = rooms();
    enter(&mut hub, route, "c", None);
    tag(&mut hub, "c", "room:1");
    set_user(&mut hub, "c", Some("ann"), "Ann");
    set_user(&mut hub, "c", Some("ann"), "Ann B.");
    assert_eq!(told(&mut hub), ["+ann room:1"]);
    assert_eq!(&*hub.present(route, "room:1", None, 1)[0].user.info, b"Ann B.");
    set_user(&mut hub, "c", Some("bob"), "");
    assert_eq!(told(&mut hub), ["-ann room:1", "+bob room:1"]);
    set_user(&mut hub, "c", None, "");
    assert_eq!((told(&mut hub), hub.user_count()), (vec!["-bob room:1".to_owned()], 0));
}

#[test]
fn members_are_read_in_parts_and_in_order() {
    let (mut hub, route) = rooms();
    for n in 0..10 {
        let id = format!("c{n}");
        enter(&mut hub, route, &id, Some(&format!("u{n}")));
        tag(&mut hub, &id, "room:1");
    }
    let (mut read, mut last): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let some = hub.present(route, "room:1", last.as_deref(), 3);
        let Some(end) = some.last() else { break };
        last = Some(end.user.name.to_string());
        read.extend(some.iter().map(|present| present.user.name.to_string()));
    }
    assert_eq!(read, (0..10).map(|n| format!("u{n}")).collect::<Vec<_>>());
}

#[test]
fn what_a_reload_makes_a_channel_gets_its_members_and_what_it_makes_none_loses_them_silently() {
    let (mut hub, route) = rooms();
    for n in 0..5 {
        let id = format!("c{n}");
        enter(&mut hub, route, &id, Some("ann"));
        tag(&mut hub, &id, "room:1");
        tag(&mut hub, &id, "hall");
    }
    let in_grace = enter(&mut hub, route, "bob", Some("bob"));
    tag(&mut hub, "bob", "room:1");
    hub.close(in_grace);
    told(&mut hub);
    assert!(!hub.set_channels(route, channels(&[("room:*", Some(1))])), "who is present where is as it was");
    assert!(hub.set_channels(route, channels(&[("hall", Some(0)), ("room:*", None)])));
    // Some change before they are settled.
    untag(&mut hub, "c0", "hall");
    untag(&mut hub, "c1", "room:1");
    let mut from = Some(Settling::BEGINNING);
    while let Some(at) = from {
        from = hub.settle_some(route, at, 2);
    }
    assert_eq!(told(&mut hub), ["+ann hall", "-ann hall", "+ann hall"]);
    assert_eq!((members(&hub, route, "hall"), members(&hub, route, "room:1")), (vec![("ann".into(), 4)], vec![]));
    assert_eq!(hub.presence_counts(), [1, 0, 0]);
}

#[test]
fn who_leaves_when_too_many_are_in_their_time_of_grace_leaves_at_once_and_is_counted() {
    let (mut hub, route) = rooms();
    for n in 0..=MOST_IN_GRACE {
        let id = format!("c{n}");
        let key = enter(&mut hub, route, &id, Some(&id));
        tag(&mut hub, &id, "room:1");
        hub.close(key);
        hub.forget(key);
    }
    let most = MOST_IN_GRACE as u64;
    assert_eq!(hub.presence_counts(), [most, most, 1]);
    hub.set_time(GRACE);
    assert!(hub.end_grace(1000), "there are more");
    while hub.end_grace(1000) {}
    assert_eq!(hub.presence_counts(), [0, 0, 1]);
}

/// What is true, told in the simplest way.
#[derive(Default)]
struct Model {
    /// Live clients: route, user, tags.
    clients: BTreeMap<u32, (usize, Option<String>, BTreeSet<String>)>,
}

impl Model {
    fn members(&self, route: usize, tag: &str) -> Vec<(String, u32)> {
        let mut members = BTreeMap::new();
        for (on, user, tags) in self.clients.values() {
            if let Some(user) = user.as_ref().filter(|_| *on == route && tags.contains(tag)) {
                *members.entry(user.clone()).or_insert(0) += 1;
            }
        }
        members.into_iter().collect()
    }
}

#[test]
fn whatever_happens_members_are_who_is_there_and_events_tell_it() {
    for seed in 1..=200_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let kinds: [&[(&str, Option<u64>)]; 4] =
            [&[("a*", Some(3)), ("b", Some(0))], &[("a1", None), ("*", Some(2))], &[("b", Some(4))], &[("c", Some(0)), ("a*", Some(1))]];
        let mut hub: Hub<()> = Hub::default();
        let routes = ["r0", "r1"].map(|name| hub.route(name));
        let mut in_force = [kinds[0], kinds[1]];
        for (&route, kind) in routes.iter().zip(in_force) {
            hub.set_channels(route, channels(kind));
        }
        let (mut model, mut keys, mut next, mut now) = (Model::default(), BTreeMap::new(), 0_u32, 0);
        // As who follows the events knows it.
        let mut heard: BTreeSet<(RouteId, String, String)> = BTreeSet::new();
        for _ in 0..300 {
            let client = (!keys.is_empty()).then(|| *keys.keys().nth(random(keys.len() as u64) as usize).expect("in range"));
            let name = ["a1", "a2", "b", "c"][random(4) as usize];
            let user = [None, Some("u1"), Some("u2"), Some("u3")][random(4) as usize];
            match (random(8), client) {
                (0 | 1, _) => {
                    let route = random(2) as usize;
                    keys.insert(next, enter(&mut hub, routes[route], &next.to_string(), user));
                    model.clients.insert(next, (route, user.map(str::to_owned), BTreeSet::new()));
                    next += 1;
                }
                (2 | 3, Some(client)) => {
                    tag(&mut hub, &client.to_string(), name);
                    model.clients.get_mut(&client).expect("live").2.insert(name.to_owned());
                }
                (4, Some(client)) => {
                    untag(&mut hub, &client.to_string(), name);
                    model.clients.get_mut(&client).expect("live").2.remove(name);
                }
                (5, Some(client)) => {
                    set_user(&mut hub, &client.to_string(), user, name);
                    model.clients.get_mut(&client).expect("live").1 = user.map(str::to_owned);
                }
                (6, Some(client)) => {
                    let key = keys.remove(&client).expect("live");
                    hub.close(key);
                    untag(&mut hub, &client.to_string(), name);
                    hub.forget(key);
                    model.clients.remove(&client);
                }
                (7, _) if random(4) == 0 => {
                    let route = random(2) as usize;
                    in_force[route] = kinds[random(4) as usize];
                    if hub.set_channels(routes[route], channels(in_force[route])) {
                        let mut from = Some(Settling::BEGINNING);
                        while let Some(at) = from {
                            from = hub.settle_some(routes[route], at, 1);
                        }
                        // Nobody is told of what is no channel any more.
                        heard.retain(|(on, tag, _)| *on != routes[route] || is_present(in_force[route], tag));
                    }
                }
                _ => {
                    now += random(3);
                    hub.set_time(now);
                    while hub.end_grace(1) {}
                }
            }
            for change in hub.take_changes() {
                let entry = (change.route, change.tag.to_string(), change.user.name.to_string());
                assert!(if change.joined { heard.insert(entry) } else { heard.remove(&entry) }, "seed {seed}: twice the same");
            }
            for (number, &route) in routes.iter().enumerate() {
                for tag in ["a1", "a2", "b", "c"].into_iter().filter(|tag| is_present(in_force[number], tag)) {
                    let all = members(&hub, route, tag);
                    let there: Vec<_> = all.iter().filter(|(_, connections)| *connections > 0).cloned().collect();
                    assert_eq!(there, model.members(number, tag), "seed {seed}, {tag}");
                    let of_channel = heard.iter().filter(|(on, name, _)| *on == route && name == tag);
                    let heard: Vec<_> = of_channel.map(|(.., user)| user.clone()).collect();
                    assert_eq!(all.into_iter().map(|(user, _)| user).collect::<Vec<_>>(), heard, "seed {seed}, {tag}");
                }
            }
        }
        for key in keys.into_values() {
            hub.forget(key);
        }
        hub.set_time(now + 1000);
        while hub.end_grace(1) {}
        assert_eq!((hub.presence_counts()[..2].to_vec(), hub.user_count()), (vec![0, 0], 0), "seed {seed}");
    }
}

fn is_present(kind: &[(&str, Option<u64>)], tag: &str) -> bool {
    Channel::find(&channels(kind), tag).is_some_and(|channel| channel.presence.is_some())
}
