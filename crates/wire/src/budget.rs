//! What the unfinished messages of many connections may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::Error;
use crate::ledger::{Ledger, Owner, Ticket};

/// Whose bytes are received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// The owner that pays, for all its connections together.
    pub owner: Owner,
    /// The connection, as [`Budget::take_evicted`] names it.
    pub connection: u64,
}

/// How many bytes unfinished messages may take together, and who holds them. Shared by threads.
///
/// A limit for each message bounds one connection. Many that begin messages and never end them it does not. When there is no more, the
/// owner who holds most gives up its oldest message, not whoever comes last: else a few connections would shut out all others.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    /// Guards who holds what, and which connections have lost their message. Taken by messages that do not come in one piece only.
    held: Mutex<Held>,
    used: AtomicUsize,
    /// There are connections that have lost their message.
    evicted: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    ledger: Ledger<u64>,
    evicted: Vec<u64>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(most: usize) -> Budget {
        Budget { most, held: Mutex::default(), used: AtomicUsize::new(0), evicted: AtomicBool::new(false) }
    }

    /// How many bytes are held.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The connections whose unfinished message has to go, each once: they are to be closed. One whose message has come to its end in
    /// the meantime can go on, see [`Decoder::is_evicted`](crate::message::Decoder::is_evicted).
    pub fn take_evicted(&self) -> Vec<u64> {
        if !self.evicted.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut held = self.held.lock();
        self.evicted.store(false, Ordering::Relaxed);
        std::mem::take(&mut held.evicted)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(usize::MAX)
    }
}

/// What one unfinished message holds; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    ticket: Ticket,
}

impl Share {
    /// A message holds `bytes`. An error: it is itself what has to go.
    pub fn of(budget: &Arc<Budget>, peer: Peer, bytes: usize) -> Result<Share, Error> {
        let mut held = budget.held.lock();
        let ticket = held.ledger.enter(peer.owner, bytes, peer.connection);
        budget.make_room(&mut held, ticket)?;
        Ok(Share { budget: budget.clone(), ticket })
    }

    /// It holds `bytes` from now on. An error: it has to go.
    pub fn hold(&self, bytes: usize) -> Result<(), Error> {
        let mut held = self.budget.held.lock();
        if !held.ledger.resize(self.ticket, bytes) {
            return Err(Error::NoRoom);
        }
        self.budget.make_room(&mut held, self.ticket)
    }

    /// Whether it had to go in favour of others.
    pub fn is_evicted(&self) -> bool {
        !self.budget.held.lock().ledger.contains(self.ticket)
    }
}

impl Budget {
    /// Finds who has to go, after `asking` has grown. What others give up is counted as free at once: they are about to be closed.
    fn make_room(&self, held: &mut Held, asking: Ticket) -> Result<(), Error> {
        let mut result = Ok(());
        while held.ledger.used() > self.most
            && let Some(worst) = held.ledger.worst()
        {
            let connection = held.ledger.leave(worst);
            if worst == asking {
                result = Err(Error::NoRoom);
            } else if let Some(connection) = connection {
                held.evicted.push(connection);
                self.evicted.store(true, Ordering::Relaxed);
            }
        }
        self.used.store(held.ledger.used(), Ordering::Relaxed);
        result
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.budget.held.lock();
        held.ledger.leave(self.ticket);
        self.budget.used.store(held.ledger.used(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(owner: u64, connection: u64) -> Peer {
        Peer { owner: Owner(owner), connection }
    }

    #[test]
    fn who_holds_most_pays_rather_than_who_comes_last_and_all_is_given_back() {
        let budget = Arc::new(Budget::new(100));
        let share = |peer, bytes| Share::of(&budget, peer, bytes);
        let (first, second, other) = (share(peer(1, 11), 40), share(peer(1, 12), 30), share(peer(2, 21), 20));
        assert!(budget.take_evicted().is_empty());
        let newcomer = share(peer(3, 31), 25).expect("the first pays");
        assert_eq!((budget.take_evicted(), budget.take_evicted(), budget.used()), (vec![11], vec![], 75));
        let (first, second, other) = (first.expect("entered"), second.expect("entered"), other.expect("entered"));
        assert!(first.is_evicted() && !second.is_evicted() && !newcomer.is_evicted());
        assert_eq!(first.hold(41), Err(Error::NoRoom), "it is to be closed");
        // An owner that becomes the largest by its own growth pays itself, after what it has had longer.
        assert_eq!((other.hold(60), budget.take_evicted()), (Err(Error::NoRoom), vec![]));
        assert_eq!((second.hold(60), budget.used()), (Ok(()), 85));
        assert_eq!(share(peer(1, 13), 20).err(), None);
        assert_eq!(budget.take_evicted(), [12]);
        drop((first, second, other, newcomer));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn more_than_there_is_at_all_is_refused_and_costs_nobody_else_anything() {
        let budget = Arc::new(Budget::new(100));
        let small = Share::of(&budget, peer(1, 1), 10).expect("room");
        assert_eq!(Share::of(&budget, peer(2, 2), 101).err(), Some(Error::NoRoom));
        assert_eq!((budget.take_evicted(), budget.used(), small.is_evicted()), (vec![], 10, false));
    }
}
