//! How much each address has of the events that wait.

use hashbrown::HashMap;

use super::queue::Source;
use crate::quota::Address;

/// The weight of the events that wait, by the address of their connections. An address that has none is not here.
#[derive(Default)]
pub(super) struct Shares {
    of: HashMap<Address, usize>,
    /// What all addresses have together: timers and channels have none.
    total: usize,
}

impl Shares {
    /// So much more of a source waits; how much that is now. Events come in runs of one address: `run` has what is not written down yet of the
    /// last one, and goes to [`Shares::write_down`] in the end.
    pub fn grow(&mut self, run: &mut Option<(Address, usize)>, source: &Source, weight: usize) -> usize {
        let Some(address) = source.conn().and_then(|conn| conn.address()) else { return 0 };
        self.total += weight;
        match run {
            Some((of, share)) if *of == address => {
                *share += weight;
                *share
            }
            _ => {
                self.write_down(run.take());
                let share = self.of(address) + weight;
                *run = Some((address, share));
                share
            }
        }
    }

    pub fn write_down(&mut self, run: Option<(Address, usize)>) {
        if let Some((address, share)) = run {
            self.of.insert(address, share);
        }
    }

    /// So much less; how much that is now.
    pub fn shrink(&mut self, source: &Source, weight: usize) -> usize {
        let Some(address) = source.conn().and_then(|conn| conn.address()) else { return 0 };
        let Some(share) = self.of.get_mut(&address) else { return 0 };
        self.total = self.total.saturating_sub(weight);
        *share = share.saturating_sub(weight);
        let left = *share;
        if left == 0 {
            self.of.remove(&address);
        }
        left
    }

    /// How much waits of an address.
    pub fn of(&self, address: Address) -> usize {
        self.of.get(&address).copied().unwrap_or(0)
    }

    /// How much waits of all addresses together.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether an address has less than the mean of those that have some.
    pub fn is_below_mean(&self, address: Address) -> bool {
        self.of(address).saturating_mul(self.of.len()) < self.total
    }
}
