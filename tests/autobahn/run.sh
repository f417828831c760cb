#!/usr/bin/env bash
# Runs the Autobahn test suite against build/frankenphp and the standalone example; reports are left in build/autobahn.
#
# usage: tests/autobahn/run.sh all|sample [--targets plain,tls,standalone] [--update]
set -euo pipefail
. "$(dirname "$0")/../../tools/lib.sh"
cd "$top"
cases=$1; shift

if [ -n "${SKIP_AUTOBAHN:-}" ]; then
  say "the Autobahn test suite is left out: SKIP_AUTOBAHN is set"
  exit
fi
wstest=$(tools/autobahn.sh)
python3 -B tests/autobahn/check_test.py 2>&1 | tail -n 3

# Built as users get it: without optimisation, compression alone would take minutes.
cargo build --release -p fws-server --example standalone
python3 -B tests/autobahn/run.py --cases "$cases" --wstest "$wstest" --frankenphp build/frankenphp \
  --standalone target/release/examples/standalone --out build/autobahn "$@"
