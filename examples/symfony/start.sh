#!/usr/bin/env bash
# Serves the example. tools/run.sh calls it.
#
# usage: start.sh FRANKENPHP [CADDYFILE]
set -eu
cd "$(dirname "$0")"
exec "$1" run --config "${2:-Caddyfile}" --adapter caddyfile
