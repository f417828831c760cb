//! Whether clients that were given to other servers have arrived there.
//!
//! The answer that has a client in it may be lost, with Redis or with the server that has asked. Then nobody has the client: PHP, which was told nothing
//! when it left, is told that it is gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_engine::NodeId;
use fws_hub::Key;
use fws_session::{Closed, Event};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::conn::Conn;
use crate::core::Core;
use crate::core::reporting::about;
use crate::dispatch::{Arrival, Source};
use crate::log::Trouble;
use crate::resume::Secret;
use crate::servers::message;
use crate::shard::Surroundings;
use crate::stats::add;

/// What PHP is told of a client that did not arrive.
const REASON: &str = "the client came back on another server, and its session did not arrive there";
/// The most clients that one question is about.
const AT_ONCE: usize = 1_000;

/// A client that was given to another server.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sent {
    index: u32,
    generation: u32,
    secret: Secret,
}

impl Sent {
    pub(super) fn key(&self) -> Key {
        Key { index: self.index, generation: self.generation }
    }
}

/// What the other server says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Arrived,
    /// It may still arrive.
    Awaited,
    /// It will not.
    Unknown,
}

#[derive(Debug)]
struct Given {
    conn: Arc<Conn>,
    secret: Secret,
    to: NodeId,
    /// When it was given away, or asked for last.
    since: Instant,
}

/// The clients that have left and of which it is not known yet whether they have arrived.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    /// The oldest first.
    given: Mutex<VecDeque<Given>>,
    some: Condvar,
}

impl Underway {
    pub(super) fn add(&self, conn: Arc<Conn>, secret: Secret, to: NodeId) {
        self.given.lock().push_back(Given { conn, secret, to, since: clock::now() });
        self.some.notify_one();
    }

    /// Waits until some have been on their way for so long.
    pub(crate) fn wait(&self, long: Duration) {
        let mut given = self.given.lock();
        loop {
            match given.front().map(|first| first.since + long) {
                None => self.some.wait(&mut given),
                Some(due) if due <= clock::now() => return,
                Some(due) => drop(self.some.wait_until(&mut given, due)),
            }
        }
    }

    fn take(&self, long: Duration) -> Vec<Given> {
        let mut given = self.given.lock();
        let now = clock::now();
        let due = given.iter().take(AT_ONCE).take_while(|one| one.since + long <= now).count();
        given.drain(..due).collect()
    }

    fn again(&self, mut one: Given) {
        one.since = clock::now();
        self.given.lock().push_back(one);
    }
}

impl Core {
    /// Asks where the clients are that have been on their way for so long that they must have arrived. `false`: there is none.
    pub(crate) fn settle(&self) -> bool {
        // The other server waits no longer for the answer that has the client in it.
        let due = self.underway.take(self.engine.timeout());
        let some = !due.is_empty();
        let mut servers: BTreeMap<NodeId, Vec<Given>> = BTreeMap::new();
        for given in due {
            servers.entry(given.to).or_default().push(given);
        }
        for (to, given) in servers {
            let sent: Vec<Sent> = given.iter().map(Given::sent).collect();
            let fates = match self.engine.ask_server(to, &message::have_arrived(&sent)) {
                Ok(Some(answer)) => message::fates(&answer).filter(|fates| fates.len() == sent.len()),
                // Clients that had arrived there are gone with it.
                Ok(None) if !self.engine.is_alive(to) => Some(vec![Fate::Unknown; sent.len()]),
                Ok(None) | Err(_) => None,
            };
            let fates = fates.unwrap_or_else(|| vec![Fate::Awaited; sent.len()]);
            for (one, fate) in given.into_iter().zip(fates) {
                match fate {
                    Fate::Arrived => {}
                    Fate::Awaited => self.underway.again(one),
                    Fate::Unknown => self.went_astray(one.conn),
                }
            }
        }
        some
    }

    /// What is known here of clients that another server has given.
    pub(crate) fn have_arrived(&self, from: NodeId, sent: &[Sent]) -> Vec<Fate> {
        sent.iter().map(|sent| self.departed.fate(from, sent.key(), &sent.secret)).collect()
    }

    fn went_astray(&self, conn: Arc<Conn>) {
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::Astray) {
            return;
        }
        add(&self.counters.sessions_astray, 1);
        let message = "a client came back on another server, and its session was lost on the way there: PHP is told that it is gone";
        self.log.burst(Trouble::Cluster, &conn.route_name, message, || about(&conn));
        let closed = Closed { code: 1006, reason: REASON.to_owned(), clean: false, failed: None };
        let limits = (usize::MAX, usize::MAX);
        let mut batch = vec![Arrival { source: Source::Conn(conn), event: Event::Close(Box::new(closed)), limits }];
        // No connection is behind it that could be held back.
        let _ = Surroundings::push(self, &mut batch);
        self.shards[0].wake();
    }
}

impl Given {
    fn sent(&self) -> Sent {
        let Key { index, generation } = self.conn.key;
        Sent { index, generation, secret: self.secret }
    }
}
