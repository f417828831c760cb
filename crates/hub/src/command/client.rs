//! One client: its end, its id, what is known of it, how it is pinged.

use std::ops::RangeInclusive;
use std::sync::Arc;

use fws_wire::close;
use serde::{Deserialize, Serialize};

use super::{CommandError, left_out};
use crate::registry::{Hub, Key};
use crate::reply::{Renamed, Reply};

/// How often a client may be pinged, milliseconds.
pub const PING_INTERVALS: RangeInclusive<u32> = 100..=86_400_000;

/// Starts the closing handshake: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close<'a> {
    /// The client.
    pub id: &'a str,
    /// A code that may be sent (RFC 6455, 7.4).
    #[serde(default = "normal", deserialize_with = "or_normal")]
    pub code: u16,
    /// At most 123 bytes.
    #[serde(default, deserialize_with = "left_out::or_default")]
    pub reason: &'a str,
}

/// The close code of an end as intended (RFC 6455, 7.4.1).
pub(super) fn normal() -> u16 {
    1000
}

pub(super) fn or_normal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    left_out::or(deserializer, normal)
}

impl Close<'_> {
    /// Refuses a close frame that must not be sent.
    pub fn check(&self) -> Result<(), CommandError> {
        if !close::is_sendable(self.code) {
            return Err(CommandError::InvalidCloseCode);
        }
        if self.reason.len() > close::MAX_REASON {
            return Err(CommandError::ReasonTooLong);
        }
        Ok(())
    }
}

/// Cuts a connection, without a closing handshake: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill<'a> {
    /// The client.
    pub id: &'a str,
}

/// All that is known of a client: [`Reply::Client`], or [`Reply::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Describe<'a> {
    /// The client.
    pub id: &'a str,
}

/// How long a client's last pong took, in nanoseconds, 0 before the first: [`Reply::Integer`], or
/// [`Reply::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingTime<'a> {
    /// The client.
    pub id: &'a str,
}

/// How often a client is pinged, instead of what its route says: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping<'a> {
    /// The client.
    pub id: &'a str,
    /// How often.
    pub how: Pinging,
}

/// How often a client is pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinging {
    /// As its route says: after so long a silence.
    Route,
    /// Every so many milliseconds, silent or not; see [`PING_INTERVALS`].
    Every(u32),
    /// Never.
    Off,
}

impl Ping<'_> {
    /// Refuses an interval that is too short or too long.
    pub fn check(&self) -> Result<(), CommandError> {
        match self.how {
            Pinging::Every(interval) if !PING_INTERVALS.contains(&interval) => Err(CommandError::PingInterval),
            Pinging::Every(_) | Pinging::Route | Pinging::Off => Ok(()),
        }
    }

    /// Has a live client pinged by `ping`.
    pub fn apply<C>(&self, hub: &Hub<C>, ping: impl FnOnce(Key, &C)) -> Reply {
        let client = hub.find_on(self.id, None);
        if let Some((key, client)) = client {
            ping(key, &client.handle);
        }
        Reply::Flag(client.is_some())
    }
}

/// Gives a client another id; its tags, its stored information and what waits for it stay: [`Reply::Renamed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename<'a> {
    /// The client.
    pub id: &'a str,
    /// 1 to 255 bytes.
    pub new: &'a str,
}

impl Rename<'_> {
    /// Refuses an id that no client can have.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.new.is_empty() || self.new.len() > crate::MAX_NAME { Err(CommandError::InvalidId) } else { Ok(()) }
    }

    /// Renames it. The handle of a client that was renamed is given to `renamed`, with the new id. Others must not take that meanwhile: it is to
    /// be reserved.
    pub fn apply<C>(&self, hub: &mut Hub<C>, renamed: impl FnOnce(&C, Arc<str>)) -> Renamed {
        if hub.find_on(self.id, None).is_none() {
            return Renamed::Gone;
        }
        let new: Arc<str> = self.new.into();
        match hub.rename(self.id, new.clone()) {
            Some(handle) => {
                renamed(handle, new);
                Renamed::Done
            }
            None => Renamed::Taken,
        }
    }
}
