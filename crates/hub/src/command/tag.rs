//! Tags.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CommandError, check_user, left_out};
use crate::blob::Blob;
use crate::registry::{Hub, Key};
use crate::reply::Reply;
use crate::selection::{Access, Steps};
use crate::users::User;
use crate::{MAX_NAME, MAX_TAGS};

/// Puts a tag on a client; a tag that it already has is fine: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag<'a> {
    /// The client.
    pub id: &'a str,
    /// 1 to 255 bytes.
    pub tag: &'a str,
    /// A client that gets the tag now is sent what the tag's history has after this [`Position`](crate::Position), before anything that is
    /// sent to the tag later; empty: all of it. `None`: it is sent nothing.
    #[serde(borrow)]
    pub since: Option<&'a str>,
    /// Whom the client is in this channel, if the tag is one with presence; `None`: whose it is. It can be said again for a tag that the client has.
    #[serde(borrow)]
    pub member: Option<InChannel<'a>>,
}

/// Whom a client is in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InChannel<'a> {
    /// What the application knows the user by, 1 to 255 bytes.
    pub user: &'a str,
    /// What the channel tells of the user, at most 4 KiB.
    #[serde(borrow, default, deserialize_with = "left_out::or_default")]
    pub info: Blob<'a>,
}

/// Takes a tag off a client; a tag that it does not have is fine: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untag<'a> {
    /// The client.
    pub id: &'a str,
    /// 1 to 255 bytes.
    pub tag: &'a str,
}

/// Takes all tags off a client: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearTags<'a> {
    /// The client.
    pub id: &'a str,
}

/// The tags of a client, or all that are in use, sorted: [`Reply::Names`]; [`Reply::Gone`] where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tags<'a> {
    /// The client.
    #[serde(borrow)]
    pub id: Option<&'a str>,
}

/// What became of giving a client a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// It has it from now on.
    Now(Key),
    /// It had it.
    Before,
    /// There is no such client.
    Gone,
}

/// Refuses a tag that is empty or too long.
pub fn check(tag: &str) -> Result<(), CommandError> {
    if tag.is_empty() || tag.len() > MAX_NAME { Err(CommandError::InvalidTag) } else { Ok(()) }
}

impl InChannel<'_> {
    fn checked(&self) -> Result<Arc<User>, CommandError> {
        check_user(self.user, &self.info)?;
        Ok(Arc::new(User { name: self.user.into(), info: self.info[..].into() }))
    }
}

impl Tag<'_> {
    /// Puts it on.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Result<Reply, CommandError> {
        Ok(Reply::Flag(self.put_on(hub)? != Tagged::Gone))
    }

    /// Puts it on; what became of it.
    pub fn put_on<C>(&self, hub: &mut Hub<C>) -> Result<Tagged, CommandError> {
        check(self.tag)?;
        let member = self.member.as_ref().map(InChannel::checked).transpose()?;
        // A closed client gets no new tags: they would outlive it in the index.
        let Some((key, client)) = hub.find_on(self.id, None) else { return Ok(Tagged::Gone) };
        if hub.tags.get(self.tag).is_some_and(|tagged| tagged.contains(key.index)) {
            if let Some(member) = member {
                hub.set_member(key, self.tag, member);
            }
            return Ok(Tagged::Before);
        }
        if client.tags.len() >= MAX_TAGS {
            return Err(CommandError::TooManyTags);
        }
        if let (Some(member), Some(client)) = (member, hub.client_at(key.index)) {
            client.members.set(self.tag.into(), member);
        }
        hub.put_tag(key, self.tag);
        Ok(Tagged::Now(key))
    }
}

impl Untag<'_> {
    /// Takes it off.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Result<Reply, CommandError> {
        check(self.tag)?;
        Ok(Reply::Flag(hub.take_tag(self.id, self.tag)))
    }
}

impl ClearTags<'_> {
    /// Takes them off.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Reply {
        Reply::Flag(hub.take_tags(self.id))
    }
}

impl Tags<'_> {
    /// Lists them.
    pub fn apply<C>(&self, registry: &impl Access<C>) -> Reply {
        let Some(id) = self.id else { return Reply::Names(in_use(registry)) };
        let Some(mut names) = registry.with(|hub, _| hub.find(id).map(|(_, client)| client.tags.clone())) else { return Reply::Gone };
        names.sort_unstable();
        Reply::Names(names)
    }
}

/// All tags that are in use, sorted. A tag that is in use all the time is among them.
fn in_use<C>(registry: &impl Access<C>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    loop {
        // Not while the registry is locked.
        names.reserve(Steps::HOLD);
        let last = names.last().cloned();
        let done = registry.with(|hub, steps| {
            hub.tags.names("", last.as_deref()).all(|name| {
                names.push(name.clone());
                steps.spend(1)
            })
        });
        if done {
            return names;
        }
    }
}
