# shellcheck shell=bash
# How PHP is built. Sourced by tools/php.sh, after lib.sh and php-source.sh.

# What Laravel and Symfony require, and MySQL, PostgreSQL and SQLite, as far as they need a library:
# name | pkg-config's name of the library | Debian's packages | flags with it | flags without it
php_extensions() {
  cat <<'TABLE'
dom, xml, xmlreader, xmlwriter, simplexml|libxml-2.0|libxml2-dev|--with-libxml|--without-libxml --disable-dom --disable-simplexml --disable-xml --disable-xmlreader --disable-xmlwriter
openssl|openssl|libssl-dev|--with-openssl|--without-openssl
curl|libcurl|libcurl4-openssl-dev|--with-curl|--without-curl
zlib|zlib|zlib1g-dev|--with-zlib|--without-zlib --disable-mysqlnd-compression-support
intl|icu-i18n|libicu-dev g++|--enable-intl|--disable-intl
sqlite3, pdo_sqlite|sqlite3|libsqlite3-dev|--with-sqlite3 --with-pdo-sqlite|--without-sqlite3 --without-pdo-sqlite
pgsql, pdo_pgsql|libpq|libpq-dev|--with-pgsql --with-pdo-pgsql|--without-pgsql --without-pdo-pgsql
zip|libzip|libzip-dev|--with-zip|--without-zip
sodium|libsodium|libsodium-dev|--with-sodium|--without-sodium
gmp|gmp|libgmp-dev|--with-gmp|--without-gmp
ffi|libffi|libffi-dev|--with-ffi|--without-ffi
argon2 hashes|libargon2|libargon2-dev|--with-password-argon2|--without-password-argon2
mb_ereg functions|oniguruma|libonig-dev|--enable-mbregex|--disable-mbregex
TABLE
}

# base_flags: what needs no library. mysqli and pdo_mysql bring their own client; ctype, fileinfo, filter, iconv, pdo, session, tokenizer
# and others are on unless told otherwise.
base_flags() {
  echo --disable-cgi --disable-phpdbg --without-pear --enable-zts --disable-zend-signals --enable-opcache \
    --enable-bcmath --enable-calendar --enable-exif --enable-ftp --enable-mbstring --enable-pcntl --enable-posix --enable-sockets \
    --with-mysqli=mysqlnd --with-pdo-mysql=mysqlnd
  case $(uname -s) in
    Darwin) echo --enable-embed=static --disable-opcache-jit ;;
    *) echo --enable-embed --enable-zend-max-execution-timers ;;
  esac
}

# fingerprint: changes with what a build would be asked for, so that a change of the flags builds PHP once more.
fingerprint() { { base_flags; php_extensions; } | sha256 | cut -c 1-12; }

# has_library MODULE PACKAGES: whether an extension can be built.
has_library() {
  pkg-config --exists "$1" 2>/dev/null || return 1
  case $2 in *g++*) command -v c++ >/dev/null ;; esac
}

# wanted_packages: the Debian packages of the libraries that are missing.
wanted_packages() {
  local name module packages rest
  while IFS='|' read -r name module packages rest; do
    has_library "$module" "$packages" || echo "$packages"
  done < <(php_extensions)
}

# install_libraries: installs them, all at once or, when that fails, one by one, so that one that cannot be had costs no other.
install_libraries() {
  local wanted packages
  wanted=$(wanted_packages)
  # shellcheck disable=SC2086
  if [ -z "$wanted" ] || install_packages $wanted; then return; fi
  as_root true || return 0
  while read -r packages; do
    # shellcheck disable=SC2086
    install_packages $packages || true
  done <<<"$wanted"
}

# extension_flags: the configure flags of all extensions, with or without each.
extension_flags() {
  local name module packages with without
  while IFS='|' read -r name module packages with without; do
    if has_library "$module" "$packages"; then echo "$with"; else echo "$without"; fi
  done < <(php_extensions)
}

# left_out: a line "NAME (PACKAGES)" for each extension that is not built.
left_out() {
  local name module packages rest
  while IFS='|' read -r name module packages rest; do
    has_library "$module" "$packages" || echo "$name ($packages)"
  done < <(php_extensions)
}

# say_left_out PREFIX
say_left_out() {
  local line
  while IFS= read -r line; do
    [ -z "$line" ] || say "PHP is built without $line, which is not installed. To have it: install that, remove $1 and build again"
  done < <(left_out)
}

# compile TREE PREFIX STAGE: configures, builds, and installs into STAGE/PREFIX.
compile() {
  # Without -g the libraries are a fifth of the size.
  # shellcheck disable=SC2046
  cd "$1" &&
    CFLAGS=-O2 CXXFLAGS=-O2 ./configure --prefix="$2" --with-config-file-path="$2/etc" $(base_flags) $(extension_flags) &&
    make -j"$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" &&
    make install INSTALL_ROOT="$3"
}

# build_php: builds the newest PHP whose source can be had into the cache and prints its php-config. An interrupted build leaves no PHP
# behind: it is installed aside, and moved into place when it is whole.
build_php() {
  local work=$cache/php-src log=$cache/php-build.log prefix version stage
  rm -rf "$work"; mkdir -p "$work"; : >"$log"
  need make make gcc gcc xz xz-utils pkg-config pkg-config
  fetch_php "$work" "$log" || no_php "$log"
  version=$(source_version "$work/tree")
  prefix=$cache/php-$version-$(fingerprint) stage=$work/stage
  install_libraries
  say_left_out "$prefix"
  step "$log" "building PHP $version, once: about 8 minutes on 2 cores" compile "$work/tree" "$prefix" "$stage"
  finish "$stage$prefix"
  rm -rf "$prefix"
  mv "$stage$prefix" "$prefix"
  rm -rf "$work"
  check_built "$prefix/bin/php-config"
  echo "$prefix/bin/php-config"
}

# no_php LOG: says what was tried and why each failed.
no_php() {
  cat "$tried" >&2
  die "no PHP to link was found, and none could be fetched; what was tried stands above (log: $1).
Set PHP_CONFIG to the php-config of a PHP 8.2 or newer that was configured with --enable-zts --enable-embed"
}

# finish PREFIX: what an install lacks. Until PHP 8.4 opcache is a file of its own, which php.ini must name.
finish() {
  mkdir -p "$1/etc"
  echo "; Read by every FrankenPHP that is linked with this PHP." >"$1/etc/php.ini"
  [ -z "$(find "$1/lib" -name opcache.so)" ] || echo "zend_extension=opcache" >>"$1/etc/php.ini"
  left_out >"$1/etc/left-out"
}

# check_built PHP_CONFIG
check_built() {
  local why
  why=$(unfit "$1")
  [ -z "$why" ] || die "the PHP just built cannot be used: $why"
  works "$1" || die "the PHP just built does not start: $("$("$1" --prefix)/bin/php" -v 2>&1 | head -n 1)"
}
