//! The command line of the measurements of a cluster.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;

use super::dialect::Dialect;
use super::message;
use crate::args::{at_least_one, seconds};
use crate::target::HttpUrl;

/// What `--help` prints of them.
pub const USAGE: &str = "
  fanout   publishes to many subscribers, a message each interval
  publish  publishes to few subscribers as fast as it is answered
  burst    the same from within: one request to PHP, which publishes many
  churn    clients with presence join and leave
  resume   all clients are cut off and come back at once
  memory   clients that are in a channel and do nothing

fanout, publish, burst, churn, resume and memory print one line of JSON:
  --dialect fws|centrifugo|pusher  how the servers speak
  --node HOST:PORT            one of the servers; may be repeated
  --pid PID[,PID…]            all their processes
  --redis PID                 the process of Redis
  --label NAME, --round N     copied into the result
  --subscribers N             on each server [3000; publish and burst: 10]
  --window N                  clients that enter at a time [500; memory: 64]
  --publishers N              HTTP connections over which is published [fanout: one a server; publish: 12]
  --interval SECONDS          fanout: time between messages [0.2]
  --seconds S, --warmup S     measured interval [4], time before it [0.5]
  --size BYTES                of a message [128]
  --joins N                   churn: how many in all [10000]
  --missed N                  resume: messages that all miss [10]
  --count N                   burst: how many messages [20000]
  --collect URL, --settle S   memory: as for idle
  --timeout SECONDS           bound on each step [30]
cluster-report FILE --pair OURS=THEIRS…  prints the tables of a file of such lines
";

/// Which measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many subscribers.
    Fanout,
    /// Many messages.
    Publish,
    /// Many messages from within.
    Burst,
    /// Joins and leaves.
    Churn,
    /// Everybody comes back.
    Resume,
    /// Nobody does anything.
    Memory,
}

impl Kind {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Kind); 6] = [
        ("fanout", Kind::Fanout),
        ("publish", Kind::Publish),
        ("burst", Kind::Burst),
        ("churn", Kind::Churn),
        ("resume", Kind::Resume),
        ("memory", Kind::Memory),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// The servers, and what is done to them.
pub struct Plan {
    /// Which measurement.
    pub kind: Kind,
    /// How the servers speak.
    pub dialect: Dialect,
    /// Where they listen.
    pub nodes: Vec<SocketAddr>,
    /// Their processes.
    pub pids: Vec<i32>,
    /// That of Redis.
    pub redis: Vec<i32>,
    /// Name in the report.
    pub label: String,
    /// Which of the alternating rounds this is.
    pub round: u32,
    /// On each server.
    pub subscribers: usize,
    /// Clients that enter at a time.
    pub window: usize,
    /// HTTP connections.
    pub publishers: usize,
    /// Time between messages.
    pub interval: Duration,
    /// The measured interval.
    pub measured: Duration,
    /// Time before it.
    pub warmup: Duration,
    /// Bytes of a message.
    pub size: usize,
    /// How many join and leave.
    pub joins: usize,
    /// Messages that all miss.
    pub missed: usize,
    /// Messages that are published from within.
    pub count: usize,
    /// Fetched to make garbage collectors run.
    pub collect: Vec<HttpUrl>,
    /// Bound on waiting for the memory to come to rest.
    pub settle: Duration,
    /// Bound on each step.
    pub timeout: Duration,
}

impl Plan {
    /// With the defaults of its kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            dialect: Dialect::Fws,
            nodes: Vec::new(),
            pids: Vec::new(),
            redis: Vec::new(),
            label: String::new(),
            round: 1,
            subscribers: if matches!(kind, Kind::Publish | Kind::Burst) { 10 } else { 3000 },
            window: if kind == Kind::Memory { 64 } else { 500 },
            publishers: if kind == Kind::Publish { 12 } else { 0 },
            interval: Duration::from_millis(200),
            measured: Duration::from_secs(4),
            warmup: Duration::from_millis(500),
            size: 128,
            joins: 10_000,
            missed: 10,
            count: 20_000,
            collect: Vec::new(),
            settle: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
        }
    }

    /// Clients on all servers.
    pub fn clients(&self) -> usize {
        self.subscribers * self.nodes.len()
    }

    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<()> {
        match name {
            "dialect" => self.dialect = parser.value()?.string()?.parse()?,
            "node" => self.nodes.push(parser.value()?.parse()?),
            "pid" => self.pids.extend(pids(parser)?),
            "redis" => self.redis.extend(pids(parser)?),
            "label" => self.label = parser.value()?.string()?,
            "round" => self.round = parser.value()?.parse()?,
            "subscribers" => self.subscribers = at_least_one(parser)?,
            "window" => self.window = at_least_one(parser)?,
            "publishers" => self.publishers = at_least_one(parser)?,
            "interval" => self.interval = seconds(parser)?,
            "seconds" => self.measured = seconds(parser)?,
            "warmup" => self.warmup = seconds(parser)?,
            "size" => self.size = parser.value()?.parse()?,
            "joins" => self.joins = at_least_one(parser)?,
            "count" => self.count = at_least_one(parser)?,
            "missed" => self.missed = at_least_one(parser)?,
            "collect" => self.collect.push(parser.value()?.string()?.parse()?),
            "settle" => self.settle = seconds(parser)?,
            "timeout" => self.timeout = seconds(parser)?,
            other => bail!("unknown option --{other}"),
        }
        Ok(())
    }
}

fn name(arg: lexopt::Arg<'_>) -> Result<String> {
    match arg {
        Long(name) => Ok(name.to_owned()),
        other => Err(other.unexpected().into()),
    }
}

/// Reads the options of a measurement.
pub fn parse(kind: Kind, mut parser: lexopt::Parser) -> Result<Plan> {
    let mut plan = Plan::new(kind);
    while let Some(name) = parser.next()?.map(name).transpose()? {
        plan.set(&name, &mut parser)?;
    }
    ensure!(!plan.nodes.is_empty(), "--node HOST:PORT is missing");
    if plan.pids.is_empty() {
        bail!("--pid is missing: without the servers' processes there is nothing to measure");
    }
    message::check_size(plan.size)?;
    if plan.publishers == 0 {
        plan.publishers = plan.nodes.len();
    }
    Ok(plan)
}

fn pids(parser: &mut lexopt::Parser) -> Result<Vec<i32>> {
    let text = parser.value()?.string()?;
    text.split(',').map(|pid| pid.parse().with_context(|| format!("{pid:?} is not a process id"))).collect()
}
