#!/usr/bin/env bash
# Makes the keys of local development: .dev.vars, which git ignores, gets a random value for each
# name that it lacks. Lines are NAME=value, so a shell can source the file.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

file=$root/.dev.vars
umask 077
touch "$file"
for name in CLIENT_API_KEY WORKER_SHARED_SECRET SECRET_KEY; do
  if grep -q "^$name=" "$file"; then continue; fi
  line=$name=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  echo "$line" >>"$file"
  say "new key in .dev.vars: $line"
done
