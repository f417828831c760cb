//! What servers say to each other about a client that changes its server.

use std::sync::Arc;

use fws_hub::{Key, Position};
use serde::{Deserialize, Serialize};

use crate::resume::{Bound, Marks, NotResumed, Secret};

/// A client has come to another server, which wants to have its session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub who: Who,
    pub secret: Secret,
    /// Messages that the client has got since it was told the secret.
    pub received: u64,
    pub route: Box<str>,
    /// Agreed on in the new handshake, as the next two.
    pub subprotocol: Box<str>,
    pub compression: Option<(bool, u8)>,
    pub bound: Bound,
    /// What the server was told to listen to; `None`: nothing yet.
    pub stamp: Option<u64>,
    /// With which secret the session was given to the server that is asked, if it was: the client may have shown that one by a request that it gave up.
    pub given_for: Option<Secret>,
}

/// Whose session is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Who {
    /// Slot and generation.
    Place(u32, u32),
    /// It was at another server before.
    Id(Box<str>),
}

impl Who {
    pub fn at(key: Key) -> Who {
        Who::Place(key.index, key.generation)
    }
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Handed {
    /// There is no such session, or the client cannot have it.
    No(NotResumed),
    /// It is on another server by now, to which it was given for this secret.
    Elsewhere { node: Box<str>, id: Box<str>, shown: Secret },
    /// Events of the client are still being handled.
    Later,
    /// First, messages to these are to be listened to. It is asked once more then, soon, with the stamp.
    Listen { tags: Vec<Arc<str>>, user: Option<Arc<str>>, stamp: u64 },
    /// Here it is, and it is not there any more.
    Client(Box<Parcel>),
}

/// All that a client has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// Where it was: slot and generation.
    pub place: (u32, u32),
    pub id: Arc<str>,
    pub tags: Vec<Arc<str>>,
    /// Name and information.
    pub user: Option<(Arc<str>, Arc<[u8]>)>,
    /// Whom it is in channels where it is not its user: tag, name and information.
    pub members: Vec<InParcel>,
    pub information: Vec<(Arc<str>, Arc<[u8]>)>,
    /// How far the client has been sent the channels among its tags that have a history.
    pub positions: Vec<(Arc<str>, Spot)>,
    /// What it may not have got: bytes on the wire, and whether they are compressed.
    pub frames: Vec<(Vec<u8>, bool)>,
    /// What it gets behind these, text or binary.
    pub missed: Vec<(bool, Arc<[u8]>)>,
    pub arrived: u64,
    pub received: u64,
    pub ping_interval: Option<u32>,
    /// The tokens with which it may come.
    pub marks: Marks,
    /// Milliseconds since 1970.
    pub connected_at: u64,
    /// Up to these numbers it has got what servers have sent to groups.
    pub heard: Vec<(Box<str>, u64)>,
}

/// Whom a client is in a channel: the tag, the user's name and information.
pub(crate) type InParcel = (Arc<str>, Arc<str>, Arc<[u8]>);

/// A [`Position`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Spot {
    epoch: u64,
    offset: u64,
}

impl From<Position> for Spot {
    fn from(Position { epoch, offset }: Position) -> Spot {
        Spot { epoch, offset }
    }
}

impl From<Spot> for Position {
    fn from(Spot { epoch, offset }: Spot) -> Position {
        Position { epoch, offset }
    }
}
