//! A connection of a client, as the network carries it: in pieces, and late.

use std::collections::VecDeque;
use std::rc::Rc;

use fws_server::PipeId;

use crate::node::Node;
use crate::world::Sim;

/// A connection.
pub struct Wire {
    /// The server.
    pub node: Rc<Node>,
    /// What it is called there.
    pub pipe: PipeId,
    /// The number of its request.
    pub visit: usize,
    /// Its token was not one that the client was told.
    pub forged: bool,
    /// What the client has sent, on its way.
    pub up: VecDeque<u8>,
    /// What the server has sent, on its way.
    down: VecDeque<u8>,
    /// What has come and is no whole frame.
    pub come: Vec<u8>,
    /// Its first message has come.
    pub greeted: bool,
    /// When the server got something last.
    pub heard: u64,
    /// The client has said goodbye.
    pub closing: bool,
}

impl Wire {
    /// A new connection.
    pub fn new(node: Rc<Node>, pipe: PipeId, visit: usize, forged: bool) -> Wire {
        Wire {
            node,
            pipe,
            visit,
            forged,
            up: VecDeque::new(),
            down: VecDeque::new(),
            come: Vec::new(),
            greeted: false,
            heard: 0,
            closing: false,
        }
    }

    /// Carries some bytes. `false`: there are none.
    pub fn carry(&mut self, sim: &Sim) -> bool {
        let ways: [fn(&mut Wire, &Sim) -> bool; 3] = [Wire::carry_up, Wire::take, Wire::carry_down];
        let first = sim.dice.below(3);
        (0..3).any(|way| ways[(first + way) % 3](self, sim))
    }

    /// To the server.
    pub fn carry_up(&mut self, sim: &Sim) -> bool {
        if self.up.is_empty() {
            return false;
        }
        let some = sim.dice.pick(&[1, 3, 20, 500, usize::MAX]).min(self.up.len());
        let bytes: Vec<u8> = self.up.iter().copied().take(some).collect();
        let taken = self.node.feed(self.pipe, &bytes);
        self.up.drain(..taken);
        if !self.is_over() {
            self.heard = sim.millis();
        }
        sim.note(|| format!("/v{}: {taken} bytes reach server {}", self.visit, self.node.number));
        taken > 0
    }

    /// From the server into the network.
    fn take(&mut self, sim: &Sim) -> bool {
        if !self.node.news_of(self.pipe).output {
            return false;
        }
        let some = self.node.take(self.pipe, sim.dice.pick(&[1, 10, 100, 4096]));
        self.down.extend(&some);
        !some.is_empty()
    }

    /// Out of the network to the client.
    fn carry_down(&mut self, sim: &Sim) -> bool {
        if self.down.is_empty() {
            return false;
        }
        let some = sim.dice.pick(&[1, 5, 50, usize::MAX]).min(self.down.len());
        self.come.extend(self.down.drain(..some));
        true
    }

    /// The server is through with it, and all that it sent has come.
    pub fn is_at_end(&self) -> bool {
        let news = self.node.news_of(self.pipe);
        self.down.is_empty() && !news.output && (news.finished || news.over)
    }

    /// The server is through with it.
    pub fn is_over(&self) -> bool {
        self.node.news_of(self.pipe).over
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && !self.node.news_of(self.pipe).output
    }
}
