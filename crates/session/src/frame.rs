//! A message as it goes over the wire.

use bytes::Bytes;
use fws_wire::frame::{self, Data, OpCode};

/// A whole frame as a server sends it, encoded once. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A whole message in one frame. The caller has checked that text is UTF-8.
    pub fn message(binary: bool, payload: &[u8]) -> Frame {
        let mut bytes = Vec::new();
        frame::encode(OpCode::Data(if binary { Data::Binary } else { Data::Text }), true, payload, &mut bytes);
        Frame(bytes.into())
    }

    /// Its length on the wire, header included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}
