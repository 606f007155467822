#!/usr/bin/env bash
# Starts the local stack, which must be built: stack.sh [options of stack.mjs]
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
exec node "$root/scripts/stack.mjs" "$@"
