//! What other servers send here: topics with somebody who listens.
//!
//! A topic of clients with a tag has a name that scripts in Redis know as well: what becomes of members of a channel is published there.

use std::sync::mpsc::{Receiver as Done, SyncSender, sync_channel};

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::member::tag_of;

/// The topic of the clients with a tag.
pub fn tag_topic(tag: &str) -> String {
    format!("t:{tag}")
}

/// The topic of the clients in a channel.
pub(super) fn of_channel(channel: &[u8]) -> String {
    tag_topic(tag_of(channel).unwrap_or_default())
}

/// What the link is to do about a topic.
#[derive(Debug)]
pub(super) enum Wish {
    /// To look what is wanted of it now. Told when it is done.
    Look(Box<str>, SyncSender<()>),
}

/// Topics that somebody on this server listens to.
#[derive(Debug)]
pub(super) struct Topics {
    wanted: Mutex<HashMap<Box<str>, Wanted>>,
    /// There are no more of them than changes of topics, whose callers wait.
    wishes: UnboundedSender<Wish>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Wanted {
    /// So many listen.
    count: u32,
    /// Redis has confirmed the subscription.
    ready: bool,
}

impl Topics {
    pub fn new() -> (Topics, UnboundedReceiver<Wish>) {
        let (wishes, exit) = unbounded_channel();
        (Topics { wanted: Mutex::default(), wishes }, exit)
    }

    /// Somebody more listens. `None`: it is subscribed to already. Else it is when the link has told so.
    pub fn want(&self, topic: &str) -> Option<Done<()>> {
        let mut wanted = self.wanted.lock();
        let entry = wanted.entry(topic.into()).or_default();
        entry.count += 1;
        (!entry.ready).then(|| self.wish(topic))
    }

    /// Somebody listens no more.
    pub fn unwant(&self, topic: &str) {
        let mut wanted = self.wanted.lock();
        let Some(entry) = wanted.get_mut(topic) else { return };
        entry.count -= 1;
        if entry.count == 0 {
            wanted.remove(topic);
            self.wish(topic);
        }
    }

    fn wish(&self, topic: &str) -> Done<()> {
        let (tell, done) = sync_channel(1);
        let _ = self.wishes.send(Wish::Look(topic.into(), tell));
        done
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self, topic: &str) -> bool {
        self.wanted.lock().contains_key(topic)
    }

    /// Redis has confirmed the subscription to a topic.
    pub fn is_ready(&self, topic: &str) {
        if let Some(entry) = self.wanted.lock().get_mut(topic) {
            entry.ready = true;
        }
    }

    /// The connection is another one: all that somebody listens to, of which Redis knows nothing yet.
    pub fn all_anew(&self) -> Vec<Box<str>> {
        let mut wanted = self.wanted.lock();
        wanted.values_mut().for_each(|entry| entry.ready = false);
        wanted.keys().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.wanted.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_who_listens_and_the_last_who_leaves_change_anything() {
        let (topics, mut wishes) = Topics::new();
        assert!(topics.want("a").is_some() && topics.want("a").is_some(), "both wait until it is ready");
        topics.is_ready("a");
        assert!(topics.want("a").is_none());
        topics.unwant("a");
        topics.unwant("a");
        assert!(topics.is_wanted("a"));
        topics.unwant("a");
        topics.unwant("a");
        assert!(!topics.is_wanted("a") && topics.all_anew().is_empty());
        let mut count = 0;
        while wishes.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
