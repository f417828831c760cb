//! The thread of a shard.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fws_session::Millis;
use mio::{Events, Poll};
use parking_lot::Mutex;

use super::handle::{AWAKE, Inbox};
use super::{EVENTS, SCRATCH, Shard, Surroundings, TICK, WAKE};
use crate::os;

/// The thread of a shard.
pub struct ShardThread {
    pub number: usize,
    pub(super) poll: Poll,
    pub(super) inbox: Arc<Inbox>,
    pub(super) shard: Arc<Mutex<Shard>>,
}

impl ShardThread {
    /// Runs for the life of the process.
    pub fn run(mut self, around: &impl Surroundings) {
        if let Err(error) = os::block_signals() {
            around.complain("signals could not be blocked on a core thread", None, &error);
        }
        let mut events = Events::with_capacity(EVENTS);
        let mut scratch = vec![0u8; SCRATCH];
        let mut ops = Vec::new();
        let mut tick = TICK.0;
        let mut cared = 0;
        loop {
            let timeout = self.shard.lock().prepare_to_sleep(around, tick);
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                panic!("bug: epoll_wait: {error}");
            }
            self.inbox.state.store(AWAKE, Ordering::SeqCst);
            let mut shard = self.shard.lock();
            shard.now = shard.now();
            let idle = events.is_empty();
            for event in &events {
                if event.token() != WAKE {
                    shard.ready(event);
                }
            }
            shard.read_all(&mut scratch);
            shard.take_posted(&mut ops);
            let idle = idle && ops.is_empty();
            for op in ops.drain(..) {
                shard.carry_out(around, op, &mut scratch);
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
            tick = if idle { (tick * 2).min(TICK.1) } else { TICK.0 };
            let care = around.has_pending() && (idle || shard.now >= cared + TICK.1.as_millis() as Millis);
            if care {
                cared = shard.now;
            }
            drop(shard);
            if care {
                around.care();
            }
        }
    }
}

/// A thread was broken off in the middle of a turn, which leaves connections in disorder, or without anybody to look after them. The
/// panic's own message is on stderr.
pub fn panicked() -> ! {
    eprintln!("frankenphp-ws: a thread that owns connections has panicked; ending the process");
    std::process::abort();
}
