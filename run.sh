#!/usr/bin/env bash
# Runs the RSS intelligence pipeline on this machine: sets up what is missing, builds, starts the
# orchestrator and its workers on workerd, turns a topic into a report, and keeps serving.
#
#   ./run.sh [--topic TEXT] [--once | --serve] [--port N] [--state DIR] [--reset]
#
#   --topic TEXT   what the report is about (default: artificial intelligence)
#   --once         stop after the pipeline; the exit status tells whether it completed
#   --serve        no pipeline; prints `ready http://127.0.0.1:<port>` when requests are answered
#   --port N       where the orchestrator answers (default 8787)
#   --state DIR    where data is kept (default .wrangler/state)
#   --reset        begin with no data
#   --help         this text
#
# Without a network the bundled sample feeds are read; FEEDS_OFFLINE=true or false decides it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/scripts/lib.sh"

mode=stay topic="artificial intelligence" port=8787 state=$root/.wrangler/state reset=no
while (($#)); do
  if [[ $1 == --*=* ]]; then set -- "${1%%=*}" "${1#*=}" "${@:2}"; fi
  case $1 in
    --once) mode=once ;;
    --serve) mode=serve ;;
    --reset) reset=yes ;;
    --help) print_usage "$0" && exit ;;
    --topic | --port | --state)
      (($# > 1)) || fail "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    *) fail "unknown option $1; see ./run.sh --help" ;;
  esac
  shift
done
[[ -n ${topic// /} ]] || fail "--topic is empty"
[[ $port =~ ^(0|[1-9][0-9]{0,4})$ ]] || fail "--port $port: not a port"
# Better told now than after the build.
if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  fail "port $port is in use; name another with --port"
fi

prepare
"$root/scripts/dev-vars.sh"
if [[ $reset == yes ]]; then rm -rf "${state:?}/v3" "$state/.migrated"; fi
"$root/scripts/migrate.sh" "$state"
# shellcheck source=/dev/null
set -a && . "$root/.dev.vars" && set +a
exec node "$root/scripts/run.mjs" --mode "$mode" --topic "$topic" --port "$port" \
  --state "$state" --log "$state/stack.log"
