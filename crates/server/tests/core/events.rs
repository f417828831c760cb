//! Events on their way to PHP: their order, leases, bells, and what fails.

use std::time::Duration;

use crate::common::counter;
use crate::php::*;
use fws_server::Ended;
use fws_session::Event;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

#[test]
fn the_echo_route_answers_and_closes_without_a_host() {
    let core = started();
    let mut client = connect(&core, "echo");
    for message in [Message::text("héllo"), Message::binary(vec![7; 300_000]), Message::text("")] {
        client.send(message.clone()).expect("sent");
        assert_eq!(client.read().expect("an answer"), message);
    }
    client.close(Some(CloseFrame { code: 4000.into(), reason: "done".into() })).expect("sent");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 4000));
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
}

#[test]
fn bytes_read_behind_the_request_are_the_first_frames() {
    let core = started();
    let mut client = connect_with(&core, "echo", &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert_eq!(client.read().expect("an answer"), Message::text("hi"));
}

#[test]
fn events_come_in_order_and_carry_their_facts() {
    let core = started();
    let mut client = connect(&core, "php");
    for n in 0..100 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    client.close(None).expect("sent");
    let expected: Vec<String> =
        ["open /p?q=1".into()].into_iter().chain((0..100).map(|n| n.to_string())).chain(["close 1005 true".into()]).collect();
    assert_eq!(handle(&core, 102), expected);
    wait_until("it is forgotten", || core.stats()["connections_known"] == 0);
    assert_eq!((counter(&core, "events_queued"), counter(&core, "events_acknowledged")), (102, 102));
}

#[test]
fn a_connection_is_leased_to_one_bell_at_a_time() {
    let core = started();
    let mut client = connect(&core, "php");
    let first = bell(&core);
    assert_eq!(next(&core, &first.1).as_deref(), Some("open /p?q=1"));
    client.send(Message::text("a")).expect("sent");
    let mut other = connect(&core, "php");
    other.send(Message::text("b")).expect("sent");
    // The first bell is busy with `open` and too slow: a second one is rung, for the other connection.
    let second = bell(&core);
    assert_eq!(next(&core, &second.1).as_deref(), Some("open /p?q=1"));
    assert_eq!(next(&core, &second.1).as_deref(), Some("b"));
    assert_eq!(next(&core, &second.1), None, "the first connection is not handed out twice");
    assert_eq!(next(&core, &first.1).as_deref(), Some("a"));
    end(&core, &second);
    end(&core, &first);
}

#[test]
fn what_a_bell_did_not_come_to_is_handed_out_again_and_what_it_had_is_not() {
    let core = started();
    let mut client = connect(&core, "php");
    for n in 0..5 {
        client.send(Message::text(n.to_string())).expect("sent");
    }
    wait_until("all have arrived", || counter(&core, "events_queued") == 6);
    let dying = bell(&core);
    assert_eq!(next(&core, &dying.1).as_deref(), Some("open /p?q=1"));
    assert_eq!(next(&core, &dying.1).as_deref(), Some("0"));
    // The request dies without a word.
    core.end_bell(&dying.0, Ended::Failed, b"PHP Fatal error", "worker died");
    assert_eq!(next(&core, &dying.1), None, "a bell that is over gives nothing more");
    assert_eq!(handle(&core, 4), ["1", "2", "3", "4"]);
    assert_eq!(counter(&core, "events_failed"), 1);
    let mut log = vec![0; 65536];
    let written = core.take_log(&mut log);
    let log = String::from_utf8_lossy(&log[..written]).into_owned();
    assert!(log.contains("PHP failed on a WebSocket event") && log.contains("PHP Fatal error"), "{log}");
}

#[test]
fn on_error_close_closes_with_1011() {
    let core = started();
    let mut client = connect(&core, "strict");
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    assert!(core.fail_event(&bell.1, "Exception: no"));
    assert!(!core.fail_event(&bell.1, "again"), "no event is current");
    assert!(matches!(client.read(), Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1011));
    end(&core, &bell);
}

#[test]
fn a_nonce_is_good_for_one_claim_and_only_while_its_bell_is_rung() {
    let core = started();
    let _client = connect(&core, "php");
    let bell = bell(&core);
    let query = format!("fws_bell={}", bell.0);
    assert!(core.claim_bell(query.as_bytes()).is_none(), "claimed already");
    end(&core, &bell);
    assert!(core.claim_bell(query.as_bytes()).is_none(), "over");
    assert!(core.claim_bell(b"fws_bell=00000000000000000000000000000000").is_none());
    assert!(core.claim_bell(b"").is_none() && core.claim_bell(b"fws_bell=\xff").is_none());
}

#[test]
fn a_bell_that_never_reached_php_is_rung_again() {
    let core = started();
    let _client = connect(&core, "php");
    let mut lost = None;
    wait_until("a bell is wanted", || {
        lost = core.take_ring();
        lost.is_some()
    });
    core.end_bell(&lost.expect("just seen").nonce, Ended::Abandoned, b"", "");
    assert_eq!(handle(&core, 1), ["open /p?q=1"]);
    assert_eq!(counter(&core, "bells_abandoned"), 1);
}

#[test]
fn while_php_does_not_come_the_socket_is_not_read_and_nothing_is_lost() {
    let core = started();
    let mut client = connect(&core, "php");
    const COUNT: usize = 3000;
    let sender = std::thread::spawn(move || {
        for n in 0..COUNT {
            client.send(Message::text(format!("{n:01000}"))).expect("sent");
        }
        client
    });
    wait_until("the queue is full", || counter(&core, "events_pending") >= 8);
    // One read brings at most 64 KiB; more than that and the limit never waits.
    assert!(counter(&core, "events_pending") <= 8 + 66, "{}", counter(&core, "events_pending"));
    let got = handle(&core, COUNT + 1);
    let expected: Vec<String> = ["open /p?q=1".into()].into_iter().chain((0..COUNT).map(|n| format!("{n:01000}"))).collect();
    assert_eq!(got, expected);
    sender.join().expect("all was sent");
}

#[test]
fn a_request_that_was_answered_early_goes_on_with_its_events_and_is_waited_for_by_the_gate() {
    let core = started();
    let mut client = connect(&core, "php");
    client.send(Message::text("a")).expect("sent");
    wait_until("both have arrived", || counter(&core, "events_queued") == 2);
    let early = bell(&core);
    assert_eq!(next(&core, &early.1).as_deref(), Some("open /p?q=1"));
    core.end_bell(&early.0, Ended::Served, b"", "");
    assert!(matches!(early.1.current().expect("PHP still has it").event(), Event::Open(_)));
    assert_eq!(core.close_gate(Duration::ZERO), 1, "it still runs");
    core.open_gate();
    assert_eq!(next(&core, &early.1).as_deref(), Some("a"));
    assert_eq!(counter(&core, "events_failed"), 0);
    core.release_bell(&early.1, false, "");
    assert_eq!(core.close_gate(Duration::from_secs(10)), 0);
}

#[test]
fn an_event_that_the_host_ended_without_php_can_still_be_read() {
    let core = started();
    let mut client = connect(&core, "php");
    client.send(Message::text("payload")).expect("sent");
    let bell = bell(&core);
    assert!(next(&core, &bell.1).is_some());
    let mut event = None;
    wait_until("the message is there", || {
        event = event.or_else(|| {
            core.next_event(&bell.1).map(|current| match current.event() {
                Event::Message { data, .. } => (data.as_ptr() as usize, data.len()),
                event => panic!("{event:?}"),
            })
        });
        event.is_some()
    });
    core.end_bell(&bell.0, Ended::Abandoned, b"", "");
    let others: Vec<Box<[u8]>> = (0..1000).map(|_| b"payload"[..].into()).collect();
    let (address, len) = event.expect("just seen");
    assert!(others.iter().all(|other| other.as_ptr() as usize != address), "its memory was given to others");
    assert_eq!(len, 7);
}

#[test]
fn closed_connections_count_until_their_events_are_handled() {
    let core = started();
    drop(connect(&core, "strict"));
    wait_until("it is closed", || core.connections() == 0);
    assert_eq!(core.handshake("strict", HEAD, "").status(), 503);
    assert_eq!(handle(&core, 2), ["open /p?q=1", "close 1006 false"]);
    wait_until("it is forgotten", || core.handshake("strict", HEAD, "").status() == 101);
}
