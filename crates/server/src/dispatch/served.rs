//! Who handles events: a worker of PHP, by bells, or threads of the core's own.

use std::sync::Arc;

use fws_hub::RouteId;
use hashbrown::HashMap;

use super::BranchId;
use super::pool::{Pool, PoolId};
use super::queue::Source;

/// Who handles the events of a branch, or of the channels of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Served {
    /// The worker of this name.
    Worker(Arc<str>),
    /// The threads of the Pusher protocol.
    Pusher,
}

/// Who handles what, in the configuration in force.
#[derive(Debug, Default)]
pub struct Serving {
    /// The events of connections.
    pub branches: HashMap<BranchId, Served>,
    /// Those of the channels of a route: its worker, or else that of its first sub-protocol that has one.
    pub channels: HashMap<RouteId, Served>,
    /// What the core's own threads tell of a route.
    pub told: HashMap<RouteId, Served>,
}

impl Served {
    fn is(&self, pool: &Pool) -> bool {
        match self {
            Served::Worker(name) => !pool.own && pool.name == *name,
            Served::Pusher => pool.own,
        }
    }
}

/// The number of a pool. One for the threads of the core is made when it is asked for first.
pub(super) fn pool_of(pools: &mut Vec<Pool>, served: &Served) -> PoolId {
    let found = pools.iter().position(|pool| served.is(pool));
    PoolId(found.unwrap_or_else(|| {
        assert!(*served == Served::Pusher, "bug: a branch's worker is not among the workers");
        pools.push(Pool { own: true, present: true, ..Pool::new("pusher".into()) });
        pools.len() - 1
    }))
}

/// Which worker the events of whom go to.
#[derive(Default)]
pub(super) struct Assigned {
    pub(super) branches: HashMap<BranchId, PoolId>,
    /// For the channels of a route.
    pub(super) routes: HashMap<RouteId, PoolId>,
    /// For what the core's own threads tell of a route.
    pub(super) told: HashMap<RouteId, PoolId>,
}

impl Assigned {
    /// The worker that handles the events of a source.
    pub(super) fn pool(&self, pools: &[Pool], source: &Source) -> Option<PoolId> {
        match source {
            Source::Conn(conn) => self.branches.get(&conn.branch).copied(),
            Source::Channel { route, .. } => self.routes.get(route).copied(),
            Source::Told { route, pool: None, .. } => self.told.get(route).copied(),
            Source::Timer { pool, .. } | Source::Told { pool: Some(pool), .. } => pools[pool.0].present.then_some(*pool),
        }
    }
}
