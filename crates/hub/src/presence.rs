//! Who is in which channel: users, by the connections that they have there.
//!
//! A user joins a channel with the first connection that has its tag, and leaves with the last one: at once where the tag was taken away, after
//! the channel's grace where the connection has ended. Who comes back meanwhile has neither left nor joined.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::channel::Channel;
use crate::registry::{Client, Hub, Key, RouteId};
use crate::users::User;

/// The most users that are in their time of grace. Others leave at once.
const MOST_IN_GRACE: usize = 100_000;

/// A user has joined a channel or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// It has joined; else it has left.
    pub joined: bool,
    /// Nobody is to be told: the channel has no presence any more. There are such changes only where somebody [watches](Hub::watch).
    pub silent: bool,
    /// The route that the channel is of.
    pub route: RouteId,
    /// The channel.
    pub tag: Arc<str>,
    /// The user.
    pub user: Arc<User>,
    /// The id of the client by which it has joined, or of the one that was taken out of the channel.
    pub by: Option<Arc<str>>,
}

/// Why a client has a tag no more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parting {
    /// Its connection has ended; its user may come back within so many milliseconds, whatever the channel says.
    Ended { grace: u64 },
    /// By somebody's will.
    Untagged,
}

#[derive(Debug)]
struct Member {
    /// As its newest connection in the channel says.
    user: Arc<User>,
    /// None while it is in its time of grace.
    connections: u32,
    /// When it leaves, if it is in its time of grace.
    leaves: Option<u64>,
}

type Room = BTreeMap<Arc<str>, Member>;

/// Whom a client is in channels where it is not its user. Most clients are it everywhere.
#[derive(Debug, Default)]
pub(crate) struct Members(Option<Box<HashMap<Arc<str>, Arc<User>>>>);

impl Members {
    fn get(&self, tag: &str) -> Option<&Arc<User>> {
        self.0.as_ref()?.get(tag)
    }

    /// It is this user in a channel.
    pub fn set(&mut self, tag: Arc<str>, user: Arc<User>) {
        self.0.get_or_insert_default().insert(tag, user);
    }

    fn remove(&mut self, tag: &str) {
        let Some(members) = &mut self.0 else { return };
        members.remove(tag);
        if members.is_empty() {
            self.0 = None;
        }
    }

    pub fn list(&self) -> Vec<(Arc<str>, Arc<User>)> {
        self.0.iter().flat_map(|members| members.iter()).map(|(tag, user)| (tag.clone(), user.clone())).collect()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Presence {
    channels: HashMap<RouteId, HashMap<Arc<str>, Room>>,
    /// Who is in the time of grace, by its end.
    in_grace: BTreeSet<InGrace>,
    changes: Vec<Change>,
    /// Milliseconds on a clock of the caller's.
    now: u64,
    members: u64,
    hurried: u64,
    /// Silent changes are noted as well.
    pub(crate) watched: bool,
}

impl Presence {
    /// A user has one connection more in a channel.
    fn join(&mut self, route: RouteId, tag: &Arc<str>, user: &Arc<User>, by: Arc<str>) {
        let members = self.channels.entry(route).or_default().entry(tag.clone()).or_default();
        match members.get_mut(&user.name) {
            Some(member) => {
                member.connections += 1;
                member.user = user.clone();
                if let Some(leaves) = member.leaves.take() {
                    self.in_grace.remove(&(leaves, route, tag.clone(), user.name.clone()));
                }
            }
            None => {
                members.insert(user.name.clone(), Member { user: user.clone(), connections: 1, leaves: None });
                self.members += 1;
                self.changes.push(Change { joined: true, silent: false, route, tag: tag.clone(), user: user.clone(), by: Some(by) });
            }
        }
    }

    /// A user has one connection less there, and may come back for so long.
    fn part(&mut self, route: RouteId, tag: &Arc<str>, name: &Arc<str>, grace: u64, by: Arc<str>) {
        let Some(member) = self.member(route, tag, name) else { return };
        member.connections = member.connections.saturating_sub(1);
        if member.connections > 0 {
            return;
        }
        if grace == 0 || self.in_grace.len() >= MOST_IN_GRACE {
            self.hurried += u64::from(grace > 0);
            self.leave(route, tag, name, true, Some(by));
            return;
        }
        let leaves = self.now.saturating_add(grace);
        if let Some(member) = self.member(route, tag, name) {
            member.leaves = Some(leaves);
        }
        self.in_grace.insert((leaves, route, tag.clone(), name.clone()));
    }

    fn member(&mut self, route: RouteId, tag: &str, name: &str) -> Option<&mut Member> {
        self.channels.get_mut(&route)?.get_mut(tag)?.get_mut(name)
    }

    /// A user is in a channel no more.
    fn leave(&mut self, route: RouteId, tag: &Arc<str>, name: &str, tell: bool, by: Option<Arc<str>>) {
        let Some(channels) = self.channels.get_mut(&route) else { return };
        let Some(members) = channels.get_mut(tag) else { return };
        if let Some(member) = members.remove(name) {
            self.members -= 1;
            if let Some(leaves) = member.leaves {
                self.in_grace.remove(&(leaves, route, tag.clone(), member.user.name.clone()));
            }
            if tell || self.watched {
                self.changes.push(Change { joined: false, silent: !tell, route, tag: tag.clone(), user: member.user, by });
            }
        }
        if members.is_empty() {
            channels.remove(tag);
            if channels.is_empty() {
                self.channels.remove(&route);
            }
        }
    }
}

impl<C> Client<C> {
    /// Whom it is in a channel.
    fn in_channel(&self, tag: &str) -> Option<Arc<User>> {
        self.members.get(tag).or(self.user.as_ref()).cloned()
    }
}

/// Who is in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The user.
    pub user: Arc<User>,
    /// Connections in the channel; none in the time of grace.
    pub connections: u32,
}

impl<C> Hub<C> {
    /// It is so late now, in milliseconds: what is done from now on is done then. A clock that goes back is not believed.
    pub fn set_time(&mut self, now: u64) {
        self.presence.now = self.presence.now.max(now);
    }

    /// Users who have joined channels or left them since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.presence.changes)
    }

    /// Whether there are changes to take.
    pub fn has_changes(&self) -> bool {
        !self.presence.changes.is_empty()
    }

    /// When the next user leaves a channel because its time of grace is over.
    pub fn next_leave(&self) -> Option<u64> {
        self.presence.in_grace.first().map(|(leaves, ..)| *leaves)
    }

    /// Has users leave whose time of grace is over, at most so many; whether there are more.
    pub fn end_grace(&mut self, most: usize) -> bool {
        for _ in 0..most {
            if self.next_leave().is_none_or(|leaves| leaves > self.presence.now) {
                return false;
            }
            let Some((_, route, tag, name)) = self.presence.in_grace.pop_first() else { return false };
            self.presence.leave(route, &tag, &name, true, None);
        }
        self.next_leave().is_some_and(|leaves| leaves <= self.presence.now)
    }

    /// Who is in a channel, sorted by name, at most so many of those after a name.
    pub fn present(&self, route: RouteId, tag: &str, after: Option<&str>, most: usize) -> Vec<Present> {
        let Some(members) = self.presence.channels.get(&route).and_then(|channels| channels.get(tag)) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = members.range::<str, _>((from, Bound::Unbounded)).take(most);
        members.map(|(_, member)| Present { user: member.user.clone(), connections: member.connections }).collect()
    }

    /// The channels of a route that have members.
    pub fn channels_with_members(&self, route: RouteId) -> Vec<Arc<str>> {
        self.presence.channels.get(&route).map(|channels| channels.keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether a user is in a channel, be it in the time of grace.
    pub fn is_present(&self, route: RouteId, tag: &str, user: &str) -> bool {
        let channel = self.presence.channels.get(&route).and_then(|channels| channels.get(tag));
        channel.is_some_and(|members| members.contains_key(user))
    }

    /// How many members all channels have together, how many of these are in their time of grace, and how many have left before its end
    /// because too many were.
    pub fn presence_counts(&self) -> [u64; 3] {
        [self.presence.members, self.presence.in_grace.len() as u64, self.presence.hurried]
    }

    /// A client has a tag.
    pub(crate) fn joins(&mut self, index: u32, tag: &Arc<str>) {
        let Some((_, client)) = self.at(index) else { return };
        let (route, by, Some(user)) = (client.route, client.id.clone(), client.in_channel(tag)) else { return };
        if Channel::find(self.channels_of(route), tag).is_some_and(|channel| channel.presence.is_some()) {
            self.presence.join(route, tag, &user, by);
        }
    }

    /// A client that had a tag has it no more.
    pub(crate) fn parts(&mut self, index: u32, tag: &Arc<str>, why: Parting) {
        let Some((_, client)) = self.at(index) else { return };
        let (route, by, Some(user)) = (client.route, client.id.clone(), client.in_channel(tag)) else { return };
        if let Some(policy) = Channel::find(self.channels_of(route), tag).and_then(|channel| channel.presence) {
            let grace = match why {
                Parting::Ended { grace } => policy.grace.max(grace),
                Parting::Untagged => 0,
            };
            self.presence.part(route, tag, &user.name, grace, by);
        }
        if let (Parting::Untagged, Some(client)) = (why, self.client_at(index)) {
            client.members.remove(tag);
        }
    }

    /// A client that has a tag is this user in the channel from now on, whatever user it is elsewhere.
    pub(crate) fn set_member(&mut self, key: Key, tag: &str, user: Arc<User>) {
        self.settle(key.index);
        let Some((_, client)) = self.at(key.index) else { return };
        let Some(tag) = client.tags.iter().find(|has| &***has == tag).cloned() else { return };
        let (route, before) = (client.route, client.in_channel(&tag));
        let same = before.is_some_and(|before| before.name == user.name);
        if same {
            // With other information, perhaps: it neither leaves nor joins.
            if let Some(member) = self.presence.member(route, &tag, &user.name) {
                member.user = user.clone();
            }
        } else {
            self.parts(key.index, &tag, Parting::Untagged);
        }
        if let Some(client) = self.client_at(key.index) {
            client.members.set(tag.clone(), user);
        }
        if !same {
            self.joins(key.index, &tag);
        }
    }

    /// A client is another user's, or nobody's.
    pub(crate) fn changes_user(&mut self, index: u32, user: Option<Arc<User>>) {
        self.settle(index);
        let Some((_, client)) = self.at(index) else { return };
        let mut tags = if self.has_presence(client.route) { client.tags.clone() } else { Vec::new() };
        tags.retain(|tag| client.members.get(tag).is_none());
        let same = matches!((&client.user, &user), (Some(before), Some(now)) if before.name == now.name);
        let before = client.user.clone();
        if same {
            // With other information, perhaps: it neither leaves nor joins.
            let route = client.route;
            for tag in &tags {
                if let (Some(now), Some(member)) = (&user, before.as_ref().and_then(|user| self.presence.member(route, tag, &user.name))) {
                    member.user = now.clone();
                }
            }
        } else {
            tags.iter().for_each(|tag| self.parts(index, tag, Parting::Untagged));
        }
        if let Some(client) = self.client_at(index) {
            client.user = user;
        }
        if !same {
            tags.iter().for_each(|tag| self.joins(index, tag));
        }
    }

    /// Brings a client into the channels that its route has since a reload, and takes it out of those that it has no more. That is done for
    /// each client before it changes, and for all others by [`Hub::settle_some`].
    pub(crate) fn settle(&mut self, index: u32) {
        let Some((_, client)) = self.at(index) else { return };
        let (route, version) = (client.route, client.channels_version);
        let Some([before, now]) = self.channels_since(route, version) else { return };
        let version = self.channels_version(route);
        let present = |tag: &Arc<str>| Some((tag.clone(), client.in_channel(tag)?));
        let (id, tags): (_, Vec<_>) = (client.id.clone(), client.tags.iter().filter_map(present).collect());
        let live = self.live.contains(index);
        if let Some(client) = self.client_at(index) {
            client.channels_version = version;
        }
        if !live {
            return;
        }
        let is_present = |channels: &[Channel], tag: &str| Channel::find(channels, tag).is_some_and(|channel| channel.presence.is_some());
        for (tag, user) in &tags {
            match (is_present(&before, tag), is_present(&now, tag)) {
                (false, true) => self.presence.join(route, tag, user, id.clone()),
                (true, false) => {
                    let Some(member) = self.presence.member(route, tag, &user.name) else { continue };
                    member.connections = member.connections.saturating_sub(1);
                    if member.connections == 0 {
                        // Nobody is told that it has left: it has not, but there is no presence any more.
                        self.presence.leave(route, tag, &user.name, false, None);
                    }
                }
                (false, false) | (true, true) => {}
            }
        }
    }

    /// Does a part of what a reload has to do for the channels of a route: looks at so many clients, or at so many members that are in their time
    /// of grace. Where to go on.
    pub fn settle_some(&mut self, route: RouteId, from: Settling, most: usize) -> Option<Settling> {
        match from {
            Settling::Clients(from) => {
                let some: Vec<u32> = self.live_on(route).range(from..).take(most).collect();
                some.iter().for_each(|&index| self.settle(index));
                Some(some.last().filter(|_| some.len() == most).map_or(Settling::Grace(None), |last| Settling::Clients(last + 1)))
            }
            Settling::Grace(after) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let some: Vec<_> = self.presence.in_grace.range((from, Bound::Unbounded)).take(most).cloned().collect();
                for (_, on, tag, name) in &some {
                    if *on == route && Channel::find(self.channels_of(route), tag).is_none_or(|channel| channel.presence.is_none()) {
                        self.presence.leave(route, tag, name, false, None);
                    }
                }
                let full = some.len() == most;
                some.into_iter().next_back().filter(|_| full).map(|last| Settling::Grace(Some(last)))
            }
        }
    }
}

/// A member that is in its time of grace: the end of that, route, tag and name.
type InGrace = (u64, RouteId, Arc<str>, Arc<str>);

/// How far [`Hub::settle_some`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settling {
    /// It goes on with the client at this place.
    Clients(u32),
    /// It goes on behind this member.
    Grace(Option<InGrace>),
}

impl Settling {
    /// The beginning.
    pub const BEGINNING: Settling = Settling::Clients(0);
}

#[cfg(test)]
mod tests;
