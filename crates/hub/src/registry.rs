//! The registry of clients.

use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::channel::Channel;
use crate::command::{CommandError, UnknownRoute};
use crate::information::Information;
use crate::initial_state::InitialState;
use crate::presence::{Members, Parting, Presence};
use crate::tags::TagSets;
use crate::users::{User, Users};

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
pub(crate) struct Client<C> {
    pub(crate) id: Arc<str>,
    pub(crate) route: RouteId,
    pub(crate) handle: C,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) user: Option<Arc<User>>,
    /// Whom it is in channels where it is not its user.
    pub(crate) members: Members,
    pub(crate) information: Information,
    /// See [`Hub::entered`].
    pub(crate) entered: u64,
    /// Which channels of its route it is counted in, see [`Hub::settle`].
    pub(crate) channels_version: u32,
}

/// What a client has that goes to another server.
#[derive(Debug)]
pub struct Belongings {
    /// Its id.
    pub id: Arc<str>,
    /// Its tags.
    pub tags: Vec<Arc<str>>,
    /// Whose it is.
    pub user: Option<Arc<User>>,
    /// Whom it is in channels where it is not its user.
    pub members: Vec<(Arc<str>, Arc<User>)>,
    /// What is stored about it.
    pub information: Information,
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
    pub(crate) live: RoaringBitmap,
    /// How many clients have ever been entered: a client that has come later than another has a greater number.
    pub(crate) entered: u64,
    pub(crate) tags: TagSets,
    pub(crate) users: Users,
    pub(crate) presence: Presence,
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
    channels: Arc<[Channel]>,
    /// Those of before the last change of who is present where, for clients that have not been settled since.
    channels_before: Arc<[Channel]>,
    channels_version: u32,
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Hub {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            known: 0,
            live: RoaringBitmap::new(),
            entered: 0,
            tags: TagSets::default(),
            users: Users::default(),
            presence: Presence::default(),
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
        self.routes.push(Route {
            name: name.clone(),
            live: RoaringBitmap::new(),
            known: 0,
            in_force: false,
            channels: Arc::default(),
            channels_before: Arc::default(),
            channels_version: 0,
        });
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

    /// Which tags of a route are channels. `true`: its clients are to be [settled](Hub::settle_some), all of them before the next call.
    pub fn set_channels(&mut self, route: RouteId, channels: Arc<[Channel]>) -> bool {
        let route = &mut self.routes[route.0 as usize];
        let present = |channels: &[Channel]| {
            let some = channels.iter().any(|channel| channel.presence.is_some());
            // Those behind the last one with presence, and what else a channel has, make no difference.
            some.then(|| channels.iter().map(|channel| (channel.pattern.clone(), channel.presence.is_some())).collect::<Vec<_>>())
        };
        let changed = present(&route.channels) != present(&channels);
        let before = std::mem::replace(&mut route.channels, channels);
        if changed {
            route.channels_before = before;
            route.channels_version = route.channels_version.wrapping_add(1);
        }
        changed
    }

    /// Which tags of a route are channels.
    pub fn channels_of(&self, route: RouteId) -> &Arc<[Channel]> {
        &self.routes[route.0 as usize].channels
    }

    /// Whether it is known of some tags of a route who has them.
    pub(crate) fn has_presence(&self, route: RouteId) -> bool {
        self.channels_of(route).iter().any(|channel| channel.presence.is_some())
    }

    /// The channels that a client of this version is counted in, and those that there are now. `None`: they are the same.
    pub(crate) fn channels_since(&self, route: RouteId, version: u32) -> Option<[Arc<[Channel]>; 2]> {
        let route = &self.routes[route.0 as usize];
        (route.channels_version != version).then(|| [route.channels_before.clone(), route.channels.clone()])
    }

    /// What a client has that is counted in the channels that there are now.
    pub(crate) fn channels_version(&self, route: RouteId) -> u32 {
        self.routes[route.0 as usize].channels_version
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
        self.entered += 1;
        let (handle, entered) = (make(key), self.entered);
        let (tags, information) = (Vec::new(), Information::default());
        let channels_version = self.routes[route.0 as usize].channels_version;
        slot.client = Some(Client {
            id: id.clone(),
            route,
            handle,
            tags,
            user: None,
            members: Members::default(),
            information,
            entered,
            channels_version,
        });
        self.by_id.insert(id, index);
        self.known += 1;
        self.live.insert(index);
        self.routes[route.0 as usize].live.insert(index);
        self.routes[route.0 as usize].known += 1;
        Some(key)
    }

    /// Gives a client that has just been entered its user, its tags and its stored information.
    pub fn furnish(&mut self, key: Key, initial: InitialState) {
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.as_mut() else { return };
        client.information = initial.information;
        client.members = initial.members;
        if let Some(user) = initial.user {
            let id = client.id.clone();
            self.set_user(&id, Some(user));
        }
        for tag in initial.tags {
            self.put_tag(key, &tag);
        }
    }

    /// Whether an id is taken, by a live client or by one whose close event is still to be handled.
    pub fn knows(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The client is no longer connected: it is not listed, counted or sent to any more.
    pub fn close(&mut self, key: Key) {
        self.end(key, 0);
    }

    /// The client goes to another server, with what it has here. Its id is free, and its user stays in its channels for so many milliseconds at
    /// least, until it is there. `None`: it is not live.
    pub fn depart(&mut self, key: Key, grace: u64) -> Option<Belongings> {
        let client = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?.client.as_mut()?;
        if !self.live.contains(key.index) {
            return None;
        }
        let (tags, information) = (client.tags.clone(), std::mem::take(&mut client.information));
        let members = client.members.list();
        let belongings = Belongings { id: client.id.clone(), tags, user: client.user.clone(), members, information };
        self.end(key, grace);
        self.release(key);
        Some(belongings)
    }

    fn end(&mut self, key: Key, grace: u64) {
        if self.slots.get(key.index as usize).is_none_or(|slot| slot.generation != key.generation) || !self.live.contains(key.index) {
            return;
        }
        self.settle(key.index);
        self.live.remove(key.index);
        let Some(client) = self.client_at(key.index) else { return };
        let (route, user) = (client.route, client.user.clone());
        // Only lent, since whoever handles its close event may ask for them.
        let tags = std::mem::take(&mut client.tags);
        self.routes[route.0 as usize].live.remove(key.index);
        for tag in &tags {
            self.tags.remove(tag, key.index);
        }
        if let Some(user) = user {
            self.take_from_user(key.index, &user);
        }
        if self.has_presence(route) {
            tags.iter().for_each(|tag| self.parts(key.index, tag, Parting::Ended { grace }));
        }
        if let Some(client) = self.client_at(key.index) {
            client.tags = tags;
        }
    }

    /// The client's id is free, and its tags and stored information are gone.
    pub fn release(&mut self, key: Key) {
        self.close(key);
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else { return };
        let Some(client) = slot.client.as_mut() else { return };
        client.tags = Vec::new();
        client.user = None;
        client.members = Members::default();
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
    pub(crate) fn rename(&mut self, id: &str, new: Arc<str>) -> Option<&C> {
        let index = *self.by_id.get(id).filter(|index| self.live.contains(**index))?;
        if self.by_id.contains_key(&new) {
            return None;
        }
        self.by_id.remove(id);
        self.by_id.insert(new.clone(), index);
        self.slots[index as usize].client.as_mut().map(|client| {
            client.id = new;
            &client.handle
        })
    }

    /// A client by its id: its handle, its tags, and whether it is live.
    pub fn client(&self, id: &str) -> Option<(&C, &[Arc<str>], bool)> {
        let (key, client) = self.find(id)?;
        Some((&client.handle, &client.tags, self.live.contains(key.index)))
    }

    /// The handles of the live clients of a route.
    pub fn handles_on(&self, route: RouteId) -> impl Iterator<Item = &C> {
        self.live_on(route).iter().filter_map(|index| Some(&self.at(index)?.1.handle))
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

    /// How many live clients have a tag.
    pub fn tagged(&self, tag: &str) -> u64 {
        self.tags.get(tag).map_or(0, |clients| clients.len())
    }

    /// Whether a live client has a tag.
    pub fn has_tag(&self, key: Key, tag: &str) -> bool {
        self.live_handle(key).is_some() && self.tags.get(tag).is_some_and(|clients| clients.contains(key.index))
    }

    /// How many tags are in use.
    pub fn tag_count(&self) -> u64 {
        self.tags.len() as u64
    }

    /// The handle of a live client by its key.
    pub fn live_handle(&self, key: Key) -> Option<&C> {
        let (found, client) = self.at(key.index)?;
        (found == key && self.live.contains(key.index)).then_some(&client.handle)
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

    /// Refuses the name of a route that no configuration has, and that has no clients.
    pub fn check_route(&self, name: Option<&str>) -> Result<(), CommandError> {
        self.known_route(name).map(drop)
    }

    /// The route that a command names, if it names one.
    pub(crate) fn known_route(&self, name: Option<&str>) -> Result<Option<RouteId>, CommandError> {
        let Some(name) = name else { return Ok(None) };
        let is_known = |route: &Route| route.in_force || route.known > 0;
        let id = self.route_ids.get(name).copied().filter(|id| is_known(&self.routes[id.0 as usize]));
        id.map(Some).ok_or_else(|| {
            let known = self.routes.iter().filter(|route| is_known(route)).map(|route| route.name.clone());
            UnknownRoute { name: name.into(), known: sorted(known.collect()) }.into()
        })
    }

    pub(crate) fn find(&self, id: &str) -> Option<(Key, &Client<C>)> {
        let index = *self.by_id.get(id)?;
        let slot = &self.slots[index as usize];
        Some((Key { index, generation: slot.generation }, slot.client.as_ref()?))
    }

    /// The live client with an id, if it is on the route that is given.
    pub(crate) fn find_on(&self, id: &str, route: Option<RouteId>) -> Option<(Key, &Client<C>)> {
        let (key, client) = self.find(id)?;
        let on_route = route.is_none_or(|route| route == client.route);
        (on_route && self.live.contains(key.index)).then_some((key, client))
    }

    /// The client at a place, live or closed.
    pub(crate) fn at(&self, index: u32) -> Option<(Key, &Client<C>)> {
        let slot = self.slots.get(index as usize)?;
        Some((Key { index, generation: slot.generation }, slot.client.as_ref()?))
    }

    /// The live clients of a route.
    pub(crate) fn live_on(&self, route: RouteId) -> &RoaringBitmap {
        &self.routes[route.0 as usize].live
    }

    /// Puts a tag on a live client that does not have it.
    pub(crate) fn put_tag(&mut self, key: Key, tag: &str) {
        self.settle(key.index);
        let tag = self.tags.insert(tag, key.index);
        if let Some(client) = self.client_at(key.index) {
            client.tags.push(tag.clone());
        }
        self.joins(key.index, &tag);
    }

    /// Takes a tag off a client, if it has it. `false`: the client is gone.
    pub(crate) fn take_tag(&mut self, id: &str, tag: &str) -> bool {
        let Some(&index) = self.by_id.get(id) else { return false };
        self.settle(index);
        let Some(client) = self.client_at(index) else { return false };
        if let Some(at) = client.tags.iter().position(|has| &**has == tag) {
            let tag = client.tags.swap_remove(at);
            self.tags.remove(&tag, index);
            if self.live.contains(index) {
                self.parts(index, &tag, Parting::Untagged);
            }
        }
        true
    }

    /// Takes all tags off a client. `false`: the client is gone.
    pub(crate) fn take_tags(&mut self, id: &str) -> bool {
        let Some(&index) = self.by_id.get(id) else { return false };
        self.settle(index);
        let Some(client) = self.client_at(index) else { return false };
        for tag in std::mem::take(&mut client.tags) {
            self.tags.remove(&tag, index);
            if self.live.contains(index) {
                self.parts(index, &tag, Parting::Untagged);
            }
        }
        true
    }

    /// The client at a place, live or closed.
    pub(crate) fn client_at(&mut self, index: u32) -> Option<&mut Client<C>> {
        self.slots.get_mut(index as usize)?.client.as_mut()
    }

    /// The client with an id, live or closed.
    pub(crate) fn known_mut(&mut self, id: &str) -> Option<&mut Client<C>> {
        let index = *self.by_id.get(id)?;
        self.slots[index as usize].client.as_mut()
    }
}

fn sorted(mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
