//! The order of messages to groups, so that a client that changes its server gets each of them once.
//!
//! Each server numbers what it sends to others. A server that gives a client away tells which numbers the client has got; the one that takes it
//! remembers, while it waits, what it has carried out itself, and sends the client the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fws_engine::NodeId;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The most bytes of messages that are remembered.
const REMEMBERED: usize = 64 << 20;
/// What remembering a message costs, in addition to its bytes.
const OVERHEAD: usize = 64;

/// What has been carried out, and the lock that lets a client change its server between two messages.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Read-locked while a message is carried out and numbered. Locked before the registry and all that is locked with it.
    lock: RwLock<()>,
    /// The last number of each other server.
    heard: Mutex<HashMap<NodeId, u64>>,
    journal: Mutex<Journal>,
    /// How many clients are waited for.
    listeners: AtomicUsize,
}

/// Messages that clients may need who are on their way here.
#[derive(Debug, Default)]
struct Journal {
    entries: VecDeque<Told>,
    /// The place of the first of them among all that have ever been remembered.
    first: u64,
    bytes: usize,
    /// Where those that are still needed begin, for each client that is waited for.
    listeners: HashMap<u64, u64>,
    last_listener: u64,
    /// Up to here some were forgotten, as they were too many.
    forgotten: u64,
}

/// A message that was carried out.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub from: NodeId,
    /// `None`: the others were not told.
    pub number: Option<u64>,
    /// The command, as servers send it.
    pub message: Arc<[u8]>,
}

impl Order {
    /// To be held while a message is carried out and numbered. Nobody waits for others meanwhile, and no thread has it twice.
    pub fn carry_out(&self) -> RwLockReadGuard<'_, ()> {
        self.lock.read()
    }

    /// While this is held no message is being carried out.
    pub(super) fn still(&self) -> RwLockWriteGuard<'_, ()> {
        self.lock.write()
    }

    /// A message of another server was carried out.
    pub fn heard(&self, from: NodeId, number: u64, message: &[u8]) {
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::NoNumbers) {
            return self.remember(from, Some(number), message);
        }
        let mut heard = self.heard.lock();
        let last = heard.entry(from).or_default();
        *last = (*last).max(number);
        drop(heard);
        self.remember(from, Some(number), message);
    }

    /// A message of this server was carried out here, and told to others with this number.
    pub fn told(&self, own: NodeId, number: Option<u64>, message: &[u8]) {
        self.remember(own, number, message);
    }

    /// The last number of each other server. To be called while all is still.
    pub(super) fn numbers(&self) -> Vec<(NodeId, u64)> {
        self.heard.lock().iter().map(|(node, number)| (*node, *number)).collect()
    }

    fn remember(&self, from: NodeId, number: Option<u64>, message: &[u8]) {
        if self.listeners.load(Ordering::SeqCst) == 0 {
            return;
        }
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::NoJournal) {
            return;
        }
        let mut journal = self.journal.lock();
        journal.bytes += message.len() + OVERHEAD;
        journal.entries.push_back(Told { from, number, message: message.into() });
        while journal.bytes > REMEMBERED {
            journal.forget_one();
            journal.forgotten = journal.first;
        }
    }

    /// Remembers what is carried out from now on.
    pub(super) fn listen(&self) -> Listening<'_> {
        let mut journal = self.journal.lock();
        self.listeners.fetch_add(1, Ordering::SeqCst);
        journal.last_listener += 1;
        let (number, from) = (journal.last_listener, journal.first + journal.entries.len() as u64);
        journal.listeners.insert(number, from);
        Listening { order: self, number, from }
    }
}

impl Journal {
    fn forget_one(&mut self) {
        if let Some(told) = self.entries.pop_front() {
            self.first += 1;
            self.bytes -= told.message.len() + OVERHEAD;
        }
    }
}

/// Somebody who needs what is carried out meanwhile.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    order: &'a Order,
    number: u64,
    from: u64,
}

impl Listening<'_> {
    /// All that was carried out since. `None`: it was too much.
    pub fn since(&self) -> Option<Vec<Told>> {
        let journal = self.order.journal.lock();
        if journal.forgotten > self.from {
            return None;
        }
        Some(journal.entries.iter().skip((self.from - journal.first) as usize).cloned().collect())
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut journal = self.order.journal.lock();
        self.order.listeners.fetch_sub(1, Ordering::SeqCst);
        journal.listeners.remove(&self.number);
        let needed = journal.listeners.values().copied().min().unwrap_or(u64::MAX);
        while journal.first < needed && !journal.entries.is_empty() {
            journal.forget_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(told: Option<Vec<Told>>) -> Option<Vec<String>> {
        told.map(|all| all.iter().map(|told| String::from_utf8_lossy(&told.message).into_owned()).collect())
    }

    #[test]
    fn who_listens_gets_what_was_carried_out_since_and_nothing_is_remembered_for_nobody() {
        let (order, node) = (Order::default(), NodeId::random().expect("randomness"));
        order.heard(node, 1, b"before");
        let one = order.listen();
        order.heard(node, 2, b"a");
        let other = order.listen();
        order.told(node, None, b"b");
        assert_eq!(texts(one.since()), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(texts(other.since()), Some(vec!["b".to_owned()]));
        drop(one);
        assert_eq!(order.journal.lock().entries.len(), 1, "the other one needs it");
        drop(other);
        assert_eq!((order.journal.lock().bytes, order.numbers()), (0, vec![(node, 2)]));
    }

    #[test]
    fn what_was_too_much_is_known_to_be_missing() {
        let (order, node) = (Order::default(), NodeId::random().expect("randomness"));
        let early = order.listen();
        let half = vec![0; REMEMBERED / 2];
        order.heard(node, 1, &half);
        let late = order.listen();
        order.heard(node, 2, &half);
        assert!(early.since().is_none() && late.since().is_some_and(|told| told.len() == 1));
        assert!(order.journal.lock().bytes <= REMEMBERED);
    }
}
