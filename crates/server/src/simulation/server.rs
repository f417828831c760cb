//! A server of a simulation.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fws_engine::Broker;
use fws_engine::redis::Receiver;

use crate::core::{Config, Core};
use crate::servers::{Servers, Steps};
use crate::shard::ShardThread;

/// How long a shard would sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// Not at all.
    Not,
    /// For a time, if nobody wakes it.
    For(Duration),
    /// Until somebody wakes it.
    Long,
}

/// A core whose threads are had step by step.
pub struct Simulated {
    /// The core.
    pub core: Arc<Core>,
    shards: Vec<RefCell<ShardThread>>,
    steps: Steps,
    dead: Cell<bool>,
}

impl Simulated {
    /// A server that meets others by a broker. What others send goes to the receiver.
    pub fn start(config: &Config, broker: Arc<dyn Broker>) -> io::Result<(Simulated, Arc<dyn Receiver>)> {
        let (servers, receiver) = Servers::simulated(broker);
        let (core, shards) = Core::build(config, servers.clone())?;
        let steps = servers.serve_in_steps(&core);
        let shards = shards.into_iter().map(RefCell::new).collect();
        Ok((Simulated { core, shards, steps, dead: Cell::new(false) }, receiver))
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// A shard's turn, and how long it sleeps then. `drowsy`: it says that it sleeps, so that who sends may have its turn.
    pub fn turn(&self, shard: usize, drowsy: bool) -> Sleep {
        let mut shard = self.shards[shard].borrow_mut();
        shard.turn(&*self.core);
        if !drowsy {
            return Sleep::Not;
        }
        match shard.prepare_to_sleep(&*self.core) {
            Some(Duration::ZERO) => Sleep::Not,
            Some(time) => Sleep::For(time),
            None => Sleep::Long,
        }
    }

    /// Whether a shard was woken, or has not slept.
    pub fn is_awake(&self, shard: usize) -> bool {
        self.shards[shard].try_borrow().is_ok_and(|shard| shard.is_awake())
    }

    /// The thread that carries out in order what other servers send has a step. `false`: nothing is there.
    pub fn carry_out_next(&self) -> bool {
        !self.dead.get() && self.steps.in_order()
    }

    /// A thread that does what may take long has a step. `false`: nothing is there.
    pub fn carry_out_aside(&self) -> bool {
        !self.dead.get() && self.steps.aside()
    }

    /// The thread that fetches what channels have missed has a step. `false`: nothing is there.
    pub fn fetch(&self) -> bool {
        !self.dead.get() && self.steps.fetch()
    }

    /// The thread that asks whether clients have arrived elsewhere has a step. `false`: there is nobody to ask for.
    pub fn settle(&self) -> bool {
        !self.dead.get() && self.steps.settle()
    }

    /// The thread that asks who has joined channels has a step. `false`: nothing is there.
    pub fn tell_attendance(&self) -> bool {
        !self.dead.get() && self.steps.attend()
    }

    /// Whether events wait for PHP, or are with it.
    pub fn has_pending(&self) -> bool {
        self.core.dispatch.has_pending()
    }

    /// Nothing is done any more.
    pub fn die(&self) {
        self.dead.set(true);
    }

    /// Has the shards of a server that has died say what its threads still wait for, and drops what would be carried out in order: else they wait for ever.
    pub fn let_threads_end(&self) {
        while self.steps.drop_next() {}
        for shard in &self.shards {
            if let Ok(mut shard) = shard.try_borrow_mut() {
                shard.turn(&*self.core);
            }
        }
    }
}
