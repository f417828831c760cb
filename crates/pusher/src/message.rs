//! What clients send: JSON with an event's name, which decides what else there must be.
//!
//! Whether a message is allowed now is the connection's business ([`crate::Connection`]); here it is only whether it is a message.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::json;

/// The names of events that clients send to each other begin so.
pub const CLIENT_EVENT: &str = "client-";

/// A message of a client.
#[derive(Debug, Clone)]
pub enum Message<'a> {
    /// `pusher:subscribe`.
    Subscribe(Subscribe),
    /// `pusher:unsubscribe`.
    Unsubscribe {
        /// The channel.
        channel: String,
    },
    /// `pusher:ping`.
    Ping,
    /// `pusher:pong`.
    Pong,
    /// `pusher:signin`.
    SignIn(SignIn),
    /// `client-…`.
    ClientEvent(Event<'a>),
}

/// A wish to subscribe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subscribe {
    /// The channel.
    pub channel: String,
    /// The application's signature. pusher-js sends an empty one where none is needed.
    #[serde(default)]
    pub auth: Option<String>,
    /// Who the client is in a presence channel, as the application has signed it.
    #[serde(default)]
    pub channel_data: Option<String>,
}

/// A wish to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SignIn {
    /// The application's signature.
    #[serde(default)]
    pub auth: String,
    /// Who the client is, as the application has signed it.
    pub user_data: String,
}

/// An event that a client sends to the other subscribers of a channel.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Its name.
    pub event: Cow<'a, str>,
    /// The channel.
    pub channel: String,
    /// Its data, as it came.
    pub data: Option<&'a RawValue>,
}

/// Reads a message of at most `most` bytes.
pub fn parse(bytes: &[u8], most: usize) -> Result<Message<'_>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
        #[serde(default)]
        channel: Option<String>,
        #[serde(borrow, default, deserialize_with = "json::present")]
        data: Option<&'a RawValue>,
    }
    if bytes.len() > most {
        return Err(Error::TooLarge { what: "message", most });
    }
    let Envelope { event, channel, data } = json::object(bytes).map_err(Error::InvalidMessage)?;
    Ok(match &*event {
        "pusher:subscribe" => Message::Subscribe(content(data)?),
        "pusher:unsubscribe" => {
            #[derive(Deserialize)]
            struct Unsubscribe {
                channel: String,
            }
            Message::Unsubscribe { channel: content::<Unsubscribe>(data)?.channel }
        }
        "pusher:ping" => Message::Ping,
        "pusher:pong" => Message::Pong,
        "pusher:signin" => Message::SignIn(content(data)?),
        name if name.starts_with(CLIENT_EVENT) => {
            let channel = channel.ok_or(Error::InvalidMessage("a client event needs a channel"))?;
            Message::ClientEvent(Event { event, channel, data })
        }
        name if name.starts_with("pusher:") => return Err(Error::InvalidMessage("no such event is known")),
        _ => return Err(Error::InvalidMessage("the names of client events begin with client-")),
    })
}

/// What stands in `data`: an object, or one that was written to a string, as the data of events is.
fn content<T: for<'a> Deserialize<'a>>(data: Option<&RawValue>) -> Result<T, Error> {
    let data = data.ok_or(Error::InvalidMessage("its data is missing"))?.get();
    if data.starts_with('"') {
        let text: String = json::parse(data.as_bytes()).map_err(Error::InvalidMessage)?;
        return json::object(text.as_bytes()).map_err(Error::InvalidMessage);
    }
    json::object(data.as_bytes()).map_err(Error::InvalidMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message<'_>, Error> {
        parse(text.as_bytes(), 10_000)
    }

    #[test]
    fn data_is_an_object_or_one_in_a_string() {
        let wanted = Subscribe { channel: "private-x".into(), auth: Some("k:s".into()), channel_data: Some("{}".into()) };
        for text in [
            r#"{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"k:s","channel_data":"{}"}}"#,
            r#"{"data":"{\"channel\":\"private-x\",\"auth\":\"k:s\",\"channel_data\":\"{}\"}","event":"pusher\u003asubscribe"}"#,
            r#" {"event":"pusher:subscribe","data": {"channel":"private-x","auth":"k:s","channel_data":"{}","x":[]} , "y":1} "#,
        ] {
            assert!(matches!(read(text), Ok(Message::Subscribe(subscribe)) if subscribe == wanted), "{text}");
        }
    }

    #[test]
    fn pings_and_pongs_need_no_data() {
        for data in ["", r#","data":{}"#, r#","data":"{}""#, r#","data":null"#] {
            assert!(matches!(read(&format!(r#"{{"event":"pusher:ping"{data}}}"#)), Ok(Message::Ping)));
            assert!(matches!(read(&format!(r#"{{"event":"pusher:pong"{data}}}"#)), Ok(Message::Pong)));
        }
    }

    #[test]
    fn the_data_of_a_client_event_is_carried_as_it_came() {
        let event = |data: &str| match read(&format!(r#"{{"event":"client-x","channel":"private-x"{data}}}"#)) {
            Ok(Message::ClientEvent(event)) => (event.event.into_owned(), event.channel, event.data.map(|data| data.get().to_owned())),
            other => panic!("{other:?}"),
        };
        for data in [r#"{"a": [1,2.50]}"#, r#""{\"a\":1}""#, "null", "1e400", "[]"] {
            assert_eq!(event(&format!(r#","data": {data}"#)), ("client-x".into(), "private-x".into(), Some(data.to_owned())));
        }
        assert_eq!(event("").2, None);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "x",
            "1",
            "null",
            "[]",
            "{}",
            r#"["pusher:ping"]"#,
            r#"{"event":1}"#,
            r#"{"event":null}"#,
            r#"{"event":"pusher:ping"} {}"#,
            r#"{"event":"pusher:ping","event":"pusher:pong"}"#,
            r#"{"event":"pusher:subscribe"}"#,
            r#"{"event":"pusher:subscribe","data":null}"#,
            r#"{"event":"pusher:subscribe","data":"x"}"#,
            r#"{"event":"pusher:subscribe","data":["x"]}"#,
            r#"{"event":"pusher:subscribe","data":"[\"x\"]"}"#,
            r#"{"event":"pusher:subscribe","data":{}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":1}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"x","channel":"y"}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"x","channel_data":{}}}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":"x","auth":1}}"#,
            r#"{"event":"pusher:unsubscribe","data":{}}"#,
            r#"{"event":"pusher:signin","data":{"auth":"x"}}"#,
            r#"{"event":"pusher:signin","data":{"auth":"x","user_data":{}}}"#,
            r#"{"event":"pusher:other","data":{}}"#,
            r#"{"event":"pusher_internal:member_added","data":{},"channel":"presence-x"}"#,
            r#"{"event":"client-x","data":{}}"#,
            r#"{"event":"client-x","data":{},"channel":["private-x"]}"#,
            r#"{"event":"other","channel":"private-x","data":{}}"#,
        ] {
            assert!(matches!(read(text), Err(Error::InvalidMessage(_))), "{text}");
        }
        assert!(parse(b"{\"event\":\"\xff\"}", 100).is_err());
    }

    #[test]
    fn a_message_has_a_largest_size_and_a_deepest_nesting() {
        let text = r#"{"event":"pusher:ping"}"#;
        assert!(parse(text.as_bytes(), text.len()).is_ok());
        assert_eq!(parse(text.as_bytes(), 10).err(), Some(Error::TooLarge { what: "message", most: 10 }));
        let deep = format!(r#"{{"event":"client-x","channel":"x","data":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
        assert_eq!(read(&deep).err(), Some(Error::InvalidMessage("the JSON is nested too deeply")));
    }
}
