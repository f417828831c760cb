//! A client whose network is away.

use super::super::suspended::PROOF_INTERVAL;
use super::*;
use crate::{Back, KeptMemory, Progress};

fn wire(settings: Settings) -> Wire {
    let mut wire = Wire::new(Settings { resume_window: 1000, ping_interval: 0, ..settings });
    wire.session.keep(Arc::default());
    wire
}

fn back(arrived: u64) -> Back<'static> {
    Back { arrived, compression: None, owner: fws_wire::Owner(1), greeting: "hello" }
}

fn text(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81, payload.len() as u8];
    bytes.extend_from_slice(payload);
    bytes
}

fn send(wire: &mut Wire, payload: &[u8]) -> Taken {
    wire.send(Frame::message(false, payload))
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_behind_a_greeting_and_then_a_ping() {
    let mut wire = wire(Settings::default());
    for payload in [b"1", b"2", b"3"] {
        send(&mut wire, payload);
    }
    wire.written();
    wire.at(500).session.disconnected(500);
    assert!(wire.session.is_suspended() && wire.closed().is_none());
    assert_eq!(send(&mut wire, b"4"), Taken::Queued { dropped: 0 });
    assert_eq!((wire.session.outbox_len(), wire.backlog.queued()), (0, 0));
    assert!(!wire.session.send_message(false, b"an echo of nothing", &mut wire.spares));
    // It has seen the first message only.
    assert!(wire.session.come_back(back(1), 900, &mut wire.spares));
    let expected = [text(b"hello"), text(b"2"), text(b"3"), text(b"4"), vec![0x89, 4, 0, 0, 0, 1]].concat();
    assert_eq!(wire.written(), expected);
    assert_eq!(wire.session.progress(), Some(Progress { arrived: 1, sent: 4, ..Progress::default() }));
    assert!(!wire.session.is_greeted());
    wire.receive(&client(0x8a, &[0, 0, 0, 1]));
    assert!(wire.session.is_greeted());
    assert_eq!(wire.session.progress().map(|progress| progress.arrived), Some(4));
    assert_eq!(wire.receive(&client(0x81, b"hi")), [b"hi".to_vec()]);
    assert_eq!(wire.session.progress().map(|progress| progress.received), Some(1));
}

#[test]
fn only_what_is_possible_is_believed() {
    let mut wire = wire(Settings::default());
    for payload in [b"1", b"2", b"3"] {
        send(&mut wire, payload);
    }
    wire.session.ping(0, &mut wire.spares);
    wire.written();
    wire.receive(&client(0x8a, &[0, 0, 0, 1]));
    send(&mut wire, b"4");
    assert!(!wire.session.come_back(back(3), 0, &mut wire.spares), "it is not away");
    wire.session.disconnected(0);
    assert!(!wire.session.come_back(back(2), 0, &mut wire.spares), "it has proved that it has 3");
    assert!(!wire.session.come_back(back(5), 0, &mut wire.spares), "there are 4 only");
    assert!(wire.session.come_back(back(4), 0, &mut wire.spares));
    assert_eq!(wire.written(), [text(b"hello"), vec![0x89, 4, 0, 0, 0, 2]].concat());
}

#[test]
fn a_client_that_does_not_come_back_in_time_ends_and_one_that_is_coming_is_waited_for() {
    let mut wire = wire(Settings::default());
    wire.at(100).session.disconnected(100);
    assert_eq!(wire.session.deadline(), Some(1100));
    assert_eq!(wire.at(1099).closed(), None);
    wire.session.wait_until(1500);
    assert_eq!((wire.session.deadline(), wire.at(1499).closed()), (Some(1500), None));
    let (code, reason, clean) = wire.at(1500).closed().expect("ended");
    assert_eq!((code, clean), (1006, false));
    assert!(reason.contains("did not come back"), "{reason}");
    assert!(wire.session.is_ended() && !wire.session.come_back(back(0), 1500, &mut wire.spares));
}

#[test]
fn a_client_that_answers_no_ping_is_away() {
    let mut wire = Wire::new(Settings { resume_window: 1000, ping_interval: 100, pong_timeout: 50, ..Settings::default() });
    wire.session.keep(Arc::default());
    wire.at(100).written();
    assert!(wire.at(150).session.is_suspended());
    assert!(wire.session.come_back(back(0), 200, &mut wire.spares));
    assert_eq!(wire.session.deadline(), Some(250), "the pong of the new connection's own ping");
}

#[test]
fn an_end_that_either_side_decided_is_no_absence() {
    let end = |end: fn(&mut Wire)| {
        let mut wire = wire(Settings::default());
        end(&mut wire);
        assert!(!wire.session.is_suspended());
        wire.closed()
    };
    let close = |wire: &mut Wire| drop(wire.receive(&client(0x88, &1001u16.to_be_bytes())));
    assert_eq!(end(close).map(|closed| closed.0), Some(1001));
    assert_eq!(end(|wire| wire.session.cut("killed")).map(|closed| closed.0), Some(1006));
    assert_eq!(end(|wire| drop(wire.receive(b"\xff\xff"))).map(|closed| closed.0), Some(1002));
    let closing = |wire: &mut Wire| {
        wire.session.close(4000, "bye", 0, &mut wire.spares);
        wire.session.disconnected(0);
    };
    assert_eq!(end(closing).map(|closed| closed.0), Some(4000));
    let leaving = |wire: &mut Wire| {
        wire.session.leave(50, 0);
        wire.session.disconnected(0);
    };
    assert_eq!(end(leaving).map(|closed| closed.0), Some(1006));
}

#[test]
fn a_client_that_is_away_can_be_closed_cut_and_left_behind() {
    let away = || {
        let mut wire = wire(Settings::default());
        wire.session.disconnected(0);
        wire
    };
    let mut closed = away();
    closed.session.close(4000, "bye", 0, &mut closed.spares);
    assert_eq!((closed.closed(), closed.session.is_ended()), (Some((4000, "bye".to_owned(), false)), true));
    let mut cut = away();
    cut.session.cut("killed");
    assert_eq!(cut.closed(), Some((1006, "killed".to_owned(), false)));
    let mut left = away();
    left.session.leave(300, 0);
    assert_eq!(left.session.deadline(), Some(300));
    assert!(left.at(300).session.is_ended());
    let mut configured = away();
    configured.session.configure(Arc::default(), 0, 0);
    assert!(configured.at(0).session.is_ended(), "its route has no resume any more");
}

#[test]
fn a_message_that_cannot_be_kept_ends_a_client_that_is_away_and_does_not_harm_one_that_is_there() {
    let backlog = BacklogSettings { max_outbox: 500, slow_client: SlowClient::DropNewest };
    let settings = || Settings { backlog: backlog.clone(), ..Settings::default() };
    let mut wire = wire(settings());
    for _ in 0..3 {
        assert_eq!(send(&mut wire, &[b'a'; 100]), Taken::Queued { dropped: 0 });
    }
    wire.written();
    assert_eq!(send(&mut wire, &[b'a'; 100]), Taken::Queued { dropped: 0 });
    assert_eq!(wire.session.progress().map(|progress| progress.lost), Some(true));
    wire.session.disconnected(0);
    assert_eq!(wire.closed().map(|closed| closed.0), Some(1006), "it cannot come back");

    let mut wire = super::away::wire(settings());
    wire.session.disconnected(0);
    for _ in 0..2 {
        send(&mut wire, &[b'a'; 100]);
    }
    assert_eq!(send(&mut wire, &[b'a'; 200]), Taken::NotKept { dropped: 2 });
    assert_eq!((wire.session.is_ended(), wire.backlog.dropped()), (true, 3));
}

#[test]
fn a_client_that_lost_a_message_to_drop_oldest_cannot_come_back() {
    let backlog = BacklogSettings { max_outbox: 250, slow_client: SlowClient::DropOldest };
    let mut wire = wire(Settings { backlog, ..Settings::default() });
    for _ in 0..2 {
        send(&mut wire, &[b'a'; 100]);
    }
    assert_eq!(send(&mut wire, &[b'a'; 100]), Taken::Queued { dropped: 1 });
    wire.session.disconnected(0);
    assert!(!wire.session.is_suspended());
}

#[test]
fn a_client_that_is_sent_much_is_asked_what_has_arrived() {
    let backlog = BacklogSettings { max_outbox: 4000, ..BacklogSettings::default() };
    let mut wire = wire(Settings { backlog, ..Settings::default() });
    for round in 1..=20u8 {
        for _ in 0..2 {
            assert_eq!(send(&mut wire, &[b'a'; 300]), Taken::Queued { dropped: 0 });
        }
        wire.session.probe(0, &mut wire.spares);
        assert!(wire.written().ends_with(&[0x89, 4, 0, 0, 0, round]), "round {round}");
        wire.receive(&client(0x8a, &[0, 0, 0, round]));
    }
    assert_eq!(wire.session.progress(), Some(Progress { arrived: 40, sent: 40, ..Progress::default() }));
}

#[test]
fn what_was_received_and_held_back_did_not_arrive() {
    let rate_limit = Some(RateLimit { messages: 1, bytes: 0, burst: 1000, exceed: Exceed::Delay });
    let mut wire = wire(Settings { rate_limit, ..Settings::default() });
    let sent = [client(0x81, b"1"), client(0x81, b"2"), client(0x81, b"3")].concat();
    let got = wire.receive(&sent).len() as u64;
    assert!(got < 3 && wire.session.is_held());
    wire.session.disconnected(0);
    assert!(wire.session.come_back(back(0), 0, &mut wire.spares));
    assert!(!wire.session.is_held());
    assert_eq!(wire.session.progress().map(|progress| progress.received), Some(got));
}

#[test]
fn memory_is_given_back_however_it_ends() {
    let memory = Arc::new(KeptMemory::default());
    let mut wire = Wire::new(Settings { resume_window: 1000, ..Settings::default() });
    wire.session.keep(memory.clone());
    send(&mut wire, b"1");
    assert!(memory.used() > 0);
    wire.session.disconnected(0);
    send(&mut wire, b"2");
    wire.at(1000);
    drop(wire);
    assert_eq!(memory.used(), 0);
}

#[test]
fn a_client_that_talks_all_the_time_is_asked_for_proof_of_what_it_got() {
    for (settings, interval) in [(100, 100), (0, PROOF_INTERVAL)] {
        let mut wire = Wire::new(Settings { ping_interval: settings, pong_timeout: 50, resume_window: 1000, ..Settings::default() });
        wire.session.keep(Arc::default());
        assert_eq!(wire.send(Frame::message(false, b"a")), Taken::Queued { dropped: 0 });
        assert_eq!(wire.written(), b"\x81\x01a");
        for now in (0..interval).step_by(10) {
            wire.at(now).receive(&client(0x81, b"hi"));
        }
        assert_eq!(wire.written(), b"");
        assert_eq!((wire.session.deadline(), wire.at(interval).written()), (Some(interval), b"\x89\x04\0\0\0\x01".to_vec()));
        wire.receive(&client(0x8a, b"\0\0\0\x01"));
        assert_eq!(wire.session.progress().map(|progress| progress.arrived), Some(1));
        // Nothing is kept, so its talking is proof enough that it is there.
        wire.at(interval + 90).receive(&client(0x81, b"hi"));
        assert_eq!(wire.session.deadline(), (settings > 0).then_some(interval + 190));
    }
}

#[test]
fn an_end_of_the_connection_that_is_told_twice_is_one_break() {
    let mut wire = wire(Settings::default());
    wire.at(500).session.disconnected(500);
    wire.session.disconnected(500);
    assert!(wire.session.is_suspended() && wire.closed().is_none());
    assert!(wire.session.come_back(back(0), 900, &mut wire.spares));
}
