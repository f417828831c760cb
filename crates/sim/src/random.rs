//! A seeded generator: splitmix64, by Sebastiano Vigna, which is in the public domain.

use std::cell::Cell;

/// Numbers that follow from a seed.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    /// The next number.
    pub fn number(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers from 0 on, and below this one.
    pub fn below(&self, most: usize) -> usize {
        (self.number() % most.max(1) as u64) as usize
    }

    /// One of the numbers from the first to the last.
    pub fn between(&self, first: usize, last: usize) -> usize {
        first + self.below(last + 1 - first)
    }

    /// So often of a thousand times.
    pub fn chance(&self, of_thousand: usize) -> bool {
        self.below(1000) < of_thousand
    }

    /// One of them.
    pub fn pick<T: Clone>(&self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Fills a buffer.
    pub fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes()[..chunk.len()]);
        }
    }
}
