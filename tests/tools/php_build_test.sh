# shellcheck shell=bash
# How tools/php.sh builds PHP.

test_what_Laravel_and_Symfony_require_is_configured() {
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  php_sh
  local flag
  for flag in openssl curl zlib libxml pdo-mysql=mysqlnd mysqli=mysqlnd pdo-pgsql pgsql pdo-sqlite sqlite3 zip sodium password-argon2; do
    called "^configure .*--with-$flag( |\$)"
  done
  for flag in intl mbstring bcmath pcntl posix sockets exif opcache zts embed; do called "^configure .*--enable-$flag( |\$)"; done
  not_called '^configure .*(--disable-all|--without-iconv|--disable-(dom|xml|session|ctype|tokenizer|fileinfo|pdo|phar|filter))'
}

test_an_extension_whose_package_cannot_be_had_is_left_out_with_one_line_and_costs_no_other() {
  printf '%s\n' icu-i18n libsodium >"$sandbox/missing-libraries"
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  echo libicu-dev >"$mirror/unavailable"
  # What apt can install is there afterwards.
  sed -i "s#    install) #&case \" \$* \" in *' libicu-dev '*) ;; *libsodium-dev*) sed -i /sodium/d '$sandbox/missing-libraries' ;; esac; #" "$bin/apt-get"
  # shellcheck disable=SC2016
  program sudo <<<'[ "$1" != -n ] || shift; exec "$@"'
  php_sh
  called '^configure .*--with-sodium .*'
  called '^configure .*--disable-intl'
  is 1 "$(grep -c 'PHP is built without' <<<"$said")"
  says "PHP is built without intl (libicu-dev g++), which is not installed. To have it: install that, remove $FWS_CACHE/php-8.2.32-" " and build again"
  is "intl (libicu-dev g++)" "$(cat "$FWS_CACHE"/php-8.2.32-*/etc/left-out)"
}

test_an_extension_without_its_library_is_left_out_on_a_machine_without_apt() {
  a_compiler; php_net_has 8.4.28; a_curl
  echo libxml-2.0 >"$sandbox/missing-libraries"
  php_sh
  called '^configure .*--without-libxml --disable-dom'
  says "PHP is built without dom, xml"
}

test_a_build_that_fails_shows_the_end_of_its_log_and_leaves_no_PHP() {
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  program make <<<'echo "main.c:1: error: no such thing"; exit 2'
  refused
  says "main.c:1: error: no such thing" "building PHP 8.2.32, once" "failed"
  fails compgen -G "$FWS_CACHE/php-8*"
}

test_an_interrupted_build_leaves_no_PHP_and_no_process_and_the_next_one_succeeds() {
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  mv "$bin/make" "$bin/real-make"
  program make <<SH
echo \$\$ >"$sandbox/make.pid"
sleep 600 & echo \$! >"$sandbox/child.pid"
wait
SH
  "$top/tools/php.sh" >"$sandbox/out" 2>&1 &
  local pid=$! child
  until [ -s "$sandbox/child.pid" ]; do sleep 0.1; done
  child=$(cat "$sandbox/child.pid")
  # The script's own child is what builds: Ctrl-C in a terminal reaches it too.
  kill -TERM "$(ps -o pid= --ppid "$pid" | head -n 1 | tr -d ' ')"
  fails wait "$pid"
  while kill -0 "$child" 2>/dev/null; do sleep 0.1; done
  fails compgen -G "$FWS_CACHE/php-8*"
  mv "$bin/real-make" "$bin/make"
  php_sh
  case $found in "$FWS_CACHE"/php-8.2.32-*/bin/php-config) ;; *) exit 1 ;; esac
}

test_two_at_once_wait_for_each_other_and_build_once() {
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  mv "$bin/make" "$bin/real-make"
  program make <<SH
while [ ! -e "$sandbox/go-on" ]; do sleep 0.1; done
exec real-make "\$@"
SH
  "$top/tools/php.sh" >"$sandbox/first" 2>&1 &
  until grep -q '^configure' "$calls"; do sleep 0.1; done
  "$top/tools/php.sh" >"$sandbox/second" 2>"$sandbox/second.said" &
  until grep -q 'waiting for another build' "$sandbox/second.said"; do sleep 0.1; done
  touch "$sandbox/go-on"
  wait
  is 1 "$(grep -c '^configure' "$calls")"
  is "$(tail -n 1 "$sandbox/first")" "$(cat "$sandbox/second")"
  [ -x "$(cat "$sandbox/second")" ]
}

test_without_flock_two_at_once_wait_for_each_other_too_and_the_lock_of_a_dead_process_is_taken_away() {
  rm "$bin/flock"
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  mkdir -p "$FWS_CACHE/php.lock.d"
  bash -c 'echo $$' >"$FWS_CACHE/php.lock.d/pid"
  "$top/tools/php.sh" >"$sandbox/first" 2>&1 &
  "$top/tools/php.sh" >"$sandbox/second" 2>&1 &
  wait
  is 1 "$(grep -c '^configure' "$calls")"
  is "$(tail -n 1 "$sandbox/first")" "$(tail -n 1 "$sandbox/second")"
  [ ! -e "$FWS_CACHE/php.lock.d" ]
}

test_a_change_of_the_flags_changes_the_fingerprint() {
  printed() { bash -c ". '$top/tools/lib.sh'; . '$top/tools/php-build.sh'; $1 fingerprint"; }
  is "$(printed '')" "$(printed '')"
  [ "$(printed '')" != "$(printed 'base_flags() { echo --enable-debug; };')" ]
  [ "$(printed '')" != "$(printed 'php_extensions() { echo "a|b|c|d|e"; };')" ]
}
