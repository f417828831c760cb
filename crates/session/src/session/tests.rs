use super::*;

/// A connection with its socket's both ends in memory.
struct Wire {
    session: Session,
    spares: Spares,
    now: Millis,
}

impl Wire {
    fn new(settings: Settings) -> Wire {
        Wire { session: Session::new(Arc::new(settings), 0), spares: Spares::default(), now: 0 }
    }

    /// The client sends frames; the messages the server sees.
    fn receive(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        let mut input = bytes.as_mut_slice();
        let mut got = Vec::new();
        while let Some(message) = self.session.receive(&mut input, self.now, &mut self.spares) {
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
    assert!(wire.session.outbox_len() <= 1006, "{}", wire.session.outbox_len());
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
        assert_eq!(wire.session.take_signs(), Signs { ping_sent: true, pong_received: false });
        wire.receive(&client(0x81, b"busy"));
        wire.receive(&client(0x8a, b"a heartbeat of its own"));
        assert_eq!(wire.session.take_signs(), Signs::default(), "neither is the answer");
        wire.receive(&client(0x8a, &[0, 0, 0, round]));
        assert_eq!(wire.session.take_signs(), Signs { ping_sent: false, pong_received: true });
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
    assert_eq!((closed.code, closed.clean, closed.violation), (4000, false, true));
    assert_eq!(wire.written(), b"\x88\x06\x0f\xa0ours");
}
