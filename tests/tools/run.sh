#!/usr/bin/env bash
# Tests of the set-up scripts in tools/. Nothing is downloaded and nothing is built: apt-get, curl, make and php-config are programs that
# the tests write. Each test is a function in a *_test.sh file, whose name is a sentence.
#
# usage: tests/tools/run.sh [PATTERN]   only the tests whose name matches
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tools/fakes.sh
. "$here/fakes.sh"

passed=0 failed=0
for file in "$here"/*_test.sh; do
  # shellcheck source=/dev/null
  . "$file"
done
for name in $(compgen -A function test_); do
  if ! [[ $name =~ ${1:-.} ]]; then continue; fi
  sandbox=$(mktemp -d)
  # The test's own shell: what it sets and changes is gone afterwards. Not as a condition, where `set -e` would do nothing.
  (set -eu; prepare; "$name") >"$sandbox/said" 2>&1 &
  if wait $!; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf -- '--- FAIL: %s\n' "${name#test_}" | tr _ ' '
    sed 's/^/    /' "$sandbox/said"
  fi
  rm -rf "$sandbox"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
