//! Ids that are promised but not in the hub yet.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// Ids that handshakes have been given and that no client has yet. Whoever gives a client an id looks here as well as in the hub.
///
/// The mutex is taken last, also while the hub is locked.
#[derive(Debug, Default, Clone)]
pub struct Claims(Arc<Mutex<HashSet<Arc<str>>>>);

/// A promised id; given up when dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    pub id: Arc<str>,
}

impl Claims {
    /// Promises an id. `None`: it is promised already.
    pub fn claim(&self, id: &str) -> Option<Claim> {
        let id: Arc<str> = id.into();
        self.0.lock().insert(id.clone()).then(|| Claim { claims: self.clone(), id })
    }

    /// Whether an id is promised.
    pub fn contains(&self, id: &str) -> bool {
        self.0.lock().contains(id)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_promised_once_until_it_is_given_up() {
        let claims = Claims::default();
        let claim = claims.claim("a").expect("free");
        assert!(claims.claim("a").is_none() && claims.contains("a") && !claims.contains("b"));
        drop(claim);
        assert!(!claims.contains("a") && claims.claim("a").is_some());
    }
}
