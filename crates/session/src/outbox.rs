//! The bytes of one connection that wait for its socket.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use fws_wire::Budget;
use fws_wire::deflate::{Pool, Shelf};
use fws_wire::frame::{self, Data, OpCode};

use crate::Frame;

/// From this length on a frame is not copied next to others but written from where it is.
const SHARE_FROM: usize = 4096;
/// A buffer of copied frames is not grown beyond this.
const BUFFER: usize = 64 * 1024;

/// Frames in the order they are to be written: small ones copied together, large ones by reference.
#[derive(Debug, Default)]
pub struct Outbox {
    /// None is empty but perhaps the last: a buffer that is kept for what comes next.
    segments: VecDeque<Segment>,
    /// So many segments at the front are not to be dropped from: the rest of a frame that was begun, and control frames.
    kept: usize,
    len: usize,
}

#[derive(Debug)]
struct Segment {
    data: Stored,
    /// How much of it is written, or dropped.
    from: usize,
    /// The start of a frame, at or before `from`.
    frame: usize,
}

#[derive(Debug)]
enum Stored {
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    fn new(data: Stored) -> Segment {
        Segment { data, from: 0, frame: 0 }
    }

    fn as_slice(&self) -> &[u8] {
        match &self.data {
            Stored::Copied(bytes) => bytes,
            Stored::Shared(bytes) => bytes,
        }
    }

    /// Forgets what is in it, if it is a buffer. `false`: it is none.
    fn clear(&mut self) -> bool {
        (self.from, self.frame) = (0, 0);
        match &mut self.data {
            Stored::Copied(bytes) => {
                bytes.clear();
                true
            }
            Stored::Shared(_) => false,
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
            let spare = self.segments.back().is_some_and(|last| last.as_slice().is_empty());
            self.segments.insert(self.segments.len() - usize::from(spare), Segment::new(Stored::Shared(frame)));
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
        let open = self.segments.len() > self.kept;
        let fits = |last: &Segment| matches!(&last.data, Stored::Copied(bytes) if bytes.is_empty() || bytes.len() + more <= BUFFER);
        if !(open && self.segments.back().is_some_and(fits)) {
            // A full buffer is behind others for a while: it shall not take more than it holds.
            if let Some(Segment { data: Stored::Copied(full), .. }) = self.segments.back_mut() {
                full.shrink_to_fit();
            }
            self.segments.push_back(Segment::new(Stored::Copied(Vec::new())));
        }
        match self.segments.back_mut().map(|last| &mut last.data) {
            Some(Stored::Copied(last)) => last,
            _ => unreachable!("bug: the last segment is a buffer"),
        }
    }

    /// Fills `slices` with what is to be written first; returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(&segment.as_slice()[segment.from..]);
            filled += 1;
        }
        filled
    }

    /// The socket took `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.len -= count;
        let mut count = count;
        while let Some(first) = self.segments.front_mut() {
            let here = count.min(first.as_slice().len() - first.from);
            first.from += here;
            count -= here;
            if first.from < first.as_slice().len() {
                return;
            }
            self.kept = self.kept.saturating_sub(1);
            if self.discard(0) {
                return;
            }
        }
    }

    /// Takes a segment out that is used up. `true`: it was the last, and is kept, empty, for what comes next.
    fn discard(&mut self, at: usize) -> bool {
        let last = self.segments.len() == 1 && self.segments[0].clear();
        if !last {
            self.segments.remove(at);
        }
        last
    }

    /// Drops the oldest messages until `least` bytes are free or none is left that can be dropped; how many.
    ///
    /// Never a part of a frame, hence none that was begun; never a control frame: it moves to the front instead. What is not dropped
    /// keeps its order.
    pub fn drop_oldest(&mut self, least: usize) -> u64 {
        let (mut messages, mut freed) = (0, 0);
        self.keep_begun();
        while freed < least {
            let Some(segment) = self.segments.get_mut(self.kept) else { break };
            let rest = &segment.as_slice()[segment.from..];
            if rest.is_empty() {
                break; // the buffer that is kept for what comes next
            }
            let (len, is_control) = measure(rest);
            let control = is_control.then(|| rest[..len].to_vec());
            segment.from += len;
            segment.frame = segment.from;
            if segment.from == segment.as_slice().len() {
                self.discard(self.kept);
            }
            match control {
                Some(frame) => self.keep(frame),
                None => {
                    messages += 1;
                    freed += len;
                }
            }
        }
        self.len -= freed;
        messages
    }

    /// Sets the rest of a frame that was begun apart from the frames behind it.
    fn keep_begun(&mut self) {
        let Some(first) = self.segments.front_mut().filter(|first| self.kept == 0 && first.from > first.frame) else { return };
        while first.frame < first.from {
            let end = first.frame + measure(&first.as_slice()[first.frame..]).0;
            if end <= first.from {
                first.frame = end;
                continue;
            }
            if end == first.as_slice().len() {
                self.kept = 1;
            } else {
                let begun = first.as_slice()[first.from..end].to_vec();
                (first.from, first.frame) = (end, end);
                self.keep(begun);
            }
            return;
        }
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        match self.kept.checked_sub(1).map(|last| &mut self.segments[last].data) {
            Some(Stored::Copied(kept)) => kept.extend_from_slice(&bytes),
            _ => {
                self.segments.insert(self.kept, Segment::new(Stored::Copied(bytes)));
                self.kept += 1;
            }
        }
    }

    /// Forgets all, but for a buffer that is not too large to be kept.
    fn clear(&mut self) {
        self.segments.truncate(1);
        let fits = |only: &Segment| matches!(&only.data, Stored::Copied(buffer) if buffer.capacity() <= BUFFER);
        if !self.segments.front_mut().is_some_and(|only| fits(only) && only.clear()) {
            self.segments.clear();
        }
        self.kept = 0;
        self.len = 0;
    }
}

/// The length of the frame of ours at the start of `bytes`, and whether it is a control frame.
fn measure(bytes: &[u8]) -> (usize, bool) {
    let payload = match bytes[1] {
        126 => usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        127 => u64::from_be_bytes(bytes[2..10].try_into().expect("bug: a frame without its header")) as usize,
        length => usize::from(length),
    };
    (frame::encoded_len(payload), bytes[0] & 8 != 0)
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
    /// What a message says: whether it is binary, and its payload.
    pub fn decode(&mut self, frame: &Frame) -> (bool, Vec<u8>) {
        frame.decoded(&mut self.pool)
    }

    /// So many are kept, at most [`BUFFER`] bytes each.
    const MOST: usize = 64;

    /// None yet. `budget`: what the unfinished messages of its connections may take, with those of others that share it. `shelf`: where they
    /// keep what their compression needs between messages.
    pub fn new(budget: Arc<Budget>, shelf: Arc<Shelf>) -> Spares {
        Spares { pool: Pool::new(budget, shelf), ..Spares::default() }
    }

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
        let mut slices = [IoSlice::new(&[]); 300];
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

    fn encoded(opcode: OpCode, len: usize, fill: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(opcode, true, &vec![fill; len], &mut bytes);
        bytes
    }

    /// The frames in `bytes`: opcode, and the byte they are filled with.
    fn frames(mut bytes: &[u8]) -> Vec<(u8, u8)> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let len = measure(bytes).0;
            all.push((bytes[0] & 15, bytes[len - 1]));
            bytes = &bytes[len..];
        }
        all
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one walk whose steps share what has happened before")]
    fn whatever_is_dropped_the_client_sees_whole_frames_in_order_and_every_control_frame() {
        const DATA: OpCode = OpCode::Data(frame::Data::Binary);
        let mut seed = 1u32;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut spares = Spares::default();
        for _ in 0..40 {
            let mut outbox = spares.take();
            let (mut got, mut sent, mut pings, mut dropped) = (Vec::new(), 0u8, 0u8, 0);
            for _ in 0..200 {
                match random(5) {
                    0 => {
                        let len = [1, 50, 126, 4000, 5000, 70_000][random(6)];
                        sent += 1;
                        outbox.push(encoded(DATA, len, sent).into());
                    }
                    1 => {
                        sent += 1;
                        outbox.encode(DATA, &vec![sent; 1 + random(300)]);
                    }
                    2 if pings < 60 => {
                        pings += 1;
                        outbox.encode(OpCode::Control(frame::Control::Ping), &[pings]);
                    }
                    3 => {
                        let (before, least) = (outbox.len(), random(6000));
                        dropped += outbox.drop_oldest(least);
                        let (mut all, begun) = (got.clone(), got.len());
                        all.extend(waiting(&outbox));
                        let mut at = 0;
                        let droppable = std::iter::from_fn(|| {
                            let start = at;
                            let (len, is_control) = (at < all.len()).then(|| measure(&all[at..]))?;
                            at += len;
                            Some(start >= begun && !is_control)
                        });
                        assert!(before - outbox.len() >= least || droppable.filter(|&is| is).count() == 0);
                    }
                    _ => {
                        let now = waiting(&outbox);
                        let count = random(6000).min(now.len());
                        got.extend_from_slice(&now[..count]);
                        outbox.consume(count);
                    }
                }
                if sent > 250 {
                    break;
                }
            }
            while !outbox.is_empty() {
                let now = waiting(&outbox);
                got.extend_from_slice(&now);
                outbox.consume(now.len());
            }
            let frames = frames(&got);
            let of = |opcode: u8| frames.iter().filter(|f| f.0 == opcode).map(|f| f.1).collect::<Vec<_>>();
            assert_eq!(of(9), (1..=pings).collect::<Vec<_>>(), "no ping is dropped");
            let messages = of(2);
            assert!(messages.is_sorted(), "{messages:?}");
            assert_eq!(messages.len() as u64 + dropped, u64::from(sent), "what does not arrive is counted");
            spares.give(outbox);
        }
    }

    #[test]
    fn the_oldest_that_was_not_begun_goes_and_a_begun_one_stays() {
        let mut outbox = Outbox::default();
        for fill in 1..=4 {
            outbox.push(encoded(OpCode::Data(frame::Data::Binary), 100, fill).into());
        }
        outbox.consume(7);
        assert_eq!(outbox.drop_oldest(150), 2);
        let mut all = encoded(OpCode::Data(frame::Data::Binary), 100, 1)[..7].to_vec();
        all.extend(waiting(&outbox));
        assert_eq!(frames(&all), [(2, 1), (2, 4)]);
        assert_eq!(outbox.len(), 95 + 102);
        assert_eq!((outbox.drop_oldest(usize::MAX), outbox.len()), (1, 95), "the begun one alone is left");
    }

    #[test]
    fn a_spare_outbox_is_empty() {
        let mut spares = Spares::default();
        let mut outbox = spares.take();
        outbox.push(vec![1; 5000].into());
        outbox.push(b"x"[..].into());
        outbox.consume(2);
        spares.give(outbox);
        let mut outbox = spares.take();
        assert_eq!((outbox.len(), waiting(&outbox)), (0, Vec::new()));
        // And small.
        outbox.encode(OpCode::Data(frame::Data::Binary), &vec![1; 4 << 20]);
        outbox.consume(outbox.len());
        spares.give(outbox);
        let held = spares.outboxes[0].segments.iter().map(|segment| match &segment.data {
            Stored::Copied(buffer) => buffer.capacity(),
            Stored::Shared(_) => 0,
        });
        assert!(held.sum::<usize>() <= BUFFER);
    }
}
