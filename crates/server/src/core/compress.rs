//! Sending to clients that negotiated compression.

use std::sync::Arc;

use fws_hub::command::SendTo;
use fws_hub::{Key, Outcome, Target};
use fws_session::Frame;

use super::{Core, Fanout, Post};
use crate::compress::{Kind, kind};
use crate::conn::Conn;
use crate::shard::Op;
use crate::stats::add;

impl Post<'_> {
    /// Sends to the clients that were put off.
    pub fn compress(&mut self, put_off: Vec<(Key, Arc<Conn>)>) {
        if put_off.is_empty() {
            return;
        }
        let SendTo { to, binary, ref data, .. } = *self.message;
        let mut fanouts: Vec<(Kind, Fanout)> = Vec::new();
        for (key, conn) in put_off {
            let compression = conn.compression.expect("bug: a client without compression was put off for it");
            // For nobody else and with a context that only its shard has: how long it becomes is seen there.
            let private = compression.params.server_takeover && matches!(to, Target::Client(_));
            let fanout = if private {
                None
            } else {
                let kind = kind(&compression);
                let at = fanouts.iter().position(|(of, _)| *of == kind).unwrap_or_else(|| {
                    let frame = self.core.compressors.frame(binary, data, kind).unwrap_or_else(|| self.frame().clone());
                    fanouts.push((kind, Fanout::of(frame)));
                    fanouts.len() - 1
                });
                Some(&mut fanouts[at].1)
            };
            let len = fanout.as_ref().and_then(|fanout| fanout.frame.as_ref()).map_or_else(|| self.frame().len(), Frame::len);
            match (self.reserve(&conn, len), fanout) {
                (Outcome::Queued, Some(fanout)) => fanout.add(key),
                (Outcome::Queued, None) => {
                    add(&self.core.counters.messages_sent, 1);
                    let shard = self.core.shard(key);
                    shard.post(Op::SendPrivately { key, binary, payload: data[..].into(), reserved: len });
                    shard.flush_or_defer(self.core, self.deferral);
                }
                (Outcome::Dropped | Outcome::Gone | Outcome::TooLarge, _) => {}
            }
        }
        for (_, fanout) in fanouts {
            if let Some(frame) = fanout.frame.as_ref().filter(|frame| frame.is_compressed()) {
                let (clients, saved) = (fanout.len(), self.frame().len() - frame.len());
                add(&self.core.counters.messages_compressed, clients);
                add(&self.core.counters.compression_bytes_saved, clients * saved as u64);
            }
            self.post(fanout);
        }
    }
}

impl Core {
    /// What the sessions of a shard have compressed for themselves.
    pub(crate) fn count_saved(&self, saved: fws_session::Saved) {
        if saved.messages > 0 {
            add(&self.counters.messages_compressed, saved.messages);
            add(&self.counters.compression_bytes_saved, saved.bytes);
        }
    }
}
