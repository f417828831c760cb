//! What the configuration says, by generation.
//!
//! The host's configuration is reloaded while connections live on, so a new one is *staged* first and *committed* when the host is
//! sure of it. Connections know their route by name and number only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fws_hub::RouteId;
use fws_session::Settings;
use fws_wire::handshake::Policy;
use serde::Deserialize;

/// All routes of one generation, as the host writes them in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesConfig {
    /// The routes; names are unique.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// The workers there are; those of the routes need not be repeated.
    #[serde(default)]
    pub workers: Vec<WorkerConfig>,
}

/// One worker pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// Its name.
    pub name: String,
    /// How many threads it has, for information.
    #[serde(default)]
    pub threads: u32,
}

/// One route. Absent numbers mean the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// 1 to 255 bytes.
    pub name: String,
    /// The worker that gets the events. Exactly one of `worker` and `echo` is given.
    #[serde(default)]
    pub worker: Option<String>,
    /// The core sends every message back.
    #[serde(default)]
    pub echo: bool,
    /// See [`fws_wire::handshake::origin_allowed`]; empty: the same host.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The sub-protocols spoken.
    #[serde(default)]
    pub subprotocols: Vec<String>,
    /// Bytes; default 1 MiB.
    #[serde(default)]
    pub max_message_size: Option<u64>,
    /// Bytes that may wait for one client; default 4 MiB.
    #[serde(default)]
    pub max_outbox: Option<usize>,
    /// Events of one connection that may wait for PHP before its socket is not read any more; default 1024.
    #[serde(default)]
    pub max_pending_events: Option<usize>,
    /// Connections at a time; default unlimited.
    #[serde(default)]
    pub max_connections: Option<u64>,
    /// What becomes of a connection on one of whose events PHP failed.
    #[serde(default)]
    pub on_error: OnError,
}

/// What becomes of a connection on one of whose events PHP failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It goes on with the next event.
    #[default]
    Continue,
    /// It is closed with 1011.
    Close,
}

/// Why a configuration was refused: where it is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// The generation was never staged, or a newer one is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

impl RoutesConfig {
    /// Reads and checks the JSON of a generation.
    pub fn parse(json: &[u8]) -> Result<RoutesConfig, ConfigError> {
        let config: RoutesConfig = serde_json::from_slice(json).map_err(|error| ConfigError(format!("routes: {error}")))?;
        let mut names = std::collections::HashSet::new();
        for route in &config.routes {
            let name = &route.name;
            let wrong = |what: &str| Err(ConfigError(format!("route {name:?}: {what}")));
            if name.is_empty() || name.len() > fws_hub::MAX_NAME {
                return wrong("a name has 1 to 255 bytes");
            }
            if !names.insert(name) {
                return wrong("the name is used twice");
            }
            if route.worker.is_some() == route.echo {
                return wrong("exactly one of worker and echo must be given");
            }
            if route.worker.as_deref() == Some("") {
                return wrong("the worker's name is empty");
            }
            if route.max_message_size == Some(0) || route.max_outbox == Some(0) || route.max_pending_events == Some(0) {
                return wrong("max_message_size, max_outbox and max_pending_events must be at least 1");
            }
        }
        Ok(config)
    }
}

/// A committed route.
#[derive(Debug)]
pub struct Route {
    pub id: RouteId,
    pub name: Arc<str>,
    /// The worker's name; `None`: the core echoes.
    pub worker: Option<Arc<str>>,
    pub policy: Policy,
    pub settings: Arc<Settings>,
    max_pending_events: usize,
    /// Bytes of events of one connection that may wait, see `max_pending_events`.
    max_pending_weight: usize,
    pub max_connections: Option<u64>,
    pub on_error: OnError,
    /// Handshakes that were accepted and not adopted yet; survives generations.
    pub reserved: Arc<AtomicU64>,
}

impl Route {
    pub fn new(config: &RouteConfig, id: RouteId, name: Arc<str>, reserved: Arc<AtomicU64>) -> Route {
        let defaults = Settings::default();
        let max_message_size = config.max_message_size.unwrap_or(defaults.max_message_size);
        Route {
            id,
            name,
            worker: config.worker.as_deref().map(Arc::from),
            policy: Policy { origins: config.origins.clone(), subprotocols: config.subprotocols.clone() },
            settings: Arc::new(Settings { max_message_size, max_outbox: config.max_outbox.unwrap_or(4 << 20), ..defaults }),
            max_pending_events: config.max_pending_events.unwrap_or(1024),
            max_pending_weight: usize::try_from(max_message_size).unwrap_or(usize::MAX).max(1 << 20),
            max_connections: config.max_connections,
            on_error: config.on_error,
            reserved,
        }
    }

    /// The most events of one connection that may wait for PHP, and the most bytes of them.
    pub fn event_limits(&self) -> (usize, usize) {
        (self.max_pending_events, self.max_pending_weight)
    }
}

/// A place on a route that is held until the connection is taken over or given up.
#[derive(Debug)]
pub struct Reservation(Arc<AtomicU64>);

impl Reservation {
    pub fn new(reserved: &Arc<AtomicU64>) -> Reservation {
        reserved.fetch_add(1, Ordering::AcqRel);
        Reservation(reserved.clone())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The generations and what is in force.
#[derive(Debug, Default)]
pub struct Routes {
    pub staged: BTreeMap<u64, RoutesConfig>,
    pub committed: Option<u64>,
    pub current: HashMap<Arc<str>, Arc<Route>>,
    /// By name, for routes that come back.
    pub reserved: HashMap<Arc<str>, Arc<AtomicU64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_the_routes_name() {
        let cases = [
            (r#"{"routes":[{"name":"","echo":true}]}"#, "1 to 255 bytes"),
            (r#"{"routes":[{"name":"a"}]}"#, "exactly one of worker and echo"),
            (r#"{"routes":[{"name":"a","echo":true,"worker":"w"}]}"#, "exactly one of worker and echo"),
            (r#"{"routes":[{"name":"a","echo":true},{"name":"a","echo":true}]}"#, "\"a\": the name is used twice"),
            (r#"{"routes":[{"name":"a","echo":true,"max_outbox":0}]}"#, "at least 1"),
            (r#"{"routes":[{"name":"a","echo":true,"max_outbx":1}]}"#, "unknown field `max_outbx`"),
            (r#"{"routes":[{"name":"a","worker":"w","on_error":"explode"}]}"#, "unknown variant `explode`"),
            ("nonsense", "expected"),
        ];
        for (json, text) in cases {
            let error = RoutesConfig::parse(json.as_bytes()).expect_err(json);
            assert!(error.0.contains(text), "{json}: {error}");
        }
        assert!(RoutesConfig::parse(br#"{"routes":[{"name":"a","worker":"w"}],"workers":[{"name":"w","threads":2}]}"#).is_ok());
    }
}
