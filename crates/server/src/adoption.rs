//! A client whose handshake was accepted: it becomes known before it gets its answer, and has its connection after.
//!
//! The client enters the registry first, so that whoever hears of its id finds it. What the client is sent before its
//! connection is there waits in its outbox, hence behind the answer. PHP is told of the client once the connection is there: of one whose
//! answer could not be written it never hears.

use std::fmt;
use std::sync::Arc;

use fws_session::{Compression, Opened};

use crate::conn::{Conn, Transport};
use crate::resume::{Secret, Visit};
use crate::shard::{Op, ShardHandle};

/// A client that is known, and whose connection is still to come. It is forgotten when this is dropped.
pub struct Entered {
    pub(crate) conn: Arc<Conn>,
    /// Its first event, until the connection is there.
    pub(crate) opened: Option<Box<Opened>>,
    pub(crate) shard: ShardHandle,
    /// It is known since long, and comes back.
    pub(crate) back: Option<Box<Back>>,
}

/// How a client comes back.
pub struct Back {
    /// That of the token that it showed.
    pub(crate) secret: Secret,
    /// The number of the last message that it has got.
    pub(crate) arrived: u64,
    /// That of the token that it gets.
    pub(crate) fresh: Secret,
    pub(crate) compression: Option<Compression>,
    pub(crate) transport: Transport,
    /// It is waited for until this is dropped.
    pub(crate) _visit: Visit,
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entered").field(&self.conn.key).finish()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.opened.is_some() && self.back.is_none() {
            self.shard.post(Op::Abandon { key: self.conn.key });
            self.shard.wake();
        }
    }
}
