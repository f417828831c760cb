//! The registry of clients.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::command::{Command, CommandError, Outlet, Target, UnknownRoute};
use crate::expression::{Expression, TagIndex};
use crate::information::{Information, Matcher, check_key};
use crate::outfit::Outfit;
use crate::reply::{Outcome, Reply};
use crate::{MAX_NAME, MAX_TAGS};

/// A client's place in the registry. A key outlives its client harmlessly: the generation tells that the place was reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The slot.
    pub index: u32,
    /// How often the slot has been used before.
    pub generation: u32,
}

/// A route by number. Names are given numbers once and keep them: a reload finds the connections of a route it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u32);

#[derive(Debug)]
struct Client<C> {
    id: Arc<str>,
    route: RouteId,
    handle: C,
    tags: Vec<Arc<str>>,
    information: Information,
}

#[derive(Debug)]
struct Slot<C> {
    generation: u32,
    client: Option<Client<C>>,
}

/// All clients of the process. `C` is what a send needs to reach one.
///
/// A client is *live* from [`Hub::register`] to [`Hub::close`]: only then is it listed, counted, found by tag and sent to. It has its id,
/// tags and stored information until [`Hub::release`], so that who handles its close event can still ask about it, and its place until
/// [`Hub::forget`].
#[derive(Debug)]
pub struct Hub<C> {
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
    by_id: HashMap<Arc<str>, u32>,
    /// Clients that are not forgotten yet.
    known: u64,
    live: RoaringBitmap,
    /// Live clients by tag; a tag nobody has is not here.
    tags: HashMap<Arc<str>, RoaringBitmap>,
    routes: Vec<Route>,
    route_ids: HashMap<Arc<str>, RouteId>,
}

#[derive(Debug)]
struct Route {
    name: Arc<str>,
    live: RoaringBitmap,
    /// Clients that are not forgotten yet.
    known: u64,
    /// The configuration has it.
    in_force: bool,
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Hub {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            known: 0,
            live: RoaringBitmap::new(),
            tags: HashMap::new(),
            routes: Vec::new(),
            route_ids: HashMap::new(),
        }
    }
}

impl<C> Hub<C> {
    /// The number of a route's name, given to it now if it has none yet.
    pub fn route(&mut self, name: &str) -> RouteId {
        if let Some(&id) = self.route_ids.get(name) {
            return id;
        }
        let id = RouteId(self.routes.len() as u32);
        let name: Arc<str> = name.into();
        self.routes.push(Route { name: name.clone(), live: RoaringBitmap::new(), known: 0, in_force: false });
        self.route_ids.insert(name, id);
        id
    }

    /// These routes, and no others, are configured from now on. Those that still have clients stay known.
    pub fn put_in_force(&mut self, routes: &[RouteId]) {
        self.routes.iter_mut().for_each(|route| route.in_force = false);
        for id in routes {
            self.routes[id.0 as usize].in_force = true;
        }
    }

    /// The name of a route.
    pub fn route_name(&self, route: RouteId) -> &Arc<str> {
        &self.routes[route.0 as usize].name
    }

    /// How many live clients a route has.
    pub fn route_len(&self, route: RouteId) -> u64 {
        self.routes[route.0 as usize].live.len()
    }

    /// How many clients of a route are known, closed ones whose close event is still to be handled included.
    pub fn route_known(&self, route: RouteId) -> u64 {
        self.routes[route.0 as usize].known
    }

    /// Enters a client; `make` builds its handle from its key. `None` if the id is taken.
    pub fn register(&mut self, id: Arc<str>, route: RouteId, make: impl FnOnce(Key) -> C) -> Option<Key> {
        if self.by_id.contains_key(&id) {
            return None;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, client: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let key = Key { index, generation: slot.generation };
        slot.client = Some(Client { id: id.clone(), route, handle: make(key), tags: Vec::new(), information: Information::default() });
        self.by_id.insert(id, index);
        self.known += 1;
        self.live.insert(index);
        self.routes[route.0 as usize].live.insert(index);
        self.routes[route.0 as usize].known += 1;
        Some(key)
    }

    /// Gives a client that has just been entered its tags and stored information.
    pub fn furnish(&mut self, key: Key, outfit: Outfit) {
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.as_mut() else { return };
        client.information = outfit.information;
        for tag in outfit.tags {
            let name = self.tags.get_key_value(&tag).map_or(tag, |(name, _)| name.clone());
            client.tags.push(name.clone());
            self.tags.entry(name).or_default().insert(key.index);
        }
    }

    /// Whether an id is taken, by a live client or by one whose close event is still to be handled.
    pub fn knows(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The client is no longer connected: it is not listed, counted or sent to any more.
    pub fn close(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.as_ref() else { return };
        self.live.remove(key.index);
        self.routes[client.route.0 as usize].live.remove(key.index);
        for tag in &client.tags {
            unindex(&mut self.tags, tag, key.index);
        }
    }

    /// The client's id is free, and its tags and stored information are gone.
    pub fn release(&mut self, key: Key) {
        self.close(key);
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.as_mut() else { return };
        client.tags = Vec::new();
        client.information = Information::default();
        // Another client may have the id by now.
        if self.by_id.get(&client.id) == Some(&key.index) {
            self.by_id.remove(&client.id);
        }
    }

    /// Everything of the client goes; its slot may be used again.
    pub fn forget(&mut self, key: Key) {
        self.release(key);
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.take() else { return };
        slot.generation = slot.generation.wrapping_add(1);
        self.known -= 1;
        self.routes[client.route.0 as usize].known -= 1;
        self.free.push(key.index);
    }

    /// Gives a live client another id and returns its handle. `None`: no live client has the id, or the new one is taken.
    pub fn rename(&mut self, id: &str, new: Arc<str>) -> Result<Option<&C>, CommandError> {
        if new.is_empty() || new.len() > MAX_NAME {
            return Err(CommandError::InvalidId);
        }
        let Some(&index) = self.by_id.get(id).filter(|index| self.live.contains(**index)) else { return Ok(None) };
        if self.by_id.contains_key(&new) {
            return Ok(None);
        }
        self.by_id.remove(id);
        self.by_id.insert(new.clone(), index);
        Ok(self.slots[index as usize].client.as_mut().map(|client| {
            client.id = new;
            &client.handle
        }))
    }

    /// A client by its id: its handle, its tags, and whether it is live.
    pub fn client(&self, id: &str) -> Option<(&C, &[Arc<str>], bool)> {
        let (key, client) = self.find(id)?;
        Some((&client.handle, &client.tags, self.live.contains(key.index)))
    }

    /// How many clients are live.
    pub fn len(&self) -> u64 {
        self.live.len()
    }

    /// Whether no client is known, not even a closed one whose close event is still to be handled or whose socket is still to be closed.
    pub fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// How many clients are known, closed ones included.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// How many tags are in use.
    pub fn tag_count(&self) -> u64 {
        self.tags.len() as u64
    }

    /// The handles of all known clients, closed ones included.
    pub fn known_handles(&self) -> impl Iterator<Item = &C> {
        self.slots.iter().filter_map(|slot| slot.client.as_ref()).map(|client| &client.handle)
    }

    /// The handles of all live clients.
    pub fn handles(&self) -> impl Iterator<Item = (Key, RouteId, &C)> {
        self.live.iter().filter_map(|index| {
            let slot = &self.slots[index as usize];
            let client = slot.client.as_ref()?;
            Some((Key { index, generation: slot.generation }, client.route, &client.handle))
        })
    }

    /// Carries out a command that changes the registry, see [`Command::is_change`].
    pub fn change(&mut self, command: &Command<'_>) -> Result<Reply, CommandError> {
        match *command {
            Command::Tag { id, tag } => self.tag(id, tag),
            Command::Untag { id, tag } => self.untag(id, tag),
            Command::ClearTags { id } => Ok(self.clear_tags(id)),
            Command::SetInformation { id, key, ref value } => {
                // What can never be right is refused whether the client is there or not.
                check_key(key)?;
                let Some(client) = self.known_mut(id) else { return Ok(Reply::Flag(false)) };
                client.information.set(key, value)?;
                Ok(Reply::Flag(true))
            }
            Command::DeleteInformation { id, key } => {
                Ok(Reply::Flag(self.known_mut(id).is_some_and(|client| client.information.delete(key))))
            }
            Command::ClearInformation { id } => {
                let client = self.known_mut(id);
                Ok(Reply::Flag(client.map(|client| client.information.clear()).is_some()))
            }
            _ => unreachable!("bug: {command:?} changes nothing"),
        }
    }

    /// Carries out any other command; sends and closes go to `outlet`.
    pub fn ask(&self, command: &Command<'_>, outlet: &mut impl Outlet<C>) -> Result<Reply, CommandError> {
        Ok(match *command {
            Command::Send { to: Target::Client(id), route, except, .. } => {
                let found = self.find_on(id, self.known_route(route)?).filter(|_| except != Some(id));
                Reply::Sent(match found {
                    Some((key, client)) => match outlet.send(key, &client.handle) {
                        Outcome::TooLarge => return Err(CommandError::TooLarge),
                        outcome => outcome,
                    },
                    None => Outcome::Gone,
                })
            }
            Command::Send { to, route, except, .. } => {
                let except = except.and_then(|id| self.by_id.get(id).copied());
                let mut queued = 0;
                self.each(to, route, |key, client| {
                    if Some(key.index) != except && outlet.send(key, &client.handle) == Outcome::Queued {
                        queued += 1;
                    }
                })?;
                Reply::Queued(queued)
            }
            Command::List { of, route } => {
                let mut names = Vec::new();
                self.each(of, route, |_, client| names.push(client.id.clone()))?;
                Reply::Names(names)
            }
            Command::Count { of, route } => Reply::Count(self.select(of, route)?.len()),
            Command::Ping { id, .. } => {
                let client = self.find_on(id, None);
                if let Some((key, client)) = client {
                    outlet.ping(key, &client.handle);
                }
                Reply::Flag(client.is_some())
            }
            Command::Tags { id: None } => Reply::Names(sorted(self.tags.keys().cloned().collect())),
            Command::Tags { id: Some(id) } => self.of_client(id, |client| Reply::Names(sorted(client.tags.clone()))),
            Command::GetInformation { id, key } => self.of_client(id, |client| Reply::Value(client.information.get(key).map(Box::from))),
            Command::AllInformation { id } => self
                .of_client(id, |client| Reply::Pairs(client.information.iter().map(|(key, value)| (key.into(), value.into())).collect())),
            Command::SearchInformation { key, operator, ref value, route } => {
                let matcher = Matcher::new(operator, value)?;
                let mut names = Vec::new();
                self.each(Target::All, route, |_, client| {
                    if client.information.get(key).is_some_and(|stored| matcher.fits(stored)) {
                        names.push(client.id.clone());
                    }
                })?;
                Reply::Names(names)
            }
            _ => unreachable!("bug: {command:?} is not asked of the registry"),
        })
    }

    /// What is known of a client, live or closed.
    fn of_client(&self, id: &str, answer: impl FnOnce(&Client<C>) -> Reply) -> Reply {
        self.find(id).map_or(Reply::Gone, |(_, client)| answer(client))
    }

    /// The route that a command names, if it names one.
    fn known_route(&self, name: Option<&str>) -> Result<Option<RouteId>, CommandError> {
        let Some(name) = name else { return Ok(None) };
        let is_known = |route: &Route| route.in_force || route.known > 0;
        let id = self.route_ids.get(name).copied().filter(|id| is_known(&self.routes[id.0 as usize]));
        id.map(Some).ok_or_else(|| {
            let known = self.routes.iter().filter(|route| is_known(route)).map(|route| route.name.clone());
            UnknownRoute { name: name.into(), known: sorted(known.collect()) }.into()
        })
    }

    fn find(&self, id: &str) -> Option<(Key, &Client<C>)> {
        let index = *self.by_id.get(id)?;
        let slot = &self.slots[index as usize];
        Some((Key { index, generation: slot.generation }, slot.client.as_ref()?))
    }

    /// The live client with an id, if it is on the route that is given.
    fn find_on(&self, id: &str, route: Option<RouteId>) -> Option<(Key, &Client<C>)> {
        let (key, client) = self.find(id)?;
        let on_route = route.is_none_or(|route| route == client.route);
        (on_route && self.live.contains(key.index)).then_some((key, client))
    }

    /// The live clients of a target, on a route.
    fn select(&self, of: Target<'_>, route: Option<&str>) -> Result<Cow<'_, RoaringBitmap>, CommandError> {
        let none = || Cow::Owned(RoaringBitmap::new());
        let route = self.known_route(route)?;
        let of = match of {
            Target::All => Cow::Borrowed(&self.live),
            Target::Tag(tag) => {
                check_tag(tag)?;
                self.tags.get(tag).map_or_else(none, Cow::Borrowed)
            }
            Target::Expression(text) => Cow::Owned(Expression::parse(text)?.evaluate(&self.live, &Tags(&self.tags))),
            Target::Client(id) => match self.find_on(id, None) {
                Some((key, _)) => Cow::Owned(RoaringBitmap::from_iter([key.index])),
                None => none(),
            },
        };
        let Some(route) = route else { return Ok(of) };
        let on_route = &self.routes[route.0 as usize].live;
        // All of a route is the commonest question.
        Ok(if std::ptr::eq(&*of, &self.live) { Cow::Borrowed(on_route) } else { Cow::Owned(&*of & on_route) })
    }

    /// Calls `each` with every live client of a target, on a route.
    fn each(&self, of: Target<'_>, route: Option<&str>, mut each: impl FnMut(Key, &Client<C>)) -> Result<(), CommandError> {
        for index in self.select(of, route)?.iter() {
            let slot = &self.slots[index as usize];
            if let Some(client) = &slot.client {
                each(Key { index, generation: slot.generation }, client);
            }
        }
        Ok(())
    }

    fn tag(&mut self, id: &str, tag: &str) -> Result<Reply, CommandError> {
        check_tag(tag)?;
        // A closed client gets no new tags: they would outlive it in the index.
        let Some(index) = self.by_id.get(id).copied().filter(|index| self.live.contains(*index)) else { return Ok(Reply::Flag(false)) };
        let Some(client) = self.slots[index as usize].client.as_mut() else { return Ok(Reply::Flag(false)) };
        if client.tags.iter().any(|has| &**has == tag) {
            return Ok(Reply::Flag(true));
        }
        if client.tags.len() >= MAX_TAGS {
            return Err(CommandError::TooManyTags);
        }
        let name = self.tags.get_key_value(tag).map_or_else(|| tag.into(), |(name, _)| name.clone());
        client.tags.push(name.clone());
        self.tags.entry(name).or_default().insert(index);
        Ok(Reply::Flag(true))
    }

    fn untag(&mut self, id: &str, tag: &str) -> Result<Reply, CommandError> {
        check_tag(tag)?;
        let Some(&index) = self.by_id.get(id) else { return Ok(Reply::Flag(false)) };
        let Some(client) = self.known_mut(id) else { return Ok(Reply::Flag(false)) };
        if let Some(at) = client.tags.iter().position(|has| &**has == tag) {
            client.tags.swap_remove(at);
            unindex(&mut self.tags, tag, index);
        }
        Ok(Reply::Flag(true))
    }

    fn clear_tags(&mut self, id: &str) -> Reply {
        let Some(&index) = self.by_id.get(id) else { return Reply::Flag(false) };
        let Some(client) = self.known_mut(id) else { return Reply::Flag(false) };
        for tag in std::mem::take(&mut client.tags) {
            unindex(&mut self.tags, &tag, index);
        }
        Reply::Flag(true)
    }

    /// The client with an id, live or closed.
    fn known_mut(&mut self, id: &str) -> Option<&mut Client<C>> {
        let index = *self.by_id.get(id)?;
        self.slots[index as usize].client.as_mut()
    }
}

/// The tags as an expression looks them up.
struct Tags<'a>(&'a HashMap<Arc<str>, RoaringBitmap>);

impl TagIndex for Tags<'_> {
    fn get(&self, tag: &str) -> Option<&RoaringBitmap> {
        self.0.get(tag)
    }

    fn each(&self, f: &mut dyn FnMut(&str, &RoaringBitmap)) {
        self.0.iter().for_each(|(tag, clients)| f(tag, clients));
    }
}

fn unindex(tags: &mut HashMap<Arc<str>, RoaringBitmap>, tag: &str, index: u32) {
    if let Some(tagged) = tags.get_mut(tag) {
        tagged.remove(index);
        if tagged.is_empty() {
            tags.remove(tag);
        }
    }
}

pub(crate) fn check_tag(tag: &str) -> Result<(), CommandError> {
    if tag.is_empty() || tag.len() > MAX_NAME { Err(CommandError::InvalidTag) } else { Ok(()) }
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
