# What the scripts share: where things are, how to say things, how to wait. Sourced, never executed.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${BITWARE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bitware-orchestrator}/tools

# Progress goes to standard error, with the seconds since the script began.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The version of a crate in Cargo.lock.
locked_version() {
  awk -v want="name = \"$1\"" '$0 == want { getline; gsub(/version = |"/, ""); print; exit }' \
    "$root/Cargo.lock"
}

# quietly LABEL LOG PROGRAM…: output to LOG, a sign of life each half minute; LOG's end on failure.
quietly() {
  local label=$1 log=$2 outcome=""
  shift 2
  say "$label"
  { "$@" >"$log" 2>&1 </dev/null && echo ok || echo failed; } | {
    until read -rt 30 outcome || (($? <= 128)); do say "… still at it"; done
    [[ $outcome == ok ]]
  } && return
  tail -n 30 "$log" >&2
  return 1
}

# The text that heads a script.
print_usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

# All that the stack needs to start: tools, then the Workers.
prepare() {
  "$root/scripts/setup-toolchain.sh"
  # shellcheck source=scripts/env.sh
  . "$root/scripts/env.sh"
  "$root/scripts/build.sh"
}

# Keys of the environment go before those of .dev.vars.
load_keys() {
  local client=${CLIENT_API_KEY:-} worker=${WORKER_SHARED_SECRET:-}
  # shellcheck source=/dev/null
  if [[ -f $root/.dev.vars ]]; then . "$root/.dev.vars"; fi
  export CLIENT_API_KEY=${client:-${CLIENT_API_KEY:-}}
  export WORKER_SHARED_SECRET=${worker:-${WORKER_SHARED_SECRET:-}}
}
