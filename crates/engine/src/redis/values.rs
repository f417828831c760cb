//! The global values of all servers.

use fws_hub::{ClusterError, KeyValueError};

use super::Cluster;

/// What [`Cluster::value_expiry`] answers: `None`: no such key; `Some(None)`: it does not expire; else the milliseconds that are left.
pub type Left = Option<Option<u64>>;

impl Cluster {
    fn value_key(&self, key: &[u8]) -> Vec<u8> {
        self.shared.settings.key("v", key)
    }

    /// Sets a value, for so many seconds. `only_new`: if there is none. Whether it was set.
    pub fn value_set(&self, key: &[u8], value: &[u8], expire: Option<u64>, only_new: bool) -> Result<bool, ClusterError> {
        let mut set = redis::cmd("SET");
        set.arg(self.value_key(key)).arg(value);
        if let Some(seconds) = expire {
            // 0 is gone at once, which Redis does not know.
            set.arg("PX").arg(seconds.saturating_mul(1000).clamp(1, i64::MAX as u64 / 2));
        }
        if only_new {
            set.arg("NX");
        }
        self.shared
            .call(move |mut connection| async move { set.query_async::<Option<String>>(&mut connection).await })
            .map(|set| set.is_some())
    }

    /// A value.
    pub fn value_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ClusterError> {
        let mut get = redis::cmd("GET");
        get.arg(self.value_key(key));
        self.shared.call(move |mut connection| async move { get.query_async(&mut connection).await })
    }

    /// Deletes a value. Whether there was one.
    pub fn value_delete(&self, key: &[u8]) -> Result<bool, ClusterError> {
        let mut del = redis::cmd("DEL");
        del.arg(self.value_key(key));
        self.shared.call(move |mut connection| async move { del.query_async::<u64>(&mut connection).await }).map(|count| count > 0)
    }

    /// Adds to a value that is a decimal integer; the sum. When it expires stays as it is.
    pub fn value_increment(&self, key: &[u8], by: i64) -> Result<Result<i64, KeyValueError>, ClusterError> {
        let mut increment = redis::cmd("INCRBY");
        increment.arg(self.value_key(key)).arg(by);
        let sum = self.shared.call(move |mut connection| async move { increment.query_async::<i64>(&mut connection).await });
        Ok(match sum {
            Ok(sum) => Ok(sum),
            Err(ClusterError::Refused(why)) if why.contains("overflow") => Err(KeyValueError::Overflow),
            Err(ClusterError::Refused(why)) if why.contains("not an integer") => Err(KeyValueError::NotAnInteger),
            Err(other) => return Err(other),
        })
    }

    /// When a value expires.
    pub fn value_expiry(&self, key: &[u8]) -> Result<Left, ClusterError> {
        let mut ttl = redis::cmd("PTTL");
        ttl.arg(self.value_key(key));
        let left = self.shared.call(move |mut connection| async move { ttl.query_async::<i64>(&mut connection).await })?;
        Ok(match left {
            -2 => None,
            left => Some(u64::try_from(left).ok()),
        })
    }
}
