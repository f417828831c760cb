//! A deterministic simulator: one seed is one run, on one thread, without a real clock, without sockets and without Redis.
//!
//! The servers are real: [`fws_server::Core`] with its shards, its dispatcher, its registry, histories, presence, resume and the engine of a
//! cluster. What is around them is not. In the order in which a run goes:
//!
//! * a [`plan::Plan`] says what a seed simulates, [`world`] has the time and the dice, `schedule` says what happens next: any of the things that
//!   could;
//! * [`node`] is a server, whose threads are had step by step; `php` the threads of PHP, which handle events slowly; `acts` what applications do;
//! * `client` is a client that follows docs/resume.md, `wire` its connection, which carries bytes in pieces, late, or not at all; `frames` are
//!   what is in them;
//! * [`redis`] is what the servers meet by: a model of what they ask of Redis;
//! * [`truth`] is what has happened, and `checks` what must be true of that;
//! * [`mutation`] is what can be broken on purpose, to show that it is found.
//!
//! A thread that waits lets something else happen until what it waits for is there: see [`fws_server::simulation::World::wait`].
#![forbid(unsafe_code)]

mod acts;
mod checks;
mod client;
mod frames;
pub mod mutation;
pub mod node;
mod php;
pub mod plan;
pub mod random;
pub mod redis;
mod schedule;
pub mod truth;
mod wire;
pub mod world;

use std::rc::Rc;

pub use self::mutation::Mutation;
use self::node::Node;
pub use self::plan::Plan;
use self::world::Sim;

/// How much may happen until all is quiet.
const ROUNDS: usize = 3_000;
/// For how long an id is kept that was let go, and a little longer, milliseconds.
const LET_GO: u64 = 35_000;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is wrong; empty: nothing.
    pub wrong: Vec<String>,
    /// What happened, if that was wanted.
    pub trace: Vec<String>,
    /// How often a client took up its session.
    pub resumed: usize,
    /// How many messages were got by a client.
    pub got: usize,
    /// Why sessions were over, and how often.
    pub over: std::collections::BTreeMap<String, usize>,
}

/// Runs a plan.
pub fn run(plan: Plan, traced: bool) -> Outcome {
    let steps = plan.steps;
    let sim = Sim::new(plan, traced);
    let _inside = sim.enter();
    (0..sim.plan.nodes).for_each(|_| drop(Node::start(&sim)));
    let mut wrong = Vec::new();
    for _ in 0..steps {
        sim.happen();
    }
    wrong.extend(come_to_rest(&sim));
    let truth = |sim: &Rc<Sim>| {
        let truth = sim.truth.borrow();
        (truth.resumed, truth.sessions.values().map(|session| session.got.len()).sum(), truth.over.clone())
    };
    let (resumed, got, over) = truth(&sim);
    // Dropped while the thread is still in the run: what ends then looks at the clock.
    let trace = sim.take_trace();
    sim.nodes.borrow_mut().clear();
    Outcome { wrong, trace, resumed, got, over }
}

/// All becomes quiet, and then everybody goes.
fn come_to_rest(sim: &Rc<Sim>) -> Vec<String> {
    sim.note(|| "nothing bad happens any more".to_owned());
    sim.calm.set(true);
    for client in sim.clients.iter().filter(|client| client.liar) {
        client.vanish(sim);
    }
    for node in sim.alive() {
        sim.redis.connect(node.number, sim.millis());
    }
    if let Some(wrong) = settle(sim) {
        return wrong;
    }
    let wrong = checks::check(sim);
    if !wrong.is_empty() {
        return wrong;
    }
    // Sessions of which no client knows are waited for in vain.
    let until = sim.millis() + 2 * sim.plan.window + sim.plan.grace + 5_000;
    let connected = checks::current_sessions(sim).len() as u64;
    while sim.millis() < until && sim.alive().iter().map(|node| node.core().connections()).sum::<u64>() != connected {
        sim.pass_to_next(Some(until));
        sweep_until_nothing_happens(sim);
    }
    // Users who may stay away have left by then.
    let until = sim.millis() + sim.plan.grace + 4_000;
    while sim.millis() < until {
        sim.pass_to_next(Some(until));
        sweep_until_nothing_happens(sim);
    }
    let wrong = settle(sim).unwrap_or_else(|| checks::check_presence(sim));
    if !wrong.is_empty() {
        return wrong;
    }
    everybody_goes(sim)
}

fn everybody_goes(sim: &Rc<Sim>) -> Vec<String> {
    for client in &sim.clients {
        if sim.dice.chance(500) && client.say_goodbye(sim, true) {
            continue;
        }
        client.vanish(sim);
    }
    let until = sim.millis() + 2 * sim.plan.window + sim.plan.grace + LET_GO;
    let mut wrong = Vec::new();
    while sim.millis() < until {
        sim.pass_to_next(Some(until));
        sweep_until_nothing_happens(sim);
        let gone = sim.alive().iter().all(|node| node.core().connections() == 0 && !node.has_pending());
        if gone && sim.redis.next_due().is_none() {
            wrong = checks::check_nothing_left(sim);
            if wrong.is_empty() {
                return wrong;
            }
        }
    }
    if wrong.is_empty() { checks::check_nothing_left(sim) } else { wrong }
}

/// Goes on until all clients are connected and nothing is on its way. What is wrong if that does not come.
fn settle(sim: &Rc<Sim>) -> Option<Vec<String>> {
    for _ in 0..ROUNDS {
        sweep_until_nothing_happens(sim);
        let clients = sim.clients.iter().all(|client| client.is_settled() && client.is_quiet());
        let servers = sim.alive().iter().all(|node| !node.has_pending());
        if clients && servers {
            return None;
        }
        sim.pass_to_next(None);
    }
    let unsettled: Vec<usize> = sim.clients.iter().filter(|client| !client.is_settled()).map(|client| client.number).collect();
    let unquiet: Vec<usize> = sim.clients.iter().filter(|client| !client.is_quiet()).map(|client| client.number).collect();
    let pending: Vec<usize> = sim.alive().iter().filter(|node| node.has_pending()).map(|node| node.number).collect();
    let why = format!("clients {unsettled:?} are not settled, {unquiet:?} not quiet, and PHP of servers {pending:?} has events");
    Some(vec![format!("it never becomes quiet: {why}")])
}

fn sweep_until_nothing_happens(sim: &Rc<Sim>) {
    for _ in 0..ROUNDS {
        if !sim.sweep() {
            return;
        }
    }
}
