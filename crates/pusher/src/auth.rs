//! Signatures: HMAC-SHA256 with the application's secret, in hexadecimal digits.
//!
//! Checks take the same time whatever is wrong with a signature, so that nobody can guess one digit after the other. The secret that
//! subscribers of an encrypted channel share goes from the application to its clients, and is never seen here.

use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::app::{AppConfig, Secret};
use crate::error::Error;
use crate::socket_id::SocketId;

/// The signature of a text.
pub fn sign(secret: &Secret, text: &[u8]) -> String {
    hex(&mac(secret, &[text]).finalize().into_bytes())
}

/// Whether this is the signature of the parts of a text.
pub(crate) fn is_signed(secret: &Secret, parts: &[&[u8]], signature: &str) -> bool {
    unhex(signature).is_some_and(|signature| mac(secret, parts).verify(&signature).is_ok())
}

/// What an application answers to a client that wants to subscribe: `auth`.
pub fn sign_channel(app: &AppConfig, socket_id: SocketId, channel: &str, channel_data: Option<&str>) -> String {
    let socket_id = socket_id.to_string();
    with_key(app, &channel_parts(&socket_id, channel, channel_data))
}

/// What an application answers to a client that wants to sign in: `auth`.
pub fn sign_user(app: &AppConfig, socket_id: SocketId, user_data: &str) -> String {
    with_key(app, &user_parts(&socket_id.to_string(), user_data))
}

/// Refuses a subscription that the application has not signed for this connection, this channel and this member.
pub fn verify_channel(app: &AppConfig, socket_id: SocketId, channel: &str, channel_data: Option<&str>, auth: &str) -> Result<(), Error> {
    let socket_id = socket_id.to_string();
    verify(app, &channel_parts(&socket_id, channel, channel_data), auth).map_err(Error::NotAuthorized)
}

/// Refuses a sign-in that the application has not signed for this connection and this user.
pub fn verify_user(app: &AppConfig, socket_id: SocketId, user_data: &str, auth: &str) -> Result<(), Error> {
    verify(app, &user_parts(&socket_id.to_string(), user_data), auth).map_err(Error::SignInRefused)
}

/// A channel's name has no colon where it needs a signature: so no text can be read in two ways.
fn channel_parts<'a>(socket_id: &'a str, channel: &'a str, channel_data: Option<&'a str>) -> Vec<&'a [u8]> {
    let mut parts: Vec<&[u8]> = vec![socket_id.as_bytes(), b":", channel.as_bytes()];
    if let Some(data) = channel_data {
        parts.extend([&b":"[..], data.as_bytes()]);
    }
    parts
}

fn user_parts<'a>(socket_id: &'a str, user_data: &'a str) -> [&'a [u8]; 3] {
    [socket_id.as_bytes(), b"::user::", user_data.as_bytes()]
}

/// An application's key, a colon, and its signature.
fn with_key(app: &AppConfig, parts: &[&[u8]]) -> String {
    format!("{}:{}", app.key, hex(&mac(&app.secret, parts).finalize().into_bytes()))
}

fn verify(app: &AppConfig, parts: &[&[u8]], auth: &str) -> Result<(), &'static str> {
    if auth.is_empty() {
        return Err("the signature is missing");
    }
    let Some((key, signature)) = auth.split_once(':') else {
        return Err("auth must be KEY:SIGNATURE");
    };
    if key != app.key {
        return Err("auth has another application's key");
    }
    if !is_signed(&app.secret, parts, signature) {
        return Err("the signature is wrong: check the application's secret, and that it is made for this socket_id");
    }
    Ok(())
}

fn mac(secret: &Secret, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("bug: HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac
}

/// In lower case, as all of Pusher's libraries write it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn unhex(text: &str) -> Option<Output<Sha256>> {
    let mut bytes = Output::<Sha256>::default();
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppConfig {
        AppConfig::new("1", "278d425bdf160c739803", "7ad3773142a6692b25b8")
    }

    #[test]
    fn what_is_signed_for_one_connection_channel_and_member_is_good_for_no_other() {
        let (app, id) = (app(), SocketId::new(1234, 1234));
        let auth = sign_channel(&app, id, "private-foobar", None);
        assert_eq!(verify_channel(&app, id, "private-foobar", None, &auth), Ok(()));
        assert!(verify_channel(&app, SocketId::new(1234, 1235), "private-foobar", None, &auth).is_err());
        assert!(verify_channel(&app, id, "private-foobaz", None, &auth).is_err());
        assert!(verify_channel(&app, id, "private-foobar", Some("{}"), &auth).is_err());
        let with_data = sign_channel(&app, id, "private-foobar", Some("{}"));
        assert!(verify_channel(&app, id, "private-foobar", None, &with_data).is_err());
        assert_eq!(verify_channel(&app, id, "private-foobar", Some("{}"), &with_data), Ok(()));
        let user = sign_user(&app, id, r#"{"id":"1"}"#);
        assert_eq!(verify_user(&app, id, r#"{"id":"1"}"#, &user), Ok(()));
        assert!(verify_user(&app, id, r#"{"id":"2"}"#, &user).is_err());
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let (app, id) = (app(), SocketId::new(1, 2));
        let good = sign_channel(&app, id, "private-x", None);
        let (key, signature) = good.split_once(':').expect("both");
        for auth in [
            String::new(),
            ":".into(),
            key.into(),
            signature.into(),
            format!("{key}:"),
            format!("other:{signature}"),
            format!("{key}:{}", &signature[1..]),
            format!("{key}:{signature}0"),
            format!("{key}:{}", signature.to_uppercase()),
            format!("{key}:{}", "é".repeat(32)),
            format!("{key}:{}", "0".repeat(64)),
            format!("{key}:{signature}:"),
        ] {
            assert!(verify_channel(&app, id, "private-x", None, &auth).is_err(), "{auth:?}");
        }
    }
}
