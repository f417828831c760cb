#!/usr/bin/env bash
# Builds build/lib/libfws.a, which exports fws_* and nothing else, and build/lib/pkgconfig/fws.pc.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"

command -v cargo >/dev/null || die "cargo is missing: install Rust 1.88 or newer (rustup.rs, or your distribution's rustc and cargo)"
case $(uname -s) in Linux | Darwin) ;; *) die "$(uname -s) is not supported: Linux (glibc) is tested, macOS should build" ;; esac
! ldd --version 2>&1 | grep -qi musl || die "musl is not supported: FrankenPHP and this module are built and tested with glibc"

cargo build --release -p fws-ffi
mkdir -p build/lib/pkgconfig
made=target/release/libfws.a

if [ "$(uname -s)" = Linux ]; then
  # One object that holds all the ABI needs, with every other symbol made local: no clash with another Rust library, zlib or allocator
  # in the same program.
  exports=$(nm -g --defined-only "$made" 2>/dev/null | awk '$3 ~ /^fws_/ { print $3 }' | sort -u)
  undefined=()
  for symbol in $exports; do undefined+=(-u "$symbol"); done
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
  ld -r "${undefined[@]}" "$made" -o "$work/fws.o"
  # Embedded bitcode, cut together from several modules, makes ar fail where LLVM's plugin is installed.
  objcopy --wildcard --keep-global-symbol='fws_*' --remove-section=.llvmbc --remove-section=.llvmcmd "$work/fws.o"
  rm -f "$work/libfws.a"
  ar rcsD "$work/libfws.a" "$work/fws.o"
  mv "$work/libfws.a" build/lib/libfws.a
else
  cp "$made" build/lib/libfws.a
fi

# Go's build cache looks neither at the archive nor at pkg-config's flags, but at this header: it makes Go relink (see go-bridge/cgo.go).
hash=$(cat build/lib/libfws.a include/fws.h | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-16)
echo "#define FWS_BUILD \"$hash\"" >go-bridge/fws_build.h
system_libs=$([ "$(uname -s)" = Linux ] && echo "-lpthread -ldl -lm -lgcc_s" || echo "-lpthread")
cat >build/lib/pkgconfig/fws.pc <<PC
prefix=$top
libdir=\${pcfiledir}/..
includedir=\${prefix}/include

Name: fws
Description: The WebSocket core of frankenphp-ws
URL: https://github.com/frankenphp-ws/frankenphp-ws
Version: $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
Cflags: -I\${includedir}
Libs: -L\${libdir} -lfws $system_libs
PC
