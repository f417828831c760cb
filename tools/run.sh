#!/usr/bin/env bash
# Starts an example, or a site of one's own, with build/frankenphp in the foreground.
#
# usage: tools/run.sh EXAMPLE        a folder of examples/
#        tools/run.sh EXAMPLE DIR    any other folder with a Caddyfile; EXAMPLE does not count then
set -eu
. "$(dirname "$0")/lib.sh"

if [ $# -gt 1 ]; then
  [ -d "$2" ] || die "there is no folder $2 (a path is relative to $top)"
  [ -f "$2/Caddyfile" ] || die "$2 has no Caddyfile; README.md shows one"
  cd "$2"
  say "serving $PWD/Caddyfile – stop it with Ctrl-C"
  exec "$top/build/frankenphp" run --config Caddyfile
fi

example=$1
[ -f "$top/examples/$example/Caddyfile" ] || die "there is no example $example; there are: $(cd "$top/examples" && echo *)"
if [ -x "$top/examples/$example/run.sh" ]; then exec "$top/examples/$example/run.sh"; fi
export PORT=${PORT:-8080}
say "the $example example runs on http://localhost:$PORT – stop it with Ctrl-C"
cd "$top/examples/$example"
if [ -x start.sh ]; then
  # An example of a framework needs the framework, the scripts of its page, and more than one process.
  FWS_FRAMEWORKS=$("$top/tools/frameworks.sh")
  FWS_JS=$("$top/tools/frameworks-js.sh")
  export FWS_FRAMEWORKS FWS_JS
  caddyfile=Caddyfile
  if [ "$(cat "$top/build/lib/watcher")" = none ]; then
    caddyfile=$top/build/Caddyfile.$example
    grep -vE '^[[:space:]]*watch$' Caddyfile >"$caddyfile"
  fi
  exec ./start.sh "$top/build/frankenphp" "$caddyfile"
fi
if [ "$(cat "$top/build/lib/watcher")" != none ]; then
  say "an edited .php file of examples/$example restarts its worker"
  exec "$top/build/frankenphp" run --config Caddyfile
fi
# A build without libwatcher-c refuses `watch`.
say "this build cannot watch files: restart an edited worker by curl -X POST http://localhost:2019/frankenphp/workers/restart"
grep -vE '^[[:space:]]*watch$' Caddyfile | "$top/build/frankenphp" run --config - --adapter caddyfile
