#!/usr/bin/env bash
# Makes the TypeScript types of clients/typescript anew from docs/openapi.json, which is made from
# the models in Rust, and has the compiler check the client and its examples against them.
#
#   scripts/clients.sh           writes them
#   scripts/clients.sh --check   writes nothing: fails where they are not what the document says
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

types=clients/typescript/src/api.d.ts
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

case ${1:-} in
  "" | --check) ;;
  --help) print_usage "$0" && exit ;;
  *) fail "unknown option $1; see scripts/clients.sh --help" ;;
esac

node_modules/.bin/openapi-typescript docs/openapi.json --alphabetize --output "$made/api.d.ts" \
  >"$made/log" 2>&1 || fail "$(cat "$made/log")"
if [[ ${1:-} == --check ]]; then
  diff -u "$types" "$made/api.d.ts" >"$made/diff" || {
    head -40 "$made/diff"
    fail "$types is not what docs/openapi.json says; scripts/clients.sh makes it anew"
  }
else
  cp "$made/api.d.ts" "$types"
fi
node_modules/.bin/tsc --project clients/typescript
