# shellcheck shell=bash
# Shared by the setup scripts: messages, the cache folder, long steps with a log.
# Sourced, never run. Every script that sources it runs with `set -eu`.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${FWS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/frankenphp-ws}
mkdir -p "$cache"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# sha256: the SHA-256 of what comes in, in hexadecimal.
sha256() { { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-64; }

# step LOG "what it does" command…: runs the command with its output in LOG, says every 15 s how long it
# has been going, and shows the end of LOG when it fails. When the script is ended by a signal, all that the command started ends too.
step() {
  local log=$1 what=$2; shift 2
  local start=$SECONDS pid pause=0.1
  say "$what (log: $log)"
  # With job control the command is a process group of its own, so that it can be ended with its children.
  set -m
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  set +m
  # shellcheck disable=SC2064
  trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM HUP
  while kill -0 "$pid" 2>/dev/null; do
    sleep "$pause"
    pause=1
    if (( (SECONDS - start) % 15 == 0 && SECONDS > start )); then
      printf '    … %ds, %s\n' "$((SECONDS - start))" "$(tail -n 1 "$log" | awk '{ print $NF }' | tail -c 70)" >&2
    fi
  done
  trap - INT TERM HUP
  if ! wait "$pid"; then
    tail -n 30 "$log" >&2
    die "$what failed after $((SECONDS - start)) s; the whole log is $log"
  fi
}

# locked NAME: waits until this script is the only one that holds the lock NAME of the cache; it holds it until it ends.
locked() {
  local lock=$cache/$1.lock holder
  if command -v flock >/dev/null; then
    exec 9>"$lock"
    flock -n 9 || { say "waiting for another build ($lock)"; flock 9; }
    return
  fi
  # Without flock, as on macOS: a folder can be made by one process only. The lock of a process that is gone is taken away.
  while ! mkdir "$lock.d" 2>/dev/null; do
    holder=$(cat "$lock.d/pid" 2>/dev/null || true)
    if [ -z "$holder" ] || kill -0 "$holder" 2>/dev/null; then sleep 1
    # One process at a time looks again and removes it: another could remove the lock that has been taken since.
    elif mkdir "$lock.gone" 2>/dev/null; then
      [ "$(cat "$lock.d/pid" 2>/dev/null || true)" != "$holder" ] || rm -rf "$lock.d"
      rmdir "$lock.gone"
    elif [ -n "$(find "$lock.gone" -prune -mmin +1 2>/dev/null)" ]; then rmdir "$lock.gone" 2>/dev/null || true
    else sleep 0.1
    fi
  done
  echo $$ >"$lock.d/pid"
  # shellcheck disable=SC2064
  trap "rm -rf '$lock.d'" EXIT
}

# as_root command…: runs it as root, directly or through a sudo that asks for no password; 1 if neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 1
  fi
}

# need COMMAND PACKAGE [COMMAND PACKAGE …]: installs the Debian packages of the commands that are missing, or says how to.
need() {
  local missing=()
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -eq 0 ] || need_packages "${missing[@]}"
}

# need_packages PACKAGE…: installs Debian packages, or says how to.
need_packages() {
  local how="install them with your package manager (Debian's names)"
  if command -v apt-get >/dev/null; then
    ! install_packages "$@" || return 0
    how="install with: sudo apt-get install"
  fi
  die "missing tools: $how: $*"
}

# install_packages PACKAGE…: installs Debian packages; fails where that is not possible. All or none.
install_packages() {
  command -v apt-get >/dev/null || return 1
  say "installing $* with apt-get"
  as_root apt-get update >>"$cache/apt.log" 2>&1 </dev/null || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$cache/apt.log" 2>&1 </dev/null
}
