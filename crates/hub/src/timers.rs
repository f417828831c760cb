//! Timers that PHP sets: what is due is told to the worker that set them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::MAX_NAME;

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
    /// A name that is empty or too long.
    #[error("the name of a timer has 1 to 255 bytes")]
    Name,
    /// So many events wait for PHP that no timer can be set.
    #[error("no timer can be set now: too many events wait for PHP")]
    Overloaded,
}

/// A timer that is to be set.
#[derive(Debug, Clone, Copy)]
pub struct NewTimer<'a> {
    /// Milliseconds until it is due.
    pub delay: u64,
    /// What is told then.
    pub payload: &'a [u8],
    /// Again and again, each time after the delay.
    pub repeat: bool,
    /// The worker that is told.
    pub worker: &'a str,
    /// A worker has one timer of a name: setting it again changes nothing, or replaces it if it is to be another one.
    pub name: Option<&'a str>,
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
    /// Those that have a name, by worker and name.
    named: HashMap<Name, u64>,
    last: u64,
    bytes: usize,
}

/// A worker and a name.
type Name = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Timer {
    due: u64,
    delay: u64,
    repeat: bool,
    worker: Arc<str>,
    payload: Arc<[u8]>,
    name: Option<Arc<str>>,
}

impl Timer {
    fn is(&self, wanted: &NewTimer<'_>) -> bool {
        self.delay == wanted.delay && self.repeat == wanted.repeat && *self.payload == *wanted.payload
    }

    fn bytes(&self) -> usize {
        self.payload.len() + self.name.as_ref().map_or(0, |name| name.len()) + OVERHEAD
    }
}

impl Timers {
    /// No timers, with bounds.
    pub fn new(bounds: TimerBounds) -> Timers {
        Timers { bounds, ..Timers::default() }
    }

    /// Sets a timer; returns its number, which is used once. One of the same worker and name is replaced, unless it is the same timer: that
    /// goes on, and its number is returned.
    pub fn set(&mut self, wanted: &NewTimer<'_>, now: u64) -> Result<u64, TimerError> {
        let NewTimer { delay, payload, repeat, worker, name } = *wanted;
        if delay == 0 || delay > MAX_DELAY {
            return Err(TimerError::Delay);
        }
        if payload.len() > MAX_TIMER_PAYLOAD {
            return Err(TimerError::Payload);
        }
        if name.is_some_and(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(TimerError::Name);
        }
        let (worker, name): (Arc<str>, Option<Arc<str>>) = (worker.into(), name.map(Arc::from));
        let old = name.clone().and_then(|name| self.named.get(&(worker.clone(), name)).copied());
        let replaced = old.and_then(|id| self.timers.get(&id).map(|timer| (id, timer)));
        if let Some((id, timer)) = replaced
            && timer.is(wanted)
        {
            return Ok(id);
        }
        let (timers, bytes) = replaced.map_or((0, 0), |(_, timer)| (1, timer.bytes()));
        let timer = Timer { due: now + delay, delay, repeat, worker, payload: payload.into(), name };
        if self.timers.len() - timers >= self.bounds.timers || self.bytes - bytes + timer.bytes() > self.bounds.bytes {
            return Err(TimerError::Full);
        }
        if let Some(old) = old {
            self.clear(old);
        }
        self.last += 1;
        self.bytes += timer.bytes();
        self.order.insert((timer.due, self.last));
        if let Some(name) = &timer.name {
            self.named.insert((timer.worker.clone(), name.clone()), self.last);
        }
        self.timers.insert(self.last, timer);
        Ok(self.last)
    }

    /// Clears a timer: `true` if it was set. One that is due already may still be told.
    pub fn clear(&mut self, id: u64) -> bool {
        let Some(timer) = self.timers.remove(&id) else { return false };
        self.order.remove(&(timer.due, id));
        self.bytes -= timer.bytes();
        if let Some(name) = timer.name {
            self.named.remove(&(timer.worker, name));
        }
        true
    }

    /// Takes the next timer that is due. One that repeats is set again, to a time that is yet to come: what was missed is not made up
    /// for.
    pub fn take_due(&mut self, now: u64) -> Option<Due> {
        let &(due, id) = self.order.first().filter(|(due, _)| *due <= now)?;
        self.order.remove(&(due, id));
        let timer = self.timers.get_mut(&id).expect("bug: a timer in the order is set");
        let told = Due { id, worker: timer.worker.clone(), payload: timer.payload.clone() };
        if timer.repeat {
            timer.due = due + timer.delay * ((now - due) / timer.delay + 1);
            self.order.insert((timer.due, id));
        } else {
            self.clear(id);
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

    fn set(timers: &mut Timers, delay: u64, payload: &[u8], repeat: bool, worker: &str, now: u64) -> Result<u64, TimerError> {
        timers.set(&NewTimer { delay, payload, repeat, worker, name: None }, now)
    }

    fn due(timers: &mut Timers, now: u64) -> Vec<u64> {
        std::iter::from_fn(|| timers.take_due(now)).map(|due| due.id).collect()
    }

    #[test]
    fn a_timer_is_due_once_and_not_a_millisecond_sooner() {
        let mut timers = Timers::default();
        let late = set(&mut timers, 20, b"late", false, "w", 100).expect("room");
        let soon = set(&mut timers, 10, b"soon\0", false, "w", 100).expect("room");
        assert_eq!((timers.next_due(), due(&mut timers, 109)), (Some(110), vec![]));
        let told = timers.take_due(110).expect("due");
        assert_eq!((told.id, &*told.worker, &*told.payload), (soon, "w", &b"soon\0"[..]));
        assert_eq!((due(&mut timers, 1000), timers.len(), timers.bytes), (vec![late], 0, 0));
        assert_eq!((timers.next_due(), timers.clear(late)), (None, false));
    }

    #[test]
    fn a_repeating_timer_keeps_its_beat_and_makes_up_for_nothing() {
        let mut timers = Timers::default();
        let id = set(&mut timers, 10, b"", true, "w", 0).expect("room");
        assert_eq!(due(&mut timers, 10), [id]);
        assert_eq!((due(&mut timers, 57), timers.next_due()), (vec![id], Some(60)));
        assert!(timers.clear(id) && timers.is_empty() && timers.next_due().is_none());
    }

    #[test]
    fn what_is_wrong_sets_nothing() {
        let mut timers = Timers::new(TimerBounds { timers: 1, bytes: 1000 });
        assert_eq!(set(&mut timers, 0, b"", false, "w", 0), Err(TimerError::Delay));
        assert_eq!(set(&mut timers, MAX_DELAY + 1, b"", false, "w", 0), Err(TimerError::Delay));
        assert_eq!(set(&mut timers, 1, &[0; 1000], false, "w", 0), Err(TimerError::Full));
        assert_eq!(set(&mut timers, 1, &vec![0; MAX_TIMER_PAYLOAD + 1], false, "w", 0), Err(TimerError::Payload));
        assert!(set(&mut Timers::default(), 1, &vec![0; MAX_TIMER_PAYLOAD], false, "w", 0).is_ok());
        let id = set(&mut timers, MAX_DELAY, &[0; 800], false, "w", 0).expect("room");
        assert_eq!(set(&mut timers, 1, b"", false, "w", 0), Err(TimerError::Full));
        assert!(timers.clear(id) && set(&mut timers, 1, b"", false, "w", 0).is_ok());
    }

    #[test]
    fn the_timers_of_a_worker_that_is_gone_go() {
        let mut timers = Timers::default();
        for worker in ["a", "b", "a"] {
            set(&mut timers, 5, b"x", true, worker, 0).expect("room");
        }
        assert_eq!(timers.retain_workers(|worker| worker == "b"), 2);
        assert_eq!(timers.take_due(5).map(|due| due.worker.to_string()), Some("b".into()));
        assert_eq!(timers.take_due(5), None);
    }

    #[test]
    fn a_timer_with_a_name_is_set_once_for_each_worker_and_another_one_takes_its_place() {
        let mut timers = Timers::new(TimerBounds { timers: 2, bytes: 1000 });
        let tick = NewTimer { delay: 10, payload: b"tick", repeat: true, worker: "w", name: Some("clock") };
        let first = timers.set(&tick, 0).expect("room");
        assert_eq!(timers.set(&tick, 7), Ok(first), "it keeps its beat");
        assert_eq!((timers.len(), timers.next_due()), (1, Some(10)));
        let other = timers.set(&NewTimer { worker: "v", ..tick }, 0).expect("another worker has names of its own");
        assert_eq!(timers.set(&NewTimer { name: None, ..tick }, 0), Err(TimerError::Full));
        // Where all places are taken, too.
        let mut previous = first;
        for changed in [NewTimer { delay: 20, ..tick }, NewTimer { payload: b"tock", ..tick }, NewTimer { repeat: false, ..tick }] {
            let id = timers.set(&changed, 5).expect("in the place of the old one");
            assert!(id > other && timers.len() == 2 && !timers.clear(previous), "the old one is gone");
            previous = id;
            assert_eq!(timers.set(&changed, 6), Ok(id));
        }
        // What is wrong replaces nothing.
        for wrong in [NewTimer { delay: 0, ..tick }, NewTimer { payload: &[0; 1000], ..tick }] {
            assert!(timers.set(&wrong, 0).is_err());
        }
        assert_eq!(timers.set(&NewTimer { name: Some(""), ..tick }, 0), Err(TimerError::Name));
        assert_eq!(timers.set(&NewTimer { name: Some(&"x".repeat(256)), ..tick }, 0), Err(TimerError::Name));
    }

    #[test]
    fn a_name_is_free_when_its_timer_has_gone_off_is_cleared_or_goes_with_its_worker() {
        let mut timers = Timers::default();
        let once = NewTimer { delay: 10, payload: b"", repeat: false, worker: "w", name: Some("n") };
        let first = timers.set(&once, 0).expect("room");
        assert_eq!(due(&mut timers, 10), [first]);
        let second = timers.set(&once, 20).expect("room");
        assert!(second > first && timers.clear(second));
        let third = timers.set(&once, 30).expect("room");
        assert!(third > second);
        assert_eq!(timers.retain_workers(|_| false), 1);
        assert!(timers.set(&once, 40).expect("room") > third);
        timers.retain_workers(|_| false);
        assert_eq!((timers.named.len(), timers.bytes), (0, 0));
    }
}
