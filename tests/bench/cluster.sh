#!/usr/bin/env bash
# Measures frankenphp-ws beside Centrifugo, alone and as a cluster on one Redis, in alternating rounds, and prints the tables.
# README.md beside this file says what the figures mean. No figure is asserted: machines are noisy. That every message
# reaches every subscriber once is.
#
# usage: tests/bench/cluster.sh [smoke]   smoke: small and short, to see that all of it works
#   BENCH_ROUNDS=3            alternating rounds of each workload
#   BENCH_SUBSCRIBERS=3000    on each server
#   BENCH_NODES=3             servers of a cluster
#   BENCH_SECONDS=4           measured interval of broadcast and publish; BENCH_WARMUP=0.5 before it
#   BENCH_INTERVAL=0.2        seconds between two broadcasts
#   BENCH_PUBLISHERS=12       HTTP connections of publish; BENCH_FEW=10 subscribers on each server
#   BENCH_JOINS=10000         joins and leaves; BENCH_WINDOW=500 at a time
#   BENCH_MISSED=10           messages that all miss who come back
#   BENCH_SIZE=128            bytes of a message
#   BENCH_MEMORY_ROUNDS=1     rounds of the memory of connections, each with fresh servers
#   BENCH_WORKLOADS="fanout publish churn resume memory"
#   BENCH_SERVERS="alone cluster peers peer"    one of ours, several of ours, several Centrifugos, one Centrifugo
#   FRANKENPHP=build/frankenphp                 the binary
set -eu
. "$(dirname "$0")/../../tools/lib.sh"
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" = smoke ]; then
  : "${BENCH_ROUNDS:=1}" "${BENCH_SUBSCRIBERS:=20}" "${BENCH_SECONDS:=1}" "${BENCH_FEW:=2}" "${BENCH_JOINS:=60}" "${BENCH_WINDOW:=20}"
fi
rounds=${BENCH_ROUNDS:-3} memory_rounds=${BENCH_MEMORY_ROUNDS:-1} nodes=${BENCH_NODES:-3} subscribers=${BENCH_SUBSCRIBERS:-3000}
read -ra workloads <<<"${BENCH_WORKLOADS:-fanout publish churn resume memory}"
read -ra servers <<<"${BENCH_SERVERS:-alone cluster peers peer}"
results=$out/results-cluster.jsonl
declare -A label=([alone]="1 frankenphp-ws" [cluster]="$nodes frankenphp-ws" [peers]="$nodes Centrifugo" [peer]="1 Centrifugo")
declare -A dialect=([alone]=fws [cluster]=fws [peers]=centrifugo [peer]=centrifugo)
for server in "${servers[@]}"; do
  [ -n "${label[$server]:-}" ] || die "BENCH_SERVERS names $server; known are ${!label[*]}"
done
[ -x "$frankenphp" ] || die "$frankenphp is not there: make build"

: >"$results"
need redis-server redis-server
say "building the load generator and Centrifugo"
build_load
if ! (cd "$bench/peers/centrifugo" && CGO_ENABLED=0 GOFLAGS="" go build -o "$out/centrifugo" github.com/centrifugal/centrifugo/v6); then
  [ "${1:-}" = smoke ] || die "Centrifugo cannot be built"
  say "Centrifugo cannot be built and is left out"
  mapfile -t servers < <(printf '%s\n' "${servers[@]}" | grep -v '^peer')
fi

# Of each of the servers: process ids and the options that say where it is; and Redis.
declare -A pids=() where=() collect=()
redis_pid="" redis_url=""

# start_redis: an empty one, of this run only.
start_redis() {
  local port
  port=$("$load" ports 1)
  redis_url=redis://127.0.0.1:$port
  : >"$out/redis.log"
  spawn redis redis-server --bind 127.0.0.1 --port "$port" --save "" --appendonly no --dir "$out"
  redis_pid=$spawned
  for _ in $(seq 100); do
    if redis-cli -p "$port" ping >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  die "Redis did not start; its log is $out/redis.log"
}

# start_node SERVER NAME: one server, and waits until it answers. A cluster has a prefix of its own in Redis.
start_node() {
  local server=$1 name=$2 ports path redis=()
  mapfile -t ports < <("$load" ports 2)
  : >"$out/$name.log"
  if [ "${dialect[$server]}" = fws ]; then
    [ "$server" = alone ] || redis=("BENCH_CLUSTER=websocket {
	cluster $redis_url {
		label $name
	}
}")
    caddy "$name" "${ports[0]}" "${ports[1]}" "$bench/cluster" "${redis[@]}"
    path="/ws?channel=news:ready"
  else
    [ "$server" = peer ] || redis=(CENTRIFUGO_ENGINE_TYPE=redis "CENTRIFUGO_ENGINE_REDIS_ADDRESS=$redis_url")
    spawn "$name" env "${redis[@]}" "$out/centrifugo" -c "$bench/peers/centrifugo/config.json" \
      --http_server.port "${ports[0]}" --http_server.internal_port "${ports[1]}"
    path=/connection/websocket
  fi
  pids[$server]+=${pids[$server]:+,}$spawned
  where[$server]+=" --node 127.0.0.1:${ports[0]}"
  collect[$server]+=" --collect http://127.0.0.1:${ports[1]}/debug/pprof/heap?gc=1"
  "$load" ready --url "ws://127.0.0.1:${ports[0]}$path" --pid "$spawned" --timeout 60 ||
    { tail -n 20 "$out/$name.log" >&2; die "$name did not start; its whole log is $out/$name.log"; }
}

# start SERVER: all its nodes.
start() {
  local server=$1 node count=$nodes
  case $server in alone | peer) count=1 ;; esac
  pids[$server]="" where[$server]="" collect[$server]=""
  for ((node = 1; node <= count; node++)); do start_node "$server" "$server-$node"; done
}
trap stop_all EXIT
trap 'exit 130' INT TERM

failed=0
# measure SERVER ROUND MODE: one run, its result appended.
measure() {
  local server=$1 round=$2 mode=$3 options=()
  case $mode in
    publish) options=(--subscribers "${BENCH_FEW:-10}" --publishers "${BENCH_PUBLISHERS:-12}") ;;
    *) options=(--subscribers "$subscribers") ;;
  esac
  case $mode in
    fanout | publish) options+=(--interval "${BENCH_INTERVAL:-0.2}" --seconds "${BENCH_SECONDS:-4}" --warmup "${BENCH_WARMUP:-0.5}") ;;
    churn) options+=(--joins "${BENCH_JOINS:-10000}" --window "${BENCH_WINDOW:-500}") ;;
    resume) options+=(--missed "${BENCH_MISSED:-10}") ;;
    memory) read -ra options <<<"${options[*]}${collect[$server]}" ;;
  esac
  # shellcheck disable=SC2086 # options, to be split
  timeout --foreground -k 5 240 "$load" "$mode" --dialect "${dialect[$server]}" ${where[$server]} --pid "${pids[$server]}" \
    --redis "$redis_pid" --label "${label[$server]}" --round "$round" --size "${BENCH_SIZE:-128}" "${options[@]}" >>"$results" || {
    say "$mode, ${label[$server]}: this run failed and is left out; its logs are $out/$server-*.log"
    failed=1
  }
}

start_redis
for server in "${servers[@]}"; do start "$server"; done
# The servers of a cluster have met.
sleep 1
for workload in "${workloads[@]}"; do
  [ "$workload" != memory ] || continue
  for ((round = 1; round <= rounds; round++)); do
    say "$workload, round $round of $rounds"
    for server in "${servers[@]}"; do measure "$server" "$round" "$workload"; done
  done
done
stop_all

case " ${workloads[*]} " in *" memory "*)
  for ((round = 1; round <= memory_rounds; round++)); do
    say "memory, round $round of $memory_rounds"
    for server in "${servers[@]}"; do
      start_redis
      start "$server"
      measure "$server" "$round" memory
      stop_all
    done
  done ;;
esac

printf '\n%s, %s processors, %s; %s subscribers on each server\n\n' "$(uname -sr)" "$(nproc)" "$(date -u +%F)" "$subscribers"
"$load" cluster-report "$results" --pair "${label[cluster]}=${label[peers]}" --pair "${label[alone]}=${label[peer]}" \
  --pair "${label[cluster]}=${label[alone]}"
echo "All results: $results"
exit $failed
