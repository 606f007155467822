#!/usr/bin/env bash
# Builds the wasm32 standard library for the very compiler in use, for machines where rustup cannot
# bring it, and installs it into the compiler's sysroot or, where that is read-only, into a sysroot
# of its own: build-wasm32-std.sh FOLDER
set -euo pipefail

own_sysroot=$1
target=wasm32-unknown-unknown
host=$(rustc -vV | sed -n 's/^host: //p')
release=$(rustc -vV | sed -n 's/^release: //p')
sysroot=$(rustc --print sysroot)
rustc=$(command -v rustc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the folder of the standard library's source, of exactly this compiler's version.
find_source() {
  local folder
  for folder in "$sysroot/lib/rustlib/src/rust" "/usr/src/rustc-$release"; do
    if [[ -f $folder/library/sysroot/Cargo.toml ]]; then echo "$folder/library" && return; fi
  done
  download_source && echo "$work/usr/src/rustc-$release/library"
}

# Debian's package rust-src, from the mirror that this machine is set up with. Apt gets lists and
# sources of its own here, so the system's stay as they are.
download_source() {
  command -v apt-get >/dev/null || { echo "apt-get is missing" >&2 && return 1; }
  mkdir -p "$work/lists/partial" "$work/archives/partial"
  local mirror suite version apt=(
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o "Dir::Etc::SourceList=$work/list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Status=/dev/null
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o APT::Sandbox::User=root
  )
  # shellcheck disable=SC2016 # apt fills these in
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -m 1 '/debian/\?$') || { echo "apt knows no Debian mirror" >&2 && return 1; }
  for suite in trixie-backports trixie testing unstable bookworm-backports; do
    echo "deb $mirror $suite main" >"$work/list"
    apt-get "${apt[@]}" update >&2 || continue
    version=$(apt-cache "${apt[@]}" madison rust-src | awk -v want="$release+" \
      'index($3, want) == 1 { print $3; exit }')
    [[ -n $version ]] || continue
    (cd "$work" && apt-get "${apt[@]}" download "rust-src=$version" >&2) &&
      dpkg -x "$work"/rust-src_*.deb "$work" && return
  done
  echo "no suite of $mirror has rust-src $release" >&2
  return 1
}

build() { # folder of the source
  cd "$1/sysroot"
  CARGO_TARGET_DIR=$work/target RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=wasm \
    RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" \
    cargo build --release --target $target --config 'profile.release.panic="abort"'
}

# A sysroot that borrows all but the new library from the compiler's, and a rustc that uses it.
make_own_sysroot() {
  mkdir -p "$own_sysroot/bin" "$own_sysroot/lib/rustlib"
  ln -sfn "$sysroot/lib/rustlib/$host" "$own_sysroot/lib/rustlib/$host"
  printf '#!/bin/sh\nexec "%s" --sysroot "%s" "$@"\n' "$rustc" "$own_sysroot" \
    >"$own_sysroot/bin/rustc"
  chmod +x "$own_sysroot/bin/rustc"
}

source_dir=$(find_source)
build "$source_dir"
destination=$sysroot
if ! (mkdir -p "$sysroot/lib/rustlib/$target" && [[ -w $sysroot/lib/rustlib/$target ]]) 2>/dev/null
then
  make_own_sysroot
  destination=$own_sysroot
fi
# Whole or not at all: an interrupted copy must not look like a library.
library=$destination/lib/rustlib/$target/lib
rm -rf "$library" "$library.new" && mkdir -p "$library.new"
cp "$work/target/$target/release/deps/"*.rlib "$library.new/"
mv "$library.new" "$library"
echo "installed into $library"
