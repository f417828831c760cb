//! Bells: which are to be rung, who claims them, and what their requests hand back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_session::Event;
use fws_wire::close;
use serde_json::json;

use super::Core;
use crate::bell::{Bell, Current, Ended, Ring, State};
use crate::clock;
use crate::conn::{Conn, Through};
use crate::dispatch::{Discarded, LINGER, Lease, LeaseEnd, PoolId};
use crate::log::{Level, Trouble};
use crate::routes::OnError;
use crate::shard::Op;
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
        let wanted = self.dispatch.take_wanted()?;
        let mut bits = [0u8; 16];
        if let Err(error) = clock::random(&mut bits) {
            self.log.write(
                Level::Error,
                "no bell can be rung: there is no randomness for its nonce",
                json!({ "error": error.to_string() }),
            );
            return None;
        }
        let nonce = bits.iter().fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let worker = wanted.worker.clone();
        self.bells.insert(nonce.clone(), Arc::new(Bell::new(wanted)));
        add(&self.counters.bells_rung, 1);
        Some(Ring { nonce, worker })
    }

    /// Claims the bell whose nonce is in a request's query string. `None`: there is no live one.
    pub fn claim_bell(&self, query: &[u8]) -> Option<Arc<Bell>> {
        let nonce = query.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"fws_bell="))?;
        let bell = self.bells.get(std::str::from_utf8(nonce).ok()?)?.clone();
        let mut state = bell.state.lock();
        state.slot.as_mut().filter(|slot| !slot.is_claimed())?.claim();
        state.started = Some(clock::now());
        drop(state);
        Some(bell)
    }

    /// The host is through with a bell's request. `output` is what PHP printed, `error` what the host says of a failure.
    pub fn end_bell(&self, nonce: &str, ended: Ended, output: &[u8], error: &str) {
        let Some((_, bell)) = self.bells.remove(nonce) else { return };
        let mut state = bell.state.lock();
        let unclaimed = state.slot.take_if(|slot| !slot.is_claimed());
        let last = state.last.clone();
        let mut failed = state.failed || ended == Ended::Failed;
        // The last to go, so that whoever waits for it finds all of this done.
        let mut over = None;
        if state.is_claimed() && ended == Ended::Served {
            // PHP has answered the request but goes on with its event: the rest is up to its release.
            state.detached = true;
        } else {
            over = state.handed_out.take();
        }
        if state.is_claimed() && !state.detached {
            failed |= state.current.is_some();
            self.release(&bell, &mut state, true, "the request ended without acknowledging its event");
        }
        drop(state);
        if unclaimed.is_some() {
            drop(unclaimed);
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
            let mut fields = json!({
                "worker": bell.worker,
                "route": last.as_ref().map(|conn| conn.route_name.clone()),
                "connection": last.as_ref().map(|conn| conn.id()),
                "output": String::from_utf8_lossy(output),
            });
            if !error.is_empty() {
                fields["error"] = error.into();
            }
            let level = if failed { Level::Warn } else { Level::Info };
            self.log.write(level, "a worker printed something while it handled WebSocket events", fields);
        }
        drop(over);
    }

    /// Acknowledges the bell's current event and waits, a little, for the next one. `None`: the request is to end.
    pub fn next_event<'a>(&self, bell: &'a Bell) -> Option<Current<'a>> {
        let mut state = bell.state.lock();
        let pool = state.slot.as_ref().filter(|slot| slot.is_claimed())?.pool();
        self.acknowledge(&mut state, None);
        let now = clock::now();
        let over = state.handed >= MOST_EVENTS
            || state.started.is_none_or(|started| now.duration_since(started) >= LONGEST)
            || self.dispatch.gate_is_closed();
        if over {
            self.give_back(bell, &mut state);
            return None;
        }
        let mut until = None;
        let event = loop {
            if let Some(event) = state.lease.as_mut().filter(|lease| !lease.is_over(now)).and_then(|lease| self.next_of(lease)) {
                break event;
            }
            let until = *until.get_or_insert_with(|| clock::now() + LINGER);
            state.lease = self.next_lease(bell, pool, state.lease.take(), until);
            state.lease.as_ref()?;
        };
        let lease = state.lease.as_ref()?;
        // What this event's handler sends may wait for what the next one's sends, but only if that comes at once.
        bell.deferral.allow(if lease.more || !lease.events.is_empty() { DEFERRED } else { 0 });
        state.last = lease.source.conn().cloned();
        state.id = state.last.as_ref().map(|conn| conn.id());
        state.handed += 1;
        state.current = Some(event);
        add(&self.counters.events_delivered, 1);
        Some(Current { state })
    }

    /// The next event of a lease. What its connection sent is dropped if the server has decided to end it meanwhile.
    pub(super) fn next_of(&self, lease: &mut Lease) -> Option<Event> {
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
    fn next_lease(&self, bell: &Bell, pool: PoolId, mut lease: Option<Lease>, until: Instant) -> Option<Lease> {
        self.flush(bell);
        loop {
            let mut after = LeaseEnd::default();
            let next = self.dispatch.exchange(pool, lease.take(), until, &mut after);
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
        self.acknowledge(&mut state, Some(cause));
        current
    }

    /// The bell's request ends: its current event is acknowledged, or failed with a cause. Events that were not handed out go back into the queue.
    pub fn release_bell(&self, bell: &Bell, failed: bool, cause: &str) {
        // Also where the host has ended the bell: what was put off is not to wait.
        self.flush(bell);
        let mut state = bell.state.lock();
        self.release(bell, &mut state, failed, cause);
    }

    fn release(&self, bell: &Bell, state: &mut State, failed: bool, cause: &str) {
        let Some(slot) = state.slot.take_if(|slot| slot.is_claimed()) else { return };
        self.acknowledge(state, failed.then_some(cause));
        self.give_back(bell, state);
        drop(slot);
        if state.detached {
            state.handed_out = None;
        }
    }

    fn acknowledge(&self, state: &mut State, failed: Option<&str>) {
        let Some(event) = state.current.take() else { return };
        let Some(lease) = state.lease.as_mut() else { return };
        lease.handled.0 += 1;
        lease.handled.1 += event.weight();
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
        if state.slot.is_none() {
            state.retired = Some(event);
        }
    }

    /// Tells of a failed event and does what its route says.
    fn failed_on(&self, event: &Event, conn: Option<&Arc<Conn>>, cause: &str) {
        let message = "PHP failed on a WebSocket event";
        let kind = event.name();
        // `on_error` is for what connections themselves bring.
        let others = match event {
            Event::Open(_) | Event::Message { .. } | Event::Close(_) | Event::Suspend | Event::Resume(_) => None,
            Event::Join(told) | Event::Leave(told) => Some(json!({ "event": kind, "route": told.route, "tag": told.tag, "cause": cause })),
            Event::Subscribe(told) | Event::Unsubscribe(told) | Event::ClientEvent(told) => {
                Some(json!({ "event": kind, "route": told.route, "connection": told.id, "tag": told.tag, "cause": cause }))
            }
            Event::Channel(told) => Some(json!({ "event": kind, "route": told.route, "tag": told.tag, "cause": cause })),
            Event::Timer(timer) => Some(json!({ "event": kind, "timer": timer.id, "cause": cause })),
        };
        if let Some(fields) = others {
            return self.log.write(Level::Error, message, fields);
        }
        let Some(conn) = conn else { return };
        let on_error = self.routes.read().current.get(&conn.route_name).map(|route| route.on_error).unwrap_or_default();
        // A client whose first event fails was not let in by anybody, whatever the route says of later ones.
        let closes = matches!(event, Event::Open(_)) || on_error == OnError::Close;
        let on_error = if closes { "close" } else { "continue" };
        let fields = json!({ "event": kind, "route": conn.route_name, "connection": conn.id(), "cause": cause, "on_error": on_error });
        self.log.write(Level::Error, message, fields);
        if closes {
            self.dismiss(conn);
            self.post(conn.key, Op::Close { key: conn.key, code: close::INTERNAL_ERROR, reason: "".into() });
        }
    }

    fn give_back(&self, bell: &Bell, state: &mut State) {
        self.flush(bell);
        if let Some(lease) = state.lease.take() {
            let end = self.dispatch.give_back(lease);
            self.after_lease(end);
        }
    }

    pub(crate) fn after_lease(&self, end: LeaseEnd) {
        if let Some(key) = end.resume {
            self.post(key, Op::ReadAgain { key });
        }
        self.orphaned(end.orphans);
        self.discarded(end.discarded);
    }

    /// Ends the deferral of a bell's sends.
    fn flush(&self, bell: &Bell) {
        bell.deferral.end(|number| self.shards[number].wake());
    }
}
