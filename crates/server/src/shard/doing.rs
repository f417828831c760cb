//! Carrying out what a route's handler wants.

use std::sync::Arc;

use fws_session::{Event, Session, Spares};

use super::Entry;
use crate::conn::Conn;
use crate::dispatch::{Arrival, Source};
use crate::handler::Actions;

/// The actions of one connection's handler, on their way.
pub(super) struct Doing<'a> {
    conn: &'a Arc<Conn>,
    session: &'a mut Session,
    spares: &'a mut Spares,
    arrivals: &'a mut Vec<Arrival>,
    limits: (usize, usize),
    /// Messages put into its outbox.
    pub sent: u64,
    /// Messages that PHP is not told, since the server has decided to end the connection.
    pub discarded: u64,
}

impl<'a> Doing<'a> {
    pub fn new(entry: &'a mut Entry, arrivals: &'a mut Vec<Arrival>, spares: &'a mut Spares) -> Doing<'a> {
        let Entry { conn, route, session, .. } = entry;
        Doing { conn, session, spares, arrivals, limits: route.event_limits(), sent: 0, discarded: 0 }
    }
}

impl Actions for Doing<'_> {
    fn event(&mut self, event: Event) {
        if event.is_message() && self.conn.is_dismissed() {
            self.discarded += 1;
            return;
        }
        self.arrivals.push(Arrival { source: Source::Conn(self.conn.clone()), event, limits: self.limits });
    }

    fn send(&mut self, binary: bool, payload: &[u8]) {
        self.sent += u64::from(self.session.send_message(binary, payload, self.spares));
    }
}
