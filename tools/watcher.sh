#!/usr/bin/env bash
# Builds build/lib/libwatcher-c.a, which `watch` of a worker needs, where the system has no libwatcher-c. Its source, MIT, is part of the
# Go module github.com/e-dant/watcher, which FrankenPHP requires anyway. Without a C++ compiler FrankenPHP is built without `watch`.
# build/lib/watcher says which of these it was.
#
# usage: tools/watcher.sh
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
lib=$top/build/lib include=$top/build/include
mkdir -p "$lib" "$include/wtr"
rm -f "$lib/libwatcher-c.a" "$lib/libwatcher-c.flags"

if echo '#include <wtr/watcher-c.h>' | cc -E - >/dev/null 2>&1; then
  echo "of the system" >"$lib/watcher"
  exit
fi
if ! command -v c++ >/dev/null && ! install_packages g++; then
  say "without a C++ compiler FrankenPHP is built without \`watch\`: install g++, remove $lib/watcher and build again"
  echo "none" >"$lib/watcher"
  exit
fi

module=$(cd caddy-module && go mod download github.com/e-dant/watcher && go list -m -f '{{.Dir}}' github.com/e-dant/watcher)
say "building libwatcher-c (a few seconds)"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
c++ -std=c++17 -O2 -fPIC -I "$module/include" -I "$module/watcher-c/include" -c "$module/watcher-c/src/watcher-c.cpp" -o "$work/watcher-c.o"
ar rcs "$work/libwatcher-c.a" "$work/watcher-c.o"
install -m 644 "$module/watcher-c/include/wtr/watcher-c.h" "$include/wtr/watcher-c.h"
case $(uname -s) in
  Darwin) echo "-lc++ -framework CoreFoundation -framework CoreServices" ;;
  # It stands before -lwatcher-c, where a linker that drops unused libraries would drop it.
  *) echo "-Wl,--no-as-needed,-lstdc++" ;;
esac >"$lib/libwatcher-c.flags"
mv "$work/libwatcher-c.a" "$lib/libwatcher-c.a"
echo "built from $(basename "$module")" >"$lib/watcher"
