//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fws_hub::ClusterError;

/// Counters since the start; each only grows.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: AtomicU64,
    call_microseconds: AtomicU64,
    unavailable: AtomicU64,
    timeouts: AtomicU64,
    overloaded: AtomicU64,
    refused: AtomicU64,
    pub published: AtomicU64,
    pub received: AtomicU64,
    /// Frames of other versions.
    pub foreign: AtomicU64,
    pub connects: AtomicU64,
    /// Messages that were published, and of which it is not known whether they were.
    pub lost: AtomicU64,
}

impl Counts {
    pub fn called(&self, took: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.call_microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn failed(&self, error: &ClusterError) {
        let counter = match error {
            ClusterError::Unavailable => &self.unavailable,
            ClusterError::Timeout | ClusterError::Incomplete { .. } => &self.timeouts,
            ClusterError::Overloaded => &self.overloaded,
            ClusterError::Refused(_) | ClusterError::Moved { .. } => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn list(&self) -> Vec<(&'static str, u64)> {
        [
            ("calls", &self.calls),
            ("call_microseconds", &self.call_microseconds),
            ("unavailable", &self.unavailable),
            ("timeouts", &self.timeouts),
            ("overloaded", &self.overloaded),
            ("refused", &self.refused),
            ("published", &self.published),
            ("received", &self.received),
            ("foreign", &self.foreign),
            ("connects", &self.connects),
            ("lost", &self.lost),
        ]
        .into_iter()
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
        .collect()
    }
}
