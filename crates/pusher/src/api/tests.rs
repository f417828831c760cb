//! Calls that an application's server could make, right and wrong.

use md5::{Digest, Md5};

use super::*;
use crate::auth::{hex, sign};
use crate::socket_id::SocketId;

const NOW: u64 = 1_700_000_000;

fn app() -> AppConfig {
    AppConfig::new("3", "key", "secret")
}

/// A signed call, by an application's server that encodes nothing.
fn call_of(app: &AppConfig, method: &str, path: &str, parameters: &str, body: &str) -> Result<Call, Error> {
    let mut query: Vec<String> = parameters.split('&').filter(|parameter| !parameter.is_empty()).map(str::to_owned).collect();
    query.extend(["auth_key=key".to_owned(), format!("auth_timestamp={NOW}"), "auth_version=1.0".to_owned()]);
    if !body.is_empty() {
        query.push(format!("body_md5={}", hex(&Md5::digest(body))));
    }
    query.sort();
    let query = query.join("&");
    let signature = sign(&app.secret, format!("{method}\n{path}\n{query}").as_bytes());
    let query = format!("{query}&auth_signature={signature}");
    let request = Request { method, path, query: &query, body: body.as_bytes(), now: NOW };
    verify(&request, |id| (id == app.id).then_some(app)).map(|verified| match verified {
        Verified::Call { call, .. } => call,
        Verified::Up => panic!("not a call"),
    })
}

fn post(path: &str, body: &str) -> Result<Call, Error> {
    call_of(&app(), "POST", path, "", body)
}

fn get(path: &str, parameters: &str) -> Result<Call, Error> {
    call_of(&app(), "GET", path, parameters, "")
}

fn events(body: &str) -> Result<Event, Error> {
    match post("/apps/3/events", body)? {
        Call::Events(event) => Ok(event),
        other => panic!("{other:?}"),
    }
}

#[test]
fn anybody_may_ask_whether_the_server_is_up() {
    let request = Request { method: "GET", path: "/up", query: "", body: b"", now: NOW };
    assert!(matches!(verify(&request, |_| None), Ok(Verified::Up)));
    assert_eq!(verify(&Request { method: "POST", ..request }, |_| None).err(), Some(Error::WrongMethod("GET")));
}

#[test]
fn a_call_names_an_application_that_is_here_and_switched_on() {
    let request = Request { method: "GET", path: "/apps/4/channels", query: "", body: b"", now: NOW };
    let app = app();
    assert_eq!(verify(&request, |id| (id == app.id).then_some(&app)).err(), Some(Error::UnknownApp("4".into())));
    let disabled = AppConfig { enabled: false, ..app };
    assert_eq!(call_of(&disabled, "GET", "/apps/3/channels", "", ""), Err(Error::AppDisabled));
    assert_eq!(get("/apps/3/events", ""), Err(Error::WrongMethod("POST")));
    assert_eq!(post("/apps/3/channels", "{}"), Err(Error::WrongMethod("GET")));
    assert_eq!(get("/apps/3/other", ""), Err(Error::PathNotFound));
}

#[test]
fn what_is_missing_in_a_signature_is_named() {
    let app = app();
    for (query, named) in [
        ("", "auth_key"),
        ("auth_key=key", "auth_version"),
        ("auth_key=key&auth_version=1.0", "auth_timestamp"),
        ("auth_key=key&auth_version=1.0&auth_timestamp=1700000000", "auth_signature"),
        ("auth_key=k&auth_version=1.0&auth_timestamp=1700000000&auth_signature=x", "auth_key"),
        ("auth_key=key&auth_version=1.1&auth_timestamp=1700000000&auth_signature=x", "auth_version"),
        ("auth_key=key&auth_version=1.0&auth_timestamp=1700000000&auth_signature=x", "auth_signature"),
    ] {
        let request = Request { method: "GET", path: "/apps/3/channels", query, body: b"", now: NOW };
        let Err(Error::Unauthenticated(text)) = verify(&request, |_| Some(&app)) else { panic!("{query}") };
        assert!(text.contains(named) && !text.contains("secret\""), "{text}");
    }
}

#[test]
fn a_path_may_be_signed_before_it_is_encoded() {
    let app = app();
    let query = format!("auth_key=key&auth_timestamp={NOW}&auth_version=1.0");
    for (signed, sent) in [
        ("/apps/3/channels/presence-a@b", "/apps/3/channels/presence-a%40b"),
        ("/apps/3/channels/presence-a%40b", "/apps/3/channels/presence-a%40b"),
    ] {
        let signature = sign(&app.secret, format!("GET\n{signed}\n{query}").as_bytes());
        let query = format!("{query}&auth_signature={signature}");
        let request = Request { method: "GET", path: sent, query: &query, body: b"", now: NOW };
        let Ok(Verified::Call { call: Call::Channel { channel, .. }, .. }) = verify(&request, |_| Some(&app)) else { panic!("{sent}") };
        assert_eq!(channel, "presence-a@b");
    }
}

#[test]
fn a_body_needs_its_sum() {
    let app = app();
    for (sum, body) in [("", "{}"), ("&body_md5=d41d8cd98f00b204e9800998ecf8427e", "{}"), ("&body_md5=x", "")] {
        let query = format!("auth_key=key&auth_timestamp={NOW}&auth_version=1.0{sum}");
        let signature = sign(&app.secret, format!("POST\n/apps/3/events\n{query}").as_bytes());
        let query = format!("{query}&auth_signature={signature}");
        let request = Request { method: "POST", path: "/apps/3/events", query: &query, body: body.as_bytes(), now: NOW };
        assert!(matches!(verify(&request, |_| Some(&app)), Err(Error::Unauthenticated(text)) if text.contains("body_md5")));
    }
}

#[test]
fn an_event_goes_to_each_channel_once_and_not_to_its_sender() {
    let event = events(r#"{"name":"e","data":"d","channels":["a","b","a"],"socket_id":"1.2","info":"user_count, cache","more":{}}"#);
    let event = event.expect("an event");
    assert_eq!((&event.channels[..], event.except), (&["a".to_owned(), "b".to_owned()][..], Some(SocketId::new(1, 2))));
    assert!(event.info.user_count && event.info.cache && !event.info.occupied && !event.info.is_empty());
    let kind = |name| Channel::parse(name, &app().limits).expect("a channel").kind;
    assert!(event.info.within(kind("a")).is_empty());
    assert!(event.info.within(kind("presence-cache-a")) == event.info);
    assert_eq!(events(r##"{"name":"e","data":"","channel":"#server-to-user-7"}"##).expect("an event").channels, ["#server-to-user-7"]);
    let unknown = events(r#"{"name":"e","data":"","channel":"a","socket_id":"001.2"}"#).expect("an event");
    assert_eq!(unknown.except, None, "an id that no connection can have");
}

#[test]
fn an_event_that_is_not_as_it_must_be_is_refused() {
    let long = "a".repeat(201);
    for body in [
        "",
        "x",
        "[]",
        "{}",
        r#"["e","d","a"]"#,
        r#"{"name":"e","data":"d"}"#,
        r#"{"name":"e","channel":"a"}"#,
        r#"{"data":"d","channel":"a"}"#,
        r#"{"name":"e","data":{},"channel":"a"}"#,
        r#"{"name":"","data":"d","channel":"a"}"#,
        r#"{"name":null,"data":"d","channel":"a"}"#,
        r#"{"name":1,"data":"d","channel":"a"}"#,
        r#"{"name":"e","data":null,"channel":"a"}"#,
        r#"{"name":"e","data":1,"channel":"a"}"#,
        r#"{"name":"e","data":["d"],"channel":"a"}"#,
        r#"{"name":"e","data":"d","channel":null,"channels":null}"#,
        r#"{"name":"e","data":"d","channel":"a","channels":["a"]}"#,
        r#"{"name":"e","data":"d","channel":"a","channels":[]}"#,
        r#"{"name":"e","data":"d","channel":["a"]}"#,
        r#"{"name":"e","data":"d","channels":["a",null]}"#,
        r#"{"name":"e","data":"d","channels":[["a"]]}"#,
        r#"{"name":"e","data":"d","channels":{"0":"a"}}"#,
        r#"{"name":"e","data":"d","channel":"a","channel":"b"}"#,
        r#"{"name":"e","data":"d","channel":"a","socket_id":1.2}"#,
        r#"{"name":"e","data":"d","channel":"a","socket_id":"1.2.3"}"#,
        r#"{"name":"e","data":"d","channel":"a","socket_id":"1.2\n"}"#,
        r#"{"name":"e","data":"d","channel":"a","info":["user_count"]}"#,
        r#"{"name":"e","data":"\ud800","channel":"a"}"#,
        r#"{"name":"e","data":"d","channel":"a"}{}"#,
        &format!(r#"{{"name":"e","data":"d","channel":"a","x":{}{}}}"#, "[".repeat(1000), "]".repeat(1000)),
        r#"{"name":"e","data":"d","channels":[]}"#,
        r#"{"name":"e","data":"d","channels":"a"}"#,
        r#"{"name":"e","data":"d","channel":"a","socket_id":"x"}"#,
        r#"{"name":"e","data":"d","channel":"a","info":"other"}"#,
        r#"{"name":"e","data":"d","channel":"a","name":"f"}"#,
        r#"{"name":"pusher:e","data":"d","channel":"a"}"#,
        r#"{"name":"pusher_internal:member_added","data":"d","channel":"a"}"#,
        &format!(r#"{{"name":"{long}","data":"d","channel":"a"}}"#),
        &format!(r#"{{"name":"e","data":"d","channels":["a"{}]}}"#, r#","a""#.repeat(100)),
    ] {
        assert!(matches!(events(body), Err(Error::InvalidCall(_))), "{body}");
    }
    for name in ["", "a b", "#a", &long] {
        let refused = events(&format!(r#"{{"name":"e","data":"d","channels":["a","{name}"]}}"#)).expect_err("no channel");
        assert_eq!((&refused, refused.status()), (&refused, 400), "{name}");
    }
}

/// An event whose data has so many characters.
fn event_of(channel: &str, length: usize) -> String {
    format!(r#"{{"name":"e","data":"{}","channel":"{channel}"}}"#, "a".repeat(length))
}

#[test]
fn an_event_that_is_just_as_it_must_be_is_taken() {
    for accepted in [
        r#"{"name":"e","data":"","channel":"a","channels":null,"socket_id":null,"info":null,"more":[{}]}"#,
        r#"{"name":"e","data":"d","channel":"a","socket_id":"","info":""}"#,
        &format!(r#"{{"name":"{}","data":"d","channel":"{}"}}"#, "é".repeat(200), "a".repeat(200)),
        &format!(r#"{{"name":"e","data":"d","channels":["a"{}]}}"#, r#","a""#.repeat(99)),
    ] {
        assert!(events(accepted).is_ok(), "{accepted}");
    }
    let bytes = |body: &[u8]| {
        let sum = hex(&Md5::digest(body));
        let query = format!("auth_key=key&auth_timestamp={NOW}&auth_version=1.0&body_md5={sum}");
        let signature = sign(&app().secret, format!("POST\n/apps/3/events\n{query}").as_bytes());
        let query = format!("{query}&auth_signature={signature}");
        let request = Request { method: "POST", path: "/apps/3/events", query: &query, body, now: NOW };
        let app = app();
        verify(&request, |_| Some(&app)).map(drop).map_err(|error| error.status())
    };
    assert_eq!(bytes(b"{\"name\":\"e\",\"data\":\"\xff\",\"channel\":\"a\"}"), Err(400), "not UTF-8");
}

#[test]
fn a_body_is_read_only_where_its_head_is_signed() {
    let app = app();
    let head = |query| Head { method: "POST", path: "/apps/3/events", query, now: NOW };
    let examined = |head: &Head<'_>| examine(head, |id| (id == app.id).then_some(&app)).map(|examined| examined.most());
    let query = format!("auth_key=key&auth_timestamp={NOW}&auth_version=1.0&body_md5=x");
    let signature = sign(&app.secret, format!("POST\n/apps/3/events\n{query}").as_bytes());
    let signed = format!("{query}&auth_signature={signature}");
    assert_eq!(examined(&head(&signed)), Ok(app.limits.body()));
    let forged = format!("{query}&auth_signature={}", "0".repeat(64));
    for query in ["", &query, &forged] {
        assert_eq!(examined(&head(query)).expect_err("not signed").status(), 401, "{query}");
    }
    for head in [Head { path: "/apps/3/batch_events", ..head(&signed) }, Head { now: NOW + 601, ..head(&signed) }] {
        assert_eq!(examined(&head).expect_err("not signed").status(), 401, "{head:?}");
    }
    assert_eq!(examined(&Head { path: "/apps/4/events", ..head(&signed) }).expect_err("unknown").status(), 404);
    assert_eq!(examined(&Head { method: "GET", ..head(&signed) }).expect_err("another method").status(), 405);
    let announced = |size| examine(&head(&signed), |_| Some(&app)).expect("signed").check_size(size).map_err(|error| error.status());
    assert_eq!(
        (announced(app.limits.body() as u64), announced(app.limits.body() as u64 + 1), announced(u64::MAX)),
        (Ok(()), Err(413), Err(413))
    );
}

#[test]
fn the_data_of_an_event_is_measured_without_its_escapes() {
    let event = |data: &str| events(&format!(r#"{{"name":"e","data":"{data}","channels":[{}]}}"#, vec![r#""a""#; 100].join(",")));
    for (character, bytes) in [(r"\u0001", 1), (r"\u00e9", 2), ("é", 2), (r"\ud83d\ude00", 4), (r"\n", 1), (r#"\""#, 1)] {
        let most = 10_240 / bytes;
        assert!(event(&character.repeat(most)).is_ok(), "{character}");
        assert_eq!(event(&character.repeat(most + 1)).expect_err(character).status(), 413, "{character}");
    }
}

#[test]
fn the_clocks_may_be_ten_minutes_apart() {
    let app = app();
    let at = |timestamp: &str| {
        let query = format!("auth_key=key&auth_timestamp={timestamp}&auth_version=1.0");
        let text = query.replace("%2B", "+").replace("%20", " ");
        let signature = sign(&app.secret, format!("GET\n/apps/3/channels\n{text}").as_bytes());
        let query = format!("{query}&auth_signature={signature}");
        examine(&Head { method: "GET", path: "/apps/3/channels", query: &query, now: NOW }, |_| Some(&app)).map(drop)
    };
    for seconds in [NOW - 600, NOW, NOW + 600] {
        assert_eq!(at(&seconds.to_string()), Ok(()), "{seconds}");
    }
    for wrong in [
        &(NOW - 601).to_string(),
        &(NOW + 601).to_string(),
        "",
        "x",
        "-1",
        "%2B1700000000",
        "%201700000000",
        "1.7e9",
        "99999999999999999999",
    ] {
        assert!(matches!(at(wrong), Err(Error::Unauthenticated(text)) if text.contains("auth_timestamp")), "{wrong}");
    }
}

#[test]
fn digits_of_signatures_and_sums_are_in_lower_case() {
    let app = app();
    let body = event_of("a", 1);
    let sum = hex(&Md5::digest(&body));
    let status = |sum: &str, upper: bool| {
        let query = format!("auth_key=key&auth_timestamp={NOW}&auth_version=1.0&body_md5={sum}");
        let signature = sign(&app.secret, format!("POST\n/apps/3/events\n{query}").as_bytes());
        let signature = if upper { signature.to_uppercase() } else { signature };
        let query = format!("{query}&auth_signature={signature}");
        let request = Request { method: "POST", path: "/apps/3/events", query: &query, body: body.as_bytes(), now: NOW };
        verify(&request, |_| Some(&app)).map(drop).map_err(|error| error.status())
    };
    assert_eq!((status(&sum, false), status(&sum, true), status(&sum.to_uppercase(), false)), (Ok(()), Err(401), Err(401)));
}

#[test]
fn what_is_too_large_is_answered_with_413() {
    let event = |length: usize| events(&format!(r#"{{"name":"e","data":"{}","channel":"a"}}"#, "a".repeat(length)));
    assert!(event(10_240).is_ok());
    assert_eq!(event(10_241).expect_err("large").status(), 413);
    assert_eq!(post("/apps/3/events", &" ".repeat(10 << 20)).expect_err("large").status(), 413);
    let batch = |count| format!(r#"{{"batch":[{}]}}"#, vec![event_of("channel", 10_240); count].join(","));
    assert!(post("/apps/3/batch_events", &batch(10)).is_ok());
    let small = |size| post("/apps/3/users/7/terminate_connections", &" ".repeat(size)).map_err(|error| error.status());
    assert!(small(4096).is_ok());
    assert_eq!(small(4097), Err(413));
}

#[test]
fn a_batch_has_ten_events_each_for_one_channel() {
    let batch = |count| {
        post("/apps/3/batch_events", &format!(r#"{{"batch":[{}]}}"#, vec![r#"{"name":"e","data":"d","channel":"a"}"#; count].join(",")))
    };
    assert!(matches!(batch(10), Ok(Call::BatchEvents(events)) if events.len() == 10));
    assert!(matches!(batch(0), Ok(Call::BatchEvents(events)) if events.is_empty()));
    assert!(matches!(batch(11), Err(Error::InvalidCall(_))));
    for wrong in [
        "null",
        "[]",
        r#"{"name":"e","data":"d"}"#,
        r#"{"name":"e","data":{},"channel":"b"}"#,
        r#"{"name":"pusher:e","data":"d","channel":"b"}"#,
    ] {
        let body = format!(r#"{{"batch":[{},{wrong}]}}"#, event_of("a", 1));
        assert!(matches!(post("/apps/3/batch_events", &body), Err(Error::InvalidCall(_))), "{body}");
    }
    let large = format!(r#"{{"batch":[{},{}]}}"#, event_of("a", 1), event_of("b", 10_241));
    assert_eq!(post("/apps/3/batch_events", &large).expect_err("large").status(), 413);
    for body in
        [r#"{"batch":{}}"#, "{}", r#"{"batch":[{"name":"e","data":"d","channels":["a"]}]}"#, r#"{"batch":[{"name":"e","data":"d"}]}"#]
    {
        assert!(matches!(post("/apps/3/batch_events", body), Err(Error::InvalidCall(_))), "{body}");
    }
}

#[test]
fn attributes_are_told_of_channels_that_have_them() {
    for (path, parameters) in [
        ("/apps/3/channels", "info=user_count"),
        ("/apps/3/channels", "filter_by_prefix=private-&info=user_count"),
        ("/apps/3/channels", "info=other"),
        ("/apps/3/channels/a", "info=user_count"),
        ("/apps/3/channels/a", "info=cache"),
        ("/apps/3/channels/a b", ""),
        ("/apps/3/channels/a/users", ""),
    ] {
        assert_eq!(get(path, parameters).expect_err(path).status(), 400, "{path}?{parameters}");
    }
    let info = Info { subscription_count: true, occupied: true, cache: true, ..Info::default() };
    let call = Call::Channel { channel: "cache-a".into(), info };
    assert_eq!(get("/apps/3/channels/cache-a", "info=subscription_count,cache,,occupied"), Ok(call));
    assert_eq!(get("/apps/3/connections", ""), Ok(Call::Connections));
    let user = Call::TerminateConnections { user_id: "a/b".into() };
    assert_eq!(post("/apps/3/users/a%2Fb/terminate_connections", ""), Ok(user));
    assert!(post(&format!("/apps/3/users/{}/terminate_connections", "a".repeat(129)), "").is_err());
}
