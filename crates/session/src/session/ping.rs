//! Pings and pongs.

use fws_wire::frame::{Control, OpCode};

use super::{Phase, Session};
use crate::{Backlog, Millis, Spares};

/// The payload of a ping that is still to be answered. In a box of its own: a slice's pointer takes two words, and few have one.
#[derive(Debug)]
pub(super) struct LatePong(pub(super) Box<[u8]>);

/// The ping interval of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnInterval {
    /// None: that of its settings.
    Absent,
    Every(u32),
    Off,
}

const PING_SENT: u8 = 1;
const PONG_RECEIVED: u8 = 2;
pub(super) const BROKE_SILENCE: u8 = 4;

/// What [`Session::take_signs`] tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs {
    /// A ping was put into the outbox.
    pub ping_sent: bool,
    /// The pong to the last ping came.
    pub pong_received: bool,
    /// The client was silent since a ping, and something came from it: [`Session::deadline`] may be earlier now than it was.
    pub broke_silence: bool,
}

impl Session {
    /// The connection is pinged every so many milliseconds from now on, silent or not; 0: never; `None`: as its settings say.
    pub fn set_ping_interval(&mut self, interval: Option<u32>, now: Millis) {
        self.own_interval = match interval {
            None => OwnInterval::Absent,
            Some(0) => OwnInterval::Off,
            Some(every) => OwnInterval::Every(every),
        };
        // A ping that waits for its pong goes on to wait, unless nobody wants to know.
        if !self.pinged || self.own_interval == OwnInterval::Off {
            self.last_ping = now;
            self.pinged = false;
        }
    }

    /// What has happened to pings since the last call, for who measures their time.
    pub fn take_signs(&mut self) -> Signs {
        let signs = std::mem::take(&mut self.signs);
        let has = |sign| signs & sign != 0;
        Signs { ping_sent: has(PING_SENT), pong_received: has(PONG_RECEIVED), broke_silence: has(BROKE_SILENCE) }
    }

    /// Sends a ping now, unless one is unanswered or the connection is closing.
    pub fn ping(&mut self, now: Millis, spares: &mut Spares) {
        if self.phase != Phase::Open || self.pinged {
            return;
        }
        self.pinged = true;
        self.pong_due = true;
        self.last_ping = now;
        self.pings = self.pings.wrapping_add(1);
        self.signs |= PING_SENT;
        if let Some(kept) = &mut self.kept {
            kept.pinged(self.pings);
        }
        let number = self.pings.to_be_bytes();
        self.outbox(spares).encode(OpCode::Control(Control::Ping), &number);
    }

    pub(super) fn received_pong(&mut self, payload: &[u8]) {
        if let (Some(kept), Ok(number)) = (&mut self.kept, payload.try_into()) {
            kept.ponged(u32::from_be_bytes(number));
        }
        // RFC 6455, 5.5.3: a pong to a ping "must have identical 'Application data'"; others are a heartbeat of the client's own.
        if self.pong_due && is_pong_to(payload, self.pings) {
            self.pong_due = false;
            self.signs |= PONG_RECEIVED;
        }
    }

    pub(super) fn pong(&mut self, payload: &[u8], backlog: &Backlog, spares: &mut Spares) {
        // RFC 6455, 5.5.2: a pong is due "unless it already received a Close frame" (then nothing is decoded any more) – and none
        // may follow our own close frame (5.5.1).
        if self.phase != Phase::Open {
            return;
        }
        if backlog.is_over(self.outbox_len()) {
            self.late_pong = Some(Box::new(LatePong(payload.into())));
        } else {
            self.outbox(spares).encode(OpCode::Control(Control::Pong), payload);
        }
    }
}

/// RFC 6455, 5.5.3: a pong to a ping "must have identical 'Application data'".
pub(super) fn is_pong_to(payload: &[u8], ping: u32) -> bool {
    payload == ping.to_be_bytes()
}
