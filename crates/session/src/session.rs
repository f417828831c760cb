//! The connection: what arrives, what is answered, how it ends.

use std::sync::Arc;

use fws_wire::close;
use fws_wire::message::{self, Decoder, Item, Payload};
use fws_wire::{Error, Owner, Peer};

use crate::compression::Compressor;
use crate::kept::Kept;
use crate::limits::Limits;
use crate::{Backlog, Closed, Compression, Failed, Millis, Outbox, Settings, Spares};

mod ending;
mod pace;
mod ping;
mod sending;
mod suspended;

pub use ping::Signs;
use ping::{BROKE_SILENCE, LatePong, OwnInterval};
pub use sending::{Posted, Taken};
pub use suspended::{Back, Luggage};

/// However slowly a client reads what waits: after this time from its beginning, the end of a connection is cut short.
const LONGEST_END: Millis = 60_000;

/// A message that was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Binary rather than text.
    pub binary: bool,
    /// The payload.
    pub payload: Payload<'a>,
}

/// The phases in which a connection can be (RFC 6455, 7).
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// There is no socket: the client is waited for. See [`Session::keep`].
    Suspended {
        since: Millis,
    },
    /// Our close frame is on its way; the client's is waited for. `since`: the last progress.
    Closing {
        begun: Millis,
        since: Millis,
    },
    /// No more frames either way: what waits is written, then our end is closed, then the client's is waited for.
    Ending {
        begun: Millis,
        since: Millis,
        half_closed: bool,
    },
    /// The socket can be closed.
    Ended,
}

/// One connection. An idle one owns no buffer.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    decoder: Decoder,
    compressor: Option<Box<Compressor>>,
    outbox: Option<Box<Outbox>>,
    phase: Phase,
    /// While the client's close frame is waited for, what ours said. Later how it ended, until [`Session::take_closed`] tells it.
    closed: Option<Box<Closed>>,
    /// The last ping while the outbox is over its limit: of several, only the latest must be answered (RFC 6455, 5.5.3).
    late_pong: Option<Box<LatePong>>,
    /// Only where the settings ask for some.
    limits: Option<Box<Limits>>,
    /// Only of a client that may come back.
    kept: Option<Box<Kept>>,
    last_heard: Millis,
    /// When the last ping was sent, or when this connection got its own interval.
    last_ping: Millis,
    /// An interval of its own, at which it is pinged whether it is silent or not.
    own_interval: OwnInterval,
    /// How many pings were sent: each carries its number, so that its pong is told from others.
    pings: u32,
    /// Nothing was heard since the last ping.
    pinged: bool,
    /// The pong to the last ping has not come.
    pong_due: bool,
    /// What [`Session::take_signs`] will tell, a bit for each: there is one of these for each connection.
    signs: u8,
}

impl Session {
    /// A connection whose opening handshake is done. `seed`: its share of the jitter in [`Settings::max_lifetime`]; seeds that count up
    /// are spread evenly.
    pub fn new(settings: Arc<Settings>, now: Millis, seed: u32) -> Session {
        Session {
            limits: Limits::new(&settings, None, now, seed),
            settings,
            decoder: Decoder::default(),
            compressor: None,
            outbox: None,
            phase: Phase::Open,
            closed: None,
            late_pong: None,
            kept: None,
            last_heard: now,
            last_ping: now,
            own_interval: OwnInterval::Absent,
            pings: 0,
            pinged: false,
            pong_due: false,
            signs: 0,
        }
    }

    /// With what was agreed on in the handshake. `owner`: who pays for what its compression keeps between messages.
    pub fn with_compression(mut self, compression: Option<Compression>, owner: Owner, spares: &Spares) -> Session {
        if let Some(compression) = compression {
            self.decoder = Decoder::with_compression(&compression.params, spares.pool.shelf(), owner);
            self.compressor = Some(Box::new(Compressor::new(compression, spares.pool.shelf(), owner)));
        }
        self
    }

    /// Other settings hold from now on; times that the old ones did not count are counted from now on. See [`Session::new`].
    pub fn configure(&mut self, settings: Arc<Settings>, now: Millis, seed: u32) {
        let old = self.limits.take().map(|limits| (limits, &*self.settings));
        self.limits = Limits::new(&settings, old, now, seed);
        self.settings = settings;
    }

    /// The connection is to be closed with 1001 at that time, unless other settings come before.
    pub fn leave(&mut self, at: Millis, now: Millis) {
        if matches!(self.phase, Phase::Open | Phase::Suspended { .. }) {
            self.limits.get_or_insert_with(|| Limits::begin(&self.settings, None, now, 0)).leave = Some(at);
        }
    }

    /// When it leaves, if it was told to.
    pub fn leaves_at(&self) -> Option<Millis> {
        self.limits.as_ref().and_then(|limits| limits.leave)
    }

    /// Bytes arrived: takes the next message out of `input`, which is advanced. `None`: `input` is used up, or the connection ended.
    ///
    /// Pings and close frames are answered and violations failed with the right code on the way. `peer`: whose bytes they are, for what all
    /// share.
    pub fn receive<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        now: Millis,
        peer: Peer,
        backlog: &Backlog,
        spares: &mut Spares,
    ) -> Option<Message<'a>> {
        self.last_heard = now;
        if std::mem::take(&mut self.pinged) {
            self.signs |= BROKE_SILENCE;
        }
        let limits = message::Limits { max_message_size: self.settings.max_message_size, max_frame_size: self.settings.max_frame_size };
        while matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            if self.limits.is_some() && self.hold(input) {
                return None;
            }
            let before = input.len();
            let item = self.decoder.next(input, &limits, &mut spares.pool);
            if self.limits.is_some() && self.is_overdrawn(&item, before - input.len(), now) {
                self.fail(Failed::Violation, close::POLICY, "more was sent than rate_limit allows", now, spares);
                return None;
            }
            match item {
                Ok(None) => {
                    if let Err(error) = self.decoder.end_read(now, peer, &spares.pool) {
                        self.fail_for(error, now, spares);
                        return None;
                    }
                    if self.limits.is_some() {
                        self.hold(input);
                    }
                    return None;
                }
                Ok(Some(Item::Message { binary, payload })) => {
                    if let Some(kept) = &mut self.kept {
                        kept.received += 1;
                    }
                    return Some(Message { binary, payload });
                }
                Ok(Some(Item::Ping(payload))) => self.pong(payload.as_slice(), backlog, spares),
                Ok(Some(Item::Pong(payload))) => self.received_pong(payload.as_slice()),
                Ok(Some(Item::Close(frame))) => self.received_close(frame, now, spares),
                Err(error) => self.fail_for(error, now, spares),
            }
        }
        None
    }

    /// The [`Budget`](fws_wire::Budget) of unfinished messages says that this connection's has to go. Nothing happens if it is whole by now.
    pub fn evict(&mut self, now: Millis, spares: &mut Spares) {
        if matches!(self.phase, Phase::Open | Phase::Closing { .. }) && self.decoder.is_evicted() {
            self.fail_for(Error::NoRoom, now, spares);
        }
    }

    /// What is left of a read is kept for the next turn, when messages have become much longer than what came: some KiB can be inflated
    /// to many MiB. `false`: nothing is compressed here, it need not be.
    pub fn put_by(&mut self, rest: &[u8]) -> bool {
        if let Some(compressor) = &mut self.compressor {
            compressor.rest.extend_from_slice(rest);
        }
        self.compressor.is_some()
    }

    /// Whether something was [put by](Session::put_by).
    pub fn has_rest(&self) -> bool {
        self.compressor.as_ref().is_some_and(|compressor| !compressor.rest.is_empty())
    }

    /// What was [put by](Session::put_by): to be received before anything else.
    pub fn take_rest(&mut self) -> Option<Vec<u8>> {
        let rest = &mut self.compressor.as_mut()?.rest;
        (!rest.is_empty()).then(|| std::mem::take(rest))
    }

    /// The client is known to be there, or not listened to.
    pub fn heard(&mut self, now: Millis) {
        self.decoder.excuse(now);
        self.last_heard = now;
        self.pinged = false;
        if let Some(limits) = &mut self.limits {
            limits.last_message = now;
        }
        if let Phase::Closing { since, .. } = &mut self.phase {
            *since = now;
        }
    }

    /// Does what is due; [`Session::deadline`] says when to call again.
    pub fn tick(&mut self, now: Millis, spares: &mut Spares) {
        if let Some(limits) = self.limits.as_deref_mut().filter(|_| self.phase == Phase::Open) {
            if let Some(reason) = limits.over(&self.settings, now) {
                return self.close(close::GOING_AWAY, reason, now, spares);
            }
            if limits.held.is_some() {
                // Its pong may lie in what is not looked at.
                self.heard(now);
            }
        }
        if self.message_due().is_some_and(|due| due <= now) {
            let reason = "a message was not complete within message_timeout";
            return self.fail(Failed::Unfinished, close::TRY_AGAIN_LATER, reason, now, spares);
        }
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        match self.phase {
            Phase::Open if self.pinged => self.lose("the client answered no ping", now),
            Phase::Open => self.ping(now, spares),
            Phase::Suspended { .. } => self.give_up(now),
            Phase::Closing { .. } => self.cut("the client did not answer the close frame"),
            Phase::Ending { .. } => self.phase = Phase::Ended,
            Phase::Ended => {}
        }
    }

    /// When [`Session::tick`] has something to do, if nothing happens until then.
    pub fn deadline(&self) -> Option<Millis> {
        let limits = self.limits.as_deref();
        let end = limits.filter(|_| self.phase == Phase::Open).and_then(|limits| limits.end(&self.settings));
        let held = limits.and_then(|limits| limits.held.as_ref()).map(|held| held.until);
        [self.due(), end, held, self.message_due()].into_iter().flatten().min()
    }

    /// When a message that is half-received must be whole. Whoever goes on sending at a kB a second has time without end; who dribbles
    /// has not.
    pub fn message_due(&self) -> Option<Millis> {
        let timeout = self.settings.message_timeout;
        if timeout == 0 || self.phase != Phase::Open {
            return None;
        }
        let (since, came) = self.decoder.half_received()?;
        Some(since.saturating_add(timeout).saturating_add(came))
    }

    /// When the phase has something to do.
    fn due(&self) -> Option<Millis> {
        let settings = &self.settings;
        match self.phase {
            Phase::Open if self.pinged => Some(self.last_ping + settings.pong_timeout),
            Phase::Open => match self.own_interval {
                OwnInterval::Every(every) => Some(self.last_ping + Millis::from(every)),
                // However much is heard of the client: only a pong proves what has arrived.
                OwnInterval::Absent | OwnInterval::Off if self.is_unproved() => Some(self.last_ping + self.proof_interval()),
                OwnInterval::Absent if settings.ping_interval > 0 => Some(self.last_heard + settings.ping_interval),
                OwnInterval::Absent | OwnInterval::Off => None,
            },
            Phase::Suspended { since } => Some(self.waited_for_until(since)),
            Phase::Closing { begun, since } => Some((since + settings.close_timeout).min(begun + LONGEST_END)),
            Phase::Ending { begun, since, .. } => Some((since + settings.linger).min(begun + LONGEST_END)),
            Phase::Ended => None,
        }
    }

    /// Whether the socket should be read: not while too much waits to be written, or the client sent too fast. In the last phase what comes
    /// is thrown away.
    pub fn wants_read(&self, backlog: &Backlog) -> bool {
        !backlog.is_over(self.outbox_len()) && self.phase != Phase::Ended && !self.is_held()
    }
}

#[cfg(test)]
mod tests;
