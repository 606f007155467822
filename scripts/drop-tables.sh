#!/usr/bin/env bash
# For development: drops named tables after asking: drop-tables.sh [--state DIR | --env NAME] TABLE…
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
exec node "$root/scripts/drop-tables.mjs" "$@"
