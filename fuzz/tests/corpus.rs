//! Each target on its committed corpus, and on variations of it: so many that it takes a few seconds, or as many as fit into FUZZ_SECONDS.
//!
//! The variations are the same in each run, on each machine. What fails is left in build/fuzz/failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fws_fuzz::TARGETS;

/// How many variations without FUZZ_SECONDS.
const VARIATIONS: u32 = 20_000;
/// Longer inputs cost more than they find.
const LONGEST: usize = 4096;

fn check(name: &str, input: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
        let folder = root().join("../build/fuzz/failures");
        let path =
            folder.join(format!("{name}-{:x}", input.iter().fold(7u64, |hash, &b| hash.wrapping_mul(31).wrapping_add(u64::from(b)))));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(&path, input).expect("written");
        panic!("{name} breaks on {} ({} bytes); once it is mended, add it to fuzz/corpus/{name}", path.display(), input.len());
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("corpus").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// xorshift, seeded by the target's name.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn vary(input: &mut Vec<u8>, corpus: &[Vec<u8>], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(input.len() + 1);
        match numbers.below(6) {
            0 if at < input.len() => input[at] ^= 1 << numbers.below(8),
            1 if at < input.len() => input[at] = [0, 1, 125, 126, 127, 128, 255, b'*', b'&', b'('][numbers.below(10)],
            2 => input.truncate(at),
            3 => input.insert(at, numbers.below(256) as u8),
            4 if at < input.len() => drop(input.remove(at)),
            _ => {
                let other = &corpus[numbers.below(corpus.len())];
                let from = numbers.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input.truncate(LONGEST);
}

fn replay(name: &str) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().map(|seconds| seconds.parse().expect("FUZZ_SECONDS is a number"));
    let corpus = corpus(name);
    assert!(corpus.len() >= 10, "fuzz/corpus/{name} has {} inputs", corpus.len());
    for input in &corpus {
        check(name, input);
    }
    let mut numbers = Numbers(name.bytes().fold(1, |seed, byte| seed * 31 + u64::from(byte)));
    let (until, mut count) = (seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds)), 0);
    while until.map_or(count < VARIATIONS, |until| Instant::now() < until) {
        let mut input = corpus[numbers.below(corpus.len())].clone();
        vary(&mut input, &corpus, &mut numbers);
        check(name, &input);
        count += 1;
    }
    println!("{name}: {} inputs and {count} variations", corpus.len());
}

macro_rules! targets {
    ($($name:ident: $test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_test_and_a_program() {
            assert_eq!([$(stringify!($name)),*], TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..]);
            for (name, _) in TARGETS {
                assert!(root().join("fuzz_targets").join(format!("{name}.rs")).is_file(), "{name} has no program");
            }
        }
    };
}

targets! {
    frame: any_bytes_are_a_header_or_a_violation_as_the_rfc_says,
    message: messages_are_the_same_however_they_arrive_and_as_tungstenite_has_them,
    handshake: what_is_accepted_tungstenite_accepts_too,
    inflate: compressed_messages_are_what_another_inflater_has,
    session: a_connection_keeps_its_promises_whatever_comes_and_when,
    expression: an_expression_selects_whom_a_naive_evaluator_selects,
    control: what_the_control_socket_carries_is_a_value_or_an_error_and_breaks_no_core,
    pusher: a_pusher_connection_understands_what_is_there_and_allows_what_it_may,
    pusher_api: no_call_is_accepted_unsigned_and_each_is_understood_that_is_signed,
}
