# Shared by the setup scripts: messages, the cache folder, long steps with a log.
# Sourced, never run. Every script that sources it runs with `set -eu`.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${FWS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/frankenphp-ws}
mkdir -p "$cache"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# step LOG "what it does" command…: runs the command with its output in LOG, says every 15 s how long it
# has been going, and shows the end of LOG when it fails.
step() {
  local log=$1 what=$2; shift 2
  local start=$SECONDS pid
  say "$what (log: $log)"
  "$@" >>"$log" 2>&1 &
  pid=$!
  trap 'kill "$pid" 2>/dev/null || true' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    if (( (SECONDS - start) % 15 == 0 && SECONDS > start )); then
      printf '    … %ds, %s\n' "$((SECONDS - start))" "$(tail -n 1 "$log" | awk '{ print $NF }' | tail -c 70)" >&2
    fi
  done
  trap - INT TERM
  if ! wait "$pid"; then
    tail -n 30 "$log" >&2
    die "$what failed after $((SECONDS - start)) s; the whole log is $log"
  fi
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
  if command -v apt-get >/dev/null; then
    say "installing $* with apt-get"
    if as_root apt-get update >>"$cache/apt.log" 2>&1 &&
       as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$cache/apt.log" 2>&1; then
      return 0
    fi
    die "missing: $*. Install with: sudo apt-get install $*"
  fi
  die "missing tools, install them with your package manager (Debian names): $*"
}

# own_apt FOLDER TYPE DEBIAN-SUITES UBUNTU-SUITES LOG: makes apt lists of these suites in FOLDER, from the machine's own mirror, and sets
# apt_options to what makes apt-get use them. The machine's lists are left as they are. TYPE is deb or deb-src; suites may be empty.
own_apt() {
  local folder=$1 type=$2 debian=$3 ubuntu=$4 log=$5 repos uri origin suite
  command -v apt-get >/dev/null || return 1
  mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
  # shellcheck disable=SC2016
  local query=(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages')
  repos=$("${query[@]}" | sort -u)
  if [ -z "$repos" ]; then
    as_root apt-get update >>"$log" 2>&1 || true
    repos=$("${query[@]}" | sort -u)
  fi
  while read -r uri origin; do
    case $uri/$origin in
      *security*) ;;
      */Debian) for suite in $debian; do
        echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"; done ;;
      */Ubuntu) for suite in $ubuntu; do
        echo "$type [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] $uri $suite main universe"; done ;;
    esac
  done <<<"$repos" | sort -u >"$folder/apt/sources.list"
  [ -s "$folder/apt/sources.list" ] || return 1
  apt_options=(-o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=/nonexistent
    -o "Dir::State=$folder/apt/state" -o "Dir::Cache=$folder/apt/cache")
  [ "$(id -u)" != 0 ] || apt_options+=(-o APT::Sandbox::User=root)
  apt-get "${apt_options[@]}" update >>"$log" 2>&1
}

# fetch_source PACKAGE FOLDER LOG: downloads the Debian or Ubuntu source package, verified by apt, into FOLDER. The suites are those
# that have PHP 8.4 and PHP-Parser 5.
fetch_source() {
  own_apt "$2" deb-src "trixie trixie-updates" "questing questing-updates" "$3" || return 1
  (cd "$2" && apt-get "${apt_options[@]}" source --download-only "$1") >>"$3" 2>&1
}
