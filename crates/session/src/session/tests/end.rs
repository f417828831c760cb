//! How connections end.

use super::*;

#[test]
fn the_clients_close_is_echoed_then_our_end_is_closed_then_its_end_is_waited_for() {
    let mut wire = Wire::new(Settings::default());
    wire.receive(&client(0x88, b"\x0f\xa1bye"));
    assert_eq!(wire.closed(), Some((4001, "bye".into(), true)));
    assert!(!wire.session.take_half_close(), "not before the answer is written");
    assert_eq!(wire.written(), b"\x88\x02\x0f\xa1");
    assert!(wire.session.take_half_close());
    assert!(!wire.session.take_half_close(), "only once");
    assert!(!wire.session.is_ended());
    wire.session.disconnected(wire.now);
    assert!(wire.session.is_ended());
    assert_eq!(wire.closed(), None, "told once");
}

#[test]
fn a_close_frame_without_code_is_answered_without_one() {
    let mut wire = Wire::new(Settings::default());
    wire.receive(&client(0x88, b""));
    assert_eq!(wire.closed(), Some((1005, "".into(), true)));
    assert_eq!(wire.written(), b"\x88\x00");
}

#[test]
fn our_close_waits_for_the_clients_and_messages_on_their_way_still_arrive() {
    let mut wire = Wire::new(Settings::default());
    wire.session.send_message(false, b"last", &mut wire.spares);
    wire.session.close(1000, "done", 0, &mut wire.spares);
    wire.session.close(1001, "again", 0, &mut wire.spares);
    assert!(!wire.session.send_message(false, b"too late", &mut wire.spares));
    assert_eq!(wire.written(), b"\x81\x04last\x88\x06\x03\xe8done");
    assert_eq!(wire.receive(&client(0x81, b"crossing")), [b"crossing".to_vec()]);
    wire.receive(&client(0x89, b"no pong after close"));
    wire.receive(&client(0x88, b"\x03\xe8"));
    assert_eq!(wire.closed(), Some((1000, "done".into(), true)));
    assert_eq!(wire.written(), b"");
    assert!(wire.session.take_half_close());
}

#[test]
fn a_pong_that_waited_for_room_does_not_follow_the_close_frame() {
    for by_client in [false, true] {
        let mut wire =
            Wire::new(Settings { backlog: BacklogSettings { max_outbox: 10, ..BacklogSettings::default() }, ..Settings::default() });
        assert!(wire.session.send_message(true, &[0; 20], &mut wire.spares));
        wire.receive(&client(0x89, b"ping"));
        if by_client {
            wire.receive(&client(0x88, b""));
        } else {
            wire.session.close(1001, "", 0, &mut wire.spares);
        }
        let written = wire.written();
        assert_eq!(written[22], 0x88, "{written:02x?}");
        assert_eq!(written.len(), if by_client { 24 } else { 26 }, "{written:02x?}");
    }
}

#[test]
fn a_client_that_does_not_answer_the_close_is_cut() {
    let mut wire = Wire::new(Settings::default());
    wire.session.close(1001, "", 0, &mut wire.spares);
    wire.written();
    assert_eq!(wire.session.deadline(), Some(5000));
    assert!(wire.at(5000).session.is_ended());
    assert_eq!(wire.closed().map(|c| (c.0, c.2)), Some((1001, false)));
}

#[test]
fn a_client_that_keeps_its_end_open_is_cut_after_a_while() {
    let mut wire = Wire::new(Settings::default());
    wire.receive(&client(0x88, b""));
    wire.written();
    assert!(wire.session.take_half_close());
    assert!(!wire.at(1999).session.is_ended());
    assert!(wire.at(2000).session.is_ended());
}

#[test]
fn a_violation_is_answered_with_its_code_and_nothing_after_it_is_looked_at() {
    let mut wire = Wire::new(Settings::default());
    let mut bytes = client(0x81, b"good");
    bytes.extend(client(0x83, b""));
    bytes.extend(client(0x81, b"ignored"));
    assert_eq!(wire.receive(&bytes), [b"good".to_vec()]);
    let written = wire.written();
    assert_eq!((written[0], &written[2..4]), (0x88, &1002u16.to_be_bytes()[..]));
    assert_eq!(wire.closed(), Some((1002, "opcode 3 is reserved".into(), false)));
    assert!(wire.session.is_ending());
    assert_eq!(wire.receive(&client(0x81, b"ignored")), Vec::<Vec<u8>>::new());
}

#[test]
fn a_cut_without_a_close_frame_is_1006() {
    let mut wire = Wire::new(Settings::default());
    wire.session.disconnected(wire.now);
    assert_eq!(wire.closed().map(|c| (c.0, c.2)), Some((1006, false)));
}

#[test]
fn a_violation_after_our_close_frame_does_not_change_the_code() {
    let mut wire = Wire::new(Settings::default());
    wire.session.close(4000, "ours", 0, &mut wire.spares);
    wire.receive(&client(0x83, b""));
    let closed = wire.session.take_closed().expect("it has ended");
    assert_eq!((closed.code, closed.clean, closed.failed), (4000, false, Some(Failed::Violation)));
    assert_eq!(wire.written(), b"\x88\x06\x0f\xa0ours");
}

#[test]
fn a_client_without_messages_is_closed_with_1001_after_idle_timeout() {
    let mut wire = Wire::new(Settings { idle_timeout: 1000, ping_interval: 300, pong_timeout: 200, ..Settings::default() });
    for now in [300, 600, 900] {
        assert_eq!(wire.at(now).written()[..2], *b"\x89\x04");
        wire.receive(&client(0x8a, b""));
    }
    wire.receive(&client(0x81, b"here I am"));
    for now in [1200, 1500, 1800] {
        assert_eq!(wire.at(now).written()[..2], *b"\x89\x04");
        wire.receive(&client(0x8a, b""));
    }
    assert_eq!(wire.session.deadline(), Some(1900));
    let written = wire.at(1900).written();
    assert_eq!(written[..4], *b"\x88\x20\x03\xe9");
    wire.receive(&client(0x88, b"\x03\xe9"));
    assert_eq!(wire.closed(), Some((1001, "no message within idle_timeout".into(), true)));
}

#[test]
fn lives_end_with_1001_spread_over_a_fifth_of_max_lifetime() {
    let settings = Arc::new(Settings { max_lifetime: 1000, ping_interval: 0, ..Settings::default() });
    let ends: Vec<Millis> =
        (0..1000).map(|seed| Session::new(settings.clone(), 5000, seed).deadline().expect("it has an end") - 5000).collect();
    assert!(ends.iter().all(|end| (900..=1100).contains(end)));
    for tenth in 0..10 {
        let there = ends.iter().filter(|end| (900 + tenth * 20..920 + tenth * 20).contains(*end)).count();
        assert!((80..=120).contains(&there), "{there} of 1000 end in the {tenth}. tenth");
    }
    let mut wire = Wire::new(Settings { max_lifetime: 1000, ping_interval: 0, ..Settings::default() });
    let end = wire.session.deadline().expect("it has an end");
    assert_eq!(wire.at(end - 1).written(), b"");
    assert_eq!(wire.at(end).written()[2..4], 1001u16.to_be_bytes());
}

#[test]
fn other_settings_hold_at_once_and_a_shorter_life_does_not_end_all_at_the_same_time() {
    let plain = Arc::new(Settings { ping_interval: 0, ..Settings::default() });
    let short = Arc::new(Settings { max_lifetime: 1000, idle_timeout: 5000, ping_interval: 0, ..Settings::default() });
    let long = Arc::new(Settings { max_lifetime: 100_000, ping_interval: 0, ..Settings::default() });
    let mut session = Session::new(plain.clone(), 0, 7);
    assert_eq!(session.deadline(), None);
    session.configure(short.clone(), 50_000, 7);
    assert!(session.deadline().is_some_and(|end| (50_900..=51_100).contains(&end)), "it counts from when it was asked for");
    session.configure(plain, 50_001, 7);
    assert!(session.deadline().is_none() && session.limits.is_none());
    let ends: std::collections::HashSet<Millis> = (0..100)
        .map(|seed| {
            let mut session = Session::new(long.clone(), 0, seed);
            session.configure(short.clone(), 10_000, seed);
            session.deadline().expect("it has an end")
        })
        .collect();
    assert!(ends.len() > 50 && ends.iter().all(|end| (10_000..=10_100).contains(end)), "{ends:?}");
}

#[test]
fn a_connection_whose_route_is_gone_leaves_when_told_unless_the_route_comes_back() {
    let mut wire = Wire::new(Settings { ping_interval: 0, ..Settings::default() });
    wire.session.leave(100, 0);
    assert_eq!(wire.session.deadline(), Some(100));
    wire.session.configure(Arc::new(Settings { ping_interval: 0, ..Settings::default() }), 50, 0);
    assert!(wire.session.deadline().is_none() && wire.session.limits.is_none());
    wire.session.leave(100, 50);
    assert_eq!(wire.at(99).written(), b"");
    assert_eq!(wire.at(100).written(), b"\x88\x02\x03\xe9");
}
