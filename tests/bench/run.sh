#!/usr/bin/env bash
# Measures the echo example against a Go server behind a reverse proxy, side by side, and prints the tables.
# README.md beside this file says what the figures mean. It asserts nothing: machines are noisy.
#
# usage: tests/bench/run.sh
#   BENCH_ROUNDS=3        alternating rounds of each workload
#   BENCH_SECONDS=5       measured interval of each run; BENCH_WARMUP=1 before it
#   BENCH_IDLE=9000       idle connections; 0 leaves that part out
#   BENCH_IDLE_ROUNDS=1   rounds of it, each with fresh servers
#   BENCH_WORKLOADS="100x1 100x16 1x1"      connections × messages in flight
#   BENCH_SIZE=20         bytes of a message
#   BENCH_SERVERS="core php proxy gws"      who is measured
#   BENCH_TLS=1           everything over TLS, beside the Go server alone; messages of 512 bytes, 3,000 idle connections
#   FRANKENPHP=build/frankenphp             the binary
set -eu
. "$(dirname "$0")/../../tools/lib.sh"
. "$(dirname "$0")/lib.sh"

if [ "${BENCH_TLS:-0}" = 1 ]; then
  scheme=wss peer="gws" echo_folder=peers/tls encrypt=-tls
  : "${BENCH_SIZE:=512}" "${BENCH_IDLE:=3000}" "${BENCH_SERVERS:=core php gws}"
else
  scheme=ws peer="gws behind proxy" echo_folder=../../examples/echo encrypt=
fi
rounds=${BENCH_ROUNDS:-3} seconds=${BENCH_SECONDS:-5} warmup=${BENCH_WARMUP:-1} size=${BENCH_SIZE:-20}
idle=${BENCH_IDLE:-9000} idle_rounds=${BENCH_IDLE_ROUNDS:-1}
read -ra workloads <<<"${BENCH_WORKLOADS:-100x1 100x16 1x1}"
read -ra servers <<<"${BENCH_SERVERS:-core php proxy gws}"
results=$out/results.jsonl
declare -A label=([core]="core echo" [php]="php echo" [proxy]="gws behind proxy" [gws]="gws")
if [ "$scheme" = wss ]; then
  for server in "${!label[@]}"; do label[$server]+=" over TLS"; done
  peer+=" over TLS"
fi
declare -A process=([core]=echo [php]=echo [proxy]=proxy [gws]=gws)
for server in "${servers[@]}"; do
  [ -n "${label[$server]:-}" ] || die "BENCH_SERVERS names $server; known are ${!label[*]}"
  case $server in gws) ;; *) [ -x "$frankenphp" ] || die "$frankenphp is not there: make build" ;; esac
done

: >"$results"
say "building the load generator and the peer"
build_load
(cd "$bench/peers/gws" && go build -o "$out/gws" .)

# Of the running servers, by process name (echo, proxy, gws): ids, the address, and where a garbage collection is asked for.
declare -A pids=() address=() collect=()

# start PROCESS: starts echo, proxy or gws on free ports and waits until it answers.
start() {
  local name=$1 ports
  mapfile -t ports < <("$load" ports 4)
  local heap="/debug/pprof/heap?gc=1"
  address[$name]=127.0.0.1:${ports[0]}
  collect[$name]="--collect http://127.0.0.1:${ports[1]}$heap"
  : >"$out/$name.log"
  case $name in
    echo)
      caddy echo "${ports[0]}" "${ports[1]}" "$bench/$echo_folder" "ECHO_DIR=$top/examples/echo"
      pids[$name]=$spawned ;;
    gws)
      # shellcheck disable=SC2086 # an option or none
      spawn gws "$out/gws" $encrypt -listen "127.0.0.1:${ports[0]}" -debug "127.0.0.1:${ports[1]}"
      pids[$name]=$spawned ;;
    proxy)
      spawn proxy "$out/gws" -listen "127.0.0.1:${ports[2]}" -debug "127.0.0.1:${ports[3]}"
      pids[$name]=$spawned
      caddy proxy "${ports[0]}" "${ports[1]}" "$bench/peers/gws" "PEER_PORT=${ports[2]}"
      pids[$name]+=,$spawned
      collect[$name]+=" --collect http://127.0.0.1:${ports[3]}$heap" ;;
  esac
  local path=/
  [ "$name" != echo ] || path=/core
  "$load" ready --url "$scheme://${address[$name]}$path" --pid "${pids[$name]}" --timeout 60 ||
    { tail -n 20 "$out/$name.log" >&2; die "$name did not start; its whole log is $out/$name.log"; }
}

failed=0
# measure SERVER ROUND SECONDS_AT_MOST MODE OPTION…: one run, its result appended.
measure() {
  local server=$1 round=$2 bound=$3 mode=$4; shift 4
  local name=${process[$server]} path=/
  [ "$name" != echo ] || path=/$server
  timeout --foreground -k 5 "$bound" "$load" "$mode" --url "$scheme://${address[$name]}$path" --pid "${pids[$name]}" \
    --label "${label[$server]}" --round "$round" "$@" >>"$results" || {
    say "${label[$server]}: this run failed and is left out; the end of $out/$name.log:"
    tail -n 5 "$out/$name.log" >&2
    failed=1
  }
}

for name in echo proxy gws; do
  for server in "${servers[@]}"; do
    if [ "${process[$server]}" = "$name" ]; then start "$name"; break; fi
  done
done
for workload in "${workloads[@]}"; do
  for ((round = 1; round <= rounds; round++)); do
    say "${workload/x/ connections × } in flight, round $round of $rounds"
    for server in "${servers[@]}"; do
      measure "$server" "$round" $((seconds + warmup + 70)) echo --size "$size" \
        --connections "${workload%x*}" --in-flight "${workload#*x}" --seconds "$seconds" --warmup "$warmup"
    done
  done
done
stop_all

if [ "$idle" -gt 0 ]; then
  for ((round = 1; round <= idle_rounds; round++)); do
    for server in "${servers[@]}"; do
      say "$idle idle connections, ${label[$server]}, round $round of $idle_rounds"
      start "${process[$server]}"
      # shellcheck disable=SC2086 # options, to be split
      measure "$server" "$round" 240 idle --connections "$idle" ${collect[${process[$server]}]}
      stop_all
    done
  done
fi

printf '\n%s, %s processors, %s\n\n' "$(uname -sr)" "$(nproc)" "$(date -u +%F)"
"$load" report "$results" --peer "$peer"
echo "All results: $results"
exit $failed
