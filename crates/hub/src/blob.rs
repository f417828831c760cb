//! Bytes in commands: borrowed where they can be, and readable in JSON.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Any bytes. Binary formats lend them; in JSON they are a string where they are UTF-8, and `{"base64": "…"}` where they are not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob<'a>(Cow<'a, [u8]>);

impl Deref for Blob<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> From<&'a [u8]> for Blob<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Blob(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Blob<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Blob(Cow::Borrowed(bytes))
    }
}

impl From<Blob<'_>> for Box<[u8]> {
    fn from(blob: Blob<'_>) -> Self {
        blob.0.into_owned().into_boxed_slice()
    }
}

impl From<Blob<'_>> for Arc<[u8]> {
    fn from(blob: Blob<'_>) -> Self {
        blob.0[..].into()
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// The key of bytes that are no text.
const BASE64: &str = "base64";

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self);
        }
        match std::str::from_utf8(self) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(BASE64, &STANDARD.encode(&**self))?;
                map.end()
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() { deserializer.deserialize_any(Reader) } else { deserializer.deserialize_bytes(Reader) }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Blob<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or {\"base64\": \"…\"} for bytes that are no text")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(bytes.into())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Blob(Cow::Owned(bytes.into())))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(text.as_bytes().into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (Some((BASE64, encoded)), None) = (map.next_entry::<&str, Cow<'de, str>>()?, map.next_key::<&str>()?) else {
            return Err(A::Error::custom(format_args!("expected {}", Expectation(self))));
        };
        let bytes = STANDARD.decode(encoded.as_bytes()).map_err(|why| A::Error::custom(format_args!("not base64: {why}")))?;
        Ok(Blob(Cow::Owned(bytes)))
    }
}

/// What a visitor expects, as a text.
struct Expectation<V>(V);

impl<'de, V: Visitor<'de>> fmt::Display for Expectation<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn json_lends_text_and_decodes_base64_and_writes_them_back() {
        for (json, bytes, borrowed) in
            [(json!("größe \0"), "größe \0".as_bytes(), true), (json!(""), b"", true), (json!({ "base64": "/wA=" }), b"\xff\0", false)]
        {
            let blob = Blob::deserialize(&json).expect("legal");
            assert_eq!((&*blob, matches!(blob.0, Cow::Borrowed(_))), (bytes, borrowed));
            assert_eq!(serde_json::to_value(&blob).expect("serialisable"), json);
        }
    }

    #[test]
    fn what_is_neither_text_nor_base64_is_refused_with_what_would_be_right() {
        for json in [json!(1), json!(null), json!([1, 2]), json!({}), json!({ "base64": 1 }), json!({ "hex": "00" })] {
            let error = Blob::deserialize(&json).expect_err("illegal").to_string();
            assert!(error.contains("string"), "{json}: {error}");
        }
        let more: Value = json!({ "base64": "", "more": 1 });
        assert!(Blob::deserialize(&more).is_err());
        let error = Blob::deserialize(&json!({ "base64": "*" })).expect_err("illegal").to_string();
        assert!(error.contains("not base64"), "{error}");
    }
}
