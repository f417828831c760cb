//! What an application's servers are told: which events there are, and requests that carry several of them.
//!
//! Sending is the caller's: it takes a [`Body`] when one is due, and tries again after [`retry_delay`] where that fails. What a worker is
//! told in the same process needs no body, only the [`Event`].

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

pub use crate::app::shown;
use crate::app::{AppConfig, Webhook};
use crate::{Millis, auth, json};

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A channel has its first subscriber.
    ChannelOccupied,
    /// A channel has lost its last subscriber.
    ChannelVacated,
    /// A user has joined a presence channel.
    MemberAdded,
    /// A user has left a presence channel.
    MemberRemoved,
    /// A client has sent an event to others.
    ClientEvent,
    /// A client has subscribed to a cache channel that has no event.
    CacheMiss,
    /// A channel has another number of subscribers.
    SubscriptionCount,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 7] = [
        Kind::ChannelOccupied,
        Kind::ChannelVacated,
        Kind::MemberAdded,
        Kind::MemberRemoved,
        Kind::ClientEvent,
        Kind::CacheMiss,
        Kind::SubscriptionCount,
    ];

    /// Pusher's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ChannelOccupied => "channel_occupied",
            Kind::ChannelVacated => "channel_vacated",
            Kind::MemberAdded => "member_added",
            Kind::MemberRemoved => "member_removed",
            Kind::ClientEvent => "client_event",
            Kind::CacheMiss => "cache_miss",
            Kind::SubscriptionCount => "subscription_count",
        }
    }

    /// The kind of this name.
    pub fn of_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Event<'a> {
    /// See [`Kind::ChannelOccupied`].
    ChannelOccupied {
        /// The channel.
        channel: &'a str,
    },
    /// See [`Kind::ChannelVacated`].
    ChannelVacated {
        /// The channel.
        channel: &'a str,
    },
    /// See [`Kind::MemberAdded`].
    MemberAdded {
        /// The channel.
        channel: &'a str,
        /// Who.
        user_id: &'a str,
    },
    /// See [`Kind::MemberRemoved`].
    MemberRemoved {
        /// The channel.
        channel: &'a str,
        /// Who.
        user_id: &'a str,
    },
    /// See [`Kind::ClientEvent`].
    ClientEvent {
        /// The channel.
        channel: &'a str,
        /// The event's name.
        event: &'a str,
        /// Its data as text: that of a string, or else JSON. See [`client_event_data`].
        data: &'a str,
        /// The connection.
        socket_id: &'a str,
        /// Who, in a presence channel.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<&'a str>,
    },
    /// See [`Kind::CacheMiss`].
    CacheMiss {
        /// The channel.
        channel: &'a str,
    },
    /// See [`Kind::SubscriptionCount`].
    SubscriptionCount {
        /// The channel.
        channel: &'a str,
        /// How many.
        subscription_count: u64,
    },
}

/// The data of a client's event, as its webhook tells it: Pusher's is always a string.
pub fn client_event_data(event: &crate::ClientEvent) -> String {
    let raw = event.data.as_deref().map_or("", |data| data.get());
    serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned())
}

impl<'a> Event<'a> {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Event::ChannelOccupied { .. } => Kind::ChannelOccupied,
            Event::ChannelVacated { .. } => Kind::ChannelVacated,
            Event::MemberAdded { .. } => Kind::MemberAdded,
            Event::MemberRemoved { .. } => Kind::MemberRemoved,
            Event::ClientEvent { .. } => Kind::ClientEvent,
            Event::CacheMiss { .. } => Kind::CacheMiss,
            Event::SubscriptionCount { .. } => Kind::SubscriptionCount,
        }
    }

    /// Its channel.
    pub fn channel(&self) -> &'a str {
        match *self {
            Event::ChannelOccupied { channel }
            | Event::ChannelVacated { channel }
            | Event::MemberAdded { channel, .. }
            | Event::MemberRemoved { channel, .. }
            | Event::ClientEvent { channel, .. }
            | Event::CacheMiss { channel }
            | Event::SubscriptionCount { channel, .. } => channel,
        }
    }
}

impl Webhook {
    /// Whether it is told of this.
    pub fn wants(&self, event: &Event<'_>) -> bool {
        self.events.contains(&event.kind()) && event.channel().starts_with(&self.channel_prefix)
    }
}

/// How events are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The first event of a body waits so long for others.
    pub delay: Millis,
    /// The most events of a body.
    pub events: usize,
    /// The largest body, bytes; an event that is larger goes alone.
    pub bytes: usize,
    /// The most bytes that wait. New events are dropped where they do not fit.
    pub pending: usize,
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        BatchLimits { delay: 50, events: 1000, bytes: 256 << 10, pending: 4 << 20 }
    }
}

/// The events that wait for a webhook.
#[derive(Debug)]
pub struct Batch {
    limits: BatchLimits,
    waiting: VecDeque<Waiting>,
    /// The number of the first of them. The next one has the next number, and so on.
    first: u64,
    /// The number of the event that says how many have subscribed to a channel.
    counts: HashMap<Box<str>, u64>,
    /// How many of those that wait are empty.
    empty: usize,
    bytes: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Millis,
    /// JSON. Empty: a later event took its place.
    text: Box<str>,
    /// The channel of a number of subscribers.
    counted: Option<Box<str>>,
}

/// What is sent to a webhook by one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// JSON.
    pub json: String,
    /// How many events are in it.
    pub events: usize,
}

impl Batch {
    /// Nothing waits.
    pub fn new(limits: BatchLimits) -> Batch {
        Batch { limits, waiting: VecDeque::new(), first: 0, counts: HashMap::new(), empty: 0, bytes: 0, dropped: 0 }
    }

    /// Adds an event. `false`: it did not fit, and is counted. The number of a channel's subscribers takes the place of one that still waits,
    /// and events of clients leave room for what the server itself tells.
    pub fn push(&mut self, event: &Event<'_>, now: Millis) -> bool {
        let text = json::write(event);
        let room = if event.kind() == Kind::ClientEvent { self.limits.pending / 2 } else { self.limits.pending };
        let counted = (event.kind() == Kind::SubscriptionCount).then(|| event.channel());
        let replaced = counted.and_then(|channel| self.counts.get(channel)).map(|number| (number - self.first) as usize);
        let freed = replaced.map_or(0, |at| self.waiting[at].text.len());
        if (self.bytes - freed).saturating_add(text.len()) > room {
            self.dropped += 1;
            return false;
        }
        let since = replaced.map_or(now, |at| self.waiting[at].since);
        if let Some(at) = replaced {
            self.waiting[at].text = Box::default();
            self.waiting[at].counted = None;
            self.empty += 1;
        }
        self.bytes = self.bytes - freed + text.len();
        if let Some(channel) = counted {
            self.counts.insert(channel.into(), self.first + self.waiting.len() as u64);
        }
        self.waiting.push_back(Waiting { since, text: text.into(), counted: counted.map(Into::into) });
        self.tidy();
        true
    }

    /// No empty event is the first one, and they are not more than half of all.
    fn tidy(&mut self) {
        while self.waiting.front().is_some_and(|event| event.text.is_empty()) {
            self.waiting.pop_front();
            self.first += 1;
            self.empty -= 1;
        }
        if self.empty * 2 <= self.waiting.len() {
            return;
        }
        self.waiting.retain(|event| !event.text.is_empty());
        self.empty = 0;
        for (number, event) in (self.first..).zip(&self.waiting) {
            if let Some(known) = event.counted.as_ref().and_then(|channel| self.counts.get_mut(channel)) {
                *known = number;
            }
        }
    }

    /// When a body is due. `None`: nothing waits.
    pub fn due(&self) -> Option<Millis> {
        let since = self.waiting.front()?.since;
        let full = self.len() >= self.limits.events || self.bytes >= self.limits.bytes;
        Some(if full { since } else { since.saturating_add(self.limits.delay) })
    }

    /// The next body, if it is due. `time_ms` is the time of day, in milliseconds since 1970.
    pub fn take(&mut self, now: Millis, time_ms: u64) -> Option<Body> {
        if self.due()? > now {
            return None;
        }
        let mut body = Body { json: format!(r#"{{"time_ms":{time_ms},"events":["#), events: 0 };
        while let Some(event) = self.waiting.front() {
            let large = body.json.len() + event.text.len() + 3 > self.limits.bytes;
            if body.events > 0 && (large || body.events >= self.limits.events) {
                break;
            }
            if body.events > 0 {
                body.json.push(',');
            }
            body.json.push_str(&event.text);
            body.events += 1;
            self.bytes -= event.text.len();
            if let Some(channel) = &event.counted {
                self.counts.remove(channel);
            }
            self.waiting.pop_front();
            self.first += 1;
            self.tidy();
        }
        body.json.push_str("]}");
        Some(body)
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.waiting.len() - self.empty
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events were dropped since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

impl Body {
    /// The headers of the request. The key and the signature say that the application's events they are.
    pub fn headers(&self, app: &AppConfig) -> [(&'static str, String); 3] {
        [
            ("Content-Type", "application/json".to_owned()),
            ("X-Pusher-Key", app.key.clone()),
            ("X-Pusher-Signature", auth::sign(&app.secret, self.json.as_bytes())),
        ]
    }
}

/// How long to wait before a body is sent once more, after so many attempts: 1, 2, 4 … 64 seconds. `None`: it is given up, after about five
/// minutes, as Pusher does.
pub fn retry_delay(attempts: u32) -> Option<Millis> {
    (1..=9).contains(&attempts).then(|| 1000 << (attempts - 1).min(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(channel: &str) -> Event<'_> {
        Event::ChannelOccupied { channel }
    }

    #[test]
    fn events_are_written_as_pusher_writes_them() {
        for (event, wanted) in [
            (occupied("x"), r#"{"name":"channel_occupied","channel":"x"}"#),
            (Event::ChannelVacated { channel: "x" }, r#"{"name":"channel_vacated","channel":"x"}"#),
            (Event::MemberAdded { channel: "presence-x", user_id: "1" }, r#"{"name":"member_added","channel":"presence-x","user_id":"1"}"#),
            (
                Event::MemberRemoved { channel: "presence-x", user_id: "1" },
                r#"{"name":"member_removed","channel":"presence-x","user_id":"1"}"#,
            ),
            (
                Event::ClientEvent { channel: "private-x", event: "client-e", data: "{}", socket_id: "1.2", user_id: None },
                r#"{"name":"client_event","channel":"private-x","event":"client-e","data":"{}","socket_id":"1.2"}"#,
            ),
            (
                Event::ClientEvent { channel: "presence-x", event: "client-e", data: "\"", socket_id: "1.2", user_id: Some("7") },
                r#"{"name":"client_event","channel":"presence-x","event":"client-e","data":"\"","socket_id":"1.2","user_id":"7"}"#,
            ),
            (Event::CacheMiss { channel: "cache-x" }, r#"{"name":"cache_miss","channel":"cache-x"}"#),
            (
                Event::SubscriptionCount { channel: "x", subscription_count: 3 },
                r#"{"name":"subscription_count","channel":"x","subscription_count":3}"#,
            ),
        ] {
            assert_eq!(json::write(&event), wanted);
            assert!(wanted.contains(event.kind().name()));
            assert_eq!(Kind::of_name(event.kind().name()), Some(event.kind()));
        }
    }

    #[test]
    fn the_data_of_a_clients_event_is_told_as_text() {
        let data = |json: &str| {
            let data = serde_json::from_str(json).ok();
            client_event_data(&crate::ClientEvent { channel: "private-x".into(), event: "client-e".into(), data, user_id: None })
        };
        assert_eq!([data(r#""a\n""#), data(r#"{"a": 1}"#), data("null"), data("")], ["a\n", r#"{"a": 1}"#, "null", ""]);
    }

    #[test]
    fn a_webhook_is_told_what_it_wants_to_know() {
        let target = crate::WebhookTarget::Worker("w".into());
        let webhook = Webhook { target, events: vec![Kind::ChannelOccupied], channel_prefix: "private-".into() };
        assert!(webhook.wants(&occupied("private-x")));
        assert!(!webhook.wants(&occupied("x")));
        assert!(!webhook.wants(&Event::ChannelVacated { channel: "private-x" }));
    }

    #[test]
    fn events_wait_for_others_and_go_in_order() {
        let mut batch = Batch::new(BatchLimits::default());
        assert_eq!((batch.due(), batch.take(0, 0)), (None, None));
        assert!(batch.push(&occupied("a"), 100) && batch.push(&occupied("b"), 120));
        assert_eq!((batch.due(), batch.take(149, 0)), (Some(150), None));
        let body = batch.take(150, 1_327_078_148_132).expect("due");
        let wanted =
            r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"a"},{"name":"channel_occupied","channel":"b"}]}"#;
        assert_eq!((body.json.as_str(), body.events), (wanted, 2));
        assert_eq!(batch.due(), None);
    }

    #[test]
    fn a_body_has_a_most_of_events_and_of_bytes() {
        let mut batch = Batch::new(BatchLimits { events: 3, bytes: 200, ..BatchLimits::default() });
        (0..7).for_each(|_| assert!(batch.push(&occupied("a"), 0)));
        assert_eq!(batch.due(), Some(0), "a full body waits for nothing");
        let sizes: Vec<usize> = std::iter::from_fn(|| batch.take(50, 0)).map(|body| body.events).collect();
        assert_eq!(sizes, [3, 3, 1]);
        let long = "a".repeat(300);
        (0..2).for_each(|_| assert!(batch.push(&occupied(&long), 0)));
        assert_eq!(std::iter::from_fn(|| batch.take(0, 0)).map(|body| body.events).collect::<Vec<_>>(), [1, 1], "each is too large");
    }

    #[test]
    fn what_waits_has_a_limit_and_what_is_dropped_is_counted() {
        let mut batch = Batch::new(BatchLimits { pending: 100, ..BatchLimits::default() });
        assert_eq!((0..5).filter(|_| batch.push(&occupied("a"), 0)).count(), 2);
        assert_eq!((batch.take_dropped(), batch.take_dropped()), (3, 0));
        assert_eq!(batch.take(50, 0).map(|body| body.events), Some(2));
        assert!(batch.push(&occupied("a"), 60));
    }

    fn count(channel: &str, subscription_count: u64) -> Event<'_> {
        Event::SubscriptionCount { channel, subscription_count }
    }

    #[test]
    fn a_number_of_subscribers_takes_the_place_of_one_that_waits_and_is_told_no_later() {
        let mut batch = Batch::new(BatchLimits::default());
        for (at, event) in
            [count("a", 1), occupied("b"), count("b", 1), count("a", 2), Event::ChannelVacated { channel: "b" }, count("b", 0)]
                .iter()
                .enumerate()
        {
            assert!(batch.push(event, at as Millis));
        }
        assert_eq!((batch.len(), batch.due()), (4, Some(51)), "the first one that is left has waited since 1");
        let wanted = r#"{"time_ms":0,"events":[{"name":"channel_occupied","channel":"b"},{"name":"subscription_count","channel":"a","subscription_count":2},{"name":"channel_vacated","channel":"b"},{"name":"subscription_count","channel":"b","subscription_count":0}]}"#;
        assert_eq!(batch.take(51, 0).map(|body| body.json).as_deref(), Some(wanted));
        assert!(batch.is_empty());
        // One that changes all the time is told nevertheless.
        (60..100).for_each(|at| assert!(batch.push(&count("a", at), at)));
        assert_eq!((batch.len(), batch.due()), (1, Some(110)));
        assert!(batch.take(110, 0).is_some_and(|body| body.json.contains(r#""subscription_count":99"#)));
        assert!(batch.push(&count("a", 7), 120), "what has been taken is not replaced");
        assert_eq!((batch.len(), batch.take(170, 0).map(|body| body.events)), (1, Some(1)));
    }

    #[test]
    fn numbers_of_subscribers_that_were_replaced_take_no_room_and_what_is_left_is_right() {
        let mut batch = Batch::new(BatchLimits { pending: 2000, ..BatchLimits::default() });
        assert!(batch.push(&occupied("first"), 0));
        for number in 0..10_000 {
            assert!(batch.push(&count(["a", "b", "c"][number as usize % 3], number), 0));
            assert!(batch.waiting.len() <= 8, "{} wait", batch.waiting.len());
        }
        let wanted = [occupied("first"), count("b", 9997), count("c", 9998), count("a", 9999)].map(|event| json::write(&event)).join(",");
        assert_eq!(batch.take(50, 0).map(|body| body.json), Some(format!(r#"{{"time_ms":0,"events":[{wanted}]}}"#)));
        assert_eq!((batch.bytes, batch.empty, batch.counts.len(), batch.take_dropped()), (0, 0, 0, 0));
    }

    #[test]
    fn events_of_clients_leave_room_for_what_the_server_tells() {
        let mut batch = Batch::new(BatchLimits { pending: 1000, ..BatchLimits::default() });
        let of_client = Event::ClientEvent { channel: "private-x", event: "client-e", data: "{}", socket_id: "1.2", user_id: None };
        while batch.push(&of_client, 0) {}
        let (told, dropped) = (batch.len(), batch.take_dropped());
        assert!(told >= 3 && dropped == 1, "{told} {dropped}");
        (0..5).for_each(|_| assert!(batch.push(&Event::ChannelVacated { channel: "private-x" }, 0)));
    }

    #[test]
    fn a_body_is_sent_again_for_about_five_minutes() {
        let delays: Vec<Millis> = (1..).map_while(retry_delay).collect();
        assert_eq!(delays, [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000, 64_000]);
        assert_eq!((retry_delay(0), retry_delay(u32::MAX)), (None, None));
    }
}
