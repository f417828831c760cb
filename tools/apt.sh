# shellcheck shell=bash
# Source packages of Debian and Ubuntu, from the machine's own mirror: any suite, also those that the machine does not use.
# The lists of the machine are left as they are. Sourced by the scripts beside it, after lib.sh.

# machine_repositories LOG: a line "URI SUITE VENDOR" for each repository of Debian or Ubuntu that apt uses here.
machine_repositories() {
  local found
  # shellcheck disable=SC2016
  local query=(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages')
  found=$("${query[@]}" 2>>"$1" | sort -u)
  if [ -z "$found" ]; then
    # Images for containers come without lists.
    as_root apt-get update >>"$1" 2>&1 || true
    found=$("${query[@]}" 2>>"$1" | sort -u)
  fi
  grep -E ' (Debian|Ubuntu)$' <<<"$found" || true
}

# suites_of VENDOR: the suites of the main repository that may have a source package. One that does not exist does no harm.
suites_of() {
  case $1 in
    Debian) echo oldoldstable oldstable oldstable-updates stable stable-updates testing unstable experimental ;;
    Ubuntu) local name
      for name in jammy noble plucky questing resolute devel; do echo "$name $name-updates $name-security"; done ;;
  esac
}

# sources_line TYPE VENDOR URI SUITE
sources_line() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg components=main signed=
  if [ "$2" = Ubuntu ]; then keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg components="main universe"; fi
  [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
  echo "$1 $signed$3 $4 $components"
}

# own_suites_lines TYPE REPOSITORIES: sources lines of the suites that the machine uses.
own_suites_lines() {
  local uri suite vendor
  while read -r uri suite vendor; do
    [ -z "$vendor" ] || sources_line "$1" "$vendor" "$uri" "$suite"
  done <<<"$2"
}

# all_suites_lines TYPE REPOSITORIES [SUITE…]: sources lines of these suites, or of all; Debian's security suites have a repository of
# their own, which is guessed where the machine does not name it.
all_suites_lines() {
  local type=$1 repositories=$2 uri suite vendor suites
  shift 2
  while read -r uri suite vendor; do
    [ -n "$vendor" ] || continue
    case $uri in *security*) continue ;; esac
    suites=${*:-$(suites_of "$vendor")}
    for suite in $suites; do sources_line "$type" "$vendor" "$uri" "$suite"; done
    if [ "$vendor" = Debian ] && [ $# = 0 ]; then
      uri=$(security_uri "$uri" "$repositories")
      for suite in oldstable stable testing; do sources_line "$type" Debian "$uri" "$suite-security"; done
    fi
  done <<<"$repositories"
}

# security_uri URI REPOSITORIES: the repository of Debian's security suites that belongs to the main one at URI.
security_uri() {
  local main=${1%/} own
  own=$(awk '/security/ { print $1; exit }' <<<"$2")
  echo "${own:-$main-security/}"
}

# own_apt FOLDER TYPE LOG [SUITE…]: makes apt lists in FOLDER, of TYPE deb or deb-src, of these suites or of all that there are, and sets
# apt_options to what makes apt use them. A suite that cannot be read is left out; fails when there is none at all.
own_apt() {
  local folder=$1 type=$2 log=$3 repositories
  shift 3
  command -v apt-get >/dev/null || return 1
  mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
  repositories=$(machine_repositories "$log")
  { [ $# != 0 ] || own_suites_lines "$type" "$repositories"
    all_suites_lines "$type" "$repositories" "$@"; } | awk '!seen[$0]++' >"$folder/apt/sources.list"
  [ -s "$folder/apt/sources.list" ] || return 1
  apt_options=(-o "Dir::Etc::SourceList=$folder/apt/sources.list" -o Dir::Etc::SourceParts=/nonexistent
    -o "Dir::State=$folder/apt/state" -o "Dir::Cache=$folder/apt/cache")
  [ "$(id -u)" != 0 ] || apt_options+=(-o APT::Sandbox::User=root)
  # It fails for one suite that is missing, and has read the others.
  apt-get "${apt_options[@]}" update >>"$log" 2>&1 || true
}

# source_versions PACKAGE…: a line "UPSTREAM-VERSION PACKAGE VERSION" for each version of each source package in own_apt's lists, the
# newest first. Versions before a release (~rc1) are left out.
source_versions() {
  local package
  for package in "$@"; do
    apt-cache "${apt_options[@]}" showsrc --only-source "$package" 2>/dev/null || true
  done | awk '
    $1 == "Package:" { package = $2 }
    $1 == "Version:" {
      upstream = $2; sub(/^[0-9]+:/, "", upstream); sub(/-[^-]*$/, "", upstream)
      if (upstream !~ /~/) print upstream, package, $2
    }' | sort -u | sort -k 1,1Vr -k 3,3Vr
}

# fetch_tarball PACKAGE VERSION FOLDER LOG: downloads the upstream tarball of a source package into FOLDER; apt checks it. Prints the
# reason when that fails.
fetch_tarball() {
  local said
  if said=$(cd "$3" && apt-get "${apt_options[@]}" source --download-only --tar-only "$1=$2" 2>&1); then
    echo "$said" >>"$4"
  else
    echo "$said" >>"$4"
    said=$(grep -E '^E: |[45][0-9][0-9] ' <<<"$said" | head -n 1 | sed -E 's/^E: (Failed to fetch [^ ]+ +)?//; s/^ +//; s/ +\[IP:.*//; s/  +/ /g')
    echo "${said:-apt-get source failed}"
    return 1
  fi
}
