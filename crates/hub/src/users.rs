//! Users: whose clients are whose.

use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::registry::Hub;

/// Whose a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the application knows the user by, 1 to 255 bytes.
    pub name: Arc<str>,
    /// What channels tell of the user, at most 4 KiB.
    pub info: Arc<[u8]>,
}

/// Live clients by user; a user without a client is not here.
#[derive(Debug, Default)]
pub(crate) struct Users(HashMap<Arc<str>, RoaringBitmap>);

impl Users {
    /// A client is a user's.
    fn insert(&mut self, user: &User, client: u32) {
        self.0.entry_ref(&user.name).or_default().insert(client);
    }

    /// It is not any more.
    fn remove(&mut self, user: &User, client: u32) {
        if let Some(clients) = self.0.get_mut(&user.name) {
            clients.remove(client);
            if clients.is_empty() {
                self.0.remove(&user.name);
            }
        }
    }

    /// The clients of a user.
    pub fn get(&self, user: &str) -> Option<&RoaringBitmap> {
        self.0.get(user)
    }
}

impl<C> Hub<C> {
    /// How many users have a client.
    pub fn user_count(&self) -> u64 {
        self.users.0.len() as u64
    }

    /// Whose a client is, live or closed.
    pub fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.find(id)?.1.user.as_ref()
    }

    /// Says whose a live client is. `false`: it is gone.
    pub(crate) fn set_user(&mut self, id: &str, user: Option<Arc<User>>) -> bool {
        let Some((key, client)) = self.find_on(id, None) else { return false };
        if let Some(before) = client.user.clone() {
            self.users.remove(&before, key.index);
        }
        if let Some(user) = &user {
            self.users.insert(user, key.index);
        }
        self.changes_user(key.index, user);
        true
    }

    /// The client of a user is gone.
    pub(crate) fn take_from_user(&mut self, index: u32, user: &User) {
        self.users.remove(user, index);
    }
}
