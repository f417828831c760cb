//! Timers that are due become events.

use fws_hub::Due;
use fws_session::{Event, Timer};

use super::Core;
use crate::dispatch::{Arrival, Source};
use crate::stats::add;

impl Core {
    /// Queues the timers that are due for their workers.
    pub(crate) fn fire_timers(&self) {
        let mut batch = Vec::new();
        for Due { id, worker, payload } in self.timers.take_due() {
            // A repeating timer never overtakes itself.
            if self.dispatch.has_timer(id) {
                add(&self.counters.timers_skipped, 1);
                continue;
            }
            match self.dispatch.worker(&worker) {
                Some(pool) => {
                    let event = Event::Timer(Box::new(Timer { id, payload }));
                    batch.push(Arrival { source: Source::Timer { id, pool }, event, limits: (usize::MAX, usize::MAX) });
                }
                None => add(&self.counters.timers_dropped, 1),
            }
        }
        if !batch.is_empty() {
            add(&self.counters.timers_fired, batch.len() as u64);
            let pushed = self.dispatch.push(&mut batch);
            add(&self.counters.events_queued, pushed.queued);
            self.orphaned(pushed.orphans);
        }
    }
}
