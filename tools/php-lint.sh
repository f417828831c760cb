#!/usr/bin/env bash
# Checks the syntax of all PHP files.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$top"
php=$("$top/tools/php.sh" --binary)
count=0
while IFS= read -r -d '' file; do
  "$php" -l "$file" >/dev/null || die "$file"
  count=$((count + 1))
done < <(find php examples tests caddy-module -name '*.php' -print0)
[ "$count" -gt 0 ] || die "no PHP file was found"
say "$count PHP files are well-formed"
