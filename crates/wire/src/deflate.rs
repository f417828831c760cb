//! Compressed messages: permessage-deflate (RFC 7692), both directions.
//!
//! * [`negotiate`](negotiate()) reads what a client offers and says what is answered;
//! * an [`Inflater`] turns the frames of a message into its payload as they come, and never makes more than it is asked for;
//! * a [`Window`] is what a client with context takeover has sent, as far as its next message may refer to it;
//! * a [`Deflater`] compresses a whole message;
//! * a [`Pool`] lends inflaters and deflaters;
//! * a [`Shelf`] bounds what connections keep between messages: windows, and deflaters of those with context takeover.
//!
//! DEFLATE itself is zlib-rs.

mod negotiation;
mod pool;
mod shelf;

pub(crate) use negotiation::is_token;
pub use negotiation::{Config, Malformed, Params, negotiate};
pub use pool::Pool;
pub use shelf::{Lent, Place, Shelf, Shelved};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use crate::Error;

/// RFC 7692, 7.2.1: these octets are removed "from the tail end" of a compressed message, and 7.2.2 has them appended again.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// An empty block, with BFINAL set.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// So often blocks may refer to what came before a block with BFINAL set, in one message: it is copied each time, and such blocks may have
/// two bytes.
const RECALLS: u32 = 64;

/// The end of what a client has sent: with context takeover its next message may refer to it.
#[derive(Debug)]
pub struct Window {
    bytes: Vec<u8>,
    size: usize,
}

impl Window {
    /// An empty one. `window_bits`: what the client's compression keeps to, 8 to 15.
    pub fn new(window_bits: u8) -> Window {
        // Compressors take 9 for 8.
        Window { bytes: Vec::new(), size: 1 << window_bits.clamp(9, 15) }
    }

    /// Whether nothing of what the next message may refer to is missing, though earlier messages are.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() == self.size
    }

    /// Adds a message.
    fn push(&mut self, message: &[u8]) {
        let message = &message[message.len().saturating_sub(self.size)..];
        let len = self.bytes.len() + message.len();
        self.bytes.drain(..len.saturating_sub(self.size));
        // Never more than it can become, which is what an idle connection keeps.
        let room = len.next_power_of_two().min(self.size).saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(room);
        self.bytes.extend_from_slice(message);
    }
}

/// What takes the pieces of a message as they are inflated.
pub trait Sink {
    /// The next piece. An error ends the message.
    fn take(&mut self, piece: &[u8]) -> Result<(), Error>;
    /// All that was taken of this message.
    fn taken(&self) -> &[u8];
}

/// The decompression of one message.
pub struct Inflater {
    stream: Inflate,
    /// What the message may refer to.
    window: Option<Window>,
    /// The last block had BFINAL set.
    ended: bool,
    /// How often that was followed by others.
    recalls: u32,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("window", &self.window).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        // The largest window reads what was written for a smaller one.
        Inflater { stream: Inflate::new(false, 15), window: None, ended: false, recalls: 0 }
    }
}

/// What an inflater takes: the window of DEFLATE, and zlib-rs's tables.
const INFLATER: usize = 48 * 1024;

impl Inflater {
    /// The bytes it takes, without the window that it was begun with.
    pub fn held(&self) -> usize {
        INFLATER
    }

    /// Begins a message, which may refer to `window`.
    pub fn begin(&mut self, window: Option<Window>) {
        self.window = window;
        self.recall(&[]);
    }

    /// A stream that has not begun gets the window and what was `taken` of this message, to refer to.
    fn recall(&mut self, taken: &[u8]) {
        for past in [self.window.as_ref().map_or(&[][..], |window| &window.bytes), taken] {
            if !past.is_empty() {
                let past = &past[past.len().saturating_sub(1 << 15)..];
                self.stream.set_dictionary(past).expect("bug: a stream without a header takes a dictionary at any time");
            }
        }
    }

    /// Inflates a piece of the message, part by part through `scratch` into `sink`, whose error ends it.
    pub fn inflate(&mut self, mut input: &[u8], scratch: &mut [u8], sink: &mut impl Sink) -> Result<(), Error> {
        loop {
            if self.ended {
                if input.is_empty() {
                    return Ok(());
                }
                // RFC 7692, 7.2.1: a block with BFINAL set may be followed by others, from the next byte on.
                self.reset();
                self.recalls += 1;
                if self.recalls <= RECALLS {
                    self.recall(sink.taken());
                }
            }
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(input, scratch, InflateFlush::NoFlush);
            let used = (self.stream.total_in() - before.0) as usize;
            let made = (self.stream.total_out() - before.1) as usize;
            input = &input[used..];
            // Also what came before an error: of two things wrong, the first is told, in whatever pieces they arrive.
            if made > 0 {
                sink.take(&scratch[..made])?;
            }
            if status.map_err(|_| Error::CorruptDeflate)? == Status::StreamEnd {
                self.ended = true;
            } else if made < scratch.len() && input.is_empty() {
                return Ok(());
            } else if made == 0 && used == 0 {
                return Err(Error::CorruptDeflate);
            }
        }
    }

    /// All frames of the message, which is `message`, were inflated; returns the window with it. An error: it does not end where a block
    /// does. The inflater is fit for another one.
    pub fn finish(&mut self, message: &[u8]) -> Result<Option<Window>, Error> {
        if self.ended {
            self.reset();
        }
        // An empty last block behind the octets that were removed: a stream between two blocks ends with it; one inside a block does not.
        for (input, end) in [(&TAIL[..], Status::Ok), (&LAST_BLOCK[..], Status::StreamEnd)] {
            let (before, mut unexpected) = ((self.stream.total_in(), self.stream.total_out()), [0u8; 16]);
            let status = self.stream.decompress(input, &mut unexpected, InflateFlush::NoFlush);
            let all = (self.stream.total_in(), self.stream.total_out()) == (before.0 + input.len() as u64, before.1);
            if status != Ok(end) || !all {
                return Err(Error::CorruptDeflate);
            }
        }
        if let Some(window) = &mut self.window {
            window.push(message);
        }
        Ok(self.give_up())
    }

    /// Forgets the message; returns the window without it.
    pub fn give_up(&mut self) -> Option<Window> {
        self.reset();
        self.recalls = 0;
        self.window.take()
    }

    fn reset(&mut self) {
        self.stream.reset(false);
        self.ended = false;
    }
}

/// The compression of one direction of a connection, or of one message.
pub struct Deflater {
    stream: Deflate,
    level: u8,
    window_bits: u8,
    lean: bool,
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").field("level", &self.level).field("window_bits", &self.window_bits).finish_non_exhaustive()
    }
}

/// zlib's measure of how much is gathered before a block is written: the usual one, and one for contexts of which there are many.
/// With a window of 15 bits a context takes 380 or 280 KB.
const GATHER: (i32, i32) = (8, 5);

impl Deflater {
    /// `level` 1 (fast) to 9 (small), `window_bits` 9 to 15. `lean`: a little worse with large messages, for the sake of memory.
    pub fn new(level: u8, window_bits: u8, lean: bool) -> Deflater {
        Deflater { stream: stream(level, window_bits, lean), level, window_bits, lean }
    }

    /// The bytes it takes: twice its window, as much of places in it, and zlib-rs's tables.
    pub fn held(&self) -> usize {
        let gather = if self.lean { GATHER.1 } else { GATHER.0 };
        (4 << self.window_bits) + (128 << 10) + (7 << (gather + 6)) + (6 << 10)
    }

    /// Forgets all that it has seen.
    pub fn reset(&mut self) {
        self.stream.reset();
    }

    /// Compresses a whole message (RFC 7692, 7.2.1) into `buffer`; the payload for the wire, or `None` where it would not be shorter.
    ///
    /// Then its context is not the client's any more, and is to be [reset](Deflater::reset).
    pub fn deflate<'a>(&mut self, payload: &[u8], buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        // Enough for whatever comes, so that no message is given up half-way: from that, reset does not recover (zlib-rs 0.6.8 keeps the
        // place in its output buffer, and at level 1 that a block was begun).
        let most = payload.len() + payload.len() / 8 + payload.len() / 64 + 64;
        buffer.resize(most, 0);
        let before = (self.stream.total_in(), self.stream.total_out());
        let done = self.stream.compress(payload, &mut buffer[..most], DeflateFlush::SyncFlush).is_ok();
        let used = (self.stream.total_in() - before.0) as usize;
        let made = (self.stream.total_out() - before.1) as usize;
        if !done || used < payload.len() || made == most {
            self.stream = stream(self.level, self.window_bits, self.lean);
            return None;
        }
        buffer[..made].strip_suffix(&TAIL).filter(|deflated| deflated.len() < payload.len())
    }
}

fn stream(level: u8, window_bits: u8, lean: bool) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level: level.clamp(1, 9).into(),
        // Negative: without a header, as RFC 7692 has it. 8 is not possible without one; the negotiation does not agree to it.
        window_bits: -i32::from(window_bits.clamp(9, 15)),
        mem_level: if lean { GATHER.1 } else { GATHER.0 },
        ..DeflateConfig::default()
    })
}

#[cfg(test)]
mod tests;
