//! A user in a channel, and what servers hear of it, as bytes.

use std::sync::Arc;

/// A user in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The name of the channel's route.
    pub route: Box<str>,
    /// The channel's tag.
    pub tag: Box<str>,
    /// The user.
    pub user: Box<str>,
    /// What was said about the user.
    pub info: Arc<[u8]>,
    /// The id of the client by which it has come or left, if it was one.
    pub by: Option<Arc<str>>,
    /// All servers that have [subscribed](super::Cluster::subscribe) to the channel's [topic](super::tag_topic) hear of it.
    pub followed: bool,
    /// Where Redis cannot be told of it, nobody is told of it until it can: see [`late`](super::Receiver::late). So who has gone and come again meanwhile has
    /// neither left nor joined.
    pub late: bool,
}

/// What has become of a member, on all servers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It has come.
    Here,
    /// It has left.
    Gone,
    /// It is there, and Redis did not know that: it was told that the member had left, or has lost what it knew.
    Restored,
}

/// The name of a channel: lengths before its parts, since they may have any bytes.
pub(super) fn channel(route: &str, tag: &str) -> Vec<u8> {
    [&len(route)[..], route.as_bytes(), &len(tag), tag.as_bytes()].concat()
}

fn len(text: &str) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// Takes a text with its length off the front.
fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

/// The name of the channel, and the user, by what is encoded of a member.
pub(super) fn split(member: &[u8]) -> (&[u8], &[u8]) {
    let len = |at: usize| member.get(at..at + 2).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
    let route = len(0);
    member.split_at((4 + route + len(2 + route)).min(member.len()))
}

/// The tag in the name of a channel.
pub(super) fn tag_of(mut channel: &[u8]) -> Option<&str> {
    text(&mut channel)?;
    text(&mut channel)
}

impl Member {
    /// The channel, and the user behind it.
    pub(super) fn encode(&self) -> Vec<u8> {
        [&channel(&self.route, &self.tag)[..], self.user.as_bytes()].concat()
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Member> {
        let (route, tag) = (text(&mut bytes)?.into(), text(&mut bytes)?.into());
        Some(Member { route, tag, user: std::str::from_utf8(bytes).ok()?.into(), ..Member::default() })
    }
}

impl Became {
    fn letter(self) -> u8 {
        match self {
            Became::Here => b'H',
            Became::Gone => b'G',
            Became::Restored => b'R',
        }
    }

    /// What servers hear of a member that is encoded. A script writes the same for members of dead servers, of which no client is known.
    pub(super) fn published(self, member: &[u8], by: Option<&str>, info: &[u8]) -> Vec<u8> {
        let (channel, user) = split(member);
        let mut bytes = self.published_before(by);
        bytes.extend_from_slice(&u16::try_from(user.len()).unwrap_or(u16::MAX).to_be_bytes());
        [&bytes, user, channel, info].concat()
    }

    /// The part of it before the user.
    pub(super) fn published_before(self, by: Option<&str>) -> Vec<u8> {
        let by = by.unwrap_or_default();
        [&[self.letter()][..], &len(by), by.as_bytes()].concat()
    }

    /// What was published. `None`: it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Option<(Became, Member)> {
        let (letter, mut rest) = bytes.split_first()?;
        let became = [Became::Here, Became::Gone, Became::Restored].into_iter().find(|became| became.letter() == *letter)?;
        let by = Some(text(&mut rest)?).filter(|by| !by.is_empty()).map(Arc::from);
        let (user, route, tag) = (text(&mut rest)?.into(), text(&mut rest)?.into(), text(&mut rest)?.into());
        Some((became, Member { route, tag, user, info: rest.into(), by, followed: true, late: false }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_comes_back_whatever_its_names_are() {
        for (route, tag, user) in [("chat", "room:1", "ann"), ("", "", ""), ("a\0b", "\0", "\0\u{1f600}")] {
            let member = Member { route: route.into(), tag: tag.into(), user: user.into(), ..Member::default() };
            let encoded = member.encode();
            assert_eq!(split(&encoded), (&channel(route, tag)[..], user.as_bytes()));
            assert_eq!(tag_of(split(&encoded).0), Some(tag));
            assert_eq!(Member::decode(&encoded).as_ref(), Some(&member));
            for (became, by) in [(Became::Here, None), (Became::Gone, Some("1.2")), (Became::Restored, None)] {
                let heard = Member { info: b"\xff"[..].into(), by: by.map(Arc::from), followed: true, ..member.clone() };
                assert_eq!(Became::read(&became.published(&encoded, by, b"\xff")), Some((became, heard)));
            }
        }
        for wrong in [&b""[..], b"\0", b"\0\x09abc", b"\0\x01a\0\x09b", b"\0\x01\xff\0\x01a"] {
            assert_eq!(Member::decode(wrong), None);
            assert_eq!(Became::read(wrong), None);
            assert_eq!(Became::read(&[b"H\0\0", wrong].concat()), None);
        }
    }
}
