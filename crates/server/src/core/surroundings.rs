//! What the shards see of the core.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fws_hub::Key;
use fws_session::{Closed, Failed, Saved};
use serde_json::json;

use super::Core;
use crate::conn::{Conn, Through};
use crate::dispatch::Arrival;
use crate::log::Level;
use crate::shard::{Report, Surroundings, Tally};
use crate::stats::add;

impl Surroundings for Core {
    fn push(&self, events: &mut Vec<Arrival>) -> Vec<Key> {
        let pushed = self.dispatch.push(events);
        add(&self.counters.events_queued, pushed.queued);
        if let Some(conn) = pushed.held {
            self.held_back(&conn, pushed.held_back);
        }
        self.orphaned(pushed.orphans);
        self.discarded(pushed.discarded);
        pushed.full
    }

    fn has_pending(&self) -> bool {
        self.dispatch.has_pending()
    }

    fn care(&self) {
        self.dispatch.care();
    }

    fn next_alarm(&self) -> Option<Duration> {
        [self.values.sweep(), self.histories.sweep(), self.timers.next(), self.presences.left()].into_iter().flatten().min()
    }

    fn ring_alarms(&self) {
        self.fire_timers();
        self.end_grace();
    }

    fn dismiss(&self, conn: &Arc<Conn>) {
        Core::dismiss(self, conn);
    }

    fn suspend(&self, conn: &Conn) -> bool {
        Core::suspend(self, conn)
    }

    fn resumed(&self, conn: &Conn) {
        Core::resumed(self, conn);
    }

    fn closed(&self, conn: &Conn) {
        Core::closed(self, conn);
    }

    fn through(&self, conn: &Conn, side: Through) {
        Core::through(self, conn, side);
    }

    fn failed(&self, conn: &Conn, failed: Failed, closed: &Closed) {
        Core::failed(self, conn, failed, closed);
    }

    fn count(&self, tally: &Tally, saved: Saved) {
        self.count_saved(saved);
        for (counter, count) in [
            (&self.counters.messages_received, tally.messages_received),
            (&self.counters.bytes_received, tally.bytes_received),
            (&self.counters.messages_sent, tally.messages_sent),
            (&self.counters.bytes_sent, tally.bytes_sent),
            (&self.counters.messages_dropped, tally.messages_dropped),
            (&self.counters.messages_discarded, tally.messages_discarded),
        ] {
            if count > 0 {
                add(counter, count);
            }
        }
    }

    fn evict(&self) {
        Core::evict(self);
    }

    fn report(&self, report: Report, conn: &Conn, count: u64) {
        match report {
            Report::TooFast => self.too_fast(conn, count),
            Report::Overtaken => self.overtaken(conn, count),
            Report::TooSlow => self.too_slow(conn, count),
            Report::ThrownAway => self.thrown_away(conn, count),
            Report::NotKept => self.not_kept(conn, count),
            Report::TooLarge => self.too_large(conn, conn.backlog.longest() + 1),
        }
    }

    fn complain(&self, message: &str, conn: Option<&Conn>, error: &io::Error) {
        let route = conn.map(|conn| conn.route_name.clone());
        self.log.write(Level::Error, message, json!({ "route": route, "error": error.to_string() }));
    }
}
