#!/usr/bin/env bash
# Executes SQL in the local D1, also while the stack serves:
#   d1.sh STATE_DIR --command SQL | --file FILE
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
state=$1
shift
exec wrangler d1 execute bitware-orchestration-db --local --persist-to "$state" \
  --config "$root/wrangler.toml" "$@"
