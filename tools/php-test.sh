#!/usr/bin/env bash
# Runs the unit tests of the Composer package with the command line PHP that belongs to the embedded one.
set -eu
. "$(dirname "$0")/lib.sh"
php=$("$top/tools/php.sh" --binary)
exec "$php" -d zend.assertions=1 "$top/tests/php/run.php"
