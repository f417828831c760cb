//! Timers that PHP sets: what is due is told to the worker that set them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest time a timer can be set to: 366 days, in milliseconds.
pub const MAX_DELAY: u64 = 366 * 24 * 3600 * 1000;
/// The longest payload, bytes.
pub const MAX_TIMER_PAYLOAD: usize = 1 << 20;
/// What a timer counts for besides its payload, bytes.
const OVERHEAD: usize = 128;

/// What all timers together may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerBounds {
    /// Timers set.
    pub timers: usize,
    /// Bytes of their payloads and what it costs to keep them.
    pub bytes: usize,
}

impl Default for TimerBounds {
    fn default() -> Self {
        TimerBounds { timers: 100_000, bytes: 64 << 20 }
    }
}

/// Why a timer was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimerError {
    /// A delay of nothing, or beyond [`MAX_DELAY`].
    #[error("a timer is set to 1 millisecond to 366 days")]
    Delay,
    /// There are as many as there may be.
    #[error("there are as many timers as there may be: 100,000, or 64 MiB of payload")]
    Full,
    /// A payload of more than [`MAX_TIMER_PAYLOAD`] bytes.
    #[error("the payload of a timer has at most 1 MiB")]
    Payload,
    /// So many events wait for PHP that no timer can be set.
    #[error("no timer can be set now: too many events wait for PHP")]
    Overloaded,
}

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub id: u64,
    /// The worker that is told.
    pub worker: Arc<str>,
    /// What it is told.
    pub payload: Arc<[u8]>,
}

/// All timers of the process. Time is milliseconds since an arbitrary start, given by the caller.
#[derive(Debug, Default)]
pub struct Timers {
    bounds: TimerBounds,
    timers: HashMap<u64, Timer>,
    /// When each is due, soonest first.
    order: BTreeSet<(u64, u64)>,
    last: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Timer {
    due: u64,
    period: Option<u64>,
    worker: Arc<str>,
    payload: Arc<[u8]>,
}

impl Timers {
    /// No timers, with bounds.
    pub fn new(bounds: TimerBounds) -> Timers {
        Timers { bounds, ..Timers::default() }
    }

    /// Sets a timer that is due after `delay` milliseconds, and with `repeat` again and again after as many; returns its number, which
    /// is used once.
    pub fn set(&mut self, delay: u64, payload: &[u8], repeat: bool, worker: &str, now: u64) -> Result<u64, TimerError> {
        if delay == 0 || delay > MAX_DELAY {
            return Err(TimerError::Delay);
        }
        if payload.len() > MAX_TIMER_PAYLOAD {
            return Err(TimerError::Payload);
        }
        let bytes = self.bytes + payload.len() + OVERHEAD;
        if self.timers.len() >= self.bounds.timers || bytes > self.bounds.bytes {
            return Err(TimerError::Full);
        }
        self.bytes = bytes;
        self.last += 1;
        let due = now + delay;
        let timer = Timer { due, period: repeat.then_some(delay), worker: worker.into(), payload: payload.into() };
        self.timers.insert(self.last, timer);
        self.order.insert((due, self.last));
        Ok(self.last)
    }

    /// Clears a timer: `true` if it was set. One that is due already may still be told.
    pub fn clear(&mut self, id: u64) -> bool {
        let Some(timer) = self.timers.remove(&id) else { return false };
        self.order.remove(&(timer.due, id));
        self.bytes -= timer.payload.len() + OVERHEAD;
        true
    }

    /// Takes the next timer that is due. One that repeats is set again, to a time that is yet to come: what was missed is not made up
    /// for.
    pub fn take_due(&mut self, now: u64) -> Option<Due> {
        let &(due, id) = self.order.first().filter(|(due, _)| *due <= now)?;
        self.order.remove(&(due, id));
        let timer = self.timers.get_mut(&id).expect("bug: a timer in the order is set");
        let told = Due { id, worker: timer.worker.clone(), payload: timer.payload.clone() };
        match timer.period {
            Some(period) => {
                timer.due = due + period * ((now - due) / period + 1);
                self.order.insert((timer.due, id));
            }
            None => {
                self.clear(id);
            }
        }
        Some(told)
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<u64> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Clears the timers of the workers that `stays` does not know; returns how many that were.
    pub fn retain_workers(&mut self, stays: impl Fn(&str) -> bool) -> usize {
        let gone: Vec<u64> = self.timers.iter().filter(|(_, timer)| !stays(&timer.worker)).map(|(id, _)| *id).collect();
        gone.iter().for_each(|id| {
            self.clear(*id);
        });
        gone.len()
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(timers: &mut Timers, now: u64) -> Vec<u64> {
        std::iter::from_fn(|| timers.take_due(now)).map(|due| due.id).collect()
    }

    #[test]
    fn a_timer_is_due_once_and_not_a_millisecond_sooner() {
        let mut timers = Timers::default();
        let late = timers.set(20, b"late", false, "w", 100).expect("room");
        let soon = timers.set(10, b"soon\0", false, "w", 100).expect("room");
        assert_eq!((timers.next_due(), due(&mut timers, 109)), (Some(110), vec![]));
        let told = timers.take_due(110).expect("due");
        assert_eq!((told.id, &*told.worker, &*told.payload), (soon, "w", &b"soon\0"[..]));
        assert_eq!((due(&mut timers, 1000), timers.len(), timers.bytes), (vec![late], 0, 0));
        assert_eq!((timers.next_due(), timers.clear(late)), (None, false));
    }

    #[test]
    fn a_repeating_timer_keeps_its_beat_and_makes_up_for_nothing() {
        let mut timers = Timers::default();
        let id = timers.set(10, b"", true, "w", 0).expect("room");
        assert_eq!(due(&mut timers, 10), [id]);
        assert_eq!((due(&mut timers, 57), timers.next_due()), (vec![id], Some(60)));
        assert!(timers.clear(id) && timers.is_empty() && timers.next_due().is_none());
    }

    #[test]
    fn what_is_wrong_sets_nothing() {
        let mut timers = Timers::new(TimerBounds { timers: 1, bytes: 1000 });
        assert_eq!(timers.set(0, b"", false, "w", 0), Err(TimerError::Delay));
        assert_eq!(timers.set(MAX_DELAY + 1, b"", false, "w", 0), Err(TimerError::Delay));
        assert_eq!(timers.set(1, &[0; 1000], false, "w", 0), Err(TimerError::Full));
        assert_eq!(timers.set(1, &vec![0; MAX_TIMER_PAYLOAD + 1], false, "w", 0), Err(TimerError::Payload));
        assert!(Timers::default().set(1, &vec![0; MAX_TIMER_PAYLOAD], false, "w", 0).is_ok());
        let id = timers.set(MAX_DELAY, &[0; 800], false, "w", 0).expect("room");
        assert_eq!(timers.set(1, b"", false, "w", 0), Err(TimerError::Full));
        assert!(timers.clear(id) && timers.set(1, b"", false, "w", 0).is_ok());
    }

    #[test]
    fn the_timers_of_a_worker_that_is_gone_go() {
        let mut timers = Timers::default();
        for worker in ["a", "b", "a"] {
            timers.set(5, b"x", true, worker, 0).expect("room");
        }
        assert_eq!(timers.retain_workers(|worker| worker == "b"), 2);
        assert_eq!(timers.take_due(5).map(|due| due.worker.to_string()), Some("b".into()));
        assert_eq!(timers.take_due(5), None);
    }
}
