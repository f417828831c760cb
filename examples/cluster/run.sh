#!/usr/bin/env bash
# Starts a Redis server, three servers of the chat and a load balancer, and ends all of them together. `make run EXAMPLE=cluster` builds
# first what this script starts.
set -eu
. "$(dirname "$0")/../../tools/lib.sh"
cd "$top/examples/cluster"
export PORT=${PORT:-8080}
export PORT_ONE=$((PORT + 1)) PORT_TWO=$((PORT + 2)) PORT_THREE=$((PORT + 3))
frankenphp=$top/build/frankenphp

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# launch NAME command…: starts it, with its name before each line that it writes. $pid is its process.
launch() {
  local name=$1
  shift
  mkfifo "$folder/$name.log"
  # With job control each is a process group of its own, which Ctrl-C in a terminal does not reach: `stop` ends them in order.
  set -m
  { trap '' TERM; while IFS= read -r line; do printf '%-8s | %s\n' "$name" "$line"; done; } <"$folder/$name.log" &
  "$@" </dev/null >"$folder/$name.log" 2>&1 &
  set +m
  pid=$!
}

# launch_server NAME PORT
launch_server() {
  launch "$1" env CHAT_SERVER="$1" PORT="$2" REDIS_URL="unix://$folder/redis" CADDY_ADMIN="unix/$folder/$1.admin" \
    FRANKENPHP_WS_SOCKET="$folder/$1" "$frankenphp" run --config server.Caddyfile --adapter caddyfile
  servers+=("$pid")
  started "$1" "$2"
}

# started NAME PORT: waits until the process that was launched last accepts connections.
started() {
  until listens "$2"; do
    kill -0 "$pid" 2>/dev/null || die "$1 has not started: see above"
    sleep 0.1
  done
}

# The servers say goodbye to their visitors and to Redis, which ends last. What reads their lines ends with them.
stop() {
  trap '' INT TERM HUP
  local left
  if [ ${#servers[@]} -gt 0 ]; then
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" || true
  fi
  left=$(jobs -p)
  # shellcheck disable=SC2086
  [ -z "$left" ] || kill $left 2>/dev/null || true
  wait
  rm -rf "$folder"
}

redis_server=$(command -v redis-server || command -v valkey-server || true)
if [ -z "$redis_server" ]; then
  need redis-server redis-server
  redis_server=redis-server
fi
for port in "$PORT" "$PORT_ONE" "$PORT_TWO" "$PORT_THREE"; do
  ! listens "$port" || die "something listens on port $port already: choose four free ports from another one on, as PORT=9000"
done
# The path of a socket has at most 103 bytes.
folder=$(mktemp -d /tmp/cluster.XXXXXX)
servers=()
trap stop EXIT
trap 'exit 0' INT TERM HUP

launch redis "$redis_server" --port 0 --unixsocket "$folder/redis" --save '' --appendonly no --dir "$folder" --loglevel warning
until [ -S "$folder/redis" ]; do
  kill -0 "$pid" 2>/dev/null || die "$redis_server has not started: see above"
  sleep 0.1
done
launch_server one "$PORT_ONE"
launch_server two "$PORT_TWO"
launch_server three "$PORT_THREE"
launch balancer env CADDY_ADMIN="unix/$folder/balancer.admin" "$frankenphp" run --config Caddyfile --adapter caddyfile
servers+=("$pid")
started "the load balancer" "$PORT"
say "the chat runs on http://localhost:$PORT, on three servers – stop all of them with Ctrl-C"
say "one, two and three are the processes ${servers[*]:0:3}: kill -9 one of them, and its visitors are on another one"
say "all servers: build/frankenphp websocket nodes --socket $folder/one"
wait "$pid" || die "the load balancer has ended: see above"
