//! JSON of peers: read within bounds.
//!
//! Parts of it are carried on as they are ([`RawValue`]), which serde_json reads without a limit of depth; so the depth is bounded here,
//! for the sake of those who read it later.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The deepest nesting. serde_json's own limit is the same.
pub(crate) const MAX_DEPTH: usize = 127;

/// Reads a value; nothing may stand behind it. The error says what is wrong, without the text.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, &'static str> {
    if is_too_deep(text) {
        return Err("the JSON is nested too deeply");
    }
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "a field is missing, given twice, or of the wrong type",
        _ => "it is not JSON",
    })
}

/// Reads an object. An array would do for serde, which takes its elements for the fields, and for nobody else.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, &'static str> {
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err("it is not an object");
    }
    parse(text)
}

/// Whether brackets are nested too deeply. What is no JSON gets any answer.
fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// For a field that may be missing: tells that from `null`.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A value of ours as JSON.
pub(crate) fn write<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("bug: names and values that are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Named {
            name: u32,
        }
        assert_eq!(object(br#" {"name":1}"#), Ok(Named { name: 1 }));
        assert_eq!(object::<Named>(b" [1]"), Err("it is not an object"));
        assert_eq!(object::<Named>(b" "), Err("it is not JSON"));
    }

    #[test]
    fn nesting_has_a_limit_and_brackets_in_strings_do_not_count() {
        assert!(parse::<&RawValue>(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse::<&RawValue>(nested(MAX_DEPTH + 1).as_bytes()).err(), Some("the JSON is nested too deeply"));
        assert_eq!(parse::<&RawValue>(nested(100_000).as_bytes()).err(), Some("the JSON is nested too deeply"));
        let text = format!(r#""\"{}\\""#, "[{".repeat(1000));
        assert!(parse::<&RawValue>(text.as_bytes()).is_ok());
        let wide = format!("[{}1]", "[],".repeat(1000));
        assert!(parse::<&RawValue>(wide.as_bytes()).is_ok());
    }
}
