//! What is read at a time, and what may wait.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Redis, Server, wait_until};
use fws_engine::redis::Retention;
use fws_hub::{ClusterError, Position};

#[test]
fn records_are_read_page_by_page_and_a_position_of_another_epoch_is_the_beginning() {
    let redis = Redis::start();
    let server = Server::at(&redis);
    let keeps = Retention { count: 1000, age: 60_000 };
    // One is longer than a page, the others are not alike.
    let long = |n: usize| if n == 7 { 700_000 } else { n * 997 % 50_000 };
    for n in 1..=100 {
        server.cluster.record("h", "topic", keeps, &vec![n as u8; long(n)]).expect("connected");
    }
    let (mut at, mut got, mut pages) = (Position::BEGINNING, Vec::new(), 0);
    loop {
        let page = server.cluster.records("h", Some(at), 1000, 60_000).expect("connected");
        let bytes: usize = page.messages.iter().map(|message| message.payload.len()).sum();
        assert!(bytes - page.messages.last().map_or(0, |last| last.payload.len()) < 256 << 10, "{bytes}");
        at = Position { epoch: page.epoch, offset: page.read };
        got.extend(page.messages);
        pages += 1;
        if page.read == page.last {
            break;
        }
    }
    assert!(pages > 5, "{pages}");
    let expected = (1..=100).map(|n| (n as u64, long(n)));
    assert!(got.iter().map(|message| (message.offset, message.payload.len())).eq(expected));
    let other = server.cluster.records("h", Some(Position { epoch: at.epoch ^ 1, offset: 90 }), 3, 60_000).expect("connected");
    assert_eq!((other.messages[0].offset, other.messages.len(), other.read, other.last), (1, 3, 3, 100));
    // The last ones begin where they are asked for, also if they are more than a page.
    let last = server.cluster.records("h", None, 95, 60_000).expect("connected");
    assert_eq!((last.messages[0].offset, last.messages.len(), last.read), (6, 2, 7));
    assert_eq!(server.cluster.records("h", None, usize::MAX, 60_000).expect("connected").messages[0].offset, 1);
}

#[test]
fn who_waits_for_room_is_refused_nothing_and_what_is_lost_on_its_way_is_counted() {
    let mut redis = Redis::start();
    let (one, two) = (Server::at(&redis), Server::at(&redis));
    redis.pause();
    let told = AtomicUsize::new(0);
    let message = |n: u32| [&n.to_be_bytes()[..], &[0; 100]].concat();
    const COUNT: u32 = 30_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..COUNT {
                one.cluster.wait_for_room();
                one.cluster.tell(None, &message(n)).expect("room");
                told.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait_until("it waits for room", || one.count("waiting") >= 16_384);
        redis.go_on();
    });
    wait_until("all has come", || two.told.heard.lock().iter().filter(|heard| heard.len() == 104).count() == COUNT as usize);
    assert!(two.told.heard.lock().iter().filter(|heard| heard.len() == 104).eq(&(0..COUNT).map(message).collect::<Vec<_>>()));
    assert_eq!((told.into_inner() as u32, one.cluster.untold()), (COUNT, 0));
    // Who waits when Redis dies does not wait any longer, and what waited is known to be lost.
    redis.pause();
    let told = std::thread::scope(|scope| {
        let telling = scope.spawn(|| {
            (0..COUNT)
                .take_while(|n| {
                    one.cluster.wait_for_room();
                    one.cluster.tell(None, &message(*n)).is_ok()
                })
                .count()
        });
        wait_until("it waits for room", || one.count("waiting") >= 16_384);
        redis.kill();
        telling.join().expect("no panic")
    });
    wait_until("it is noticed", || one.cluster.untold() + one.count("waiting") == told as u64);
}

#[test]
fn more_than_may_wait_is_refused() {
    let redis = Redis::start();
    let server = Server::at(&redis);
    redis.pause();
    let message = vec![0; 1 << 20];
    let refused = (0..200).find_map(|_| server.cluster.tell(None, &message).err());
    assert!(matches!(refused, Some(ClusterError::Overloaded)), "{refused:?}");
}
