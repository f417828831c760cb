//! Channels: tags that a route gives a policy.

use crate::expression::Wildcard;

/// What a channel keeps of the messages that are sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// The most messages.
    pub count: usize,
    /// How long each is kept, milliseconds.
    pub age: u64,
}

/// The names that a channel's policy is for: `*` stands for any characters, as in tag expressions.
#[derive(Debug, Clone)]
pub struct ChannelPattern(Pattern);

#[derive(Debug, Clone)]
enum Pattern {
    Exact(Box<str>),
    Wildcard(Wildcard),
}

impl ChannelPattern {
    /// Reads a pattern. Each character but `*` stands for itself.
    pub fn new(text: &str) -> ChannelPattern {
        ChannelPattern(Wildcard::of(text).map_or_else(|| Pattern::Exact(text.into()), Pattern::Wildcard))
    }

    /// Whether a tag has this policy.
    pub fn matches(&self, tag: &str) -> bool {
        match &self.0 {
            Pattern::Exact(name) => **name == *tag,
            Pattern::Wildcard(wildcard) => wildcard.matches(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_is_special() {
        for (pattern, matching, others) in [
            ("room:*", &["room:", "room:1", "room:*"][..], &["room", "a room:1"][..]),
            ("*", &["a", ""], &[]),
            ("a|b", &["a|b"], &["a", "b"]),
            ("*:private:*", &["x:private:y", ":private:"], &["private", ":private"]),
            ("news", &["news"], &["new", "newss"]),
            ("a**b", &["ab", "axb"], &["a", "b"]),
        ] {
            let pattern = ChannelPattern::new(pattern);
            for tag in matching {
                assert!(pattern.matches(tag), "{pattern:?} {tag}");
            }
            for tag in others {
                assert!(!pattern.matches(tag), "{pattern:?} {tag}");
            }
        }
    }
}
