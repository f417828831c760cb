//! A client: it connects, counts what it gets, loses its connection, and comes back as docs/resume.md says.

mod over;

use std::cell::RefCell;
use std::rc::Rc;

use fws_server::{Handshake, Transport};
use serde_json::Value;

use crate::frames::{Frame, decode, encode};
use crate::mutation::Mutation;
use crate::node::Node;
use crate::plan::Plan;
use crate::truth::{Session, number_in};
use crate::wire::Wire;
use crate::world::Sim;

/// So much earlier than the client the server may know that a connection is broken, milliseconds.
const SLACK: u64 = 1_500;

/// A client.
pub struct Client {
    /// Of all clients.
    pub number: usize,
    /// It says what is not true.
    pub liar: bool,
    /// The id that the site chooses for it.
    name: Option<String>,
    user: String,
    /// What it knows, and where it is.
    pub state: RefCell<State>,
}

/// What a client knows.
pub struct State {
    /// How far it is.
    pub phase: Phase,
    /// The session that it has.
    pub session: Option<usize>,
    token: Option<String>,
    /// Messages since it was told the token.
    received: u64,
    /// What it has said since it was told the token, and before if that had not arrived.
    said: Vec<u64>,
    /// Its requests, so that it finds out that it has given one up.
    request: usize,
    /// How many of them servers are busy with. It has given up all but the last.
    under_way: usize,
    /// It does not come back any more.
    pub leaves: bool,
    /// Since when it has no connection that it was greeted on.
    away_since: Option<u64>,
    /// Connections that it has left, whose ends the servers may not know.
    ghosts: Vec<Wire>,
}

/// How far a client is.
pub enum Phase {
    /// It has no connection, until a time.
    Away(u64),
    /// Its request is there.
    Asking(Box<Asking>),
    /// A server is busy with its request.
    Busy,
    /// It is connected.
    Open(Box<Wire>),
    /// It is gone for ever.
    Gone,
}

/// A request.
pub struct Asking {
    node: Rc<Node>,
    handshake: Handshake,
    visit: usize,
    entered: bool,
    /// The token was changed.
    forged: bool,
}

impl Client {
    /// A client that has not come yet.
    pub fn new(number: usize, plan: &Plan) -> Client {
        Client {
            number,
            liar: plan.liar && number == 0,
            name: (plan.names && number % 2 == 1).then(|| format!("name{number}")),
            user: format!("user{}", number % plan.users),
            state: RefCell::new(State {
                phase: Phase::Away(0),
                session: None,
                token: None,
                received: 0,
                said: Vec::new(),
                request: 0,
                under_way: 0,
                leaves: false,
                away_since: None,
                ghosts: Vec::new(),
            }),
        }
    }

    /// Whether it is connected, and has been greeted.
    pub fn is_settled(&self) -> bool {
        match &self.state.borrow().phase {
            Phase::Open(wire) => wire.greeted,
            Phase::Gone => true,
            Phase::Away(_) | Phase::Asking(_) | Phase::Busy => false,
        }
    }

    /// When it does something by itself.
    pub fn next_due(&self) -> u64 {
        if let Phase::Away(until) = self.state.borrow().phase { until } else { u64::MAX }
    }

    /// Does the next thing to get a connection. `false`: there is nothing to do.
    pub fn step(&self, sim: &Sim) -> bool {
        let phase = std::mem::replace(&mut self.state.borrow_mut().phase, Phase::Busy);
        let next = match phase {
            Phase::Away(_) if self.state.borrow().leaves => Phase::Gone,
            Phase::Away(until) if until <= sim.millis() => self.under_way(|| self.ask(sim)),
            Phase::Asking(asking) if !asking.node.is_alive() => self.away(sim),
            Phase::Asking(asking) if !asking.entered => return self.under_way(|| self.be_entered(sim, asking)),
            Phase::Asking(asking) => self.connect(sim, *asking),
            Phase::Busy if !sim.calm.get() && sim.dice.chance(100) => {
                // It has waited long enough.
                self.state.borrow_mut().request += 1;
                self.may_lose_its_name(sim);
                self.away(sim)
            }
            other => {
                self.state.borrow_mut().phase = other;
                return false;
            }
        };
        self.state.borrow_mut().phase = next;
        true
    }

    /// A server is busy with a request.
    fn under_way<T>(&self, run: impl FnOnce() -> T) -> T {
        self.state.borrow_mut().under_way += 1;
        let came = run();
        self.state.borrow_mut().under_way -= 1;
        came
    }

    /// It comes again a little later.
    fn away(&self, sim: &Sim) -> Phase {
        self.state.borrow_mut().away_since.get_or_insert(sim.millis());
        self.come_later(sim)
    }

    fn come_later(&self, sim: &Sim) -> Phase {
        Phase::Away(sim.millis() + sim.dice.pick(&[0, 1, 5, 50, 400]))
    }

    /// Its request reaches a server.
    fn ask(&self, sim: &Sim) -> Phase {
        let alive = sim.alive();
        if alive.is_empty() {
            return self.away(sim);
        }
        let (node, visit) = (sim.dice.pick(&alive), sim.visit());
        let (query, forged) = self.query(sim);
        let head = format!(
            "GET /v{visit}{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        sim.note(|| format!("client {} asks server {}: /v{visit}{query}", self.number, node.number));
        let mut handshake = node.core().handshake("chat", head.as_bytes(), "192.0.2.1");
        let _ = handshake.set_user(&self.user, b"");
        if let Some(name) = self.name.as_deref().filter(|_| handshake.status() == 101)
            && let Err(why) = node.core().set_id(&mut handshake, name)
        {
            sim.note(|| format!("client {} cannot be {name}: {why}", self.number));
            return Phase::Away(sim.millis() + sim.dice.between(20, 300) as u64);
        }
        let ids = self.name.iter().cloned().collect();
        let (liar, excuse) = (self.liar, self.excuse_of_newcomer());
        let session = Session { ids, client: self.number, liar, user: self.user.clone(), excuse, ..Session::default() };
        sim.truth.borrow_mut().sessions.insert(visit, session);
        if sim.dice.chance(300) {
            sim.truth.borrow_mut().joining(visit, "t");
            let _ = handshake.add_tag("t");
        }
        Phase::Asking(Box::new(Asking { node, handshake, visit, entered: false, forged }))
    }

    /// The query, and whether the token in it is one that it was not told.
    fn query(&self, sim: &Sim) -> (String, bool) {
        let state = self.state.borrow();
        let Some(token) = &state.token else { return ("?resume=".to_owned(), false) };
        let (mut token, mut received, mut forged) = (token.clone(), state.received, false);
        if self.liar && sim.dice.chance(500) {
            if sim.dice.chance(500) {
                let at = sim.dice.below(token.len());
                let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                token.replace_range(at..=at, other);
                forged = true;
            } else {
                received = sim.dice.below(10) as u64;
            }
        }
        (format!("?resume={token}&received={received}"), forged)
    }

    /// A server enters it, which may take long.
    fn be_entered(&self, sim: &Sim, mut asking: Box<Asking>) -> bool {
        let request = self.state.borrow().request;
        let entered = asking.node.core().enter(&mut asking.handshake, Transport::Tls);
        asking.entered = entered;
        sim.note(|| format!("client {}, /v{}: {} {}", self.number, asking.visit, asking.handshake.status(), asking.handshake.text()));
        if self.state.borrow().request != request || !matches!(self.state.borrow().phase, Phase::Busy) {
            // It has given up meanwhile, which the server may or may not have noticed.
            if entered && sim.dice.chance(500) && asking.node.is_alive() {
                let pipe = asking.node.core().open_pipe(asking.handshake, Transport::Tls);
                let ghost = pipe.map(|pipe| Wire::new(asking.node.clone(), pipe, asking.visit, false));
                self.state.borrow_mut().ghosts.extend(ghost);
            }
            return true;
        }
        let next = if entered { Phase::Asking(asking) } else { self.away(sim) };
        self.state.borrow_mut().phase = next;
        true
    }

    /// It gets its connection, unless it is gone before the answer is written.
    fn connect(&self, sim: &Sim, asking: Asking) -> Phase {
        if !sim.calm.get() && sim.plan.breaks && sim.dice.chance(100) {
            sim.note(|| format!("client {} is gone before it is answered", self.number));
            return self.away(sim);
        }
        let Asking { node, handshake, visit, forged, .. } = asking;
        match node.core().open_pipe(handshake, Transport::Tls) {
            Some(pipe) => Phase::Open(Box::new(Wire::new(node, pipe, visit, forged))),
            None => self.away(sim),
        }
    }

    /// The network carries some bytes of its connections. `false`: there are none.
    pub fn carry(&self, sim: &Sim) -> bool {
        self.carry_ghost(sim) | self.carry_own(sim)
    }

    fn carry_ghost(&self, sim: &Sim) -> bool {
        let ghosts = self.state.borrow().ghosts.len();
        if ghosts == 0 {
            return false;
        }
        let at = sim.dice.below(ghosts);
        let mut ghost = self.state.borrow_mut().ghosts.swap_remove(at);
        let over = !ghost.node.is_alive() || ghost.is_over() || sim.calm.get() || sim.dice.chance(30);
        if over {
            if ghost.node.is_alive() {
                ghost.node.close(ghost.pipe);
            }
            return true;
        }
        let carried = ghost.carry_up(sim);
        self.state.borrow_mut().ghosts.push(ghost);
        carried
    }

    fn carry_own(&self, sim: &Sim) -> bool {
        let phase = std::mem::replace(&mut self.state.borrow_mut().phase, Phase::Busy);
        let Phase::Open(mut wire) = phase else {
            self.state.borrow_mut().phase = phase;
            return false;
        };
        if !wire.node.is_alive() {
            sim.note(|| format!("client {} has lost its server", self.number));
            self.state.borrow_mut().phase = self.away(sim);
            return true;
        }
        let carried = wire.carry(sim);
        let over = carried && self.read(sim, &mut wire) || wire.is_at_end();
        let leaves = self.state.borrow().leaves;
        let next = match over {
            true => {
                wire.node.close(wire.pipe);
                // The server may have known it for long.
                self.state.borrow_mut().away_since.get_or_insert(wire.heard);
                sim.note(|| format!("client {}: its connection has ended", self.number));
                if leaves { Phase::Gone } else { self.away(sim) }
            }
            false => Phase::Open(wire),
        };
        self.state.borrow_mut().phase = next;
        carried || over
    }

    /// Reads what has come. `true`: the server has ended the connection.
    fn read(&self, sim: &Sim, wire: &mut Wire) -> bool {
        let mut frames: Vec<Frame> = std::iter::from_fn(|| decode(&mut wire.come)).collect();
        if frames.len() > 1 && wire.greeted && sim.breaks(Mutation::Swapped, 200) {
            frames.swap(0, 1);
        }
        for frame in frames {
            match frame {
                Frame::Text(text) if !wire.greeted => {
                    wire.greeted = true;
                    self.greeted(sim, wire, &text);
                }
                Frame::Text(text) => self.got(sim, &text),
                Frame::Ping(payload) => self.write(sim, wire, 10, &payload),
                Frame::Close(code) => {
                    sim.note(|| format!("client {} is closed: {code}", self.number));
                    self.write(sim, wire, 8, &code.to_be_bytes());
                    self.session_is_over(sim, "closed");
                    return true;
                }
                // The pong of a ping that a liar has made up.
                Frame::Other(0x8a) if self.liar => {}
                Frame::Other(opcode) => sim.truth.borrow_mut().blame(format!("client {} got a frame {opcode:x}", self.number)),
            }
        }
        false
    }

    fn write(&self, sim: &Sim, wire: &mut Wire, opcode: u8, payload: &[u8]) {
        let mask = (sim.dice.number() as u32).to_le_bytes();
        wire.up.extend(encode(opcode, payload, mask));
    }

    /// The first message of a connection.
    fn greeted(&self, sim: &Sim, wire: &mut Wire, text: &str) {
        sim.note(|| format!("client {}, /v{}, is greeted: {text}", self.number, wire.visit));
        let greeting: Value = serde_json::from_str(text).unwrap_or_default();
        let greeting = &greeting["resume"];
        let Some(token) = greeting["token"].as_str() else {
            sim.truth.borrow_mut().blame(format!("client {} was greeted with {text}", self.number));
            return;
        };
        let mut state = self.state.borrow_mut();
        let had = state.token.replace(token.to_owned()).is_some();
        state.received = 0;
        let away = state.away_since.take();
        if greeting["resumed"] == true {
            let arrived = greeting["received"].as_u64().unwrap_or(u64::MAX);
            let mut truth = sim.truth.borrow_mut();
            truth.resumed += 1;
            if arrived > state.said.len() as u64 && !self.liar {
                truth.blame(format!("client {} has said {} and the server has got {arrived}", self.number, state.said.len()));
            }
            if wire.forged {
                truth.blame(format!("client {} came back with a token that it was not told", self.number));
            }
            let arrived = (arrived as usize).min(state.said.len());
            state.said.drain(..arrived);
            let again = state.said.clone();
            let session = state.session.unwrap_or_default();
            drop((state, truth));
            again.into_iter().for_each(|seq| self.write(sim, wire, 1, format!("u{session}:{seq}").as_bytes()));
            return;
        }
        let too_long = away.is_some_and(|since| since + sim.plan.window <= sim.millis() + SLACK);
        if let Some(session) = state.session.filter(|_| too_long)
            && let Some(session) = sim.truth.borrow_mut().sessions.get_mut(&session)
        {
            session.excuse.get_or_insert("it was away too long");
        }
        drop(state);
        if had {
            self.session_is_over(sim, greeting["reason"].as_str().unwrap_or("no reason"));
        }
        let mut state = self.state.borrow_mut();
        state.token = Some(token.to_owned());
        state.session = Some(wire.visit);
    }

    /// A message has come.
    fn got(&self, sim: &Sim, text: &str) {
        sim.note(|| format!("client {} gets {text}", self.number));
        let mut state = self.state.borrow_mut();
        state.received += 1;
        let (Some(session), Some(number)) = (state.session, number_in(text.as_bytes())) else {
            sim.truth.borrow_mut().blame(format!("client {} got {text}", self.number));
            return;
        };
        let mut truth = sim.truth.borrow_mut();
        let now = truth.moment();
        if let Some(session) = truth.sessions.get_mut(&session) {
            session.got.push((number, now));
        }
    }

    /// It says something.
    pub fn say(&self, sim: &Sim) -> bool {
        self.with_wire(|state, wire| {
            let Some(session) = state.session.filter(|_| wire.greeted && !wire.closing) else { return false };
            if self.liar && sim.dice.chance(100) {
                wire.up.extend((0..sim.dice.below(30)).map(|_| sim.dice.number() as u8));
                return true;
            }
            let mut truth = sim.truth.borrow_mut();
            let Some(known) = truth.sessions.get_mut(&session) else { return false };
            known.said += 1;
            let seq = known.said;
            drop(truth);
            state.said.push(seq);
            sim.note(|| format!("client {} says {seq}", self.number));
            let text = format!("u{session}:{seq}");
            let times = if sim.breaks(Mutation::Repeated, 100) { 2 } else { 1 };
            (0..times).for_each(|_| self.write(sim, wire, 1, text.as_bytes()));
            true
        })
    }

    /// It believes that its connection is broken, of which the server may hear now, later, or never.
    pub fn lose_connection(&self, sim: &Sim) -> bool {
        let mut state = self.state.borrow_mut();
        let phase = std::mem::replace(&mut state.phase, Phase::Busy);
        let Phase::Open(wire) = phase else {
            state.phase = phase;
            return false;
        };
        let (told, heard) = (sim.dice.chance(500), wire.heard);
        sim.note(|| format!("client {} loses its connection{}", self.number, if told { "" } else { ", and nobody tells the server" }));
        if told {
            wire.node.close(wire.pipe);
        } else {
            state.ghosts.push(*wire);
        }
        state.away_since.get_or_insert(heard);
        state.phase = self.come_later(sim);
        true
    }

    fn with_wire(&self, run: impl FnOnce(&mut State, &mut Wire) -> bool) -> bool {
        let mut state = self.state.borrow_mut();
        let phase = std::mem::replace(&mut state.phase, Phase::Busy);
        let Phase::Open(mut wire) = phase else {
            state.phase = phase;
            return false;
        };
        let done = wire.node.is_alive() && run(&mut state, &mut wire);
        state.phase = Phase::Open(wire);
        done
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        let state = self.state.borrow();
        let open = if let Phase::Open(wire) = &state.phase { wire.is_quiet() } else { true };
        open && state.ghosts.is_empty()
    }

    /// The server that it is connected to.
    pub fn server(&self) -> Option<usize> {
        if let Phase::Open(wire) = &self.state.borrow().phase { Some(wire.node.number) } else { None }
    }
}
