//! Clients that go to another server, or come from one.

use std::sync::mpsc::Sender;

use fws_hub::Key;
use fws_session::{Millis, Session};

use super::{Arrived, Entry, Packed, Report, Shard, Surroundings, find, note};
use crate::conn::Through;
use crate::link::Link;

impl Shard {
    /// A client has come to another server: it has no connection here any more, and is waited for.
    pub(super) fn let_wait(&mut self, around: &impl Surroundings, key: Key, reply: Sender<bool>) {
        let waits = find(&mut self.entries, self.count, key)
            .is_some_and(|(_, entry)| entry.session.is_suspended() || (!entry.link.is_pending() && entry.session.suspend(self.now)));
        let at = key.index as usize / self.count;
        if waits {
            // Lets go of the connection, and tells PHP; or else it ends.
            self.touch(at);
            self.finish(around, at);
        }
        let waits = waits && find(&mut self.entries, self.count, key).is_some_and(|(_, entry)| entry.session.is_suspended());
        self.replies.push((reply, waits));
    }

    /// A client goes to another server. PHP is not told: for it the client is still there.
    pub(super) fn pack(&mut self, around: &impl Surroundings, key: Key, reply: &Sender<Packed>) {
        let Some((at, entry)) = find(&mut self.entries, self.count, key) else { return };
        let Some(luggage) = entry.session.pack() else { return };
        let missed = self.catching_up.remove(&at).map(|behind| behind.into_missed(&mut self.spares)).unwrap_or_default();
        if let Some(entry) = self.entries[at].take() {
            let Entry { conn, route, link, .. } = *entry;
            around.closed(&conn);
            link.give_up(&route.quota, conn.address(), key);
            conn.through(Through::Events);
            around.through(&conn, Through::Socket);
        }
        let _ = reply.send(Packed { luggage, missed });
    }

    /// A client comes from another server. Its connection is still to come.
    pub(super) fn arrive(&mut self, arrived: Arrived) {
        let Arrived { conn, route, luggage, missed, age } = arrived;
        let at = conn.key.index as usize / self.count;
        self.give_up_catching_up(at);
        if self.entries.len() <= at {
            self.entries.resize_with(at + 1, || None);
        }
        let memory = conn.resume.as_ref().map(|resume| resume.memory.clone()).unwrap_or_default();
        let session = Session::unpack(route.settings_for(conn.transport()), self.now, conn.key.index, memory, luggage, age);
        let key = conn.key;
        self.entries[at] = Some(Box::new(Entry {
            conn,
            route,
            link: Link::Absent,
            session,
            timer: Millis::MAX,
            then: Millis::MAX,
            readable: false,
            writable: false,
            finished: false,
            paused: false,
            reading: false,
            touched: false,
        }));
        if let Some(entry) = self.entries[at].as_mut()
            && entry.session.progress().is_none_or(|progress| progress.lost)
        {
            note(&mut self.notes, Report::NotKept, &entry.conn, 1);
            entry.session.cut("what the client is to get could not be kept");
        }
        if !missed.is_empty() {
            self.catch_up(key, missed.into());
        }
        self.touch(at);
    }
}
