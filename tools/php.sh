#!/usr/bin/env bash
# Prints the path of a php-config that FrankenPHP can link: PHP 8.2 or newer, thread-safe (ZTS), with the embed SAPI.
#
# 1. $PHP_CONFIG, when set: used, or refused with the reason.
# 2. The first that fits of php-config, php-config-zts, php-config8.4 … on PATH and in /usr/local.
# 3. One that was built into the cache before, the newest.
# 4. One built now, once, into the cache (about 8 minutes on 2 cores): from the newest source package of Debian or Ubuntu that can be
#    downloaded, of any suite; or else from a release of php.net that tools/php-releases.txt pins.
#
# When nothing of that works, it says what was tried and why each failed.
#
# usage: tools/php.sh [--version|--lib-dir|--binary]
#   --version  prints which PHP it is, for people
#   --lib-dir  prints the folder of libphp
#   --binary   prints the path of its command line PHP
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/tools/apt.sh"
. "$top/tools/php-find.sh"
. "$top/tools/php-source.sh"
. "$top/tools/php-build.sh"

# the_php: prints the php-config, as the head of this file says.
the_php() {
  local why found mark
  set -e # a command substitution does not inherit it
  if [ -n "${PHP_CONFIG:-}" ]; then
    why=$(unfit "$PHP_CONFIG")
    [ -z "$why" ] || die "PHP_CONFIG=$PHP_CONFIG cannot be used: $why"
    command -v "$PHP_CONFIG"
    return
  fi
  mark=$(fingerprint)
  if found=$(find_php "$mark"); then echo "$found"; return; fi
  locked php
  # Another may have built it meanwhile.
  : >"$tried"
  if found=$(find_php "$mark"); then echo "$found"; return; fi
  if [ -s "$tried" ]; then say "no PHP of this machine can be linked:"; cat "$tried" >&2; fi
  build_php
}

tried=$(mktemp "$cache/tried.XXXXXX")
trap 'rm -f "$tried"' EXIT
config=$(the_php)
case ${1:-} in
  '') echo "$config" ;;
  --version) echo "PHP $("$config" --version) ($config)" ;;
  --lib-dir) php_lib_dir "$config" ;;
  --binary)
    binary=$("$config" --prefix)/bin/php
    [ -x "$binary" ] || binary=$("$config" --php-binary)
    [ -x "$binary" ] || die "the PHP of $config has no command line program: build it with --enable-cli"
    echo "$binary" ;;
  *) die "usage: tools/php.sh [--version|--lib-dir|--binary]" ;;
esac
