//! What is published for other servers, in the order in which it was given.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fws_hub::ClusterError;
use parking_lot::{Condvar, Mutex};
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Shared;

/// Where so many messages wait, or so many bytes of them, those who may wait do so until there is room.
const MESSAGES: usize = 16_384;
const BYTES: usize = 64 << 20;
/// So many more are taken of those who do not wait, and of those who have waited at the same time. What is more than that is refused.
const MORE_MESSAGES: usize = MESSAGES / 4;
const MORE_BYTES: usize = BYTES / 4;
/// The most that are sent at once.
const BATCH: usize = 256;

/// A message for other servers.
#[derive(Debug)]
pub(super) struct Outbound {
    pub channel: Vec<u8>,
    pub frame: Vec<u8>,
    /// That of a question, which is told how many servers it reaches.
    pub number: Option<u64>,
    /// It is [told](super::Cluster::tell): nobody waits for an answer.
    pub told: bool,
}

impl Outbound {
    fn len(&self) -> usize {
        self.channel.len() + self.frame.len()
    }
}

/// The queue's entrance.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: Sender<Outbound>,
    bytes: AtomicUsize,
    /// Those who wait for room, and what tells them of it.
    waiters: Mutex<usize>,
    room: Condvar,
    /// What was told, and lost with a connection.
    untold: AtomicU64,
}

impl Outgoing {
    pub fn new() -> (Outgoing, Receiver<Outbound>) {
        let (queue, exit) = channel(MESSAGES + MORE_MESSAGES);
        let (waiters, room) = Default::default();
        (Outgoing { queue, bytes: AtomicUsize::new(0), waiters, room, untold: AtomicU64::new(0) }, exit)
    }

    /// Queues a message. It does not wait: when too much does, the message is refused.
    pub fn push(&self, message: Outbound) -> Result<(), ClusterError> {
        let len = message.len();
        if self.bytes.fetch_add(len, Ordering::Relaxed) + len > BYTES + MORE_BYTES || self.queue.try_send(message).is_err() {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            return Err(ClusterError::Overloaded);
        }
        Ok(())
    }

    /// Waits until there is room, no longer than `limit`.
    pub fn wait_for_room(&self, limit: Duration) {
        let is_full = || self.waiting() >= MESSAGES || self.bytes.load(Ordering::SeqCst) >= BYTES;
        if !is_full() {
            return;
        }
        let until = Instant::now() + limit;
        let mut waiters = self.waiters.lock();
        *waiters += 1;
        while is_full() && !self.room.wait_until(&mut waiters, until).timed_out() {}
        *waiters -= 1;
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// How many messages were told, and lost with a connection. It is not known whether others have them.
    pub fn untold(&self) -> u64 {
        self.untold.load(Ordering::Relaxed)
    }

    fn taken(&self, batch: &[Outbound]) {
        self.bytes.fetch_sub(batch.iter().map(Outbound::len).sum(), Ordering::SeqCst);
        if *self.waiters.lock() > 0 {
            self.room.notify_all();
        }
    }

    fn lost(&self, batch: &[Outbound]) {
        self.untold.fetch_add(batch.iter().filter(|message| message.told).count() as u64, Ordering::Relaxed);
    }

    /// The connection is gone: what waits for it would come too late.
    pub fn clear(&self, queue: &mut Receiver<Outbound>) -> usize {
        let mut count = 0;
        while let Ok(message) = queue.try_recv() {
            let message = [message];
            self.lost(&message);
            self.taken(&message);
            count += 1;
        }
        count
    }
}

/// Messages on their way to Redis. Those that are there when it goes are lost: the connection has failed, perhaps by what somebody else met on it.
struct Batch<'a> {
    shared: &'a Shared,
    messages: Vec<Outbound>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.shared.counts.lost.fetch_add(self.messages.len() as u64, Ordering::Relaxed);
        self.shared.outgoing.lost(&self.messages);
        self.messages.iter().filter_map(|message| message.number).for_each(|number| self.shared.questions.fail(number));
    }
}

/// Publishes what is queued, one batch after the other, until the connection fails.
pub(super) async fn publish(shared: &Shared, connection: &mut MultiplexedConnection, queue: &mut Receiver<Outbound>) -> String {
    let mut batch = Batch { shared, messages: Vec::with_capacity(BATCH) };
    loop {
        if queue.recv_many(&mut batch.messages, BATCH).await == 0 {
            return "the server ends".to_owned();
        }
        shared.outgoing.taken(&batch.messages);
        let mut pipe = redis::pipe();
        for message in &batch.messages {
            pipe.cmd("PUBLISH").arg(&message.channel).arg(&message.frame);
        }
        let reached: Vec<u64> = match tokio::time::timeout(shared.settings.timeout, pipe.query_async(connection)).await {
            Ok(Ok(reached)) => reached,
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return "Redis did not answer within the timeout".to_owned(),
        };
        shared.counts.published.fetch_add(batch.messages.len() as u64, Ordering::Relaxed);
        for (message, reached) in batch.messages.drain(..).zip(reached) {
            if let Some(number) = message.number {
                shared.questions.reached(number, reached);
            }
        }
    }
}
