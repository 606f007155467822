#!/usr/bin/env bash
# What can be known of a deployment without an account: `wrangler deploy --dry-run` of the
# orchestrator in every environment and of each worker in one, with the bundles of the local build,
# and whether the commands in docs/deploy.md are such as the pinned wrangler knows.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
cd "$root"

work=$root/target/deploy-check
rm -rf "$work" && mkdir -p "$work/help"

# A wrangler.toml elsewhere, without its [build]: the bundle is there, and a release takes minutes.
without_build() { # config
  local folder
  folder=$root/$(dirname "$1")
  awk -v folder="$folder" '
    /^\[/ { building = $0 == "[build]" }
    building { next }
    /^main = / { sub(/"/, "\"" folder "/") }
    /^directory = / { sub(/"/, "\"" folder "/") }
    { print }' "$1"
}

dry_run() { # config environment
  local name log
  name=${1%/wrangler.toml}
  name=${name##*/}-$2
  log=$work/$name.log
  without_build "$1" >"$work/$name.toml"
  wrangler deploy --dry-run --config "$work/$name.toml" --env "$2" --outdir "$work/$name" \
    >"$log" 2>&1 </dev/null || return 1
  # A field that nobody knows, such as a binding that is misspelt, is no more than a warning.
  ! grep -qi 'unexpected fields' "$log"
}

help_of() { # subcommand
  local file=$work/help/${1// /_}
  [[ -s $file ]] || wrangler $1 --help >"$file" 2>/dev/null </dev/null
  cat "$file"
}

# The words after `wrangler` up to the first option or argument: as many as wrangler knows.
subcommand() { # word…
  local known="" word
  for word in "$@"; do
    if ! grep -qE "^wrangler ($known$word)( |$)" <<<"$all_commands"; then break; fi
    known+="$word "
  done
  echo "${known% }"
}

check_line() { # line
  local words known word text
  read -ra words <<<"${1#wrangler }"
  known=$(subcommand "${words[@]}")
  [[ -n $known ]] || { echo "wrangler has no such command: $1" && return 1; }
  text=$(help_of "$known")
  for word in "${words[@]}"; do
    [[ $word == --* ]] || continue
    grep -qE -- "(^|[ ,])${word%%=*}([ ,]|$)" <<<"$text" ||
      { echo "wrangler $known has no option $word: $1" && return 1; }
  done
}

failed=0
begin() { # config environment: two at a time
  dry_run "$1" "$2" || touch "$work/failed-${1//\//_}-$2" &
  if (($(jobs -rp | wc -l) >= 2)); then wait -n; fi
}
for environment in development staging production enterprise; do
  begin wrangler.toml $environment
done
for config in workers/*/wrangler.toml; do
  # It serves the local stack alone.
  if [[ $config != workers/sample-feeds/* ]]; then begin "$config" production; fi
done
wait
for file in "$work"/failed-*; do
  [[ -e $file ]] || continue
  failed=1
  say "dry run failed: ${file##*/failed-}"
done
if ((failed)); then tail -n 20 "$work"/*.log && exit 1; fi
say "dry runs: $(find "$work" -name '*.toml' | wc -l)"

mapfile -t lines < <(sed -n '/^```sh/,/^```/p' docs/deploy.md | grep -oE 'wrangler [a-z].*' |
  sed -E 's/ *#.*//; s/ *; *$//' | sort -u)
((${#lines[@]} >= 20)) || fail "docs/deploy.md has only ${#lines[@]} wrangler commands"
# What wrangler knows, one command a line: each group's help lists its own.
all_commands=$(for group in "" d1 "d1 migrations" "d1 time-travel" r2 "r2 bucket" queues secret \
  versions deployments; do
  # shellcheck disable=SC2086
  wrangler $group --help 2>/dev/null </dev/null | grep -oE '^ *wrangler( [a-z0-9-]+)+' |
    sed 's/^ *//'
done)
for line in "${lines[@]}"; do check_line "$line" || failed=1; done
if ((failed)); then fail "docs/deploy.md says what wrangler does not know"; fi
say "docs/deploy.md: ${#lines[@]} wrangler commands are known"
