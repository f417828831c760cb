//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use crate::cluster;
use crate::cluster::args::{Kind, Plan};
use crate::target::{HttpUrl, Target};

/// What `--help` prints.
pub const USAGE: &str = "\
usage: fws-load COMMAND [OPTION]…

  echo    keeps messages in flight against an echo server; prints one line of JSON
  idle    opens connections and measures the server's memory; prints one line of JSON
  ready   waits until a handshake with the server succeeds
  ports   prints free TCP ports: fws-load ports [COUNT]
  report  prints the tables of a file of such lines: fws-load report FILE --peer LABEL

echo and idle:
  --url ws://HOST:PORT/PATH   the server (HOST: an IP address or localhost)
  --pid PID[,PID…]            its processes; their descendants count too
  --connections N             [100; idle: 9000]
  --label NAME, --round N     copied into the result
  --timeout SECONDS           bound on connecting, and on closing [30]
echo:
  --in-flight K               messages under way on each connection [1]
  --size BYTES                of one message [20]
  --binary                    binary instead of text messages
  --seconds S, --warmup S     measured interval [5], time before it [1]
idle:
  --window N                  handshakes under way at a time [64]
  --collect http://HOST:PORT/PATH  fetched before each reading, so that a garbage collector runs; may be repeated
  --settle SECONDS            bound on waiting for the memory to come to rest [30]
ready:
  --url, --pid, --timeout     as above; fails at once when a process is gone
";

/// What to do.
pub enum Command {
    /// Print [`USAGE`].
    Help,
    /// Measure messages.
    Echo(Echo),
    /// Measure memory.
    Idle(Idle),
    /// Wait for a server.
    Ready(Ready),
    /// Find so many free ports.
    Ports(usize),
    /// Print the tables.
    Report(Report),
    /// Measure a cluster.
    Cluster(Box<Plan>),
    /// Print the tables of a cluster.
    ClusterReport(cluster::table::Options),
}

/// The server under test and how the result is to be called.
pub struct Subject {
    /// Where it listens.
    pub target: Target,
    /// Its processes.
    pub pids: Vec<i32>,
    /// Name in the report.
    pub label: String,
    /// Which of the alternating rounds this is.
    pub round: u32,
    /// Bound on connecting and on closing.
    pub timeout: Duration,
}

/// Options of `echo`.
pub struct Echo {
    /// The server.
    pub subject: Subject,
    /// Number of connections.
    pub connections: usize,
    /// Messages under way on each.
    pub in_flight: usize,
    /// Bytes of a message.
    pub size: usize,
    /// Binary instead of text.
    pub binary: bool,
    /// The measured interval.
    pub measured: Duration,
    /// Time under load before it.
    pub warmup: Duration,
}

/// Options of `idle`.
pub struct Idle {
    /// The server.
    pub subject: Subject,
    /// Number of connections.
    pub connections: usize,
    /// Handshakes under way at a time.
    pub window: usize,
    /// Fetched to make garbage collectors run.
    pub collect: Vec<HttpUrl>,
    /// Bound on waiting for quiescence.
    pub settle: Duration,
}

/// Options of `ready`.
pub struct Ready {
    /// The server.
    pub target: Target,
    /// Its processes.
    pub pids: Vec<i32>,
    /// Bound on the wait.
    pub timeout: Duration,
}

/// Options of `report`.
pub struct Report {
    /// Lines of JSON.
    pub file: PathBuf,
    /// Label of the server that the others are divided by.
    pub peer: String,
}

/// Reads the process's arguments.
pub fn parse() -> Result<Command> {
    let mut parser = lexopt::Parser::from_env();
    let command = match parser.next()? {
        Some(Long("help") | Short('h')) | None => return Ok(Command::Help),
        Some(Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "echo" | "idle" | "ready" => measurement(&command, parser),
        "ports" => match parser.next()? {
            None => Ok(Command::Ports(1)),
            Some(Value(count)) => Ok(Command::Ports(count.parse()?)),
            Some(other) => Err(other.unexpected().into()),
        },
        "report" => report(parser),
        "cluster-report" => Ok(Command::ClusterReport(cluster::table::parse(parser)?)),
        other => match Kind::ALL.iter().find(|(name, _)| *name == other) {
            Some((_, kind)) => Ok(Command::Cluster(Box::new(cluster::args::parse(*kind, parser)?))),
            None => bail!("unknown command {other:?}; --help names those that there are"),
        },
    }
}

fn measurement(command: &str, mut parser: lexopt::Parser) -> Result<Command> {
    let (mut target, mut pids, mut label, mut round) = (None, Vec::new(), String::new(), 1);
    let (mut connections, mut in_flight, mut size, mut binary) = (None, 1, 20, false);
    let (mut measured, mut warmup) = (Duration::from_secs(5), Duration::from_secs(1));
    let (mut timeout, mut settle) = (Duration::from_secs(30), Duration::from_secs(30));
    let (mut window, mut collect) = (64, Vec::new());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("url") => target = Some(parser.value()?.string()?.parse::<Target>()?),
            Long("pid") => {
                for pid in parser.value()?.string()?.split(',') {
                    pids.push(pid.parse().with_context(|| format!("--pid: {pid:?} is not a process id"))?);
                }
            }
            Long("timeout") => timeout = seconds(&mut parser)?,
            Long("label") if command != "ready" => label = parser.value()?.string()?,
            Long("round") if command != "ready" => round = parser.value()?.parse()?,
            Long("connections") if command != "ready" => connections = Some(at_least_one(&mut parser)?),
            Long("in-flight") if command == "echo" => in_flight = at_least_one(&mut parser)?,
            Long("size") if command == "echo" => size = parser.value()?.parse()?,
            Long("binary") if command == "echo" => binary = true,
            Long("seconds") if command == "echo" => measured = seconds(&mut parser)?,
            Long("warmup") if command == "echo" => warmup = seconds(&mut parser)?,
            Long("window") if command == "idle" => window = at_least_one(&mut parser)?,
            Long("collect") if command == "idle" => collect.push(parser.value()?.string()?.parse::<HttpUrl>()?),
            Long("settle") if command == "idle" => settle = seconds(&mut parser)?,
            other => return Err(other.unexpected().into()),
        }
    }
    let target = target.context("--url ws://HOST:PORT/PATH or wss://… is missing")?;
    if command == "ready" {
        return Ok(Command::Ready(Ready { target, pids, timeout }));
    }
    if pids.is_empty() {
        bail!("--pid is missing: without the server's processes there is nothing to measure");
    }
    let subject = Subject { target, pids, label, round, timeout };
    Ok(if command == "echo" {
        let connections = connections.unwrap_or(100);
        Command::Echo(Echo { subject, connections, in_flight, size, binary, measured, warmup })
    } else {
        let connections = connections.unwrap_or(9000);
        Command::Idle(Idle { subject, connections, window, collect, settle })
    })
}

fn report(mut parser: lexopt::Parser) -> Result<Command> {
    let (mut file, mut peer) = (None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("peer") => peer = Some(parser.value()?.string()?),
            Value(path) if file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Report(Report { file: file.context("the file of results is missing")?, peer: peer.context("--peer LABEL is missing")? }))
}

/// A number of seconds.
pub fn seconds(parser: &mut lexopt::Parser) -> Result<Duration> {
    let text = parser.value()?.string()?;
    let number: f64 = text.parse().with_context(|| format!("{text:?} is not a number of seconds"))?;
    Duration::try_from_secs_f64(number).with_context(|| format!("{text:?} is not a number of seconds"))
}

/// A number that is not 0.
pub fn at_least_one(parser: &mut lexopt::Parser) -> Result<usize> {
    match parser.value()?.parse()? {
        0 => bail!("at least 1 is needed"),
        number => Ok(number),
    }
}
