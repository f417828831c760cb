//! Clients that have gone to other servers, for those who still ask here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use fws_engine::NodeId;
use fws_hub::{ClusterError, Key};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::settle::Fate;
use crate::clock;
use crate::resume::Secret;

/// So long after it has left, a client may still be on its way.
const ON_THE_WAY: Duration = Duration::from_secs(3);
/// The most clients that are remembered.
const MOST: usize = 100_000;

/// Clients that were here and are not any more, and those that are about to come.
#[derive(Debug, Default)]
pub(crate) struct Departed(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Where they have gone, when, and for which secret.
    ids: HashMap<Box<str>, (NodeId, Instant, Secret)>,
    /// Some were forgotten: any id that is not known may be one of them.
    forgotten: bool,
    sessions: HashMap<Key, Gone>,
    arriving: HashSet<Box<str>>,
    /// The places here of clients that came from elsewhere, by the ids that they had then: they may have others by now.
    came: HashMap<Box<str>, Key>,
    /// The clients that have arrived: the servers that gave them, and their places there. The oldest first.
    arrived: HashSet<(NodeId, Key)>,
    arrivals: VecDeque<(NodeId, Key)>,
    /// What clients have shown that are being brought here, for each of their connections.
    bringing: Vec<(u64, Secret)>,
    last_bringing: u64,
}

/// A client that has gone to another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    pub to: NodeId,
    /// What it was called then.
    pub id: Box<str>,
    /// What the request has shown for which it was given away.
    pub shown: Secret,
}

/// A client is being brought here until this is dropped.
pub(super) struct Bringing<'a> {
    departed: &'a Departed,
    number: u64,
    secret: Secret,
}

impl Bringing<'_> {
    /// Whether another connection of the client brings it as well: with the same secret, or with the one for which it was given to this server.
    pub fn are_several(&self, given_for: Option<&Secret>) -> bool {
        let others = |(number, secret): &(u64, Secret)| *number != self.number && is_one_of(secret, &self.secret, given_for);
        self.departed.0.lock().bringing.iter().any(others)
    }
}

impl Drop for Bringing<'_> {
    fn drop(&mut self) {
        self.departed.0.lock().bringing.retain(|(number, _)| *number != self.number);
    }
}

impl Departed {
    /// A client has gone to another server.
    pub fn add(&self, id: &str, key: Key, to: NodeId, shown: Secret) {
        let mut inner = self.0.lock();
        if inner.ids.len() >= MOST {
            inner.ids = HashMap::new();
            inner.forgotten = true;
        }
        inner.ids.insert(id.into(), (to, clock::now(), shown));
        if inner.sessions.len() >= MOST {
            inner.sessions = HashMap::new();
        }
        inner.sessions.insert(key, Gone { to, id: id.into(), shown });
    }

    /// A client that has shown a secret is being brought here.
    pub(super) fn bring(&self, secret: Secret) -> Bringing<'_> {
        let mut inner = self.0.lock();
        inner.last_bringing += 1;
        let number = inner.last_bringing;
        inner.bringing.push((number, secret));
        Bringing { departed: self, number, secret }
    }

    /// Whether a client is being brought here that has shown a secret, or for which it was given to this server.
    pub(super) fn is_bringing(&self, secret: &Secret, given_for: Option<&Secret>) -> bool {
        self.0.lock().bringing.iter().any(|(_, other)| is_one_of(other, secret, given_for))
    }

    /// A client is about to come, with this id.
    pub fn expect(&self, id: &str) {
        let mut inner = self.0.lock();
        inner.arriving.insert(id.into());
        inner.ids.remove(id);
    }

    /// A client has come, with this id.
    pub fn has_come(&self, id: &str, key: Key) {
        let mut inner = self.0.lock();
        if inner.came.len() >= MOST {
            inner.came = HashMap::new();
        }
        inner.came.insert(id.into(), key);
    }

    /// A client has arrived that had this place at another server.
    pub(super) fn has_arrived(&self, from: NodeId, place: Key) {
        let mut inner = self.0.lock();
        if inner.arrivals.len() >= MOST
            && let Some(oldest) = inner.arrivals.pop_front()
        {
            inner.arrived.remove(&oldest);
        }
        if inner.arrived.insert((from, place)) {
            inner.arrivals.push_back((from, place));
        }
    }

    #[cfg(feature = "simulation")]
    pub(super) fn has_not_arrived(&self, from: NodeId, place: Key) {
        self.0.lock().arrived.remove(&(from, place));
    }

    /// What is known of a client that another server has given.
    pub(super) fn fate(&self, from: NodeId, place: Key, secret: &Secret) -> Fate {
        let inner = self.0.lock();
        if inner.arrived.contains(&(from, place)) {
            return Fate::Arrived;
        }
        let awaited = inner.bringing.iter().any(|(_, other)| other.is(secret));
        if awaited { Fate::Awaited } else { Fate::Unknown }
    }

    /// The place of a client that came with this id.
    pub fn came(&self, id: &str) -> Option<Key> {
        self.0.lock().came.get(id).copied()
    }

    /// It has come, or it will not.
    pub fn expect_no_more(&self, id: &str) {
        self.0.lock().arriving.remove(id);
    }

    /// Nobody has the id any more.
    pub fn forget(&self, id: &str) {
        self.0.lock().ids.remove(id);
    }

    /// Whether a client that is not known here may be on another server by now, or on its way here.
    pub fn knows(&self, id: &str) -> bool {
        let inner = self.0.lock();
        inner.forgotten || inner.ids.contains_key(id) || inner.arriving.contains(id)
    }

    /// Whether a client is on its way here, or has left so lately that it may not have arrived where it goes.
    pub fn is_on_the_way(&self, id: &str) -> bool {
        let inner = self.0.lock();
        inner.arriving.contains(id)
            || inner.ids.get(id).is_some_and(|(_, since, _)| clock::now().saturating_duration_since(*since) < ON_THE_WAY)
    }

    /// What is told of a client that is not here to those who ask for it. `None`: it is gone.
    pub fn moved(&self, id: &str) -> Option<ClusterError> {
        let lately = self.is_on_the_way(id);
        let to = self.to(id).map(|node| node.to_string().into());
        let came = self.came(id).is_some();
        (lately || to.is_some() || came).then(|| ClusterError::Moved { to: to.unwrap_or_default(), lately })
    }

    /// Where a client has gone.
    pub fn to(&self, id: &str) -> Option<NodeId> {
        self.0.lock().ids.get(id).map(|(to, ..)| *to)
    }

    /// What is known of a client that has gone.
    pub fn gone(&self, id: &str) -> Option<Gone> {
        self.0.lock().ids.get(id).map(|(to, _, shown)| Gone { to: *to, id: id.into(), shown: *shown })
    }

    /// The client that was at a place and has gone.
    pub fn session(&self, key: Key) -> Option<Gone> {
        self.0.lock().sessions.get(&key).cloned()
    }
}

fn is_one_of(shown: &Secret, secret: &Secret, given_for: Option<&Secret>) -> bool {
    #[cfg(feature = "simulation")]
    let given_for = given_for.filter(|_| !crate::simulation::has(crate::simulation::Flaw::OneToken));
    shown.is(secret) || given_for.is_some_and(|given_for| shown.is(given_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_went_is_looked_for_elsewhere_until_it_is_back_or_gone() {
        let (departed, node) = (Departed::default(), NodeId::random().expect("randomness"));
        let key = Key { index: 1, generation: 2 };
        assert!(!departed.knows("a"));
        let shown = Secret::random().expect("randomness");
        departed.add("a", key, node, shown);
        assert!(departed.knows("a") && departed.is_on_the_way("a"));
        assert_eq!(departed.session(key), Some(Gone { to: node, id: "a".into(), shown }));
        departed.expect("a");
        assert!(departed.knows("a") && departed.is_on_the_way("a"));
        departed.expect_no_more("a");
        assert!(!departed.knows("a"));
        for n in 0..=MOST as u32 {
            departed.add(&n.to_string(), Key { index: n, generation: 0 }, node, shown);
        }
        assert!(departed.knows("somebody"), "some were forgotten, so it has to be asked");
    }
}
