//! Clients that come back on another server than before.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::redis::Redis;
use common::visitor::{Visitor, handshake};
use common::{counter, wait_until};
use fws_hub::command::{Close, Count, Describe, GetInformation, Kill, Presence, Rename, SendTo, SetInformation, SetUser, Tag, Tags};
use fws_hub::{Client, Command, Outcome, Renamed, Reply, Target};
use fws_server::{AdmissionError, Core};
use fws_session::Event;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(60);

const ROUTES: &str = r#"{"routes":[{"name":"chat","echo":true,"resume":{"window":3600000000000},"max_outbox":10000000,
    "channels":[{"pattern":"room:*","presence":{"grace":0}},{"pattern":"news:*","history":{"count":100000,"age":3600000000000}}]},
  {"name":"worker","worker":"w","resume":{"window":3600000000000},"channels":[{"pattern":"hall:*","presence":{"grace":0}}]}]}"#;

fn only(core: &Core) -> String {
    let ids = core.ids();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].to_string()
}

fn send(core: &Core, to: Target<'_>, text: &str) -> Reply {
    let message = SendTo { to, route: None, except: None, binary: false, data: text.as_bytes().into() };
    core.ask(&Command::Send(message)).expect("connected")
}

fn tag(core: &Core, id: &str, tag: &str, since: Option<&str>) {
    assert_eq!(core.ask(&Command::Tag(Tag { id, tag, since, member: None })), Ok(Reply::Flag(true)), "{tag}");
}

fn describe(core: &Core, id: &str) -> Client {
    match core.ask(&Command::Client(Describe { id })) {
        Ok(Reply::Client(client)) => *client,
        other => panic!("{other:?}"),
    }
}

/// What the client says it is told, by its greeting.
fn outcome(visitor: &Visitor) -> (bool, Option<&str>) {
    (visitor.greeting["resumed"] == true, visitor.greeting["reason"].as_str())
}

/// What the tests call "it" on every server: its tags, its user, its information, and since when it is connected.
fn assert_has_all(asked: &Core, id: &str, since: u64) {
    let client = describe(asked, id);
    assert_eq!((client.tags, &*client.user, client.suspended), (["news:1", "room:1", "t"].map(Arc::<str>::from).into(), "ann", false));
    assert_eq!(client.connected_at, since, "it is the same connection to everybody");
    let value = asked.ask(&Command::GetInformation(GetInformation { id, key: "k" }));
    assert_eq!(value, Ok(Reply::Value(Some(b"\0v"[..].into()))));
    assert_eq!(asked.ask(&Command::Count(Count::default())), Ok(Reply::Count(1)));
    let tags = asked.ask(&Command::Tags(Tags { id: Some(id) }));
    assert!(matches!(&tags, Ok(Reply::Names(names)) if names.len() == 3), "{tags:?}");
}

#[test]
fn a_client_that_comes_back_on_another_server_has_all_that_it_had_and_gets_all_that_it_missed() {
    let redis = Redis::start();
    let servers @ [one, two, three] = &[(); 3].map(|()| redis.server(ROUTES));
    let mut visitor = Visitor::new(one, "chat");
    let id = only(one);
    for name in ["t", "room:1", "news:1"] {
        tag(three, &id, name, None);
    }
    let ask = |command: Command<'_>| three.ask(&command);
    assert_eq!(ask(Command::SetUser(SetUser { id: &id, user: Some("ann"), info: b"Ann"[..].into() })), Ok(Reply::Flag(true)));
    assert_eq!(ask(Command::SetInformation(SetInformation { id: &id, key: "k", value: b"\0v"[..].into() })), Ok(Reply::Flag(true)));
    send(three, Target::Client(&id), "before");
    assert_eq!(visitor.next(), "before");
    let since = describe(three, &id).connected_at;
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(one, "suspended") == 1);
    let groups = [Target::Client(&id), Target::Tag("t"), Target::User("ann"), Target::Expression("t & room:*"), Target::All];
    for (n, to) in groups.into_iter().enumerate() {
        send(three, to, &format!("away {n}"));
    }
    send(three, Target::Tag("news:1"), "news");
    let mut back = visitor.back(two);
    assert_eq!((outcome(&back), back.greeting["received"].as_u64()), ((true, None), Some(0)));
    let mut got: Vec<String> = (0..=groups.len()).map(|_| back.next()).collect();
    let news = got.iter().position(|text| text == "news").expect("it is among them");
    got.remove(news);
    assert_eq!(got, (0..groups.len()).map(|n| format!("away {n}")).collect::<Vec<_>>());
    assert_eq!((one.connections(), counter(one, "sessions_given"), counter(two, "sessions_taken")), (0, 1, 1));
    assert_eq!((counter(one, "suspended"), counter(two, "suspended"), counter(one, "resume_bytes")), (0, 0, 0));
    for asked in servers {
        assert_has_all(asked, &id, since);
        assert_eq!(send(asked, Target::Client(&id), "to it"), Reply::Sent(Outcome::Queued));
        assert_eq!(back.next(), "to it");
        send(asked, Target::Tag("news:1"), "more news");
        assert_eq!(back.next(), "more news");
    }
    back.socket.send(Message::text("echo")).expect("sent");
    assert_eq!(back.next(), "echo");
}

#[test]
fn a_client_may_go_on_to_a_third_server_and_come_home_and_leaves_nothing_behind() {
    let redis = Redis::start();
    let servers @ [one, two, three] = &[(); 3].map(|()| redis.server(ROUTES));
    let visitor = Visitor::new(one, "chat");
    let id = only(one);
    tag(one, &id, "t", None);
    // Each time while the old connection is still there.
    let second = visitor.back(two);
    assert_eq!((outcome(&second), one.connections(), only(two)), ((true, None), 0, id.clone()));
    let third = second.back(three);
    assert_eq!((outcome(&third), two.connections(), only(three)), ((true, None), 0, id.clone()));
    let mut first = third.back(one);
    assert_eq!((outcome(&first), only(one)), ((true, None), id.clone()));
    for asked in servers {
        assert_eq!(send(asked, Target::Client(&id), "home"), Reply::Sent(Outcome::Queued));
        assert_eq!(first.next(), "home");
        send(asked, Target::Tag("t"), "all");
        assert_eq!(first.next(), "all");
    }
    assert_eq!(three.ask(&Command::Close(Close { id: &id, code: 4000, reason: "" })), Ok(Reply::Flag(true)));
    assert!(matches!(first.socket.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
    drop(first);
    wait_until(PATIENCE, "it is gone", || one.connections() == 0);
    for asked in servers {
        assert_eq!(send(asked, Target::Client(&id), "late"), Reply::Sent(Outcome::Gone));
        assert_eq!(asked.ask(&Command::Count(Count::default())), Ok(Reply::Count(0)));
    }
    wait_until(PATIENCE, "nobody listens any more", || servers.iter().all(|core| core.stats()["cluster_topics"] == 0));
    wait_until(PATIENCE, "no id is claimed any more", || servers.iter().all(|core| core.stats()["cluster_claims"] == 0));
}

/// Sends to groups, and to a channel with a history, until it is over; how often. Not more than can be kept for clients, however long their hops take.
fn send_all_the_time(core: &Core, number: usize, done: &AtomicBool, hops: &AtomicUsize) -> usize {
    let mut n = 0;
    while !done.load(Ordering::Relaxed) {
        if n >= 20 * hops.load(Ordering::Relaxed) {
            std::thread::yield_now();
            continue;
        }
        let to = [Target::Tag("t"), Target::User("ann"), Target::Expression("t|x"), Target::All][n % 4];
        send(core, to, &format!("group {number} {n}"));
        send(core, Target::Tag("news:1"), &format!("news {number} {n}"));
        n += 1;
    }
    for kind in ["group", "news"] {
        let tag = if kind == "group" { "t" } else { "news:1" };
        send(core, Target::Tag(tag), &format!("{kind} {number} {n}"));
    }
    n
}

/// Changes its server all the time, and counts how often; what it got.
fn hop_all_the_time(mut visitor: Visitor, number: usize, servers: &[Arc<Core>; 3], hops: &AtomicUsize) -> (Visitor, Vec<String>) {
    let mut got = Vec::new();
    for hop in 0..25 {
        hops.fetch_add(1, Ordering::Relaxed);
        for _ in 0..(hop * 7 + number) % 20 {
            got.push(visitor.next());
        }
        // Half of the time the old connection is still there.
        if hop % 2 == 0 {
            visitor.cut();
        }
        visitor = visitor.back(&servers[(number + hop * (1 + number % 2)) % 3]);
        assert_eq!(outcome(&visitor), (true, None), "client {number}, hop {hop}");
    }
    (visitor, got)
}

#[test]
fn clients_that_change_their_server_all_the_time_get_each_message_once_and_in_order() {
    const CLIENTS: usize = 6;
    let redis = Redis::start();
    let servers: &[Arc<Core>; 3] = &[(); 3].map(|()| redis.server(ROUTES));
    let visitors: Vec<Visitor> = (0..CLIENTS).map(|n| Visitor::new(&servers[n % 3], "chat")).collect();
    for id in servers.iter().flat_map(|core| core.ids()) {
        tag(&servers[0], &id, "t", None);
        tag(&servers[1], &id, "news:1", None);
        assert_eq!(servers[2].ask(&Command::SetUser(SetUser { id: &id, user: Some("ann"), info: b""[..].into() })), Ok(Reply::Flag(true)));
    }
    let (done, hops) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    let (hopped, last): (Vec<_>, Vec<usize>) = std::thread::scope(|scope| {
        let senders: Vec<_> =
            servers.iter().enumerate().map(|(number, core)| scope.spawn(move || send_all_the_time(core, number, done, hops))).collect();
        let hopping: Vec<_> = visitors
            .into_iter()
            .enumerate()
            .map(|(number, visitor)| scope.spawn(move || hop_all_the_time(visitor, number, servers, hops)))
            .collect();
        let hopped = hopping.into_iter().map(|client| client.join().expect("no panic")).collect();
        done.store(true, Ordering::Relaxed);
        (hopped, senders.into_iter().map(|sender| sender.join().expect("no panic")).collect())
    });
    for (client, (mut visitor, mut got)) in hopped.into_iter().enumerate() {
        let all: usize = last.iter().map(|last| 2 * (last + 1)).sum();
        while got.len() < all {
            got.push(visitor.next());
        }
        for (prefix, last) in
            ["group", "news"].iter().flat_map(|kind| last.iter().enumerate().map(move |(n, last)| (format!("{kind} {n} "), *last)))
        {
            let numbers: Vec<usize> =
                got.iter().filter_map(|text| text.strip_prefix(&prefix)).map(|n| n.parse().expect("a number")).collect();
            let differs = numbers.iter().zip(0..).position(|(got, expected)| *got != expected);
            let around = differs.map(|at| &numbers[at.saturating_sub(3)..(at + 3).min(numbers.len())]);
            assert_eq!((around, numbers.len()), (None, last + 1), "client {client}, {prefix}");
        }
    }
    assert_eq!(servers.iter().map(|core| counter(core, "resumes_lost") + counter(core, "history_gaps")).sum::<u64>(), 0);
}

#[test]
fn a_token_is_good_only_for_who_it_was_told_and_only_for_the_route_and_the_site_s_word() {
    let redis = Redis::start();
    let [one, two] = [(); 2].map(|()| redis.server(ROUTES));
    let named = |core: &Core, id: Option<&str>, user: Option<&str>, query: &str| {
        let mut handshake = handshake(core, "chat", query, "");
        if let Some(id) = id {
            core.set_id(&mut handshake, id).expect("free, or perhaps its own");
        }
        if let Some(user) = user {
            handshake.set_user(user, b"").expect("legal");
        }
        handshake
    };
    let visitor = Visitor::of(&one, named(&one, Some("ann"), Some("ann"), "?resume="));
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    let query = visitor.query();
    let wrong_secret = query.replacen(&visitor.token()[12..16], if &visitor.token()[12..16] == "AAAA" { "BBBB" } else { "AAAA" }, 1);
    for (handshake, reason) in [
        (named(&two, Some("bob"), Some("ann"), &query), "different"),
        (named(&two, None, Some("ann"), &query), "different"),
        (named(&two, Some("bob"), None, &query), "different"),
        (named(&two, None, None, &wrong_secret), "unknown"),
        (named(&two, None, None, &query.replace("received=0", "received=9")), "received"),
        (handshake(&two, "worker", &query, ""), "unknown"),
    ] {
        let stranger = Visitor::of(&two, handshake);
        assert_eq!(outcome(&stranger), (false, Some(reason)));
        drop(stranger);
        wait_until(PATIENCE, "the stranger is gone or waited for", || counter(&two, "suspended") == two.connections());
        for id in two.ids() {
            let _ = two.ask(&Command::Kill(Kill { id: &id }));
        }
    }
    assert_eq!((only(&one), counter(&one, "suspended")), ("ann".to_owned(), 1), "it is still waited for");
    let mut back = Visitor::of(&two, named(&two, Some("ann"), Some("ann"), &query));
    assert_eq!((outcome(&back), only(&two), one.connections()), ((true, None), "ann".to_owned(), 0));
    // The id went with it.
    let mut taken = common::visitor::handshake(&one, "chat", "", "");
    assert_eq!(one.set_id(&mut taken, "ann"), Err(AdmissionError::IdTaken));
    assert_eq!(one.ask(&Command::Rename(Rename { id: "ann", new: "queen" })), Ok(Reply::Renamed(Renamed::Done)));
    assert_eq!(send(&one, Target::Client("queen"), "hail"), Reply::Sent(Outcome::Queued));
    assert_eq!(back.next(), "hail");
    assert_eq!(one.set_id(&mut taken, "ann"), Ok(()), "it is free again");
    // The old token is of no use once the client has proved that it got the next one.
    wait_until(PATIENCE, "its pong is there", || {
        back.socket.flush().expect("a pong");
        let again = Visitor::of(&one, common::visitor::handshake(&one, "chat", &query, ""));
        let outcome = (again.greeting["resumed"] == true, again.greeting["reason"].clone());
        drop(again);
        outcome == (false, "unknown".into())
    });
}

#[test]
fn who_does_not_get_a_session_gets_the_id_that_the_site_says_and_no_other() {
    let redis = Redis::start();
    let [one, two] = [(); 2].map(|()| redis.server(ROUTES));
    let of = |core: &Core, user: &str, query: &str| {
        let mut handshake = handshake(core, "chat", query, "");
        core.set_id(&mut handshake, "ann").expect("free, or perhaps its own");
        handshake.set_user(user, b"").expect("legal");
        handshake
    };
    let visitor = Visitor::of(&one, of(&one, "ann", "?resume="));
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    let mut other = of(&two, "other", &visitor.query());
    assert!(!two.enter(&mut other, fws_server::Transport::Tcp), "the id is still that of the client that is away");
    assert_eq!(other.status(), 503, "{}", other.text());
    wait_until(PATIENCE, "that one has made way", || one.connections() == 0);
    let mut come = None;
    wait_until(PATIENCE, "the id is free", || {
        let mut again = of(&two, "other", &visitor.query());
        let entered = two.enter(&mut again, fws_server::Transport::Tcp);
        come = entered.then_some(again);
        entered
    });
    let come = Visitor::of(&two, come.expect("just entered"));
    assert_eq!((outcome(&come), only(&two)), ((false, Some("unknown")), "ann".to_owned()));
}

#[test]
fn a_greeting_that_was_lost_is_made_up_for_by_the_token_before_it_on_any_server() {
    let redis = Redis::start();
    let [one, two, three] = [(); 3].map(|()| redis.server(ROUTES));
    let visitor = Visitor::new(&one, "chat");
    let id = only(&one);
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    send(&two, Target::Client(&id), "kept");
    // It comes back, and its connection breaks before it has read anything.
    for core in [&two, &three, &one, &one, &two] {
        let lost = common::adopt(core, handshake(core, "chat", &visitor.query(), ""), &[], PATIENCE);
        wait_until(PATIENCE, "it is there", || core.ids().iter().any(|there| **there == *id) && !describe(core, &id).suspended);
        drop(lost);
        wait_until(PATIENCE, "it is away again", || describe(core, &id).suspended);
    }
    let mut back = visitor.back(&three);
    assert_eq!(outcome(&back), (true, None));
    assert_eq!(back.next(), "kept");
}

#[test]
fn a_session_whose_server_is_gone_is_over_and_one_that_cannot_be_asked_is_waited_for() {
    let mut redis = Redis::start();
    let [one, two] = [(); 2].map(|()| redis.server(ROUTES));
    let visitor = Visitor::new(&one, "chat");
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    redis.kill();
    wait_until(PATIENCE, "it is noticed", || !common::redis::is_connected(&two));
    let mut refused = handshake(&two, "chat", &visitor.query(), "");
    assert!(!two.enter(&mut refused, fws_server::Transport::Tcp), "it is told to come again, since its session may still be there");
    assert_eq!(refused.status(), 503, "{}", refused.text());
    redis.restart();
    [&one, &two].iter().for_each(|core| common::redis::wait_connected(core));
    let mut token = visitor.token().to_owned();
    // The last eight bytes are the name of the server.
    token.replace_range(32.., "MDEyMzQ1Njc");
    let other = Visitor::of(&two, handshake(&two, "chat", &format!("?resume={token}&received=0"), ""));
    assert_eq!(outcome(&other), (false, Some("unknown")), "there is no such server");
    assert_eq!(outcome(&visitor.back(&two)), (true, None));
}

/// The events that PHP is told on a server until so many have come.
fn events(core: &Core, count: usize) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    while told.len() < count {
        let mut ring = None;
        wait_until(PATIENCE, "there are events", || {
            ring = ring.take().or_else(|| core.take_ring());
            ring.is_some()
        });
        let nonce = ring.expect("just seen").nonce;
        let bell = core.claim_bell(format!("fws_bell={nonce}").as_bytes()).expect("a live nonce");
        while let Some(current) = core.next_event(&bell) {
            told.push(match current.event() {
                Event::Open(_) => "open".into(),
                Event::Message { data, .. } => format!("message {}", String::from_utf8_lossy(data)),
                Event::Suspend => "suspend".into(),
                Event::Resume(_) => "resume".into(),
                Event::Close(closed) => format!("close {}", closed.code),
                Event::Join(membership) => format!("join {}", membership.user),
                Event::Leave(membership) => format!("leave {}", membership.user),
                Event::Timer(_) | Event::Subscribe(_) | Event::Unsubscribe(_) | Event::ClientEvent(_) | Event::Channel(_) => {
                    unreachable!("there are none")
                }
            });
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&nonce, fws_server::Ended::Served, b"", "");
    }
    told
}

#[test]
fn php_handles_what_a_client_has_sent_to_the_old_server_before_anything_that_it_sends_to_the_new_one() {
    let redis = Redis::start();
    let [one, two] = [(); 2].map(|()| redis.server(ROUTES));
    let mut handshake_of_ann = handshake(&one, "worker", "?resume=", "");
    handshake_of_ann.set_user("ann", b"").expect("legal");
    handshake_of_ann.add_tag("hall:1").expect("legal");
    let mut visitor = Visitor::of(&one, handshake_of_ann);
    // Those of channels and those of connections are handled side by side.
    let both = |mut told: Vec<String>| {
        told.sort_unstable();
        told
    };
    assert_eq!(both(events(&one, 2)), ["join ann", "open"]);
    let back = |query: &str| {
        let mut handshake = handshake(&two, "worker", query, "");
        handshake.set_user("ann", b"").expect("legal");
        handshake
    };
    visitor.socket.send(Message::text("one")).expect("sent");
    wait_until(PATIENCE, "it has come", || counter(&one, "messages_received") == 1);
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    let mut early = back(&visitor.query());
    assert!(!two.enter(&mut early, fws_server::Transport::Tcp), "what it has sent is not handled yet");
    assert_eq!(early.status(), 503, "{}", early.text());
    assert_eq!(events(&one, 2), ["message one", "suspend"]);
    let mut there = Visitor::of(&two, back(&visitor.query()));
    assert_eq!((outcome(&there), there.greeting["received"].as_u64()), ((true, None), Some(1)));
    there.socket.send(Message::text("two")).expect("sent");
    assert_eq!(events(&two, 2), ["resume", "message two"], "and nobody has joined or left");
    let members = one.ask(&Command::Presence(Presence { tag: "hall:1", route: None }));
    assert!(matches!(&members, Ok(Reply::Members(members)) if members.len() == 1 && members[0].connections == 1), "{members:?}");
    there.socket.close(None).expect("closed");
    assert_eq!(events(&two, 1), ["close 1005"]);
    // For a short time the first server believes that the user is still on the way: the last one tells that the user has left.
    assert_eq!(events(&one, 1), ["leave ann"]);
}

#[test]
fn who_comes_with_the_id_of_a_client_that_is_away_gets_it_on_any_server() {
    let redis = Redis::start();
    let [one, two] = [(); 2].map(|()| redis.server(ROUTES));
    let mut of_ann = handshake(&one, "chat", "?resume=", "");
    assert_eq!(one.set_id(&mut of_ann, "ann"), Ok(()));
    let visitor = Visitor::of(&one, of_ann);
    let mut newcomer = handshake(&two, "chat", "", "");
    assert_eq!(two.set_id(&mut newcomer, "ann"), Err(AdmissionError::IdTaken), "it is there");
    visitor.cut();
    wait_until(PATIENCE, "it is away", || counter(&one, "suspended") == 1);
    assert_eq!(two.set_id(&mut newcomer, "ann"), Err(AdmissionError::IdLeaving));
    wait_until(PATIENCE, "the id is free", || two.set_id(&mut newcomer, "ann").is_ok());
    assert_eq!(one.connections(), 0);
}

#[test]
fn what_is_sent_to_a_client_that_is_on_its_way_waits_for_it_on_every_server() {
    let redis = Redis::start();
    let servers: &[Arc<Core>; 3] = &[(); 3].map(|()| redis.server(ROUTES));
    let visitor = Visitor::new(&servers[0], "chat");
    let id = &only(&servers[0]);
    let (done, hops) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    let (mut visitor, mut got, sent) = std::thread::scope(|scope| {
        let senders: Vec<_> = servers
            .iter()
            .enumerate()
            .map(|(number, core)| {
                scope.spawn(move || {
                    let mut n = 0;
                    while !done.load(Ordering::Relaxed) {
                        // Not more than can be kept for the client, however long a hop takes.
                        if n >= 200 * hops.load(Ordering::Relaxed) {
                            std::thread::yield_now();
                            continue;
                        }
                        assert_eq!(
                            send(core, Target::Client(id), &format!("{number} {n}")),
                            Reply::Sent(Outcome::Queued),
                            "server {number}"
                        );
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        let (visitor, got) = hop_all_the_time(visitor, 1, servers, hops);
        done.store(true, Ordering::Relaxed);
        (visitor, got, senders.into_iter().map(|sender| sender.join().expect("no panic")).collect::<Vec<usize>>())
    });
    while got.len() < sent.iter().sum() {
        got.push(visitor.next());
    }
    for (number, count) in sent.iter().enumerate() {
        let numbers: Vec<String> = got.iter().filter_map(|text| text.strip_prefix(&format!("{number} "))).map(str::to_owned).collect();
        assert_eq!(numbers, (0..*count).map(|n| n.to_string()).collect::<Vec<_>>(), "server {number}");
    }
}
