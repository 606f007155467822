#!/usr/bin/env bash
# Backs a D1 database up to files of this machine, checks such files, and restores them.
#
#   backup.sh make [--schema-only] [--out DIR] WHERE     prints the file's name (DIR: backups/)
#   backup.sh check FILE                                 is it whole, and does it load?
#   backup.sh restore FILE [--overwrite] WHERE           into an empty database
#
# WHERE is --local DIR (a state folder, default .wrangler/state; stop the stack first) or
# --remote --env NAME (development, staging, production, enterprise; `wrangler login` first).
# A backup is FILE.sql and FILE.sql.json: its time, checksum and the rows of each table. Both appear
# whole or not at all. `restore` refuses a database that holds anything unless told --overwrite,
# which drops what is there, and compares the rows of each table afterwards.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
if (($# == 0)) || [[ $1 == --help ]]; then print_usage "$0" && exit; fi
exec node --disable-warning=ExperimentalWarning "$root/scripts/backup.mjs" "$@"
