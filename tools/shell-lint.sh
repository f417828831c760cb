#!/usr/bin/env bash
# Checks all shell scripts with shellcheck; .shellcheckrc says how.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
need shellcheck shellcheck
# Scripts are known by their first line, files that are sourced by a directive for shellcheck.
found=$(git ls-files -co --exclude-standard | xargs -r grep -lE -m 1 '^(#!.*(ba)?sh$|# shellcheck shell=)' 2>/dev/null)
# shellcheck disable=SC2086
shellcheck $found
say "$(wc -w <<<"$found") shell scripts are well-formed"
