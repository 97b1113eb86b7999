#!/usr/bin/env bash
# Finds the binary and becomes it. Nothing may stay between the runner and the binary: a signal
# reaches the entry process only.
set -euo pipefail

fail() {
  printf '::error title=stategate::%s\n' "$1" >&2
  exit 2
}

binary=${STATEGATE_BINARY_PATH:-}
[ -n "$binary" ] || fail 'no binary: give its path in the input binary-path'
case $binary in
  */*) ;;
  *) binary=./$binary ;;
esac
[ -x "$binary" ] || fail 'the input binary-path does not name an executable file'

exec "$binary" "$@"
