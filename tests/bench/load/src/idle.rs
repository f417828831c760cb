//! Measurement 2: the memory of connections that do nothing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::args::Idle;
use crate::connection::Tally;
use crate::process::{self, Memory};
use crate::report::{IdleOutcome, Outcome};
use crate::swarm::Swarm;
use crate::target::HttpUrl;

/// Time between two looks at the memory.
const SAMPLE: Duration = Duration::from_millis(250);
/// The memory is at rest when so many samples in a row (2 s) …
const SAMPLES: usize = 8;
/// … differ by no more than this.
const TOLERANCE_KIB: u64 = 64;

/// As many connections as will be held are first opened and closed a few at a time, so that what a server keeps for its
/// *accepting* (heap arenas, thread stacks, pools) is in both readings, and only what it keeps per connection in the second.
pub fn run(options: &Idle) -> Result<Outcome> {
    let subject = &options.subject;
    let mut swarm = Swarm::new(&subject.target)?;
    let mut left = options.connections;
    while left > 0 {
        let some = left.min(options.window);
        swarm.connect(some, some, subject.timeout)?;
        swarm.close(subject.timeout)?;
        left -= some;
    }
    let mut tally = Tally::new()?;
    let mut rest =
        |swarm: &mut Swarm| settle(&subject.pids, &options.collect, options.settle, |until| swarm.turn_until(until, None, &mut tally));
    let (before, settled_before) = rest(&mut swarm)?;

    swarm.connect(options.connections, options.window, subject.timeout)?;
    let (after, settled_after) = rest(&mut swarm)?;
    swarm.close(subject.timeout)?;

    let per_connection = |before: u64, after: u64| (after as f64 - before as f64) / options.connections as f64;
    Ok(Outcome::Idle(IdleOutcome {
        label: subject.label.clone(),
        round: subject.round,
        connections: options.connections,
        pss_before_kib: before.pss,
        pss_after_kib: after.pss,
        private_before_kib: before.private,
        private_after_kib: after.private,
        pss_kib_per_connection: per_connection(before.pss, after.pss),
        private_kib_per_connection: per_connection(before.private, after.private),
        settled: settled_before && settled_after,
    }))
}

/// Waits until the server's memory stays where it is, and says whether it did within the bound. `turn` does meanwhile what
/// clients have to do.
pub fn settle(pids: &[i32], collect: &[HttpUrl], bound: Duration, mut turn: impl FnMut(Instant) -> Result<()>) -> Result<(Memory, bool)> {
    for url in collect {
        // Twice: what a sync.Pool holds survives the first collection.
        for _ in 0..2 {
            url.fetch().context("--collect")?;
        }
    }
    let mut recent = VecDeque::with_capacity(SAMPLES);
    let deadline = Instant::now() + bound;
    loop {
        let memory = process::memory(pids)?;
        if recent.len() == SAMPLES {
            recent.pop_front();
        }
        recent.push_back(memory.private);
        let spread = recent.iter().max().zip(recent.iter().min()).map_or(0, |(most, least)| most - least);
        let settled = recent.len() == SAMPLES && spread <= TOLERANCE_KIB;
        if settled || Instant::now() >= deadline {
            return Ok((memory, settled));
        }
        turn(Instant::now() + SAMPLE)?;
    }
}
