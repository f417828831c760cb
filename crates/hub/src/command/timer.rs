//! Timers that PHP sets.

use serde::{Deserialize, Serialize};

use super::{CommandError, left_out};
use crate::blob::Blob;
use crate::reply::Reply;
use crate::timers::{MAX_TIMER_PAYLOAD, NewTimer, TimerError, Timers};

/// Sets a timer; when it is due, a worker is told: [`Reply::Integer`], its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTimer<'a> {
    /// Milliseconds from now, at least 1, at most 366 days.
    pub delay: u64,
    /// What the worker is told.
    #[serde(borrow)]
    pub payload: Blob<'a>,
    /// Again and again, each time after the delay.
    #[serde(default, deserialize_with = "left_out::or_default")]
    pub repeat: bool,
    /// The worker.
    pub worker: &'a str,
    /// 1 to 255 bytes. A worker has one timer of a name: setting it again changes nothing, or replaces it if it is to be another one.
    #[serde(borrow)]
    pub name: Option<&'a str>,
}

/// Clears a timer: [`Reply::Flag`], whether it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearTimer {
    /// Its number.
    pub timer: u64,
}

impl SetTimer<'_> {
    /// Sets it. `known` tells whether there is a worker of this name.
    pub fn apply(&self, timers: &mut Timers, now: u64, known: impl FnOnce(&str) -> bool) -> Result<Reply, CommandError> {
        // What can never be right is said first.
        if self.payload.len() > MAX_TIMER_PAYLOAD {
            return Err(TimerError::Payload.into());
        }
        if !known(self.worker) {
            return Err(CommandError::UnknownWorker);
        }
        let SetTimer { delay, ref payload, repeat, worker, name } = *self;
        // Counted from the end of the millisecond that has begun, so that a timer never is due too soon.
        let id = timers.set(&NewTimer { delay, payload, repeat, worker, name }, now + 1)?;
        Ok(Reply::Integer(i64::try_from(id).unwrap_or(i64::MAX)))
    }
}

impl ClearTimer {
    /// Clears it.
    pub fn apply(&self, timers: &mut Timers) -> Reply {
        Reply::Flag(timers.clear(self.timer))
    }
}
