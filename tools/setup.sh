#!/usr/bin/env bash
# Sees to it that what is needed is there, and says what is missing and how to get it.
#
# usage: tools/setup.sh build|redis|e2e
set -eu
. "$(dirname "$0")/lib.sh"

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

go_ok() { command -v go >/dev/null && version_at_least "$(go env GOVERSION | sed 's/^go//')" 1.26; }
rust_ok() { command -v cargo >/dev/null && version_at_least "$(rustc --version | awk '{ print $2 }')" 1.88; }

case ${1:-} in
  build)
    go_ok || die "Go 1.26 or newer is needed: https://go.dev/dl/ (Debian's golang-go may be too old)"
    rust_ok || die "Rust 1.88 or newer is needed: https://rustup.rs (Debian's rustc may be too old)"
    need cc gcc make make pkg-config pkg-config
    [ "$(uname -s)" != Linux ] || need ld binutils objcopy binutils
    "$top/tools/php.sh" >/dev/null
    ;;
  redis)
    need redis-server redis-server redis-cli redis-tools
    ;;
  e2e)
    "$0" redis
    need composer composer node nodejs npm npm python3 python3
    "$top/tools/pusher-python.sh" >/dev/null
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need chromium chromium
    # Elsewhere than on Debian it may have another name, or come in another way. The tests say so where it is missing.
    command -v firefox-esr >/dev/null || command -v firefox >/dev/null || install_packages firefox-esr \
      || say "Firefox is not tested: there is none, and apt-get cannot install firefox-esr"
    ;;
  *) die "usage: tools/setup.sh build|redis|e2e" ;;
esac
