//! Signatures that npm's `pusher` made (`testdata/sign.js`) are accepted, and made the same here; with anything changed they are refused.

use fws_pusher::api::{self, Call, Request, Verified};
use fws_pusher::auth::{sign, sign_channel, sign_user, verify_channel, verify_user};
use fws_pusher::webhook::{Batch, BatchLimits, Event};
use fws_pusher::{AppConfig, Error, SocketId};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("testdata/signatures.json")).expect("JSON")
}

fn app(vectors: &Value) -> AppConfig {
    AppConfig::new("3", text(vectors, "key"), text(vectors, "secret"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().expect("a list")
}

#[test]
fn subscriptions_are_signed_as_by_the_library() {
    let vectors = vectors();
    let app = app(&vectors);
    for vector in list(&vectors, "channels") {
        let id = SocketId::parse(text(vector, "socketId")).expect("an id");
        let (name, data, auth) = (text(vector, "name"), vector["channel_data"].as_str(), text(vector, "auth"));
        assert_eq!(sign_channel(&app, id, name, data), auth);
        assert_eq!(verify_channel(&app, id, name, data, auth), Ok(()));
        let other = AppConfig::new("3", &app.key, "another secret");
        assert!(verify_channel(&other, id, name, data, auth).is_err());
    }
}

#[test]
fn sign_ins_are_signed_as_by_the_library() {
    let vectors = vectors();
    let app = app(&vectors);
    for vector in list(&vectors, "users") {
        let id = SocketId::parse(text(vector, "socketId")).expect("an id");
        let (data, auth) = (text(vector, "user_data"), text(vector, "auth"));
        assert_eq!(sign_user(&app, id, data), auth);
        assert_eq!(verify_user(&app, id, data, auth), Ok(()));
        assert!(verify_user(&app, id, &format!("{data} "), auth).is_err());
    }
}

/// What the library asks for.
fn calls(vectors: &Value) -> Vec<(Request<'_>, &Value)> {
    let now = vectors["now"].as_u64().expect("a time");
    let request = |call| Request {
        method: text(call, "method"),
        path: text(call, "path"),
        query: text(call, "query"),
        body: text(call, "body").as_bytes(),
        now,
    };
    list(vectors, "calls").iter().map(|call| (request(call), call)).collect()
}

fn verify(app: &AppConfig, request: &Request<'_>) -> Result<Call, Error> {
    match api::verify(request, |id| (id == app.id).then_some(app))? {
        Verified::Call { call, .. } => Ok(call),
        Verified::Up => panic!("not a call"),
    }
}

#[test]
fn calls_of_the_library_are_verified_and_understood() {
    let vectors = vectors();
    let app = app(&vectors);
    let calls: Vec<Call> = calls(&vectors).iter().map(|(request, _)| verify(&app, request).expect("a call")).collect();
    let [Call::Events(one), Call::Events(with_info), Call::BatchEvents(batch), rest @ ..] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(
        (&*one.name, &*one.data, &one.channels[..], one.except),
        ("my-event", r#"{"hello":"wörld"}"#, &["test_channel".to_owned()][..], None)
    );
    assert_eq!((with_info.except, with_info.info.user_count, with_info.info.subscription_count), (Some(SocketId::new(1, 2)), true, true));
    assert_eq!(
        batch.iter().map(|event| (&*event.channels[0], &*event.name, &*event.data)).collect::<Vec<_>>(),
        [("a", "e", "1"), ("b", "f", "2")]
    );
    let wanted = [
        Call::TerminateConnections { user_id: "12345".into() },
        Call::Channels { prefix: String::new(), info: api::Info::default() },
        Call::Channels { prefix: "presence-".into(), info: api::Info { user_count: true, ..api::Info::default() } },
        Call::Channel {
            channel: "presence-foobar".into(),
            info: api::Info { user_count: true, subscription_count: true, ..api::Info::default() },
        },
        Call::Users { channel: "presence-foobar".into() },
        Call::Channel { channel: "a=b@c,d.e;f".into(), info: api::Info::default() },
    ];
    assert_eq!(rest, wanted);
}

#[test]
fn a_call_with_anything_changed_is_refused() {
    let vectors = vectors();
    let app = app(&vectors);
    for (request, _) in calls(&vectors) {
        let body = [request.body, b" "].concat();
        let query = request.query.replace("auth_version=1.0", "auth_version=1.0&x=y");
        let timestamp = request.query.replace("1700000000", "1700000001");
        let path = request.path.replacen("/apps/3/", "/apps/3/channels/", 1);
        for changed in [
            Request { body: &body, ..request },
            Request { query: &query, ..request },
            Request { query: &timestamp, ..request },
            Request { query: "", ..request },
            Request { now: request.now + 601, ..request },
            Request { now: request.now - 601, ..request },
        ] {
            assert!(matches!(verify(&app, &changed), Err(Error::Unauthenticated(_))), "{changed:?}");
        }
        assert!(verify(&app, &Request { path: &path, ..request }).is_err());
        for now in [request.now + 600, request.now - 600] {
            assert!(verify(&app, &Request { now, ..request }).is_ok());
        }
        let other = AppConfig::new("3", &app.key, "another secret");
        assert!(matches!(verify(&other, &request), Err(Error::Unauthenticated(_))));
    }
}

#[test]
fn webhooks_are_signed_as_the_library_checks_them() {
    let vectors = vectors();
    let app = app(&vectors);
    let mut batch = Batch::new(BatchLimits::default());
    batch.push(&Event::ChannelOccupied { channel: "test_channel" }, 0);
    let body = batch.take(1000, 1_327_078_148_132).expect("due");
    assert_eq!(body.json, text(&vectors["webhook"], "body"));
    let signature = text(&vectors["webhook"], "signature");
    let headers = body.headers(&app);
    assert_eq!(headers[1], ("X-Pusher-Key", app.key.clone()));
    assert_eq!(headers[2], ("X-Pusher-Signature", signature.to_owned()));
    assert_eq!(sign(&app.secret, body.json.as_bytes()), signature);
}
