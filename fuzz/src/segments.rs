//! Ways in which a stream of bytes can arrive.

/// A generator of numbers that depend on nothing but its seed (xorshift).
pub struct Numbers(u64);

impl Numbers {
    /// Seeded by the bytes themselves, so that an input is all that is needed to repeat a failure.
    pub fn of(bytes: &[u8]) -> Numbers {
        // FNV-1a.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Numbers(hash | 1)
    }

    /// The next number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The lengths of the segments: all at once, byte by byte, and two ways in between.
pub fn lengths(stream: &[u8]) -> [Vec<usize>; 4] {
    let mut numbers = Numbers::of(stream);
    let mut cut = |most: usize| {
        let (mut left, mut lengths) = (stream.len(), Vec::new());
        while left > 0 {
            let length = (1 + numbers.below(most)).min(left);
            lengths.push(length);
            left -= length;
        }
        lengths
    };
    [vec![stream.len()], vec![1; stream.len()], cut(16), cut(stream.len().max(1))]
}
