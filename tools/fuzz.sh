#!/usr/bin/env bash
# Fuzzes the core: each target for FUZZ_SECONDS (60), or only TARGET. What is found new is kept in build/fuzz/corpus, what fails in
# build/fuzz/failures.
#
# `replay` runs the committed corpus, and 20,000 simple variations of it, always the same, as an ordinary test.
#
# usage: tools/fuzz.sh [replay]
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
work=$top/build/fuzz
mkdir -p "$work"

if [ "${1:-}" = replay ]; then
  CARGO_TARGET_DIR=$work/target cargo test --locked --manifest-path fuzz/Cargo.toml
  exit
fi

# cargo-fuzz drives libFuzzer. Without a sanitizer it does with a stable compiler; there is no unsafe code in what is fuzzed.
version=0.13.2
need c++ g++
cargo_fuzz=$cache/cargo-fuzz-$version/bin/cargo-fuzz
[ -x "$cargo_fuzz" ] ||
  step "$cache/cargo-fuzz.log" "installing cargo-fuzz $version, once" cargo install --locked --root "$cache/cargo-fuzz-$version" cargo-fuzz@$version

run() { # TARGET
  local words=()
  [ ! -e "fuzz/words/$1" ] || words=(-dict="fuzz/words/$1")
  mkdir -p "$work/corpus/$1" "$work/failures/$1"
  say "fuzzing $1 for ${FUZZ_SECONDS:-60} s"
  "$cargo_fuzz" fuzz run --fuzz-dir fuzz --target-dir "$work/fuzz-target" --sanitizer none --features libfuzzer "$1" \
    "$work/corpus/$1" "fuzz/corpus/$1" -- -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$work/failures/$1/" -print_final_stats=1 -verbosity=0 "${words[@]}" ||
    die "$1 fails; mend it and add the input of $work/failures/$1 to fuzz/corpus/$1"
}
for program in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$program" .rs)
  if [ -z "${TARGET:-}" ] || [ "$TARGET" = "$target" ]; then run "$target"; fi
done
