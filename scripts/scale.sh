#!/usr/bin/env bash
# Measures history, insights and administration over a million executions; see scale.mjs:
#   scale.sh STATE [--executions N] [--port P] [--rounds N] [--days N]
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
exec node --disable-warning=ExperimentalWarning "$root/scripts/scale.mjs" "$@"
