//! The line in which connections wait for a worker. Addresses take turns, so that one with many connections is one visitor among others.

use std::collections::VecDeque;

use fws_hub::RouteId;
use hashbrown::HashMap;

use super::queue::{QueueKey, Source};
use crate::quota::Address;

/// Who takes turns with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Party {
    Address(Address),
    /// All channels of a route: one client can join many at a time.
    Channels(RouteId),
    /// A timer, or a client whose address is not known.
    Single(QueueKey),
}

impl Party {
    pub fn of(source: &Source) -> Party {
        match source {
            Source::Conn(conn) => conn.address().map_or(Party::Single(source.key()), Party::Address),
            Source::Channel { route, .. } | Source::Told { route, of_channel: true, .. } => Party::Channels(*route),
            Source::Timer { .. } | Source::Told { .. } => Party::Single(source.key()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Line {
    /// Who has something in `waiting`, in the order of their turns.
    turns: VecDeque<Party>,
    /// What waits of each, in the order in which it came. None of them is empty.
    waiting: HashMap<Party, VecDeque<QueueKey>>,
    /// One that has become empty, for the next party.
    spare: VecDeque<QueueKey>,
    len: usize,
}

impl Line {
    pub fn push_back(&mut self, party: Party, key: QueueKey) {
        self.len += 1;
        let Line { turns, waiting, spare, .. } = self;
        waiting
            .entry(party)
            .or_insert_with(|| {
                turns.push_back(party);
                std::mem::take(spare)
            })
            .push_back(key);
    }

    pub fn pop_front(&mut self) -> Option<QueueKey> {
        let party = self.turns.pop_front()?;
        let own = self.waiting.get_mut(&party)?;
        let key = own.pop_front()?;
        self.len -= 1;
        if own.is_empty() {
            self.spare = self.waiting.remove(&party).unwrap_or_default();
        } else {
            self.turns.push_back(party);
        }
        Some(key)
    }

    /// What [`Line::pop_front`] would give.
    pub fn front(&self) -> Option<&QueueKey> {
        self.waiting.get(self.turns.front()?)?.front()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn clear(&mut self) {
        self.turns.clear();
        self.waiting.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Party {
        Party::Address(Address::parse(text).expect("an address"))
    }

    #[test]
    fn the_channels_of_a_route_are_one_party_however_many_there_are() {
        let party = |tag: &str| Party::of(&Source::channel(RouteId(1), tag));
        assert_eq!(party("a"), party("b"));
        assert_ne!(party("a"), Party::of(&Source::channel(RouteId(2), "a")));
        let told = |tag: &str| Party::of(&Source::told_of_channel(None, RouteId(1), tag));
        assert_eq!((told("a"), told("b")), (party("a"), party("a")));
    }

    #[test]
    fn addresses_take_turns_and_each_one_is_served_in_order() {
        let (many, few) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut line = Line::default();
        let order = [(many, 1), (many, 2), (many, 3), (few, 4), (many, 5), (few, 6)];
        order.iter().for_each(|&(party, id)| line.push_back(party, QueueKey::Timer(id)));
        let single = QueueKey::Timer(7);
        line.push_back(Party::Single(single), single);
        assert_eq!((line.len(), line.front()), (7, Some(&QueueKey::Timer(1))));
        let served: Vec<_> = std::iter::from_fn(|| line.pop_front()).collect();
        assert_eq!(served, [1, 4, 7, 2, 6, 3, 5].map(QueueKey::Timer));
        assert!(line.is_empty() && line.front().is_none() && line.waiting.is_empty() && line.turns.is_empty());
    }

    #[test]
    fn a_party_that_comes_back_waits_behind_the_others() {
        let (one, two) = (address("192.0.2.1"), address("2001:db8::1"));
        let mut line = Line::default();
        line.push_back(one, QueueKey::Timer(1));
        line.push_back(two, QueueKey::Timer(2));
        assert_eq!(line.pop_front(), Some(QueueKey::Timer(1)));
        line.push_back(one, QueueKey::Timer(1));
        assert_eq!(line.pop_front(), Some(QueueKey::Timer(2)));
        line.clear();
        assert_eq!((line.len(), line.pop_front()), (0, None));
    }
}
