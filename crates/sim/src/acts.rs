//! What an application does: it sends, tags, renames and closes, by the functions that it has.

use fws_hub::command::{Close, Count, Presence, Rename, SendTo, Tag, Untag};
use fws_hub::{Command, CommandError, Outcome, Renamed, Reply, Target};
use fws_server::{Bell, Caller};

use crate::node::Node;
use crate::truth::{Aim, Sent, text_of};
use crate::world::Sim;

/// Something that an application does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends a message.
    Send(Aim),
    /// Gives a session a tag, and what was sent to it if it has a history.
    Join {
        /// Which session.
        session: usize,
        /// Which tag.
        tag: &'static str,
        /// From the beginning of the history.
        since: bool,
    },
    /// Takes a tag off a session.
    Leave {
        /// Which session.
        session: usize,
        /// Which tag.
        tag: &'static str,
    },
    /// Gives a session another id.
    Rename {
        /// Which session.
        session: usize,
        /// Its new id.
        name: String,
    },
    /// Closes a session.
    End(usize),
    /// Asks something of all servers.
    Look,
}

/// Who does it: one thing after the other.
pub struct Doer<'a> {
    /// Its name.
    pub name: String,
    /// The bell whose event it handles.
    pub bell: Option<&'a Bell>,
}

impl Act {
    /// One of all that an application may do.
    pub fn any(sim: &Sim) -> Option<Act> {
        let sessions = reachable(sim);
        let users: Vec<String> = (0..sim.plan.users).map(|user| format!("user{user}")).collect();
        let aims = [Aim::Tag("t".to_owned()), Aim::All, Aim::User(sim.dice.pick(&users)), Aim::Tag("news:1".to_owned())];
        let dice = sim.dice.below(100);
        if dice < 45 {
            return Some(Act::Send(sim.dice.pick(&aims)));
        }
        if dice < 48 {
            return Some(Act::Look);
        }
        if sessions.is_empty() {
            return None;
        }
        let session = sim.dice.pick(&sessions);
        let tag = sim.dice.pick(&["t", "t", "hall:1", "news:1"]);
        Some(match dice {
            48..65 => Act::Send(Aim::One(session)),
            65..82 => Act::Join { session, tag, since: tag == "news:1" && sim.dice.chance(500) },
            82..93 => Act::Leave { session, tag: if tag == "news:1" { "t" } else { tag } },
            93..98 => Act::Rename { session, name: format!("king{}", sim.visit() / 2) },
            _ => Act::End(session),
        })
    }

    /// It is done on a server.
    pub fn done_by(&self, sim: &Sim, node: &Node, doer: &Doer<'_>) {
        match self {
            Act::Send(aim) => send(sim, node, doer, aim),
            Act::Join { session, tag, since } => join(sim, node, doer, *session, tag, *since),
            Act::Leave { session, tag } => leave(sim, node, doer, *session, tag),
            Act::Rename { session, name } => rename(sim, node, doer, *session, name),
            Act::End(session) => end(sim, node, doer, *session),
            Act::Look => {
                let _ = ask(sim, node, doer, &Command::Count(Count::default()));
                let _ = ask(sim, node, doer, &Command::Presence(Presence { tag: "hall:1", route: None }));
            }
        }
    }
}

/// Sessions that servers know by an id that is known.
fn reachable(sim: &Sim) -> Vec<usize> {
    let truth = sim.truth.borrow();
    let known = truth.sessions.iter().filter(|(_, session)| session.id.is_some() && !session.over && !session.closed);
    known.map(|(number, _)| *number).collect()
}

fn ask(sim: &Sim, node: &Node, doer: &Doer<'_>, command: &Command<'_>) -> Result<Reply, CommandError> {
    sim.note(|| format!("server {}, {}: {command:?}", node.number, doer.name));
    let answer = node.core().ask_as(command, Caller { bell: doer.bell, ..Caller::default() });
    sim.note(|| format!("server {}, {}: {answer:?}", node.number, doer.name));
    answer
}

fn id_of(sim: &Sim, session: usize) -> Option<String> {
    sim.truth.borrow().sessions.get(&session)?.id.clone()
}

fn send(sim: &Sim, node: &Node, doer: &Doer<'_>, aim: &Aim) {
    let id = if let Aim::One(session) = aim { id_of(sim, *session) } else { None };
    let to = match (aim, &id) {
        (Aim::Tag(tag), _) => Target::Tag(tag),
        (Aim::All, _) => Target::All,
        (Aim::User(user), _) => Target::User(user),
        (Aim::One(_), Some(id)) => Target::Client(id),
        (Aim::One(_), None) => return,
    };
    let number = {
        let mut truth = sim.truth.borrow_mut();
        let begun = truth.moment();
        let recorded = matches!(aim, Aim::Tag(tag) if tag.starts_with("news:"));
        let sender = doer.name.clone();
        truth.sent.push(Sent { sender, aim: aim.clone(), id: id.clone(), recorded, begun, ended: None, sure: false, refused: false });
        truth.sent.len() - 1
    };
    let text = text_of(number);
    let message = SendTo { to, route: None, except: None, binary: false, data: text.as_bytes().into() };
    let answer = ask(sim, node, doer, &Command::Send(message));
    let mut truth = sim.truth.borrow_mut();
    let now = truth.moment();
    let sent = &mut truth.sent[number];
    sent.ended = Some(now);
    sent.sure = matches!(answer, Ok(Reply::Queued(_) | Reply::Sent(Outcome::Queued))) && node.is_alive();
    sent.refused = matches!(answer, Ok(Reply::Sent(Outcome::Gone)));
}

fn join(sim: &Sim, node: &Node, doer: &Doer<'_>, session: usize, tag: &str, since: bool) {
    let Some(id) = id_of(sim, session) else { return };
    if !begin_to_change(sim, session, tag) {
        return;
    }
    let first = sim.truth.borrow().sessions.get(&session).is_some_and(|session| !session.stays.contains_key(tag));
    sim.truth.borrow_mut().joining(session, tag);
    let command = Command::Tag(Tag { id: &id, tag, since: since.then_some(""), member: None });
    let answer = ask(sim, node, doer, &command);
    sim.truth.borrow_mut().doubt(session, &id, tag);
    sim.truth.borrow_mut().sessions.entry(session).or_default().changing.remove(tag);
    let mut truth = sim.truth.borrow_mut();
    match answer {
        Ok(Reply::Flag(true)) if !truth.may_be_anothers(session, &id) => {
            truth.joined(session, tag);
            if first && since {
                truth.sessions.entry(session).or_default().whole = Some(tag.to_owned());
            }
        }
        _ => truth.lose_track(session, tag),
    }
}

fn leave(sim: &Sim, node: &Node, doer: &Doer<'_>, session: usize, tag: &str) {
    let Some(id) = id_of(sim, session) else { return };
    if !begin_to_change(sim, session, tag) {
        return;
    }
    sim.truth.borrow_mut().leaving(session, tag);
    let answer = ask(sim, node, doer, &Command::Untag(Untag { id: &id, tag }));
    sim.truth.borrow_mut().doubt(session, &id, tag);
    sim.truth.borrow_mut().sessions.entry(session).or_default().changing.remove(tag);
    let mut truth = sim.truth.borrow_mut();
    match answer {
        Ok(Reply::Flag(true)) if !truth.may_be_anothers(session, &id) => truth.left(session, tag),
        _ => truth.lose_track(session, tag),
    }
}

/// `false`: somebody else changes it at this moment, and nobody could say how that ends, or has done so.
fn begin_to_change(sim: &Sim, session: usize, tag: &str) -> bool {
    let mut truth = sim.truth.borrow_mut();
    let session = truth.sessions.entry(session).or_default();
    session.is_in(tag).is_some() && session.changing.insert(tag.to_owned())
}

fn rename(sim: &Sim, node: &Node, doer: &Doer<'_>, session: usize, name: &str) {
    let Some(id) = id_of(sim, session) else { return };
    if id == name {
        return;
    }
    // Until it is known how it ends nobody calls it anything.
    {
        let mut truth = sim.truth.borrow_mut();
        truth.sessions.entry(session).or_default().id = None;
        // It may be another one by now that is called so.
        truth.may_be_renamed(&id, name);
    }
    let answer = ask(sim, node, doer, &Command::Rename(Rename { id: &id, new: name }));
    let connected = crate::checks::current_sessions(sim);
    let mut truth = sim.truth.borrow_mut();
    // A name means whoever has it at the moment when the command is carried out: that may be one that came while it was on its way.
    truth.may_be_renamed(&id, name);
    match answer {
        Ok(Reply::Renamed(Renamed::Done)) => {
            let has = |(number, other): (&usize, &crate::truth::Session)| {
                let there = connected.contains(number) && !other.closed && other.excuse.is_none();
                // One that had the old name may be the one that was renamed.
                *number != session && there && other.id.as_deref() == Some(name) && !other.ids.contains(&id)
            };
            if sim.plan.is_redis_reliable() && truth.troubles == 0 && truth.sessions.iter().any(has) {
                truth.blame(format!("two clients are called {name}"));
            }
            truth.sessions.entry(session).or_default().id = Some(name.to_owned());
        }
        Ok(_) => truth.sessions.entry(session).or_default().id = Some(id),
        // It may have been carried out, or is later, when another one has come who has the name.
        Err(_) => drop(truth.late_renames.insert((id, name.to_owned()))),
    }
}

fn end(sim: &Sim, node: &Node, doer: &Doer<'_>, session: usize) {
    let Some(id) = id_of(sim, session) else { return };
    sim.truth.borrow_mut().ended.insert(id.clone());
    let _ = ask(sim, node, doer, &Command::Close(Close { id: &id, code: 4000, reason: "" }));
}
