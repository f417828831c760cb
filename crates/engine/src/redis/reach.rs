//! Reaching Redis: where it is, which server of it, and what that one can do.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, RedisError, RedisResult};
use tokio::time::timeout;

use super::Shared;
use super::settings::{Place, moved};

pub(super) enum Failure {
    /// Another server of a Redis Cluster has our keys.
    Moved(Box<ConnectionInfo>),
    /// In words, without a secret.
    Other(String),
}

/// What went wrong, without an address that could have a password in it.
pub(super) fn words(error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    Failure::Other(match (code, detail) {
        // Such as "Connection refused", or that the host is not known.
        ("", "") if error.is_io_error() => error.to_string(),
        ("", "") => error.category().to_owned(),
        _ => format!("{} {code} {detail}", error.category()).trim().to_owned(),
    })
}

pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = RedisResult<T>>) -> Result<T, Failure> {
    match timeout(limit, future).await {
        Ok(result) => result.map_err(|error| words(&error)),
        Err(_) => Err(Failure::Other("it did not answer within the timeout".to_owned())),
    }
}

/// Connects to a server, or to another one of the same Redis Cluster if that one cannot be reached.
pub(super) async fn reach(
    shared: &Shared,
    info: ConnectionInfo,
    limit: Duration,
) -> Result<(ConnectionInfo, Client, MultiplexedConnection), Failure> {
    let others = shared.fallbacks.lock().clone();
    let infos = std::iter::once(info.clone()).chain(others.iter().map(|(host, port)| moved(&info, host, *port)));
    let mut failure = None;
    for info in infos {
        let client = shared.settings.client(info.clone()).map_err(|error| words(&error))?;
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(None);
        match within(limit, client.get_multiplexed_async_connection_with_config(&config)).await {
            Ok(connection) => return Ok((info, client, connection)),
            Err(why) => failure = failure.or(Some(why)),
        }
    }
    Err(failure.unwrap_or_else(|| Failure::Other("there is no server".to_owned())))
}

/// Finds out what the server can do, and which others belong to it. Where it does not tell, nothing of that is used.
pub(super) async fn look_at_server(shared: &Shared, info: &ConnectionInfo, connection: &mut MultiplexedConnection, limit: Duration) {
    let Ok(told) = within(limit, redis::cmd("INFO").arg("server").query_async::<String>(connection)).await else { return };
    let value = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let version: u32 = value("redis_version:").split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    shared.flags.store(version >= 7, std::sync::atomic::Ordering::Relaxed);
    if value("redis_mode:") != "cluster" {
        return;
    }
    if let Ok(slots) = within(limit, redis::cmd("CLUSTER").arg("SLOTS").query_async::<Vec<Vec<redis::Value>>>(connection)).await {
        let own = match info.addr() {
            redis::ConnectionAddr::Tcp(host, _) | redis::ConnectionAddr::TcpTls { host, .. } => host.clone(),
            _ => String::new(),
        };
        let mut servers: Vec<(String, u16)> = slots.iter().flatten().filter_map(|value| server_of(value, &own)).collect();
        servers.sort_unstable();
        servers.dedup();
        *shared.fallbacks.lock() = servers;
    }
}

/// A server in the answer to CLUSTER SLOTS: host, port, and more. One without a host has the one by which it was reached.
fn server_of(value: &redis::Value, own: &str) -> Option<(String, u16)> {
    let redis::Value::Array(parts) = value else { return None };
    let host: Option<String> = redis::from_redis_value(parts.first()?.clone()).ok()?;
    let port: u16 = redis::from_redis_value(parts.get(1)?.clone()).ok()?;
    Some((host.filter(|host| !host.is_empty()).unwrap_or_else(|| own.to_owned()), port))
}

/// Where Redis is now.
pub(super) async fn place(shared: &Shared, limit: Duration) -> Result<ConnectionInfo, Failure> {
    let (sentinels, master, settings) = match &shared.settings.place.0 {
        Place::One(info) => return Ok(info.clone()),
        Place::Sentinel { sentinels, master, settings } => (sentinels, master, settings),
    };
    let mut failure = Failure::Other("there is no sentinel".to_owned());
    for sentinel in sentinels {
        let ask = async {
            let mut connection = shared.settings.client(sentinel.clone())?.get_multiplexed_async_connection().await?;
            redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(master).query_async::<Option<(String, u16)>>(&mut connection).await
        };
        match within(limit, ask).await {
            Ok(Some((host, port))) => return Ok(moved(sentinel, &host, port).set_redis_settings(settings.clone())),
            Ok(None) => failure = Failure::Other("a sentinel does not know the master".to_owned()),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}
