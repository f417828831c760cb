//! Clients that are away, whose ids others want who come to other servers.

use std::time::Duration;

use fws_hub::Key;
use serde::{Deserialize, Serialize};

use super::Core;
use super::admission::Way;
use super::resume::is_suspended;
use crate::clock;

/// Whether a client goes whose id another one is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Yields {
    /// It is there.
    No,
    /// It does, or there is none.
    Yes,
    /// It is away, and goes if it is asked for once more, soon.
    Away(Seen),
}

/// A client that is away, as the server that asks is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    index: u32,
    generation: u32,
    /// When that was, milliseconds of the server that says so.
    at: u32,
}

impl Core {
    /// Somebody comes to another server who is to have an id: who has it here and is not there is cut.
    ///
    /// A question may come so late that nobody waits for its answer, and the client that is meant may have begun another session since. So who is away
    /// is cut when it is asked for the second time: then somebody waits who has heard of this very session.
    pub(crate) fn yields(&self, id: &str, seen: Option<Seen>) -> Yields {
        let hub = self.hub.read();
        if let Some((conn, .., true)) = hub.client(id)
            && is_suspended(conn)
            && !self.is_seen(conn.key, seen)
        {
            return Yields::Away(Seen { index: conn.key.index, generation: conn.key.generation, at: self.millis() });
        }
        if self.make_way_in(&hub, id) == Way::Taken { Yields::No } else { Yields::Yes }
    }

    /// Whether this is the client, and who asks certainly still waits for the answer: it has asked after it was told that, and waits for the whole timeout.
    fn is_seen(&self, key: Key, seen: Option<Seen>) -> bool {
        #[cfg(feature = "simulation")]
        if crate::simulation::has(crate::simulation::Flaw::YieldsLate) {
            return true;
        }
        let Some(seen) = seen else { return false };
        let age = Duration::from_millis(self.millis().wrapping_sub(seen.at).into());
        (key.index, key.generation) == (seen.index, seen.generation) && age <= self.engine.timeout() / 2
    }

    fn millis(&self) -> u32 {
        clock::since(self.started).as_millis() as u32
    }
}
