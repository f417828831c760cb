# shellcheck shell=bash
# The environment in which Go builds and tests the module: sourced, `. tools/env.sh`.
# PHP comes from tools/php.sh, the core from build/lib, libwatcher-c from the system or from build/lib.

_top=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
PHP_CONFIG=$("$_top/tools/php.sh") || exit 1
export PHP_CONFIG
_php_lib=$("$_top/tools/php.sh" --lib-dir) || exit 1
export CGO_ENABLED=1
CGO_CFLAGS="-O2 -g $("$PHP_CONFIG" --includes)"
CGO_LDFLAGS="-L$_php_lib -Wl,-rpath,$_php_lib $("$PHP_CONFIG" --ldflags)"
# A shared libphp names the libraries that it needs. Only a static one has to be linked with them, and with their development packages.
if [ ! -f "$_php_lib/libphp.so" ] && [ ! -f "$_php_lib/libphp.dylib" ]; then
  CGO_LDFLAGS="$CGO_LDFLAGS $("$PHP_CONFIG" --libs)"
fi
# Sourced twice, or inherited from a shell that sourced it, this file must say the same.
case ":${PKG_CONFIG_PATH:-}:" in
  *":$_top/build/lib/pkgconfig:"*) ;;
  *) export PKG_CONFIG_PATH="$_top/build/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" ;;
esac
_flags=${GOFLAGS:-}
[ -z "${FWS_GO_TAGS:-}" ] || _flags=${_flags#"-tags=$FWS_GO_TAGS"}
_flags=${_flags# }
FWS_GO_TAGS=nobadger,nomysql,nopgx,nobrotli,nomercure
if echo '#include <wtr/watcher-c.h>' | cc -E - >/dev/null 2>&1; then :
elif [ -f "$_top/build/lib/libwatcher-c.a" ]; then
  CGO_CFLAGS="$CGO_CFLAGS -I$_top/build/include"
  CGO_LDFLAGS="$CGO_LDFLAGS -L$_top/build/lib $(cat "$_top/build/lib/libwatcher-c.flags")"
else
  FWS_GO_TAGS=$FWS_GO_TAGS,nowatcher
fi
export CGO_CFLAGS CGO_LDFLAGS FWS_GO_TAGS
export GOFLAGS="-tags=$FWS_GO_TAGS${_flags:+ $_flags}"
unset _top _php_lib _flags
