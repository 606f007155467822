-- Administration: which issued key took the place of which, and indexes that say at once whether
-- the keys of an account have budgets. Nothing that exists is changed.

-- Keys that were rotated. The keys of a line share the budget that its first one began: `root_id`.
CREATE TABLE IF NOT EXISTS api_key_lineage (
  key_id TEXT PRIMARY KEY NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  rotated_from TEXT NOT NULL UNIQUE,
  root_id TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS api_key_lineage_by_root ON api_key_lineage (root_id);
CREATE INDEX IF NOT EXISTS api_keys_with_budgets ON api_keys (account_id)
  WHERE daily_budget_micro_usd IS NOT NULL OR monthly_budget_micro_usd IS NOT NULL;
CREATE INDEX IF NOT EXISTS api_keys_by_change ON api_keys (account_id, updated_at);

INSERT INTO schema_version (version, name) VALUES (5, '0005_administration')
ON CONFLICT DO NOTHING;
