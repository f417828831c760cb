//! How a connection ends: the closing handshake, failures, cuts.

use fws_wire::close::{self, CloseFrame};
use fws_wire::frame::{Control, OpCode};
use fws_wire::message::Decoder;
use fws_wire::{Error, Fault};

use super::{Phase, Session};
use crate::{Closed, Failed, Millis, Spares};

impl Session {
    /// Starts the closing handshake; nothing happens if it has begun. Messages queued before are still written.
    pub fn close(&mut self, code: u16, reason: &str, now: Millis, spares: &mut Spares) {
        if self.phase == Phase::Open {
            self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(code, reason));
            self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: None }));
            self.phase = Phase::Closing { begun: now, since: now };
            // Its answer may lie behind what it sent too fast.
            if let Some(held) = self.limits.as_mut().and_then(|limits| limits.held.as_mut()) {
                held.until = now;
            }
        } else if self.is_suspended() {
            // There is nobody to answer.
            self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: None }));
            self.ended();
        }
    }

    pub(super) fn received_close(&mut self, frame: CloseFrame, now: Millis, spares: &mut Spares) {
        let closed = match self.closed.take() {
            Some(ours) => Closed { clean: true, ..*ours },
            None => {
                // RFC 6455, 5.5.1: "When sending a Close frame in response, the endpoint typically echos the status code it received."
                self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(frame.code, ""));
                Closed { code: frame.code, reason: frame.reason, clean: true, failed: None }
            }
        };
        self.closed = Some(Box::new(closed));
        self.end(now);
    }

    pub(super) fn fail_for(&mut self, error: Error, now: Millis, spares: &mut Spares) {
        let why = match error.fault() {
            Fault::NoRoom => Failed::NoRoom,
            Fault::WindowLost => Failed::WindowLost,
            Fault::Peer => Failed::Violation,
        };
        self.fail(why, error.close_code(), &error.to_string(), now, spares);
    }

    /// RFC 6455, 7.1.7: "Fail the WebSocket Connection": our close frame, then no more is looked at.
    pub(super) fn fail(&mut self, why: Failed, code: u16, reason: &str, now: Millis, spares: &mut Spares) {
        // The first close frame is the one that counts: ours, if it is on its way already.
        let code = match self.closed.take() {
            Some(ours) => ours.code,
            None => {
                self.outbox(spares).encode(OpCode::Control(Control::Close), &close::body(code, reason));
                code
            }
        };
        self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: Some(why) }));
        self.end(now);
    }

    /// No more frames: what they needed is given up.
    pub(super) fn end(&mut self, now: Millis) {
        self.phase = Phase::Ending { begun: now, since: now, half_closed: false };
        self.decoder = Decoder::default();
        self.compressor = None;
        self.limits = None;
    }

    /// The client closed its end, or the socket failed.
    pub fn disconnected(&mut self, now: Millis) {
        // It is known already: the end of a connection may be told twice in a turn.
        if self.is_suspended() {
            return;
        }
        let reason = match self.phase {
            Phase::Open => "the connection was cut without a close frame",
            _ => "the connection was cut before the closing handshake was complete",
        };
        self.lose(reason, now);
    }

    /// Ends at once, without a handshake: `reason` is for the event.
    pub fn cut(&mut self, reason: &str) {
        if matches!(self.phase, Phase::Open | Phase::Suspended { .. } | Phase::Closing { .. }) {
            let code = self.closed.as_deref().map_or(close::ABNORMAL, |ours| ours.code);
            self.closed = Some(Box::new(Closed { code, reason: reason.to_owned(), clean: false, failed: None }));
        }
        self.ended();
    }

    fn ended(&mut self) {
        self.phase = Phase::Ended;
        self.outbox = None;
        self.late_pong = None;
        self.limits = None;
    }

    /// Whether our close frame is on its way, and the client's is waited for.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// Whether what is read is of no interest any more, so that it can be dropped unseen.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::Ended)
    }

    /// Whether our end of the TCP connection is to be closed now. True once.
    pub fn take_half_close(&mut self) -> bool {
        match &mut self.phase {
            Phase::Ending { half_closed, .. } if !*half_closed && self.outbox.is_none() => {
                *half_closed = true;
                true
            }
            _ => false,
        }
    }

    /// Whether the socket can be closed.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// How the connection ended, once, as soon as it is known.
    pub fn take_closed(&mut self) -> Option<Box<Closed>> {
        if self.is_closing() { None } else { self.closed.take() }
    }
}
