//! Sending.

use serde::{Deserialize, Serialize};

use super::{CommandError, Target, left_out};
use crate::blob::Blob;
use crate::patience::GoOn;
use crate::registry::{Hub, Key};
use crate::selection::{Access, Selector, Walk};

/// A message to one client or to many. Answered with [`Reply::Sent`](crate::Reply::Sent) for one client, with [`Reply::Queued`](crate::Reply::Queued) for groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendTo<'a> {
    /// To whom.
    #[serde(borrow)]
    pub to: Target<'a>,
    /// Only to clients of this route.
    #[serde(borrow)]
    pub route: Option<&'a str>,
    /// Not to this client.
    #[serde(borrow)]
    pub except: Option<&'a str>,
    /// Binary rather than text; text must be UTF-8.
    #[serde(default, deserialize_with = "left_out::or_default")]
    pub binary: bool,
    /// The payload.
    #[serde(borrow)]
    pub data: Blob<'a>,
}

impl SendTo<'_> {
    /// Refuses what can never be sent.
    pub fn check(&self) -> Result<(), CommandError> {
        if !self.binary && std::str::from_utf8(&self.data).is_err() {
            return Err(CommandError::InvalidUtf8);
        }
        Ok(())
    }

    /// Whether a client is among those who get it.
    pub fn is_for<C>(&self, registry: &Hub<C>, key: Key) -> Result<bool, CommandError> {
        let SendTo { to, route, except, .. } = *self;
        let route = registry.known_route(route)?;
        let Some((_, client)) = registry.at(key.index).filter(|(found, _)| *found == key && registry.live.contains(key.index)) else {
            return Ok(false);
        };
        let meant = route.is_none_or(|route| route == client.route) && except.is_none_or(|id| id != &*client.id);
        Ok(meant && Selector::new(to)?.selects(registry, key, client))
    }

    /// Calls `each` with every client that is to get the message. What becomes of it there is for the caller to say. After an error it was
    /// called with none.
    pub fn address<C>(&self, registry: &impl Access<C>, go_on: &mut dyn GoOn, mut each: impl FnMut(Key, &C)) -> Result<(), CommandError> {
        let SendTo { to, route, except, .. } = *self;
        match to {
            // Most messages are for one client, and need no walk.
            Target::Client(id) => registry.with(|hub, _| {
                if let Some((key, client)) = hub.find_on(id, hub.known_route(route)?).filter(|_| except != Some(id)) {
                    each(key, &client.handle);
                }
                Ok(())
            }),
            Target::Tag(_) | Target::User(_) | Target::Expression(_) | Target::All => {
                let selector = Selector::new(to)?;
                let except = except.and_then(|id| registry.with(|hub, _| hub.find(id).map(|(key, _)| key)));
                let mut walk = Walk::new(&selector, route);
                while walk.step(registry, go_on, |key, client| {
                    if Some(key) != except {
                        each(key, &client.handle);
                    }
                })? {}
                Ok(())
            }
        }
    }
}
