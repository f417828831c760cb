//! Calls of the Pusher protocol's HTTP API: no call is accepted that is not signed, and each is understood that is signed over the query as
//! the URL standard reads it.

use fws_pusher::api::{self, Call, Request, Verified};
use fws_pusher::{AppConfig, Channel, Error};
use md5::{Digest, Md5};
use url::form_urlencoded;

const NOW: u64 = 1_700_000_000;

/// Read as `method LF path LF query LF body`.
pub fn check(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (method, path, query) = (part(), part(), part());
    let body = part();
    let (Ok(method), Ok(path), Ok(query)) = (std::str::from_utf8(method), std::str::from_utf8(path), std::str::from_utf8(query)) else {
        return;
    };
    let app = AppConfig::new("1", "key", "secret");
    let request = Request { method, path, query, body, now: NOW };
    assert!(!matches!(verify(&app, &request), Ok(Verified::Call { .. })), "nobody has signed it");

    let Some(query) = signed(&app, &request) else { return };
    let request = Request { query: &query, ..request };
    match verify(&app, &request) {
        Ok(Verified::Up) => assert_eq!((path, method), ("/up", "GET")),
        Ok(Verified::Call { call, .. }) => {
            within_limits(&app, &call);
            let (body, later) = ([body, b" "].concat(), NOW + 601);
            for changed in [Request { body: &body, ..request }, Request { now: later, ..request }] {
                assert!(matches!(verify(&app, &changed), Err(Error::Unauthenticated(_))), "{call:?}");
            }
        }
        Err(error) => {
            let answer = api::answer::error(&error);
            assert!(matches!(answer.status, 400 | 404 | 405 | 413) && answer.body.len() < 2000, "{answer:?}");
        }
    }
}

fn verify<'a>(app: &'a AppConfig, request: &Request<'_>) -> Result<Verified<'a>, Error> {
    api::verify(request, |id| (id == app.id).then_some(app))
}

/// The query with what belongs to a signature. `None`: it has such a thing already, or what is there can be read in several ways.
fn signed(app: &AppConfig, request: &Request<'_>) -> Option<String> {
    let mut parameters: Vec<(String, String)> =
        form_urlencoded::parse(request.query.as_bytes()).map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect();
    let reserved = |name: &str| name.starts_with("auth_") || name == "body_md5";
    let replaced = |text: &str| text.contains('\u{fffd}');
    if parameters.iter().any(|(name, value)| reserved(name) || replaced(name) || replaced(value)) || has_bare_percent(request.query) {
        return None;
    }
    let sum: String = Md5::digest(request.body).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, value) in [("auth_key", "key"), ("auth_timestamp", "1700000000"), ("auth_version", "1.0"), ("body_md5", &sum)] {
        parameters.push((name.to_owned(), value.to_owned()));
    }
    parameters.sort();
    let text: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{}\n{}\n{}", request.method, request.path, text.join("&"));
    let signature = fws_pusher::auth::sign(&app.secret, text.as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&parameters).append_pair("auth_signature", &signature);
    Some(query.finish())
}

/// The URL standard leaves such a percent sign as it is; here the query is refused.
fn has_bare_percent(query: &str) -> bool {
    query.split('%').skip(1).any(|rest| !rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

fn within_limits(app: &AppConfig, call: &Call) {
    let limits = &app.limits;
    let events = match call {
        Call::Events(event) => std::slice::from_ref(event),
        Call::BatchEvents(events) => &events[..],
        Call::Channel { channel, .. } | Call::Users { channel } => {
            assert!(Channel::parse(channel, limits).is_ok());
            &[]
        }
        Call::Channels { .. } | Call::TerminateConnections { .. } | Call::Connections => &[],
    };
    assert!(events.len() <= limits.batch);
    for event in events {
        assert!((1..=limits.event_channels).contains(&event.channels.len()) && event.data.len() <= limits.payload);
        assert!((1..=limits.event_name).contains(&event.name.chars().count()));
        assert!(event.channels.iter().all(|channel| Channel::parse(channel, limits).is_ok()));
    }
}
