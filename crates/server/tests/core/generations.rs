//! Reloads, the gate of PHP, and the end of the server.

use std::time::Duration;

use crate::common::counter;
use crate::php::*;
use fws_server::Left;
use tokio_tungstenite::tungstenite::Message;

#[test]
fn a_route_takes_no_more_than_its_connections() {
    let core = started();
    let held = core.handshake("strict", HEAD, "");
    assert_eq!(held.status(), 101);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 503);
    drop(held);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 101);
}

#[test]
fn a_new_generation_keeps_connections_and_closes_those_of_removed_routes() {
    let core = started();
    let (mut stays, mut leaves) = (connect(&core, "echo"), connect(&core, "php"));
    core.stage(2, br#"{"routes":[{"name":"echo","echo":true,"max_message_size":10}]}"#).expect("legal");
    stays.send(Message::text("before")).expect("sent");
    assert_eq!(stays.read().expect("an answer"), Message::text("before"));
    core.commit(2).expect("staged");
    assert!(matches!(leaves.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    let _ = leaves.read();
    wait_until("it is forgotten though nobody handles its events", || core.stats()["connections_known"] == 1);
    assert_eq!(counter(&core, "events_dropped"), 2);
    assert_eq!(core.handshake("php", HEAD, "").status(), 503);
    stays.send(Message::text("longer than ten")).expect("sent");
    assert!(matches!(stays.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1009), "the new limit holds");
}

#[test]
fn a_generation_that_was_never_committed_leaves_without_a_trace() {
    let core = started();
    let mut client = connect(&core, "echo");
    core.stage(2, br#"{"routes":[]}"#).expect("legal");
    core.withdraw(2).expect("staged");
    client.send(Message::text("still")).expect("sent");
    assert_eq!(client.read().expect("an answer"), Message::text("still"));
    assert!(core.commit(2).is_err(), "it is forgotten");
    core.stage(3, br#"{"routes":[{"name":"echo","echo":true}]}"#).expect("legal");
    core.withdraw(1).expect("committed");
    client.send(Message::text("the staged one took over")).expect("sent");
    client.read().expect("an answer");
    core.withdraw(3).expect("committed");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001), "none is left");
}

#[test]
fn the_gate_ends_running_bells_and_holds_new_ones_back_and_nothing_is_lost() {
    let core = started();
    let mut client = connect(&core, "php");
    let running = bell(&core);
    assert!(next(&core, &running.1).is_some());
    let gate = std::thread::spawn({
        let core = core.clone();
        move || core.close_gate(Duration::from_secs(10))
    });
    wait_until("the bell is told to end", || next(&core, &running.1).is_none());
    end(&core, &running);
    assert_eq!(gate.join().expect("no panic"), 0);
    client.send(Message::text("meanwhile")).expect("sent");
    wait_until("it waits", || counter(&core, "events_pending") == 1);
    assert!(core.take_ring().is_none());
    core.open_gate();
    assert_eq!(handle(&core, 1), ["meanwhile"]);
}

#[test]
fn draining_closes_all_with_1001_delivers_the_close_events_and_refuses_new_connections() {
    let core = started();
    let mut client = connect(&core, "php");
    let reader = std::thread::spawn(move || {
        let close = client.read();
        let _ = client.read();
        close
    });
    let drain = std::thread::spawn({
        let core = core.clone();
        move || core.drain(Duration::from_secs(10))
    });
    assert_eq!(handle(&core, 2)[1], "close 1001 true");
    assert_eq!(drain.join().expect("no panic"), Left::default());
    assert!(matches!(reader.join().expect("no panic"), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    assert_eq!(core.handshake("echo", HEAD, "").status(), 503);
}

#[test]
fn what_a_drain_did_not_wait_for_is_told_apart_and_the_log_does_not_blame_a_worker() {
    let core = started();
    let mut answers = connect(&core, "php");
    let _silent = connect(&core, "php");
    set_timer(&core, 60_000, "later", false);
    // Nobody has answered yet.
    assert_eq!(core.drain(Duration::ZERO), Left { connections: 2, unhandled: 0 });
    let reader = std::thread::spawn(move || {
        while answers.read().is_ok() {}
        drop(answers);
    });
    reader.join().expect("it has read the close frame");
    // PHP handles nothing.
    wait_until("the one that answers has ended", || core.drain(Duration::ZERO) == Left { connections: 1, unhandled: 1 });
    core.stage(2, b"{}").expect("legal");
    core.withdraw(2).expect("staged");
    core.withdraw(1).expect("committed");
    let mut log = vec![0; 65536];
    let written = core.take_log(&mut log);
    let log = String::from_utf8_lossy(&log[..written]).into_owned();
    assert!(log.contains("PHP had not handled them when the server ended") && !log.contains("worker is gone"), "{log}");
}

#[test]
fn connections_of_a_route_that_goes_from_php_to_the_echo_end_and_php_is_told() {
    let core = started();
    let mut client = connect(&core, "php");
    assert_eq!(handle(&core, 1), ["open /p?q=1"]);
    core.stage(2, br#"{"routes":[{"name":"php","echo":true},{"name":"strict","worker":"w"}]}"#).expect("legal");
    core.commit(2).expect("staged");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1001));
    let _ = client.read();
    assert_eq!(handle(&core, 1), ["close 1001 true"]);
    let mut client = connect(&core, "php");
    client.send(Message::text("echo")).expect("sent");
    assert_eq!(client.read().expect("an answer"), Message::text("echo"));
}
