//! Who is in which channel on which server: a user joins with the first client on any server, and leaves with the last one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use fws_engine::redis::Member;
use fws_engine::{Attendance, Broker};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::relay::spawn;
use crate::core::{Core, is_followed};

/// The most changes that wait to be told. Others are told as if this server were alone, and Redis hears of them later.
const WAITING: usize = 100_000;
/// The most that Redis is asked about at a time.
const TOGETHER: usize = 64;

/// What waits for the thread.
enum Item {
    Change(Attendance),
    /// Somebody waits until all before it is told: until this is dropped.
    Barrier(SyncSender<()>),
}

/// Where changes wait, in their order.
struct Entrance {
    queue: SyncSender<Item>,
    behind: Arc<Behind>,
}

/// The last changes of members that had no room in the queue, by route, channel and user. Until all that is in the queue is told, nothing more comes into it: else
/// what was first would be told last.
type Behind = Mutex<HashMap<(Arc<str>, Arc<str>, Arc<str>), Attendance>>;

impl Entrance {
    fn new(most: usize) -> (Entrance, Receiver<Item>) {
        let (queue, changes) = sync_channel(most);
        (Entrance { queue, behind: Arc::default() }, changes)
    }

    /// `false`: there is no room.
    fn put(&self, change: &Attendance) -> bool {
        let mut behind = self.behind.lock();
        let has_room = behind.is_empty() && self.queue.try_send(Item::Change(change.clone())).is_ok();
        if !has_room {
            behind.insert((change.route.clone(), change.tag.clone(), change.user.clone()), change.clone());
        }
        has_room
    }
}

/// What is to be told before those who had no room. Where there is nothing, `later` takes these.
fn before(behind: &Behind, changes: &Receiver<Item>, mut later: impl FnMut(&Attendance)) -> Option<Item> {
    let mut behind = behind.lock();
    if behind.is_empty() {
        return None;
    }
    let first = changes.try_recv().ok();
    if first.is_none() {
        behind.drain().for_each(|(_, change)| later(&change));
    }
    first
}

/// A thread that asks Redis of each change whether it is one for all servers, in their order.
pub struct Register {
    entrance: Entrance,
    /// Of the end of this server: Redis is not told of these, so the others believe that their users are there until the lease ends. Who has come back
    /// to one of them by then has never left.
    kept: Mutex<Vec<Attendance>>,
}

impl Register {
    pub fn start(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> io::Result<Register> {
        let (register, changes) = Register::new();
        let (core, behind) = (Arc::downgrade(core), register.entrance.behind.clone());
        spawn("fws-attendance".to_owned(), move || {
            while let (Ok(item), Some(core)) = (changes.recv(), core.upgrade()) {
                tell_all(&core, &*cluster, item, &changes, &behind);
            }
        })?;
        Ok(register)
    }

    /// The same without a thread. What is returned is a step of it, and says whether there was something to do.
    #[cfg(feature = "simulation")]
    pub fn in_steps(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> (Register, Box<dyn Fn() -> bool>) {
        let (register, changes) = Register::new();
        let (core, behind) = (Arc::downgrade(core), register.entrance.behind.clone());
        let step = move || {
            let (Ok(item), Some(core)) = (changes.try_recv(), core.upgrade()) else { return false };
            tell_all(&core, &*cluster, item, &changes, &behind);
            true
        };
        (register, Box::new(step))
    }

    fn new() -> (Register, Receiver<Item>) {
        let (entrance, changes) = Entrance::new(WAITING);
        (Register { entrance, kept: Mutex::default() }, changes)
    }

    /// Takes changes, but those that are to be told as if this server were alone. The caller may have locked the routes.
    pub fn take(&self, core: &Core, changes: &mut Vec<Attendance>) {
        {
            // Locked before it is looked, so that none is kept that `go_on` has not seen.
            let mut kept = self.kept.lock();
            if core.is_draining() {
                kept.extend(changes.extract_if(.., |change| change.silent));
            }
        }
        changes.retain(|change| !self.entrance.put(change));
    }

    /// Waits until Redis is told of all changes until now, or could not be told, and no longer than this.
    pub fn wait(&self, timeout: Duration) {
        let (barrier, told) = sync_channel(0);
        if self.entrance.queue.try_send(Item::Barrier(barrier)).is_ok() {
            // The end of the channel is what is waited for.
            let _ = told.recv_timeout(timeout);
        }
    }

    /// The server goes on: those who left as it was about to end have left.
    pub fn go_on(&self) {
        for change in std::mem::take(&mut *self.kept.lock()) {
            self.entrance.put(&Attendance { silent: false, ..change });
        }
    }
}

/// Looks at a change, at those that wait behind it, and at those that had no room where the queue is empty then: Redis hears of them later.
fn tell_all(core: &Arc<Core>, cluster: &dyn Broker, first: Item, more: &Receiver<Item>, behind: &Behind) {
    let mut next = Some(first);
    while let Some(item) = next {
        tell(core, cluster, item, more);
        next = before(behind, more, |change| cluster.attend_later(&[(change.joined, &member(change, true, false))]));
    }
}

/// Looks at a change, and at those that wait behind it.
fn tell(core: &Arc<Core>, cluster: &dyn Broker, first: Item, more: &Receiver<Item>) {
    let (mut changes, mut barriers) = (Vec::new(), Vec::new());
    for item in std::iter::once(first).chain(more.try_iter().take(TOGETHER - 1)) {
        match item {
            Item::Change(change) => changes.push(change),
            Item::Barrier(barrier) => barriers.push(barrier),
        }
    }
    let members = changes.iter().map(|change| {
        let pusher = core.speaks_pusher(&change.route);
        member(change, pusher && is_followed(&change.tag), pusher)
    });
    let members: Vec<Member> = members.collect();
    let asked: Vec<(bool, &Member)> = changes.iter().zip(&members).map(|(change, member)| (change.joined, member)).collect();
    let told = match if asked.is_empty() { Ok(Vec::new()) } else { cluster.attend(&asked) } {
        Ok(first_or_last) => changes.into_iter().zip(first_or_last).filter(|(_, told)| *told).map(|(change, _)| change).collect(),
        // Without Redis PHP is told as if this server were alone, but not where clients speak the Pusher protocol: these have lists of who is there on all
        // servers, and PHP is told what they are told, once that is known.
        Err(_) => changes.into_iter().filter(|change| !core.speaks_pusher(&change.route)).collect(),
    };
    core.tell_attendance(told);
    drop(barriers);
}

/// Where the caller may have locked the routes it is not known whether a change is followed: then it is.
fn member(change: &Attendance, followed: bool, late: bool) -> Member {
    let Attendance { route, tag, user, info, by, .. } = change;
    Member { route: (**route).into(), tag: (**tag).into(), user: (**user).into(), info: info.clone(), by: by.clone(), followed, late }
}

#[cfg(test)]
mod tests {
    use fws_hub::RouteId;

    use super::*;

    fn change(user: &str, joined: bool) -> Attendance {
        let (route, tag) = ("chat".into(), "room".into());
        Attendance { joined, silent: false, id: RouteId(1), route, tag, user: user.into(), info: Arc::default(), by: None }
    }

    #[test]
    fn what_had_no_room_is_told_behind_all_that_had() {
        let (entrance, changes) = Entrance::new(2);
        assert!(entrance.put(&change("ann", true)) && entrance.put(&change("bob", true)));
        assert!(!entrance.put(&change("ann", false)) && !entrance.put(&change("cid", true)) && !entrance.put(&change("cid", false)));
        let (mut told, mut later) = (Vec::new(), Vec::new());
        let mut next = changes.try_recv().ok();
        while let Some(item) = next {
            let Item::Change(Attendance { user, joined, .. }) = item else { panic!("there is no other") };
            told.push((user.to_string(), joined));
            assert!(!entrance.put(&change("dan", true)), "there are others before");
            next = before(&entrance.behind, &changes, |change| later.push((change.user.to_string(), change.joined)));
        }
        later.sort();
        assert_eq!(told, [("ann".to_owned(), true), ("bob".to_owned(), true)]);
        assert_eq!(later, [("ann".to_owned(), false), ("cid".to_owned(), false), ("dan".to_owned(), true)]);
        assert!(entrance.put(&change("eve", true)));
    }
}
