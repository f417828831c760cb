#!/usr/bin/env bash
# Builds build/xcaddy-frankenphp with xcaddy, by the command that the README gives; `check` also looks whether it has the module.
#
# usage: tools/xcaddy.sh [check]
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
. tools/env.sh
unset GOFLAGS

binary=$top/build/xcaddy-frankenphp
if [ "${1:-}" = check ]; then
  "$binary" list-modules | grep -qx http.handlers.websocket || die "the binary that xcaddy built has no http.handlers.websocket"
  "$binary" list-modules | grep -qx frankenphp || die "the binary that xcaddy built has no frankenphp"
  (cd examples/chat && "$binary" validate --config Caddyfile >/dev/null 2>&1) || die "the binary that xcaddy built refuses examples/chat/Caddyfile"
  say "xcaddy's binary has the module and accepts the chat's Caddyfile"
  exit
fi
(cd caddy-module && go build -o "$top/build/xcaddy" github.com/caddyserver/xcaddy/cmd/xcaddy)
say "building with xcaddy (about 2.5 minutes the first time on 2 cores)"
# The README's own words, with the tags of this machine and a place for the binary.
command=$(sed -n '/^XCADDY_GO_BUILD_FLAGS=/,/^```$/p' README.md | sed '$d')
[ -n "$command" ] || die "README.md has no xcaddy command"
command=${command/nobadger,nomysql,nopgx,nobrotli,nomercure/$FWS_GO_TAGS}
PATH=$top/build:$PATH XCADDY_SETCAP=0 bash -euc "$command --output '$binary'"
