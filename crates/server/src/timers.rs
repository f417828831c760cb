//! The timers that PHP sets, shared by all threads and with a clock.

use std::time::Duration;

use fws_hub::Due;
use parking_lot::Mutex;

use crate::alarm::Alarm;

/// The most timers that are taken while they are locked once.
const HOLD: usize = 1024;

/// [`fws_hub::Timers`] and their time.
pub struct Timers {
    /// Guards the timers. The dispatcher's lock is taken inside it, to know that a worker is there.
    set: Mutex<fws_hub::Timers>,
    /// When the next one is due.
    alarm: Alarm,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { set: Mutex::default(), alarm: Alarm::new() }
    }
}

impl Timers {
    /// Runs one operation on the timers, which is told the time in milliseconds. `sooner` is called when the next timer is due sooner than
    /// before.
    pub fn run<T>(&self, run: impl FnOnce(&mut fws_hub::Timers, u64) -> T, sooner: impl FnOnce()) -> T {
        let mut timers = self.set.lock();
        let answer = run(&mut timers, self.alarm.now());
        if self.alarm.set(timers.next_due()) {
            sooner();
        }
        answer
    }

    /// How long it is until a timer is due.
    pub fn next(&self) -> Option<Duration> {
        self.alarm.left()
    }

    /// Takes timers that are due, not more than are taken in one hold of the lock: the alarm stays in the past where there are more.
    pub fn take_due(&self) -> Vec<Due> {
        if self.alarm.left().is_none_or(|left| !left.is_zero()) {
            return Vec::new();
        }
        let mut timers = self.set.lock();
        let now = self.alarm.now();
        let due = std::iter::from_fn(|| timers.take_due(now)).take(HOLD).collect();
        self.alarm.set(timers.next_due());
        due
    }

    /// Clears the timers of workers that are gone; returns how many that were.
    pub fn retain_workers(&self, stays: impl Fn(&str) -> bool) -> usize {
        let mut timers = self.set.lock();
        let gone = timers.retain_workers(stays);
        self.alarm.set(timers.next_due());
        gone
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.set.lock().len()
    }
}
