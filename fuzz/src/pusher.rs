//! Messages to a connection of the Pusher protocol: what is understood is what another reader of JSON finds there, what is sent is JSON, and
//! what a client is allowed is what a naive count says.

use std::collections::BTreeSet;

use fws_pusher::auth::{sign_channel, sign_user};
use fws_pusher::message::{self, Message};
use fws_pusher::{Action, AppConfig, Channel, Connection, Joined, Limits, SocketId};
use serde_json::Value;

const ID: SocketId = SocketId { first: 1, second: 2 };

/// How many channels the connection may have.
const CHANNELS: usize = 4;

/// A conversation, one message in each line. Lines that begin with `+` let as many seconds pass as they are long. A message whose `auth` is
/// `sign` is signed as the application would.
pub fn check(data: &[u8]) {
    let limits = Limits { channels: CHANNELS, payload: 100, ..Limits::default() };
    let app = AppConfig { limits, ..AppConfig::new("1", "key", "secret") };
    let (mut connection, first) = Connection::open(&app, ID, 0);
    is_json(&first);
    let mut peer = Peer { subscribed: BTreeSet::new(), closed: false };
    let mut now = 0;
    for line in data.split(|byte| *byte == b'\n') {
        let mut actions = Vec::new();
        if line.first() == Some(&b'+') {
            now += 1000 * line.len() as u64;
            let due = now >= connection.deadline(&app);
            connection.tick(&app, now, &mut actions);
            assert!(peer.closed || due != actions.is_empty(), "at {now}: {actions:?}");
        } else {
            let line = signed(&app, line);
            agrees(&line, &app);
            connection.message(&app, &line, now, &mut actions);
        }
        assert!(!peer.closed || actions.is_empty(), "behind the close: {actions:?}");
        peer.carry_out(&app, &mut connection, actions);
        assert_eq!(connection.channels().collect::<BTreeSet<_>>(), peer.subscribed.iter().map(String::as_str).collect());
        assert!(peer.subscribed.len() <= CHANNELS);
    }
}

/// The caller, with the channels that the client should have.
struct Peer {
    subscribed: BTreeSet<String>,
    closed: bool,
}

impl Peer {
    fn carry_out(&mut self, app: &AppConfig, connection: &mut Connection, actions: Vec<Action>) {
        for action in actions {
            assert!(!self.closed, "behind the close: {action:?}");
            match action {
                Action::Send(frame) => is_json(&frame),
                Action::Subscribe { channel: name, kind, member, subscription } => {
                    let channel = Channel::parse(&name, &app.limits).expect("a channel");
                    assert_eq!((channel.kind, kind.needs_member()), (kind, member.is_some()));
                    let mut told = Vec::new();
                    let joined = Joined { members: member.into_iter().collect(), ..Joined::default() };
                    connection.subscribed(channel, subscription, joined, &mut told);
                    assert!(matches!(told.first(), Some(Action::Send(frame)) if frame.contains("subscription_succeeded")));
                    assert!(self.subscribed.insert(name), "subscribed twice");
                }
                Action::Unsubscribe { channel } => assert!(self.subscribed.remove(&channel)),
                Action::ClientEvent(event) => {
                    assert!(self.subscribed.contains(&event.channel));
                    assert!(event.event.starts_with("client-"));
                    assert!(event.channel.starts_with("private-") || event.channel.starts_with("presence-"));
                    assert!(!event.channel.starts_with("private-encrypted-"));
                    assert_eq!(event.user_id.is_some(), event.channel.starts_with("presence-"));
                    // Numbers may be larger than those of this reader, and surrogates alone: only what it can read is compared.
                    if let Some(Ok(data)) = event.data.as_ref().map(|data| serde_json::from_str::<Value>(data.get())) {
                        assert_eq!(serde_json::from_str::<Value>(&event.frame()).expect("JSON")["data"], data);
                    }
                }
                Action::SignIn(user) => assert_eq!(connection.user(), Some(&user)),
                Action::Watch(users) => assert!(!users.is_empty() && users.len() <= app.limits.watchlist),
                Action::CacheMiss { .. } => panic!("not before it has subscribed"),
                Action::Close { code, reason } => {
                    assert!(code.closes() && reason.len() <= 123);
                    self.closed = true;
                }
            }
        }
    }
}

fn is_json(frame: &str) {
    let value: Value = serde_json::from_str(frame).expect("JSON");
    assert!(value["event"].as_str().is_some_and(|event| event.starts_with("pusher:") || event.starts_with("pusher_internal:")), "{frame}");
}

/// What is understood of a message, another reader finds in it.
fn agrees(line: &[u8], app: &AppConfig) {
    let Ok(message) = message::parse(line, app.limits.message()) else { return };
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
    let data = match &value["data"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        other => other.clone(),
    };
    let (name, agreed) = match &message {
        Message::Subscribe(subscribe) => ("pusher:subscribe", data["channel"] == *subscribe.channel),
        Message::Unsubscribe { channel } => ("pusher:unsubscribe", data["channel"] == **channel),
        Message::Ping => ("pusher:ping", true),
        Message::Pong => ("pusher:pong", true),
        Message::SignIn(sign_in) => ("pusher:signin", data["user_data"] == *sign_in.user_data),
        Message::ClientEvent(event) => {
            (&*event.event, value["channel"] == *event.channel && event.data.is_some() == value.get("data").is_some())
        }
    };
    assert!(agreed && value["event"] == name, "{message:?} of {value}");
}

/// A message as the application would have signed it, where it asks for that.
fn signed(app: &AppConfig, line: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(line) else { return line.to_vec() };
    let data = value["data"].clone();
    if data["auth"] != "sign" {
        return line.to_vec();
    }
    let auth = match (data["channel"].as_str(), data["user_data"].as_str()) {
        (Some(channel), _) => sign_channel(app, ID, channel, data["channel_data"].as_str()),
        (None, Some(user_data)) => sign_user(app, ID, user_data),
        (None, None) => return line.to_vec(),
    };
    value["data"]["auth"] = auth.into();
    value.to_string().into_bytes()
}
