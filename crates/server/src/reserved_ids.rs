//! Ids that are reserved for clients that the hub does not know yet.

use std::sync::Arc;

use dashmap::DashSet;
use hashbrown::DefaultHashBuilder;

/// Ids that the host gave to handshakes whose clients are not entered yet. Whoever gives a client an id reserves it here first, and then looks in the hub.
///
/// What locks parts of the set is taken last, also while the hub is locked.
#[derive(Debug, Default, Clone)]
pub struct ReservedIds(Arc<DashSet<Arc<str>, DefaultHashBuilder>>);

/// A reserved id. It is free again when this is dropped.
#[derive(Debug)]
pub struct ReservedId {
    all: ReservedIds,
    pub id: Arc<str>,
}

impl ReservedIds {
    /// Reserves an id. `None`: it is reserved already.
    pub fn reserve(&self, id: &str) -> Option<ReservedId> {
        let id: Arc<str> = id.into();
        self.0.insert(id.clone()).then(|| ReservedId { all: self.clone(), id })
    }
}

impl Drop for ReservedId {
    fn drop(&mut self) {
        self.all.0.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_reserved_once_until_it_is_given_up() {
        let ids = ReservedIds::default();
        let reserved = ids.reserve("a").expect("free");
        assert!(ids.reserve("a").is_none() && ids.reserve("b").is_some());
        drop(reserved);
        assert!(ids.reserve("a").is_some());
    }
}
