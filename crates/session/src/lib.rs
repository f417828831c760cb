//! One WebSocket connection without I/O: bytes and the time go in, bytes and events come out.
//!
//! * [`Session`] is the connection, [`Settings`] what its route asks of it: it decodes, answers pings and closes, keeps the timers, and says what it wants of its socket;
//! * [`Outbox`] holds the bytes that wait for the socket;
//! * [`RateLimit`] is how fast a client may send;
//! * [`Backlog`] is how much waits for a client and how much may; [`SlowClient`] is what becomes of one that reads too slowly;
//! * [`Frame`] is a message encoded once, for one client or for many;
//! * [`Compression`] says how what is sent to a client is compressed;
//! * [`Session::keep`] has messages kept until they have arrived, so that a client whose network was away can come back for them;
//! * [`Event`] is what PHP is told, and [`Fifo`] the events of one connection that wait for it.
//!
//! Time is milliseconds since an arbitrary start, given by the caller.
#![forbid(unsafe_code)]

mod backlog;
mod compression;
mod event;
mod frame;
mod kept;
mod limits;
mod outbox;
mod rate;
mod session;
mod settings;

pub use backlog::{Backlog, BacklogSettings, Offer, SlowClient};
pub use compression::Compression;
pub use event::{ChannelEvent, ChannelEventKind, Closed, Event, Failed, Fifo, Membership, Opened, Subscriber, Timer};
pub use frame::Frame;
pub use kept::{KeptMemory, Progress};
pub use outbox::{Outbox, Saved, Spares};
pub use rate::{Exceed, RateLimit};
pub use session::{Back, Luggage, Message, Posted, Session, Signs, Taken};
pub use settings::Settings;

/// Milliseconds since the caller's start.
pub type Millis = u64;
