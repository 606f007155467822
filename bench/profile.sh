#!/usr/bin/env bash
# Where the CPU time of an execution goes, by the runtime's own sampling profiler:
#   profile.sh [--variant NAME] [--runs N] [--at-once N] [--build DIR] [--ports N] [--top N]
# Builds nothing: the build/ that is there is looked at. Functions of a build whose names were kept
# (the profile `local`) are told by name. The profile lands in target/bench/orchestrator.cpuprofile.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/../scripts/env.sh"
cd "$root"
if [[ ${1:-} == --help ]]; then print_usage "$0" && exit; fi
exec node --disable-warning=ExperimentalWarning bench/profile.mjs "$@"
