#!/usr/bin/env bash
# Runs the tests of the packages for Laravel and Symfony with PHPUnit, against the real frameworks.
#
# usage: tools/frameworks-test.sh [OPTION of PHPUnit …]
set -eu
. "$(dirname "$0")/lib.sh"
php=$("$top/tools/php.sh" --binary)
FWS_FRAMEWORKS=$("$top/tools/frameworks.sh")
export FWS_FRAMEWORKS
# Of the frameworks' own deprecations PHPUnit says nothing.
exec "$php" -d zend.assertions=1 -d memory_limit=1G "$top/tests/frameworks/phpunit.php" --no-configuration --do-not-cache-result --colors=never \
  --fail-on-skipped --fail-on-warning --fail-on-risky --fail-on-empty-test-suite "$@" "$top/tests/frameworks"
