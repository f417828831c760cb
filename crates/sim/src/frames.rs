//! Frames as a client writes and reads them (RFC 6455, 5.2).

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Text(String),
    /// A ping, which wants a pong.
    Ping(Vec<u8>),
    /// The server ends the connection, with this code.
    Close(u16),
    /// Something else.
    Other(u8),
}

/// A frame of a client, masked.
pub fn encode(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        Ok(_) | Err(_) => {
            bytes.push(0x80 | 126);
            bytes.extend((payload.len() as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Takes the next frame of a server out of what has come, if it is there as a whole.
pub fn decode(come: &mut Vec<u8>) -> Option<Frame> {
    let (first, second) = (*come.first()?, *come.get(1)?);
    let (from, len) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*come.get(2)?, *come.get(3)?]))),
        127 => (10, u64::from_be_bytes(come.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let payload = come.get(from..from + len)?.to_vec();
    come.drain(..from + len);
    Some(match first {
        0x81 => Frame::Text(String::from_utf8_lossy(&payload).into_owned()),
        0x89 => Frame::Ping(payload),
        0x88 => Frame::Close(payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))),
        other => Frame::Other(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_when_it_has_come_as_a_whole() {
        let mut come = vec![0x81, 2, b'h', b'i', 0x89, 1];
        assert_eq!(decode(&mut come), Some(Frame::Text("hi".to_owned())));
        assert_eq!(decode(&mut come), None);
        come.push(7);
        assert_eq!((decode(&mut come), come.len()), (Some(Frame::Ping(vec![7])), 0));
        assert_eq!(encode(1, b"hi", [1, 2, 3, 4]), [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]);
    }
}
