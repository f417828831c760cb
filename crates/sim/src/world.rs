//! What is around the servers of a run: the time, the dice, what is written down.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fws_server::simulation::{Entered, Flaw, Waiting, World, enter};

use crate::client::Client;
use crate::mutation::Mutation;
use crate::node::Node;
use crate::plan::Plan;
use crate::random::Random;
use crate::redis::{LEASE, Redis};
use crate::truth::Truth;

/// The wall clock at the beginning, milliseconds since 1970.
const EPOCH: u64 = 1_800_000_000_000;

/// A run.
pub struct Sim {
    /// What the seed decided.
    pub plan: Plan,
    /// Decides what happens.
    pub dice: Random,
    /// What the cores get.
    chance: Random,
    start: Instant,
    /// Microseconds since the start.
    clock: Cell<u64>,
    /// Where the servers meet.
    pub redis: Arc<Redis>,
    /// All that ever were.
    pub nodes: RefCell<Vec<Rc<Node>>>,
    /// The clients.
    pub clients: Vec<Rc<Client>>,
    /// What has happened.
    pub truth: RefCell<Truth>,
    /// How many threads wait for something, one in the other's wait.
    pub depth: Cell<usize>,
    /// Nothing bad happens any more.
    pub calm: Cell<bool>,
    /// Everything that happened, line by line, if that is wanted.
    trace: Option<RefCell<Vec<String>>>,
    /// Numbers of clients' requests.
    pub visits: Cell<usize>,
}

thread_local! {
    static SIM: RefCell<Option<Rc<Sim>>> = const { RefCell::new(None) };
}

impl Sim {
    /// A run that has not begun. `traced`: it writes down what happens.
    pub fn new(plan: Plan, traced: bool) -> Rc<Sim> {
        let clients = (0..plan.clients).map(|number| Rc::new(Client::new(number, &plan))).collect();
        Rc::new(Sim {
            dice: Random::new(plan.seed),
            chance: Random::new(plan.seed ^ 0x00c0_ffee),
            start: Instant::now(),
            clock: Cell::new(0),
            redis: Redis::new(plan.mutation),
            nodes: RefCell::default(),
            clients,
            truth: RefCell::default(),
            depth: Cell::new(0),
            calm: Cell::new(false),
            trace: traced.then(RefCell::default),
            visits: Cell::new(0),
            plan,
        })
    }

    /// This thread is in the run until what is returned is dropped.
    pub fn enter(self: &Rc<Self>) -> Inside {
        SIM.set(Some(self.clone()));
        Inside(enter(self.clone()))
    }

    /// Milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        EPOCH + self.clock.get() / 1000
    }

    /// Time passes.
    pub fn pass(&self, micros: u64) {
        self.clock.set(self.clock.get() + micros);
        self.redis.let_time_pass(self.millis());
        // Threads that do nothing else say that their servers are alive.
        for node in self.alive() {
            node.look_after(self);
            // The last time may have been a third of the lease before. Others may not have heard of a new one at all: docs/resume.md.
            let believed_dead = || node.cut_at.get() + LEASE / 3 * 2 <= self.millis() || !self.redis.is_known_to_all(node.number);
            if !self.redis.is_linked(node.number) && believed_dead() {
                self.excuse("a server was believed to be dead", |_| true);
            }
        }
    }

    /// Time passes until then.
    pub fn pass_until(&self, millis: u64) {
        // No server is believed to be dead that is not.
        while millis > self.millis() + LEASE / 4 {
            self.pass(LEASE / 4 * 1000);
        }
        self.pass((millis.saturating_sub(self.millis()) * 1000).max(1));
    }

    /// Writes down what happens.
    pub fn note(&self, what: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let indent = "  ".repeat(self.depth.get());
            trace.borrow_mut().push(format!("{:>9} {indent}{}", self.clock.get(), what()));
        }
    }

    /// Whether it is written down what happens.
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// What was written down.
    pub fn take_trace(&self) -> Vec<String> {
        self.trace.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// The servers that are alive.
    pub fn alive(&self) -> Vec<Rc<Node>> {
        self.nodes.borrow().iter().filter(|node| node.is_alive()).cloned().collect()
    }

    /// A server by its number.
    pub fn node(&self, number: usize) -> Rc<Node> {
        self.nodes.borrow()[number].clone()
    }

    /// A number for a request of a client.
    pub fn visit(&self) -> usize {
        self.visits.set(self.visits.get() + 1);
        self.visits.get()
    }

    /// Whether something is broken on purpose, this time.
    pub fn breaks(&self, mutation: Mutation, of_thousand: usize) -> bool {
        self.plan.mutation == Some(mutation) && self.dice.chance(of_thousand)
    }
}

impl World for Sim {
    fn now(&self) -> Instant {
        self.start + Duration::from_micros(self.clock.get())
    }

    fn unix(&self) -> Duration {
        Duration::from_micros(EPOCH * 1000 + self.clock.get())
    }

    fn random(&self, bytes: &mut [u8]) {
        self.chance.fill(bytes);
    }

    fn wait(&self, waiting: Waiting) {
        if waiting == Waiting::Thread {
            // The thread that waits may be one of a server that has died meanwhile.
            let dead: Vec<Rc<Node>> = self.nodes.borrow().iter().filter(|node| !node.is_alive()).cloned().collect();
            dead.iter().for_each(|node| node.let_threads_end());
        }
        let until = match waiting {
            // Threads of one server are seldom slow.
            Waiting::Thread if self.dice.chance(800) && self.turn_all() => return,
            Waiting::Thread => None,
            Waiting::Time(until) => Some(until.saturating_duration_since(self.start).as_micros() as u64),
        };
        wait_until(until);
    }

    fn is_shard_free(&self) -> bool {
        !self.dice.chance(200)
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.plan.mutation == Some(Mutation::Core(flaw))
    }
}

/// See [`Sim::enter`].
pub struct Inside(Entered);

impl Drop for Inside {
    fn drop(&mut self) {
        SIM.set(None);
    }
}

fn sim() -> Rc<Sim> {
    SIM.with_borrow(|sim| sim.clone()).expect("bug: this thread is in no run")
}

/// Milliseconds since 1970 in this thread's run.
pub fn millis() -> u64 {
    sim().millis()
}

/// Whether a call of Redis fails: before it is carried out, and after that.
pub fn failures() -> [bool; 2] {
    let sim = sim();
    let fails = || sim.plan.failures && !sim.calm.get() && sim.dice.chance(15);
    [fails(), fails()]
}

/// Writes down what happens in this thread's run.
pub fn note(what: impl FnOnce() -> String) {
    sim().note(what);
}

/// A thread waits: something else happens.
pub fn wait(until: u64) {
    wait_until(Some((until - EPOCH) * 1000));
}

/// Until a time in microseconds, or until something has happened.
fn wait_until(until: Option<u64>) {
    let sim = sim();
    sim.depth.set(sim.depth.get() + 1);
    assert!(sim.depth.get() < 60, "threads wait for each other in a circle");
    let due = until.map(|until| EPOCH + until.div_ceil(1000));
    sim.happen_meanwhile(due);
    sim.depth.set(sim.depth.get() - 1);
}
