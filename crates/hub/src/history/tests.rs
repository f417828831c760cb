use super::*;

const ROUTE: RouteId = RouteId(3);
const POLICY: HistoryPolicy = HistoryPolicy { count: 3, age: 1000 };

fn record(all: &Histories, tag: &str, data: &[u8], now: u64) -> u64 {
    all.hold(ROUTE, tag, || 0xabc, now).record(false, data.into(), POLICY, now, 1_700_000_000_000 + now)
}

fn read(all: &Histories, tag: &str, since: Option<Position>, most: usize, now: u64) -> (Vec<u64>, bool) {
    let read = all.find(ROUTE, tag).expect("known").read(since, most, now);
    (read.messages.iter().map(|kept| kept.offset).collect(), read.complete)
}

fn at(offset: u64) -> Option<Position> {
    Some(Position { epoch: 0xabc, offset })
}

#[test]
fn the_last_messages_are_kept_by_count_and_by_age() {
    let all = Histories::new(1 << 20);
    for n in 1..=5 {
        assert_eq!(record(&all, "t", b"x", n * 100), n);
    }
    assert_eq!(read(&all, "t", None, 10, 500), (vec![3, 4, 5], false));
    assert_eq!(read(&all, "t", None, 2, 500), (vec![4, 5], false));
    record(&all, "u", b"x", 500);
    assert_eq!(read(&all, "u", None, 10, 500), (vec![1], true));
    record(&all, "u", b"x", 500);
    assert_eq!(read(&all, "u", None, 1, 500), (vec![2], false), "there is one before it");
    all.reconcile(500, |_, tag| (tag == "t").then_some(POLICY));
    assert_eq!(read(&all, "t", None, 10, 1300), (vec![4, 5], false), "the third was sent at 300");
    assert_eq!(read(&all, "t", None, 10, 1500), (vec![], false));
    assert_eq!((all.messages(), all.len()), (0, 1), "the channel's epoch is still known");
    assert!(all.find(RouteId(4), "t").is_none() && all.find(ROUTE, "u").is_none());
}

#[test]
fn a_reader_gets_what_it_has_missed_and_is_told_whether_something_is_gone() {
    let all = Histories::new(1 << 20);
    record(&all, "t", b"x", 0);
    assert_eq!(read(&all, "t", Some(Position::BEGINNING), 10, 0), (vec![1], true));
    for _ in 2..=5 {
        record(&all, "t", b"x", 0);
    }
    assert_eq!(read(&all, "t", at(5), 10, 0), (vec![], true));
    assert_eq!(read(&all, "t", at(3), 10, 0), (vec![4, 5], true));
    assert_eq!(read(&all, "t", at(2), 10, 0), (vec![3, 4, 5], true));
    assert_eq!(read(&all, "t", at(2), 1, 0), (vec![3], true), "the first ones, so that a reader can go on");
    assert_eq!(read(&all, "t", at(1), 10, 0), (vec![3, 4, 5], false));
    assert_eq!(read(&all, "t", at(6), 10, 0), (vec![3, 4, 5], false), "an offset that never was");
    assert_eq!(read(&all, "t", Some(Position { epoch: 1, offset: 4 }), 10, 0), (vec![3, 4, 5], false));
    assert_eq!(read(&all, "t", Some(Position::BEGINNING), 10, 0), (vec![3, 4, 5], false));
    all.hold(ROUTE, "t", || 1, 0).clear();
    assert_eq!((read(&all, "t", at(5), 10, 0), read(&all, "t", at(4), 10, 0)), ((vec![], true), (vec![], false)));
    assert_eq!(record(&all, "t", b"x", 0), 6, "offsets go on");
}

#[test]
fn what_has_expired_goes_when_it_is_swept_and_then_the_channel() {
    let all = Histories::new(1 << 20);
    for channel in 0..10u64 {
        record(&all, &format!("t{channel}"), b"x", channel);
    }
    assert_eq!((all.next_due(), all.messages(), all.len()), (Some(1000), 10, 10));
    assert_eq!(all.sweep(1004, 100), Swept::All);
    assert_eq!((all.messages(), all.len(), all.next_due()), (5, 10, Some(1005)));
    assert_eq!((all.sweep(5000, 2), all.sweep(5000, 100)), (Swept::More, Swept::All));
    assert_eq!((all.messages(), all.next_due()), (0, Some(REMEMBERED)));
    assert_eq!(all.sweep(REMEMBERED + 4, 100), Swept::All);
    assert_eq!((all.len(), all.next_due()), (5, Some(REMEMBERED + 5)));
    all.sweep(REMEMBERED + 9, 100);
    assert_eq!((all.len(), all.bytes(), all.next_due()), (0, 0, None));
    record(&all, "t1", b"x", REMEMBERED + 10);
    assert_eq!(read(&all, "t1", Some(Position::BEGINNING), 9, REMEMBERED + 10), (vec![1], true), "offsets begin anew, with another epoch");
}

#[test]
fn all_together_are_bounded_and_what_expires_first_goes_first() {
    let all = Histories::new(20_000);
    for n in 0..100u64 {
        record(&all, &format!("t{n}"), &[0; 500], n);
        all.make_room();
        assert!(all.bytes() <= 20_000, "{n}");
    }
    assert!(all.find(ROUTE, "t0").is_none_or(|mut held| held.read(None, 9, 100).messages.is_empty()));
    assert_eq!(read(&all, "t99", None, 9, 100).0, [1]);
    assert_eq!(all.evicted() as usize + all.messages(), 100);
    // One that is larger than all may be is not kept, and costs no other channel its place.
    let before = all.messages();
    assert_eq!((record(&all, "t99", &[0; 30_000], 100), record(&all, "t99", b"x", 100)), (2, 3));
    all.make_room();
    assert_eq!(all.messages(), before, "its own message went, and the next one came");
    assert_eq!(read(&all, "t99", at(1), 9, 100), (vec![3], false), "a reader learns that one is missing");
}

#[test]
fn a_reload_that_keeps_less_or_nothing_holds_for_what_there_is() {
    let all = Histories::new(1 << 20);
    for n in 0..3 {
        record(&all, "t", b"x", n * 100);
        record(&all, "u", b"x", n * 100);
    }
    all.reconcile(300, |route, tag| (route == ROUTE && tag == "t").then_some(HistoryPolicy { count: 2, age: 150 }));
    assert_eq!(read(&all, "t", None, 9, 300), (vec![3], false), "the second was sent 200 ago");
    assert_eq!(all.next_due(), Some(350));
    assert!(all.find(ROUTE, "u").is_none());
    assert_eq!(record(&all, "u", b"x", 400), 1, "with another epoch, so nobody believes that nothing is missing");
    assert_eq!((all.len(), all.messages()), (2, 2));
    all.reconcile(400, |_, _| None);
    assert_eq!((all.len(), all.bytes(), all.messages(), all.next_due()), (0, 0, 0, None));
}

#[test]
fn a_channel_that_somebody_has_locked_is_waited_for_by_nobody_who_cleans_up() {
    let all = Histories::new(2000);
    record(&all, "t", &[0; 500], 0);
    let held = all.find(ROUTE, "t").expect("known");
    assert_eq!(all.sweep(5000, 10), Swept::Busy);
    record(&all, "u", &[0; 800], 0);
    all.make_room();
    assert!(all.bytes() > 2000);
    drop(held);
    all.make_room();
    assert!(all.bytes() <= 2000 && all.sweep(5000, 10) == Swept::All);
}

#[test]
fn who_only_looks_leaves_no_channel_behind_and_what_was_kept_leaves_no_memory() {
    let all = Histories::new(1 << 20);
    for n in 0..100 {
        drop(all.hold(ROUTE, &format!("t{n}"), || 1, 0));
    }
    assert_eq!((all.len(), all.bytes()), (0, 0));
    let much = HistoryPolicy { count: 10_000, age: 1000 };
    for _ in 0..10_000 {
        all.hold(ROUTE, "t", || 1, 0).record(false, b"x"[..].into(), much, 0, 0);
    }
    assert_eq!(all.sweep(2000, 10), Swept::All);
    assert!(all.find(ROUTE, "t").expect("known").channel.messages.capacity() <= 16);
}

#[test]
fn a_position_is_read_as_it_is_written_and_nothing_else_is() {
    let position = Position { epoch: 0x5f0c_2a91, offset: 12 };
    assert_eq!(position.to_string(), "000000005f0c2a91:12");
    assert_eq!(position.to_string().parse(), Ok(position));
    assert_eq!("".parse(), Ok(Position::BEGINNING));
    for wrong in [
        "12",
        ":",
        "5f0c2a91:12",
        "000000005f0c2a91:",
        "000000005f0c2a91:-1",
        "+00000005f0c2a91:1",
        "000000005f0c2a91:99999999999999999999",
    ] {
        assert_eq!(wrong.parse::<Position>(), Err(InvalidPosition), "{wrong}");
    }
}

#[test]
fn threads_that_record_sweep_and_read_agree_on_what_there_is() {
    let all = Histories::new(50_000);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let all = &all;
            scope.spawn(move || {
                for step in 0..2_000u64 {
                    let tag = format!("t{}", (step * 7 + thread) % 40);
                    record(all, &tag, &[0; 700], step);
                    all.make_room();
                    all.sweep(step, 3);
                    if let Some(mut held) = all.find(ROUTE, &tag) {
                        let read = held.read(Some(Position::BEGINNING), 10, step);
                        assert!(read.messages.windows(2).all(|two| two[0].offset + 1 == two[1].offset), "consecutive");
                    }
                }
            });
        }
    });
    while all.sweep(u64::MAX, 100) == Swept::More {}
    assert_eq!((all.len(), all.bytes(), all.messages(), all.next_due()), (0, 0, 0, None));
}
