//! Channels whose history several servers have in common.
//!
//! A message is recorded in Redis and comes from there to every server with a client that has the tag, the one that sent it included. Each
//! server knows how far its members are: it sends them what comes next, leaves out what they have, and fetches what is missing after a broken
//! connection. That is decided while the channel is locked, as on a server that is alone. But nobody waits for Redis while it is: what is read there
//! is compared afterwards with how far the members are by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use fws_engine::{Past, Recorder, Sent};
use fws_hub::command::{ReadHistory, SendTo};
use fws_hub::{CommandError, Held, History, HistoryPolicy, Position, Recorded, Reply, RouteId, Target};
use hashbrown::DefaultHashBuilder;

use super::patience::Patience;
use super::{Caller, Core, Post};
use crate::log::Trouble;
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
pub(super) fn is_of(at: Position, epoch: u64) -> bool {
    at.epoch == epoch || at == Position::BEGINNING
}

/// How far a channel was before the first client here joined it.
pub(super) struct End {
    route: RouteId,
    tag: Arc<str>,
    at: Position,
}

/// A channel of a route.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub id: RouteId,
    pub route: &'a str,
    pub tag: &'a str,
    pub policy: HistoryPolicy,
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

    /// A message was recorded: the members on this server are sent it. Where some before it are missing, it waits until these are
    /// [fetched](Core::fetch_missed). This waits for nothing but the channel's lock, whose holders do not wait for Redis.
    pub(crate) fn recorded(&self, route: &str, tag: &str, epoch: u64, sent: &Sent) {
        if self.engine.recorder().is_none() {
            return;
        }
        let Some(&(id, policy)) = self.policies(tag, Some(route)).first() else { return };
        let place = Place { id, route, tag, policy };
        let mut held = self.histories.hold(id, tag);
        let stay = self.stays.of(tag);
        match held.followed(stay) {
            Some(at) if at.epoch == epoch && sent.offset <= at.offset => self.missing.pass(route, tag, epoch, sent),
            Some(at) if !is_of(at, epoch) || sent.offset > at.offset + 1 => self.missing.is_behind(route, tag, epoch, sent),
            Some(_) | None => {
                self.missing.pass(route, tag, epoch, sent);
                self.send_to_members(place, sent);
                held.follow(Position { epoch, offset: sent.offset }, stay, self.histories.now());
            }
        }
    }

    /// Sends the members what was read from where they are, or from the beginning where the past is another one. `at` is where they are, and the
    /// number of their stay; where they are then. Where Redis has lost the past and there is no other yet, they stay where they are: else what comes late of
    /// the old one would be taken for news.
    pub(super) fn advance(&self, held: &mut Held<'_>, place: Place<'_>, (at, stay): (Position, u64), past: &Past) -> Position {
        let Past { last, read, ref messages } = *past;
        let lost = last == Position::BEGINNING;
        #[cfg(feature = "simulation")]
        let lost = lost && !crate::simulation::has(crate::simulation::Flaw::FromTheBeginning);
        if lost {
            return at;
        }
        let after = if last.epoch == at.epoch { at.offset } else { 0 };
        let mut news = messages.iter().filter(|sent| sent.offset > after).peekable();
        let first = news.peek().map_or(read + 1, |sent| sent.offset);
        if first > after + 1 {
            add(&self.counters.history_gaps, 1);
            let message = "messages to a channel were lost: they did not come here, and they are not kept any more";
            let of: Arc<str> = place.route.into();
            self.log.burst(Trouble::Cluster, &of, message, || serde_json::Map::from_iter([("route".into(), place.route.into())]));
        }
        news.for_each(|sent| self.send_to_members(place, sent));
        let at = Position { epoch: last.epoch, offset: read.max(after) };
        held.follow(at, stay, self.histories.now());
        at
    }

    pub(super) fn send_to_members(&self, place: Place<'_>, sent: &Sent) {
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

    /// How far the channels are that these tags are on a route, where no client here is in them yet: to be asked before one is. So nothing is missed from
    /// then on, and what comes meanwhile is not taken for something that the client has been sent.
    pub(super) fn ends_of(&self, route: &str, tags: &[Arc<str>]) -> Vec<End> {
        let Some(recorder) = self.engine.recorder() else { return Vec::new() };
        if self.routes.read().with_channels.is_empty() {
            return Vec::new();
        }
        let end = |tag: &Arc<str>| {
            let &(route_id, policy) = self.policies(tag, Some(route)).first()?;
            if self.stays.of(tag) != 0 {
                return None;
            }
            // Where it is not known, the first message that comes says it.
            let at = recorder.read(route, tag, None, 1, policy).ok()?.last;
            Some(End { route: route_id, tag: tag.clone(), at })
        };
        tags.iter().filter_map(end).collect()
    }

    /// The first client here has joined channels that were so far before.
    pub(super) fn follow_from(&self, ends: Vec<End>) {
        for End { route, tag, at } in ends {
            let mut held = self.histories.hold(route, &tag);
            let stay = self.stays.of(&tag);
            match held.followed(stay) {
                None if stay != 0 => held.follow(at, stay, self.histories.now()),
                // A message from before has come late. Those between may have come when nobody here was in the channel.
                Some(now) if is_of(now, at.epoch) && now.offset < at.offset => {
                    drop(held);
                    let route = self.hub.read().route_name(route).clone();
                    self.missing.may_be_behind(&route, &tag);
                }
                // Later ones have come, or nobody is there any more.
                Some(_) | None => {}
            }
        }
    }

    /// What was sent to a channel.
    pub(super) fn past(&self, recorder: &dyn Recorder, command: &ReadHistory<'_>) -> Result<Reply, CommandError> {
        let since: Option<Position> = command.since.map(str::parse).transpose()?;
        let most = if command.limit == 0 { usize::MAX } else { command.limit as usize };
        let (id, policy) = self.recorded_on(command.tag, command.route)?;
        let route = self.hub.read().route_name(id).clone();
        let place = Place { id, route: &route, tag: command.tag, policy };
        let mut past = self.read_on(recorder, place, since, most)?;
        let known =
            since.is_none_or(|since| since == Position::BEGINNING || since.epoch == past.last.epoch && since.offset <= past.last.offset);
        if !known && since.is_some_and(|since| since.epoch == past.last.epoch) {
            past = self.read_on(recorder, place, Some(Position::BEGINNING), most)?;
        }
        let Past { last, mut messages, .. } = past;
        // Some may have gone while the others were read.
        let hole = messages.windows(2).rposition(|two| two[1].offset != two[0].offset + 1);
        messages.drain(..hole.map_or(0, |hole| hole + 1));
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
