//! What is stored about a client.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CommandError;
use crate::blob::Blob;
use crate::information::check_key;
use crate::matcher::{Matcher, Operator};
use crate::patience::GoOn;
use crate::registry::Hub;
use crate::reply::Reply;
use crate::selection::{Access, Selector, Steps, Walk};

/// Stores information about a client: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetInformation<'a> {
    /// The client.
    pub id: &'a str,
    /// 1 to 255 bytes.
    pub key: &'a str,
    /// The value.
    #[serde(borrow)]
    pub value: Blob<'a>,
}

/// What is stored about a client under a key: [`Reply::Value`], or [`Reply::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetInformation<'a> {
    /// The client.
    pub id: &'a str,
    /// The key.
    pub key: &'a str,
}

/// Deletes what is stored about a client under a key: [`Reply::Flag`], whether there was something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteInformation<'a> {
    /// The client.
    pub id: &'a str,
    /// The key.
    pub key: &'a str,
}

/// Deletes all that is stored about a client: [`Reply::Flag`], `false` where the client is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearInformation<'a> {
    /// The client.
    pub id: &'a str,
}

/// All that is stored about a client, sorted by key: [`Reply::Pairs`], or [`Reply::Gone`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllInformation<'a> {
    /// The client.
    pub id: &'a str,
}

/// The ids of the live clients about whom something fitting is stored: [`Reply::Names`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchInformation<'a> {
    /// The key.
    pub key: &'a str,
    /// How what is stored is compared with the value.
    pub operator: Operator,
    /// The value.
    #[serde(borrow)]
    pub value: Blob<'a>,
    /// Only clients of this route.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

impl SetInformation<'_> {
    /// A copy of the value, which is to be made before the registry is locked.
    pub fn shared(&self) -> Arc<[u8]> {
        self.value[..].into()
    }

    /// Stores its [shared](Self::shared) value.
    pub fn apply<C>(&self, value: Arc<[u8]>, hub: &mut Hub<C>) -> Result<Reply, CommandError> {
        // What can never be right is refused whether the client is there or not.
        check_key(self.key)?;
        let Some(client) = hub.known_mut(self.id) else { return Ok(Reply::Flag(false)) };
        client.information.set(self.key, value)?;
        Ok(Reply::Flag(true))
    }
}

impl GetInformation<'_> {
    /// Reads it.
    pub fn apply<C>(&self, hub: &Hub<C>) -> Reply {
        hub.find(self.id).map_or(Reply::Gone, |(_, client)| Reply::Value(client.information.get(self.key).cloned()))
    }
}

impl DeleteInformation<'_> {
    /// Deletes it.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Reply {
        Reply::Flag(hub.known_mut(self.id).is_some_and(|client| client.information.delete(self.key)))
    }
}

impl ClearInformation<'_> {
    /// Deletes all.
    pub fn apply<C>(&self, hub: &mut Hub<C>) -> Reply {
        let client = hub.known_mut(self.id);
        Reply::Flag(client.map(|client| client.information.clear()).is_some())
    }
}

impl AllInformation<'_> {
    /// Reads all.
    pub fn apply<C>(&self, hub: &Hub<C>) -> Reply {
        let Some((_, client)) = hub.find(self.id) else { return Reply::Gone };
        Reply::Pairs(client.information.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl SearchInformation<'_> {
    /// Looks for them. Values are shared with the registry for a moment, and compared while it is not locked.
    pub fn apply<C>(&self, registry: &impl Access<C>, go_on: &mut dyn GoOn) -> Result<Reply, CommandError> {
        let mut matcher = Matcher::new(self.operator, &self.value)?;
        let (mut names, mut stored) = (Vec::new(), Vec::with_capacity(Steps::HOLD));
        let mut walk = Walk::new(&Selector::All, self.route);
        loop {
            let more = walk.step(registry, go_on, |_, client| {
                if let Some(value) = client.information.get(self.key) {
                    stored.push((client.id.clone(), value.clone()));
                }
            })?;
            for (id, value) in stored.drain(..) {
                if matcher.fits(&value, go_on)? {
                    names.push(id);
                }
            }
            if !more {
                return Ok(Reply::Names(names));
            }
        }
    }
}
