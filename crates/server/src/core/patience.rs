//! How long a command may take that looks at many clients, tags or values.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fws_hub::{GoOn, Stopped};

/// A limit beyond what the clock can tell is this.
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// A time limit, and a flag by which the caller ends it sooner.
pub(super) struct Patience<'a> {
    limit: Duration,
    /// Set when it is first asked: most commands are done before.
    until: Option<Instant>,
    interrupted: Option<&'a AtomicBool>,
}

impl<'a> Patience<'a> {
    pub fn new(limit: Duration, interrupted: Option<&'a AtomicBool>) -> Patience<'a> {
        Patience { limit, until: None, interrupted }
    }
}

impl GoOn for Patience<'_> {
    fn go_on(&mut self) -> Result<(), Stopped> {
        if self.interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Stopped::Interrupted);
        }
        let now = crate::clock::now();
        let until = *self.until.get_or_insert_with(|| now.checked_add(self.limit).unwrap_or(now + YEAR));
        if now >= until { Err(Stopped::TimeLimit) } else { Ok(()) }
    }
}
