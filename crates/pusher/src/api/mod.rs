//! The calls of an application's servers, without HTTP: a request goes in, a verified [`Call`] comes out, and an [`answer`] goes back.
//!
//! A call is looked at in this order: its path and method, its application, its size, its signature, and what it asks for. So nothing
//! that is not signed is parsed. The caller carries calls out; it strips whatever stands in front of `/apps/` before it asks.

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

/// Whether the path is one of the HTTP API's, with whatever method.
pub fn is_path(path: &str) -> bool {
    path == "/up" || path.starts_with("/apps/")
}

/// Verifies a request. `find` looks up an application by its id.
pub fn verify<'a>(request: &Request<'_>, find: impl FnOnce(&str) -> Option<&'a AppConfig>) -> Result<Verified<'a>, Error> {
    let (id, endpoint) = match endpoint::find(request.path)? {
        endpoint::Found::Up => {
            method(request, "GET")?;
            return Ok(Verified::Up);
        }
        endpoint::Found::App(id, endpoint) => (id, endpoint),
    };
    method(request, endpoint.method())?;
    let app = find(&id).ok_or_else(|| Error::UnknownApp(shortened(&id)))?;
    let most = app.limits.body();
    if request.body.len() > most {
        return Err(Error::TooLarge { what: "body", most });
    }
    let query = Query::parse(request.query)?;
    signature::verify(app, request, &query)?;
    if !app.enabled {
        return Err(Error::AppDisabled);
    }
    Ok(Verified::Call { app, call: call(app, endpoint, &query, request.body)? })
}

fn method(request: &Request<'_>, wanted: &'static str) -> Result<(), Error> {
    if request.method == wanted { Ok(()) } else { Err(Error::WrongMethod(wanted)) }
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
