//! Names with `*`: which tags they match, and who has any of those.

use memchr::memmem;
use roaring::RoaringBitmap;

use super::bitmaps::add;

/// A name with `*`: what it begins with, what it ends with, and what comes between in this order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wildcard {
    pub(super) prefix: Box<str>,
    pub(super) middle: Vec<Box<str>>,
    pub(super) suffix: Box<str>,
}

impl Wildcard {
    /// A text in which only `*` is special. `None`: there is none in it.
    pub fn of(text: &str) -> Option<Wildcard> {
        let (prefix, rest) = text.split_once('*')?;
        let mut middle: Vec<Box<str>> = rest.split('*').map(Box::from).collect();
        let suffix = middle.pop().unwrap_or_default();
        middle.retain(|piece| !piece.is_empty());
        Some(Wildcard { prefix: prefix.into(), middle, suffix })
    }

    /// Linear in the name: taking each piece where it is first found leaves the most for the others, so nothing is tried twice.
    pub fn matches(&self, name: &str) -> bool {
        let Some(mut rest) = name.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_suffix(&*self.suffix)) else { return false };
        self.middle.iter().all(|piece| match memmem::find(rest.as_bytes(), piece.as_bytes()) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }

    /// What each name begins with that it matches.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What comparing it with a name costs beside looking at the name, in the steps of [`Steps`](crate::Steps).
    pub fn cost(&self) -> usize {
        self.middle.len().div_ceil(4)
    }

    /// The union of the sets of the tags that it matches.
    pub fn union<'a>(&self, tags: impl Iterator<Item = &'a RoaringBitmap>, within: &RoaringBitmap) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        for (n, tagged) in tags.enumerate() {
            add(&mut found, tagged);
            // Once all who matter are in, hundreds of large unions would change nothing; looking costs as much as one of them.
            if (n + 1).is_power_of_two() && within.is_subset(&found) {
                break;
            }
        }
        found
    }
}
