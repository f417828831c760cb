#!/usr/bin/env bash
# Serves the example, with a queue worker beside the server. tools/run.sh calls it.
#
# usage: start.sh FRANKENPHP [CADDYFILE]
set -eu
cd "$(dirname "$0")"
frankenphp=$1

"$frankenphp" run --config "${2:-Caddyfile}" --adapter caddyfile &
server=$!
# The server's own PHP reaches it by its control socket. A job that comes before the server is ready is tried again.
"$frankenphp" php-cli artisan queue:work --tries=10 --backoff=1 --sleep=0.2 &
# Not by a signal: PHP's pcntl, with which Laravel catches it, crashes in php-cli.
trap '"$frankenphp" php-cli artisan queue:restart; kill "$server" 2>/dev/null || true; wait' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
wait "$server"
