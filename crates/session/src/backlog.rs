//! What becomes of a client that reads more slowly than it is sent to.

use fws_wire::frame;

/// How many bytes may wait in an outbox of this size, headers of frames included: it has room for one message that is as long as the
/// outbox is large.
pub fn outbox_room(max_outbox: usize) -> usize {
    frame::encoded_len(max_outbox.min(usize::MAX - frame::MAX_HEADER))
}

/// What becomes of a client that reads more slowly than it is sent to, when its outbox is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SlowClient {
    /// It is closed with 1013; what waited for it is dropped.
    #[default]
    Close,
    /// The oldest messages that have not begun to be written are dropped.
    DropOldest,
    /// The message that does not fit is dropped.
    DropNewest,
}

/// Whether a message fits an outbox, see [`Session::make_room`].
#[derive(Debug, PartialEq, Eq)]
pub struct Room {
    /// Older messages that were dropped for it.
    pub dropped: u64,
    /// Whether it fits now.
    pub fits: bool,
}
