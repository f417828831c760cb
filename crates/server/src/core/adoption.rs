//! Clients whose handshake was accepted: they are entered, and get their connection.

use std::sync::Arc;

use fws_engine::Topic;
use fws_hub::Key;
use fws_wire::close;
use socket2::Socket;

use super::admission::Late;
use super::handover::{Arriving, NotBrought};
use super::resume::{Afar, Returning};
use super::{Core, Wish};
use crate::admission::{Handshake, Ticket};
use crate::adoption::Entered;
use crate::clock;
use crate::conn::{Conn, Request, Transport};
use crate::link::Link;
use crate::pipe::PipeId;
use crate::quota::Seat;
use crate::resume::NotResumed;
use crate::shard::{Linked, Newcomer, Op, Returned};
use crate::stats::add;

/// The session of a client that is back.
enum Session {
    Here(Returning),
    /// On another server.
    Afar(Afar),
}

/// Why a client that is back has not taken up its session.
enum NotTaken {
    /// It may begin another one.
    Session(NotBrought),
    /// It may not: it is refused.
    Refused(Late),
}

impl Core {
    /// Makes the client of an accepted handshake known: it is listed and sent to from now on. To be done before the answer is written, and
    /// undone by dropping the handshake if that fails. `false`: the handshake is refused, now or before; its status and text say why.
    pub fn enter(&self, handshake: &mut Handshake, transport: Transport) -> bool {
        let Some(ticket) = handshake.ticket.take() else { return handshake.entered.is_some() };
        match self.admit(ticket, transport, false) {
            Ok(entered) => handshake.entered = Some(entered),
            Err(why) => self.refuse_late(handshake, why),
        }
        handshake.entered.is_some()
    }

    /// Takes over an accepted connection whose answer is written. `buffered`: what was read behind the request. `Err` gives the socket
    /// back. A client that was not [entered](Core::enter) before is entered now.
    pub fn adopt(&self, handshake: Handshake, socket: Socket, buffered: &[u8]) -> Result<(), Socket> {
        let transport = if socket.local_addr().is_ok_and(|address| address.is_unix()) { Transport::Unix } else { Transport::Tcp };
        match self.entered(handshake, transport) {
            Some(entered) => {
                self.connect(entered, Link::Socket(socket), buffered);
                Ok(())
            }
            None => Err(socket),
        }
    }

    /// Opens a pipe for an accepted connection whose answer is written. `None`: the handshake was not accepted. A client that was not
    /// [entered](Core::enter) before is entered now.
    pub fn open_pipe(&self, handshake: Handshake, transport: Transport) -> Option<PipeId> {
        let entered = self.entered(handshake, transport)?;
        let conn = &entered.conn;
        let pipe = self.pipes.open(conn.key, Seat::new(conn.quota.clone(), conn.address(), conn.key));
        let id = pipe.id();
        self.connect(entered, Link::Pipe(pipe), &[]);
        Some(id)
    }

    fn entered(&self, mut handshake: Handshake, transport: Transport) -> Option<Entered> {
        match handshake.entered.take() {
            Some(entered) => Some(entered),
            None => self.admit(handshake.ticket.take()?, transport, true).ok(),
        }
    }

    /// Has a client that is back take up its session, or enters it anew.
    fn admit(&self, mut ticket: Ticket, transport: Transport, answered: bool) -> Result<Entered, Late> {
        let taken_up = match ticket.wish.take() {
            Some(Wish::Back(returning)) => self.take_up_wherever(&mut ticket, Session::Here(returning), transport),
            Some(Wish::Afar(afar)) => self.take_up_wherever(&mut ticket, Session::Afar(afar), transport),
            wish => {
                ticket.wish = wish;
                return self.register(ticket, transport, answered).ok_or(Late::Unavailable);
            }
        };
        let why = match taken_up {
            Ok(entered) => return Ok(entered),
            Err(NotTaken::Refused(why)) => return Err(why),
            Err(NotTaken::Session(NotBrought::No(why))) => why,
            Err(NotTaken::Session(NotBrought::ComeAgain)) if answered => NotResumed::Unknown,
            Err(NotTaken::Session(NotBrought::ComeAgain)) => return Err(Late::ComeAgain),
        };
        ticket.wish = Some(Wish::Anew(Some(why)));
        // It was not promised the id that the site chose: its session had it.
        if let Some(id) = ticket.named.clone().filter(|_| ticket.reserved_id.is_none()) {
            self.promise(&mut ticket, &id).map_err(|_| Late::Taken)?;
        }
        if ticket.reservation.is_none() {
            ticket.reservation = Some(self.reserve_on(&ticket.route, &ticket.opened.ip).map_err(Late::Full)?);
        }
        self.register(ticket, transport, answered).ok_or(Late::Unavailable)
    }

    /// Has a client that is back take up its session. Until it has, another connection of the client may take the session to another server: then it is
    /// brought from there.
    fn take_up_wherever(&self, ticket: &mut Ticket, mut session: Session, transport: Transport) -> Result<Entered, NotTaken> {
        let until = clock::now() + self.engine.timeout();
        let (secret, received) = match &session {
            Session::Here(returning) => (returning.secret, returning.received),
            Session::Afar(afar) => (afar.secret, afar.received),
        };
        loop {
            let (key, returning) = match session {
                Session::Here(returning) => (returning.visit.conn().key, Ok(returning)),
                Session::Afar(afar) => {
                    if ticket.reservation.is_none() {
                        let reservation = self.reserve_on(&ticket.route, &ticket.opened.ip);
                        ticket.reservation = Some(reservation.map_err(|full| NotTaken::Refused(Late::Full(full)))?);
                    }
                    let key = self.fetch(ticket, &afar, transport).map_err(NotTaken::Session)?;
                    (key, self.returning(&ticket.route, key, secret, received))
                }
            };
            let why = match returning.and_then(|returning| self.take_up(ticket, returning, transport)) {
                Ok(entered) => return Ok(entered),
                Err(why) => why,
            };
            #[cfg(feature = "simulation")]
            if crate::simulation::has(crate::simulation::Flaw::LookedAtOnce) {
                return Err(NotTaken::Session(why.into()));
            }
            session = match self.departed(key, secret, received).filter(|_| why == NotResumed::Unknown) {
                Some(_) if clock::now() > until => return Err(NotTaken::Session(NotBrought::ComeAgain)),
                Some(afar) => Session::Afar(afar),
                None => return Err(NotTaken::Session(why.into())),
            };
        }
    }

    /// Brings the session of a client here from another server.
    fn fetch(&self, ticket: &mut Ticket, afar: &Afar, transport: Transport) -> Result<Key, NotBrought> {
        let (path, ip, subprotocol) = (&*ticket.opened.path, &*ticket.opened.ip, &*ticket.opened.subprotocol);
        let request = Request { path: path.into(), ip: ip.into(), subprotocol: subprotocol.into(), transport };
        self.bring(
            afar,
            Arriving {
                route: ticket.route.clone(),
                branch: ticket.branch,
                compression: ticket.compression,
                request,
                reservation: ticket.reservation.take(),
                named: ticket.named.clone(),
                user: ticket.initial.user_name().unwrap_or_default().into(),
            },
        )
    }

    /// Enters a client into the registry, and at its shard. `answered`: its answer is written, so that it is taken and closed where else it
    /// is refused. `None`: it cannot be entered.
    fn register(&self, ticket: Ticket, transport: Transport, answered: bool) -> Option<Entered> {
        let mut resume = self.resume_for(&ticket).transpose().ok()?;
        // Before anything is locked, as it asks Redis.
        let ends = self.ends_of(&ticket.route.name, ticket.initial.tags());
        let tags = ticket.initial.tags().to_vec();
        // Kept locked until the shard has it: either the route is still the one in force, or a reload finds the connection.
        let routes = self.routes.read();
        let route = routes.current.get(&ticket.route.name).cloned();
        let gone = route.as_ref().is_none_or(|route| !route.serves(ticket.branch)) || self.is_draining();
        if gone && !answered {
            return None;
        }
        let route = route.unwrap_or(ticket.route);
        let Ticket { id, mut opened, branch, initial, reserved_id, claim, compression, wish, reservation, .. } = ticket;
        opened.user = initial.user_name().unwrap_or_default().to_owned();
        let mut made = None;
        let now = clock::unix_millis();
        // Kept locked until the shard has it: who finds the client in the hub posts behind its entry, not before.
        let mut hub = self.hub.write();
        let key = hub.register(id.clone(), route.id, |key| {
            let (path, ip, subprotocol) = (&*opened.path, &*opened.ip, &*opened.subprotocol);
            let request = Request { path: path.into(), ip: ip.into(), subprotocol: subprotocol.into(), transport };
            let mut conn = Conn::new(key, id, &route, branch, request);
            conn.compression = compression;
            conn.resume = resume.take();
            conn.traffic.opened(now);
            made.insert(Arc::new(conn)).clone()
        })?;
        let conn = made.expect("bug: the registry gave a key without making the handle");
        hub.furnish(key, initial);
        let shard = self.shard(key);
        // Nothing is to be done about it before the next post, which wakes the shard.
        let greeting = conn.resume.as_ref().zip(wish).map(|(resume, wish)| {
            let why = if let Wish::Anew(why) = wish { why } else { None };
            add(&self.counters.resumes_refused, why.is_some().into());
            resume.greeting(key, route.settings.resume_window, Err(why))
        });
        shard.post(Op::Enter(Box::new(Newcomer { conn: conn.clone(), route, greeting })));
        if let Some(reservation) = reservation {
            reservation.adopted();
        }
        self.tell_changes(hub);
        drop(reserved_id);
        drop(routes);
        if let Some(claim) = claim {
            claim.keep();
        }
        // Also one that a drain has overtaken just now.
        if gone || self.is_draining() {
            self.post(key, Op::Close { key, code: close::GOING_AWAY, reason: "".into() });
        }
        self.wait_for_topics(tags.iter().map(|tag| Topic::Tag(tag)).chain(Some(Topic::User(&opened.user))));
        self.follow_from(ends);
        Some(Entered { conn, opened: Some(opened), shard: shard.clone(), back: None })
    }

    /// The connection of a client is there.
    fn connect(&self, mut entered: Entered, link: Link, buffered: &[u8]) {
        let Some(opened) = entered.opened.take() else { return };
        let key = entered.conn.key;
        if let Some(back) = entered.back.take() {
            return self.post(key, Op::Return(Box::new(Returned { key, link, opened, buffered: buffered.into(), back })));
        }
        self.post(key, Op::Link(Box::new(Linked { key, link, opened, buffered: buffered.into() })));
        add(&self.counters.connections_opened, 1);
    }
}
