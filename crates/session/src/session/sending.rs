//! What is sent, and waits for the socket.

use std::io::IoSlice;

use fws_wire::close;
use fws_wire::frame::{Control, OpCode};

use super::{Phase, Session};
use crate::frame::kind;
use crate::{Frame, Millis, Outbox, Room, SlowClient, Spares, outbox_room};

impl Session {
    /// Queues an encoded message, compressed only where that was agreed on. `false`: the connection is closing and nothing more can be
    /// sent.
    pub fn send(&mut self, frame: Frame, spares: &mut Spares) -> bool {
        let open = self.phase == Phase::Open;
        if open {
            if frame.is_compressed() {
                self.compressor.as_mut().expect("bug: a compressed frame where none was negotiated").begin_anew();
            }
            self.outbox(spares).push(frame.into_bytes());
        }
        open
    }

    /// Queues a message without an allocation of its own, compressed if it is worth it. `false`: the connection is closing.
    pub fn send_message(&mut self, binary: bool, payload: &[u8], spares: &mut Spares) -> bool {
        if self.phase != Phase::Open {
            return false;
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

    /// Where the settings say so, drops the oldest messages that have not begun to be written until `len` more bytes fit, and the
    /// `posted` ones that are on their way behind them.
    pub fn make_room(&mut self, len: usize, posted: usize) -> Room {
        let most = outbox_room(self.settings.max_outbox);
        if self.settings.slow_client != SlowClient::DropOldest || self.phase != Phase::Open {
            return Room { dropped: 0, fits: true };
        }
        let over = (self.outbox_len() + len + posted).saturating_sub(most);
        // With a context that outlives messages, later ones could not be decompressed without the one that was dropped.
        let dependent = self.compressor.as_ref().is_some_and(|compressor| compressor.compression.params.server_takeover);
        let dropped = match self.outbox.as_deref_mut() {
            Some(outbox) if over > 0 && !dependent => outbox.drop_oldest(over),
            _ => 0,
        };
        // A frame that was begun stays, however long.
        Room { dropped, fits: self.outbox_len() + len <= most }
    }

    /// Closes a client that does not read as fast as it is sent to, and drops what waits for it, so that the close frame is the next
    /// that it reads. How many messages were dropped; `None`: it is closing already.
    pub fn close_slow(&mut self, now: Millis, spares: &mut Spares) -> Option<u64> {
        if self.phase != Phase::Open {
            return None;
        }
        let dropped = self.outbox.as_deref_mut().map_or(0, |outbox| outbox.drop_oldest(usize::MAX));
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

    /// The socket took `count` bytes.
    pub fn wrote(&mut self, count: usize, now: Millis, spares: &mut Spares) {
        if let Phase::Closing { since, .. } | Phase::Ending { since, .. } = &mut self.phase {
            *since = now;
        }
        let Some(outbox) = self.outbox.as_mut() else { return };
        outbox.consume(count);
        if outbox.len() <= outbox_room(self.settings.max_outbox)
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

    pub(super) fn outbox(&mut self, spares: &mut Spares) -> &mut Outbox {
        self.outbox.get_or_insert_with(|| spares.take())
    }
}
