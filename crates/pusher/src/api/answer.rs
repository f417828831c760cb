//! What calls are answered with.

use serde::Serialize;

use crate::error::Error;
use crate::json;
use crate::member::Member;

/// An answer of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The value of Content-Type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// The value of Allow, where the method was not right.
    pub allow: Option<&'static str>,
}

/// What is told of a channel; `None` of each: it was not asked for, or the channel does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelInfo {
    /// Whether anybody has subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupied: Option<bool>,
    /// How many users are in a presence channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_count: Option<u64>,
    /// How many connections have subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_count: Option<u64>,
    /// The last event of a cache channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cached>,
}

/// The last event of a cache channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cached {
    /// Its data.
    pub data: String,
    /// For so many seconds it is kept.
    pub ttl: u64,
}

fn ok<T: Serialize>(body: &T) -> Answer {
    Answer { status: 200, content_type: "application/json", body: json::write(body), allow: None }
}

#[derive(Serialize)]
struct Empty {}

/// An object of channels, in the order that they are given in.
struct Channels<'a>(&'a [(String, ChannelInfo)]);

impl Serialize for Channels<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, info)| (name, info)))
    }
}

/// To [`Call::Channels`](super::Call::Channels), and to [`Call::Events`](super::Call::Events) that asks for information.
pub fn channels(channels: &[(String, ChannelInfo)]) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        channels: Channels<'a>,
    }
    ok(&Body { channels: Channels(channels) })
}

/// To [`Call::BatchEvents`](super::Call::BatchEvents) of which any event asks for information: one for each event.
pub fn batch(events: &[ChannelInfo]) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        batch: &'a [ChannelInfo],
    }
    ok(&Body { batch: events })
}

/// To a call that asks for no information.
pub fn done() -> Answer {
    ok(&Empty {})
}

/// To [`Call::Channel`](super::Call::Channel), which is always told whether anybody has subscribed.
pub fn channel(occupied: bool, info: ChannelInfo) -> Answer {
    ok(&ChannelInfo { occupied: Some(occupied), ..info })
}

/// To [`Call::Users`](super::Call::Users).
pub fn users(members: &[Member]) -> Answer {
    #[derive(Serialize)]
    struct User<'a> {
        id: &'a str,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        users: Vec<User<'a>>,
    }
    ok(&Body { users: members.iter().map(|member| User { id: &member.user_id }).collect() })
}

/// To [`Call::Connections`](super::Call::Connections).
pub fn connections(count: u64) -> Answer {
    #[derive(Serialize)]
    struct Body {
        connections: u64,
    }
    ok(&Body { connections: count })
}

/// To [`Verified::Up`](super::Verified::Up).
pub fn up() -> Answer {
    #[derive(Serialize)]
    struct Body {
        health: &'static str,
    }
    ok(&Body { health: "OK" })
}

/// To a call that is refused: what was wrong, as text.
pub fn error(error: &Error) -> Answer {
    let allow = if let Error::WrongMethod(method) = error { Some(*method) } else { None };
    Answer { status: error.status(), content_type: "text/plain; charset=utf-8", body: error.to_string(), allow }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Limits;

    #[test]
    fn answers_are_pushers() {
        let info = |user_count, subscription_count| ChannelInfo { user_count, subscription_count, ..ChannelInfo::default() };
        let list = [("presence-b".to_owned(), info(Some(2), None)), ("a".to_owned(), info(None, None))];
        let cached = ChannelInfo { cache: Some(Cached { data: "{}".into(), ttl: 60 }), ..ChannelInfo::default() };
        let member = Member::parse(r#"{"user_id":"7"}"#, &Limits::default()).expect("a member");
        for (answer, body) in [
            (channels(&list), r#"{"channels":{"presence-b":{"user_count":2},"a":{}}}"#),
            (channels(&[]), r#"{"channels":{}}"#),
            (batch(&[info(None, Some(3)), info(None, None)]), r#"{"batch":[{"subscription_count":3},{}]}"#),
            (done(), "{}"),
            (channel(true, info(Some(1), Some(2))), r#"{"occupied":true,"user_count":1,"subscription_count":2}"#),
            (channel(false, cached), r#"{"occupied":false,"cache":{"data":"{}","ttl":60}}"#),
            (users(&[member]), r#"{"users":[{"id":"7"}]}"#),
            (connections(5), r#"{"connections":5}"#),
            (up(), r#"{"health":"OK"}"#),
        ] {
            assert_eq!((answer.status, answer.content_type, answer.body.as_str()), (200, "application/json", body));
        }
        let refused = error(&Error::WrongMethod("POST"));
        assert_eq!((refused.status, refused.allow), (405, Some("POST")));
        assert_eq!(error(&Error::TooLarge { what: "body", most: 1 }).status, 413);
    }
}
