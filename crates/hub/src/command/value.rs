//! The global values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CommandError, left_out};
use crate::blob::Blob;
use crate::keyvalue::KeyValue;
use crate::reply::Reply;

/// Sets a global value: [`Reply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set<'a> {
    /// 1 to 1024 bytes.
    #[serde(borrow)]
    pub key: Blob<'a>,
    /// The value.
    #[serde(borrow)]
    pub value: Blob<'a>,
    /// After so many seconds it is gone; `None`: never.
    #[serde(default)]
    pub expire: Option<u64>,
}

/// Sets a global value if the key has none: [`Reply::Flag`], whether it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add<'a> {
    /// 1 to 1024 bytes.
    #[serde(borrow)]
    pub key: Blob<'a>,
    /// The value.
    #[serde(borrow)]
    pub value: Blob<'a>,
    /// After so many seconds it is gone; `None`: never.
    #[serde(default)]
    pub expire: Option<u64>,
}

/// A global value: [`Reply::Value`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Blob<'a>,
}

/// Deletes a global value: [`Reply::Flag`], whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Blob<'a>,
}

/// Adds to a global value that is a decimal integer: [`Reply::Integer`], the sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increment<'a> {
    /// 1 to 1024 bytes.
    #[serde(borrow)]
    pub key: Blob<'a>,
    /// What to add.
    #[serde(default = "one", deserialize_with = "or_one")]
    pub by: i64,
}

/// When a global value expires: [`Reply::Expiry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry<'a> {
    /// The key.
    #[serde(borrow)]
    pub key: Blob<'a>,
}

fn one() -> i64 {
    1
}

fn or_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    left_out::or(deserializer, one)
}

/// The time at which a value expires that is set now, both in milliseconds.
fn at(expire: Option<u64>, now: u64) -> Option<u64> {
    expire.map(|seconds| now.saturating_add(seconds.saturating_mul(1000)))
}

impl Set<'_> {
    /// A copy of the value, which is to be made before the key is locked: it may have many megabytes.
    pub fn shared(&self) -> Arc<[u8]> {
        self.value[..].into()
    }

    /// Sets the [shared](Self::shared) value. `now` is in milliseconds, on the store's clock.
    pub fn apply(&self, value: Arc<[u8]>, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        store.set(&self.key, value, at(self.expire, now), now)?;
        Ok(Reply::Done)
    }
}

impl Add<'_> {
    /// A copy of the value, which is to be made before the key is locked: it may have many megabytes.
    pub fn shared(&self) -> Arc<[u8]> {
        self.value[..].into()
    }

    /// Sets the [shared](Self::shared) value if there is none.
    pub fn apply(&self, value: Arc<[u8]>, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        Ok(Reply::Flag(store.add(&self.key, value, at(self.expire, now), now)?))
    }
}

impl Get<'_> {
    /// Reads it.
    pub fn apply(&self, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        Ok(Reply::Value(store.get(&self.key, now)))
    }
}

impl Delete<'_> {
    /// Deletes it.
    pub fn apply(&self, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        Ok(Reply::Flag(store.delete(&self.key, now)))
    }
}

impl Increment<'_> {
    /// Adds to it.
    pub fn apply(&self, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        Ok(Reply::Integer(store.increment(&self.key, self.by, now)?))
    }
}

impl Expiry<'_> {
    /// Looks when it expires.
    pub fn apply(&self, store: &KeyValue, now: u64) -> Result<Reply, CommandError> {
        Ok(Reply::Expiry(store.ttl(&self.key, now)))
    }
}
