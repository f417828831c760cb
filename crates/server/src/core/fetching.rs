//! Fetching what channels have missed, page by page.

use fws_engine::{Past, Recorder};
use fws_hub::{ClusterError, CommandError, Position};

use super::Core;
use super::channels::{Place, is_of};
use super::missing::Name;

impl Core {
    /// What is kept after a position, or the last messages, at most so many. What comes while it is read is not read for ever. Some in between are not
    /// there if they went meanwhile.
    pub(super) fn read_on(
        &self,
        recorder: &dyn Recorder,
        place: Place<'_>,
        after: Option<Position>,
        most: usize,
    ) -> Result<Past, CommandError> {
        let Place { route, tag, policy, .. } = place;
        let mut past = recorder.read(route, tag, after, most, policy)?;
        let mut end = past.last.offset;
        while past.read < end && past.messages.len() < most {
            let at = Position { offset: past.read, ..past.last };
            let Past { last, read, messages } = recorder.read(route, tag, Some(at), most - past.messages.len(), policy)?;
            if last.epoch != at.epoch {
                // That is another past, from its beginning.
                past.messages.clear();
                end = last.offset;
            }
            past.messages.extend(messages);
            (past.last, past.read) = (last, read);
        }
        Ok(past)
    }

    /// Fetches a page of what the members of a channel have missed, and sends it to them. `true`: there is more. An error says that it cannot be had
    /// now.
    pub(crate) fn fetch_missed(&self, name: &Name) -> Result<bool, CommandError> {
        let (route, tag) = (&*name.route, &*name.tag);
        let (Some(recorder), Some(&(id, policy))) = (self.engine.recorder(), self.policies(tag, Some(route)).first()) else {
            self.missing.is_there(name);
            return Ok(false);
        };
        let place = Place { id, route, tag, policy };
        let at = {
            let held = self.histories.hold(id, tag);
            let Some(at) = held.followed(self.stays.of(tag)) else {
                // Nobody has the tag, or nobody has been sent anything.
                self.missing.is_there(name);
                return Ok(false);
            };
            at
        };
        let asked = self.missing.asked(name);
        let past = recorder.read(route, tag, Some(at), usize::MAX, policy)?;
        let mut held = self.histories.hold(id, tag);
        let stay = self.stays.of(tag);
        let mut at = match held.followed(stay) {
            // They have been sent more meanwhile.
            Some(now) if now == at || now.epoch == at.epoch && now.epoch == past.last.epoch => {
                self.advance(&mut held, place, (now, stay), &past)
            }
            Some(_) => return Ok(true),
            None => {
                self.missing.is_there(name);
                return Ok(false);
            }
        };
        for (epoch, sent) in self.missing.lately(name) {
            if is_of(at, epoch) && sent.offset == at.offset + 1 {
                self.send_to_members(place, &sent);
                at = Position { epoch, offset: sent.offset };
            }
        }
        held.follow(at, stay, self.histories.now());
        self.missing.forget_until(name, at);
        Ok(past.read < past.last.offset || !self.missing.is_there_if(name, asked, at))
    }

    /// Has all channels fetched of which something may be missing: the connection to Redis was broken.
    pub(crate) fn all_may_be_behind(&self) {
        for (id, tag) in self.histories.known() {
            let route = self.hub.read().route_name(id).clone();
            self.missing.may_be_behind(&route, &tag);
        }
    }

    /// Whether Redis can be reached, as far as is known.
    pub(crate) fn can_fetch(&self) -> bool {
        self.engine.standing().is_some_and(|standing| standing.trouble.is_none())
    }
}

/// Others have changed the channel each time that it was looked at.
pub(super) fn too_busy() -> CommandError {
    ClusterError::Timeout.into()
}
