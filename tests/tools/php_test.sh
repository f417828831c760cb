# shellcheck shell=bash
# Where tools/php.sh finds PHP.

# ---- PHP_CONFIG ----

test_PHP_CONFIG_is_used_and_nothing_else_is_looked_at() {
  a_php "$sandbox/mine" 8.3.7
  a_php "$sandbox/usr-local" 8.4.1
  PHP_CONFIG=$sandbox/mine/bin/php-config php_sh
  is "$sandbox/mine/bin/php-config" "$found"
}

test_a_PHP_CONFIG_that_does_not_fit_is_refused_with_the_reason_and_nothing_is_built() {
  a_php "$sandbox/usr-local" 8.4.1
  refuse_config() { # REASON PHP-OPTION…
    local reason=$1; shift
    rm -rf "$sandbox/bad"; a_php "$sandbox/bad" "$@"
    PHP_CONFIG=$sandbox/bad/bin/php-config refused
    says "PHP_CONFIG=$sandbox/bad/bin/php-config cannot be used" "$reason"
  }
  refuse_config "PHP 8.1.33 is too old: 8.2 or newer is needed" 8.1.33
  refuse_config "that PHP is not thread-safe: it must be configured with --enable-zts" 8.2.32 nts
  refuse_config "it has no headers in $sandbox/bad/include/php" 8.2.32 no-headers
  refuse_config "no libphp.so, libphp.dylib or libphp.a in $sandbox/bad/lib: it must be configured with --enable-embed" 8.2.32 no-lib
  # What libtool leaves beside the library is not the library.
  refuse_config "no libphp.so" 8.2.32 lib=libphp.la
  PHP_CONFIG=$sandbox/nothing refused
  says "it is not an executable"
  program "$sandbox/other" <<<'exit 1'
  PHP_CONFIG=$sandbox/other refused
  says "it does not answer --vernum"
}

test_one_file_of_libphp_is_enough_in_a_PHP_whose_php_config_knows_no_lib_dir() {
  local lib
  for lib in libphp.so libphp.a libphp.dylib; do
    rm -rf "$sandbox/one"; a_php "$sandbox/one" 8.2.32 "lib=$lib"
    PHP_CONFIG=$sandbox/one/bin/php-config php_sh
    PHP_CONFIG=$sandbox/one/bin/php-config php_sh --lib-dir
    is "$sandbox/one/lib" "$found"
  done
}

test_a_libphp_in_another_folder_is_found_by_lib_dir_or_in_lib64() {
  a_php "$sandbox/one" 8.4.3 lib=../elsewhere/libphp.so
  sed -i "s#^case#[ \"\$1\" != --lib-dir ] || { echo '$sandbox/one/elsewhere'; exit; }\ncase#" "$sandbox/one/bin/php-config"
  PHP_CONFIG=$sandbox/one/bin/php-config php_sh --lib-dir
  is "$sandbox/one/elsewhere" "$found"
  a_php "$sandbox/two" 8.2.3 lib=../lib64/libphp.so
  PHP_CONFIG=$sandbox/two/bin/php-config php_sh --lib-dir
  is "$sandbox/two/lib64" "$found"
}

test_it_says_which_PHP_it_is_and_where_its_command_line_program_is() {
  a_php "$sandbox/one" 8.2.32
  export PHP_CONFIG=$sandbox/one/bin/php-config
  php_sh --version; is "PHP 8.2.32 ($PHP_CONFIG)" "$found"
  php_sh --binary; is "$sandbox/one/bin/php" "$found"
  rm "$sandbox/one/bin/php"
  refused --binary
  says "has no command line program"
}

# ---- on this machine ----

test_a_php_config_on_PATH_comes_before_one_in_usr_local() {
  a_php "$sandbox/on-path" 8.2.4; a_php "$sandbox/usr-local" 8.4.1
  PATH=$PATH:$sandbox/on-path/bin php_sh
  is "$sandbox/on-path/bin/php-config" "$found"
}

test_names_with_zts_or_a_version_are_looked_for_on_PATH() {
  local name
  for name in php-config-zts zts-php-config php-config8.3 php-config-8.3 php-config83; do
    rm -rf "$sandbox/one"; a_php "$sandbox/one" 8.3.1
    mv "$sandbox/one/bin/php-config" "$sandbox/one/bin/$name"
    PATH=$sandbox/one/bin:$PATH php_sh
    is "$sandbox/one/bin/$name" "$found"
  done
}

test_of_several_versions_in_one_folder_the_newest_that_fits_is_taken() {
  a_php "$sandbox/one" 8.3.1; mv "$sandbox/one/bin/php-config" "$sandbox/one/bin/php-config8.3"
  a_php "$sandbox/two" 8.4.1; mv "$sandbox/two/bin/php-config" "$sandbox/one/bin/php-config8.4"
  a_php "$sandbox/three" 8.5.1 nts; mv "$sandbox/three/bin/php-config" "$sandbox/one/bin/php-config8.5"
  PATH=$sandbox/one/bin:$PATH php_sh
  is "$sandbox/one/bin/php-config8.4" "$found"
}

test_a_php_config_that_does_not_fit_does_not_hide_one_that_does() {
  a_php "$sandbox/debian" 8.4.1 nts
  a_php "$sandbox/usr-local/php-zts" 8.3.2
  PATH=$sandbox/debian/bin:$PATH php_sh
  is "$sandbox/usr-local/php-zts/bin/php-config" "$found"
}

# ---- the cache ----

a_cached_php() { # VERSION: as an earlier run has built it
  a_php "$FWS_CACHE/php-$1-$(bash -c ". '$top/tools/lib.sh'; . '$top/tools/php-build.sh'; fingerprint")" "$1"
}

test_of_the_builds_in_the_cache_the_newest_is_taken_and_nothing_is_fetched() {
  a_cached_php 8.2.32; a_cached_php 8.2.9; a_cached_php 8.4.3; an_apt; a_curl
  php_sh
  case $found in "$FWS_CACHE"/php-8.4.3-*/bin/php-config) ;; *) exit 1 ;; esac
  is "" "$(cat "$calls")"
}

test_a_php_config_of_the_machine_comes_before_the_cache() {
  a_cached_php 8.4.3; a_php "$sandbox/usr-local" 8.2.3
  php_sh
  is "$sandbox/usr-local/bin/php-config" "$found"
}

test_a_build_of_other_flags_in_the_cache_is_not_used_and_PHP_is_built_once() {
  a_php "$FWS_CACHE/php-8.4.3-0123456789ab" 8.4.3
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  php_sh
  case $found in "$FWS_CACHE"/php-8.2.32-*/bin/php-config) ;; *) exit 1 ;; esac
  : >"$calls"
  php_sh
  not_called 'make|source'
}

test_a_cached_build_that_no_longer_starts_is_built_again() {
  a_cached_php 8.2.32
  local prefix
  prefix=$(echo "$FWS_CACHE"/php-8.2.32-*)
  program "$prefix/bin/php" <<<'echo "libicui18n.so.72: cannot open shared object file" >&2; exit 127'
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  php_sh
  is "$prefix/bin/php-config" "$found"
  says "does not start"
  called '^make install'
}

# ---- source packages ----

test_the_newest_source_package_that_can_be_downloaded_is_built_whatever_its_suite() {
  an_apt; a_compiler; a_curl offline
  apt_knows php8.2 8.2.32-1~deb12u1 file
  apt_knows php8.2 8.2.36-1~deb12u1
  apt_knows php8.4 8.4.27-1~deb13u1 file
  apt_knows php8.4 8.4.28-1~deb13u1
  apt_knows php8.5 8.5.7-1
  php_sh
  case $found in "$FWS_CACHE"/php-8.4.27-*/bin/php-config) ;; *) exit 1 ;; esac
  called '^configure --prefix=.*/php-8.4.27-.* --enable-zts .*--enable-embed'
  not_called 'source.*php8.2'
}

test_of_one_PHP_every_version_is_tried_before_an_older_PHP() {
  an_apt; a_compiler; a_curl offline
  apt_knows php8.4 8.4.9-1 file; apt_knows php8.4 8.4.27-1; apt_knows php8.2 8.2.32-1 file
  php_sh
  case $found in */php-8.4.9-*) ;; *) exit 1 ;; esac
}

test_versions_before_a_release_are_left_alone() {
  an_apt; a_compiler; a_curl offline
  apt_knows php8.5 8.5.0~rc3-1 file; apt_knows php8.2 8.2.32-1~deb12u1 file
  php_sh
  case $found in */php-8.2.32-*) ;; *) exit 1 ;; esac
}

test_all_suites_are_asked_for_beside_those_of_the_machine_with_the_security_suites_in_their_own_repository() {
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  php_sh
  local list
  list=$(sed -E 's/ \[[^]]*\]//' "$mirror/sources.list")
  for line in "http://mirror.test/debian/ bookworm main" "http://mirror.test/debian-security/ bookworm-security main" \
    "http://mirror.test/debian/ unstable main" "http://mirror.test/debian/ experimental main" "http://mirror.test/debian/ stable-updates main" \
    "http://mirror.test/debian-security/ stable-security main"; do
    grep -qxF "deb-src $line" <<<"$list" || { echo "missing: $line"; echo "$list"; exit 1; }
  done
  fails grep other.test <<<"$list"
}

test_the_security_repository_is_guessed_where_the_machine_has_none() {
  echo "http://mirror.test/debian bookworm Debian" >"$mirror/repositories"
  an_apt; a_compiler; apt_knows php8.2 8.2.32-1 file
  php_sh
  grep -qE 'http://mirror.test/debian-security/ stable-security main' "$mirror/sources.list"
}

test_Ubuntu_has_its_suites_and_the_component_universe() {
  echo "http://mirror.test/ubuntu/ noble Ubuntu" >"$mirror/repositories"
  an_apt; a_compiler; apt_knows php8.3 8.3.6-0ubuntu1 file
  php_sh
  grep -qE 'http://mirror.test/ubuntu/ noble-security main universe' "$mirror/sources.list"
  case $found in */php-8.3.6-*) ;; *) exit 1 ;; esac
}

test_a_package_that_is_no_source_of_PHP_is_passed_over_with_the_reason() {
  an_apt; a_compiler; a_curl offline
  apt_knows php8.4 8.4.1-1 file; apt_knows php8.2 8.2.32-1 file
  mkdir -p "$sandbox/x/y"; tar -cJf "$mirror/files/php8.4=8.4.1-1/php8.4_8.4.1.orig.tar.xz" -C "$sandbox/x" y
  php_sh
  case $found in */php-8.2.32-*) ;; *) exit 1 ;; esac
}

# ---- releases of php.net ----

test_without_apt_the_pinned_release_is_fetched_and_built() {
  a_compiler; php_net_has 8.5.9; a_curl
  php_sh
  case $found in "$FWS_CACHE"/php-8.5.9-*/bin/php-config) ;; *) exit 1 ;; esac
  called 'https://www.php.net/distributions/php-8.5.9.tar.xz'
}

test_when_no_source_package_can_be_downloaded_the_release_is_fetched() {
  an_apt; a_compiler; a_curl; apt_knows php8.4 8.4.28-1; php_net_has 8.2.32
  php_sh
  case $found in */php-8.2.32-*) ;; *) exit 1 ;; esac
}

test_a_release_with_another_checksum_is_thrown_away_and_the_next_is_tried() {
  a_compiler; php_net_has 8.5.9; php_net_has 8.4.28; a_curl
  a_source 8.5.90 "$mirror/php.net/php-8.5.9.tar.xz"
  php_sh
  case $found in */php-8.4.28-*) ;; *) exit 1 ;; esac
  not_called '8.5.90'
}

test_every_release_is_pinned_with_a_version_and_a_SHA_256() {
  local line count=0
  while IFS= read -r line; do
    [[ $line =~ ^8\.[2-9]\.[0-9]+\ [0-9a-f]{64}$ ]] || { echo "not pinned: $line"; exit 1; }
    count=$((count + 1))
  done < <(grep -v '^#' "$top/tools/php-releases.txt")
  [ "$count" -ge 3 ]
}

# ---- when all fails ----

test_when_nothing_can_be_had_it_lists_what_was_tried_and_why_each_failed() {
  a_php "$sandbox/usr-local" 8.4.1 nts
  a_php "$sandbox/old" 7.4.33
  an_apt; a_compiler; apt_knows php8.4 8.4.28-1; apt_knows php8.2 8.2.36-1~deb12u1; php_net_has 8.5.9; a_curl offline
  PATH=$PATH:$sandbox/old/bin refused
  in_order "$sandbox/old/bin/php-config: PHP 7.4.33 is too old" \
    "$sandbox/usr-local/bin/php-config: that PHP is not thread-safe" \
    "source package php8.4 8.4.28-1: 404 Not Found" \
    "source package php8.2 8.2.36-1~deb12u1: 404 Not Found" \
    "release of PHP 8.5.9 from php.net: curl: (6) Could not resolve host" \
    "no PHP to link was found" "Set PHP_CONFIG to the php-config of a PHP 8.2 or newer"
  is "" "$found"
}

test_a_wrong_checksum_and_a_missing_downloader_are_among_the_reasons() {
  a_compiler; php_net_has 8.5.9; a_curl
  echo tampered >"$mirror/php.net/php-8.5.9.tar.xz"
  refused
  says "source packages: there is no apt-get" "release of PHP 8.5.9 from php.net: its SHA-256 is " " is pinned"
  rm "$bin/curl"
  refused
  says "release of PHP 8.5.9 from php.net: neither curl nor wget is there"
}

test_an_apt_without_repositories_or_without_PHP_is_among_the_reasons() {
  a_compiler; a_curl offline; an_apt
  refused
  says "source packages: no suite of apt's repositories has one of PHP 8.2 to 8.5"
  : >"$mirror/repositories"
  refused
  says "source packages: apt knows no repository of Debian or Ubuntu here"
}
