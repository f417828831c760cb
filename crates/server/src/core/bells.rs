//! Bells: which are to be rung, who claims them, and what their requests hand back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_session::Event;
use fws_wire::close;
use parking_lot::Mutex;
use serde_json::json;

use super::Core;
use crate::bell::{Bell, Current, Ended, Phase, Ring, State};
use crate::conn::{Conn, Through};
use crate::dispatch::{Discarded, LINGER, Lease, Settled};
use crate::log::{Level, Trouble};
use crate::routes::OnError;
use crate::shard::{self, Op};
use crate::stats::add;

/// A bell ends after so many events …
const MOST_EVENTS: u32 = 10_000;
/// … or after this time, so that the host's restarts and request limits keep working.
const LONGEST: Duration = Duration::from_millis(500);
/// A bell's sends are posted without waking the shard while more events wait, at most so many in a row.
const DEFERRED: u32 = 32;

impl Core {
    /// The next bell to ring. Each must be ended with [`Core::end_bell`].
    pub fn take_ring(&self) -> Option<Ring> {
        let (pool, worker) = self.dispatch.take_wanted()?;
        let mut bits = [0u8; 16];
        if let Err(error) = getrandom::fill(&mut bits) {
            self.log.write(
                Level::Error,
                "no bell can be rung: there is no randomness for its nonce",
                json!({ "error": error.to_string() }),
            );
            self.dispatch.unclaimed_ended(pool);
            self.dispatch.bell_over();
            return None;
        }
        let nonce = bits.iter().fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let bell = Arc::new(Bell { pool, worker: worker.clone(), state: Mutex::default() });
        self.bells.lock().insert(nonce.clone(), bell);
        add(&self.counters.bells_rung, 1);
        Some(Ring { nonce, worker })
    }

    /// Claims the bell whose nonce is in a request's query string. `None`: there is no live one.
    pub fn claim_bell(&self, query: &[u8]) -> Option<Arc<Bell>> {
        let nonce = query.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"fws_bell="))?;
        let bell = self.bells.lock().get(std::str::from_utf8(nonce).ok()?)?.clone();
        let mut state = bell.state.lock();
        if state.phase != Phase::Rung {
            return None;
        }
        state.phase = Phase::Claimed;
        state.started = Some(Instant::now());
        // Under the lock, so that a release cannot come before it.
        self.dispatch.claimed(bell.pool);
        drop(state);
        Some(bell)
    }

    /// The host is through with a bell's request. `output` is what PHP printed, `error` what the host says of a failure.
    pub fn end_bell(&self, nonce: &str, ended: Ended, output: &[u8], error: &str) {
        let Some(bell) = self.bells.lock().remove(nonce) else { return };
        let mut state = bell.state.lock();
        let claimed = state.phase != Phase::Rung;
        let last = state.last.clone();
        let mut failed = state.failed || ended == Ended::Failed;
        let mut over = true;
        match state.phase {
            Phase::Rung => state.phase = Phase::Released,
            Phase::Released => {}
            Phase::Claimed if ended == Ended::Served => {
                // PHP has answered the request but goes on with its event: the rest is up to its release.
                state.detached = true;
                over = false;
            }
            Phase::Claimed => {
                failed |= state.current.is_some();
                self.release(&bell, &mut state, true, "the request ended without settling its event");
            }
        }
        drop(state);
        if !claimed {
            self.dispatch.unclaimed_ended(bell.pool);
            let (counter, message) = match ended {
                Ended::Abandoned => (&self.counters.bells_abandoned, "a bell did not reach PHP; another one will be rung"),
                Ended::Served | Ended::Failed => (
                    &self.counters.bells_unanswered,
                    "a worker answered a bell without calling frankenphp_ws_nextEvent(): does its script handle WebSocket events?",
                ),
            };
            add(counter, 1);
            self.log.burst(Trouble::BellUnanswered, &bell.worker, message, || {
                let mut fields = serde_json::Map::new();
                fields.insert("worker".into(), bell.worker.as_ref().into());
                fields.insert("output".into(), String::from_utf8_lossy(output).into());
                fields.insert("error".into(), error.into());
                fields
            });
        } else if !output.is_empty() || !error.is_empty() {
            self.log.write(
                if failed { Level::Warn } else { Level::Info },
                "a worker printed something while it handled WebSocket events",
                json!({
                    "worker": bell.worker,
                    "route": last.as_ref().map(|conn| conn.route_name.clone()),
                    "connection": last.as_ref().map(|conn| conn.id()),
                    "output": String::from_utf8_lossy(output),
                    "error": error,
                }),
            );
        }
        if over {
            self.dispatch.bell_over();
        }
    }

    /// Acknowledges the bell's current event and waits, a little, for the next one. `None`: the request is to end.
    pub fn next_event<'a>(&self, bell: &'a Bell) -> Option<Current<'a>> {
        let mut state = bell.state.lock();
        if state.phase != Phase::Claimed {
            return None;
        }
        self.settle(&mut state, None);
        let over = state.handed >= MOST_EVENTS
            || state.started.is_none_or(|started| started.elapsed() >= LONGEST)
            || self.dispatch.gate_is_closed();
        if over {
            self.give_back(&mut state);
            return None;
        }
        let mut until = None;
        let event = loop {
            if let Some(event) = state.lease.as_mut().and_then(|lease| self.next_of(lease)) {
                break event;
            }
            let until = *until.get_or_insert_with(|| Instant::now() + LINGER);
            state.lease = self.next_lease(bell, state.lease.take(), until);
            state.lease.as_ref()?;
        };
        let lease = state.lease.as_ref()?;
        // What this event's handler sends may wait for what the next one's sends, but only if that comes at once.
        shard::defer(if lease.more || !lease.events.is_empty() { DEFERRED } else { 0 });
        state.last = lease.source.conn().cloned();
        state.id = state.last.as_ref().map(|conn| conn.id());
        state.handed += 1;
        state.current = Some(event);
        add(&self.counters.events_delivered, 1);
        Some(Current { state })
    }

    /// The next event of a lease. What its connection sent is dropped if the server has decided to end it meanwhile.
    fn next_of(&self, lease: &mut Lease) -> Option<Event> {
        let messages = lease.discard();
        if messages > 0
            && let Some(conn) = lease.source.conn()
        {
            let mut discarded = Discarded::default();
            discarded.add(conn, messages);
            self.discarded(discarded);
        }
        lease.events.pop_front()
    }

    /// Ends a lease, if there is one, and waits until `until` for another one.
    fn next_lease(&self, bell: &Bell, mut lease: Option<Lease>, until: Instant) -> Option<Lease> {
        self.flush();
        loop {
            let mut after = Settled::default();
            let next = self.dispatch.exchange(bell.pool, lease.take(), until, &mut after);
            let again = next.is_none() && !after.is_nothing();
            self.after_lease(after);
            if !again {
                return next;
            }
        }
    }

    /// The bell's current event failed. `false`: there is none.
    pub fn fail_event(&self, bell: &Bell, cause: &str) -> bool {
        let mut state = bell.state.lock();
        let current = state.current.is_some();
        self.settle(&mut state, Some(cause));
        current
    }

    /// The bell's request ends: its current event is acknowledged, or failed with a cause. Events that were not handed out go back into the queue.
    pub fn release_bell(&self, bell: &Bell, failed: bool, cause: &str) {
        // Also where the host has ended the bell: what this thread put off is not to wait for its next one.
        self.flush();
        let mut state = bell.state.lock();
        self.release(bell, &mut state, failed, cause);
    }

    fn release(&self, bell: &Bell, state: &mut State, failed: bool, cause: &str) {
        if state.phase != Phase::Claimed {
            return;
        }
        state.phase = Phase::Released;
        self.settle(state, failed.then_some(cause));
        self.give_back(state);
        self.dispatch.released(bell.pool);
        if state.detached {
            self.dispatch.bell_over();
        }
    }

    fn settle(&self, state: &mut State, failed: Option<&str>) {
        let Some(event) = state.current.take() else { return };
        let Some(lease) = state.lease.as_mut() else { return };
        lease.settled.0 += 1;
        lease.settled.1 += event.weight();
        let conn = lease.source.conn().cloned();
        match failed {
            None => add(&self.counters.events_acknowledged, 1),
            Some(cause) => {
                state.failed = true;
                add(&self.counters.events_failed, 1);
                self.failed_on(&event, conn.as_ref(), cause);
            }
        }
        if let (Event::Close(_), Some(conn)) = (&event, &conn) {
            self.through(conn, Through::Events);
        }
        if state.phase == Phase::Released {
            state.retired = Some(event);
        }
    }

    /// Tells of a failed event and does what its route says.
    fn failed_on(&self, event: &Event, conn: Option<&Arc<Conn>>, cause: &str) {
        let message = "PHP failed on a WebSocket event";
        let (kind, opens) = match event {
            Event::Open(_) => ("open", true),
            Event::Message { .. } => ("message", false),
            Event::Close(_) => ("close", false),
            Event::Timer(timer) => {
                return self.log.write(Level::Error, message, json!({ "event": "timer", "timer": timer.id, "cause": cause }));
            }
        };
        let Some(conn) = conn else { return };
        let on_error = self.routes.read().current.get(&conn.route_name).map(|route| route.on_error).unwrap_or_default();
        // A client whose first event fails was not let in by anybody, whatever the route says of later ones.
        let closes = opens || on_error == OnError::Close;
        let on_error = if closes { "close" } else { "continue" };
        let fields = json!({ "event": kind, "route": conn.route_name, "connection": conn.id(), "cause": cause, "on_error": on_error });
        self.log.write(Level::Error, message, fields);
        if closes {
            self.dismiss(conn);
            self.post(conn.key, Op::Close { key: conn.key, code: close::INTERNAL_ERROR, reason: "".into() });
        }
    }

    fn give_back(&self, state: &mut State) {
        self.flush();
        if let Some(lease) = state.lease.take() {
            let settled = self.dispatch.give_back(lease);
            self.after_lease(settled);
        }
    }

    pub(crate) fn after_lease(&self, settled: Settled) {
        if let Some(key) = settled.resume {
            self.post(key, Op::Resume { key });
        }
        self.orphaned(settled.orphans);
        self.discarded(settled.discarded);
    }

    /// Ends the deferral of this thread's sends.
    fn flush(&self) {
        shard::defer(0);
        self.wake_deferred();
    }
}
