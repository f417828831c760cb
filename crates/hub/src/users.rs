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
pub(crate) struct Users {
    clients: HashMap<Arc<str>, RoaringBitmap>,
    /// Users who have their first client, or have lost their last one, as for tags.
    changes: Option<Vec<(Arc<str>, bool)>>,
}

/// Tags and users that have their first client (`true`), or have lost their last one, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Tags.
    pub tags: Vec<(Arc<str>, bool)>,
    /// Users.
    pub users: Vec<(Arc<str>, bool)>,
}

impl Users {
    /// A client is a user's.
    fn insert(&mut self, user: &User, client: u32) {
        let clients = self.clients.entry_ref(&user.name).or_default();
        if let Some(changes) = self.changes.as_mut().filter(|_| clients.is_empty()) {
            changes.push((user.name.clone(), true));
        }
        clients.insert(client);
    }

    /// It is not any more.
    fn remove(&mut self, user: &User, client: u32) {
        if let Some(clients) = self.clients.get_mut(&user.name) {
            clients.remove(client);
            if clients.is_empty() {
                self.clients.remove(&user.name);
                if let Some(changes) = &mut self.changes {
                    changes.push((user.name.clone(), false));
                }
            }
        }
    }

    /// The clients of a user.
    pub fn get(&self, user: &str) -> Option<&RoaringBitmap> {
        self.clients.get(user)
    }
}

impl<C> Hub<C> {
    /// From now on it is noted which tags and users have a client. To be called before the first one comes.
    pub fn watch(&mut self) {
        self.tags.changes = Some(Vec::new());
        self.users.changes = Some(Vec::new());
        self.presence.watched = true;
    }

    /// What was noted since the last call; `None`: nothing.
    pub fn take_watched(&mut self) -> Option<Watched> {
        let (tags, users) = (self.tags.changes.as_mut()?, self.users.changes.as_mut()?);
        if tags.is_empty() && users.is_empty() {
            return None;
        }
        Some(Watched { tags: std::mem::take(tags), users: std::mem::take(users) })
    }

    /// How many users have a client.
    pub fn user_count(&self) -> u64 {
        self.users.clients.len() as u64
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
