//! Histories: what is sent to channels is recorded, and sent to clients that join later.

use std::collections::VecDeque;
use std::sync::Arc;

use fws_engine::Topic;
use fws_hub::command::{ClearHistory, ClearTags, ReadHistory, SendTo, Tag, Tagged, Untag, check_tag};
use fws_hub::{CommandError, Held, History, HistoryPolicy, Kept, Key, Position, Recorded, Reply, RouteId, Target};

use super::Core;
use super::channels::End;
use crate::clock;
use crate::shard::{Missed, Op};

/// The histories that a message was recorded in. They are locked until it is posted: so nobody joins in between, and the next message is posted
/// behind it.
#[must_use]
pub(super) struct Recording<'a> {
    core: &'a Core,
    held: Vec<Held<'a>>,
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.held.clear();
            self.core.histories.make_room();
        }
    }
}

/// Called with a client that has just got a tag and with the last message of the tag's history, while nothing can be sent to the tag.
pub(super) type Greet<'a> = &'a mut dyn FnMut(Key, Option<&[u8]>);

impl Core {
    /// Records a message to a tag in the history of each route that keeps one, if it is meant for clients of that route.
    pub(super) fn record(&self, message: &SendTo<'_>) -> Result<Recording<'_>, CommandError> {
        let mut recording = Recording { core: self, held: Vec::new() };
        let Target::Tag(tag) = message.to else { return Ok(recording) };
        check_tag(tag)?;
        let kept = self.policies(tag, message.route);
        if kept.is_empty() || self.engine.recorder().is_some() {
            return Ok(recording);
        }
        let data: Arc<[u8]> = message.data[..].into();
        for &(route, policy) in &kept {
            let mut held = self.histories.hold(route, tag);
            self.histories
                .run(|now| held.record(message.binary, data.clone(), policy, now, clock::unix_millis()), || self.shards[0].wake());
            recording.held.push(held);
        }
        Ok(recording)
    }

    /// The routes in force that keep a history of a tag, in the order in which their channels are locked.
    pub(super) fn policies(&self, tag: &str, only: Option<&str>) -> Vec<(RouteId, HistoryPolicy)> {
        let routes = self.routes.read();
        let asked = routes.with_channels.iter().filter(|route| only.is_none_or(|only| *route.name == *only));
        asked.filter_map(|route| Some((route.id, route.channel(tag)?.history?))).collect()
    }

    /// The route whose history of a tag is meant.
    pub(super) fn recorded_on(&self, tag: &str, route: Option<&str>) -> Result<(RouteId, HistoryPolicy), CommandError> {
        self.hub.read().check_route(route)?;
        match self.policies(tag, route)[..] {
            [found] => Ok(found),
            [] => Err(CommandError::NoHistory),
            [_, _, ..] => Err(CommandError::SeveralHistories),
        }
    }

    pub(super) fn history(&self, command: &ReadHistory<'_>) -> Result<Reply, CommandError> {
        let since: Option<Position> = command.since.map(str::parse).transpose()?;
        let most = if command.limit == 0 { usize::MAX } else { command.limit as usize };
        let (route, _) = self.recorded_on(command.tag, command.route)?;
        let Some(read) = self.histories.read(route, command.tag, since, most) else {
            // Nobody has ever sent anything, or it was long ago.
            let complete = since.is_none_or(|since| since == Position::BEGINNING);
            let position = Position::BEGINNING.to_string().into();
            return Ok(Reply::History(Box::new(History { position, complete, messages: Vec::new() })));
        };
        let epoch = read.last.epoch;
        let recorded = |Kept { offset, time, binary, data, .. }: Kept| {
            let position = Position { epoch, offset }.to_string().into();
            Recorded { position, offset, time, binary, data }
        };
        Ok(Reply::History(Box::new(History {
            position: read.last.to_string().into(),
            complete: read.complete,
            messages: read.messages.into_iter().map(recorded).collect(),
        })))
    }

    pub(super) fn clear_history(&self, command: &ClearHistory<'_>) -> Result<Reply, CommandError> {
        let (route, _) = self.recorded_on(command.tag, command.route)?;
        if let Some(recorder) = self.engine.recorder() {
            let name = self.hub.read().route_name(route).clone();
            return Ok(Reply::Flag(recorder.clear(&name, command.tag)?));
        }
        Ok(Reply::Flag(self.histories.clear(route, command.tag)))
    }

    /// Gives a client a tag, and sends it what it has missed of the tag's history if that is asked for.
    pub(super) fn tag(&self, command: &Tag<'_>) -> Result<Reply, CommandError> {
        self.tag_and(command, None)
    }

    /// The same. A client that gets the tag now is greeted in between what was sent to the tag before and what is sent to it from then on, and what
    /// it has missed is left to that.
    pub(super) fn tag_and(&self, command: &Tag<'_>, mut greet: Option<Greet<'_>>) -> Result<Reply, CommandError> {
        let Some(since) = command.since else {
            let ends = self.ends_before(command);
            let tagged = self.change_and_wait([Topic::Tag(command.tag)], |hub| {
                let tagged = command.put_on(hub)?;
                if let (Tagged::Now(key), Some(greet)) = (tagged, &mut greet) {
                    greet(key, None);
                }
                Ok(Reply::Flag(tagged != Tagged::Gone))
            });
            self.follow_from(ends);
            return tagged;
        };
        let since: Position = since.parse()?;
        let Some(name) = self.hub.read().client(command.id).map(|(conn, ..)| conn.route_name.clone()) else {
            return Ok(Reply::Flag(false));
        };
        let Some(&(route, policy)) = self.policies(command.tag, Some(&name)).first() else { return Err(CommandError::NoHistory) };
        if let Some(recorder) = self.engine.recorder() {
            return self.tag_with_past(recorder, command, (since, greet), (route, &name, policy));
        }
        let mut held = self.histories.hold(route, command.tag);
        let missed = self.histories.run(|now| held.read(Some(since), usize::MAX, now), || self.shards[0].wake()).messages;
        let tagged = self.change_and_wait([Topic::Tag(command.tag)], |hub| {
            let tagged = command.put_on(hub)?;
            if let (Tagged::Now(key), Some(greet)) = (tagged, &mut greet) {
                greet(key, missed.last().map(|last| &*last.data));
            }
            Ok::<_, CommandError>(tagged)
        })?;
        let key = match tagged {
            Tagged::Now(key) => key,
            // What is sent to the tag reaches it already.
            Tagged::Before => return Ok(Reply::Flag(true)),
            Tagged::Gone => return Ok(Reply::Flag(false)),
        };
        if greet.is_some() {
            return Ok(Reply::Flag(true));
        }
        self.send_missed(key, missed.into_iter().map(|Kept { binary, data, .. }| Missed { binary, data }));
        Ok(Reply::Flag(true))
    }

    /// How far a channel is that a client is about to join as the first one here.
    fn ends_before(&self, command: &Tag<'_>) -> Vec<End> {
        if self.engine.recorder().is_none() {
            return Vec::new();
        }
        let route = self.hub.read().client(command.id).map(|(conn, ..)| conn.route_name.clone());
        route.map(|route| self.ends_of(&route, &[command.tag.into()])).unwrap_or_default()
    }

    /// Takes a tag off a client. What is being sent to a channel is posted first: so a client that has left gets nothing more of it, and where
    /// it has read to is where it goes on.
    pub(super) fn untag(&self, command: &Untag<'_>) -> Result<Reply, CommandError> {
        let _quiet = self.channel_of(command.id, command.tag);
        self.change(|hub| command.apply(hub))
    }

    /// Takes all tags off a client: those that are channels first, one by one.
    pub(super) fn clear_tags(&self, command: &ClearTags<'_>) -> Result<Reply, CommandError> {
        let tags = self.hub.read().client(command.id).map(|(_, tags, _)| tags.to_vec()).unwrap_or_default();
        for tag in &tags {
            if let Some(_quiet) = self.channel_of(command.id, tag) {
                self.change(|hub| Untag { id: command.id, tag }.apply(hub))?;
            }
        }
        Ok(self.change(|hub| command.apply(hub)))
    }

    /// The channel that a tag is for a client, locked, if it has ever had a message.
    fn channel_of(&self, id: &str, tag: &str) -> Option<Held<'_>> {
        if self.routes.read().with_channels.is_empty() {
            return None;
        }
        let route = self.hub.read().client(id).map(|(conn, ..)| conn.route_name.clone())?;
        let &(route, _) = self.policies(tag, Some(&route)).first()?;
        self.histories.find(route, tag)
    }

    /// Sends a client what it has missed, before all that is sent to it from now on.
    pub(super) fn send_missed(&self, key: Key, missed: impl Iterator<Item = Missed>) {
        let messages: VecDeque<Missed> = missed.collect();
        if !messages.is_empty() {
            self.post(key, Op::CatchUp { key, messages });
        }
    }
}
