//! Contexts to borrow.

use std::sync::Arc;

use super::{Deflater, Inflater, Shelf};
use crate::Budget;

/// So many contexts of a kind wait at most: about 0.8 MB of inflaters and 1.5 MB of deflaters.
const MOST: (usize, usize) = (16, 4);
/// The pieces in which messages are inflated.
const SCRATCH: usize = 16 * 1024;
/// The buffer for compressed messages is not kept beyond this length.
const BUFFER: usize = 64 * 1024;

/// What connections have in common: contexts that none of them uses at the moment, the shelf of what they keep between messages, and the
/// budget of their unfinished messages. Empty, it owns nothing.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "a connection keeps a context in a box, which is what is lent")]
pub struct Pool {
    inflaters: Vec<Box<Inflater>>,
    deflaters: Vec<Box<Deflater>>,
    scratch: Vec<u8>,
    buffer: Vec<u8>,
    pub(crate) budget: Arc<Budget>,
    shelf: Arc<Shelf>,
}

impl Pool {
    /// An empty one.
    pub fn new(budget: Arc<Budget>, shelf: Arc<Shelf>) -> Pool {
        Pool { budget, shelf, ..Pool::default() }
    }

    /// Where its connections keep things between messages.
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// A context for a message.
    pub fn inflater(&mut self) -> Box<Inflater> {
        self.inflaters.pop().unwrap_or_default()
    }

    /// Gives one back that has [finished](Inflater::finish) its message, or given it up.
    pub fn give_inflater(&mut self, inflater: Box<Inflater>) {
        if self.inflaters.len() < MOST.0 {
            self.inflaters.push(inflater);
        }
    }

    /// A fresh context.
    pub fn deflater(&mut self, level: u8, window_bits: u8) -> Box<Deflater> {
        match self.deflaters.iter().rposition(|spare| (spare.level, spare.window_bits) == (level, window_bits)) {
            Some(at) => {
                let mut deflater = self.deflaters.swap_remove(at);
                deflater.reset();
                deflater
            }
            None => Box::new(Deflater::new(level, window_bits, false)),
        }
    }

    /// Gives one back, whatever it has seen.
    pub fn give_deflater(&mut self, deflater: Box<Deflater>) {
        if self.deflaters.len() == MOST.1 {
            // Of a kind that is not asked for any more, perhaps.
            self.deflaters.remove(0);
        }
        self.deflaters.push(deflater);
    }

    /// Memory for a piece of an inflated message.
    pub(crate) fn scratch(&mut self) -> &mut [u8] {
        self.scratch.resize(SCRATCH, 0);
        &mut self.scratch
    }

    /// Lets `use_it` have memory for a compressed message.
    pub fn with_buffer<T>(&mut self, use_it: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let used = use_it(&mut self.buffer);
        if self.buffer.capacity() > BUFFER {
            self.buffer = Vec::new();
        }
        used
    }
}
