//! Channels whose history several servers have in common.
//!
//! A message is recorded in Redis and comes from there to every server with a client that has the tag, the one that sent it included. Each
//! server knows how far its members are: it sends them what comes next, leaves out what they have, and fetches what is missing after a broken
//! connection. That is decided while the channel is locked, as on a server that is alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use fws_engine::{Past, Recorder, Sent, Topic};
use fws_hub::command::{ReadHistory, SendTo, Tag, Tagged};
use fws_hub::{CommandError, Held, History, HistoryPolicy, Position, Recorded, Reply, RouteId, Target};
use hashbrown::DefaultHashBuilder;

use super::histories::Greet;
use super::patience::Patience;
use super::{Caller, Core, Post};
use crate::log::Trouble;
use crate::shard::Missed;
use crate::stats::add;

/// Tags that clients of this server have, each with a number that is another one after nobody had the tag: what the members have been sent is known
/// for one stay only.
#[derive(Debug, Default)]
pub(super) struct Stays {
    of: DashMap<Arc<str>, u64, DefaultHashBuilder>,
    last: AtomicU64,
}

impl Stays {
    /// Tags have their first client, or have lost the last one. Called while the registry is locked.
    pub fn change(&self, tags: &[(Arc<str>, bool)]) {
        for (tag, on) in tags {
            if *on {
                self.of.insert(tag.clone(), self.last.fetch_add(1, Ordering::Relaxed) + 1);
            } else {
                self.of.remove(tag);
            }
        }
    }

    /// 0: nobody has the tag.
    pub fn of(&self, tag: &str) -> u64 {
        self.of.get(tag).map_or(0, |stay| *stay)
    }
}

/// Whether a position is one of an epoch. Before the first message there is none yet.
fn is_of(at: Position, epoch: u64) -> bool {
    at.epoch == epoch || at == Position::BEGINNING
}

/// A channel of a route.
#[derive(Clone, Copy)]
struct Place<'a> {
    route: &'a str,
    tag: &'a str,
    policy: HistoryPolicy,
}

impl Core {
    /// Sends a message to a channel with a history, by recording it. `None`: the message is for no such channel.
    pub(super) fn send_recorded(
        &self,
        recorder: &dyn Recorder,
        message: &SendTo<'_>,
        caller: Caller<'_>,
    ) -> Result<Option<Reply>, CommandError> {
        let Target::Tag(tag) = message.to else { return Ok(None) };
        let kept = self.policies(tag, message.route);
        if kept.is_empty() {
            return Ok(None);
        }
        message.check()?;
        let mut queued = 0;
        let patience = &mut Patience::new(self.options.search_timeout, caller.interrupted);
        // The routes that do not record it are sent to as always, each by itself.
        let names = if message.route.is_some() { Vec::new() } else { self.route_names() };
        for name in &names {
            if !self.policies(tag, Some(name)).is_empty() {
                continue;
            }
            let one = SendTo { route: Some(name), ..message.clone() };
            if let Reply::Queued(more) = self.ask_as(&fws_hub::Command::Send(one), caller)? {
                queued += more;
            }
        }
        for (id, policy) in kept {
            let route = self.hub.read().route_name(id).clone();
            let one = SendTo { route: Some(&route), ..message.clone() };
            one.address(self, patience, |_, _| queued += 1)?;
            recorder.record(&route, &one, policy)?;
        }
        Ok(Some(Reply::Queued(queued)))
    }

    /// A message was recorded: the members on this server are sent it. `false`: some before it are missing and cannot be had now, so it has to
    /// wait for [`Core::catch_up_channels`].
    pub(crate) fn recorded(&self, route: &str, tag: &str, epoch: u64, sent: &Sent) -> bool {
        let (Some(recorder), Some(&(id, policy))) = (self.engine.recorder(), self.policies(tag, Some(route)).first()) else { return true };
        let place = Place { route, tag, policy };
        let mut held = self.histories.hold(id, tag);
        let stay = self.stays.of(tag);
        if let Some(at) = held.followed(stay) {
            if at.epoch == epoch && sent.offset <= at.offset {
                return true;
            }
            if !is_of(at, epoch) || sent.offset > at.offset + 1 {
                if !self.fill(recorder, &mut held, place, at) {
                    return false;
                }
                if held.followed(stay).is_some_and(|at| at.epoch == epoch && sent.offset <= at.offset) {
                    return true;
                }
            }
        }
        self.send_to_members(place, sent);
        held.follow(Position { epoch, offset: sent.offset }, stay, self.histories.now());
        true
    }

    /// Sends the members what they have missed since a position. `false`: it cannot be had now.
    fn fill(&self, recorder: &dyn Recorder, held: &mut Held<'_>, place: Place<'_>, at: Position) -> bool {
        let Place { route, tag, policy, .. } = place;
        let Ok(past) = recorder.read(route, tag, Some(at.offset), usize::MAX, policy) else { return false };
        let first = past.messages.first().map_or(past.last.offset + 1, |sent| sent.offset);
        let same = is_of(at, past.last.epoch);
        if !same || first > at.offset + 1 {
            add(&self.counters.history_gaps, 1);
            let message = "messages to a channel were lost: the connection to Redis was broken, and they are not kept any more";
            let of: Arc<str> = route.into();
            self.log.burst(Trouble::Cluster, &of, message, || serde_json::Map::from_iter([("route".into(), route.into())]));
        }
        let stay = self.stays.of(tag);
        // Of a past that is another one it is not known what the members have: they get what comes.
        if same {
            past.messages.iter().for_each(|sent| self.send_to_members(place, sent));
        }
        held.follow(past.last, stay, self.histories.now());
        true
    }

    fn send_to_members(&self, place: Place<'_>, sent: &Sent) {
        let Sent { binary, except, data, .. } = sent;
        let message = SendTo {
            to: Target::Tag(place.tag),
            route: Some(place.route),
            except: except.as_deref(),
            binary: *binary,
            data: (&**data).into(),
        };
        let mut post = Post::new(self, &message, None);
        // As for every message: whoever sends it is patient enough.
        let patience = &mut Patience::new(std::time::Duration::MAX, None);
        let _ = message.address(self, patience, |key, to| post.send(key, to));
        let _ = post.finish();
    }

    /// The connection to Redis was broken: what was recorded meanwhile is fetched. `false`: not all can be had now.
    pub(crate) fn catch_up_channels(&self) -> bool {
        let Some(recorder) = self.engine.recorder() else { return true };
        let mut all = true;
        for (id, tag) in self.histories.known() {
            let route = self.hub.read().route_name(id).clone();
            let Some(&(id, policy)) = self.policies(&tag, Some(&route)).first() else { continue };
            let mut held = self.histories.hold(id, &tag);
            if let Some(at) = held.followed(self.stays.of(&tag)) {
                all &= self.fill(recorder, &mut held, Place { route: &route, tag: &tag, policy }, at);
            }
        }
        all
    }

    /// Gives a client a tag, and sends it what it has missed.
    pub(super) fn tag_with_past(
        &self,
        recorder: &dyn Recorder,
        command: &Tag<'_>,
        (since, mut greet): (Position, Option<Greet<'_>>),
        (id, route, policy): (RouteId, &str, HistoryPolicy),
    ) -> Result<Reply, CommandError> {
        let tag = command.tag;
        // What is recorded from now on comes here, also if the client is the first one with the tag.
        let watched = Watched::begin(self, tag);
        let mut held = self.histories.hold(id, tag);
        let at = held.followed(self.stays.of(tag));
        let from = at.map_or(0, |at| at.offset).min(if since == Position::BEGINNING { 0 } else { since.offset });
        let mut past = recorder.read(route, tag, Some(from), usize::MAX, policy)?;
        if past.last.epoch != since.epoch && from > 0 {
            past = recorder.read(route, tag, Some(0), usize::MAX, policy)?;
        }
        let place = Place { route, tag, policy };
        if let Some(at) = at.filter(|at| is_of(*at, past.last.epoch)) {
            past.messages.iter().filter(|sent| sent.offset > at.offset).for_each(|sent| self.send_to_members(place, sent));
        }
        let seen = if since.epoch == past.last.epoch { since.offset } else { 0 };
        let missed = || past.messages.iter().filter(|sent| sent.offset > seen);
        let tagged = self.change(|hub| {
            let tagged = command.put_on(hub)?;
            if let (Tagged::Now(key), Some(greet)) = (tagged, &mut greet) {
                greet(key, missed().next_back().map(|last| &*last.data));
            }
            Ok::<_, CommandError>(tagged)
        })?;
        held.follow(past.last, self.stays.of(tag), self.histories.now());
        let Tagged::Now(key) = tagged else { return Ok(Reply::Flag(tagged == Tagged::Before)) };
        if greet.is_none() {
            self.send_missed(key, missed().map(|Sent { binary, data, .. }| Missed { binary: *binary, data: data.clone() }));
        }
        drop(held);
        drop(watched);
        Ok(Reply::Flag(true))
    }

    /// A client has a tag. Where it is the first one, it is found out how far the channel is, so that nothing is missed from now on.
    pub(super) fn settle_channel(&self, command: &Tag<'_>) {
        let Some(recorder) = self.engine.recorder() else { return };
        let Some(route) = self.hub.read().client(command.id).map(|(conn, ..)| conn.route_name.clone()) else { return };
        let Some(&(id, policy)) = self.policies(command.tag, Some(&route)).first() else { return };
        let mut held = self.histories.hold(id, command.tag);
        let stay = self.stays.of(command.tag);
        if stay > 0
            && held.followed(stay).is_none()
            && let Ok(past) = recorder.read(&route, command.tag, None, 1, policy)
        {
            held.follow(past.last, stay, self.histories.now());
        }
    }

    /// What was sent to a channel.
    pub(super) fn past(&self, recorder: &dyn Recorder, command: &ReadHistory<'_>) -> Result<Reply, CommandError> {
        let since: Option<Position> = command.since.map(str::parse).transpose()?;
        let most = if command.limit == 0 { usize::MAX } else { command.limit as usize };
        let (id, policy) = self.recorded_on(command.tag, command.route)?;
        let route = self.hub.read().route_name(id).clone();
        let read = |after| recorder.read(&route, command.tag, after, most, policy);
        let mut past = read(since.map(|since| since.offset))?;
        let known =
            since.is_none_or(|since| since == Position::BEGINNING || since.epoch == past.last.epoch && since.offset <= past.last.offset);
        if !known {
            past = read(Some(0))?;
        }
        let Past { last, messages } = past;
        let expected = since.filter(|_| known).map_or(0, |since| since.offset) + 1;
        let first = messages.first().map_or(last.offset + 1, |sent| sent.offset);
        let recorded = |Sent { offset, time, binary, data, .. }: Sent| {
            let position = Position { epoch: last.epoch, offset }.to_string().into();
            Recorded { position, offset, time, binary, data }
        };
        Ok(Reply::History(Box::new(History {
            position: last.to_string().into(),
            complete: known && first == expected,
            messages: messages.into_iter().map(recorded).collect(),
        })))
    }
}

/// A tag that messages are wanted of although perhaps no client has it yet.
struct Watched<'a> {
    core: &'a Core,
    tag: &'a str,
}

impl<'a> Watched<'a> {
    fn begin(core: &'a Core, tag: &'a str) -> Watched<'a> {
        if let Some(watching) = core.engine.watch(Topic::Tag(tag)) {
            watching.wait();
        }
        Watched { core, tag }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.core.engine.unwatch(Topic::Tag(self.tag));
    }
}
