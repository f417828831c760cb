//! The bytes of one connection that wait for its socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use fws_wire::deflate::Pool;
use fws_wire::frame::{self, Data, OpCode};

/// From this length on a frame is not copied next to others but written from where it is.
const SHARE_FROM: usize = 4096;
/// A buffer of copied frames is not grown beyond this.
const BUFFER: usize = 64 * 1024;

/// Frames in the order they are to be written: small ones copied together, large ones by reference.
#[derive(Debug, Default)]
pub struct Outbox {
    segments: VecDeque<Segment>,
    /// How much of the first segment is written.
    written: usize,
    len: usize,
}

#[derive(Debug)]
enum Segment {
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    fn as_slice(&self) -> &[u8] {
        match self {
            Segment::Copied(bytes) => bytes,
            Segment::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an encoded frame.
    pub fn push(&mut self, frame: Bytes) {
        self.len += frame.len();
        if frame.len() >= SHARE_FROM {
            self.segments.push_back(Segment::Shared(frame));
        } else {
            self.buffer(frame.len()).extend_from_slice(&frame);
        }
    }

    /// Encodes a frame at the end, without an allocation of its own.
    pub fn encode(&mut self, opcode: OpCode, payload: &[u8]) {
        let len = frame::encoded_len(payload.len());
        self.len += len;
        frame::encode(opcode, true, payload, self.buffer(len));
    }

    /// The same for a message that is compressed already.
    pub fn encode_compressed(&mut self, kind: Data, payload: &[u8]) {
        let len = frame::encoded_len(payload.len());
        self.len += len;
        frame::encode_compressed(kind, payload, self.buffer(len));
    }

    /// The buffer to which `more` bytes can be appended in order.
    fn buffer(&mut self, more: usize) -> &mut Vec<u8> {
        let fits = matches!(self.segments.back(), Some(Segment::Copied(last)) if last.is_empty() || last.len() + more <= BUFFER);
        if !fits {
            self.segments.push_back(Segment::Copied(Vec::new()));
        }
        match self.segments.back_mut() {
            Some(Segment::Copied(last)) => last,
            _ => unreachable!("bug: the last segment is a buffer"),
        }
    }

    /// Fills `slices` with what is to be written first; returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(&segment.as_slice()[skip..]);
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// The socket took `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.len -= count;
        self.written += count;
        loop {
            let last = self.segments.len() == 1;
            let Some(first) = self.segments.front_mut() else { return };
            let size = first.as_slice().len();
            if self.written < size {
                return;
            }
            self.written -= size;
            match first {
                // The last buffer is kept for what comes next.
                Segment::Copied(bytes) if last => {
                    bytes.clear();
                    return;
                }
                _ => drop(self.segments.pop_front()),
            }
        }
    }

    /// Forgets all.
    fn clear(&mut self) {
        self.segments.truncate(1);
        match self.segments.front_mut() {
            Some(Segment::Copied(bytes)) => bytes.clear(),
            _ => self.segments.clear(),
        }
        self.written = 0;
        self.len = 0;
    }
}

/// What connections have only while they need it: outboxes while something waits, so that a busy one costs no allocation, and contexts
/// while a compressed message comes or goes.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "a connection keeps its outbox in a box, which is what is reused")]
pub struct Spares {
    outboxes: Vec<Box<Outbox>>,
    pub(crate) pool: Pool,
    pub(crate) saved: Saved,
}

/// What compression has saved.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Messages sent compressed.
    pub messages: u64,
    /// Bytes by which they are shorter than they were.
    pub bytes: u64,
}

impl Spares {
    /// So many are kept, at most [`BUFFER`] bytes each.
    const MOST: usize = 64;

    /// An empty outbox.
    pub fn take(&mut self) -> Box<Outbox> {
        self.outboxes.pop().unwrap_or_default()
    }

    /// What was saved since the last call, by sessions that compress for themselves.
    pub fn take_saved(&mut self) -> Saved {
        std::mem::take(&mut self.saved)
    }

    /// Gives one back, whatever is in it.
    pub fn give(&mut self, mut outbox: Box<Outbox>) {
        if self.outboxes.len() < Self::MOST {
            outbox.clear();
            self.outboxes.push(outbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = outbox.slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn bytes_come_out_in_order_however_few_the_socket_takes() {
        for step in [1, 3, 1000, 5000] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for (n, len) in [10, 5000, 20, 30, 4096, 0].into_iter().enumerate() {
                let frame = vec![n as u8; len];
                expected.extend_from_slice(&frame);
                outbox.push(frame.into());
            }
            assert_eq!(waiting(&outbox), expected);
            let mut got = Vec::new();
            while !outbox.is_empty() {
                let now = waiting(&outbox);
                let count = step.min(now.len());
                got.extend_from_slice(&now[..count]);
                outbox.consume(count);
            }
            assert_eq!(got, expected, "{step} at a time");
            assert_eq!(outbox.len(), 0);
            outbox.push(b"again"[..].into());
            assert_eq!(waiting(&outbox), b"again");
        }
    }

    #[test]
    fn a_spare_outbox_is_empty() {
        let mut spares = Spares::default();
        let mut outbox = spares.take();
        outbox.push(vec![1; 5000].into());
        outbox.push(b"x"[..].into());
        outbox.consume(2);
        spares.give(outbox);
        let outbox = spares.take();
        assert_eq!((outbox.len(), waiting(&outbox)), (0, Vec::new()));
    }
}
