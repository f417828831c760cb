//! The names of channels, and what a name says of its channel.
//!
//! Who is in a channel, and what was last sent to it, is the caller's business; [`tag`] is the name by which it is kept there.

use crate::app::Limits;
use crate::error::Error;

/// Who may subscribe to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody.
    Public,
    /// Those whom the application has authorised for it.
    Private,
    /// The same, and all are told who is in it.
    Presence,
    /// As private. What is sent to it is encrypted by the application's servers, with a key that they give to the subscribers.
    Encrypted,
    /// The connections that are signed in as one user.
    ServerToUser,
}

/// What a channel's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Who may subscribe.
    pub access: Access,
    /// Whether new subscribers get the last event.
    pub cache: bool,
}

impl Kind {
    /// Whether a subscription needs a signature of the application.
    pub fn needs_auth(self) -> bool {
        match self.access {
            Access::Private | Access::Presence | Access::Encrypted => true,
            Access::Public | Access::ServerToUser => false,
        }
    }

    /// Whether a subscriber must be a member.
    pub fn needs_member(self) -> bool {
        self.access == Access::Presence
    }

    /// Whether its subscribers may send events to each other.
    pub fn has_client_events(self) -> bool {
        match self.access {
            Access::Private | Access::Presence => true,
            // A server could not encrypt them, and pusher-js refuses to send them.
            Access::Encrypted | Access::Public | Access::ServerToUser => false,
        }
    }
}

/// A channel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channel<'a> {
    /// The whole name.
    pub name: &'a str,
    /// What it says.
    pub kind: Kind,
}

/// Longer beginnings come first.
const PREFIXES: [(&str, Access, bool); 7] = [
    ("private-encrypted-cache-", Access::Encrypted, true),
    ("private-encrypted-", Access::Encrypted, false),
    ("private-cache-", Access::Private, true),
    ("private-", Access::Private, false),
    ("presence-cache-", Access::Presence, true),
    ("presence-", Access::Presence, false),
    ("cache-", Access::Public, true),
];

/// The beginning of the names of channels that carry what is sent to a user.
const SERVER_TO_USER: &str = "#server-to-user-";

impl<'a> Channel<'a> {
    /// Reads a name.
    pub fn parse(name: &'a str, limits: &Limits) -> Result<Channel<'a>, Error> {
        if let Some(user) = name.strip_prefix(SERVER_TO_USER) {
            check_user_id(user, limits).map_err(Error::InvalidChannel)?;
            return Ok(Channel { name, kind: Kind { access: Access::ServerToUser, cache: false } });
        }
        if name.is_empty() {
            return Err(Error::InvalidChannel("it is empty"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte)) {
            return Err(Error::InvalidChannel("it has a character other than A-Z a-z 0-9 _ - = @ , . ;"));
        }
        if name.len() > limits.channel_name {
            return Err(Error::InvalidChannel("it is too long"));
        }
        Ok(Channel { name, kind: kind(name) })
    }

    /// The user whose channel it is.
    pub fn user(&self) -> Option<&'a str> {
        self.name.strip_prefix(SERVER_TO_USER)
    }
}

fn kind(name: &str) -> Kind {
    let found = PREFIXES.iter().find(|(prefix, ..)| name.starts_with(prefix));
    found.map_or(Kind { access: Access::Public, cache: false }, |(_, access, cache)| Kind { access: *access, cache: *cache })
}

/// A user's id becomes a part of a channel's name, hence of a tag.
pub(crate) fn check_user_id(id: &str, limits: &Limits) -> Result<(), &'static str> {
    if id.is_empty() {
        return Err("the user's id is empty");
    }
    if id.chars().count() > limits.user_id || id.len() > MAX_USER_ID_BYTES {
        return Err("the user's id is too long");
    }
    if id.chars().any(char::is_control) {
        return Err("the user's id has a control character");
    }
    Ok(())
}

/// So that the channel's name is not longer than others can be.
const MAX_USER_ID_BYTES: usize = 184;

/// The channel by which a user is reached.
pub fn server_to_user(user_id: &str) -> String {
    format!("{SERVER_TO_USER}{user_id}")
}

/// A channel of an application as one name, at most 255 bytes: several applications may have channels of the same name.
pub fn tag(app_id: &str, channel: &str) -> String {
    format!("{app_id}:{channel}")
}

/// The application and the channel of a [`tag`].
pub fn of_tag(tag: &str) -> Option<(&str, &str)> {
    tag.split_once(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<Channel<'_>, Error> {
        Channel::parse(name, &Limits::default())
    }

    #[test]
    fn a_name_says_what_its_channel_is() {
        for (name, access, cache) in [
            ("news", Access::Public, false),
            ("cache-news", Access::Public, true),
            ("cache", Access::Public, false),
            ("private-x", Access::Private, false),
            ("private-", Access::Private, false),
            ("private", Access::Public, false),
            ("private-cache-x", Access::Private, true),
            ("private-cache", Access::Private, false),
            ("private-encrypted-x", Access::Encrypted, false),
            ("private-encrypted-cache-x", Access::Encrypted, true),
            ("presence-x", Access::Presence, false),
            ("presence-cache-x", Access::Presence, true),
            ("presence-encrypted-x", Access::Presence, false),
            ("Private-x", Access::Public, false),
            ("#server-to-user-7", Access::ServerToUser, false),
            ("#server-to-user-a b:é/private-", Access::ServerToUser, false),
        ] {
            assert_eq!(parse(name).map(|channel| channel.kind), Ok(Kind { access, cache }), "{name}");
        }
        assert_eq!(parse("#server-to-user-7").map(|channel| channel.user()), Ok(Some("7")));
        assert_eq!(parse(&server_to_user("7")).map(|channel| channel.user()), Ok(Some("7")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in
            ["", "a b", "a/b", "a:b", "a#b", "#x", "#server-to-user", "#server-to-user-", "é", "a\0", "a\n", "a*", "#server-to-user-\u{7}"]
        {
            assert!(parse(name).is_err(), "{name:?}");
        }
        assert!(parse("aZ09_-=@,.;").is_ok());
    }

    #[test]
    fn a_name_has_the_length_that_the_application_allows() {
        assert!(parse(&"a".repeat(200)).is_ok());
        assert!(parse(&"a".repeat(201)).is_err());
        let limits = Limits { channel_name: crate::app::PUSHER_CHANNEL_NAME, ..Limits::default() };
        assert!(Channel::parse(&"a".repeat(164), &limits).is_ok());
        assert!(Channel::parse(&"a".repeat(165), &limits).is_err());
        assert!(parse(&server_to_user(&"a".repeat(128))).is_ok());
        assert!(parse(&server_to_user(&"a".repeat(129))).is_err());
        assert!(parse(&server_to_user(&"😀".repeat(128))).is_err());
    }

    #[test]
    fn every_channel_of_every_application_fits_a_tag() {
        let longest = tag(&"a".repeat(54), &server_to_user(&"a".repeat(MAX_USER_ID_BYTES)));
        assert_eq!(longest.len(), 255);
        assert_eq!(of_tag(&tag("1", "#server-to-user-a:b")), Some(("1", "#server-to-user-a:b")));
    }

    #[test]
    fn client_events_are_for_channels_whose_subscribers_the_application_knows() {
        let has = |name| parse(name).map(|channel| channel.kind.has_client_events());
        for name in ["private-x", "presence-x", "private-cache-x", "presence-cache-x"] {
            assert_eq!(has(name), Ok(true), "{name}");
        }
        for name in ["x", "cache-x", "private-encrypted-x", "private-encrypted-cache-x", "#server-to-user-1"] {
            assert_eq!(has(name), Ok(false), "{name}");
        }
    }
}
