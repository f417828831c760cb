#!/usr/bin/env bash
# Starts an example with build/frankenphp in the foreground.
#
# usage: tools/run.sh chat|echo
set -eu
. "$(dirname "$0")/lib.sh"

example=$1
export PORT=${PORT:-8080}
say "the $example example runs on http://localhost:$PORT – stop it with Ctrl-C"
cd "$top/examples/$example"
exec "$top/build/frankenphp" run --config Caddyfile
