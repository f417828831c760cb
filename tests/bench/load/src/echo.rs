//! Measurement 1: messages sent and echoed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::args::Echo;
use crate::connection::{Tally, Work};
use crate::process;
use crate::report::{EchoOutcome, Outcome};
use crate::swarm::Swarm;

/// Processor time so far.
struct Cpu {
    server: Duration,
    load: Duration,
    machine: Duration,
}

impl Cpu {
    fn read(server: &[i32]) -> Result<Self> {
        let load = process::cpu(&[std::process::id() as i32])?;
        Ok(Self { server: process::cpu(server)?, load, machine: process::machine()? })
    }
}

/// Connects, warms up, measures, closes.
pub fn run(options: &Echo) -> Result<Outcome> {
    let subject = &options.subject;
    let mut work = Work::new(options.size, options.in_flight, options.binary);
    let mut swarm = Swarm::new(&subject.target)?;
    swarm.connect(options.connections, options.connections, subject.timeout)?;

    swarm.begin(&work)?;
    swarm.turn_until(Instant::now() + options.warmup, Some(&work), &mut Tally::new()?)?;

    let mut tally = Tally::new()?;
    let before = Cpu::read(&subject.pids)?;
    let start = Instant::now();
    swarm.turn_until(start + options.measured, Some(&work), &mut tally)?;
    let elapsed = start.elapsed();
    let after = Cpu::read(&subject.pids)?;
    swarm.finish(&mut work, subject.timeout)?;
    swarm.close(subject.timeout)?;

    ensure!(tally.messages > 0, "no message was echoed within {elapsed:?}");
    let seconds = elapsed.as_secs_f64();
    let messages = tally.messages as f64;
    let [server, load, machine] =
        [after.server.saturating_sub(before.server), after.load.saturating_sub(before.load), after.machine.saturating_sub(before.machine)]
            .map(|time| time.as_secs_f64());
    Ok(Outcome::Echo(EchoOutcome {
        label: subject.label.clone(),
        round: subject.round,
        connections: options.connections,
        in_flight: options.in_flight,
        size: options.size,
        seconds,
        messages: tally.messages,
        bytes: tally.bytes,
        messages_per_second: messages / seconds,
        server_cpu_us_per_message: server * 1e6 / messages,
        load_cpu_us_per_message: load * 1e6 / messages,
        server_cores: server / seconds,
        other_cores: ((machine - server - load) / seconds).max(0.0),
        p50_us: tally.latency.value_at_quantile(0.50) as f64 / 1e3,
        p99_us: tally.latency.value_at_quantile(0.99) as f64 / 1e3,
        max_us: tally.latency.max() as f64 / 1e3,
    }))
}

#[cfg(test)]
mod tests;
