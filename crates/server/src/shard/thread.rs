//! The thread of a shard.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fws_session::Millis;
use mio::{Events, Poll};
use parking_lot::Mutex;

use super::handle::{AWAKE, Inbox};
use super::{EVENTS, Op, SCRATCH, Shard, Surroundings, TICK, WAKE};
use crate::os;

/// The thread of a shard.
pub struct ShardThread {
    pub number: usize,
    poll: Poll,
    inbox: Arc<Inbox>,
    shard: Arc<Mutex<Shard>>,
    events: Events,
    scratch: Vec<u8>,
    ops: Vec<Op>,
    tick: Duration,
    /// When it was last looked after events that wait too long.
    cared: Millis,
}

impl ShardThread {
    pub(super) fn new(number: usize, poll: Poll, inbox: Arc<Inbox>, shard: Arc<Mutex<Shard>>) -> ShardThread {
        let (events, scratch) = (Events::with_capacity(EVENTS), vec![0u8; SCRATCH]);
        ShardThread { number, poll, inbox, shard, events, scratch, ops: Vec::new(), tick: TICK.0, cared: 0 }
    }

    /// Runs for the life of the process.
    pub fn run(mut self, around: &impl Surroundings) {
        if let Err(error) = os::block_signals() {
            around.complain("signals could not be blocked on a core thread", None, &error);
        }
        loop {
            let timeout = self.prepare_to_sleep(around);
            if let Err(error) = self.poll.poll(&mut self.events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                panic!("bug: epoll_wait: {error}");
            }
            self.turn(around);
        }
    }

    /// How long it may sleep; `None`: until it is woken.
    pub fn prepare_to_sleep(&mut self, around: &impl Surroundings) -> Option<Duration> {
        self.shard.lock().prepare_to_sleep(around, self.tick)
    }

    /// Whether it was woken, or does not sleep.
    #[cfg(feature = "simulation")]
    pub fn is_awake(&self) -> bool {
        self.inbox.state.load(Ordering::SeqCst) == AWAKE
    }

    /// Does what there is to do.
    pub fn turn(&mut self, around: &impl Surroundings) {
        let ShardThread { inbox, shard, events, scratch, ops, tick, cared, .. } = self;
        inbox.state.store(AWAKE, Ordering::SeqCst);
        let mut shard = shard.lock();
        shard.now = shard.now();
        let idle = events.is_empty();
        for event in &*events {
            if event.token() != WAKE {
                shard.ready(event);
            }
        }
        shard.read_all(scratch);
        shard.take_posted(ops);
        let idle = idle && ops.is_empty();
        for op in ops.drain(..) {
            shard.carry_out(around, op, scratch);
        }
        // After a long stop of the process, what clients have sent in time may still wait for the next turns.
        if events.iter().count() < EVENTS {
            shard.tick();
        }
        if shard.number == 0 {
            around.ring_alarms();
        }
        shard.finish_all(around);
        shard.hand_over(around);
        shard.count_up(around);
        *tick = if idle { (*tick * 2).min(TICK.1) } else { TICK.0 };
        let care = around.has_pending() && (idle || shard.now >= *cared + TICK.1.as_millis() as Millis);
        if care {
            *cared = shard.now;
        }
        drop(shard);
        if care {
            around.care();
        }
    }
}

/// A thread was broken off in the middle of a turn, which leaves connections in disorder, or without anybody to look after them. The
/// panic's own message is on stderr.
pub fn panicked() -> ! {
    eprintln!("frankenphp-ws: a thread that owns connections has panicked; ending the process");
    std::process::abort();
}
