//! Whether a call is the application's, and recent.
//!
//! A call that was overheard can be made once more within the ten minutes, as with Pusher: TLS is what keeps it from being overheard.

use md5::{Digest, Md5};

use super::Request;
use super::query::Query;
use crate::app::AppConfig;
use crate::auth;
use crate::error::{Error, shortened};
use crate::percent;

/// How far the clocks of the two servers may be apart, seconds.
const TOLERANCE: u64 = 600;

/// Refuses a call that is not signed as it must be.
pub(super) fn verify(app: &AppConfig, request: &Request<'_>, query: &Query) -> Result<(), Error> {
    let get = |name: &str| query.get(name).ok_or_else(|| unauthenticated(format!("the parameter {name} is missing")));
    let (key, version, timestamp, signature) = (get("auth_key")?, get("auth_version")?, get("auth_timestamp")?, get("auth_signature")?);
    if key != app.key {
        return Err(unauthenticated("auth_key is not the key of this application".to_owned()));
    }
    if version != "1.0" {
        return Err(unauthenticated("auth_version must be 1.0".to_owned()));
    }
    if !is_signed(app, request, query, signature) {
        let text = format!("{}\n{}\n{}", request.method, request.path, query.signed());
        let text = shortened(&text);
        return Err(unauthenticated(format!(
            "the signature is wrong: auth_signature must be the HMAC-SHA256, in hexadecimal digits, of {text:?} with the application's secret"
        )));
    }
    let sent: u64 = timestamp.parse().map_err(|_| unauthenticated("auth_timestamp must be seconds since 1970".to_owned()))?;
    if sent.abs_diff(request.now) > TOLERANCE {
        return Err(unauthenticated(format!(
            "auth_timestamp {sent} is not within {TOLERANCE} seconds of this server's time, {}: set the clocks",
            request.now
        )));
    }
    match query.get("body_md5") {
        Some(sum) if sum == auth::hex(&Md5::digest(request.body)) => Ok(()),
        Some(_) => Err(unauthenticated("body_md5 is not the MD5 of the body".to_owned())),
        None if request.body.is_empty() => Ok(()),
        None => Err(unauthenticated("the parameter body_md5 is missing".to_owned())),
    }
}

/// Some of Pusher's libraries sign the path before it is encoded, others as it is sent. What the path is about is decided by what was sent.
fn is_signed(app: &AppConfig, request: &Request<'_>, query: &Query, signature: &str) -> bool {
    let query = query.signed();
    let is = |path: &str| {
        let parts: [&[u8]; 5] = [request.method.as_bytes(), b"\n", path.as_bytes(), b"\n", query.as_bytes()];
        auth::is_signed(&app.secret, &parts, signature)
    };
    is(request.path) || percent::path(request.path).is_some_and(|path| path != request.path && is(&path))
}

fn unauthenticated(why: String) -> Error {
    Error::Unauthenticated(why)
}
