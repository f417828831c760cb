//! Users: whose clients are whose, and who is in a channel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::{normal, or_normal};
use super::{Close, CommandError, left_out};
use crate::blob::Blob;
use crate::registry::Hub;
use crate::reply::Reply;
use crate::users::User;
use crate::{MAX_NAME, MAX_USER_INFO};

/// Says whose a client is, and what channels tell of the user; without a user it is nobody's: [`Reply::Flag`], `false` where the client is
/// gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUser<'a> {
    /// The client.
    pub id: &'a str,
    /// What the application knows the user by, 1 to 255 bytes.
    #[serde(borrow)]
    pub user: Option<&'a str>,
    /// What channels with presence tell of the user, at most 4 KiB.
    #[serde(borrow, default, deserialize_with = "left_out::or_default")]
    pub info: Blob<'a>,
}

/// Starts the closing handshake with the clients of a user: [`Reply::Count`], how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisconnectUser<'a> {
    /// The user.
    pub user: &'a str,
    /// A code that may be sent (RFC 6455, 7.4).
    #[serde(default = "normal", deserialize_with = "or_normal")]
    pub code: u16,
    /// At most 123 bytes.
    #[serde(default, deserialize_with = "left_out::or_default")]
    pub reason: &'a str,
    /// Only clients of this route.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

/// Who is in a channel with presence, sorted by user: [`Reply::Members`]. Refused where no route has presence for the tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The route. It may be left out where only one has presence for the tag.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

/// Refuses a user that is empty or too long, and too much about it.
pub fn check(user: &str, info: &[u8]) -> Result<(), CommandError> {
    match user.len() {
        0 => Err(CommandError::InvalidUser),
        length if length > MAX_NAME => Err(CommandError::InvalidUser),
        _ if info.len() > MAX_USER_INFO => Err(CommandError::UserInfoTooLong),
        _ => Ok(()),
    }
}

impl SetUser<'_> {
    /// Says it.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Result<Reply, CommandError> {
        let user = match self.user {
            Some(name) => {
                check(name, &self.info)?;
                Some(Arc::new(User { name: name.into(), info: self.info[..].into() }))
            }
            None => None,
        };
        Ok(Reply::Flag(hub.set_user(self.id, user)))
    }
}

impl DisconnectUser<'_> {
    /// Refuses what can never be sent.
    pub fn check(&self) -> Result<(), CommandError> {
        check(self.user, b"")?;
        Close { id: "", code: self.code, reason: self.reason }.check()
    }
}
