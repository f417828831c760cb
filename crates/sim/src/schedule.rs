//! What happens next: one of all things that could, as the dice fall.

use std::rc::Rc;

use crate::acts::{Act, Doer};
use crate::client::Phase;
use crate::node::Node;
use crate::plan::KINDS;
use crate::world::Sim;

/// How deep threads may wait for each other before nothing new is begun.
const DEEP: usize = 3;
/// For so long nothing happens at most while somebody waits, milliseconds.
const WAITING: u64 = 50;
/// The most servers that there ever are.
const SERVERS: usize = 7;

/// Something that can happen. The numbers are those of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Turn,
    Publish,
    Receive,
    Grant,
    CarryOut,
    CarryOutAside,
    Attend,
    Fetch,
    Settle,
    Carry,
    Time,
    // What is above goes on while others wait, however deep.
    Connect,
    Php,
    Script,
    Say,
    LoseConnection,
    Goodbye,
    Trouble,
}

const ALL: [Kind; KINDS] = [
    Kind::Turn,
    Kind::Publish,
    Kind::Receive,
    Kind::Grant,
    Kind::CarryOut,
    Kind::CarryOutAside,
    Kind::Attend,
    Kind::Fetch,
    Kind::Settle,
    Kind::Carry,
    Kind::Time,
    Kind::Connect,
    Kind::Php,
    Kind::Script,
    Kind::Say,
    Kind::LoseConnection,
    Kind::Goodbye,
    Kind::Trouble,
];

impl Kind {
    /// Whether somebody may wait for it.
    fn is_needed(self) -> bool {
        (self as usize) <= Kind::Time as usize
    }

    /// Whether it goes on when all is to become quiet.
    fn is_calm(self) -> bool {
        self.is_needed() || matches!(self, Kind::Connect | Kind::Php)
    }
}

impl Sim {
    /// One thing happens.
    pub fn happen(&self) {
        let weights = |kind: Kind| {
            let factor = match kind {
                Kind::LoseConnection => 4,
                Kind::Goodbye | Kind::Trouble => 1,
                Kind::Script | Kind::Say | Kind::Connect => 20,
                Kind::Time => 10,
                _ => 40,
            };
            self.plan.weights[kind as usize] as usize * factor
        };
        let may = |kind: Kind| (self.depth.get() < DEEP || kind.is_needed()) && (!self.calm.get() || kind.is_calm());
        let possible: Vec<(Kind, usize)> = ALL.into_iter().filter(|kind| may(*kind)).map(|kind| (kind, weights(kind))).collect();
        let sum = possible.iter().map(|(_, weight)| weight).sum();
        // What cannot happen costs nothing, so another one is tried.
        for _ in 0..20 {
            let mut left = self.dice.below(sum);
            let kind = possible
                .iter()
                .find(|(_, weight)| {
                    left < *weight || {
                        left -= weight;
                        false
                    }
                })
                .map_or(Kind::Time, |(kind, _)| *kind);
            if self.happens(kind) {
                self.pass(self.dice.below(200) as u64);
                return;
            }
        }
        self.pass_to_next(None);
    }

    /// Something happens while a thread waits, or time passes.
    pub fn happen_meanwhile(&self, due: Option<u64>) {
        if self.calm.get() {
            if !self.sweep() {
                self.pass_to_next(due);
            }
            return;
        }
        self.happen();
        if let Some(due) = due
            && self.dice.chance(30)
        {
            self.pass_to_next(Some(due));
        }
    }

    /// Time passes until something is due.
    pub fn pass_to_next(&self, most: Option<u64>) {
        let nodes = self.alive().iter().map(|node| node.next_due()).min();
        let clients = self.clients.iter().map(|client| client.next_due()).min();
        let next = [nodes, clients, self.redis.next_due(), most].into_iter().flatten().filter(|due| *due > self.millis()).min();
        // Who waits is not to wait in vain for the most part.
        let most = if self.depth.get() > 0 && !self.calm.get() { WAITING } else { 1_000 };
        self.pass_until(next.unwrap_or(self.millis() + 1).min(self.millis() + most));
    }

    fn happens(&self, kind: Kind) -> bool {
        if kind == Kind::Time {
            self.pass_to_next(None);
            return true;
        }
        let nodes = self.alive();
        if matches!(kind, Kind::Carry | Kind::Connect | Kind::Say | Kind::LoseConnection | Kind::Goodbye) {
            let client = self.dice.pick(&self.clients);
            return match kind {
                Kind::Carry => client.carry(self),
                Kind::Connect => client.step(self),
                Kind::Say => client.say(self),
                Kind::LoseConnection => self.plan.breaks && client.lose_connection(self),
                _ => self.dice.chance(300) && client.say_goodbye(self, false),
            };
        }
        if kind == Kind::Trouble {
            return self.trouble(&nodes);
        }
        if nodes.is_empty() {
            return false;
        }
        self.happens_on(kind, &self.dice.pick(&nodes))
    }

    fn happens_on(&self, kind: Kind, node: &Rc<Node>) -> bool {
        let own = node.number;
        match kind {
            Kind::Turn => node.turn(self, self.dice.below(self.plan.shards), self.dice.chance(800)),
            Kind::Publish => {
                let there = self.redis.has_outgoing(own);
                self.redis.publish(own, self.dice.below(1024));
                self.lose();
                there
            }
            Kind::Receive => {
                let there = self.redis.has_incoming(own);
                self.redis.receive(own);
                self.lose();
                there
            }
            Kind::Grant => {
                let there = self.redis.has_wishes(own);
                self.redis.grant(own);
                there
            }
            Kind::CarryOut => node.carry_out_next(),
            Kind::CarryOutAside => node.carry_out_aside(),
            Kind::Attend => node.tell_attendance(),
            Kind::Fetch => node.fetch(),
            Kind::Settle => node.settle(),
            Kind::Php => {
                let number = self.dice.below(node.threads.len());
                node.threads[number].step(self, node, number)
            }
            Kind::Script => self.script(node),
            _ => false,
        }
    }

    /// A script does something.
    fn script(&self, node: &Rc<Node>) -> bool {
        let number = self.dice.below(node.scripts.len());
        if node.scripts[number].get() {
            return false;
        }
        let Some(act) = Act::any(self) else { return false };
        node.scripts[number].set(true);
        act.done_by(self, node, &Doer { name: format!("script {} {number}", node.number), bell: None });
        node.scripts[number].set(false);
        true
    }

    /// What was lost because Redis was away has a reason.
    pub fn lose(&self) {
        self.truth.borrow_mut().lose(self.redis.take_lost());
        if self.redis.take_unheard() > 0 {
            // It may have been a session.
            self.excuse("an answer was lost", |_| true);
        }
    }

    /// Something goes wrong, or is well again.
    fn trouble(&self, nodes: &[Rc<Node>]) -> bool {
        let away: Vec<&Rc<Node>> = nodes.iter().filter(|node| !self.redis.is_linked(node.number)).collect();
        if let Some(node) = away.iter().find(|node| node.back.get() <= self.millis()) {
            self.note(|| format!("server {} reaches Redis", node.number));
            self.redis.connect(node.number, self.millis());
            return true;
        }
        match self.dice.below(5) {
            0 if self.plan.outages && !nodes.is_empty() => self.cut(&self.dice.pick(nodes)),
            1 if self.plan.outages && self.dice.chance(500) => {
                for node in nodes {
                    self.cut(node);
                }
                if self.plan.forgets {
                    self.note(|| "Redis forgets all".to_owned());
                    self.truth.borrow_mut().troubles += 1000;
                    self.redis.forget_all();
                }
                true
            }
            2 if self.plan.deaths && nodes.len() > 1 && self.dice.chance(300) => self.kill(&self.dice.pick(nodes)),
            3 if self.plan.deaths && self.nodes.borrow().len() < SERVERS => {
                let node = Node::start(self);
                self.note(|| format!("server {} comes", node.number));
                true
            }
            4 if self.plan.reloads && !nodes.is_empty() => {
                let node = self.dice.pick(nodes);
                self.note(|| format!("server {} is reloaded", node.number));
                node.reload(self);
                true
            }
            _ => false,
        }
    }

    fn cut(&self, node: &Rc<Node>) -> bool {
        if !self.redis.is_linked(node.number) {
            return false;
        }
        self.note(|| format!("server {} loses Redis", node.number));
        self.truth.borrow_mut().troubles += 1;
        node.cut_at.set(self.millis());
        node.back.set(self.millis() + self.dice.pick(&[1, 20, 500, 3_000]));
        self.redis.cut(node.number, "simulated");
        self.lose();
        true
    }

    fn kill(&self, node: &Rc<Node>) -> bool {
        self.note(|| format!("server {} dies", node.number));
        self.truth.borrow_mut().troubles += 1;
        // Who is connected elsewhere has its session there.
        let elsewhere: Vec<usize> =
            self.clients.iter().filter(|client| self.is_elsewhere(client, node)).map(|client| client.number).collect();
        self.excuse("its server has died", |client| !elsewhere.contains(&client));
        node.die(self);
        self.lose();
        true
    }

    fn is_elsewhere(&self, client: &crate::client::Client, node: &Node) -> bool {
        let state = client.state.borrow();
        matches!(&state.phase, Phase::Open(wire) if wire.greeted && wire.node.number != node.number)
    }

    /// Sessions may be over for this reason.
    pub fn excuse(&self, why: &'static str, of: impl Fn(usize) -> bool) {
        for session in self.truth.borrow_mut().sessions.values_mut().filter(|session| of(session.client)) {
            session.excuse.get_or_insert(why);
        }
    }
}

impl Sim {
    /// All shards have a turn that have a reason.
    pub fn turn_all(&self) -> bool {
        self.alive().iter().fold(false, |any, node| (0..self.plan.shards).fold(any, |any, shard| node.turn(self, shard, true) | any))
    }

    /// Everything that can happen happens once. `false`: nothing can.
    pub fn sweep(&self) -> bool {
        let mut any = false;
        for node in self.alive() {
            let kinds =
                [Kind::Publish, Kind::Receive, Kind::Grant, Kind::CarryOut, Kind::CarryOutAside, Kind::Attend, Kind::Fetch, Kind::Settle];
            for kind in kinds {
                any |= self.happens_on(kind, &node);
            }
            for shard in 0..self.plan.shards {
                any |= node.turn(self, shard, true);
            }
            for (number, thread) in node.threads.iter().enumerate() {
                any |= thread.step(self, &node, number);
            }
        }
        for client in &self.clients {
            any |= client.step(self) | client.carry(self);
        }
        any
    }
}
