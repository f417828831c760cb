use super::*;

fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(len as u8),
        len @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// Reads `bytes` in pieces of `step`; messages come back with their content, other items by name.
fn read_all(bytes: &[u8], step: usize) -> Result<Vec<(String, Vec<u8>)>> {
    let (mut reader, mut seen, mut message) = (Reader::default(), Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        let mut input = piece;
        while let Some(item) = reader.next(&mut input)? {
            match item {
                Item::Piece { at, bytes } => {
                    assert_eq!(at, message.len() as u64);
                    message.extend_from_slice(bytes);
                }
                Item::Message { opcode, len } => {
                    assert_eq!(len, message.len() as u64);
                    seen.push((format!("message {opcode}"), std::mem::take(&mut message)));
                }
                Item::Ping => seen.push(("ping".into(), reader.control().to_vec())),
                Item::Close(code) => seen.push((format!("close {code}"), Vec::new())),
            }
        }
        assert!(input.is_empty());
    }
    Ok(seen)
}

#[test]
fn messages_of_every_length_form_are_read_in_pieces_of_any_size() {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for len in [0, 1, 125, 126, 300, 0xffff, 0x1_0000] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        bytes.extend(server_frame(0x82, &payload));
        expected.push(("message 2".to_owned(), payload));
    }
    for step in [1, 2, 3, 7, 4096, bytes.len()] {
        assert_eq!(read_all(&bytes, step).expect("valid frames"), expected);
    }
}

#[test]
fn control_frames_between_fragments_do_not_disturb_the_message() {
    let mut bytes = server_frame(0x01, b"ab");
    bytes.extend(server_frame(0x89, b"are you there"));
    bytes.extend(server_frame(0x8a, b"unasked"));
    bytes.extend(server_frame(0x80, b"cd"));
    bytes.extend(server_frame(0x88, &[0x03, 0xe9, b'b', b'y', b'e']));
    let expected = [("ping", &b"are you there"[..]), ("message 1", b"abcd"), ("close 1001", b"")];
    for step in 1..bytes.len() {
        let seen = read_all(&bytes, step).expect("valid frames");
        let seen: Vec<_> = seen.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn what_a_server_must_not_send_is_an_error() {
    for (what, bytes) in [
        ("masked", vec![0x81, 0x80, 0, 0, 0, 0]),
        ("reserved bit", vec![0xc1, 0]),
        ("reserved opcode", vec![0x83, 0]),
        ("continuation of nothing", vec![0x80, 0]),
        ("message within a message", vec![0x01, 0, 0x81, 0]),
        ("fragmented ping", vec![0x09, 0]),
        ("long ping", vec![0x89, 126, 0, 126]),
        ("close with one byte", vec![0x88, 1, 3]),
    ] {
        assert!(read_all(&bytes, 1).is_err(), "{what}");
    }
}

#[test]
fn client_frames_are_masked_and_carry_their_length_in_the_shortest_form() {
    for (len, header) in [(20, 2), (125, 2), (126, 4), (0xffff, 4), (0x1_0000, 10)] {
        let payload = vec![b'x'; len];
        let mut frame = client_frame(TEXT, &payload);
        assert_eq!(frame.len(), header + 4 + len);
        assert_eq!(frame[1] & 0x80, 0x80);
        let body = frame.split_off(header + 4);
        let unmasked: Vec<u8> = body.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, payload);
    }
}
