//! What RFC 7692 demands of a server: each MUST with what proves it.

mod peer;

use std::sync::Arc;

use flate2::{Compress, FlushCompress};
use fws_session::{Compression, Frame, Session, Settings, Spares};
use fws_wire::Owner;
use fws_wire::deflate::{Config, Deflater, Params, negotiate};
use peer::{client, fails, frames, run, written};

const NO_TAKEOVER: Params = Params { server_takeover: false, client_takeover: false, server_bits: 15, client_bits: 15 };
const TAKEOVER: Params = Params { server_takeover: true, client_takeover: true, server_bits: 15, client_bits: 15 };

fn with(params: Params) -> Option<Compression> {
    Some(Compression { params, level: 6, threshold: 0 })
}

fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    Compress::new(flate2::Compression::best(), false).compress_vec(payload, &mut out, FlushCompress::Sync).expect("room");
    out.truncate(out.len() - 4);
    out
}

fn compressed_fails(bytes: &[u8], code: u16) {
    for params in [NO_TAKEOVER, TAKEOVER] {
        fails(&Settings::default(), with(params), bytes, code, 0);
    }
}

#[test]
fn section_5_and_7_1_offers_that_are_invalid_are_declined_and_not_answered() {
    let config = Config { context_takeover: true, window_bits: 15, client_window_bits: 15 };
    let answer =
        |offer: &str| negotiate([offer.as_bytes()].into_iter(), Some(&config), true).expect("well-formed").map(|(_, answer)| answer);
    // 7: "A server MUST decline an extension negotiation offer for this extension if any of the following conditions are met: The
    // negotiation offer contains an extension parameter not defined for use in an offer; … with an invalid value; … multiple extension
    // parameters with the same name; The server doesn't support the offered configuration."
    for declined in
        ["; x", "; server_max_window_bits=16", "; client_no_context_takeover; client_no_context_takeover", "; server_max_window_bits=8"]
    {
        assert_eq!(answer(&format!("permessage-deflate{declined}")), None);
    }
    // 7.1.1.1: a server accepts "server_no_context_takeover" "by including" it, and "MUST" then "not use context takeover".
    let agreed = negotiate([&b"permessage-deflate; server_no_context_takeover"[..]].into_iter(), Some(&config), true).expect("well-formed");
    assert!(agreed.is_some_and(|(params, answer)| !params.server_takeover && answer.contains("server_no_context_takeover")));
    // 7.1.2.2: "If a received extension negotiation offer doesn't have the "client_max_window_bits" extension parameter, the
    // corresponding extension negotiation response to the offer MUST NOT include" it.
    let small = Config { window_bits: 9, ..config };
    let agreed = negotiate([&b"permessage-deflate"[..]].into_iter(), Some(&small), true).expect("well-formed");
    assert!(agreed.is_some_and(|(params, answer)| params.client_bits == 15 && !answer.contains("client_max_window_bits")));
}

#[test]
fn section_6_rsv1_marks_the_first_frame_of_a_data_message_and_nothing_else() {
    let hello = deflated(b"Hello");
    // 6: "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments of a data message. An
    // endpoint receiving such a frame MUST _Fail the WebSocket Connection_."
    for control in [0xc8, 0xc9, 0xca] {
        compressed_fails(&client(control, b""), 1002);
    }
    for first in [0x01, 0x41] {
        for rest in [0xc0, 0x40] {
            let mut bytes = client(first, &deflated(b"Hello")[..1]);
            bytes.extend(client(rest, &hello[1..]));
            if first == 0x01 {
                bytes = client(0x01, b"He");
                bytes.extend(client(rest, b"llo"));
            }
            compressed_fails(&bytes, 1002);
        }
    }
    // The other bits mean nothing still.
    for bits in [0xa1, 0x91, 0xe1, 0xd1, 0xf1] {
        compressed_fails(&client(bits, &hello), 1002);
    }
    // Without an agreement the bit itself is a violation.
    fails(&Settings::default(), None, &client(0xc1, &hello), 1002, 0);
    // With one, messages without it are as they are.
    for params in [NO_TAKEOVER, TAKEOVER] {
        let both = [client(0xc1, &hello), client(0x81, b"plain"), client(0xc2, &hello)].concat();
        let expected = [(false, b"Hello".to_vec()), (false, b"plain".to_vec()), (true, b"Hello".to_vec())];
        assert_eq!(run(&Settings::default(), with(params), &both, 1).messages, expected);
    }
}

#[test]
fn section_6_2_a_compressed_message_may_be_fragmented_anywhere_with_control_frames_in_between() {
    let text = "fragments of a compressed message, €, ".repeat(200);
    let payload = deflated(text.as_bytes());
    for params in [NO_TAKEOVER, TAKEOVER] {
        for size in [1, 2, 3, 50, payload.len()] {
            let mut bytes = client(0x41, b"");
            for (n, piece) in payload.chunks(size).enumerate() {
                bytes.extend(client(0x00, piece));
                bytes.extend(client(0x89, &[n as u8]));
            }
            bytes.extend(client(0x80, b""));
            for segment in [1, 5, usize::MAX] {
                let outcome = run(&Settings::default(), with(params), &bytes, segment);
                assert_eq!(outcome.messages, [(false, text.as_bytes().to_vec())], "fragments of {size}, segments of {segment}");
                assert_eq!(frames(&outcome.sent).len(), payload.chunks(size).len(), "each ping has its pong");
            }
        }
    }
}

#[test]
fn section_7_2_2_what_is_not_deflate_fails_the_connection() {
    for corrupt in [&b"\x06"[..], b"\xff\xff\xff", b"\xf2\x00\x11\x00\x00", b"\x00\x05\x00\xfa\xfe"] {
        compressed_fails(&client(0xc2, corrupt), 1007);
        // As soon as it is seen, the message need not be whole.
        compressed_fails(&client(0x42, corrupt), 1007);
    }
    // Ends within a block; with takeover the stream goes on, and that cannot be told.
    fails(&Settings::default(), with(NO_TAKEOVER), &client(0xc2, &deflated(&[b'x'; 1000])[..3]), 1007, 0);
}

#[test]
fn section_7_2_3_6_an_empty_message_is_an_empty_block() {
    for params in [NO_TAKEOVER, TAKEOVER] {
        let empty = [client(0xc1, b"\x00"), client(0xc2, b"\x00"), client(0x41, b"\x00"), client(0x80, b"")];
        // Nothing at all is what a compressor makes of nothing that has just been flushed; the stream goes on behind it.
        let bytes = [empty.concat(), client(0xc1, b""), client(0xc1, &deflated(b"on"))].concat();
        let expected = [(false, vec![]), (true, vec![]), (false, vec![]), (false, vec![]), (false, b"on".to_vec())];
        assert_eq!(run(&Settings::default(), with(params), &bytes, 1).messages, expected);
    }
}

#[test]
fn the_text_of_a_compressed_message_is_checked_as_it_is_inflated() {
    // RFC 6455, 8.1, of what RFC 7692, 6 makes of the frames.
    compressed_fails(&client(0xc1, &deflated(b"ok \xff")), 1007);
    compressed_fails(&client(0xc1, &deflated(&"€".as_bytes()[..2])), 1007);
    // Before it is whole.
    let mut begun = b"\xc0\xaf".to_vec();
    begun.extend(std::iter::repeat_n(b'a', 1000));
    compressed_fails(&client(0x41, &deflated(&begun)), 1007);
    let binary = run(&Settings::default(), with(NO_TAKEOVER), &client(0xc2, &deflated(b"\xff")), 1);
    assert_eq!(binary.messages, [(true, b"\xff".to_vec())]);
}

#[test]
fn a_bomb_is_refused_when_it_exceeds_the_limit_and_not_when_it_has_exploded() {
    let bomb = deflated(&vec![0; 64 << 20]);
    assert!(bomb.len() < 70_000);
    let settings = Settings { max_message_size: 100_000, ..Settings::default() };
    for params in [NO_TAKEOVER, TAKEOVER] {
        fails(&settings, with(params), &client(0xc2, &bomb), 1009, 0);
        // Split into fragments that are each harmless.
        let mut bytes = client(0x42, b"");
        bomb.chunks(10).for_each(|piece| bytes.extend(client(0x00, piece)));
        fails(&settings, with(params), &bytes, 1009, 0);
        // As long as allowed, and one byte more.
        let most = run(&settings, with(params), &client(0xc2, &deflated(&[9; 100_000])), usize::MAX);
        assert_eq!(most.messages, [(true, vec![9; 100_000])]);
        fails(&settings, with(params), &client(0xc2, &deflated(&[9; 100_001])), 1009, 0);
        // A message of empty blocks is nothing, but not for ever.
        let nothing = b"\x00\x00\x00\xff\xff".repeat(45_000);
        fails(&settings, with(params), &client(0xc2, &nothing), 1009, 0);
    }
    let settings = Settings { max_frame_size: 50, ..Settings::default() };
    fails(&settings, with(NO_TAKEOVER), &client(0xc2, &[0; 51]), 1009, 0);
}

#[test]
fn what_is_sent_is_compressed_where_agreed_worth_it_and_long_enough() {
    let text = b"compress me, compress me, compress me, compress me, compress me, compress me";
    let noise: Vec<u8> = (0..100u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (compression, payload, first) in [
        (None, &text[..], 0x82),
        (with(NO_TAKEOVER), &text[..], 0xc2),
        (with(TAKEOVER), &text[..], 0xc2),
        (with(NO_TAKEOVER), &noise, 0x82),
        (with(TAKEOVER), &noise, 0x82),
        (with(TAKEOVER), b"", 0x82),
        (Some(Compression { params: NO_TAKEOVER, level: 6, threshold: 77 }), &text[..], 0x82),
        (Some(Compression { params: NO_TAKEOVER, level: 6, threshold: 76 }), &text[..], 0xc2),
    ] {
        let mut session =
            Session::new(Arc::new(Settings::default()), 0, 0).with_compression(compression, Owner::default(), &Spares::default());
        let mut spares = Spares::default();
        assert!(session.send_message(true, payload, &mut spares));
        assert_eq!(session.outbox_len(), if first == 0x82 { payload.len() + 2 } else { session.outbox_len() }, "the wire's bytes count");
        let sent = written(&mut session, &mut spares);
        assert_eq!(sent[0], first, "{compression:?} {payload:?}");
        let saved = spares.take_saved();
        assert_eq!((saved.messages, saved.bytes), if first == 0xc2 { (1, (payload.len() + 2 - sent.len()) as u64) } else { (0, 0) });
    }
}

#[test]
fn a_shared_frame_is_counted_as_it_is_on_the_wire() {
    let payload = [b'x'; 100_000];
    let frame = Frame::compressed(true, &payload, &mut Deflater::new(6, 15, false)).expect("it shrinks");
    assert!(frame.is_compressed() && frame.len() < 1000);
    let mut session =
        Session::new(Arc::new(Settings::default()), 0, 0).with_compression(with(NO_TAKEOVER), Owner::default(), &Spares::default());
    let mut spares = Spares::default();
    let len = frame.len();
    peer::send(&mut session, frame, &mut spares);
    assert_eq!(session.outbox_len(), len);
    assert_eq!(Frame::compressed(true, b"a", &mut Deflater::new(6, 15, false)), None);
}
