//! One seed is one run.

use fws_sim::{Plan, run};

/// The seeds that are run twice.
const SEEDS: u64 = 30;

#[test]
fn the_same_seed_gives_the_same_trace_twice() {
    for seed in 0..SEEDS {
        let [one, other] = [(); 2].map(|()| run(Plan::of(seed), true).trace);
        let differs = one.iter().zip(&other).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let around = &one[at.saturating_sub(10)..at];
            panic!("seed {seed}, behind {around:#?}: {:?} and {:?}", one[at], other[at]);
        }
        assert_eq!(one.len(), other.len(), "seed {seed}");
        assert!(one.len() > 20, "seed {seed}: something happens");
    }
}
