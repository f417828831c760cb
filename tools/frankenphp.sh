#!/usr/bin/env bash
# Builds build/frankenphp: Caddy, FrankenPHP and the websocket module.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
. tools/env.sh

say "building frankenphp (the first time compiles Caddy and FrankenPHP: about 3 minutes on 2 cores)"
cd caddy-module && go build -ldflags "-s -w" -o "$top/build/frankenphp" ./cmd/frankenphp
