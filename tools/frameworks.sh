#!/usr/bin/env bash
# Prints the path of an autoloader of Laravel, Symfony and PHPUnit. They are unpacked from Debian's packages into the cache, once, and never
# installed. The packages of one suite are used, whatever suite the machine has.
#
# $FWS_FRAMEWORKS, when set, is used instead: the vendor/autoload.php of a Composer project that requires what is tested against.
#
# usage: tools/frameworks.sh
set -eu
. "$(dirname "$0")/lib.sh"
. "$top/tools/apt.sh"

suite=trixie
# What is needed; the PHP packages that these depend on come along.
wanted=(php-laravel-framework phpunit php-mockery php-guzzlehttp-guzzle php-symfony-http-client
  php-symfony-framework-bundle php-symfony-security-bundle php-symfony-messenger php-symfony-twig-bundle php-symfony-web-profiler-bundle
  php-symfony-browser-kit php-symfony-process php-symfony-yaml php-symfony-stopwatch php-symfony-asset php-symfony-runtime php-symfony-dotenv)

# fit_packages: the names of all packages of PHP code, as they are in the suite. Packages with programs, of PHP itself, are left out.
fit_packages() {
  local names
  names=$(apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "${wanted[@]}" | grep -E '^(php-[a-z]|phpunit)' | sort -u)
  # shellcheck disable=SC2086
  apt-cache "${apt_options[@]}" show --no-all-versions $names 2>/dev/null |
    awk '$1 == "Package:" { name = $2 } $1 == "Architecture:" && $2 == "all" && name !~ /^php-(cli|common|json|intl|mbstring|xml)$/ { print name }'
}

# unpack_frameworks FOLDER LOG: downloads the packages and unpacks them into FOLDER/root.
unpack_frameworks() {
  local folder=$1 log=$2 names deb
  { command -v apt-get && command -v dpkg-deb; } >/dev/null ||
    die "Laravel, Symfony and PHPUnit come from Debian's packages, and there is no apt-get here: set FWS_FRAMEWORKS to a vendor/autoload.php that has them"
  own_apt "$folder" deb "$log" "$suite" "$suite-updates" ||
    die "apt knows no repository of Debian here: set FWS_FRAMEWORKS to a vendor/autoload.php that has Laravel, Symfony and PHPUnit"
  names=$(fit_packages)
  for deb in "${wanted[@]}"; do
    grep -qx "$deb" <<<"$names" || die "Debian's $suite has no package $deb (log: $log); FWS_FRAMEWORKS may name a vendor/autoload.php instead"
  done
  mkdir -p "$folder/debs" "$folder/root"
  # shellcheck disable=SC2086
  (cd "$folder/debs" && step "$log" "fetching Laravel, Symfony and PHPUnit" apt-get "${apt_options[@]}" download $names)
  for deb in "$folder"/debs/*.deb; do dpkg-deb -x "$deb" "$folder/root"; done
  [ -f "$folder/root/usr/share/php/Illuminate/Foundation/Application.php" ] || die "Debian's packages have no Laravel where it is expected (log: $log)"
  rm -rf "$folder/debs" "$folder/apt"
}

# one_autoloader FOLDER FINAL: the packages name each other by the paths of an installed system; from now on they name FINAL.
one_autoloader() {
  local php=$1/root/usr/share/php
  grep -rlF '/usr/share/php/' "$php" --include='*autoload.php' --include=Autoload.php | xargs sed -i "s#'/usr/share/php/#'$2/root/usr/share/php/#g"
  { echo '<?php'
    echo '// Made by tools/frameworks.sh: everything that was unpacked.'
    # Symfony asks Composer whether a package is a development dependency only. None is.
    echo "require_once __DIR__ . '/InstalledVersions.php';"
    (cd "$php" && find Illuminate Symfony GuzzleHttp PHPUnit -iname autoload.php | sort | sed "s#.*#require_once __DIR__ . '/root/usr/share/php/&';#")
  } >"$1/autoload.php"
  cat >"$1/InstalledVersions.php" <<'PHP'
<?php

namespace Composer;

final class InstalledVersions
{
    public static function isInstalled(string $name, bool $development = true): bool
    {
        return false;
    }

    public static function getRootPackage(): array
    {
        return ['name' => 'frankenphp-ws/tests'];
    }
}
PHP
}

if [ -n "${FWS_FRAMEWORKS:-}" ]; then
  [ -f "$FWS_FRAMEWORKS" ] || die "FWS_FRAMEWORKS is $FWS_FRAMEWORKS, and that is no file: it must be the vendor/autoload.php of a Composer project"
  realpath "$FWS_FRAMEWORKS"
  exit
fi

# Another list of packages is another folder.
mark=$(sha256 <"$0" | cut -c 1-12)
folder=$cache/frameworks-$mark
if [ ! -f "$folder/autoload.php" ]; then
  locked frameworks
  if [ ! -f "$folder/autoload.php" ]; then
    work=$(mktemp -d "$cache/frameworks.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    unpack_frameworks "$work" "$cache/frameworks.log"
    one_autoloader "$work" "$folder"
    chmod 755 "$work"
    mv "$work" "$folder"
  fi
fi
echo "$folder/autoload.php"
