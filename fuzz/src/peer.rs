//! The client's side, naively: reads what a server sent and panics where RFC 6455 does not allow it.

/// The frames of a server: opcode and payload. What is cut off at the end is left out.
pub fn frames(mut output: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((&[first, second], rest)) = output.split_first_chunk() {
        assert!(frames.iter().all(|(opcode, _)| *opcode != 8), "something follows the close frame");
        assert_eq!(first & 0xf0, 0x80, "a fragment or a reserved bit: {first:02x}");
        assert!(second < 128, "a masked frame");
        let opcode = first & 15;
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
        match opcode {
            1 => assert!(std::str::from_utf8(payload).is_ok(), "a text frame that is no text"),
            8 => close(payload),
            _ => {}
        }
        frames.push((opcode, payload.to_vec()));
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
