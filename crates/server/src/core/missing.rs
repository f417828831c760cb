//! Channels of which messages are missing on this server, until they are fetched.
//!
//! What comes of such a channel meanwhile is remembered, within a bound; so it is of one that somebody is about to join. What is not remembered is
//! fetched as well. All of this is changed while the channel is locked, except that a channel may be said to be behind.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fws_engine::{Past, Sent};
use fws_hub::Position;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};

/// The most bytes of messages that are remembered.
const REMEMBERED: usize = 16 << 20;
/// What remembering a message costs, in addition to its bytes.
const OVERHEAD: usize = 128;

/// The name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub route: Box<str>,
    pub tag: Box<str>,
}

impl Name {
    fn new(route: &str, tag: &str) -> Name {
        Name { route: route.into(), tag: tag.into() }
    }
}

/// The channels of which something is missing, or that somebody joins.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    state: Mutex<State>,
    /// How many there are: most of the time none.
    len: AtomicUsize,
    /// Something is to be fetched.
    some: Condvar,
}

#[derive(Debug, Default)]
struct State {
    channels: HashMap<Name, Channel>,
    /// Those that are to be fetched next.
    queue: VecDeque<Name>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Channel {
    /// How many join it.
    joining: usize,
    /// Something is missing.
    behind: bool,
    /// How often it was said that something may be.
    said: u64,
    /// The last message before which something was missing.
    newest: Option<(u64, u64)>,
    /// What came lately, with its epoch.
    lately: VecDeque<(u64, Sent)>,
    /// Some of that is not remembered.
    holes: bool,
}

/// What was known to be missing before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    said: u64,
    newest: Option<(u64, u64)>,
}

fn len(sent: &Sent) -> usize {
    sent.data.len() + OVERHEAD
}

impl State {
    fn remember(&mut self, name: &Name, epoch: u64, sent: &Sent) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if self.bytes + len(sent) > REMEMBERED {
            channel.holes = true;
            return;
        }
        self.bytes += len(sent);
        channel.lately.push_back((epoch, sent.clone()));
    }

    /// The channel is to be fetched.
    fn behind(&mut self, name: &Name) -> &mut Channel {
        let channel = self.channels.entry(name.clone()).or_default();
        if !channel.behind {
            channel.behind = true;
            self.queue.push_back(name.clone());
        }
        channel
    }

    fn forget_if_unwanted(&mut self, name: &Name) {
        if self.channels.get(name).is_some_and(|channel| !channel.behind && channel.joining == 0) {
            let channel = self.channels.remove(name).unwrap_or_default();
            self.bytes -= channel.lately.iter().map(|(_, sent)| len(sent)).sum::<usize>();
        }
    }
}

impl Missing {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        self.len.store(state.channels.len(), Ordering::SeqCst);
        if !state.queue.is_empty() {
            self.some.notify_one();
        }
        changed
    }

    /// A message came that the members are sent, or have been sent.
    pub(super) fn pass(&self, route: &str, tag: &str, epoch: u64, sent: &Sent) {
        if self.len.load(Ordering::SeqCst) > 0 {
            let name = Name::new(route, tag);
            self.change(|state| state.remember(&name, epoch, sent));
        }
    }

    /// A message came before which some are missing.
    pub(super) fn is_behind(&self, route: &str, tag: &str, epoch: u64, sent: &Sent) {
        let name = Name::new(route, tag);
        self.change(|state| {
            state.behind(&name).newest = Some((epoch, sent.offset));
            state.remember(&name, epoch, sent);
        });
    }

    /// Something may be missing.
    pub(crate) fn may_be_behind(&self, route: &str, tag: &str) {
        self.change(|state| state.behind(&Name::new(route, tag)).said += 1);
    }

    /// Remembers what comes of a channel, while somebody joins it.
    pub(super) fn remember(&self, route: &str, tag: &str) -> Remembered<'_> {
        let name = Name::new(route, tag);
        self.change(|state| state.channels.entry(name.clone()).or_default().joining += 1);
        Remembered { missing: self, name }
    }

    /// What is known to be missing by now.
    pub(super) fn asked(&self, name: &Name) -> Asked {
        let state = self.state.lock();
        state.channels.get(name).map_or(Asked { said: 0, newest: None }, |&Channel { said, newest, .. }| Asked { said, newest })
    }

    /// What came lately, in its order.
    pub(super) fn lately(&self, name: &Name) -> Vec<(u64, Sent)> {
        let state = self.state.lock();
        state.channels.get(name).map(|channel| channel.lately.iter().cloned().collect()).unwrap_or_default()
    }

    /// Adds what came lately to what was read. `true`: something in between is lacking.
    pub(super) fn add_lately(&self, route: &str, tag: &str, past: &mut Past) -> bool {
        let state = self.state.lock();
        let Some(channel) = state.channels.get(&Name::new(route, tag)) else { return false };
        let mut lacks = channel.holes;
        for (epoch, sent) in &channel.lately {
            let begins = past.last == Position::BEGINNING;
            if (*epoch == past.last.epoch || begins) && sent.offset == past.read + 1 {
                past.last = Position { epoch: *epoch, offset: sent.offset };
                past.read = sent.offset;
                past.messages.push(sent.clone());
            } else {
                lacks |= *epoch != past.last.epoch || sent.offset > past.read;
            }
        }
        lacks
    }

    /// Nothing is missing any more.
    pub(super) fn is_there(&self, name: &Name) {
        self.change(|state| {
            if let Some(channel) = state.channels.get_mut(name) {
                channel.behind = false;
            }
            state.forget_if_unwanted(name);
        });
    }

    /// All was read that was known to be missing when it was asked for, and the members are at this position: is nothing missing any more?
    pub(super) fn is_there_if(&self, name: &Name, asked: Asked, at: Position) -> bool {
        self.change(|state| {
            let Some(channel) = state.channels.get_mut(name) else { return true };
            let known = channel.newest == asked.newest;
            let newest = channel.newest.is_none_or(|(epoch, offset)| known || epoch == at.epoch && offset <= at.offset);
            if channel.said != asked.said || !newest {
                return false;
            }
            channel.behind = false;
            state.forget_if_unwanted(name);
            true
        })
    }

    /// The members were sent all up to this position.
    pub(super) fn forget_until(&self, name: &Name, at: Position) {
        self.change(|state| {
            let Some(channel) = state.channels.get_mut(name).filter(|channel| channel.joining == 0) else { return };
            while let Some((epoch, sent)) = channel.lately.front()
                && *epoch == at.epoch
                && sent.offset <= at.offset
            {
                state.bytes -= len(sent);
                channel.lately.pop_front();
            }
        });
    }

    /// A channel that is to be fetched. It waits for one; `None`: until then there was none.
    pub(crate) fn next(&self, until: Option<Instant>) -> Option<Name> {
        let mut state = self.state.lock();
        loop {
            if let Some(name) = state.queue.pop_front() {
                return Some(name);
            }
            match until {
                None => self.some.wait(&mut state),
                Some(until) if self.some.wait_until(&mut state, until).timed_out() => return state.queue.pop_front(),
                Some(_) => {}
            }
        }
    }

    /// The next channel that is to be fetched, if there is one.
    #[cfg(feature = "simulation")]
    pub(crate) fn try_next(&self) -> Option<Name> {
        self.state.lock().queue.pop_front()
    }

    /// More of a channel is to be fetched, behind the others.
    pub(crate) fn again(&self, name: Name) {
        self.change(|state| state.queue.push_back(name));
    }
}

/// What comes of a channel is remembered while this is there.
#[derive(Debug)]
pub(super) struct Remembered<'a> {
    missing: &'a Missing,
    name: Name,
}

impl Drop for Remembered<'_> {
    fn drop(&mut self) {
        self.missing.change(|state| {
            if let Some(channel) = state.channels.get_mut(&self.name) {
                channel.joining -= 1;
            }
            state.forget_if_unwanted(&self.name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(offset: u64, bytes: usize) -> Sent {
        Sent { offset, time: 0, binary: false, except: None, data: vec![0; bytes].into() }
    }

    fn past(epoch: u64, read: u64) -> Past {
        Past { last: Position { epoch, offset: read }, read, messages: Vec::new() }
    }

    #[test]
    fn a_channel_is_fetched_until_nothing_is_known_to_be_missing_and_then_nothing_is_left_of_it() {
        let missing = Missing::default();
        missing.is_behind("chat", "a", 7, &sent(5, 10));
        let name = missing.next(None).expect("one");
        let asked = missing.asked(&name);
        missing.is_behind("chat", "a", 7, &sent(9, 10));
        assert!(!missing.is_there_if(&name, asked, Position { epoch: 7, offset: 8 }), "one that came meanwhile is missing");
        missing.forget_until(&name, Position { epoch: 7, offset: 8 });
        assert_eq!(missing.lately(&name), [(7, sent(9, 10))]);
        missing.may_be_behind("chat", "a");
        assert!(!missing.is_there_if(&name, asked, Position { epoch: 7, offset: 9 }), "it was said meanwhile that one may be");
        // What was known before it was read is there, or gone with its epoch.
        assert!(missing.is_there_if(&name, missing.asked(&name), Position { epoch: 8, offset: 0 }));
        assert_eq!((missing.state.lock().bytes, missing.len.load(Ordering::SeqCst)), (0, 0));
        assert_eq!(missing.next(Some(Instant::now())), None);
    }

    #[test]
    fn who_joins_gets_what_came_lately_and_knows_where_something_is_lacking() {
        let missing = Missing::default();
        missing.pass("chat", "a", 7, &sent(1, 10));
        let remembered = missing.remember("chat", "a");
        (2..=4).for_each(|offset| missing.pass("chat", "a", 7, &sent(offset, 10)));
        let mut read = past(7, 3);
        assert!(!missing.add_lately("chat", "a", &mut read));
        assert_eq!((read.read, read.last, read.messages), (4, Position { epoch: 7, offset: 4 }, vec![sent(4, 10)]));
        missing.pass("chat", "a", 7, &sent(6, 10));
        assert!(missing.add_lately("chat", "a", &mut past(7, 4)), "the fifth");
        let most = REMEMBERED / 2;
        (7..=9).for_each(|offset| missing.pass("chat", "a", 7, &sent(offset, most)));
        assert!(missing.state.lock().bytes <= REMEMBERED && missing.add_lately("chat", "a", &mut past(7, 9)), "some did not fit");
        drop(remembered);
        assert_eq!((missing.state.lock().bytes, missing.len.load(Ordering::SeqCst)), (0, 0));
    }
}
