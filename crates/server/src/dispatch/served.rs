//! Who handles events: a worker of PHP, by bells, or threads of the core's own.

use std::sync::Arc;

use super::pool::{Pool, PoolId};

/// Who handles the events of a branch, or of the channels of a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Served {
    /// The worker of this name.
    Worker(Arc<str>),
    /// The threads of the Pusher protocol.
    Pusher,
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
