# Puts the project's own tools first and keeps them quiet and offline. Source it: `. scripts/env.sh`
# shellcheck shell=bash

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PATH="$root/node_modules/.bin:$tools/worker-build-$(locked_version worker)/bin:$PATH"
export PATH

# worker-build looks for its helpers here, never on PATH.
WASM_BINDGEN_BIN="$tools/wasm-bindgen-cli-$(locked_version wasm-bindgen)/bin/wasm-bindgen"
export WASM_BINDGEN_BIN
export WASM_OPT_BIN="$root/node_modules/.bin/wasm-opt"
export ESBUILD_BIN="$root/node_modules/.bin/esbuild"

# A compiler whose own folder could not be written to has its wasm32 library in a sysroot beside it.
rustc_version=$(rustc --version 2>/dev/null || echo none)
wasm32_sysroot=$tools/sysroot-${rustc_version//[^[:alnum:].]/-}
if [[ -x $wasm32_sysroot/bin/rustc ]]; then
  export PATH="$wasm32_sysroot/bin:$PATH" RUSTC="$wasm32_sysroot/bin/rustc"
fi

export CLOUDFLARE_CF_FETCH_ENABLED=false WRANGLER_SEND_METRICS=false
export WRANGLER_SEND_ERROR_REPORTS=false WRANGLER_HIDE_BANNER=true WRANGLER_WRITE_LOGS=false
export WRANGLER_LOG_SANITIZE=true CI=1
