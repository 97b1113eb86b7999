#!/usr/bin/env bash
# package.sh VERSION ADDRESS BINARIES OUT: packs the binaries (stategate-<target>) of a release, the
# same bytes from the same binaries every time, with SHA256SUMS, and with the release.txt that the
# action's commit will carry. ADDRESS is what all releases are below.
set -euo pipefail

version=$1 address=$2 binaries=$3 out=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
epoch=${SOURCE_DATE_EPOCH:?the time of the commit, which the files in the archives get}

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/../LICENSE-MIT" "$here/../LICENSE-APACHE" "$work/"
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin; do
  cp "$binaries/stategate-$target" "$work/stategate"
  chmod 755 "$work/stategate"
  chmod 644 "$work"/LICENSE-*
  tar --create --format=ustar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
    --directory="$work" LICENSE-APACHE LICENSE-MIT stategate | gzip --no-name --best > "$out/stategate-$target.tar.gz"
done

(cd "$out" && sha256sum stategate-*.tar.gz) > "$out/SHA256SUMS"
{
  grep '^#' "$here/release.txt"
  echo "version $version"
  echo "download $address"
  while read -r sum archive; do
    echo "sha256 $sum $archive"
  done < "$out/SHA256SUMS"
} > "$out/release.txt"
