//! What a client sends faster than it may.

use fws_wire::Error;
use fws_wire::message::Item;

use super::ping::is_pong_to;
use super::{Phase, Session};
use crate::limits::Held;
use crate::{Exceed, Millis};

impl Session {
    /// Counts what was received. `true`: it is more than the route stands.
    ///
    /// Whatever costs more to handle than to receive counts as a message: pings, pongs that nobody asked for, short fragments.
    pub(super) fn is_overdrawn(&mut self, item: &Result<Option<Item<'_>>, Error>, bytes: usize, now: Millis) -> bool {
        let Some(limits) = self.limits.as_deref_mut() else { return false };
        let counts = match item {
            Ok(Some(Item::Message { .. })) => {
                limits.last_message = now;
                true
            }
            Ok(Some(Item::Ping(_))) => true,
            Ok(Some(Item::Pong(payload))) => !(self.pong_due && is_pong_to(payload.as_slice(), self.pings)),
            Ok(Some(Item::Close(_)) | None) | Err(_) => false,
        };
        let (Some(limit), Some(meter)) = (&self.settings.rate_limit, &mut limits.meter) else { return false };
        let messages = u64::from(counts) + u64::from(self.decoder.take_short_fragments());
        meter.charge(limit, messages, bytes, now);
        limit.exceed == Exceed::Close && meter.is_overdrawn()
    }

    /// Holds back what the client sent too early, if it did: `input` is kept, and nothing is read until [`Session::take_held`].
    pub(super) fn hold(&mut self, input: &mut &mut [u8]) -> bool {
        let Some(limits) = self.limits.as_deref_mut() else { return false };
        if let Some(held) = &mut limits.held {
            let input: &mut [u8] = std::mem::take(input);
            held.rest.extend_from_slice(input);
            return true;
        }
        let (Some(limit), Some(meter)) = (&self.settings.rate_limit, &mut limits.meter) else { return false };
        if limit.exceed == Exceed::Close || self.phase != Phase::Open {
            return false;
        }
        meter.charge(limit, 0, 0, self.last_heard);
        let Some(wait) = meter.wait(limit, !input.is_empty()) else { return false };
        limits.held = Some(Held { until: self.last_heard.saturating_add(wait), rest: std::mem::take(input).to_vec() });
        true
    }

    /// Whether the client sent too fast and is not read for the moment.
    pub fn is_held(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| limits.held.is_some())
    }

    /// What was held back and may be looked at now: it is to be given to [`Session::receive`]. `None`: nothing is, or not yet.
    pub fn take_held(&mut self, now: Millis) -> Option<Vec<u8>> {
        let limits = self.limits.as_deref_mut()?;
        let held = limits.held.take_if(|held| held.until <= now)?;
        self.heard(now);
        Some(held.rest)
    }
}
