-- Figures of what executions and their steps did, by time, account, template, strategy and worker:
-- what reports, alerts and metrics are made of without reading every execution.

-- ---- figures -------------------------------------------------------------------------------
-- docs/figures.md says what each column counts, and how the rows come to be exact.

-- What the row of an execution has no room for. Only executions that are part of another, or
-- that saved something, have one.
CREATE TABLE IF NOT EXISTS execution_facts (
  pipeline_id TEXT PRIMARY KEY NOT NULL,
  nested INTEGER NOT NULL DEFAULT 0 CHECK (nested IN (0, 1)),
  optimizations TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(optimizations) AND json_type(optimizations) = 'array')
) STRICT, WITHOUT ROWID;

-- No foreign key: dropping pipeline_executions, as database_fix.sql does, would empty this table.
CREATE TRIGGER IF NOT EXISTS execution_facts_go_with_their_execution
AFTER DELETE ON pipeline_executions
BEGIN
  DELETE FROM execution_facts WHERE pipeline_id = OLD.pipeline_id;
END;

-- What projections changed and the figures do not have yet: each entry is what a row says now and
-- what it said before. Written with the projection in one transaction, removed with the figures
-- that it is added to in one transaction.
CREATE TABLE IF NOT EXISTS rollup_log (
  id TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  kind TEXT NOT NULL CHECK (kind IN ('executions', 'steps')),
  entries TEXT NOT NULL CHECK (json_valid(entries) AND json_type(entries) = 'array')
) STRICT, WITHOUT ROWID;

-- Executions that ended within a bucket of time. `d00` to `d51` count durations: d00 those below
-- 10 ms, each next one up to 1.25 times as much, d51 those of 701 s and more.
CREATE TABLE IF NOT EXISTS execution_rollups (
  account_id TEXT NOT NULL,
  grain TEXT NOT NULL CHECK (grain IN ('five_minutes', 'hour', 'day', 'all')),
  bucket TEXT NOT NULL,
  template_name TEXT NOT NULL,
  execution_strategy TEXT NOT NULL,
  completed INTEGER NOT NULL DEFAULT 0,
  partial INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  cache_hits INTEGER NOT NULL DEFAULT 0,
  nested INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  nested_cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  quality_sum_bp INTEGER NOT NULL DEFAULT 0,
  quality_count INTEGER NOT NULL DEFAULT 0,
  saved_by_cache_micro_usd INTEGER NOT NULL DEFAULT 0,
  saved_by_cache_ms INTEGER NOT NULL DEFAULT 0,
  saved_by_route_micro_usd INTEGER NOT NULL DEFAULT 0,
  saved_by_route_ms INTEGER NOT NULL DEFAULT 0,
  saved_by_skipping_micro_usd INTEGER NOT NULL DEFAULT 0,
  saved_by_skipping_ms INTEGER NOT NULL DEFAULT 0,
  saved_in_parallel_ms INTEGER NOT NULL DEFAULT 0,
  timed INTEGER NOT NULL DEFAULT 0,
  duration_ms INTEGER NOT NULL DEFAULT 0,
  d00 INTEGER NOT NULL DEFAULT 0, d01 INTEGER NOT NULL DEFAULT 0, d02 INTEGER NOT NULL DEFAULT 0,
  d03 INTEGER NOT NULL DEFAULT 0, d04 INTEGER NOT NULL DEFAULT 0, d05 INTEGER NOT NULL DEFAULT 0,
  d06 INTEGER NOT NULL DEFAULT 0, d07 INTEGER NOT NULL DEFAULT 0, d08 INTEGER NOT NULL DEFAULT 0,
  d09 INTEGER NOT NULL DEFAULT 0, d10 INTEGER NOT NULL DEFAULT 0, d11 INTEGER NOT NULL DEFAULT 0,
  d12 INTEGER NOT NULL DEFAULT 0, d13 INTEGER NOT NULL DEFAULT 0, d14 INTEGER NOT NULL DEFAULT 0,
  d15 INTEGER NOT NULL DEFAULT 0, d16 INTEGER NOT NULL DEFAULT 0, d17 INTEGER NOT NULL DEFAULT 0,
  d18 INTEGER NOT NULL DEFAULT 0, d19 INTEGER NOT NULL DEFAULT 0, d20 INTEGER NOT NULL DEFAULT 0,
  d21 INTEGER NOT NULL DEFAULT 0, d22 INTEGER NOT NULL DEFAULT 0, d23 INTEGER NOT NULL DEFAULT 0,
  d24 INTEGER NOT NULL DEFAULT 0, d25 INTEGER NOT NULL DEFAULT 0, d26 INTEGER NOT NULL DEFAULT 0,
  d27 INTEGER NOT NULL DEFAULT 0, d28 INTEGER NOT NULL DEFAULT 0, d29 INTEGER NOT NULL DEFAULT 0,
  d30 INTEGER NOT NULL DEFAULT 0, d31 INTEGER NOT NULL DEFAULT 0, d32 INTEGER NOT NULL DEFAULT 0,
  d33 INTEGER NOT NULL DEFAULT 0, d34 INTEGER NOT NULL DEFAULT 0, d35 INTEGER NOT NULL DEFAULT 0,
  d36 INTEGER NOT NULL DEFAULT 0, d37 INTEGER NOT NULL DEFAULT 0, d38 INTEGER NOT NULL DEFAULT 0,
  d39 INTEGER NOT NULL DEFAULT 0, d40 INTEGER NOT NULL DEFAULT 0, d41 INTEGER NOT NULL DEFAULT 0,
  d42 INTEGER NOT NULL DEFAULT 0, d43 INTEGER NOT NULL DEFAULT 0, d44 INTEGER NOT NULL DEFAULT 0,
  d45 INTEGER NOT NULL DEFAULT 0, d46 INTEGER NOT NULL DEFAULT 0, d47 INTEGER NOT NULL DEFAULT 0,
  d48 INTEGER NOT NULL DEFAULT 0, d49 INTEGER NOT NULL DEFAULT 0, d50 INTEGER NOT NULL DEFAULT 0,
  d51 INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, grain, bucket, template_name, execution_strategy)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS execution_rollups_by_time ON execution_rollups (grain, bucket);

-- Steps that were settled within a bucket of time; `worker_name` is empty where none was asked.
CREATE TABLE IF NOT EXISTS step_rollups (
  account_id TEXT NOT NULL,
  grain TEXT NOT NULL CHECK (grain IN ('five_minutes', 'hour', 'day', 'all')),
  bucket TEXT NOT NULL,
  worker_name TEXT NOT NULL,
  template_name TEXT NOT NULL,
  step_name TEXT NOT NULL,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  compensated INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failed_attempts INTEGER NOT NULL DEFAULT 0,
  retried INTEGER NOT NULL DEFAULT 0,
  cache_hits INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  timed INTEGER NOT NULL DEFAULT 0,
  duration_ms INTEGER NOT NULL DEFAULT 0,
  d00 INTEGER NOT NULL DEFAULT 0, d01 INTEGER NOT NULL DEFAULT 0, d02 INTEGER NOT NULL DEFAULT 0,
  d03 INTEGER NOT NULL DEFAULT 0, d04 INTEGER NOT NULL DEFAULT 0, d05 INTEGER NOT NULL DEFAULT 0,
  d06 INTEGER NOT NULL DEFAULT 0, d07 INTEGER NOT NULL DEFAULT 0, d08 INTEGER NOT NULL DEFAULT 0,
  d09 INTEGER NOT NULL DEFAULT 0, d10 INTEGER NOT NULL DEFAULT 0, d11 INTEGER NOT NULL DEFAULT 0,
  d12 INTEGER NOT NULL DEFAULT 0, d13 INTEGER NOT NULL DEFAULT 0, d14 INTEGER NOT NULL DEFAULT 0,
  d15 INTEGER NOT NULL DEFAULT 0, d16 INTEGER NOT NULL DEFAULT 0, d17 INTEGER NOT NULL DEFAULT 0,
  d18 INTEGER NOT NULL DEFAULT 0, d19 INTEGER NOT NULL DEFAULT 0, d20 INTEGER NOT NULL DEFAULT 0,
  d21 INTEGER NOT NULL DEFAULT 0, d22 INTEGER NOT NULL DEFAULT 0, d23 INTEGER NOT NULL DEFAULT 0,
  d24 INTEGER NOT NULL DEFAULT 0, d25 INTEGER NOT NULL DEFAULT 0, d26 INTEGER NOT NULL DEFAULT 0,
  d27 INTEGER NOT NULL DEFAULT 0, d28 INTEGER NOT NULL DEFAULT 0, d29 INTEGER NOT NULL DEFAULT 0,
  d30 INTEGER NOT NULL DEFAULT 0, d31 INTEGER NOT NULL DEFAULT 0, d32 INTEGER NOT NULL DEFAULT 0,
  d33 INTEGER NOT NULL DEFAULT 0, d34 INTEGER NOT NULL DEFAULT 0, d35 INTEGER NOT NULL DEFAULT 0,
  d36 INTEGER NOT NULL DEFAULT 0, d37 INTEGER NOT NULL DEFAULT 0, d38 INTEGER NOT NULL DEFAULT 0,
  d39 INTEGER NOT NULL DEFAULT 0, d40 INTEGER NOT NULL DEFAULT 0, d41 INTEGER NOT NULL DEFAULT 0,
  d42 INTEGER NOT NULL DEFAULT 0, d43 INTEGER NOT NULL DEFAULT 0, d44 INTEGER NOT NULL DEFAULT 0,
  d45 INTEGER NOT NULL DEFAULT 0, d46 INTEGER NOT NULL DEFAULT 0, d47 INTEGER NOT NULL DEFAULT 0,
  d48 INTEGER NOT NULL DEFAULT 0, d49 INTEGER NOT NULL DEFAULT 0, d50 INTEGER NOT NULL DEFAULT 0,
  d51 INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, grain, bucket, worker_name, template_name, step_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS step_rollups_by_time ON step_rollups (grain, bucket);

-- Executions that ended before there were figures, to be counted once.
INSERT INTO rollup_log (id, kind, entries)
SELECT 'before:e:' || pipeline_id, 'executions', json_array(json_array(json_array(
  account_id, template_name, execution_strategy, status,
  coalesce(completed_at, created_at), total_execution_time_ms, total_cost_micro_usd,
  final_quality_score, cache_hit, 0, json_array()), NULL))
FROM pipeline_executions
WHERE status IN ('completed', 'partial', 'failed', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 7)
  AND NOT EXISTS (SELECT 1 FROM rollup_log)
  AND NOT EXISTS (SELECT 1 FROM execution_rollups)
UNION ALL
SELECT 'before:s:' || e.pipeline_id, 'steps', json_group_array(json_array(
  e.account_id, e.template_name, s.step_name, json_array(
    coalesce(s.completed_at, s.started_at, e.created_at), coalesce(s.worker_name, ''), s.status,
    s.attempts, s.failed_attempts, s.cost_micro_usd, s.cache_hit, s.execution_time_ms), NULL))
FROM pipeline_executions AS e
JOIN worker_execution_results AS s ON s.pipeline_id = e.pipeline_id
WHERE s.status IN ('succeeded', 'failed', 'skipped', 'cancelled', 'compensated')
  AND NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 7)
  AND NOT EXISTS (SELECT 1 FROM rollup_log)
  AND NOT EXISTS (SELECT 1 FROM execution_rollups)
GROUP BY e.pipeline_id
ON CONFLICT DO NOTHING;

INSERT INTO schema_version (version, name) VALUES (7, '0007_rollups')
ON CONFLICT DO NOTHING;
