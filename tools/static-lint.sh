#!/usr/bin/env bash
# The static checks beside Rust's own: the format of C written by hand, Go's static analysis, and spelling.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0

need clang-format clang-format codespell codespell

# What is generated has the format of its generator.
written=$(git ls-files -co --exclude-standard '*.c' '*.h' | grep -vE '_arginfo\.h$|^include/fws\.h$|^caddy-module/phpext/websocket\.[ch]$|/fws_build\.h$')
# shellcheck disable=SC2086
clang-format --dry-run --Werror $written || die "clang-format: run make fmt"

# Data that tests compare byte by byte is left out.
spelt=$(git ls-files -co --exclude-standard | grep -vE '(^|/)(corpus|golden|testdata)/|\.(lock|sum|png|ico)$')
# shellcheck disable=SC2086
codespell $spelt || die "codespell: mend the words above, or add what is right to .codespellrc"

. tools/env.sh
for module in go-bridge caddy-module tests/e2e tests/licences; do
  (cd "$module" && go run "$staticcheck" ./...) || die "staticcheck: $module"
done
say "C, spelling and Go are as they should be"
