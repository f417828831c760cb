//! Who is in which channel on which server, so that joining and leaving is told once.

use std::sync::LazyLock;

use fws_hub::ClusterError;
use hashbrown::HashSet;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

use super::node::NodeId;
use super::{Cluster, Shared};

/// Members that are put back, or cleaned up, at a time.
const BATCH: usize = 500;

/// A user in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The name of the channel's route.
    pub route: Box<str>,
    /// The channel's tag.
    pub tag: Box<str>,
    /// The user.
    pub user: Box<str>,
}

impl Member {
    /// Lengths before the first two, since all three may have any bytes.
    fn encode(&self) -> Vec<u8> {
        let len = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&len(&self.route)[..], self.route.as_bytes(), &len(&self.tag), self.tag.as_bytes(), self.user.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Member> {
        let text = |bytes: &[u8]| Some(Box::from(std::str::from_utf8(bytes).ok()?));
        let split = |bytes: &'_ [u8]| -> Option<usize> { Some(usize::from(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))) };
        let route = split(bytes)?;
        let rest = bytes.get(2 + route..)?;
        let tag = split(rest)?;
        Some(Member { route: text(&bytes[2..2 + route])?, tag: text(rest.get(2..2 + tag)?)?, user: text(rest.get(2 + tag..)?)? })
    }
}

/// The members that this server has, encoded.
#[derive(Debug, Default)]
pub(super) struct Members(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: HashSet<Vec<u8>>,
    /// Those that have left while Redis could not be told.
    owed: HashSet<Vec<u8>>,
}

/// A server has a member: 1 if no other had it.
const ENTER: &str = r"
local others = redis.call('SCARD', KEYS[1]) - redis.call('SISMEMBER', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
if others == 0 then return 1 end
return 0
";

/// A server has a member still: 1 if Redis did not know that, and no other has it.
const RESTORE: &str = r"
local known = redis.call('SISMEMBER', KEYS[1], ARGV[1])
local others = redis.call('SCARD', KEYS[1]) - known
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
if known == 0 and others == 0 then return 1 end
return 0
";

/// A server has a member no more: 1 if no other has it.
const LEAVE: &str = r"
local had = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
if had == 1 and redis.call('SCARD', KEYS[1]) == 0 then return 1 end
return 0
";

/// Takes members of a dead server away, at most so many: whether there were any, and those that no other server has. Each is told to one caller
/// only. The server is forgotten with the last.
const REAP: &str = r"
local t = redis.call('TIME')
local heard = redis.call('ZSCORE', KEYS[2], ARGV[1])
if heard and tonumber(heard) > t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3] then return {0, {}} end
local gone = {}
local some = redis.call('SPOP', KEYS[1], ARGV[4])
for _, member in ipairs(some) do
  local key = ARGV[2] .. member
  if redis.call('SREM', key, ARGV[1]) == 1 and redis.call('SCARD', key) == 0 then
    gone[#gone + 1] = member
  end
end
if redis.call('SCARD', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return {#some, gone}
";

fn invocation<'a>(shared: &Shared, script: &'a Script, member: &[u8]) -> redis::ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    invocation
        .key(shared.settings.key("m", member))
        .key(shared.settings.key("of", shared.node.bytes()))
        .arg(shared.node.as_str())
        .arg(member);
    invocation
}

impl Members {
    /// Tells Redis of all members once more, which may have forgotten them. Those that it had, and nobody else has.
    pub async fn restore(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Vec<Member>> {
        let members: Vec<Vec<u8>> = self.0.lock().own.iter().cloned().collect();
        let (script, mut anew) = (shared.script(RESTORE), Vec::new());
        for members in members.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for member in members {
                pipe.invoke_script(&invocation(shared, &script, member));
            }
            let restored: Vec<u8> = shared.in_time(pipe.query_async(connection)).await?;
            let mut inner = self.0.lock();
            for (member, restored) in members.iter().zip(restored) {
                if !inner.own.contains(member) {
                    // It has left meanwhile.
                    inner.owed.insert(member.clone());
                } else if restored == 1 {
                    anew.extend(Member::decode(member));
                }
            }
        }
        Ok(anew)
    }

    /// Tells Redis of those who have left while it could not be told.
    pub async fn settle(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let owed: Vec<Vec<u8>> = std::mem::take(&mut self.0.lock().owed).into_iter().collect();
        let (leave, enter) = (Script::new(LEAVE), Script::new(ENTER));
        for (done, members) in owed.chunks(BATCH).enumerate() {
            let mut pipe = redis::pipe();
            pipe.load_script(&leave).ignore().load_script(&enter).ignore();
            for member in members {
                pipe.invoke_script(&invocation(shared, &leave, member)).ignore();
            }
            let settled = shared.in_time(pipe.query_async::<()>(connection)).await;
            if settled.is_err() {
                self.0.lock().owed.extend(owed[done * BATCH..].iter().cloned());
                return settled;
            }
            // Who has come back meanwhile may have come before that.
            let back: Vec<&Vec<u8>> = members.iter().filter(|member| self.0.lock().own.contains(*member)).collect();
            for member in back {
                shared.in_time(invocation(shared, &enter, member).invoke_async::<u8>(connection)).await?;
            }
        }
        Ok(())
    }

    /// Cleans up a part of what a dead server has left: whether there may be more, and the members that were on that server only.
    pub async fn reap(&self, shared: &Shared, connection: &mut MultiplexedConnection, node: NodeId) -> RedisResult<(bool, Vec<Member>)> {
        let settings = &shared.settings;
        let script = Script::new(REAP);
        let mut reap = script.prepare_invoke();
        reap.key(settings.key("of", node.bytes()))
            .key(settings.key("nodes", b""))
            .key(settings.key("labels", b""))
            .arg(node.as_str())
            .arg(settings.key("m", b""))
            .arg(settings.lease.as_millis() as u64)
            .arg(BATCH);
        let (count, gone): (usize, Vec<Vec<u8>>) = shared.in_time(reap.invoke_async(connection)).await?;
        Ok((count == BATCH, gone.iter().filter_map(|member| Member::decode(member)).collect()))
    }
}

impl Cluster {
    /// This server has a member. `true`: no other server had it.
    pub fn enter(&self, member: &Member) -> Result<bool, ClusterError> {
        Ok(self.attend(&[(true, member)])?[0])
    }

    /// This server has a member no more. `true`: no other server has it.
    pub fn leave(&self, member: &Member) -> Result<bool, ClusterError> {
        Ok(self.attend(&[(false, member)])?[0])
    }

    /// This server has members (`true`), or has them no more, in this order. For each: whether no other server had it, or has it.
    pub fn attend(&self, changes: &[(bool, &Member)]) -> Result<Vec<bool>, ClusterError> {
        let changes: Vec<(bool, Vec<u8>)> = changes.iter().map(|(there, member)| (*there, member.encode())).collect();
        {
            let mut inner = self.shared.members.0.lock();
            for (there, member) in &changes {
                if *there {
                    inner.own.insert(member.clone());
                    inner.owed.remove(member);
                } else {
                    inner.own.remove(member);
                }
            }
        }
        let (shared, asked) = (self.shared.clone(), changes.clone());
        let told = self.shared.call(move |mut connection| async move {
            static SCRIPTS: LazyLock<[Script; 2]> = LazyLock::new(|| [Script::new(LEAVE), Script::new(ENTER)]);
            let mut pipe = redis::pipe();
            for script in SCRIPTS.iter() {
                pipe.load_script(script).ignore();
            }
            for (there, member) in &asked {
                pipe.invoke_script(&invocation(&shared, &SCRIPTS[usize::from(*there)], member));
            }
            pipe.query_async::<Vec<u8>>(&mut connection).await
        });
        if told.is_err() {
            let mut inner = self.shared.members.0.lock();
            for (there, member) in changes {
                if !there && !inner.own.contains(&member) {
                    inner.owed.insert(member);
                }
            }
        }
        Ok(told?.into_iter().map(|told| told == 1).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_comes_back_whatever_its_names_are() {
        for (route, tag, user) in [("chat", "room:1", "ann"), ("", "", ""), ("a\0b", "\0", "\0\u{1f600}")] {
            let member = Member { route: route.into(), tag: tag.into(), user: user.into() };
            assert_eq!(Member::decode(&member.encode()), Some(member));
        }
        for wrong in [&b""[..], b"\0", b"\0\x09abc", b"\0\x01a\0\x09b", b"\0\x01\xff\0\x01a"] {
            assert_eq!(Member::decode(wrong), None);
        }
    }
}
