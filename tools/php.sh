#!/usr/bin/env bash
# Prints the path of a php-config that FrankenPHP can link: PHP 8.2 or newer, thread-safe (ZTS), with the embed SAPI.
#
# 1. $PHP_CONFIG, when set: used, or refused with the reason.
# 2. php-config on PATH, when it fits.
# 3. One built from the Debian or Ubuntu source package of PHP, once, into the cache (about 6 minutes on 2 cores).
#
# usage: tools/php.sh
set -eu
. "$(dirname "$0")/lib.sh"

# fits PHP_CONFIG: empty when it can be used, else the reason why not.
fits() {
  local config=$1 id lib
  [ -x "$(command -v "$config")" ] || { echo "it is not an executable"; return; }
  id=$("$config" --vernum 2>/dev/null) || { echo "it does not answer --vernum"; return; }
  [ "$id" -ge 80200 ] || { echo "PHP $("$config" --version) is too old: 8.2 or newer is needed"; return; }
  grep -q '^#define ZTS 1' "$("$config" --include-dir)/main/php_config.h" 2>/dev/null ||
    { echo "that PHP is not thread-safe: it must be configured with --enable-zts"; return; }
  lib=$("$config" --prefix)/lib
  compgen -G "$lib/libphp.*" >/dev/null || compgen -G "$("$config" --lib-dir 2>/dev/null || echo "$lib")/libphp.*" >/dev/null ||
    { echo "no libphp in $lib: it must be configured with --enable-embed"; return; }
}

if [ -n "${PHP_CONFIG:-}" ]; then
  why=$(fits "$PHP_CONFIG")
  [ -z "$why" ] || die "PHP_CONFIG=$PHP_CONFIG cannot be used: $why"
  command -v "$PHP_CONFIG"
  exit
fi
if command -v php-config >/dev/null; then
  why=$(fits php-config)
  if [ -z "$why" ]; then command -v php-config; exit; fi
  say "the php-config on PATH is not used: $why"
fi

prefix=$cache/php-8.4
if [ -x "$prefix/bin/php-config" ]; then echo "$prefix/bin/php-config"; exit; fi

command -v apt-get >/dev/null ||
  die "a thread-safe PHP with the embed SAPI is needed: set PHP_CONFIG to the php-config of one (configure --enable-zts --enable-embed)"
exec 9>"$cache/php.lock"
if command -v flock >/dev/null; then flock 9; fi
if [ -x "$prefix/bin/php-config" ]; then echo "$prefix/bin/php-config"; exit; fi

need make make gcc gcc xz xz-utils pkg-config pkg-config patch patch
src=$cache/php-src log=$cache/php-build.log
rm -rf "$src"; mkdir -p "$src"; : >"$log"
say "fetching the source of PHP 8.4"
fetch_source php8.4 "$src" "$log" ||
  { tail -n 20 "$log" >&2
    die "no source package of PHP 8.4 could be fetched; set PHP_CONFIG to the php-config of a PHP built with --enable-zts --enable-embed"; }
mkdir "$src/tree"
tar -xf "$(ls "$src"/php8.4_*.orig.tar.*z)" -C "$src/tree" --strip-components=1

build() {
  cd "$src/tree"
  ./configure --prefix="$prefix" --with-config-file-path="$prefix/etc" --disable-all --disable-cgi --disable-phpdbg --without-pear \
    --enable-embed --enable-zts --disable-zend-signals --enable-zend-max-execution-timers --enable-opcache \
    --enable-session --enable-mbstring --disable-mbregex --enable-ctype --enable-filter --enable-tokenizer --enable-phar \
    --enable-pcntl --enable-posix --enable-sockets
  make -j"$(nproc)"
  make install INSTALL_ROOT="$src/stage"
}
step "$log" "building PHP $(sed -n 's/.*PHP_VERSION "\(.*\)"/\1/p' "$src/tree/main/php_version.h"), once: about 6 minutes on 2 cores" build

# Installed aside and moved into place only when whole.
stage=$src/stage$prefix
mkdir -p "$stage/etc"
printf '; Read by every FrankenPHP that is linked with this PHP.\nzend_extension=opcache\n' >"$stage/etc/php.ini"
rm -rf "$prefix"; mkdir -p "$(dirname "$prefix")"; mv "$stage" "$prefix"
rm -rf "$src"
[ -z "$(fits "$prefix/bin/php-config")" ] || die "the PHP just built cannot be used: $(fits "$prefix/bin/php-config")"
echo "$prefix/bin/php-config"
