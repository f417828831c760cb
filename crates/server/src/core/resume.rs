//! Clients that come back after their network was away.

use std::sync::Arc;

use fws_engine::NodeId;
use fws_wire::deflate::Params;

use super::{Core, Gone, Who};
use crate::admission::Ticket;
use crate::adoption::{Back, Entered};
use crate::conn::{Conn, Through, Transport};
use crate::resume::{Asked, Bound, Marks, NotResumed, Secret, Token, Visit};
use crate::routes::Route;
use crate::shard::Op;
use crate::stats::add;

/// What a handshake wants of a session that is kept.
#[derive(Debug)]
pub(crate) enum Wish {
    /// To begin one. If the client came with a token, why it cannot take up the one that it had.
    Anew(Option<NotResumed>),
    /// To take one up.
    Back(Returning),
    /// To take one up that another server has.
    Afar(Afar),
}

/// A client whose session another server has.
#[derive(Debug)]
pub(crate) struct Afar {
    pub node: NodeId,
    pub who: Who,
    pub secret: Secret,
    /// Messages that the client has got since it was told the secret.
    pub received: u64,
    /// With which secret the session was given to that server, if it was.
    pub given_for: Option<Secret>,
}

/// A client with a valid token.
#[derive(Debug)]
pub(crate) struct Returning {
    pub secret: Secret,
    /// Messages that the client has got since it was told the secret.
    pub received: u64,
    /// The number of the last message that it has got.
    pub arrived: u64,
    pub visit: Visit,
}

impl Core {
    /// What the query of a request asks. The query is left without it.
    pub(super) fn wish(&self, route: &Route, query: &mut Vec<u8>) -> Option<Wish> {
        Some(match route.resume.as_ref()?.take(query)? {
            Asked::Anew => Wish::Anew(None),
            Asked::Wrong(why) => Wish::Anew(Some(why)),
            Asked::Back { token, received } => match self.afar(&token, received) {
                Some(afar) => Wish::Afar(afar),
                None => match self.returning(route, token.key, token.secret, received) {
                    Ok(returning) => Wish::Back(returning),
                    // It may have left just now.
                    Err(why) => self.departed(token.key, token.secret, received).map_or(Wish::Anew(Some(why)), Wish::Afar),
                },
            },
        })
    }

    /// The other server that has a session, if one has it.
    fn afar(&self, token: &Token, received: u64) -> Option<Afar> {
        let (own, secret) = (self.engine.node()?, token.secret);
        match token.node {
            Some(node) if node != own => Some(Afar { node, who: Who::at(token.key), secret, received, given_for: None }),
            Some(_) | None => self.departed(token.key, secret, received),
        }
    }

    /// A session that was here and has gone to another server.
    pub(super) fn departed(&self, key: fws_hub::Key, secret: Secret, received: u64) -> Option<Afar> {
        let own = self.engine.node()?;
        let Gone { to, id, shown } = self.departed.session(key)?;
        // It may have come back here.
        let node = if self.hub.read().knows(&id) { own } else { to };
        Some(Afar { node, who: Who::Id(id), secret, received, given_for: Some(shown) })
    }

    pub(super) fn returning(&self, route: &Route, key: fws_hub::Key, secret: Secret, received: u64) -> Result<Returning, NotResumed> {
        let conn = self.hub.read().live_handle(key).cloned().filter(|conn| conn.route == route.id).ok_or(NotResumed::Unknown)?;
        // First, so that it does not end between the check and the takeover.
        let visit = Visit::new(conn).ok_or(NotResumed::Unknown)?;
        let resume = visit.conn().resume.as_ref().ok_or(NotResumed::Unknown)?;
        let arrived = resume.find(&secret, received)?;
        Ok(Returning { secret, received, arrived, visit })
    }

    /// Has the session of a client that is back taken up, if it still can be.
    pub(super) fn take_up(&self, ticket: &mut Ticket, returning: Returning, transport: Transport) -> Result<Entered, NotResumed> {
        let Returning { secret, arrived, visit, .. } = returning;
        let conn = visit.conn().clone();
        let resume = conn.resume.as_ref().ok_or(NotResumed::Unknown)?;
        if conn.is_dismissed() || conn.is_through(Through::Frames) {
            return Err(NotResumed::Unknown);
        }
        let alike = conn.branch == ticket.branch
            && what_is_sent(conn.compression.map(|own| own.params)) == what_is_sent(ticket.compression.map(|own| own.params))
            && resume.bound == bound_of(ticket);
        if !alike {
            return Err(NotResumed::Different);
        }
        ticket.opened.user = ticket.initial.user_name().unwrap_or_default().to_owned();
        // What it is not like is found out at once; whether its messages are still there, once more by the shard.
        let fresh = Secret::random().map_err(|_| NotResumed::Unknown)?;
        let compression = ticket.compression;
        let back = Box::new(Back { secret, arrived, fresh, compression, transport, _visit: visit });
        let opened = Some(std::mem::take(&mut ticket.opened));
        let shard = self.shard(conn.key).clone();
        Ok(Entered { conn, opened, shard, back: Some(back) })
    }

    /// A connection broke. `false`: its client is not waited for, since that is known to be in vain.
    ///
    /// Where too many are waited for, one is not any more: of the address that has most of them, the one that has been away longest.
    pub(crate) fn suspend(&self, conn: &Conn) -> bool {
        let Some(resume) = conn.resume.as_ref().filter(|_| !conn.is_dismissed() && !self.is_draining()) else { return false };
        let mut waited_for = self.suspended.lock();
        resume.set_suspended(Some(waited_for.enter(conn.peer().owner, 1, conn.key)));
        let given_up = (waited_for.used() > self.options.max_suspended).then(|| waited_for.worst()).flatten();
        let given_up = given_up.and_then(|ticket| waited_for.leave(ticket));
        drop(waited_for);
        add(&self.counters.connections_suspended, 1);
        let Some(key) = given_up else { return true };
        add(&self.counters.suspensions_refused, 1);
        self.too_many_suspended(conn);
        if key == conn.key {
            resume.set_suspended(None);
            return false;
        }
        self.post(key, Op::GiveUp { key });
        true
    }

    /// A client that was waited for is back.
    pub(crate) fn resumed(&self, conn: &Conn) {
        self.not_suspended(conn);
        add(&self.counters.connections_resumed, 1);
    }

    /// A connection that may have been suspended is not any more.
    pub(super) fn not_suspended(&self, conn: &Conn) {
        if let Some(place) = conn.resume.as_ref().and_then(|resume| resume.set_suspended(None)) {
            self.suspended.lock().leave(place);
        }
    }

    /// What a new client that may come back is known by.
    pub(super) fn resume_for(&self, ticket: &Ticket) -> Option<Result<Box<crate::resume::Resume>, getrandom::Error>> {
        ticket.wish.as_ref()?;
        let resume = |secret| {
            let (node, memory) = (self.engine.node(), self.kept.clone());
            Box::new(crate::resume::Resume::new(bound_of(ticket), node, memory, Marks::first(secret)))
        };
        Some(Secret::random().map(resume))
    }
}

/// What the site has said of a client.
fn bound_of(ticket: &Ticket) -> Bound {
    bound(ticket.named.as_ref(), ticket.initial.user_name().unwrap_or_default())
}

/// What the site has said: an id, if it chose one, and a user, or none.
pub(crate) fn bound(named: Option<&Arc<str>>, user: &str) -> Bound {
    Bound { id: named.cloned(), user: user.into() }
}

/// What a client must be able to read of what was compressed for it before it came back.
pub(crate) fn what_is_sent(params: Option<Params>) -> Option<(bool, u8)> {
    params.map(|params| (params.server_takeover, params.server_bits))
}

/// A shared handle, for who has only this.
pub(crate) fn is_suspended(conn: &Arc<Conn>) -> bool {
    conn.resume.as_ref().is_some_and(|resume| resume.is_suspended())
}
