//! Who is in which channel on which server: a user joins with the first client on any server, and leaves with the last one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use fws_engine::redis::Member;
use fws_engine::{Attendance, Broker};

use super::relay::spawn;
use crate::core::Core;

/// The most changes that wait to be told. Others are told as if this server were alone.
const WAITING: usize = 100_000;
/// The most that Redis is asked about at a time.
const TOGETHER: usize = 64;

/// A thread that asks Redis of each change whether it is one for all servers, in their order.
pub struct Register(SyncSender<Attendance>);

impl Register {
    pub fn start(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> io::Result<Register> {
        let (entrance, changes) = sync_channel(WAITING);
        let core = Arc::downgrade(core);
        spawn("fws-attendance".to_owned(), move || {
            while let (Ok(change), Some(core)) = (changes.recv(), core.upgrade()) {
                let mut told = Vec::new();
                tell(&*cluster, change, &changes, &mut told);
                core.tell_attendance(told);
            }
        })?;
        Ok(Register(entrance))
    }

    /// The same without a thread. What is returned is a step of it, and says whether there was something to do.
    #[cfg(feature = "simulation")]
    pub fn in_steps(core: &Arc<Core>, cluster: Arc<dyn Broker>) -> (Register, Box<dyn Fn() -> bool>) {
        let (entrance, changes) = sync_channel(1_000);
        let core = Arc::downgrade(core);
        let step = move || {
            let (Ok(change), Some(core)) = (changes.try_recv(), core.upgrade()) else { return false };
            let mut told = Vec::new();
            tell(&*cluster, change, &changes, &mut told);
            core.tell_attendance(told);
            true
        };
        (Register(entrance), Box::new(step))
    }

    /// Takes changes, but those for which there is no room.
    pub fn take(&self, changes: &mut Vec<Attendance>) {
        changes.retain(|change| self.0.try_send(change.clone()).is_err());
    }
}

/// Looks at a change, and at those that wait behind it.
fn tell(cluster: &dyn Broker, first: Attendance, more: &Receiver<Attendance>, told: &mut Vec<Attendance>) {
    let changes: Vec<Attendance> = std::iter::once(first).chain(more.try_iter().take(TOGETHER - 1)).collect();
    let members: Vec<Member> = changes.iter().map(member).collect();
    let asked: Vec<(bool, &Member)> = changes.iter().zip(&members).map(|(change, member)| (change.joined, member)).collect();
    match cluster.attend(&asked) {
        Ok(first_or_last) => told.extend(changes.into_iter().zip(first_or_last).filter(|(_, told)| *told).map(|(change, _)| change)),
        // Without Redis it is as if this server were alone.
        Err(_) => told.extend(changes),
    }
}

fn member(change: &Attendance) -> Member {
    Member { route: (*change.route).into(), tag: (*change.tag).into(), user: (*change.user).into() }
}
