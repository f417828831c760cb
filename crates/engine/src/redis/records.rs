//! The histories of channels, recorded once for all servers.

use fws_hub::{ClusterError, Position};
use redis::Script;

use super::Cluster;
use super::frame::{Frame, Kind};

/// How much is kept of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Messages.
    pub count: usize,
    /// Milliseconds.
    pub age: u64,
}

/// A message that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number among all of its channel and epoch, from 1 on.
    pub offset: u64,
    /// When it was recorded, milliseconds since 1970, on the clock of Redis.
    pub time: u64,
    /// What was recorded.
    pub payload: Vec<u8>,
}

/// What is kept of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// A random number, another one where the past of the channel was lost; 0: nothing was ever recorded.
    pub epoch: u64,
    /// The number of the last message.
    pub last: u64,
    /// Up to this number the messages were read. It is below the last one where they were more than fit in one answer.
    pub read: u64,
    /// In their order.
    pub messages: Vec<Recorded>,
}

/// So many bytes are read at a time, and the rest of the message that is above that: a line that is slow carries them within the timeout.
const PAGE: usize = 256 << 10;
/// What reading a message costs, in addition to its bytes.
const OVERHEAD: usize = 64;

/// How long the epoch and the last number are known longer than the messages, milliseconds.
const REMEMBERED: u64 = 3_600_000;

/// Records a message and publishes it: its epoch and number. The message is published with `EPOCH:NUMBER:TIME:` in front of it.
const RECORD: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then
  epoch = ARGV[3]
  redis.call('HSET', KEYS[2], 'epoch', epoch, 'last', 0)
  redis.call('DEL', KEYS[1])
end
local offset = redis.call('HINCRBY', KEYS[2], 'last', 1)
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], offset .. '-0', 't', now, 'p', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2] + ARGV[7])
redis.call('PUBLISH', ARGV[5], ARGV[6] .. epoch .. ':' .. offset .. ':' .. now .. ':' .. ARGV[4])
return {epoch, offset}
";

/// Reads messages that are not too old: those after a position, or the last ones. They are fetched from the stream in pieces of about so many bytes
/// as may still be read.
const READ: &str = r"
local t = redis.call('TIME')
local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3]
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if not epoch then return {'', 0, 0, {}} end
local last = redis.call('HGET', KEYS[2], 'last')
local left, room, overhead = tonumber(ARGV[2]), tonumber(ARGV[5]), tonumber(ARGV[6])
local read = ARGV[1]
if read == '' then
  read = string.format('%.0f', math.max(0, last - left))
elseif epoch ~= ARGV[4] then
  read = '0'
end
local found, longest = {}, nil
while left > 0 and room > 0 do
  local count = 1
  if longest then count = math.max(1, math.min(left, math.floor(room / longest))) end
  local entries = redis.call('XRANGE', KEYS[1], '(' .. read .. '-0', '+', 'COUNT', count)
  for _, entry in ipairs(entries) do
    if room <= 0 then break end
    read, left = string.match(entry[1], '^%d+'), left - 1
    local length = #entry[2][4] + overhead
    if not longest or length > longest then longest = length end
    if tonumber(entry[2][2]) > oldest then
      found[#found + 1] = read
      found[#found + 1] = entry[2][2]
      found[#found + 1] = entry[2][4]
      room = room - length
    end
  end
  if #entries < count and room > 0 then
    read = last
    break
  end
end
return {epoch, last, read, found}
";

impl Cluster {
    /// Records a message of a channel, and sends it to all servers that have subscribed to a topic, this one included: see
    /// [`Receiver::recorded`](super::Receiver::recorded). Its epoch and number.
    pub fn record(&self, channel: &str, topic: &str, retention: Retention, payload: &[u8]) -> Result<(u64, u64), ClusterError> {
        let shared = &self.shared;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| ClusterError::Unavailable)?;
        let epoch = u64::from_ne_bytes(random).max(1);
        let head = Frame { kind: Kind::Record, from: shared.node, number: 0, payload: b"" }.encode(shared.settings.version);
        let (stream, meta) = (shared.settings.key("h", channel.as_bytes()), shared.settings.key("hm", channel.as_bytes()));
        let (topic, payload) = (shared.settings.key("t", topic.as_bytes()), payload.to_vec());
        let (epoch, offset) = shared.call(move |mut connection| async move {
            Script::new(RECORD)
                .key(stream)
                .key(meta)
                .arg(retention.count)
                .arg(retention.age)
                .arg(format!("{epoch:016x}"))
                .arg(payload)
                .arg(topic)
                .arg(head)
                .arg(REMEMBERED)
                .invoke_async::<(String, u64)>(&mut connection)
                .await
        })?;
        Ok((u64::from_str_radix(&epoch, 16).unwrap_or_default(), offset))
    }

    /// What is kept of a channel and is not older than `age` milliseconds: at most so many messages after a position, or the last ones. A position of
    /// another epoch is the one before all. They are no more than 256 KiB and one message: the rest is read by another call.
    pub fn records(&self, channel: &str, after: Option<Position>, most: usize, age: u64) -> Result<Records, ClusterError> {
        let shared = &self.shared;
        let (stream, meta) = (shared.settings.key("h", channel.as_bytes()), shared.settings.key("hm", channel.as_bytes()));
        let (epoch, after) = after.map_or_else(Default::default, |at| (format!("{:016x}", at.epoch), at.offset.to_string()));
        let (epoch, last, read, found) = shared.call(move |mut connection| async move {
            Script::new(READ)
                .key(stream)
                .key(meta)
                .arg(after)
                .arg(most)
                .arg(age)
                .arg(epoch)
                .arg(PAGE)
                .arg(OVERHEAD)
                .invoke_async::<(String, u64, u64, Vec<Vec<u8>>)>(&mut connection)
                .await
        })?;
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        let messages = found
            .chunks_exact(3)
            .filter_map(|three| Some(Recorded { offset: number(&three[0])?, time: number(&three[1])?, payload: three[2].clone() }))
            .collect();
        Ok(Records { epoch: u64::from_str_radix(&epoch, 16).unwrap_or_default(), last, read, messages })
    }

    /// Forgets the messages of a channel. Numbers go on. Whether there were any.
    pub fn forget(&self, channel: &str) -> Result<bool, ClusterError> {
        let mut del = redis::cmd("DEL");
        del.arg(self.shared.settings.key("h", channel.as_bytes()));
        self.shared.call(move |mut connection| async move { del.query_async::<u64>(&mut connection).await }).map(|count| count > 0)
    }
}

impl Records {
    /// The epoch, the number, the time and the rest of what was sent for a recorded message.
    pub(super) fn split(payload: &[u8]) -> Option<(u64, Recorded)> {
        let mut parts = payload.splitn(4, |byte| *byte == b':');
        let epoch = u64::from_str_radix(std::str::from_utf8(parts.next()?).ok()?, 16).ok()?;
        let offset = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let time = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        Some((epoch, Recorded { offset, time, payload: parts.next()?.to_vec() }))
    }
}
