#!/usr/bin/env bash
# What an execution costs on the platform: counts what the platform bills for executions of each
# variant, and prices it by bench/prices.json, beside three peers by their own published units:
#   cost.sh [--runs N] [--at-once N] [--only A,B] [--build DIR] [--profile local] [--out DIR]
#           [--ports N]
# Without --at-once, one execution after the other: nothing is batched, the most that one costs.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
cd "$root"
if [[ ${1:-} == --help ]]; then print_usage "$0" && exit; fi

scripts/setup-toolchain.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
case " $* " in
  *" --build "*) ;;
  *" --profile local "*) scripts/build.sh bitware-orchestrator ;;
  *) scripts/build.sh --release bitware-orchestrator ;;
esac
cargo build --quiet --profile local --package bench-load
exec node --disable-warning=ExperimentalWarning bench/cost.mjs "$@"
