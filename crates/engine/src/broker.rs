//! What servers meet by: it carries what they say to each other, and decides what must be decided once.
//!
//! [`redis::Cluster`](crate::redis::Cluster) is the one that there is. A simulation has another one, without Redis and without time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_hub::{ClusterError, KeyValueError, Position};

use crate::redis::{Cluster, Left, Member, Node, NodeId, Records, Retention, Subscribing};
use crate::{Present, Watching};

/// One server's way to the others. Of each method the one of [`Cluster`] with its name says what it does.
#[expect(missing_docs, reason = "the methods of the same names say it")]
pub trait Broker: Send + Sync {
    fn node(&self) -> NodeId;
    fn others(&self) -> Arc<[Node]>;
    /// Whether another server is believed to be alive, whether it can be reached at this moment or not.
    fn is_alive(&self, node: NodeId) -> bool {
        self.others().iter().any(|other| other.id == node)
    }
    fn counts(&self) -> Vec<(&'static str, u64)>;
    fn trouble(&self) -> Option<String>;
    fn timeout(&self) -> Duration;
    fn ask(&self, node: NodeId, payload: &[u8]) -> Result<Option<Vec<u8>>, ClusterError>;
    fn ask_all(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError>;
    fn tell(&self, topic: Option<&str>, payload: &[u8]) -> Result<u64, ClusterError>;
    fn told(&self) -> u64;
    fn wait_for_room(&self);
    fn untold(&self) -> u64;
    /// [`Cluster::begin_to_subscribe`].
    fn watch(&self, topic: &str) -> Option<Watching>;
    /// [`Cluster::subscribing`].
    fn watching(&self, topic: &str) -> Option<Watching>;
    fn unsubscribe(&self, topic: &str);
    fn claim(&self, id: &str) -> Result<bool, ClusterError>;
    fn take_claim(&self, id: &str, from: NodeId) -> Result<bool, ClusterError>;
    fn release(&self, id: &str);
    fn let_go(&self, id: &str);
    fn holder(&self, id: &str) -> Result<Option<NodeId>, ClusterError>;
    fn enter(&self, member: &Member) -> Result<bool, ClusterError>;
    fn leave(&self, member: &Member) -> Result<bool, ClusterError>;
    /// One after the other, unless it can be done better.
    fn attend(&self, changes: &[(bool, &Member)]) -> Result<Vec<bool>, ClusterError> {
        let change = |(there, member): &(bool, &Member)| if *there { self.enter(member) } else { self.leave(member) };
        // Where that is not possible it is as if this server were alone.
        Ok(changes.iter().map(|one| change(one).unwrap_or(true)).collect())
    }
    fn attend_later(&self, changes: &[(bool, &Member)]);
    fn awaits_others(&self) -> bool {
        false
    }
    fn listens_since(&self, topic: &str) -> Option<Instant> {
        let _ = topic;
        None
    }
    fn present(&self, route: &str, tag: &str) -> Result<Present, ClusterError>;
    fn are_present(&self, route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError>;
    fn record(&self, channel: &str, topic: &str, retention: Retention, payload: &[u8]) -> Result<(u64, u64), ClusterError>;
    fn records(&self, channel: &str, after: Option<Position>, most: usize, age: u64) -> Result<Records, ClusterError>;
    fn forget(&self, channel: &str) -> Result<bool, ClusterError>;
    fn value_set(&self, key: &[u8], value: &[u8], expire: Option<u64>, only_new: bool) -> Result<bool, ClusterError>;
    fn value_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ClusterError>;
    fn value_delete(&self, key: &[u8]) -> Result<bool, ClusterError>;
    fn value_increment(&self, key: &[u8], by: i64) -> Result<Result<i64, KeyValueError>, ClusterError>;
    fn value_expiry(&self, key: &[u8]) -> Result<Left, ClusterError>;
}

/// Methods that are those of the same names.
macro_rules! its_own {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {
        $(fn $name(&self, $($argument: $type),*) $(-> $answer)? {
            Cluster::$name(self, $($argument),*)
        })*
    };
}

impl Broker for Cluster {
    fn watch(&self, topic: &str) -> Option<Watching> {
        self.begin_to_subscribe(topic).map(until_it_is_so)
    }

    fn watching(&self, topic: &str) -> Option<Watching> {
        self.subscribing(topic).map(until_it_is_so)
    }

    its_own! {
        node() -> NodeId;
        others() -> Arc<[Node]>;
        is_alive(node: NodeId) -> bool;
        counts() -> Vec<(&'static str, u64)>;
        trouble() -> Option<String>;
        timeout() -> Duration;
        ask(node: NodeId, payload: &[u8]) -> Result<Option<Vec<u8>>, ClusterError>;
        ask_all(payload: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError>;
        tell(topic: Option<&str>, payload: &[u8]) -> Result<u64, ClusterError>;
        told() -> u64;
        wait_for_room();
        untold() -> u64;
        unsubscribe(topic: &str);
        claim(id: &str) -> Result<bool, ClusterError>;
        take_claim(id: &str, from: NodeId) -> Result<bool, ClusterError>;
        release(id: &str);
        let_go(id: &str);
        holder(id: &str) -> Result<Option<NodeId>, ClusterError>;
        enter(member: &Member) -> Result<bool, ClusterError>;
        leave(member: &Member) -> Result<bool, ClusterError>;
        attend(changes: &[(bool, &Member)]) -> Result<Vec<bool>, ClusterError>;
        attend_later(changes: &[(bool, &Member)]);
        awaits_others() -> bool;
        listens_since(topic: &str) -> Option<Instant>;
        present(route: &str, tag: &str) -> Result<Present, ClusterError>;
        are_present(route: &str, tag: &str, users: &[&str]) -> Result<Vec<bool>, ClusterError>;
        record(channel: &str, topic: &str, retention: Retention, payload: &[u8]) -> Result<(u64, u64), ClusterError>;
        records(channel: &str, after: Option<Position>, most: usize, age: u64) -> Result<Records, ClusterError>;
        forget(channel: &str) -> Result<bool, ClusterError>;
        value_set(key: &[u8], value: &[u8], expire: Option<u64>, only_new: bool) -> Result<bool, ClusterError>;
        value_get(key: &[u8]) -> Result<Option<Vec<u8>>, ClusterError>;
        value_delete(key: &[u8]) -> Result<bool, ClusterError>;
        value_increment(key: &[u8], by: i64) -> Result<Result<i64, KeyValueError>, ClusterError>;
        value_expiry(key: &[u8]) -> Result<Left, ClusterError>;
    }
}

/// Without Redis there is nothing to wait for: a topic is subscribed to when it is back.
fn until_it_is_so(subscribing: Subscribing) -> Watching {
    Watching::new(move || drop(subscribing.wait()))
}
