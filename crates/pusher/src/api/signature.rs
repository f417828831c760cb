//! Whether a call is the application's, and recent.
//!
//! A call that was overheard can be made again within the ten minutes, as with Pusher: TLS is what keeps it from being overheard.

use md5::{Digest, Md5};

use super::Head;
use super::query::Query;
use crate::app::AppConfig;
use crate::auth;
use crate::error::{Error, shortened};
use crate::percent;

/// How far the clocks of the two servers may be apart, seconds.
const TOLERANCE: u64 = 600;

/// Refuses a call that is not signed as it must be, as far as that can be known without its body.
pub(super) fn verify(app: &AppConfig, head: &Head<'_>, query: &Query) -> Result<(), Error> {
    let get = |name: &str| query.get(name).ok_or_else(|| unauthenticated(format!("the parameter {name} is missing")));
    let (key, version, timestamp, signature) = (get("auth_key")?, get("auth_version")?, get("auth_timestamp")?, get("auth_signature")?);
    if key != app.key {
        return Err(unauthenticated("auth_key is not the key of this application".to_owned()));
    }
    if version != "1.0" {
        return Err(unauthenticated("auth_version must be 1.0".to_owned()));
    }
    if !is_signed(app, head, query, signature) {
        let text = format!("{}\n{}\n{}", head.method, head.path, query.signed());
        let text = shortened(&text);
        return Err(unauthenticated(format!(
            "the signature is wrong: auth_signature must be the HMAC-SHA256, in lower-case hexadecimal digits, of {text:?} with the application's secret"
        )));
    }
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let sent: Option<u64> = timestamp.parse().ok().filter(|_| digits);
    let sent = sent.ok_or_else(|| unauthenticated("auth_timestamp must be seconds since 1970".to_owned()))?;
    if sent.abs_diff(head.now) > TOLERANCE {
        return Err(unauthenticated(format!(
            "auth_timestamp {sent} is not within {TOLERANCE} seconds of this server's time, {}: set the clocks",
            head.now
        )));
    }
    Ok(())
}

/// Refuses a body that is not the one that was signed.
pub(super) fn verify_body(query: &Query, body: &[u8]) -> Result<(), Error> {
    match query.get("body_md5") {
        Some(sum) if sum == auth::hex(&Md5::digest(body)) => Ok(()),
        Some(_) => Err(unauthenticated("body_md5 is not the MD5 of the body, in lower-case hexadecimal digits".to_owned())),
        None if body.is_empty() => Ok(()),
        None => Err(unauthenticated("the parameter body_md5 is missing".to_owned())),
    }
}

/// Some of Pusher's libraries sign the path before it is encoded, others as it is sent. What the path is about is decided by what was sent.
fn is_signed(app: &AppConfig, head: &Head<'_>, query: &Query, signature: &str) -> bool {
    let query = query.signed();
    let is = |path: &str| {
        let parts: [&[u8]; 5] = [head.method.as_bytes(), b"\n", path.as_bytes(), b"\n", query.as_bytes()];
        auth::is_signed(&app.secret, &parts, signature)
    };
    is(head.path) || percent::path(head.path).is_some_and(|path| path != head.path && is(&path))
}

fn unauthenticated(why: String) -> Error {
    Error::Unauthenticated(why)
}
