//! How often a client may do what others are told: token buckets.

use crate::Millis;

/// Thousandths of what may still be done, so that a rate a second is exact by the millisecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: u64,
    at: Millis,
}

/// One deed.
const EVENT: u64 = 1000;

impl Bucket {
    /// A full one, which holds so much.
    pub fn full(most: u32, now: Millis) -> Bucket {
        Bucket { level: u64::from(most) * EVENT, at: now }
    }

    /// Takes one out; so many come back in a second. `false`: there is none, and nothing changes. The rate 0 has no limit.
    pub fn take(&mut self, rate: u32, most: u32, now: Millis) -> bool {
        if rate == 0 {
            return true;
        }
        let gained = now.saturating_sub(self.at).saturating_mul(rate.into());
        self.at = self.at.max(now);
        self.level = self.level.saturating_add(gained).min(u64::from(most) * EVENT);
        let enough = self.level >= EVENT;
        if enough {
            self.level -= EVENT;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::full(10, 5);
        let passed = (5..10_005).filter(|now| bucket.take(10, 10, *now)).count();
        assert_eq!(passed, 10 + 99);
    }

    #[test]
    fn a_clock_that_goes_back_or_far_ahead_gives_no_more_than_a_second() {
        let mut bucket = Bucket::full(2, 1000);
        assert!(bucket.take(2, 2, 1000) && bucket.take(2, 2, 0) && !bucket.take(2, 2, 0) && !bucket.take(2, 2, 1000));
        assert!(bucket.take(2, 2, u64::MAX) && bucket.take(2, 2, u64::MAX) && !bucket.take(2, 2, u64::MAX));
        let mut any = Bucket::full(0, 0);
        assert!((0..1000).all(|_| any.take(0, 0, 0)));
        assert!(Bucket::full(u32::MAX, 0).take(u32::MAX, u32::MAX, u64::MAX));
    }
}
