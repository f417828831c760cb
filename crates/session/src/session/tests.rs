use super::*;

/// A connection with its socket's both ends in memory.
struct Wire {
    session: Session,
    spares: Spares,
    now: Millis,
}

impl Wire {
    fn new(settings: Settings) -> Wire {
        Wire { session: Session::new(Arc::new(settings), 0, 0), spares: Spares::default(), now: 0 }
    }

    /// The client sends frames; the messages the server sees.
    fn receive(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        let mut input = bytes.as_mut_slice();
        let mut got = Vec::new();
        while let Some(message) = self.session.receive(&mut input, self.now, Peer::default(), &mut self.spares) {
            got.push(message.payload.as_slice().to_vec());
        }
        got
    }

    /// The socket takes everything; what the client sees.
    fn written(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 2];
            let filled = self.session.slices(&mut slices);
            let now: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
            if now.is_empty() {
                return all;
            }
            all.extend_from_slice(&now);
            self.session.wrote(now.len(), self.now, &mut self.spares);
        }
    }

    /// What was held back is looked at, once it may be.
    fn resume(&mut self) -> Option<Vec<Vec<u8>>> {
        let rest = self.session.resume(self.now)?;
        Some(self.receive(&rest))
    }

    fn closed(&mut self) -> Option<(u16, String, bool)> {
        self.session.take_closed().map(|c| (c.code, c.reason, c.clean))
    }

    fn at(&mut self, now: Millis) -> &mut Self {
        self.now = now;
        self.session.tick(now, &mut self.spares);
        self
    }
}

/// A short client frame with a mask of zeros.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let mut wire = Wire::new(Settings::default());
    assert_eq!(wire.receive(&client(0x81, b"hi")), [b"hi".to_vec()]);
    wire.session.send_message(false, b"ho", &mut wire.spares);
    assert_eq!(wire.written(), b"\x81\x02ho");
    assert!(wire.session.outbox.is_none() && wire.session.decoder.buffered() == 0);
    assert!(size_of::<Session>() <= 128, "{} bytes", size_of::<Session>());
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let mut wire = Wire::new(Settings::default());
    wire.receive(&client(0x89, b"abc"));
    assert_eq!(wire.written(), b"\x8a\x03abc");
}

#[test]
fn a_flood_of_pings_of_a_client_that_does_not_read_is_bounded_and_the_last_one_is_answered() {
    let mut wire = Wire::new(Settings { max_outbox: 1000, ..Settings::default() });
    for n in 0..10_000u32 {
        wire.receive(&client(0x89, &n.to_be_bytes()));
    }
    assert!(wire.session.outbox_len() <= 1010, "{}", wire.session.outbox_len());
    assert!(!wire.session.wants_read());
    let written = wire.written();
    assert_eq!(written[written.len() - 4..], 9999u32.to_be_bytes());
    assert!(wire.session.wants_read());
}

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
    wire.session.disconnected();
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
        let mut wire = Wire::new(Settings { max_outbox: 10, ..Settings::default() });
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
    wire.session.disconnected();
    assert_eq!(wire.closed().map(|c| (c.0, c.2)), Some((1006, false)));
}

#[test]
fn a_silent_client_is_pinged_and_one_that_stays_silent_is_cut() {
    let mut wire = Wire::new(Settings { ping_interval: 100, pong_timeout: 50, ..Settings::default() });
    assert_eq!(wire.at(99).written(), b"");
    assert_eq!(wire.at(100).written(), b"\x89\x04\0\0\0\x01");
    wire.receive(&client(0x8a, b""));
    assert_eq!(wire.session.deadline(), Some(200));
    assert_eq!(wire.at(200).written(), b"\x89\x04\0\0\0\x02");
    assert_eq!(wire.session.deadline(), Some(250));
    assert!(wire.at(250).session.is_ended());
    assert_eq!(wire.closed().map(|c| c.0), Some(1006));
}

#[test]
fn a_client_with_an_interval_of_its_own_is_pinged_though_it_talks() {
    let mut wire = Wire::new(Settings { ping_interval: 1000, pong_timeout: 50, ..Settings::default() });
    wire.session.set_ping_interval(Some(100), 0);
    for round in 1..=3u8 {
        assert_eq!(wire.at(u64::from(round) * 100).written(), [0x89, 4, 0, 0, 0, round]);
        assert_eq!(wire.session.take_signs(), Signs { ping_sent: true, ..Signs::default() });
        assert_eq!(wire.session.deadline(), Some(u64::from(round) * 100 + 50), "the pong's");
        wire.receive(&client(0x81, b"busy"));
        assert_eq!(wire.session.take_signs(), Signs { broke_silence: true, ..Signs::default() }, "not the answer, but a sign of life");
        assert_eq!(wire.session.deadline(), Some(u64::from(round) * 100 + 100), "the next ping's");
        wire.receive(&client(0x8a, b"a heartbeat of its own"));
        assert_eq!(wire.session.take_signs(), Signs::default(), "neither is the answer");
        wire.receive(&client(0x8a, &[0, 0, 0, round]));
        assert_eq!(wire.session.take_signs(), Signs { pong_received: true, ..Signs::default() });
        wire.receive(&client(0x8a, &[0, 0, 0, round]));
        assert_eq!(wire.session.take_signs(), Signs::default(), "a ping is answered once");
    }
    wire.session.set_ping_interval(Some(0), 300);
    assert_eq!(wire.session.deadline(), None, "never");
    wire.session.set_ping_interval(None, 300);
    assert_eq!(wire.session.deadline(), Some(1300), "as the settings say");
    wire.session.set_ping_interval(Some(100), 350);
    assert_eq!(wire.at(450).written(), [0x89, 4, 0, 0, 0, 4]);
    assert!(wire.at(500).session.is_ended(), "nothing was heard");
}

#[test]
fn a_client_that_reads_slowly_gets_all_that_was_sent_before_the_close() {
    let mut wire = Wire::new(Settings { max_outbox: 1 << 20, ..Settings::default() });
    wire.session.send_message(true, &[7; 100_000], &mut wire.spares);
    wire.session.close(1000, "", 0, &mut wire.spares);
    for step in 1..=10 {
        assert!(!wire.at(step * 4000).session.is_ended(), "it takes something every 4 s");
        wire.session.wrote(10_000, step * 4000, &mut wire.spares);
    }
    assert!(wire.at(45_000).session.is_ended(), "5 s without progress");
    let mut wire = Wire::new(Settings::default());
    wire.session.send_message(true, &[7; 100_000], &mut wire.spares);
    wire.session.close(1000, "", 0, &mut wire.spares);
    for step in 1..=59 {
        wire.session.wrote(1, step * 1000, &mut wire.spares);
        assert!(!wire.at(step * 1000).session.is_ended());
    }
    wire.session.wrote(1, 59_900, &mut wire.spares);
    assert!(wire.at(60_000).session.is_ended(), "but not for ever");
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
    assert!(!wire.session.wants_read() && wire.session.is_held());
    while got.len() < 44 {
        let at = wire.session.deadline().expect("it goes on some time");
        assert!(wire.now < at);
        wire.at(at);
        got.extend(wire.resume().expect("due"));
        assert!(got.len() as u64 <= 10 + wire.now / 100, "{} at {}", got.len(), wire.now);
    }
    assert_eq!(got, (0..44).map(|n| vec![n]).collect::<Vec<_>>());
    assert!((3300..3500).contains(&wire.now), "{}", wire.now);
    while wire.session.is_held() {
        let at = wire.session.deadline().expect("it goes on some time");
        wire.at(at).resume();
    }
    assert!(wire.session.wants_read());
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
fn a_message_that_does_not_come_to_its_end_is_waited_for_as_long_as_it_makes_way() {
    let settings = || Settings { message_timeout: 5000, ping_interval: 0, ..Settings::default() };
    let begin = || {
        let mut bytes = vec![0x82, 0xfe];
        bytes.extend_from_slice(&60_000u16.to_be_bytes());
        bytes.resize(8, 0);
        bytes
    };
    // Whoever stops, or dribbles, is closed with 1013; where it stops makes no difference.
    for stops_after in [&begin()[..1], &begin()[..], &client(0x02, b"")[..], &client(0x09 | 0x80, b"ping")[..4]] {
        let mut wire = Wire::new(settings());
        wire.at(100).receive(stops_after);
        assert_eq!(wire.session.deadline(), Some(5100));
        wire.at(5099).receive(&[]);
        assert_eq!(wire.closed(), None);
        assert_eq!(wire.at(5100).closed().map(|(code, ..)| code), Some(1013), "{stops_after:02x?}");
        assert!(wire.written().starts_with(&[0x88]));
    }
    let mut dribbles = Wire::new(settings());
    dribbles.receive(&begin());
    for second in 1..5 {
        dribbles.at(second * 1000).receive(&[0]);
    }
    assert_eq!(dribbles.session.deadline(), Some(5004));
    // Pings in between do not help.
    let mut pings = Wire::new(settings());
    pings.receive(&client(0x02, b"begin"));
    pings.at(3000).receive(&client(0x89, &[0; 125]));
    assert_eq!(pings.at(5005).closed().map(|(code, ..)| code), Some(1013));
    // At a kB a second it may take as long as it likes, and the next one has its own time.
    let mut slow = Wire::new(settings());
    slow.receive(&begin());
    for second in 1..=60 {
        let got = slow.at(second * 1000).receive(&[0; 1000]);
        assert_eq!(got.len(), usize::from(second == 60));
    }
    assert_eq!((slow.closed(), slow.session.deadline()), (None, None));
    slow.receive(&[0x82]);
    assert_eq!(slow.session.deadline(), Some(65_000));
    // 0 is never; what the settings say later holds at once.
    let mut wire = Wire::new(Settings { message_timeout: 0, ping_interval: 0, ..Settings::default() });
    wire.receive(&[0x82]);
    assert_eq!(wire.session.deadline(), None);
    wire.session.configure(Arc::new(settings()), 10, 0);
    assert_eq!(wire.session.deadline(), Some(5000));
}

#[test]
fn the_time_in_which_a_client_is_not_read_is_not_its_own() {
    let settings = Settings { message_timeout: 50, ..rate(0, 100, Exceed::Delay) };
    let mut wire = Wire::new(settings);
    wire.receive(&[&client(0x82, &[0; 100])[..], &[0x82]].concat());
    assert!(wire.session.is_held());
    while wire.session.is_held() {
        let at = wire.session.deadline().expect("it goes on some time");
        wire.at(at).resume().expect("due");
    }
    let at = wire.now;
    assert!(at > 50, "{at}");
    assert_eq!((wire.closed(), wire.session.deadline()), (None, Some(at + 50)));
    // So it is where events wait for PHP, of which the session knows nothing.
    wire.session.heard(at + 20);
    assert_eq!(wire.session.deadline(), Some(at + 70));
}

#[test]
fn a_message_that_has_to_go_takes_its_connection_along_unless_it_is_whole() {
    let budget = Arc::new(fws_wire::Budget::new(40_000));
    let wire = || {
        let mut wire = Wire::new(Settings::default());
        wire.spares = Spares::new(budget.clone(), Arc::default());
        wire.receive(&client(0x02, b"begin"));
        wire
    };
    let grow = |wire: &mut Wire| {
        for _ in 0..1000 {
            wire.receive(&client(0x00, &[0; 125]));
            let evicted = budget.take_evicted().len();
            if evicted > 0 {
                return evicted;
            }
        }
        0
    };
    let (mut first, mut second) = (wire(), wire());
    (0..100).for_each(|_| drop(first.receive(&client(0x00, &[0; 125]))));
    first.session.evict(0, &mut first.spares);
    assert_eq!((first.closed(), budget.used() > 12_000), (None, true), "it was not chosen");
    assert_eq!(grow(&mut second), 1);
    first.session.evict(0, &mut first.spares);
    let closed = first.session.take_closed().expect("closed");
    assert_eq!((closed.code, closed.failed), (1013, Some(Failed::NoRoom)));
    // And once more, with one that comes to its end before it is told.
    let mut third = wire();
    assert_eq!(grow(&mut third), 1);
    assert_eq!(second.receive(&client(0x80, b"end")).len(), 1);
    second.session.evict(0, &mut second.spares);
    assert_eq!(second.closed(), None);
}

#[test]
fn a_client_that_sends_too_many_bytes_is_delayed_as_long_as_they_take() {
    let mut wire = Wire::new(rate(0, 100, Exceed::Delay));
    assert_eq!(wire.receive(&client(0x82, &[0; 84])).len(), 1);
    assert!(wire.session.wants_read());
    assert_eq!(wire.receive(&client(0x82, &[0; 84])).len(), 1, "a message that began is received");
    assert!(!wire.session.wants_read());
    let debt = 80 * 10;
    assert_eq!(wire.session.deadline(), Some(debt));
    assert_eq!(wire.at(debt - 1).session.resume(debt - 1), None);
    assert_eq!(wire.at(debt).resume(), Some(vec![]));
    assert!(wire.session.wants_read());
}

#[test]
fn a_client_that_is_not_read_for_its_rate_is_read_again_once_it_is_closed() {
    let mut wire = Wire::new(rate(0, 100, Exceed::Delay));
    wire.receive(&[client(0x82, &[0; 100]), client(0x82, &[0; 100])].concat());
    assert!(!wire.session.wants_read());
    wire.now = 10;
    wire.session.close(4000, "enough", wire.now, &mut wire.spares);
    wire.written();
    assert_eq!(wire.session.deadline(), Some(10));
    assert!(wire.resume().is_some() && wire.session.wants_read());
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
fn silence_that_is_the_servers_own_doing_is_not_idleness() {
    let mut wire = Wire::new(Settings { idle_timeout: 100, ping_interval: 100, pong_timeout: 50, ..rate(0, 10, Exceed::Delay) });
    // A debt of ten seconds.
    wire.receive(&client(0x82, &[0; 104]));
    while wire.now < 10_000 {
        let at = wire.session.deadline().expect("it is held");
        assert!(!wire.at(at).session.is_ended() && wire.session.phase == Phase::Open, "at {at}");
        if wire.resume().is_some() {
            break;
        }
    }
    assert!(wire.session.wants_read());
    assert_eq!(wire.session.deadline(), Some(wire.now + 100), "from here on it counts");
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
    assert!(session.deadline().is_none() && session.terms.is_none());
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
fn what_is_held_goes_on_when_the_limit_is_taken_away() {
    let mut wire = Wire::new(rate(1, 0, Exceed::Delay));
    assert_eq!(wire.receive(&messages(3)).len(), 1);
    wire.now = 10;
    wire.session.configure(Arc::new(Settings::default()), 10, 0);
    assert_eq!(wire.session.deadline(), Some(10));
    assert_eq!(wire.resume(), Some(vec![vec![1], vec![2]]));
    assert!(wire.session.wants_read());
}

#[test]
fn a_slow_client_is_closed_with_1013_behind_the_message_that_it_is_reading() {
    let mut wire = Wire::new(Settings::default());
    for n in 0..5u8 {
        wire.session.send_message(true, &[n; 100], &mut wire.spares);
    }
    wire.session.wrote(50, 0, &mut wire.spares);
    assert_eq!(wire.session.close_slow(0, &mut wire.spares), Some(4));
    assert_eq!(wire.session.close_slow(0, &mut wire.spares), None, "once");
    let written = wire.written();
    assert_eq!(written[..52], [0; 52], "the rest of the first");
    assert_eq!((written[52], &written[54..56]), (0x88, &1013u16.to_be_bytes()[..]));
    assert_eq!(wire.session.deadline(), Some(5000), "and cut if it does not answer");
}

#[test]
fn room_is_made_by_dropping_the_oldest_and_never_a_ping() {
    let settings = Settings { max_outbox: 500, slow_client: SlowClient::DropOldest, ping_interval: 100, ..Settings::default() };
    let mut wire = Wire::new(settings);
    wire.session.send(Frame::message(true, &[1; 98]), &mut wire.spares);
    wire.at(100);
    for n in 2..=10u8 {
        let frame = Frame::message(true, &[n; 98]);
        let room = wire.session.make_room(frame.len(), 0);
        assert!(room.fits && room.dropped == u64::from(n > 4), "{n}: {room:?}");
        wire.session.send(frame, &mut wire.spares);
    }
    let written = wire.written();
    assert_eq!(written[..2], *b"\x89\x04", "the ping is still there");
    assert_eq!(written[6..].chunks(100).map(|frame| frame[2]).collect::<Vec<_>>(), [7, 8, 9, 10]);
    // A frame that was begun stays, however long it is: then there is no room.
    wire.session.send(Frame::message(true, &[1; 480]), &mut wire.spares);
    wire.session.wrote(1, 100, &mut wire.spares);
    assert_eq!(wire.session.make_room(100, 0), Room { dropped: 0, fits: false });
}

#[test]
fn a_connection_whose_route_is_gone_leaves_when_told_unless_the_route_comes_back() {
    let mut wire = Wire::new(Settings { ping_interval: 0, ..Settings::default() });
    wire.session.leave(100, 0);
    assert_eq!(wire.session.deadline(), Some(100));
    wire.session.configure(Arc::new(Settings { ping_interval: 0, ..Settings::default() }), 50, 0);
    assert!(wire.session.deadline().is_none() && wire.session.terms.is_none());
    wire.session.leave(100, 50);
    assert_eq!(wire.at(99).written(), b"");
    assert_eq!(wire.at(100).written(), b"\x88\x02\x03\xe9");
}

#[test]
fn what_comes_while_something_is_held_is_held_behind_it() {
    let mut wire = Wire::new(rate(1, 0, Exceed::Delay));
    let all = messages(4);
    assert_eq!(wire.receive(&all[..14]).len(), 1);
    assert_eq!(wire.receive(&all[14..]), Vec::<Vec<u8>>::new());
    wire.now = 10;
    wire.session.configure(Arc::new(Settings::default()), 10, 0);
    assert_eq!(wire.resume(), Some(vec![vec![1], vec![2], vec![3]]));
}

#[test]
fn of_messages_that_need_each_other_to_be_decompressed_none_is_dropped() {
    let settings = Settings { max_outbox: 500, slow_client: SlowClient::DropOldest, ..Settings::default() };
    for server_takeover in [false, true] {
        let params = fws_wire::deflate::Params { server_takeover, client_takeover: false, server_bits: 15, client_bits: 15 };
        let compression = Compression { params, level: 6, threshold: 10_000 };
        let mut wire = Wire::new(settings.clone());
        wire.session =
            Session::new(Arc::new(settings.clone()), 0, 0).with_compression(Some(compression), Owner::default(), &Spares::default());
        for _ in 0..4 {
            wire.session.send(Frame::message(true, &[1; 98]), &mut wire.spares);
        }
        let room = wire.session.make_room(200, 0);
        assert_eq!(room, if server_takeover { Room { dropped: 0, fits: false } } else { Room { dropped: 1, fits: true } });
    }
}
