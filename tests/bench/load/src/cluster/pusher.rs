//! What is said by the Pusher protocol: its frames, and signed calls of the HTTP API.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use md5::{Digest, Md5};
use ring::hmac;

use super::dialect::Heard;

/// The application of the servers under test.
const ID: &str = "1";
const KEY: &str = "bench-key";
const SECRET: &[u8] = b"bench-secret";

/// Where clients connect.
pub fn path() -> String {
    format!("/app/{KEY}?protocol=7&client=fws-load&version=1")
}

/// What a client says to be in a channel.
pub fn subscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#)
}

/// The request that publishes an event whose data is a message.
pub fn publication(host: &str, channel: &str, message: &[u8]) -> Vec<u8> {
    let body = [format!(r#"{{"name":"news","channel":"{channel}","data":"#).as_bytes(), message, b"}"].concat();
    call(host, "POST", &format!("/apps/{ID}/events"), "", &body)
}

/// The request that asks how many are in a channel.
pub fn census(host: &str, channel: &str) -> Vec<u8> {
    call(host, "GET", &format!("/apps/{ID}/channels/{channel}"), "&info=subscription_count", b"")
}

fn call(host: &str, method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut query = format!("auth_key={KEY}&auth_timestamp={now}&auth_version=1.0");
    if !body.is_empty() {
        let _ = write!(query, "&body_md5={}", hex(&Md5::digest(body)));
    }
    query += more;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hex(hmac::sign(&key, format!("{method}\n{path}\n{query}").as_bytes()).as_ref());
    let length = body.len();
    // Who asks once waits for the end of the connection.
    let last = if method == "GET" { "Connection: close\r\n" } else { "" };
    let head = format!(
        "{method} {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: {host}\r\n{last}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a message of the server.
pub fn hear(text: &[u8], tell: &mut impl FnMut(Heard<'_>) -> Result<()>) -> Result<()> {
    if let Some(message) = data(text) {
        return tell(Heard::Message(message));
    }
    let what = String::from_utf8_lossy(text);
    match () {
        () if what.contains("pusher:connection_established") => Ok(()),
        () if what.contains("pusher_internal:subscription_succeeded") => tell(Heard::Inside),
        () if what.contains("\"pusher:ping\"") => tell(Heard::Answer(r#"{"event":"pusher:pong","data":{}}"#)),
        () => bail!("the server says {what:?}"),
    }
}

/// The data of an event `news`, a string without escapes: without a parser of JSON, since that is what comes many times.
fn data(text: &[u8]) -> Option<&[u8]> {
    const EVENT: &[u8] = b"\"event\":\"news\"";
    const DATA: &[u8] = b"\"data\":";
    text.windows(EVENT.len()).position(|found| found == EVENT)?;
    let at = text.windows(DATA.len()).position(|found| found == DATA)? + DATA.len();
    let rest = text[at..].strip_prefix(b"\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    Some(&text[at..at + end + 2])
}

/// How many the answer to [`census`] says there are.
pub fn count(body: &str) -> Result<usize> {
    let (_, rest) = body.split_once("\"subscription_count\":").with_context(|| format!("{body:?} says not how many there are"))?;
    let digits = rest.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().with_context(|| format!("{body:?} says not how many there are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_an_event_is_found_wherever_it_stands() {
        for text in [r#"{"event":"news","data":"a:b","channel":"x"}"#, r#"{"event":"news","channel":"x","data":"a:b"}"#] {
            assert_eq!(data(text.as_bytes()), Some(&b"\"a:b\""[..]));
        }
        assert_eq!(data(br#"{"event":"pusher:pong","data":"x"}"#), None);
    }

    #[test]
    fn a_call_is_signed_as_the_protocol_asks() {
        let request = String::from_utf8(call("h", "GET", "/apps/1/channels/x", "&info=subscription_count", b"")).expect("text");
        let query = request.split_once('?').expect("a query").1.split(' ').next().expect("it ends");
        let (signed, signature) = query.rsplit_once("&auth_signature=").expect("a signature");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        assert_eq!(signature, hex(hmac::sign(&key, format!("GET\n/apps/1/channels/x\n{signed}").as_bytes()).as_ref()));
        assert_eq!(count(r#"{"occupied":true,"subscription_count":12}"#).expect("it says so"), 12);
        assert!(count("{}").is_err());
    }
}
