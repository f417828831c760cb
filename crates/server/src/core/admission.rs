//! Opening handshakes: their examination, and what the host's authorisation adds to them.

use std::sync::Arc;

use fws_hub::{CommandError, Hub, InitialState, MAX_NAME};
use fws_session::Opened;
use fws_wire::handshake::{self, Reason, Refused, Request};

use super::{Core, Wish};
use crate::admission::{AdmissionError, Claim, Handshake, Refusal, SUBPROTOCOL, Ticket, random_id, socket_id};
use crate::conn::{Conn, Through};
use crate::dispatch::Overload;
use crate::handler::Handler as _;
use crate::quota::{Address, Full, Quota, Reservation};
use crate::routes::Route;
use crate::shard::Op;
use crate::stats::add;

impl Core {
    /// Examines an upgrade request for a route. `head` is its HTTP/1.1 head.
    pub fn handshake(&self, route: &str, head: &[u8], ip: &str) -> Handshake {
        self.counted(self.examine(route, Request::parse(head), ip))
    }

    /// Examines an extended CONNECT of HTTP/2 or HTTP/3 whose `:protocol` is `websocket`, written as `CONNECT /path HTTP/1.1`.
    pub fn handshake_by_connect(&self, route: &str, head: &[u8], ip: &str) -> Handshake {
        let request = Request::parse(head).map(|request| Request { extended: true, ..request });
        self.counted(self.examine(route, request, ip))
    }

    fn counted(&self, examined: Result<Handshake, Box<(Refusal, Handshake)>>) -> Handshake {
        examined.unwrap_or_else(|refused| {
            let (refusal, handshake) = *refused;
            self.count_refusal(refusal);
            handshake
        })
    }

    fn count_refusal(&self, refusal: Refusal) {
        let counters = &self.counters;
        add(&counters.handshakes_refused, 1);
        let counter = match refusal {
            Refusal::Request(Reason::Malformed) => &counters.handshakes_refused_malformed,
            Refusal::Request(Reason::Version) => &counters.handshakes_refused_version,
            Refusal::Request(Reason::Origin) => &counters.handshakes_refused_origin,
            Refusal::Request(Reason::Subprotocol) => &counters.handshakes_refused_subprotocol,
            Refusal::Address => &counters.handshakes_refused_address,
            Refusal::Full => &counters.handshakes_refused_full,
            Refusal::Overload => &counters.handshakes_refused_overload,
            Refusal::Unavailable => &counters.handshakes_refused_unavailable,
            Refusal::Host => &counters.handshakes_refused_host,
        };
        add(counter, 1);
    }

    /// A place for one connection more; those that have to leave for it are cut.
    pub(super) fn reserve_on(&self, route: &Route, ip: &str) -> Result<Reservation, Full> {
        let reserved = {
            let limited = route.max_connections.map(|most| (most, self.hub.read()));
            // A closed connection counts until its events are handled, since they take memory.
            let room = limited.as_ref().map(|(most, hub)| most.saturating_sub(hub.route_known(route.id)));
            Quota::reserve(&route.quota, Address::parse(ip), route.max_connections_per_ip, room)
        };
        reserved.map(|(reservation, to_cut)| {
            to_cut.into_iter().for_each(|key| self.post(key, Op::Kill { key }));
            reservation
        })
    }

    /// Refuses a client for whose events there is no room.
    fn admit_events(&self, route: &Route, ip: &str) -> Result<(), Box<(Refusal, Handshake)>> {
        if !route.protocol.has_events() {
            return Ok(());
        }
        self.dispatch.admits(Address::parse(ip)).map_err(|overload| {
            let (refusal, status, text) = match overload {
                Overload::Address => (Refusal::Address, 429, "too many events of this address wait for PHP"),
                Overload::All => (Refusal::Overload, 503, "too many events wait for PHP"),
            };
            Box::new((refusal, Handshake::refused(status, text)))
        })
    }

    fn reserve_or_refuse(&self, route: &Route, ip: &str) -> Result<Reservation, Box<(Refusal, Handshake)>> {
        self.reserve_on(route, ip).map_err(|full| {
            // RFC 6585, 4: 429 says that "the user" asks for too much, and "does not define how the origin server identifies the user".
            // 503 would say that the server cannot cope, to balancers and monitors too, which one client must not make it say.
            let (refusal, status, text) = match full {
                Full::Address => (Refusal::Address, 429, "this address has as many connections to this route as it may"),
                Full::Route => (Refusal::Full, 503, "this route has as many connections as it may"),
            };
            Box::new((refusal, Handshake::refused(status, text)))
        })
    }

    /// An id for a client whose id nobody chooses.
    fn new_id(&self, route: &Route) -> Result<String, getrandom::Error> {
        match route.apps {
            Some(_) => Ok(socket_id(self.engine.node())?.to_string()),
            None => Ok(self.engine.id(random_id()?)),
        }
    }

    fn examine(&self, route: &str, request: Result<Request, Refused>, ip: &str) -> Result<Handshake, Box<(Refusal, Handshake)>> {
        let refuse = |refusal, status, text: &str| Err(Box::new((refusal, Handshake::refused(status, text))));
        if self.is_draining() {
            return refuse(Refusal::Unavailable, 503, "the server is shutting down");
        }
        let Some(route) = self.routes.read().current.get(route).cloned() else {
            return refuse(Refusal::Unavailable, 503, &format!("the WebSocket route {route:?} is not in force"));
        };
        let mut request = request.map_err(|refused| Box::new((Refusal::Request(refused.reason), Handshake::refused_for(refused))))?;
        let mut query = std::mem::take(&mut request.query);
        let wish = self.wish(&route, &mut query);
        // Who comes back agrees on the same compression as before, whatever newcomers may have now.
        let is_back = matches!(wish, Some(Wish::Back(_) | Wish::Afar(_)));
        let accepted = handshake::examine(&request, &route.policy, is_back || self.has_windows()).map_err(|refused| {
            if refused.reason == Reason::Origin {
                self.foreign_page(&route, &request);
            }
            Box::new((Refusal::Request(refused.reason), Handshake::refused_for(refused)))
        })?;
        self.admit_events(&route, ip)?;
        let reservation = match &wish {
            Some(Wish::Back(_)) => None,
            Some(Wish::Anew(_) | Wish::Afar(_)) | None => Some(self.reserve_or_refuse(&route, ip)?),
        };
        let id: Arc<str> = match self.new_id(&route) {
            Ok(id) => id.into(),
            Err(error) => return refuse(Refusal::Unavailable, 503, &format!("no randomness for an id: {error}")),
        };
        let (status, mut headers) = answer(accepted.accept);
        if let Some(subprotocol) = &accepted.subprotocol {
            headers.push((SUBPROTOCOL, subprotocol.clone()));
        }
        let subprotocol = accepted.subprotocol.unwrap_or_default();
        let branch = route.branch(&subprotocol).expect("bug: a sub-protocol was agreed on that the route does not speak");
        let compression = accepted.compression.map(|(params, answer)| {
            headers.push(("Sec-WebSocket-Extensions", answer));
            route.compression.with(params)
        });
        let opened = Box::new(Opened {
            path: request.path,
            query,
            ip: ip.to_owned(),
            subprotocol,
            user: String::new(),
            // Nobody else would be told them.
            headers: if route.protocol.has_events() { request.headers } else { Vec::new() },
        });
        let (offered, initial) = (accepted.offered, InitialState::default());
        let ticket = Ticket {
            route,
            id,
            opened,
            branch,
            offered,
            initial,
            reserved_id: None,
            claim: None,
            compression,
            wish,
            named: None,
            reservation,
        };
        Ok(Handshake { status, headers, text: String::new(), ticket: Some(ticket), entered: None })
    }

    /// Gives the connection an id of the host's choice. It is promised to this handshake until that is over. A client that has it, and that
    /// the server has closed, is cut.
    pub fn set_id(&self, handshake: &mut Handshake, id: &str) -> Result<(), AdmissionError> {
        let ticket = handshake.ticket.as_mut().ok_or(AdmissionError::Refused)?;
        if id.is_empty() || id.len() > MAX_NAME {
            return Err(CommandError::InvalidId.into());
        }
        if let Some(Wish::Back(returning)) = &ticket.wish
            && returning.visit.conn().resume.as_ref().is_some_and(|resume| resume.bound.id.as_deref() == Some(id))
        {
            // It had this id when it came, and has its session's id when it is back.
            ticket.named = Some(id.into());
            return Ok(());
        }
        if let Some(Wish::Afar(_)) = &ticket.wish {
            // The server that has the session knows whether it had this id. If it gets no session, it is promised the id then.
            ticket.named = Some(id.into());
            return Ok(());
        }
        self.promise(ticket, id)
    }

    /// Promises an id to a handshake.
    pub(super) fn promise(&self, ticket: &mut Ticket, id: &str) -> Result<(), AdmissionError> {
        // Locked until it is promised: a client that is being renamed to it is seen, or sees the promise.
        let hub = self.hub.read();
        match self.make_way_in(&hub, id) {
            Way::Free => {}
            Way::Leaving => return Err(AdmissionError::IdLeaving),
            Way::Taken => return Err(AdmissionError::IdTaken),
        }
        let reserved = self.reserved_ids.reserve(id).ok_or(AdmissionError::IdTaken)?;
        drop(hub);
        // Only then, as it may wait for other servers. What the handshake had before is given up.
        let Some(claim) = Claim::of(&self.engine, id)? else {
            return Err(if self.engine.make_way(id)? { AdmissionError::IdLeaving } else { AdmissionError::IdTaken });
        };
        ticket.claim = Some(claim);
        ticket.id = reserved.id.clone();
        ticket.named = Some(reserved.id.clone());
        ticket.reserved_id = Some(reserved);
        Ok(())
    }

    /// Somebody comes who is to have an id, on this server or another one: who has it and is not there is cut.
    pub(super) fn make_way_in(&self, hub: &Hub<Arc<Conn>>, id: &str) -> Way {
        match hub.client(id) {
            // Nobody is there: who comes with the id now has lost the token, or never had it.
            Some((conn, .., true)) if super::resume::is_suspended(conn) => {
                self.post(conn.key, Op::Kill { key: conn.key });
                Way::Leaving
            }
            Some((.., true)) => Way::Taken,
            Some((conn, ..)) => {
                // The server has closed it: that it says goodbye is a courtesy, for which nobody has to wait.
                if !conn.is_through(Through::Frames) {
                    self.post(conn.key, Op::Kill { key: conn.key });
                }
                Way::Leaving
            }
            None => Way::Free,
        }
    }

    /// What was accepted cannot be had any more.
    pub(crate) fn refuse_late(&self, handshake: &mut Handshake, why: Late) {
        let text = match why {
            Late::Unavailable if self.is_draining() => "the server is shutting down",
            Late::Unavailable => "the WebSocket route is not in force any more",
            Late::ComeAgain => "the server that has the session of this client has not given it yet: try again",
            Late::Full(Full::Route) => "this route has as many connections as it may",
            Late::Full(Full::Address) => "this address has as many connections to this route as it may",
            Late::Taken => "the id that the site chose for this client is another client's",
        };
        let (refusal, status) = match why {
            Late::Full(Full::Address) => (Refusal::Address, 429),
            Late::Full(Full::Route) => (Refusal::Full, 503),
            Late::Unavailable | Late::ComeAgain | Late::Taken => (Refusal::Unavailable, 503),
        };
        *handshake = Handshake::refused(status, text);
        self.count_refusal(refusal);
    }

    /// The host refuses what was accepted here: counted as a refusal, and its place on the route is free again.
    pub fn deny(&self, handshake: &mut Handshake) {
        if handshake.ticket.take().is_some() || handshake.entered.take().is_some() {
            handshake.status = 403;
            handshake.headers.clear();
            self.count_refusal(Refusal::Host);
        }
    }
}

/// Whether an id can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nobody has it.
    Free,
    /// It will be free soon.
    Leaving,
    /// Somebody has it who is there.
    Taken,
}

/// Why a client that was accepted cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// The server or the route ends.
    Unavailable,
    /// Another server has its session, and has not given it yet.
    ComeAgain,
    /// There is no place for it.
    Full(Full),
    /// It gets no session, and another client has its id.
    Taken,
}

/// The answer to a handshake that is accepted: its status, and the first of its headers.
fn answer(accept: Option<String>) -> (u16, Vec<(&'static str, String)>) {
    match accept {
        Some(accept) => {
            let headers = vec![("Upgrade", "websocket".to_owned()), ("Connection", "Upgrade".to_owned()), ("Sec-WebSocket-Accept", accept)];
            (101, headers)
        }
        // An extended CONNECT (RFC 8441, 5).
        None => (200, Vec::new()),
    }
}
