//! What a client has sent before its end, and what it may do after that.

use std::sync::atomic::{AtomicBool, Ordering};

use fws_hub::command::{Close, SendTo};
use fws_hub::{Command, Outcome, Reply, Target};
use fws_server::Core;
use fws_session::Event;

use crate::common::counter;
use crate::peer::{Peer, frame};
use crate::php::{Told, handle, is_live};
use crate::{HEAD, check_gone, configure, nothing, number, numbered, started, tag, wait_until};

#[test]
fn of_a_client_that_breaks_the_protocol_nothing_that_waited_comes() {
    for piped in [false, true] {
        let core = started("");
        let peer = Peer::connect(&core, piped);
        // All in one read, and the violation at its end.
        let mut bytes: Vec<u8> = (0..100).flat_map(numbered).collect();
        bytes.extend_from_slice(&[0x81, 0x01, b'x']); // not masked
        peer.send_all(&bytes);
        wait_until("it is found", || counter(&core, "violations") == 1);
        let told = Told::default();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!((told.opened.load(Ordering::SeqCst), told.messages.load(Ordering::SeqCst)), (1, 0));
        assert_eq!(told.closed.lock().expect("sound")[0].0, 1002);
        assert_eq!(counter(&core, "messages_discarded"), 100);
        assert_eq!(core.stats()["events_pending_bytes"], 0);
        peer.vanish();
    }
}

#[test]
fn of_a_client_that_is_closed_because_it_does_not_read_nothing_that_waited_comes() {
    for piped in [false, true] {
        let core = started(r#","max_outbox":100000,"close_timeout":50000000"#);
        let peer = Peer::connect(&core, piped);
        peer.send_all(&(0..100).flat_map(numbered).collect::<Vec<_>>());
        wait_until("all wait", || counter(&core, "events_pending") == 101);
        let id = core.ids()[0].clone();
        tag(&core, &id);
        let data = vec![0; 50_000];
        let to_it = || Command::Send(SendTo { to: Target::Client(&id), route: None, except: None, binary: true, data: data[..].into() });
        wait_until("a message does not fit", || core.ask(&to_it()) == Ok(Reply::Sent(Outcome::Dropped)));
        // On this thread, before the shard knows.
        check_gone(&core, &id);
        assert_eq!((counter(&core, "events_pending"), counter(&core, "messages_discarded")), (1, 100));
        let (told, over) = (Told::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!((told.messages.load(Ordering::SeqCst), told.closed.lock().expect("sound")[0].0), (0, 1013));
        peer.vanish();
    }
}

#[test]
fn what_a_client_sent_before_its_own_end_comes_unless_the_application_closes_it_meanwhile() {
    for closes in [false, true] {
        for (end, code) in [(Some(frame(0x88, &4000u16.to_be_bytes())), 4000), (Some(frame(0x88, b"")), 1005), (None, 1006)] {
            let core = started("");
            let peer = Peer::connect(&core, false);
            peer.send_all(&(0..100).flat_map(numbered).chain(end.iter().flatten().copied()).collect::<Vec<_>>());
            if end.is_none() {
                peer.vanish();
            }
            wait_until("its end is known", || counter(&core, "events_pending") == 102);
            let act = |core: &Core, id: &str, event: &Event| {
                assert!(!is_live(core, id));
                if closes && number(event) == Some(10) {
                    assert_eq!(core.ask(&Command::Close(Close { id, code: 4001, reason: "" })), Ok(Reply::Flag(false)));
                }
                None
            };
            let (told, over) = (Told { leave: true, ..Told::default() }, AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| handle(&core, &told, &over, &act));
                wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
                over.store(true, Ordering::SeqCst);
            });
            assert_eq!(told.messages.load(Ordering::SeqCst), if closes { 11 } else { 100 });
            assert_eq!(told.closed.lock().expect("sound").iter().map(|closed| closed.0).collect::<Vec<_>>(), [code]);
            assert_eq!(counter(&core, "messages_discarded"), if closes { 89 } else { 0 });
        }
    }
}

#[test]
fn a_client_that_is_not_read_since_php_is_behind_can_still_answer_the_close() {
    for piped in [false, true] {
        // Longer than this test may take: it must be the answer that ends it.
        let core = started(r#","max_pending_events":4,"close_timeout":3600000000000"#);
        let peer = Peer::connect(&core, piped);
        let id = core.ids()[0].clone();
        let bytes: Vec<u8> = (0..2000).flat_map(numbered).collect();
        let sender = {
            let peer = peer.clone();
            std::thread::spawn(move || {
                peer.send_all(&bytes);
                peer.send_all(&frame(0x88, &4001u16.to_be_bytes()));
            })
        };
        wait_until("it is not read any more", || counter(&core, "events_pending") >= 4);
        assert_eq!(core.ask(&Command::Close(Close { id: &id, code: 4001, reason: "" })), Ok(Reply::Flag(true)));
        assert_eq!(peer.read_to_end().map(|seen| seen.0), Some(4001));
        sender.join().expect("all was sent");
        peer.vanish();
        let (told, over) = (Told::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| handle(&core, &told, &over, &nothing));
            wait_until("PHP was told of its end", || !told.closed.lock().expect("sound").is_empty());
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!(*told.closed.lock().expect("sound"), [(4001, String::new(), true)]);
        assert_eq!((told.messages.load(Ordering::SeqCst), counter(&core, "messages_discarded")), (0, 2000));
    }
}

#[test]
fn a_client_that_the_server_closes_may_come_back_at_once_though_it_has_not_answered() {
    for reload in [false, true] {
        let limit = r#""max_connections_per_ip":1,"close_timeout":3600000000000"#;
        let core = started(&if reload { r#","close_timeout":3600000000000"#.to_owned() } else { format!(",{limit}") });
        let peer = Peer::connect(&core, false);
        let id = core.ids()[0].clone();
        assert_eq!(core.ask(&Command::Close(Close { id: &id, code: 4001, reason: "" })), Ok(Reply::Flag(true)));
        if reload {
            // The option comes with a reload while the end is under way.
            configure(&core, 2, &format!(r#"{{"name":"r","worker":"w",{limit}}},"#));
        }
        let again = Peer::connect(&core, false);
        assert_eq!(core.handshake("r", HEAD, "192.0.2.1").status(), 429, "there is one place, and it is taken");
        again.vanish();
        wait_until("the place is free", || core.handshake("r", HEAD, "192.0.2.1").status() == 101);
        peer.vanish();
    }
}
