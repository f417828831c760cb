//! The global key-value store: small values that all PHP threads share, bounded, with expiry.
//!
//! Time is milliseconds since an arbitrary start, given by the caller. An entry that has expired is never seen; its memory goes when it
//! is met or with [`KeyValue::sweep`], which the owner calls at [`KeyValue::next_expiry`].

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// The longest key, bytes.
pub const MAX_KEY: usize = 1024;
/// What an entry counts for beside its key and value.
const OVERHEAD: usize = 128;

/// Bounds of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most entries.
    pub entries: usize,
    /// The most bytes of keys and values, with 128 for each entry.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { entries: 1_000_000, bytes: 256 << 20 }
    }
}

/// Why the store was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum KeyValueError {
    /// A key that is empty or too long.
    #[error("a key has 1 to 1024 bytes")]
    InvalidKey,
    /// There is no room for the entry.
    #[error("the key-value store is full: delete entries, let them expire, or raise its bounds")]
    Full,
    /// The value to be incremented is not a decimal integer of 64 bits.
    #[error("the value is not an integer of 64 bits, so it cannot be incremented")]
    NotAnInteger,
    /// The sum does not fit 64 bits.
    #[error("the incremented value does not fit an integer of 64 bits")]
    Overflow,
}

/// The store.
#[derive(Debug, Default)]
pub struct KeyValue {
    bounds: Bounds,
    entries: HashMap<Arc<[u8]>, Entry>,
    /// Entries that expire, soonest first.
    expiries: BTreeSet<(u64, Arc<[u8]>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Arc<[u8]>,
    expires: Option<u64>,
}

impl KeyValue {
    /// An empty store.
    pub fn new(bounds: Bounds) -> KeyValue {
        KeyValue { bounds, ..KeyValue::default() }
    }

    /// Sets a value, which expires at the time given, if one is; an earlier value and its expiry are replaced.
    pub fn set(&mut self, key: &[u8], value: Arc<[u8]>, expires: Option<u64>, now: u64) -> Result<(), KeyValueError> {
        check(key)?;
        // Looked at before anything is removed: a value that does not fit leaves the old one as it was.
        let replaced = self.live(key, now).map_or(0, |old| weight(key, &old.value));
        self.make_room(weight(key, &value), replaced, now)?;
        self.remove(key);
        let key: Arc<[u8]> = key.into();
        self.bytes += weight(&key, &value);
        if let Some(expires) = expires {
            self.expiries.insert((expires, key.clone()));
        }
        self.entries.insert(key, Entry { value, expires });
        Ok(())
    }

    /// Sets a value if the key has none: `true` if it was set. What a lock needs.
    pub fn add(&mut self, key: &[u8], value: Arc<[u8]>, expires: Option<u64>, now: u64) -> Result<bool, KeyValueError> {
        check(key)?;
        if self.live(key, now).is_some() {
            return Ok(false);
        }
        self.set(key, value, expires, now).map(|()| true)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8], now: u64) -> Option<&Arc<[u8]>> {
        self.live(key, now).map(|entry| &entry.value)
    }

    /// The milliseconds until a key expires: `None` for no such key, `Some(None)` for one that does not expire.
    pub fn ttl(&self, key: &[u8], now: u64) -> Option<Option<u64>> {
        self.live(key, now).map(|entry| entry.expires.map(|expires| expires - now))
    }

    /// Adds to a decimal integer and returns the sum; a missing key counts as 0, and an expiry stays as it is.
    pub fn increment(&mut self, key: &[u8], by: i64, now: u64) -> Result<i64, KeyValueError> {
        check(key)?;
        let (before, expires) = match self.live(key, now) {
            None => (0, None),
            Some(entry) => {
                let text = std::str::from_utf8(&entry.value).map_err(|_| KeyValueError::NotAnInteger)?;
                (text.parse::<i64>().map_err(|_| KeyValueError::NotAnInteger)?, entry.expires)
            }
        };
        let sum = before.checked_add(by).ok_or(KeyValueError::Overflow)?;
        self.set(key, sum.to_string().into_bytes().into(), expires, now)?;
        Ok(sum)
    }

    /// Deletes a key: `true` if it had a value.
    pub fn delete(&mut self, key: &[u8], now: u64) -> bool {
        let live = self.live(key, now).is_some();
        self.remove(key);
        live
    }

    /// Frees what has expired, at most so many entries; returns how many that were.
    pub fn sweep(&mut self, now: u64, most: usize) -> usize {
        let mut swept = 0;
        while swept < most
            && let Some((expires, key)) = self.expiries.first()
            && *expires <= now
        {
            let key = key.clone();
            self.remove(&key);
            swept += 1;
        }
        swept
    }

    /// When the next entry expires.
    pub fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|(expires, _)| *expires)
    }

    /// Entries held, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is held counts for so many bytes, see [`Bounds`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn live(&self, key: &[u8], now: u64) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.expires.is_none_or(|expires| now < expires))
    }

    /// Sees to it that an entry of this weight fits in the place of `replaced` bytes, sweeping if need be.
    fn make_room(&mut self, weight: usize, replaced: usize, now: u64) -> Result<(), KeyValueError> {
        let fits = |store: &KeyValue| {
            let entries = store.entries.len() + usize::from(replaced == 0);
            entries <= store.bounds.entries && store.bytes - replaced + weight <= store.bounds.bytes
        };
        // No more than is needed: so many may have expired at once that freeing all of them would take long.
        while !fits(self) && self.sweep(now, 1) > 0 {}
        if fits(self) { Ok(()) } else { Err(KeyValueError::Full) }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((key, entry)) = self.entries.remove_entry(key) {
            self.bytes -= weight(&key, &entry.value);
            if let Some(expires) = entry.expires {
                self.expiries.remove(&(expires, key));
            }
        }
    }
}

fn check(key: &[u8]) -> Result<(), KeyValueError> {
    if key.is_empty() || key.len() > MAX_KEY { Err(KeyValueError::InvalidKey) } else { Ok(()) }
}

fn weight(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arc(bytes: &[u8]) -> Arc<[u8]> {
        bytes.into()
    }

    fn get<'a>(store: &'a KeyValue, key: &[u8], now: u64) -> Option<&'a [u8]> {
        store.get(key, now).map(|value| &**value)
    }

    fn small(entries: usize, bytes: usize) -> KeyValue {
        KeyValue::new(Bounds { entries, bytes })
    }

    #[test]
    fn a_value_is_there_until_it_expires_and_not_a_millisecond_longer() {
        let mut store = KeyValue::default();
        store.set(b"k", arc(b"v\0"), Some(1000), 0).expect("room");
        assert_eq!(get(&store, b"k", 999), Some(&b"v\0"[..]));
        assert_eq!(store.ttl(b"k", 400), Some(Some(600)));
        assert_eq!((get(&store, b"k", 1000), store.ttl(b"k", 1000)), (None, None));
        assert!(!store.delete(b"k", 1000), "it has expired");
        assert!(store.is_empty() && store.bytes() == 0);
        store.set(b"k", arc(b""), None, 0).expect("room");
        assert_eq!((get(&store, b"k", u64::MAX), store.ttl(b"k", 5)), (Some(&b""[..]), Some(None)));
    }

    #[test]
    fn sweeping_frees_what_nobody_reads() {
        let mut store = KeyValue::default();
        for n in 0..100u64 {
            store.set(&n.to_be_bytes(), arc(b"v"), Some(n + 1), 0).expect("room");
        }
        store.set(b"stays", arc(b"v"), None, 0).expect("room");
        assert_eq!((store.next_expiry(), store.sweep(50, 20), store.sweep(50, usize::MAX), store.len()), (Some(1), 20, 30, 51));
        assert_eq!((store.sweep(1000, usize::MAX), store.len(), store.next_expiry()), (50, 1, None));
    }

    #[test]
    fn replacing_a_value_replaces_its_expiry() {
        let mut store = KeyValue::default();
        store.set(b"k", arc(b"1"), Some(10), 0).expect("room");
        store.set(b"k", arc(b"2"), Some(99), 5).expect("room");
        assert_eq!((store.sweep(50, usize::MAX), get(&store, b"k", 50)), (0, Some(&b"2"[..])));
        store.set(b"k", arc(b"3"), None, 50).expect("room");
        assert_eq!((store.sweep(500, usize::MAX), get(&store, b"k", 500), store.next_expiry()), (0, Some(&b"3"[..]), None));
    }

    #[test]
    fn add_sets_what_is_absent_or_expired_only() {
        let mut store = KeyValue::default();
        assert_eq!(store.add(b"lock", arc(b"a"), Some(10), 0), Ok(true));
        assert_eq!(store.add(b"lock", arc(b"b"), Some(10), 9), Ok(false));
        assert_eq!(store.add(b"lock", arc(b"c"), None, 10), Ok(true));
        assert_eq!(get(&store, b"lock", 10), Some(&b"c"[..]));
    }

    #[test]
    fn increment_counts_keeps_the_expiry_and_refuses_what_is_no_integer() {
        let mut store = KeyValue::default();
        assert_eq!(store.increment(b"n", 5, 0), Ok(5));
        assert_eq!(store.increment(b"n", -7, 0), Ok(-2));
        store.set(b"n", arc(b"9223372036854775807"), Some(100), 0).expect("room");
        assert_eq!(store.increment(b"n", 1, 0), Err(KeyValueError::Overflow));
        assert_eq!(store.increment(b"n", -1, 0), Ok(i64::MAX - 1));
        assert_eq!(store.ttl(b"n", 0), Some(Some(100)));
        store.set(b"n", arc(b"many"), None, 0).expect("room");
        assert_eq!(store.increment(b"n", 1, 0), Err(KeyValueError::NotAnInteger));
        assert_eq!(get(&store, b"n", 0), Some(&b"many"[..]));
    }

    #[test]
    fn it_is_bounded_in_entries_and_in_bytes_and_expired_entries_make_room() {
        let mut store = small(2, 1 << 20);
        store.set(b"a", arc(b""), Some(10), 0).expect("room");
        store.set(b"b", arc(b""), None, 0).expect("room");
        assert_eq!(store.set(b"c", arc(b""), None, 0), Err(KeyValueError::Full));
        assert_eq!(store.set(b"b", arc(b"again"), None, 0), Ok(()), "a replaced value needs no new place");
        assert_eq!(store.set(b"c", arc(b""), None, 10), Ok(()));

        let mut store = small(99, 1000);
        store.set(b"a", arc(&[0; 500]), None, 0).expect("room");
        assert_eq!(store.set(b"a", arc(&[0; 1000]), None, 0), Err(KeyValueError::Full));
        assert_eq!(get(&store, b"a", 0).map(<[u8]>::len), Some(500), "the old value is as it was");
        assert_eq!(store.set(b"a", arc(&[0; 871]), None, 0), Ok(()));
        assert_eq!(store.set(b"b", arc(b""), None, 0), Err(KeyValueError::Full));
    }

    #[test]
    fn a_key_has_bytes_but_not_too_many() {
        let mut store = KeyValue::default();
        assert_eq!(store.set(b"", arc(b"v"), None, 0), Err(KeyValueError::InvalidKey));
        assert_eq!(store.add(&[0; MAX_KEY + 1], arc(b"v"), None, 0), Err(KeyValueError::InvalidKey));
        assert_eq!(store.set(&[0; MAX_KEY], arc(b"v"), None, 0), Ok(()));
    }
}
