//! Clients that send too fast.

use super::*;

fn messages(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| client(0x82, &[n as u8])).collect()
}

fn rate(messages: u32, bytes: u64, exceed: Exceed) -> Settings {
    Settings { rate_limit: Some(RateLimit { messages, bytes, burst: 1000, exceed }), ping_interval: 0, ..Settings::default() }
}

#[test]
fn a_client_that_sends_too_fast_is_delayed_and_loses_nothing() {
    let mut wire = Wire::new(rate(10, 0, Exceed::Delay));
    // All in one segment, and half a frame behind it.
    let mut bytes = messages(45);
    let half = bytes.split_off(bytes.len() - 3);
    let mut got = wire.receive(&bytes);
    assert_eq!(got.len(), 10, "the burst");
    assert!(!wire.wants_read() && wire.session.is_held());
    while got.len() < 44 {
        let at = wire.session.deadline().expect("it goes on some time");
        assert!(wire.now < at);
        wire.at(at);
        got.extend(wire.take_held().expect("due"));
        assert!(got.len() as u64 <= 10 + wire.now / 100, "{} at {}", got.len(), wire.now);
    }
    assert_eq!(got, (0..44).map(|n| vec![n]).collect::<Vec<_>>());
    assert!((3300..3500).contains(&wire.now), "{}", wire.now);
    while wire.session.is_held() {
        let at = wire.session.deadline().expect("it goes on some time");
        wire.at(at).take_held();
    }
    assert!(wire.wants_read());
    wire.now += 1000;
    assert_eq!(wire.receive(&half), [[44]]);
}

#[test]
fn whatever_costs_more_to_handle_than_to_receive_counts_as_a_message() {
    let long = |first: u8, length: u16| {
        let mut bytes = vec![first, 0xfe];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.resize(bytes.len() + 4 + usize::from(length), 0);
        bytes
    };
    for (name, frames, delayed) in [
        ("messages", messages(11), true),
        ("pings", (0..11).flat_map(|_| client(0x89, b"")).collect(), true),
        ("pongs that nobody asked for", (0..11).flat_map(|_| client(0x8a, b"")).collect(), true),
        ("empty fragments", [client(0x02, b""), (0..11).flat_map(|_| client(0x00, b"")).collect()].concat(), true),
        ("short fragments", [client(0x02, b"a"), (0..11).flat_map(|_| long(0x00, 1023)).collect()].concat(), true),
        (
            "a message of long fragments",
            [long(0x02, 1024), (0..30).flat_map(|_| long(0x00, 1024)).collect(), client(0x80, b"")].concat(),
            false,
        ),
        ("ten messages", messages(10), false),
    ] {
        let mut wire = Wire::new(rate(10, 0, Exceed::Delay));
        wire.receive(&frames);
        // Another message, to see whether it may come.
        let now = if name.contains("fragments") && delayed { client(0x80, b"") } else { Vec::new() };
        wire.receive(&[now, client(0x82, b"x")].concat());
        assert_eq!(wire.session.is_held(), delayed || name == "ten messages", "{name}");
        let mut closing = Wire::new(rate(10, 0, Exceed::Close));
        closing.receive(&frames);
        assert_eq!(closing.closed().map(|(code, ..)| code), delayed.then_some(1008), "{name}");
    }
    // The answer to a ping of ours costs nothing.
    let mut wire = Wire::new(rate(1, 0, Exceed::Close));
    wire.receive(&client(0x82, b"all that it may"));
    wire.session.ping(0, &mut wire.spares);
    wire.receive(&client(0x8a, &1u32.to_be_bytes()));
    assert_eq!(wire.closed(), None);
    wire.receive(&client(0x8a, &1u32.to_be_bytes()));
    assert_eq!(wire.closed().map(|(code, ..)| code), Some(1008), "once");
}

#[test]
fn a_client_that_sends_too_many_bytes_is_delayed_as_long_as_they_take() {
    let mut wire = Wire::new(rate(0, 100, Exceed::Delay));
    assert_eq!(wire.receive(&client(0x82, &[0; 84])).len(), 1);
    assert!(wire.wants_read());
    assert_eq!(wire.receive(&client(0x82, &[0; 84])).len(), 1, "a message that began is received");
    assert!(!wire.wants_read());
    let debt = 80 * 10;
    assert_eq!(wire.session.deadline(), Some(debt));
    assert_eq!(wire.at(debt - 1).session.take_held(debt - 1), None);
    assert_eq!(wire.at(debt).take_held(), Some(vec![]));
    assert!(wire.wants_read());
}

#[test]
fn a_client_that_is_not_read_for_its_rate_is_read_again_once_it_is_closed() {
    let mut wire = Wire::new(rate(0, 100, Exceed::Delay));
    wire.receive(&[client(0x82, &[0; 100]), client(0x82, &[0; 100])].concat());
    assert!(!wire.wants_read());
    wire.now = 10;
    wire.session.close(4000, "enough", wire.now, &mut wire.spares);
    wire.written();
    assert_eq!(wire.session.deadline(), Some(10));
    assert!(wire.take_held().is_some() && wire.wants_read());
    wire.receive(&client(0x88, b"\x0f\xa0"));
    assert_eq!(wire.closed(), Some((4000, "enough".into(), true)));
}

#[test]
fn with_exceed_close_a_client_that_sends_too_fast_is_closed_with_1008_and_what_it_was_allowed_arrives() {
    let mut wire = Wire::new(rate(10, 0, Exceed::Close));
    assert_eq!(wire.receive(&messages(20)).len(), 10);
    let written = wire.written();
    assert_eq!((written[0], &written[2..4]), (0x88, &1008u16.to_be_bytes()[..]));
    let closed = wire.session.take_closed().expect("it has ended");
    assert_eq!((closed.code, closed.failed), (1008, Some(Failed::Violation)));
}

#[test]
fn pings_count_against_the_rate_and_not_against_idleness() {
    let mut wire = Wire::new(Settings { idle_timeout: 500, ..rate(10, 0, Exceed::Close) });
    let pings: Vec<u8> = (0..10).flat_map(|_| client(0x89, b"")).collect();
    wire.now = 400;
    wire.receive(&pings);
    assert!(!wire.session.is_ending());
    assert_eq!(wire.session.deadline(), Some(500));
    wire.receive(&client(0x89, b""));
    assert_eq!(wire.closed().map(|c| c.0), Some(1008));
}

#[test]
fn what_is_held_goes_on_when_the_limit_is_taken_away() {
    let mut wire = Wire::new(rate(1, 0, Exceed::Delay));
    assert_eq!(wire.receive(&messages(3)).len(), 1);
    wire.now = 10;
    wire.session.configure(Arc::new(Settings::default()), 10, 0);
    assert_eq!(wire.session.deadline(), Some(10));
    assert_eq!(wire.take_held(), Some(vec![vec![1], vec![2]]));
    assert!(wire.wants_read());
}

#[test]
fn what_comes_while_something_is_held_is_held_behind_it() {
    let mut wire = Wire::new(rate(1, 0, Exceed::Delay));
    let all = messages(4);
    assert_eq!(wire.receive(&all[..14]).len(), 1);
    assert_eq!(wire.receive(&all[14..]), Vec::<Vec<u8>>::new());
    wire.now = 10;
    wire.session.configure(Arc::new(Settings::default()), 10, 0);
    assert_eq!(wire.take_held(), Some(vec![vec![1], vec![2], vec![3]]));
}

#[test]
fn the_time_in_which_a_client_is_not_read_is_not_its_own() {
    let settings = Settings { message_timeout: 50, ..rate(0, 100, Exceed::Delay) };
    let mut wire = Wire::new(settings);
    wire.receive(&[&client(0x82, &[0; 100])[..], &[0x82]].concat());
    assert!(wire.session.is_held());
    while wire.session.is_held() {
        let at = wire.session.deadline().expect("it goes on some time");
        wire.at(at).take_held().expect("due");
    }
    let at = wire.now;
    assert!(at > 50, "{at}");
    assert_eq!((wire.closed(), wire.session.deadline()), (None, Some(at + 50)));
    // The same holds where events wait for PHP; the session knows nothing of them.
    wire.session.heard(at + 20);
    assert_eq!(wire.session.deadline(), Some(at + 70));
}

#[test]
fn silence_that_is_the_servers_own_doing_is_not_idleness() {
    let mut wire = Wire::new(Settings { idle_timeout: 100, ping_interval: 100, pong_timeout: 50, ..rate(0, 10, Exceed::Delay) });
    // A debt of ten seconds.
    wire.receive(&client(0x82, &[0; 104]));
    while wire.now < 10_000 {
        let at = wire.session.deadline().expect("it is held");
        assert!(!wire.at(at).session.is_ended() && wire.session.phase == Phase::Open, "at {at}");
        if wire.take_held().is_some() {
            break;
        }
    }
    assert!(wire.wants_read());
    assert_eq!(wire.session.deadline(), Some(wire.now + 100), "from here on it counts");
}
