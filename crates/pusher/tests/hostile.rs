//! Whatever bytes come, nothing panics, what is sent is JSON, and nothing is allowed that is not signed. The variations are the same in
//! each run.

use fws_pusher::api::{self, Request};
use fws_pusher::auth::{sign_channel, sign_user};
use fws_pusher::{Action, AppConfig, Channel, Connection, Error, Handshake, Joined, Limits, Member, SocketId, User, message};

const ID: SocketId = SocketId { first: 1, second: 2 };

/// xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// A variation of one of the inputs.
    fn vary(&mut self, inputs: &[String]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone().into_bytes();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = b"\"\\{}[]:,%&=+.0#-\x00\xff"[self.below(18)],
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.below(256) as u8),
                4 if at < bytes.len() => drop(bytes.remove(at)),
                _ => {
                    let other = inputs[self.below(inputs.len())].as_bytes();
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
            }
        }
        bytes
    }
}

fn app() -> AppConfig {
    let limits = Limits { channels: 3, payload: 64, ..Limits::default() };
    AppConfig { limits, ..AppConfig::new("1", "key", "secret") }
}

fn messages(app: &AppConfig) -> Vec<String> {
    let mut messages = vec![
        r#"{"event":"pusher:ping","data":{}}"#.to_owned(),
        r#"{"event":"pusher:pong"}"#.to_owned(),
        r#"{"event":"client-x","channel":"private-x","data":{"a":[1,"é"]}}"#.to_owned(),
        r#"{"event":"client-x","channel":"presence-x","data":"\ud800"}"#.to_owned(),
        r#"{"event":"client-x","channel":"news","data":1e999}"#.to_owned(),
        serde_json::json!({"event": "pusher:signin", "data": {"auth": sign_user(app, ID, r#"{"id":"7"}"#), "user_data": r#"{"id":"7"}"#}})
            .to_string(),
    ];
    let member = Some(r#"{"user_id":7,"user_info":{"a":1}}"#);
    for (channel, data) in
        [("news", None), ("private-x", None), ("presence-x", member), ("presence-y", None), ("#server-to-user-7", None), ("cache-x", None)]
    {
        let auth = sign_channel(app, ID, channel, data);
        let data = serde_json::json!({"channel": channel, "auth": auth, "channel_data": data});
        messages.push(serde_json::json!({"event": "pusher:subscribe", "data": data}).to_string());
        messages.push(serde_json::json!({"event": "pusher:subscribe", "data": data.to_string()}).to_string());
        messages.push(serde_json::json!({"event": "pusher:unsubscribe", "data": {"channel": channel}}).to_string());
    }
    messages
}

#[test]
fn a_connection_stays_within_its_limits_whatever_it_is_sent() {
    let app = app();
    let inputs = messages(&app);
    let mut numbers = Numbers(7);
    for _ in 0..500 {
        let (mut connection, _) = Connection::open(&app, ID, 0);
        let (mut now, mut closed) = (0, false);
        for _ in 0..40 {
            now += numbers.below(40_000) as u64;
            let mut actions = Vec::new();
            connection.tick(&app, now, &mut actions);
            connection.message(&app, &numbers.vary(&inputs), now, &mut actions);
            assert!(!closed || actions.is_empty(), "behind the close: {actions:?}");
            let mut next = 0;
            while let Some(action) = actions.get(next).cloned() {
                next += 1;
                match action {
                    Action::Send(frame) => drop(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&frame).expect("JSON")),
                    Action::Subscribe { channel, member, subscription, .. } => {
                        let channel = Channel::parse(&channel, &app.limits).expect("a channel");
                        assert_eq!(channel.kind.needs_member(), member.is_some());
                        let joined = Joined { members: member.into_iter().collect(), ..Joined::default() };
                        match numbers.below(4) {
                            0 => connection.refused(channel.name, subscription, &Error::ChannelFull(1), &mut actions),
                            _ => connection.subscribed(channel, subscription, joined, &mut actions),
                        }
                    }
                    Action::ClientEvent(event) => {
                        assert!(connection.channels().any(|channel| channel == event.channel));
                        assert!(event.channel.starts_with("private-") || event.channel.starts_with("presence-"));
                        assert_eq!(event.user_id.is_some(), event.channel.starts_with("presence-"));
                    }
                    Action::Close { reason, .. } => {
                        assert!(reason.len() <= 123 && next == actions.len());
                        closed = true;
                    }
                    Action::Unsubscribe { .. } | Action::SignIn(_) | Action::Watch(_) | Action::CacheMiss { .. } => {}
                }
            }
            assert!(connection.channels().count() <= 3);
        }
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let app = app();
    let mut inputs = messages(&app);
    inputs.extend(
        [
            r#"{"user_id":"é","user_info":{}}"#,
            r#"{"id":"1","watchlist":["2",3]}"#,
            "presence-cache-x",
            "1.2",
            "/app/key?protocol=7&client=js",
        ]
        .map(str::to_owned),
    );
    let mut numbers = Numbers(8);
    for _ in 0..50_000 {
        let bytes = numbers.vary(&inputs);
        let _ = message::parse(&bytes, 200);
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(member) = Member::parse(&text, &app.limits) {
            assert!(!member.user_id.is_empty());
        }
        let _ = User::parse(&text, &app.limits);
        let _ = Channel::parse(&text, &app.limits);
        if let Some(id) = SocketId::parse(&text) {
            assert_eq!(id.to_string(), text);
        }
        let (path, query) = text.split_once('?').unwrap_or((&text, ""));
        let _ = Handshake::parse(path, query);
        assert!(sign_channel(&app, ID, &text, None) != format!("key:{}", "0".repeat(64)));
    }
}

#[test]
fn no_call_is_accepted_that_nobody_signed() {
    let app = app();
    let inputs: Vec<String> = [
        "POST /apps/1/events auth_key=key&auth_timestamp=1000&auth_version=1.0&body_md5=x&auth_signature=y {\"name\":\"e\",\"data\":\"d\",\"channel\":\"a\"}",
        "GET /apps/1/channels auth_key=key&auth_timestamp=1000&auth_version=1.0&info=user_count&auth_signature=",
        "GET /apps/1/channels/a%2Fb/users auth_key=key&auth_signature=0000000000000000000000000000000000000000000000000000000000000000",
        "POST /apps/1/users/7/terminate_connections a=b&%61=c",
        "GET /up",
    ]
    .map(str::to_owned)
    .into();
    let mut numbers = Numbers(9);
    for _ in 0..50_000 {
        let bytes = numbers.vary(&inputs);
        let text = String::from_utf8_lossy(&bytes);
        let mut parts = text.splitn(4, ' ').chain(std::iter::repeat(""));
        let mut part = || parts.next().unwrap_or_default();
        let request = Request { method: part(), path: part(), query: part(), body: part().as_bytes(), now: 1000 };
        match api::verify(&request, |id| (id == "1").then_some(&app)) {
            Ok(api::Verified::Up) => assert_eq!(request.path, "/up"),
            Ok(api::Verified::Call { call, .. }) => panic!("{call:?}"),
            Err(error) => {
                let answer = api::answer::error(&error);
                assert!(matches!(answer.status, 400 | 401 | 404 | 405 | 413) && answer.body.len() < 2000, "{answer:?}");
            }
        }
    }
}
