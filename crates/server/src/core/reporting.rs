//! What the log is told of clients: once per route and burst.

use fws_hub::RouteId;
use fws_session::{Closed, Failed};
use fws_wire::handshake::Request;
use serde_json::{Map, Value};

use super::Core;
use crate::conn::Conn;
use crate::log::Trouble;
use crate::routes::Route;
use crate::stats::add;

impl Core {
    /// A message did not fit a client's outbox. `logged`: the route for which the log was told a moment ago.
    pub(super) fn outbox_full(&self, conn: &Conn, len: usize, logged: &mut Option<RouteId>) {
        if logged.replace(conn.route) != Some(conn.route) {
            let message = "messages are dropped: a client does not read as fast as it is sent to";
            self.log.burst(Trouble::OutboxFull, &conn.route_name, message, || not_sent(conn, len));
        }
    }

    /// Messages to a client were dropped for newer ones.
    pub(crate) fn overtaken(&self, conn: &Conn, messages: u64) {
        let message = "old messages are dropped: a client does not read as fast as it is sent to";
        self.log.burst(Trouble::OutboxFull, &conn.route_name, message, || dropped(conn, messages));
    }

    /// A client is closed because it does not read, and what waited for it is dropped.
    pub(crate) fn too_slow(&self, conn: &Conn, messages: u64) {
        add(&self.counters.slow_clients_closed, 1);
        let message = "a client is closed with 1013: it does not read as fast as it is sent to";
        self.log.burst(Trouble::SlowClient, &conn.route_name, message, || dropped(conn, messages));
    }

    /// More connections broke than clients are waited for.
    pub(super) fn too_many_suspended(&self, conn: &Conn) {
        let message = "a connection broke while as many clients are waited for as max_suspended allows: of the address that has most of them, one is closed";
        self.log.burst(Trouble::Suspended, &conn.route_name, message, || about(conn));
    }

    /// What was sent to clients could not be kept.
    pub(crate) fn not_kept(&self, conn: &Conn, clients: u64) {
        add(&self.counters.resumes_lost, clients);
        let message = "a client cannot come back after a break: what it was sent could not be kept, see max_outbox and max_resume_bytes";
        self.log.burst(Trouble::Suspended, &conn.route_name, message, || about(conn));
    }

    /// Messages of clients that the server closes were not told to PHP.
    pub(crate) fn thrown_away(&self, conn: &Conn, messages: u64) {
        let message = "messages of a client are thrown away: the server has closed it";
        self.log.burst(Trouble::Discarded, &conn.route_name, message, || {
            let mut fields = about(conn);
            fields.insert("messages".into(), messages.into());
            fields
        });
    }

    /// Clients send faster than they may.
    pub(crate) fn too_fast(&self, conn: &Conn, times: u64) {
        add(&self.counters.rate_limit_delays, times);
        let message = "a client is not read for a while: it sends faster than rate_limit allows";
        self.log.burst(Trouble::RateLimit, &conn.route_name, message, || about(conn));
    }

    /// Clients are not read, since so many events wait for PHP.
    pub(crate) fn held_back(&self, conn: &Conn, times: u64) {
        add(&self.counters.events_held_back, times);
        let message =
            "clients that have events waiting are not read for a while: events that wait for PHP take as much as max_pending_bytes allows";
        self.log.burst(Trouble::HeldBack, &conn.route_name, message, || about(conn));
    }

    /// A connection was failed.
    pub(crate) fn failed(&self, conn: &Conn, failed: Failed, closed: &Closed) {
        let (counter, trouble, message) = match failed {
            Failed::Violation => (&self.counters.violations, Trouble::Violation, "a client broke the protocol or a limit"),
            Failed::NoRoom => {
                let message =
                    "a client is closed with 1013: unfinished messages take as much as max_unfinished allows, and its address holds most";
                (&self.counters.unfinished_refused, Trouble::NoRoom, message)
            }
            Failed::WindowLost => {
                let message =
                    "a client is closed with 1013: what its messages refer to was given up, as max_compression_memory was reached";
                (&self.counters.compression_windows_missed, Trouble::WindowLost, message)
            }
            Failed::Unfinished => {
                let message = "a client is closed with 1013: it did not finish a message within message_timeout";
                (&self.counters.message_timeouts, Trouble::Unfinished, message)
            }
        };
        add(counter, 1);
        self.log.burst(trouble, &conn.route_name, message, || {
            let mut fields = about(conn);
            fields.insert("code".into(), closed.code.into());
            fields.insert("reason".into(), closed.reason.as_str().into());
            fields
        });
    }

    /// A page may not connect, for its origin.
    pub(crate) fn foreign_page(&self, route: &Route, request: &Request) {
        let message = "a page was refused with 403 for its origin: the route's option origins says which pages may connect";
        self.log.burst(Trouble::Origin, &route.name, message, || {
            let mut fields = Map::new();
            fields.insert("route".into(), route.name.as_ref().into());
            for name in ["origin", "host"] {
                fields.insert(name.into(), shortened(request.header(name).unwrap_or("not text")).into());
            }
            fields
        });
    }

    /// A message is longer than a client's whole outbox.
    pub(super) fn too_large(&self, conn: &Conn, len: usize) {
        let message = "messages are dropped: they are longer than max_outbox, so that they can never be sent";
        self.log.burst(Trouble::TooLarge, &conn.route_name, message, || not_sent(conn, len));
    }
}

/// The most that the log has of what a client wrote into a header, bytes.
const HEADER: usize = 255;

fn shortened(text: &str) -> &str {
    let end = (0..=text.len().min(HEADER)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

pub(super) fn about(conn: &Conn) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("route".into(), conn.route_name.as_ref().into());
    fields.insert("connection".into(), conn.id().as_ref().into());
    fields
}

fn dropped(conn: &Conn, messages: u64) -> Map<String, Value> {
    let mut fields = about(conn);
    fields.insert("messages".into(), messages.into());
    fields.insert("max_outbox".into(), conn.backlog.max_outbox().into());
    fields
}

fn not_sent(conn: &Conn, len: usize) -> Map<String, Value> {
    let mut fields = about(conn);
    fields.insert("frame_bytes".into(), len.into());
    fields.insert("max_outbox".into(), conn.backlog.max_outbox().into());
    fields
}
