-- What strategies, quality levels and urgencies change besides what they did: the choice among
-- workers, the step cache, optional steps, retries, deadlines, the emergency budget. Rows that were
-- edited keep what they say; new columns get what their name stands for. Each table is rebuilt as
-- database_fix.sql does it, and says why: it is safe to run twice, and again after it was cut off.

-- == keep ==

-- A cut between DROP and CREATE leaves a table out.
CREATE TABLE IF NOT EXISTS execution_strategies (
  name TEXT PRIMARY KEY, label, max_parallel_steps, skip_optional_steps, use_cache, max_retries,
  deadline_ms, description
);
CREATE TABLE IF NOT EXISTS quality_levels (
  name TEXT PRIMARY KEY, source_discovery_depth, max_articles, min_quality, description
);
CREATE TABLE IF NOT EXISTS urgency_levels (
  name TEXT PRIMARY KEY, deadline_ms, priority, description
);

CREATE TABLE IF NOT EXISTS kept_execution_strategies (
  name, label, worker_choice, max_parallel_steps, skip_optional_steps, use_cache, use_step_cache,
  max_retries, deadline_ms, description,
  PRIMARY KEY (name)
);

INSERT OR REPLACE INTO kept_execution_strategies (
  name, label, worker_choice, max_parallel_steps, skip_optional_steps, use_cache, use_step_cache,
  max_retries, deadline_ms, description
)
SELECT
  name,
  label,
  coalesce((SELECT worker_choice FROM execution_strategies AS o WHERE o.rowid = s.rowid), CASE name
    WHEN 'speed' THEN 'fastest' WHEN 'cost' THEN 'cheapest' WHEN 'quality' THEN 'best'
    ELSE 'declared' END) AS worker_choice,
  max_parallel_steps,
  skip_optional_steps,
  use_cache,
  coalesce((SELECT use_step_cache FROM execution_strategies AS o WHERE o.rowid = s.rowid),
    name <> 'quality') AS use_step_cache,
  max_retries,
  deadline_ms,
  CASE description
    WHEN 'As many steps at once as may be, optional steps left out, at most one retry a step.'
    THEN 'The fastest workers, as many steps at once as may be, optional steps left out, one retry.'
    WHEN
      'Few steps at once, optional steps left out, at most one retry a step, cached results first.'
    THEN 'The cheapest workers, cached results first, optional steps left out, one retry.'
    WHEN 'Every step, every retry that the steps allow, always computed anew.'
    THEN 'The best workers, every step and all its retries, always computed anew.'
    WHEN 'Every step and its retries; a cached result of the same request is taken.'
    THEN 'The workers that the steps name first, every step and its retries, cached results.'
    ELSE description END AS description
FROM execution_strategies AS s
CROSS JOIN (SELECT NULL AS worker_choice, NULL AS use_step_cache) AS absent;

CREATE TABLE IF NOT EXISTS kept_quality_levels (
  name, source_discovery_depth, max_articles, min_quality, skip_optional_steps, max_retries,
  deadline_factor, description,
  PRIMARY KEY (name)
);

INSERT OR REPLACE INTO kept_quality_levels (
  name, source_discovery_depth, max_articles, min_quality, skip_optional_steps, max_retries,
  deadline_factor, description
)
SELECT
  name,
  source_discovery_depth,
  max_articles,
  min_quality,
  coalesce((SELECT skip_optional_steps FROM quality_levels AS o WHERE o.rowid = s.rowid),
    name = 'basic') AS skip_optional_steps,
  -- NULL is a value of this column: whether the table has it shows in the one before.
  CASE
    WHEN (SELECT skip_optional_steps FROM quality_levels AS o WHERE o.rowid = s.rowid) IS NOT NULL
      THEN (SELECT max_retries FROM quality_levels AS o WHERE o.rowid = s.rowid)
    WHEN name = 'basic' THEN 1 END AS max_retries,
  coalesce((SELECT deadline_factor FROM quality_levels AS o WHERE o.rowid = s.rowid), CASE name
    WHEN 'basic' THEN 0.5 WHEN 'premium' THEN 1.25 WHEN 'enterprise' THEN 1.5
    ELSE 1.0 END) AS deadline_factor,
  CASE description
    WHEN 'A quick look: few sources, few articles.'
    THEN 'A quick look: few sources, few articles, no optional steps, half the time.'
    ELSE description END AS description
FROM quality_levels AS s
CROSS JOIN (
  SELECT NULL AS skip_optional_steps, NULL AS max_retries, NULL AS deadline_factor
) AS absent;

CREATE TABLE IF NOT EXISTS kept_urgency_levels (
  name, deadline_ms, priority, use_emergency_budget, description,
  PRIMARY KEY (name)
);

INSERT OR REPLACE INTO kept_urgency_levels (
  name, deadline_ms, priority, use_emergency_budget, description
)
SELECT
  name,
  deadline_ms,
  priority,
  coalesce((SELECT use_emergency_budget FROM urgency_levels AS o WHERE o.rowid = s.rowid),
    name = 'critical') AS use_emergency_budget,
  CASE description
    WHEN 'Half a minute; admitted first.'
    THEN 'Half a minute; admitted first, with the emergency budget.'
    ELSE description END AS description
FROM urgency_levels AS s
CROSS JOIN (SELECT NULL AS use_emergency_budget) AS absent;

DROP TABLE execution_strategies;
DROP TABLE quality_levels;
DROP TABLE urgency_levels;

-- == tables and triggers ==

-- `worker_choice` is who is asked where a step names several workers that can do the same:
-- `declared` the first, else the one with the lowest estimated cost, the lowest average response
-- time or the highest quality score. `use_cache` is the result of an identical request,
-- `use_step_cache` the answers of single steps. `max_retries` caps the retries of every step; NULL
-- leaves them as the steps have them. docs/strategies.md says what each column changes.
CREATE TABLE IF NOT EXISTS execution_strategies (
  name TEXT PRIMARY KEY NOT NULL CHECK (name IN ('speed', 'cost', 'quality', 'balanced')),
  label TEXT NOT NULL UNIQUE CHECK (label IN (
    'speed_optimized', 'cost_optimized', 'quality_optimized', 'balanced')),
  worker_choice TEXT NOT NULL DEFAULT 'declared'
    CHECK (worker_choice IN ('declared', 'cheapest', 'fastest', 'best')),
  max_parallel_steps INTEGER NOT NULL CHECK (max_parallel_steps > 0),
  skip_optional_steps INTEGER NOT NULL CHECK (skip_optional_steps IN (0, 1)),
  use_cache INTEGER NOT NULL CHECK (use_cache IN (0, 1)),
  use_step_cache INTEGER NOT NULL DEFAULT 1 CHECK (use_step_cache IN (0, 1)),
  max_retries INTEGER CHECK (max_retries >= 0),
  deadline_ms INTEGER NOT NULL CHECK (deadline_ms > 0),
  description TEXT NOT NULL DEFAULT ''
) STRICT;

-- Optional steps are left out where the strategy or the level says so, retries have the smaller of
-- both caps, and the strategy's deadline is multiplied by the level's factor.
CREATE TABLE IF NOT EXISTS quality_levels (
  name TEXT PRIMARY KEY NOT NULL
    CHECK (name IN ('basic', 'standard', 'premium', 'enterprise')),
  source_discovery_depth INTEGER NOT NULL CHECK (source_discovery_depth BETWEEN 1 AND 5),
  max_articles INTEGER NOT NULL CHECK (max_articles BETWEEN 1 AND 500),
  min_quality REAL NOT NULL CHECK (min_quality BETWEEN 0 AND 1),
  skip_optional_steps INTEGER NOT NULL DEFAULT 0 CHECK (skip_optional_steps IN (0, 1)),
  max_retries INTEGER CHECK (max_retries >= 0),
  deadline_factor REAL NOT NULL DEFAULT 1.0 CHECK (deadline_factor BETWEEN 0.1 AND 10),
  description TEXT NOT NULL DEFAULT ''
) STRICT;

-- A higher priority is admitted first, and passes a worker's gate first. A NULL deadline is the
-- longest that the environment allows. `use_emergency_budget` makes the environment's emergency
-- budget the default of `budget_limit`.
CREATE TABLE IF NOT EXISTS urgency_levels (
  name TEXT PRIMARY KEY NOT NULL CHECK (name IN ('low', 'medium', 'high', 'critical')),
  deadline_ms INTEGER CHECK (deadline_ms > 0),
  priority INTEGER NOT NULL,
  use_emergency_budget INTEGER NOT NULL DEFAULT 0 CHECK (use_emergency_budget IN (0, 1)),
  description TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TRIGGER IF NOT EXISTS execution_strategies_insert_counts AFTER INSERT ON execution_strategies
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS execution_strategies_update_counts AFTER UPDATE ON execution_strategies
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS execution_strategies_delete_counts AFTER DELETE ON execution_strategies
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS quality_levels_insert_counts AFTER INSERT ON quality_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS quality_levels_update_counts AFTER UPDATE ON quality_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS quality_levels_delete_counts AFTER DELETE ON quality_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS urgency_levels_insert_counts AFTER INSERT ON urgency_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS urgency_levels_update_counts AFTER UPDATE ON urgency_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS urgency_levels_delete_counts AFTER DELETE ON urgency_levels
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

-- == put back ==

INSERT INTO execution_strategies (
  name, label, worker_choice, max_parallel_steps, skip_optional_steps, use_cache, use_step_cache,
  max_retries, deadline_ms, description
)
SELECT
  name, label, worker_choice, max_parallel_steps, skip_optional_steps, use_cache, use_step_cache,
  max_retries, deadline_ms, description
FROM kept_execution_strategies;

INSERT INTO quality_levels (
  name, source_discovery_depth, max_articles, min_quality, skip_optional_steps, max_retries,
  deadline_factor, description
)
SELECT
  name, source_discovery_depth, max_articles, min_quality, skip_optional_steps, max_retries,
  deadline_factor, description
FROM kept_quality_levels;

INSERT INTO urgency_levels (
  name, deadline_ms, priority, use_emergency_budget, description
)
SELECT
  name, deadline_ms, priority, use_emergency_budget, description
FROM kept_urgency_levels;

DROP TABLE kept_execution_strategies;
DROP TABLE kept_quality_levels;
DROP TABLE kept_urgency_levels;

INSERT INTO schema_version (version, name) VALUES (3, '0003_strategies')
ON CONFLICT DO NOTHING;
