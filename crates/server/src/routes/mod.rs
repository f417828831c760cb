//! What the configuration says, by generation.
//!
//! The host's configuration is reloaded while connections live on, so a new one is *staged* first and *committed* when the host is
//! sure of it. Connections know their route by name and number only.

mod config;
mod pusher;
mod returning;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fws_hub::{Channel, ChannelPattern, HistoryPolicy, PresencePolicy, RouteId};
use fws_session::{BacklogSettings, Exceed, Millis, RateLimit, Settings, SlowClient};
use fws_wire::handshake::Policy;
use fws_wire::origin::Pattern;
use serde_json::{Value, json};

use crate::handler::{Echo, Protocol, Pusher, Worker};
use crate::quota::Quota;
use crate::resume::Parameters;

use crate::conn::Transport;
use crate::dispatch::{BranchId, Served, Serving};

pub use self::config::*;
pub use self::pusher::{Apps, PusherConfig};
pub use self::returning::ResumeConfig;

/// The generation was never staged, or a newer one is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale;

/// A committed route.
#[derive(Debug)]
pub struct Route {
    pub id: RouteId,
    pub name: Arc<str>,
    /// What becomes of what its clients do.
    pub protocol: Protocol,
    /// Of a route that speaks the Pusher protocol.
    pub apps: Option<Arc<Apps>>,
    /// The name of the worker for connections whose sub-protocol has none of its own.
    pub worker: Option<Arc<str>>,
    /// The kinds of connections it takes.
    pub branches: Vec<Branch>,
    /// Tags that are channels, in the order in which they are looked at.
    pub channels: Arc<[Channel]>,
    pub policy: Policy,
    /// How clients ask to come back after a break, where they may.
    pub resume: Option<Parameters>,
    pub settings: Arc<Settings>,
    /// How messages are compressed with clients that agree on it.
    pub compression: CompressionConfig,
    max_pending_events: usize,
    /// Bytes of events of one connection that may wait, see `max_pending_events`.
    max_pending_weight: usize,
    pub max_connections: Option<u64>,
    pub on_error: OnError,
    pub max_connections_per_ip: Option<u32>,
    /// Survives generations.
    pub quota: Arc<Quota>,
}

/// Default of [`RouteConfig::max_pending_events`].
const MAX_PENDING_EVENTS: usize = 1024;

/// Default of [`RateLimitConfig::burst`].
const BURST: Millis = 2000;

/// The connections of a route that have one sub-protocol, or none.
#[derive(Debug)]
pub struct Branch {
    pub id: BranchId,
    /// Empty: those without one.
    pub subprotocol: String,
    /// The worker's name; `None`: the core echoes.
    pub worker: Option<Arc<str>>,
}

/// What a handshake has to fulfil.
fn policy(config: &RouteConfig) -> Policy {
    // Whose pages may connect is said by the applications, and the client is told what is wrong after the handshake.
    let any = ["*".to_owned()];
    let origins = if config.pusher.is_some() && config.origins.is_empty() { &any[..] } else { &config.origins };
    Policy {
        origins: origins.iter().map(|origin| Pattern::parse(origin).expect("bug: origins are checked when they are read")).collect(),
        subprotocols: config.spoken().map(str::to_owned).collect(),
        subprotocol_required: config.subprotocol_required || (config.worker.is_none() && !config.echo && config.pusher.is_none()),
        compression: config.compression.as_ref().map(CompressionConfig::negotiable),
    }
}

/// What one connection is subject to.
fn settings(config: &RouteConfig) -> Settings {
    let defaults = Settings::default();
    let max_message_size = config.max_message_size.unwrap_or(defaults.max_message_size);
    let time = |configured: Option<u64>, default| configured.map_or(default, millis);
    Settings {
        max_message_size,
        max_frame_size: config.max_frame_size.unwrap_or(defaults.max_frame_size),
        backlog: BacklogSettings {
            max_outbox: config.max_outbox.unwrap_or(defaults.backlog.max_outbox),
            slow_client: match config.slow_client {
                SlowClientConfig::Close => SlowClient::Close,
                SlowClientConfig::DropOldest => SlowClient::DropOldest,
                SlowClientConfig::DropNewest => SlowClient::DropNewest,
            },
        },
        resume_window: config.resume.as_ref().map_or(0, |resume| millis(resume.window)),
        rate_limit: config.rate_limit.as_ref().map(|limit| RateLimit {
            messages: limit.messages,
            bytes: limit.bytes,
            burst: time(limit.burst, BURST),
            exceed: match limit.exceed {
                ExceedConfig::Delay => Exceed::Delay,
                ExceedConfig::Close => Exceed::Close,
            },
        }),
        message_timeout: time(config.message_timeout, defaults.message_timeout),
        ping_interval: time(config.ping_interval, defaults.ping_interval),
        pong_timeout: time(config.pong_timeout, defaults.pong_timeout),
        idle_timeout: time(config.idle_timeout, defaults.idle_timeout),
        max_lifetime: time(config.max_lifetime, defaults.max_lifetime),
        close_timeout: time(config.close_timeout, defaults.close_timeout),
        ..defaults
    }
}

/// Default of [`PresenceConfig::grace`].
const GRACE: Millis = 5000;

fn channel(config: &ChannelConfig) -> Channel {
    let history = config.history.as_ref();
    let presence = config.presence.as_ref();
    Channel {
        pattern: ChannelPattern::new(&config.pattern),
        history: history.map(|history| HistoryPolicy { count: history.count as usize, age: millis(history.age) }),
        presence: presence.map(|presence| PresencePolicy { grace: presence.grace.map_or(GRACE, millis) }),
    }
}

/// What is in force, as it is configured.
fn channel_options(channel: &Channel) -> Value {
    let history = channel.history.map(|history| json!({ "count": history.count, "age": history.age * 1_000_000 }));
    let presence = channel.presence.map(|presence| json!({ "grace": presence.grace * 1_000_000 }));
    json!({ "pattern": channel.pattern.as_str(), "history": history, "presence": presence })
}

impl Route {
    /// `branch` numbers the route's branches by their sub-protocols.
    pub fn new(config: &RouteConfig, id: RouteId, name: Arc<str>, quota: Arc<Quota>, mut branch: impl FnMut(&str) -> BranchId) -> Route {
        let mut branches = Vec::new();
        let mut add = |subprotocol: &str, worker: Option<&str>| {
            branches.push(Branch { id: branch(subprotocol), subprotocol: subprotocol.to_owned(), worker: worker.map(Arc::from) });
        };
        let default = config.worker.as_deref();
        if default.is_some() || config.echo || config.pusher.is_some() {
            add("", default);
        }
        config.subprotocols.iter().for_each(|subprotocol| add(subprotocol, default));
        config.subprotocol_workers.iter().for_each(|own| add(&own.subprotocol, Some(&own.worker)));
        let settings = settings(config);
        Route {
            id,
            name,
            protocol: match &config.pusher {
                Some(_) => Protocol::Pusher(Pusher),
                None if config.echo => Protocol::Echo(Echo),
                None => Protocol::Worker(Worker),
            },
            apps: config.pusher.as_ref().map(|pusher| Arc::new(Apps::new(pusher))),
            worker: default.map(Arc::from),
            branches,
            channels: config.pusher.iter().flat_map(Apps::channels).chain(config.channels.iter().map(channel)).collect(),
            policy: policy(config),
            resume: config.resume.as_ref().map(ResumeConfig::parameters),
            compression: config.compression.clone().unwrap_or_default(),
            max_pending_events: config.max_pending_events.unwrap_or(MAX_PENDING_EVENTS),
            max_pending_weight: usize::try_from(settings.max_message_size).unwrap_or(usize::MAX).max(1 << 20),
            settings: Arc::new(settings),
            max_connections: config.max_connections,
            on_error: config.on_error,
            max_connections_per_ip: config.max_connections_per_ip,
            quota,
        }
    }

    /// Who handles the events of a branch with this worker, or of its channels.
    pub fn served(&self, worker: Option<&Arc<str>>) -> Option<Served> {
        match self.protocol {
            Protocol::Echo(_) => None,
            Protocol::Worker(_) => worker.cloned().map(Served::Worker),
            Protocol::Pusher(_) => Some(Served::Pusher),
        }
    }

    /// What is kept of a tag's messages and members, if it is a channel.
    pub fn channel(&self, tag: &str) -> Option<&Channel> {
        Channel::find(&self.channels, tag)
    }

    /// The branch of connections with a sub-protocol; with an empty one, of those without. `None`: nobody is there for them.
    pub fn branch(&self, subprotocol: &str) -> Option<BranchId> {
        self.branches.iter().find(|branch| branch.subprotocol == subprotocol).map(|branch| branch.id)
    }

    /// Whether somebody is there for the connections of a branch.
    pub fn serves(&self, branch: BranchId) -> bool {
        self.branches.iter().any(|served| served.id == branch)
    }

    /// What is in force, under the names of the configuration and with its units; null: unlimited, or never.
    pub fn options(&self) -> Value {
        let settings = &self.settings;
        let nanos = |millis: Millis| millis.saturating_mul(1_000_000);
        let time = |millis: Millis| (millis > 0).then(|| nanos(millis));
        json!({
            "origins": self.policy.origins.iter().map(Pattern::as_str).collect::<Vec<_>>(),
            "pusher": self.apps.as_ref().map(|apps| apps.options()),
            "subprotocols": self.policy.subprotocols,
            "max_message_size": settings.max_message_size,
            "max_frame_size": Some(settings.max_frame_size).filter(|most| *most < u64::MAX),
            "channels": self.channels.iter().map(channel_options).collect::<Vec<_>>(),
            "compression": self.policy.compression.as_ref().map(|_| json!({
                "context_takeover": self.compression.context_takeover,
                "window_bits": self.compression.window_bits,
                "client_window_bits": self.compression.client_window_bits,
                "threshold": self.compression.threshold,
                "level": self.compression.level,
            })),
            "max_connections": self.max_connections,
            "max_connections_per_ip": self.max_connections_per_ip,
            "rate_limit": settings.rate_limit.as_ref().map(|limit| json!({
                "messages": (limit.messages > 0).then_some(limit.messages),
                "bytes": (limit.bytes > 0).then_some(limit.bytes),
                "burst": nanos(limit.burst),
                "exceed": match limit.exceed { Exceed::Delay => ExceedConfig::Delay, Exceed::Close => ExceedConfig::Close },
            })),
            "resume": self.resume.as_ref().map(|names| json!({
                "window": nanos(settings.resume_window),
                "parameter": names.token,
                "received": names.received,
            })),
            "message_timeout": time(settings.message_timeout),
            "ping_interval": time(settings.ping_interval),
            "pong_timeout": time(settings.pong_timeout),
            "idle_timeout": time(settings.idle_timeout),
            "max_lifetime": time(settings.max_lifetime),
            "close_timeout": time(settings.close_timeout),
            "max_outbox": settings.backlog.max_outbox,
            "slow_client": match settings.backlog.slow_client {
                SlowClient::Close => SlowClientConfig::Close,
                SlowClient::DropOldest => SlowClientConfig::DropOldest,
                SlowClient::DropNewest => SlowClientConfig::DropNewest,
            },
            "max_pending_events": self.max_pending_events,
            "on_error": self.on_error,
        })
    }

    /// What the route asks of a connection that came over `transport`.
    pub fn settings_for(&self, transport: Transport) -> Arc<Settings> {
        let ping_interval = transport.ping_interval(self.settings.ping_interval);
        if ping_interval == self.settings.ping_interval {
            return self.settings.clone();
        }
        Arc::new(Settings { ping_interval, ..Settings::clone(&self.settings) })
    }

    /// The most events of one connection that may wait for PHP, and the most bytes of them.
    pub fn event_limits(&self) -> (usize, usize) {
        (self.max_pending_events, self.max_pending_weight)
    }
}

/// Of a time in the configuration; what is not 0 does not become 0.
fn millis(nanos: u64) -> Millis {
    nanos.div_ceil(1_000_000)
}

/// The generations and what is in force.
#[derive(Debug, Default)]
pub struct Routes {
    pub staged: BTreeMap<u64, RoutesConfig>,
    pub committed: Option<u64>,
    pub current: HashMap<Arc<str>, Arc<Route>>,
    /// The workers in force, and who handles the events of a branch.
    pub workers: Vec<Arc<str>>,
    pub serving: Serving,
    /// By name, for routes that come back.
    pub quota: HashMap<Arc<str>, Arc<Quota>>,
    /// By route and sub-protocol, for those that come back.
    branches: HashMap<(RouteId, Box<str>), BranchId>,
    /// Routes in force that have channels, by number.
    pub with_channels: Vec<Arc<Route>>,
}

impl Routes {
    /// The number of a branch, given to it now if it has none yet.
    pub fn branch(&mut self, route: RouteId, subprotocol: &str) -> BranchId {
        let next = BranchId(self.branches.len() as u32);
        *self.branches.entry((route, subprotocol.into())).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_arrives_where_it_is_carried_out() {
        let options = r#"{"origins":["a"],"subprotocols":["b"],"max_message_size":1,"max_frame_size":14,
            "compression":{"context_takeover":true,"window_bits":9,"client_window_bits":10,"threshold":1,"level":2},"max_connections":2,"max_connections_per_ip":3,
            "rate_limit":{"messages":4,"bytes":5,"burst":6000000,"exceed":"close"},"message_timeout":6500000000,"ping_interval":7000000,"pong_timeout":8000000,
            "idle_timeout":9000000,"max_lifetime":10000000,"close_timeout":11000000,"max_outbox":12,"slow_client":"drop_oldest",
            "max_pending_events":13,"on_error":"close","resume":{"window":17000000000,"parameter":"session","received":"count"},"channels":[{"pattern":"c:*","history":{"count":3,"age":15000000},"presence":{"grace":16000000}}]}"#;
        let mut config: Value = serde_json::from_str(options).expect("JSON");
        let mut wanted = config.clone();
        // Other routes have none of the Pusher protocol.
        wanted["pusher"] = Value::Null;
        config["name"] = "a".into();
        config["worker"] = "w".into();
        config["handshake_timeout"] = 1.into();
        let config = RoutesConfig::parse(json!({ "routes": [config] }).to_string().as_bytes()).expect("legal");
        let route = Route::new(&config.routes[0], RouteId(0), "a".into(), Arc::default(), |_| BranchId(0));
        assert_eq!(route.options(), wanted);
        let never = RouteConfig { ping_interval: Some(0), ..config.routes[0].clone() };
        assert_eq!(Route::new(&never, RouteId(0), "a".into(), Arc::default(), |_| BranchId(0)).settings.ping_interval, 0);
        let shortest = RouteConfig { pong_timeout: Some(1), ..never };
        assert_eq!(Route::new(&shortest, RouteId(0), "a".into(), Arc::default(), |_| BranchId(0)).settings.pong_timeout, 1);
    }

    #[test]
    fn clients_over_http3_are_pinged_before_quic_gives_them_up() {
        let config = RouteConfig { name: "a".into(), echo: true, ..RouteConfig::default() };
        let mut route = Route::new(&config, RouteId(0), "a".into(), Arc::default(), |_| BranchId(0));
        assert_eq!(route.settings_for(Transport::Http3).ping_interval, 20_000);
        for transport in [Transport::Tcp, Transport::Unix, Transport::Tls, Transport::Http2] {
            assert!(Arc::ptr_eq(&route.settings_for(transport), &route.settings), "{}", transport.as_str());
        }
        for (configured, expected) in [(0, 20_000), (5_000, 5_000), (20_000, 20_000), (60_000, 20_000)] {
            route.settings = Arc::new(Settings { ping_interval: configured, ..Settings::default() });
            assert_eq!(route.settings_for(Transport::Http3).ping_interval, expected, "{configured}");
        }
    }
}
