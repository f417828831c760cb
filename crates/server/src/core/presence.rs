//! Who is in which channel: changes of the registry that make users join and leave, and the events that tell of it.

use std::sync::Arc;

use fws_engine::{Attendance, Topic, Watching};
use fws_hub::command::{Presence, check_tag};
use fws_hub::{Change, CommandError, Hub, Member, Present, Reply, RouteId, Settling, Steps, Watched};
use fws_session::{Event, Membership};
use parking_lot::{Mutex, RwLockWriteGuard};

use super::Core;
use super::patience::Patience;
use crate::alarm::Alarm;
use crate::conn::Conn;
use crate::dispatch::{Arrival, Source};
use crate::stats::add;

/// The most users whose time of grace ends in one turn, and the most clients that are looked at in one hold of the registry.
const TURN: usize = 256;

/// When the next user leaves a channel, and the order of what is told.
pub(crate) struct Presences {
    pub(super) alarm: Alarm,
    /// Locked from the taking of changes until they are queued, so that they are queued in their order. Where `hub` is locked as well, that
    /// is locked before.
    telling: Mutex<()>,
}

impl Presences {
    pub fn new() -> Presences {
        Presences { alarm: Alarm::new(), telling: Mutex::new(()) }
    }

    /// How long it is until the next user leaves whose time of grace is over.
    pub fn left(&self) -> Option<std::time::Duration> {
        self.alarm.left()
    }
}

impl Core {
    /// Changes the registry, and tells of users who join channels or leave them by that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Hub<Arc<Conn>>) -> T) -> T {
        let mut hub = self.hub.write();
        hub.set_time(self.presences.alarm.now());
        let changed = change(&mut hub);
        self.tell_changes(hub);
        changed
    }

    /// The same. What other servers send to these topics comes from when this returns, if there are clients here that it is for.
    pub(super) fn change_and_wait<'a, T>(
        &self,
        topics: impl IntoIterator<Item = Topic<'a>>,
        change: impl FnOnce(&mut Hub<Arc<Conn>>) -> T,
    ) -> T {
        let changed = self.change(change);
        self.wait_for_topics(topics);
        changed
    }

    /// Waits until other servers send here what concerns clients of this one. Another client may have been the first a moment ago.
    pub(super) fn wait_for_topics<'a>(&self, topics: impl IntoIterator<Item = Topic<'a>>) {
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::Impatient) {
            return;
        }
        let watching: Vec<Watching> = topics.into_iter().filter_map(|topic| self.engine.watching(topic)).collect();
        watching.into_iter().for_each(Watching::wait);
    }

    /// Ends a change of the registry.
    pub(super) fn tell_changes(&self, mut hub: RwLockWriteGuard<'_, Hub<Arc<Conn>>>) {
        if let Some(watched) = hub.take_watched() {
            self.watch(&watched);
        }
        let sooner = self.presences.alarm.set(hub.next_leave());
        if hub.has_changes() {
            let telling = self.presences.telling.lock();
            let mut changes: Vec<Attendance> = hub.take_changes().into_iter().map(|change| attendance(&hub, change)).collect();
            drop(hub);
            self.engine.attend(&mut changes);
            self.tell_attendance(changes);
            drop(telling);
        } else {
            drop(hub);
        }
        if sooner {
            self.shards[0].wake();
        }
    }

    /// Tells PHP who has joined channels, and who has left them. It locks no more than the dispatcher: its callers have locked others.
    pub(crate) fn tell_attendance(&self, changes: Vec<Attendance>) {
        let mut arrivals: Vec<Arrival> = changes.into_iter().filter(|change| !change.silent).map(arrival).collect();
        if !arrivals.is_empty() {
            let pushed = self.dispatch.push(&mut arrivals);
            add(&self.counters.events_queued, pushed.queued);
            self.orphaned(pushed.orphans);
            // A shard that sleeps for long would not look after them: a bell that cannot be rung now is to be rung later.
            #[cfg(feature = "simulation")]
            if crate::simulation::has(crate::simulation::Flaw::AsleepWithEvents) {
                return;
            }
            self.shards[0].wake();
        }
    }

    /// Users have joined channels (`true`), or left them, by what has become of whole servers, or of Redis.
    pub(crate) fn attended(&self, members: impl Iterator<Item = (bool, Arc<str>, Arc<str>, Arc<str>, Arc<[u8]>)>) {
        let routes = self.routes.read();
        let told = members.filter_map(|(joined, route, tag, user, info)| {
            let id = routes.current.get(&route)?.id;
            Some(Attendance { joined, silent: false, id, route, tag, user, info, by: None })
        });
        let told = told.collect();
        drop(routes);
        self.tell_attendance(told);
    }

    /// Whether the clients of a route speak the Pusher protocol.
    pub(crate) fn speaks_pusher(&self, route: &str) -> bool {
        self.routes.read().current.get(route).is_some_and(|route| route.apps.is_some())
    }

    /// Tells the engine of tags and users that have their first client on this server, or have lost the last one.
    fn watch(&self, watched: &Watched) {
        let tags = watched.tags.iter().map(|(tag, on)| (Topic::Tag(tag), *on));
        let users = watched.users.iter().map(|(user, on)| (Topic::User(user), *on));
        self.stays.change(&watched.tags);
        for (topic, on) in tags.chain(users) {
            if on {
                drop(self.engine.watch(topic));
            } else {
                self.engine.unwatch(topic);
            }
        }
    }

    /// Has users leave whose time of grace is over.
    pub(crate) fn end_grace(&self) {
        if self.presences.alarm.left().is_some_and(|left| left.is_zero()) {
            self.change(|hub| hub.end_grace(TURN));
        }
    }

    /// Brings the clients of a route into the channels that it has since a reload.
    pub(super) fn settle_presence(&self, route: RouteId, channels: Arc<[fws_hub::Channel]>) {
        if !self.change(|hub| hub.set_channels(route, channels)) {
            return;
        }
        let mut from = Some(Settling::BEGINNING);
        while let Some(at) = from {
            from = self.change(|hub| hub.settle_some(route, at, TURN));
        }
    }

    /// Who is in a channel.
    pub(super) fn presence(&self, command: &Presence<'_>, patience: &mut Patience<'_>) -> Result<Reply, CommandError> {
        use fws_hub::GoOn as _;
        check_tag(command.tag)?;
        let route = self.present_on(command.tag, command.route)?;
        let (mut members, mut last): (Vec<Member>, Option<Arc<str>>) = (Vec::new(), None);
        loop {
            let some = self.hub.read().present(route, command.tag, last.as_deref(), Steps::HOLD);
            let Some(end) = some.last() else { return Ok(Reply::Members(members)) };
            last = Some(end.user.name.clone());
            members.extend(some.into_iter().map(|Present { user, connections }| {
                let (user, info) = (user.name.clone(), user.info.clone());
                Member { user, info, connections }
            }));
            patience.go_on()?;
        }
    }

    /// The route whose channel is meant.
    fn present_on(&self, tag: &str, only: Option<&str>) -> Result<RouteId, CommandError> {
        self.hub.read().check_route(only)?;
        let routes = self.routes.read();
        let asked = routes.with_channels.iter().filter(|route| only.is_none_or(|only| *route.name == *only));
        let mut found = asked.filter(|route| route.channel(tag).is_some_and(|channel| channel.presence.is_some()));
        match (found.next(), found.next()) {
            (Some(route), None) => Ok(route.id),
            (None, _) => Err(CommandError::NoPresence),
            (Some(_), Some(_)) => Err(CommandError::SeveralPresences),
        }
    }
}

fn attendance(hub: &Hub<Arc<Conn>>, change: Change) -> Attendance {
    let Change { joined, silent, route, tag, user, by } = change;
    let (user, info) = (user.name.clone(), user.info.clone());
    Attendance { joined, silent, id: route, route: hub.route_name(route).clone(), tag, user, info, by }
}

fn arrival(change: Attendance) -> Arrival {
    let Attendance { joined, silent: _, id, route, tag, user, info, by } = change;
    let source = Source::channel(id, &tag);
    let membership = Box::new(Membership { route, tag, user, info, by });
    let event = if joined { Event::Join(membership) } else { Event::Leave(membership) };
    Arrival { source, event, limits: (usize::MAX, usize::MAX) }
}
