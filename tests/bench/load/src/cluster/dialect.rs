//! What clients and servers say to each other: ours, Centrifugo's JSON protocol, and the Pusher protocol.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::pusher;
use crate::target;

/// A server's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// frankenphp-ws, with the pages and the worker of `tests/bench/cluster`.
    Fws,
    /// Centrifugo, with the configuration of `tests/bench/peers/centrifugo`.
    Centrifugo,
    /// Ours with the configuration of `tests/bench/pusher`, or the one of `tests/bench/peers/node-ws`.
    Pusher,
}

impl FromStr for Dialect {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "fws" => Ok(Self::Fws),
            "centrifugo" => Ok(Self::Centrifugo),
            "pusher" => Ok(Self::Pusher),
            other => bail!("--dialect: {other:?} is none of fws, centrifugo and pusher"),
        }
    }
}

/// What a client knows of its place in the channel, beyond the end of its connection.
#[derive(Clone, Default)]
pub struct Place {
    /// frankenphp-ws: by which it comes back, and how many messages it has got since it was told.
    pub token: String,
    /// See `token`.
    pub received: u64,
    /// Centrifugo: the position behind the last message.
    pub epoch: String,
    /// See `epoch`.
    pub offset: u64,
}

/// What a client wants when it connects.
pub struct Wish<'a> {
    /// The channel.
    pub channel: &'a str,
    /// Whose it is, for presence.
    pub user: usize,
    /// Whether it wants to be able to come back.
    pub resume: bool,
    /// Where it has been before; none: it is new.
    pub place: Option<&'a Place>,
}

/// What a server's text says.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The client is in the channel: as a newcomer, or again where it was.
    Inside,
    /// A message of the channel.
    Message(&'a [u8]),
    /// A message that the client did not get while it was away.
    Missed(String),
    /// Answer with this text.
    Answer(&'static str),
}

/// `"in"`, as the worker says it.
const INSIDE: &[u8] = b"in";

impl Dialect {
    /// The name of a channel of a kind.
    pub fn channel(self, kind: &str, nonce: u128) -> String {
        match self {
            Self::Fws | Self::Centrifugo => format!("{kind}:{nonce:x}"),
            Self::Pusher => format!("{kind}.{nonce:x}"),
        }
    }

    /// The request that opens the connection.
    pub fn handshake(self, host: &str, wish: &Wish<'_>) -> Vec<u8> {
        let path = match self {
            Self::Centrifugo => "/connection/websocket".to_owned(),
            Self::Pusher => pusher::path(),
            Self::Fws => {
                let mut path = format!("/ws?channel={}&user=u{}", wish.channel, wish.user);
                if wish.resume {
                    path += "&resume=";
                    if let Some(place) = wish.place {
                        path += &format!("{}&received={}", place.token, place.received);
                    }
                }
                path
            }
        };
        target::upgrade(host, &path)
    }

    /// What the client says first, if it does. Centrifugo's own client sends both commands at once as well.
    pub fn greeting(self, wish: &Wish<'_>) -> Option<String> {
        let channel = wish.channel;
        if self == Self::Pusher {
            return Some(pusher::subscribe(channel));
        }
        let recover = match wish.place {
            Some(Place { epoch, offset, .. }) => format!(r#","recover":true,"epoch":"{epoch}","offset":{offset}"#),
            None => String::new(),
        };
        (self == Self::Centrifugo)
            .then(|| format!("{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"{recover}}}}}"))
    }

    /// The request by which one message is published.
    pub fn publication(self, host: &str, channel: &str, message: &[u8]) -> Vec<u8> {
        let (path, head, body) = match self {
            Self::Fws => (format!("/publish.php?channel={channel}"), "Content-Type: application/octet-stream", message.to_vec()),
            Self::Centrifugo => {
                let body = [format!("{{\"channel\":\"{channel}\",\"data\":").as_bytes(), message, b"}"].concat();
                ("/api/publish".to_owned(), "Content-Type: application/json\r\nX-API-Key: bench", body)
            }
            Self::Pusher => return pusher::publication(host, channel, message),
        };
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &body].concat()
    }

    /// Whether the answer to it says that it was published.
    pub fn is_published(self, body: &[u8]) -> bool {
        match self {
            Self::Fws => body == b"ok",
            Self::Centrifugo => body.starts_with(b"{\"result\":"),
            Self::Pusher => body == b"{}",
        }
    }

    /// The request that asks how many are in the channel.
    pub fn census(self, host: &str, channel: &str) -> Vec<u8> {
        let (line, body) = match self {
            Self::Fws => (format!("GET /presence.php?channel={channel}"), String::new()),
            Self::Centrifugo => ("POST /api/presence_stats".to_owned(), format!("{{\"channel\":\"{channel}\"}}")),
            Self::Pusher => return pusher::census(host, channel),
        };
        let length = body.len();
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-API-Key: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// What the answer to it says.
    pub fn count(self, body: &[u8]) -> Result<usize> {
        let text = std::str::from_utf8(body)?;
        let count = match self {
            Self::Fws => text.parse().ok(),
            Self::Pusher => return pusher::count(text),
            Self::Centrifugo => {
                text.split_once("\"num_clients\":").and_then(|(_, rest)| number(rest.as_bytes())).map(|count| count as usize)
            }
        };
        count.with_context(|| format!("{text:?} says not how many there are"))
    }

    /// Reads a text of the server and tells what it says, piece by piece. `entering` says that the client is not in the channel yet.
    pub fn hear(
        self,
        text: &[u8],
        entering: bool,
        wish: &Wish<'_>,
        place: &mut Place,
        mut tell: impl FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Centrifugo => text.split(|byte| *byte == b'\n').try_for_each(|line| centrifugo(line, wish, place, &mut tell)),
            Self::Pusher => pusher::hear(text, &mut tell),
            Self::Fws if entering => match fws_entering(text, wish, place)? {
                true => tell(Heard::Inside),
                false => Ok(()),
            },
            Self::Fws => {
                place.received += 1;
                tell(Heard::Message(text))
            }
        }
    }
}

#[derive(Deserialize)]
struct Session {
    resume: Resume,
}

#[derive(Deserialize)]
struct Resume {
    token: String,
    resumed: bool,
    #[serde(default)]
    reason: String,
}

/// Whether the client is in the channel now.
fn fws_entering(text: &[u8], wish: &Wish<'_>, place: &mut Place) -> Result<bool> {
    if text == INSIDE {
        place.received += 1;
        return Ok(true);
    }
    let what = || format!("{:?} is what nobody waits for who enters a channel", String::from_utf8_lossy(text));
    ensure!(wish.resume, what());
    let Session { resume } = serde_json::from_slice(text).with_context(what)?;
    ensure!(resume.resumed == wish.place.is_some(), "the session was not resumed: {}", resume.reason);
    (place.token, place.received) = (resume.token, 0);
    Ok(resume.resumed)
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    subscribe: Option<Subscribed>,
    #[serde(default)]
    connect: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Subscribed {
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    recovered: bool,
    #[serde(default)]
    publications: Vec<Publication>,
}

#[derive(Deserialize)]
struct Publication {
    data: String,
    offset: u64,
}

fn centrifugo(line: &[u8], wish: &Wish<'_>, place: &mut Place, tell: &mut impl FnMut(Heard<'_>) -> Result<()>) -> Result<()> {
    if line == b"{}" {
        return tell(Heard::Answer("{}"));
    }
    if let Some((message, offset)) = push(line, wish.channel) {
        ensure!(offset == place.offset + 1, "offset {offset} came behind {}", place.offset);
        place.offset = offset;
        return tell(Heard::Message(message));
    }
    let what = || format!("the server says {:?}", String::from_utf8_lossy(line));
    let reply: Reply = serde_json::from_slice(line).with_context(what)?;
    let Some(subscribed) = reply.subscribe else {
        ensure!(reply.connect.is_some(), what());
        return Ok(());
    };
    ensure!(subscribed.recovered == wish.place.is_some(), "it was not recovered: {}", what());
    tell(Heard::Inside)?;
    for publication in subscribed.publications {
        ensure!(publication.offset == place.offset + 1, "offset {} was recovered behind {}", publication.offset, place.offset);
        place.offset = publication.offset;
        tell(Heard::Missed(format!("\"{}\"", publication.data)))?;
    }
    // To one who comes back it says where he was, and the publications say how far they go.
    match wish.place {
        Some(from) => {
            ensure!(from.epoch == subscribed.epoch && from.offset == subscribed.offset, "it was recovered from elsewhere: {}", what())
        }
        None => (place.epoch, place.offset) = (subscribed.epoch, subscribed.offset),
    }
    Ok(())
}

/// `{"push":{"channel":"…","pub":{"data":"…","offset":7}}}`: without a parser of JSON, since that is what comes many times.
fn push<'a>(line: &'a [u8], channel: &str) -> Option<(&'a [u8], u64)> {
    let rest = line.strip_prefix(b"{\"push\":{\"channel\":\"")?.strip_prefix(channel.as_bytes())?;
    let rest = rest.strip_prefix(b"\",\"pub\":{\"data\":")?;
    let end = rest.iter().skip(1).position(|byte| *byte == b'"')? + 2;
    let offset = rest[end..].strip_prefix(b",\"offset\":")?;
    Some((&rest[..end], number(offset)?))
}

/// The digits at the beginning.
fn number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
