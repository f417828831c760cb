//! What is true of servers behind a Redis that was away, has forgotten all, or has no room left.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Redis, Server, quick, wait_until};
use fws_engine::redis::{Member, Settings, tag_topic};
use fws_hub::ClusterError;

fn member(user: &str) -> Member {
    Member { route: "chat".into(), tag: "room".into(), user: user.into(), ..Member::default() }
}

/// A server that is not believed to be dead while it connects again, however slow the machine is.
fn patient(redis: &Redis) -> Server {
    let server = Server::start(Settings { lease: Duration::from_secs(9), timeout: Duration::from_secs(20), ..quick(redis) });
    server.wait_connected();
    server
}

#[test]
fn a_claim_that_is_given_up_late_takes_nothing_from_who_has_the_id_now() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    for round in 0..50 {
        let id = format!("ann-{round}");
        assert_eq!(one.cluster.claim(&id), Ok(true));
        one.cluster.release(&id);
        // The same server gives it to another client at once.
        assert_eq!(one.cluster.claim(&id), Ok(true));
        one.cluster.release("nobody");
    }
    wait_until("what was given up is settled", || one.cluster.claim("last") == Ok(true));
    for round in 0..50 {
        assert_eq!(two.cluster.claim(&format!("ann-{round}")), Ok(false), "{round}");
    }
    // What is given up while Redis is away is given up when it is back.
    redis.pause();
    assert!(Server::start(Settings { timeout: Duration::from_millis(50), ..quick(&redis) }).cluster.claim("never").is_err());
    redis.go_on();
    redis.kill();
    wait_until("it is noticed", || !one.cluster.is_connected());
    one.cluster.release("ann-0");
    redis.launch();
    [&one, &two].iter().for_each(|server| server.wait_connected());
    wait_until("it is free", || two.cluster.claim("ann-0") == Ok(true));
    assert_eq!(two.cluster.claim("ann-1"), Ok(false));
}

#[test]
fn a_claim_that_timed_out_does_not_keep_the_id_from_others() {
    let redis = Redis::start();
    let one = Server::start(Settings { timeout: Duration::from_millis(300), ..quick(&redis) });
    one.wait_connected();
    let two = Server::at(&redis);
    redis.pause();
    assert_eq!(one.cluster.claim("ann"), Err(ClusterError::Timeout), "Redis carries it out when it goes on");
    redis.go_on();
    [&one, &two].iter().for_each(|server| server.wait_connected());
    wait_until("it is free", || two.cluster.claim("ann") == Ok(true));
}

#[test]
fn an_id_that_is_taken_over_while_redis_is_away_stays_with_who_has_taken_it() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    assert_eq!(one.cluster.claim("ann"), Ok(true));
    redis.cli(&["SAVE"]);
    redis.kill();
    wait_until("it is noticed", || !one.cluster.is_connected() && !two.cluster.is_connected());
    one.cluster.let_go("ann");
    assert!(two.cluster.take_claim("ann", one.cluster.node()).is_err());
    redis.launch();
    [&one, &two].iter().for_each(|server| server.wait_connected());
    assert!(two.told.lost.lock().is_empty());
    assert_eq!(one.cluster.claim("ann"), Ok(false));
}

#[test]
fn who_left_while_redis_was_away_has_left_when_it_is_back() {
    let redis = Redis::start();
    let one = Server::start(Settings { timeout: Duration::from_millis(300), ..quick(&redis) });
    one.wait_connected();
    let two = Server::at(&redis);
    assert_eq!((one.cluster.enter(&member("ann")), two.cluster.enter(&member("ann"))), (Ok(true), Ok(false)));
    redis.cli(&["CLIENT", "PAUSE", "1000"]);
    assert!(one.cluster.leave(&member("ann")).is_err());
    wait_until("Redis goes on", || two.cluster.claim("x") == Ok(true));
    // Only the other server has it now. What was asked in vain may be carried out late.
    let counts = "local n = {} for i, key in ipairs(redis.call('KEYS', '*:at:*')) do n[i] = redis.call('SCARD', key) end return table.concat(n, ' ')";
    wait_until("it is known who has it", || redis.cli(&["EVAL", counts, "0"]) == "1");
    assert_eq!(two.cluster.leave(&member("ann")), Ok(true), "it was the last");
}

#[test]
fn who_came_and_who_left_while_redis_was_away_is_told_when_it_is_back_once_for_all_servers() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    for user in ["both", "gone"] {
        assert_eq!(one.cluster.enter(&member(user)), Ok(true));
    }
    assert_eq!(two.cluster.enter(&member("both")), Ok(false));
    redis.cli(&["SAVE"]);
    redis.kill();
    wait_until("it is away", || !one.told.disconnected.lock().is_empty());
    for user in ["both", "gone"] {
        assert!(one.cluster.leave(&member(user)).is_err());
    }
    for user in ["new", "brief"] {
        assert!(one.cluster.enter(&Member { info: b"{}"[..].into(), ..member(user) }).is_err());
    }
    assert!(one.cluster.leave(&member("brief")).is_err());
    redis.launch();
    wait_until("it is told", || !one.told.come.lock().is_empty());
    assert_eq!(*one.told.come.lock(), [Member { info: b"{}"[..].into(), ..member("new") }]);
    let left = one.told.left.lock().clone();
    assert!(left.contains(&member("gone")) && !left.contains(&member("both")) && !left.contains(&member("new")), "{left:?}");
    wait_until("it is known to all", || {
        let mut present: Vec<String> =
            two.cluster.present("chat", "room").unwrap_or_default().iter().map(|(user, _)| user.to_string()).collect();
        present.sort_unstable();
        present == ["both", "new"]
    });
}

#[test]
fn a_server_that_was_believed_to_be_dead_tells_that_its_members_are_there_again() {
    let redis = Redis::start();
    let one = Server::at(&redis);
    one.cluster.enter(&member("ann")).expect("connected");
    // As another server does that believes that this one is dead.
    let forget = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
    for keys in ["*:at:*", "*:of:*", "{fws}:nodes:"] {
        redis.cli(&["EVAL", forget, "0", keys]);
    }
    wait_until("they are back", || *one.told.entered.lock() == [member("ann")]);
    let two = Server::at(&redis);
    assert_eq!(two.cluster.enter(&member("ann")), Ok(false), "it is there");
}

#[test]
fn who_leaves_a_server_that_is_believed_to_be_dead_is_not_told_to_have_left_once_more() {
    let redis = Redis::start();
    let way = redis.socket().with_file_name("way");
    std::os::unix::fs::symlink(redis.socket(), &way).expect("a link");
    let place = Settings::at(&format!("unix://{}", way.display())).expect("legal").place;
    let one = Server::start(Settings { place, ..quick(&redis) });
    one.wait_connected();
    let late = |user: &str| Member { late: true, ..member(user) };
    for user in ["leaves", "returns", "stays"] {
        assert_eq!(one.cluster.enter(&late(user)), Ok(true));
    }
    std::fs::remove_file(&way).expect("it is there");
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    wait_until("it is away", || !one.cluster.is_connected());
    for user in ["leaves", "returns"] {
        assert!(one.cluster.leave(&late(user)).is_err());
    }
    for user in ["returns", "comes", "was here for a moment"] {
        assert!(one.cluster.enter(&late(user)).is_err());
    }
    assert!(one.cluster.leave(&late("was here for a moment")).is_err());
    // As another server does when the lease is over.
    let other = Server::at(&redis);
    wait_until("they are told to have left", || other.told.vacated.lock().len() == 3);
    std::os::unix::fs::symlink(redis.socket(), &way).expect("a link");
    one.wait_connected();
    wait_until("it is told who is there", || one.told.entered.lock().len() == 2 && one.told.come.lock().len() == 1);
    // What is settled later is settled by then.
    assert_eq!(one.cluster.enter(&late("last")), Ok(true));
    let users = |members: &[Member]| members.iter().map(|member| member.user.to_string()).collect::<std::collections::BTreeSet<_>>();
    assert!(users(&one.told.entered.lock()).iter().eq(["returns", "stays"]));
    assert!(users(&one.told.come.lock()).iter().eq(["comes"]));
    assert_eq!(*one.told.left.lock(), []);
}

#[test]
fn a_redis_that_comes_back_with_old_data_has_nobody_who_has_left_and_everybody_who_is_there() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    two.cluster.subscribe(&tag_topic("room")).expect("connected");
    let followed = |user: &str| Member { followed: true, ..member(user) };
    for user in ["old", "stays"] {
        one.cluster.enter(&followed(user)).expect("connected");
    }
    redis.cli(&["SAVE"]);
    one.cluster.leave(&followed("old")).expect("connected");
    one.cluster.enter(&followed("new")).expect("connected");
    wait_until("it is heard", || two.told.attended.lock().len() == 4);
    redis.kill();
    redis.launch();
    wait_until("the list is right", || {
        let mut present: Vec<String> =
            one.cluster.present("chat", "room").unwrap_or_default().iter().map(|(user, _)| user.to_string()).collect();
        present.sort_unstable();
        present == ["new", "stays"]
    });
    assert_eq!((one.told.left.lock().len(), one.told.come.lock().len()), (0, 0), "that was told when it happened");
}

#[test]
fn an_empty_redis_makes_nobody_join() {
    let mut redis = Redis::start();
    let one = Server::at(&redis);
    one.cluster.enter(&member("ann")).expect("connected");
    redis.kill();
    redis.launch();
    wait_until("it is back", || one.told.connected.load(Ordering::SeqCst) == 2);
    assert_eq!(*one.told.entered.lock(), []);
    assert_eq!(Server::at(&redis).cluster.enter(&member("ann")), Ok(false), "it is there");
}

#[test]
fn a_connection_that_redis_has_not_found_to_be_broken_holds_nobody_up() {
    let redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    // As a connection of the other server that is broken, and that Redis has not noticed.
    let mut ghost = std::process::Command::new("redis-cli")
        .arg("-s")
        .arg(redis.socket())
        .args(["SUBSCRIBE", &format!("{{fws}}:n:{}", two.node()), "{fws}:n:"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("redis-cli");
    wait_until("it has subscribed", || redis.cli(&["PUBSUB", "NUMSUB", "{fws}:n:"]).ends_with('3'));
    wait_until("the servers know each other", || one.cluster.others().len() == 1);
    assert_eq!(one.cluster.ask(two.node(), b"hi"), Ok(Some(b"echo hi".to_vec())));
    assert_eq!(one.cluster.ask_all(b"all"), Ok(vec![b"echo all".to_vec()]));
    ghost.kill().expect("it runs");
    ghost.wait().expect("it has ended");
}

#[test]
fn a_server_that_is_about_to_connect_again_is_waited_for() {
    let redis = Redis::start();
    let (one, two) = (patient(&redis), patient(&redis));
    wait_until("the servers know each other", || one.cluster.others().len() == 1);
    for _ in 0..10 {
        let before = two.told.connected.load(Ordering::SeqCst);
        redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        wait_until("this one is back", || one.cluster.is_connected() && one.cluster.ask_all(b"all").is_ok());
        assert_eq!(one.cluster.ask_all(b"all"), Ok(vec![b"echo all".to_vec()]), "no answer is not an answer");
        assert_eq!(one.cluster.ask(two.node(), b"hi"), Ok(Some(b"echo hi".to_vec())));
        wait_until("the other is back", || two.told.connected.load(Ordering::SeqCst) > before);
    }
}

#[test]
fn a_redis_without_memory_for_more_does_not_end_the_cluster() {
    let redis = Redis::start();
    if redis.cli(&["INFO", "server"]).lines().any(|line| line.starts_with("redis_version:6")) {
        // Scripts have no flags there; docs/scaling.md says so.
        return;
    }
    let one = Server::at(&redis);
    one.cluster.value_set(b"k", b"v", None, false).expect("room");
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = one.cluster.value_set(b"l", b"w", None, false);
    assert!(matches!(&refused, Err(ClusterError::Refused(why)) if why.contains("OOM")), "{refused:?}");
    let before = redis.cli(&["ZSCORE", "{fws}:nodes:", &one.node().to_string()]);
    wait_until("its lease goes on", || redis.cli(&["ZSCORE", "{fws}:nodes:", &one.node().to_string()]) != before);
    assert_eq!(one.cluster.value_delete(b"k"), Ok(true), "room can be made");
    assert_eq!(one.told.disconnected.lock().len(), 0);
}

#[test]
fn the_first_calls_wait_for_the_first_connection_and_a_server_that_gets_none_says_why() {
    let mut redis = Redis::start();
    let one = Server::start(quick(&redis));
    assert_eq!(one.cluster.value_increment(b"n", 1), Ok(Ok(1)), "although it was not connected a moment ago");
    redis.kill();
    let lonely = Server::start(Settings { timeout: Duration::from_millis(100), ..quick(&redis) });
    assert_eq!(lonely.cluster.value_get(b"n"), Err(ClusterError::Unavailable));
    wait_until("it is told why", || lonely.told.disconnected.lock().len() == 1);
}

#[test]
fn after_redis_has_forgotten_all_those_who_were_there_are_waited_for() {
    let mut redis = Redis::start();
    let (one, two) = (patient(&redis), patient(&redis));
    wait_until("the servers know each other", || one.cluster.others().len() == 1 && two.cluster.others().len() == 1);
    for _ in 0..5 {
        redis.kill();
        redis.launch();
        wait_until("it is reached", || one.cluster.is_connected());
        let answer = one.cluster.ask(two.node(), b"hi");
        assert!(matches!(&answer, Ok(Some(_)) | Err(_)), "the other server is not gone: {answer:?}");
        let answers = one.cluster.ask_all(b"all");
        assert!(!matches!(&answers, Ok(none) if none.is_empty()), "no answer is not an answer");
        two.wait_connected();
        wait_until("they are there again", || one.cluster.ask_all(b"all") == Ok(vec![b"echo all".to_vec()]));
    }
}

#[test]
fn an_address_with_what_is_not_supported_is_refused() {
    assert!(Settings::at("rediss://localhost:6379/#insecure").is_err());
}
