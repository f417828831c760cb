use std::io::IoSlice;

use super::*;
use crate::{BacklogSettings, Exceed, Frame, Offer, RateLimit, SlowClient};

mod away;
mod end;
mod rate;
mod slow;

/// A connection with its socket's both ends in memory.
struct Wire {
    session: Session,
    backlog: Backlog,
    spares: Spares,
    now: Millis,
}

impl Wire {
    fn new(settings: Settings) -> Wire {
        let backlog = Backlog::new(&settings.backlog);
        Wire { session: Session::new(Arc::new(settings), 0, 0), backlog, spares: Spares::default(), now: 0 }
    }

    /// The client sends frames; the messages the server sees.
    fn receive(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        let mut input = bytes.as_mut_slice();
        let mut got = Vec::new();
        while let Some(message) = self.session.receive(&mut input, self.now, Peer::default(), &self.backlog, &mut self.spares) {
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
            self.wrote(now.len(), self.now);
        }
    }

    fn wrote(&mut self, count: usize, now: Millis) {
        self.session.wrote(count, now, &self.backlog, &mut self.spares);
        self.session.report_written(&self.backlog);
    }

    fn wants_read(&self) -> bool {
        self.session.wants_read(&self.backlog)
    }

    /// Somebody sends a message, which is taken at once.
    fn send(&mut self, frame: Frame) -> Taken {
        assert_eq!(self.backlog.offer(frame.len(), || false), Offer::Accepted);
        self.session.take(Posted::Frame(frame), &self.backlog, &mut self.spares)
    }

    /// What was held back is looked at, once it may be.
    fn take_held(&mut self) -> Option<Vec<Vec<u8>>> {
        let rest = self.session.take_held(self.now)?;
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
fn a_message_that_does_not_come_to_its_end_is_waited_for_as_long_as_it_makes_way() {
    let settings = || Settings { message_timeout: 5000, ping_interval: 0, ..Settings::default() };
    let begin = || {
        let mut bytes = vec![0x82, 0xfe];
        bytes.extend_from_slice(&60_000u16.to_be_bytes());
        bytes.resize(8, 0);
        bytes
    };
    // A client that stops, or dribbles, is closed with 1013; where it stops makes no difference.
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
