//! Channels: tags that a route gives a policy.

use crate::expression::Wildcard;

/// A kind of channel: which tags it is, and what is kept of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The tags.
    pub pattern: ChannelPattern,
    /// What is kept of what is sent to one.
    pub history: Option<HistoryPolicy>,
    /// Whether and how it is known who is in one.
    pub presence: Option<PresencePolicy>,
}

impl Channel {
    /// The first one that a tag is.
    pub fn find<'a>(channels: &'a [Channel], tag: &str) -> Option<&'a Channel> {
        channels.iter().find(|channel| channel.pattern.matches(tag))
    }
}

/// What a channel keeps of the messages that are sent to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// The most messages.
    pub count: usize,
    /// How long each is kept, milliseconds.
    pub age: u64,
}

/// How a channel knows who is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresencePolicy {
    /// How long a user whose last connection has ended may stay away without having left, milliseconds.
    pub grace: u64,
}

/// The names that a channel's policy is for: `*` stands for any characters, as in tag expressions.
#[derive(Debug, Clone)]
pub struct ChannelPattern {
    text: Box<str>,
    /// `None`: the text stands for itself.
    wildcard: Option<Wildcard>,
}

impl ChannelPattern {
    /// Reads a pattern. Each character but `*` stands for itself.
    pub fn new(text: &str) -> ChannelPattern {
        ChannelPattern { text: text.into(), wildcard: Wildcard::of(text) }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a tag has this policy.
    pub fn matches(&self, tag: &str) -> bool {
        self.wildcard.as_ref().map_or_else(|| *self.text == *tag, |wildcard| wildcard.matches(tag))
    }
}

impl PartialEq for ChannelPattern {
    fn eq(&self, other: &ChannelPattern) -> bool {
        self.text == other.text
    }
}

impl Eq for ChannelPattern {}

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
