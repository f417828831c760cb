# shellcheck shell=bash
# What the benchmarks share: folders, starting and ending servers. Sourced after tools/lib.sh, never run.
# Every script that sources it runs with `set -eu`.

frankenphp=$(realpath -m "${FRANKENPHP:-$top/build/frankenphp}")
bench=$top/tests/bench out=$top/build/bench
load=$out/target/release/fws-load
started=()

# Every descriptor that the system grants: a proxied connection takes two.
ulimit -n "$(ulimit -Hn)"
mkdir -p "$out/home"

# build_load: builds the load generator.
build_load() {
  CARGO_TARGET_DIR=$out/target cargo build --release --locked --quiet --manifest-path "$bench/load/Cargo.toml"
}

# spawn NAME COMMAND…: starts it in the background, its output in a log; $spawned is its id.
spawn() {
  local name=$1; shift
  "$@" >>"$out/$name.log" 2>&1 &
  spawned=$!
  started+=("$spawned")
}

# caddy NAME PORT ADMIN_PORT FOLDER [VARIABLE=VALUE…]: a frankenphp on the Caddyfile of the folder. Nothing of the user's is
# read or written, and the admin endpoint is a port of its own.
caddy() {
  local name=$1 port=$2 admin=$3 folder=$4; shift 4
  cd "$folder" || return
  spawn "$name" env "PORT=$port" "CADDY_ADMIN=127.0.0.1:$admin" "XDG_CONFIG_HOME=$out/home" "XDG_DATA_HOME=$out/home" "$@" \
    "$frankenphp" run --config Caddyfile
  cd "$top" || return
}

# stop_all: ends what was started, politely and then not, and waits for it.
stop_all() {
  local pid deadline=$((SECONDS + 15))
  [ ${#started[@]} -gt 0 ] || return 0
  kill "${started[@]}" 2>/dev/null || true
  for pid in "${started[@]}"; do
    while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null && say "process $pid did not end within 15 s of SIGTERM and was killed"
    wait "$pid" 2>/dev/null || true
  done
  started=()
}
trap stop_all EXIT
trap 'exit 130' INT TERM
