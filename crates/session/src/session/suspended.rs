//! A client whose network is away, and which may come back.
//!
//! What such a client is sent is [kept](crate::kept) until it has arrived. If the connection breaks, the session is suspended: it has no
//! socket, what is sent to the client is kept for it, and nobody is told an end. When the client is back in time, it gets on its new
//! connection what it has missed.

use std::sync::Arc;

use fws_wire::Owner;
use fws_wire::message::Decoder;

use super::{OwnInterval, Phase, Posted, Session, Taken};
use crate::compression::Compressor;
use crate::kept::Kept;
use crate::{Backlog, Compression, Frame, KeptMemory, Millis, Progress, Settings, Spares};

/// What a client is sent is kept so long at most until it is pinged, where the settings ask for no pings.
pub(super) const PROOF_INTERVAL: Millis = 30_000;

/// A client that is back.
#[derive(Debug)]
pub struct Back<'a> {
    /// The number of the last message that the client has got.
    pub arrived: u64,
    /// What was agreed on in its new handshake. A frame that was compressed for the old connection must be readable on this one.
    pub compression: Option<Compression>,
    /// Who pays for what its compression keeps between messages.
    pub owner: Owner,
    /// The first message on the new connection, text. It is not kept.
    pub greeting: &'a str,
}

/// What a session takes along that goes to another server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Luggage {
    /// What may not have arrived, in order.
    pub frames: Vec<Frame>,
    /// How far the client is.
    pub progress: Progress,
    /// See [`Session::set_ping_interval`].
    pub ping_interval: Option<u32>,
}

impl Session {
    /// Takes out of a suspended session what it needs elsewhere. It is of no use any more. `None`: it is not suspended, or its client cannot come
    /// back.
    pub fn pack(&mut self) -> Option<Luggage> {
        let suspended = self.is_suspended();
        let kept = self.kept.as_mut().filter(|kept| suspended && !kept.is_lost())?;
        let progress = kept.progress();
        let ping_interval = match self.own_interval {
            OwnInterval::Absent => None,
            OwnInterval::Off => Some(0),
            OwnInterval::Every(every) => Some(every),
        };
        self.phase = Phase::Ended;
        Some(Luggage { frames: kept.pack(), progress, ping_interval })
    }

    /// A suspended session that comes from another server, `age` milliseconds after the client came there. See [`Session::new`].
    pub fn unpack(settings: Arc<Settings>, now: Millis, seed: u32, memory: Arc<KeptMemory>, luggage: Luggage, age: Millis) -> Session {
        let Luggage { frames, progress, ping_interval } = luggage;
        let mut session = Session::new(settings, now, seed);
        if let Some(limits) = &mut session.limits {
            limits.grow_old(age, now);
        }
        session.kept = Some(Box::new(Kept::unpack(memory, frames, progress, session.settings.backlog.max_outbox)));
        session.set_ping_interval(ping_interval, now);
        session.phase = Phase::Suspended { since: now };
        session
    }

    /// Keeps what is sent from now on until it has arrived, so that the client may come back for it. `memory`: what all clients share.
    pub fn keep(&mut self, memory: Arc<KeptMemory>) {
        self.kept = Some(Box::new(Kept::new(memory)));
    }

    /// Whether what is sent is kept, or was until it could not be.
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// How far the client is, if what it is sent is kept.
    pub fn progress(&self) -> Option<Progress> {
        self.kept.as_ref().map(|kept| kept.progress())
    }

    /// Whether the client has proved that it got the first message of this connection.
    pub fn is_greeted(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_greeted())
    }

    /// Whether there is no socket, and the client is waited for.
    pub fn is_suspended(&self) -> bool {
        matches!(self.phase, Phase::Suspended { .. })
    }

    /// Whether it should be found out some time what has arrived.
    pub(super) fn is_unproved(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_unproved())
    }

    /// How long that may take.
    pub(super) fn proof_interval(&self) -> Millis {
        if self.settings.ping_interval > 0 { self.settings.ping_interval } else { PROOF_INTERVAL }
    }

    /// Pings the client if much is kept for it, to learn what has arrived.
    pub fn probe(&mut self, now: Millis, spares: &mut Spares) {
        if self.kept.as_ref().is_some_and(|kept| kept.wants_probe(self.settings.backlog.max_outbox)) {
            self.ping(now, spares);
        }
    }

    /// The connection is lost: suspended if the client may come back, ended otherwise.
    pub(super) fn lose(&mut self, reason: &str, now: Millis) {
        if !self.suspend(now) {
            self.cut(reason);
        }
    }

    /// There is no socket from now on, and the client is waited for. `false`: it may not come back.
    pub fn suspend(&mut self, now: Millis) -> bool {
        let leaves = self.leaves_at().is_some();
        let Some(kept) = self.kept.as_mut().filter(|kept| !kept.is_lost()) else { return false };
        if self.phase != Phase::Open || self.settings.resume_window == 0 || leaves {
            return false;
        }
        kept.disconnected();
        self.phase = Phase::Suspended { since: now };
        self.decoder = Decoder::default();
        self.compressor = None;
        self.outbox = None;
        self.late_pong = None;
        self.pinged = false;
        self.pong_due = false;
        if let Some(limits) = &mut self.limits {
            // It was received but not looked at, so the client is told that it did not arrive.
            limits.held = None;
        }
        true
    }

    /// Until when a client is waited for that has been away since `since`.
    pub(super) fn waited_for_until(&self, since: Millis) -> Millis {
        let end = since.saturating_add(self.settings.resume_window);
        self.leaves_at().map_or(end, |leaves| end.min(leaves))
    }

    /// The client has not come back in time.
    pub(super) fn give_up(&mut self, now: Millis) {
        if self.leaves_at().is_some_and(|leaves| leaves <= now) {
            self.cut("the client was away when its route went");
        } else {
            self.cut("the client did not come back within the time of resume");
        }
    }

    /// A client that is about to come back is waited for so long at least.
    pub fn wait_until(&mut self, at: Millis) {
        let window = self.settings.resume_window;
        if let Phase::Suspended { since } = &mut self.phase {
            *since = (*since).max(at.saturating_sub(window));
        }
    }

    /// The client has a new connection: it gets what it has missed. `false`: nothing happens, since the session is not suspended, or the
    /// client has got more than was sent, or less than it has proved.
    pub fn come_back(&mut self, back: Back<'_>, now: Millis, spares: &mut Spares) -> bool {
        let Some(mut kept) = self.kept.take() else { return false };
        let Progress { arrived, sent, lost, .. } = kept.progress();
        if !self.is_suspended() || lost || !(arrived..=sent).contains(&back.arrived) {
            self.kept = Some(kept);
            return false;
        }
        if let Some(compression) = back.compression {
            self.decoder = Decoder::with_compression(&compression.params, spares.pool.shelf(), back.owner);
            self.compressor = Some(Box::new(Compressor::new(compression, spares.pool.shelf(), back.owner)));
        }
        self.phase = Phase::Open;
        self.heard(now);
        self.last_ping = now;
        self.send_message(false, back.greeting.as_bytes(), spares);
        for frame in kept.returned(back.arrived) {
            self.send(frame.clone(), spares);
        }
        self.kept = Some(kept);
        // Its pong proves that the greeting has arrived, and with it all that was sent again.
        self.ping(now, spares);
        true
    }

    /// Keeps what is sent to a client that is away.
    pub(super) fn keep_posted(&mut self, posted: Posted<'_>, backlog: &Backlog) -> Taken {
        let frame = match posted {
            Posted::Frame(frame) => frame,
            Posted::Message { binary, payload, reserved: _ } => Frame::message(binary, payload),
        };
        let Some(kept) = &mut self.kept else { return Taken::Closing };
        let before = kept.len();
        if kept.push(frame, backlog.max_outbox()) {
            return Taken::Queued { dropped: 0 };
        }
        backlog.count_dropped(before + 1);
        self.cut("what was sent to the client while it was away could not be kept");
        Taken::NotKept { dropped: before }
    }

    /// Keeps a message that is being sent.
    pub(super) fn keep_frame(&mut self, frame: Frame, most: usize) {
        if let Some(kept) = &mut self.kept {
            kept.push(frame, most);
        }
    }

    /// The client will not get all messages, so it cannot come back.
    pub(super) fn lose_kept(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.break_off();
        }
    }

    /// Messages that were kept for a client that will not come back. Told once.
    pub fn take_kept(&mut self) -> u64 {
        self.kept.as_mut().map_or(0, |kept| kept.lose())
    }
}
