//! How the connections of servers to Redis break and come back, and how servers are believed to be dead.

use fws_engine::redis::{GONE, Member as EngineMember, NodeId};
use fws_hub::ClusterError;

use super::state::{Delivery, State};
use super::{LEASE, Redis};
use crate::world;

impl Redis {
    /// Whether a server is connected.
    pub fn is_linked(&self, own: usize) -> bool {
        self.0.lock().peers[own].linked
    }

    /// The connection of a server breaks: what is on its way there or from there is lost.
    pub fn cut(&self, own: usize, why: &str) {
        let receiver = {
            let mut state = self.0.lock();
            if !state.peers[own].linked {
                return;
            }
            state.cut(own);
            state.peers[own].receiver.clone()
        };
        if let Some(receiver) = receiver {
            receiver.disconnected(why);
        }
    }

    /// A server is dead. The others do not know it yet.
    pub fn die(&self, own: usize) {
        let mut state = self.0.lock();
        state.cut(own);
        state.peers[own].alive = false;
        state.peers[own].receiver = None;
    }

    /// All that Redis knows is lost.
    pub fn forget_all(&self) {
        let mut state = self.0.lock();
        let until = world::millis() + GONE.as_millis() as u64;
        let State { heard, missed, .. } = &mut *state;
        missed.extend(std::mem::take(heard).into_keys().map(|node| (node, until)));
        state.ids.clear();
        state.members.clear();
        state.channels.clear();
        state.values.clear();
    }

    /// A server connects: it subscribes to all that it wants to hear, and claims its ids once more.
    pub fn connect(&self, own: usize, now: u64) {
        let (receiver, lost, anew) = {
            let mut state = self.0.lock();
            let peer = &mut state.peers[own];
            if peer.linked || !peer.alive {
                return;
            }
            peer.wishes.clear();
            peer.subscribed = peer.topics.keys().cloned().collect();
            peer.topics.values_mut().for_each(|wanted| wanted.1 = true);
            let was_alive = state.renew(own, now);
            let anew = state.peers[own].registered && !was_alive;
            state.peers[own].registered = true;
            let lost = state.claim_again(own, now);
            state.peers[own].linked = true;
            (state.peers[own].receiver.clone(), lost, anew)
        };
        let Some(receiver) = receiver else { return };
        if !lost.is_empty() {
            receiver.lost(lost);
        }
        receiver.connected(anew);
    }

    /// A server says that it is alive, and cleans up after those that are not.
    pub fn look_after(&self, own: usize, now: u64) {
        let (receiver, lost, anew, vacated) = {
            let mut state = self.0.lock();
            if !state.peers[own].linked {
                return;
            }
            let was_alive = state.renew(own, now);
            let lost = if was_alive { Vec::new() } else { state.claim_again(own, now) };
            let dead: Vec<NodeId> = state.heard.iter().filter(|(_, heard)| **heard + LEASE <= now).map(|(node, _)| *node).collect();
            let vacated: Vec<_> = dead.into_iter().flat_map(|node| state.reap(node)).collect();
            (state.peers[own].receiver.clone(), lost, !was_alive, vacated)
        };
        let Some(receiver) = receiver else { return };
        if !lost.is_empty() {
            receiver.lost(lost);
        }
        if anew {
            receiver.connected(true);
        }
        if !vacated.is_empty() {
            let member = |(route, tag, user): (String, String, String)| EngineMember {
                route: route.into(),
                tag: tag.into(),
                user: user.into(),
                ..EngineMember::default()
            };
            receiver.vacated(vacated.into_iter().map(member).collect());
        }
    }
}

impl State {
    fn cut(&mut self, own: usize) {
        let peer = &mut self.peers[own];
        peer.linked = false;
        peer.cuts += 1;
        peer.subscribed.clear();
        peer.topics.values_mut().for_each(|wanted| wanted.1 = false);
        peer.wishes.clear();
        for question in peer.questions.values_mut() {
            question.failure = Some(ClusterError::Unavailable);
        }
        peer.untold += peer.outgoing.iter().filter(|outbound| matches!(outbound.delivery, Delivery::Tell { .. })).count() as u64;
        let outgoing = std::mem::take(&mut peer.outgoing).into_iter().map(|outbound| outbound.delivery);
        let inbox = std::mem::take(&mut peer.inbox);
        for delivery in outgoing.chain(inbox) {
            match delivery {
                Delivery::Tell { payload, .. } => self.lost.push(payload),
                Delivery::Answer { .. } => self.unheard += 1,
                Delivery::Ask { .. } | Delivery::Record { .. } => {}
            }
        }
    }

    /// A server says that it is alive. Whether it was believed to be.
    fn renew(&mut self, own: usize, now: u64) -> bool {
        let node = self.peers[own].node;
        let was_alive = self.is_alive(node, now);
        self.heard.insert(node, now);
        let others = self.heard.keys().copied().filter(|other| *other != node && self.is_alive(*other, now)).collect();
        self.peers[own].others = others;
        was_alive
    }

    /// Claims all ids of a server, and tells of all its members. The ids that others have by now.
    fn claim_again(&mut self, own: usize, now: u64) -> Vec<Box<str>> {
        let ids: Vec<String> = self.peers[own].claims.iter().cloned().collect();
        let taken = std::mem::take(&mut self.peers[own].taken);
        let lost: Vec<String> = ids.into_iter().filter(|id| !self.claim(own, id, taken.get(id).copied(), now)).collect();
        self.peers[own].claims.retain(|id| !lost.contains(id));
        let members: Vec<_> = self.peers[own].members.iter().cloned().collect();
        for member in &members {
            self.enter(own, member);
        }
        lost.into_iter().map(String::into_boxed_str).collect()
    }

    /// Cleans up after a dead server; the members that were there only.
    fn reap(&mut self, node: NodeId) -> Vec<super::Member> {
        self.heard.remove(&node);
        let of: Vec<_> = self.members.iter().filter(|(_, on)| on.contains(&node)).map(|(member, _)| member.clone()).collect();
        of.into_iter().filter(|member| self.leave(node, member)).collect()
    }
}
