#!/usr/bin/env bash
# Passes the tests: sets up what is missing, then formatting, lints, documentation, host tests, the
# TypeScript client, the wasm build, and the tests that talk to the real stack on ports and state
# folders of their own: by hand-written cases, and by requests that schemathesis makes from the
# OpenAPI document; then the benchmark's harness, whose figures are not judged here.
#
#   ./test.sh               all of it
#   ./test.sh --url URL     only the HTTP suite, against a running orchestrator, with CLIENT_API_KEY
#                           and WORKER_SHARED_SECRET of the environment, else of .dev.vars
#   ./test.sh --help        this text
#
# The last line is `N passed, N failed`, with `, N skipped` where PyPI could not be reached; the
# exit status is 0 when nothing failed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/scripts/lib.sh"
cd "$root"

url=""
while (($#)); do
  case $1 in
    --url) url=${2:?--url needs a value} && shift ;;
    --url=*) url=${1#*=} ;;
    --help) print_usage "$0" && exit ;;
    *) fail "unknown option $1; see ./test.sh --help" ;;
  esac
  shift
done

if [[ -n $url ]]; then
  load_keys
  exec cargo run --quiet --package testkit --bin suite -- --url "$url"
fi

passed=0
failed=0
skipped=0
verdict=ok
log=target/test.log

# What a program says when something that it needs, and that is not ours, cannot be had here.
unavailable=75

# phase NAME PROGRAM…: counts one, or as many as the test programs that cargo ran say.
phase() {
  local name=$1 began=$SECONDS ok bad status=0
  shift
  verdict=ok
  say "$name"
  "$@" 2>&1 | tee "$log" || status=$?
  if ((status == unavailable)); then
    skipped=$((skipped + 1))
    say "$name: skipped"
    return
  fi
  if ((status != 0)); then verdict=failed; fi
  read -r ok bad < <(awk '/^test result:/ { ok += $4; bad += $6 }
    END { print ok + 0, bad + 0 }' "$log")
  if [[ $verdict == failed && $bad == 0 ]]; then bad=1; fi
  if [[ $verdict == ok && $ok == 0 ]]; then ok=1; fi
  passed=$((passed + ok)) failed=$((failed + bad))
  say "$name: $verdict, $((SECONDS - began)) s"
}

mkdir -p target
scripts/setup-toolchain.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
phase "formatting" cargo fmt --all --check
phase "lints" cargo clippy --workspace --all-targets --keep-going -- -D warnings
# Read by those who work on it, so it shows private items, and may link to them.
phase "documentation" env RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
  cargo doc --workspace --no-deps --document-private-items --keep-going
phase "host tests" cargo test --workspace --no-fail-fast
phase "TypeScript client" scripts/clients.sh --check
phase "wasm build" scripts/build.sh
if [[ $verdict == ok ]]; then
  phase "stack tests" env BITWARE_STACK=1 \
    cargo test --package testkit --no-fail-fast --test 'stack_*' -- --test-threads=1
  phase "API fuzzing" scripts/fuzz.sh
  phase "deployment" scripts/deploy-check.sh
  phase "benchmark" bench/run.sh --short
fi
if ((skipped > 0)); then
  echo "$passed passed, $failed failed, $skipped skipped"
else
  echo "$passed passed, $failed failed"
fi
((failed == 0))
