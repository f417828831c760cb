//! Who has which tag.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::expression::{Sets, Wildcard};

/// Live clients by tag; a tag that nobody has is not here.
#[derive(Debug, Default)]
pub(crate) struct TagSets {
    sets: HashMap<Arc<str>, RoaringBitmap>,
    /// All names in order: so a walk over them can stop and go on, and names with one beginning stand together.
    names: BTreeSet<Arc<str>>,
    /// Tags that have their first client, or have lost their last one, since [`Hub::take_watched`](crate::Hub::take_watched); only where
    /// somebody wants to know.
    pub(crate) changes: Option<Vec<(Arc<str>, bool)>>,
}

impl TagSets {
    /// Puts a tag on a client. Returns the name as it is kept.
    pub fn insert(&mut self, tag: &str, client: u32) -> Arc<str> {
        if let Some((name, _)) = self.sets.get_key_value(tag) {
            let name = name.clone();
            self.sets.entry(name.clone()).or_default().insert(client);
            return name;
        }
        let name: Arc<str> = tag.into();
        self.names.insert(name.clone());
        self.sets.insert(name.clone(), RoaringBitmap::from_iter([client]));
        if let Some(changes) = &mut self.changes {
            changes.push((name.clone(), true));
        }
        name
    }

    /// Takes a tag off a client.
    pub fn remove(&mut self, tag: &str, client: u32) {
        if let Some(tagged) = self.sets.get_mut(tag) {
            tagged.remove(client);
            if tagged.is_empty() {
                self.sets.remove(tag);
                if let (Some(name), Some(changes)) = (self.names.take(tag), &mut self.changes) {
                    changes.push((name, false));
                }
            }
        }
    }

    /// The clients with a tag.
    pub fn get(&self, tag: &str) -> Option<&RoaringBitmap> {
        self.sets.get(tag)
    }

    /// How many tags are in use.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// The tags that begin with `prefix`, in order, from the first one behind `after`.
    pub fn names<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> impl Iterator<Item = &'a Arc<str>> {
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        self.names.range::<str, _>((from, Bound::Unbounded)).take_while(move |name| name.starts_with(prefix))
    }
}

impl Sets for TagSets {
    fn tag(&self, name: &str) -> Option<&RoaringBitmap> {
        self.get(name)
    }

    fn wildcard(&self, wildcard: &Wildcard, within: &RoaringBitmap) -> Cow<'_, RoaringBitmap> {
        let tags = self.names(wildcard.prefix(), None).filter(|name| wildcard.matches(name)).filter_map(|name| self.get(name));
        Cow::Owned(wildcard.union(tags, within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_walked_in_order_from_any_place() {
        let mut tags = TagSets::default();
        for (client, tag) in ["room_2", "room_1", "rooms", "a", "room_"].into_iter().enumerate() {
            tags.insert(tag, client as u32);
        }
        let names = |prefix, after| tags.names(prefix, after).map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names("", None), ["a", "room_", "room_1", "room_2", "rooms"]);
        assert_eq!(names("room_", None), ["room_", "room_1", "room_2"]);
        assert_eq!(names("room_", Some("room_1")), ["room_2"]);
        assert_eq!(names("room_", Some("room_9 which is gone")), Vec::<String>::new());
        assert_eq!(names("b", None), Vec::<String>::new());
    }

    #[test]
    fn a_tag_that_nobody_has_leaves_nothing_behind() {
        let mut tags = TagSets::default();
        let name = tags.insert("t", 1);
        assert!(Arc::ptr_eq(&name, &tags.insert("t", 2)), "a name is kept once");
        tags.remove("t", 1);
        assert_eq!(tags.len(), 1);
        tags.remove("t", 2);
        tags.remove("t", 2);
        assert_eq!((tags.len(), tags.names.len()), (0, 0));
    }
}
