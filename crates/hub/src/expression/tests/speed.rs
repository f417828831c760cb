//! How long a search takes.

use std::time::{Duration, Instant};

use super::chance::Random;
use super::*;

/// `cargo test --release -p fws-hub expression -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: run it in release"]
fn a_hundred_thousand_clients_are_searched_in_less_than_a_millisecond() {
    const CLIENTS: u32 = 100_000;
    let mut random = Random(88172645463325252);
    let mut index = Index::default();
    for client in 0..CLIENTS {
        let mut tag = |tag: &str| {
            index.0.entry(tag.to_owned()).or_default().insert(client);
        };
        for (name, one_in) in [("premium", 3), ("vip", 10), ("grenoble", 4), ("lyon", 4), ("banned", 20)] {
            if random.below(one_in) == 0 {
                tag(name);
            }
        }
        for _ in 0..2 {
            tag(&format!("group_{}", random.below(495)));
        }
        for _ in 0..4 {
            tag(&format!("other_{}", random.below(500)));
        }
    }
    assert_eq!(index.0.len(), 1000);
    let live: RoaringBitmap = (0..=CLIENTS).collect();
    let measure = |what: &str, text: &str, index: &Index| {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                let expression = Expression::parse(text).expect("an expression");
                std::hint::black_box(expression.evaluate(&live, index));
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        let found = Expression::parse(text).expect("an expression").evaluate(&live, index).len();
        println!("{what}: {:?} median, {:?} at worst of 200, {found} found: {text}", times[100], times[199]);
        times[100]
    };
    let text = "(premium|vip)&(grenoble|lyon)&!banned&group_*";
    let time = measure("two groups each", text, &index);
    measure("without the groups", "(premium|vip)&(grenoble|lyon)&!banned", &index);
    measure("no positive name", "!banned&!vip", &index);
    measure("every tag", "*", &index);
    // A quarter of all in each group: half as many tags as clients may have.
    for group in 0..495 {
        let group = index.0.entry(format!("group_{group}")).or_default();
        (0..CLIENTS).filter(|_| random.below(4) == 0).for_each(|client| _ = group.insert(client));
    }
    let crowded = measure("a hundred groups each", text, &index);
    measure("a hundred groups each", "group_*4&!*7", &index);
    // One without a group: now a search for the groups has to look at all of them.
    for name in ["premium", "lyon"] {
        index.0.entry(name.to_owned()).or_default().insert(CLIENTS);
    }
    measure("one without", text, &index);
    if !cfg!(debug_assertions) {
        assert!(time < Duration::from_millis(1) && crowded < Duration::from_millis(1), "{time:?} {crowded:?}");
    }
}
