#!/usr/bin/env bash
# Talks to the server in echo.c: a message comes back, whether it comes behind the request at once or later; what is no handshake is refused.
#
# usage: echo.sh PROGRAM
set -eu
exec 3< <("$1" & echo $!; wait)
read -r pid <&3
trap 'kill "$pid"' EXIT
read -r url <&3
port=${url##*:}

# request HEAD MESSAGE: sends both at once; the connection is descriptor 4.
request() {
  exec 4<>"/dev/tcp/127.0.0.1/$port"
  printf '%b' "$1$2" >&4
}

# head_is STATUS: reads the head of the answer.
head_is() {
  local line status
  read -r status <&4
  case $status in "HTTP/1.1 $1 "*) ;; *) echo "wanted $1, got $status" >&2; exit 1 ;; esac
  while read -r line <&4; do [ "$line" != $'\r' ] || return 0; done
}

# comes BYTES: reads them, in hexadecimal.
comes() {
  local got
  got=$(head -c $((${#1} / 2)) <&4 | od -An -tx1 | tr -d ' \n')
  [ "$got" = "$1" ] || { echo "wanted $1, got $got" >&2; exit 1; }
}

get='GET / HTTP/1.1\r\nHost: h\r\n'
upgrade='Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
request "$get$upgrade" '\x81\x82\0\0\0\0hi'
head_is 101
comes 81026869
printf '\x82\x83\x01\x02\x03\x04abc' >&4
comes 8203606060
printf '\x88\x82\0\0\0\0\x03\xe8' >&4
comes 880203e8
request "$get\r\n" ''
head_is 426
request "$get" ''
exec 4>&-
request "$get$upgrade" '\x81\x81\0\0\0\0x'
head_is 101
comes 810178
