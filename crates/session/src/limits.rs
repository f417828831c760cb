//! What only some routes ask of their connections – a rate, an end to idleness, an end at all – kept in a box, so that the
//! connections of other routes pay a pointer for it.

use crate::rate::Meter;
use crate::{Millis, Settings};

/// The state of a connection whose [`Settings`] have a rate limit, an idle timeout or a longest life.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) meter: Option<Meter>,
    /// What the client sent too early, and when it is looked at. Meanwhile nothing is read.
    pub(crate) held: Option<Held>,
    pub(crate) last_message: Millis,
    /// When the connection began, or a configuration that asks for limits came.
    since: Millis,
    expires: Option<Millis>,
    /// When it is to leave because its route is gone.
    pub(crate) leave: Option<Millis>,
    /// This connection's share of the jitter, of 65,535.
    spread: u16,
}

#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) until: Millis,
    pub(crate) rest: Vec<u8>,
}

impl Limits {
    /// The limits of new settings, if they have any; `old` ones go on where they are the same.
    pub(crate) fn new(settings: &Settings, old: Option<(Box<Limits>, &Settings)>, now: Millis, seed: u32) -> Option<Box<Limits>> {
        let asked = settings.rate_limit.is_some() || settings.idle_timeout > 0 || settings.max_lifetime > 0;
        let meter = settings.rate_limit.as_ref().map(|limit| Meter::new(limit, now));
        let Some((mut limits, before)) = old else {
            return asked.then(|| Limits::begin(settings, meter, now, seed));
        };
        limits.leave = None;
        if settings.rate_limit != before.rate_limit {
            limits.meter = meter;
            if let Some(held) = &mut limits.held {
                held.until = now;
            }
        }
        if before.idle_timeout == 0 {
            limits.last_message = now;
        }
        if settings.max_lifetime != before.max_lifetime {
            limits.expires = limits.expiry(settings, now);
        }
        (asked || limits.held.is_some()).then_some(limits)
    }

    pub(crate) fn begin(settings: &Settings, meter: Option<Meter>, now: Millis, seed: u32) -> Box<Limits> {
        let spread = spread(seed);
        let mut limits = Limits { meter, held: None, last_message: now, since: now, expires: None, leave: None, spread };
        limits.expires = limits.expiry(settings, now);
        Box::new(limits)
    }

    /// When the connection is to be closed: after its longest life, ± 10 %, so that those that came together do not go together.
    fn expiry(&self, settings: &Settings, now: Millis) -> Option<Millis> {
        let life = settings.max_lifetime;
        let share = |part: Millis| (u128::from(part) * u128::from(self.spread) / u128::from(u16::MAX)) as Millis;
        (life > 0).then(|| {
            let expires = self.since.saturating_add(life - life / 10).saturating_add(share(life / 5));
            // A configuration that shortens lives must not end all of them at once.
            if expires > now { expires } else { now.saturating_add(share(life / 10)) }
        })
    }

    /// It has lived so long already, elsewhere.
    pub(crate) fn grow_old(&mut self, age: Millis, now: Millis) {
        self.since = now.saturating_sub(age);
        self.expires = self.expires.map(|expires| expires.saturating_sub(age).max(now));
    }

    /// Why the connection is to be closed now, if so.
    pub(crate) fn over(&self, settings: &Settings, now: Millis) -> Option<&'static str> {
        if self.leave.is_some_and(|leave| leave <= now) {
            Some("")
        } else if self.expires.is_some_and(|expires| expires <= now) {
            Some("max_lifetime is over")
        } else {
            self.idle_end(settings).filter(|end| *end <= now).map(|_| "no message within idle_timeout")
        }
    }

    /// When an open connection is to be closed.
    pub(crate) fn end(&self, settings: &Settings) -> Option<Millis> {
        [self.leave, self.expires, self.idle_end(settings)].into_iter().flatten().min()
    }

    fn idle_end(&self, settings: &Settings) -> Option<Millis> {
        // While it is we who do not look, its silence means nothing.
        (settings.idle_timeout > 0 && self.held.is_none()).then(|| self.last_message.saturating_add(settings.idle_timeout))
    }
}

/// Numbers that count up are spread evenly (multiplication by the golden ratio).
fn spread(seed: u32) -> u16 {
    (seed.wrapping_mul(0x9e37_79b9) >> 16) as u16
}
