//! The request by which a client connects, and whether it may.
//!
//! The WebSocket's own handshake is none of its business. A client that is refused is told so by `pusher:error` and a close, as pusher-js
//! cannot see the status of a handshake that fails: so the caller accepts the WebSocket first.

use fws_wire::origin::origin_allowed;

use crate::app::AppConfig;
use crate::error::{Error, shortened};
use crate::percent;

/// The versions of the protocol that are spoken. Before version 5, the data of what the server says was not in a string.
const VERSIONS: std::ops::RangeInclusive<u32> = 5..=7;

/// What a client says when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The application's key.
    pub key: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// What the client calls itself, for statistics.
    pub client: Option<String>,
    /// Its own version.
    pub version: Option<String>,
}

/// What is known of a client apart from what it says.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// The page that connects; `None`: no page.
    pub origin: Option<&'a str>,
    /// The host of the request.
    pub host: &'a str,
    /// Whether it connects over TLS.
    pub tls: bool,
    /// How many connections the application has without this one.
    pub connections: u64,
}

impl Handshake {
    /// Reads the path, `/app/KEY`, and the query of a request.
    pub fn parse(path: &str, query: &str) -> Result<Handshake, Error> {
        let key = path.strip_prefix("/app/").and_then(percent::path).filter(|key| !key.is_empty() && !key.contains('/'));
        let key = key.ok_or(Error::PathNotFound)?.into_owned();
        let mut handshake = Handshake { key, protocol: 0, client: None, version: None };
        let mut protocol = None;
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "protocol" => protocol = Some(value),
                "client" => handshake.client = percent::query(value).map(|client| shortened(&client)),
                "version" => handshake.version = percent::query(value).map(|version| shortened(&version)),
                _ => {}
            }
        }
        let protocol = protocol.filter(|protocol| !protocol.is_empty()).ok_or(Error::MissingVersion)?;
        let digits = protocol.bytes().all(|byte| byte.is_ascii_digit());
        handshake.protocol = protocol.parse().ok().filter(|_| digits).ok_or(Error::InvalidVersion)?;
        if !VERSIONS.contains(&handshake.protocol) {
            return Err(Error::UnsupportedVersion(handshake.protocol));
        }
        Ok(handshake)
    }

    /// Whether the client may connect to the application, which the caller has looked up by the key.
    pub fn admit(&self, app: Option<&AppConfig>, visitor: &Visitor<'_>) -> Result<(), Error> {
        let app = app.ok_or_else(|| Error::UnknownApp(shortened(&self.key)))?;
        if !app.enabled {
            return Err(Error::AppDisabled);
        }
        if app.tls_only && !visitor.tls {
            return Err(Error::TlsOnly);
        }
        // Origins keep pages out. A program that is no page could name any.
        if let Some(origin) = visitor.origin.filter(|_| !app.origins.is_empty())
            && !origin_allowed(origin, visitor.host, &app.origins)
        {
            return Err(Error::OriginNotAllowed);
        }
        if app.max_connections.is_some_and(|most| visitor.connections >= most) {
            return Err(Error::OverQuota);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fws_wire::origin::Pattern;

    use super::*;

    #[test]
    fn a_client_says_its_key_and_its_version() {
        let handshake = Handshake::parse("/app/key", "protocol=7&client=js&version=8.6.0&flash=false").expect("a client");
        let wanted = Handshake { key: "key".into(), protocol: 7, client: Some("js".into()), version: Some("8.6.0".into()) };
        assert_eq!(handshake, wanted);
        for (path, query, error) in [
            ("/app/", "protocol=7", Error::PathNotFound),
            ("/app", "protocol=7", Error::PathNotFound),
            ("/app/a/b", "protocol=7", Error::PathNotFound),
            ("/app/a%2Fb", "protocol=7", Error::PathNotFound),
            ("/app/%ff", "protocol=7", Error::PathNotFound),
            ("/app/key", "", Error::MissingVersion),
            ("/app/key", "protocol=", Error::MissingVersion),
            ("/app/key", "protocol=x", Error::InvalidVersion),
            ("/app/key", "protocol=+7", Error::InvalidVersion),
            ("/app/key", "protocol=99999999999", Error::InvalidVersion),
            ("/app/key", "protocol=4", Error::UnsupportedVersion(4)),
            ("/app/key", "protocol=8", Error::UnsupportedVersion(8)),
        ] {
            assert_eq!(Handshake::parse(path, query), Err(error), "{path}?{query}");
        }
    }

    #[test]
    fn an_application_says_who_may_connect() {
        let handshake = Handshake::parse("/app/key", "protocol=7").expect("a client");
        let visitor = Visitor { origin: Some("https://other.example"), host: "ws.example", tls: true, connections: 5 };
        let app = AppConfig::new("1", "key", "secret");
        assert_eq!(handshake.admit(Some(&app), &visitor), Ok(()));
        assert_eq!(handshake.admit(None, &visitor), Err(Error::UnknownApp("key".into())));
        let disabled = AppConfig { enabled: false, ..app.clone() };
        assert_eq!(handshake.admit(Some(&disabled), &visitor), Err(Error::AppDisabled));
        let tls_only = AppConfig { tls_only: true, ..app.clone() };
        assert_eq!(handshake.admit(Some(&tls_only), &visitor), Ok(()));
        assert_eq!(handshake.admit(Some(&tls_only), &Visitor { tls: false, ..visitor }), Err(Error::TlsOnly));
        let full = |most| AppConfig { max_connections: Some(most), ..app.clone() };
        assert_eq!(handshake.admit(Some(&full(6)), &visitor), Ok(()));
        assert_eq!(handshake.admit(Some(&full(5)), &visitor), Err(Error::OverQuota));
        let own = AppConfig { origins: vec![Pattern::parse("*.site.example").expect("a pattern")], ..app.clone() };
        assert_eq!(handshake.admit(Some(&own), &visitor), Err(Error::OriginNotAllowed));
        assert_eq!(handshake.admit(Some(&own), &Visitor { origin: Some("https://a.site.example"), ..visitor }), Ok(()));
        assert_eq!(handshake.admit(Some(&own), &Visitor { origin: None, ..visitor }), Ok(()));
    }
}
