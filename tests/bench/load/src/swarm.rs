//! All client connections and the epoll they share.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, getrlimit};
use rustls::ClientConfig;

use crate::connection::{Change, Connection, Tally, Turn, Work};
use crate::stream::{self, Stream};
use crate::target::Target;

/// Descriptors that are not connections: standard streams, epoll, /proc files.
const OTHER_DESCRIPTORS: usize = 32;

/// The clients.
pub struct Swarm {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    opened: usize,
    gone: usize,
    scratch: Vec<u8>,
    target: Target,
    tls: Option<Arc<ClientConfig>>,
    origin: Instant,
}

impl Swarm {
    /// No connection yet.
    pub fn new(target: &Target) -> Result<Self> {
        Ok(Self {
            tls: target.tls.then(stream::trusting).transpose()?,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            connections: Vec::new(),
            opened: 0,
            gone: 0,
            scratch: vec![0; 256 * 1024],
            target: target.clone(),
            origin: Instant::now(),
        })
    }

    /// Opens `count` more connections, at most `window` handshakes at a time.
    pub fn connect(&mut self, count: usize, window: usize, timeout: Duration) -> Result<()> {
        let goal = self.connections.len() + count;
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            ensure!(
                (goal + OTHER_DESCRIPTORS) as u64 <= limit,
                "{goal} connections do not fit into the limit of {limit} descriptors (ulimit -n)"
            );
        }
        let deadline = Instant::now() + timeout;
        let mut tally = Tally::new()?;
        while self.opened < goal {
            while self.connections.len() < goal && self.connections.len() - self.opened < window {
                let socket = TcpStream::connect(self.target.address).context("cannot connect")?;
                let name = self.target.address.ip().into();
                let mut connection = Connection::new(Stream::new(socket, self.tls.as_ref(), &name)?);
                let token = Token(self.connections.len());
                let both = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(connection.socket(), token, both)?;
                self.connections.push(connection);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} of {goal} handshakes were done within {timeout:?}", self.opened);
            }
            self.turn(left, None, &mut tally)?;
        }
        Ok(())
    }

    /// Puts the first messages under way on every connection.
    pub fn begin(&mut self, work: &Work) -> Result<()> {
        self.connections.iter_mut().try_for_each(|connection| connection.begin(work, self.origin))
    }

    /// Waits for events, at most `wait`, and handles them.
    pub fn turn(&mut self, wait: Duration, work: Option<&Work>, tally: &mut Tally) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let Token(index) = event.token();
            let mut turn = Turn { scratch: &mut self.scratch, target: &self.target, work, tally, origin: self.origin };
            let change = self.connections[index]
                .handle(event, &mut turn)
                .with_context(|| format!("connection {} of {}", index + 1, self.connections.len()))?;
            match change {
                Change::Same => {}
                Change::Opened => self.opened += 1,
                Change::Gone => self.gone += 1,
            }
        }
        Ok(())
    }

    /// Turns until `deadline`.
    pub fn turn_until(&mut self, deadline: Instant, work: Option<&Work>, tally: &mut Tally) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left, work, tally)?;
        }
    }

    /// Receives what is under way. A reply that does not come is an error: a server must not win by losing messages.
    pub fn finish(&mut self, work: &mut Work, timeout: Duration) -> Result<()> {
        work.end();
        let deadline = Instant::now() + timeout;
        let mut tally = Tally::new()?;
        loop {
            let awaited: usize = self.connections.iter().map(Connection::awaited).sum();
            let left = deadline.saturating_duration_since(Instant::now());
            if awaited == 0 {
                return Ok(());
            }
            ensure!(!left.is_zero(), "{awaited} messages were never answered: the last one {timeout:?} ago or earlier");
            self.turn(left, Some(work), &mut tally)?;
        }
    }

    /// Closes every connection with its handshake and waits for the server to end it.
    pub fn close(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        for connection in &mut self.connections {
            if connection.close()? == Change::Gone {
                self.gone += 1;
            }
        }
        let mut tally = Tally::new()?;
        while self.gone < self.connections.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let open = self.connections.len() - self.gone;
                bail!("{open} of {} connections were not closed by the server within {timeout:?}", self.connections.len());
            }
            self.turn(left, None, &mut tally)?;
        }
        self.connections.clear();
        (self.opened, self.gone) = (0, 0);
        Ok(())
    }
}
