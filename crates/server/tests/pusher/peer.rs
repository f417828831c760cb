//! A client of the Pusher protocol, and the servers of its application.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fws_pusher::{AppConfig, SocketId, auth};
use fws_server::{Answer, Config, Core, HttpCall};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use crate::common;

pub const PATIENCE: Duration = Duration::from_secs(60);

/// A route with one application, which has these options.
pub fn routes(options: &Value) -> String {
    let mut app = json!({ "id": "1", "key": "key", "secret": "secret" });
    app.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    json!({ "routes": [{ "name": "pusher", "pusher": { "apps": [app, { "id": "2", "key": "other", "secret": "hidden" }] } }] }).to_string()
}

pub fn core(options: &Value) -> Arc<Core> {
    let core = Core::start(&Config { shards: 2, ..Config::default() }).expect("threads and epolls");
    core.stage(1, routes(options).as_bytes()).expect("legal");
    core.commit(1).expect("staged");
    core
}

pub fn app() -> AppConfig {
    AppConfig::new("1", "key", "secret")
}

pub struct Peer {
    pub socket: WebSocket<TcpStream>,
    pub id: String,
}

impl Peer {
    pub fn new(core: &Core) -> Peer {
        let mut peer = Peer::connect(core, "/app/key?protocol=7&client=js&version=8.4.0&flash=false", "");
        let established = peer.event("pusher:connection_established");
        let data = inner(&established);
        peer.id = data["socket_id"].as_str().expect("an id").to_owned();
        peer
    }

    pub fn connect(core: &Core, target: &str, headers: &str) -> Peer {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        );
        let handshake = core.handshake("pusher", head.as_bytes(), "192.0.2.1");
        let socket = WebSocket::from_raw_socket(common::adopt(core, handshake, &[], PATIENCE), Role::Client, None);
        Peer { socket, id: String::new() }
    }

    pub fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).expect("a connection");
    }

    /// The next message, or how the connection was closed.
    pub fn next(&mut self) -> Value {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).expect("JSON"),
                Ok(Message::Close(frame)) => return json!({ "closed": frame.map(|frame| u16::from(frame.code)) }),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message, which must be this event.
    pub fn event(&mut self, name: &str) -> Value {
        let message = self.next();
        assert_eq!(message["event"], name, "{message}");
        message
    }

    fn wish(&mut self, channel: &str, data: Option<&str>) {
        let id = SocketId::parse(&self.id).expect("an id");
        let mut wish = json!({ "channel": channel });
        if channel.starts_with("private-") || channel.starts_with("presence-") {
            wish["auth"] = auth::sign_channel(&app(), id, channel, data).into();
        }
        if let Some(data) = data {
            wish["channel_data"] = data.into();
        }
        self.say(&json!({ "event": "pusher:subscribe", "data": wish }));
    }

    /// Subscribes; what the client is told of the channel.
    pub fn subscribe(&mut self, channel: &str) -> Value {
        self.wish(channel, None);
        inner(&self.event("pusher_internal:subscription_succeeded"))
    }

    /// Subscribes to a presence channel; the ids of who is there.
    pub fn join(&mut self, channel: &str, user: &str) -> Vec<String> {
        self.wish_to_join(channel, user);
        let told = inner(&self.event("pusher_internal:subscription_succeeded"));
        let ids = told["presence"]["ids"].as_array().expect("ids").iter();
        ids.map(|id| id.as_str().expect("text").to_owned()).collect()
    }

    pub fn wish_to_join(&mut self, channel: &str, user: &str) {
        self.wish_to_join_as(channel, &json!({ "user_id": user, "user_info": { "name": user } }));
    }

    pub fn wish_to_join_as(&mut self, channel: &str, member: &Value) {
        self.wish(channel, Some(&member.to_string()));
    }

    /// Reads what is told of a presence channel, as a client does, until just these users are there by a list that was told after Redis was away.
    pub fn is_told_of(&mut self, channel: &str, users: &[&str]) {
        let mut there: Option<BTreeSet<String>> = None;
        while there.as_ref().is_none_or(|there| !there.iter().eq(users.iter())) {
            let told = self.next();
            assert_eq!(told["channel"], channel, "{told}; there are {there:?}, and not {users:?}");
            let data = inner(&told);
            let user = || data["user_id"].as_str().expect("text").to_owned();
            match (told["event"].as_str().expect("text"), &mut there) {
                ("pusher_internal:subscription_succeeded", there) => {
                    let ids = data["presence"]["ids"].as_array().expect("ids").iter();
                    *there = Some(ids.map(|id| id.as_str().expect("text").to_owned()).collect());
                }
                ("pusher_internal:member_added", Some(there)) => drop(there.insert(user())),
                ("pusher_internal:member_removed", Some(there)) => drop(there.remove(&user())),
                ("pusher_internal:member_added" | "pusher_internal:member_removed", None) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn sign_in(&mut self, user: &str) {
        let data = json!({ "id": user }).to_string();
        let auth = auth::sign_user(&app(), SocketId::parse(&self.id).expect("an id"), &data);
        self.say(&json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": data } }));
        self.event("pusher:signin_success");
    }

    /// Has the server answer, so that nothing was sent in between.
    pub fn nothing_came(&mut self) {
        self.say(&json!({ "event": "pusher:ping", "data": {} }));
        self.event("pusher:pong");
    }
}

/// The data of an event, which is JSON in a string.
pub fn inner(event: &Value) -> Value {
    serde_json::from_str(event["data"].as_str().expect("a string")).expect("JSON in a string")
}

/// A signed call of the application.
pub fn call(core: &Core, method: &str, path: &str, parameters: &str, body: &str) -> (u16, Value) {
    let answer = signed(core, method, path, parameters, body, 0);
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body)))
}

/// The same, by a clock that is so many seconds late.
pub fn signed(core: &Core, method: &str, path: &str, parameters: &str, body: &str, late: u64) -> Answer {
    use md5::{Digest, Md5};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() - late;
    let mut query = vec!["auth_key=key".to_owned(), format!("auth_timestamp={now}"), "auth_version=1.0".to_owned()];
    if !body.is_empty() {
        query.push(format!("body_md5={}", Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
    }
    query.extend(parameters.split('&').filter(|parameter| !parameter.is_empty()).map(str::to_owned));
    query.sort();
    let query = query.join("&");
    let signature = auth::sign(&app().secret, format!("{method}\n{path}\n{query}").as_bytes());
    let query = format!("{query}&auth_signature={signature}");
    core.pusher_call(&HttpCall { route: "pusher", method, path, query: &query, body: body.as_bytes() })
}

/// Sends an event to a channel.
pub fn publish(core: &Core, channel: &str, data: &str, except: Option<&str>) {
    let body = json!({ "name": "news", "channel": channel, "data": data, "socket_id": except }).to_string();
    assert_eq!(call(core, "POST", "/apps/1/events", "", &body), (200, json!({})));
}
