//! Compressed messages: permessage-deflate (RFC 7692), both directions.
//!
//! * [`negotiate`](negotiate()) reads what a client offers and says what is answered;
//! * an [`Inflater`] turns the frames of a message into its payload as they come, and never makes more than it is asked for;
//! * a [`Deflater`] compresses a whole message;
//! * a [`Pool`] lends both, so that only connections with context takeover own any.
//!
//! DEFLATE itself is zlib-rs.

mod negotiation;
mod pool;

pub(crate) use negotiation::is_token;
pub use negotiation::{Config, Malformed, Params, negotiate};
pub use pool::Pool;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use crate::Error;

/// RFC 7692, 7.2.1: these octets are removed "from the tail end" of a compressed message, and 7.2.2 has them appended again.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// An empty last block. A stream between two blocks ends with it; one inside a block does not.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// The decompression of one direction of a connection, or of one message.
pub struct Inflater {
    stream: Inflate,
    window_bits: u8,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("window_bits", &self.window_bits).finish_non_exhaustive()
    }
}

impl Inflater {
    /// `window_bits`: what the client's compression keeps to, 8 to 15.
    pub fn new(window_bits: u8) -> Inflater {
        // Compressors take 9 for 8, and a larger window reads what was written for a smaller one.
        let window_bits = window_bits.max(9);
        Inflater { stream: Inflate::new(false, window_bits), window_bits }
    }

    /// Forgets all that it has seen.
    fn reset(&mut self) {
        if self.window_bits == 15 {
            self.stream.reset(false);
        } else {
            // Its reset is to a window of 15 bits.
            self.stream = Inflate::new(false, self.window_bits);
        }
    }

    /// Inflates a piece of a message, part by part through `scratch` into `sink`, whose error ends it.
    pub fn inflate(&mut self, mut input: &[u8], scratch: &mut [u8], mut sink: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            let before = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(input, scratch, InflateFlush::NoFlush);
            let used = (self.stream.total_in() - before.0) as usize;
            let made = (self.stream.total_out() - before.1) as usize;
            input = &input[used..];
            // Also what came before an error: of two things wrong, the first is told, in whatever pieces they arrive.
            if made > 0 {
                sink(&scratch[..made])?;
            }
            if status.map_err(|_| Error::CorruptDeflate)? == Status::StreamEnd {
                // RFC 7692, 7.2.1: a block with BFINAL set may be followed by others, from the next byte on.
                self.reset();
                if input.is_empty() {
                    return Ok(());
                }
            } else if made < scratch.len() && input.is_empty() {
                return Ok(());
            } else if made == 0 && used == 0 {
                return Err(Error::CorruptDeflate);
            }
        }
    }

    /// All frames of a message were inflated. `keep`: its window is for the next message.
    ///
    /// Without `keep` it is also known whether the message ended where a block does; the inflater begins anew.
    pub fn finish(&mut self, keep: bool) -> Result<(), Error> {
        let mut unexpected = [0u8; 16];
        let nothing_more = |_: &[u8]| Err(Error::CorruptDeflate);
        self.inflate(&TAIL, &mut unexpected, nothing_more)?;
        if keep {
            return Ok(());
        }
        let before = self.stream.total_out();
        let status = self.stream.decompress(&LAST_BLOCK, &mut unexpected, InflateFlush::NoFlush);
        let whole = status == Ok(Status::StreamEnd) && self.stream.total_out() == before;
        self.reset();
        if whole { Ok(()) } else { Err(Error::CorruptDeflate) }
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
