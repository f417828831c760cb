//! Servers that work as one, with a real Redis.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{OtherProcess, Redis, Server, quick, wait_until};
use fws_engine::redis::{Became, Member, NodeId, Records, Retention, Settings, tag_topic};
use fws_hub::{ClusterError, KeyValueError, Position};

fn member(user: &str) -> Member {
    Member { route: "chat".into(), tag: "room".into(), user: user.into(), ..Member::default() }
}

#[test]
fn servers_ask_each_other_and_all() {
    let redis = Redis::start();
    let servers = [Server::at(&redis), Server::at(&redis), Server::at(&redis)];
    let [one, two, three] = &servers;
    assert_eq!(one.cluster.ask(two.node(), b"hi"), Ok(Some(b"echo hi".to_vec())));
    assert_eq!(one.cluster.ask_all(b"all"), Ok(vec![b"echo all".to_vec(); 2]));
    let nobody = NodeId::random().expect("randomness");
    assert_eq!(one.cluster.ask(nobody, b"hi"), Ok(None), "there is no such server");
    *three.told.silent.lock() = Some(Vec::new());
    let settings = Settings { timeout: Duration::from_millis(200), ..quick(&redis) };
    let four = Server::start(settings);
    four.wait_connected();
    assert_eq!(four.cluster.ask_all(b"all"), Err(ClusterError::Incomplete { missing: 1, others: 3 }));
    assert_eq!(four.cluster.ask(three.node(), b"hi"), Err(ClusterError::Timeout));
    wait_until("each knows the others", || servers.iter().all(|server| server.cluster.others().len() == 3));
}

#[test]
fn what_is_told_of_a_topic_comes_in_order_to_those_who_listen() {
    let redis = Redis::start();
    let (one, two, three) = (Server::at(&redis), Server::at(&redis), Server::at(&redis));
    two.cluster.subscribe("room").expect("connected");
    for n in 0..2000u32 {
        one.cluster.tell(Some("room"), &n.to_be_bytes()).expect("room");
    }
    one.cluster.tell(None, b"end").expect("room");
    wait_until("the end is heard", || {
        [&two, &three].iter().all(|server| server.told.heard.lock().last().is_some_and(|last| last == b"end"))
    });
    let expected: Vec<Vec<u8>> = (0..2000u32).map(|n| n.to_be_bytes().to_vec()).chain([b"end".to_vec()]).collect();
    assert_eq!(*two.told.heard.lock(), expected);
    assert_eq!(*three.told.heard.lock(), [b"end"]);
    two.cluster.unsubscribe("room");
    wait_until("nobody listens", || redis.cli(&["PUBSUB", "NUMSUB", "{fws}:t:room"]).ends_with('0'));
}

#[test]
fn one_of_many_servers_gets_an_id_and_one_that_is_gone_gives_it_back() {
    let redis = Redis::start();
    let servers: Vec<Server> = (0..3).map(|_| Server::at(&redis)).collect();
    for round in 0..200 {
        let id = format!("ann-{round}");
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for server in &servers {
                scope.spawn(|| won.fetch_add(usize::from(server.cluster.claim(&id).expect("connected")), Ordering::SeqCst));
            }
        });
        assert_eq!(won.into_inner(), 1, "{id}");
    }
    let [one, two, _] = &servers[..] else { unreachable!("there are three") };
    assert_eq!((one.cluster.claim("bob"), one.cluster.claim("bob"), two.cluster.claim("bob")), (Ok(true), Ok(true), Ok(false)));
    assert_eq!(two.cluster.holder("bob"), Ok(Some(one.node())));
    one.cluster.release("bob");
    wait_until("it is free", || two.cluster.claim("bob") == Ok(true));
    assert_eq!(one.cluster.holder("nobody"), Ok(None));
}

#[test]
fn values_are_the_same_for_all_and_change_one_after_the_other() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    let key = b"\xff key\0";
    assert_eq!(one.cluster.value_get(key), Ok(None));
    assert_eq!(one.cluster.value_set(key, b"\0value", None, false), Ok(true));
    assert_eq!((two.cluster.value_get(key), two.cluster.value_expiry(key)), (Ok(Some(b"\0value".to_vec())), Ok(Some(None))));
    assert_eq!(two.cluster.value_set(key, b"other", None, true), Ok(false));
    assert_eq!(two.cluster.value_increment(key, 1), Ok(Err(KeyValueError::NotAnInteger)));
    assert_eq!((two.cluster.value_delete(key), one.cluster.value_delete(key)), (Ok(true), Ok(false)));
    assert_eq!((one.cluster.value_expiry(key), one.cluster.value_set(b"t", b"1", Some(100), true)), (Ok(None), Ok(true)));
    assert!(matches!(two.cluster.value_expiry(b"t"), Ok(Some(Some(90_000..=100_000)))));
    std::thread::scope(|scope| {
        for cluster in [&one.cluster, &two.cluster, &one.cluster, &two.cluster] {
            scope.spawn(move || {
                for _ in 0..200 {
                    cluster.value_increment(b"n", 1).expect("connected").expect("a number");
                }
            });
        }
    });
    assert_eq!(one.cluster.value_increment(b"n", -1), Ok(Ok(799)));
    one.cluster.value_set(b"n", i64::MAX.to_string().as_bytes(), None, false).expect("connected");
    assert_eq!(one.cluster.value_increment(b"n", 1), Ok(Err(KeyValueError::Overflow)));
    // One that lives for no time at all.
    one.cluster.value_set(b"short", b"", Some(0), false).expect("connected");
    wait_until("it is gone", || one.cluster.value_get(b"short") == Ok(None));
}

#[test]
fn a_user_joins_with_the_first_server_and_leaves_with_the_last() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    assert_eq!((one.cluster.enter(&member("ann")), one.cluster.enter(&member("ann"))), (Ok(true), Ok(true)), "twice is once");
    assert_eq!(two.cluster.enter(&member("ann")), Ok(false));
    assert_eq!((one.cluster.leave(&member("ann")), two.cluster.leave(&member("ann"))), (Ok(false), Ok(true)));
    assert_eq!(two.cluster.leave(&member("ann")), Ok(false), "it has left");
    assert_eq!(redis.cli(&["KEYS", "{fws}:at:*"]), "");
    assert_eq!(redis.cli(&["KEYS", "{fws}:in:*"]), "");
}

#[test]
fn all_servers_know_who_is_in_a_channel_with_what_was_said_first() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    let said = |user: &str, info: &str| Member { info: info.as_bytes().into(), ..member(user) };
    one.cluster.enter(&said("ann", "first")).expect("connected");
    two.cluster.enter(&said("ann", "second")).expect("connected");
    two.cluster.enter(&said("bob\0", "")).expect("connected");
    let present = |server: &Server| {
        let mut present = server.cluster.present("chat", "room").expect("connected");
        present.sort_unstable();
        present.into_iter().map(|(user, info)| (user.to_string(), String::from_utf8_lossy(&info).into_owned())).collect::<Vec<_>>()
    };
    let both = [("ann".to_owned(), "first".to_owned()), ("bob\0".to_owned(), String::new())];
    assert_eq!((present(&one), present(&two)), (both.to_vec(), both.to_vec()));
    one.cluster.leave(&member("ann")).expect("connected");
    assert_eq!(present(&one).len(), 2);
    two.cluster.leave(&member("ann")).expect("connected");
    assert_eq!(present(&one).len(), 1);
    assert_eq!(one.cluster.present("chat", "roo"), Ok(Vec::new()));
}

#[test]
fn all_servers_hear_of_who_comes_and_goes_in_the_order_of_the_list() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    let heard = [&one, &two].map(|server| {
        server.cluster.subscribe(&tag_topic("room")).expect("connected");
        server.told.clone()
    });
    let followed = |user: &str, by: &str| Member { followed: true, by: Some(by.into()), ..member(user) };
    std::thread::scope(|scope| {
        for (server, by) in [(&one, "1.1"), (&two, "2.2")] {
            scope.spawn(move || {
                for n in 0..600 {
                    let member = followed(["ann", "bob", "cid"][n % 3], by);
                    let changed = if n / 3 % 2 == 0 { server.cluster.enter(&member) } else { server.cluster.leave(&member) };
                    changed.expect("connected");
                }
            });
        }
    });
    one.cluster.enter(&member("not followed")).expect("connected");
    let last = Member { info: b"{}"[..].into(), ..followed("last", "1.1") };
    one.cluster.enter(&last).expect("connected");
    wait_until("all is heard", || heard.iter().all(|told| told.attended.lock().last().is_some_and(|(_, heard)| *heard == last)));
    let heard = heard.map(|told| told.attended.lock().clone());
    assert_eq!(heard[0], heard[1]);
    for user in ["ann", "bob", "cid"] {
        let of = heard[0].iter().filter(|(_, member)| *member.user == *user);
        for (n, (became, heard)) in of.enumerate() {
            assert_eq!(*became, [Became::Here, Became::Gone][n % 2]);
            assert!(heard == &followed(user, "1.1") || heard == &followed(user, "2.2"), "{heard:?}");
        }
        assert_eq!(heard[0].iter().rfind(|(_, member)| *member.user == *user).map(|(became, _)| *became), Some(Became::Gone));
    }
    assert!(heard[0].iter().all(|(_, heard)| *heard.user != *"not followed"));
}

#[test]
fn all_servers_hear_that_the_members_of_a_dead_server_are_gone() {
    let redis = Redis::start();
    let one = Server::at(&redis);
    one.cluster.subscribe(&tag_topic("room")).expect("connected");
    // As a server has done that has died since.
    let dead = NodeId::random().expect("randomness").to_string();
    let left = r"
local channel, node = '\0\4chat\0\4room', ARGV[1]
redis.call('SADD', '{fws}:of:' .. node, channel .. 'ann')
redis.call('SADD', '{fws}:at:' .. channel .. 'ann', node)
redis.call('HSET', '{fws}:in:' .. channel, 'ann', '{}')
redis.call('ZADD', '{fws}:nodes:', 1, node)";
    redis.cli(&["EVAL", left, "0", &dead]);
    wait_until("it is heard", || !one.told.attended.lock().is_empty());
    let gone = Member { info: b"{}"[..].into(), ..member("ann") };
    assert_eq!(*one.told.attended.lock(), [(Became::Gone, Member { followed: true, ..gone.clone() })]);
    wait_until("it is told", || *one.told.vacated.lock() == [gone.clone()]);
}

#[test]
fn records_have_numbers_without_gaps_and_each_who_listens_gets_each_once_and_in_order() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    let keeps = Retention { count: 500, age: 60_000 };
    let heard = [&one, &two].map(|server| {
        server.cluster.subscribe("topic").expect("connected");
        server.told.clone()
    });
    std::thread::scope(|scope| {
        for server in [&one, &two] {
            scope.spawn(move || {
                for n in 0..400 {
                    server.cluster.record("h", "topic", keeps, format!("{n}").as_bytes()).expect("connected");
                }
            });
        }
    });
    wait_until("all is heard", || heard.iter().all(|told| told.recorded.lock().len() == 800));
    for told in &heard {
        let offsets: Vec<u64> = told.recorded.lock().iter().map(|(_, recorded)| recorded.offset).collect();
        assert_eq!(offsets, (1..=800).collect::<Vec<_>>());
    }
    let all = one.cluster.records("h", Some(Position::BEGINNING), 1000, 60_000).expect("connected");
    assert_eq!((all.last, all.messages.len(), all.messages[0].offset), (800, 500, 301));
    assert!(all.epoch > 0);
    let some = two.cluster.records("h", Some(Position { epoch: all.epoch, offset: 798 }), 1000, 60_000).expect("connected");
    assert_eq!(some.messages.iter().map(|message| message.offset).collect::<Vec<_>>(), [799, 800]);
    let last = two.cluster.records("h", None, 2, 60_000).expect("connected");
    assert_eq!(last.messages, some.messages);
    assert_eq!(two.cluster.records("h", None, 2, 0).expect("connected").messages, [], "all are too old");
    assert_eq!((one.cluster.forget("h"), one.cluster.forget("h")), (Ok(true), Ok(false)));
    assert_eq!(one.cluster.record("h", "topic", keeps, b"next"), Ok((all.epoch, 801)));
    assert_eq!(one.cluster.records("nothing", Some(Position::BEGINNING), 9, 9), Ok(Records::default()));
}

#[test]
fn without_redis_calls_fail_at_once_and_all_is_as_it_was_when_it_is_back() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    one.cluster.subscribe("room").expect("connected");
    assert_eq!(one.cluster.claim("ann"), Ok(true));
    assert_eq!(one.cluster.enter(&member("ann")), Ok(true));
    redis.kill();
    wait_until("it is noticed", || !one.cluster.is_connected() && !two.cluster.is_connected());
    assert_eq!(one.cluster.value_get(b"k"), Err(ClusterError::Unavailable));
    assert_eq!(one.cluster.tell(None, b""), Err(ClusterError::Unavailable));
    assert_eq!(one.cluster.subscribe("later"), Err(ClusterError::Unavailable));
    assert!(one.cluster.trouble().is_some_and(|why| why.contains("cannot be reached")));
    assert!(one.count("unavailable") >= 1);
    redis.launch();
    [&one, &two].iter().for_each(|server| server.wait_connected());
    assert_eq!(two.cluster.claim("ann"), Ok(false), "it was claimed anew in the empty Redis");
    assert_eq!(two.cluster.enter(&member("ann")), Ok(false), "and so is its presence");
    two.cluster.tell(Some("room"), b"again").expect("connected");
    two.cluster.tell(Some("later"), b"as well").expect("connected");
    wait_until("it is heard", || *one.told.heard.lock() == [&b"again"[..], b"as well"]);
    assert_eq!((one.told.anew.load(Ordering::SeqCst), one.told.disconnected.lock().len()), (1, 1));
    assert_eq!(one.cluster.trouble(), None);
}

#[test]
fn a_redis_that_stands_still_makes_calls_end_and_late_answers_are_nobodys() {
    let redis = Redis::start();
    let server = Server::start(Settings { timeout: Duration::from_millis(300), ..quick(&redis) });
    server.wait_connected();
    server.cluster.value_set(b"k", b"old", None, false).expect("connected");
    redis.pause();
    let failure = server.cluster.value_set(b"k", b"late", None, false);
    assert!(matches!(failure, Err(ClusterError::Timeout | ClusterError::Unavailable)), "{failure:?}");
    wait_until("it is believed to be away", || !server.cluster.is_connected());
    redis.go_on();
    server.wait_connected();
    server.cluster.value_set(b"k", b"new", None, false).expect("connected");
    assert_eq!(server.cluster.value_get(b"k"), Ok(Some(b"new".to_vec())));
}

#[test]
fn connections_that_are_cut_in_the_middle_lose_no_record() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    two.cluster.subscribe("topic").expect("connected");
    let keeps = Retention { count: 10_000, age: 60_000 };
    let mut recorded = 0;
    for round in 0..10 {
        redis.cli(&["CLIENT", "KILL", "TYPE", if round % 2 == 0 { "pubsub" } else { "normal" }]);
        while recorded < (round + 1) * 20 {
            recorded += u64::from(one.cluster.record("h", "topic", keeps, b"x").is_ok());
        }
    }
    wait_until("they are connected", || one.cluster.is_connected() && two.cluster.is_connected());
    let all = two.cluster.records("h", Some(Position::BEGINNING), 10_000, 60_000).expect("connected");
    // A call that failed may have been carried out all the same.
    assert!(all.last >= recorded);
    assert_eq!(all.messages.iter().map(|message| message.offset).collect::<Vec<_>>(), (1..=all.last).collect::<Vec<_>>());
}

/// The server in a process of its own that the next test stops: not a test by itself.
#[test]
fn a_server_in_a_process_of_its_own() {
    let Ok(address) = std::env::var("FWS_ENGINE_ADDRESS") else { return };
    let settings = Settings { lease: Duration::from_secs(2), version: 7, ..Settings::at(&address).expect("legal") };
    let server = Server::start(settings);
    server.wait_connected();
    for n in 0..1200 {
        server.cluster.enter(&member(&format!("user-{n}"))).expect("connected");
    }
    assert_eq!(server.cluster.claim("ann"), Ok(true));
    println!("ready");
    wait_until("it has learnt that it was dead", || server.told.anew.load(Ordering::SeqCst) == 1 && !server.told.lost.lock().is_empty());
    println!("lost {:?}", server.told.lost.lock());
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn what_a_dead_server_had_is_free_and_its_users_leave_once() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    let mut dead = OtherProcess::start(&redis.address());
    dead.wait_for("ready");
    assert_eq!((one.cluster.claim("ann"), one.cluster.enter(&member("user-7"))), (Ok(false), Ok(false)));
    dead.signal("-STOP");
    wait_until("its id is free", || two.cluster.claim("ann") == Ok(true));
    wait_until("its users have left", || one.told.vacated.lock().len() + two.told.vacated.lock().len() == 1199);
    let mut left: Vec<_> = [&one, &two].iter().flat_map(|server| server.told.vacated.lock().clone()).map(|member| member.user).collect();
    left.sort_unstable();
    left.dedup();
    assert_eq!((left.len(), left.contains(&"user-7".into())), (1199, false));
    wait_until("nobody knows it", || redis.cli(&["ZCARD", "{fws}:nodes:"]) == "2");
    // It goes on: it learns that it was dead and what it has lost, and puts the rest back.
    dead.signal("-CONT");
    dead.wait_for("lost [\"ann\"]");
    wait_until("its users are there again", || one.cluster.enter(&member("user-9")) == Ok(false));
}

#[test]
fn a_server_of_another_version_refuses_and_is_not_misread() {
    let redis = Redis::start();
    let (old, new) = (Server::at(&redis), Server::start(Settings { version: 8, ..quick(&redis) }));
    new.wait_connected();
    let refused = old.cluster.ask(new.node(), b"hi");
    assert!(matches!(&refused, Err(ClusterError::Refused(why)) if why.contains("version 8")), "{refused:?}");
    old.cluster.tell(None, b"hi").expect("connected");
    wait_until("it is counted", || new.count("foreign") == 2);
    assert!(new.told.heard.lock().is_empty());
}

#[test]
fn a_password_is_used_and_told_to_nobody() {
    let redis = Redis::start_with("redis-server", &["--requirepass", "s3cret"]);
    let right = Settings { lease: Duration::from_secs(2), ..Settings::at(&format!("{}?pass=s3cret", redis.address())).expect("legal") };
    let server = Server::start(right.clone());
    server.wait_connected();
    let wrong = Server::start(Settings::at(&format!("{}?pass=wr0ng", redis.address())).expect("legal"));
    wait_until("it was refused", || wrong.cluster.trouble().is_some_and(|why| why.contains("authentication failed")));
    for text in [format!("{right:?}"), format!("{:?}", wrong.cluster), wrong.cluster.trouble().unwrap_or_default()] {
        assert!(!text.contains("s3cret") && !text.contains("wr0ng"), "{text}");
    }
}

#[test]
fn a_redis_cluster_and_a_valkey_server_will_do() {
    let cluster = Redis::start_with("redis-server", &["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
    let slots = cluster.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    if slots != "OK" {
        // Before Redis 7 there was no range.
        let all: Vec<String> = (0..16384).map(|slot| slot.to_string()).collect();
        let args: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(all.iter().map(String::as_str)).collect();
        assert_eq!(cluster.cli(&args), "OK");
    }
    wait_until("the cluster is ready", || cluster.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let mut places = vec![cluster];
    if std::process::Command::new("valkey-server").arg("--version").output().is_ok() {
        places.push(Redis::start_with("valkey-server", &[]));
    }
    for redis in places {
        let (one, two) = (Server::at(&redis), Server::at(&redis));
        assert_eq!(one.cluster.ask_all(b"hi"), Ok(vec![b"echo hi".to_vec()]));
        assert_eq!((one.cluster.claim("ann"), two.cluster.claim("ann")), (Ok(true), Ok(false)));
        assert_eq!((one.cluster.enter(&member("ann")), two.cluster.enter(&member("ann"))), (Ok(true), Ok(false)));
        two.cluster.subscribe("topic").expect("connected");
        assert!(one.cluster.record("h", "topic", Retention { count: 9, age: 9000 }, b"x").is_ok());
        wait_until("it is heard", || two.told.recorded.lock().len() == 1);
    }
}
