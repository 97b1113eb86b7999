#!/usr/bin/env bash
# Finds the binary and becomes it. Nothing may stay between the runner and the binary: a signal
# reaches the entry process only.
set -euo pipefail

here=${BASH_SOURCE[0]%/*}
# shellcheck source=scripts/install.sh
. "$here/install.sh"

temp=${RUNNER_TEMP:-${TMPDIR:-/tmp}}
command=${1:-}

# Whether stategate began its work in this job: it leaves a footprint before it asks for a lock.
began() {
  local footprint
  for footprint in "$temp"/stategate/*.json; do
    [ ! -e "$footprint" ] || return 0
  done
  return 1
}

nothing_to_clean() {
  [ "$command" = release ] && ! began
}

# Before anything is run: a relative binary-path would be the pull request's own program.
if [ "${GITHUB_EVENT_NAME:-}" = pull_request_target ]; then
  fail 2 'pull_request_target is refused: it would run the pull request'\''s code with write access and secrets. Use the event pull_request'
fi

binary=${STATEGATE_BINARY_PATH:-}
if [ -n "$binary" ]; then
  # Never an option of exec's, nor a program from the PATH.
  case $binary in
    /*) ;;
    *) binary=./$binary ;;
  esac
  if [ ! -f "$binary" ] || [ ! -x "$binary" ]; then
    fail 2 "the input binary-path does not name an executable file: $binary"
  fi
else
  # A directory that everybody can write to is no place for what is run.
  [ -n "${RUNNER_TEMP:-}" ] || fail 2 'RUNNER_TEMP is not set, so there is no directory for the binary: run the action in a job of GitHub Actions, or give the input binary-path'
  install_binary "$here/release.txt" "$RUNNER_TEMP"
fi

# It may hold a password, and Terraform's providers need not know it.
unset STATEGATE_DOWNLOAD_BASE_URL
# Where it cannot be started, bash goes on, and says why.
shopt -s execfail
exec "$binary" "$@" || true
if [ -n "${STATEGATE_BINARY_PATH:-}" ]; then
  fail 2 "the input binary-path names $binary, which cannot be started here; see above. Is it for this system and processor?"
fi
fail 1 "$binary cannot be started; see above. Is RUNNER_TEMP on a file system that is mounted with noexec? Then give the input binary-path"
