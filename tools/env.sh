# The environment in which Go builds and tests the module: sourced, `. tools/env.sh`.
# PHP comes from tools/php.sh, the core from build/lib.

_top=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
PHP_CONFIG=$("$_top/tools/php.sh") || exit 1
export PHP_CONFIG
_php_lib=$("$PHP_CONFIG" --prefix)/lib
export CGO_ENABLED=1
export CGO_CFLAGS="-O2 -g $("$PHP_CONFIG" --includes)"
export CGO_LDFLAGS="-L$_php_lib -Wl,-rpath,$_php_lib $("$PHP_CONFIG" --ldflags) $("$PHP_CONFIG" --libs)"
export PKG_CONFIG_PATH="$_top/build/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
FWS_GO_TAGS=nobadger,nomysql,nopgx,nobrotli,nomercure
if ! echo '#include <wtr/watcher-c.h>' | cc -E - >/dev/null 2>&1; then FWS_GO_TAGS=$FWS_GO_TAGS,nowatcher; fi
export FWS_GO_TAGS
export GOFLAGS="-tags=$FWS_GO_TAGS${GOFLAGS:+ $GOFLAGS}"
unset _top _php_lib
