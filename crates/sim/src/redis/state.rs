//! What Redis has, and the servers' ends of their connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use fws_engine::redis::{NodeId, Receiver};
use fws_hub::ClusterError;
use fws_server::simulation::client_in;

use super::{LEASE, Redis, TIMEOUT};
use crate::mutation::Mutation;

/// A route, a tag and a user.
pub type Member = (String, String, String);

/// A message that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The channel.
    pub channel: String,
    /// Which past of it.
    pub epoch: u64,
    /// Its number there.
    pub offset: u64,
    /// What was recorded.
    pub payload: Vec<u8>,
}

#[derive(Default)]
pub(super) struct State {
    pub itself: Weak<Redis>,
    pub peers: Vec<Peer>,
    /// When each server was heard of last.
    pub heard: BTreeMap<NodeId, u64>,
    /// The servers that it knew before it lost what it knew, and until when they are waited for.
    pub missed: BTreeMap<NodeId, u64>,
    pub ids: BTreeMap<String, NodeId>,
    pub members: BTreeMap<Member, BTreeSet<NodeId>>,
    pub channels: BTreeMap<String, Channel>,
    pub values: BTreeMap<Vec<u8>, Vec<u8>>,
    pub last_epoch: u64,
    pub log: Vec<Logged>,
    pub lost: Vec<Vec<u8>>,
    /// Answers that nobody got as a connection was away.
    pub unheard: usize,
    /// A subscription took longer than a server waits for it.
    pub late: bool,
    /// Clients that servers have given to others.
    pub given: Vec<Given>,
    /// Ids that are free at a time, if their servers do not have them again.
    pub later: Vec<(u64, usize, String)>,
    pub mutation: Option<Mutation>,
}

#[derive(Default)]
pub(super) struct Channel {
    pub epoch: u64,
    pub last: u64,
    pub messages: VecDeque<(u64, u64, Vec<u8>)>,
}

/// A client that a server gives to another one, by its id then.
pub(super) struct Given {
    pub by: usize,
    pub id: String,
    pub at: u64,
    /// When the answer was sent that has the client in it.
    pub answered: Option<u64>,
}

/// A server's end of its connection.
pub(super) struct Peer {
    pub node: NodeId,
    pub receiver: Option<Arc<dyn Receiver>>,
    pub alive: bool,
    pub linked: bool,
    /// It has been connected before.
    pub registered: bool,
    /// Topics that are wanted: by how many, and whether Redis has confirmed it.
    pub topics: BTreeMap<String, (u32, bool)>,
    /// What Redis is to look at, and since when.
    pub wishes: VecDeque<(String, u64)>,
    pub subscribed: BTreeSet<String>,
    pub claims: BTreeSet<String>,
    /// Claims of which Redis may not know yet, with the servers that have let them go.
    pub taken: BTreeMap<String, NodeId>,
    pub members: BTreeSet<Member>,
    pub told: u64,
    pub outgoing: VecDeque<Outbound>,
    pub inbox: VecDeque<Delivery>,
    pub questions: BTreeMap<u64, Question>,
    /// Until when questions were waited for of which nobody waits for an answer any more.
    pub expired: BTreeMap<u64, u64>,
    pub last_question: u64,
    pub others: Vec<NodeId>,
    pub cuts: u64,
    /// Messages that were told and lost with the connection.
    pub untold: u64,
}

#[derive(Debug, Clone)]
pub(super) enum To {
    One(usize),
    All,
    Topic(String),
}

#[derive(Debug, Clone)]
pub(super) struct Outbound {
    pub to: To,
    pub delivery: Delivery,
    pub question: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum Delivery {
    Tell {
        from: usize,
        number: u64,
        payload: Vec<u8>,
    },
    Ask {
        from: usize,
        number: u64,
        payload: Vec<u8>,
    },
    /// With the time when it was sent.
    Answer {
        number: u64,
        payload: Vec<u8>,
        at: u64,
    },
    Record {
        epoch: u64,
        offset: u64,
        time: u64,
        payload: Vec<u8>,
    },
}

impl Delivery {
    pub fn from(&self) -> Option<usize> {
        match self {
            Delivery::Tell { from, .. } | Delivery::Ask { from, .. } => Some(*from),
            Delivery::Answer { .. } | Delivery::Record { .. } => None,
        }
    }
}

#[derive(Default)]
pub(super) struct Question {
    pub expected: Option<usize>,
    pub answers: Vec<Vec<u8>>,
    pub failure: Option<ClusterError>,
}

impl Question {
    pub fn is_complete(&self) -> bool {
        self.failure.is_some() || self.expected.is_some_and(|expected| self.answers.len() >= expected)
    }
}

impl Peer {
    pub fn new(node: NodeId) -> Peer {
        Peer {
            node,
            receiver: None,
            alive: true,
            linked: false,
            registered: false,
            topics: BTreeMap::new(),
            wishes: VecDeque::new(),
            subscribed: BTreeSet::new(),
            claims: BTreeSet::new(),
            taken: BTreeMap::new(),
            members: BTreeSet::new(),
            told: 0,
            outgoing: VecDeque::new(),
            inbox: VecDeque::new(),
            questions: BTreeMap::new(),
            expired: BTreeMap::new(),
            last_question: 0,
            others: Vec::new(),
            cuts: 0,
            untold: 0,
        }
    }

    pub fn reached(&mut self, number: u64, count: usize) {
        if let Some(question) = self.questions.get_mut(&number) {
            question.expected = Some(count);
        }
    }

    /// `false`: nobody waits for it, since the connection broke meanwhile, or it was on its way for too long.
    pub fn answered(&mut self, number: u64, payload: Vec<u8>, at: u64) -> bool {
        match self.questions.get_mut(&number).filter(|question| question.failure.is_none()) {
            Some(question) => question.answers.push(payload),
            None => {
                let in_time = self.expired.get(&number).is_some_and(|until| at + TIMEOUT / 3 <= *until);
                return self.cuts == 0 && !in_time;
            }
        }
        true
    }
}

impl State {
    /// Whether a server is believed to be alive.
    pub fn is_alive(&self, node: NodeId, now: u64) -> bool {
        self.heard.get(&node).is_some_and(|heard| heard + LEASE > now)
    }

    /// Who hears a message.
    pub fn hearers(&self, own: usize, to: &To) -> Vec<usize> {
        let all = self.peers.iter().enumerate().filter(|(_, peer)| peer.alive && peer.linked);
        match to {
            To::One(one) => all.filter(|(at, _)| at == one).map(|(at, _)| at).collect(),
            To::All => all.map(|(at, _)| at).collect(),
            To::Topic(topic) => all.filter(|(at, peer)| *at != own && peer.subscribed.contains(topic)).map(|(at, _)| at).collect(),
        }
    }

    /// Claims an id for a server, also from another one.
    pub fn claim(&mut self, own: usize, id: &str, from: Option<NodeId>, now: u64) -> bool {
        let node = self.peers[own].node;
        let holder = self.ids.get(id).copied();
        let is_anothers = holder.is_some_and(|holder| holder != node && Some(holder) != from && self.is_alive(holder, now));
        if is_anothers && self.mutation != Some(Mutation::ClaimedByTwo) {
            return false;
        }
        self.ids.insert(id.to_owned(), node);
        true
    }

    pub fn release(&mut self, own: usize, id: &str) {
        if self.ids.get(id) == Some(&self.peers[own].node) {
            self.ids.remove(id);
        }
    }

    /// A server has a member. Whether no other has it.
    pub fn enter(&mut self, own: usize, member: &Member) -> bool {
        let node = self.peers[own].node;
        let on = self.members.entry(member.clone()).or_default();
        on.insert(node);
        on.len() == 1
    }

    /// A server has a member no more. Whether no other has it.
    pub fn leave(&mut self, node: NodeId, member: &Member) -> bool {
        let Some(on) = self.members.get_mut(member) else { return false };
        let had = on.remove(&node);
        let last = on.is_empty();
        if last {
            self.members.remove(member);
        }
        had && last
    }

    /// A server answers, perhaps with a client that it gives away.
    pub fn answers(&mut self, by: usize, payload: &[u8], now: u64) {
        let Some(id) = client_in(payload) else { return };
        for given in self.given.iter_mut().filter(|given| given.by == by && given.answered.is_none() && *given.id == *id) {
            given.answered = Some(now);
        }
    }

    /// What is left of ids, members and topics.
    pub fn left(&self) -> Vec<String> {
        let ids = self.ids.iter().map(|(id, node)| format!("the id {id} is claimed by {node}"));
        let members = self.members.keys().map(|member| format!("{member:?} is a member"));
        let alive = self.peers.iter().filter(|peer| peer.alive);
        let topics = alive.clone().flat_map(|peer| peer.topics.keys().map(|topic| format!("{} listens to {topic}", peer.node)));
        let claims = alive.clone().flat_map(|peer| peer.claims.iter().map(|id| format!("{} claims {id}", peer.node)));
        let questions = alive.filter(|peer| !peer.questions.is_empty()).map(|peer| format!("{} has open questions", peer.node));
        ids.chain(members).chain(topics).chain(claims).chain(questions).collect()
    }
}
