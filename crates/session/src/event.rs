//! What PHP is told of a connection, and the queue in which one connection's events wait.

use std::collections::VecDeque;

/// The facts of a new connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The path of the request, byte for byte as sent: not always UTF-8.
    pub path: Vec<u8>,
    /// The query without `?`; empty where there was none.
    pub query: Vec<u8>,
    /// The client's address as the web server sees it.
    pub ip: String,
    /// The sub-protocol agreed on; empty where there is none.
    pub subprotocol: String,
    /// Whose the connection is; empty where it is nobody's.
    pub user: String,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code of the first close frame that either side sent; 1005 if it had none, 1006 if there was no close frame.
    pub code: u16,
    /// That frame's reason, or what went wrong.
    pub reason: String,
    /// Whether both sides sent a close frame.
    pub clean: bool,
    /// Why it was failed, if it was.
    pub failed: Option<Failed>,
}

/// Why a connection was failed (RFC 6455, 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The client broke the protocol or a limit.
    Violation,
    /// There was no room for what it sent, because of what others send, and it held most.
    NoRoom,
    /// What its compressed messages refer to had been given up, because of what others keep.
    WindowLost,
    /// It did not finish a message in time.
    Unfinished,
}

/// A timer that PHP has set is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Its number.
    pub id: u64,
    /// What was given when it was set.
    pub payload: std::sync::Arc<[u8]>,
}

/// A user has joined a channel, or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The name of the route that the channel is of.
    pub route: std::sync::Arc<str>,
    /// The channel's tag.
    pub tag: std::sync::Arc<str>,
    /// The user.
    pub user: std::sync::Arc<str>,
    /// What was said about the user.
    pub info: std::sync::Arc<[u8]>,
    /// The id of the client by which it has joined, or of the one that was taken out of the channel, where that is known.
    pub by: Option<std::sync::Arc<str>>,
}

/// What a subscriber of the Pusher protocol has done in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The name of its route.
    pub route: std::sync::Arc<str>,
    /// The client.
    pub id: std::sync::Arc<str>,
    /// The channel's tag.
    pub tag: Box<str>,
    /// Who it is in the channel; empty where it is nobody.
    pub user: std::sync::Arc<str>,
    /// The name of its event, if it has sent one.
    pub event: Box<str>,
    /// The event's data, or what was said about the user when it subscribed.
    pub data: Box<[u8]>,
}

/// What has become of a channel of the Pusher protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelEvent {
    /// The name of the route that the channel is of.
    pub route: std::sync::Arc<str>,
    /// The channel's tag.
    pub tag: Box<str>,
    /// What it is.
    pub kind: ChannelEventKind,
}

/// What may become of a channel of the Pusher protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelEventKind {
    /// It has its first subscriber.
    Occupied,
    /// It has lost its last subscriber.
    Vacated,
    /// A client has subscribed to it, and no event is kept that it could be sent.
    CacheMiss,
    /// It has so many subscribers.
    SubscriptionCount(u64),
}

impl ChannelEventKind {
    /// Pusher's name of it.
    pub fn name(self) -> &'static str {
        match self {
            ChannelEventKind::Occupied => "channel_occupied",
            ChannelEventKind::Vacated => "channel_vacated",
            ChannelEventKind::CacheMiss => "cache_miss",
            ChannelEventKind::SubscriptionCount(_) => "subscription_count",
        }
    }
}

/// One thing that PHP is told: of a connection, of a timer, or of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was opened; always the first.
    Open(Box<Opened>),
    /// A message came.
    Message {
        /// Binary rather than text.
        binary: bool,
        /// The payload.
        data: Box<[u8]>,
    },
    /// It broke, and its client is waited for.
    Suspend,
    /// Its client is back.
    Resume(Box<Opened>),
    /// It is closed; always the last.
    Close(Box<Closed>),
    /// A timer is due; of no connection.
    Timer(Box<Timer>),
    /// A user has joined a channel; of no connection.
    Join(Box<Membership>),
    /// A user has left a channel; of no connection.
    Leave(Box<Membership>),
    /// A client of the Pusher protocol has subscribed to a channel.
    Subscribe(Box<Subscriber>),
    /// It has left a channel, or its connection has ended.
    Unsubscribe(Box<Subscriber>),
    /// It has sent an event to the others in a channel.
    ClientEvent(Box<Subscriber>),
    /// Something has become of a channel of the Pusher protocol; of no connection.
    Channel(Box<ChannelEvent>),
}

impl Event {
    /// Whether it is a message.
    pub fn is_message(&self) -> bool {
        match self {
            Event::Message { .. } => true,
            Event::Open(_)
            | Event::Suspend
            | Event::Resume(_)
            | Event::Close(_)
            | Event::Timer(_)
            | Event::Join(_)
            | Event::Leave(_)
            | Event::Subscribe(_)
            | Event::Unsubscribe(_)
            | Event::ClientEvent(_)
            | Event::Channel(_) => false,
        }
    }

    /// What PHP knows its kind by.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Open(_) => "open",
            Event::Message { .. } => "message",
            Event::Suspend => "suspend",
            Event::Resume(_) => "resume",
            Event::Close(_) => "close",
            Event::Timer(_) => "timer",
            Event::Join(_) => "join",
            Event::Leave(_) => "leave",
            Event::Subscribe(_) => "subscribe",
            Event::Unsubscribe(_) => "unsubscribe",
            Event::ClientEvent(_) => "client_event",
            Event::Channel(told) => told.kind.name(),
        }
    }

    /// Whether it says what a later event of the same queue says better.
    fn is_renewed_by(&self, later: &Event) -> bool {
        let (Event::Channel(told), Event::Channel(later)) = (self, later) else { return false };
        let counts = |told: &ChannelEvent| matches!(told.kind, ChannelEventKind::SubscriptionCount(_));
        counts(told) && counts(later) && told.tag == later.tag
    }

    /// What the event counts for in limits: its bytes, and what it costs to keep it.
    pub fn weight(&self) -> usize {
        64 + match self {
            Event::Suspend => 0,
            Event::Open(opened) | Event::Resume(opened) => {
                opened.path.len() + opened.query.len() + opened.headers.iter().map(|(n, v)| n.len() + v.len() + 48).sum::<usize>()
            }
            Event::Message { data, .. } => data.len(),
            Event::Close(closed) => closed.reason.len(),
            Event::Timer(timer) => timer.payload.len(),
            // What was said about the user is shared by all events of the user.
            Event::Join(membership) | Event::Leave(membership) => membership.user.len(),
            Event::Subscribe(told) | Event::Unsubscribe(told) | Event::ClientEvent(told) => {
                told.tag.len() + told.user.len() + told.event.len() + told.data.len()
            }
            Event::Channel(told) => told.tag.len(),
        }
    }
}

/// Events of one connection that wait for PHP, in order, counted together with those that are out on lease.
///
/// It never refuses an event: who pushes is told by [`Fifo::is_full`] to stop reading the socket, so it holds at most its limits
/// and what one read brought.
#[derive(Debug, Default)]
pub struct Fifo {
    waiting: VecDeque<Event>,
    count: usize,
    weight: usize,
}

impl Fifo {
    /// Appends an event.
    pub fn push(&mut self, event: Event) {
        self.count += 1;
        self.weight += event.weight();
        self.waiting.push_back(event);
    }

    /// Puts an event in the place of the last one that waits, if that one only says how many subscribers a channel had before. Whether it has; the weight
    /// is the same then.
    pub fn renew(&mut self, event: &Event) -> bool {
        let Some(last) = self.waiting.back_mut().filter(|last| last.is_renewed_by(event)) else { return false };
        last.clone_from(event);
        true
    }

    /// Takes out up to `most` waiting events into `lease` (which is empty); they stay counted until [`Fifo::acknowledge`].
    pub fn lease(&mut self, most: usize, lease: &mut VecDeque<Event>) {
        if self.waiting.len() <= most {
            std::mem::swap(&mut self.waiting, lease);
        } else {
            lease.extend(self.waiting.drain(..most));
        }
    }

    /// Ends a lease: `count` events of this weight in all were handled; `unused` ones go back to the front.
    pub fn acknowledge(&mut self, count: usize, weight: usize, unused: &mut VecDeque<Event>) {
        self.count -= count;
        self.weight -= weight;
        if self.waiting.is_empty() {
            std::mem::swap(&mut self.waiting, unused);
        } else {
            while let Some(event) = unused.pop_back() {
                self.waiting.push_front(event);
            }
        }
    }

    /// Takes out the messages among the waiting events, which are not counted any more, and returns them with their weight.
    pub fn take_messages(&mut self) -> (VecDeque<Event>, usize) {
        let (messages, others): (VecDeque<Event>, VecDeque<Event>) =
            std::mem::take(&mut self.waiting).into_iter().partition(Event::is_message);
        let weight = messages.iter().map(Event::weight).sum();
        self.waiting = others;
        self.count -= messages.len();
        self.weight -= weight;
        (messages, weight)
    }

    /// Whether an event waits (rather than being leased).
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Events waiting or leased.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Their weight.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether nothing waits and nothing is leased.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the connection has reached a limit, so that no more should be read from it for now.
    pub fn is_full(&self, max_events: usize, max_weight: usize) -> bool {
        self.count >= max_events || self.weight >= max_weight
    }

    /// Whether it is down to half its limits, so that reading may go on.
    pub fn is_half_empty(&self, max_events: usize, max_weight: usize) -> bool {
        self.count <= max_events / 2 && self.weight <= max_weight / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u8) -> Event {
        Event::Message { binary: true, data: [n].into() }
    }

    fn numbers(events: &VecDeque<Event>) -> Vec<u8> {
        events
            .iter()
            .map(|event| match event {
                Event::Message { data, .. } => data[0],
                _ => panic!("{event:?}"),
            })
            .collect()
    }

    #[test]
    fn what_a_lease_did_not_use_goes_back_to_the_front() {
        let mut fifo = Fifo::default();
        (0..5).for_each(|n| fifo.push(message(n)));
        let mut lease = VecDeque::new();
        fifo.lease(3, &mut lease);
        assert_eq!(numbers(&lease), [0, 1, 2]);
        fifo.push(message(5));
        let used = lease.pop_front().map(|e| e.weight()).expect("leased");
        assert_eq!(fifo.len(), 6, "leased ones are counted");
        fifo.acknowledge(1, used, &mut lease);
        assert_eq!(fifo.len(), 5);
        let mut all = VecDeque::new();
        fifo.lease(99, &mut all);
        assert_eq!(numbers(&all), [1, 2, 3, 4, 5]);
        assert!(!fifo.has_waiting() && !fifo.is_empty());
        let weight = all.drain(..).map(|e| e.weight()).sum();
        fifo.acknowledge(5, weight, &mut all);
        assert!(fifo.is_empty() && fifo.weight == 0);
    }

    #[test]
    fn messages_can_be_taken_out_and_what_is_leased_or_no_message_stays() {
        let mut fifo = Fifo::default();
        let closed = Event::Close(Box::new(Closed { code: 1000, reason: "".into(), clean: true, failed: None }));
        (0..5).for_each(|n| fifo.push(message(n)));
        let mut lease = VecDeque::new();
        fifo.lease(2, &mut lease);
        fifo.push(closed.clone());
        let (messages, weight) = fifo.take_messages();
        assert_eq!((numbers(&messages), weight), (vec![2, 3, 4], 3 * message(0).weight()));
        assert_eq!((fifo.len(), fifo.weight), (3, 2 * message(0).weight() + closed.weight()));
        fifo.acknowledge(2, 2 * message(0).weight(), &mut VecDeque::new());
        let mut rest = VecDeque::new();
        fifo.lease(9, &mut rest);
        assert_eq!(rest, [closed]);
    }

    #[test]
    fn of_the_numbers_of_subscribers_that_wait_only_the_latest_is_told() {
        let told = |tag: &str, kind| Event::Channel(Box::new(ChannelEvent { route: "r".into(), tag: tag.into(), kind }));
        let count = |tag: &str, count| told(tag, ChannelEventKind::SubscriptionCount(count));
        let mut fifo = Fifo::default();
        assert!(!fifo.renew(&count("a", 1)), "nothing waits");
        fifo.push(count("a", 1));
        let weight = fifo.weight;
        assert!(fifo.renew(&count("a", 2)));
        assert!(!fifo.renew(&count("b", 7)) && !fifo.renew(&told("a", ChannelEventKind::Vacated)));
        assert_eq!((fifo.len(), fifo.weight), (1, weight));
        fifo.push(told("a", ChannelEventKind::Vacated));
        assert!(!fifo.renew(&count("a", 3)), "the order stays");
        let mut lease = VecDeque::new();
        fifo.lease(9, &mut lease);
        assert_eq!(lease, [count("a", 2), told("a", ChannelEventKind::Vacated)]);
        assert!(!fifo.renew(&count("a", 4)), "what is out on lease is told");
    }

    #[test]
    fn it_is_full_by_number_or_by_bytes() {
        let mut fifo = Fifo::default();
        fifo.push(message(0));
        fifo.push(message(1));
        assert!(fifo.is_full(2, 1 << 20) && !fifo.is_full(3, 1 << 20) && fifo.is_full(99, 100));
        assert!(fifo.is_half_empty(4, 1 << 20) && !fifo.is_half_empty(3, 1 << 20));
    }
}
