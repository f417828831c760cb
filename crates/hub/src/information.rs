//! Stored information: what PHP keeps about one client, gone with the client.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::MAX_NAME;

/// The most keys of one client.
pub const MAX_KEYS: usize = 256;
/// The most bytes of one client's keys and values together.
pub const MAX_BYTES: usize = 4 << 20;

/// Why stored information was not changed or searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InformationError {
    /// A key that is empty or too long.
    #[error("a key of stored information has 1 to 255 bytes")]
    InvalidKey,
    /// The client has as many keys or bytes as it may.
    #[error("a client has at most 256 keys and 4 MiB of stored information")]
    Full,
    /// A regular expression that cannot be read, or is too big.
    #[error("the regular expression cannot be used: {0}")]
    Pattern(String),
}

/// What is stored for one client. Costs eight bytes while it is empty. Values are shared, not copied, with who reads them.
#[derive(Debug, Default)]
pub struct Information(Option<Box<Stored>>);

#[derive(Debug, Default)]
struct Stored {
    values: BTreeMap<Arc<str>, Arc<[u8]>>,
    bytes: usize,
}

impl Information {
    /// Sets the value of a key.
    pub fn set(&mut self, key: &str, value: Arc<[u8]>) -> Result<(), InformationError> {
        check_key(key)?;
        let (count, bytes, replaced) = match &self.0 {
            None => (0, 0, None),
            Some(stored) => (stored.values.len(), stored.bytes, stored.values.get(key).map(|old| key.len() + old.len())),
        };
        let grown = bytes - replaced.unwrap_or(0) + key.len() + value.len();
        if grown > MAX_BYTES || (replaced.is_none() && count >= MAX_KEYS) {
            return Err(InformationError::Full);
        }
        let stored = self.0.get_or_insert_default();
        stored.bytes = grown;
        stored.values.insert(key.into(), value);
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.0.as_ref()?.values.get(key)
    }

    /// Deletes a key: `true` if it had a value.
    pub fn delete(&mut self, key: &str) -> bool {
        let Some(stored) = &mut self.0 else { return false };
        let Some(value) = stored.values.remove(key) else { return false };
        stored.bytes -= key.len() + value.len();
        if stored.values.is_empty() {
            self.0 = None;
        }
        true
    }

    /// Deletes all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// All keys with their values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<[u8]>)> {
        self.0.iter().flat_map(|stored| stored.values.iter())
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), InformationError> {
    if key.is_empty() || key.len() > MAX_NAME { Err(InformationError::InvalidKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_set_replaced_listed_and_deleted_and_nothing_is_left() {
        let mut information = Information::default();
        information.set("b", b"\0"[..].into()).expect("room");
        information.set("a", b"1"[..].into()).expect("room");
        information.set("a", b"two"[..].into()).expect("room");
        assert_eq!(information.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>(), [("a", &b"two"[..]), ("b", b"\0")]);
        assert_eq!((information.get("a").map(|value| &**value), information.get("c")), (Some(&b"two"[..]), None));
        assert!(information.delete("a") && !information.delete("a") && information.delete("b"));
        assert!(information.0.is_none());
        assert_eq!(size_of::<Information>(), 8);
    }

    #[test]
    fn a_client_is_bounded_in_keys_and_bytes() {
        let mut information = Information::default();
        assert_eq!(information.set("", b""[..].into()), Err(InformationError::InvalidKey));
        assert_eq!(information.set(&"k".repeat(256), b""[..].into()), Err(InformationError::InvalidKey));
        for n in 0..MAX_KEYS {
            information.set(&n.to_string(), b""[..].into()).expect("room");
        }
        assert_eq!(information.set("more", b""[..].into()), Err(InformationError::Full));
        assert_eq!(information.set("0", b"replaced"[..].into()), Ok(()));
        information.clear();
        information.set("k", vec![0; MAX_BYTES - 1].into()).expect("room");
        assert_eq!(information.set("l", b""[..].into()), Err(InformationError::Full));
        assert_eq!(information.set("k", vec![0; MAX_BYTES].into()), Err(InformationError::Full));
        assert_eq!(information.get("k").map(|value| value.len()), Some(MAX_BYTES - 1), "the old value is as it was");
    }
}
