# shellcheck shell=bash
# Which PHP can be linked, and where one is. Sourced by the scripts beside it, after lib.sh.

# php_lib_dir PHP_CONFIG: the folder of libphp; nothing when there is none. `php-config --lib-dir` exists from PHP 8.4 on.
php_lib_dir() {
  local folder extension
  for folder in "$("$1" --lib-dir 2>/dev/null || true)" "$("$1" --prefix)/lib" "$("$1" --prefix)/lib64"; do
    for extension in so dylib a; do
      if [ -f "$folder/libphp.$extension" ]; then echo "$folder"; return; fi
    done
  done
}

# unfit PHP_CONFIG: nothing when FrankenPHP can link that PHP, else the reason why it cannot.
unfit() {
  local config=$1 id
  [ -x "$(command -v "$config")" ] || { echo "it is not an executable"; return; }
  id=$("$config" --vernum 2>/dev/null) || { echo "it does not answer --vernum"; return; }
  case $id in '' | *[!0-9]*) echo "it answers --vernum with \"$id\""; return ;; esac
  [ "$id" -ge 80200 ] || { echo "PHP $("$config" --version) is too old: 8.2 or newer is needed"; return; }
  [ -f "$("$config" --include-dir)/main/php_config.h" ] ||
    { echo "it has no headers in $("$config" --include-dir): install PHP's development package"; return; }
  grep -q '^#define ZTS 1' "$("$config" --include-dir)/main/php_config.h" ||
    { echo "that PHP is not thread-safe: it must be configured with --enable-zts"; return; }
  [ -n "$(php_lib_dir "$config")" ] ||
    echo "no libphp.so, libphp.dylib or libphp.a in $("$config" --prefix)/lib: it must be configured with --enable-embed"
}

# php_candidates: the php-configs on PATH and in /usr/local, by PATH's order; in a folder the plain name first, then the newest.
php_candidates() {
  local folder name IFS=:
  for folder in $PATH "${FWS_USR_LOCAL:-/usr/local}"/bin "${FWS_USR_LOCAL:-/usr/local}"/php*/bin; do
    for name in php-config php-config-zts zts-php-config; do
      [ ! -f "$folder/$name" ] || echo "$folder/$name"
    done
    compgen -G "$folder/php-config*[0-9]*" | sort -Vr || true
  done | awk '!seen[$0]++'
}

# cached_builds FINGERPRINT: the php-configs of the builds with this fingerprint in the cache, the newest PHP first.
cached_builds() {
  compgen -G "$cache/php-*-$1/bin/php-config" | sort -Vr || true
}

# works PHP_CONFIG: whether its command line PHP starts. One whose libraries went with an upgrade of the system does not.
works() { "$("$1" --prefix)/bin/php" -n -v >/dev/null 2>&1; }

# find_php FINGERPRINT: prints the php-config to use. Otherwise it notes why each one cannot be used, and fails.
find_php() {
  local config why
  while IFS= read -r config; do
    why=$(unfit "$config")
    if [ -z "$why" ]; then echo "$config"; return; fi
    note "$config" "$why"
  done < <(php_candidates)
  while IFS= read -r config; do
    why=$(unfit "$config")
    if [ -z "$why" ] && ! works "$config"; then why="its command line PHP does not start; it will be built again"; fi
    if [ -z "$why" ]; then echo "$config"; return; fi
    note "$config" "$why"
  done < <(cached_builds "$1")
  return 1
}

# note WHAT WHY: remembers what was tried, for the message when nothing is left.
note() { printf '  %s: %s\n' "$1" "$2" >>"$tried"; }
