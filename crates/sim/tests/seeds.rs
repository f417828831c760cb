//! Thousands of runs, in which nothing may be wrong.
//!
//! `FWS_SIM_SEEDS` says how many; `FWS_SIM_SEED` replays one, and tells all that happens in it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fws_sim::{Plan, run};

/// How many runs there are if nothing is said.
const SEEDS: u64 = 500;
/// Runs at a time, each on one thread.
const THREADS: usize = 2;
/// So many that fail are enough.
const ENOUGH: usize = 5;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tells all that happens in a run. What is wrong with it.
fn replay(seed: u64) -> Vec<String> {
    let outcome = run(Plan::of(seed), true);
    outcome.trace.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}: {:?}", Plan::of(seed));
    outcome.wrong
}

/// Runs the seeds from one on; those in which something is wrong, a few at most.
fn run_all(first: u64, seeds: u64) -> Vec<(u64, Vec<String>)> {
    let (next, resumed, got, failed) = (AtomicU64::new(first), AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || failed.lock().expect("no panic").len() >= ENOUGH {
                        return;
                    }
                    let outcome = run(Plan::of(seed), false);
                    resumed.fetch_add(outcome.resumed as u64, Ordering::Relaxed);
                    got.fetch_add(outcome.got as u64, Ordering::Relaxed);
                    if !outcome.wrong.is_empty() {
                        failed.lock().expect("no panic").push((seed, outcome.wrong));
                    }
                }
            });
        }
    });
    println!("{seeds} seeds: {} messages, {} sessions taken up", got.into_inner(), resumed.into_inner());
    let mut failed = failed.into_inner().expect("no panic");
    failed.sort_unstable();
    failed
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_reordered_or_left_behind() {
    if let Some(seed) = number("FWS_SIM_SEED") {
        assert_eq!(replay(seed), Vec::<String>::new(), "seed {seed}");
        return;
    }
    let failed = run_all(number("FWS_SIM_FIRST").unwrap_or(0), number("FWS_SIM_SEEDS").unwrap_or(SEEDS));
    let Some((first, _)) = failed.first() else { return };
    replay(*first);
    panic!("replay one with FWS_SIM_SEED={first}: {failed:#?}");
}
