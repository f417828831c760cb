#!/usr/bin/env bash
# Makes what comes from the declarations of PHP's functions, websocket.go and exceptions.stub.php: files of the extension, the stub for
# editors, and the tables of docs/php.md. See doc.go for what comes from where.
#
# usage: phpext/generate.sh [--check]
#   --check  writes nothing; fails when the files in the folder are not those that would be made
#
# It depends on this tree and on the pinned version of FrankenPHP only. PHP's own gen_stub.php is not used: see internal/arginfo.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

case ${1:-} in
  '') check= ;;
  --check) check=1 ;;
  *) die "usage: phpext/generate.sh [--check]" ;;
esac

tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT

frankenphp=$top/build/frankenphp
if [ ! -x "$frankenphp" ]; then
  say "building FrankenPHP's generator"
  mkdir "$tmp/cli"
  cat >"$tmp/cli/main.go" <<'GO'
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/dunglas/frankenphp/caddy"
)

func main() { caddycmd.Main() }
GO
  frankenphp=$tmp/cli/frankenphp
  # shellcheck source=tools/env.sh
  (. "$top/tools/env.sh" && cd "$here/.." && go build -o "$frankenphp" "$tmp/cli/main.go") || die "FrankenPHP's generator does not build"
fi

# The generator runs `php gen_stub.php FILE.stub.php`. This php makes an empty result, since internal/arginfo makes the real one.
mkdir "$tmp/bin"
cat >"$tmp/bin/php" <<'SH'
#!/bin/sh
: >"${2%.stub.php}_arginfo.h"
SH
chmod +x "$tmp/bin/php"

# It writes beside the declarations. What it cannot do is only a warning on its output.
mkdir "$tmp/generated" "$tmp/out"
cp "$here/websocket.go" "$tmp/generated/"
PATH=$tmp/bin:$PATH GEN_STUB_SCRIPT=$tmp/bin/php "$frankenphp" extension-init "$tmp/generated/websocket.go" >"$tmp/generator.log" 2>&1 ||
  { cat "$tmp/generator.log" >&2; die "frankenphp extension-init failed"; }
! grep -i warning "$tmp/generator.log" >&2 || die "the generator does not accept a declaration of websocket.go"

cd "$here/.."
go run ./phpext/internal/reconcile "$here/websocket.go" "$tmp/generated" "$tmp/out"
go run ./phpext/internal/arginfo "$tmp/out/websocket.stub.php" >"$tmp/out/websocket_arginfo.h"
go run ./phpext/internal/arginfo "$here/exceptions.stub.php" >"$tmp/out/exceptions_arginfo.h"
mkdir "$tmp/reference"
go run ./phpext/internal/reference "$tmp/out/websocket.stub.php" "$here/exceptions.stub.php" "$top/docs/php.md" "$tmp/reference"

# What was made, and where it belongs.
made() {
  local file
  for file in "$tmp"/out/*; do "$1" "$file" "$here/$(basename "$file")"; done
  "$1" "$tmp/reference/frankenphp_ws.php" "$top/php/stubs/frankenphp_ws.php"
  "$1" "$tmp/reference/php.md" "$top/docs/php.md"
}

if [ -n "$check" ]; then
  fresh=1
  compare() { diff -u "$2" "$1" >&2 || fresh=; }
  made compare
  [ -n "$fresh" ] || die "what is generated from the PHP functions is stale: run caddy-module/phpext/generate.sh and commit what it changes"
else
  made cp
fi
