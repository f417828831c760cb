//! Stored information: what PHP keeps about one client, gone with the client.

use std::collections::BTreeMap;

use regex::bytes::{Regex, RegexBuilder};
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

/// What is stored for one client. Costs eight bytes while it is empty.
#[derive(Debug, Default)]
pub struct Information(Option<Box<Stored>>);

#[derive(Debug, Default)]
struct Stored {
    values: BTreeMap<Box<str>, Box<[u8]>>,
    bytes: usize,
}

impl Information {
    /// Sets the value of a key.
    pub fn set(&mut self, key: &str, value: &[u8]) -> Result<(), InformationError> {
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
        stored.values.insert(key.into(), value.into());
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.as_ref()?.values.get(key).map(|value| &**value)
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
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().flat_map(|stored| stored.values.iter()).map(|(key, value)| (&**key, &**value))
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), InformationError> {
    if key.is_empty() || key.len() > MAX_NAME { Err(InformationError::InvalidKey) } else { Ok(()) }
}

/// How a value is compared with what is searched for. The numbers are part of the C ABI, the names in JSON are the
/// values of PHP's constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Operator {
    /// Equal.
    #[serde(rename = "eq")]
    Equal = 0,
    /// Not equal; a client without the key is not found.
    #[serde(rename = "neq")]
    NotEqual = 1,
    /// Begins with.
    Prefix = 2,
    /// Ends with.
    Suffix = 3,
    /// Contains.
    Contains = 4,
    /// Equal, whatever the case.
    #[serde(rename = "ieq")]
    EqualFold = 5,
    /// Begins with, whatever the case.
    #[serde(rename = "iprefix")]
    PrefixFold = 6,
    /// Ends with, whatever the case.
    #[serde(rename = "isuffix")]
    SuffixFold = 7,
    /// Contains, whatever the case.
    #[serde(rename = "icontains")]
    ContainsFold = 8,
    /// Fits a regular expression, anywhere in the value; the search takes time linear in the value.
    Regex = 9,
}

impl Operator {
    /// All, by their numbers.
    pub const ALL: [Operator; 10] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Prefix,
        Operator::Suffix,
        Operator::Contains,
        Operator::EqualFold,
        Operator::PrefixFold,
        Operator::SuffixFold,
        Operator::ContainsFold,
        Operator::Regex,
    ];
}

/// A comparison made ready for many values.
#[derive(Debug)]
pub enum Matcher<'a> {
    /// Bytes are compared as they are.
    Plain(Operator, &'a [u8]),
    /// A regular expression, given or made of a comparison that ignores case (by Unicode's simple case folding).
    Pattern(Box<Regex>),
}

impl<'a> Matcher<'a> {
    /// The longest regular expression, bytes.
    const MAX_PATTERN: usize = 4096;
    /// What a compiled one may take, bytes.
    const MAX_COMPILED: usize = 1 << 20;

    /// Makes a comparison ready. Operators that ignore case and regular expressions need UTF-8.
    pub fn new(operator: Operator, value: &'a [u8]) -> Result<Matcher<'a>, InformationError> {
        let (before, after) = match operator {
            Operator::EqualFold => ("\\A", "\\z"),
            Operator::PrefixFold => ("\\A", ""),
            Operator::SuffixFold => ("", "\\z"),
            Operator::ContainsFold | Operator::Regex => ("", ""),
            _ => return Ok(Matcher::Plain(operator, value)),
        };
        let text = std::str::from_utf8(value).map_err(|_| InformationError::Pattern("it is not UTF-8".into()))?;
        if text.len() > Self::MAX_PATTERN {
            return Err(InformationError::Pattern(format!("it has more than {} bytes", Self::MAX_PATTERN)));
        }
        let folded = operator != Operator::Regex;
        let pattern = if folded { format!("{before}{}{after}", regex::escape(text)) } else { text.to_owned() };
        RegexBuilder::new(&pattern)
            .case_insensitive(folded)
            .size_limit(Self::MAX_COMPILED)
            .dfa_size_limit(Self::MAX_COMPILED)
            .build()
            .map(|regex| Matcher::Pattern(Box::new(regex)))
            .map_err(|error| InformationError::Pattern(error.to_string()))
    }

    /// Whether a stored value fits.
    pub fn fits(&self, stored: &[u8]) -> bool {
        match self {
            Matcher::Pattern(regex) => regex.is_match(stored),
            Matcher::Plain(operator, value) => match operator {
                Operator::Equal => stored == *value,
                Operator::NotEqual => stored != *value,
                Operator::Prefix => stored.starts_with(value),
                Operator::Suffix => stored.ends_with(value),
                _ => value.is_empty() || stored.windows(value.len()).any(|window| window == *value),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_set_replaced_listed_and_deleted_and_nothing_is_left() {
        let mut information = Information::default();
        information.set("b", b"\0").expect("room");
        information.set("a", b"1").expect("room");
        information.set("a", b"two").expect("room");
        assert_eq!(information.iter().collect::<Vec<_>>(), [("a", &b"two"[..]), ("b", b"\0")]);
        assert_eq!((information.get("a"), information.get("c")), (Some(&b"two"[..]), None));
        assert!(information.delete("a") && !information.delete("a") && information.delete("b"));
        assert!(information.0.is_none());
        assert_eq!(size_of::<Information>(), 8);
    }

    #[test]
    fn a_client_is_bounded_in_keys_and_bytes() {
        let mut information = Information::default();
        assert_eq!(information.set("", b""), Err(InformationError::InvalidKey));
        assert_eq!(information.set(&"k".repeat(256), b""), Err(InformationError::InvalidKey));
        for n in 0..MAX_KEYS {
            information.set(&n.to_string(), b"").expect("room");
        }
        assert_eq!(information.set("more", b""), Err(InformationError::Full));
        assert_eq!(information.set("0", b"replaced"), Ok(()));
        information.clear();
        information.set("k", &vec![0; MAX_BYTES - 1]).expect("room");
        assert_eq!(information.set("l", b""), Err(InformationError::Full));
        assert_eq!(information.set("k", &vec![0; MAX_BYTES]), Err(InformationError::Full));
        assert_eq!(information.get("k").map(<[u8]>::len), Some(MAX_BYTES - 1), "the old value is as it was");
    }

    #[test]
    fn each_operator_compares_as_its_name_says() {
        let found = |operator, value: &str| {
            let matcher = Matcher::new(operator, value.as_bytes()).expect("legal");
            ["Lyon", "lyon-3", "GRÜN", ""].into_iter().filter(|stored| matcher.fits(stored.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(found(Operator::Equal, "Lyon"), ["Lyon"]);
        assert_eq!(found(Operator::NotEqual, "Lyon"), ["lyon-3", "GRÜN", ""]);
        assert_eq!(found(Operator::Prefix, "lyon"), ["lyon-3"]);
        assert_eq!(found(Operator::Suffix, "on"), ["Lyon"]);
        assert_eq!(found(Operator::Contains, "yo"), ["Lyon", "lyon-3"]);
        assert_eq!(found(Operator::Contains, ""), ["Lyon", "lyon-3", "GRÜN", ""]);
        assert_eq!(found(Operator::EqualFold, "grün"), ["GRÜN"]);
        assert_eq!(found(Operator::PrefixFold, "LYON"), ["Lyon", "lyon-3"]);
        assert_eq!(found(Operator::SuffixFold, "ÜN"), ["GRÜN"]);
        assert_eq!(found(Operator::ContainsFold, "YO"), ["Lyon", "lyon-3"]);
        assert_eq!(found(Operator::EqualFold, "l.on"), Vec::<&str>::new(), "only a regex has wildcards");
        assert_eq!(found(Operator::Regex, "^[Ll]yon(-[0-9])?$"), ["Lyon", "lyon-3"]);
    }

    #[test]
    fn a_regular_expression_that_is_wrong_or_too_big_is_refused() {
        for pattern in ["(", "a{999999}{999999}", "\\w{500}\\w{500}\\w{500}"] {
            assert!(matches!(Matcher::new(Operator::Regex, pattern.as_bytes()), Err(InformationError::Pattern(_))), "{pattern}");
        }
        assert!(Matcher::new(Operator::Regex, &vec![b'a'; 5000]).is_err());
        assert!(Matcher::new(Operator::EqualFold, b"\xff").is_err());
        // Exponential for a backtracking engine.
        let hostile = Matcher::new(Operator::Regex, b"(a*)*b").expect("legal");
        assert!(!hostile.fits(&vec![b'a'; 100_000]));
    }
}
