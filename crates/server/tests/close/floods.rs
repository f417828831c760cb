//! Clients that send as fast as they can while they are closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fws_hub::command::{Close, Kill};
use fws_hub::{Command, Reply};
use fws_server::Core;
use fws_session::Event;

use crate::common::counter;
use crate::peer::Peer;
use crate::php::{Told, handle};
use crate::{check_gone, configure, nothing, number, numbered, started, tag, wait_until};

const CLIENTS: usize = 12;
/// As many as a client of them sends at least, if it is not closed before.
const MESSAGES: u32 = 3000;

/// Clients send as fast as they can while PHP and `end` do what they do. Each is closed in the end, with this code.
fn hammer(options: &str, code: u16, act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync), end: &dyn Fn(&Core, &Told)) {
    for piped in [false, true] {
        // Nobody answers the close frame, and what each sends until it is cut is thrown away.
        let core = started(&format!(r#","close_timeout":300000000{options}"#));
        let (told, over, stop) = (Told::default(), AtomicBool::new(false), AtomicBool::new(false));
        let peers: Vec<Peer> = (0..CLIENTS).map(|_| Peer::connect(&core, piped)).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| handle(&core, &told, &over, act));
            }
            let mut readers = Vec::new();
            for peer in &peers {
                scope.spawn(|| flood(peer, &stop));
                readers.push(scope.spawn(|| peer.read_to_end()));
            }
            end(&core, &told);
            wait_until("PHP was told of all ends", || told.closed.lock().expect("sound").len() == CLIENTS);
            stop.store(true, Ordering::SeqCst);
            for (peer, reader) in peers.iter().zip(readers) {
                // A client that was cut sees no close frame. One that still sent when the connection was closed may not see it either.
                let seen = reader.join().expect("it has ended");
                assert!(seen.is_none_or(|seen| seen.0 == code));
                peer.vanish();
            }
            wait_until("all are forgotten", || core.stats()["connections_known"] == 0);
            over.store(true, Ordering::SeqCst);
        });
        let closed = told.closed.lock().expect("sound");
        assert_eq!((closed.len(), told.opened.load(Ordering::SeqCst)), (CLIENTS, CLIENTS), "one event each");
        assert!(closed.iter().all(|closed| closed.0 == code), "{closed:?}");
        let (received, handled, discarded) =
            (counter(&core, "messages_received"), told.messages.load(Ordering::SeqCst) as u64, counter(&core, "messages_discarded"));
        assert_eq!(received, handled + discarded, "nothing is lost uncounted");
        let stats = core.stats();
        assert_eq!((&stats["events_pending"], &stats["events_pending_bytes"]), (&0.into(), &0.into()));
    }
}

/// Sends until the end of the connection, or until told to stop, and reads nothing.
fn flood(peer: &Peer, stop: &AtomicBool) {
    let mut number = 0;
    while number < MESSAGES || !stop.load(Ordering::SeqCst) {
        // A few at a time, as they come over a network.
        let bytes: Vec<u8> = (0..20).flat_map(|more| numbered(number + more)).collect();
        number += 20;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match peer.send(rest) {
                Some(0) if stop.load(Ordering::SeqCst) => return,
                Some(0) => std::thread::yield_now(),
                Some(count) => rest = &rest[count..],
                None => return,
            }
        }
    }
}

#[test]
fn after_close_in_a_handler_no_message_comes() {
    let act = |core: &Core, id: &str, event: &Event| {
        match number(event) {
            None => tag(core, id),
            Some(50) => {
                assert_eq!(core.ask(&Command::Close(Close { id, code: 4001, reason: "enough" })), Ok(Reply::Flag(true)));
                check_gone(core, id);
            }
            Some(number) => assert!(number < 50),
        }
        None
    };
    hammer("", 4001, &act, &|_, _| {});
}

#[test]
fn after_a_kill_in_a_handler_no_message_comes() {
    let act = |core: &Core, id: &str, event: &Event| {
        match number(event) {
            None => tag(core, id),
            Some(50) => {
                assert_eq!(core.ask(&Command::Kill(Kill { id })), Ok(Reply::Flag(true)));
                check_gone(core, id);
            }
            Some(number) => assert!(number < 50),
        }
        None
    };
    hammer("", 1006, &act, &|_, _| {});
}

#[test]
fn after_a_close_or_a_kill_by_anybody_else_no_message_comes() {
    for kill in [false, true] {
        hammer("", if kill { 1006 } else { 1000 }, &nothing, &|core, told| {
            wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
            for id in core.ids() {
                let done = match kill {
                    true => core.ask(&Command::Kill(Kill { id: &id })),
                    false => core.ask(&Command::Close(Close { id: &id, code: 1000, reason: "" })),
                };
                assert_eq!(done, Ok(Reply::Flag(true)));
                check_gone(core, &id);
            }
        });
    }
}

#[test]
fn after_an_event_that_failed_no_message_comes_where_on_error_closes() {
    let act = |_: &Core, _: &str, event: &Event| {
        assert!(number(event).is_none_or(|number| number <= 50));
        (number(event) == Some(50)).then(|| "it failed".to_owned())
    };
    hammer(r#","on_error":"close""#, 1011, &act, &|_, _| {});
}

#[test]
fn a_client_whose_first_event_failed_is_closed_whatever_on_error_says_and_none_of_its_messages_comes() {
    for on_error in ["continue", "close"] {
        let act = |_: &Core, _: &str, event: &Event| {
            assert_eq!(number(event), None);
            Some("nobody let it in".to_owned())
        };
        hammer(&format!(r#","on_error":"{on_error}""#), 1011, &act, &|_, _| {});
    }
}

#[test]
fn after_a_rate_limit_that_closes_no_message_comes() {
    hammer(r#","rate_limit":{"messages":200,"burst":1000000000,"exceed":"close"}"#, 1008, &nothing, &|_, _| {});
}

#[test]
fn after_the_end_of_a_lifetime_no_message_comes() {
    hammer(r#","max_lifetime":200000000"#, 1001, &nothing, &|_, _| {});
}

#[test]
fn after_a_reload_that_has_no_such_route_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        // Its worker is still there, for the other route.
        configure(core, 2, "");
    });
}

#[test]
fn after_a_reload_that_makes_it_an_echo_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        configure(core, 2, r#"{"name":"r","echo":true},"#);
    });
}

#[test]
fn at_the_end_of_the_server_no_message_comes() {
    hammer("", 1001, &nothing, &|core, told| {
        wait_until("many have come", || told.messages.load(Ordering::SeqCst) > 500);
        core.drain(Duration::ZERO);
    });
}
