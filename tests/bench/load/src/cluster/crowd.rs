//! All subscribers and publishers, and the epoll they share.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, getrlimit};

use super::args::Plan;
use super::client::{Change, Client, Common, Tally};
use super::message;
use super::publisher::{self, Publisher};

/// Descriptors that are not clients: standard streams, epoll, /proc files, publishers.
const OTHER_DESCRIPTORS: usize = 64;
/// Tokens of publishers begin here.
const PUBLISHERS: usize = usize::MAX / 2;

/// Everybody.
pub struct Crowd<'a> {
    plan: &'a Plan,
    poll: Poll,
    events: Events,
    /// The subscribers.
    pub clients: Vec<Client>,
    publishers: Vec<Publisher>,
    common: Common,
    scratch: Vec<u8>,
    inside: usize,
    gone: usize,
    users: usize,
    /// Messages published, answered or not.
    pub published: u64,
    /// What has been counted since it was last replaced.
    pub tally: Tally,
    /// Nanoseconds from a request that publishes to its answer.
    pub answers: Histogram<u64>,
}

impl<'a> Crowd<'a> {
    /// Nobody yet, but the channel has its name: one that nobody has used.
    pub fn new(plan: &'a Plan, kind: &str, resume: bool) -> Result<Self> {
        let nonce = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let common = Common {
            dialect: plan.dialect,
            channel: plan.dialect.channel(kind, nonce),
            size: plan.size,
            resume,
            origin: Instant::now(),
            sent: Vec::new(),
        };
        Ok(Self {
            plan,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            publishers: Vec::new(),
            common,
            scratch: vec![0; 64 * 1024],
            inside: 0,
            gone: 0,
            users: 0,
            published: 0,
            tally: Tally::new()?,
            answers: Histogram::new(2)?,
        })
    }

    /// So many more clients, which take turns at the servers, enter the channel.
    pub fn enter(&mut self, count: usize) -> Result<()> {
        let goal = self.clients.len() + count;
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            ensure!(
                (goal + OTHER_DESCRIPTORS) as u64 <= limit,
                "{goal} connections do not fit into the limit of {limit} descriptors (ulimit -n)"
            );
        }
        let deadline = Instant::now() + self.plan.timeout;
        while self.inside < goal {
            while self.clients.len() < goal && self.clients.len() - self.inside < self.plan.window {
                let index = self.clients.len();
                let node = index % self.plan.nodes.len();
                let address = self.plan.nodes[node];
                let mut client = Client::new(TcpStream::connect(address)?, node, self.users, address.to_string());
                self.users += 1;
                self.register(&mut client, index)?;
                self.clients.push(client);
            }
            let what = || format!("of {goal} clients are in the channel");
            let left = left(deadline).with_context(|| format!("{} {}", self.inside, what()))?;
            self.turn(left)?;
        }
        Ok(())
    }

    /// Cuts all connections.
    pub fn cut(&mut self) -> Result<()> {
        self.inside = 0;
        self.clients.iter_mut().try_for_each(Client::cut)
    }

    /// All clients come back at once, and get what they have missed. Says when each of them had it, in nanoseconds.
    pub fn come_back(&mut self) -> Result<Histogram<u64>> {
        let (start, deadline) = (Instant::now(), Instant::now() + self.plan.timeout);
        for index in 0..self.clients.len() {
            let socket = TcpStream::connect(self.plan.nodes[self.clients[index].node])?;
            self.clients[index].come_back(socket);
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(self.clients[index].socket(), Token(index), interest)?;
        }
        let mut times = Histogram::new(2)?;
        let mut waiting: Vec<usize> = (0..self.clients.len()).collect();
        while !waiting.is_empty() || self.inside < self.clients.len() {
            let missing = || format!("{} clients are not back with all that they have missed", waiting.len());
            let left = left(deadline).with_context(missing)?;
            self.turn(left)?;
            let now = start.elapsed().as_nanos() as u64;
            let (published, clients) = (self.published, &self.clients);
            waiting.retain(|index| clients[*index].received < published);
            while times.len() < (self.clients.len() - waiting.len()) as u64 {
                times.record(now)?;
            }
        }
        Ok(times)
    }

    fn register(&self, client: &mut Client, index: usize) -> Result<()> {
        Ok(self.poll.registry().register(client.socket(), Token(index), Interest::READABLE | Interest::WRITABLE)?)
    }

    /// Connects so many publishers, which take turns at the servers.
    pub fn employ(&mut self, count: usize) -> Result<()> {
        for index in 0..count {
            let mut publisher = Publisher::new(self.address(index))?;
            self.poll.registry().register(publisher.socket(), Token(PUBLISHERS + index), Interest::READABLE)?;
            self.publishers.push(publisher);
            self.common.sent.push(Vec::new());
        }
        Ok(())
    }

    fn address(&self, publisher: usize) -> std::net::SocketAddr {
        self.plan.nodes[publisher % self.plan.nodes.len()]
    }

    /// One message by the publisher; false: its last one was not answered yet.
    fn publish(&mut self, index: usize) -> Result<bool> {
        if self.publishers[index].asked.is_some() {
            return Ok(false);
        }
        let text = message::write(index, self.common.sent[index].len(), self.common.size);
        let host = self.address(index).to_string();
        let request = self.common.dialect.publication(&host, &self.common.channel, &text);
        let now = self.common.origin.elapsed().as_nanos() as u64;
        self.common.sent[index].push(now);
        self.publishers[index].ask(&request, now)?;
        self.published += 1;
        Ok(true)
    }

    /// Publishes for some time: a message each `interval`, by one publisher after the other, or without: each publisher
    /// as soon as its last message is answered. Then waits until everybody has everything.
    pub fn publish_for(&mut self, time: Duration, interval: Option<Duration>) -> Result<()> {
        let (start, mut due, mut turn) = (Instant::now(), Instant::now(), 0);
        while start.elapsed() < time {
            let wait = match interval {
                None => {
                    for index in 0..self.publishers.len() {
                        self.publish(index)?;
                    }
                    Duration::from_millis(100)
                }
                Some(interval) => {
                    if Instant::now() >= due && self.publish(turn % self.publishers.len())? {
                        (turn, due) = (turn + 1, due + interval);
                    }
                    due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
                }
            };
            self.turn(wait.min(time.saturating_sub(start.elapsed())))?;
        }
        self.drain()
    }

    /// Publishes so many messages, by the first publisher, and waits for the answers. Nobody needs to be there.
    pub fn publish_some(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + self.plan.timeout;
        for _ in 0..count {
            self.publish(0)?;
            while self.publishers[0].asked.is_some() {
                let left = left(deadline).context("a message was not published")?;
                self.turn(left)?;
            }
        }
        Ok(())
    }

    /// Begins to count messages anew. Nobody has got any.
    pub fn forget(&mut self) {
        self.published = 0;
    }

    /// Has a page of the first server publish so many messages, all of them as the first publisher.
    pub fn burst(&mut self, count: usize) -> Result<()> {
        let address = self.plan.nodes[0];
        let (channel, size) = (&self.common.channel, self.common.size);
        let request = format!("GET /burst.php?channel={channel}&size={size}&count={count} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        self.common.sent[0] = vec![self.common.origin.elapsed().as_nanos() as u64; count];
        self.publishers[0].ask(request.as_bytes(), 0)?;
        self.published += count as u64;
        self.drain()
    }

    /// Waits until every client has every message. One that is missing, or that comes twice, is an error.
    pub fn drain(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.plan.timeout;
        while self.publishers.iter().any(|one| one.asked.is_some()) || self.clients.iter().any(|one| one.received < self.published) {
            let missing: u64 = self.clients.iter().map(|one| self.published - one.received).sum();
            let left = left(deadline).with_context(|| format!("of {} messages {missing} deliveries are missing", self.published))?;
            self.turn(left)?;
        }
        Ok(())
    }

    /// Waits a moment for what should not come, and compares what all clients have got.
    pub fn verify(&mut self) -> Result<()> {
        self.turn_until(Instant::now() + Duration::from_millis(100))?;
        let order = self.clients.first().map(|one| one.order);
        for (index, client) in self.clients.iter().enumerate() {
            let (got, all) = (client.received, self.published);
            ensure!(got == all, "client {index} has {got} of {all} messages");
            ensure!(Some(client.order) == order, "client {index} has got the messages in another order than client 0");
        }
        Ok(())
    }

    /// Waits for events, at most `wait`, and handles them.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let Token(index) = event.token();
            if index >= PUBLISHERS {
                if let Some(asked) = self.publishers[index - PUBLISHERS].read(&mut self.scratch, self.common.dialect)? {
                    self.answers.record(self.common.origin.elapsed().as_nanos() as u64 - asked)?;
                }
                continue;
            }
            let change = self.clients[index]
                .handle(event, &mut self.scratch, &self.common, &mut self.tally)
                .with_context(|| format!("client {index} of {}", self.clients.len()))?;
            match change {
                Change::Same => {}
                Change::Inside => self.inside += 1,
                Change::Gone => self.gone += 1,
            }
        }
        Ok(())
    }

    /// Turns until `deadline`.
    pub fn turn_until(&mut self, deadline: Instant) -> Result<()> {
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// Closes every connection with its handshake and waits for the server to end it.
    pub fn leave(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.plan.timeout;
        self.clients.iter_mut().try_for_each(Client::close)?;
        while self.gone < self.clients.len() {
            let open = self.clients.len() - self.gone;
            let left = left(deadline).with_context(|| format!("{open} connections were not closed by the server"))?;
            self.turn(left)?;
        }
        self.clients.clear();
        (self.inside, self.gone) = (0, 0);
        Ok(())
    }

    /// Waits until every server says that so many are in the channel.
    pub fn expect(&self, count: usize) -> Result<()> {
        let deadline = Instant::now() + self.plan.timeout;
        for address in &self.plan.nodes {
            let request = self.common.dialect.census(&address.to_string(), &self.common.channel);
            loop {
                let found = self.common.dialect.count(&publisher::once(*address, &request)?)?;
                if found == count {
                    break;
                }
                if Instant::now() >= deadline {
                    bail!("{address} says that {found} are in the channel; {count} should be");
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

fn left(deadline: Instant) -> Result<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).context("it took too long")
}
