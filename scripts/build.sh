#!/usr/bin/env bash
# Builds the Workers to WebAssembly, each into build/ of its own folder:
#   build.sh [--release] [NAME…]     without names: the orchestrator and every folder of workers/
# The local profile compiles fast; --release, which `wrangler deploy` asks for, optimises for size.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
cd "$root"

profile=local
worker_build_args=(--profile local --no-opt)
if [[ ${1:-} == --release ]]; then
  profile=release
  worker_build_args=(--release)
  shift
fi
names=("$@")
if (($# == 0)); then mapfile -t names < <(echo bitware-orchestrator && ls workers); fi

# Every call of cargo names the same packages: it settles on one set of features, and builds once.
packages=("${names[@]/#/--package=}")
# worker-build sets this for its own call of cargo; ours must give the same result.
export WASM_BINDGEN_USE_JS_SYS=1

# Bindings and bundle of one Worker; skipped while wasm, profile and tools are what they were.
bundle() {
  local name=$1 folder=$root stamp
  if [[ $name != bitware-orchestrator ]]; then folder=$root/workers/$name; fi
  stamp="$profile $WASM_BINDGEN_BIN $(sha256sum <"$output/${name//-/_}.wasm")"
  if [[ $(cat "$folder/build/.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
  rm -f "$folder/build/.stamp"
  say "wasm: bundling $name"
  worker-build "${worker_build_args[@]}" "$folder" "${packages[@]}" >"$output/$name.log" 2>&1 ||
    fail "$name could not be bundled: $(cat "$output/$name.log")"
  echo "$stamp" >"$folder/build/.stamp"
}

output=target/wasm32-unknown-unknown/$profile
say "wasm: compiling ${names[*]} ($profile)"
cargo build --lib --profile "$profile" --target wasm32-unknown-unknown "${packages[@]}" ||
  fail "the wasm build failed: see the compiler's message above"
for name in "${names[@]}"; do bundle "$name"; done
if [[ " ${names[*]} " == *" bitware-orchestrator "* ]]; then scripts/assets.sh; fi
say "wasm: ready"
