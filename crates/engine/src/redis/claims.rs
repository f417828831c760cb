//! Ids of clients that applications choose: each belongs to one server.

use std::time::Duration;

use fws_hub::ClusterError;
use hashbrown::HashSet;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

use super::node::NodeId;
use super::{Cluster, Shared};

/// How long a claim is known without being renewed, milliseconds. Whether it counts is decided by the lease of its server.
const KEPT: u64 = 3_600_000;
/// Claims that are renewed at a time.
const BATCH: usize = 500;

/// The ids that this server has claimed.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashSet<Box<str>>>);

/// How long an id that was let go stays with the server that had it, if the one that is to have it does not claim it.
const LET_GO: Duration = Duration::from_secs(30);

/// Claims an id, also from the server that is named last: 1. Or says that another server that is alive has it: 0.
const CLAIM: &str = r"
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[4] then
  local t = redis.call('TIME')
  local heard = redis.call('ZSCORE', KEYS[2], holder)
  if heard and tonumber(heard) > t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3] then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
";

/// The server that has an id, if it is alive.
const HOLDER: &str = r"
local holder = redis.call('GET', KEYS[1])
if not holder then return false end
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
        self.0.lock().len()
    }

    /// Claims all ids of this server once more. Those that other servers have by now.
    pub async fn renew(&self, shared: &Shared, connection: &mut MultiplexedConnection) -> RedisResult<Vec<Box<str>>> {
        let ids: Vec<Box<str>> = self.0.lock().iter().cloned().collect();
        let (script, mut lost) = (Script::new(CLAIM), Vec::new());
        for ids in ids.chunks(BATCH) {
            let mut pipe = redis::pipe();
            pipe.load_script(&script).ignore();
            for id in ids {
                pipe.invoke_script(&claim(shared, &script, id, None));
            }
            let claimed: Vec<u8> = shared.in_time(pipe.query_async(connection)).await?;
            lost.extend(ids.iter().zip(claimed).filter(|(_, claimed)| *claimed == 0).map(|(id, _)| id.clone()));
        }
        let mut own = self.0.lock();
        own.retain(|id| !lost.contains(id));
        Ok(lost)
    }
}

fn claim<'a>(shared: &Shared, script: &'a Script, id: &str, from: Option<NodeId>) -> redis::ScriptInvocation<'a> {
    let mut invocation = script.prepare_invoke();
    invocation
        .key(shared.settings.key("id", id.as_bytes()))
        .key(shared.settings.key("nodes", b""))
        .arg(shared.node.as_str())
        .arg(KEPT)
        .arg(shared.settings.lease.as_millis() as u64)
        .arg(from.map(|node| node.to_string()).unwrap_or_default());
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
            self.shared.claims.0.lock().insert(id.into());
        }
        claimed
    }

    fn claim_from(&self, id: &str, from: Option<NodeId>) -> Result<bool, ClusterError> {
        let shared = self.shared.clone();
        let own: Box<str> = id.into();
        // Before Redis is asked: a link that is made meanwhile claims it as well.
        let new = self.shared.claims.0.lock().insert(own.clone());
        let claimed = self.shared.call(move |mut connection| async move {
            let script = Script::new(CLAIM);
            claim(&shared, &script, &own, from).invoke_async::<u8>(&mut connection).await
        });
        if new && claimed != Ok(1) {
            self.shared.claims.0.lock().remove(id);
        }
        claimed.map(|claimed| claimed == 1)
    }

    /// The client with an id that was claimed is gone. Does not wait.
    pub fn release(&self, id: &str) {
        if !self.shared.claims.0.lock().remove(id) {
            return;
        }
        let Some(mut connection) = self.shared.connection.read().clone() else { return };
        let (key, node) = (self.shared.settings.key("id", id.as_bytes()), self.shared.node);
        self.shared.runtime.spawn(async move {
            let _ = Script::new(RELEASE).key(key).arg(node.as_str()).invoke_async::<u8>(&mut connection).await;
        });
    }

    /// The client with an id goes to another server, which claims it. Until then nobody else can. Does not wait.
    pub fn let_go(&self, id: &str) {
        if !self.shared.claims.0.lock().remove(id) {
            return;
        }
        let (shared, id): (_, Box<str>) = (self.shared.clone(), id.into());
        self.shared.runtime.spawn(async move {
            tokio::time::sleep(LET_GO).await;
            let connection = shared.connection.read().clone();
            let back = shared.claims.0.lock().contains(&id);
            if let Some(mut connection) = connection.filter(|_| !back) {
                let key = shared.settings.key("id", id.as_bytes());
                let _ = Script::new(RELEASE).key(key).arg(shared.node.as_str()).invoke_async::<u8>(&mut connection).await;
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
