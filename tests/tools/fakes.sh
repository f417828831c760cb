# shellcheck shell=bash
# A machine of its own for each test: a PATH with nothing but ordinary tools and the fakes below, and an empty cache.

top=$(cd "$here/../.." && pwd)
ordinary="awk basename bash cat chmod comm cp cut date dirname env false find flock getconf grep gzip head id install ln ls mkdir mktemp mv
  ps rm rmdir sed sh sha256sum sleep sort tail tar test touch tr true uname uniq wc xz"

# prepare: makes the machine in $sandbox.
prepare() {
  bin=$sandbox/bin calls=$sandbox/calls mirror=$sandbox/mirror
  mkdir -p "$bin" "$mirror" "$sandbox/usr-local"
  touch "$calls"
  local tool path
  for tool in $ordinary; do
    path=$(command -v "$tool") || { echo "the test needs $tool"; exit 1; }
    # A builtin has no path; the shell has it anyway.
    case $path in /*) ln -s "$path" "$bin/$tool" ;; esac
  done
  export PATH=$bin FWS_CACHE=$sandbox/cache FWS_USR_LOCAL=$sandbox/usr-local HOME=$sandbox
  unset PHP_CONFIG XDG_CACHE_HOME
  mkdir -p "$FWS_CACHE"
}

# program NAME: makes a program of what comes in, on PATH or at an absolute path.
program() {
  local at=$1
  case $at in /*) ;; *) at=$bin/$at ;; esac
  mkdir -p "$(dirname "$at")"
  { echo '#!/usr/bin/env bash'; cat; } >"$at"
  chmod +x "$at"
}

# a_php PREFIX VERSION [nts] [no-headers] [no-lib] [lib=FILE]: installs a PHP below PREFIX. Like PHP before 8.4, its php-config knows no
# --lib-dir.
a_php() {
  local prefix=$1 version=$2 lib=libphp.so option
  local zts='#define ZTS 1'
  shift 2
  mkdir -p "$prefix/bin" "$prefix/lib" "$prefix/include/php/main"
  for option in "$@"; do
    case $option in
      nts) zts='/* #undef ZTS */' ;;
      no-headers) rm -r "$prefix/include" ;;
      no-lib) lib= ;;
      lib=*) lib=${option#lib=} ;;
    esac
  done
  [ ! -d "$prefix/include" ] || echo "$zts" >"$prefix/include/php/main/php_config.h"
  [ -z "$lib" ] || { mkdir -p "$(dirname "$prefix/lib/$lib")"; touch "$prefix/lib/$lib"; }
  program "$prefix/bin/php" <<<'exit 0'
  program "$prefix/bin/php-config" <<SH
case \$1 in
  --version) echo $version ;;
  --vernum) IFS=. read -r a b c <<<"$version"; echo \$((a * 10000 + b * 100 + c)) ;;
  --prefix) echo "$prefix" ;;
  --include-dir) echo "$prefix/include/php" ;;
  --php-binary) echo "$prefix/bin/php" ;;
  --includes) echo "-I$prefix/include/php" ;;
  --ldflags) echo "-L$prefix/elsewhere" ;;
  --libs) echo "-lxml2 -lcurl" ;;
  *) echo "Usage: php-config" >&2; exit 1 ;;
esac
SH
}

# a_source VERSION FILE: a tarball that has the form of PHP's source. Its configure and its make install what a_php would.
a_source() {
  local tree=$sandbox/source-$1
  mkdir -p "$tree/main"
  echo "#define PHP_VERSION \"$1\"" >"$tree/main/php_version.h"
  program "$tree/configure" <<SH
echo "configure \$*" >>"$calls"
for option in "\$@"; do case \$option in --prefix=*) echo "\${option#--prefix=}" >prefix ;; esac; done
SH
  mkdir -p "$(dirname "$2")"
  tar -cJf "$2" -C "$sandbox" "source-$1"
}

# a_compiler: make, gcc and their like. `make install` installs a PHP of the version of the tree.
a_compiler() {
  local name
  for name in gcc cc c++ nm; do program "$name" <<<'exit 0'; done
  program pkg-config <<<"[ -z \"\$(grep -x \"\$2\" '$sandbox/missing-libraries' 2>/dev/null)\" ]"
  program make <<SH
echo "make \$*" >>"$calls"
[ "\$1" = install ] || exit 0
. "$here/fakes.sh"
bin=/nonexistent
prefix=\$(cat prefix)
a_php "\$prefix" "\$(sed -n 's/.*"\\(.*\\)"/\\1/p' main/php_version.h)"
mkdir -p "\${2#INSTALL_ROOT=}\$(dirname "\$prefix")"
mv "\$prefix" "\${2#INSTALL_ROOT=}\$prefix"
SH
  sed -i "s#^\. \"#here='$here'; . \"#" "$bin/make"
}

# apt_knows PACKAGE VERSION [file]: a source package in apt's lists; its tarball is on the mirror only if a third word is given.
apt_knows() {
  printf '%s %s\n' "$1" "$2" >>"$mirror/packages"
  [ $# = 2 ] || a_source "${2%-*}" "$mirror/files/$1=$2/$1_${2%-*}.orig.tar.xz"
}

# an_apt: apt-get and apt-cache of a Debian with what apt_knows has said.
an_apt() {
  touch "$mirror/packages"
  [ -e "$mirror/repositories" ] || cat >"$mirror/repositories" <<'LIST'
http://mirror.test/debian/ bookworm Debian
http://mirror.test/debian-security/ bookworm-security Debian
http://other.test/ stable Elsewhere
LIST
  program apt-get <<SH
echo "apt-get \$*" >>"$calls"
for word in "\$@"; do
  case \$word in
    Dir::Etc::SourceList=*) cp "\${word#*=}" "$mirror/sources.list" ;;
    indextargets) cat "$mirror/repositories"; exit ;;
    # One suite is missing: apt reads the others, and fails.
    update) echo "E: The repository 'http://mirror.test/debian oldoldstable Release' does not have a Release file."; exit 100 ;;
    install) [ ! -e "$mirror/no-install" ] || exit 100
      for package in "\$@"; do ! grep -qx -- "\$package" "$mirror/unavailable" 2>/dev/null || exit 100; done; exit ;;
    php8*) [ -d "$mirror/files/\$word" ] || { echo "E: Failed to fetch http://mirror.test/\$word  404  Not Found [IP: 203.0.113.1 80]"; exit 100; }
      cp "$mirror/files/\$word"/* .; exit ;;
  esac
done
SH
  program apt-cache <<SH
while read -r package version; do
  [ "\$package" != "\${!#}" ] || printf 'Package: %s\nVersion: %s\nFiles:\n abc 1 x.orig.tar.xz\n\n' "\$package" "\$version"
done <"$mirror/packages"
SH
}

# php_net_has VERSION [FILE-VERSION]: a release on php.net, pinned with its hash.
php_net_has() {
  a_source "$1" "$mirror/php.net/php-$1.tar.xz"
  echo "$1 $(sha256sum <"$mirror/php.net/php-$1.tar.xz" | cut -c 1-64)" >>"$sandbox/releases.txt"
}

# a_curl: curl that reaches php.net, or does not: offline.
a_curl() {
  export FWS_PHP_RELEASES=$sandbox/releases.txt
  touch "$sandbox/releases.txt"
  program curl <<SH
echo "curl \$*" >>"$calls"
[ "${1:-}" != offline ] || { echo "curl: (6) Could not resolve host: www.php.net" >&2; exit 6; }
while [ "\$1" != --output ]; do shift; done
file="$mirror/php.net/\${3##*/}"
[ -e "\$file" ] || { echo "curl: (22) The requested URL returned error: 404" >&2; exit 22; }
cp "\$file" "\$2"
SH
}

# php_sh [ARGUMENT…]: runs the script. Its result is in $found, what it said in $said.
php_sh() {
  local status=0
  found=$("$top/tools/php.sh" "$@" 2>"$sandbox/stderr") || status=$?
  said=$(cat "$sandbox/stderr")
  printf 'php.sh: status %s, found %s\n%s\n' "$status" "$found" "$said"
  return "$status"
}

refused() {
  if php_sh "$@"; then echo "php.sh found $found, and should have failed"; exit 1; fi
}

is() { # WANTED GOT
  [ "$1" = "$2" ] || { printf 'wanted %s\ngot    %s\n' "$1" "$2"; exit 1; }
}

says() {
  local words
  for words in "$@"; do grep -qF -- "$words" <<<"$said" || { echo "it does not say: $words"; exit 1; }; done
}

# in_order WORDS…: the words stand in $said, in this order.
in_order() {
  local rest=$said words
  for words in "$@"; do
    case $rest in *"$words"*) rest=${rest#*"$words"} ;; *) echo "missing, or not in this order: $words"; exit 1 ;; esac
  done
}

fails() { # COMMAND…: `!` alone is no failure for `set -e`
  if "$@"; then echo "succeeded, and should not: $*"; exit 1; fi
}

called() { grep -qE -- "$1" "$calls" || { echo "not called: $1"; cat "$calls"; exit 1; }; }
not_called() { fails grep -E -- "$1" "$calls"; }
