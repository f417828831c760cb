#!/usr/bin/env bash
# Starts an example with build/frankenphp in the foreground.
#
# usage: tools/run.sh EXAMPLE        a folder of examples/
set -eu
. "$(dirname "$0")/lib.sh"

example=$1
[ -f "$top/examples/$example/Caddyfile" ] || die "there is no example $example; there are: $(cd "$top/examples" && echo *)"
export PORT=${PORT:-8080}
say "the $example example runs on http://localhost:$PORT – stop it with Ctrl-C"
cd "$top/examples/$example"
exec "$top/build/frankenphp" run --config Caddyfile
