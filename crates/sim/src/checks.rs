//! The properties: each a function of what has happened.

use std::collections::{BTreeMap, BTreeSet};

use fws_hub::Command;
use fws_hub::Reply;
use fws_hub::command::Presence;

use crate::client::Phase;
use crate::truth::{Aim, Moment, Sent, Session, Truth, number_in};
use crate::world::Sim;

/// What is wrong with what has happened, once all is quiet.
pub fn check(sim: &Sim) -> Vec<String> {
    let truth = sim.truth.borrow();
    let log: Vec<(String, usize)> =
        sim.redis.logged().iter().filter_map(|logged| Some((logged.channel.clone(), number_in(&logged.payload)?))).collect();
    let mut wrong = truth.wrong.clone();
    let current = current_sessions(sim);
    for (number, session) in truth.sessions.iter().filter(|(_, session)| !session.liar) {
        let mut blame = |what: String| wrong.push(format!("session {number} of client {}: {what}", session.client));
        once(session, &mut blame);
        in_order(&truth, session, &mut blame);
        meant_for_it(&truth, *number, session, &mut blame);
        handled_in_order(session, current.contains(number), &mut blame);
        history(sim, &truth, session, &log, current.contains(number), &mut blame);
        if current.contains(number) {
            complete(&truth, *number, session, &mut blame);
        }
    }
    wrong
}

/// The sessions of clients that are connected.
pub fn current_sessions(sim: &Sim) -> BTreeSet<usize> {
    let of = |client: &std::rc::Rc<crate::client::Client>| {
        let state = client.state.borrow();
        state.session.filter(|_| matches!(&state.phase, Phase::Open(wire) if wire.greeted))
    };
    sim.clients.iter().filter_map(of).collect()
}

/// Nothing twice.
fn once(session: &Session, blame: &mut impl FnMut(String)) {
    let mut seen = BTreeSet::new();
    for (number, _) in &session.got {
        if !seen.insert(number) {
            blame(format!("it got message {number} twice"));
        }
    }
}

/// What one sender has sent to groups, and what it has sent to this client, in the order in which it was sent.
fn in_order(truth: &Truth, session: &Session, blame: &mut impl FnMut(String)) {
    let mut last: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for (number, _) in &session.got {
        let Some(sent) = truth.sent.get(*number) else {
            blame(format!("nobody has sent message {number}"));
            continue;
        };
        if sent.recorded {
            continue;
        }
        let before = last.insert((&sent.sender, matches!(sent.aim, Aim::One(_))), *number);
        if before.is_some_and(|before| before > *number) {
            blame(format!("it got message {number} behind message {before:?} of the same sender, {}", sent.sender));
        }
    }
}

/// Nothing that is meant for others.
fn meant_for_it(truth: &Truth, number: usize, session: &Session, blame: &mut impl FnMut(String)) {
    for (message, at) in &session.got {
        let Some(sent) = truth.sent.get(*message) else { continue };
        let meant = match &sent.aim {
            Aim::All => true,
            Aim::User(user) => *user == session.user,
            // An id that was chosen may be another client's by then.
            Aim::One(one) => *one == number || sent.id.as_ref().is_some_and(|id| session.ids.contains(id)),
            Aim::Tag(tag) => session.may_be_in(tag, if sent.recorded { 0 } else { sent.begun }, *at),
        };
        if !meant {
            blame(format!("it got message {message}, which is for {:?}", sent.aim));
        }
    }
}

/// PHP has handled what the client has said in order, each message once; all of it, if the session is not over.
fn handled_in_order(session: &Session, current: bool, blame: &mut impl FnMut(String)) {
    let expected = 1..=session.heard.len() as u64;
    if !expected.eq(session.heard.iter().copied()) {
        blame(format!("PHP has handled {:?}", session.heard));
    }
    if current && session.excuse.is_none() && session.heard.len() as u64 != session.said {
        blame(format!("it has said {} messages, and PHP has handled {}", session.said, session.heard.len()));
    }
}

/// Whether a session must have got a message to a group or to itself.
fn must_get(truth: &Truth, number: usize, session: &Session, message: usize, sent: &Sent) -> bool {
    let there = session.opened.is_some_and(|opened| opened <= sent.begun);
    let meant = match &sent.aim {
        Aim::All => there,
        Aim::User(user) => there && *user == session.user,
        Aim::One(one) => *one == number && sent.id.as_ref().is_some_and(|id| id.contains('.')),
        Aim::Tag(tag) => session.is_surely_in(tag, sent.begun, Moment::MAX - 1),
    };
    meant && sent.sure && !sent.recorded && !truth.lost.contains(&message)
}

/// All that was sent to it, or to its groups, and was not lost for a reason.
fn complete(truth: &Truth, number: usize, session: &Session, blame: &mut impl FnMut(String)) {
    if session.excuse.is_some() {
        return;
    }
    let got: BTreeSet<usize> = session.got.iter().map(|(number, _)| *number).collect();
    for (message, sent) in truth.sent.iter().enumerate() {
        if !got.contains(&message) && must_get(truth, number, session, message, sent) {
            blame(format!("it did not get message {message} to {:?} of {}", sent.aim, sent.sender));
        }
    }
}

/// A history is the same for all, and has no gap.
fn history(sim: &Sim, truth: &Truth, session: &Session, log: &[(String, usize)], current: bool, blame: &mut impl FnMut(String)) {
    let places: BTreeMap<usize, usize> = log.iter().enumerate().map(|(at, (_, number))| (*number, at)).collect();
    let got: Vec<usize> = session.got.iter().map(|(number, _)| *number).filter(|number| truth.sent[*number].recorded).collect();
    let at: Vec<Option<&usize>> = got.iter().map(|number| places.get(number)).collect();
    if !at.is_sorted() || at.contains(&None) {
        blame(format!("it got messages of a history in another order: {got:?}"));
    }
    // Where Redis has forgotten the history, there are gaps, which are counted. Where a call fails, it is not known how far a new member is.
    if sim.plan.forgets && truth.troubles > 0 || sim.plan.failures || sim.redis.was_late() || session.excuse.is_some() {
        return;
    }
    let (Some(first), Some(last)) = (at.iter().flatten().min(), at.iter().flatten().max()) else {
        if session.whole.is_some() && current && !log.is_empty() {
            blame("it got nothing of a history".to_owned());
        }
        return;
    };
    let whole = session.whole.is_some();
    let must: Vec<usize> = log.iter().map(|(_, number)| *number).collect();
    let until = if current { must.len() } else { **last + 1 };
    let missing: Vec<&usize> = must[if whole { 0 } else { **first }..until].iter().filter(|number| !got.contains(number)).collect();
    if !missing.is_empty() {
        blame(format!("it did not get messages {missing:?} of a history"));
    }
}

/// What is wrong once all sessions have ended of which no client knows: presence, and ids.
pub fn check_presence(sim: &Sim) -> Vec<String> {
    let mut wrong = Vec::new();
    let current = current_sessions(sim);
    // Nothing of it is borrowed while servers ask each other, in which more happens.
    let seen: Vec<_> = sim.alive().iter().map(|node| (node.number, who_is_there(node))).collect();
    let truth = sim.truth.borrow();
    let connected = || current.iter().filter_map(|number| truth.sessions.get(number));
    let sessions: Vec<&Session> = connected().filter(|session| !session.closed).collect();
    let nodes = sim.alive();
    let mut ids: Vec<String> = nodes.iter().flat_map(|node| node.core().ids()).map(|id| id.to_string()).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    if ids.len() != all && sim.plan.is_redis_reliable() {
        wrong.push(format!("of {all} ids only {} are different", ids.len()));
    }
    if all != current.len() {
        wrong.push(format!("{} clients are connected, and the servers have {all}", current.len()));
    }
    // Another session of the name may be the one that was closed, or a server that was cut off has it.
    let may_be_there = |session: &Session| session.believed_lost || !session.has_own_id();
    let unclear = |session: &&Session| session.closed && may_be_there(session) || session.is_in("hall:1").is_none();
    let unsure: BTreeSet<&str> = connected().filter(unclear).map(|session| session.user.as_str()).collect();
    let there: BTreeSet<&str> =
        sessions.iter().filter(|session| session.is_in("hall:1") == Some(true)).map(|session| session.user.as_str()).collect();
    for (node, seen) in &seen {
        let seen: BTreeSet<&str> = match seen {
            Ok(seen) => seen.iter().map(String::as_str).collect(),
            Err(why) => {
                wrong.push(format!("server {node} does not know who is there: {why}"));
                continue;
            }
        };
        if seen.difference(&there).chain(there.difference(&seen)).any(|user| !unsure.contains(user)) {
            wrong.push(format!("{there:?} are there, and server {node} says {seen:?}"));
        }
    }
    if sim.plan.is_redis_reliable() && truth.troubles == 0 {
        attendance(&truth, &there, &unsure, &mut wrong);
    }
    wrong
}

fn who_is_there(node: &crate::node::Node) -> Result<Vec<String>, String> {
    match node.core().ask(&Command::Presence(Presence { tag: "hall:1", route: None })) {
        Ok(Reply::Members(members)) => {
            Ok(members.iter().filter(|member| member.connections > 0).map(|member| member.user.to_string()).collect())
        }
        other => Err(format!("{other:?}")),
    }
}

/// Whoever is there has joined once more often than left.
pub fn attendance(truth: &Truth, there: &BTreeSet<&str>, unsure: &BTreeSet<&str>, wrong: &mut Vec<String>) {
    let mut told: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, user, joined) in &truth.attendance {
        *told.entry(user).or_default() += if *joined { 1 } else { -1 };
    }
    for (user, count) in told.into_iter().filter(|(user, _)| !unsure.contains(user)) {
        if count != i64::from(there.contains(user)) {
            wrong.push(format!("{user} has joined {count} times more than left"));
        }
    }
}

/// What is left when all clients are gone.
pub fn check_nothing_left(sim: &Sim) -> Vec<String> {
    let mut wrong = Vec::new();
    for node in sim.alive() {
        let stats = node.core().stats();
        for name in [
            "connections",
            "connections_known",
            "suspended",
            "resume_bytes",
            "events_pending",
            "presence_members",
            "tags",
            "users",
            "cluster_topics",
            "cluster_claims",
        ] {
            if stats[name] != 0 {
                wrong.push(format!("server {}: {name} is {}", node.number, stats[name]));
            }
        }
    }
    if sim.plan.is_redis_reliable() && !sim.plan.deaths {
        wrong.extend(sim.redis.left());
    }
    let truth = sim.truth.borrow();
    if sim.plan.is_redis_reliable() && truth.troubles == 0 {
        attendance(&truth, &BTreeSet::new(), &BTreeSet::new(), &mut wrong);
    }
    // The PHP of a server that has died can be told nothing.
    if sim.nodes.borrow().iter().all(|node| node.is_alive()) {
        let untold = |session: &&Session| session.opened.is_some() && !session.closed && session.has_own_id();
        wrong.extend(truth.sessions.values().filter(untold).map(|session| format!("PHP was not told that {:?} is gone", session.id)));
    }
    wrong
}
