//! A server of a run, with the threads of PHP that it has.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use fws_server::simulation::{Simulated, Sleep};
use fws_server::{Config, Core, News, PipeId};

use crate::php::Thread;
use crate::redis::LEASE;
use crate::world::Sim;

/// Threads of PHP of a server.
const THREADS: usize = 2;
/// Threads that do what may take long.
const ASIDE: usize = 4;

/// A server.
pub struct Node {
    /// In the order in which they came.
    pub number: usize,
    server: Simulated,
    alive: Cell<bool>,
    /// When each shard wakes by itself.
    dues: Vec<Cell<Option<u64>>>,
    /// When it says next that it is alive.
    look: Cell<u64>,
    /// When its connection to Redis comes back.
    pub back: Cell<u64>,
    /// Since when it is away.
    pub cut_at: Cell<u64>,
    /// PHP.
    pub threads: Vec<Thread>,
    /// Scripts that are in a call.
    pub scripts: Vec<Cell<bool>>,
    /// What the host knows of its connections.
    pipes: RefCell<BTreeMap<u64, News>>,
    generation: Cell<u64>,
    in_order: Cell<bool>,
    fetching: Cell<bool>,
    settling: Cell<bool>,
    aside: Cell<usize>,
    told: Cell<u64>,
}

impl Node {
    /// A server more, which is connected to Redis.
    pub fn start(sim: &Sim) -> Rc<Node> {
        let number = sim.nodes.borrow().len();
        let link = sim.redis.join(&format!("n{number:07}"));
        let config = Config { shards: sim.plan.shards, ..Config::default() };
        let (server, receiver) = Simulated::start(&config, Arc::new(link)).expect("descriptors");
        sim.redis.introduce(number, receiver);
        let node = Rc::new(Node {
            number,
            dues: (0..server.shards()).map(|_| Cell::new(Some(0))).collect(),
            server,
            alive: Cell::new(true),
            look: Cell::new(sim.millis() + LEASE / 3),
            back: Cell::new(0),
            cut_at: Cell::new(0),
            threads: (0..THREADS).map(|_| Thread::default()).collect(),
            scripts: vec![Cell::new(false), Cell::new(false)],
            pipes: RefCell::default(),
            generation: Cell::new(0),
            in_order: Cell::new(false),
            fetching: Cell::new(false),
            settling: Cell::new(false),
            aside: Cell::new(0),
            told: Cell::new(0),
        });
        node.reload(sim);
        sim.redis.connect(number, sim.millis());
        sim.nodes.borrow_mut().push(node.clone());
        node
    }

    /// Its core.
    pub fn core(&self) -> &Arc<Core> {
        &self.server.core
    }

    /// Whether it has not died.
    pub fn is_alive(&self) -> bool {
        self.alive.get()
    }

    /// It dies: nothing of it is there any more.
    pub fn die(&self, sim: &Sim) {
        self.alive.set(false);
        self.server.die();
        sim.redis.die(self.number);
    }

    /// It has died, and none of its threads goes on waiting.
    pub fn let_threads_end(&self) {
        self.server.let_threads_end();
    }

    /// The configuration is put in force once more.
    pub fn reload(&self, sim: &Sim) {
        self.generation.set(self.generation.get() + 1);
        let generation = self.generation.get();
        self.core().stage(generation, sim.plan.routes(generation).as_bytes()).expect("a legal configuration");
        self.core().commit(generation).expect("it is staged");
    }

    /// The next number of a text.
    pub fn tell(&self) -> u64 {
        self.told.set(self.told.get() + 1);
        self.told.get()
    }

    /// A shard has its turn, if it is awake or its time has come. `false`: there is no reason.
    pub fn turn(&self, sim: &Sim, shard: usize, drowsy: bool) -> bool {
        if !self.is_due(sim, shard) {
            return false;
        }
        let sleep = self.server.turn(shard, drowsy);
        self.dues[shard].set(match sleep {
            Sleep::Not => Some(0),
            Sleep::For(time) => Some(sim.millis() + time.as_millis().max(1) as u64),
            Sleep::Long => None,
        });
        self.look_at_pipes();
        if sim.is_traced() {
            self.tell_log(sim);
        }
        true
    }

    /// Writes down what the server has logged.
    fn tell_log(&self, sim: &Sim) {
        let mut buffer = vec![0; 64 * 1024];
        let len = self.core().take_log(&mut buffer);
        for line in String::from_utf8_lossy(&buffer[..len]).lines() {
            sim.note(|| format!("server {} logs {line}", self.number));
        }
    }

    /// Whether a shard has a reason to have a turn.
    pub fn is_due(&self, sim: &Sim, shard: usize) -> bool {
        self.server.is_awake(shard) || self.dues[shard].get().is_some_and(|due| due <= sim.millis())
    }

    /// When the first shard wakes by itself, or it has to say that it is alive.
    pub fn next_due(&self) -> u64 {
        let shards = self.dues.iter().filter_map(Cell::get).min();
        shards.unwrap_or(u64::MAX).min(self.look.get())
    }

    /// The next thing that other servers have sent is carried out.
    pub fn carry_out_next(&self) -> bool {
        if self.in_order.replace(true) {
            return false;
        }
        let done = self.server.carry_out_next();
        self.in_order.set(false);
        done
    }

    /// One of the threads for what may take long has a step.
    pub fn carry_out_aside(&self) -> bool {
        if self.aside.get() == ASIDE {
            return false;
        }
        self.aside.set(self.aside.get() + 1);
        let done = self.server.carry_out_aside();
        self.aside.set(self.aside.get() - 1);
        done
    }

    /// It is asked who has joined channels.
    pub fn tell_attendance(&self) -> bool {
        self.server.tell_attendance()
    }

    /// The thread that fetches what channels have missed has a step.
    pub fn fetch(&self) -> bool {
        if self.fetching.replace(true) {
            return false;
        }
        let done = self.server.fetch();
        self.fetching.set(false);
        done
    }

    /// The thread that asks whether clients have arrived elsewhere has a step.
    pub fn settle(&self) -> bool {
        if self.settling.replace(true) {
            return false;
        }
        let done = self.server.settle();
        self.settling.set(false);
        done
    }

    /// Whether events wait for PHP, or are with it.
    pub fn has_pending(&self) -> bool {
        self.server.has_pending() || self.threads.iter().any(|thread| !thread.is_idle())
    }

    /// It says that it is alive, if it is time.
    pub fn look_after(&self, sim: &Sim) -> bool {
        if sim.millis() < self.look.get() {
            return false;
        }
        self.look.set(sim.millis() + LEASE / 3);
        sim.redis.look_after(self.number, sim.millis());
        true
    }

    /// What the host is told of its connections.
    pub fn look_at_pipes(&self) {
        while let Some((pipe, news)) = self.core().dirty_pipe() {
            self.pipes.borrow_mut().insert(pipe.0, news);
        }
    }

    /// What the host knows of a connection.
    pub fn news_of(&self, pipe: PipeId) -> News {
        self.look_at_pipes();
        self.pipes.borrow().get(&pipe.0).copied().unwrap_or_default()
    }

    /// The host takes bytes for a client.
    pub fn take(&self, pipe: PipeId, most: usize) -> Vec<u8> {
        let mut buffer = vec![0; most];
        let Some((count, news)) = self.core().take_pipe(pipe, &mut buffer) else { return Vec::new() };
        self.pipes.borrow_mut().insert(pipe.0, news);
        buffer.truncate(count);
        buffer
    }

    /// The host has bytes of a client; how many it got rid of.
    pub fn feed(&self, pipe: PipeId, bytes: &[u8]) -> usize {
        let Some((count, news)) = self.core().feed_pipe(pipe, bytes) else { return bytes.len() };
        if news != News::default() {
            self.pipes.borrow_mut().insert(pipe.0, news);
        }
        count
    }

    /// The host is through with a connection.
    pub fn close(&self, pipe: PipeId) {
        self.core().close_pipe(pipe);
        self.pipes.borrow_mut().remove(&pipe.0);
    }
}
