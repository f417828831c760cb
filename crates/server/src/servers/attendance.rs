//! Who is in which channel on which server: a user joins with the first client on any server, and leaves with the last one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use fws_engine::redis::Member;
use fws_engine::{Attendance, Broker};
use parking_lot::Mutex;

use super::relay::spawn;
use crate::core::Core;

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

/// A thread that asks Redis of each change whether it is one for all servers, in their order.
pub struct Register {
    entrance: SyncSender<Item>,
    cluster: Arc<dyn Broker>,
    /// Of the end of this server: Redis is not told of these, so the others believe that their users are there until the lease ends. Who has come back
    /// to one of them by then has never left.
    kept: Mutex<Vec<Attendance>>,
}

impl Register {
    pub fn start(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> io::Result<Register> {
        let (register, changes) = Register::new(cluster.clone());
        let core = Arc::downgrade(core);
        spawn("fws-attendance".to_owned(), move || {
            while let (Ok(item), Some(core)) = (changes.recv(), core.upgrade()) {
                tell(&core, &*cluster, item, &changes);
            }
        })?;
        Ok(register)
    }

    /// The same without a thread. What is returned is a step of it, and says whether there was something to do.
    #[cfg(feature = "simulation")]
    pub fn in_steps(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> (Register, Box<dyn Fn() -> bool>) {
        let (register, changes) = Register::new(cluster.clone());
        let core = Arc::downgrade(core);
        let step = move || {
            let (Ok(item), Some(core)) = (changes.try_recv(), core.upgrade()) else { return false };
            tell(&core, &*cluster, item, &changes);
            true
        };
        (register, Box::new(step))
    }

    fn new(cluster: Arc<dyn Broker>) -> (Register, Receiver<Item>) {
        let (entrance, changes) = sync_channel(WAITING);
        (Register { entrance, cluster, kept: Mutex::default() }, changes)
    }

    /// Takes changes, but those that are to be told as if this server were alone. The caller may have locked the routes.
    pub fn take(&self, core: &Core, changes: &mut Vec<Attendance>) {
        if core.is_draining() {
            let (kept, others) = std::mem::take(changes).into_iter().partition(|change| change.silent);
            *changes = others;
            self.kept.lock().extend::<Vec<Attendance>>(kept);
        }
        changes.retain(|change| {
            let taken = self.entrance.try_send(Item::Change(change.clone())).is_ok();
            if !taken {
                self.cluster.attend_later(&[(change.joined, &member(change, true, false))]);
            }
            !taken
        });
    }

    /// Waits until Redis is told of all changes until now, or could not be told, and no longer than this.
    pub fn wait(&self, timeout: Duration) {
        let (barrier, told) = sync_channel(0);
        if self.entrance.try_send(Item::Barrier(barrier)).is_ok() {
            // The end of the channel is what is waited for.
            let _ = told.recv_timeout(timeout);
        }
    }

    /// The server goes on: those who left as it was about to end have left.
    pub fn go_on(&self) {
        for change in std::mem::take(&mut *self.kept.lock()) {
            let gone = member(&change, true, false);
            if self.entrance.try_send(Item::Change(Attendance { silent: false, ..change })).is_err() {
                self.cluster.attend_later(&[(false, &gone)]);
            }
        }
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
        let (followed, late) = (core.is_followed(&change.route, &change.tag), core.speaks_pusher(&change.route));
        member(change, followed, late)
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
