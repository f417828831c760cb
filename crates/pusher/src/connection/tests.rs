//! The connection, as the caller drives it.

use serde_json::{Value, json};

use super::*;
use crate::app::ClientEvents;
use crate::auth::{sign_channel, sign_user};

const ID: SocketId = SocketId { first: 12, second: 34 };

fn app() -> AppConfig {
    AppConfig::new("1", "key", "secret")
}

/// A connection, with everything that it has said.
struct Client {
    app: AppConfig,
    connection: Connection,
    now: Millis,
}

impl Client {
    fn new(app: AppConfig) -> Client {
        let (connection, _) = Connection::open(&app, ID, 1000);
        Client { app, connection, now: 1000 }
    }

    fn send(&mut self, message: &Value) -> Vec<Action> {
        let mut actions = Vec::new();
        self.connection.message(&self.app, message.to_string().as_bytes(), self.now, &mut actions);
        actions
    }

    fn tick(&mut self, now: Millis) -> Vec<Action> {
        let mut actions = Vec::new();
        self.now = now;
        self.connection.tick(&self.app, now, &mut actions);
        actions
    }

    /// Wishes to subscribe, signed as is right.
    fn wish(&mut self, channel: &str, channel_data: Option<&str>) -> Vec<Action> {
        let auth = sign_channel(&self.app, ID, channel, channel_data);
        self.send(&json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth, "channel_data": channel_data}}))
    }

    /// Subscribes, and is told that it has.
    fn join(&mut self, channel: &str, channel_data: Option<&str>, joined: Joined) -> Vec<Action> {
        let actions = self.wish(channel, channel_data);
        let [Action::Subscribe { subscription, .. }] = actions[..] else { panic!("{actions:?}") };
        self.answer(channel, subscription, joined)
    }

    fn answer(&mut self, channel: &str, subscription: u32, joined: Joined) -> Vec<Action> {
        let mut actions = Vec::new();
        let channel = Channel::parse(channel, &self.app.limits).expect("a channel");
        self.connection.subscribed(channel, subscription, joined, &mut actions);
        actions
    }

    fn event(&mut self, channel: &str, data: &Value) -> Vec<Action> {
        self.send(&json!({"event": "client-x", "channel": channel, "data": data}))
    }

    fn sign_in(&mut self, user_data: &str) -> Vec<Action> {
        let auth = sign_user(&self.app, ID, user_data);
        self.send(&json!({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}}))
    }
}

/// The only message of these actions, as it is and with the event's name.
fn told(actions: &[Action]) -> Value {
    let [Action::Send(frame)] = actions else { panic!("{actions:?}") };
    serde_json::from_str(frame).expect("JSON")
}

fn sent(frame: String) -> Vec<Action> {
    vec![Action::Send(frame)]
}

#[test]
fn a_public_channel_needs_nothing() {
    let mut client = Client::new(app());
    let actions = client.send(&json!({"event": "pusher:subscribe", "data": {"channel": "news", "auth": ""}}));
    let kind = Kind { access: Access::Public, cache: false };
    assert_eq!(actions, [Action::Subscribe { channel: "news".into(), kind, member: None, subscription: 0 }]);
    assert_eq!(client.answer("news", 0, Joined::default()), sent(frame::subscription_succeeded("news")));
    assert_eq!(client.connection.channels().collect::<Vec<_>>(), ["news"]);
    let unsubscribe = json!({"event": "pusher:unsubscribe", "data": {"channel": "news"}});
    assert_eq!(client.send(&unsubscribe), [Action::Unsubscribe { channel: "news".into() }]);
    assert_eq!(client.send(&unsubscribe), []);
    assert_eq!(client.connection.channels().count(), 0);
}

#[test]
fn a_second_subscription_is_an_error_and_the_first_one_stays() {
    let mut client = Client::new(app());
    client.join("news", None, Joined::default());
    let error = told(&client.wish("news", None));
    assert_eq!(error["data"], json!({"code": null, "message": "Existing subscription to channel news"}));
    assert_eq!(client.connection.channels().count(), 1);
}

#[test]
fn private_channels_need_the_applications_signature() {
    let mut client = Client::new(app());
    for channel in ["private-x", "private-cache-x", "private-encrypted-x", "private-encrypted-cache-x", "presence-x", "presence-cache-x"] {
        for data in [
            json!({"channel": channel}),
            json!({"channel": channel, "auth": ""}),
            json!({"channel": channel, "auth": null, "channel_data": null}),
            json!({"channel": channel, "auth": format!("key:{}", "0".repeat(64)), "channel_data": r#"{"user_id":"1"}"#}),
            json!({"channel": channel, "auth": sign_channel(&app(), SocketId::new(12, 35), channel, None)}),
        ] {
            let error = told(&client.send(&json!({"event": "pusher:subscribe", "data": data})));
            assert_eq!(error["event"], "pusher:subscription_error");
            assert_eq!(
                (&error["channel"], &error["data"]["status"], &error["data"]["type"]),
                (&json!(channel), &json!(401), &json!("AuthError"))
            );
        }
        let data = channel.starts_with("presence").then_some(r#"{"user_id":"1"}"#);
        assert!(matches!(client.wish(channel, data)[..], [Action::Subscribe { .. }]), "{channel}");
    }
}

#[test]
fn a_member_is_who_the_application_says_or_who_is_signed_in() {
    let mut client = Client::new(app());
    let error = told(&client.wish("presence-x", None));
    assert_eq!((&error["event"], &error["data"]["status"]), (&json!("pusher:subscription_error"), &json!(400)));
    let error = told(&client.wish("presence-x", Some(r#"{"user_info":{}}"#)));
    assert_eq!(error["event"], "pusher:subscription_error");
    let me = Member::parse(r#"{"user_id":"7","user_info":1}"#, &client.app.limits).expect("a member");
    let joined = Joined { members: vec![me.clone()], ..Joined::default() };
    let actions = client.join("presence-x", Some(r#"{"user_id":7,"user_info":1}"#), joined);
    assert_eq!(actions, sent(frame::presence_succeeded("presence-x", &[me])));
    client.sign_in(r#"{"id":"8","user_info":2}"#);
    let actions = client.wish("presence-y", None);
    assert!(matches!(&actions[..], [Action::Subscribe { member: Some(member), .. }] if &*member.user_id == "8"), "{actions:?}");
}

#[test]
fn a_cache_channel_gives_its_last_event_or_says_that_there_is_none() {
    let mut client = Client::new(app());
    let cached = frame::event("cache-x", "e", "1");
    let actions = client.join("cache-x", None, Joined { cached: Some(cached.clone()), count: Some(4), ..Joined::default() });
    let frames = [frame::subscription_succeeded("cache-x"), frame::subscription_count("cache-x", 4), cached.clone()];
    assert_eq!(actions, frames.map(Action::Send));
    let actions = client.join("private-cache-x", None, Joined::default());
    assert_eq!(actions[1..], [Action::Send(frame::cache_miss("private-cache-x")), Action::CacheMiss { channel: "private-cache-x".into() }]);
    let actions = client.join("news", None, Joined { cached: Some(cached), ..Joined::default() });
    assert_eq!(actions, sent(frame::subscription_succeeded("news")), "it is no cache channel");
}

#[test]
fn an_answer_that_comes_too_late_subscribes_nobody() {
    let mut client = Client::new(app());
    client.wish("news", None);
    client.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "news"}}));
    assert_eq!(client.answer("news", 0, Joined::default()), [Action::Unsubscribe { channel: "news".into() }]);
    client.wish("news", None);
    assert_eq!(client.answer("news", 0, Joined::default()), [], "the answer to the first wish");
    assert_eq!(client.answer("news", 1, Joined::default()), sent(frame::subscription_succeeded("news")));
}

#[test]
fn a_caller_can_refuse_a_subscription() {
    let mut client = Client::new(app());
    client.wish("presence-x", Some(r#"{"user_id":"1"}"#));
    let mut actions = Vec::new();
    client.connection.refused("presence-x", 5, &Error::ChannelFull(100), &mut actions);
    assert_eq!(actions, [], "another subscription's answer");
    client.connection.refused("presence-x", 0, &Error::ChannelFull(100), &mut actions);
    let error = told(&actions);
    assert_eq!((&error["data"]["type"], &error["data"]["status"]), (&json!("LimitReached"), &json!(403)));
    assert!(matches!(client.wish("presence-x", Some(r#"{"user_id":"1"}"#))[..], [Action::Subscribe { subscription: 1, .. }]));
}

#[test]
fn ten_thousand_channels_are_too_many_and_bad_names_are_refused() {
    let mut client = Client::new(app());
    let subscribed = (0..10_000).filter(|i| matches!(client.wish(&format!("c{i}"), None)[..], [Action::Subscribe { .. }])).count();
    assert_eq!((subscribed, client.connection.channels().count()), (1000, 1000));
    let mut client = Client::new(app());
    for name in ["", "a b", "a/b", "#x", "#server-to-user-", "é", &"a".repeat(201)] {
        let error = told(&client.wish(name, None));
        assert_eq!((&error["event"], &error["data"]["status"]), (&json!("pusher:subscription_error"), &json!(400)), "{name:?}");
    }
}

#[test]
fn a_user_signs_in_once_and_gets_the_channel_of_this_user_only() {
    let mut client = Client::new(app());
    assert_eq!(told(&client.wish("#server-to-user-7", None))["data"]["status"], 401);
    let user_data = r#"{"id":"7","watchlist":["8"]}"#;
    let actions = client.sign_in(user_data);
    let user = User::parse(user_data, &client.app.limits).expect("a user");
    assert_eq!(actions, [Action::SignIn(user), Action::Send(frame::signin_success(user_data)), Action::Watch(vec!["8".to_owned()])]);
    assert_eq!(told(&client.wish("#server-to-user-8", None))["data"]["status"], 401);
    assert!(matches!(client.wish("#server-to-user-7", None)[..], [Action::Subscribe { .. }]));
    assert_eq!(told(&client.sign_in(r#"{"id":"8"}"#))["data"]["code"], Value::Null);
    assert_eq!(client.connection.user().map(|user| &*user.id), Some("7"));
}

#[test]
fn a_forged_sign_in_ends_the_connection() {
    for data in [json!({"auth": "key:00", "user_data": r#"{"id":"7"}"#}), json!({"user_data": r#"{"id":"7"}"#})] {
        let mut client = Client::new(app());
        let actions = client.send(&json!({"event": "pusher:signin", "data": data}));
        assert!(matches!(&actions[..], [Action::Send(error), Action::Close { code: Code::Unauthorized, .. }] if error.contains("4009")));
        assert_eq!(client.send(&json!({"event": "pusher:ping"})), [], "nothing is answered behind the close");
        assert_eq!(client.tick(u64::MAX), []);
    }
    let mut client = Client::new(app());
    assert!(matches!(client.sign_in(r#"{"id":""}"#)[..], [_, Action::Close { .. }]));
    let mut client = Client::new(app());
    let error = told(&client.sign_in(&format!(r#"{{"id":"1","watchlist":[{}1]}}"#, "1,".repeat(100))));
    assert_eq!(error["data"]["code"], 4302);
    assert_eq!(client.connection.user(), None);
}

#[test]
fn client_events_go_to_private_and_presence_channels_one_has_subscribed_to() {
    let mut client = Client::new(app());
    client.join("private-x", None, Joined::default());
    client.join("presence-x", Some(r#"{"user_id":7}"#), Joined::default());
    client.join("private-encrypted-x", None, Joined::default());
    client.join("news", None, Joined::default());
    client.wish("private-pending", None);
    let data = json!({"a": 1});
    let actions = client.event("private-x", &data);
    let [Action::ClientEvent(event)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(event.frame(), r#"{"event":"client-x","channel":"private-x","data":{"a":1}}"#);
    let actions = client.event("presence-x", &data);
    let [Action::ClientEvent(event)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(event.frame(), r#"{"event":"client-x","channel":"presence-x","data":{"a":1},"user_id":"7"}"#);
    for channel in ["news", "private-encrypted-x", "private-pending", "private-other", "presence-other", "a b"] {
        let error = told(&client.event(channel, &data));
        assert_eq!((&error["event"], &error["data"]["code"]), (&json!("pusher:error"), &Value::Null), "{channel}");
    }
}

#[test]
fn client_events_have_a_size_and_a_switch() {
    let mut client = Client::new(app());
    client.join("private-x", None, Joined::default());
    assert!(matches!(client.event("private-x", &json!("a".repeat(10_238)))[..], [Action::ClientEvent(_)]));
    assert_eq!(told(&client.event("private-x", &json!("a".repeat(10_239))))["data"]["code"], Value::Null);
    let long = json!({"event": format!("client-{}", "é".repeat(194)), "channel": "private-x"});
    assert_eq!(told(&client.send(&long))["data"]["code"], Value::Null);
    client.app.client_events = ClientEvents::Off;
    assert_eq!(told(&client.event("private-x", &json!(1)))["data"]["code"], 4301);
}

#[test]
fn client_events_have_a_rate_that_a_reload_may_change() {
    let mut client = Client::new(app());
    client.join("private-x", None, Joined::default());
    let passed = (0..20).filter(|i| matches!(client.event("private-x", &json!(i))[..], [Action::ClientEvent(_)])).count();
    assert_eq!(passed, 10);
    assert_eq!(told(&client.event("private-x", &json!(1)))["data"]["code"], 4301);
    client.now += 100;
    assert!(matches!(client.event("private-x", &json!(1))[..], [Action::ClientEvent(_)]));
    assert_eq!(told(&client.event("private-x", &json!(1)))["data"]["code"], 4301);
    client.app.client_events = ClientEvents::On { rate: 0 };
    assert!((0..1000).all(|i| matches!(client.event("private-x", &json!(i))[..], [Action::ClientEvent(_)])));
}

#[test]
fn a_silent_client_is_pinged_and_then_closed() {
    let mut client = Client::new(app());
    assert_eq!(client.connection.deadline(&client.app), 121_000);
    assert_eq!(client.tick(120_999), []);
    assert_eq!(client.tick(121_000), sent(frame::ping()));
    assert_eq!(client.connection.deadline(&client.app), 151_000);
    assert_eq!(client.tick(150_999), []);
    assert_eq!(client.send(&json!({"event": "pusher:pong", "data": {}})), []);
    assert_eq!(client.tick(270_998), []);
    client.connection.heard(270_998);
    assert_eq!(client.tick(390_998), sent(frame::ping()));
    let actions = client.tick(420_998);
    assert!(matches!(&actions[..], [Action::Send(_), Action::Close { code: Code::NoPong, reason }] if !reason.is_empty()), "{actions:?}");
    assert_eq!(client.tick(u64::MAX), []);
}

#[test]
fn a_client_that_must_show_who_it_is_has_so_long() {
    let strict = || AppConfig { authorization_timeout: Some(10_000), ..app() };
    let mut client = Client::new(strict());
    client.join("news", None, Joined::default());
    assert_eq!(client.connection.deadline(&client.app), 11_000);
    assert!(matches!(client.tick(11_000)[..], [_, Action::Close { code: Code::Unauthorized, .. }]));
    let mut client = Client::new(strict());
    client.join("private-x", None, Joined::default());
    assert_eq!(client.tick(11_000), []);
    let mut client = Client::new(strict());
    client.sign_in(r#"{"id":"1"}"#);
    assert_eq!(client.tick(11_000), []);
}

#[test]
fn what_is_no_message_is_an_error_and_the_connection_stays() {
    let mut client = Client::new(app());
    let mut actions = Vec::new();
    for bytes in [&b"x"[..], b"", b"\xff\xfe", b"{}", &[b'['; 100_000]] {
        client.connection.message(&client.app, bytes, 2000, &mut actions);
        assert_eq!(told(&actions)["data"]["code"], Value::Null);
        actions.clear();
    }
    assert_eq!(client.send(&json!({"event": "pusher:ping", "data": {}})), sent(frame::pong()));
}

#[test]
fn the_caller_ends_connections_with_a_code_and_a_reason_that_fits() {
    for (error, wanted) in
        [(Error::Terminated, Code::Unauthorized), (Error::Reconnect, Code::Reconnect), (Error::OverCapacity, Code::OverCapacity)]
    {
        let (mut client, mut actions) = (Client::new(app()), Vec::new());
        client.connection.fail(&error, &mut actions);
        assert!(matches!(&actions[..], [Action::Send(_), Action::Close { code, reason }] if *code == wanted && reason.len() <= 123));
    }
}

#[test]
fn a_client_that_enters_and_leaves_presence_channels_all_the_time_is_held_back() {
    let mut app = app();
    app.limits.channels = 3;
    let mut client = Client::new(app);
    let data = Some(r#"{"user_id":"7"}"#);
    let leave = json!({"event": "pusher:unsubscribe", "data": {"channel": "presence-x"}});
    for _ in 0..3 {
        client.join("presence-x", data, Joined::default());
        client.send(&leave);
    }
    let refused = told(&client.wish("presence-x", data));
    assert_eq!((&refused["event"], &refused["data"]["status"]), (&json!("pusher:subscription_error"), &json!(429)), "{refused}");
    client.join("private-x", None, Joined::default());
    client.now += 100;
    client.join("presence-x", data, Joined::default());
    client.send(&leave);
    assert_eq!(told(&client.wish("presence-x", data))["data"]["status"], 429);
}
