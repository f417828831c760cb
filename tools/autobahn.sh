#!/usr/bin/env bash
# Prints the path of wstest, the Autobahn test suite 0.8.2, which runs on Python 2.7 only.
#
# 1. $WSTEST, when set.
# 2. One in the cache, made once (under a minute): Python 2.7 from Debian bullseye, unpacked there and not installed, and in it the
#    packages that tests/autobahn/requirements.txt pins.
#
# usage: tools/autobahn.sh
set -eu
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apt.sh"

if [ -n "${WSTEST:-}" ]; then
  command -v "$WSTEST" || die "WSTEST=$WSTEST is not an executable"
  exit
fi

requirements=$top/tests/autobahn/requirements.txt
home=$cache/autobahn-$(cat "$requirements" "$0" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-12)
if [ -e "$home/ready" ]; then echo "$home/wstest"; exit; fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  die "the Autobahn test suite needs Python 2.7, which is taken from Debian's packages: set WSTEST to a wstest 0.8.2 of yours, or SKIP_AUTOBAHN=1"
fi
exec 9>"$cache/autobahn.lock"
if command -v flock >/dev/null; then flock 9; fi
if [ -e "$home/ready" ]; then echo "$home/wstest"; exit; fi

need cc gcc python3 python3
python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
log=$cache/autobahn.log
rm -rf "$home"; mkdir -p "$home/packages" "$home/python"; : >"$log"

# libssl and libffi are those of bullseye, which newer systems do not have; the headers are for packages with parts in C.
python() {
  own_apt "$home/packages" deb "$log" bullseye || return 1
  (cd "$home/packages" && apt-get "${apt_options[@]}" download python2.7 python2.7-minimal libpython2.7-minimal libpython2.7-stdlib \
    libpython2.7-dev libssl1.1 libffi7) || return 1
  local package
  for package in "$home"/packages/*.deb; do dpkg-deb -x "$package" "$home/python" || return 1; done
}
python >>"$log" 2>&1 ||
  { tail -n 20 "$log" >&2
    die "Python 2.7 could not be had from the Debian mirror of this machine's apt sources (suite bullseye): set WSTEST to a wstest 0.8.2 of yours, or SKIP_AUTOBAHN=1"; }
libraries=$(dirname "$(find "$home/python/usr/lib" -name 'libssl.so.1.1')")

environment() {
  export LD_LIBRARY_PATH=$libraries C_INCLUDE_PATH=$home/python/usr/include/python2.7:$home/python/usr/include
  unset PYTHONHOME PYTHONPATH
  python3 -m venv "$home/maker"
  "$home/maker/bin/pip" install virtualenv==20.15.1
  "$home/maker/bin/virtualenv" --python "$home/python/usr/bin/python2.7" "$home/env"
  "$home/env/bin/pip" install --no-deps --requirement "$requirements"
}
step "$log" "installing the Autobahn test suite, once" environment

cat >"$home/wstest" <<SH
#!/bin/sh
export LD_LIBRARY_PATH='$libraries' PYTHONWARNINGS=ignore
exec '$home/env/bin/wstest' "\$@"
SH
chmod +x "$home/wstest"
"$home/wstest" --autobahnversion >>"$log" 2>&1 || { tail -n 20 "$log" >&2; die "the Autobahn test suite does not start; the whole log is $log"; }
rm -rf "$home/packages" "$home/maker"
touch "$home/ready"
echo "$home/wstest"
