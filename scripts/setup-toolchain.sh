#!/usr/bin/env bash
# Brings whatever the build and the local stack need and the machine lacks. Safe to repeat: under a
# second when nothing is missing. Tools go to a cache of the user's, never into the system.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

target=wasm32-unknown-unknown
rustup_timeout_s=120

have_wasm32_std() {
  compgen -G "$(rustc --print target-libdir --target $target)/libcore-*.rlib" >/dev/null
}

have_node_packages() {
  [[ -x $root/node_modules/.bin/wrangler && -x $root/node_modules/.bin/workerd ]] &&
    cmp -s "$root/package-lock.json" "$root/node_modules/.installed-lock.json"
}

have_crate() { [[ -x $tools/$1-$2/bin/$3 ]]; }

have_worker_build() { have_crate worker-build "$(locked_version worker)" worker-build; }

have_wasm_bindgen() {
  have_crate wasm-bindgen-cli "$(locked_version wasm-bindgen)" wasm-bindgen
}

bring_wasm32_std() {
  if command -v rustup >/dev/null &&
    quietly "wasm32 standard library: asking rustup" "$tools/rustup.log" \
      timeout "$rustup_timeout_s" rustup target add "$target" && have_wasm32_std; then
    return
  fi
  quietly "wasm32 standard library: building it from the compiler's source, about a minute" \
    "$tools/wasm32-std.log" "$root/scripts/build-wasm32-std.sh" "$wasm32_sysroot" ||
    fail "no wasm32 standard library for $(rustc --version): neither rustup nor Debian's rust-src" \
      "could bring it. Install the target $target for this compiler and try again."
  # shellcheck source=scripts/env.sh
  . "$root/scripts/env.sh"
}

bring_crate() { # name version
  quietly "$1 $2: compiling, two to five minutes" "$tools/$1.log" \
    cargo install "$1" --version "=$2" --root "$tools/$1-$2" ||
    fail "$1 $2 could not be installed (the whole log: $tools/$1.log)"
}

bring_node_packages() {
  command -v npm >/dev/null || fail "npm is missing: install any Node.js from version 18 on"
  quietly "Node, wrangler, esbuild and binaryen: npm ci" "$tools/npm.log" \
    npm ci --prefix "$root" --no-audit --no-fund --loglevel=error ||
    fail "npm ci failed (the whole log: $tools/npm.log)"
  "$root/node_modules/.bin/node" --version >/dev/null ||
    fail "the Node.js that npm brought does not start: npm must be allowed install scripts"
  cp "$root/package-lock.json" "$root/node_modules/.installed-lock.json"
}

bring_what_is_missing() {
  have_wasm32_std || bring_wasm32_std
  have_node_packages || bring_node_packages
  have_worker_build || bring_crate worker-build "$(locked_version worker)"
  have_wasm_bindgen || bring_crate wasm-bindgen-cli "$(locked_version wasm-bindgen)"
}

for tool in rustc cargo awk; do
  command -v $tool >/dev/null || fail "$tool is missing; Rust comes from https://rustup.rs"
done
if have_wasm32_std && have_node_packages && have_worker_build && have_wasm_bindgen; then exit 0; fi

mkdir -p "$tools" || fail "the cache $tools cannot be written to; name another with BITWARE_CACHE"
exec 9>"$tools/.lock"
if command -v flock >/dev/null; then
  flock -n 9 || { say "waiting for another set-up to finish" && flock 9; }
fi
bring_what_is_missing
say "the toolchain is complete"
