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
xcaddy=$top/build/xcaddy
(cd caddy-module && go build -o "$xcaddy" github.com/caddyserver/xcaddy/cmd/xcaddy)
say "building with xcaddy (about 2.5 minutes the first time on 2 cores)"
XCADDY_SETCAP=0 XCADDY_GO_BUILD_FLAGS="-tags=$FWS_GO_TAGS" "$xcaddy" build v2.11.4 --output "$binary" \
  --with github.com/dunglas/frankenphp/caddy@v1.12.6 \
  --with github.com/frankenphp-ws/frankenphp-ws/go-bridge@v0.0.0=./go-bridge \
  --with github.com/frankenphp-ws/frankenphp-ws/caddy-module@v0.0.0=./caddy-module
