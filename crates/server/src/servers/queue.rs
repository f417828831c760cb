//! What waits for a thread, bounded by what it takes.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

/// What an entry takes, in addition to its bytes.
const OVERHEAD: usize = 128;

/// A queue that takes so many bytes at most. What must not be lost is put in above that.
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    some: Condvar,
    most: usize,
}

struct Waiting<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Queue<T> {
    /// An empty one.
    pub fn new(most: usize) -> Queue<T> {
        Queue { waiting: Mutex::new(Waiting { entries: VecDeque::new(), bytes: 0 }), some: Condvar::new(), most }
    }

    /// Puts an entry of so many bytes behind the others. It does not wait: where there is no room it is given back.
    pub fn push(&self, entry: T, bytes: usize) -> Result<(), T> {
        let mut waiting = self.waiting.lock();
        if waiting.bytes + bytes + OVERHEAD > self.most {
            return Err(entry);
        }
        waiting.bytes += bytes + OVERHEAD;
        waiting.entries.push_back((entry, bytes + OVERHEAD));
        self.some.notify_one();
        Ok(())
    }

    /// Puts an entry behind the others, also where there is no room.
    pub fn push_always(&self, entry: T) {
        self.waiting.lock().entries.push_back((entry, 0));
        self.some.notify_one();
    }

    /// The next entry, if there is one.
    #[cfg(feature = "simulation")]
    pub fn try_take(&self) -> Option<T> {
        let mut waiting = self.waiting.lock();
        let (entry, bytes) = waiting.entries.pop_front()?;
        waiting.bytes -= bytes;
        Some(entry)
    }

    /// The next entry. It waits for one.
    pub fn take(&self) -> T {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some((entry, bytes)) = waiting.entries.pop_front() {
                waiting.bytes -= bytes;
                return entry;
            }
            self.some.wait(&mut waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_more_than_there_is_room_for_is_given_back_and_what_must_not_be_lost_is_not() {
        let queue = Queue::new(3 * (OVERHEAD + 100));
        assert_eq!([1, 2, 3, 4].map(|n| queue.push(n, 100)), [Ok(()), Ok(()), Ok(()), Err(4)]);
        queue.push_always(5);
        assert_eq!([(); 3].map(|()| queue.take()), [1, 2, 3]);
        assert_eq!(queue.push(6, 2 * (OVERHEAD + 100)), Ok(()));
        assert_eq!([(); 2].map(|()| queue.take()), [5, 6]);
        assert_eq!(queue.waiting.lock().bytes, 0);
    }
}
