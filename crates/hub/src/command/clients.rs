//! Which clients there are.

use serde::{Deserialize, Serialize};

use super::{CommandError, Scope, left_out};
use crate::registry::Hub;
use crate::reply::Reply;

/// Whom a command is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target<'a> {
    /// One client, by id.
    Client(&'a str),
    /// All clients with a tag.
    Tag(&'a str),
    /// All clients whose tags fit an [expression](crate::Expression).
    Expression(&'a str),
    /// All clients.
    #[default]
    All,
}

impl<'a> Target<'a> {
    pub(super) fn scope(&self) -> Scope<'a> {
        match *self {
            Target::Client(id) => Scope::Client(id),
            Target::Tag(_) | Target::Expression(_) | Target::All => Scope::Clients,
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
    pub fn apply<C>(&self, hub: &Hub<C>) -> Result<Reply, CommandError> {
        let mut names = Vec::new();
        hub.each(self.of, self.route, |_, client| names.push(client.id.clone()))?;
        Ok(Reply::Names(names))
    }
}

impl Count<'_> {
    /// Counts them.
    pub fn apply<C>(&self, hub: &Hub<C>) -> Result<Reply, CommandError> {
        Ok(Reply::Count(hub.select(self.of, self.route)?.len()))
    }
}
