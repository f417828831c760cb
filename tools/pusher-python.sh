#!/usr/bin/env bash
# Prints the folder of PyPI's pusher and Pysher, for PYTHONPATH. They are fetched into the cache, once for each version of Python.
set -eu
. "$(dirname "$0")/lib.sh"

wanted=$top/tests/e2e/pusher/requirements.txt
need python3 python3
mark=$( (cat "$wanted"; python3 --version) | sha256 | cut -c 1-12)
folder=$cache/pusher-python-$mark
if [ ! -d "$folder" ]; then
  python3 -m pip --version >/dev/null 2>&1 || need_packages python3-pip
  locked pusher-python
  if [ ! -d "$folder" ]; then
    work=$(mktemp -d "$cache/pusher-python.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    step "$cache/pusher-python.log" "fetching pusher and Pysher for Python" \
      python3 -m pip install --no-input --disable-pip-version-check --use-pep517 --target "$work" --requirement "$wanted"
    chmod 755 "$work"
    mv "$work" "$folder"
  fi
fi
echo "$folder"
