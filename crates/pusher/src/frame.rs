//! What clients are sent: each function writes one message.
//!
//! The data of what the server says is an object that is written to a string, which is Pusher's way since version 5 of the protocol. Errors
//! are the exception, there as here: programs that do not read the string would not know why they are refused.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::json;
use crate::member::Member;
use crate::socket_id::SocketId;

#[derive(Serialize)]
struct Frame<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    /// A string.
    Text(&'a str),
    /// JSON as it is.
    Raw(&'a RawValue),
    Error(ErrorData<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum ErrorData<'a> {
    Connection { code: Option<u16>, message: &'a str },
    Subscription { r#type: &'a str, error: &'a str, status: u16 },
}

/// A frame whose data is written to a string.
fn with<T: Serialize>(event: &str, channel: Option<&str>, data: &T) -> String {
    json::write(&Frame { event, channel, data: Some(Data::Text(&json::write(data))), user_id: None })
}

#[derive(Serialize)]
struct Empty {}

/// `pusher:connection_established`: the first one of a connection.
pub fn connection_established(socket_id: SocketId, activity_timeout_seconds: u64) -> String {
    #[derive(Serialize)]
    struct Established {
        socket_id: String,
        activity_timeout: u64,
    }
    let data = Established { socket_id: socket_id.to_string(), activity_timeout: activity_timeout_seconds };
    with("pusher:connection_established", None, &data)
}

/// `pusher:ping`.
pub fn ping() -> String {
    with("pusher:ping", None, &Empty {})
}

/// `pusher:pong`.
pub fn pong() -> String {
    with("pusher:pong", None, &Empty {})
}

/// `pusher:error`.
pub fn error(error: &Error) -> String {
    let code = error.code().map(|code| code.number());
    let data = Data::Error(ErrorData::Connection { code, message: &error.to_string() });
    json::write(&Frame { event: "pusher:error", channel: None, data: Some(data), user_id: None })
}

/// `pusher:subscription_error`.
pub fn subscription_error(channel: &str, error: &Error) -> String {
    let data = Data::Error(ErrorData::Subscription { r#type: error.kind(), error: &error.to_string(), status: error.status() });
    json::write(&Frame { event: "pusher:subscription_error", channel: Some(channel), data: Some(data), user_id: None })
}

/// `pusher:signin_success`: with the user's data as the client sent it, from which pusher-js reads the id.
pub fn signin_success(user_data: &str) -> String {
    #[derive(Serialize)]
    struct Success<'a> {
        user_data: &'a str,
    }
    with("pusher:signin_success", None, &Success { user_data })
}

/// `pusher_internal:subscription_succeeded` of a channel without presence.
pub fn subscription_succeeded(channel: &str) -> String {
    with("pusher_internal:subscription_succeeded", Some(channel), &Empty {})
}

/// `pusher_internal:subscription_succeeded` of a presence channel: everybody who is there, the new one included. Who is given twice is
/// told once.
pub fn presence_succeeded(channel: &str, members: &[Member]) -> String {
    #[derive(Serialize)]
    struct Succeeded<'a> {
        presence: Presence<'a>,
    }
    #[derive(Serialize)]
    struct Presence<'a> {
        count: usize,
        ids: Vec<&'a str>,
        hash: Hash<'a>,
    }
    let mut seen = hashbrown::HashSet::with_capacity(members.len());
    let members: Vec<&Member> = members.iter().filter(|member| seen.insert(&*member.user_id)).collect();
    let ids = members.iter().map(|member| &*member.user_id).collect();
    let data = Succeeded { presence: Presence { count: members.len(), ids, hash: Hash(members) } };
    with("pusher_internal:subscription_succeeded", Some(channel), &data)
}

/// What is told of each member, by id.
struct Hash<'a>(Vec<&'a Member>);

impl Serialize for Hash<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|member| (&*member.user_id, &member.user_info)))
    }
}

/// `pusher_internal:subscription_count`: how many connections have subscribed to a channel.
pub fn subscription_count(channel: &str, count: u64) -> String {
    #[derive(Serialize)]
    struct Count {
        subscription_count: u64,
    }
    with("pusher_internal:subscription_count", Some(channel), &Count { subscription_count: count })
}

#[derive(Serialize)]
struct MemberData<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_info: Option<&'a RawValue>,
}

/// `pusher_internal:member_added`: for the others in the channel, by the first connection of a user there.
pub fn member_added(channel: &str, member: &Member) -> String {
    let data = MemberData { user_id: &member.user_id, user_info: member.user_info.as_deref() };
    with("pusher_internal:member_added", Some(channel), &data)
}

/// `pusher_internal:member_removed`: when the last connection of a user there has gone.
pub fn member_removed(channel: &str, user_id: &str) -> String {
    with("pusher_internal:member_removed", Some(channel), &MemberData { user_id, user_info: None })
}

/// `pusher:cache_miss`: the channel has no event that a new subscriber could be given.
pub fn cache_miss(channel: &str) -> String {
    json::write(&Frame { event: "pusher:cache_miss", channel: Some(channel), data: None, user_id: None })
}

/// `pusher_internal:watchlist_events`: users of a watchlist have come or gone.
pub fn watchlist_events(online: &[&str], offline: &[&str]) -> String {
    #[derive(Serialize)]
    struct Events<'a> {
        events: Vec<Watched<'a>>,
    }
    #[derive(Serialize)]
    struct Watched<'a> {
        name: &'a str,
        user_ids: &'a [&'a str],
    }
    let both = [("online", online), ("offline", offline)];
    let events = both.into_iter().filter(|(_, users)| !users.is_empty()).map(|(name, user_ids)| Watched { name, user_ids }).collect();
    with("pusher_internal:watchlist_events", None, &Events { events })
}

/// An event that an application's server sends.
pub fn event(channel: &str, event: &str, data: &str) -> String {
    json::write(&Frame { event, channel: Some(channel), data: Some(Data::Text(data)), user_id: None })
}

/// An event that a client sends, with its data as it came; in presence channels with who sends it.
pub fn client_event(channel: &str, event: &str, data: Option<&RawValue>, user_id: Option<&str>) -> String {
    json::write(&Frame { event, channel: Some(channel), data: data.map(Data::Raw), user_id })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::app::Limits;

    /// What pusher-js 8 makes of a message: data that is JSON in a string is read.
    fn decoded(frame: &str) -> Value {
        let mut frame: Value = serde_json::from_str(frame).expect("JSON");
        if let Some(data) = frame["data"].as_str().and_then(|data| serde_json::from_str(data).ok()) {
            frame["data"] = data;
        }
        frame
    }

    fn members(list: &[&str]) -> Vec<Member> {
        list.iter().map(|data| Member::parse(data, &Limits::default()).expect("a member")).collect()
    }

    #[test]
    fn the_data_of_what_the_server_says_is_a_string() {
        let established = connection_established(SocketId::new(1, 2), 120);
        assert_eq!(established, r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":120}"}"#);
        assert_eq!(pong(), r#"{"event":"pusher:pong","data":"{}"}"#);
        assert_eq!(ping(), r#"{"event":"pusher:ping","data":"{}"}"#);
        assert_eq!(subscription_succeeded("x"), r#"{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}"#);
        assert_eq!(cache_miss("cache-x"), r#"{"event":"pusher:cache_miss","channel":"cache-x"}"#);
        assert_eq!(decoded(&subscription_count("x", 3))["data"], json!({"subscription_count": 3}));
        let user_data = decoded(&signin_success(r#"{"id":"1"}"#))["data"]["user_data"].clone();
        assert_eq!(user_data, json!(r#"{"id":"1"}"#), "pusher-js reads the string itself");
    }

    #[test]
    fn errors_say_why_as_an_object() {
        assert_eq!(
            decoded(&error(&Error::OverQuota))["data"],
            json!({"code": 4004, "message": "the application has as many connections as it may have"})
        );
        let duplicate = error(&Error::AlreadySubscribed("x".into()));
        assert_eq!(duplicate, r#"{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel x"}}"#);
        let refused = decoded(&subscription_error("private-x", &Error::NotAuthorized("why")));
        assert_eq!(
            refused,
            json!({"event": "pusher:subscription_error", "channel": "private-x",
                "data": {"type": "AuthError", "error": "the subscription is not authorised: why", "status": 401}})
        );
    }

    #[test]
    fn a_presence_channel_tells_each_user_once() {
        let members = members(&[r#"{"user_id":"1","user_info":{"n":"é\""}}"#, r#"{"user_id":2}"#, r#"{"user_id":1}"#]);
        assert_eq!(
            decoded(&presence_succeeded("presence-x", &members))["data"],
            json!({"presence": {"count": 2, "ids": ["1", "2"], "hash": {"1": {"n": "é\""}, "2": null}}})
        );
        assert_eq!(decoded(&member_added("presence-x", &members[0]))["data"], json!({"user_id": "1", "user_info": {"n": "é\""}}));
        assert_eq!(decoded(&member_added("presence-x", &members[1]))["data"], json!({"user_id": "2"}));
        assert_eq!(decoded(&member_removed("presence-x", "2"))["data"], json!({"user_id": "2"}));
        let nobody = json!({"presence": {"count": 0, "ids": [], "hash": {}}});
        assert_eq!(decoded(&presence_succeeded("presence-x", &[]))["data"], nobody);
    }

    #[test]
    fn events_carry_their_data_unchanged() {
        assert_eq!(event("x", "e\n", "{\"a\":1}"), r#"{"event":"e\n","channel":"x","data":"{\"a\":1}"}"#);
        let raw: &RawValue = serde_json::from_str("[1.50, 1e400]").expect("JSON");
        assert_eq!(
            client_event("presence-x", "client-e", Some(raw), Some("7")),
            r#"{"event":"client-e","channel":"presence-x","data":[1.50, 1e400],"user_id":"7"}"#
        );
        assert_eq!(client_event("private-x", "client-e", None, None), r#"{"event":"client-e","channel":"private-x"}"#);
        assert_eq!(
            decoded(&watchlist_events(&["1"], &["2", "3"]))["data"],
            json!({"events": [{"name": "online", "user_ids": ["1"]}, {"name": "offline", "user_ids": ["2", "3"]}]})
        );
    }
}
