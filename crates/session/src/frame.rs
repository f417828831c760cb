//! A message as it goes over the wire.

use bytes::Bytes;
use fws_wire::deflate::{Deflater, Pool, Sink};
use fws_wire::frame::{self, Data, OpCode};

/// A whole frame as a server sends it, encoded once. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    compressed: bool,
}

impl Frame {
    /// A whole message in one frame. The caller has checked that text is UTF-8.
    pub fn message(binary: bool, payload: &[u8]) -> Frame {
        let mut bytes = Vec::new();
        frame::encode(OpCode::Data(kind(binary)), true, payload, &mut bytes);
        Frame { bytes: bytes.into(), compressed: false }
    }

    /// The same, compressed by a fresh context, for clients that negotiated at least its window; `None` where that is not shorter.
    pub fn compressed(binary: bool, payload: &[u8], deflater: &mut Deflater) -> Option<Frame> {
        let mut buffer = Vec::new();
        let deflated = deflater.deflate(payload, &mut buffer)?;
        let mut bytes = Vec::new();
        frame::encode_compressed(kind(binary), deflated, &mut bytes);
        Some(Frame { bytes: bytes.into(), compressed: true })
    }

    /// Its length on the wire, header included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether it is for clients with compression only.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Its bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A frame of another server, by its bytes on the wire.
    pub fn of_bytes(bytes: Vec<u8>, compressed: bool) -> Frame {
        Frame { bytes: bytes.into(), compressed }
    }

    /// What it says: whether it is binary, and its payload.
    pub(crate) fn decoded(&self, pool: &mut Pool) -> (bool, Vec<u8>) {
        let header = match self.bytes.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            Some(_) | None => 2,
        };
        let (binary, payload) = (self.bytes.first().is_some_and(|first| first & 0xf == 2), self.bytes.get(header..).unwrap_or_default());
        if !self.compressed {
            return (binary, payload.to_vec());
        }
        let (mut inflater, mut plain) = (pool.inflater(), Plain(Vec::new()));
        inflater.begin(None);
        let inflated = inflater.inflate(payload, &mut [0; 4096], &mut plain);
        inflater.give_up();
        pool.give_inflater(inflater);
        inflated.expect("bug: a frame that was compressed here cannot be read");
        (binary, plain.0)
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// What a frame says, as it is inflated.
struct Plain(Vec<u8>);

impl Sink for Plain {
    fn take(&mut self, piece: &[u8]) -> Result<(), fws_wire::Error> {
        self.0.extend_from_slice(piece);
        Ok(())
    }

    fn taken(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn kind(binary: bool) -> Data {
    if binary { Data::Binary } else { Data::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_what_was_put_into_it_whatever_its_length_and_compressed_or_not() {
        let mut pool = Pool::default();
        for len in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
            let payload: Vec<u8> = (0..len).map(|n| (n % 7) as u8).collect();
            for binary in [false, true] {
                assert_eq!(Frame::message(binary, &payload).decoded(&mut pool), (binary, payload.clone()));
                if let Some(frame) = Frame::compressed(binary, &payload, &mut Deflater::new(6, 15, false)) {
                    assert_eq!(frame.decoded(&mut pool), (binary, payload.clone()));
                    let again = Frame::of_bytes(frame.as_bytes().to_vec(), true);
                    assert_eq!(again, frame);
                }
            }
        }
    }
}
