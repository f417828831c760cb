//! Which clients there are.

use serde::{Deserialize, Serialize};

use super::{CommandError, Scope, left_out};
use crate::patience::GoOn;
use crate::reply::Reply;
use crate::selection::{Access, Selector, Steps, Walk, count};

/// The clients that a command is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target<'a> {
    /// One client, by id.
    Client(&'a str),
    /// All clients with a tag.
    Tag(&'a str),
    /// All clients whose tags fit an [expression](crate::Expression).
    Expression(&'a str),
    /// Those of a user.
    User(&'a str),
    /// All clients.
    #[default]
    All,
}

impl<'a> Target<'a> {
    pub(super) fn scope(&self) -> Scope<'a> {
        match *self {
            Target::Client(id) => Scope::Client(id),
            Target::Tag(_) | Target::User(_) | Target::Expression(_) | Target::All => Scope::Clients,
        }
    }
}

/// The ids of clients: [`Reply::Names`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List<'a> {
    /// Which.
    #[serde(borrow, default, deserialize_with = "left_out::or_default")]
    pub of: Target<'a>,
    /// Only those of this route.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

/// How many clients there are: [`Reply::Count`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count<'a> {
    /// Which.
    #[serde(borrow, default, deserialize_with = "left_out::or_default")]
    pub of: Target<'a>,
    /// Only those of this route.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

impl List<'_> {
    /// Lists them.
    pub fn apply<C>(&self, registry: &impl Access<C>, go_on: &mut dyn GoOn) -> Result<Reply, CommandError> {
        let selector = Selector::new(self.of)?;
        let (mut walk, mut names) = (Walk::new(&selector, self.route), Vec::new());
        while walk.step(registry, go_on, |_, client| names.push(client.id.clone()))? {
            // Not while the registry is locked.
            names.reserve(Steps::HOLD);
        }
        Ok(Reply::Names(names))
    }
}

impl Count<'_> {
    /// Counts them.
    pub fn apply<C>(&self, registry: &impl Access<C>, go_on: &mut dyn GoOn) -> Result<Reply, CommandError> {
        let selector = Selector::new(self.of)?;
        if let Some(count) = registry.with(|hub, steps| count(hub, &selector, self.route, steps))? {
            return Ok(Reply::Count(count));
        }
        let (mut walk, mut count) = (Walk::new(&selector, self.route), 0);
        while walk.step(registry, go_on, |_, _| count += 1)? {}
        Ok(Reply::Count(count))
    }
}
