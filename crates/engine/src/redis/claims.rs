//! Ids of clients that applications choose: each belongs to one server.
//!
//! A claim is a key with the name of the server and a number that is another one for each claim. So a server that gives a claim up late cannot take
//! the id from whoever has claimed it meanwhile, be it itself.

use std::time::Duration;

use fws_hub::ClusterError;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

use super::node::NodeId;
use super::{Cluster, Shared};

/// How long a claim is known without being renewed, milliseconds. Whether it counts is decided by the lease of its server.
const KEPT: u64 = 3_600_000;
/// Claims that are renewed at a time.
const BATCH: usize = 500;
/// How long an id that was let go stays with the server that had it, if the one that is to have it does not claim it.
const LET_GO: Duration = Duration::from_secs(5);

/// The claims of this server.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By id, with the number of the claim.
    own: HashMap<Box<str>, u64>,
    /// Those of which Redis may not know yet, by id, with the servers that have let them go.
    taken: HashMap<Box<str>, NodeId>,
    /// Claims that Redis may still have, and that this server has given up.
    owed: Vec<(Box<str>, u64)>,
    last: u64,
}

/// Claims an id, also from the server that is named last: 1. Or says that another server that is alive has it: 0.
const CLAIM: &str = r"
local value = redis.call('GET', KEYS[1])
local holder = value and string.sub(value, 1, 8)
if holder and holder ~= ARGV[1] and holder ~= ARGV[4] then
  local t = redis.call('TIME')
  local heard = redis.call('ZSCORE', KEYS[2], holder)
  if heard and tonumber(heard) > t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3] then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[5], 'PX', ARGV[2])
return 1
";

/// The server that has an id, if it is alive.
const HOLDER: &str = r"
local value = redis.call('GET', KEYS[1])
if not value then return false end
local holder = string.sub(value, 1, 8)
local t = redis.call('TIME')
local heard = redis.call('ZSCORE', KEYS[2], holder)
if heard and tonumber(heard) > t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[1] then return holder end
return false
";

const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
";

impl Claims {
    /// How many ids are claimed.
    pub fn len(&self) -> usize {
        self.0.lock().own.len()
    }

    /// Claims all ids of this server once more. Those that other servers have by now.
    pub async fn renew(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Vec<Box<str>>> {
        let claims: Vec<(Box<str>, u64, Option<NodeId>)> = {
            let Inner { own, taken, .. } = &*self.0.lock();
            own.iter().map(|(id, number)| (id.clone(), *number, taken.get(id).copied())).collect()
        };
        let (script, mut lost) = (shared.script(CLAIM), Vec::new());
        for claims in claims.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for (id, number, from) in claims {
                pipe.invoke_script(&claim(shared, &script, id, *number, *from));
            }
            let claimed: Vec<u8> = shared.in_time(pipe.query_async(connection)).await?;
            let mut inner = self.0.lock();
            for ((id, number, _), claimed) in claims.iter().zip(claimed) {
                let still = inner.own.get(id) == Some(number);
                if still {
                    inner.taken.remove(id);
                }
                match claimed {
                    0 if still => {
                        inner.own.remove(id);
                        lost.push(id.clone());
                    }
                    0 => {}
                    // It was given up meanwhile.
                    _ if !still => inner.owed.push((id.clone(), *number)),
                    _ => {}
                }
            }
        }
        Ok(lost)
    }

    /// Gives up in Redis what this server has given up.
    pub async fn settle(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let owed = std::mem::take(&mut self.0.lock().owed);
        let script = Script::new(RELEASE);
        for (done, claims) in owed.chunks(BATCH).enumerate() {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for (id, number) in claims {
                pipe.invoke_script(&release(shared, &script, id, *number)).ignore();
            }
            let settled = shared.in_time(pipe.query_async::<()>(connection)).await;
            if settled.is_err() {
                self.0.lock().owed.extend_from_slice(&owed[done * BATCH..]);
                return settled;
            }
        }
        Ok(())
    }

    /// The number of a claim that is given up.
    fn drop(&self, id: &str) -> Option<u64> {
        let mut inner = self.0.lock();
        inner.taken.remove(id);
        inner.own.remove(id)
    }

    fn owe(&self, id: Box<str>, number: u64) {
        self.0.lock().owed.push((id, number));
    }
}

fn claim<'a>(shared: &Shared, script: &'a Script, id: &str, number: u64, from: Option<NodeId>) -> redis::ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    invocation
        .key(shared.settings.key("id", id.as_bytes()))
        .key(shared.settings.key("nodes", b""))
        .arg(shared.node.as_str())
        .arg(KEPT)
        .arg(shared.settings.lease.as_millis() as u64)
        .arg(from.map(|node| node.to_string()).unwrap_or_default())
        .arg(number);
    invocation
}

fn release<'a>(shared: &Shared, script: &'a Script, id: &str, number: u64) -> redis::ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    invocation.key(shared.settings.key("id", id.as_bytes())).arg(format!("{}:{number}", shared.node));
    invocation
}

impl Cluster {
    /// Claims an id for a client of this server. `false`: another server that is alive has it.
    pub fn claim(&self, id: &str) -> Result<bool, ClusterError> {
        self.claim_from(id, None)
    }

    /// Claims an id for a client that was another server's until now, and that one has [let go](Cluster::let_go). Where it cannot be claimed now, it
    /// is claimed when Redis can be reached again.
    pub fn take_claim(&self, id: &str, from: NodeId) -> Result<bool, ClusterError> {
        let claimed = self.claim_from(id, Some(from));
        if claimed.is_err() {
            let mut claims = self.shared.claims.0.lock();
            claims.last += 1;
            let number = claims.last;
            claims.own.insert(id.into(), number);
            claims.taken.insert(id.into(), from);
        }
        claimed
    }

    fn claim_from(&self, id: &str, from: Option<NodeId>) -> Result<bool, ClusterError> {
        let shared = self.shared.clone();
        let own: Box<str> = id.into();
        // Before Redis is asked: a link that is made meanwhile claims it as well.
        let (number, before) = {
            let mut claims = self.shared.claims.0.lock();
            claims.last += 1;
            let number = claims.last;
            (number, claims.own.insert(own.clone(), number))
        };
        let claimed = self.shared.call(move |mut connection| async move {
            let script = shared.script(CLAIM);
            claim(&shared, &script, &own, number, from).invoke_async::<u8>(&mut connection).await
        });
        if claimed != Ok(1) {
            let mut claims = self.shared.claims.0.lock();
            if claims.own.get(id) == Some(&number) {
                match before {
                    Some(before) => claims.own.insert(id.into(), before),
                    None => claims.own.remove(id),
                };
            }
            if claimed.is_err() {
                // It may be carried out all the same, later.
                claims.owed.push((id.into(), number));
            }
        }
        claimed.map(|claimed| claimed == 1)
    }

    /// The client with an id that was claimed is gone. Does not wait: where Redis cannot be reached, it is told later.
    pub fn release(&self, id: &str) {
        let Some(number) = self.shared.claims.drop(id) else { return };
        self.give_up(id, number, Duration::ZERO);
    }

    /// The client with an id goes to another server, which claims it. Until then nobody else can. Does not wait.
    pub fn let_go(&self, id: &str) {
        let Some(number) = self.shared.claims.drop(id) else { return };
        self.give_up(id, number, LET_GO);
    }

    fn give_up(&self, id: &str, number: u64, after: Duration) {
        let (shared, id): (_, Box<str>) = (self.shared.clone(), id.into());
        self.shared.runtime.spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            let connection = shared.connection.read().clone();
            let Some(mut connection) = connection else { return shared.claims.owe(id, number) };
            let script = Script::new(RELEASE);
            let invocation = release(&shared, &script, &id, number);
            if shared.in_time(invocation.invoke_async::<u8>(&mut connection)).await.is_err() {
                shared.claims.owe(id, number);
            }
        });
    }

    /// The server that has a client with an id that was claimed.
    pub fn holder(&self, id: &str) -> Result<Option<NodeId>, ClusterError> {
        let (key, nodes) = (self.shared.settings.key("id", id.as_bytes()), self.shared.settings.key("nodes", b""));
        let lease = self.shared.settings.lease.as_millis() as u64;
        let holder = self.shared.call(move |mut connection| async move {
            Script::new(HOLDER).key(key).key(nodes).arg(lease).invoke_async::<Option<String>>(&mut connection).await
        })?;
        Ok(holder.and_then(|node| node.parse().ok()))
    }
}
