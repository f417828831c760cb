//! What RFC 6455 demands of a server on an open connection: each MUST with what proves it. The opening handshake's are with
//! [`fws_wire::handshake`].

mod peer;

use fws_session::Settings;
use peer::{client, fails, frames, run};

fn default_fails(bytes: &[u8], code: u16) {
    // What comes behind a violation is not looked at; what came before is.
    let mut all = client(0x81, b"before");
    all.extend_from_slice(bytes);
    fails(&Settings::default(), None, &all, code, 1);
    all.extend(client(0x81, b"behind"));
    fails(&Settings::default(), None, &all, code, 1);
}

#[test]
fn section_5_1_frames_of_a_client_are_masked() {
    // "The server MUST close the connection upon receiving a frame that is not masked. In this case, a server MAY send a Close frame
    // with a status code of 1002".
    for unmasked in [&[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'][..], &[0x82, 0x00], &[0x89, 0x00], &[0x88, 0x00], &[0x82, 126, 1, 0]] {
        default_fails(unmasked, 1002);
    }
}

#[test]
fn section_5_2_reserved_bits_are_zero() {
    // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values. If a nonzero value is received and none
    // of the negotiated extensions defines the meaning of such a nonzero value, the receiving endpoint MUST _Fail the WebSocket
    // Connection_."
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for opcode in [0x81, 0x82, 0x01, 0x88, 0x89, 0x8a] {
            default_fails(&client(opcode | bits, b""), 1002);
        }
        let mut fragment = client(0x01, b"a");
        fragment.extend(client(0x80 | bits, b"b"));
        default_fails(&fragment, 1002);
    }
}

#[test]
fn section_5_2_unknown_opcodes_fail_the_connection() {
    // "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        default_fails(&client(0x80 | opcode, b""), 1002);
        default_fails(&client(opcode, b"x"), 1002);
    }
}

#[test]
fn section_5_2_the_top_bit_of_a_length_is_zero() {
    // "the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0)".
    for length in [1u64 << 63, u64::MAX, (1 << 63) | 5] {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        default_fails(&bytes, 1002);
    }
}

#[test]
fn section_5_2_lengths_have_the_fewest_bytes() {
    // "Note that in all cases, the minimal number of bytes MUST be used to encode the length".
    for short in [0u16, 1, 124, 125] {
        let mut bytes = vec![0x82, 0xfe];
        bytes.extend_from_slice(&short.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0, 4 + usize::from(short)));
        default_fails(&bytes, 1002);
    }
    for short in [0u64, 125, 126, 65535] {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend_from_slice(&short.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        default_fails(&bytes, 1002);
    }
}

#[test]
fn section_5_4_both_whole_and_fragmented_messages_are_received_with_control_frames_in_between() {
    // "Clients and servers MUST support receiving both fragmented and unfragmented messages." "An endpoint MUST be capable of handling
    // control frames in the middle of a fragmented message." "Message fragments MUST be delivered to the recipient in the order sent".
    let mut bytes = client(0x82, b"whole");
    for (first, payload) in [(0x01, "fr"), (0x89, "1"), (0x00, "ag"), (0x8a, "unasked"), (0x00, ""), (0x89, "2"), (0x80, "ments")] {
        bytes.extend(client(first, payload.as_bytes()));
    }
    for segment in [1, 3, usize::MAX] {
        let outcome = run(&Settings::default(), None, &bytes, segment);
        assert_eq!(outcome.messages, [(true, b"whole".to_vec()), (false, b"fragments".to_vec())]);
        // 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response"; 5.5.3: with "identical Application
        // data". A pong nobody asked for is not answered.
        assert_eq!(frames(&outcome.sent), [(0x8a, b"1".to_vec()), (0x8a, b"2".to_vec())]);
        assert!(!outcome.ending);
    }
}

#[test]
fn section_5_4_fragments_are_not_interleaved() {
    // "The fragments of one message MUST NOT be interleaved between the fragments of another message unless an extension has been
    // negotiated that can interpret the interleaving."
    for start in [0x01, 0x02] {
        for other in [0x01, 0x02, 0x81, 0x82] {
            for payload in [&b""[..], b"x"] {
                let mut bytes = client(start, payload);
                bytes.extend(client(other, payload));
                default_fails(&bytes, 1002);
            }
        }
    }
    // A continuation continues something.
    default_fails(&client(0x80, b"x"), 1002);
    default_fails(&client(0x00, b""), 1002);
    let mut twice = client(0x01, b"a");
    twice.extend(client(0x80, b"b"));
    twice.extend(client(0x80, b"c"));
    fails(&Settings::default(), None, &twice, 1002, 1);
}

#[test]
fn section_5_5_control_frames_are_short_and_whole() {
    // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
    for opcode in [8, 9, 10] {
        default_fails(&client(0x80 | opcode, &[b'a'; 126]), 1002);
        default_fails(&client(0x80 | opcode, &[b'a'; 70_000]), 1002);
        default_fails(&client(opcode, b"x"), 1002);
        default_fails(&client(opcode, b""), 1002);
    }
    let longest = run(&Settings::default(), None, &client(0x89, &[7; 125]), 1);
    assert_eq!(frames(&longest.sent), [(0x8a, vec![7; 125])]);
}

#[test]
fn section_5_5_1_a_close_frame_is_answered_with_one_and_the_connection_closed() {
    // "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame in
    // response." "After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and MUST
    // close the underlying TCP connection."
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let mut body = u16::to_be_bytes(code).to_vec();
        body.extend_from_slice("é".as_bytes());
        let mut bytes = client(0x88, &body);
        // "The application MUST NOT send any more data frames after sending a Close frame": what comes is not looked at, pings neither.
        bytes.extend(client(0x81, b"after"));
        bytes.extend(client(0x89, b"after"));
        for segment in [1, usize::MAX] {
            let outcome = run(&Settings::default(), None, &bytes, segment);
            assert_eq!(outcome.messages, []);
            assert_eq!(frames(&outcome.sent), [(0x88, code.to_be_bytes().to_vec())]);
            let closed = outcome.closed.expect("it is told");
            assert_eq!((closed.code, closed.reason.as_str(), closed.clean, closed.failed), (code, "é", true, None));
            assert!(outcome.half_closed && outcome.ended_after_eof);
        }
    }
    assert_eq!(frames(&run(&Settings::default(), None, &client(0x88, b""), 1).sent), [(0x88, vec![])]);
}

#[test]
fn section_5_5_1_and_7_4_the_body_of_a_close_frame_is_a_code_and_utf8() {
    // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order) representing a
    // status code".
    default_fails(&client(0x88, b"\x03"), 1002);
    // 7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame by an endpoint"; 7.4.2: "Status codes in the
    // range 0-999 are not used"; 1000-2999 are for the protocol and its extensions.
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        default_fails(&client(0x88, &u16::to_be_bytes(code)), 1002);
    }
    // "Following the 2-byte integer, the body MAY contain UTF-8-encoded data": 8.1 then.
    for reason in [&b"\xff"[..], b"ok \xc0\xaf", b"\xed\xa0\x80", "é".as_bytes().split_last().expect("two bytes").1] {
        default_fails(&client(0x88, &[&[0x03, 0xe8], reason].concat()), 1007);
    }
}

#[test]
fn section_8_1_text_is_utf8_and_fails_at_the_first_impossible_byte() {
    // "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream,
    // that endpoint MUST _Fail the WebSocket Connection_. This rule applies both during the opening handshake and during subsequent
    // data exchange."
    for bad in [
        &b"\x80"[..],
        b"\xff",
        b"\xfe",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5",
        b"\xe2\x82a",
    ] {
        default_fails(&client(0x81, bad), 1007);
        // In a fragment, before the message is whole.
        default_fails(&client(0x01, bad), 1007);
        // Within one frame of which no more than this has come.
        let mut begun = client(0x81, &vec![b'a'; 70_000]);
        begun.truncate(14);
        let masked: Vec<u8> = bad.iter().enumerate().map(|(n, byte)| byte ^ peer::MASK[n % 4]).collect();
        begun.extend(masked);
        default_fails(&begun, 1007);
    }
    // "the whole message MUST contain valid UTF-8" (5.6): not its fragments; and its last character is whole.
    let euro = "€".as_bytes();
    let mut split = client(0x01, &euro[..1]);
    split.extend(client(0x00, &euro[1..2]));
    let mut cut = split.clone();
    split.extend(client(0x80, &euro[2..]));
    assert_eq!(run(&Settings::default(), None, &split, usize::MAX).messages, [(false, euro.to_vec())]);
    cut.extend(client(0x80, b""));
    default_fails(&cut, 1007);
    // Binary is any bytes.
    assert_eq!(run(&Settings::default(), None, &client(0x82, b"\xff\xfe"), 1).messages, [(true, b"\xff\xfe".to_vec())]);
}

#[test]
fn section_10_4_limits_of_frames_and_messages_hold_before_anything_is_kept() {
    // "Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size
    // after reassembly from multiple frames MUST protect themselves against exceeding those limits."
    let settings = Settings { max_message_size: 1000, max_frame_size: 600, ..Settings::default() };
    let header = |length: u16| [&[0x82, 0xfe][..], &length.to_be_bytes(), &peer::MASK].concat();
    fails(&settings, None, &header(601), 1009, 0);
    fails(&settings, None, &[&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &peer::MASK].concat(), 1009, 0);
    let mut parts = client(0x02, &[1; 600]);
    let most = [parts.clone(), client(0x80, &[1; 400])].concat();
    assert_eq!(run(&settings, None, &most, 7).messages, [(true, vec![1; 1000])]);
    parts.extend(header(401));
    parts[608] = 0x80;
    fails(&settings, None, &parts, 1009, 0);
    // A frame as long as a message may be, and one byte more.
    let settings = Settings { max_message_size: 16 << 20, ..Settings::default() };
    assert_eq!(run(&settings, None, &client(0x82, &vec![3; 16 << 20]), 65_536).messages.len(), 1);
    fails(&settings, None, &client(0x82, &vec![3; (16 << 20) + 1])[..14], 1009, 0);
}
