//! Asking other servers: who is expected to answer, and who is asked once more.
//!
//! A server that is alive and was not reached is about to connect again, mostly, so it is asked until the timeout. One that has had no connection for
//! a while is believed to be dead before its lease says so: its clients are gone with it.

use std::time::{Duration, Instant};

use fws_hub::ClusterError;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::frame::{Frame, Kind};
use super::node::NodeId;
use super::outgoing::Outbound;
use super::questions::{Asked, Progress};
use super::{Cluster, Shared};

/// How long it is until a server that was not reached is asked once more.
const AGAIN: Duration = Duration::from_millis(50);
/// A server without a connection for so long is believed to be dead, where all may be connecting again: it takes less than that.
pub const GONE: Duration = Duration::from_secs(5);

/// Servers that are alive by their lease, and that have no connection, with the time since when that is known.
#[derive(Debug, Default)]
pub(super) struct Absent(Mutex<HashMap<NodeId, Instant>>);

/// Servers that were there before Redis has lost what it knew, until they are there again.
#[derive(Debug, Default)]
pub(super) struct Missed(Mutex<Option<(Instant, Vec<NodeId>)>>);

impl Missed {
    /// Redis knows none of these any more.
    pub fn note(&self, mut nodes: Vec<NodeId>) {
        // Perhaps it has done so before they were all there again.
        nodes.extend(self.list());
        *self.0.lock() = Some((Instant::now() + GONE, nodes));
    }

    /// Whether it has lost what it knew so lately that some may not be there again.
    pub fn are_awaited(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|(until, _)| *until > Instant::now())
    }

    fn list(&self) -> Vec<NodeId> {
        let mut missed = self.0.lock();
        missed.take_if(|(until, _)| *until <= Instant::now());
        missed.as_ref().map(|(_, nodes)| nodes.clone()).unwrap_or_default()
    }
}

impl Absent {
    /// Whether a server has a connection.
    pub fn note(&self, node: NodeId, connected: bool) {
        let mut absent = self.0.lock();
        if connected {
            absent.remove(&node);
        } else {
            absent.entry(node).or_insert_with(Instant::now);
        }
    }

    /// Only these servers are alive.
    pub fn keep(&self, alive: &[NodeId]) {
        self.0.lock().retain(|node, _| alive.contains(node));
    }

    fn is_gone(&self, node: NodeId, after: Duration) -> bool {
        self.0.lock().get(&node).is_some_and(|since| since.elapsed() >= after)
    }
}

impl Cluster {
    /// Whether another server is believed to be alive: its lease has not ended, and it has not been without a connection for long.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.shared.expected().contains(&node)
    }

    /// Has one other server do something; its answer. `None`: there is no such server.
    pub fn ask(&self, node: NodeId, payload: &[u8]) -> Result<Option<Vec<u8>>, ClusterError> {
        let shared = &self.shared;
        let begun = Instant::now();
        let answer = shared.ask(node, payload, begun + shared.settings.timeout);
        shared.counts.called(begun.elapsed());
        answer.inspect_err(|error| shared.counts.failed(error))
    }

    /// Has all other servers do something; their answers. A server may be asked twice, so this is for what may be done twice.
    pub fn ask_all(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
        let shared = &self.shared;
        let begun = Instant::now();
        let answers = shared.ask_all(payload, begun + shared.settings.timeout);
        shared.counts.called(begun.elapsed());
        answers.inspect_err(|error| shared.counts.failed(error))
    }
}

impl Shared {
    fn ask(&self, node: NodeId, payload: &[u8], until: Instant) -> Result<Option<Vec<u8>>, ClusterError> {
        self.wait_for_the_first_connection();
        loop {
            let asked = self.questions.open();
            self.publish_question(self.settings.key("n", node.bytes()), &asked, payload, Some(asked.number))?;
            let progress = asked.wait(until, |progress| progress.reached == Some(0) || !progress.answered.is_empty())?;
            if !progress.answered.is_empty() {
                return Ok(asked.answers().pop());
            }
            if progress.reached != Some(0) {
                // One whose lease has ended meanwhile is dead, whatever became of its connection.
                return if self.expected().contains(&node) { Err(ClusterError::Timeout) } else { Ok(None) };
            }
            // Nobody has heard it, so it may be asked once more.
            self.absent.note(node, false);
            if !self.expected().contains(&node) {
                return Ok(None);
            }
            if Instant::now() + AGAIN >= until {
                return Err(ClusterError::Timeout);
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn ask_all(&self, payload: &[u8], until: Instant) -> Result<Vec<Vec<u8>>, ClusterError> {
        self.wait_for_the_first_connection();
        let (expected, asked) = (self.expected(), self.questions.open());
        self.publish_question(self.settings.key("n", b""), &asked, payload, Some(asked.number))?;
        let missing =
            |progress: &Progress| -> Vec<NodeId> { expected.iter().copied().filter(|node| !progress.answered.contains(node)).collect() };
        loop {
            let step = until.min(Instant::now() + AGAIN);
            // This server hears it as well, and does not answer.
            let heard_by = |progress: &Progress| progress.reached.map(|reached| reached.saturating_sub(1));
            let all = |progress: &Progress| {
                missing(progress).is_empty() && heard_by(progress).is_some_and(|by| progress.answered.len() as u64 >= by)
            };
            let progress = asked.wait(step, all)?;
            let (missing, over) = (missing(&progress), Instant::now() >= until);
            if missing.is_empty() && progress.reached.is_some() {
                // Either all have answered, or somebody was not known yet, and had its time.
                return Ok(asked.answers());
            }
            let unreached = heard_by(&progress).is_some_and(|by| by < expected.len() as u64);
            if unreached {
                self.look_for(&missing);
            }
            if over {
                return match (progress.reached, missing.len()) {
                    (None, _) => Err(ClusterError::Timeout),
                    (Some(_), count) => Err(ClusterError::Incomplete { missing: small(count), others: small(expected.len()) }),
                };
            }
            let gone = missing.iter().filter(|node| self.is_gone(**node)).count();
            if !missing.is_empty() && gone == missing.len() {
                return Ok(asked.answers());
            }
            if unreached {
                for node in missing {
                    self.publish_question(self.settings.key("n", node.bytes()), &asked, payload, None)?;
                }
            }
        }
    }

    /// Whether a server has had no connection for so long that it is believed to be dead. Where this one has not just connected itself, it is the other
    /// server that has lost its connection: it connects again at once, or its process has ended. So who asks need not be told that it is missing.
    fn is_gone(&self, node: NodeId) -> bool {
        let all = self.linked_at.lock().is_none_or(|since| since.elapsed() < GONE);
        self.absent.is_gone(node, if all { GONE } else { GONE.min(self.settings.timeout / 5 * 4) })
    }

    /// The other servers that are alive, but those that have had no connection for a while.
    fn expected(&self) -> Vec<NodeId> {
        let mut expected = self.missed.list();
        expected.extend(self.nodes.read().iter().map(|node| node.id));
        expected.sort_unstable();
        expected.dedup();
        expected.retain(|node| !self.is_gone(*node));
        expected
    }

    /// Asks Redis which of these servers have a connection.
    fn look_for(&self, nodes: &[NodeId]) {
        let channels: Vec<Vec<u8>> = nodes.iter().map(|node| self.settings.key("n", node.bytes())).collect();
        let counted = self.call(move |mut connection| async move {
            redis::cmd("PUBSUB").arg("NUMSUB").arg(&channels).query_async::<Vec<(Vec<u8>, u64)>>(&mut connection).await
        });
        for (node, (_, count)) in nodes.iter().zip(counted.unwrap_or_default()) {
            self.absent.note(*node, count > 0);
        }
    }

    fn publish_question(&self, channel: Vec<u8>, asked: &Asked<'_>, payload: &[u8], number: Option<u64>) -> Result<(), ClusterError> {
        let frame = Frame { kind: Kind::Ask, from: self.node, number: asked.number, payload }.encode(self.settings.version);
        self.publish(Outbound { channel, frame, number, told: false })
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
