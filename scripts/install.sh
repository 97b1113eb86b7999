# shellcheck shell=bash
# Installs the release that this commit of the action names. Sourced by run.sh, which says what
# `nothing_to_clean` is; written for bash 3.2, which macOS has.
#
# The version, the address and each archive's SHA-256 stand in release.txt, so that pinning the
# action by commit pins the binary. They are compared on every use, of a copy that is this job's
# own: a tool cache may be shared with jobs that ran anybody's code. No token is sent to anybody.

# fail CODE TEXT: ends the step with an annotation. The clean-up step of a job in which nothing ran
# stays quiet: the main step has told why.
fail() {
  local text=$2
  ! nothing_to_clean || exit 0
  text=${text//\%/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  printf '::error title=stategate::%s\n' "$text" >&2
  exit "$1"
}

need() {
  command -v "$1" > /dev/null 2>&1 || fail 1 "the program $1 is needed to install stategate and is not on the PATH: install it on the runner, or give the input binary-path"
}

# The SHA-256 of a file, by whichever program there is.
sha256() {
  if command -v sha256sum > /dev/null 2>&1; then
    sha256sum < "$1"
  elif command -v shasum > /dev/null 2>&1; then
    shasum -a 256 < "$1"
  else
    openssl dgst -sha256 -r < "$1"
  fi | cut -d ' ' -f 1
}

# install_binary RELEASE TEMP: sets `binary`. An archive is kept in the runner's tool cache, or in the
# job's own directory where the cache cannot be written.
install_binary() {
  find_platform
  read_release "$1"
  command -v sha256sum > /dev/null 2>&1 || command -v shasum > /dev/null 2>&1 || command -v openssl > /dev/null 2>&1 ||
    fail 1 'none of sha256sum, shasum and openssl is on the PATH, so the binary cannot be verified: install one on the runner, or give the input binary-path'
  need tar
  need gzip

  cache=
  [ -z "${RUNNER_TOOL_CACHE:-}" ] || cache=$RUNNER_TOOL_CACHE/stategate/$version/$arch
  own=$2/stategate-bin/$version-$arch
  # shellcheck disable=SC2015 # whichever of the two fails
  mkdir -p "$own" && work=$(mktemp -d "$own/work.XXXXXX") ||
    fail 1 "RUNNER_TEMP cannot be written; see above. Make room on the runner's disk, or let the runner's user write to $2"
  # Every end but exec comes here.
  trap 'rm -rf "$work"' EXIT
  trap 'interrupted' INT TERM

  if ! take_archive "$cache" && ! take_archive "$own"; then
    ! nothing_to_clean || exit 0
    download_archive
    keep_archive "$cache" || keep_archive "$own" || true
  fi
  # shellcheck disable=SC2015 # whichever of the two fails
  tar -xzf "$work/$archive" -C "$work" stategate && mv -f "$work/stategate" "$own/stategate" ||
    fail 1 "the archive $archive is the right one and cannot be unpacked; see above. Is there room on the runner's disk?"
  rm -rf "$work"
  trap - EXIT INT TERM
  # shellcheck disable=SC2034 # run.sh runs it
  binary=$own/stategate
}

find_platform() {
  local system machine
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) arch=x64 machine=x86_64 ;;
    aarch64 | arm64) arch=arm64 machine=aarch64 ;;
    *) fail 2 "there is no stategate for the processor $machine: build it there (cargo build --release) and give the input binary-path" ;;
  esac
  case $system in
    Linux) archive=stategate-$machine-unknown-linux-musl.tar.gz ;;
    Darwin) archive=stategate-$machine-apple-darwin.tar.gz ;;
    MINGW* | MSYS* | CYGWIN* | Windows*) fail 2 'stategate does not run on Windows: run this job on Linux or macOS' ;;
    *) fail 2 "there is no stategate for the system $system: run this job on Linux or macOS" ;;
  esac
}

read_release() {
  local key first second
  version='' address='' expected=''
  [ -r "$1" ] || fail 2 'the action lacks its scripts/release.txt: use it as it was released'
  while read -r key first second; do
    case $key in
      version) version=$first ;;
      download) address=$first ;;
      sha256) [ "$second" != "$archive" ] || expected=$first ;;
    esac
  done < "$1"
  if [ -z "$version" ] || [ -z "$address" ]; then
    fail 2 'this commit of the action is not a release, so it names no binary to download: pin the commit of a release, or give the input binary-path'
  fi
  [ -n "$expected" ] || fail 2 "the release $version has no $archive: run this job on another kind of runner, or give the input binary-path"
}

# take_archive DIRECTORY: copies the archive and says whether the copy is the right one.
take_archive() {
  # Only a file: a pipe would never end, nor would a device.
  { [ -n "$1" ] && [ -f "$1/$archive" ] && cp "$1/$archive" "$work/$archive"; } 2> /dev/null || return 1
  [ "$(sha256 "$work/$archive")" != "$expected" ] || return 0
  printf '::warning title=stategate::%s\n' "the kept archive of stategate $version is not the one that this commit of the action names; it is not used, and replaced. If the runner is shared, find out who changed it" >&2
  return 1
}

# keep_archive DIRECTORY: for the next time. A rename, so that no other job ever sees half of it.
keep_archive() {
  local fresh
  { [ -n "$1" ] && mkdir -p "$1" && fresh=$(mktemp "$1/.$archive.XXXXXX"); } 2> /dev/null || return 1
  if { cp "$work/$archive" "$fresh" && chmod 644 "$fresh" && mv -f "$fresh" "$1/$archive"; } 2> /dev/null; then
    # What the runner's own tools take for a whole entry.
    [ "$1" != "$cache" ] || touch "$1.complete" 2> /dev/null || true
    return 0
  fi
  rm -f "$fresh"
  return 1
}

download_archive() {
  local base=${STATEGATE_DOWNLOAD_BASE_URL:-$address} protocols='=https' url shown status=0 said next found
  base=${base%/}
  case $base in
    *[!A-Za-z0-9._~:/@%+=,-]*) fail 2 'the input download-base-url is not a URL: percent-encode what is neither a letter nor a digit' ;;
    https://?*) ;;
    http://*@*) fail 2 'the input download-base-url must begin with https://' ;;
    # Only for a mirror on the runner itself.
    http://127.0.0.1:* | http://localhost:*) protocols='=http,https' ;;
    *) fail 2 'the input download-base-url must begin with https://' ;;
  esac
  url=$base/v$version/$archive
  # A password in the URL is for the mirror alone, not for the log nor for the process list.
  shown=$url
  case $shown in
    *@*) shown=${shown%%//*}//${shown##*@} ;;
  esac
  need curl
  echo "installing stategate $version from $shown"
  # In the background, so that a cancelled job does not wait for it.
  curl --disable --fail --silent --show-error --location --max-redirs 5 \
    --proto "$protocols" --proto-redir "$protocols" \
    --connect-timeout 20 --speed-limit 1000 --speed-time 30 --max-time 600 --retry 3 \
    --output "$work/$archive" --config - 2> "$work/curl.log" <<CONFIG &
url = "$url"
CONFIG
  child=$!
  wait "$child" || status=$?
  child=
  if [ "$status" != 0 ]; then
    said=$(tr '\n' ' ' < "$work/curl.log")
    case $status:$said in
      22:*" 404"*) next='There is no such release there, or it is not for everybody: from a private repository nothing can be downloaded without a token, so give the input download-base-url (a mirror of the releases) or binary-path' ;;
      22:*) next='The server refuses: try again later, or give the input download-base-url (a mirror of the releases) or binary-path' ;;
      60:* | 77:*) next="Its certificate is not trusted: behind a proxy with a certificate of its own, name the authority's file in CURL_CA_BUNDLE" ;;
      23:*) next="It cannot be written: make room on the runner's disk" ;;
      *) next='Behind a proxy set HTTPS_PROXY; without access give the input download-base-url (a mirror of the releases) or binary-path' ;;
    esac
    fail 1 "stategate $version could not be downloaded from $shown: ${said}Nothing was run. $next"
  fi
  found=$(sha256 "$work/$archive")
  [ "$found" = "$expected" ] ||
    fail 1 "what $shown gave is not the archive that this commit of the action names: its SHA-256 is $found instead of $expected. Nothing was run. Compare the mirror or proxy with the release; if they agree, tell the maintainers (SECURITY.md)"
}

child=
interrupted() {
  [ -z "$child" ] || kill "$child" 2> /dev/null || true
  echo 'cancelled while stategate was installed; nothing was run'
  exit 130
}
