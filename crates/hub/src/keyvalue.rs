//! The global key-value store: small values that all PHP threads share, bounded, with expiry.
//!
//! Threads that use different keys do not wait for each other: each key is guarded by the part of the map that has it. Time is milliseconds
//! since an arbitrary start, given by the caller. An entry that has expired is never seen; its memory goes when the key is set again or with
//! [`KeyValue::sweep`], which the owner calls at [`KeyValue::next_expiry`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::{DashMap, Entry as Place};
use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;
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
#[derive(Debug)]
pub struct KeyValue {
    bounds: Bounds,
    entries: DashMap<Arc<[u8]>, Entry, DefaultHashBuilder>,
    expiries: Expiries,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    value: Arc<[u8]>,
    expires: Option<u64>,
}

impl Entry {
    fn is_live(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// When entries expire.
#[derive(Debug)]
struct Expiries {
    /// Guards the entries that expire, soonest first. Locked while the part of the map that has the entry is.
    sorted: Mutex<BTreeSet<(u64, Arc<[u8]>)>>,
    /// The first of them; `u64::MAX`: there is none. Written while `sorted` is locked.
    first: AtomicU64,
    /// What [`KeyValue::tell_expiry`] has told last; likewise.
    told: AtomicU64,
}

impl Expiries {
    /// An entry that expired at `before` expires at `after`.
    fn change(&self, key: &Arc<[u8]>, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        let mut sorted = self.sorted.lock();
        if let Some(before) = before {
            sorted.remove(&(before, key.clone()));
        }
        if let Some(after) = after {
            sorted.insert((after, key.clone()));
        }
        self.first.store(sorted.first().map_or(u64::MAX, |(expires, _)| *expires), Ordering::SeqCst);
    }
}

/// What an operation makes of an entry.
type Change = Option<(Arc<[u8]>, Option<u64>)>;

impl Default for KeyValue {
    fn default() -> Self {
        KeyValue::new(Bounds::default())
    }
}

impl KeyValue {
    /// An empty store.
    pub fn new(bounds: Bounds) -> KeyValue {
        let expiries = Expiries { sorted: Mutex::default(), first: AtomicU64::new(u64::MAX), told: AtomicU64::new(u64::MAX) };
        KeyValue { bounds, entries: DashMap::default(), expiries, count: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Sets a value, which expires at the time given, if one is; an earlier value and its expiry are replaced.
    pub fn set(&self, key: &[u8], value: Arc<[u8]>, expires: Option<u64>, now: u64) -> Result<(), KeyValueError> {
        self.change(key, now, |_| Ok(Some((value.clone(), expires))))
    }

    /// Sets a value if the key has none: `true` if it was set. What a lock needs.
    pub fn add(&self, key: &[u8], value: Arc<[u8]>, expires: Option<u64>, now: u64) -> Result<bool, KeyValueError> {
        let mut added = false;
        self.change(key, now, |before| {
            added = before.is_none();
            Ok(added.then(|| (value.clone(), expires)))
        })?;
        Ok(added)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8], now: u64) -> Option<Arc<[u8]>> {
        self.entries.get(key).filter(|entry| entry.is_live(now)).map(|entry| entry.value.clone())
    }

    /// The milliseconds until a key expires: `None` for no such key, `Some(None)` for one that does not expire.
    pub fn ttl(&self, key: &[u8], now: u64) -> Option<Option<u64>> {
        self.entries.get(key).filter(|entry| entry.is_live(now)).map(|entry| entry.expires.map(|expires| expires - now))
    }

    /// Adds to a decimal integer and returns the sum; a missing key counts as 0, and an expiry stays as it is.
    pub fn increment(&self, key: &[u8], by: i64, now: u64) -> Result<i64, KeyValueError> {
        let mut sum = 0;
        self.change(key, now, |before| {
            let (number, expires) = match before {
                None => (0, None),
                Some(entry) => {
                    let text = std::str::from_utf8(&entry.value).map_err(|_| KeyValueError::NotAnInteger)?;
                    (text.parse::<i64>().map_err(|_| KeyValueError::NotAnInteger)?, entry.expires)
                }
            };
            sum = number.checked_add(by).ok_or(KeyValueError::Overflow)?;
            Ok(Some((sum.to_string().into_bytes().into(), expires)))
        })?;
        Ok(sum)
    }

    /// Deletes a key: `true` if it had a value.
    pub fn delete(&self, key: &[u8], now: u64) -> bool {
        self.remove_if(key, |_| true).is_some_and(|entry| entry.is_live(now))
    }

    /// Frees what has expired, at most so many entries; returns how many that were.
    pub fn sweep(&self, now: u64, most: usize) -> usize {
        let mut swept = 0;
        while swept < most {
            let first = self.expiries.sorted.lock().first().filter(|(expires, _)| *expires <= now).cloned();
            let Some((expires, key)) = first else { break };
            // `None`: it was changed in between, and so was its expiry.
            swept += usize::from(self.remove_if(&key, |entry| entry.expires == Some(expires)).is_some());
        }
        swept
    }

    /// When the next entry expires.
    pub fn next_expiry(&self) -> Option<u64> {
        let first = self.expiries.first.load(Ordering::SeqCst);
        (first != u64::MAX).then_some(first)
    }

    /// Calls `tell` with [`KeyValue::next_expiry`] if that is not what was told last. One thread at a time tells, so that the last word is the
    /// right one. `false`: there was nothing to tell.
    pub fn tell_expiry(&self, tell: impl FnOnce(Option<u64>) -> bool) -> bool {
        let Expiries { sorted, first, told } = &self.expiries;
        if first.load(Ordering::SeqCst) == told.load(Ordering::SeqCst) {
            return false;
        }
        let _sorted = sorted.lock();
        told.store(first.load(Ordering::SeqCst), Ordering::SeqCst);
        tell(self.next_expiry())
    }

    /// Entries held, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is held counts for so many bytes, see [`Bounds`].
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Changes the entry of a key in one step for all threads. `to` sees the live entry, if there is one, and says what comes in its place;
    /// it is called again when room had to be made. A value that does not fit leaves the old one as it was.
    fn change(
        &self,
        key: &[u8],
        now: u64,
        mut to: impl FnMut(Option<&Entry>) -> Result<Change, KeyValueError>,
    ) -> Result<(), KeyValueError> {
        check(key)?;
        // No more is swept than is needed: so many may have expired at once that freeing all of them would take long.
        while !self.try_change(key, now, &mut to)? {
            if self.sweep(now, 1) == 0 {
                return Err(KeyValueError::Full);
            }
        }
        Ok(())
    }

    /// `false`: there is no room.
    fn try_change(
        &self,
        key: &[u8],
        now: u64,
        to: impl FnOnce(Option<&Entry>) -> Result<Change, KeyValueError>,
    ) -> Result<bool, KeyValueError> {
        // Freed when the map is not locked any more: it may have many megabytes.
        let _replaced = match self.entries.entry(key.into()) {
            Place::Vacant(place) => {
                let Some((value, expires)) = to(None)? else { return Ok(true) };
                if !self.reserve(weight(key, &value), 0) {
                    return Ok(false);
                }
                self.expiries.change(place.key(), None, expires);
                place.insert(Entry { value, expires });
                None
            }
            Place::Occupied(mut place) => {
                let before = place.get();
                let Some((value, expires)) = to(Some(before).filter(|entry| entry.is_live(now)))? else { return Ok(true) };
                if !self.reserve(weight(key, &value), weight(key, &before.value)) {
                    return Ok(false);
                }
                self.expiries.change(place.key(), before.expires, expires);
                Some(place.insert(Entry { value, expires }))
            }
        };
        Ok(true)
    }

    /// Counts an entry of this weight in the place of `replaced` bytes, of which each entry has some. `false`: there is no room.
    fn reserve(&self, weight: usize, replaced: usize) -> bool {
        let more = usize::from(replaced == 0);
        let within = |most: usize, less: usize, more: usize| move |held: usize| Some(held - less + more).filter(|held| *held <= most);
        let (relaxed, Bounds { entries, bytes }) = (Ordering::Relaxed, self.bounds);
        if self.count.fetch_update(relaxed, relaxed, within(entries, 0, more)).is_err() {
            return false;
        }
        let fits = self.bytes.fetch_update(relaxed, relaxed, within(bytes, replaced, weight)).is_ok();
        if !fits {
            self.count.fetch_sub(more, relaxed);
        }
        fits
    }

    /// Removes the entry of a key if it is as wanted.
    fn remove_if(&self, key: &[u8], wanted: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        let removed = self.entries.remove_if(key, |key, entry| {
            let removes = wanted(entry);
            if removes {
                // Before anybody can set the key again.
                self.expiries.change(key, entry.expires, None);
                self.count.fetch_sub(1, Ordering::Relaxed);
                self.bytes.fetch_sub(weight(key, &entry.value), Ordering::Relaxed);
            }
            removes
        });
        removed.map(|(_, entry)| entry)
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

    fn get(store: &KeyValue, key: &[u8], now: u64) -> Option<Vec<u8>> {
        store.get(key, now).map(|value| value.to_vec())
    }

    fn small(entries: usize, bytes: usize) -> KeyValue {
        KeyValue::new(Bounds { entries, bytes })
    }

    #[test]
    fn a_value_is_there_until_it_expires_and_not_a_millisecond_longer() {
        let store = KeyValue::default();
        store.set(b"k", arc(b"v\0"), Some(1000), 0).expect("room");
        assert_eq!(get(&store, b"k", 999), Some(b"v\0".to_vec()));
        assert_eq!(store.ttl(b"k", 400), Some(Some(600)));
        assert_eq!((get(&store, b"k", 1000), store.ttl(b"k", 1000)), (None, None));
        assert!(!store.delete(b"k", 1000), "it has expired");
        assert!(store.is_empty() && store.bytes() == 0);
        store.set(b"k", arc(b""), None, 0).expect("room");
        assert_eq!((get(&store, b"k", u64::MAX), store.ttl(b"k", 5)), (Some(b"".to_vec()), Some(None)));
    }

    #[test]
    fn sweeping_frees_what_nobody_reads() {
        let store = KeyValue::default();
        for n in 0..100u64 {
            store.set(&n.to_be_bytes(), arc(b"v"), Some(n + 1), 0).expect("room");
        }
        store.set(b"stays", arc(b"v"), None, 0).expect("room");
        assert_eq!((store.next_expiry(), store.sweep(50, 20), store.sweep(50, usize::MAX), store.len()), (Some(1), 20, 30, 51));
        assert_eq!((store.sweep(1000, usize::MAX), store.len(), store.next_expiry()), (50, 1, None));
    }

    #[test]
    fn replacing_a_value_replaces_its_expiry() {
        let store = KeyValue::default();
        store.set(b"k", arc(b"1"), Some(10), 0).expect("room");
        store.set(b"k", arc(b"2"), Some(99), 5).expect("room");
        assert_eq!((store.sweep(50, usize::MAX), get(&store, b"k", 50)), (0, Some(b"2".to_vec())));
        store.set(b"k", arc(b"3"), None, 50).expect("room");
        assert_eq!((store.sweep(500, usize::MAX), get(&store, b"k", 500), store.next_expiry()), (0, Some(b"3".to_vec()), None));
    }

    #[test]
    fn add_sets_what_is_absent_or_expired_only() {
        let store = KeyValue::default();
        assert_eq!(store.add(b"lock", arc(b"a"), Some(10), 0), Ok(true));
        assert_eq!(store.add(b"lock", arc(b"b"), Some(10), 9), Ok(false));
        assert_eq!(store.add(b"lock", arc(b"c"), None, 10), Ok(true));
        assert_eq!(get(&store, b"lock", 10), Some(b"c".to_vec()));
    }

    #[test]
    fn increment_counts_keeps_the_expiry_and_refuses_what_is_no_integer() {
        let store = KeyValue::default();
        assert_eq!(store.increment(b"n", 5, 0), Ok(5));
        assert_eq!(store.increment(b"n", -7, 0), Ok(-2));
        store.set(b"n", arc(b"9223372036854775807"), Some(100), 0).expect("room");
        assert_eq!(store.increment(b"n", 1, 0), Err(KeyValueError::Overflow));
        assert_eq!(store.increment(b"n", -1, 0), Ok(i64::MAX - 1));
        assert_eq!(store.ttl(b"n", 0), Some(Some(100)));
        store.set(b"n", arc(b"many"), None, 0).expect("room");
        assert_eq!(store.increment(b"n", 1, 0), Err(KeyValueError::NotAnInteger));
        assert_eq!(get(&store, b"n", 0), Some(b"many".to_vec()));
    }

    #[test]
    fn it_is_bounded_in_entries_and_in_bytes_and_expired_entries_make_room() {
        let store = small(2, 1 << 20);
        store.set(b"a", arc(b""), Some(10), 0).expect("room");
        store.set(b"b", arc(b""), None, 0).expect("room");
        assert_eq!(store.set(b"c", arc(b""), None, 0), Err(KeyValueError::Full));
        assert_eq!(store.set(b"b", arc(b"again"), None, 0), Ok(()), "a replaced value needs no new place");
        assert_eq!(store.set(b"c", arc(b""), None, 10), Ok(()));

        let store = small(99, 1000);
        store.set(b"a", arc(&[0; 500]), None, 0).expect("room");
        assert_eq!(store.set(b"a", arc(&[0; 1000]), None, 0), Err(KeyValueError::Full));
        assert_eq!(get(&store, b"a", 0).map(|value| value.len()), Some(500), "the old value is as it was");
        assert_eq!(store.set(b"a", arc(&[0; 871]), None, 0), Ok(()));
        assert_eq!(store.set(b"b", arc(b""), None, 0), Err(KeyValueError::Full));
    }

    #[test]
    fn a_key_has_bytes_but_not_too_many() {
        let store = KeyValue::default();
        assert_eq!(store.set(b"", arc(b"v"), None, 0), Err(KeyValueError::InvalidKey));
        assert_eq!(store.add(&[0; MAX_KEY + 1], arc(b"v"), None, 0), Err(KeyValueError::InvalidKey));
        assert_eq!(store.set(&[0; MAX_KEY], arc(b"v"), None, 0), Ok(()));
    }

    #[test]
    fn the_next_expiry_is_told_when_it_changes_and_only_then() {
        let store = KeyValue::default();
        let told = || {
            let mut told = None;
            store.tell_expiry(|next| {
                told = Some(next);
                true
            });
            told
        };
        assert_eq!(told(), None);
        store.set(b"k", arc(b"v"), Some(20), 0).expect("room");
        assert_eq!((told(), told()), (Some(Some(20)), None));
        store.set(b"later", arc(b"v"), Some(30), 0).expect("room");
        assert_eq!(told(), None);
        store.increment(b"n", 1, 0).expect("room");
        assert_eq!(told(), None);
        store.delete(b"k", 0);
        assert_eq!(told(), Some(Some(30)));
        store.sweep(30, usize::MAX);
        assert_eq!((told(), store.next_expiry()), (Some(None), None));
    }

    #[test]
    fn threads_at_once_count_every_step_and_keep_the_bounds() {
        let store = small(8, 1 << 20);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let store = &store;
                scope.spawn(move || {
                    for step in 0..2_000 {
                        store.increment(b"steps", 1, step).expect("it is there, or there is room");
                        let key = [b'k', (step % 16) as u8];
                        let _ = store.set(&key, arc(b"v"), Some(step + thread), step);
                        assert!(store.len() <= 8);
                        store.delete(&key, step);
                    }
                });
            }
        });
        assert_eq!(get(&store, b"steps", u64::MAX), Some(b"8000".to_vec()));
        store.sweep(u64::MAX, usize::MAX);
        assert_eq!((store.len(), store.bytes(), store.next_expiry()), (1, weight(b"steps", b"8000"), None));
    }
}
