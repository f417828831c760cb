//! Who is in which channel on which server, so that joining and leaving is told once.

use std::sync::{Arc, LazyLock};

use fws_hub::ClusterError;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

use super::node::NodeId;
use super::{Cluster, Shared};
use crate::Present;

/// Members that are put back, or cleaned up, at a time.
const BATCH: usize = 500;

/// A user in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name of the channel's route.
    pub route: Box<str>,
    /// The channel's tag.
    pub tag: Box<str>,
    /// The user.
    pub user: Box<str>,
    /// What was said about the user.
    pub info: Arc<[u8]>,
}

/// The name of a channel: lengths before its parts, since they may have any bytes.
fn channel(route: &str, tag: &str) -> Vec<u8> {
    let len = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&len(route)[..], route.as_bytes(), &len(tag), tag.as_bytes()].concat()
}

impl Member {
    /// The channel, and the user behind it.
    fn encode(&self) -> Vec<u8> {
        [&channel(&self.route, &self.tag)[..], self.user.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Member> {
        let text = |bytes: &[u8]| Some(Box::from(std::str::from_utf8(bytes).ok()?));
        let split = |bytes: &'_ [u8]| -> Option<usize> { Some(usize::from(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))) };
        let route = split(bytes)?;
        let rest = bytes.get(2 + route..)?;
        let tag = split(rest)?;
        let (route, user) = (text(&bytes[2..2 + route])?, text(rest.get(2 + tag..)?)?);
        Some(Member { route, tag: text(rest.get(2..2 + tag)?)?, user, info: Arc::default() })
    }
}

/// The members that this server has, encoded.
#[derive(Debug, Default)]
pub(super) struct Members(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// With what was said about them.
    own: HashMap<Vec<u8>, Arc<[u8]>>,
    /// Those that have left while Redis could not be told.
    owed: HashSet<Vec<u8>>,
    /// Those that have come while it could not be told: it is not known whether another server has them.
    unsure: HashSet<Vec<u8>>,
}

/// A member has come (`true`) or left, and what was said about it.
type Encoded = (bool, Vec<u8>, Arc<[u8]>);

fn encoded(changes: &[(bool, &Member)]) -> Vec<Encoded> {
    changes.iter().map(|(there, member)| (*there, member.encode(), member.info.clone())).collect()
}

impl Inner {
    fn note(&mut self, changes: &[Encoded]) {
        for (there, member, info) in changes {
            if *there {
                self.own.insert(member.clone(), info.clone());
                self.owed.remove(member);
            } else {
                self.own.remove(member);
                self.unsure.remove(member);
            }
        }
    }

    /// Redis was not told of these, or it is not known whether it was.
    fn postpone(&mut self, changes: Vec<Encoded>) {
        for (there, member, _) in changes {
            match (there, self.own.contains_key(&member)) {
                (true, true) => drop(self.unsure.insert(member)),
                (false, false) => drop(self.owed.insert(member)),
                // It has changed since.
                (true, false) | (false, true) => {}
            }
        }
    }
}

/// A server has a member: 1 if no other had it.
///
/// The keys of these scripts: the servers that have the member; the members of the server; the users of the channel with what was said about them. The
/// arguments: the server, the member, the user, what was said.
const ENTER: &str = r"
local others = redis.call('SCARD', KEYS[1]) - redis.call('SISMEMBER', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
if others == 0 then
  redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
  return 1
end
redis.call('HSETNX', KEYS[3], ARGV[3], ARGV[4])
return 0
";

/// A server has a member still: 1 if Redis did not know that, and no other has it; 2 if Redis knew it, and no other has it.
const RESTORE: &str = r"
local known = redis.call('SISMEMBER', KEYS[1], ARGV[1])
local others = redis.call('SCARD', KEYS[1]) - known
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('HSETNX', KEYS[3], ARGV[3], ARGV[4])
if others > 0 then return 0 end
return 1 + known
";

/// A server has a member no more: 1 if no other has it.
const LEAVE: &str = r"
local had = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
if redis.call('SCARD', KEYS[1]) > 0 then return 0 end
redis.call('HDEL', KEYS[3], ARGV[3])
return had
";

/// A server has told in vain that it has a member no more, or perhaps not in vain: 1 if no server has it.
const OWED: &str = r"
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
if redis.call('SCARD', KEYS[1]) > 0 then return 0 end
redis.call('HDEL', KEYS[3], ARGV[3])
return 1
";

/// Takes members of a dead server away, at most so many: whether there were any, and those that no other server has, each with what was said about it.
/// Each is told to one caller only. The server is forgotten with the last.
const REAP: &str = r"
local t = redis.call('TIME')
local heard = redis.call('ZSCORE', KEYS[2], ARGV[1])
if heard and tonumber(heard) > t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3] then return {0, {}} end
local gone = {}
local some = redis.call('SPOP', KEYS[1], ARGV[4])
for _, member in ipairs(some) do
  local key = ARGV[2] .. member
  if redis.call('SREM', key, ARGV[1]) == 1 and redis.call('SCARD', key) == 0 then
    local route = string.byte(member, 1) * 256 + string.byte(member, 2)
    local tag = string.byte(member, route + 3) * 256 + string.byte(member, route + 4)
    local channel, user = ARGV[5] .. string.sub(member, 1, route + tag + 4), string.sub(member, route + tag + 5)
    gone[#gone + 1] = member
    gone[#gone + 1] = redis.call('HGET', channel, user) or ''
    redis.call('HDEL', channel, user)
  end
end
if redis.call('SCARD', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return {#some, gone}
";

/// Who is in a channel, by what is encoded of a member.
fn split(member: &[u8]) -> (&[u8], &[u8]) {
    let len = |at: usize| member.get(at..at + 2).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
    let route = len(0);
    member.split_at((4 + route + len(2 + route)).min(member.len()))
}

fn invocation<'a>(shared: &Shared, script: &'a Script, member: &[u8], info: &[u8]) -> redis::ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    let (channel, user) = split(member);
    invocation
        .key(shared.settings.key("at", member))
        .key(shared.settings.key("of", shared.node.bytes()))
        .key(shared.settings.key("in", channel))
        .arg(shared.node.as_str())
        .arg(member)
        .arg(user)
        .arg(info);
    invocation
}

/// Members that this server has, and that Redis did not know of any server.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// It has known them: it has forgotten them, or believed that this server is dead.
    pub back: Vec<Member>,
    /// They have come while it could not be told, or it is not known whether it was.
    pub come: Vec<Member>,
}

/// What this server has had to tell Redis later. It is told to nobody yet.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Members that have come, and that no other server has.
    pub come: Vec<Member>,
    /// Members that have left, and that no server has.
    pub left: Vec<Member>,
}

impl Members {
    /// Tells Redis of all members once more, which may have forgotten them. Those that it has not had, and no other server has.
    pub async fn restore(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Restored> {
        let members: Vec<(Vec<u8>, Arc<[u8]>)> = self.0.lock().own.iter().map(|(member, info)| (member.clone(), info.clone())).collect();
        self.tell_again(shared, connection, &members).await
    }

    async fn tell_again(
        &self,
        shared: &Shared,
        connection: &mut MultiplexedConnection,
        members: &[(Vec<u8>, Arc<[u8]>)],
    ) -> RedisResult<Restored> {
        let (script, mut done) = (shared.script(RESTORE), Restored::default());
        let awaited = shared.missed.are_awaited();
        for members in members.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for (member, info) in members {
                pipe.invoke_script(&invocation(shared, &script, member, info));
            }
            let restored: Vec<u8> = shared.in_time(pipe.query_async(connection)).await?;
            let mut inner = self.0.lock();
            for ((member, info), restored) in members.iter().zip(restored) {
                if !inner.own.contains_key(member) {
                    // It has left meanwhile.
                    inner.owed.insert(member.clone());
                    continue;
                }
                let unsure = if awaited { inner.unsure.contains(member) } else { inner.unsure.remove(member) };
                if unsure && awaited {
                    // Others have not told of theirs yet.
                } else if restored == 1 || unsure && restored == 2 {
                    let list = if unsure { &mut done.come } else { &mut done.back };
                    list.extend(Member::decode(member).map(|decoded| Member { info: info.clone(), ..decoded }));
                }
            }
        }
        Ok(done)
    }

    /// Tells Redis of those who have left and of those who have come while it could not be told. Not while Redis does not know yet what the others have.
    pub async fn settle(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Settled> {
        if shared.missed.are_awaited() {
            return Ok(Settled::default());
        }
        let left = self.settle_owed(shared, connection).await?;
        let unsure: Vec<(Vec<u8>, Arc<[u8]>)> = {
            let inner = self.0.lock();
            inner.unsure.iter().filter_map(|member| Some((member.clone(), inner.own.get(member)?.clone()))).collect()
        };
        let Restored { back, mut come } = self.tell_again(shared, connection, &unsure).await?;
        come.extend(back);
        Ok(Settled { come, left })
    }

    async fn settle_owed(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Vec<Member>> {
        let owed: Vec<Vec<u8>> = std::mem::take(&mut self.0.lock().owed).into_iter().collect();
        let (leave, enter, mut gone) = (Script::new(OWED), Script::new(ENTER), Vec::new());
        for (done, members) in owed.chunks(BATCH).enumerate() {
            let mut pipe = redis::pipe();
            pipe.load_script(&leave).ignore().load_script(&enter).ignore();
            for member in members {
                pipe.invoke_script(&invocation(shared, &leave, member, b""));
            }
            let left: Vec<u8> = match shared.in_time(pipe.query_async(connection)).await {
                Ok(left) => left,
                Err(error) => {
                    self.0.lock().owed.extend(owed[done * BATCH..].iter().cloned());
                    return Err(error);
                }
            };
            let last = |(member, last): (&Vec<u8>, u8)| Member::decode(member).filter(|_| last == 1);
            gone.extend(members.iter().zip(left).filter_map(last));
            // Who has come back meanwhile may have come before that.
            let back = |member: &Vec<u8>| Some((member.clone(), self.0.lock().own.get(member)?.clone()));
            for (member, info) in members.iter().filter_map(back) {
                shared.in_time(invocation(shared, &enter, &member, &info).invoke_async::<u8>(connection)).await?;
                gone.retain(|gone| gone.encode() != member);
            }
        }
        Ok(gone)
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
            .arg(settings.key("at", b""))
            .arg(settings.lease.as_millis() as u64)
            .arg(BATCH)
            .arg(settings.key("in", b""));
        let (count, gone): (usize, Vec<Vec<u8>>) = shared.in_time(reap.invoke_async(connection)).await?;
        let gone = gone.chunks_exact(2).filter_map(|pair| Some(Member { info: pair[1][..].into(), ..Member::decode(&pair[0])? }));
        Ok((count == BATCH, gone.collect()))
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
        let changes = encoded(changes);
        self.shared.members.0.lock().note(&changes);
        let (shared, asked) = (self.shared.clone(), changes.clone());
        let told = self.shared.call(move |mut connection| async move {
            static SCRIPTS: LazyLock<[Script; 2]> = LazyLock::new(|| [Script::new(LEAVE), Script::new(ENTER)]);
            let mut pipe = redis::pipe();
            for script in SCRIPTS.iter() {
                pipe.load_script(script).ignore();
            }
            for (there, member, info) in &asked {
                pipe.invoke_script(&invocation(&shared, &SCRIPTS[usize::from(*there)], member, info));
            }
            pipe.query_async::<Vec<u8>>(&mut connection).await
        });
        if told.is_err() {
            self.shared.members.0.lock().postpone(changes);
        }
        Ok(told?.into_iter().map(|told| told == 1).collect())
    }

    /// The same, but Redis is told later, and so is the [receiver](super::Receiver::late). It does not wait.
    pub fn attend_later(&self, changes: &[(bool, &Member)]) {
        let changes = encoded(changes);
        let mut inner = self.shared.members.0.lock();
        inner.note(&changes);
        inner.postpone(changes);
    }

    /// The users in a channel on all servers, with what was said about each.
    pub fn present(&self, route: &str, tag: &str) -> Result<Present, ClusterError> {
        let key = self.shared.settings.key("in", &channel(route, tag));
        let users = self.shared.call(move |mut connection| async move {
            redis::cmd("HGETALL").arg(key).query_async::<Vec<(Vec<u8>, Vec<u8>)>>(&mut connection).await
        })?;
        Ok(users.into_iter().filter_map(|(user, info)| Some((String::from_utf8(user).ok()?.into(), info.into()))).collect())
    }

    /// Of each of these users, whether it is in a channel on any server.
    pub fn are_present(&self, route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError> {
        let Some((first, more)) = users.split_first() else { return Ok(Vec::new()) };
        let mut asked = redis::cmd("HMGET");
        asked.arg(self.shared.settings.key("in", &channel(route, tag))).arg(*first).arg(more);
        let there =
            self.shared.call(move |mut connection| async move { asked.query_async::<Vec<Option<Vec<u8>>>>(&mut connection).await })?;
        Ok(there.iter().map(Option::is_some).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_comes_back_whatever_its_names_are() {
        for (route, tag, user) in [("chat", "room:1", "ann"), ("", "", ""), ("a\0b", "\0", "\0\u{1f600}")] {
            let member = Member { route: route.into(), tag: tag.into(), user: user.into(), info: Arc::default() };
            let encoded = member.encode();
            assert_eq!(split(&encoded), (&channel(route, tag)[..], user.as_bytes()));
            assert_eq!(Member::decode(&encoded), Some(member));
        }
        for wrong in [&b""[..], b"\0", b"\0\x09abc", b"\0\x01a\0\x09b", b"\0\x01\xff\0\x01a"] {
            assert_eq!(Member::decode(wrong), None);
        }
    }
}
