//! A message as it goes over the wire.

use bytes::Bytes;
use fws_wire::deflate::Deflater;
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

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

pub(crate) fn kind(binary: bool) -> Data {
    if binary { Data::Binary } else { Data::Text }
}
