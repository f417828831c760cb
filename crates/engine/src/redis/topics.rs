//! What other servers send here: topics with somebody who listens.
//!
//! A topic of clients with a tag has a name that scripts in Redis know as well: what becomes of members of a channel is published there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::{Condvar, Mutex};
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

/// What becomes true once.
#[derive(Debug, Default)]
pub(super) struct Flag(Mutex<bool>, Condvar);

impl Flag {
    fn set(&self) {
        *self.0.lock() = true;
        self.1.notify_all();
    }

    /// Waits until it is true, no longer than a time. `false`: it is not.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut set = self.0.lock();
        self.1.wait_while_for(&mut set, |set| !*set, timeout);
        *set
    }
}

/// Topics that somebody on this server listens to.
#[derive(Debug)]
pub(super) struct Topics {
    wanted: Mutex<HashMap<Box<str>, Wanted>>,
    /// Topics of which the link is to look what is wanted of them now. There are no more of them than changes of topics.
    wishes: UnboundedSender<Box<str>>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// So many listen.
    count: u32,
    /// When Redis has confirmed the subscription.
    ready: Option<Instant>,
    /// Redis does so the next time, or has done so.
    told: Arc<Flag>,
}

impl Topics {
    pub fn new() -> (Topics, UnboundedReceiver<Box<str>>) {
        let (wishes, exit) = unbounded_channel();
        (Topics { wanted: Mutex::default(), wishes }, exit)
    }

    /// Somebody more listens. `None`: it is subscribed to already. Else it is when the flag is set.
    pub fn want(&self, topic: &str) -> Option<Arc<Flag>> {
        let mut wanted = self.wanted.lock();
        let entry = match wanted.entry(topic.into()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let _ = self.wishes.send(topic.into());
                entry.insert(Wanted::default())
            }
        };
        entry.count += 1;
        entry.ready.is_none().then(|| entry.told.clone())
    }

    /// What is set once a topic is subscribed to that somebody listens to. `None`: it is, or nobody listens.
    pub fn awaited(&self, topic: &str) -> Option<Arc<Flag>> {
        self.wanted.lock().get(topic).filter(|entry| entry.ready.is_none()).map(|entry| entry.told.clone())
    }

    /// Somebody listens no more.
    pub fn unwant(&self, topic: &str) {
        let mut wanted = self.wanted.lock();
        let Some(entry) = wanted.get_mut(topic) else { return };
        entry.count -= 1;
        if entry.count == 0 {
            wanted.remove(topic);
            let _ = self.wishes.send(topic.into());
        }
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self, topic: &str) -> bool {
        self.wanted.lock().contains_key(topic)
    }

    /// Redis has confirmed the subscription to a topic.
    pub fn is_ready(&self, topic: &str) {
        if let Some(entry) = self.wanted.lock().get_mut(topic) {
            entry.ready.get_or_insert_with(Instant::now);
            entry.told.set();
        }
    }

    /// Since when all of a topic is heard, without a gap.
    pub fn since(&self, topic: &str) -> Option<Instant> {
        self.wanted.lock().get(topic)?.ready
    }

    /// The connection is another one: all that somebody listens to, of which Redis knows nothing yet.
    pub fn all_anew(&self) -> Vec<Box<str>> {
        let mut wanted = self.wanted.lock();
        for entry in wanted.values_mut() {
            if entry.ready.take().is_some() {
                entry.told = Arc::default();
            }
        }
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
    fn only_the_first_who_listens_and_the_last_who_leaves_change_anything_and_all_wait_until_it_is_ready() {
        let (topics, mut wishes) = Topics::new();
        let waiting = [topics.want("a"), topics.want("a"), topics.awaited("a")].map(|flag| flag.expect("it is not ready"));
        assert!(topics.awaited("b").is_none(), "nobody listens");
        assert!(!waiting[0].wait(Duration::ZERO));
        topics.is_ready("a");
        assert!(waiting.iter().all(|flag| flag.wait(Duration::ZERO)));
        assert!(topics.want("a").is_none() && topics.awaited("a").is_none());
        assert_eq!(topics.all_anew(), [Box::<str>::from("a")]);
        let again = topics.awaited("a").expect("it is another connection");
        assert!(!again.wait(Duration::ZERO));
        topics.is_ready("a");
        assert!(again.wait(Duration::ZERO));
        topics.unwant("a");
        topics.unwant("a");
        assert!(topics.is_wanted("a"));
        topics.unwant("a");
        assert!(!topics.is_wanted("a") && topics.all_anew().is_empty());
        let mut count = 0;
        while wishes.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, 2);
    }
}
