#!/usr/bin/env bash
# Checks a running orchestrator within a minute: health, templates, a basic pipeline, its status.
#
#   ./verify.sh [URL]     (default http://127.0.0.1:8787, where ./run.sh serves)
#
# The key is CLIENT_API_KEY of the environment, else that of .dev.vars.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/scripts/env.sh"

case ${1:-} in --help) print_usage "$0" && exit ;; -*) fail "unknown option $1; see --help" ;; esac
command -v node >/dev/null || "$root/scripts/setup-toolchain.sh"
load_keys
exec node "$root/scripts/verify.mjs" "${1:-http://127.0.0.1:8787}"
