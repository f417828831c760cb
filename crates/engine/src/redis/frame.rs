//! What servers say to each other, as bytes.
//!
//! A frame begins with a version, a kind, who sent it, and a number. These 18 bytes have the same layout in every version, so that a server
//! can refuse what it does not understand, and tell the sender.

use super::node::NodeId;

/// The bytes before the payload.
pub const HEAD: usize = 18;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Something to do, without an answer.
    Tell = 1,
    /// Something to do, with an answer.
    Ask = 2,
    /// The answer to an [`Kind::Ask`].
    Answer = 3,
    /// Why an [`Kind::Ask`] is not done: a text.
    Refusal = 4,
    /// A message that was recorded: see [`super::Records::split`].
    Record = 5,
    /// What has become of a member of a channel: see [`super::Became`].
    Attendance = 6,
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: Kind,
    pub from: NodeId,
    /// That of the question, or of what is told; 0 for all others.
    pub number: u64,
    pub payload: &'a [u8],
}

/// A frame that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Who sent it and waits for an answer to this number.
    pub asks: Option<(NodeId, u64)>,
    /// Its version, if that is another one.
    pub version: u8,
}

impl Frame<'_> {
    pub fn encode(&self, version: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.payload.len());
        bytes.extend_from_slice(&[version, self.kind as u8]);
        bytes.extend_from_slice(self.from.bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }
}

/// Reads a frame. `Err(None)`: these bytes are none of any version.
pub fn decode(bytes: &[u8], own: u8) -> Result<Frame<'_>, Option<Foreign>> {
    let (Some(head), Some(payload)) = (bytes.get(..HEAD), bytes.get(HEAD..)) else { return Err(None) };
    let from = NodeId::from_bytes(&head[2..10]).ok_or(None)?;
    let number = u64::from_be_bytes(head[10..18].try_into().map_err(|_| None)?);
    let kind = match head[1] {
        1 => Some(Kind::Tell),
        2 => Some(Kind::Ask),
        3 => Some(Kind::Answer),
        4 => Some(Kind::Refusal),
        5 => Some(Kind::Record),
        6 => Some(Kind::Attendance),
        _ => None,
    };
    // A refusal is a text in every version: it says what the other server speaks.
    match kind {
        Some(kind) if head[0] == own || kind == Kind::Refusal => Ok(Frame { kind, from, number, payload }),
        Some(Kind::Ask) | None if number != 0 => Err(Some(Foreign { asks: Some((from, number)), version: head[0] })),
        Some(_) | None => Err(Some(Foreign { asks: None, version: head[0] })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_one_of_another_version_is_refused_with_its_number() {
        let from = NodeId::random().expect("randomness");
        for kind in [Kind::Tell, Kind::Ask, Kind::Answer, Kind::Refusal, Kind::Record, Kind::Attendance] {
            let frame = Frame { kind, from, number: 7, payload: b"what" };
            assert_eq!(decode(&frame.encode(3), 3), Ok(frame));
        }
        let ask = Frame { kind: Kind::Ask, from, number: 7, payload: b"?" }.encode(4);
        assert_eq!(decode(&ask, 3), Err(Some(Foreign { asks: Some((from, 7)), version: 4 })));
        let tell = Frame { kind: Kind::Tell, from, number: 0, payload: b"!" }.encode(4);
        assert_eq!(decode(&tell, 3), Err(Some(Foreign { asks: None, version: 4 })));
        let refusal = Frame { kind: Kind::Refusal, from, number: 7, payload: b"why" }.encode(4);
        assert!(decode(&refusal, 3).is_ok());
        let mut unknown = Frame { kind: Kind::Ask, from, number: 7, payload: b"?" }.encode(3);
        unknown[1] = 99;
        assert_eq!(decode(&unknown, 3), Err(Some(Foreign { asks: Some((from, 7)), version: 3 })));
        for none in [&b""[..], b"\x03\x02", &ask[..17], &[0; 30]] {
            assert_eq!(decode(none, 3), Err(None));
        }
    }
}
