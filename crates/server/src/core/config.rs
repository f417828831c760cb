//! What the core is started with, and what holds where nothing was said.

use std::io;
use std::time::Duration;

use fws_hub::Bounds;
use serde::{Deserialize, Serialize};

use crate::servers::ClusterConfig;

/// What the core is started with. An option that is 0 or absent has its default: that of [`Options::default`], of [`Bounds::default`] for
/// the values, and for `shards` one for every two processors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Threads that own sockets. At most 256.
    #[serde(default)]
    pub shards: usize,
    /// The most bytes that unfinished messages of all clients may take together.
    #[serde(default)]
    pub max_unfinished: usize,
    /// When so many bytes of events wait for PHP, no new client is accepted for PHP, and a client that has events waiting is not read until
    /// they are handled.
    #[serde(default)]
    pub max_pending_bytes: usize,
    /// The most bytes that compression keeps of all clients between messages.
    #[serde(default)]
    pub max_compression_memory: usize,
    /// The most bytes that the histories of all channels may take, with 64 for each message and 512 for each channel; 0: the default, 64 MiB.
    /// What expires first is forgotten first.
    #[serde(default)]
    pub max_history_bytes: usize,
    /// The most clients that are waited for after their network went away.
    #[serde(default)]
    pub max_suspended: usize,
    /// The most bytes that are kept for clients that may come back, of all of them together.
    #[serde(default)]
    pub max_resume_bytes: usize,
    /// How long a command may look at clients, tags and stored information, in nanoseconds.
    #[serde(default)]
    pub search_timeout: u64,
    /// What the global values may take.
    #[serde(default)]
    pub values: ValuesConfig,
    /// Where this server meets others; absent: it is alone.
    #[serde(default)]
    pub cluster: Option<ClusterConfig>,
}

/// What the global values may take. See [`Bounds`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValuesConfig {
    /// The most values.
    pub max_entries: usize,
    /// The most bytes of keys and values, with 128 for each.
    pub max_size: usize,
}

/// What is in force: the options of a [`Config`] with the defaults filled in, under the same names and with the same units.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Options {
    pub shards: usize,
    pub max_unfinished: usize,
    pub max_pending_bytes: usize,
    pub max_compression_memory: usize,
    pub max_history_bytes: usize,
    pub max_suspended: usize,
    pub max_resume_bytes: usize,
    #[serde(serialize_with = "nanoseconds")]
    pub search_timeout: Duration,
    #[serde(serialize_with = "values")]
    pub values: Bounds,
}

impl Options {
    /// The most threads that own sockets.
    const MOST_SHARDS: usize = 256;

    /// The defaults, for a machine with so many processors.
    fn default(processors: usize) -> Options {
        Options {
            // The other processors are for PHP and for the kernel's side of the sockets. Measured with 2 processors, 100 clients and one
            // message in flight on each: one shard takes a quarter less CPU for a message than two.
            shards: processors.div_ceil(2),
            max_unfinished: 512 << 20,
            max_pending_bytes: 512 << 20,
            max_compression_memory: 256 << 20,
            max_history_bytes: 64 << 20,
            max_suspended: 10_000,
            max_resume_bytes: 256 << 20,
            search_timeout: Duration::from_secs(1),
            values: Bounds::default(),
        }
    }

    /// What `config` says, and the defaults.
    pub fn new(config: &Config) -> io::Result<Options> {
        let defaults = Options::default(std::thread::available_parallelism()?.get());
        let or = |configured, default| if configured == 0 { default } else { configured };
        Ok(Options {
            shards: or(config.shards, defaults.shards).min(Options::MOST_SHARDS),
            max_unfinished: or(config.max_unfinished, defaults.max_unfinished),
            max_pending_bytes: or(config.max_pending_bytes, defaults.max_pending_bytes),
            max_compression_memory: or(config.max_compression_memory, defaults.max_compression_memory),
            max_history_bytes: or(config.max_history_bytes, defaults.max_history_bytes),
            max_suspended: or(config.max_suspended, defaults.max_suspended),
            max_resume_bytes: or(config.max_resume_bytes, defaults.max_resume_bytes),
            search_timeout: if config.search_timeout == 0 { defaults.search_timeout } else { Duration::from_nanos(config.search_timeout) },
            values: Bounds {
                entries: or(config.values.max_entries, defaults.values.entries),
                bytes: or(config.values.max_size, defaults.values.bytes),
            },
        })
    }
}

fn nanoseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn values<S: serde::Serializer>(bounds: &Bounds, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut values = serializer.serialize_struct("values", 2)?;
    values.serialize_field("max_entries", &bounds.entries)?;
    values.serialize_field("max_size", &bounds.bytes)?;
    values.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_in_force_under_the_same_names_and_what_is_not_has_a_default() {
        let configured = serde_json::json!({
            "shards": 3, "max_unfinished": 4, "max_pending_bytes": 5, "max_compression_memory": 6, "max_history_bytes": 10,
            "max_suspended": 11, "max_resume_bytes": 12, "search_timeout": 7,
            "values": { "max_entries": 8, "max_size": 9 },
        });
        let in_force = |config: &Config| serde_json::to_value(Options::new(config).expect("processors")).expect("JSON");
        assert_eq!(in_force(&serde_json::from_value(configured.clone()).expect("legal")), configured);
        let defaults = in_force(&Config::default());
        let zeros = serde_json::json!({ "shards": 0, "search_timeout": 0, "values": { "max_size": 0 } });
        assert_eq!(in_force(&serde_json::from_value(zeros).expect("legal")), defaults);
        assert_eq!(in_force(&Config { shards: 1000, ..Config::default() })["shards"], 256);
        let defaults = Options::default(1);
        assert_eq!((defaults.shards, Options::default(2).shards, Options::default(3).shards), (1, 1, 2));
    }
}
