//! Where the servers meet, and how long they wait for each other.

use std::fmt;
use std::time::Duration;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult, TlsCertificates};

/// Where the servers meet, and how long they wait for each other.
#[derive(Clone)]
pub struct Settings {
    /// Where Redis is.
    pub place: Address,
    /// What all keys and channels begin with. Servers with the same prefix in the same Redis are one cluster.
    pub prefix: String,
    /// How long a call waits for an answer, 50 ms to 30 s.
    pub timeout: Duration,
    /// A server that was not heard of for so long is dead, 2 s to 60 s. It says so three times meanwhile.
    pub lease: Duration,
    /// The version of what servers say to each other. Others are refused.
    pub version: u8,
    /// What other servers are told of this one, for people: its host.
    pub label: String,
    /// Certificates, PEM, of who vouches for Redis' own one, with TLS; `None`: those that the system trusts.
    pub ca: Option<Vec<u8>>,
}

/// Where Redis is, with what is secret about it: see [`Settings::at`].
#[derive(Clone)]
pub struct Address(pub(super) Place);

/// How the Redis server is found.
#[derive(Clone)]
pub(super) enum Place {
    One(ConnectionInfo),
    /// Sentinels know the master by its name.
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        master: String,
        settings: RedisConnectionInfo,
    },
}

/// An address that no cluster can be at. It does not repeat the address, which may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// None that is known.
    #[error(
        "cluster takes the address of a Redis or Valkey server: redis://host:6379, rediss://host:6379 with TLS, unix:///path/to/socket, or \
         redis+sentinel://host:26379,host:26379/master; before the host there may be user:password@"
    )]
    Unknown,
    /// Something behind a `#`, such as `#insecure`.
    #[error("cluster: an address has no #: certificates are always looked at; `ca` names the authority of your own ones")]
    Fragment,
    /// Sentinels without the name of a master.
    #[error("cluster: after the sentinels comes the name of the master, as in redis+sentinel://host:26379/mymaster")]
    NoMaster,
    /// A prefix that cannot be used.
    #[error("the prefix of cluster has 1 to 64 letters, digits, and any of - _ . :")]
    Prefix,
    /// A timeout that is too short or too long.
    #[error("the timeout of cluster is 50ms to 30s")]
    Timeout,
    /// A lease that is too short or too long.
    #[error("the lease of cluster is 2s to 60s")]
    Lease,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { prefix, timeout, lease, .. } = self;
        f.debug_struct("Settings").field("prefix", prefix).field("timeout", timeout).field("lease", lease).finish_non_exhaustive()
    }
}

impl Settings {
    /// The defaults, at an address.
    pub fn at(address: &str) -> Result<Settings, AddressError> {
        Ok(Settings {
            place: Address(Place::parse(address)?),
            prefix: "fws".to_owned(),
            timeout: Duration::from_secs(1),
            lease: Duration::from_secs(9),
            version: 1,
            label: String::new(),
            ca: None,
        })
    }

    /// Refuses what no cluster can have.
    pub fn check(&self) -> Result<(), AddressError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.bytes().all(plain) {
            return Err(AddressError::Prefix);
        }
        if !(Duration::from_millis(50)..=Duration::from_secs(30)).contains(&self.timeout) {
            return Err(AddressError::Timeout);
        }
        if !(Duration::from_secs(2)..=Duration::from_secs(60)).contains(&self.lease) {
            return Err(AddressError::Lease);
        }
        Ok(())
    }

    /// A client for a server, which does not connect yet.
    pub(super) fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        match (&self.ca, info.addr()) {
            (Some(ca), ConnectionAddr::TcpTls { .. }) => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) })
            }
            _ => Client::open(info),
        }
    }

    /// A key or a channel. All have the same hash tag, so that one server of a Redis Cluster has all of them: scripts need several.
    pub(super) fn key(&self, kind: &str, name: &[u8]) -> Vec<u8> {
        [b"{", self.prefix.as_bytes(), b"}:", kind.as_bytes(), b":", name].concat()
    }
}

impl Place {
    fn parse(address: &str) -> Result<Place, AddressError> {
        let secure = address.starts_with("rediss+sentinel://");
        if let Some(rest) = address.strip_prefix("redis+sentinel://").or(address.strip_prefix("rediss+sentinel://")) {
            return Place::sentinel(rest, secure);
        }
        if address.contains('#') {
            return Err(AddressError::Fragment);
        }
        if ["redis://", "rediss://", "unix://", "redis+unix://"].iter().any(|scheme| address.starts_with(scheme)) {
            return address.into_connection_info().map(Place::One).map_err(|_| AddressError::Unknown);
        }
        Err(AddressError::Unknown)
    }

    fn sentinel(rest: &str, tls: bool) -> Result<Place, AddressError> {
        let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(credentials, rest)| (credentials, rest));
        let (hosts, path) = rest.split_once('/').ok_or(AddressError::NoMaster)?;
        let (master, db) = path.split_once('/').map_or((path, "0"), |(master, db)| (master, db));
        if master.is_empty() {
            return Err(AddressError::NoMaster);
        }
        let scheme = if tls { "rediss" } else { "redis" };
        // The crate decodes user, password and database as in every other address.
        let like = format!("{scheme}://{credentials}{}localhost/{db}", if credentials.is_empty() { "" } else { "@" });
        let settings = like.into_connection_info().map_err(|_| AddressError::Unknown)?.redis_settings().clone();
        let sentinels = hosts.split(',').map(|host| {
            let host = if host.contains(':') { host.to_owned() } else { format!("{host}:26379") };
            format!("{scheme}://{host}").into_connection_info().map_err(|_| AddressError::Unknown)
        });
        Ok(Place::Sentinel { sentinels: sentinels.collect::<Result<_, _>>()?, master: master.to_owned(), settings })
    }
}

/// The same server at another address, as a sentinel or a server of a Redis Cluster says it.
pub(super) fn moved(info: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let addr = match info.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) | _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    info.clone().set_addr(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_read_and_others_are_refused_without_their_password() {
        for address in [
            "redis://localhost",
            "redis://user:pass@localhost:7000/3",
            "rediss://:pass@example.com",
            "unix:///run/redis.sock?db=2&pass=secret",
            "redis+sentinel://one:26379,two/mymaster",
            "rediss+sentinel://user:pass@one/mymaster/2",
        ] {
            let settings = Settings::at(address).unwrap_or_else(|error| panic!("{address}: {error}"));
            assert_eq!(settings.check(), Ok(()));
            assert!(!format!("{settings:?}").contains("pass"), "{settings:?}");
        }
        for (address, error) in [
            ("", AddressError::Unknown),
            ("localhost:6379", AddressError::Unknown),
            ("http://user:secret@localhost", AddressError::Unknown),
            ("redis://user:secret@:x", AddressError::Unknown),
            ("redis+sentinel://user:secret@one", AddressError::NoMaster),
            ("redis+sentinel://one/", AddressError::NoMaster),
        ] {
            assert_eq!(Settings::at(address).err(), Some(error.clone()), "{address}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn sentinels_are_asked_with_tls_where_the_server_is_and_the_server_gets_the_password() {
        let Ok(Place::Sentinel { sentinels, master, settings }) = Place::parse("rediss+sentinel://ann:pass@one,two:7/m/2") else {
            panic!("it is one");
        };
        assert_eq!((sentinels.len(), master.as_str(), settings.db()), (2, "m", 2));
        assert!(matches!(sentinels[0].addr(), ConnectionAddr::TcpTls { .. }));
        assert_eq!((settings.username(), settings.password()), (Some("ann"), Some("pass")));
        assert_eq!(sentinels[0].addr().to_string(), "one:26379");
    }

    #[test]
    fn bounds_of_times_and_prefixes_are_kept() {
        let settings = Settings::at("redis://localhost").expect("legal");
        for (change, error) in [
            (Settings { prefix: String::new(), ..settings.clone() }, AddressError::Prefix),
            (Settings { prefix: "a b".into(), ..settings.clone() }, AddressError::Prefix),
            (Settings { timeout: Duration::from_millis(49), ..settings.clone() }, AddressError::Timeout),
            (Settings { lease: Duration::from_secs(61), ..settings.clone() }, AddressError::Lease),
        ] {
            assert_eq!(change.check(), Err(error));
        }
        assert_eq!(settings.key("v", b"a\xff"), b"{fws}:v:a\xff");
    }
}
