-- Figures of the whole installation, kept beside those of each account, so that reports of all
-- accounts read as little as reports of one; an index for the filters of the history; and what
-- searches of the tool registry read.

-- ---- figures of all accounts ------------------------------------------------------------------
-- Rows of execution_rollups and step_rollups whose account is empty are the sums of those of all
-- accounts. Triggers keep them, so that they are exact whoever writes: an older Worker, too.

-- What executions of an account came to, whatever their template and strategy.
CREATE TABLE IF NOT EXISTS account_rollups (
  grain TEXT NOT NULL CHECK (grain IN ('five_minutes', 'hour', 'day', 'all')),
  bucket TEXT NOT NULL,
  account_id TEXT NOT NULL,
  completed INTEGER NOT NULL DEFAULT 0,
  partial INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  nested_cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (grain, bucket, account_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS execution_rollups_sum_insert AFTER INSERT ON execution_rollups
WHEN NEW.account_id <> ''
BEGIN
  INSERT INTO execution_rollups (
    account_id, grain, bucket, template_name, execution_strategy)
  VALUES ('', NEW.grain, NEW.bucket, NEW.template_name, NEW.execution_strategy)
  ON CONFLICT DO NOTHING;
  UPDATE execution_rollups SET
    completed = completed + NEW.completed, partial = partial + NEW.partial,
    failed = failed + NEW.failed, cancelled = cancelled + NEW.cancelled,
    cache_hits = cache_hits + NEW.cache_hits, nested = nested + NEW.nested,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd,
    nested_cost_micro_usd = nested_cost_micro_usd + NEW.nested_cost_micro_usd,
    quality_sum_bp = quality_sum_bp + NEW.quality_sum_bp,
    quality_count = quality_count + NEW.quality_count,
    saved_by_cache_micro_usd = saved_by_cache_micro_usd + NEW.saved_by_cache_micro_usd,
    saved_by_cache_ms = saved_by_cache_ms + NEW.saved_by_cache_ms,
    saved_by_route_micro_usd = saved_by_route_micro_usd + NEW.saved_by_route_micro_usd,
    saved_by_route_ms = saved_by_route_ms + NEW.saved_by_route_ms,
    saved_by_skipping_micro_usd = saved_by_skipping_micro_usd + NEW.saved_by_skipping_micro_usd,
    saved_by_skipping_ms = saved_by_skipping_ms + NEW.saved_by_skipping_ms,
    saved_in_parallel_ms = saved_in_parallel_ms + NEW.saved_in_parallel_ms,
    timed = timed + NEW.timed, duration_ms = duration_ms + NEW.duration_ms, d00 = d00 + NEW.d00,
    d01 = d01 + NEW.d01, d02 = d02 + NEW.d02, d03 = d03 + NEW.d03, d04 = d04 + NEW.d04,
    d05 = d05 + NEW.d05, d06 = d06 + NEW.d06, d07 = d07 + NEW.d07, d08 = d08 + NEW.d08,
    d09 = d09 + NEW.d09, d10 = d10 + NEW.d10, d11 = d11 + NEW.d11, d12 = d12 + NEW.d12,
    d13 = d13 + NEW.d13, d14 = d14 + NEW.d14, d15 = d15 + NEW.d15, d16 = d16 + NEW.d16,
    d17 = d17 + NEW.d17, d18 = d18 + NEW.d18, d19 = d19 + NEW.d19, d20 = d20 + NEW.d20,
    d21 = d21 + NEW.d21, d22 = d22 + NEW.d22, d23 = d23 + NEW.d23, d24 = d24 + NEW.d24,
    d25 = d25 + NEW.d25, d26 = d26 + NEW.d26, d27 = d27 + NEW.d27, d28 = d28 + NEW.d28,
    d29 = d29 + NEW.d29, d30 = d30 + NEW.d30, d31 = d31 + NEW.d31, d32 = d32 + NEW.d32,
    d33 = d33 + NEW.d33, d34 = d34 + NEW.d34, d35 = d35 + NEW.d35, d36 = d36 + NEW.d36,
    d37 = d37 + NEW.d37, d38 = d38 + NEW.d38, d39 = d39 + NEW.d39, d40 = d40 + NEW.d40,
    d41 = d41 + NEW.d41, d42 = d42 + NEW.d42, d43 = d43 + NEW.d43, d44 = d44 + NEW.d44,
    d45 = d45 + NEW.d45, d46 = d46 + NEW.d46, d47 = d47 + NEW.d47, d48 = d48 + NEW.d48,
    d49 = d49 + NEW.d49, d50 = d50 + NEW.d50, d51 = d51 + NEW.d51
  WHERE account_id = '' AND grain = NEW.grain AND bucket = NEW.bucket AND
    template_name = NEW.template_name AND execution_strategy = NEW.execution_strategy;
  INSERT INTO account_rollups (grain, bucket, account_id)
  VALUES (NEW.grain, NEW.bucket, NEW.account_id)
  ON CONFLICT DO NOTHING;
  UPDATE account_rollups SET
    completed = completed + NEW.completed, partial = partial + NEW.partial,
    failed = failed + NEW.failed, cancelled = cancelled + NEW.cancelled,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd,
    nested_cost_micro_usd = nested_cost_micro_usd + NEW.nested_cost_micro_usd
  WHERE grain = NEW.grain AND bucket = NEW.bucket AND account_id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS execution_rollups_sum_update AFTER UPDATE ON execution_rollups
WHEN NEW.account_id <> ''
BEGIN
  UPDATE execution_rollups SET
    completed = completed + NEW.completed - OLD.completed,
    partial = partial + NEW.partial - OLD.partial, failed = failed + NEW.failed - OLD.failed,
    cancelled = cancelled + NEW.cancelled - OLD.cancelled,
    cache_hits = cache_hits + NEW.cache_hits - OLD.cache_hits,
    nested = nested + NEW.nested - OLD.nested,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd - OLD.cost_micro_usd,
    nested_cost_micro_usd =
      nested_cost_micro_usd + NEW.nested_cost_micro_usd - OLD.nested_cost_micro_usd,
    quality_sum_bp = quality_sum_bp + NEW.quality_sum_bp - OLD.quality_sum_bp,
    quality_count = quality_count + NEW.quality_count - OLD.quality_count,
    saved_by_cache_micro_usd =
      saved_by_cache_micro_usd + NEW.saved_by_cache_micro_usd - OLD.saved_by_cache_micro_usd,
    saved_by_cache_ms = saved_by_cache_ms + NEW.saved_by_cache_ms - OLD.saved_by_cache_ms,
    saved_by_route_micro_usd =
      saved_by_route_micro_usd + NEW.saved_by_route_micro_usd - OLD.saved_by_route_micro_usd,
    saved_by_route_ms = saved_by_route_ms + NEW.saved_by_route_ms - OLD.saved_by_route_ms,
    saved_by_skipping_micro_usd =
      saved_by_skipping_micro_usd + NEW.saved_by_skipping_micro_usd
      - OLD.saved_by_skipping_micro_usd,
    saved_by_skipping_ms =
      saved_by_skipping_ms + NEW.saved_by_skipping_ms - OLD.saved_by_skipping_ms,
    saved_in_parallel_ms =
      saved_in_parallel_ms + NEW.saved_in_parallel_ms - OLD.saved_in_parallel_ms,
    timed = timed + NEW.timed - OLD.timed,
    duration_ms = duration_ms + NEW.duration_ms - OLD.duration_ms, d00 = d00 + NEW.d00 - OLD.d00,
    d01 = d01 + NEW.d01 - OLD.d01, d02 = d02 + NEW.d02 - OLD.d02, d03 = d03 + NEW.d03 - OLD.d03,
    d04 = d04 + NEW.d04 - OLD.d04, d05 = d05 + NEW.d05 - OLD.d05, d06 = d06 + NEW.d06 - OLD.d06,
    d07 = d07 + NEW.d07 - OLD.d07, d08 = d08 + NEW.d08 - OLD.d08, d09 = d09 + NEW.d09 - OLD.d09,
    d10 = d10 + NEW.d10 - OLD.d10, d11 = d11 + NEW.d11 - OLD.d11, d12 = d12 + NEW.d12 - OLD.d12,
    d13 = d13 + NEW.d13 - OLD.d13, d14 = d14 + NEW.d14 - OLD.d14, d15 = d15 + NEW.d15 - OLD.d15,
    d16 = d16 + NEW.d16 - OLD.d16, d17 = d17 + NEW.d17 - OLD.d17, d18 = d18 + NEW.d18 - OLD.d18,
    d19 = d19 + NEW.d19 - OLD.d19, d20 = d20 + NEW.d20 - OLD.d20, d21 = d21 + NEW.d21 - OLD.d21,
    d22 = d22 + NEW.d22 - OLD.d22, d23 = d23 + NEW.d23 - OLD.d23, d24 = d24 + NEW.d24 - OLD.d24,
    d25 = d25 + NEW.d25 - OLD.d25, d26 = d26 + NEW.d26 - OLD.d26, d27 = d27 + NEW.d27 - OLD.d27,
    d28 = d28 + NEW.d28 - OLD.d28, d29 = d29 + NEW.d29 - OLD.d29, d30 = d30 + NEW.d30 - OLD.d30,
    d31 = d31 + NEW.d31 - OLD.d31, d32 = d32 + NEW.d32 - OLD.d32, d33 = d33 + NEW.d33 - OLD.d33,
    d34 = d34 + NEW.d34 - OLD.d34, d35 = d35 + NEW.d35 - OLD.d35, d36 = d36 + NEW.d36 - OLD.d36,
    d37 = d37 + NEW.d37 - OLD.d37, d38 = d38 + NEW.d38 - OLD.d38, d39 = d39 + NEW.d39 - OLD.d39,
    d40 = d40 + NEW.d40 - OLD.d40, d41 = d41 + NEW.d41 - OLD.d41, d42 = d42 + NEW.d42 - OLD.d42,
    d43 = d43 + NEW.d43 - OLD.d43, d44 = d44 + NEW.d44 - OLD.d44, d45 = d45 + NEW.d45 - OLD.d45,
    d46 = d46 + NEW.d46 - OLD.d46, d47 = d47 + NEW.d47 - OLD.d47, d48 = d48 + NEW.d48 - OLD.d48,
    d49 = d49 + NEW.d49 - OLD.d49, d50 = d50 + NEW.d50 - OLD.d50, d51 = d51 + NEW.d51 - OLD.d51
  WHERE account_id = '' AND grain = NEW.grain AND bucket = NEW.bucket AND
    template_name = NEW.template_name AND execution_strategy = NEW.execution_strategy;
  UPDATE account_rollups SET
    completed = completed + NEW.completed - OLD.completed,
    partial = partial + NEW.partial - OLD.partial, failed = failed + NEW.failed - OLD.failed,
    cancelled = cancelled + NEW.cancelled - OLD.cancelled,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd - OLD.cost_micro_usd,
    nested_cost_micro_usd =
      nested_cost_micro_usd + NEW.nested_cost_micro_usd - OLD.nested_cost_micro_usd
  WHERE grain = NEW.grain AND bucket = NEW.bucket AND account_id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS step_rollups_sum_insert AFTER INSERT ON step_rollups
WHEN NEW.account_id <> ''
BEGIN
  INSERT INTO step_rollups (
    account_id, grain, bucket, worker_name, template_name, step_name)
  VALUES ('', NEW.grain, NEW.bucket, NEW.worker_name, NEW.template_name, NEW.step_name)
  ON CONFLICT DO NOTHING;
  UPDATE step_rollups SET
    succeeded = succeeded + NEW.succeeded, failed = failed + NEW.failed,
    skipped = skipped + NEW.skipped, cancelled = cancelled + NEW.cancelled,
    compensated = compensated + NEW.compensated, attempts = attempts + NEW.attempts,
    failed_attempts = failed_attempts + NEW.failed_attempts, retried = retried + NEW.retried,
    cache_hits = cache_hits + NEW.cache_hits,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd, timed = timed + NEW.timed,
    duration_ms = duration_ms + NEW.duration_ms, d00 = d00 + NEW.d00, d01 = d01 + NEW.d01,
    d02 = d02 + NEW.d02, d03 = d03 + NEW.d03, d04 = d04 + NEW.d04, d05 = d05 + NEW.d05,
    d06 = d06 + NEW.d06, d07 = d07 + NEW.d07, d08 = d08 + NEW.d08, d09 = d09 + NEW.d09,
    d10 = d10 + NEW.d10, d11 = d11 + NEW.d11, d12 = d12 + NEW.d12, d13 = d13 + NEW.d13,
    d14 = d14 + NEW.d14, d15 = d15 + NEW.d15, d16 = d16 + NEW.d16, d17 = d17 + NEW.d17,
    d18 = d18 + NEW.d18, d19 = d19 + NEW.d19, d20 = d20 + NEW.d20, d21 = d21 + NEW.d21,
    d22 = d22 + NEW.d22, d23 = d23 + NEW.d23, d24 = d24 + NEW.d24, d25 = d25 + NEW.d25,
    d26 = d26 + NEW.d26, d27 = d27 + NEW.d27, d28 = d28 + NEW.d28, d29 = d29 + NEW.d29,
    d30 = d30 + NEW.d30, d31 = d31 + NEW.d31, d32 = d32 + NEW.d32, d33 = d33 + NEW.d33,
    d34 = d34 + NEW.d34, d35 = d35 + NEW.d35, d36 = d36 + NEW.d36, d37 = d37 + NEW.d37,
    d38 = d38 + NEW.d38, d39 = d39 + NEW.d39, d40 = d40 + NEW.d40, d41 = d41 + NEW.d41,
    d42 = d42 + NEW.d42, d43 = d43 + NEW.d43, d44 = d44 + NEW.d44, d45 = d45 + NEW.d45,
    d46 = d46 + NEW.d46, d47 = d47 + NEW.d47, d48 = d48 + NEW.d48, d49 = d49 + NEW.d49,
    d50 = d50 + NEW.d50, d51 = d51 + NEW.d51
  WHERE account_id = '' AND grain = NEW.grain AND bucket = NEW.bucket AND
    worker_name = NEW.worker_name AND template_name = NEW.template_name AND
    step_name = NEW.step_name;
END;
CREATE TRIGGER IF NOT EXISTS step_rollups_sum_update AFTER UPDATE ON step_rollups
WHEN NEW.account_id <> ''
BEGIN
  UPDATE step_rollups SET
    succeeded = succeeded + NEW.succeeded - OLD.succeeded,
    failed = failed + NEW.failed - OLD.failed, skipped = skipped + NEW.skipped - OLD.skipped,
    cancelled = cancelled + NEW.cancelled - OLD.cancelled,
    compensated = compensated + NEW.compensated - OLD.compensated,
    attempts = attempts + NEW.attempts - OLD.attempts,
    failed_attempts = failed_attempts + NEW.failed_attempts - OLD.failed_attempts,
    retried = retried + NEW.retried - OLD.retried,
    cache_hits = cache_hits + NEW.cache_hits - OLD.cache_hits,
    cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd - OLD.cost_micro_usd,
    timed = timed + NEW.timed - OLD.timed,
    duration_ms = duration_ms + NEW.duration_ms - OLD.duration_ms, d00 = d00 + NEW.d00 - OLD.d00,
    d01 = d01 + NEW.d01 - OLD.d01, d02 = d02 + NEW.d02 - OLD.d02, d03 = d03 + NEW.d03 - OLD.d03,
    d04 = d04 + NEW.d04 - OLD.d04, d05 = d05 + NEW.d05 - OLD.d05, d06 = d06 + NEW.d06 - OLD.d06,
    d07 = d07 + NEW.d07 - OLD.d07, d08 = d08 + NEW.d08 - OLD.d08, d09 = d09 + NEW.d09 - OLD.d09,
    d10 = d10 + NEW.d10 - OLD.d10, d11 = d11 + NEW.d11 - OLD.d11, d12 = d12 + NEW.d12 - OLD.d12,
    d13 = d13 + NEW.d13 - OLD.d13, d14 = d14 + NEW.d14 - OLD.d14, d15 = d15 + NEW.d15 - OLD.d15,
    d16 = d16 + NEW.d16 - OLD.d16, d17 = d17 + NEW.d17 - OLD.d17, d18 = d18 + NEW.d18 - OLD.d18,
    d19 = d19 + NEW.d19 - OLD.d19, d20 = d20 + NEW.d20 - OLD.d20, d21 = d21 + NEW.d21 - OLD.d21,
    d22 = d22 + NEW.d22 - OLD.d22, d23 = d23 + NEW.d23 - OLD.d23, d24 = d24 + NEW.d24 - OLD.d24,
    d25 = d25 + NEW.d25 - OLD.d25, d26 = d26 + NEW.d26 - OLD.d26, d27 = d27 + NEW.d27 - OLD.d27,
    d28 = d28 + NEW.d28 - OLD.d28, d29 = d29 + NEW.d29 - OLD.d29, d30 = d30 + NEW.d30 - OLD.d30,
    d31 = d31 + NEW.d31 - OLD.d31, d32 = d32 + NEW.d32 - OLD.d32, d33 = d33 + NEW.d33 - OLD.d33,
    d34 = d34 + NEW.d34 - OLD.d34, d35 = d35 + NEW.d35 - OLD.d35, d36 = d36 + NEW.d36 - OLD.d36,
    d37 = d37 + NEW.d37 - OLD.d37, d38 = d38 + NEW.d38 - OLD.d38, d39 = d39 + NEW.d39 - OLD.d39,
    d40 = d40 + NEW.d40 - OLD.d40, d41 = d41 + NEW.d41 - OLD.d41, d42 = d42 + NEW.d42 - OLD.d42,
    d43 = d43 + NEW.d43 - OLD.d43, d44 = d44 + NEW.d44 - OLD.d44, d45 = d45 + NEW.d45 - OLD.d45,
    d46 = d46 + NEW.d46 - OLD.d46, d47 = d47 + NEW.d47 - OLD.d47, d48 = d48 + NEW.d48 - OLD.d48,
    d49 = d49 + NEW.d49 - OLD.d49, d50 = d50 + NEW.d50 - OLD.d50, d51 = d51 + NEW.d51 - OLD.d51
  WHERE account_id = '' AND grain = NEW.grain AND bucket = NEW.bucket AND
    worker_name = NEW.worker_name AND template_name = NEW.template_name AND
    step_name = NEW.step_name;
END;

-- What the filters of the history look at, so that a page reads the rows that it shows alone.
CREATE INDEX IF NOT EXISTS pipeline_executions_filters ON pipeline_executions (
  account_id, created_at, id, template_name, status, execution_strategy, total_cost_micro_usd,
  topic);

-- ---- searching the tool registry -----------------------------------------------------------------
-- Every tag that an account uses, and how many tools have it: what a search for a part of a tag
-- reads. Triggers keep it.
CREATE TABLE IF NOT EXISTS tag_names (
  account_id TEXT NOT NULL,
  tag_name TEXT NOT NULL COLLATE NOCASE,
  tools INTEGER NOT NULL DEFAULT 0 CHECK (tools >= 0),
  PRIMARY KEY (account_id, tag_name)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS tool_tags_insert_names AFTER INSERT ON tool_tags
BEGIN
  INSERT INTO tag_names (account_id, tag_name) VALUES (NEW.account_id, NEW.tag_name)
  ON CONFLICT DO NOTHING;
  UPDATE tag_names SET tools = tools + 1
  WHERE account_id = NEW.account_id AND tag_name = NEW.tag_name;
END;
CREATE TRIGGER IF NOT EXISTS tool_tags_delete_names AFTER DELETE ON tool_tags
BEGIN
  UPDATE tag_names SET tools = tools - 1
  WHERE account_id = OLD.account_id AND tag_name = OLD.tag_name;
  DELETE FROM tag_names
  WHERE account_id = OLD.account_id AND tag_name = OLD.tag_name AND tools = 0;
END;

CREATE INDEX IF NOT EXISTS tools_by_status ON tools (account_id, status, seq);
CREATE INDEX IF NOT EXISTS tools_by_node_and_status ON tools (target_node_id, status, account_id);

-- The sums of what was counted before there were sums. What is counted meanwhile is in them.
INSERT OR REPLACE INTO execution_rollups (
  account_id, grain, bucket, template_name, execution_strategy, completed, partial, failed,
  cancelled, cache_hits, nested, cost_micro_usd, nested_cost_micro_usd, quality_sum_bp,
  quality_count, saved_by_cache_micro_usd, saved_by_cache_ms, saved_by_route_micro_usd,
  saved_by_route_ms, saved_by_skipping_micro_usd, saved_by_skipping_ms, saved_in_parallel_ms,
  timed, duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11, d12, d13, d14,
  d15, d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30, d31, d32, d33,
  d34, d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49, d50, d51)
SELECT '', grain, bucket, template_name, execution_strategy,
  sum(completed), sum(partial), sum(failed), sum(cancelled), sum(cache_hits), sum(nested),
  sum(cost_micro_usd), sum(nested_cost_micro_usd), sum(quality_sum_bp), sum(quality_count),
  sum(saved_by_cache_micro_usd), sum(saved_by_cache_ms), sum(saved_by_route_micro_usd),
  sum(saved_by_route_ms), sum(saved_by_skipping_micro_usd), sum(saved_by_skipping_ms),
  sum(saved_in_parallel_ms), sum(timed), sum(duration_ms), sum(d00), sum(d01), sum(d02), sum(d03),
  sum(d04), sum(d05), sum(d06), sum(d07), sum(d08), sum(d09), sum(d10), sum(d11), sum(d12),
  sum(d13), sum(d14), sum(d15), sum(d16), sum(d17), sum(d18), sum(d19), sum(d20), sum(d21),
  sum(d22), sum(d23), sum(d24), sum(d25), sum(d26), sum(d27), sum(d28), sum(d29), sum(d30),
  sum(d31), sum(d32), sum(d33), sum(d34), sum(d35), sum(d36), sum(d37), sum(d38), sum(d39),
  sum(d40), sum(d41), sum(d42), sum(d43), sum(d44), sum(d45), sum(d46), sum(d47), sum(d48),
  sum(d49), sum(d50), sum(d51)
FROM execution_rollups
WHERE account_id <> '' AND NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 16)
GROUP BY grain, bucket, template_name, execution_strategy;
INSERT OR REPLACE INTO account_rollups (
  grain, bucket, account_id, completed, partial, failed, cancelled, cost_micro_usd,
  nested_cost_micro_usd)
SELECT grain, bucket, account_id,
  sum(completed), sum(partial), sum(failed), sum(cancelled), sum(cost_micro_usd),
  sum(nested_cost_micro_usd)
FROM execution_rollups
WHERE account_id <> '' AND NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 16)
GROUP BY grain, bucket, account_id;
INSERT OR REPLACE INTO step_rollups (
  account_id, grain, bucket, worker_name, template_name, step_name, succeeded, failed, skipped,
  cancelled, compensated, attempts, failed_attempts, retried, cache_hits, cost_micro_usd, timed,
  duration_ms, d00, d01, d02, d03, d04, d05, d06, d07, d08, d09, d10, d11, d12, d13, d14, d15,
  d16, d17, d18, d19, d20, d21, d22, d23, d24, d25, d26, d27, d28, d29, d30, d31, d32, d33, d34,
  d35, d36, d37, d38, d39, d40, d41, d42, d43, d44, d45, d46, d47, d48, d49, d50, d51)
SELECT '', grain, bucket, worker_name, template_name, step_name,
  sum(succeeded), sum(failed), sum(skipped), sum(cancelled), sum(compensated), sum(attempts),
  sum(failed_attempts), sum(retried), sum(cache_hits), sum(cost_micro_usd), sum(timed),
  sum(duration_ms), sum(d00), sum(d01), sum(d02), sum(d03), sum(d04), sum(d05), sum(d06),
  sum(d07), sum(d08), sum(d09), sum(d10), sum(d11), sum(d12), sum(d13), sum(d14), sum(d15),
  sum(d16), sum(d17), sum(d18), sum(d19), sum(d20), sum(d21), sum(d22), sum(d23), sum(d24),
  sum(d25), sum(d26), sum(d27), sum(d28), sum(d29), sum(d30), sum(d31), sum(d32), sum(d33),
  sum(d34), sum(d35), sum(d36), sum(d37), sum(d38), sum(d39), sum(d40), sum(d41), sum(d42),
  sum(d43), sum(d44), sum(d45), sum(d46), sum(d47), sum(d48), sum(d49), sum(d50), sum(d51)
FROM step_rollups
WHERE account_id <> '' AND NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 16)
GROUP BY grain, bucket, worker_name, template_name, step_name;
INSERT OR REPLACE INTO tag_names (account_id, tag_name, tools)
SELECT account_id, min(tag_name), count(*) FROM tool_tags
WHERE NOT EXISTS (SELECT 1 FROM schema_version WHERE version = 16)
GROUP BY account_id, tag_name;

INSERT INTO schema_version (version, name) VALUES (16, '0016_scale')
ON CONFLICT DO NOTHING;
