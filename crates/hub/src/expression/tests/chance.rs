//! Numbers and names by chance, the same in each run.

/// Numbers that are the same in each run of a test.
pub(super) struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Few letters, so that names meet: some with a meaning of their own, and of one to four bytes.
    pub fn name(&mut self, letters: &[char]) -> String {
        (0..1 + self.below(4)).map(|_| self.one_of(letters)).collect()
    }
}

pub(super) const PLAIN: &[char] = &['a', 'b', 'é', '🦀', '\\'];
pub(super) const ANY: &[char] = &['a', 'b', 'é', '🦀', '\\', '"', '*', ' ', '&', '|', '!', '(', ')'];
pub(super) const WILD: &[char] = &['a', 'b', 'é', '*', '*'];
