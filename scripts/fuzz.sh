#!/usr/bin/env bash
# Property-based tests of the API: schemathesis makes requests from the OpenAPI document that the
# orchestrator serves, and holds every reply to it. On a stack of its own, once with each credential
# and without one. The same seed makes the same requests.
#
#   fuzz.sh [--seconds N] [--seed N] [--only REGEX]
#     --seconds N    how long the last, longest pass goes on (default 30)
#     --seed N       other requests (default 1)
#     --only REGEX   only paths that match
#
# The exit status is 75 when schemathesis is not there and cannot be had: without a network.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"
cd "$root"

seconds=30 seed=1 only=.
while (($#)); do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a value} && shift ;;
    --seed) seed=${2:?--seed needs a value} && shift ;;
    --only) only=${2:?--only needs a value} && shift ;;
    --help) print_usage "$0" && exit ;;
    *) fail "unknown option $1; see scripts/fuzz.sh --help" ;;
  esac
  shift
done

requirements=scripts/fuzz/requirements.txt
unavailable=75
venv=$tools/fuzz-$(sha256sum <"$requirements" | cut -c1-12)

bring_schemathesis() {
  if [[ -x $venv/bin/schemathesis && -f $venv/.complete ]]; then return; fi
  mkdir -p "$tools"
  rm -rf "$venv"
  if python3 -m venv "$venv" && quietly "schemathesis: pip install" "$tools/fuzz.log" \
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"; then
    touch "$venv/.complete"
    return
  fi
  say "API fuzzing is left out: schemathesis is not installed, and PyPI cannot be reached"
  exit $unavailable
}

# The keys of this stack, which lives as long as the script.
client_key=fuzz-client-key worker_secret=fuzz-worker-secret
secret_key=fuzz-secret-key-of-thirty-two-characters-and-more
account_key=bwk_$(printf 'a%.0s' {1..43})
reader_key=bwk_$(printf 'r%.0s' {1..43})

digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

keys_of_other_accounts() {
  cat <<SQL
INSERT INTO accounts (id, name) VALUES ('fuzz', 'Fuzz');
INSERT INTO api_keys (id, account_id, key_hash, scopes) VALUES
  ('fuzz-administrator', 'fuzz', '$(digest "$account_key")', '["execute","read","admin"]'),
  ('fuzz-reader', 'fuzz', '$(digest "$reader_key")', '["read"]');
SQL
}

start_stack() {
  state=$root/target/test-state/fuzz-$$
  rm -rf "$state" && mkdir -p "$state"
  scripts/migrate.sh "$state"
  keys_of_other_accounts >"$state/keys.sql"
  scripts/d1.sh "$state" --file "$state/keys.sql" >"$state/keys.log" 2>&1 ||
    fail "the keys could not be inserted: $(tail -n 20 "$state/keys.log")"
  setsid scripts/stack.sh --port 0 --state "$state" --no-outbound --log "$state/stack.log" \
    --var-all CLIENT_API_KEY=$client_key --var-all WORKER_SHARED_SECRET=$worker_secret \
    --var SECRET_KEY=$secret_key --var BCRYPT_COST=4 \
    --var-all FEEDS_OFFLINE=true --var SYNC_WINDOW_SECONDS=2 \
    --var MAX_CONCURRENT_PIPELINES=64 >"$state/stack.out" </dev/null &
  stack=$!
  trap 'kill -TERM -- -$stack 2>/dev/null; wait $stack 2>/dev/null || true' EXIT
  for _ in {1..600}; do
    url=$(sed -n 's/^ready //p' "$state/stack.out")
    if [[ -n $url ]]; then return; fi
    kill -0 $stack 2>/dev/null || break
    sleep 0.1
  done
  fail "the stack did not start: $(tail -n 20 "$state/stack.log")"
}

# A tail is a stream without an end, so nothing waits for it.
# pass NAME PHASES OPTION…: one pass; what it found is shown, at most so much of it.
lines_max=300 columns_max=600
pass() {
  local name=$1 phases=$2 began=$SECONDS report=$state/${1// /-}.txt
  shift 2
  # It leaves what it remembers where it is started.
  if (cd "$state" && export PYTHONPATH=$root/scripts/fuzz SCHEMATHESIS_HOOKS=checks &&
    export PYTHONDONTWRITEBYTECODE=1 && exec "$venv/bin/schemathesis" \
    --config-file "$root/scripts/fuzz/schemathesis.toml" run \
    "$url/openapi.json" --phases "$phases" --seed "$seed" --include-path-regex "$only" \
    --exclude-path-regex '/tail$' "$@") >"$report" 2>&1; then
    say "$name: $(grep -oE '[0-9]+ generated' "$report" || echo no request), $((SECONDS - began)) s"
  else
    touch "$state/failed"
    say "$name: failed"
    cut -c "1-$columns_max" "$report" | head -n $lines_max
  fi
}

bring_schemathesis
start_stack
as_client=(--header "X-API-Key: $client_key")
as_worker=(--header "Authorization: Bearer $worker_secret" --header "X-Worker-ID: fuzz")
# Two at a time: there is a core for each, and the stack waits for them more than they for it.
# Nobody refuses what is generated in place of a worker's name: the key beside it has the right.
{
  pass "as a client" examples,coverage "${as_client[@]}"
  pass "as another account's administrator" coverage --header "X-API-Key: $account_key" \
    --exclude-checks ignored_auth
} &
pass "without a credential" coverage --mode positive
pass "as another account's reader" examples --header "X-API-Key: $reader_key"
pass "as a worker" examples,coverage "${as_worker[@]}"
wait $!
pass "as everybody at once" fuzzing,stateful "${as_client[@]}" "${as_worker[@]}" \
  --max-examples 20 --max-time "$seconds"
if [[ -e $state/failed ]]; then fail "replies do not fit the document; all is in $state"; fi
rm -rf "$state"
