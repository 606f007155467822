#!/usr/bin/env bash
# Brings a database up to date, and shows what it holds then:
#   migrate.sh [DIR]              the local D1 of a state folder (default .wrangler/state); says
#                                 nothing when the folder of migrations is what it was
#   migrate.sh --env NAME         the deployed D1 of an environment
#   migrate.sh --status [DIR]     which migrations are applied; also --status --env NAME
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

options=()
if [[ ${1:-} == --help ]]; then print_usage "$0" && exit; fi
if [[ ${1:-} == --status ]]; then options+=(--status) && shift; fi
if [[ ${1:-} == --env ]]; then
  exec node "$root/scripts/migrate.mjs" "${options[@]}" --env "${2:?--env needs a name}"
fi
state=${1:-$root/.wrangler/state}
if ((${#options[@]})); then exec node "$root/scripts/migrate.mjs" --status --state "$state"; fi
stamp=$state/.migrated
migrations=$(cd "$root/migrations" && sha256sum -- *.sql) || fail "there are no migrations"
if [[ $(cat "$stamp" 2>/dev/null) == "$migrations" ]]; then exit 0; fi
mkdir -p "$state"
node "$root/scripts/migrate.mjs" --state "$state" || fail "the local database is not migrated"
echo "$migrations" >"$stamp"
