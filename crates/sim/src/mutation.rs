//! What a simulation can break on purpose, to show that it finds it.

use fws_server::simulation::Flaw;

/// Something that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Redis gives a server a message to a group twice.
    ToldTwice,
    /// Redis loses a message to a group although no connection is broken.
    LostSilently,
    /// Redis gives messages to groups in another order.
    Reordered,
    /// Redis lets two servers claim one id.
    ClaimedByTwo,
    /// The network swaps two messages to a client.
    Swapped,
    /// The network gives a server a message of a client twice.
    Repeated,
    /// The core itself has a flaw.
    Core(Flaw),
}
