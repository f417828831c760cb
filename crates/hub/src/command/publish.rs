//! Events of applications that speak the Pusher protocol.

use serde::{Deserialize, Serialize};

/// Sends an event to channels of an application of the Pusher protocol: [`Reply::Queued`](crate::Reply::Queued), to how many clients of this
/// server. Refused where no route has the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish<'a> {
    /// The channels, at least one.
    #[serde(borrow)]
    pub channels: Vec<&'a str>,
    /// The event's name.
    pub event: &'a str,
    /// Its data.
    pub data: &'a str,
    /// Not to the connection with this socket_id.
    #[serde(borrow)]
    pub except: Option<&'a str>,
    /// The application's id. It may be left out where there is only one application.
    #[serde(borrow)]
    pub app: Option<&'a str>,
}
