//! A client of a session, byte by byte.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::IoSlice;
use std::sync::Arc;

use fws_session::{Backlog, Closed, Compression, Failed, Frame, Offer, Posted, Session, Settings, Spares, Taken};
use fws_wire::{Owner, Peer, frame};

/// Frames of a client; the mask is that of RFC 6455, 5.7.
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame: its first byte, and its payload.
pub fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        n @ 0..=125 => bytes.push(0x80 | n as u8),
        n @ 126..=65535 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    frame::unmask(&mut bytes[start..], MASK, 0);
    bytes
}

/// What the server sees of a client's bytes, and what it sends.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Messages: whether binary, and the payload.
    pub messages: Vec<(bool, Vec<u8>)>,
    pub sent: Vec<u8>,
    pub closed: Option<Closed>,
    pub ending: bool,
    pub half_closed: bool,
    pub ended_after_eof: bool,
}

pub fn run(settings: &Settings, compression: Option<Compression>, bytes: &[u8], segment: usize) -> Outcome {
    let mut session = Session::new(Arc::new(settings.clone()), 0, 0).with_compression(compression, Owner::default(), &Spares::default());
    let (mut spares, backlog) = (Spares::default(), Backlog::new(&settings.backlog));
    let mut outcome = Outcome::default();
    for piece in bytes.chunks(segment) {
        let mut piece = piece.to_vec();
        let mut input = piece.as_mut_slice();
        while let Some(message) = session.receive(&mut input, 0, Peer::default(), &backlog, &mut spares) {
            outcome.messages.push((message.binary, message.payload.as_slice().to_vec()));
        }
    }
    outcome.ending = session.is_ending();
    assert!(session.outbox_len() == 0 || !session.take_half_close(), "what waits is written before our end is closed");
    outcome.sent = written(&mut session, &mut spares);
    outcome.half_closed = session.take_half_close();
    outcome.closed = session.take_closed().map(|closed| *closed);
    // What still comes is drained, then the client closes its end.
    if outcome.ending {
        assert!(!session.is_ended() && session.wants_read(&backlog), "the client's end is waited for, and what it sends is read");
        session.disconnected(0);
        outcome.ended_after_eof = session.is_ended();
    }
    outcome
}

/// Somebody sends a message to a client that reads.
pub fn send(session: &mut Session, frame: Frame, spares: &mut Spares) {
    let backlog = Backlog::default();
    assert_eq!(backlog.offer(frame.len(), || false), Offer::Accepted);
    assert_eq!(session.take(Posted::Frame(frame), &backlog, spares), Taken::Queued { dropped: 0 });
}

/// The socket takes all that waits.
pub fn written(session: &mut Session, spares: &mut Spares) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = session.slices(&mut slices);
        let now: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
        if now.is_empty() {
            return all;
        }
        all.extend_from_slice(&now);
        session.wrote(now.len(), 0, &Backlog::default(), spares);
    }
}

/// The frames of the server in `bytes`: first byte and payload.
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        // RFC 6455, 5.1: "A server MUST NOT mask any frames that it sends to the client."
        assert_eq!(bytes[1] & 0x80, 0);
        let (len, header) = match bytes[1] {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().expect("8 bytes")) as usize, 10),
            len => (usize::from(len), 2),
        };
        all.push((bytes[0], bytes[header..header + len].to_vec()));
        bytes = &bytes[header + len..];
    }
    all
}

/// The bytes break the protocol: whatever the segments, the client gets a close frame of this code as the last thing, our end is
/// closed, and its end is waited for. The messages before it are seen.
pub fn fails(settings: &Settings, compression: Option<Compression>, bytes: &[u8], code: u16, messages: usize) {
    for segment in [1, 2, 7, usize::MAX] {
        let outcome = run(settings, compression, bytes, segment);
        let shown = &bytes[..bytes.len().min(40)];
        assert_eq!(outcome.messages.len(), messages, "{shown:02x?} by {segment}");
        let (first, body) = frames(&outcome.sent).pop().unwrap_or_else(|| panic!("{shown:02x?} by {segment}: nothing was answered"));
        assert_eq!((first, &body[..2]), (0x88, &code.to_be_bytes()[..]), "{shown:02x?} by {segment}: {:?}", outcome.closed);
        assert!(body.len() > 2 && std::str::from_utf8(&body[2..]).is_ok(), "the reason is said");
        let closed = outcome.closed.expect("it is told");
        assert_eq!((closed.code, closed.clean, closed.failed), (code, false, Some(Failed::Violation)));
        assert!(outcome.ending && outcome.half_closed && outcome.ended_after_eof, "{shown:02x?} by {segment}");
    }
}
