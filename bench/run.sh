#!/usr/bin/env bash
# Measures the orchestrator beside a bare Worker that keeps nothing, and beside its peers:
#   run.sh [options]
#     --rounds N        how often each subject is measured in each variant (default 3)
#     --seconds N       how long each load of many at a time lasts (default 10)
#     --runs N          executions of each load of one at a time, at most 15 s of them (default 200)
#     --at-once N       executions at a time (default 32)
#     --only A,B        these variants alone; see bench/lib/variants.mjs
#     --peers[=A,B]     with restate, dbos, mastra, cloudflare: installed from their registries
#     --against DIR     with another build of the orchestrator, in turns: DIR is its build/
#     --build DIR       the build of the orchestrator (default: build/, made with --release)
#     --profile local   build as run.sh and test.sh do: fast to make, slow to run
#     --out DIR         where table.txt, result.json and chart.svg go (default target/bench/result)
#     --ports N         the first of 30 ports (default 9860)
#     --short           that the harness works, and no figures: one round of a few executions
# Subjects take turns, and every figure is of one run on one machine: compare ratios.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
cd "$root"
if [[ ${1:-} == --help ]]; then print_usage "$0" && exit; fi

profile=release
build=build
for ((n = 1; n <= $#; n++)); do
  next=$((n + 1))
  case ${!n} in
    --profile) profile=${!next:?--profile needs a value} ;;
    --build) build="" ;;
    --short) profile=local ;;
  esac
done
scripts/setup-toolchain.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
options=()
if [[ $profile == release ]]; then options=(--release); fi
if [[ -n $build ]]; then scripts/build.sh "${options[@]}" bitware-orchestrator; fi
cargo build --quiet --profile local --package bench-load
exec node --disable-warning=ExperimentalWarning bench/run.mjs "$@"
