//! What is sent, and waits for the socket.

use std::io::IoSlice;

use fws_wire::close;
use fws_wire::frame::{Control, OpCode};

use super::{Phase, Session};
use crate::frame::kind;
use crate::{Backlog, Frame, Millis, Outbox, Spares};

/// A message that a sender has [posted](Backlog).
#[derive(Debug)]
pub enum Posted<'a> {
    /// Encoded already.
    Frame(Frame),
    /// To be compressed by the context of the connection.
    Message {
        /// Binary rather than text.
        binary: bool,
        /// What it says.
        payload: &'a [u8],
        /// The bytes that were reserved for it.
        reserved: usize,
    },
}

impl Posted<'_> {
    /// The bytes that were reserved for it.
    fn len(&self) -> usize {
        match self {
            Posted::Frame(frame) => frame.len(),
            Posted::Message { reserved, .. } => *reserved,
        }
    }
}

/// What became of a message that was [`Posted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It waits for the socket.
    Queued {
        /// Older messages that were dropped for it.
        dropped: u64,
    },
    /// It is dropped, since dropping older ones did not make enough room.
    NoRoom {
        /// Older messages that were dropped for nothing.
        dropped: u64,
    },
    /// It is dropped, since the connection is closing.
    Closing,
    /// The client was away, and what it was sent meanwhile could not be kept: the connection has ended.
    NotKept {
        /// Messages that were kept until now, and are dropped with it.
        dropped: u64,
    },
}

impl Session {
    /// Takes what was posted into the outbox, and tells the backlog. Where the settings say so, older messages make room for it.
    pub fn take(&mut self, posted: Posted<'_>, backlog: &Backlog, spares: &mut Spares) -> Taken {
        let len = posted.len();
        let taken = match self.phase {
            Phase::Open => self.take_if_it_fits(posted, backlog, spares),
            Phase::Suspended { .. } => self.keep_posted(posted, backlog),
            Phase::Closing { .. } | Phase::Ending { .. } | Phase::Ended => Taken::Closing,
        };
        backlog.moved(len, self.outbox_len());
        taken
    }

    fn take_if_it_fits(&mut self, posted: Posted<'_>, backlog: &Backlog, spares: &mut Spares) -> Taken {
        let dropped = self.make_room(backlog);
        // A frame that was begun stays, however long: then there is no room.
        if backlog.drops_oldest() && backlog.is_over(self.outbox_len() + posted.len()) {
            backlog.count_dropped(dropped + 1);
            return Taken::NoRoom { dropped };
        }
        backlog.count_dropped(dropped);
        if dropped > 0 {
            self.lose_kept();
        }
        match posted {
            Posted::Frame(frame) => {
                if self.kept.is_some() {
                    self.keep_frame(frame.clone(), backlog.max_outbox());
                }
                self.send(frame, spares);
            }
            Posted::Message { binary, payload, reserved: _ } => {
                self.send_message(binary, payload, spares);
            }
        }
        Taken::Queued { dropped }
    }

    /// Where the settings say so, drops the oldest messages that have not begun to be written until all that is posted fits. How many
    /// they were.
    fn make_room(&mut self, backlog: &Backlog) -> u64 {
        if !backlog.drops_oldest() {
            return 0;
        }
        let excess = backlog.excess(self.outbox_len());
        // With a context that outlives messages, later ones could not be decompressed without the one that was dropped.
        let dependent = self.compressor.as_ref().is_some_and(|compressor| compressor.compression.params.server_takeover);
        match self.outbox.as_deref_mut() {
            Some(outbox) if excess > 0 && !dependent => outbox.drop_oldest(excess),
            _ => 0,
        }
    }

    /// Queues an encoded message, compressed only where that was agreed on.
    pub(super) fn send(&mut self, frame: Frame, spares: &mut Spares) {
        if frame.is_compressed() {
            self.compressor.as_mut().expect("bug: a compressed frame where none was negotiated").begin_anew();
        }
        self.outbox(spares).push(frame.into_bytes());
    }

    /// Queues a message without an allocation of its own, compressed if it is worth it. `false`: the connection is closing.
    pub fn send_message(&mut self, binary: bool, payload: &[u8], spares: &mut Spares) -> bool {
        if self.phase != Phase::Open {
            return false;
        }
        if self.kept.is_some() {
            self.keep_frame(Frame::message(binary, payload), self.settings.backlog.max_outbox);
        }
        let outbox = self.outbox.get_or_insert_with(|| spares.take());
        if let Some(compressor) = &mut self.compressor
            && let Some(len) = compressor.deflate(payload, &mut spares.pool, |deflated| {
                outbox.encode_compressed(kind(binary), deflated);
                deflated.len()
            })
        {
            spares.saved.messages += 1;
            spares.saved.bytes += (payload.len() - len) as u64;
        } else {
            outbox.encode(OpCode::Data(kind(binary)), payload);
        }
        true
    }

    /// Closes a client that does not read as fast as it is sent to, and drops what waits for it, so that the close frame is the next
    /// that it reads. How many messages were dropped; `None`: it is closing already.
    pub fn close_slow(&mut self, now: Millis, backlog: &Backlog, spares: &mut Spares) -> Option<u64> {
        if self.is_suspended() {
            self.close(close::TRY_AGAIN_LATER, "more was sent than max_outbox while the client was away", now, spares);
            return Some(0);
        }
        if self.phase != Phase::Open {
            return None;
        }
        let dropped = self.outbox.as_deref_mut().map_or(0, |outbox| outbox.drop_oldest(usize::MAX));
        backlog.count_dropped(dropped);
        self.late_pong = None;
        self.close(close::TRY_AGAIN_LATER, "too slow: max_outbox was reached", now, spares);
        Some(dropped)
    }

    /// Bytes that wait for the socket.
    pub fn outbox_len(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.len())
    }

    /// What is to be written next; returns how many slices were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.slices(slices))
    }

    /// The socket took `count` bytes. [`Session::report_written`] tells the backlog, once for all writes of a turn.
    pub fn wrote(&mut self, count: usize, now: Millis, backlog: &Backlog, spares: &mut Spares) {
        if let Phase::Closing { since, .. } | Phase::Ending { since, .. } = &mut self.phase {
            *since = now;
        }
        let Some(outbox) = self.outbox.as_mut() else { return };
        outbox.consume(count);
        if !backlog.is_over(outbox.len())
            && let Some(late) = self.late_pong.take()
            // Behind our close frame it would come too late.
            && self.phase == Phase::Open
        {
            outbox.encode(OpCode::Control(Control::Pong), &late.0);
        }
        if outbox.is_empty()
            && let Some(outbox) = self.outbox.take()
        {
            spares.give(outbox);
        }
    }

    /// Tells the backlog how much waits now.
    pub fn report_written(&self, backlog: &Backlog) {
        backlog.moved(0, self.outbox_len());
    }

    pub(super) fn outbox(&mut self, spares: &mut Spares) -> &mut Outbox {
        self.outbox.get_or_insert_with(|| spares.take())
    }
}
