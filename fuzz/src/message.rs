//! Frames put together to messages: the same however they arrive, bounded, and as tungstenite has them.

use std::io::{self, Read, Write};

use fws_wire::close::{CloseFrame, NO_STATUS};
use fws_wire::deflate::{Params, Pool};
use fws_wire::message::{Decoder, Item, Limits};
use fws_wire::{Error, Owner, Peer};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::segments;

/// The first byte chooses the limit, the rest is what a client sends.
pub fn check(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else { return };
    // With compression there are more messages than tungstenite reads.
    let deflate = choice & 8 != 0;
    let takeover = choice & 16 != 0;
    let compression =
        deflate.then_some(Params { server_takeover: takeover, client_takeover: takeover, server_bits: 15, client_bits: 15 - choice % 4 });
    let limit = [0, 1, 125, 126, 1000, 65536, 1 << 20, u64::MAX][usize::from(choice % 8)];
    let [whole, others @ ..] = segments::lengths(stream);
    let seen = decode(stream, &whole, limit, compression);
    for lengths in &others {
        assert_eq!(decode(stream, lengths, limit, compression), seen, "in segments of {lengths:?}");
    }
    // It reserves what a header declares.
    if !deflate && limit <= 1 << 20 {
        compare(&seen, &tungstenite(stream, limit as usize));
    }
}

#[derive(Debug, PartialEq)]
enum Seen {
    Message { binary: bool, payload: Vec<u8> },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseFrame),
    Error(Error),
}

fn decode(mut stream: &[u8], lengths: &[usize], limit: u64, compression: Option<Params>) -> Vec<Seen> {
    let limits = Limits { max_message_size: limit, max_frame_size: u64::MAX };
    let (mut pool, mut seen, mut arrived) = (Pool::default(), Vec::new(), 0);
    let mut decoder =
        compression.as_ref().map_or_else(Decoder::default, |params| Decoder::with_compression(params, pool.shelf(), Owner(1)));
    for &length in lengths {
        let mut bytes = stream[..length].to_vec();
        stream = &stream[length..];
        arrived += length;
        let mut input = bytes.as_mut_slice();
        loop {
            seen.push(match decoder.next(&mut input, &limits, &mut pool) {
                Ok(None) => break,
                Ok(Some(Item::Message { binary, payload })) => {
                    assert!(payload.as_slice().len() as u64 <= limit, "a message longer than {limit}");
                    Seen::Message { binary, payload: payload.into_boxed().into_vec() }
                }
                Ok(Some(Item::Ping(payload))) => Seen::Ping(payload.into_boxed().into_vec()),
                Ok(Some(Item::Pong(payload))) => Seen::Pong(payload.into_boxed().into_vec()),
                Ok(Some(Item::Close(frame))) => Seen::Close(frame),
                Err(error) => Seen::Error(error),
            });
            if matches!(seen.last(), Some(Seen::Close(_) | Seen::Error(_))) {
                return seen;
            }
        }
        decoder.end_read(arrived as u64, Peer::default(), &pool).expect("a budget without end");
        assert!(decoder.half_received().is_none_or(|(_, came)| came <= arrived as u64));
        // What a header promises is not reserved: memory grows with what has come, and with the limit at most.
        let grows = if compression.is_some() { 2 * 1100 } else { 2 };
        let most = (grows * arrived as u64).min(limit.saturating_add(2 * 125)) as usize;
        assert!(decoder.buffered() <= most, "{} bytes are held after {arrived}, with a limit of {limit}", decoder.buffered());
    }
    seen
}

/// A client's bytes to be read, and nowhere for the answers to go.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(buffer) }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite makes of it, and the error that it ends with.
fn tungstenite(stream: &[u8], limit: usize) -> (Vec<Seen>, Option<tungstenite::Error>) {
    // To it a frame is also a control frame.
    let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit.max(125)));
    let mut socket = WebSocket::from_raw_socket(Wire(stream), Role::Server, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Message { binary: false, payload: text.as_bytes().to_vec() },
            Ok(Message::Binary(bytes)) => Seen::Message { binary: true, payload: bytes.to_vec() },
            Ok(Message::Ping(bytes)) => Seen::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Seen::Pong(bytes.to_vec()),
            Ok(Message::Close(frame)) => {
                seen.push(Seen::Close(frame.map_or(CloseFrame { code: NO_STATUS, reason: String::new() }, |frame| CloseFrame {
                    code: frame.code.into(),
                    reason: frame.reason.to_string(),
                })));
                return (seen, None);
            }
            Ok(Message::Frame(_)) => unreachable!("bug: only written, never read"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return (seen, None),
            Err(error) => return (seen, Some(error)),
        });
    }
}

/// What is accepted here is accepted there as the same. There more is: lengths in more bytes than needed, for one.
fn compare(ours: &[Seen], (theirs, error): &(Vec<Seen>, Option<tungstenite::Error>)) {
    let accepted = match ours.last() {
        Some(Seen::Error(_)) => &ours[..ours.len() - 1],
        _ => {
            assert!(error.is_none(), "tungstenite finds {error:?} in {ours:?}");
            ours
        }
    };
    for (number, seen) in accepted.iter().enumerate() {
        // 1014 was registered later; to tungstenite it is a violation.
        if !matches!(seen, Seen::Close(CloseFrame { code: 1014, .. })) {
            assert_eq!(Some(seen), theirs.get(number), "item {number}; tungstenite ends with {error:?}");
        }
    }
}
