//! A Redis of a simulation: a small model of what the real one does for servers, and of each server's way there.
//!
//! What servers say to each other goes three ways: out of a server's queue to Redis ([`Redis::publish`]), from there into the queue of each
//! server that hears it, and out of that into the server ([`Redis::receive`]). The scheduler says when. Calls that wait for Redis are carried
//! out at once, or fail before or after that. `broker` is what a server sees, `link` how its connection breaks and comes back, `state` what
//! Redis has.

mod broker;
mod link;
mod state;

use std::collections::BTreeSet;
use std::sync::Arc;

use fws_engine::redis::{Answer, Incoming, NodeId, Receiver, Recorded};
use parking_lot::Mutex;

pub use self::broker::Link;
use self::state::{Delivery, Given, Outbound, Peer, State, To};
pub use self::state::{Logged, Member};
use crate::mutation::Mutation;
use crate::world;

/// For how long a silence a server is believed to be alive, milliseconds.
pub const LEASE: u64 = 2_000;
/// How long others are waited for, milliseconds.
pub const TIMEOUT: u64 = 1_000;
/// How long an id that was let go is kept for the server that it goes to, milliseconds.
const LET_GO: u64 = 30_000;

/// Redis.
pub struct Redis(Mutex<State>);

impl Redis {
    /// An empty one.
    pub fn new(mutation: Option<Mutation>) -> Arc<Redis> {
        Arc::new_cyclic(|itself| Redis(Mutex::new(State { mutation, itself: itself.clone(), ..State::default() })))
    }

    /// A server comes. It is not connected yet.
    pub fn join(self: &Arc<Self>, name: &str) -> Link {
        let mut state = self.0.lock();
        let node: NodeId = name.parse().expect("bug: no name of a server");
        state.peers.push(Peer::new(node));
        Link { redis: self.clone(), own: state.peers.len() - 1, node }
    }

    /// The server hears by this from now on.
    pub fn introduce(&self, own: usize, receiver: Arc<dyn Receiver>) {
        self.0.lock().peers[own].receiver = Some(receiver);
    }

    /// Whether a server has something that is to be published.
    pub fn has_outgoing(&self, own: usize) -> bool {
        let state = self.0.lock();
        state.peers[own].linked && !state.peers[own].outgoing.is_empty()
    }

    /// Whether something is on its way to a server.
    pub fn has_incoming(&self, own: usize) -> bool {
        let state = self.0.lock();
        state.peers[own].linked && !state.peers[own].inbox.is_empty()
    }

    /// Whether a server wants to subscribe to a topic, or to none any more.
    pub fn has_wishes(&self, own: usize) -> bool {
        let state = self.0.lock();
        state.peers[own].linked && !state.peers[own].wishes.is_empty()
    }

    /// The next message of a server reaches Redis, and those who hear it are sent it.
    pub fn publish(&self, own: usize, dice: usize) {
        let mut state = self.0.lock();
        if !state.peers[own].linked {
            return;
        }
        let Some(Outbound { to, delivery, question }) = state.peers[own].outgoing.pop_front() else { return };
        let heard = state.hearers(own, &to);
        let mutated =
            heard.get(dice % heard.len().max(1)).copied().filter(|_| matches!(delivery, Delivery::Tell { .. }) && dice.is_multiple_of(8));
        for &peer in &heard {
            let times = match state.mutation.filter(|_| mutated == Some(peer)) {
                Some(Mutation::ToldTwice) => 2,
                Some(Mutation::LostSilently) => 0,
                _ => 1,
            };
            (0..times).for_each(|_| state.peers[peer].inbox.push_back(delivery.clone()));
        }
        if state.mutation == Some(Mutation::Reordered)
            && let Some(peer) = mutated
        {
            let inbox = &mut state.peers[peer].inbox;
            if inbox.len() > 1 {
                inbox.swap(0, 1);
            }
        }
        if matches!(delivery, Delivery::Answer { .. }) && heard.is_empty() {
            state.unheard += 1;
        }
        // Who has no connection now does not hear it.
        if let Delivery::Tell { payload, .. } = &delivery {
            // Nor who has waited for a subscription for as long as a server waits.
            let late = |peer: &Peer| peer.wishes.iter().any(|(_, since)| since + TIMEOUT <= world::millis());
            let missed = state.peers.iter().any(|peer| peer.alive && (!peer.linked || late(peer)));
            if missed {
                let payload = payload.clone();
                state.lost.push(payload);
            }
        }
        if let Some(number) = question {
            let count = heard.len() - usize::from(heard.contains(&own));
            state.peers[own].reached(number, count);
        }
    }

    /// What is next on its way to a server is there.
    pub fn receive(&self, own: usize) {
        let (receiver, node, delivery, from) = {
            let mut state = self.0.lock();
            let Some(delivery) = state.peers[own].inbox.pop_front() else { return };
            let from = delivery.from().map(|from| state.peers[from].node);
            (state.peers[own].receiver.clone(), state.peers[own].node, delivery, from)
        };
        let Some(receiver) = receiver else { return };
        match delivery {
            Delivery::Tell { number, payload, .. } => {
                let from = from.unwrap_or(node);
                receiver.incoming(Incoming { from, payload, number, answer: None });
            }
            Delivery::Record { epoch, offset, time, payload } => receiver.recorded(epoch, Recorded { offset, time, payload }),
            Delivery::Answer { number, payload, at } => {
                let mut state = self.0.lock();
                if !state.peers[own].answered(number, payload, at) {
                    state.unheard += 1;
                }
            }
            Delivery::Ask { from, number, payload } if from != own => {
                let sender = state_of(&self.0, from);
                let answer = self.answer_to(own, from, number);
                receiver.incoming(Incoming { from: sender, payload, number: 0, answer: Some(answer) });
            }
            Delivery::Ask { .. } => {}
        }
    }

    fn answer_to(&self, own: usize, to: usize, number: u64) -> Answer {
        let redis = self.0.lock().itself.clone();
        Answer::new(move |payload| {
            world::note(|| format!("server {own} answers question {number} of server {to}"));
            let Some(redis) = redis.upgrade() else { return };
            let mut state = redis.0.lock();
            state.answers(own, payload, world::millis());
            let peer = &mut state.peers[own];
            if peer.linked && peer.alive {
                let delivery = Delivery::Answer { number, payload: payload.to_vec(), at: world::millis() };
                peer.outgoing.push_back(Outbound { to: To::One(to), delivery, question: None });
            } else {
                state.unheard += 1;
            }
        })
    }

    /// Subscribes a server to the next topic that it wants to hear, or unsubscribes it.
    pub fn grant(&self, own: usize) {
        let mut state = self.0.lock();
        let Some((topic, since)) = state.peers[own].wishes.pop_front() else { return };
        state.late |= since + TIMEOUT <= world::millis();
        let peer = &mut state.peers[own];
        match peer.topics.get_mut(&topic) {
            Some(wanted) => {
                wanted.1 = true;
                peer.subscribed.insert(topic);
            }
            None => {
                peer.subscribed.remove(&topic);
            }
        }
    }

    /// Messages to groups that somebody did not get, since a connection to Redis was away.
    pub fn take_lost(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().lost)
    }

    /// How many answers nobody got as a connection was away.
    pub fn take_unheard(&self) -> usize {
        std::mem::take(&mut self.0.lock().unheard)
    }

    /// Whether all other servers have heard of one.
    pub fn is_known_to_all(&self, own: usize) -> bool {
        let state = self.0.lock();
        let node = state.peers[own].node;
        state.peers.iter().all(|peer| !peer.alive || peer.node == node || peer.others.contains(&node))
    }

    /// Whether a server that gave away a client with one of these ids then stood still, so that nobody may have waited for its answer any more.
    pub fn stood_still(&self, ids: &BTreeSet<String>) -> bool {
        let slow = |given: &Given| given.answered.unwrap_or(world::millis()) > given.at + TIMEOUT / 3;
        self.0.lock().given.iter().any(|given| ids.contains(&given.id) && slow(given))
    }

    /// Whether a subscription took longer than a server waits for it.
    pub fn was_late(&self) -> bool {
        self.0.lock().late
    }

    /// All that was ever recorded, in its order.
    pub fn logged(&self) -> Vec<Logged> {
        self.0.lock().log.clone()
    }

    /// What is left of ids, members and topics.
    pub fn left(&self) -> Vec<String> {
        self.0.lock().left()
    }

    /// Ids that were let go are free after a while.
    pub fn let_time_pass(&self, now: u64) {
        let mut state = self.0.lock();
        while let Some(at) = state.later.iter().position(|(due, ..)| *due <= now) {
            let (_, own, id) = state.later.remove(at);
            if !state.peers[own].claims.contains(&id) {
                state.release(own, &id);
            }
        }
    }

    /// When the next of them is.
    pub fn next_due(&self) -> Option<u64> {
        self.0.lock().later.iter().map(|(due, ..)| *due).min()
    }
}

fn state_of(state: &Mutex<State>, peer: usize) -> NodeId {
    state.lock().peers[peer].node
}
