//! The paths of the HTTP API.

use crate::error::Error;
use crate::percent;

/// What a path is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// `/up`.
    Up,
    /// Something of the application of this id.
    App(String, Endpoint),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Events,
    BatchEvents,
    Channels,
    Channel(String),
    Users(String),
    TerminateConnections(String),
    Connections,
}

impl Endpoint {
    pub fn method(&self) -> &'static str {
        match self {
            Endpoint::Events | Endpoint::BatchEvents | Endpoint::TerminateConnections(_) => "POST",
            Endpoint::Channels | Endpoint::Channel(_) | Endpoint::Users(_) | Endpoint::Connections => "GET",
        }
    }
}

/// Finds what a path is about. Its parts are decoded one by one: an encoded slash is a part of a name.
pub(super) fn find(path: &str) -> Result<Found, Error> {
    if path == "/up" {
        return Ok(Found::Up);
    }
    let rest = path.strip_prefix("/apps/").ok_or(Error::PathNotFound)?;
    let parts: Option<Vec<_>> = rest.split('/').take(5).map(percent::path).collect();
    let parts = parts.ok_or(Error::PathNotFound)?;
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Error::PathNotFound);
    }
    let (id, rest) = parts.split_first().ok_or(Error::PathNotFound)?;
    let endpoint = match rest {
        ["events"] => Endpoint::Events,
        ["batch_events"] => Endpoint::BatchEvents,
        ["channels"] => Endpoint::Channels,
        ["channels", channel] => Endpoint::Channel((*channel).to_owned()),
        ["channels", channel, "users"] => Endpoint::Users((*channel).to_owned()),
        ["users", user, "terminate_connections"] => Endpoint::TerminateConnections((*user).to_owned()),
        ["connections"] => Endpoint::Connections,
        _ => return Err(Error::PathNotFound),
    };
    Ok(Found::App((*id).to_owned(), endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_about_one_thing() {
        let app = |endpoint| Ok(Found::App("1".into(), endpoint));
        assert_eq!(find("/up"), Ok(Found::Up));
        assert_eq!(find("/apps/1/events"), app(Endpoint::Events));
        assert_eq!(find("/apps/1/batch_events"), app(Endpoint::BatchEvents));
        assert_eq!(find("/apps/1/channels"), app(Endpoint::Channels));
        assert_eq!(find("/apps/1/channels/presence-a%40b"), app(Endpoint::Channel("presence-a@b".into())));
        assert_eq!(find("/apps/1/channels/a/users"), app(Endpoint::Users("a".into())));
        assert_eq!(find("/apps/1/users/a%2Fb%20c/terminate_connections"), app(Endpoint::TerminateConnections("a/b c".into())));
        assert_eq!(find("/apps/1/connections"), app(Endpoint::Connections));
        for path in [
            "",
            "/",
            "/up/",
            "/apps",
            "/apps/",
            "/apps/1",
            "/apps/1/",
            "/apps/1/events/",
            "/apps//events",
            "/apps/1//events",
            "/apps/1/channels/",
            "/apps/1/channels//users",
            "/apps/1/users//terminate_connections",
            "//apps/1/events",
            "/x/apps/1/events",
            "/Apps/1/events",
            "/%61pps/1/events",
            "/apps/1/x",
            "/apps/1/channels/a/b",
            "/apps/1/users/a",
            "/apps/1/channels/a/users/b/c/d/e",
            "/apps/1/channels/%ff",
            "apps/1/events",
            "/app/1",
        ] {
            assert_eq!(find(path), Err(Error::PathNotFound), "{path}");
        }
    }
}
