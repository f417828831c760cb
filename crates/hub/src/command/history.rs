//! Histories of channels.

use serde::{Deserialize, Serialize};

use super::left_out;

/// What was sent to a tag: [`Reply::History`](crate::Reply::History). Refused where no route keeps a history of the tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadHistory<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The most messages; 0: all. Without `since` the last ones.
    #[serde(default, deserialize_with = "left_out::or_default")]
    pub limit: u32,
    /// What was sent after this [`Position`](crate::Position), the first messages of it; empty: what is kept, from the first message on.
    #[serde(borrow)]
    pub since: Option<&'a str>,
    /// The route. It may be left out where only one keeps a history of the tag.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}

/// Forgets what was sent to a tag: [`Reply::Flag`](crate::Reply::Flag), `false` where nothing was kept. Refused where no route keeps a history
/// of the tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearHistory<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The route. It may be left out where only one keeps a history of the tag.
    #[serde(borrow)]
    pub route: Option<&'a str>,
}
