#!/usr/bin/env bash
# Prints the folder of npm's pusher-js and laravel-echo, for the pages of the examples. They are fetched into the cache, once.
set -eu
. "$(dirname "$0")/lib.sh"

wanted=(pusher-js@8.6.0 laravel-echo@2.5.0)
mark=$(sha256 <<<"${wanted[*]}" | cut -c 1-12)
folder=$cache/js-$mark
if [ ! -d "$folder" ]; then
  need npm npm
  locked js
  if [ ! -d "$folder" ]; then
    work=$(mktemp -d "$cache/js.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    step "$cache/js.log" "fetching ${wanted[*]}" npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --legacy-peer-deps "${wanted[@]}"
    chmod 755 "$work"
    mv "$work" "$folder"
  fi
fi
echo "$folder/node_modules"
