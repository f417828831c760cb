//! PHP's end: who handles events, and what it was told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fws_hub::command::Describe;
use fws_hub::{Command, Outcome, Reply};
use fws_server::{Bell, Core, Ended};
use fws_session::Event;

use crate::send;

/// What PHP was told, of all clients in the order of their events.
#[derive(Default)]
pub struct Told {
    pub opened: AtomicUsize,
    pub messages: AtomicUsize,
    /// Code, reason and whether it was clean.
    pub closed: Mutex<Vec<(u16, String, bool)>>,
    /// Clients leave by themselves: then what they sent before is told.
    pub leave: bool,
}

pub fn is_live(core: &Core, id: &str) -> bool {
    core.ask(&Command::Client(Describe { id })).is_ok_and(|reply| matches!(reply, Reply::Client(client) if client.connected))
}

/// Handles events as PHP would, in a thread, until `until`. `act` is called with each that is not a close event; what it returns is the
/// cause of a failure.
///
/// None is a message of a client that was gone before it was asked for.
pub fn handle(core: &Arc<Core>, told: &Told, until: &AtomicBool, act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync)) {
    while !until.load(Ordering::SeqCst) {
        let Some(ring) = core.take_ring() else {
            std::thread::yield_now();
            continue;
        };
        let bell = core.claim_bell(format!("fws_bell={}", ring.nonce).as_bytes()).expect("a live nonce");
        while let Some((id, failure)) = one(core, told, &bell, act) {
            if let Some(cause) = failure {
                core.fail_event(&bell, &format!("{id}: {cause}"));
            }
        }
        core.release_bell(&bell, false, "");
        core.end_bell(&ring.nonce, Ended::Served, b"", "");
    }
}

fn one(
    core: &Arc<Core>,
    told: &Told,
    bell: &Bell,
    act: &(dyn Fn(&Core, &str, &Event) -> Option<String> + Sync),
) -> Option<(String, Option<String>)> {
    let live: Vec<Arc<str>> = core.ids();
    let current = core.next_event(bell)?;
    let (id, event) = (current.id().to_owned(), current.event().clone());
    drop(current);
    match &event {
        Event::Open(_) => drop(told.opened.fetch_add(1, Ordering::SeqCst)),
        Event::Message { .. } => {
            told.messages.fetch_add(1, Ordering::SeqCst);
            assert!(told.leave || live.iter().any(|live| **live == *id), "a message of a client that was gone before it was asked for");
        }
        Event::Close(closed) => {
            told.closed.lock().expect("sound").push((closed.code, closed.reason.clone(), closed.clean));
            assert!(!is_live(core, &id));
            assert_eq!(send(core, &id), Ok(Reply::Sent(Outcome::Gone)));
            return Some((id, None));
        }
        Event::Suspend
        | Event::Resume(_)
        | Event::Timer(_)
        | Event::Join(_)
        | Event::Leave(_)
        | Event::Subscribe(_)
        | Event::Unsubscribe(_)
        | Event::ClientEvent(_)
        | Event::Channel(_) => {}
    }
    let failure = act(core, &id, &event);
    Some((id, failure))
}
