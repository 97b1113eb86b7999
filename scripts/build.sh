#!/usr/bin/env bash
# build.sh TARGET [ARGUMENT OF CARGO...]: builds a release's binary, on a machine of the target's own
# kind. With the same Rust, linker and C compiler the same commit is to give the same bytes, wherever it
# is checked out: no path and no time of this machine comes in, but the target directory's below the
# checkout. Written for bash 3.2, which macOS has.
set -euo pipefail

target=$1
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD

hash=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
# The last that fits counts.
remap="--remap-path-prefix=$HOME=~"
remap="$remap --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
remap="$remap --remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$hash"
remap="$remap --remap-path-prefix=$here=."
flags="-ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}=/cargo -ffile-prefix-map=$here=."

case $target in
  *-linux-musl)
    # AWS-LC asks for the kernel's headers, which musl-gcc does not look for by itself.
    kernel=$here/target/kernel-headers
    mkdir -p "$kernel"
    asm=/usr/include/$(uname -m)-linux-gnu/asm
    [ -d "$asm" ] || asm=/usr/include/asm
    ln -sfn /usr/include/linux "$kernel/linux"
    ln -sfn /usr/include/asm-generic "$kernel/asm-generic"
    ln -sfn "$asm" "$kernel/asm"
    export TARGET_CC=musl-gcc
    flags="$flags -isystem $kernel"
    # Half a megabyte less: the addresses to relocate as a bitmap, and of equal functions only one,
    # which the linker that comes with Rust can do.
    host=$(rustc --version --verbose | sed -n 's/^host: //p')
    remap="$remap -Clink-arg=-fuse-ld=lld -Clink-arg=-B$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld"
    remap="$remap -Clink-arg=-Wl,-z,pack-relative-relocs,--icf=all"
    ;;
  *-apple-darwin) export MACOSX_DEPLOYMENT_TARGET=13.0 ;;
  *) echo "build.sh: no release is built for $target" >&2 && exit 2 ;;
esac

unset CARGO_ENCODED_RUSTFLAGS # it would count instead of ours
export RUSTFLAGS=$remap CFLAGS=$flags
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
exec cargo build --release --locked --bin stategate --target "$target" "$@"
