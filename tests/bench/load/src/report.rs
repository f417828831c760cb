//! Results: a line of JSON each, and the tables made of them.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::args::Report;

/// What a measurement found.
#[derive(Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Outcome {
    /// Messages.
    Echo(EchoOutcome),
    /// Memory.
    Idle(IdleOutcome),
}

/// What `echo` found.
#[derive(Serialize, Deserialize)]
pub struct EchoOutcome {
    pub label: String,
    pub round: u32,
    pub connections: usize,
    pub in_flight: usize,
    pub size: usize,
    pub seconds: f64,
    pub messages: u64,
    /// Received, headers included.
    pub bytes: u64,
    pub messages_per_second: f64,
    pub server_cpu_us_per_message: f64,
    pub load_cpu_us_per_message: f64,
    pub server_cores: f64,
    /// What neither the server nor we used: when this is not near 0, someone else worked on the machine.
    pub other_cores: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

/// What `idle` found.
#[derive(Serialize, Deserialize)]
pub struct IdleOutcome {
    pub label: String,
    pub round: u32,
    pub connections: usize,
    pub pss_before_kib: u64,
    pub pss_after_kib: u64,
    pub private_before_kib: u64,
    pub private_after_kib: u64,
    pub pss_kib_per_connection: f64,
    pub private_kib_per_connection: f64,
    /// Whether the memory came to rest within the bound.
    pub settled: bool,
}

/// Server CPU µs a message that we aim at, by label and messages in flight, at 100 connections and 20 bytes.
const ECHO_AIMS: [(&str, usize, f64); 4] = [("php echo", 1, 10.0), ("php echo", 16, 2.0), ("core echo", 1, 6.0), ("core echo", 16, 0.5)];
/// KiB an idle connection that we aim at.
const IDLE_AIMS: [(&str, f64); 2] = [("core echo", 1.0), ("php echo", 1.0)];

/// Median, least and most of some figures.
pub struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// None of none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() {
            0 => return None,
            even if even % 2 == 0 => (figures[middle - 1] + figures[middle]) / 2.0,
            _ => figures[middle],
        };
        Some(Self { median, least: *figures.first()?, most: *figures.last()? })
    }

    /// As it is printed.
    pub fn show(&self) -> String {
        if self.least == self.most {
            return short(self.median);
        }
        format!("{} ({}–{})", short(self.median), short(self.least), short(self.most))
    }
}

/// Three significant digits or whole numbers.
fn short(figure: f64) -> String {
    match figure.abs() {
        small if small < 10.0 => format!("{figure:.2}"),
        medium if medium < 100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// The tables of a file of results.
pub fn render(options: &Report) -> Result<String> {
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let (mut echoes, mut idles) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let outcome = serde_json::from_str(line);
        match outcome.with_context(|| format!("{}, line {}", options.file.display(), number + 1))? {
            Outcome::Echo(outcome) => echoes.push(outcome),
            Outcome::Idle(outcome) => idles.push(outcome),
        }
    }
    let mut out = String::new();
    echo_tables(&mut out, &echoes, &options.peer)?;
    idle_table(&mut out, &idles, &options.peer)?;
    Ok(out)
}

fn echo_tables(out: &mut String, echoes: &[EchoOutcome], peer: &str) -> Result<()> {
    let workloads = in_order(echoes.iter().map(|one| (one.connections, one.in_flight, one.size)));
    for (connections, in_flight, size) in workloads {
        let some: Vec<&EchoOutcome> =
            echoes.iter().filter(|one| (one.connections, one.in_flight, one.size) == (connections, in_flight, size)).collect();
        writeln!(out, "{connections} connections × {in_flight} in flight, {size} bytes")?;
        writeln!(
            out,
            "  {:<18}{:>21}{:>8}{:>28}{:>12}{:>12}{:>22}{:>8}",
            "", "server CPU µs/message", "aim", "messages/s", "p50 µs", "p99 µs", "CPU ÷ peer's", "others"
        )?;
        for label in in_order(some.iter().map(|one| one.label.as_str())) {
            let ours: Vec<&&EchoOutcome> = some.iter().filter(|one| one.label == label).collect();
            let show = |figure: fn(&EchoOutcome) -> f64| {
                Spread::of(ours.iter().map(|one| figure(one))).map_or_else(String::new, |spread| spread.show())
            };
            let median = |figure: fn(&EchoOutcome) -> f64| {
                Spread::of(ours.iter().map(|one| figure(one))).map_or_else(String::new, |spread| short(spread.median))
            };
            // Each round's own ratio, since the machine may change between rounds but hardly within one.
            let ratios = ours.iter().filter_map(|one| {
                let its = some.iter().find(|its| its.label == peer && its.round == one.round)?;
                Some(one.server_cpu_us_per_message / its.server_cpu_us_per_message)
            });
            let ratio = Spread::of(ratios).filter(|_| label != peer);
            let others = ours.iter().map(|one| one.other_cores).fold(0.0, f64::max);
            let aim = ECHO_AIMS.iter().find(|(whose, at, _)| (*whose, *at, connections, size) == (label, in_flight, 100, 20));
            writeln!(
                out,
                "  {label:<18}{:>21}{:>8}{:>28}{:>12}{:>12}{:>22}{:>8}",
                show(|one| one.server_cpu_us_per_message),
                aim.map_or_else(String::new, |(_, _, most)| format!("≤ {most}")),
                show(|one| one.messages_per_second),
                median(|one| one.p50_us),
                median(|one| one.p99_us),
                ratio.map_or_else(String::new, |ratio| ratio.show()),
                format!("{:.0} %", others * 100.0),
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn idle_table(out: &mut String, idles: &[IdleOutcome], peer: &str) -> Result<()> {
    let counts = in_order(idles.iter().map(|one| one.connections));
    for connections in counts {
        let some: Vec<&IdleOutcome> = idles.iter().filter(|one| one.connections == connections).collect();
        let private = |label: &str| {
            let its = some.iter().filter(|one| one.label == label);
            Spread::of(its.map(|one| one.private_kib_per_connection))
        };
        writeln!(out, "{connections} idle connections")?;
        writeln!(out, "  {:<18}{:>21}{:>8}{:>28}{:>24}", "", "private KiB each", "aim", "Pss KiB each", "private ÷ peer's")?;
        for label in in_order(some.iter().map(|one| one.label.as_str())) {
            let ours: Vec<&&IdleOutcome> = some.iter().filter(|one| one.label == label).collect();
            let pss = Spread::of(ours.iter().map(|one| one.pss_kib_per_connection));
            let aim = IDLE_AIMS.iter().find(|(whose, _)| *whose == label);
            let ratio = private(label).zip(private(peer)).filter(|_| label != peer);
            writeln!(
                out,
                "  {label:<18}{:>21}{:>8}{:>28}{:>24}{}",
                private(label).map_or_else(String::new, |spread| spread.show()),
                aim.map_or_else(String::new, |(_, most)| format!("≤ {most}")),
                pss.map_or_else(String::new, |spread| spread.show()),
                ratio.map_or_else(String::new, |(ours, its)| format!("{:.4}", ours.median / its.median)),
                if ours.iter().all(|one| one.settled) { "" } else { "   memory had not come to rest" },
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Each once, in the order of first appearance.
pub fn in_order<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_figures_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 2.0, 9.0]).expect("not empty");
        assert_eq!((spread.median, spread.least, spread.most), (3.0, 1.0, 9.0));
        assert!(Spread::of([]).is_none());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let outcome = |label: &str, round, cpu| EchoOutcome {
            label: label.into(),
            round,
            connections: 100,
            in_flight: 1,
            size: 20,
            seconds: 1.0,
            messages: 1,
            bytes: 22,
            messages_per_second: 1.0,
            server_cpu_us_per_message: cpu,
            load_cpu_us_per_message: 1.0,
            server_cores: 1.0,
            other_cores: 0.0,
            p50_us: 1.0,
            p99_us: 1.0,
            max_us: 1.0,
        };
        let all = [outcome("core echo", 1, 5.0), outcome("peer", 1, 10.0), outcome("core echo", 2, 8.0), outcome("peer", 2, 32.0)];
        let mut out = String::new();
        echo_tables(&mut out, &all, "peer").expect("writes to a string");
        assert!(out.contains("0.38 (0.25–0.50)") && out.contains("≤ 6"), "{out}");
    }
}
