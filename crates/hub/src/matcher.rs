//! How stored values are compared in a search.

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::fold::fold;
use crate::information::InformationError;
use crate::patience::{GoOn, Stopped};
use crate::pattern::Pattern;

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
    /// Fits a regular expression, anywhere in the value.
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

/// From so many bytes on it is asked whether the search goes on.
const PIECE: usize = 64 << 10;
/// What a value counts for beside its bytes.
const VALUE: usize = 64;

/// A comparison made ready for many values. All but [`Operator::Regex`] take any bytes, and time in proportion to the value.
#[derive(Debug)]
pub struct Matcher<'a> {
    test: Test<'a>,
    folding: Option<Vec<u8>>,
    /// Bytes compared since `go_on` was asked.
    compared: usize,
}

#[derive(Debug)]
enum Test<'a> {
    Equal(Needle<'a>),
    NotEqual(Needle<'a>),
    Prefix(Needle<'a>),
    Suffix(Needle<'a>),
    Contains(Box<Finder<'a>>),
    Regex(Box<Pattern>),
}

type Needle<'a> = std::borrow::Cow<'a, [u8]>;

impl<'a> Matcher<'a> {
    /// Makes a comparison ready. Only a regular expression can be wrong.
    pub fn new(operator: Operator, value: &'a [u8]) -> Result<Matcher<'a>, InformationError> {
        let folded = || {
            let mut out = Vec::new();
            fold(value, &mut out);
            out
        };
        let plain = |test| Matcher { test, folding: None, compared: 0 };
        let folding = |test| Matcher { test, folding: Some(Vec::new()), compared: 0 };
        Ok(match operator {
            Operator::Equal => plain(Test::Equal(value.into())),
            Operator::NotEqual => plain(Test::NotEqual(value.into())),
            Operator::Prefix => plain(Test::Prefix(value.into())),
            Operator::Suffix => plain(Test::Suffix(value.into())),
            Operator::Contains => plain(Test::Contains(Box::new(Finder::new(value)))),
            Operator::EqualFold => folding(Test::Equal(folded().into())),
            Operator::PrefixFold => folding(Test::Prefix(folded().into())),
            Operator::SuffixFold => folding(Test::Suffix(folded().into())),
            Operator::ContainsFold => folding(Test::Contains(Box::new(Finder::new(&folded()).into_owned()))),
            Operator::Regex => plain(Test::Regex(Box::new(Pattern::new(value)?))),
        })
    }

    /// Whether a stored value fits.
    pub fn fits(&mut self, stored: &[u8], go_on: &mut dyn GoOn) -> Result<bool, Stopped> {
        self.compared += stored.len() + VALUE;
        if self.compared >= PIECE {
            self.compared = 0;
            go_on.go_on()?;
        }
        let stored = match &mut self.folding {
            Some(scratch) => {
                scratch.clear();
                fold(stored, scratch);
                &scratch[..]
            }
            None => stored,
        };
        Ok(match &mut self.test {
            Test::Equal(value) => stored == &**value,
            Test::NotEqual(value) => stored != &**value,
            Test::Prefix(value) => stored.starts_with(value),
            Test::Suffix(value) => stored.ends_with(value),
            Test::Contains(finder) => finder.find(stored).is_some(),
            Test::Regex(pattern) => return pattern.fits(stored, go_on),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::Always;

    fn fits(operator: Operator, value: &[u8], stored: &[u8]) -> bool {
        Matcher::new(operator, value).expect("legal").fits(stored, &mut Always).expect("patient")
    }

    #[test]
    fn each_operator_compares_as_its_name_says() {
        let found = |operator, value: &str| {
            ["Lyon", "lyon-3", "GRÜN", ""]
                .into_iter()
                .filter(|stored| fits(operator, value.as_bytes(), stored.as_bytes()))
                .collect::<Vec<_>>()
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
        assert_eq!(found(Operator::ContainsFold, ""), ["Lyon", "lyon-3", "GRÜN", ""]);
        assert_eq!(found(Operator::EqualFold, "l.on"), Vec::<&str>::new(), "only a regex has wildcards");
        assert_eq!(found(Operator::Regex, "^[Ll]yon(-[0-9])?$"), ["Lyon", "lyon-3"]);
    }

    #[test]
    fn operators_that_ignore_the_case_take_any_bytes() {
        let stored = b"Caf\xe9 \xc3\x9c \xff";
        for (operator, value) in [
            (Operator::EqualFold, &b"CAF\xe9 \xc3\xbc \xff"[..]),
            (Operator::PrefixFold, b"cAF\xe9"),
            (Operator::SuffixFold, b"\xc3\xbc \xff"),
            (Operator::ContainsFold, b"F\xe9 "),
            (Operator::ContainsFold, b"\xff"),
        ] {
            assert!(fits(operator, value, stored), "{operator:?} {value:?}");
        }
        for (operator, value) in [
            (Operator::EqualFold, &b"\xff"[..]),
            (Operator::ContainsFold, b"\xc9"),
            // The second byte of a character is no byte by itself.
            (Operator::ContainsFold, b"\xbc"),
            (Operator::ContainsFold, b"\x9c"),
            (Operator::SuffixFold, b"\xfe"),
        ] {
            assert!(!fits(operator, value, stored), "{operator:?} {value:?}");
        }
    }

    #[test]
    fn long_values_are_searched_for_in_long_values_in_linear_time() {
        // Quadratic by comparison at each place: 4 MiB times 1 MiB.
        let (mut stored, mut needle) = (vec![b'a'; 4 << 20], vec![b'A'; 1 << 20]);
        needle.push(b'B');
        assert!(!fits(Operator::ContainsFold, &needle, &stored));
        stored.push(b'b');
        for operator in [Operator::ContainsFold, Operator::SuffixFold] {
            assert!(fits(operator, &needle, &stored));
        }
        needle.make_ascii_lowercase();
        assert!(fits(Operator::Contains, &needle, &stored));
    }

    #[test]
    fn a_hostile_regular_expression_takes_no_exponential_time() {
        assert!(!fits(Operator::Regex, b"(a*)*b", &vec![b'a'; 100_000]));
    }
}
