//! What the unfinished messages of many connections may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Error;

/// How many bytes unfinished messages may take together, and how many they take. Shared by threads.
///
/// A limit for each message bounds one connection. Many that begin messages and never end them it does not.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(most: usize) -> Budget {
        Budget { most, used: AtomicUsize::new(0) }
    }

    /// How many bytes are taken.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(usize::MAX)
    }
}

/// What one unfinished message takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    pub fn of(budget: &Arc<Budget>) -> Share {
        Share { budget: budget.clone(), bytes: 0 }
    }

    /// The message will take `bytes` from now on, which are never fewer than before. An error: there are not so many left.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let more = bytes - self.bytes;
        let before = self.budget.used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.budget.most {
            self.budget.used.fetch_sub(more, Ordering::Relaxed);
            return Err(Error::NoRoom);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back_and_never_more_than_there_is() {
        let budget = Arc::new(Budget::new(100));
        let (mut one, mut two) = (Share::of(&budget), Share::of(&budget));
        assert_eq!((one.grow(60), two.grow(41), two.grow(40)), (Ok(()), Err(Error::NoRoom), Ok(())));
        assert_eq!((one.grow(61), budget.used()), (Err(Error::NoRoom), 100));
        drop(two);
        assert_eq!((one.grow(100), budget.used()), (Ok(()), 100));
        drop(one);
        assert_eq!(budget.used(), 0);
    }
}
