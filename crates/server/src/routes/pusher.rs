//! The applications of a route that speaks the Pusher protocol: as the host writes them in JSON, and as they are in force.

use std::fmt;

use fws_hub::{Channel, ChannelPattern, HistoryPolicy, MAX_NAME, PresencePolicy};
use fws_pusher::webhook::Kind;
use fws_pusher::{AppConfig, ClientEvents, Limits, Webhook, WebhookTarget};
use fws_session::{Millis, Settings};
use fws_wire::origin::Pattern;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{ConfigError, MAX_GRACE, RouteConfig};
use super::millis;
use crate::webhooks::address::is_legal;

/// A route that speaks the Pusher protocol. Times are nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PusherConfig {
    /// Its applications, at least one. Their ids and their keys are unique.
    pub apps: Vec<PusherApp>,
}

/// An application. What is absent has the default of [`AppConfig::new`] or [`Limits::default`].
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PusherApp {
    /// Its name in the paths of the HTTP API.
    pub id: String,
    /// Its name in the path that clients connect to.
    pub key: String,
    /// What signatures are made with.
    pub secret: String,
    /// Nobody connects, and all calls are refused.
    #[serde(default)]
    pub disabled: bool,
    /// [Patterns](Pattern) of the origins whose pages may connect; empty: all.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// `false`: clients may not send events to each other.
    #[serde(default)]
    pub client_events: Option<bool>,
    /// Client events of one connection in a second; 0: any number.
    #[serde(default)]
    pub client_event_rate: Option<u32>,
    /// The data of an event, bytes.
    #[serde(default)]
    pub max_payload: Option<usize>,
    /// A client that was silent for so long is pinged.
    #[serde(default)]
    pub activity_timeout: Option<u64>,
    /// Connections at a time on one server; default unlimited.
    #[serde(default)]
    pub max_connections: Option<u64>,
    /// Channels of one connection.
    #[serde(default)]
    pub max_channels: Option<usize>,
    /// Members of a presence channel.
    #[serde(default)]
    pub max_presence_members: Option<usize>,
    /// How long a member whose last connection has ended may stay away without having left; default 0.
    #[serde(default)]
    pub presence_grace: Option<u64>,
    /// How long the last event of a cache channel is kept; default 30 minutes.
    #[serde(default)]
    pub cache_age: Option<u64>,
    /// Subscribers are told how many they are.
    #[serde(default)]
    pub subscription_count: bool,
    /// Clients must use TLS.
    #[serde(default)]
    pub tls_only: bool,
    /// Who is told what happens.
    #[serde(default)]
    pub webhooks: Vec<WebhookConfig>,
}

/// Who is told what happens in an application: a server, by signed requests, or a worker.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The address; empty: a worker is told.
    #[serde(default)]
    pub url: String,
    /// The name of the worker; empty: a server is told.
    #[serde(default)]
    pub worker: String,
    /// The names of the kinds of events; empty: all.
    #[serde(default)]
    pub events: Vec<String>,
    /// Only of channels whose names begin so.
    #[serde(default)]
    pub channel_prefix: String,
}

impl WebhookConfig {
    fn check(&self) -> Result<(), String> {
        match (self.url.is_empty(), self.worker.is_empty()) {
            (true, true) => {
                return Err("webhook: its url is empty (is an environment variable not set?), and it names no worker".to_owned());
            }
            (false, false) => return Err("webhook: give the url of a server, or the name of a worker, and not both".to_owned()),
            (true, false) | (false, true) => {}
        }
        // The address may have a password: it is not repeated.
        if self.worker.is_empty() && !is_legal(&self.url) {
            return Err(
                "webhook: an address is http://HOST/PATH or https://HOST/PATH, with a port of 1 to 65535, if any, and without spaces or letters beyond ASCII"
                    .to_owned(),
            );
        }
        match self.events.iter().find(|name| Kind::of_name(name).is_none()) {
            Some(name) => {
                let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
                Err(format!("webhook: there is no event {name:?}, but {}", known.join(", ")))
            }
            None => Ok(()),
        }
    }

    fn in_force(&self) -> Webhook {
        let events: Vec<Kind> = self.events.iter().filter_map(|name| Kind::of_name(name)).collect();
        let events = if events.is_empty() { Kind::ALL.to_vec() } else { events };
        let target = match self.worker.as_str() {
            "" => WebhookTarget::Url(self.url.clone()),
            worker => WebhookTarget::Worker(worker.into()),
        };
        Webhook { target, events, channel_prefix: self.channel_prefix.clone() }
    }
}

impl fmt::Debug for PusherApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PusherApp").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Default of [`PusherApp::cache_age`], as with Pusher.
const CACHE_AGE: Millis = 30 * 60 * 1000;

/// Tags of a connection for each of its channels, at most: no client has more tags than it may.
const TAGS_OF_CHANNEL: usize = 2;

impl RouteConfig {
    /// Refuses applications that cannot work, and what does not go with them.
    pub(super) fn check_pusher(&self) -> Result<(), String> {
        let Some(pusher) = &self.pusher else { return Ok(()) };
        let others = [
            (self.echo, "echo"),
            (!self.subprotocols.is_empty(), "subprotocols"),
            (!self.subprotocol_workers.is_empty(), "subprotocol"),
            (self.resume.is_some(), "resume"),
        ];
        if let Some((_, name)) = others.into_iter().find(|(given, _)| *given) {
            return Err(format!("pusher and {name} exclude each other"));
        }
        pusher.check()?;
        pusher.apps.iter().try_for_each(|app| self.check_sizes(app).map_err(|what| format!("pusher: app {:?}: {what}", app.id)))
    }

    /// Refuses sizes of an application that the route does not let through: the client would be closed for what it may send or be sent.
    fn check_sizes(&self, app: &PusherApp) -> Result<(), String> {
        let (defaults, limits) = (Settings::default(), app.in_force().limits);
        let max_message_size = self.max_message_size.unwrap_or(defaults.max_message_size);
        let max_frame_size = self.max_frame_size.unwrap_or(defaults.max_frame_size);
        let max_outbox = self.max_outbox.unwrap_or(defaults.backlog.max_outbox) as u64;
        for (name, size, needed) in [
            ("max_message_size", max_message_size, limits.client_event()),
            ("max_frame_size", max_frame_size, limits.client_event()),
            ("max_outbox", max_outbox, limits.event()),
        ] {
            if size < needed as u64 {
                let payload = limits.payload;
                return Err(format!(
                    "an event of max_payload ({payload} bytes) can take {needed} bytes with its escapes and names, and the route's {name} is \
                     {size}: let max_payload be smaller, or {name} at least {needed}"
                ));
            }
        }
        Ok(())
    }
}

/// Refuses an application that is on two routes. A client connects to one of them, and a call sends to the clients of one.
pub(super) fn check_apart(routes: &[RouteConfig]) -> Result<(), ConfigError> {
    let apps =
        || routes.iter().flat_map(|route| route.pusher.iter().flat_map(move |pusher| pusher.apps.iter().map(move |app| (route, app))));
    for (at, (route, app)) in apps().enumerate() {
        let Some((first, other)) = apps().take(at).find(|(_, other)| other.id == app.id || other.key == app.key) else { continue };
        let what = if other.id == app.id { "id" } else { "key" };
        return Err(ConfigError(format!(
            "route {:?}: pusher: app {:?}: its {what} is that of an application of route {:?}: let each application be on one route, with an id \
             and a key of its own",
            route.name, app.id, first.name
        )));
    }
    Ok(())
}

impl PusherConfig {
    /// The names of the workers that are told what happens, some more than once.
    pub(super) fn workers(&self) -> impl Iterator<Item = &str> {
        let webhooks = self.apps.iter().flat_map(|app| &app.webhooks);
        webhooks.map(|webhook| webhook.worker.as_str()).filter(|name| !name.is_empty())
    }

    /// Refuses what cannot work.
    fn check(&self) -> Result<(), String> {
        if self.apps.is_empty() {
            return Err("pusher: there is no application: name one with its id, its key and its secret".to_owned());
        }
        for (at, app) in self.apps.iter().enumerate() {
            let wrong = |what: &dyn fmt::Display| Err(format!("pusher: app {:?}: {what}", app.id));
            if let Err(what) = app.check() {
                return wrong(&what);
            }
            if self.apps[..at].iter().any(|other| other.id == app.id || other.key == app.key) {
                return wrong(&"the id or the key is used twice");
            }
        }
        Ok(())
    }
}

impl PusherApp {
    fn check(&self) -> Result<(), String> {
        if let Some(error) = self.allowed_origins.iter().find_map(|origin| Pattern::parse(origin).err()) {
            return Err(format!("allowed_origins: {error}"));
        }
        if self.presence_grace.is_some_and(|grace| grace > MAX_GRACE) {
            return Err("presence_grace is at most an hour".to_owned());
        }
        if self.cache_age.is_some_and(|age| age < 1_000_000) {
            return Err("cache_age is at least a millisecond".to_owned());
        }
        if [self.max_payload, self.max_channels, self.max_presence_members].contains(&Some(0)) || self.max_connections == Some(0) {
            return Err("max_payload, max_channels, max_presence_members and max_connections must be at least 1".to_owned());
        }
        let most = (fws_hub::MAX_TAGS - 256) / TAGS_OF_CHANNEL;
        if self.max_channels.is_some_and(|channels| channels > most) {
            return Err(format!("max_channels is at most {most}"));
        }
        self.webhooks.iter().try_for_each(WebhookConfig::check)?;
        self.in_force().check().map_err(|error| error.to_string())
    }

    fn in_force(&self) -> AppConfig {
        let defaults = AppConfig::new(&self.id, &self.key, &self.secret);
        let limits = Limits::default();
        let rate = match defaults.client_events {
            ClientEvents::On { rate } => rate,
            ClientEvents::Off => 0,
        };
        AppConfig {
            enabled: !self.disabled,
            origins: self.allowed_origins.iter().filter_map(|origin| Pattern::parse(origin).ok()).collect(),
            client_events: match self.client_events {
                Some(false) => ClientEvents::Off,
                Some(true) | None => ClientEvents::On { rate: self.client_event_rate.unwrap_or(rate) },
            },
            subscription_count: self.subscription_count,
            activity_timeout: self.activity_timeout.map_or(defaults.activity_timeout, millis),
            max_connections: self.max_connections,
            tls_only: self.tls_only,
            webhooks: self.webhooks.iter().map(WebhookConfig::in_force).collect(),
            limits: Limits {
                payload: self.max_payload.unwrap_or(limits.payload),
                channels: self.max_channels.unwrap_or(limits.channels),
                presence_members: self.max_presence_members.unwrap_or(limits.presence_members),
                // With what stands before it, and two characters more, it must fit a tag.
                channel_name: limits.channel_name.min(MAX_NAME.saturating_sub(self.id.len() + 3)),
                ..limits
            },
            ..defaults
        }
    }

    /// What is kept of the application's channels.
    fn channels(&self) -> Vec<Channel> {
        let grace = self.presence_grace.map_or(0, millis);
        let age = self.cache_age.map_or(CACHE_AGE, millis);
        let channel = |pattern: &str, cache: bool, presence: bool| Channel {
            pattern: ChannelPattern::new(&format!("{}:{pattern}", self.id)),
            history: cache.then_some(HistoryPolicy { count: 1, age }),
            presence: presence.then_some(PresencePolicy { grace: if pattern.starts_with("##") { 0 } else { grace } }),
        };
        vec![
            // Whether a channel has subscribers, which webhooks are told.
            channel("##*", false, true),
            // Who is signed in, which watchlists are told.
            channel("#users", false, true),
            channel("presence-cache-*", true, true),
            channel("presence-*", false, true),
            channel("cache-*", true, false),
            channel("private-cache-*", true, false),
            channel("private-encrypted-cache-*", true, false),
        ]
    }
}

/// The applications of a route that are in force.
#[derive(Debug, Default)]
pub struct Apps(Vec<AppConfig>);

impl Apps {
    pub(super) fn new(config: &PusherConfig) -> Apps {
        Apps(config.apps.iter().map(PusherApp::in_force).collect())
    }

    pub(super) fn channels(config: &PusherConfig) -> impl Iterator<Item = Channel> {
        config.apps.iter().flat_map(PusherApp::channels)
    }

    pub fn of_key(&self, key: &str) -> Option<&AppConfig> {
        self.0.iter().find(|app| app.key == key)
    }

    pub fn of_id(&self, id: &str) -> Option<&AppConfig> {
        self.0.iter().find(|app| app.id == id)
    }

    /// In the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &AppConfig> {
        self.0.iter()
    }

    /// What is in force, but the secrets.
    pub(super) fn options(&self) -> Value {
        let app = |app: &AppConfig| {
            json!({
                "id": app.id,
                "key": app.key,
                "disabled": !app.enabled,
                "allowed_origins": app.origins.iter().map(Pattern::as_str).collect::<Vec<_>>(),
                "client_events": app.client_events != ClientEvents::Off,
                "client_event_rate": match app.client_events { ClientEvents::On { rate } => Some(rate), ClientEvents::Off => None },
                "max_payload": app.limits.payload,
                "activity_timeout": app.activity_timeout.saturating_mul(1_000_000),
                "max_connections": app.max_connections,
                "max_channels": app.limits.channels,
                "max_presence_members": app.limits.presence_members,
                "subscription_count": app.subscription_count,
                "tls_only": app.tls_only,
                "webhooks": app.webhooks.len(),
            })
        };
        json!({ "apps": self.0.iter().map(app).collect::<Vec<_>>() })
    }
}
