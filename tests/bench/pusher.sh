#!/usr/bin/env bash
# Measures the Pusher protocol of frankenphp-ws beside a server on Node's ws and beside Centrifugo, in alternating rounds, and prints the tables.
# README.md beside this file says what the figures mean. No figure is asserted: machines are noisy. That every message
# reaches every subscriber once is.
#
# usage: tests/bench/pusher.sh [smoke]   smoke: small and short, to see that all of it works
#   BENCH_ROUNDS=3            alternating rounds of each workload
#   BENCH_SUBSCRIBERS=5000    of one channel
#   BENCH_SECONDS=4           measured interval of fanout and publish; BENCH_WARMUP=0.5 before it
#   BENCH_INTERVAL=0.1        seconds between two events
#   BENCH_PUBLISHERS=8        HTTP connections of publish; BENCH_FEW=10 subscribers
#   BENCH_COUNT=20000         events that are published from within
#   BENCH_JOINS=10000         clients that connect, subscribe and leave; BENCH_WINDOW=500 at a time
#   BENCH_SIZE=128            bytes of an event's data
#   BENCH_WORKLOADS="fanout publish burst churn memory"
#   BENCH_SERVERS="ours raw node centrifugo"    raw: our fan-out on a route without a protocol
#   FRANKENPHP=build/frankenphp                 the binary
set -eu
. "$(dirname "$0")/../../tools/lib.sh"
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" = smoke ]; then
  : "${BENCH_ROUNDS:=1}" "${BENCH_SUBSCRIBERS:=20}" "${BENCH_SECONDS:=1}" "${BENCH_FEW:=2}" "${BENCH_JOINS:=60}" "${BENCH_WINDOW:=20}" "${BENCH_COUNT:=50}"
fi
rounds=${BENCH_ROUNDS:-3} subscribers=${BENCH_SUBSCRIBERS:-5000}
read -ra workloads <<<"${BENCH_WORKLOADS:-fanout publish burst churn memory}"
read -ra servers <<<"${BENCH_SERVERS:-ours raw node centrifugo}"
results=$out/results-pusher.jsonl
declare -A label=([ours]="frankenphp-ws" [raw]="its fan-out, raw" [node]="Node ws" [centrifugo]="Centrifugo")
declare -A dialect=([ours]=pusher [raw]=fws [node]=pusher [centrifugo]=centrifugo)
for server in "${servers[@]}"; do
  [ -n "${label[$server]:-}" ] || die "BENCH_SERVERS names $server; known are ${!label[*]}"
done
[ -x "$frankenphp" ] || die "$frankenphp is not there: make build"

: >"$results"
need node nodejs npm npm
say "building the load generator and the peers"
build_load
(cd "$bench/peers/node-ws" && npm ci --no-audit --no-fund --ignore-scripts >"$out/npm.log" 2>&1) || die "npm ci failed; its log is $out/npm.log"
if ! (cd "$bench/peers/centrifugo" && CGO_ENABLED=0 GOFLAGS="" go build -o "$out/centrifugo" github.com/centrifugal/centrifugo/v6); then
  [ "${1:-}" = smoke ] || die "Centrifugo cannot be built"
  say "Centrifugo cannot be built and is left out"
  mapfile -t servers < <(printf '%s\n' "${servers[@]}" | grep -v '^centrifugo')
fi

declare -A pid=() where=() collect=()
# start SERVER: starts it, and waits until it answers.
start() {
  local server=$1 ports path gc
  mapfile -t ports < <("$load" ports 2)
  : >"$out/pusher-$server.log"
  gc="http://127.0.0.1:${ports[1]}/debug/pprof/heap?gc=1"
  case $server in
    ours) caddy "pusher-$server" "${ports[0]}" "${ports[1]}" "$bench/pusher" && path="/app/bench-key?protocol=7" ;;
    raw) caddy "pusher-$server" "${ports[0]}" "${ports[1]}" "$bench/pusher" && path="/ws?channel=ready" ;;
    node)
      spawn "pusher-$server" node --expose-gc "$bench/peers/node-ws/server.js" "${ports[0]}"
      path="/app/bench-key?protocol=7" gc="http://127.0.0.1:${ports[0]}/gc"
      ;;
    centrifugo)
      spawn "pusher-$server" "$out/centrifugo" -c "$bench/peers/centrifugo/config.json" --http_server.port "${ports[0]}" --http_server.internal_port "${ports[1]}"
      path=/connection/websocket
      ;;
  esac
  pid[$server]=$spawned where[$server]=127.0.0.1:${ports[0]} collect[$server]=$gc
  "$load" ready --url "ws://127.0.0.1:${ports[0]}$path" --pid "$spawned" --timeout 60 ||
    { tail -n 20 "$out/pusher-$server.log" >&2; die "$server did not start; its whole log is $out/pusher-$server.log"; }
}

failed=0
# measure SERVER ROUND MODE: one run, its result appended.
measure() {
  local server=$1 round=$2 mode=$3 options=()
  case $mode in
    publish) options=(--subscribers "${BENCH_FEW:-10}" --publishers "${BENCH_PUBLISHERS:-8}") ;;
    burst) options=(--subscribers "${BENCH_FEW:-10}" --count "${BENCH_COUNT:-20000}") ;;
    *) options=(--subscribers "$subscribers") ;;
  esac
  case $mode in
    fanout | publish) options+=(--interval "${BENCH_INTERVAL:-0.1}" --seconds "${BENCH_SECONDS:-4}" --warmup "${BENCH_WARMUP:-0.5}") ;;
    churn) options+=(--joins "${BENCH_JOINS:-10000}" --window "${BENCH_WINDOW:-500}") ;;
    memory) options+=(--collect "${collect[$server]}") ;;
  esac
  timeout --foreground -k 5 240 "$load" "$mode" --dialect "${dialect[$server]}" --node "${where[$server]}" --pid "${pid[$server]}" \
    --label "${label[$server]}" --round "$round" --size "${BENCH_SIZE:-128}" "${options[@]}" >>"$results" || {
    say "$mode, ${label[$server]}: this run failed and is left out; its log is $out/pusher-$server.log"
    failed=1
  }
}

# has SERVER MODE: whether the server has what is measured. Only a program in the same process can publish from within, and the raw route is for the fan-out.
has() {
  case $2 in
    burst) [ "$1" = ours ] ;;
    publish | churn) [ "$1" != raw ] ;;
  esac
}

for server in "${servers[@]}"; do start "$server"; done
for workload in "${workloads[@]}"; do
  for ((round = 1; round <= rounds; round++)); do
    [ "$workload" != memory ] || [ "$round" = 1 ] || continue
    say "$workload, round $round of $rounds"
    for server in "${servers[@]}"; do
      has "$server" "$workload" || continue
      if [ "$workload" = memory ]; then stop_all && start "$server"; fi
      measure "$server" "$round" "$workload"
    done
  done
done
stop_all

printf '\n%s, %s processors, %s; %s subscribers\n\n' "$(uname -sr)" "$(nproc)" "$(date -u +%F)" "$subscribers"
"$load" cluster-report "$results" --pair "${label[ours]}=${label[raw]}" --pair "${label[ours]}=${label[node]}" --pair "${label[ours]}=${label[centrifugo]}"
echo "All results: $results"
exit $failed
