#!/usr/bin/env bash
# Brings the local D1 of a state folder up to date: migrate.sh [DIR]     (default .wrangler/state)
# Takes no time when the folder of migrations is what it was.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

state=${1:-$root/.wrangler/state}
stamp=$state/.migrated
migrations=$(cd "$root/migrations" && sha256sum -- *.sql) || fail "there are no migrations"
if [[ $(cat "$stamp" 2>/dev/null) == "$migrations" ]]; then exit 0; fi
mkdir -p "$state"
quietly "database: applying migrations" "$state/migrate.log" \
  wrangler d1 migrations apply bitware-orchestration-db --local --persist-to "$state" \
  --config "$root/wrangler.toml" || fail "the local database could not be migrated"
echo "$migrations" >"$stamp"
