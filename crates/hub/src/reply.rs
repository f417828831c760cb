//! What the hub answers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What became of a message to one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It waits in the client's outbox, or is on its way.
    Queued,
    /// The client's outbox is full; the message was dropped and counted.
    Dropped,
    /// There is no such client, or not on that route.
    Gone,
    /// It is longer than the client's whole outbox, so that it can never be sent. Told as
    /// [`CommandError::TooLarge`](crate::CommandError::TooLarge).
    TooLarge,
}

/// What became of giving a client another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renamed {
    /// It has the new id.
    Done,
    /// There is no such client.
    Gone,
    /// Another client has the new id, or it is reserved for one.
    Taken,
}

/// All that is known of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: Arc<str>,
    /// Its route.
    pub route: Arc<str>,
    /// The path of its upgrade request, byte for byte as the client sent it.
    #[serde(with = "bytes")]
    pub path: Box<[u8]>,
    /// Its address as the web server sees it.
    pub ip: Box<str>,
    /// The sub-protocol agreed on; empty where there is none.
    pub subprotocol: Box<str>,
    /// What carries it: `tcp`, `tls`, `http2` or `http3`.
    pub transport: Box<str>,
    /// Whether it is connected; where not, its close event is still to be handled.
    pub connected: bool,
    /// Whether its connection broke, and it is waited for. What it is sent is kept for it.
    pub suspended: bool,
    /// When it connected, milliseconds since 1970.
    pub connected_at: u64,
    /// When its last message came, milliseconds since 1970; `None` before the first.
    pub last_message_at: Option<u64>,
    /// Messages received from it.
    pub messages_received: u64,
    /// Bytes received from it, frame headers included.
    pub bytes_received: u64,
    /// Messages put into its outbox.
    pub messages_sent: u64,
    /// Bytes that its socket took.
    pub bytes_sent: u64,
    /// Messages to it that were dropped because it does not read as fast as it is sent to.
    pub messages_dropped: u64,
    /// Messages from it that PHP was not told, since the server had decided to end it.
    pub messages_discarded: u64,
    /// Bytes that wait for it.
    pub queued_bytes: u64,
    /// How long its last pong took, nanoseconds; `None` before the first.
    pub ping_time: Option<u64>,
    /// Whose it is; empty where it is nobody's.
    pub user: Box<str>,
    /// Its tags, sorted.
    pub tags: Vec<Arc<str>>,
}

/// What was sent to a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The [`Position`](crate::Position) behind the last message that was sent to the tag.
    pub position: Box<str>,
    /// Whether nothing is missing before the first of the messages: after the position that was asked for, or since the beginning.
    pub complete: bool,
    /// In the order in which they were sent.
    pub messages: Vec<Recorded>,
}

/// A message of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The [`Position`](crate::Position) behind it.
    pub position: Box<str>,
    /// Its number among all that were sent to the tag, from 1 on.
    pub offset: u64,
    /// When it was sent, milliseconds since 1970.
    pub time: u64,
    /// Binary rather than text.
    pub binary: bool,
    /// The payload.
    #[serde(with = "payload")]
    pub data: Arc<[u8]>,
}

/// Who is in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user.
    pub user: Arc<str>,
    /// What was said about the user.
    #[serde(with = "payload")]
    pub info: Arc<[u8]>,
    /// Connections in the channel; 0 while the user may come back in the channel's time of grace.
    pub connections: u32,
}

/// The answer to a [`Command`](crate::Command). In JSON it is an object of one entry, named as the variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    #[serde(with = "done")]
    Done,
    /// What became of a message to one client.
    Sent(Outcome),
    /// To how many clients a message was queued.
    Queued(u64),
    /// How many.
    Count(u64),
    /// Ids or tags.
    Names(Vec<Arc<str>>),
    /// A value, if there is one.
    #[serde(with = "value")]
    Value(Option<Arc<[u8]>>),
    /// All that is known of a client.
    Client(Box<Client>),
    /// Keys and values.
    #[serde(with = "pairs")]
    Pairs(Vec<(Arc<str>, Arc<[u8]>)>),
    /// What became of giving a client another id.
    Renamed(Renamed),
    /// Yes or no.
    Flag(bool),
    /// A number.
    Integer(i64),
    /// `None`: no such key; `Some(None)`: it does not expire; else the milliseconds that are left.
    #[serde(with = "expiry")]
    Expiry(Option<Option<u64>>),
    /// Counters and gauges: a JSON object.
    #[serde(with = "stats")]
    Stats(Box<str>),
    /// What was sent to a tag.
    History(Box<History>),
    /// Who is in a channel, sorted by user.
    Members(Vec<Member>),
    /// The client that was asked about is gone, or there never was one with this id.
    #[serde(with = "done")]
    Gone,
}

impl Reply {
    /// Adds the answer that another server gave to the same command. Lists are put together and numbers added up. Every other answer comes
    /// from one server only, so that the first stands.
    pub(crate) fn join(&mut self, other: Reply) {
        match (self, other) {
            (Reply::Queued(sum), Reply::Queued(more)) | (Reply::Count(sum), Reply::Count(more)) => *sum += more,
            (Reply::Names(names), Reply::Names(more)) => names.extend(more),
            (Reply::Members(members), Reply::Members(more)) => members.extend(more),
            (
                Reply::Done
                | Reply::Sent(_)
                | Reply::Queued(_)
                | Reply::Count(_)
                | Reply::Names(_)
                | Reply::Value(_)
                | Reply::Client(_)
                | Reply::Pairs(_)
                | Reply::Renamed(_)
                | Reply::Flag(_)
                | Reply::Integer(_)
                | Reply::Expiry(_)
                | Reply::Stats(_)
                | Reply::History(_)
                | Reply::Members(_)
                | Reply::Gone,
                _,
            ) => {}
        }
    }
}

/// `true`, so that every answer in JSON is an object.
mod done {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        bool::deserialize(deserializer).map(drop)
    }
}

/// A [`Blob`](crate::Blob).
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Blob;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Blob::from(bytes).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        Ok(Blob::<'de>::deserialize(deserializer)?.into())
    }
}

/// A [`Blob`](crate::Blob) that is shared.
mod payload {
    use super::*;
    use crate::Blob;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(payload: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        Blob::from(&**payload).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        Blob::<'de>::deserialize(deserializer).map(Arc::from)
    }
}

/// A [`Blob`](crate::Blob) or null.
mod value {
    use super::*;
    use crate::Blob;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Arc<[u8]>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_deref().map(Blob::from).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<[u8]>>, D::Error> {
        Ok(Option::<Blob<'de>>::deserialize(deserializer)?.map(Arc::from))
    }
}

/// A map from text to [`Blob`](crate::Blob)s, in the order given.
mod pairs {
    use super::*;
    use crate::Blob;
    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    type Pairs = Vec<(Arc<str>, Arc<[u8]>)>;

    pub fn serialize<S: Serializer>(pairs: &Pairs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(key, value)| (&**key, Blob::from(&**value))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        deserializer.deserialize_map(Reader)
    }

    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = Pairs;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("keys and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
            let mut pairs = Vec::new();
            while let Some((key, value)) = map.next_entry::<Arc<str>, Blob<'de>>()? {
                pairs.push((key, value.into()));
            }
            Ok(pairs)
        }
    }
}

/// In JSON: null, "never", or a number.
mod expiry {
    use super::*;
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Never {
        Never,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Readable {
        None,
        Never(Never),
        Milliseconds(u64),
    }

    pub fn serialize<S: Serializer>(expiry: &Option<Option<u64>>, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return expiry.serialize(serializer);
        }
        let readable = match expiry {
            None => Readable::None,
            Some(None) => Readable::Never(Never::Never),
            Some(Some(milliseconds)) => Readable::Milliseconds(*milliseconds),
        };
        readable.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer);
        }
        Ok(match Readable::deserialize(deserializer)? {
            Readable::None => None,
            Readable::Never(_) => Some(None),
            Readable::Milliseconds(milliseconds) => Some(Some(milliseconds)),
        })
    }
}

/// In JSON the object itself, elsewhere its text.
mod stats {
    use super::*;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserializer, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(stats: &str, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return stats.serialize(serializer);
        }
        serde_json::from_str::<Value>(stats).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer);
        }
        let stats = Value::deserialize(deserializer)?;
        if stats.is_object() { Ok(stats.to_string().into()) } else { Err(D::Error::custom("statistics are an object")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_answer_is_an_object_of_one_entry_and_can_be_read_back() {
        for (reply, wanted) in [
            (Reply::Done, json!({ "done": true })),
            (Reply::Sent(Outcome::TooLarge), json!({ "sent": "too_large" })),
            (Reply::Renamed(Renamed::Taken), json!({ "renamed": "taken" })),
            (Reply::Queued(3), json!({ "queued": 3 })),
            (Reply::Count(0), json!({ "count": 0 })),
            (Reply::Names(vec!["ann".into(), "".into()]), json!({ "names": ["ann", ""] })),
            (Reply::Value(None), json!({ "value": null })),
            (Reply::Value(Some((*b"v").into())), json!({ "value": "v" })),
            (Reply::Value(Some((*b"\xff").into())), json!({ "value": { "base64": "/w==" } })),
            (Reply::Pairs(vec![("k".into(), (*b"v").into())]), json!({ "pairs": { "k": "v" } })),
            (Reply::Flag(true), json!({ "flag": true })),
            (Reply::Integer(-1), json!({ "integer": -1 })),
            (Reply::Expiry(None), json!({ "expiry": null })),
            (Reply::Expiry(Some(None)), json!({ "expiry": "never" })),
            (Reply::Expiry(Some(Some(9))), json!({ "expiry": 9 })),
            (Reply::Stats(r#"{"connections":1}"#.into()), json!({ "stats": { "connections": 1 } })),
            (
                Reply::History(Box::new(History {
                    position: "000000005f0c2a91:2".into(),
                    complete: true,
                    messages: vec![Recorded {
                        position: "000000005f0c2a91:2".into(),
                        offset: 2,
                        time: 3,
                        binary: false,
                        data: (*b"v").into(),
                    }],
                })),
                json!({ "history": { "position": "000000005f0c2a91:2", "complete": true, "messages": [
                    { "position": "000000005f0c2a91:2", "offset": 2, "time": 3, "binary": false, "data": "v" },
                ] } }),
            ),
            (Reply::Gone, json!({ "gone": true })),
        ] {
            assert_eq!(serde_json::to_value(&reply).expect("serialisable"), wanted);
            assert_eq!(Reply::deserialize(&wanted).expect("readable"), reply);
        }
    }
}
