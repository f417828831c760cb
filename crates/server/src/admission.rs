//! The examination of upgrade requests.

use std::sync::Arc;

use base64_id::random_id;
use fws_session::Opened;
use fws_wire::handshake::{self, Request};

use crate::core::Core;
use crate::routes::{Reservation, Route};
use crate::stats::add;

/// An examined upgrade request: what to answer and, where it is accepted, the right to hand over its connection.
#[derive(Debug)]
pub struct Handshake {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) text: String,
    pub(crate) ticket: Option<Ticket>,
}

/// What is known of a connection between its handshake and its adoption.
#[derive(Debug)]
pub struct Ticket {
    pub route: Arc<Route>,
    pub id: Arc<str>,
    pub opened: Box<Opened>,
    pub reservation: Reservation,
}

impl Handshake {
    /// 101, or the status of the refusal.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers the response needs.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// Why it was refused; empty if it was not.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn refused(status: u16, text: impl Into<String>) -> Handshake {
        Handshake { status, headers: Vec::new(), text: text.into(), ticket: None }
    }
}

impl Core {
    /// Examines an upgrade request for a route. `head` is its HTTP/1.1 head, `secure` says that it came over TLS.
    pub fn handshake(&self, route: &str, head: &[u8], ip: &str, secure: bool) -> Handshake {
        let handshake = self.examine(route, head, ip, secure);
        if handshake.ticket.is_none() {
            add(&self.counters.handshakes_refused, 1);
        }
        handshake
    }

    fn examine(&self, route: &str, head: &[u8], ip: &str, secure: bool) -> Handshake {
        if self.is_draining() {
            return Handshake::refused(503, "the server is shutting down");
        }
        let Some(route) = self.routes.read().current.get(route).cloned() else {
            return Handshake::refused(503, format!("the WebSocket route {route:?} is not in force"));
        };
        let examined = Request::parse(head).and_then(|request| Ok((handshake::examine(&request, secure, &route.policy)?, request)));
        let (accepted, request) = match examined {
            Ok(both) => both,
            Err(refused) => {
                let headers = refused.headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                return Handshake { status: refused.status, headers, text: refused.text, ticket: None };
            }
        };
        if route.worker.is_some() && self.dispatch.is_overloaded() {
            return Handshake::refused(503, "too many events wait for PHP");
        }
        let reservation = Reservation::new(&route.reserved);
        if let Some(most) = route.max_connections {
            // The reservation just made counts itself; a closed connection counts until its events are handled, since they take memory.
            let taken = self.hub.read().route_known(route.id) + route.reserved.load(std::sync::atomic::Ordering::Acquire);
            if taken > most {
                return Handshake::refused(503, "this route has as many connections as it may");
            }
        }
        let id: Arc<str> = match random_id() {
            Ok(id) => id.into(),
            Err(error) => return Handshake::refused(503, format!("no randomness for an id: {error}")),
        };
        let mut headers =
            vec![("Upgrade", "websocket".to_owned()), ("Connection", "Upgrade".to_owned()), ("Sec-WebSocket-Accept", accepted.accept)];
        if let Some(subprotocol) = &accepted.subprotocol {
            headers.push(("Sec-WebSocket-Protocol", subprotocol.clone()));
        }
        let opened = Box::new(Opened {
            path: request.path,
            query: request.query,
            ip: ip.to_owned(),
            subprotocol: accepted.subprotocol.unwrap_or_default(),
            // The echo has nobody to tell them.
            headers: if route.worker.is_some() { request.headers } else { Vec::new() },
        });
        Handshake { status: 101, headers, text: String::new(), ticket: Some(Ticket { route, id, opened, reservation }) }
    }
}

mod base64_id {
    //! Ids: 128 random bits in 22 characters that are safe in URLs.

    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

    pub fn random_id() -> Result<String, getrandom::Error> {
        let mut bits = [0u8; 16];
        getrandom::fill(&mut bits)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bits))
    }
}
