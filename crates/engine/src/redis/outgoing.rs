//! What is published for other servers, in the order in which it was given.

use std::sync::atomic::{AtomicUsize, Ordering};

use fws_hub::ClusterError;
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Shared;

/// The most messages that wait, and the most bytes of them.
const MESSAGES: usize = 16_384;
const BYTES: usize = 64 << 20;
/// The most that are sent at once.
const BATCH: usize = 256;

/// A message for other servers.
#[derive(Debug)]
pub(super) struct Outbound {
    pub channel: Vec<u8>,
    pub frame: Vec<u8>,
    /// That of a question, which is told how many servers it reaches.
    pub number: Option<u64>,
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
}

impl Outgoing {
    pub fn new() -> (Outgoing, Receiver<Outbound>) {
        let (queue, exit) = channel(MESSAGES);
        (Outgoing { queue, bytes: AtomicUsize::new(0) }, exit)
    }

    /// Queues a message. It does not wait: when too much does, the message is refused.
    pub fn push(&self, message: Outbound) -> Result<(), ClusterError> {
        let len = message.len();
        if self.bytes.fetch_add(len, Ordering::Relaxed) + len > BYTES || self.queue.try_send(message).is_err() {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            return Err(ClusterError::Overloaded);
        }
        Ok(())
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        MESSAGES - self.queue.capacity()
    }

    fn taken(&self, batch: &[Outbound]) {
        self.bytes.fetch_sub(batch.iter().map(Outbound::len).sum(), Ordering::Relaxed);
    }

    /// The connection is gone: what waits for it would come too late.
    pub fn clear(&self, queue: &mut Receiver<Outbound>) -> usize {
        let mut count = 0;
        while let Ok(message) = queue.try_recv() {
            self.taken(&[message]);
            count += 1;
        }
        count
    }
}

/// Publishes what is queued, one batch after the other, until the connection fails.
pub(super) async fn publish(shared: &Shared, connection: &mut MultiplexedConnection, queue: &mut Receiver<Outbound>) -> String {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return "the server ends".to_owned();
        }
        shared.outgoing.taken(&batch);
        let mut pipe = redis::pipe();
        for message in &batch {
            pipe.cmd("PUBLISH").arg(&message.channel).arg(&message.frame);
        }
        let reached: Result<Vec<u64>, _> = match tokio::time::timeout(shared.settings.timeout, pipe.query_async(connection)).await {
            Ok(reached) => reached.map_err(|error| error.to_string()),
            Err(_) => Err("Redis did not answer within the timeout".to_owned()),
        };
        match reached {
            Ok(reached) => {
                shared.counts.published.fetch_add(batch.len() as u64, Ordering::Relaxed);
                for (message, reached) in batch.drain(..).zip(reached) {
                    if let Some(number) = message.number {
                        shared.questions.reached(number, reached);
                    }
                }
            }
            Err(why) => {
                shared.counts.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                batch.iter().filter_map(|message| message.number).for_each(|number| shared.questions.fail(number));
                return why;
            }
        }
    }
}
