//! Frame headers (RFC 6455, 5.2) and the mask (5.3).
//!
//! tungstenite's `FrameHeader` reads and writes the bits; what it leaves to its caller is checked here.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
pub use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::Error;

/// The longest header: 2 bytes, 8 of length, 4 of mask.
pub const MAX_HEADER: usize = 14;
/// The bit of the first byte that marks a compressed message.
const RSV1: u8 = 0x40;
/// The longest payload of a control frame (RFC 6455, 5.5).
pub const MAX_CONTROL: u64 = 125;

/// A checked header of a frame that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub opcode: OpCode,
    /// Whether it ends its message.
    pub fin: bool,
    /// Whether it begins a compressed message.
    pub compressed: bool,
    /// The mask of its payload.
    pub mask: [u8; 4],
    /// The length of its payload.
    pub length: u64,
}

/// Reads the header at the start of `bytes`: the header and its length, or `None` where more bytes are needed. `deflate`: compression
/// was negotiated.
///
/// A violation is reported as soon as its byte is there, before the rest of the header has come.
pub fn decode(bytes: &[u8], deflate: bool) -> Result<Option<(Header, usize)>, Error> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let opcode = OpCode::from(first & 0x0f);
    // RFC 7692, 6: RSV1 is for the first frame of a data message; "an endpoint MUST NOT set" it on other fragments or on control
    // frames.
    let allowed = if deflate && matches!(opcode, OpCode::Data(Data::Text | Data::Binary)) { RSV1 } else { 0 };
    if first & 0x70 & !allowed != 0 {
        return Err(Error::ReservedBit);
    }
    match opcode {
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => return Err(Error::ReservedOpcode(first & 0x0f)),
        OpCode::Control(_) if first & 0x80 == 0 => return Err(Error::ControlFragmented),
        _ => {}
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Error::Unmasked);
    }
    let short = second & 0x7f;
    if u64::from(short) > MAX_CONTROL && matches!(opcode, OpCode::Control(_)) {
        return Err(Error::ControlTooLong);
    }
    if short == 127 && bytes.get(2).is_some_and(|top| top & 0x80 != 0) {
        return Err(Error::LengthTopBit);
    }
    let mut cursor = Cursor::new(bytes);
    let Ok(Some((header, length))) = FrameHeader::parse(&mut cursor) else { return Ok(None) };
    if (short == 126 && length < 126) || (short == 127 && length < 65536) {
        return Err(Error::LengthNotMinimal);
    }
    let mask = header.mask.ok_or(Error::Unmasked)?;
    Ok(Some((Header { opcode, fin: header.is_final, compressed: header.rsv1, mask, length }, cursor.position() as usize)))
}

/// Appends a whole unmasked frame, as a server sends it.
pub fn encode(opcode: OpCode, fin: bool, payload: &[u8], out: &mut Vec<u8>) {
    write(FrameHeader { opcode, is_final: fin, ..FrameHeader::default() }, payload, out);
}

/// Appends a whole message, already compressed, in one unmasked frame.
pub fn encode_compressed(kind: Data, payload: &[u8], out: &mut Vec<u8>) {
    write(FrameHeader { opcode: OpCode::Data(kind), rsv1: true, ..FrameHeader::default() }, payload, out);
}

fn write(header: FrameHeader, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(header.len(payload.len() as u64) + payload.len());
    header.format(payload.len() as u64, out).expect("bug: writing to a Vec cannot fail");
    out.extend_from_slice(payload);
}

/// The length of a whole unmasked frame with a payload of this length.
pub fn encoded_len(payload: usize) -> usize {
    payload
        + if payload < 126 {
            2
        } else if payload < 65536 {
            4
        } else {
            10
        }
}

/// Removes (or applies) the mask in place; `offset` is how many bytes of the payload came before these (RFC 6455, 5.3).
pub fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: u64) {
    let mut rotated = mask;
    rotated.rotate_left((offset % 4) as usize);
    let wide = u64::from_ne_bytes([rotated[0], rotated[1], rotated[2], rotated[3], rotated[0], rotated[1], rotated[2], rotated[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(rotated.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second | 0x80];
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(&[1, 2, 3, 4]);
        bytes
    }

    #[test]
    fn every_length_form_is_read_and_needs_all_its_bytes() {
        for length in [0u64, 1, 125, 126, 127, 65535, 65536, 1 << 40] {
            let bytes = match length {
                0..=125 => masked(0x82, length as u8, &[]),
                126..=65535 => masked(0x82, 126, &(length as u16).to_be_bytes()),
                _ => masked(0x82, 127, &length.to_be_bytes()),
            };
            let (header, used) = decode(&bytes, false).expect("legal").expect("whole");
            assert_eq!((header.length, header.mask, header.fin, used), (length, [1, 2, 3, 4], true, bytes.len()));
            for short in 0..bytes.len() {
                assert_eq!(decode(&bytes[..short], false), Ok(None), "{short} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn violations_are_named() {
        let cases: &[(&[u8], Error)] = &[
            (&[0x82, 0x00], Error::Unmasked),
            (&[0xc2], Error::ReservedBit),
            (&[0xa2], Error::ReservedBit),
            (&[0x92], Error::ReservedBit),
            (&[0x83], Error::ReservedOpcode(3)),
            (&[0x8f], Error::ReservedOpcode(15)),
            (&[0x09], Error::ControlFragmented),
            (&[0x89, 0xfe], Error::ControlTooLong),
            (&[0x82, 0xff, 0x80], Error::LengthTopBit),
            (&masked(0x82, 126, &[0, 125]), Error::LengthNotMinimal),
            (&masked(0x82, 127, &[0, 0, 0, 0, 0, 0, 255, 255]), Error::LengthNotMinimal),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(bytes, false), Err(*error), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_bit_of_compression_is_for_the_first_frame_of_a_data_message_where_it_was_negotiated() {
        for first in [0xc1, 0xc2, 0x41, 0x42] {
            assert!(decode(&masked(first, 0, &[]), true).is_ok_and(|h| h.is_some_and(|(header, _)| header.compressed)), "{first:02x}");
            assert_eq!(decode(&[first], false), Err(Error::ReservedBit));
        }
        assert!(decode(&masked(0x81, 0, &[]), true).is_ok_and(|h| h.is_some_and(|(header, _)| !header.compressed)));
        for first in [0xc0, 0x40, 0xc8, 0xc9, 0xca, 0xe1, 0xd2, 0xa1, 0x91] {
            assert_eq!(decode(&[first], true), Err(Error::ReservedBit), "{first:02x}");
        }
    }

    #[test]
    fn the_mask_is_the_same_however_the_payload_is_cut() {
        let plain: Vec<u8> = (0..=255).collect();
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut whole = plain.clone();
        unmask(&mut whole, mask, 0);
        assert_eq!(whole[5], 5 ^ 0xfa);
        for cut in 0..40 {
            let mut parts = plain.clone();
            let (a, b) = parts.split_at_mut(cut);
            unmask(a, mask, 0);
            unmask(b, mask, cut as u64);
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_written_has_the_length_foretold() {
        for length in [0, 125, 126, 65535, 65536] {
            let mut out = Vec::new();
            encode(OpCode::Data(Data::Binary), true, &vec![7; length], &mut out);
            assert_eq!(out.len(), encoded_len(length));
        }
    }
}
