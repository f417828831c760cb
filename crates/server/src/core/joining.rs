//! Joining a channel that several servers have in common.

use fws_engine::{Past, Recorder, Sent, Topic};
use fws_hub::command::{Tag, Tagged};
use fws_hub::{CommandError, HistoryPolicy, Position, Reply, RouteId};

use super::Core;
use super::channels::{Place, is_of};
use super::fetching::too_busy;
use super::histories::Greet;
use crate::shard::Missed;

/// So often it is tried to join a channel of which more was sent meanwhile than is remembered for those who join.
const ATTEMPTS: usize = 8;

impl Core {
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
        let _watched = Watched::begin(self, tag);
        let _remembered = self.missing.remember(route, tag);
        let place = Place { id, route, tag, policy };
        for _ in 0..ATTEMPTS {
            let at = self.histories.hold(id, tag).followed(self.stays.of(tag));
            let from = match at {
                None => since,
                Some(at) if at.epoch == since.epoch => Position { offset: at.offset.min(since.offset), ..at },
                Some(_) => Position::BEGINNING,
            };
            let past = self.read_on(recorder, place, Some(from), usize::MAX)?;
            if let Some(done) = self.join(place, command, (since, &mut greet), (at, from), past)? {
                return Ok(done);
            }
        }
        Err(too_busy())
    }

    /// Joins with what was read after a position, when the members were at another one. `None`: what they have been sent meanwhile is not known.
    fn join(
        &self,
        place: Place<'_>,
        command: &Tag<'_>,
        (since, greet): (Position, &mut Option<Greet<'_>>),
        (at, from): (Option<Position>, Position),
        mut past: Past,
    ) -> Result<Option<Reply>, CommandError> {
        let Place { id, route, tag, .. } = place;
        let mut held = self.histories.hold(id, tag);
        let stay = self.stays.of(tag);
        let now = held.followed(stay);
        let lacks = self.missing.add_lately(route, tag, &mut past);
        let epoch = past.last.epoch;
        let after = if from.epoch == epoch { from.offset } else { 0 };
        let fits = |now: Position| Some(now) == at || is_of(now, epoch) && after <= now.offset && now.offset <= past.read;
        if !now.is_none_or(fits) {
            return Ok(None);
        }
        let reached = match now {
            Some(now) => self.advance(&mut held, place, (now, stay), &past),
            None => Position { epoch, offset: past.read },
        };
        let seen = if since.epoch == epoch { since.offset } else { 0 };
        past.messages.retain(|sent| sent.offset > seen);
        let tagged = self.change(|hub| {
            let tagged = command.put_on(hub)?;
            if let (Tagged::Now(key), Some(greet)) = (tagged, greet.as_mut()) {
                greet(key, past.messages.last().map(|last| &*last.data));
            }
            Ok::<_, CommandError>(tagged)
        })?;
        held.follow(reached, self.stays.of(tag), self.histories.now());
        if lacks {
            self.missing.may_be_behind(route, tag);
        }
        let Tagged::Now(key) = tagged else { return Ok(Some(Reply::Flag(tagged == Tagged::Before))) };
        if greet.is_none() {
            self.send_missed(key, past.messages.into_iter().map(|Sent { binary, data, .. }| Missed { binary, data }));
        }
        Ok(Some(Reply::Flag(true)))
    }
}

/// A tag that messages are wanted of although perhaps no client has it yet.
struct Watched<'a> {
    core: &'a Core,
    tag: &'a str,
}

impl<'a> Watched<'a> {
    fn begin(core: &'a Core, tag: &'a str) -> Watched<'a> {
        let watched = Watched { core, tag };
        if let Some(watching) = core.engine.watch(Topic::Tag(tag)) {
            watching.wait();
        }
        watched
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.core.engine.unwatch(Topic::Tag(self.tag));
    }
}
