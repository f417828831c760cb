//! What a shard needs of what is around it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::Key;
use fws_session::{Closed, Failed, Saved};

use super::Tally;
use crate::conn::{Conn, Through};
use crate::dispatch::Arrival;

/// What a shard pushes, asks and reports. A shard knows nothing else of the core, so that a test can drive one with a fake.
///
/// All of it is called on the thread that has the shard's turn, with the shard locked, and must not wait.
pub trait Surroundings {
    /// Queues events for PHP, and empties `events`. Returns the connections that are not to be read for now.
    fn push(&self, events: &mut Vec<Arrival>) -> Vec<Key>;

    /// Whether events wait for PHP, or are with it.
    fn has_pending(&self) -> bool;

    /// Looks after events that wait too long. Called with the shard unlocked.
    fn care(&self);

    /// How long it is until something is due of which the first shard is the clock; nothing: never.
    fn next_alarm(&self) -> Option<Duration>;

    /// Sees to what is due of that.
    fn ring_alarms(&self);

    /// The server has decided that a connection ends: nothing of it but its close event is for PHP from now on.
    /// May be called again for the same connection.
    fn dismiss(&self, conn: &Arc<Conn>);

    /// A connection broke. `true`: its client is waited for, see [`Session::suspend`](fws_session::Session::suspend).
    fn suspend(&self, conn: &Conn) -> bool;

    /// A client that was waited for is back.
    fn resumed(&self, conn: &Conn);

    /// The frames of a connection have ended: it is not sent to any more.
    fn closed(&self, conn: &Conn);

    /// The end of a connection has come further.
    fn through(&self, conn: &Conn, side: Through);

    /// A connection was failed.
    fn failed(&self, conn: &Conn, failed: Failed, closed: &Closed);

    /// Adds what a turn has counted, and what its sessions have saved by compressing.
    fn count(&self, tally: &Tally, saved: Saved);

    /// Has connections closed whose unfinished messages must go in favour of those of others.
    fn evict(&self);

    /// Tells of trouble with a connection, or with several of its route, and how often it was met.
    fn report(&self, report: Report, conn: &Conn, count: u64);

    /// Tells of a call of the system that failed and should not, and of which connection, if it was of one.
    fn complain(&self, message: &str, conn: Option<&Conn>, error: &io::Error);
}

/// Trouble that a shard meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Clients send faster than they may.
    TooFast,
    /// Old messages to a client were dropped for newer ones.
    Overtaken,
    /// A client is closed because it does not read; what waited for it is dropped.
    TooSlow,
    /// Messages of a client that the server closes were not told to PHP.
    ThrownAway,
    /// A message that a client has missed is longer than what may wait for it.
    TooLarge,
    /// What clients were sent could not be kept, so they cannot come back after a break.
    NotKept,
}
