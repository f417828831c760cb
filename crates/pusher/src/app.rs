//! What the operator says of an application: its names and its secret, what its clients may do, and how much of it.
//!
//! Where this comes from, and which application is in force when, is the caller's business.

use std::fmt;
use std::sync::Arc;

use fws_wire::origin::Pattern;

use crate::Millis;
use crate::webhook::Kind;

/// The longest name of a channel that Pusher promises to take.
pub const PUSHER_CHANNEL_NAME: usize = 164;
/// The longest name of a channel that Pusher's libraries let pass.
pub const LIBRARY_CHANNEL_NAME: usize = 200;

/// An application.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Its name in the paths of the HTTP API.
    pub id: String,
    /// Its name in the path that clients connect to, and in signatures. It is public.
    pub key: String,
    /// What signatures are made with.
    pub secret: Secret,
    /// `false`: nobody connects, and all calls are refused.
    pub enabled: bool,
    /// The pages that may connect; none: all, as with Pusher.
    pub origins: Vec<Pattern>,
    /// Whether clients may send events to each other.
    pub client_events: ClientEvents,
    /// Whether subscribers are told how many they are.
    pub subscription_count: bool,
    /// A client that was silent for so long is pinged.
    pub activity_timeout: Millis,
    /// It has so long to answer.
    pub pong_timeout: Millis,
    /// A client that has neither signed in nor subscribed to a private channel after this time is closed; `None`: it may stay.
    pub authorization_timeout: Option<Millis>,
    /// The most connections; `None`: any number.
    pub max_connections: Option<u64>,
    /// Whether clients must use TLS.
    pub tls_only: bool,
    /// Who is told what happens.
    pub webhooks: Vec<Webhook>,
    /// What clients and calls may use.
    pub limits: Limits,
}

impl AppConfig {
    /// An application with Pusher's defaults.
    pub fn new(id: &str, key: &str, secret: &str) -> AppConfig {
        AppConfig {
            id: id.to_owned(),
            key: key.to_owned(),
            secret: Secret::new(secret),
            enabled: true,
            origins: Vec::new(),
            client_events: ClientEvents::On { rate: 10 },
            subscription_count: false,
            activity_timeout: 120_000,
            pong_timeout: 30_000,
            authorization_timeout: None,
            max_connections: None,
            tls_only: false,
            webhooks: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), InvalidApp> {
        let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !plain(&self.id) || self.id.len() > MAX_ID {
            return Err(InvalidApp("the id of an application has 1 to 54 characters, of A-Z, a-z, 0-9, _ and -"));
        }
        if !plain(&self.key) || self.key.len() > MAX_KEY {
            return Err(InvalidApp("the key of an application has 1 to 200 characters, of A-Z, a-z, 0-9, _ and -"));
        }
        if self.secret.0.is_empty() {
            return Err(InvalidApp("the secret of an application must not be empty"));
        }
        // pusher-js takes 0 for a handshake that failed.
        if self.activity_timeout < 1000 || self.pong_timeout == 0 {
            return Err(InvalidApp("the activity timeout is at least one second, and the pong timeout more than nothing"));
        }
        if self.limits.channel_name > LIBRARY_CHANNEL_NAME {
            return Err(InvalidApp("the name of a channel has at most 200 characters"));
        }
        Ok(())
    }

    /// Whether any webhook wants events of this kind.
    pub fn wants(&self, kind: Kind) -> bool {
        self.webhooks.iter().any(|webhook| webhook.events.contains(&kind))
    }
}

/// The longest id: together with a channel's name it must fit a tag.
const MAX_ID: usize = 54;
const MAX_KEY: usize = 200;

/// An application that cannot work, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidApp(&'static str);

/// What signatures are made with. It is in no text that this crate writes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    pub fn new(secret: &str) -> Secret {
        Secret(secret.to_owned())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether clients may send events to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvents {
    /// They may not.
    Off,
    /// They may.
    On {
        /// So many in a second for each connection; 0: any number.
        rate: u32,
    },
}

/// Who is told of what happens in an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Who.
    pub target: WebhookTarget,
    /// Of what.
    pub events: Vec<Kind>,
    /// Only of channels whose names begin so; empty: of all.
    pub channel_prefix: String,
}

/// Where what happens is told.
#[derive(Clone, PartialEq, Eq)]
pub enum WebhookTarget {
    /// By a signed request.
    Url(String),
    /// By events for a worker of this name, in the same process.
    Worker(Arc<str>),
}

impl fmt::Debug for WebhookTarget {
    /// An address may have a password, or a token behind its host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebhookTarget::Url(url) => write!(f, "Url({})", shown(url)),
            WebhookTarget::Worker(name) => write!(f, "Worker({name:?})"),
        }
    }
}

/// An address as a log may have it: without a password, and without what stands behind the host.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/…")
}

/// What the clients and the servers of an application may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The data of an event, bytes.
    pub payload: usize,
    /// The name of an event, characters.
    pub event_name: usize,
    /// The name of a channel, characters.
    pub channel_name: usize,
    /// The channels of a connection.
    pub channels: usize,
    /// The members of a presence channel. The caller counts them.
    pub presence_members: usize,
    /// A user's id, characters.
    pub user_id: usize,
    /// What a member's or a user's `user_info` says, bytes of JSON.
    pub user_info: usize,
    /// The users on a user's watchlist.
    pub watchlist: usize,
    /// The channels of an event that is sent by a call.
    pub event_channels: usize,
    /// The events of a call.
    pub batch: usize,
}

impl Default for Limits {
    /// Pusher's. Where Pusher names no limit: 1,000 channels for a connection.
    fn default() -> Limits {
        Limits {
            payload: 10_240,
            event_name: 200,
            channel_name: LIBRARY_CHANNEL_NAME,
            channels: 1000,
            presence_members: 100,
            user_id: 128,
            user_info: 1024,
            watchlist: 100,
            event_channels: 100,
            batch: 10,
        }
    }
}

impl Limits {
    /// The largest message of a client that is looked at: an event's, or a sign-in with its watchlist, and what stands around it.
    pub fn message(&self) -> usize {
        let user = self.user_id.saturating_add(8).saturating_mul(self.watchlist.saturating_add(1));
        self.client_event().max(user.saturating_add(self.user_info).saturating_mul(2).saturating_add(AROUND))
    }

    /// The largest message by which a client sends an event. Text in JSON may take six bytes for one; the data is counted as it is sent.
    pub fn client_event(&self) -> usize {
        self.payload.saturating_add(6 * (self.event_name + self.channel_name)).saturating_add(AROUND)
    }

    /// The largest message by which clients are told an event that a call sends: its data is written into a string of JSON.
    pub fn event(&self) -> usize {
        self.payload.saturating_mul(6).saturating_add(6 * (self.event_name + self.channel_name)).saturating_add(AROUND)
    }

    /// The largest body of a call that sends an event.
    pub fn body(&self) -> usize {
        let channels = self.event_channels.saturating_mul(self.channel_name + 8);
        self.payload.saturating_mul(6).saturating_add(channels).saturating_add(AROUND)
    }

    /// The largest body of a call that sends several events.
    pub fn batch_body(&self) -> usize {
        self.body().saturating_mul(self.batch.max(1))
    }
}

/// What stands around the data and the names of an event, or of a user.
const AROUND: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_debug_output() {
        let mut app = AppConfig::new("1", "key", "hush");
        for url in ["https://user:hush@hooks.example/a", "https://hooks.example/a?token=hush#hush", "hush/hush"] {
            let target = WebhookTarget::Url(url.trim_start_matches("hush").to_owned());
            app.webhooks.push(Webhook { target, events: Vec::new(), channel_prefix: String::new() });
        }
        let text = format!("{app:?} {app:#?}");
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("Secret(…)") && text.contains("Url(https://hooks.example/…)"), "{text}");
    }

    #[test]
    fn an_application_that_cannot_work_is_refused() {
        assert_eq!(AppConfig::new("1", "key", "hush").check(), Ok(()));
        for (id, key, secret) in [("", "key", "s"), ("a/b", "key", "s"), ("1", "", "s"), ("1", "k:y", "s"), ("1", "key", "")] {
            assert!(AppConfig::new(id, key, secret).check().is_err(), "{id:?} {key:?} {secret:?}");
        }
        assert!(AppConfig::new(&"a".repeat(55), "key", "s").check().is_err());
        assert!(AppConfig { activity_timeout: 0, ..AppConfig::new("1", "key", "s") }.check().is_err());
    }

    #[test]
    fn the_largest_limits_overflow_nothing() {
        let most = usize::MAX / 16;
        let limits = Limits { payload: usize::MAX, watchlist: usize::MAX, batch: usize::MAX, user_id: most, ..Limits::default() };
        assert!(limits.message() > 1 << 40 && limits.event() > 1 << 40 && limits.batch_body() > 1 << 40);
        assert!(Limits::default().message() < 64 << 10);
    }
}
