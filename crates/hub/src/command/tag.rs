//! Tags.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CommandError;
use crate::registry::Hub;
use crate::reply::Reply;
use crate::selection::{Access, Steps};
use crate::{MAX_NAME, MAX_TAGS};

/// Puts a tag on a client; a tag that it already has is fine: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag<'a> {
    /// The client.
    pub id: &'a str,
    /// 1 to 255 bytes.
    pub tag: &'a str,
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

/// Refuses a tag that is empty or too long.
pub(crate) fn check(tag: &str) -> Result<(), CommandError> {
    if tag.is_empty() || tag.len() > MAX_NAME { Err(CommandError::InvalidTag) } else { Ok(()) }
}

impl Tag<'_> {
    /// Puts it on.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Result<Reply, CommandError> {
        check(self.tag)?;
        // A closed client gets no new tags: they would outlive it in the index.
        let Some((key, client)) = hub.find_on(self.id, None) else { return Ok(Reply::Flag(false)) };
        if client.tags.iter().any(|has| &**has == self.tag) {
            return Ok(Reply::Flag(true));
        }
        if client.tags.len() >= MAX_TAGS {
            return Err(CommandError::TooManyTags);
        }
        hub.put_tag(key, self.tag);
        Ok(Reply::Flag(true))
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
