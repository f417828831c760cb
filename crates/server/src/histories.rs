//! The histories of channels, shared by all threads and with a clock.

use std::time::Duration;

use fws_hub::{Held, HistoryPolicy, Position, Read, RouteId, Swept};

use crate::alarm::Alarm;

/// The most channels that are looked at in one turn.
const TURN: usize = 256;
/// When a channel is looked at again that somebody had locked.
const BUSY: Duration = Duration::from_millis(5);

/// [`fws_hub::Histories`] and their time.
pub struct Histories {
    all: fws_hub::Histories,
    /// Their clock.
    alarm: Alarm,
}

impl Histories {
    pub fn new(max_bytes: usize) -> Histories {
        Histories { all: fws_hub::Histories::new(max_bytes), alarm: Alarm::new() }
    }

    /// Locks a channel: see [`fws_hub::Histories::hold`].
    pub fn hold(&self, route: RouteId, tag: &str) -> Held<'_> {
        self.all.hold(route, tag, epoch, self.alarm.now())
    }

    /// Locks a channel, if anything is known of it.
    pub fn find(&self, route: RouteId, tag: &str) -> Option<Held<'_>> {
        self.all.find(route, tag)
    }

    /// See [`fws_hub::Histories::known`].
    pub fn known(&self) -> Vec<(RouteId, Box<str>)> {
        self.all.known()
    }

    /// The time on the channels' clock.
    pub fn now(&self) -> u64 {
        self.alarm.now()
    }

    /// Runs one operation on a channel, which is told the time in milliseconds. `sooner` is called when [`Histories::sweep`] is due sooner
    /// than before.
    pub fn run<T>(&self, run: impl FnOnce(u64) -> T, sooner: impl FnOnce()) -> T {
        let before = self.all.next_due();
        let answer = run(self.alarm.now());
        if self.all.next_due().is_some_and(|due| before.is_none_or(|before| due < before)) {
            sooner();
        }
        answer
    }

    /// What a channel has; `None`: nothing is known of it.
    pub fn read(&self, route: RouteId, tag: &str, since: Option<Position>, most: usize) -> Option<Read> {
        Some(self.all.find(route, tag)?.read(since, most, self.alarm.now()))
    }

    /// Forgets the messages of a channel; whether there were any.
    pub fn clear(&self, route: RouteId, tag: &str) -> bool {
        let Some(mut held) = self.all.find(route, tag) else { return false };
        let had = !held.read(None, 1, self.alarm.now()).messages.is_empty();
        held.clear();
        had
    }

    /// See [`fws_hub::Histories::reconcile`].
    pub fn reconcile(&self, policy: impl Fn(RouteId, &str) -> Option<HistoryPolicy>) {
        self.all.reconcile(self.alarm.now(), policy);
    }

    /// See [`fws_hub::Histories::make_room`].
    pub fn make_room(&self) {
        self.all.make_room();
    }

    /// Forgets what has expired; how long it is until that is due again.
    pub fn sweep(&self) -> Option<Duration> {
        let now = self.alarm.now();
        let due = self.all.next_due()?;
        if due <= now {
            match self.all.sweep(now, TURN) {
                Swept::More => return Some(Duration::ZERO),
                // Not at once: whoever has locked the channel may be busy with it for a while.
                Swept::Busy => return Some(BUSY),
                Swept::All => {}
            }
        }
        self.all.next_due().map(|due| Duration::from_millis(due.saturating_sub(self.alarm.now())))
    }

    /// Channels, messages, bytes, and messages that went before their time.
    pub fn counts(&self) -> [u64; 4] {
        [self.all.len() as u64, self.all.messages() as u64, self.all.bytes() as u64, self.all.evicted()]
    }
}

/// A random number that is not 0.
fn epoch() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness the clock has to do: it is another one after each start, which is what matters.
    if crate::clock::random(&mut bytes).is_err() {
        bytes = (crate::clock::unix().as_nanos() as u64).to_ne_bytes();
    }
    u64::from_ne_bytes(bytes).max(1)
}
