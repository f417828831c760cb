//! Redis as a server sees it.

use std::sync::Arc;
use std::time::Duration;

use fws_engine::redis::{Left, Member, Node, NodeId, Recorded, Records, Retention};
use fws_engine::{Broker, Present, Watching};
use fws_hub::{ClusterError, KeyValueError, Position};

use super::state::{Channel, Delivery, Given, Logged, Outbound, State, To};
use super::{LET_GO, Redis, TIMEOUT};
use crate::world;

/// Messages that are read at a time.
const PAGE: usize = 5;

/// A server's way to Redis.
#[derive(Clone)]
pub struct Link {
    pub(super) redis: Arc<Redis>,
    /// The number of the server.
    pub own: usize,
    pub(super) node: NodeId,
}

impl Link {
    /// A call that Redis answers. It may fail before it is carried out, or after that.
    fn call<T>(&self, run: impl FnOnce(&mut State, usize) -> T) -> Result<T, ClusterError> {
        let mut state = self.redis.0.lock();
        if !state.peers[self.own].linked {
            return Err(ClusterError::Unavailable);
        }
        let [before, after] = world::failures();
        if before {
            return Err(ClusterError::Timeout);
        }
        let answer = run(&mut state, self.own);
        if after { Err(ClusterError::Timeout) } else { Ok(answer) }
    }

    /// Asks other servers, and waits for them.
    fn question(&self, to: To, payload: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
        let to_name = format!("{to:?}");
        let number = {
            let mut state = self.redis.0.lock();
            let peer = &mut state.peers[self.own];
            if !peer.linked {
                return Err(ClusterError::Unavailable);
            }
            peer.last_question += 1;
            let number = peer.last_question;
            peer.questions.insert(number, super::state::Question::default());
            let delivery = Delivery::Ask { from: self.own, number, payload: payload.to_vec() };
            peer.outgoing.push_back(Outbound { to, delivery, question: Some(number) });
            number
        };
        world::note(|| format!("server {} asks {to_name}: question {number}", self.own));
        let until = world::millis() + TIMEOUT;
        let is_open = || self.redis.0.lock().peers[self.own].questions.get(&number).is_some_and(|question| !question.is_complete());
        while is_open() && world::millis() < until {
            world::wait(until);
        }
        let question = {
            let mut state = self.redis.0.lock();
            let peer = &mut state.peers[self.own];
            peer.expired.insert(number, until);
            peer.questions.remove(&number).unwrap_or_default()
        };
        world::note(|| format!("server {}: question {number} has {} answers of {:?}", self.own, question.answers.len(), question.expected));
        match (question.failure, question.expected) {
            (Some(failure), _) => Err(failure),
            (None, None) => Err(ClusterError::Timeout),
            (None, Some(others)) => match others.saturating_sub(question.answers.len()) as u32 {
                0 => Ok(question.answers),
                missing => Err(ClusterError::Incomplete { missing, others: others as u32 }),
            },
        }
    }

    fn claim_from(&self, id: &str, from: Option<NodeId>) -> Result<bool, ClusterError> {
        let new = self.redis.0.lock().peers[self.own].claims.insert(id.to_owned());
        let claimed = self.call(|state, own| state.claim(own, id, from, world::millis()));
        if new && claimed != Ok(true) {
            self.redis.0.lock().peers[self.own].claims.remove(id);
        }
        claimed
    }
}

fn key(Member { route, tag, user, .. }: &Member) -> super::Member {
    (route.to_string(), tag.to_string(), user.to_string())
}

impl Broker for Link {
    fn node(&self) -> NodeId {
        self.node
    }

    fn others(&self) -> Arc<[Node]> {
        let others = self.redis.0.lock().peers[self.own].others.clone();
        others.into_iter().map(|id| Node { id, label: "".into() }).collect()
    }

    fn is_alive(&self, node: NodeId) -> bool {
        let state = self.redis.0.lock();
        state.peers[self.own].others.contains(&node) || state.missed.get(&node).is_some_and(|until| *until > world::millis())
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let state = self.redis.0.lock();
        let peer = &state.peers[self.own];
        vec![("topics", peer.topics.len() as u64), ("claims", peer.claims.len() as u64), ("connected", peer.linked.into())]
    }

    fn trouble(&self) -> Option<String> {
        (!self.redis.is_linked(self.own)).then(|| "it is away".to_owned())
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(TIMEOUT)
    }

    fn ask(&self, node: NodeId, payload: &[u8]) -> Result<Option<Vec<u8>>, ClusterError> {
        let to = self.redis.0.lock().peers.iter().position(|peer| peer.node == node);
        // Nobody listens to the channel of a server that never was.
        let to = to.unwrap_or(usize::MAX);
        Ok(self.question(To::One(to), payload)?.pop())
    }

    fn ask_all(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
        self.question(To::All, payload)
    }

    fn tell(&self, topic: Option<&str>, payload: &[u8]) -> Result<u64, ClusterError> {
        let mut state = self.redis.0.lock();
        if !state.peers[self.own].linked {
            state.lost.push(payload.to_vec());
            return Err(ClusterError::Unavailable);
        }
        let peer = &mut state.peers[self.own];
        peer.told += 1;
        let delivery = Delivery::Tell { from: self.own, number: peer.told, payload: payload.to_vec() };
        let to = topic.map_or(To::All, |topic| To::Topic(topic.to_owned()));
        peer.outgoing.push_back(Outbound { to, delivery, question: None });
        Ok(peer.told)
    }

    fn wait_for_room(&self) {}

    fn untold(&self) -> u64 {
        self.redis.0.lock().peers[self.own].untold
    }

    fn told(&self) -> u64 {
        self.redis.0.lock().peers[self.own].told
    }

    fn watch(&self, topic: &str) -> Option<Watching> {
        {
            let mut state = self.redis.0.lock();
            let peer = &mut state.peers[self.own];
            let wanted = peer.topics.entry(topic.to_owned()).or_insert((0, false));
            wanted.0 += 1;
            if wanted.0 == 1 {
                peer.wishes.push_back((topic.to_owned(), world::millis()));
            }
        }
        self.watching(topic)
    }

    fn watching(&self, topic: &str) -> Option<Watching> {
        let (redis, own, topic) = (self.redis.clone(), self.own, topic.to_owned());
        let is_open = move || redis.0.lock().peers[own].topics.get(&topic).is_some_and(|wanted| !wanted.1);
        if !is_open() {
            return None;
        }
        let redis = self.redis.clone();
        Some(Watching::new(move || {
            let until = world::millis() + TIMEOUT;
            while redis.0.lock().peers[own].linked && is_open() && world::millis() < until {
                world::wait(until);
            }
        }))
    }

    fn unsubscribe(&self, topic: &str) {
        let mut state = self.redis.0.lock();
        let peer = &mut state.peers[self.own];
        let Some(wanted) = peer.topics.get_mut(topic) else { return };
        wanted.0 -= 1;
        if wanted.0 == 0 {
            peer.topics.remove(topic);
            peer.wishes.push_back((topic.to_owned(), world::millis()));
        }
    }

    fn claim(&self, id: &str) -> Result<bool, ClusterError> {
        self.claim_from(id, None)
    }

    fn take_claim(&self, id: &str, from: NodeId) -> Result<bool, ClusterError> {
        let claimed = self.claim_from(id, Some(from));
        if claimed.is_err() {
            let peer = &mut self.redis.0.lock().peers[self.own];
            peer.claims.insert(id.to_owned());
            peer.taken.insert(id.to_owned(), from);
        }
        claimed
    }

    fn release(&self, id: &str) {
        let mut state = self.redis.0.lock();
        state.peers[self.own].taken.remove(id);
        if state.peers[self.own].claims.remove(id) && state.peers[self.own].linked {
            state.release(self.own, id);
        }
    }

    fn let_go(&self, id: &str) {
        let mut state = self.redis.0.lock();
        state.given.push(Given { by: self.own, id: id.to_owned(), at: world::millis(), answered: None });
        state.peers[self.own].taken.remove(id);
        if state.peers[self.own].claims.remove(id) {
            state.later.push((world::millis() + LET_GO, self.own, id.to_owned()));
        }
    }

    fn holder(&self, id: &str) -> Result<Option<NodeId>, ClusterError> {
        self.call(|state, _| state.ids.get(id).copied().filter(|holder| state.is_alive(*holder, world::millis())))
    }

    fn enter(&self, member: &Member) -> Result<bool, ClusterError> {
        self.redis.0.lock().peers[self.own].members.insert(key(member));
        let first = self.call(|state, own| state.enter(own, &key(member)));
        world::note(|| format!("server {} has {} in {}: {first:?}", self.own, member.user, member.tag));
        first
    }

    fn leave(&self, member: &Member) -> Result<bool, ClusterError> {
        self.redis.0.lock().peers[self.own].members.remove(&key(member));
        let last = self.call(|state, _| state.leave(self.node, &key(member)));
        world::note(|| format!("server {} has {} in {} no more: {last:?}", self.own, member.user, member.tag));
        last
    }

    fn attend_later(&self, changes: &[(bool, &Member)]) {
        let mut state = self.redis.0.lock();
        for (there, member) in changes {
            if *there {
                state.peers[self.own].members.insert(key(member));
                state.enter(self.own, &key(member));
            } else {
                state.peers[self.own].members.remove(&key(member));
                state.leave(self.node, &key(member));
            }
        }
    }

    fn present(&self, route: &str, tag: &str) -> Result<Present, ClusterError> {
        self.call(|state, _| {
            let there = state.members.keys().filter(|(on, channel, _)| on == route && channel == tag);
            there.map(|(_, _, user)| (user.as_str().into(), Arc::default())).collect()
        })
    }

    fn are_present(&self, route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError> {
        let present = self.present(route, tag)?;
        Ok(users.iter().map(|user| present.iter().any(|(there, _)| **there == **user)).collect())
    }

    fn record(&self, channel: &str, topic: &str, retention: Retention, payload: &[u8]) -> Result<(u64, u64), ClusterError> {
        self.call(|state, own| state.record(own, (channel, topic), retention, payload))
    }

    fn records(&self, channel: &str, after: Option<Position>, most: usize, age: u64) -> Result<Records, ClusterError> {
        self.call(|state, _| state.channels.get(channel).map(|channel| channel.read(after, most, age)).unwrap_or_default())
    }

    fn forget(&self, channel: &str) -> Result<bool, ClusterError> {
        self.call(|state, _| state.channels.get_mut(channel).is_some_and(|channel| !std::mem::take(&mut channel.messages).is_empty()))
    }

    fn value_set(&self, key: &[u8], value: &[u8], _: Option<u64>, only_new: bool) -> Result<bool, ClusterError> {
        self.call(|state, _| {
            let sets = !only_new || !state.values.contains_key(key);
            if sets {
                state.values.insert(key.to_vec(), value.to_vec());
            }
            sets
        })
    }

    fn value_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ClusterError> {
        self.call(|state, _| state.values.get(key).cloned())
    }

    fn value_delete(&self, key: &[u8]) -> Result<bool, ClusterError> {
        self.call(|state, _| state.values.remove(key).is_some())
    }

    fn value_increment(&self, key: &[u8], by: i64) -> Result<Result<i64, KeyValueError>, ClusterError> {
        self.call(|state, _| {
            let number = state.values.get(key).map_or(Some(0), |value| std::str::from_utf8(value).ok()?.parse::<i64>().ok());
            let sum = number.ok_or(KeyValueError::NotAnInteger)?.checked_add(by).ok_or(KeyValueError::Overflow)?;
            state.values.insert(key.to_vec(), sum.to_string().into_bytes());
            Ok(sum)
        })
    }

    fn value_expiry(&self, key: &[u8]) -> Result<Left, ClusterError> {
        self.call(|state, _| state.values.contains_key(key).then_some(None))
    }
}

impl State {
    fn record(&mut self, own: usize, (channel, topic): (&str, &str), retention: Retention, payload: &[u8]) -> (u64, u64) {
        let time = world::millis();
        if !self.channels.contains_key(channel) {
            self.last_epoch += 1;
            self.channels.insert(channel.to_owned(), Channel { epoch: self.last_epoch, ..Channel::default() });
        }
        let kept = self.channels.get_mut(channel).expect("bug: it is there now");
        kept.last += 1;
        let (epoch, offset) = (kept.epoch, kept.last);
        kept.messages.push_back((offset, time, payload.to_vec()));
        while kept.messages.len() > retention.count {
            kept.messages.pop_front();
        }
        self.log.push(Logged { channel: channel.to_owned(), epoch, offset, payload: payload.to_vec() });
        let mut hearers = self.hearers(own, &To::Topic(topic.to_owned()));
        if self.peers[own].subscribed.contains(topic) {
            hearers.push(own);
        }
        for peer in hearers {
            self.peers[peer].inbox.push_back(Delivery::Record { epoch, offset, time, payload: payload.to_vec() });
        }
        (epoch, offset)
    }
}

impl Channel {
    fn read(&self, after: Option<Position>, most: usize, age: u64) -> Records {
        let oldest = world::millis().saturating_sub(age);
        let (from, some) = match after {
            Some(at) => (if at.epoch == self.epoch { at.offset } else { 0 }, most.min(PAGE)),
            None => (self.last.saturating_sub(most as u64), most),
        };
        let mut later = self.messages.iter().filter(|(offset, ..)| *offset > from);
        let page: Vec<_> = later.by_ref().take(some).collect();
        let read = page.last().filter(|_| later.next().is_some()).map_or(self.last, |(offset, ..)| *offset);
        let fresh = page.into_iter().filter(|(_, time, _)| *time >= oldest);
        let messages = fresh.map(|(offset, time, payload)| Recorded { offset: *offset, time: *time, payload: payload.clone() });
        Records { epoch: self.epoch, last: self.last, read, messages: messages.collect() }
    }
}
