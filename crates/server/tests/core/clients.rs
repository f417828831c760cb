//! What is known of clients, and what is left of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::counter;
use crate::php::*;
use fws_hub::command::{Close, Count, Describe, Kill, List, Ping, PingTime, Rename, SendTo, SetInformation, Tag, Tags, Untag};
use fws_hub::{Client, Command, CommandError, Outcome, Pinging, Renamed, Reply, Target};
use fws_server::Core;
use fws_session::Event;
use tokio_tungstenite::tungstenite::Message;

#[test]
fn a_thousand_connections_opened_and_cut_leave_nothing() {
    let core = started();
    for round in 0..4 {
        let clients: Vec<_> = (0..250).map(|_| connect(&core, "echo")).collect();
        wait_until("all are there", || core.connections() == 250);
        drop(clients);
        wait_until("all are gone", || core.stats()["connections_known"] == 0);
        assert_eq!(counter(&core, "connections_opened"), (round + 1) * 250);
    }
}

/// Renames, tags, stores, sends, closes and cuts whatever clients there are, until `stop`; returns how many commands did something.
fn meddle(core: &Core, seed: u64, stop: &AtomicBool) -> u64 {
    let (mut random, mut done, mut renamed) = (seed, 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let ids = core.ids();
        for id in &ids {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (tag, new) = (format!("tag {}", random >> 60), format!("{seed} {renamed}"));
            let command = match random >> 33 & 15 {
                0..=3 => Command::Rename(Rename { id, new: &new }),
                4..=7 => Command::Tag(Tag { id, tag: &tag, since: None, member: None }),
                8 => Command::Untag(Untag { id, tag: &tag }),
                9 => Command::SetInformation(SetInformation { id, key: &tag, value: b"v".into() }),
                10 => Command::Send(SendTo { to: Target::Tag(&tag), route: None, except: Some(id), binary: true, data: b"m".into() }),
                11 => Command::Ping(Ping { id, how: Pinging::Every(100) }),
                12 => Command::Client(Describe { id }),
                13 => Command::Close(Close { id, code: 1000, reason: "" }),
                14 => Command::Kill(Kill { id }),
                _ => Command::List(List { of: Target::Expression("tag*&!tag?1"), route: Some("php") }),
            };
            match core.ask(&command) {
                Ok(Reply::Flag(false)) => {}
                Ok(_) => {
                    done += 1;
                    renamed += u64::from(matches!(command, Command::Rename(_)));
                }
                Err(error) => panic!("{command:?}: {error}"),
            }
        }
    }
    done
}

#[test]
fn concurrent_renames_tags_and_closes_leave_nothing_of_a_client_that_is_gone() {
    let core = started();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (1..=3)
        .map(|seed| {
            let (core, stop) = (core.clone(), stop.clone());
            std::thread::spawn(move || meddle(&core, seed, &stop))
        })
        .collect();
    // PHP handles their events meanwhile.
    let php = std::thread::spawn({
        let (core, stop) = (core.clone(), stop.clone());
        move || {
            let (mut opened, mut closed) = (0, 0);
            while !stop.load(Ordering::Relaxed) || counter(&core, "connections_known") > 0 {
                let Some(ring) = core.take_ring() else {
                    std::thread::yield_now();
                    continue;
                };
                let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
                while let Some(event) = next(&core, &bell) {
                    opened += u32::from(event.starts_with("open"));
                    closed += u32::from(event.starts_with("close"));
                }
                end(&core, &(ring.nonce, bell));
            }
            (opened, closed)
        }
    });
    for _ in 0..20 {
        let clients: Vec<_> = (0..20).map(|n| connect(&core, if n % 2 == 0 { "php" } else { "echo" })).collect();
        wait_until("some are closed", || core.connections() <= 10);
        drop(clients);
    }
    stop.store(true, Ordering::Relaxed);
    let done: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(php.join().expect("no panic"), (200, 200), "each was opened and closed, once");
    assert!(done > 1000, "{done} commands did something");
    assert_eq!((counter(&core, "connections"), counter(&core, "connections_known"), counter(&core, "tags")), (0, 0, 0));
    assert_eq!(core.ask(&Command::Tags(Tags { id: None })), Ok(Reply::Names(vec![])));
    assert_eq!(core.ask(&Command::Count(Count { of: Target::Expression("!nobody"), route: None })), Ok(Reply::Count(0)));
    // Their ids are free again.
    let _client = connect(&core, "echo");
    for id in ["1 0", "2 0", "3 0"] {
        assert_eq!(core.ask(&Command::Rename(Rename { id: &core.ids()[0], new: id })), Ok(Reply::Renamed(Renamed::Done)));
    }
}

fn described(core: &Core, id: &str) -> Client {
    match core.ask(&Command::Client(Describe { id })) {
        Ok(Reply::Client(client)) => *client,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_client_has_carried_is_known_until_its_close_event_is_handled() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    core.ask(&Command::Tag(Tag { id: &id, tag: "b", since: None, member: None })).expect("legal");
    core.ask(&Command::Tag(Tag { id: &id, tag: "a", since: None, member: None })).expect("legal");
    let before = described(&core, &id);
    assert_eq!(
        (&*before.route, &*String::from_utf8_lossy(&before.path), &*before.ip, &*before.transport),
        ("php", "/p", "192.0.2.1", "tcp")
    );
    assert_eq!((before.last_message_at, before.ping_time, before.connected), (None, None, true));
    assert_eq!(before.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["a", "b"]);

    client.send(Message::binary(vec![1; 100])).expect("sent");
    wait_until("it has come", || described(&core, &id).messages_received == 1);
    send(&core, Target::Client(&id), b"0123456789");
    assert_eq!(client.read().expect("an answer").len(), 10);
    wait_until("it is counted", || described(&core, &id).bytes_sent > 0);
    let after = described(&core, &id);
    assert_eq!((after.bytes_received, after.messages_sent, after.bytes_sent, after.queued_bytes), (106, 1, 12, 0));
    assert!(after.last_message_at >= Some(after.connected_at) && after.connected_at > 1_600_000_000_000);

    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Every(99) })), Err(CommandError::PingInterval));
    assert_eq!(core.ask(&Command::Ping(Ping { id: "nobody", how: Pinging::Every(100) })), Ok(Reply::Flag(false)));
    assert_eq!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Integer(0)));
    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Every(100) })), Ok(Reply::Flag(true)));
    assert!(matches!(client.read(), Ok(Message::Ping(_))));
    client.flush().expect("the pong");
    wait_until("the ping's time is known", || described(&core, &id).ping_time.is_some());
    assert!(matches!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Integer(1..))));
    assert_eq!(core.ask(&Command::Ping(Ping { id: &id, how: Pinging::Off })), Ok(Reply::Flag(true)));

    drop(client);
    wait_until("it is closed", || !described(&core, &id).connected);
    handle(&core, 3);
    assert_eq!(core.ask(&Command::Client(Describe { id: &id })), Ok(Reply::Gone));
    assert_eq!(core.ask(&Command::PingTime(PingTime { id: &id })), Ok(Reply::Gone));
}

#[test]
fn a_client_has_its_time_from_the_moment_it_is_known() {
    let core = started();
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let client = connect(&core, "echo");
            assert!(core.ids().iter().all(|id| described(&core, id).connected_at > 1_600_000_000_000));
            client
        })
        .collect();
    drop(clients);
}

#[test]
fn a_renamed_connection_keeps_its_events_in_order_and_what_was_sent_to_it() {
    let core = started();
    let mut client = connect(&core, "php");
    let id = core.ids()[0].clone();
    for n in 0..3 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    wait_until("all have arrived", || counter(&core, "events_queued") == 4);
    let bell = bell(&core);
    assert_eq!(core.next_event(&bell.1).expect("open").id(), &*id);
    send(&core, Target::Client(&id), b"before");
    assert_eq!(core.ask(&Command::Rename(Rename { id: &id, new: "ann" })), Ok(Reply::Renamed(Renamed::Done)));
    assert_eq!(core.ask(&Command::Rename(Rename { id: &id, new: "bob" })), Ok(Reply::Renamed(Renamed::Gone)));
    assert_eq!(send(&core, Target::Client("ann"), b"after"), Reply::Sent(Outcome::Queued));
    for n in ["0", "1", "2"] {
        let current = core.next_event(&bell.1).expect("a message");
        assert_eq!(current.id(), "ann");
        assert!(matches!(current.event(), Event::Message { data, .. } if **data == *n.as_bytes()));
    }
    assert_eq!(client.read().expect("sent"), Message::binary(&b"before"[..]));
    assert_eq!(client.read().expect("sent"), Message::binary(&b"after"[..]));
    assert_eq!(core.ask(&Command::Kill(Kill { id: "ann" })), Ok(Reply::Flag(true)));
    assert!(client.read().is_err());
    wait_until("the close event comes", || next(&core, &bell.1).as_deref() == Some("close 1006 false"));
    end(&core, &bell);
    assert_eq!(core.ask(&Command::Kill(Kill { id: "ann" })), Ok(Reply::Flag(false)));
    assert!(matches!(core.ask(&Command::Routes), Ok(Reply::Names(names)) if names.len() == 3));
}
