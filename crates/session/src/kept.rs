//! What was sent to a client and is kept until it is known to have arrived, so that the client can come back for it.
//!
//! Messages to the client are numbered from 1 on. A pong proves that everything before its ping has arrived; then those messages
//! are not kept any more. The client itself counts the messages that it gets on each of its connections, and says at its return how many
//! they were.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Frame;

/// Once so many bytes are kept, the client is pinged so that its pong proves what has arrived.
const PROBE_AT: usize = 64 * 1024;
/// The same, once most of what may be kept for all clients is.
const PROBE_EARLY_AT: usize = 4 * 1024;
/// What it costs to keep a message, in addition to its bytes.
const OVERHEAD: usize = 64;
/// The most pings whose pong is waited for.
const PROBES: usize = 8;

/// How much is kept for all clients together, and how much that may be.
#[derive(Debug)]
pub struct KeptMemory {
    used: AtomicUsize,
    most: usize,
}

impl KeptMemory {
    /// `most`: bytes.
    pub fn new(most: usize) -> KeptMemory {
        KeptMemory { used: AtomicUsize::new(0), most }
    }

    /// Bytes that are kept.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether most of it is used.
    fn is_scarce(&self) -> bool {
        self.used() > self.most / 4 * 3
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.most;
        if !fits {
            self.give(bytes);
        }
        fits
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Default for KeptMemory {
    fn default() -> Self {
        KeptMemory::new(usize::MAX)
    }
}

/// The numbers of a client that can come back. They count messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// So many have certainly arrived, and are not kept any more.
    pub arrived: u64,
    /// So many were sent.
    pub sent: u64,
    /// So many came from it.
    pub received: u64,
    /// A message could not be kept, so the client cannot come back, until it has proved that it got all up to some later one.
    pub lost: bool,
}

/// The messages to one client that may not have arrived.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Those behind number `before`.
    frames: VecDeque<Frame>,
    bytes: usize,
    before: u64,
    arrived: u64,
    /// Pings that are unanswered, with the number of the last message before each.
    probes: VecDeque<(u32, u64)>,
    /// Messages that came from the client.
    pub received: u64,
    /// Some behind number `arrived` are not kept.
    lost: bool,
    /// What is sent is not kept.
    idle: bool,
    /// Some messages will never arrive, so the numbers of the client are others.
    broken: bool,
    /// The first pong of this connection has come: the client has got what the connection began with.
    greeted: bool,
    memory: Arc<KeptMemory>,
}

impl Kept {
    pub fn new(memory: Arc<KeptMemory>) -> Kept {
        Kept {
            frames: VecDeque::new(),
            bytes: 0,
            before: 0,
            arrived: 0,
            probes: VecDeque::new(),
            received: 0,
            lost: false,
            idle: false,
            broken: false,
            greeted: false,
            memory,
        }
    }

    /// Takes what is kept out, to be kept elsewhere.
    pub fn pack(&mut self) -> Vec<Frame> {
        self.memory.give(std::mem::take(&mut self.bytes));
        std::mem::take(&mut self.frames).into()
    }

    /// Keeps what was [taken out](Kept::pack) elsewhere. Where not all of it can be kept, the client cannot come back.
    pub fn unpack(memory: Arc<KeptMemory>, frames: Vec<Frame>, progress: Progress, most: usize) -> Kept {
        let mut kept = Kept::new(memory);
        (kept.before, kept.arrived, kept.received) = (progress.arrived, progress.arrived, progress.received);
        for frame in frames {
            if !kept.push(frame, most) {
                break;
            }
        }
        kept
    }

    pub fn progress(&self) -> Progress {
        Progress { arrived: self.arrived, sent: self.sent(), received: self.received, lost: self.lost }
    }

    pub fn is_lost(&self) -> bool {
        self.lost
    }

    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    fn sent(&self) -> u64 {
        self.before + self.frames.len() as u64
    }

    /// Keeps a message. At most `most` bytes are kept. `false`: it does not fit, hence nothing is kept until the client is pinged again.
    pub fn push(&mut self, frame: Frame, most: usize) -> bool {
        let cost = frame.len() + OVERHEAD;
        // A single message may be as long as all that may be kept.
        if self.idle || (self.bytes > 0 && self.bytes + cost > most) || !self.memory.take(cost) {
            self.lose();
            self.before += 1;
            return false;
        }
        self.bytes += cost;
        self.frames.push_back(frame);
        !self.lost
    }

    /// The client may not get every message, so it cannot come back unless it proves that it has got them. How many messages were kept.
    pub fn lose(&mut self) -> u64 {
        let count = self.frames.len() as u64;
        (self.lost, self.idle) = (true, true);
        self.before += count;
        self.memory.give(std::mem::take(&mut self.bytes));
        self.frames = VecDeque::new();
        count
    }

    /// Messages that were to be sent were dropped: the client cannot come back.
    pub fn break_off(&mut self) {
        self.broken = true;
        self.lose();
    }

    /// Messages that are kept.
    pub fn len(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Whether so much is kept that the client should be asked what has arrived.
    pub fn wants_probe(&self, most: usize) -> bool {
        let at = if self.memory.is_scarce() { PROBE_EARLY_AT } else { PROBE_AT };
        let wanted = (self.idle && !self.broken) || self.bytes > at.min(most / 8);
        wanted && self.probes.back().is_none_or(|(_, before)| *before <= self.arrived)
    }

    /// Whether it should be found out some time what has arrived.
    pub fn is_unproved(&self) -> bool {
        (self.lost && !self.broken) || !self.frames.is_empty()
    }

    /// A ping was sent.
    pub fn pinged(&mut self, ping: u32) {
        // Its pong will prove that all before it has arrived, so only what is sent from now on is needed.
        self.idle = self.broken;
        if self.probes.len() >= PROBES {
            // A client may answer the latest ping only.
            self.probes.pop_back();
        }
        self.probes.push_back((ping, self.sent()));
    }

    /// The pong to a ping came: everything before that ping has arrived.
    pub fn ponged(&mut self, ping: u32) {
        let Some(at) = self.probes.iter().position(|(number, _)| *number == ping) else { return };
        let arrived = self.probes[at].1;
        self.probes.drain(..=at);
        self.greeted = true;
        self.forget(arrived);
    }

    fn forget(&mut self, arrived: u64) {
        let count = arrived.saturating_sub(self.before);
        let freed: usize = self.frames.drain(..count as usize).map(|frame| frame.len() + OVERHEAD).sum();
        self.before += count;
        self.arrived = arrived;
        // All that is not kept has arrived.
        self.lost &= self.broken || self.before > arrived;
        self.bytes -= freed;
        self.memory.give(freed);
        // After a burst.
        if self.frames.capacity() > 64 && self.frames.len() < self.frames.capacity() / 8 {
            self.frames.shrink_to(self.frames.len() * 2);
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.probes = VecDeque::new();
        // Nobody is there to be pinged.
        self.idle = self.lost;
    }

    /// The client is back and has got the messages up to number `arrived`. The others are to be sent again; they are still kept.
    pub fn returned(&mut self, arrived: u64) -> impl Iterator<Item = &Frame> {
        self.forget(arrived);
        self.probes = VecDeque::new();
        self.greeted = false;
        self.frames.iter()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Frame {
        Frame::message(false, payload)
    }

    fn kept(memory: &Arc<KeptMemory>) -> Kept {
        Kept::new(memory.clone())
    }

    #[test]
    fn a_pong_proves_what_was_sent_before_its_ping_and_nothing_else() {
        let memory = Arc::new(KeptMemory::default());
        let mut kept = kept(&memory);
        (0..3).for_each(|n| assert!(kept.push(frame(&[n]), 10_000)));
        kept.pinged(1);
        assert!(kept.push(frame(b"after"), 10_000));
        kept.pinged(2);
        kept.ponged(9);
        assert_eq!(kept.progress(), Progress { arrived: 0, sent: 4, ..Progress::default() }, "no ping of ours had this number");
        kept.ponged(1);
        assert_eq!((kept.progress().arrived, kept.len()), (3, 1));
        kept.ponged(1);
        assert_eq!(kept.progress().arrived, 3, "a ping is answered once");
        kept.ponged(2);
        assert_eq!((kept.progress().arrived, memory.used()), (4, 0));
    }

    #[test]
    fn a_pong_to_the_latest_of_several_pings_answers_them_all() {
        let memory = Arc::default();
        let mut kept = kept(&memory);
        for ping in 1..=20 {
            assert!(kept.push(frame(b"a"), 10_000));
            kept.pinged(ping);
        }
        assert_eq!(kept.probes.len(), PROBES, "a client that answers none costs no more");
        kept.ponged(20);
        assert_eq!((kept.progress().arrived, kept.probes.len()), (20, 0), "it may answer the latest only");
    }

    #[test]
    fn what_does_not_fit_frees_what_was_kept() {
        let memory = Arc::new(KeptMemory::new(1000));
        let (mut one, mut other) = (kept(&memory), kept(&memory));
        assert!(one.push(frame(&[0; 800]), 100), "one message may always be as long as all");
        assert!(!one.push(frame(b"a"), 100));
        assert_eq!((one.progress(), memory.used()), (Progress { lost: true, sent: 2, ..Progress::default() }, 0));
        assert!(!one.push(frame(b"a"), 10_000), "until the client is pinged again");
        assert!(other.push(frame(&[0; 800]), 10_000));
        assert!(!other.push(frame(&[0; 200]), 10_000), "all together keep no more than that");
        assert_eq!(memory.used(), 0);
        let mut third = kept(&memory);
        assert!(third.push(frame(&[0; 800]), 10_000));
        drop(third);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_client_can_come_back_again_once_a_pong_proves_that_it_got_what_could_not_be_kept() {
        let memory = Arc::new(KeptMemory::new(10_000));
        let mut kept = kept(&memory);
        assert!(kept.push(frame(b"1"), 100));
        kept.pinged(1);
        assert!(!kept.push(frame(b"2"), 100) && kept.progress().lost && !kept.wants_probe(100), "a ping is on its way");
        kept.ponged(1);
        assert!(kept.progress().lost && kept.wants_probe(100));
        kept.pinged(2);
        // Kept again, but not all before it is known to have arrived.
        assert!(!kept.push(frame(b"3"), 100) && kept.len() == 1);
        kept.ponged(2);
        assert_eq!(kept.progress(), Progress { arrived: 2, sent: 3, ..Progress::default() });
        assert!(!kept.push(frame(b"4"), 100));
        kept.pinged(3);
        kept.break_off();
        kept.pinged(4);
        kept.ponged(4);
        assert!(kept.progress().lost && !kept.is_unproved() && !kept.wants_probe(100), "what was dropped will never arrive");
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn where_most_memory_is_used_less_is_kept_before_the_client_is_pinged() {
        let memory = Arc::new(KeptMemory::new(100_000));
        let (mut kept, mut other) = (kept(&memory), kept(&memory));
        assert!(kept.push(frame(&[0; 5000]), 1 << 20) && !kept.wants_probe(1 << 20));
        assert!(other.push(frame(&[0; 75_000]), 1 << 20) && kept.wants_probe(1 << 20));
    }

    #[test]
    fn a_probe_is_wanted_once_much_is_kept_and_again_only_after_its_pong() {
        let memory = Arc::default();
        let mut kept = kept(&memory);
        assert!(kept.push(frame(&[0; 1000]), 10_000) && !kept.wants_probe(100_000) && kept.wants_probe(8_000));
        kept.pinged(1);
        assert!(kept.push(frame(&[0; 1000]), 10_000) && !kept.wants_probe(8_000));
        kept.ponged(1);
        assert!(kept.wants_probe(8_000) && !kept.wants_probe(10_000));
    }
}
