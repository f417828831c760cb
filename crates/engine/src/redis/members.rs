//! Who is in which channel on which server, so that joining and leaving is told once.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use fws_hub::ClusterError;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};
use tokio::time::sleep;

use super::frame::{Frame, Kind};
use super::member::{Became, Member, channel, split};
use super::node::NodeId;
use super::{Cluster, Shared, topics};
use crate::Present;

/// Members that are put back, or cleaned up, at a time.
const BATCH: usize = 500;
/// How often it is looked whether nobody waits for Redis any more.
const PAUSE: Duration = Duration::from_millis(5);

/// The members that this server has, encoded.
#[derive(Debug, Default)]
pub(super) struct Members(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    own: HashMap<Vec<u8>, Said>,
    /// Those that have left while Redis could not be told, and whether that is to be told once it can: not of those whose coming was not told either.
    owed: HashMap<Vec<u8>, bool>,
    /// Those that have come while it could not be told: it is not known whether another server has them. And whether that is to be told.
    unsure: HashMap<Vec<u8>, bool>,
    /// So many calls wait for what Redis says to changes.
    underway: usize,
}

/// What is known of a member.
#[derive(Debug, Clone)]
struct Said {
    /// What was said about it.
    info: Arc<[u8]>,
    /// See [`Member::by`].
    by: Option<Arc<str>>,
    /// See [`Member::followed`].
    followed: bool,
    /// See [`Member::late`].
    late: bool,
}

/// A change of the list of a channel.
#[derive(Debug, Clone)]
struct Encoded {
    /// The member has come; else it has left.
    there: bool,
    member: Vec<u8>,
    said: Said,
    /// It is to be told: the change before it is not one that was not told.
    told: bool,
}

fn encoded(changes: &[(bool, &Member)]) -> Vec<Encoded> {
    let encode = |(there, member): &(bool, &Member)| Encoded {
        there: *there,
        member: member.encode(),
        said: Said { info: member.info.clone(), by: member.by.clone(), followed: member.followed, late: member.late },
        told: true,
    };
    changes.iter().map(encode).collect()
}

impl Inner {
    fn note(&mut self, changes: &mut [Encoded]) {
        for change in changes {
            self.make_good(change);
            let Encoded { there, member, said, .. } = change;
            if *there {
                self.own.insert(member.clone(), said.clone());
            } else if let Some(before) = self.own.remove(member) {
                // Who has heard of its coming has to hear of its going, whatever has become of its route.
                said.followed |= before.followed;
            }
        }
    }

    /// A change that makes good for one that was not told is not told either.
    fn make_good(&mut self, Encoded { there, member, said, told }: &mut Encoded) {
        let before = if *there { self.owed.remove(member) } else { self.unsure.remove(member) };
        *told &= !(said.late && before == Some(true));
    }

    /// Redis was not told of these, or it is not known whether it was.
    fn postpone(&mut self, mut changes: Vec<Encoded>) {
        for change in &mut changes {
            self.make_good(change);
            let postponed = if change.there { &mut self.unsure } else { &mut self.owed };
            postponed.insert(change.member.clone(), change.told);
        }
        // One may have changed since.
        for Encoded { member, .. } in &changes {
            let wrong = if self.own.contains_key(member) { &mut self.owed } else { &mut self.unsure };
            wrong.remove(member);
        }
    }

    /// Those that have come while Redis could not be told, and of whom that is to be told or not.
    fn unsure(&self, told: bool) -> Vec<(Vec<u8>, Said)> {
        let those = self.unsure.iter().filter(|(_, to_be_told)| **to_be_told == told);
        those.filter_map(|(member, _)| Some((member.clone(), self.own.get(member)?.clone()))).collect()
    }
}

// Nothing but these scripts changes the list of a channel, and each publishes the change in the same step. So all servers hear of the changes in the
// order of the list, whichever servers they come from.
//
// The keys of these scripts but the last: the servers that have the member; the members of the server; the users of the channel with what was said
// about them. The arguments: the server, the member, the user, what was said; where the change is published, or nothing, and what is.

/// A server has a member: 1 if no other had it.
const ENTER: &str = r"
local others = redis.call('SCARD', KEYS[1]) - redis.call('SISMEMBER', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
if redis.call('HSETNX', KEYS[3], ARGV[3], ARGV[4]) == 1 then
  if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
elseif others == 0 then
  redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
end
return others == 0 and 1 or 0
";

/// A server has a member still: 1 if Redis did not know that, and no other has it; 2 if Redis knew it, and no other has it.
const RESTORE: &str = r"
local known = redis.call('SISMEMBER', KEYS[1], ARGV[1])
local others = redis.call('SCARD', KEYS[1]) - known
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
if redis.call('HSETNX', KEYS[3], ARGV[3], ARGV[4]) == 1 and ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
if others > 0 then return 0 end
return 1 + known
";

/// A server has a member no more: 1 if no other has it.
const LEAVE: &str = r"
local had = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
if redis.call('SCARD', KEYS[1]) > 0 then return 0 end
if redis.call('HDEL', KEYS[3], ARGV[3]) == 1 and ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
return had
";

/// A server has told in vain that it has a member no more, or perhaps not in vain: 1 if no other server has it; 2 if no server had it.
const OWED: &str = r"
local had = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
if redis.call('SCARD', KEYS[1]) > 0 then return 0 end
if redis.call('HDEL', KEYS[3], ARGV[3]) == 1 and ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
return 2 - had
";

/// Takes members of a dead server away, at most so many: whether there were any, and those that no other server has, each with what was said about it.
/// Each is told to one caller only. The server is forgotten with the last.
///
/// The keys: the members of the server; all servers; what they say of themselves. The arguments: the server; what the keys of members begin with; the
/// lease; how many; what the keys of channels begin with, and the names under which changes are published; what is published, up to the user.
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
    local name, user = string.sub(member, 1, route + tag + 4), string.sub(member, route + tag + 5)
    local channel = ARGV[5] .. name
    local info = redis.call('HGET', channel, user) or ''
    gone[#gone + 1] = member
    gone[#gone + 1] = info
    if redis.call('HDEL', channel, user) == 1 then
      local length = string.char(math.floor(#user / 256), #user % 256)
      redis.call('PUBLISH', ARGV[6] .. string.sub(name, route + 5), ARGV[7] .. length .. user .. name .. info)
    end
  end
end
if redis.call('SCARD', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return {#some, gone}
";

impl Said {
    /// All that is known of those who have left.
    fn gone() -> Said {
        Said { info: Arc::default(), by: None, followed: true, late: false }
    }

    /// A call of a script for a member. If that changes the list, it is published that this has become of it.
    fn invoke<'a>(&self, shared: &Shared, script: &'a Script, member: &[u8], became: Became) -> redis::ScriptInvocation<'a> {
        let (channel, user) = split(member);
        let mut invocation = script.prepare_invoke();
        invocation
            .key(shared.settings.key("at", member))
            .key(shared.settings.key("of", shared.node.bytes()))
            .key(shared.settings.key("in", channel))
            .arg(shared.node.as_str())
            .arg(member)
            .arg(user)
            .arg(&*self.info);
        if self.followed {
            let payload = &became.published(member, self.by.as_deref(), &self.info);
            let frame = Frame { kind: Kind::Attendance, from: shared.node, number: 0, payload };
            let topic = shared.settings.key("t", topics::of_channel(channel).as_bytes());
            invocation.arg(topic).arg(frame.encode(shared.settings.version));
        } else {
            invocation.arg(b"").arg(b"");
        }
        invocation
    }
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
        let members: Vec<(Vec<u8>, Said)> = self.0.lock().own.iter().map(|(member, said)| (member.clone(), said.clone())).collect();
        self.tell_again(shared, connection, &members, Became::Restored).await
    }

    async fn tell_again(
        &self,
        shared: &Shared,
        connection: &mut MultiplexedConnection,
        members: &[(Vec<u8>, Said)],
        became: Became,
    ) -> RedisResult<Restored> {
        let (script, mut done) = (shared.script(RESTORE), Restored::default());
        let awaited = shared.missed.are_awaited();
        for members in members.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for (member, said) in members {
                pipe.invoke_script(&said.invoke(shared, &script, member, became));
            }
            let restored: Vec<u8> = match shared.in_time(pipe.query_async(connection)).await {
                Ok(restored) => restored,
                Err(error) => {
                    self.put_back(Settled { come: done.come, left: Vec::new() });
                    return Err(error);
                }
            };
            let mut inner = self.0.lock();
            for ((member, said), restored) in members.iter().zip(restored) {
                if !inner.own.contains_key(member) {
                    // It has left meanwhile, and whoever has said so tells it.
                    inner.owed.entry(member.clone()).or_insert(false);
                    continue;
                }
                let unsure = if awaited { inner.unsure.get(member).copied() } else { inner.unsure.remove(member) };
                let comes = unsure == Some(true);
                if comes && awaited {
                    // Others have not told of theirs yet.
                } else if restored == 1 || comes && restored == 2 {
                    let list = if comes { &mut done.come } else { &mut done.back };
                    list.extend(Member::decode(member).map(|decoded| Member { info: said.info.clone(), ..decoded }));
                }
            }
        }
        Ok(done)
    }

    /// Takes away what Redis believes that this server has: it may have come back with what it knew some time ago. Those who have left since are known to
    /// have left, but for the list of their channel. The link is not in use yet.
    pub async fn take_back(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        // Who waits for Redis is told something soon, since the link before this one is broken. Else the same change might be told twice or never.
        let until = Instant::now() + shared.settings.timeout;
        while self.0.lock().underway > 0 && Instant::now() < until {
            sleep(PAUSE).await;
        }
        let (script, key) = (Script::new(OWED), shared.settings.key("of", shared.node.bytes()));
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&key).arg(cursor).arg("COUNT").arg(BATCH);
            let (next, mut members): (u64, Vec<Vec<u8>>) = shared.in_time(scan.query_async(connection)).await?;
            {
                let inner = self.0.lock();
                members.retain(|member| !inner.own.contains_key(member) && !inner.owed.contains_key(member));
            }
            for members in members.chunks(BATCH) {
                let mut pipe = redis::pipe();
                pipe.load_script(&script).ignore();
                for member in members {
                    pipe.invoke_script(&Said::gone().invoke(shared, &script, member, Became::Gone));
                }
                shared.in_time(pipe.query_async::<Vec<u8>>(connection)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Tells Redis of those who have left and of those who have come while it could not be told. Not while Redis does not know yet what the others have.
    /// `was_dead`: the others have told of those who were here that they have left.
    pub async fn settle(&self, shared: &Shared, connection: &mut MultiplexedConnection, was_dead: bool) -> RedisResult<Settled> {
        if shared.missed.are_awaited() {
            return Ok(Settled::default());
        }
        let left = self.settle_owed(shared, connection, was_dead).await?;
        let unsure = self.0.lock().unsure(true);
        match self.tell_again(shared, connection, &unsure, Became::Here).await {
            Ok(Restored { come, .. }) => Ok(Settled { come, left }),
            Err(error) => {
                self.put_back(Settled { come: Vec::new(), left });
                Err(error)
            }
        }
    }

    /// This is settled, and was told to nobody since the connection has failed: it is to be settled once more.
    pub fn put_back(&self, Settled { come, left }: Settled) {
        let mut inner = self.0.lock();
        for (there, member) in come.iter().map(|member| (true, member.encode())).chain(left.iter().map(|member| (false, member.encode()))) {
            // One that has changed since was told by that.
            if there == inner.own.contains_key(&member) {
                let again = if there { &mut inner.unsure } else { &mut inner.owed };
                again.insert(member, true);
            }
        }
    }

    /// Tells Redis of those who have left and come again while it could not be told, behind all that is [restored](Members::restore). Nobody is told of that.
    pub async fn reassure(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let unsure = self.0.lock().unsure(false);
        if !shared.missed.are_awaited() {
            self.tell_again(shared, connection, &unsure, Became::Here).await?;
        }
        Ok(())
    }

    async fn settle_owed(&self, shared: &Shared, connection: &mut MultiplexedConnection, was_dead: bool) -> RedisResult<Vec<Member>> {
        let owed: Vec<Vec<u8>> = self.0.lock().owed.keys().cloned().collect();
        let (leave, enter, mut gone) = (Script::new(OWED), Script::new(ENTER), Vec::new());
        for members in owed.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&leave).ignore().load_script(&enter).ignore();
            for member in members {
                pipe.invoke_script(&Said::gone().invoke(shared, &leave, member, Became::Gone));
            }
            let left: Vec<u8> = match shared.in_time(pipe.query_async(connection)).await {
                Ok(left) => left,
                Err(error) => {
                    self.put_back(Settled { come: Vec::new(), left: gone });
                    return Err(error);
                }
            };
            let mut back = Vec::new();
            {
                let mut inner = self.0.lock();
                for (member, last) in members.iter().zip(left) {
                    match (inner.owed.remove(member), inner.own.get(member)) {
                        (Some(told), _) => gone.extend(Member::decode(member).filter(|_| told && (last == 1 || last == 2 && !was_dead))),
                        // Who has come back meanwhile may have come before that.
                        (None, Some(said)) => back.push((member, said.clone())),
                        (None, None) => {}
                    }
                }
            }
            for (member, said) in back {
                let entered = said.invoke(shared, &enter, member, Became::Here);
                if let Err(error) = shared.in_time(entered.invoke_async::<u8>(connection)).await {
                    self.put_back(Settled { come: Vec::new(), left: gone });
                    return Err(error);
                }
            }
        }
        Ok(gone)
    }

    /// Cleans up a part of what a dead server has left: whether there may be more, and the members that were on that server only.
    pub async fn reap(&self, shared: &Shared, connection: &mut MultiplexedConnection, node: NodeId) -> RedisResult<(bool, Vec<Member>)> {
        let settings = &shared.settings;
        let published = Frame { kind: Kind::Attendance, from: shared.node, number: 0, payload: &Became::Gone.published_before(None) };
        let script = Script::new(REAP);
        let mut reap = script.prepare_invoke();
        reap.key(settings.key("of", node.bytes()))
            .key(settings.key("nodes", b""))
            .key(settings.key("labels", b""))
            .arg(node.as_str())
            .arg(settings.key("at", b""))
            .arg(settings.lease.as_millis() as u64)
            .arg(BATCH)
            .arg(settings.key("in", b""))
            .arg(settings.key("t", topics::tag_topic("").as_bytes()))
            .arg(published.encode(settings.version));
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
        let mut changes = encoded(changes);
        {
            let mut inner = self.shared.members.0.lock();
            inner.note(&mut changes);
            inner.underway += 1;
        }
        let (shared, asked) = (self.shared.clone(), changes.clone());
        let told = self.shared.call(move |mut connection| async move {
            static SCRIPTS: LazyLock<[Script; 2]> = LazyLock::new(|| [Script::new(LEAVE), Script::new(ENTER)]);
            let mut pipe = redis::pipe();
            for script in SCRIPTS.iter() {
                pipe.load_script(script).ignore();
            }
            for Encoded { there, member, said, .. } in &asked {
                let became = if *there { Became::Here } else { Became::Gone };
                pipe.invoke_script(&said.invoke(&shared, &SCRIPTS[usize::from(*there)], member, became));
            }
            pipe.query_async::<Vec<u8>>(&mut connection).await
        });
        let mut inner = self.shared.members.0.lock();
        inner.underway -= 1;
        match told {
            Ok(told) => Ok(told.into_iter().zip(changes).map(|(told, change)| told == 1 && change.told).collect()),
            Err(error) => {
                inner.postpone(changes);
                Err(error)
            }
        }
    }

    /// The same, but Redis is told later, and the [receiver](super::Receiver::late) is not. It does not wait.
    pub fn attend_later(&self, changes: &[(bool, &Member)]) {
        let mut changes = encoded(changes);
        let mut inner = self.shared.members.0.lock();
        inner.note(&mut changes);
        changes.iter_mut().for_each(|change| change.told = false);
        inner.postpone(changes);
    }

    /// Whether Redis has lost what it knew so lately that other servers may not have told it again.
    pub fn awaits_others(&self) -> bool {
        self.shared.missed.are_awaited()
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
