use std::sync::atomic::Ordering;

use super::*;
use crate::Budget;
use crate::deflate::Shelved;

const LIMITS: Limits = Limits { max_message_size: 1 << 20, max_frame_size: u64::MAX };

/// A masked frame as a client sends it.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        n @ 0..=125 => bytes.push(0x80 | n as u8),
        n @ 126..=65535 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    frame::unmask(&mut bytes[start..], mask, 0);
    bytes
}

#[derive(Debug, PartialEq, Eq, Clone)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// All that comes of `bytes` when they arrive in pieces of `size`, and the decoder afterwards.
fn receive(bytes: &[u8], size: usize, limits: &Limits) -> (Vec<Got>, Result<(), Error>, Decoder) {
    receive_with(Decoder::default(), bytes, size, limits)
}

fn receive_with(mut decoder: Decoder, bytes: &[u8], size: usize, limits: &Limits) -> (Vec<Got>, Result<(), Error>, Decoder) {
    let mut pool = Pool::default();
    let mut got = Vec::new();
    for piece in bytes.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = piece.as_mut_slice();
        loop {
            match decoder.next(&mut input, limits, &mut pool) {
                Ok(None) => break,
                Err(error) => return (got, Err(error), decoder),
                Ok(Some(item)) => got.push(match item {
                    Item::Message { binary: true, payload } => Got::Binary(payload.as_slice().to_vec()),
                    Item::Message { binary: false, payload } => {
                        Got::Text(String::from_utf8(payload.as_slice().to_vec()).expect("text is UTF-8"))
                    }
                    Item::Ping(payload) => Got::Ping(payload.as_slice().to_vec()),
                    Item::Pong(payload) => Got::Pong(payload.as_slice().to_vec()),
                    Item::Close(frame) => Got::Close(frame.code, frame.reason),
                }),
            }
        }
        if let Err(error) = decoder.end_read(0, Peer::default(), &pool) {
            return (got, Err(error), decoder);
        }
    }
    (got, Ok(()), decoder)
}

#[test]
fn the_examples_of_rfc_6455_5_7_are_understood() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(receive(&hello, 99, &LIMITS).0, [Got::Text("Hello".into())]);
}

#[test]
fn the_outcome_is_the_same_however_the_bytes_are_cut() {
    let big: Vec<u8> = (0..70_000u32).map(|n| n as u8).collect();
    let mut bytes = Vec::new();
    for frame in [
        client(0x81, "héllo €".as_bytes()),
        client(0x82, &[]),
        client(0x01, "sp".as_bytes()),
        client(0x89, b"in between"),
        client(0x00, &[]),
        client(0x00, &"€".as_bytes()[..1]),
        client(0x80, &"€".as_bytes()[1..]),
        client(0x02, &big[..300]),
        client(0x80, &big[300..]),
        client(0x8a, b"p"),
        client(0x81, &[]),
        client(0x88, &close::body(1000, "bye")),
    ] {
        bytes.extend_from_slice(&frame);
    }
    let expected = [
        Got::Text("héllo €".into()),
        Got::Binary(vec![]),
        Got::Ping(b"in between".to_vec()),
        Got::Text("sp€".into()),
        Got::Binary(big),
        Got::Pong(b"p".to_vec()),
        Got::Text(String::new()),
        Got::Close(1000, "bye".into()),
    ];
    for size in [1, 2, 3, 5, 7, 13, 14, 15, 64, 1000, 65_537, usize::MAX] {
        let (got, end, decoder) = receive(&bytes, size, &LIMITS);
        assert_eq!(end, Ok(()));
        assert_eq!(got, expected, "pieces of {size}");
        assert_eq!(decoder.buffered(), 0, "nothing is kept between messages");
    }
}

#[test]
fn fragments_out_of_place_are_refused() {
    let alone = client(0x80, b"x");
    assert_eq!(receive(&alone, 99, &LIMITS).1, Err(Error::ContinuationWithoutStart));
    let mut twice = client(0x01, b"x");
    twice.extend(client(0x81, b"y"));
    assert_eq!(receive(&twice, 99, &LIMITS).1, Err(Error::MessageInterleaved));
    let mut twice_empty = client(0x01, b"");
    twice_empty.extend(client(0x81, b"y"));
    assert_eq!(receive(&twice_empty, 99, &LIMITS).1, Err(Error::MessageInterleaved));
}

#[test]
fn text_fails_at_its_first_impossible_byte_and_at_a_cut_off_character() {
    let start = client(0x01, b"ok \xff");
    for size in [1, 99] {
        assert_eq!(receive(&start, size, &LIMITS).1, Err(Error::InvalidUtf8), "before the message is finished");
    }
    let cut = client(0x81, &"€".as_bytes()[..2]);
    for size in [1, 99] {
        assert_eq!(receive(&cut, size, &LIMITS).1, Err(Error::InvalidUtf8));
    }
    // A surrogate, an overlong form and a code point beyond the last one.
    for bad in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
        assert_eq!(receive(&client(0x81, bad), 1, &LIMITS).1, Err(Error::InvalidUtf8), "{bad:x?}");
    }
}

#[test]
fn the_size_limit_holds_for_a_frame_and_for_a_message_of_fragments() {
    let limits = Limits { max_message_size: 10, max_frame_size: u64::MAX };
    assert_eq!(receive(&client(0x82, &[0; 10]), 3, &limits).1, Ok(()));
    assert_eq!(receive(&client(0x82, &[0; 11]), 99, &limits).1, Err(Error::MessageTooLong { limit: 10 }));
    let mut parts = client(0x02, &[0; 6]);
    parts.extend(client(0x80, &[0; 5]));
    assert_eq!(receive(&parts, 1, &limits).1, Err(Error::MessageTooLong { limit: 10 }));
    // Declared, never sent: refused by the header alone, without a reservation.
    let (_, end, decoder) = receive(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4], 99, &LIMITS);
    assert_eq!(end, Err(Error::MessageTooLong { limit: LIMITS.max_message_size }));
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn memory_grows_with_bytes_received_not_with_bytes_declared() {
    let frame = client(0x82, &[0; 1_000_000]);
    let (_, end, decoder) = receive(&frame[..1000], 100, &LIMITS);
    assert_eq!(end, Ok(()));
    assert!(decoder.buffered() < 4000, "{}", decoder.buffered());
}

const PARAMS: Params = Params { server_takeover: false, client_takeover: true, server_bits: 15, client_bits: 15 };

/// "Hello" as RFC 7692, 7.2.3.2 has it, and as a client has it that said it before.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];

#[test]
fn only_a_client_with_takeover_keeps_a_window_and_only_once_it_has_compressed() {
    for takeover in [false, true] {
        let shelved = Arc::new(Shelved::default());
        let shelf = Arc::new(Shelf::new(usize::MAX, shelved.clone()));
        let decoder = Decoder::with_compression(&Params { client_takeover: takeover, ..PARAMS }, &shelf, Owner(1));
        let (got, end, decoder) = receive_with(decoder, &client(0x81, b"not compressed"), 3, &LIMITS);
        assert_eq!((got.len(), end, shelved.windows.load(Ordering::Relaxed)), (1, Ok(()), 0));
        let (got, end, decoder) = receive_with(decoder, &client(0xc1, &HELLO), 3, &LIMITS);
        assert_eq!((got, end), (vec![Got::Text("Hello".into())], Ok(())));
        assert!(decoder.partial.is_none() && decoder.buffered() == 0);
        let kept = shelved.windows.load(Ordering::Relaxed);
        assert_eq!(kept, if takeover { 8 } else { 0 }, "no more than it has sent");
        let (got, end, decoder) = receive_with(decoder, &client(0xc1, &AGAIN), 3, &LIMITS);
        let expected = if takeover { (vec![Got::Text("Hello".into())], Ok(())) } else { (vec![], Err(Error::CorruptDeflate)) };
        assert_eq!((got, end), expected);
        drop(decoder);
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 0);
    }
}

/// A block of DEFLATE that is not compressed, as a compressed message.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u16;
    let block = [&[0x00][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes, &[0x00]].concat();
    client(0xc2, &block)
}

#[test]
fn a_client_whose_window_was_given_up_goes_on_unless_it_refers_to_it() {
    let small = Params { client_bits: 9, ..PARAMS };
    // What the client sends once its window is gone, and whether that refers to what is missing.
    for (then, end) in [
        (vec![client(0xc1, &HELLO), client(0xc1, &AGAIN)], Ok(())),
        (vec![client(0x81, b"plain")], Ok(())),
        (vec![client(0xc1, &AGAIN)], Err(Error::WindowLost)),
        // What is behind a reference cannot be told from noise; as long as something is missing, it is ours.
        (vec![client(0xc1, &HELLO), client(0xc1, &[0xff; 20])], Err(Error::WindowLost)),
        // Once it has sent as much as it may refer to, nothing is missing any more.
        (vec![stored(&[7; 600]), client(0xc1, &[0xff; 20])], Err(Error::CorruptDeflate)),
    ] {
        // Room for one window, which the second client's takes: it is the same owner's, so the first one is older.
        let shelved = Arc::new(Shelved::default());
        let shelf = Arc::new(Shelf::new(700, shelved.clone()));
        let decoder = Decoder::with_compression(&small, &shelf, Owner(1));
        let (_, _, decoder) = receive_with(decoder, &[client(0xc1, &HELLO), stored(&[b'a'; 300])].concat(), 99, &LIMITS);
        let (_, _, second) = receive_with(Decoder::with_compression(&small, &shelf, Owner(1)), &stored(&[b'b'; 600]), 99, &LIMITS);
        // The first is passed over once, since it was used; the second comes in its place when it goes on.
        let (_, _, second) = receive_with(second, &stored(&[b'b'; 600]), 99, &LIMITS);
        assert!(shelved.windows_given_up.load(Ordering::Relaxed) >= 2 && shelved.windows.load(Ordering::Relaxed) == 512);
        assert_eq!(receive_with(decoder, &then.concat(), 99, &LIMITS).1, end);
        drop(second);
        assert_eq!(shelved.windows.load(Ordering::Relaxed), 0);
    }
    assert_eq!(Error::WindowLost.close_code(), 1013);
}

/// A decoder, and its owner and name.
struct Party(Decoder, Peer);

impl Party {
    fn new(owner: u64, connection: u64) -> Party {
        Party(Decoder::default(), Peer { owner: Owner(owner), connection })
    }

    fn receive(&mut self, bytes: &[u8], pool: &mut Pool) -> Result<bool, Error> {
        let mut bytes = bytes.to_vec();
        let mut input = bytes.as_mut_slice();
        let mut whole = false;
        while self.0.next(&mut input, &LIMITS, pool)?.is_some() {
            whole = true;
        }
        self.0.end_read(0, self.1, pool)?;
        Ok(whole)
    }
}

#[test]
fn unfinished_messages_take_no_more_than_the_budget_and_who_holds_most_pays() {
    let budget = Arc::new(Budget::new(100_000));
    let mut pool = Pool::new(budget.clone(), Arc::default());
    let message = client(0x82, &[7; 60_000]);
    let (begin, end) = message.split_at(59_000);
    let [mut one, mut two, mut three] = [(1, 11), (1, 12), (2, 21)].map(|(owner, connection)| Party::new(owner, connection));
    assert_eq!(one.receive(begin, &mut pool), Ok(false));
    assert!((59_000 - 14..=60_000).contains(&budget.used()), "{}", budget.used());
    // The first of an owner's has to go for the owner's next, and the owner's for somebody else's.
    assert_eq!((two.receive(begin, &mut pool), budget.take_evicted()), (Ok(false), vec![11]));
    assert!(one.0.is_evicted() && !two.0.is_evicted());
    assert_eq!((three.receive(&begin[..42_000], &mut pool), budget.take_evicted()), (Ok(false), vec![12]));
    assert_eq!((one.receive(&end[..10], &mut pool), Error::NoRoom.close_code()), (Err(Error::NoRoom), 1013));
    // One that comes to its end in time has nothing to give up any more.
    assert_eq!((two.receive(end, &mut pool), two.0.is_evicted()), (Ok(true), false));
    // What it begins next is the largest itself, and then there is room.
    assert_eq!((two.receive(begin, &mut pool), budget.take_evicted()), (Err(Error::NoRoom), vec![]));
    drop((one, two, three));
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_is_short_or_whole_takes_nothing_of_the_budget() {
    let budget = Arc::new(Budget::new(60_000));
    let mut pool = Pool::new(budget.clone(), Arc::default());
    let mut holder = Party::new(1, 1);
    assert_eq!(holder.receive(&client(0x02, &[7; 59_000]), &mut pool), Ok(false));
    for (name, bytes) in [
        ("in one piece", client(0x82, &[7; 60_000])),
        ("short", client(0x02, &[7; 4000])),
        ("in fragments of one read", [client(0x02, &[7; 50_000]), client(0x80, &[7; 50_000])].concat()),
        // A MiB of zeros, whole, takes a context and a MiB while it is inflated – and nothing of what all share.
        ("compressed and whole", client(0xc2, &zeros(1 << 20))),
    ] {
        let mut party = Party(Decoder::with_compression(&PARAMS, &Arc::default(), Owner(2)), Peer { owner: Owner(2), connection: 2 });
        assert!(party.receive(&bytes, &mut pool).is_ok(), "{name}");
        assert_eq!((budget.take_evicted(), holder.0.is_evicted()), (vec![], false), "{name}");
    }
    // An unfinished compressed message holds its context and what it has become, whatever it still may become.
    let compressed = client(0x42, &zeros(20_000));
    let mut party = Party(Decoder::with_compression(&PARAMS, &Arc::default(), Owner(2)), Peer { owner: Owner(2), connection: 2 });
    drop(holder);
    assert_eq!(party.receive(&compressed[..compressed.len() - 3], &mut pool), Err(Error::NoRoom), "more than there is");
    let mut party = Party(Decoder::with_compression(&PARAMS, &Arc::default(), Owner(2)), Peer { owner: Owner(2), connection: 2 });
    assert_eq!(party.receive(&compressed[..7], &mut pool), Ok(false));
    assert!((48 << 10..52 << 10).contains(&budget.used()), "{}", budget.used());
    drop(party);
    assert_eq!(budget.used(), 0);
}

/// So many zeros, compressed as a message.
fn zeros(len: usize) -> Vec<u8> {
    let mut buffer = Vec::new();
    pool_deflate(&vec![0; len], &mut buffer);
    buffer
}

fn pool_deflate(payload: &[u8], out: &mut Vec<u8>) {
    let mut buffer = Vec::new();
    let mut deflater = Pool::default().deflater(9, 15);
    out.extend_from_slice(deflater.deflate(payload, &mut buffer).expect("shorter"));
}

#[test]
fn what_is_half_received_has_its_time_from_its_first_byte_and_only_what_brings_it_further_counts() {
    let pool = Pool::default();
    let mut receiver = Pool::default();
    let mut decoder = Decoder::default();
    let mut receive = |bytes: &[u8], now: u64| {
        let mut bytes = bytes.to_vec();
        let mut input = bytes.as_mut_slice();
        while decoder.next(&mut input, &LIMITS, &mut receiver).expect("legal").is_some() {}
        decoder.end_read(now, Peer::default(), &pool).expect("room");
        (decoder.half_received(), decoder.take_short_fragments())
    };
    assert_eq!(receive(&client(0x82, b"whole"), 1), (None, 0));
    assert_eq!(receive(&[0x02], 2), (Some((2, 0)), 0), "the first byte of a header");
    assert_eq!(receive(&client(0x02, &[0; 100])[1..], 3), (Some((2, 100)), 1));
    assert_eq!(receive(&client(0x89, b"ping"), 4), (Some((2, 100)), 0), "a ping brings it no further");
    assert_eq!(receive(&[client(0x00, b""), client(0x00, &[0; 2000])].concat(), 5), (Some((2, 2100)), 1));
    // The end of one and the beginning of the next, in one read.
    assert_eq!(receive(&[client(0x80, b""), vec![0x82]].concat(), 6), (Some((6, 0)), 0));
    assert_eq!(receive(&client(0x82, b"x")[1..], 7), (None, 0));
    assert_eq!(receive(&client(0x89, b"ping")[..3], 8), (Some((8, 0)), 0), "nor may a ping take for ever");
    assert_eq!(receive(&[&client(0x89, b"ping")[3..], &[0x8a]].concat(), 9), (Some((9, 0)), 0));
}

#[test]
fn a_client_that_nobody_listened_to_is_excused() {
    let pool = &mut Pool::default();
    let mut decoder = Decoder::default();
    decoder.excuse(1);
    assert_eq!(decoder.half_received(), None);
    assert_eq!(decoder.next(&mut [0x82].as_mut_slice(), &LIMITS, pool), Ok(None));
    decoder.end_read(2, Peer::default(), pool).expect("room");
    decoder.excuse(50);
    assert_eq!(decoder.half_received(), Some((50, 0)));
}
