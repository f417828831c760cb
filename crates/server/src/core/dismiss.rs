//! The ends that the server decides.
//!
//! From the decision on, nothing of the connection reaches PHP but its close event: not what it sends later, not what waits, not what
//! was handed out to a bell and has not been returned to PHP. It is in no list, and nothing is sent to it. Only then the closing handshake
//! begins, which may take the client as long as it likes.

use std::sync::Arc;

use super::Core;
use crate::conn::{Conn, Through};
use crate::dispatch::Discarded;
use crate::shard::Op;
use crate::stats::add;

impl Core {
    /// The server has decided that a connection ends. Who decides has the shard end it, by posting to it or by being it.
    pub(crate) fn dismiss(&self, conn: &Arc<Conn>) {
        // First, so that whatever is queued from now on is dropped, or seen by the purge below.
        if conn.dismiss() {
            self.unlist(conn);
            let purged = self.dispatch.discard(conn);
            self.after_lease(purged);
        }
    }

    /// Starts the closing handshake with a client. `false`: no live client has the id. Where one has it whose close event is still to be
    /// handled, PHP gets no more of its messages: it was told to close while it did not know yet that the client had left.
    pub(super) fn close_client(&self, id: &str, code: u16, reason: &str) -> bool {
        let Some((conn, live)) = self.known(id) else { return false };
        self.dismiss(&conn);
        if live {
            self.post(conn.key, Op::Close { key: conn.key, code, reason: reason.into() });
        }
        live
    }

    /// Cuts a connection, also one whose closing handshake has begun. `false`: there is none with this id, or it has ended already.
    pub(super) fn kill_client(&self, id: &str) -> bool {
        let Some((conn, live)) = self.known(id) else { return false };
        let cuts = live || !conn.is_through(Through::Frames);
        self.dismiss(&conn);
        if cuts {
            self.post(conn.key, Op::Kill { key: conn.key });
        }
        cuts
    }

    fn known(&self, id: &str) -> Option<(Arc<Conn>, bool)> {
        let hub = self.hub.read();
        hub.client(id).map(|(conn, _, live)| (conn.clone(), live))
    }

    /// Messages were dropped, since the server had decided to end their connection.
    pub(crate) fn discarded(&self, discarded: Discarded) {
        if let Some(conn) = discarded.of {
            add(&self.counters.messages_discarded, discarded.messages);
            self.thrown_away(&conn, discarded.messages);
        }
    }

    /// A connection has ended: it is not sent to any more. Its socket is still there.
    pub(crate) fn closed(&self, conn: &Conn) {
        conn.through(Through::Frames);
        self.not_suspended(conn);
        self.unlist(conn);
    }

    /// A client is in no list any more. It takes a place of its address until its socket is closed, but gives that up to whoever comes.
    fn unlist(&self, conn: &Conn) {
        self.change(|hub| {
            hub.close(conn.key);
            if conn.unlist() {
                conn.quota.ending(conn.address(), conn.key);
            }
        });
    }

    /// The end of a connection has come further.
    pub(crate) fn through(&self, conn: &Conn, side: Through) {
        let over = conn.through(side);
        if (over || side == Through::Events) && conn.give_up_id() {
            // Before it is free here: who takes it then claims it anew.
            self.engine.release(&conn.id());
        }
        let empty = self.change(|hub| {
            match side {
                _ if over => hub.forget(conn.key),
                Through::Events => hub.release(conn.key),
                Through::Socket | Through::Frames | Through::Lists | Through::Id => {}
            }
            hub.is_empty()
        });
        if empty && self.is_draining() {
            let _guard = self.empty.0.lock();
            self.empty.1.notify_all();
        }
    }
}
