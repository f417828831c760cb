//! The name of a connection: two numbers with a dot between them.
//!
//! What the numbers mean is the caller's business: it makes an id from numbers by which it finds the connection again, on whatever server
//! that is. Pusher's libraries check the form, and sign the text.

use std::fmt;

/// A connection's `socket_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    /// The number in front of the dot.
    pub first: u64,
    /// The number behind it.
    pub second: u64,
}

impl SocketId {
    /// An id from the caller's numbers.
    pub fn new(first: u64, second: u64) -> SocketId {
        SocketId { first, second }
    }

    /// Reads an id as [`SocketId`] is written. `None`: no connection can have this one, though it may be
    /// [well formed](SocketId::is_well_formed).
    pub fn parse(text: &str) -> Option<SocketId> {
        let (first, second) = text.split_once('.')?;
        Some(SocketId { first: number(first)?, second: number(second)? })
    }

    /// Whether Pusher's libraries take the text for an id: digits, a dot, digits.
    pub fn is_well_formed(text: &str) -> bool {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('.').is_some_and(|(first, second)| digits(first) && digits(second))
    }
}

/// A number in the one form that it is written in: a second form would be a second name for the same connection.
fn number(digits: &str) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| canonical)
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.first, self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for id in [SocketId::new(0, 0), SocketId::new(1, 2), SocketId::new(u64::MAX, u64::MAX)] {
            let text = id.to_string();
            assert_eq!(SocketId::parse(&text), Some(id));
            assert!(SocketId::is_well_formed(&text));
        }
        assert_eq!(SocketId::new(12, 345).to_string(), "12.345");
    }

    #[test]
    fn no_connection_has_two_names() {
        for text in
            ["", ".", "1", "1.", ".1", "01.1", "1.01", "+1.1", "1.2.3", "1,2", "a.b", "-1.1", " 1.1", "1.1\n", "18446744073709551616.1"]
        {
            assert_eq!(SocketId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_form_is_what_the_libraries_check() {
        for text in ["1.1", "01.1", "123456789012345678901234567890.1"] {
            assert!(SocketId::is_well_formed(text), "{text:?}");
        }
        for text in ["", "1", "1.", ".1", "1.1.1", "1.1\n", "1.1:x", "١.١"] {
            assert!(!SocketId::is_well_formed(text), "{text:?}");
        }
    }
}
