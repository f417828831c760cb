//! The client's side, naively: reads what a server sent and panics where RFC 6455 does not allow it.

use flate2::{Decompress, FlushDecompress};

/// The frames of a server: opcode and payload, inflated. What is cut off at the end is left out. `takeover`: compression was agreed on,
/// with or without contexts that are kept.
pub fn frames(mut output: &[u8], takeover: Option<bool>) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut context = Decompress::new(false);
    while let Some((&[first, second], rest)) = output.split_first_chunk() {
        assert!(frames.iter().all(|(opcode, _)| *opcode != 8), "something follows the close frame");
        let opcode = first & 15;
        let compressed = first & 0x40 != 0;
        assert_eq!(first & 0xb0, 0x80, "a fragment or a reserved bit: {first:02x}");
        assert!(!compressed || takeover.is_some() && opcode < 8, "a compressed frame: {first:02x}");
        assert!(second < 128, "a masked frame");
        assert!(matches!(opcode, 1 | 2 | 8 | 9 | 10), "opcode {opcode}");
        let extended = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(bytes) = rest.get(..extended) else { break };
        let length = match extended {
            0 => u64::from(second),
            _ => bytes.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        assert!(extended == 0 || length > [125, 65535][usize::from(extended == 8)], "{length} takes {extended} bytes");
        assert!(opcode < 8 || length < 126, "a control frame of {length} bytes");
        let Some(payload) = rest.get(extended..extended + length as usize) else { break };
        let message = if compressed { inflate(&mut context, payload, takeover == Some(true)) } else { payload.to_vec() };
        match opcode {
            1 => assert!(std::str::from_utf8(&message).is_ok(), "a text frame that is no text"),
            8 => close(payload),
            _ => {}
        }
        frames.push((opcode, message));
        output = &rest[extended + length as usize..];
    }
    frames
}

fn close(body: &[u8]) {
    let [high, low, reason @ ..] = body else {
        assert!(body.is_empty(), "a close body of one byte");
        return;
    };
    let code = u16::from_be_bytes([*high, *low]);
    assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "close code {code}");
    assert!(std::str::from_utf8(reason).is_ok(), "a reason that is no text");
}

/// An independent inflater's opinion of one message.
fn inflate(context: &mut Decompress, payload: &[u8], keep: bool) -> Vec<u8> {
    let mut inflated = Vec::new();
    for mut part in [payload, &[0, 0, 0xff, 0xff]] {
        loop {
            inflated.reserve(4096);
            let before = (context.total_in(), context.total_out());
            let done = context.decompress_vec(part, &mut inflated, FlushDecompress::Sync);
            assert!(done.is_ok(), "what is sent does not inflate");
            let used = (context.total_in() - before.0) as usize;
            part = &part[used..];
            if part.is_empty() && inflated.len() < inflated.capacity() {
                break;
            }
            assert!(used > 0 || context.total_out() > before.1, "what is sent does not inflate any further");
        }
    }
    if !keep {
        context.reset(false);
    }
    inflated
}
