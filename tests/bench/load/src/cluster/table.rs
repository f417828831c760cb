//! The tables made of the results of a cluster.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use super::scenarios::Outcome;
use crate::report::{Spread, in_order};

/// Options of `cluster-report`.
pub struct Options {
    file: PathBuf,
    /// Whom to divide by whom.
    pairs: Vec<(String, String)>,
}

/// Name and title of a measurement, and the figures to show: name, heading, and whether ratios of it say something.
type Table = (&'static str, &'static str, &'static [(&'static str, &'static str, bool)]);

const TABLES: [Table; 6] = [
    (
        "fanout",
        "broadcast to many subscribers",
        &[
            ("server_us", "CPU µs/delivery", true),
            ("delivery_p50_ms", "p50 ms", true),
            ("delivery_p99_ms", "p99 ms", true),
            ("redis_us_per_publish", "Redis µs/publish", true),
            ("count", "deliveries", false),
            ("others_percent", "others %", false),
        ],
    ),
    (
        "publish",
        "publishes to few subscribers",
        &[
            ("published_per_second", "publishes/s", true),
            ("server_us", "CPU µs/publish", true),
            ("redis_us_per_publish", "Redis µs/publish", true),
            ("answer_p50_ms", "HTTP p50 ms", true),
            ("answer_p99_ms", "HTTP p99 ms", true),
            ("others_percent", "others %", false),
        ],
    ),
    (
        "burst",
        "publishes from within, to few subscribers",
        &[
            ("published_per_second", "publishes/s", true),
            ("server_us", "CPU µs/publish", true),
            ("count", "published", false),
            ("others_percent", "others %", false),
        ],
    ),
    (
        "churn",
        "joins and leaves",
        &[
            ("server_us", "CPU µs/join+leave", true),
            ("redis_us", "Redis µs/join+leave", true),
            ("joins_per_second", "joins/s", true),
            ("count", "joins", false),
            ("others_percent", "others %", false),
        ],
    ),
    (
        "resume",
        "all come back at once",
        &[
            ("back_max_ms", "all back ms", true),
            ("back_p50_ms", "p50 ms", true),
            ("server_us", "CPU µs/client", true),
            ("redis_us", "Redis µs/client", true),
            ("clients", "clients", false),
            ("others_percent", "others %", false),
        ],
    ),
    (
        "memory",
        "memory of connections (Pss)",
        &[
            ("kib_per_connection", "KiB/connection", true),
            ("pss_before_mib", "MiB without", true),
            ("pss_after_mib", "MiB with them", true),
            ("clients", "clients", false),
            ("settled", "at rest", false),
        ],
    ),
];

/// Reads the options.
pub fn parse(mut parser: lexopt::Parser) -> Result<Options> {
    let (mut file, mut pairs) = (None, Vec::new());
    while let Some(arg) = parser.next()? {
        match arg {
            Long("pair") => {
                let pair = parser.value()?.string()?;
                let (ours, theirs) = pair.split_once('=').context("--pair is OURS=THEIRS")?;
                pairs.push((ours.to_owned(), theirs.to_owned()));
            }
            Value(path) if file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Options { file: file.context("the file of results is missing")?, pairs })
}

/// The tables of a file of results.
pub fn render(options: &Options) -> Result<String> {
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let lines = text.lines().enumerate();
    let outcomes = lines.map(|(number, line)| serde_json::from_str(line).with_context(|| format!("line {}", number + 1)));
    tables(&outcomes.collect::<Result<Vec<Outcome>>>()?, &options.pairs)
}

fn tables(outcomes: &[Outcome], pairs: &[(String, String)]) -> Result<String> {
    let mut out = String::new();
    if let Some(unknown) = outcomes.iter().find(|one| TABLES.iter().all(|(mode, ..)| *mode != one.mode)) {
        bail!("{:?} is no measurement of a cluster", unknown.mode);
    }
    for (mode, title, columns) in TABLES {
        let some: Vec<&Outcome> = outcomes.iter().filter(|one| one.mode == mode).collect();
        if some.is_empty() {
            continue;
        }
        writeln!(out, "{title}")?;
        let row = |out: &mut String, name: &str, cells: Vec<String>| -> Result<()> {
            write!(out, "  {name:<36}")?;
            cells.iter().try_for_each(|cell| write!(out, "{cell:>23}"))?;
            Ok(writeln!(out)?)
        };
        row(&mut out, "", columns.iter().map(|(_, heading, _)| (*heading).to_owned()).collect())?;
        for label in in_order(some.iter().map(|one| one.label.as_str())) {
            let cell =
                |name: &str| Spread::of(some.iter().filter(|one| one.label == label).filter_map(|one| one.figures.get(name).copied()));
            row(&mut out, label, columns.iter().map(|(name, ..)| cell(name).map_or_else(String::new, |cell| cell.show())).collect())?;
        }
        for (ours, theirs) in pairs {
            // Each round's own ratio, since the machine may change between rounds but hardly within one.
            let cell = |name: &str| {
                // A server alone knows no Redis.
                let says_something = |one: &&&Outcome| one.nodes > 1 || !name.starts_with("redis");
                let one_of = |label: &str, round| {
                    let mut found = some.iter().filter(says_something);
                    found.find(|one| one.label == label && one.round == round)?.figures.get(name).copied()
                };
                Spread::of(some.iter().filter(|one| one.label == *ours).filter_map(|one| {
                    let (mine, its) = (one_of(ours, one.round)?, one_of(theirs, one.round)?);
                    (its > 0.0).then_some(mine / its)
                }))
            };
            let cells: Vec<Option<Spread>> = columns.iter().map(|(name, _, ratio)| cell(name).filter(|_| *ratio)).collect();
            if cells.iter().any(Option::is_some) {
                let cells = cells.into_iter().map(|cell| cell.map_or_else(String::new, |cell| format!("× {}", cell.show())));
                row(&mut out, &format!("{ours} ÷ {theirs}"), cells.collect())?;
            }
        }
        writeln!(out)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let outcome = |label: &str, round, cpu| Outcome {
            mode: "churn".into(),
            label: label.into(),
            round,
            nodes: 1,
            figures: [("server_us".to_owned(), cpu)].into(),
        };
        let all = [outcome("ours", 1, 5.0), outcome("theirs", 1, 10.0), outcome("ours", 2, 8.0), outcome("theirs", 2, 32.0)];
        let text = tables(&all, &[("ours".into(), "theirs".into())]).expect("writes to a string");
        assert!(text.contains("ours ÷ theirs") && text.contains("× 0.38 (0.25–0.50)"), "{text}");
        let other = Outcome { mode: "echo".into(), ..outcome("ours", 1, 1.0) };
        assert!(tables(&[other], &[]).is_err());
    }
}
