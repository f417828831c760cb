//! Who a client is: the member of a presence channel, and the user that a connection is signed in as.
//!
//! Both are described in JSON that the application has signed, `channel_data` and `user_data`. An id is text here, whatever it was there:
//! numbers and texts would be two members to a client's program, and one to its list of members.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::app::Limits;
use crate::channel::check_user_id;
use crate::error::Error;
use crate::json;

/// A member of a presence channel: a user, who may be there by several connections.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user_id: Arc<str>,
    /// What the others are told, as JSON.
    pub user_info: Option<Box<RawValue>>,
}

/// What a connection is signed in as.
#[derive(Debug, Clone)]
pub struct User {
    /// Who.
    pub id: Arc<str>,
    /// What presence channels tell of the user, as JSON.
    pub info: Option<Box<RawValue>>,
    /// Users whose coming and going this one wants to know, each once.
    pub watchlist: Vec<String>,
}

impl PartialEq for Member {
    fn eq(&self, other: &Member) -> bool {
        self.user_id == other.user_id && text(&self.user_info) == text(&other.user_info)
    }
}

impl PartialEq for User {
    fn eq(&self, other: &User) -> bool {
        self.id == other.id && text(&self.info) == text(&other.info) && self.watchlist == other.watchlist
    }
}

fn text(info: &Option<Box<RawValue>>) -> Option<&str> {
    info.as_deref().map(RawValue::get)
}

impl Member {
    /// Reads `channel_data`.
    pub fn parse(channel_data: &str, limits: &Limits) -> Result<Member, Error> {
        #[derive(Deserialize)]
        struct Data<'a> {
            user_id: Id,
            #[serde(borrow, default, deserialize_with = "json::present")]
            user_info: Option<&'a RawValue>,
        }
        let data: Data<'_> = json::object(channel_data.as_bytes()).map_err(Error::InvalidMember)?;
        check_user_id(&data.user_id.0, limits).map_err(Error::InvalidMember)?;
        Ok(Member { user_id: data.user_id.0.into(), user_info: info(data.user_info, limits)? })
    }

    /// A member as the caller keeps it: [`info`](Member::info) as bytes. `None`: they are no JSON.
    pub fn new(user_id: Arc<str>, info: &[u8]) -> Option<Member> {
        let user_info = if info.is_empty() { None } else { Some(json::parse::<&RawValue>(info).ok()?.to_owned()) };
        Some(Member { user_id, user_info })
    }

    /// What the others are told, as JSON; empty: nothing.
    pub fn info(&self) -> &str {
        text(&self.user_info).unwrap_or_default()
    }

    /// What a user is where no `channel_data` says anything else.
    pub fn of(user: &User) -> Member {
        Member { user_id: user.id.clone(), user_info: user.info.clone() }
    }
}

impl User {
    /// Reads `user_data`.
    pub fn parse(user_data: &str, limits: &Limits) -> Result<User, Error> {
        #[derive(Deserialize)]
        struct Data<'a> {
            id: Id,
            #[serde(borrow, default, deserialize_with = "json::present")]
            user_info: Option<&'a RawValue>,
            #[serde(default)]
            watchlist: Option<Vec<Id>>,
        }
        let data: Data<'_> = json::object(user_data.as_bytes()).map_err(Error::SignInRefused)?;
        check_user_id(&data.id.0, limits).map_err(Error::SignInRefused)?;
        let watchlist = data.watchlist.unwrap_or_default();
        if watchlist.len() > limits.watchlist {
            return Err(Error::WatchlistTooLong(limits.watchlist));
        }
        for id in &watchlist {
            check_user_id(&id.0, limits).map_err(Error::SignInRefused)?;
        }
        let mut seen = hashbrown::HashSet::with_capacity(watchlist.len());
        let watchlist = watchlist.into_iter().map(|id| id.0).filter(|id| seen.insert(id.clone())).collect();
        Ok(User { id: data.id.0.into(), info: info(data.user_info, limits)?, watchlist })
    }
}

fn info(info: Option<&RawValue>, limits: &Limits) -> Result<Option<Box<RawValue>>, Error> {
    match info {
        Some(info) if info.get().len() > limits.user_info => Err(Error::TooLarge { what: "user_info", most: limits.user_info }),
        Some(info) => Ok(Some(info.to_owned())),
        None => Ok(None),
    }
}

/// An id: text, or a whole number, which becomes its digits.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a whole number")
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(Id(text.to_owned()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
                Ok(Id(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Id, E> {
                Ok(Id(number.to_string()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(data: &str) -> Result<(String, Option<String>), Error> {
        Member::parse(data, &Limits::default()).map(|member| (member.user_id.to_string(), text(&member.user_info).map(str::to_owned)))
    }

    #[test]
    fn an_id_is_text_or_a_whole_number() {
        assert_eq!(member(r#"{"user_id":"a b"}"#), Ok(("a b".into(), None)));
        assert_eq!(member(r#"{"user_id":7,"user_info":{"name": "é"},"more":1}"#), Ok(("7".into(), Some(r#"{"name": "é"}"#.into()))));
        assert_eq!(member(r#"{"user_id":-7,"user_info":null}"#), Ok(("-7".into(), Some("null".into()))));
        assert_eq!(member(r#"{"user_id":18446744073709551615}"#), Ok(("18446744073709551615".into(), None)));
        for id in ["1.5", "1e3", "true", "null", "[]", "{}", r#""""#, r#""a\u0000""#] {
            assert!(member(&format!(r#"{{"user_id":{id}}}"#)).is_err(), "{id}");
        }
        for data in ["", "{}", "[]", "[1]", "null", r#"{"user_id":"a","user_id":"b"}"#, r#"{"user_id":"a"} x"#] {
            assert!(member(data).is_err(), "{data}");
        }
    }

    #[test]
    fn a_member_has_limits() {
        let long = |length| member(&format!(r#"{{"user_id":"{}"}}"#, "a".repeat(length))).is_ok();
        assert!(long(128) && !long(129));
        let large = |length: usize| member(&format!(r#"{{"user_id":1,"user_info":"{}"}}"#, "a".repeat(length - 2)));
        assert!(large(1024).is_ok());
        assert_eq!(large(1025), Err(Error::TooLarge { what: "user_info", most: 1024 }));
        let deep = format!(r#"{{"user_id":1,"user_info":{}{}}}"#, "[".repeat(500), "]".repeat(500));
        assert!(member(&deep).is_err());
    }

    #[test]
    fn a_member_is_kept_as_an_id_and_bytes() {
        for data in [r#"{"user_id":"1","user_info":{"a": "é"}}"#, r#"{"user_id":"1"}"#, r#"{"user_id":"1","user_info":null}"#] {
            let member = Member::parse(data, &Limits::default()).expect("a member");
            assert_eq!(Member::new(member.user_id.clone(), member.info().as_bytes()), Some(member), "{data}");
        }
        assert_eq!(Member::new("1".into(), b"{"), None);
        assert_eq!(Member::new("1".into(), b"\xff"), None);
    }

    #[test]
    fn a_user_has_an_id_and_perhaps_a_watchlist() {
        let user = User::parse(r#"{"id":"1","user_info":{"a":1},"watchlist":["2",3,2]}"#, &Limits::default()).expect("a user");
        assert_eq!((&*user.id, &user.watchlist[..]), ("1", &["2".to_owned(), "3".to_owned()][..]));
        assert_eq!(Member::of(&user), Member::parse(r#"{"user_id":"1","user_info":{"a":1}}"#, &Limits::default()).expect("a member"));
        for data in [r#"{"id":""}"#, r#"{"user_id":"1"}"#, r#"{"id":"1","watchlist":{}}"#, r#"{"id":"1","watchlist":[""]}"#, "1"] {
            assert!(matches!(User::parse(data, &Limits::default()), Err(Error::SignInRefused(_))), "{data}");
        }
        let many = format!(r#"{{"id":"1","watchlist":[{}1]}}"#, "1,".repeat(100));
        assert_eq!(User::parse(&many, &Limits::default()), Err(Error::WatchlistTooLong(100)));
    }
}
