use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::channel::{ChannelPattern, PresencePolicy};
use crate::command::{ClearTags, InChannel, SetUser, Tag, Untag};
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
    Tag { id, tag, since: None, member: None }.apply(hub).expect("legal");
}

fn tag_as(hub: &mut Hub<()>, id: &str, tag: &str, user: &str, info: &str) {
    let member = Some(InChannel { user, info: info.as_bytes().into() });
    Tag { id, tag, since: None, member }.apply(hub).expect("legal");
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

/// What can be configured.
const KINDS: [&[(&str, Option<u64>)]; 4] =
    [&[("a*", Some(3)), ("b", Some(0))], &[("a1", None), ("*", Some(2))], &[("b", Some(4))], &[("c", Some(0)), ("a*", Some(1))]];
const TAGS: [&str; 4] = ["a1", "a2", "b", "c"];

/// A registry, and what is true of it, told in the simplest way.
struct World {
    seed: u64,
    state: u64,
    hub: Hub<()>,
    routes: [RouteId; 2],
    in_force: [&'static [(&'static str, Option<u64>)]; 2],
    keys: BTreeMap<u32, Key>,
    /// Live clients: route, user, tags.
    clients: BTreeMap<u32, (usize, Option<String>, BTreeSet<String>)>,
    next: u32,
    now: u64,
    /// Who is there for whoever follows the events.
    heard: BTreeSet<(RouteId, String, String)>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut hub = Hub::default();
        let routes = ["r0", "r1"].map(|name| hub.route(name));
        let in_force = [KINDS[0], KINDS[1]];
        for (&route, kind) in routes.iter().zip(in_force) {
            hub.set_channels(route, channels(kind));
        }
        let (keys, clients, heard) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        World { seed, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), hub, routes, in_force, keys, clients, next: 0, now: 0, heard }
    }

    fn random(&mut self, below: u64) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) % below) as usize
    }

    /// Something happens.
    fn step(&mut self) {
        let at = self.random(self.keys.len().max(1) as u64);
        let client = self.keys.keys().nth(at).copied();
        let (tag_name, user) = (TAGS[self.random(4)], [None, Some("u1"), Some("u2"), Some("u3")][self.random(4)]);
        match (self.random(8), client) {
            (0 | 1, _) => {
                let (route, id) = (self.random(2), self.next);
                self.keys.insert(id, enter(&mut self.hub, self.routes[route], &id.to_string(), user));
                self.clients.insert(id, (route, user.map(str::to_owned), BTreeSet::new()));
                self.next += 1;
            }
            (2 | 3, Some(client)) => {
                tag(&mut self.hub, &client.to_string(), tag_name);
                self.clients.get_mut(&client).expect("live").2.insert(tag_name.to_owned());
            }
            (4, Some(client)) => {
                untag(&mut self.hub, &client.to_string(), tag_name);
                self.clients.get_mut(&client).expect("live").2.remove(tag_name);
            }
            (5, Some(client)) => {
                set_user(&mut self.hub, &client.to_string(), user, tag_name);
                self.clients.get_mut(&client).expect("live").1 = user.map(str::to_owned);
            }
            (6, Some(client)) => {
                let key = self.keys.remove(&client).expect("live");
                self.hub.close(key);
                untag(&mut self.hub, &client.to_string(), tag_name);
                self.hub.forget(key);
                self.clients.remove(&client);
            }
            (7, _) if self.random(4) == 0 => self.reload(),
            _ => {
                self.now += self.random(3) as u64;
                self.hub.set_time(self.now);
                while self.hub.end_grace(1) {}
            }
        }
    }

    fn reload(&mut self) {
        let route = self.random(2);
        let kind = KINDS[self.random(4)];
        self.in_force[route] = kind;
        if self.hub.set_channels(self.routes[route], channels(kind)) {
            let mut from = Some(Settling::BEGINNING);
            while let Some(at) = from {
                from = self.hub.settle_some(self.routes[route], at, 1);
            }
            // Nobody is told of what is no channel any more.
            let of = self.routes[route];
            self.heard.retain(|(on, tag, _)| *on != of || is_present(kind, tag));
        }
    }

    fn hear(&mut self) {
        for change in self.hub.take_changes() {
            let entry = (change.route, change.tag.to_string(), change.user.name.to_string());
            let news = if change.joined { self.heard.insert(entry) } else { self.heard.remove(&entry) };
            assert!(news, "seed {}: twice the same", self.seed);
        }
    }

    /// The members of a channel are who is there, and who is there for those who follow the events.
    fn check(&self) {
        for (number, &route) in self.routes.iter().enumerate() {
            for tag in TAGS.into_iter().filter(|tag| is_present(self.in_force[number], tag)) {
                let all = members(&self.hub, route, tag);
                let there: Vec<_> = all.iter().filter(|(_, connections)| *connections > 0).cloned().collect();
                let mut expected = BTreeMap::new();
                for (on, user, tags) in self.clients.values() {
                    if let Some(user) = user.as_ref().filter(|_| *on == number && tags.contains(tag)) {
                        *expected.entry(user.clone()).or_insert(0) += 1;
                    }
                }
                assert_eq!(there, expected.into_iter().collect::<Vec<_>>(), "seed {}, {tag}", self.seed);
                let of_channel = self.heard.iter().filter(|(on, name, _)| *on == route && name == tag);
                let heard: Vec<_> = of_channel.map(|(.., user)| user.clone()).collect();
                assert_eq!(all.into_iter().map(|(user, _)| user).collect::<Vec<_>>(), heard, "seed {}, {tag}", self.seed);
            }
        }
    }
}

#[test]
fn whatever_happens_members_are_who_is_there_and_events_tell_it() {
    for seed in 1..=200_u64 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            world.step();
            world.hear();
            world.check();
        }
        let World { mut hub, keys, now, .. } = world;
        keys.into_values().for_each(|key| hub.forget(key));
        hub.set_time(now + 1000);
        while hub.end_grace(1) {}
        assert_eq!((hub.presence_counts()[..2].to_vec(), hub.user_count()), (vec![0, 0], 0), "seed {seed}");
    }
}

fn is_present(kind: &[(&str, Option<u64>)], tag: &str) -> bool {
    Channel::find(&channels(kind), tag).is_some_and(|channel| channel.presence.is_some())
}

#[test]
fn a_client_can_be_another_member_in_each_channel() {
    let (mut hub, route) = rooms();
    let key = enter(&mut hub, route, "c", Some("ann"));
    tag_as(&mut hub, "c", "room:1", "guest", "G");
    tag_as(&mut hub, "c", "room:2", "host", "");
    tag(&mut hub, "c", "room:3");
    assert_eq!(told(&mut hub), ["+guest room:1", "+host room:2", "+ann room:3"]);
    assert_eq!(&*hub.present(route, "room:1", None, 1)[0].user.info, b"G");
    // Whose it is matters only where nothing else was said.
    set_user(&mut hub, "c", Some("bob"), "");
    assert_eq!(told(&mut hub), ["-ann room:3", "+bob room:3"]);
    set_user(&mut hub, "c", None, "");
    assert_eq!(told(&mut hub), ["-bob room:3"]);
    untag(&mut hub, "c", "room:1");
    tag(&mut hub, "c", "room:1");
    assert_eq!(told(&mut hub), ["-guest room:1"], "what was said goes with the tag");
    hub.close(key);
    hub.set_time(GRACE);
    hub.end_grace(10);
    assert_eq!((told(&mut hub), hub.presence_counts()), (vec!["-host room:2".to_owned()], [0, 0, 0]));
}

#[test]
fn a_member_can_be_said_again_and_the_one_before_leaves() {
    let (mut hub, route) = rooms();
    enter(&mut hub, route, "c", None);
    tag(&mut hub, "c", "room:1");
    tag_as(&mut hub, "c", "room:1", "ann", "1");
    tag_as(&mut hub, "c", "room:1", "ann", "2");
    assert_eq!(told(&mut hub), ["+ann room:1"]);
    assert_eq!(&*hub.present(route, "room:1", None, 1)[0].user.info, b"2");
    tag_as(&mut hub, "c", "room:1", "bob", "");
    assert_eq!(
        (told(&mut hub), members(&hub, route, "room:1")),
        (vec!["-ann room:1".to_owned(), "+bob room:1".to_owned()], vec![("bob".to_owned(), 1)])
    );
}

#[test]
fn a_reload_finds_members_as_they_were_said() {
    let (mut hub, route) = rooms();
    enter(&mut hub, route, "c", None);
    tag_as(&mut hub, "c", "hall", "ann", "");
    assert_eq!(told(&mut hub), [""; 0]);
    hub.set_channels(route, channels(&[("hall", Some(0))]));
    let mut from = Some(Settling::BEGINNING);
    while let Some(at) = from {
        from = hub.settle_some(route, at, 10);
    }
    assert_eq!(told(&mut hub), ["+ann hall"]);
    untag(&mut hub, "c", "hall");
    assert_eq!(told(&mut hub), ["-ann hall"]);
}
