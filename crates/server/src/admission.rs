//! The examination of upgrade requests, and what the host's authorisation adds to them.

use std::fmt;
use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use fws_engine::redis::NodeId;
use fws_hub::{CommandError, InitialState};
use fws_pusher::SocketId;
use fws_session::{Compression, Opened};
use fws_wire::handshake::{Reason, Refused};

use crate::adoption::Entered;
use crate::core::Wish;
use crate::dispatch::BranchId;
use crate::quota::Reservation;
use crate::reserved_ids::ReservedId;
use crate::routes::Route;

/// The header that tells the sub-protocol agreed on.
pub(crate) const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// An examined upgrade request: what to answer and, where it is accepted, the right to hand over its connection.
#[derive(Debug)]
pub struct Handshake {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) text: String,
    /// Until the client is entered.
    pub(crate) ticket: Option<Ticket>,
    /// From then on.
    pub(crate) entered: Option<Entered>,
}

/// Why a handshake is refused: there is a counter for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// For what the request says.
    Request(Reason),
    Address,
    Full,
    Overload,
    Unavailable,
    Host,
}

/// What is known of a connection between its handshake and its adoption.
#[derive(Debug)]
pub struct Ticket {
    pub route: Arc<Route>,
    pub id: Arc<str>,
    pub opened: Box<Opened>,
    pub branch: BranchId,
    /// What the client offered.
    pub offered: Vec<String>,
    pub initial: InitialState,
    /// Held where the id is not random.
    pub reserved_id: Option<ReservedId>,
    pub compression: Option<Compression>,
    /// The same among all servers.
    pub claim: Option<Claim>,
    /// Whether the client wants to come back after a break, or is back after one.
    pub wish: Option<Wish>,
    /// The id that the host chose, if it chose one.
    pub named: Option<Arc<str>>,
    /// Not of a client that is back, which has its place.
    pub reservation: Option<Reservation>,
}

/// An id that no other server has. It is given up when this is dropped.
pub struct Claim {
    engine: Arc<dyn fws_engine::Engine>,
    id: Option<Arc<str>>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.id).finish()
    }
}

impl Claim {
    /// Claims an id. `None`: another server has it.
    pub fn of(engine: &Arc<dyn fws_engine::Engine>, id: &str) -> Result<Option<Claim>, CommandError> {
        Ok(engine.claim(id)?.then(|| Claim { engine: engine.clone(), id: Some(id.into()) }))
    }

    /// A client has it from now on.
    pub fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.engine.release(&id);
        }
    }
}

/// Why an authorisation cannot be followed. The handshake is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The handshake is refused already.
    #[error("the handshake was refused")]
    Refused,
    /// A client, or another handshake, has the id.
    #[error("the id is taken")]
    IdTaken,
    /// A client that is gone has the id until its close event has been handled: it will be free soon.
    #[error("a client that is gone has the id until its close event has been handled")]
    IdLeaving,
    /// RFC 6455, 4.2.2: the sub-protocol must be one of those the client offered.
    #[error("the client did not offer the sub-protocol")]
    NotOffered,
    /// The route has neither a worker for the sub-protocol nor a default one.
    #[error("no worker of the route handles the sub-protocol")]
    Unserved,
    /// An id, a tag or stored information that no client may have.
    #[error(transparent)]
    Invalid(#[from] CommandError),
}

impl Handshake {
    /// 101, or 200 for an extended CONNECT, or the status of the refusal.
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

    pub(crate) fn refused(status: u16, text: impl Into<String>) -> Handshake {
        Handshake { status, headers: Vec::new(), text: text.into(), ticket: None, entered: None }
    }

    pub(crate) fn refused_for(refused: Refused) -> Handshake {
        let headers = refused.headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Handshake { status: refused.status, headers, text: refused.text, ticket: None, entered: None }
    }
}

impl Handshake {
    /// Chooses another sub-protocol than the client's preference. One that the route does not speak goes to its default worker.
    pub fn set_subprotocol(&mut self, subprotocol: &str) -> Result<(), AdmissionError> {
        let ticket = self.ticket.as_mut().ok_or(AdmissionError::Refused)?;
        // RFC 6455, 4.2.2: the value "MUST be derived from the client's handshake".
        if !ticket.offered.iter().any(|offered| offered == subprotocol) {
            return Err(AdmissionError::NotOffered);
        }
        ticket.branch = ticket.route.branch(subprotocol).or(ticket.route.branch("")).ok_or(AdmissionError::Unserved)?;
        ticket.opened.subprotocol = subprotocol.to_owned();
        self.headers.retain(|(name, _)| *name != SUBPROTOCOL);
        self.headers.push((SUBPROTOCOL, subprotocol.to_owned()));
        Ok(())
    }

    /// Gives the connection a tag from its first moment.
    pub fn add_tag(&mut self, tag: &str) -> Result<(), AdmissionError> {
        Ok(self.ticket.as_mut().ok_or(AdmissionError::Refused)?.initial.tag(tag)?)
    }

    /// Says whose the connection is, from its first moment, and what channels tell of the user.
    pub fn set_user(&mut self, user: &str, info: &[u8]) -> Result<(), AdmissionError> {
        Ok(self.ticket.as_mut().ok_or(AdmissionError::Refused)?.initial.user(user, info)?)
    }

    /// Gives the connection stored information from its first moment.
    pub fn set_information(&mut self, key: &str, value: &[u8]) -> Result<(), AdmissionError> {
        Ok(self.ticket.as_mut().ok_or(AdmissionError::Refused)?.initial.set(key, value)?)
    }
}

/// An id: 128 random bits in 22 characters that are safe in URLs.
pub(crate) fn random_id() -> Result<String, getrandom::Error> {
    let mut bits = [0u8; 16];
    crate::clock::random(&mut bits)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bits))
}

/// An id of two numbers, of which the first one is that of the server, if there are others.
pub(crate) fn socket_id(node: Option<NodeId>) -> Result<SocketId, getrandom::Error> {
    let mut bits = [0u8; 16];
    getrandom::fill(&mut bits)?;
    let number = u128::from_ne_bytes(bits);
    let own = node.map_or(number as u64 & ((1 << 40) - 1) | 1 << 40, |node| node.number());
    Ok(SocketId::new(own, (number >> 65) as u64))
}
