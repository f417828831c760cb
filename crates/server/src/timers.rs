//! The timers that PHP sets, shared by all threads and with a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fws_hub::{Command, CommandError, Due, Reply, TimerError};
use parking_lot::Mutex;

/// A timer's payload has at most so many bytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// [`fws_hub::Timers`] and their time.
pub struct Timers {
    /// Guards the timers. The dispatcher's lock is taken inside it, to know that a worker is there.
    set: Mutex<fws_hub::Timers>,
    started: Instant,
    /// When the next one is due, in the timers' milliseconds; `u64::MAX`: none is set.
    due: AtomicU64,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { set: Mutex::default(), started: Instant::now(), due: AtomicU64::new(u64::MAX) }
    }
}

impl Timers {
    /// Carries out a command on timers. `known` tells whether there is a worker of this name; `sooner` is called when the next timer is
    /// due sooner than before.
    pub fn execute(&self, command: &Command<'_>, known: impl Fn(&str) -> bool, sooner: impl FnOnce()) -> Result<Reply, CommandError> {
        let mut timers = self.set.lock();
        let reply = match *command {
            Command::SetTimer { worker, .. } if !known(worker) => return Err(CommandError::UnknownWorker),
            Command::SetTimer { ref payload, .. } if payload.len() > MAX_PAYLOAD => return Err(TimerError::Full.into()),
            Command::SetTimer { delay, ref payload, repeat, worker } => {
                // From now on in whole milliseconds, so that it never is due too soon.
                let id = timers.set(delay, payload, repeat, worker, self.now() + 1)?;
                Reply::Integer(i64::try_from(id).unwrap_or(i64::MAX))
            }
            Command::ClearTimer { timer } => Reply::Flag(timers.clear(timer)),
            _ => unreachable!("bug: {command:?} is not about timers"),
        };
        let due = timers.next_due().unwrap_or(u64::MAX);
        if due < self.due.swap(due, Ordering::AcqRel) {
            sooner();
        }
        Ok(reply)
    }

    /// How long it is until a timer is due.
    pub fn next(&self) -> Option<Duration> {
        let due = self.due.load(Ordering::Acquire);
        (due != u64::MAX).then(|| Duration::from_millis(due.saturating_sub(self.now())))
    }

    /// Takes the timers that are due.
    pub fn take_due(&self) -> Vec<Due> {
        let now = self.now();
        if self.due.load(Ordering::Acquire) > now {
            return Vec::new();
        }
        let mut timers = self.set.lock();
        let due = std::iter::from_fn(|| timers.take_due(now)).collect();
        self.due.store(timers.next_due().unwrap_or(u64::MAX), Ordering::Release);
        due
    }

    /// Clears the timers of workers that are gone; returns how many that were.
    pub fn retain_workers(&self, stays: impl Fn(&str) -> bool) -> usize {
        let mut timers = self.set.lock();
        let gone = timers.retain_workers(stays);
        self.due.store(timers.next_due().unwrap_or(u64::MAX), Ordering::Release);
        gone
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.set.lock().len()
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
