//! Histories: what was sent to channels, for clients that come later or come back.
//!
//! A channel is a tag on a route. Its messages have consecutive offsets, from 1 on, within an epoch: a random number that is another one where
//! the channel's past is not known any more. So a reader who names the position it has read up to knows whether anything is missing.
//!
//! A channel is locked while a message is recorded and posted to its members, and while a client joins it and is posted what it has missed.
//! So each member gets the messages in the order of their offsets, and a client that joins gets each one once.
//!
//! Time is milliseconds since an arbitrary start, given by the caller.

mod position;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;
use parking_lot::{ArcMutexGuard, Mutex, RawMutex};

use crate::channel::HistoryPolicy;
use crate::registry::RouteId;

pub use self::position::{InvalidPosition, Position};

/// What a channel counts for beside its messages: what its name, its lock, and its places in two tables take.
const CHANNEL: usize = 512;
/// What a message counts for beside its payload.
const MESSAGE: usize = 64;
/// How long a channel's epoch and offset are known when it has no messages any more.
const REMEMBERED: u64 = 3600 * 1000;

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its place among those of its epoch.
    pub offset: u64,
    /// When it was sent, milliseconds since 1970.
    pub time: u64,
    /// Binary rather than text.
    pub binary: bool,
    /// The payload.
    pub data: Arc<[u8]>,
    /// On the caller's clock.
    recorded: u64,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The position of the last message of the channel.
    pub last: Position,
    /// Nothing is missing between the position that was given, or the beginning, and the first message that is kept.
    pub complete: bool,
    /// In their order.
    pub messages: Vec<Kept>,
}

/// How far [`Histories::sweep`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// Nothing more is due.
    All,
    /// There may be more.
    More,
    /// Somebody has locked the channel that is due: it is to be looked at again in a moment.
    Busy,
}

/// All histories of this process.
pub struct Histories {
    channels: DashMap<Box<[u8]>, Arc<Mutex<Channel>>, DefaultHashBuilder>,
    /// Guards when each channel is to be looked at. Locked while a channel is.
    due: Mutex<Due>,
    /// The first of them; `u64::MAX`: there is none.
    next_due: AtomicU64,
    /// The number of the last channel.
    last: AtomicU64,
    /// Bytes that all count for, and the most.
    bytes: AtomicUsize,
    max_bytes: usize,
    messages: AtomicUsize,
    /// Messages that went before their time, since all took too much.
    evicted: AtomicU64,
}

/// When channels are to be looked at, by time and the number of the channel.
#[derive(Default)]
struct Due {
    /// Those with messages: not later than the oldest of these expires.
    kept: BTreeMap<(u64, u64), Arc<Mutex<Channel>>>,
    /// Those without, of which only epoch and offset are known: when these are forgotten.
    empty: BTreeMap<(u64, u64), Arc<Mutex<Channel>>>,
}

impl Due {
    fn of(&mut self, look: Look) -> &mut BTreeMap<(u64, u64), Arc<Mutex<Channel>>> {
        if look.empty { &mut self.empty } else { &mut self.kept }
    }

    fn next(&self) -> u64 {
        [&self.kept, &self.empty].into_iter().filter_map(|all| all.first_key_value()).map(|((at, _), _)| *at).min().unwrap_or(u64::MAX)
    }
}

/// When a channel is to be looked at, and whether it had messages when that was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    empty: bool,
    at: u64,
}

struct Channel {
    key: Box<[u8]>,
    number: u64,
    epoch: u64,
    /// The offset of the last message.
    last: u64,
    messages: VecDeque<Kept>,
    /// How much is kept, since the last message or the last reload.
    policy: HistoryPolicy,
    /// See [`Held::followed`]; 0: it is recorded here.
    stay: u64,
    /// When it is to be looked at, as [`Histories::due`] has it; `None`: it is not there.
    due: Option<Look>,
    /// When it had a message last.
    used: u64,
    /// It is not among the channels any more: whoever finds it so looks again.
    gone: bool,
}

impl Channel {
    /// When its oldest message expires or, without one, the channel is forgotten.
    fn expires(&self) -> Look {
        match self.messages.front() {
            Some(oldest) => Look { empty: false, at: oldest.recorded.saturating_add(self.policy.age) },
            None => Look { empty: true, at: self.used.saturating_add(REMEMBERED) },
        }
    }
}

/// A channel that is locked: nobody else records a message in it or joins it.
pub struct Held<'a> {
    all: &'a Histories,
    channel: ArcMutexGuard<RawMutex, Channel>,
}

impl fmt::Debug for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histories").field("channels", &self.channels.len()).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

fn key(route: RouteId, tag: &str) -> Vec<u8> {
    [&route.0.to_be_bytes()[..], tag.as_bytes()].concat()
}

impl Histories {
    /// None yet. `max_bytes` bounds all together.
    pub fn new(max_bytes: usize) -> Histories {
        Histories {
            channels: DashMap::default(),
            due: Mutex::default(),
            next_due: AtomicU64::new(u64::MAX),
            last: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            max_bytes,
            messages: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
        }
    }

    /// The channels that are known: their routes and tags.
    pub fn known(&self) -> Vec<(RouteId, Box<str>)> {
        let names = self.channels.iter().filter_map(|channel| {
            let (route, tag) = channel.key().split_at_checked(4)?;
            Some((RouteId(u32::from_be_bytes(route.try_into().ok()?)), std::str::from_utf8(tag).ok()?.into()))
        });
        names.collect()
    }

    /// Locks a channel if it is there.
    pub fn find(&self, route: RouteId, tag: &str) -> Option<Held<'_>> {
        let channel = self.channels.get(&key(route, tag)[..])?.clone();
        let held = Mutex::lock_arc(&channel);
        (!held.gone).then_some(Held { all: self, channel: held })
    }

    /// Locks a channel, which is made if it is not there: its epoch is then a `random` number, not 0. Who locks several locks them in the order of their
    /// routes.
    pub fn hold(&self, route: RouteId, tag: &str, mut random: impl FnMut() -> u64, now: u64) -> Held<'_> {
        let key = key(route, tag);
        loop {
            let found = self.channels.get(&key[..]).map(|channel| channel.clone());
            let channel = found.unwrap_or_else(|| {
                let new = || {
                    self.bytes.fetch_add(CHANNEL + key.len(), Ordering::Relaxed);
                    let (key, number) = (key.clone().into(), self.last.fetch_add(1, Ordering::Relaxed));
                    let (messages, policy) = (VecDeque::new(), HistoryPolicy::default());
                    Arc::new(Mutex::new(Channel {
                        key,
                        number,
                        epoch: random(),
                        last: 0,
                        messages,
                        policy,
                        stay: 0,
                        due: None,
                        used: now,
                        gone: false,
                    }))
                };
                self.channels.entry(key.clone().into()).or_insert_with(new).clone()
            });
            let held = Mutex::lock_arc(&channel);
            if !held.gone {
                return Held { all: self, channel: held };
            }
        }
    }

    /// Forgets what has expired, looking at `most` channels at most. It does not wait for a channel that somebody has locked.
    pub fn sweep(&self, now: u64, most: usize) -> Swept {
        for _ in 0..most {
            match self.look_at_next(Some(now), 0) {
                Swept::More => {}
                done => return done,
            }
        }
        Swept::More
    }

    /// Forgets channels without messages, and then messages, until all take no more than they may: first of the channel whose oldest message
    /// would expire first. Whoever has locked that one makes room when it is done.
    pub fn make_room(&self) {
        while let over @ 1.. = self.bytes().saturating_sub(self.max_bytes)
            && self.look_at_next(None, over) == Swept::More
        {}
    }

    /// The configuration has changed: channels have the policy that it has for them now, or are forgotten where it has none.
    pub fn reconcile(&self, now: u64, policy: impl Fn(RouteId, &str) -> Option<HistoryPolicy>) {
        let all: Vec<Arc<Mutex<Channel>>> = self.channels.iter().map(|channel| channel.value().clone()).collect();
        for channel in all {
            let mut held = Held { all: self, channel: Mutex::lock_arc(&channel) };
            let key = held.channel.key.clone();
            let (route, tag) = key.split_at(4);
            let route = RouteId(u32::from_be_bytes(route.try_into().expect("bug: a channel's key begins with its route")));
            match policy(route, std::str::from_utf8(tag).expect("bug: a tag is text")) {
                Some(policy) => held.set_policy(policy, now),
                None => {
                    while held.drop_oldest() > 0 {}
                    held.forget();
                }
            }
            held.reschedule(true);
        }
    }

    /// Looks at the channel that is due next. Without `now` it is due in any case, and gives up messages of so many bytes, or itself.
    fn look_at_next(&self, now: Option<u64>, over: usize) -> Swept {
        let next = {
            let due = self.due.lock();
            let (kept, empty) = (due.kept.first_key_value(), due.empty.first_key_value());
            let next = match now {
                Some(now) => [kept, empty].into_iter().flatten().find(|((at, _), _)| *at <= now),
                None => empty.or(kept),
            };
            next.map(|(&(at, _), channel)| (at, channel.clone()))
        };
        let Some((at, channel)) = next else { return Swept::All };
        let Some(locked) = Mutex::try_lock_arc(&channel) else { return Swept::Busy };
        let mut held = Held { all: self, channel: locked };
        // Else it was looked at in between.
        if held.channel.due.is_some_and(|due| due.at == at) {
            match now {
                Some(now) => {
                    held.expire(now);
                    let expires = held.channel.expires();
                    if expires.empty && expires.at <= now {
                        held.forget();
                    }
                }
                None => held.evict(over),
            }
            held.reschedule(true);
        }
        Swept::More
    }

    /// When [`Histories::sweep`] has something to do.
    pub fn next_due(&self) -> Option<u64> {
        let next = self.next_due.load(Ordering::SeqCst);
        (next != u64::MAX).then_some(next)
    }

    /// Channels that are known.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel is known.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Messages that are kept.
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// Bytes that all count for.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Messages that were forgotten before their time, since all took too much.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl Held<'_> {
    /// Records a message; its offset.
    pub fn record(&mut self, binary: bool, data: Arc<[u8]>, policy: HistoryPolicy, now: u64, time: u64) -> u64 {
        self.set_policy(policy, now);
        self.channel.last += 1;
        self.channel.used = now;
        let offset = self.channel.last;
        if MESSAGE + data.len() > self.all.max_bytes {
            // It would take the place of all others, of other channels as well, and not fit even then. Those before it go: what is kept has no
            // gaps.
            let mut evicted = 1;
            while self.drop_oldest() > 0 {
                evicted += 1;
            }
            self.all.evicted.fetch_add(evicted, Ordering::Relaxed);
        } else {
            self.all.bytes.fetch_add(MESSAGE + data.len(), Ordering::Relaxed);
            self.all.messages.fetch_add(1, Ordering::Relaxed);
            self.channel.messages.push_back(Kept { offset, time, binary, data, recorded: now });
            self.trim();
        }
        self.reschedule(false);
        offset
    }

    /// Of a channel that is recorded elsewhere: the position of the last message that its members were sent, since there are these members, which
    /// `stay` names. `None`: that is not known.
    pub fn followed(&self, stay: u64) -> Option<Position> {
        (self.channel.stay == stay && stay > 0).then_some(Position { epoch: self.channel.epoch, offset: self.channel.last })
    }

    /// The members were sent all up to this position.
    pub fn follow(&mut self, position: Position, stay: u64, now: u64) {
        let channel = &mut *self.channel;
        (channel.epoch, channel.last, channel.stay, channel.used) = (position.epoch, position.offset, stay, now);
        self.reschedule(true);
    }

    /// So much is kept from now on.
    fn set_policy(&mut self, policy: HistoryPolicy, now: u64) {
        self.channel.policy = policy;
        self.expire(now);
        self.trim();
    }

    fn trim(&mut self) {
        while self.channel.messages.len() > self.channel.policy.count {
            self.drop_oldest();
        }
    }

    /// What was sent after a position, at most `most` messages: the first ones; or, without a position, the last ones.
    pub fn read(&mut self, since: Option<Position>, most: usize, now: u64) -> Read {
        self.expire(now);
        let Channel { epoch, last, ref messages, .. } = *self.channel;
        // The offset before the first message that is kept: up to there everything is gone.
        let gone = messages.front().map_or(last, |oldest| oldest.offset - 1);
        let (after, complete) = match since {
            Some(since) if since == Position::BEGINNING => (gone, gone == 0),
            Some(since) if since.epoch == epoch && since.offset <= last => (since.offset.max(gone), since.offset >= gone),
            Some(_) => (gone, false),
            None => (gone, gone == 0 && messages.len() <= most),
        };
        let first = (after - gone) as usize;
        let skip = if since.is_none() { first.max(messages.len().saturating_sub(most)) } else { first };
        let messages = messages.iter().skip(skip).take(most).cloned().collect();
        Read { last: Position { epoch, offset: last }, complete, messages }
    }

    /// Forgets all messages. Offsets go on.
    pub fn clear(&mut self) {
        while self.drop_oldest() > 0 {}
        self.reschedule(false);
    }

    fn expire(&mut self, now: u64) {
        let age = self.channel.policy.age;
        while self.channel.messages.front().is_some_and(|oldest| oldest.recorded.saturating_add(age) <= now) {
            self.drop_oldest();
        }
    }

    fn evict(&mut self, over: usize) {
        let mut freed = 0;
        while freed < over {
            match self.drop_oldest() {
                0 => break,
                bytes => freed += bytes,
            }
            self.all.evicted.fetch_add(1, Ordering::Relaxed);
        }
        if freed == 0 {
            self.forget();
        }
    }

    /// The bytes that it counted for; 0: there was none.
    fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.channel.messages.pop_front() else { return 0 };
        let bytes = MESSAGE + oldest.data.len();
        self.all.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.all.messages.fetch_sub(1, Ordering::Relaxed);
        let messages = &mut self.channel.messages;
        if messages.capacity() > 16 && messages.len() < messages.capacity() / 4 {
            messages.shrink_to(messages.len() * 2);
        }
        bytes
    }

    /// Nothing of the channel is known any more.
    fn forget(&mut self) {
        if !self.channel.gone {
            self.channel.gone = true;
            self.all.bytes.fetch_sub(CHANNEL + self.channel.key.len(), Ordering::Relaxed);
            self.all.channels.remove(&self.channel.key);
        }
    }

    /// Sees to it that the channel is looked at in time. If not `exactly` then, it may be looked at sooner: so not each message that goes
    /// changes when it is due.
    fn reschedule(&mut self, exactly: bool) {
        let wanted = (!self.channel.gone).then(|| self.channel.expires());
        let is_early = |due: Look, wanted: Look| due.empty == wanted.empty && due.at <= wanted.at;
        if wanted == self.channel.due || !exactly && wanted.zip(self.channel.due).is_some_and(|(wanted, due)| is_early(due, wanted)) {
            return;
        }
        let mut all = self.all.due.lock();
        if let Some(due) = self.channel.due {
            all.of(due).remove(&(due.at, self.channel.number));
        }
        if let Some(due) = wanted {
            all.of(due).insert((due.at, self.channel.number), ArcMutexGuard::mutex(&self.channel).clone());
        }
        self.channel.due = wanted;
        self.all.next_due.store(all.next(), Ordering::SeqCst);
    }
}

impl Drop for Held<'_> {
    /// A channel that was made for somebody who only looked at it is not left behind.
    fn drop(&mut self) {
        if self.channel.due.is_none() && !self.channel.gone {
            if self.channel.last == 0 && self.channel.stay == 0 { self.forget() } else { self.reschedule(false) }
        }
    }
}

#[cfg(test)]
mod tests;
