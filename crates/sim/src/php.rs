//! PHP: threads that answer bells, handle events one by one, slowly, and do what the application wants.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use fws_server::{Bell, Ended};
use fws_session::Event;

use crate::acts::{Act, Doer};
use crate::node::Node;
use crate::truth::Aim;
use crate::world::Sim;

/// A thread of PHP.
#[derive(Default)]
pub struct Thread(RefCell<State>);

#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// It is in a call.
    Busy,
    /// It handles an event of a bell, for which this is left to do.
    Serving { nonce: String, bell: Arc<Bell>, todo: VecDeque<Act> },
}

impl Thread {
    /// Whether it handles something.
    pub fn is_idle(&self) -> bool {
        matches!(*self.0.borrow(), State::Idle)
    }

    /// Does the next thing. `false`: there is nothing to do.
    pub fn step(&self, sim: &Sim, node: &Node, number: usize) -> bool {
        match self.0.replace(State::Busy) {
            State::Idle => {
                let next = answer_a_bell(sim, node);
                let rang = next.is_some();
                self.0.replace(next.unwrap_or_default());
                rang
            }
            State::Busy => false,
            State::Serving { nonce, bell, mut todo } => {
                if let Some(act) = todo.pop_front() {
                    let doer = Doer { name: format!("php {} {number}", node.number), bell: Some(&bell) };
                    act.done_by(sim, node, &doer);
                    self.0.replace(State::Serving { nonce, bell, todo });
                    return true;
                }
                let next = node.core().next_event(&bell).map(|current| handle(sim, node, current.id(), current.event()));
                let next = match next {
                    Some(todo) => State::Serving { nonce, bell, todo },
                    None => {
                        node.core().release_bell(&bell, false, "");
                        node.core().end_bell(&nonce, Ended::Served, b"", "");
                        State::Idle
                    }
                };
                self.0.replace(next);
                true
            }
        }
    }
}

/// The host rings a bell, if one is to be rung.
fn answer_a_bell(sim: &Sim, node: &Node) -> Option<State> {
    let ring = node.core().take_ring()?;
    if !sim.calm.get() && sim.dice.chance(50) {
        sim.note(|| format!("server {}: a bell does not reach PHP", node.number));
        node.core().end_bell(&ring.nonce, Ended::Abandoned, b"", "");
        return Some(State::Idle);
    }
    let bell = node.core().claim_bell(format!("fws_bell={}", ring.nonce).as_bytes())?;
    Some(State::Serving { nonce: ring.nonce, bell, todo: VecDeque::new() })
}

/// What the application does about an event.
fn handle(sim: &Sim, node: &Node, id: &str, event: &Event) -> VecDeque<Act> {
    let mut truth = sim.truth.borrow_mut();
    let mut todo = VecDeque::new();
    let what = match event {
        Event::Open(opened) => {
            let path = String::from_utf8_lossy(&opened.path).into_owned();
            if let Some(visit) = path.strip_prefix("/v").and_then(|visit| visit.parse().ok()) {
                let now = truth.moment();
                let session = truth.sessions.entry(visit).or_default();
                (session.id, session.opened) = (Some(id.to_owned()), Some(now));
                truth.opens(visit, id);
                if truth.sessions[&visit].stays.contains_key("t") {
                    truth.joined(visit, "t");
                }
                todo = welcome(sim, visit);
            }
            format!("open {path}")
        }
        Event::Message { data, .. } => {
            let text = String::from_utf8_lossy(data).into_owned();
            let said = text.strip_prefix('u').and_then(|said| said.split_once(':'));
            if let Some((Ok(visit), Ok(seq))) = said.map(|(visit, seq)| (visit.parse::<usize>(), seq.parse::<u64>())) {
                let answers = sim.dice.chance(300);
                let session = truth.sessions.entry(visit).or_default();
                session.heard.push(seq);
                if answers {
                    todo.push_back(Act::Send(Aim::One(visit)));
                }
            }
            format!("message {text}")
        }
        Event::Close(closed) => {
            // A server that is cut off, or dead, cannot say that the session has arrived there: then PHP is rather told twice than never.
            let believed_lost = closed.reason.contains("did not arrive") && truth.troubles > 0;
            let twice = truth.session_of(id).is_some_and(|session| {
                session.believed_lost |= believed_lost;
                std::mem::replace(&mut session.closed, true) && session.has_own_id() && !session.believed_lost
            });
            if twice {
                truth.blame(format!("PHP was told twice that {id} is gone"));
            }
            format!("close {} {}", closed.code, closed.reason)
        }
        Event::Join(member) | Event::Leave(member) => {
            let joined = matches!(event, Event::Join(_));
            truth.attendance.push((member.tag.to_string(), member.user.to_string(), joined));
            format!("{} {} of {}", if joined { "join" } else { "leave" }, member.user, member.tag)
        }
        Event::Suspend => "suspend".to_owned(),
        Event::Resume(_) => "resume".to_owned(),
        Event::Timer(_) => "timer".to_owned(),
        // Nobody speaks a protocol here that has them.
        Event::Subscribe(_) | Event::Unsubscribe(_) | Event::ClientEvent(_) | Event::Channel(_) => {
            "something of another protocol".to_owned()
        }
    };
    drop(truth);
    sim.note(|| format!("server {}: PHP handles of {id}: {what}", node.number));
    todo
}

/// What the application does about a new client.
fn welcome(sim: &Sim, visit: usize) -> VecDeque<Act> {
    let mut todo = VecDeque::new();
    for (tag, of_thousand) in [("t", 400), ("hall:1", 500), ("news:1", 500)] {
        if sim.dice.chance(of_thousand) {
            let since = tag == "news:1" && sim.dice.chance(700);
            todo.push_back(Act::Join { session: visit, tag, since });
        }
    }
    todo
}
