# shellcheck shell=bash
# Where the source of PHP comes from. Sourced by tools/php.sh, after lib.sh, apt.sh and php-find.sh.

# fetch_php FOLDER LOG: unpacks the newest source of PHP that can be had in FOLDER/tree. Otherwise it notes what failed, and fails.
fetch_php() {
  mkdir -p "$1/tree"
  fetch_package "$1" "$2" || fetch_release "$1" "$2"
}

# fetch_package FOLDER LOG: from the source packages of all suites, the newest PHP first.
fetch_package() {
  local folder=$1 log=$2 upstream package version why found=
  if ! command -v apt-get >/dev/null; then note "source packages" "there is no apt-get"; return 1; fi
  if ! own_apt "$folder" deb-src "$log"; then
    note "source packages" "apt knows no repository of Debian or Ubuntu here (apt-get update may help)"; return 1
  fi
  while read -r upstream package version; do
    found=1
    say "fetching the source of PHP $upstream ($package $version)"
    if why=$(fetch_tarball "$package" "$version" "$folder" "$log") && why=$(unpack "$folder/${package}_$upstream".orig.tar.* "$folder/tree"); then
      return 0
    fi
    note "source package $package $version" "$why"
  done < <(source_versions php8.5 php8.4 php8.3 php8.2)
  [ -n "$found" ] || note "source packages" "no suite of apt's repositories has one of PHP 8.2 to 8.5"
  return 1
}

# fetch_release FOLDER LOG: a release of php.net that php-releases.txt pins.
fetch_release() {
  local folder=$1 log=$2 version hash why file
  while read -r version hash; do
    file=$folder/php-$version.tar.xz
    say "fetching the release of PHP $version"
    if why=$(download "https://www.php.net/distributions/php-$version.tar.xz" "$file" "$log") &&
       why=$(verify "$file" "$hash") && why=$(unpack "$file" "$folder/tree"); then
      return 0
    fi
    note "release of PHP $version from php.net" "$why"
  done < <(grep -v '^#' "${FWS_PHP_RELEASES:-$top/tools/php-releases.txt}")
  return 1
}

# download URL FILE LOG: prints the reason when it fails.
download() {
  local said
  rm -f "$2"
  if command -v curl >/dev/null; then
    said=$(curl --fail --silent --show-error --location --proto '=https' --connect-timeout 15 --max-time 600 --output "$2" "$1" 2>&1) && return
  elif command -v wget >/dev/null; then
    said=$(wget --no-verbose --timeout 15 --tries 1 --output-document "$2" "$1" 2>&1) && return
  else
    said="neither curl nor wget is there"
  fi
  echo "$said" >>"$3"
  rm -f "$2"
  tail -n 1 <<<"$said"
  return 1
}

# verify FILE SHA256: prints the reason when it is another.
verify() {
  local is
  is=$(sha256 <"$1")
  [ "$is" = "$2" ] || { rm -f "$1"; echo "its SHA-256 is $is, and $2 is pinned"; return 1; }
}

# unpack TARBALL FOLDER: prints the reason when it is no source of PHP.
unpack() {
  rm -rf "$2"; mkdir -p "$2"
  tar -xf "$1" -C "$2" --strip-components=1 2>/dev/null || { echo "$(basename "$1") cannot be unpacked"; return 1; }
  if [ ! -f "$2/configure" ] || [ ! -f "$2/main/php_version.h" ]; then echo "$(basename "$1") is no source of PHP"; return 1; fi
}

# source_version TREE
source_version() { sed -n 's/^#define PHP_VERSION "\(.*\)"/\1/p' "$1/main/php_version.h"; }
