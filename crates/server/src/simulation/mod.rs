//! A core without threads, for a simulator: see `crates/sim`. Only with the feature `simulation`, which no product has.
//!
//! A [`World`] that is [entered](enter) has the time, the randomness, and decides what happens while a thread would wait. [`Simulated`] is a
//! server of it. Threads that have entered no world have the real ones.

mod server;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::server::{Simulated, Sleep};
use crate::core::Handed;
use crate::servers::message;

/// What is around the cores of a simulation.
pub trait World {
    /// The time.
    fn now(&self) -> Instant;

    /// The time since 1970.
    fn unix(&self) -> Duration;

    /// Fills a buffer.
    fn random(&self, bytes: &mut [u8]);

    /// A thread would wait: something else happens. It is called again and again until what is waited for is there.
    fn wait(&self, waiting: Waiting);

    /// Whether who sends to a shard finds it free, and has its turn.
    fn is_shard_free(&self) -> bool;

    /// Whether the core has a flaw, on purpose.
    fn has(&self, flaw: Flaw) -> bool;
}

/// What a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Another thread.
    Thread,
    /// A time, or something that comes before.
    Time(Instant),
}

/// Something that a simulation must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A server that waits for a client remembers nothing of what it carries out meanwhile.
    NoJournal,
    /// A server does not remember the numbers of what others have sent.
    NoNumbers,
    /// A client is given away although events of it wait for PHP.
    EventsLeftBehind,
    /// Nobody looks after events of channels that wait while all shards sleep.
    AsleepWithEvents,
    /// PHP is not told of clients that were given to another server and did not arrive.
    Astray,
    /// A session that was here at the handshake and is on another server now is believed to be over.
    LookedAtOnce,
    /// A session that could not enter its channels on the server that it came to is ended there, and has not arrived.
    EndedOnArrival,
    /// A client that has shown its token is told another one, and no other that it may have been told meanwhile is good any more.
    OneToken,
    /// Whoever is away when somebody else wants its id is cut, however late that is asked.
    YieldsLate,
    /// Where Redis has lost what was recorded in a channel, its members are believed to be at the beginning.
    FromTheBeginning,
    /// Nobody waits until other servers send here what is for a tag.
    Impatient,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<dyn World>>> = const { RefCell::new(None) };
}

/// The world of this thread.
pub(crate) fn world() -> Option<Rc<dyn World>> {
    WORLD.with_borrow(Clone::clone)
}

/// Whether the core has a flaw, on purpose.
pub(crate) fn has(flaw: Flaw) -> bool {
    world().is_some_and(|world| world.has(flaw))
}

/// The id of the client that is in what a server answers another one, if one is.
pub fn client_in(answer: &[u8]) -> Option<Arc<str>> {
    match message::handed(answer)? {
        Handed::Client(parcel) => Some(parcel.id),
        Handed::No(_) | Handed::Elsewhere { .. } | Handed::Later | Handed::Listen { .. } => None,
    }
}

/// This thread is in a world until what is returned is dropped.
pub fn enter(world: Rc<dyn World>) -> Entered {
    WORLD.set(Some(world));
    Entered(())
}

/// See [`enter`].
#[derive(Debug)]
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        WORLD.set(None);
    }
}
