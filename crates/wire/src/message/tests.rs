use super::*;

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

#[test]
fn only_a_client_with_takeover_keeps_a_window_between_messages() {
    for takeover in [false, true] {
        let params = Params { server_takeover: takeover, client_takeover: takeover, server_bits: 15, client_bits: 15 };
        let hello = client(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        let (got, end, decoder) = receive_with(Decoder::with_compression(&params), &hello, 3, &LIMITS);
        assert_eq!((got, end), (vec![Got::Text("Hello".into())], Ok(())));
        assert!(decoder.partial.is_none() && decoder.buffered() == 0);
        assert_eq!(decoder.inflation.is_some_and(|inflation| inflation.window.is_some()), takeover);
    }
}

#[test]
fn the_unfinished_messages_of_all_take_no_more_than_the_budget() {
    let budget = Arc::new(Budget::new(100_000));
    let mut pool = Pool::new(budget.clone());
    let mut receive = |decoder: &mut Decoder, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        decoder.next(&mut bytes.as_mut_slice(), &LIMITS, &mut pool).map(|item| item.is_some())
    };
    let message = client(0x82, &[7; 60_000]);
    let (begin, end) = message.split_at(59_000);
    let (mut one, mut two, mut three) = (Decoder::default(), Decoder::default(), Decoder::default());
    assert_eq!(receive(&mut one, begin), Ok(false));
    assert!((59_000 - 14..=60_000).contains(&budget.used()));
    assert_eq!(receive(&mut two, begin), Err(Error::NoRoom));
    assert_eq!(Error::NoRoom.close_code(), 1013);
    // What is small, or whole in one piece, needs none of it, or has room.
    assert_eq!(receive(&mut three, &message), Ok(true));
    assert_eq!(receive(&mut three, &client(0x02, &[7; 5000])), Ok(false));
    assert_eq!(receive(&mut Decoder::default(), &client(0x02, &[7; 4000])), Ok(false));
    // Messages that are finished, and connections that go, leave nothing.
    assert_eq!(receive(&mut one, end), Ok(true));
    drop((one, two));
    assert_eq!(budget.used(), 5000);
    assert_eq!(receive(&mut three, &client(0x80, &[7; 1000])), Ok(true));
    assert_eq!(budget.used(), 0);
    // A context that is lent counts, too.
    let params = Params { client_takeover: false, server_takeover: false, client_bits: 15, server_bits: 15 };
    let [mut one, mut two, mut three] = [(); 3].map(|()| Decoder::with_compression(&params));
    let header = &client(0xc2, &[0; 10])[..6];
    assert_eq!([receive(&mut one, header), receive(&mut two, header)], [Ok(false), Ok(false)]);
    assert_eq!(receive(&mut three, header), Err(Error::NoRoom));
    drop((one, two, three));
    assert_eq!(budget.used(), 0);
}
