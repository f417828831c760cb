#!/usr/bin/env bash
# Makes the generated files of the PHP extension from websocket.go and exceptions.stub.php: see doc.go for what comes from where.
#
# usage: phpext/generate.sh [--check]
#   --check  writes nothing; fails when the files in the folder are not those that would be made
#
# Environment: PHP_CONFIG (see tools/php.sh); PHP_PARSER, an unpacked nikic/PHP-Parser 5, which PHP's gen_stub.php needs: without it
# the source package of Debian or Ubuntu is fetched into the cache.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../tools/lib.sh"

case ${1:-} in
  '') check= ;;
  --check) check=1 ;;
  *) die "usage: phpext/generate.sh [--check]" ;;
esac

# parser: prints the folder of PHP-Parser 5.
parser() {
  if [ -n "${PHP_PARSER:-}" ]; then
    [ -f "$PHP_PARSER/lib/PhpParser/Modifiers.php" ] || die "PHP_PARSER=$PHP_PARSER is not an unpacked PHP-Parser 5"
    echo "$PHP_PARSER"; return
  fi
  local into=$cache/php-parser-5 source=$tmp/php-parser
  [ ! -d "$into" ] || { echo "$into"; return; }
  say "fetching the source of php-parser"
  mkdir -p "$source/tree"
  fetch_source php-parser "$source" "$tmp/apt.log" ||
    { tail -n 20 "$tmp/apt.log" >&2; die "no source package of PHP-Parser could be fetched; set PHP_PARSER to an unpacked PHP-Parser 5"; }
  tar -xf "$(ls "$source"/php-parser_5*.orig.tar.*z)" -C "$source/tree" --strip-components=1
  mv "$source/tree" "$into"
  echo "$into"
}

tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
php_config=$("$top/tools/php.sh")
prefix=$("$php_config" --prefix)

# gen_stub.php looks for PHP-Parser beside itself, in a folder with the version it was written for.
php_parser=$(parser)
cp "$prefix/lib/php/build/gen_stub.php" "$tmp/gen_stub.php"
version=$(sed -n 's/^ *\$version = "\(.*\)";$/\1/p' "$tmp/gen_stub.php" | head -n 1)
ln -s "$php_parser" "$tmp/PHP-Parser-$version"
stub() { "$prefix/bin/php" "$tmp/gen_stub.php" --force-regeneration "$1" >"$tmp/stub.log" 2>&1 || { cat "$tmp/stub.log" >&2; die "gen_stub.php failed on $1"; }; }

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
  (cd "$here/.." && CGO_CFLAGS=$("$php_config" --includes) \
    CGO_LDFLAGS="-L$prefix/lib -Wl,-rpath,$prefix/lib $("$php_config" --ldflags) $("$php_config" --libs)" \
    go build -tags nobadger,nomysql,nopgx,nowatcher,nobrotli -o "$frankenphp" "$tmp/cli/main.go") || die "FrankenPHP's generator does not build"
fi

# The generator writes beside the declarations and takes `php` from the PATH. What it cannot do is only a warning on its output.
mkdir "$tmp/generated" "$tmp/out"
cp "$here/websocket.go" "$tmp/generated/"
PATH=$prefix/bin:$PATH GEN_STUB_SCRIPT=$tmp/gen_stub.php "$frankenphp" extension-init "$tmp/generated/websocket.go" >"$tmp/generator.log" 2>&1 ||
  { cat "$tmp/generator.log" >&2; die "frankenphp extension-init failed"; }
! grep -i warning "$tmp/generator.log" >&2 || die "the generator does not accept a declaration of websocket.go"

(cd "$here/.." && go run ./phpext/internal/reconcile "$here/websocket.go" "$tmp/generated" "$tmp/out")
cp "$here/exceptions.stub.php" "$tmp/out/"
stub "$tmp/out/websocket.stub.php"
stub "$tmp/out/exceptions.stub.php"
rm "$tmp/out/exceptions.stub.php"

if [ -n "$check" ]; then
  fresh=1
  for file in "$tmp"/out/*; do
    diff -u "$here/$(basename "$file")" "$file" >&2 || fresh=
  done
  [ -n "$fresh" ] || die "the generated files of the PHP extension are stale: run caddy-module/phpext/generate.sh and commit what it changes"
else
  cp "$tmp"/out/* "$here/"
fi
