//! Clients that read too slowly.

use super::*;

fn outbox(max_outbox: usize, slow_client: SlowClient) -> Settings {
    Settings { backlog: BacklogSettings { max_outbox, slow_client }, ..Settings::default() }
}

#[test]
fn a_flood_of_pings_of_a_client_that_does_not_read_is_bounded_and_the_last_one_is_answered() {
    let mut wire = Wire::new(outbox(1000, SlowClient::Close));
    for n in 0..10_000u32 {
        wire.receive(&client(0x89, &n.to_be_bytes()));
    }
    assert!(wire.session.outbox_len() <= 1010, "{}", wire.session.outbox_len());
    assert!(!wire.wants_read());
    let written = wire.written();
    assert_eq!(written[written.len() - 4..], 9999u32.to_be_bytes());
    assert!(wire.wants_read());
}

#[test]
fn a_client_that_reads_slowly_gets_all_that_was_sent_before_the_close() {
    let mut wire = Wire::new(Settings::default());
    wire.session.send_message(true, &[7; 100_000], &mut wire.spares);
    wire.session.close(1000, "", 0, &mut wire.spares);
    for step in 1..=10 {
        assert!(!wire.at(step * 4000).session.is_ended(), "it takes something every 4 s");
        wire.wrote(10_000, step * 4000);
    }
    assert!(wire.at(45_000).session.is_ended(), "5 s without progress");
    let mut wire = Wire::new(Settings::default());
    wire.session.send_message(true, &[7; 100_000], &mut wire.spares);
    wire.session.close(1000, "", 0, &mut wire.spares);
    for step in 1..=59 {
        wire.wrote(1, step * 1000);
        assert!(!wire.at(step * 1000).session.is_ended());
    }
    wire.wrote(1, 59_900);
    assert!(wire.at(60_000).session.is_ended(), "but not for ever");
}

#[test]
fn a_slow_client_is_closed_with_1013_behind_the_message_that_it_is_reading() {
    let mut wire = Wire::new(Settings::default());
    for n in 0..5u8 {
        wire.session.send_message(true, &[n; 100], &mut wire.spares);
    }
    wire.wrote(50, 0);
    assert_eq!(wire.session.close_slow(0, &wire.backlog, &mut wire.spares), Some(4));
    assert_eq!(wire.backlog.dropped(), 4);
    assert_eq!(wire.session.close_slow(0, &wire.backlog, &mut wire.spares), None, "once");
    let written = wire.written();
    assert_eq!(written[..52], [0; 52], "the rest of the first");
    assert_eq!((written[52], &written[54..56]), (0x88, &1013u16.to_be_bytes()[..]));
    assert_eq!(wire.session.deadline(), Some(5000), "and cut if it does not answer");
}

#[test]
fn room_is_made_by_dropping_the_oldest_and_never_a_ping() {
    let settings = Settings { ping_interval: 100, ..outbox(500, SlowClient::DropOldest) };
    let mut wire = Wire::new(settings);
    wire.send(Frame::message(true, &[1; 98]));
    wire.at(100);
    for n in 2..=10u8 {
        let frame = Frame::message(true, &[n; 98]);
        assert_eq!(wire.send(frame), Taken::Queued { dropped: u64::from(n > 4) }, "{n}");
    }
    let written = wire.written();
    assert_eq!(written[..2], *b"\x89\x04", "the ping is still there");
    assert_eq!(written[6..].chunks(100).map(|frame| frame[2]).collect::<Vec<_>>(), [7, 8, 9, 10]);
    // A frame that was begun stays, however long it is: then there is no room.
    wire.send(Frame::message(true, &[1; 480]));
    wire.wrote(1, 100);
    assert_eq!(wire.send(Frame::message(true, &[2; 98])), Taken::NoRoom { dropped: 0 });
    assert_eq!(
        (wire.backlog.queued(), wire.backlog.dropped()),
        (wire.session.outbox_len(), 7),
        "what is lost is counted, and waits nowhere"
    );
}

#[test]
fn of_messages_that_need_each_other_to_be_decompressed_none_is_dropped() {
    let settings = outbox(500, SlowClient::DropOldest);
    for server_takeover in [false, true] {
        let params = fws_wire::deflate::Params { server_takeover, client_takeover: false, server_bits: 15, client_bits: 15 };
        let compression = Compression { params, level: 6, threshold: 10_000 };
        let mut wire = Wire::new(settings.clone());
        wire.session =
            Session::new(Arc::new(settings.clone()), 0, 0).with_compression(Some(compression), Owner::default(), &Spares::default());
        for _ in 0..4 {
            wire.send(Frame::message(true, &[1; 98]));
        }
        let taken = wire.send(Frame::message(true, &[2; 196]));
        assert_eq!(taken, if server_takeover { Taken::NoRoom { dropped: 0 } } else { Taken::Queued { dropped: 1 } });
    }
}
