//! The configuration of routes as the host writes it, in JSON, and its checks.

use fws_session::Compression;
use fws_wire::deflate;
use fws_wire::origin::{Pattern, PatternError};
use serde::{Deserialize, Serialize};

use super::{PusherConfig, ResumeConfig};

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

/// One route. Options that are absent have the defaults of [`Settings`] and of [`CompressionConfig`]. Times are nanoseconds, as in the
/// host's JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// 1 to 255 bytes.
    pub name: String,
    /// The worker that gets the events of connections whose sub-protocol has no worker of its own. Without one, such connections are
    /// refused. Either workers or `echo` are given.
    #[serde(default)]
    pub worker: Option<String>,
    /// The core sends every message back.
    #[serde(default)]
    pub echo: bool,
    /// The route speaks the Pusher protocol.
    #[serde(default)]
    pub pusher: Option<PusherConfig>,
    /// [Patterns](fws_wire::origin::Pattern) of origins; empty: the same host.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The sub-protocols that `worker`, or the echo, speaks.
    #[serde(default)]
    pub subprotocols: Vec<String>,
    /// The sub-protocols that have a worker of their own.
    #[serde(default)]
    pub subprotocol_workers: Vec<SubprotocolConfig>,
    /// Clients that offer no sub-protocol of the route are refused although there is a worker for them.
    #[serde(default)]
    pub subprotocol_required: bool,
    /// Bytes.
    #[serde(default)]
    pub max_message_size: Option<u64>,
    /// Bytes of one frame on the wire; default: as many as a message may have.
    #[serde(default)]
    pub max_frame_size: Option<u64>,
    /// How messages are compressed (RFC 7692); absent: they are not.
    #[serde(default)]
    pub compression: Option<CompressionConfig>,
    /// Bytes that may wait for one client.
    #[serde(default)]
    pub max_outbox: Option<usize>,
    /// Events of one connection that may wait for PHP before its socket is not read any more.
    #[serde(default)]
    pub max_pending_events: Option<usize>,
    /// Connections at a time; default unlimited.
    #[serde(default)]
    pub max_connections: Option<u64>,
    /// Connections at a time from one [address](crate::quota::Address); default unlimited.
    #[serde(default)]
    pub max_connections_per_ip: Option<u32>,
    /// What becomes of a client whose outbox is full.
    #[serde(default)]
    pub slow_client: SlowClientConfig,
    /// How fast a client may send; default unlimited.
    #[serde(default)]
    pub rate_limit: Option<RateLimitConfig>,
    /// Clients that ask for it may come back after a break, without being closed and without missing a message; default: none may.
    #[serde(default)]
    pub resume: Option<ResumeConfig>,
    /// How long a handshake may take. The host enforces it. The core only accepts the option, so that a configuration can have it.
    #[serde(default)]
    pub handshake_timeout: Option<u64>,
    /// How long a message may take, see [`Settings::message_timeout`]; 0: any time.
    #[serde(default)]
    pub message_timeout: Option<u64>,
    /// A client silent for so long is pinged; 0: never.
    #[serde(default)]
    pub ping_interval: Option<u64>,
    /// A client that is silent for so long after a ping is cut.
    #[serde(default)]
    pub pong_timeout: Option<u64>,
    /// A client without messages for so long is closed; default never.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
    /// A connection is closed after this time, ± 10 %; default never.
    #[serde(default)]
    pub max_lifetime: Option<u64>,
    /// How long the client's close frame is waited for.
    #[serde(default)]
    pub close_timeout: Option<u64>,
    /// What becomes of a connection on one of whose events PHP failed.
    #[serde(default)]
    pub on_error: OnError,
    /// Which tags are channels, and what is kept of them. The first one whose pattern matches counts.
    #[serde(default)]
    pub channels: Vec<ChannelConfig>,
}

/// The most messages that are kept of what is sent to a channel.
const MAX_HISTORY: u32 = 100_000;

/// Tags that are channels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// Their names, with `*` for any characters.
    pub pattern: String,
    /// How much is kept of what is sent to each; default: nothing.
    #[serde(default)]
    pub history: Option<HistoryConfig>,
    /// Whether it is known which users are in each; default: no.
    #[serde(default)]
    pub presence: Option<PresenceConfig>,
}

/// How it is known who is in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceConfig {
    /// How long a user whose last connection has ended may stay away without having left, nanoseconds, at most an hour; default: 5 s.
    #[serde(default)]
    pub grace: Option<u64>,
}

/// The longest [`PresenceConfig::grace`], nanoseconds.
pub(super) const MAX_GRACE: u64 = 3_600_000_000_000;

/// How much is kept of what is sent to a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    /// The most messages, 1 to 100,000.
    pub count: u32,
    /// How long each is kept, nanoseconds.
    pub age: u64,
}

/// A sub-protocol with a worker of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubprotocolConfig {
    /// Its name.
    pub subprotocol: String,
    /// The worker that gets the events of its connections.
    pub worker: String,
}

/// How a route compresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionConfig {
    /// Our messages to a client may refer to earlier ones: smaller messages for up to 280 KB of memory; default: no.
    pub context_takeover: bool,
    /// The largest window of our messages, as a power of 2: 9 to 15.
    pub window_bits: u8,
    /// The largest window of clients that let us say so. It is kept for each of them, once it compresses.
    pub client_window_bits: u8,
    /// Shorter messages are not compressed, bytes.
    pub threshold: u32,
    /// 1 (fast) to 9 (small).
    pub level: u8,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        CompressionConfig { context_takeover: false, window_bits: 15, client_window_bits: 12, threshold: 512, level: 6 }
    }
}

impl CompressionConfig {
    /// What may be agreed on.
    pub(super) fn negotiable(&self) -> deflate::Config {
        deflate::Config {
            context_takeover: self.context_takeover,
            window_bits: self.window_bits,
            client_window_bits: self.client_window_bits,
        }
    }

    /// How a connection compresses that agreed on `params`.
    pub(crate) fn with(&self, params: deflate::Params) -> Compression {
        Compression { params, level: self.level, threshold: self.threshold }
    }
}

/// What becomes of a client whose outbox is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlowClientConfig {
    /// It is closed with 1013.
    #[default]
    Close,
    /// The oldest messages are dropped.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
}

/// How fast a client may send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// A second; default unlimited.
    #[serde(default)]
    pub messages: u32,
    /// A second; default unlimited.
    #[serde(default)]
    pub bytes: u64,
    /// What may come at once, as a time at these rates; default 2 s.
    #[serde(default)]
    pub burst: Option<u64>,
    /// What happens beyond.
    #[serde(default)]
    pub exceed: ExceedConfig,
}

/// What happens to a client that sends too fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExceedConfig {
    /// It is not read for a while.
    #[default]
    Delay,
    /// It is closed with 1008.
    Close,
}

/// What becomes of a connection on one of whose events PHP failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Refuses a pattern that cannot be one of a route's `origins`.
pub fn check_origin(pattern: &str) -> Result<(), PatternError> {
    Pattern::parse(pattern).map(drop)
}

impl RoutesConfig {
    /// The names of all workers, some more than once.
    pub fn worker_names(&self) -> impl Iterator<Item = &str> {
        let of_routes = self.routes.iter().flat_map(|route| {
            let own = route.subprotocol_workers.iter().map(|one| one.worker.as_str());
            let told = route.pusher.iter().flat_map(PusherConfig::workers);
            route.worker.as_deref().into_iter().chain(own).chain(told)
        });
        self.workers.iter().map(|worker| worker.name.as_str()).chain(of_routes)
    }

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
            if let Err(what) = route
                .check_origins()
                .and(route.check_pusher())
                .and(route.check_workers())
                .and(route.check_limits())
                .and(route.check_channels())
            {
                return wrong(&what);
            }
        }
        super::pusher::check_apart(&config.routes)?;
        Ok(config)
    }
}

impl RouteConfig {
    /// Refuses patterns that cannot be origins.
    fn check_origins(&self) -> Result<(), String> {
        if let Some(error) = self.origins.iter().find_map(|origin| check_origin(origin).err()) {
            return Err(format!("origins: {error}"));
        }
        Ok(())
    }

    /// Refuses events that nobody would handle, or two would.
    fn check_workers(&self) -> Result<(), String> {
        let has_worker = self.worker.is_some() || !self.subprotocol_workers.is_empty();
        if self.pusher.is_none() && has_worker == self.echo {
            return Err("either a worker (of its own or of its sub-protocols), echo or pusher must be given".to_owned());
        }
        let mut workers = self.worker.iter().chain(self.subprotocol_workers.iter().map(|own| &own.worker));
        if workers.any(String::is_empty) {
            return Err("the worker's name is empty".to_owned());
        }
        let mut spoken = std::collections::HashSet::new();
        if let Some(twice) = self.spoken().find(|name| !spoken.insert(*name)) {
            return Err(format!("the sub-protocol {twice:?} is given twice"));
        }
        if spoken.contains("") {
            return Err("the sub-protocol's name is empty".to_owned());
        }
        if !self.subprotocols.is_empty() && self.worker.is_none() && !self.echo {
            return Err("subprotocols go to the route's worker, but it has none: name one, or one for each sub-protocol".to_owned());
        }
        if self.subprotocol_required && spoken.is_empty() {
            return Err("subprotocol_required would refuse everyone: the route speaks no sub-protocol".to_owned());
        }
        Ok(())
    }

    /// Refuses channels that nothing could be, or that another one hides.
    fn check_channels(&self) -> Result<(), String> {
        for (at, channel) in self.channels.iter().enumerate() {
            let pattern = &channel.pattern;
            if pattern.is_empty() || pattern.len() > fws_hub::MAX_NAME {
                return Err("channel: a pattern has 1 to 255 bytes".to_owned());
            }
            if self.channels[..at].iter().any(|earlier| earlier.pattern == *pattern) {
                return Err(format!("channel {pattern:?} is given twice"));
            }
            match &channel.history {
                Some(history) if history.count == 0 || history.count > MAX_HISTORY => {
                    return Err(format!("channel {pattern:?}: history keeps 1 to {MAX_HISTORY} messages"));
                }
                Some(history) if history.age < 1_000_000 => {
                    return Err(format!("channel {pattern:?}: history keeps messages for at least a millisecond"));
                }
                Some(_) => {}
                None if channel.presence.is_none() => {
                    return Err(format!("channel {pattern:?} has neither a history nor presence: it would be a tag like any other"));
                }
                None => {}
            }
            if channel.presence.as_ref().and_then(|presence| presence.grace).is_some_and(|grace| grace > MAX_GRACE) {
                return Err(format!("channel {pattern:?}: the grace of presence is at most an hour"));
            }
        }
        Ok(())
    }

    /// Refuses limits that nothing could keep.
    fn check_limits(&self) -> Result<(), String> {
        if let Some(resume) = &self.resume {
            resume.check()?;
        }
        if self.max_frame_size == Some(0) {
            return Err("max_frame_size must be at least 1".to_owned());
        }
        if let Some(compression) = &self.compression {
            let bits = [compression.window_bits, compression.client_window_bits];
            if !bits.iter().all(|bits| (9..=15).contains(bits)) || !(1..=9).contains(&compression.level) {
                return Err("compression: window_bits and client_window_bits are 9 to 15, level 1 to 9".to_owned());
            }
        }
        if self.max_message_size == Some(0) || self.max_outbox == Some(0) || self.max_pending_events == Some(0) {
            return Err("max_message_size, max_outbox and max_pending_events must be at least 1".to_owned());
        }
        if self.max_connections_per_ip == Some(0) {
            return Err("max_connections_per_ip must be at least 1".to_owned());
        }
        if self.pong_timeout == Some(0) || self.close_timeout == Some(0) {
            return Err("pong_timeout and close_timeout must be longer than 0".to_owned());
        }
        if let Some(limit) = &self.rate_limit {
            if limit.messages == 0 && limit.bytes == 0 {
                return Err("rate_limit must have messages, bytes or both".to_owned());
            }
            if limit.burst == Some(0) {
                return Err("rate_limit: burst must be longer than 0".to_owned());
            }
        }
        Ok(())
    }

    /// All sub-protocols.
    pub(super) fn spoken(&self) -> impl Iterator<Item = &str> {
        self.subprotocols.iter().chain(self.subprotocol_workers.iter().map(|own| &own.subprotocol)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_off_by_default_and_has_the_documented_defaults_where_it_is_on() {
        let compression = |json: &str| RoutesConfig::parse(json.as_bytes()).expect(json).routes.remove(0).compression;
        assert_eq!(compression(r#"{"routes":[{"name":"a","echo":true}]}"#), None);
        let on = compression(r#"{"routes":[{"name":"a","echo":true,"compression":{}}]}"#).expect("on");
        assert_eq!(on, CompressionConfig { context_takeover: false, window_bits: 15, client_window_bits: 12, threshold: 512, level: 6 });
    }

    #[test]
    fn what_is_wrong_is_said_with_the_routes_name() {
        let cases = [
            (r#"{"routes":[{"name":"","echo":true}]}"#, "1 to 255 bytes"),
            (r#"{"routes":[{"name":"a"}]}"#, "either a worker"),
            (
                r#"{"routes":[{"name":"a","echo":true,"origins":["a.example","'self'"]}]}"#,
                "\"a\": origins: no page has an origin that \"'self'\"",
            ),
            (r#"{"routes":[{"name":"a","echo":true,"worker":"w"}]}"#, "either a worker"),
            (r#"{"routes":[{"name":"a","echo":true},{"name":"a","echo":true}]}"#, "\"a\": the name is used twice"),
            (r#"{"routes":[{"name":"a","echo":true,"channels":[{"pattern":"c"}]}]}"#, "channel \"c\" has neither a history nor presence"),
            (
                r#"{"routes":[{"name":"a","echo":true,"channels":[{"pattern":"c","presence":{"grace":3600000000001}}]}]}"#,
                "\"c\": the grace of presence is at most an hour",
            ),
            (r#"{"routes":[{"name":"a","echo":true,"channels":[{"pattern":""}]}]}"#, "a pattern has 1 to 255 bytes"),
            (
                r#"{"routes":[{"name":"a","echo":true,"channels":[{"pattern":"c","history":{"count":0,"age":1000000}}]}]}"#,
                "\"c\": history keeps 1 to 100000 messages",
            ),
            (
                r#"{"routes":[{"name":"a","echo":true,"channels":[{"pattern":"c","history":{"count":1,"age":1}}]}]}"#,
                "\"c\": history keeps messages for at least a millisecond",
            ),
            (r#"{"routes":[{"name":"a","echo":true,"max_outbox":0}]}"#, "at least 1"),
            (r#"{"routes":[{"name":"a","echo":true,"max_frame_size":0}]}"#, "max_frame_size must be at least 1"),
            (r#"{"routes":[{"name":"a","echo":true,"compression":{"window_bits":8}}]}"#, "window_bits and client_window_bits are 9 to 15"),
            (
                r#"{"routes":[{"name":"a","echo":true,"compression":{"client_window_bits":16}}]}"#,
                "window_bits and client_window_bits are 9 to 15",
            ),
            (r#"{"routes":[{"name":"a","echo":true,"compression":{"level":10}}]}"#, "level 1 to 9"),
            (r#"{"routes":[{"name":"a","echo":true,"compression":{"windowbits":9}}]}"#, "unknown field `windowbits`"),
            (r#"{"routes":[{"name":"a","echo":true,"max_outbx":1}]}"#, "unknown field `max_outbx`"),
            (r#"{"routes":[{"name":"a","worker":"w","on_error":"explode"}]}"#, "unknown variant `explode`"),
            (r#"{"routes":[{"name":"a","echo":true,"subprotocol_workers":[{"subprotocol":"p","worker":"w"}]}]}"#, "either a worker"),
            (r#"{"routes":[{"name":"a","subprotocol_workers":[{"subprotocol":"p","worker":""}]}]}"#, "the worker's name is empty"),
            (r#"{"routes":[{"name":"a","subprotocol_workers":[{"subprotocol":"","worker":"w"}]}]}"#, "sub-protocol's name is empty"),
            (
                r#"{"routes":[{"name":"a","worker":"w","subprotocols":["p"],"subprotocol_workers":[{"subprotocol":"p","worker":"v"}]}]}"#,
                "\"p\" is given twice",
            ),
            (r#"{"routes":[{"name":"a","subprotocols":["q"],"subprotocol_workers":[{"subprotocol":"p","worker":"w"}]}]}"#, "it has none"),
            (r#"{"routes":[{"name":"a","echo":true,"subprotocol_required":true}]}"#, "would refuse everyone"),
            (r#"{"routes":[{"name":"a","echo":true,"slow_client":"wait"}]}"#, "unknown variant `wait`"),
            (r#"{"routes":[{"name":"a","echo":true,"max_connections_per_ip":0}]}"#, "max_connections_per_ip must be at least 1"),
            (r#"{"routes":[{"name":"a","echo":true,"pong_timeout":0}]}"#, "longer than 0"),
            (r#"{"routes":[{"name":"a","echo":true,"idle_timeout":-1}]}"#, "invalid value"),
            (r#"{"routes":[{"name":"a","echo":true,"rate_limit":{}}]}"#, "messages, bytes or both"),
            (r#"{"routes":[{"name":"a","echo":true,"rate_limit":{"bytes":5,"burst":0}}]}"#, "burst must be longer than 0"),
            (r#"{"routes":[{"name":"a","echo":true,"rate_limit":{"byts":5}}]}"#, "unknown field `byts`"),
            ("nonsense", "expected"),
        ];
        for (json, text) in cases {
            let error = RoutesConfig::parse(json.as_bytes()).expect_err(json);
            assert!(error.0.contains(text), "{json}: {error}");
        }
        assert!(RoutesConfig::parse(br#"{"routes":[{"name":"a","worker":"w"}],"workers":[{"name":"w","threads":2}]}"#).is_ok());
    }
}
