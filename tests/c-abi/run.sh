#!/usr/bin/env bash
# Compiles the program abi, all C files but echo.c, and echo.c against include/fws.h and the library, under AddressSanitizer, and runs both;
# looks at what the library exports and docs/c-abi.md names; and compiles abi against an installed copy.
set -eu
. "$(dirname "$0")/../../tools/lib.sh"
cd "$top"
out=$top/build/c-abi
rm -rf "$out"; mkdir -p "$out"
need cc gcc pkg-config pkg-config

flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined"
abi=$(find tests/c-abi -name '*.c' ! -name echo.c)
# shellcheck disable=SC2086,SC2046
PKG_CONFIG_PATH=build/lib/pkgconfig cc $flags $abi -o "$out/abi" $(PKG_CONFIG_PATH=build/lib/pkgconfig pkg-config --cflags --libs fws)
"$out/abi"
# shellcheck disable=SC2086,SC2046
PKG_CONFIG_PATH=build/lib/pkgconfig cc $flags tests/c-abi/echo.c -o "$out/echo" $(PKG_CONFIG_PATH=build/lib/pkgconfig pkg-config --cflags --libs fws)
tests/c-abi/echo.sh "$out/echo"
echo "the server in C answers"

foreign=$(nm -g --defined-only build/lib/libfws.a | awk 'NF == 3 && $3 !~ /^fws_/ { print $3 }')
[ -z "$foreign" ] || die "libfws.a exports what is not fws_*: $foreign"
for name in $(grep -oE '\bfws_[a-z_]+\(' include/fws.h | tr -d '('); do
  nm -g --defined-only build/lib/libfws.a | grep -q " T $name\$" || die "include/fws.h declares $name, which libfws.a does not have"
done
while read -r name; do
  grep -qE "\b$name\b" include/fws.h || die "docs/c-abi.md names $name, which include/fws.h does not have"
done < <(grep -oE '\bfws_[a-z_]+\b' docs/c-abi.md | sort -u)

make -s install PREFIX="$out/prefix"
export PKG_CONFIG_PATH=$out/prefix/lib/pkgconfig
# shellcheck disable=SC2086,SC2046
cc $flags $abi -o "$out/installed" $(pkg-config --cflags --libs fws)
"$out/installed" >/dev/null
echo "libfws.a exports fws_* only, and works from where make install put it"
