//! The histories of channels, which all servers have in common.

use std::sync::Arc;

use fws_engine::redis::{Recorded, Retention};
use fws_engine::{Past, Recorder, Sent, Topic};
use fws_hub::command::SendTo;
use fws_hub::{CommandError, HistoryPolicy, Position, Target};
use serde::{Deserialize, Serialize};

use super::{Servers, topic_name};
use crate::control::protocol::read;

/// What is recorded of a message.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    route: &'a str,
    tag: &'a str,
    except: Option<&'a str>,
    binary: bool,
    #[serde(with = "serde_bytes_as_slice")]
    data: &'a [u8],
}

/// A slice of bytes, which postcard borrows.
mod serde_bytes_as_slice {
    use fws_hub::Blob;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Blob::from(data).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de [u8], D::Error> {
        <&[u8]>::deserialize(deserializer)
    }
}

/// The name of a channel: a route's name has no such byte in front of the tag that a tag could imitate.
fn channel(route: &str, tag: &str) -> String {
    format!("{}:{route}{tag}", route.len())
}

/// What was recorded: the route, the tag, and the message. `None`: it cannot be read.
pub(super) fn decode(recorded: &Recorded) -> Option<(String, String, Sent)> {
    let &Recorded { offset, time, ref payload } = recorded;
    let Entry { route, tag, except, binary, data } = read(payload).ok()?;
    let sent = Sent { offset, time, binary, except: except.map(Box::from), data: Arc::from(data) };
    Some((route.to_owned(), tag.to_owned(), sent))
}

impl Recorder for Servers {
    fn record(&self, route: &str, message: &SendTo<'_>, policy: HistoryPolicy) -> Result<(), CommandError> {
        let Target::Tag(tag) = message.to else { return Ok(()) };
        let entry = Entry { route, tag, except: message.except, binary: message.binary, data: &message.data };
        let payload = postcard::to_stdvec(&entry).expect("bug: a message that cannot be encoded");
        let retention = Retention { count: policy.count, age: policy.age };
        self.cluster.record(&channel(route, tag), &topic_name(Topic::Tag(tag)), retention, &payload)?;
        Ok(())
    }

    fn read(&self, route: &str, tag: &str, after: Option<Position>, most: usize, policy: HistoryPolicy) -> Result<Past, CommandError> {
        let records = self.cluster.records(&channel(route, tag), after, most.min(policy.count), policy.age)?;
        let last = Position { epoch: records.epoch, offset: records.last };
        let messages = records.messages.into_iter().filter_map(|recorded| Some(decode(&recorded)?.2)).collect();
        Ok(Past { last, read: records.read, messages })
    }

    fn clear(&self, route: &str, tag: &str) -> Result<bool, CommandError> {
        Ok(self.cluster.forget(&channel(route, tag))?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Entry;

    /// What is recorded of a message.
    pub fn entry(route: &str, tag: &str, data: &[u8]) -> Vec<u8> {
        postcard::to_stdvec(&Entry { route, tag, except: None, binary: false, data }).expect("it can be encoded")
    }
}
