//! The calls of an application's servers, without HTTP: a request goes in, a verified [`Call`] comes out, and an [`answer`] goes back.
//!
//! A call is looked at in this order: its path and method, its application, its signature, its size, and what it asks for. All but the last
//! is known before the body is there ([`examine`]), so that a host reads no body that nobody has signed, and nothing that is not signed is
//! parsed. The caller carries calls out; it strips whatever stands in front of `/apps/` before it asks.

pub mod answer;
mod endpoint;
mod event;
mod info;
mod query;
mod signature;
#[cfg(test)]
mod tests;

use self::endpoint::Endpoint;
use self::query::Query;
use crate::app::AppConfig;
use crate::channel::{Access, Channel, check_user_id};
use crate::error::{Error, shortened};

pub use self::event::Event;
pub use self::info::Info;

/// A request of HTTP without its body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// What stands behind the `?`, as it was sent.
    pub query: &'a str,
    /// The time of day, in seconds since 1970.
    pub now: u64,
}

/// A request of HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// What stands behind the `?`, as it was sent.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The time of day, in seconds since 1970.
    pub now: u64,
}

impl<'a> Request<'a> {
    /// What of it is there before the body.
    pub fn head(&self) -> Head<'a> {
        Head { method: self.method, path: self.path, query: self.query, now: self.now }
    }
}

/// What an application's server asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Send an event to the subscribers of one or more channels.
    Events(Event),
    /// Send several events, each to one channel.
    BatchEvents(Vec<Event>),
    /// Tell which channels have subscribers.
    Channels {
        /// Only those whose names begin so.
        prefix: String,
        /// What is to be told of each.
        info: Info,
    },
    /// Tell about a channel.
    Channel {
        /// Its name.
        channel: String,
        /// What is to be told, besides whether it has subscribers.
        info: Info,
    },
    /// Tell who is in a presence channel.
    Users {
        /// Its name.
        channel: String,
    },
    /// End the connections that are signed in as a user.
    TerminateConnections {
        /// The user's id.
        user_id: String,
    },
    /// Tell how many connections there are.
    Connections,
}

/// What is asked for, and by whom.
#[derive(Debug, Clone)]
pub enum Verified<'a> {
    /// Whether the server is up: anybody may ask, and there is nothing to carry out.
    Up,
    /// A call of an application.
    Call {
        /// The application.
        app: &'a AppConfig,
        /// The call.
        call: Call,
    },
}

/// A request whose head is right, and whose body is still to be read.
#[derive(Debug)]
pub enum Examined<'a> {
    /// Whether the server is up.
    Up,
    /// A call that an application has signed.
    Call(Signed<'a>),
}

/// A call that an application has signed, as far as that can be known without its body.
#[derive(Debug)]
pub struct Signed<'a> {
    app: &'a AppConfig,
    endpoint: Endpoint,
    query: Query,
}

impl Examined<'_> {
    /// The largest body. A host need not read more.
    pub fn most(&self) -> usize {
        match self {
            Examined::Up => SMALL_BODY,
            Examined::Call(Signed { app, endpoint, .. }) => match endpoint {
                Endpoint::Events => app.limits.body(),
                Endpoint::BatchEvents => app.limits.batch_body(),
                Endpoint::TerminateConnections(_)
                | Endpoint::Channels
                | Endpoint::Channel(_)
                | Endpoint::Users(_)
                | Endpoint::Connections => SMALL_BODY,
            },
        }
    }

    /// Refuses a body of this size, which may be one that was announced only.
    pub fn check_size(&self, size: u64) -> Result<(), Error> {
        let most = self.most();
        if size > most as u64 { Err(Error::TooLarge { what: "body", most }) } else { Ok(()) }
    }
}

/// The largest body of a call that needs none: some libraries send `{}`.
const SMALL_BODY: usize = 4096;

/// Looks at all of a request that is there before its body. `find` looks up an application by its id.
pub fn examine<'a>(head: &Head<'_>, find: impl FnOnce(&str) -> Option<&'a AppConfig>) -> Result<Examined<'a>, Error> {
    let (id, endpoint) = match endpoint::find(head.path)? {
        endpoint::Found::Up => {
            method(head, "GET")?;
            return Ok(Examined::Up);
        }
        endpoint::Found::App(id, endpoint) => (id, endpoint),
    };
    method(head, endpoint.method())?;
    let app = find(&id).ok_or_else(|| Error::UnknownApp(shortened(&id)))?;
    let query = Query::parse(head.query)?;
    signature::verify(app, head, &query)?;
    if !app.enabled {
        return Err(Error::AppDisabled);
    }
    Ok(Examined::Call(Signed { app, endpoint, query }))
}

/// Verifies a request that is there in whole.
pub fn verify<'a>(request: &Request<'_>, find: impl FnOnce(&str) -> Option<&'a AppConfig>) -> Result<Verified<'a>, Error> {
    let examined = examine(&request.head(), find)?;
    examined.check_size(request.body.len() as u64)?;
    let Examined::Call(Signed { app, endpoint, query }) = examined else { return Ok(Verified::Up) };
    signature::verify_body(&query, request.body)?;
    Ok(Verified::Call { app, call: call(app, endpoint, &query, request.body)? })
}

fn method(head: &Head<'_>, wanted: &'static str) -> Result<(), Error> {
    if head.method == wanted { Ok(()) } else { Err(Error::WrongMethod(wanted)) }
}

fn call(app: &AppConfig, endpoint: Endpoint, query: &Query, body: &[u8]) -> Result<Call, Error> {
    let limits = &app.limits;
    Ok(match endpoint {
        Endpoint::Events => Call::Events(event::one(body, limits)?),
        Endpoint::BatchEvents => Call::BatchEvents(event::batch(body, limits)?),
        Endpoint::Channels => {
            let prefix = query.get("filter_by_prefix").unwrap_or_default().to_owned();
            let info = Info::parse(query.get("info"))?;
            if info.user_count && !prefix.starts_with("presence-") {
                return Err(refused("user_count is known of presence channels only: ask with filter_by_prefix=presence-"));
            }
            Call::Channels { prefix, info }
        }
        Endpoint::Channel(channel) => {
            let kind = Channel::parse(&channel, limits)?.kind;
            let info = Info::parse(query.get("info"))?;
            info.check(kind)?;
            Call::Channel { channel, info }
        }
        Endpoint::Users(channel) => {
            if Channel::parse(&channel, limits)?.kind.access != Access::Presence {
                return Err(refused("only presence channels have users"));
            }
            Call::Users { channel }
        }
        Endpoint::TerminateConnections(user_id) => {
            check_user_id(&user_id, limits).map_err(refused)?;
            Call::TerminateConnections { user_id }
        }
        Endpoint::Connections => Call::Connections,
    })
}

/// A call that is not as it must be.
fn refused(why: &str) -> Error {
    Error::InvalidCall(why.to_owned())
}
