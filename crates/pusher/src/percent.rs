//! Percent-encoding of paths and queries.

use std::borrow::Cow;

/// A part of a path. `None`: it is not UTF-8, or a `%` stands without its two digits.
pub(crate) fn path(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    decode(text, false).map(Cow::Owned)
}

/// A name or a value of a query, in which a `+` is a space.
pub(crate) fn query(text: &str) -> Option<String> {
    decode(text, true)
}

fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_and_what_is_broken_is_not() {
        assert_eq!(path("a%2Fb+c").as_deref(), Some("a/b+c"));
        assert_eq!(query("a%2fb+c%2B").as_deref(), Some("a/b c+"));
        assert_eq!(query("%C3%A9").as_deref(), Some("é"));
        for broken in ["%", "%2", "%zz", "%ff", "a%", "%é"] {
            assert_eq!(query(broken), None, "{broken:?}");
        }
    }
}
