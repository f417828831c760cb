//! What is held back for a client that does not read as fast as it is sent to.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use fws_wire::frame;

/// How much may wait for a client, and what happens beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogSettings {
    /// The longest message that can be sent to a client. With the header of its frame it is also the most that may wait for the client.
    /// While more waits, nothing is read from the client.
    pub max_outbox: usize,
    /// What becomes of a client for which more than `max_outbox` would have to wait.
    pub slow_client: SlowClient,
}

impl Default for BacklogSettings {
    fn default() -> Self {
        BacklogSettings { max_outbox: 4 << 20, slow_client: SlowClient::default() }
    }
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

/// The bytes that wait for one client: how many there are, how many there may be, and what happens beyond that.
///
/// A frame is first *posted*: a sender, on any thread, offers it and then gives it to the thread that owns the connection. That thread
/// *takes* it into the outbox, where it waits for the socket. Senders decide by one count of both, so that they can tell their callers
/// what became of a message. All methods can be called on any thread, but for those that say that they are the owner's.
#[derive(Debug)]
pub struct Backlog {
    max_outbox: AtomicUsize,
    /// A [`SlowClient`] as a number.
    slow_client: AtomicU8,
    /// The client lost a message under [`SlowClient::Close`]: its end is on its way.
    doomed: AtomicBool,
    /// Bytes that wait: those that are posted, and those in the outbox.
    queued: AtomicUsize,
    /// How many of them are in the outbox. Written by the owner only.
    waiting: AtomicUsize,
    /// Messages that were dropped.
    dropped: AtomicU64,
}

/// What a [`Backlog`] answers to a frame that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a frame that is accepted has to be posted"]
pub enum Offer {
    /// Its room is reserved: it has to be posted now.
    Accepted,
    /// It does not fit and is dropped. `closes`: the client has to be closed for that; told once.
    Full {
        /// Whether this is the message for which the client is closed.
        closes: bool,
    },
    /// It is longer than all that may wait, so it can never be sent.
    TooLarge,
}

impl Backlog {
    /// Nothing waits.
    pub fn new(settings: &BacklogSettings) -> Backlog {
        Backlog {
            max_outbox: AtomicUsize::new(settings.max_outbox),
            slow_client: AtomicU8::new(settings.slow_client as u8),
            doomed: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Other settings hold from now on.
    pub fn configure(&self, settings: &BacklogSettings) {
        self.max_outbox.store(settings.max_outbox, Ordering::Relaxed);
        self.slow_client.store(settings.slow_client as u8, Ordering::Relaxed);
    }

    /// Asks for room for a frame of `len` bytes.
    ///
    /// The owner may be writing the outbox at this moment. So the count is of what waited when the owner last told, and of all that was
    /// posted since. Where the oldest messages are dropped, the owner makes room when it takes the frame; otherwise a sender in a hurry
    /// would lose its newest messages. Then `is_behind` says whether too much is on its way to the owner, of all its connections.
    pub fn offer(&self, len: usize, is_behind: impl FnOnce() -> bool) -> Offer {
        let room = self.room();
        if len > room {
            return Offer::TooLarge;
        }
        let before = self.queued.fetch_add(len, Ordering::Relaxed);
        let fits = if self.drops_oldest() { !is_behind() } else { before + len <= room };
        if fits && !self.doomed.load(Ordering::Relaxed) {
            return Offer::Accepted;
        }
        self.queued.fetch_sub(len, Ordering::Relaxed);
        self.count_dropped(1);
        Offer::Full { closes: self.is(SlowClient::Close) && !self.doomed.swap(true, Ordering::Relaxed) }
    }

    /// How many bytes the longest frame may have: one message that is as long as `max_outbox` always fits.
    pub fn longest(&self) -> usize {
        self.room()
    }

    fn room(&self) -> usize {
        frame::encoded_len(self.max_outbox().min(usize::MAX - frame::MAX_HEADER))
    }

    fn is(&self, policy: SlowClient) -> bool {
        self.slow_client.load(Ordering::Relaxed) == policy as u8
    }

    pub(crate) fn drops_oldest(&self) -> bool {
        self.is(SlowClient::DropOldest)
    }

    /// The owner: whether an outbox of this length is so full that the client is not read.
    pub(crate) fn is_over(&self, outbox: usize) -> bool {
        outbox > self.room()
    }

    /// The owner: by how many bytes too much would wait, with an outbox of this length and all that is posted.
    pub(crate) fn excess(&self, outbox: usize) -> usize {
        (outbox + self.posted()).saturating_sub(self.room())
    }

    /// Bytes that are posted and not taken yet.
    fn posted(&self) -> usize {
        self.queued.load(Ordering::Relaxed) - self.waiting.load(Ordering::Relaxed)
    }

    /// The owner: the outbox has this length now, and `taken` bytes are not posted any more, whether they came into the outbox or not.
    /// Both are told at once, so that what moves from the one to the other is neither missed nor counted twice.
    pub(crate) fn moved(&self, taken: usize, outbox: usize) {
        let before = self.waiting.load(Ordering::Relaxed);
        if outbox != before || taken > 0 {
            self.waiting.store(outbox, Ordering::Relaxed);
            self.queued.fetch_add(outbox.wrapping_sub(before).wrapping_sub(taken), Ordering::Relaxed);
        }
    }

    /// So many messages were dropped.
    pub fn count_dropped(&self, messages: u64) {
        if messages > 0 {
            self.dropped.fetch_add(messages, Ordering::Relaxed);
        }
    }

    /// Messages that were dropped since the client does not read as fast as it is sent to.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Bytes that wait.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// See [`BacklogSettings::max_outbox`].
    pub fn max_outbox(&self) -> usize {
        self.max_outbox.load(Ordering::Relaxed)
    }
}

impl Default for Backlog {
    fn default() -> Self {
        Backlog::new(&BacklogSettings::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(max_outbox: usize, slow_client: SlowClient) -> Backlog {
        Backlog::new(&BacklogSettings { max_outbox, slow_client })
    }

    const AT_LEISURE: fn() -> bool = || false;
    const BEHIND: fn() -> bool = || true;

    #[test]
    fn one_message_as_long_as_max_outbox_fits_and_a_longer_one_never() {
        for max_outbox in [1, 125, 126, 65_535, 65_536, 4 << 20, usize::MAX] {
            let backlog = backlog(max_outbox, SlowClient::DropNewest);
            let longest = frame::encoded_len(max_outbox.min(usize::MAX - frame::MAX_HEADER));
            if let Some(longer) = longest.checked_add(1) {
                assert_eq!(backlog.offer(longer, AT_LEISURE), Offer::TooLarge);
            }
            assert_eq!(backlog.offer(longest, AT_LEISURE), Offer::Accepted, "{max_outbox}");
            assert_eq!(backlog.offer(2, AT_LEISURE), Offer::Full { closes: false }, "{max_outbox}");
            assert_eq!((backlog.queued(), backlog.dropped()), (longest, 1), "what is too large is nobody's slowness");
        }
    }

    #[test]
    fn what_is_posted_counts_until_the_socket_has_it() {
        let backlog = backlog(98, SlowClient::DropNewest);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Accepted);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Full { closes: false });
        backlog.moved(60, 60);
        assert_eq!(backlog.queued(), 60);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Full { closes: false });
        backlog.moved(0, 40);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Accepted);
        // The connection is closing: what is taken comes into no outbox.
        backlog.moved(60, 0);
        assert_eq!((backlog.queued(), backlog.dropped()), (0, 2));
    }

    #[test]
    fn a_client_is_closed_for_the_first_message_that_does_not_fit_and_gets_no_other() {
        let backlog = backlog(98, SlowClient::Close);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Accepted);
        assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Full { closes: true });
        assert_eq!(backlog.offer(2, AT_LEISURE), Offer::Full { closes: false }, "though it would fit");
        assert_eq!(backlog.offer(200, AT_LEISURE), Offer::TooLarge);
        assert_eq!(backlog.dropped(), 2);
    }

    #[test]
    fn where_the_oldest_go_all_is_accepted_until_the_owner_is_behind() {
        let backlog = backlog(98, SlowClient::DropOldest);
        for _ in 0..10 {
            assert_eq!(backlog.offer(60, AT_LEISURE), Offer::Accepted);
        }
        assert_eq!(backlog.excess(0), 500);
        assert_eq!(backlog.offer(60, BEHIND), Offer::Full { closes: false });
        backlog.configure(&BacklogSettings { max_outbox: 1000, slow_client: SlowClient::DropNewest });
        assert_eq!(backlog.offer(60, BEHIND), Offer::Accepted, "only the oldest wait for room");
    }

    #[test]
    fn senders_on_many_threads_never_get_more_room_than_there_is() {
        let backlog = backlog(1000, SlowClient::DropNewest);
        let accepted: usize = std::thread::scope(|scope| {
            let senders: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..500).filter(|_| backlog.offer(7, AT_LEISURE) == Offer::Accepted).count())).collect();
            senders.into_iter().map(|sender| sender.join().expect("it does not panic")).sum()
        });
        assert_eq!(backlog.queued(), accepted * 7);
        assert!(accepted * 7 <= backlog.room());
        assert_eq!(backlog.dropped(), 2000 - accepted as u64);
    }
}
