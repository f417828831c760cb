//! The six measurements.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::args::{Kind, Plan};
use super::client::Tally;
use super::crowd::Crowd;
use crate::idle;
use crate::process;

/// For how long it is looked what Redis takes for nothing.
const IDLE: Duration = Duration::from_millis(1500);

/// What a measurement found: a line of the results.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    pub mode: String,
    pub label: String,
    pub round: u32,
    pub nodes: usize,
    pub figures: BTreeMap<String, f64>,
}

/// Processor time so far.
struct Cpu {
    at: Instant,
    server: Duration,
    redis: Duration,
    load: Duration,
    machine: Duration,
}

impl Cpu {
    fn read(plan: &Plan) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: process::fine_cpu(&plan.pids)?,
            redis: process::fine_cpu(&plan.redis)?,
            load: process::fine_cpu(&[std::process::id() as i32])?,
            machine: process::machine()?,
        })
    }

    /// What it took since then, as figures: CPU in µs for each of `count`.
    fn since(plan: &Plan, before: &Self, count: u64, figures: &mut BTreeMap<String, f64>) -> Result<()> {
        ensure!(count > 0, "nothing happened");
        let after = Self::read(plan)?;
        let elapsed = (after.at - before.at).as_secs_f64();
        let [server, redis, load, machine] = [
            after.server.saturating_sub(before.server),
            after.redis.saturating_sub(before.redis),
            after.load.saturating_sub(before.load),
            after.machine.saturating_sub(before.machine),
        ]
        .map(|time| time.as_secs_f64());
        let each = |time: f64| time * 1e6 / count as f64;
        for (name, figure) in [
            ("seconds", elapsed),
            ("count", count as f64),
            ("server_us", each(server)),
            ("redis_us", each(redis)),
            ("load_us", each(load)),
            ("server_ms", server * 1e3),
            ("others_percent", ((machine - server - redis - load) / elapsed).max(0.0) * 100.0),
        ] {
            figures.insert(name.to_owned(), figure);
        }
        Ok(())
    }
}

/// Measures.
pub fn run(plan: &Plan) -> Result<Outcome> {
    let mut figures = match plan.kind {
        Kind::Fanout => fanout(plan, Some(plan.interval))?,
        Kind::Publish => fanout(plan, None)?,
        Kind::Burst => burst(plan)?,
        Kind::Churn => churn(plan)?,
        Kind::Resume => resume(plan)?,
        Kind::Memory => memory(plan)?,
    };
    figures.insert("clients".to_owned(), plan.clients() as f64);
    Ok(Outcome { mode: plan.kind.name().to_owned(), label: plan.label.clone(), round: plan.round, nodes: plan.nodes.len(), figures })
}

fn milliseconds(figures: &mut BTreeMap<String, f64>, name: &str, times: &Histogram<u64>) {
    for (which, quantile) in [("p50", 0.50), ("p99", 0.99), ("max", 1.0)] {
        figures.insert(format!("{name}_{which}_ms"), times.value_at_quantile(quantile) as f64 / 1e6);
    }
}

fn fanout(plan: &Plan, interval: Option<Duration>) -> Result<BTreeMap<String, f64>> {
    let mut crowd = Crowd::new(plan, "news", false)?;
    crowd.enter(plan.clients())?;
    crowd.employ(plan.publishers)?;
    let idle = idle_redis(&mut crowd, plan, interval.is_some())?;
    crowd.publish_for(plan.warmup, interval)?;

    (crowd.tally, crowd.answers) = (Tally::new()?, Histogram::new(2)?);
    let (published, before) = (crowd.published, Cpu::read(plan)?);
    crowd.publish_for(plan.measured, interval)?;
    let published = crowd.published - published;
    let mut figures = BTreeMap::new();
    let count = if interval.is_some() { crowd.tally.deliveries } else { published };
    Cpu::since(plan, &before, count, &mut figures)?;
    crowd.verify()?;
    ensure!(crowd.tally.deliveries == published * plan.clients() as u64, "{} deliveries were counted", crowd.tally.deliveries);
    figures.insert("published".to_owned(), published as f64);
    figures.insert("published_per_second".to_owned(), published as f64 / figures["seconds"]);
    let redis = (figures["redis_us"] * count as f64 - idle * figures["seconds"] * 1e6).max(0.0);
    figures.insert("redis_us_per_publish".to_owned(), redis / published as f64);
    milliseconds(&mut figures, "delivery", &crowd.tally.latency);
    milliseconds(&mut figures, "answer", &crowd.answers);
    crowd.leave()?;
    Ok(figures)
}

/// What is published without a request for each message. Some come before, so that PHP has read its page.
fn burst(plan: &Plan) -> Result<BTreeMap<String, f64>> {
    let mut crowd = Crowd::new(plan, "news", false)?;
    crowd.employ(1)?;
    crowd.burst(1)?;
    crowd.enter(plan.clients())?;
    crowd.forget();
    let before = Cpu::read(plan)?;
    crowd.burst(plan.count)?;
    let mut figures = BTreeMap::new();
    Cpu::since(plan, &before, plan.count as u64, &mut figures)?;
    crowd.verify()?;
    figures.insert("published_per_second".to_owned(), plan.count as f64 / figures["seconds"]);
    crowd.leave()?;
    Ok(figures)
}

/// What Redis takes while nothing is published, in seconds a second: its own turns, and the leases of all servers. Few messages cost
/// hardly more, so that it is subtracted. Of many messages it is nothing.
fn idle_redis(crowd: &mut Crowd<'_>, plan: &Plan, few: bool) -> Result<f64> {
    if !few || plan.redis.is_empty() {
        return Ok(0.0);
    }
    let (before, start) = (process::fine_cpu(&plan.redis)?, Instant::now());
    crowd.turn_until(start + IDLE)?;
    Ok(process::fine_cpu(&plan.redis)?.saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64())
}

/// In waves: as many as may enter at a time join, and then all of them leave.
fn churn(plan: &Plan) -> Result<BTreeMap<String, f64>> {
    let wave = plan.window.min(plan.joins);
    let mut crowd = Crowd::new(plan, "room", false)?;
    crowd.enter(wave)?;
    crowd.expect(wave)?;
    crowd.leave()?;
    crowd.expect(0)?;

    let mut left = plan.joins;
    let before = Cpu::read(plan)?;
    while left > 0 {
        let some = left.min(wave);
        crowd.enter(some)?;
        crowd.leave()?;
        left -= some;
    }
    crowd.expect(0)?;
    let mut figures = BTreeMap::new();
    Cpu::since(plan, &before, plan.joins as u64, &mut figures)?;
    figures.insert("joins_per_second".to_owned(), plan.joins as f64 / figures["seconds"]);
    Ok(figures)
}

fn resume(plan: &Plan) -> Result<BTreeMap<String, f64>> {
    /// Messages that all get before they are cut off, so that nobody begins at the beginning.
    const BEFORE: usize = 3;
    /// For the server to notice.
    const AWAY: Duration = Duration::from_millis(500);
    let mut crowd = Crowd::new(plan, "news", true)?;
    crowd.enter(plan.clients())?;
    crowd.employ(plan.publishers)?;
    crowd.publish_some(BEFORE)?;
    crowd.drain()?;

    crowd.cut()?;
    crowd.turn_until(Instant::now() + AWAY)?;
    crowd.publish_some(plan.missed)?;
    let before = Cpu::read(plan)?;
    let times = crowd.come_back()?;
    let mut figures = BTreeMap::new();
    Cpu::since(plan, &before, plan.clients() as u64, &mut figures)?;
    crowd.verify()?;
    milliseconds(&mut figures, "back", &times);
    // That they are really back.
    crowd.publish_some(1)?;
    crowd.drain()?;
    crowd.verify()?;
    crowd.leave()?;
    Ok(figures)
}

fn memory(plan: &Plan) -> Result<BTreeMap<String, f64>> {
    let mut crowd = Crowd::new(plan, "news", false)?;
    // A few at a time: what a server needs for the entering is in both readings, and what it keeps for those who are there is not.
    let mut left = plan.clients();
    while left > 0 {
        let some = left.min(plan.window);
        crowd.enter(some)?;
        crowd.leave()?;
        left -= some;
    }
    let settle = |crowd: &mut Crowd<'_>| idle::settle(&plan.pids, &plan.collect, plan.settle, |until| crowd.turn_until(until));
    let (before, rested) = settle(&mut crowd)?;
    crowd.enter(plan.clients())?;
    let (after, rested_again) = settle(&mut crowd)?;
    crowd.leave()?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok([
        ("pss_before_mib", mib(before.pss)),
        ("pss_after_mib", mib(after.pss)),
        ("kib_per_connection", (after.pss as f64 - before.pss as f64) / plan.clients() as f64),
        ("settled", f64::from(u8::from(rested && rested_again))),
    ]
    .into_iter()
    .map(|(name, figure)| (name.to_owned(), figure))
    .collect())
}

#[cfg(test)]
mod tests;
