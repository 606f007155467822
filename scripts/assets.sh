#!/usr/bin/env bash
# Copies the scripts and styles of /docs and /redoc from their npm packages into build/assets, where
# wrangler.toml has them uploaded from. Takes no time when they are there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

target=build/assets
stamp=$(sha256sum package-lock.json "$0")
if [[ $(cat build/.assets 2>/dev/null) == "$stamp" ]]; then exit 0; fi
rm -rf "$target" build/.assets
mkdir -p "$target"
cp node_modules/swagger-ui-dist/swagger-ui.css node_modules/swagger-ui-dist/swagger-ui-bundle.js \
  node_modules/redoc/bundles/redoc.standalone.js "$target"
cp node_modules/swagger-ui-dist/LICENSE "$target/swagger-ui.LICENSE"
cp node_modules/redoc/LICENSE "$target/redoc.LICENSE"
cp node_modules/redoc/bundles/redoc.standalone.js.LICENSE.txt "$target"
# Redoc shows its maker's logo from another host, which the page's policy forbids.
logo='https://cdn.redoc.ly/redoc/logo-mini.svg'
empty='data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E'
grep -qF "$logo" "$target/redoc.standalone.js" || fail "Redoc's logo is not where it was"
sed -i "s#$logo#$empty#; /^\/\/# sourceMappingURL=/d" "$target/redoc.standalone.js"
sed -i '/^\/\/# sourceMappingURL=/d; /^\/\*# sourceMappingURL=/d' "$target"/swagger-ui*
echo "$stamp" >build/.assets
