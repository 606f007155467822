-- Bitware Orchestrator: the whole current schema of ORCHESTRATION_DB (D1) and its seed rows.
-- It creates everything from nothing and is harmless on a database that is current already.
--
-- Conventions. Times are ISO 8601 UTC text with milliseconds. Money that the orchestrator counts is
-- integer micro-USD (columns `…_micro_usd`); prices that people write are dollars (`…_usd`). JSON
-- columns are checked for validity, enumerations and flags by CHECK. Tables are STRICT: D1 binds
-- every number as REAL, and a STRICT column takes back a whole number or refuses. `updated_at` is
-- kept by triggers. Rows that people change raise `change_counter`.
--
-- The same statements, in order, are migrations/NNNN_name.sql; database_fix.sql carries all parts
-- verbatim. tests/schema.rs holds the three together.

-- == part 1: tables, indexes, triggers ==

-- ---- accounts and keys ---------------------------------------------------------------------

-- A tenant. NULL budgets and limits take the environment's.
CREATE TABLE IF NOT EXISTS accounts (
  id TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
  name TEXT NOT NULL DEFAULT '',
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  daily_budget_micro_usd INTEGER CHECK (daily_budget_micro_usd >= 0),
  monthly_budget_micro_usd INTEGER CHECK (monthly_budget_micro_usd >= 0),
  max_concurrent_executions INTEGER CHECK (max_concurrent_executions > 0),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- Issued keys: the SHA-256 of the secret, never the secret.
CREATE TABLE IF NOT EXISTS api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL DEFAULT '',
  key_hash TEXT NOT NULL UNIQUE
    CHECK (length(key_hash) = 64 AND key_hash NOT GLOB '*[^0-9a-f]*'),
  scopes TEXT NOT NULL DEFAULT '["execute","read"]'
    CHECK (json_valid(scopes) AND json_type(scopes) = 'array'),
  rate_per_minute INTEGER CHECK (rate_per_minute > 0),
  daily_budget_micro_usd INTEGER CHECK (daily_budget_micro_usd >= 0),
  monthly_budget_micro_usd INTEGER CHECK (monthly_budget_micro_usd >= 0),
  expires_at TEXT,
  revoked_at TEXT,
  last_used_at TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS api_keys_by_account ON api_keys (account_id, created_at);
CREATE INDEX IF NOT EXISTS api_keys_with_budgets ON api_keys (account_id)
  WHERE daily_budget_micro_usd IS NOT NULL OR monthly_budget_micro_usd IS NOT NULL;
CREATE INDEX IF NOT EXISTS api_keys_by_change ON api_keys (account_id, updated_at);

-- Keys that were rotated. The keys of a line share the budget that its first one began: `root_id`.
CREATE TABLE IF NOT EXISTS api_key_lineage (
  key_id TEXT PRIMARY KEY NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  rotated_from TEXT NOT NULL UNIQUE,
  root_id TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS api_key_lineage_by_root ON api_key_lineage (root_id);

-- ---- registry ------------------------------------------------------------------------------

-- A service that does steps. The first endpoint is the default operation. A NULL estimate means
-- that nobody knows, and nothing can be started with such a worker; 0 means that a call is known to
-- cost nothing. What calls must pass, all executions of an account together: `max_concurrency` at
-- the same time, `max_per_minute`, and `breaker`, {"failures", "failure_rate", "window", "open_ms"}.
CREATE TABLE IF NOT EXISTS worker_registry (
  worker_name TEXT PRIMARY KEY NOT NULL CHECK (length(worker_name) BETWEEN 1 AND 64),
  display_name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  version TEXT NOT NULL DEFAULT '1.0.0',
  service_binding TEXT,
  base_url TEXT,
  endpoints TEXT NOT NULL DEFAULT '["/"]'
    CHECK (json_valid(endpoints) AND json_type(endpoints) = 'array'),
  input_format TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(input_format)),
  output_format TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(output_format)),
  dependencies TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(dependencies) AND json_type(dependencies) = 'array'),
  estimated_cost_usd REAL CHECK (estimated_cost_usd >= 0),
  avg_response_time_ms INTEGER CHECK (avg_response_time_ms >= 0),
  timeout_ms INTEGER CHECK (timeout_ms > 0),
  max_retries INTEGER CHECK (max_retries >= 0),
  max_concurrency INTEGER CHECK (max_concurrency > 0),
  max_per_minute INTEGER CHECK (max_per_minute > 0),
  breaker TEXT CHECK (breaker IS NULL OR json_valid(breaker) AND json_type(breaker) = 'object'),
  quality_score REAL CHECK (quality_score BETWEEN 0 AND 1),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  health_check_endpoint TEXT NOT NULL DEFAULT '/health',
  last_health_check TEXT,
  health_status TEXT NOT NULL DEFAULT 'unknown'
    CHECK (health_status IN ('unknown', 'healthy', 'degraded', 'unhealthy')),
  default_config TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(default_config) AND json_type(default_config) = 'object'),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- ---- templates -----------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS pipeline_templates (
  name TEXT PRIMARY KEY NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  display_name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  category TEXT NOT NULL DEFAULT 'general',
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
  allow_parallel INTEGER NOT NULL DEFAULT 1 CHECK (allow_parallel IN (0, 1)),
  failure_tolerance TEXT NOT NULL DEFAULT 'strict'
    CHECK (failure_tolerance IN ('strict', 'partial', 'park')),
  input_schema TEXT CHECK (input_schema IS NULL OR json_valid(input_schema)),
  output_mapping TEXT CHECK (output_mapping IS NULL OR json_valid(output_mapping)),
  deadline_ms INTEGER CHECK (deadline_ms > 0),
  cache_ttl_seconds INTEGER CHECK (cache_ttl_seconds >= 0),
  estimated_cost_usd REAL CHECK (estimated_cost_usd >= 0),
  estimated_time_ms INTEGER CHECK (estimated_time_ms >= 0),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS pipeline_templates_one_default
  ON pipeline_templates (is_default) WHERE is_default = 1;

-- Workers are named without a foreign key: rows may be written in any order, a worker may be
-- retired while templates name it, and a name that nobody has is reported as a violation of the
-- template together with all others, which a refused INSERT could not do.
-- `condition` is CEL, or JSON of the object form; the other expressions are JSON.
CREATE TABLE IF NOT EXISTS pipeline_steps (
  id INTEGER PRIMARY KEY,
  template_name TEXT NOT NULL
    REFERENCES pipeline_templates (name) ON DELETE CASCADE ON UPDATE CASCADE,
  step_order INTEGER NOT NULL,
  step_name TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'worker'
    CHECK (kind IN ('worker', 'transform', 'map', 'wait', 'pipeline', 'tool')),
  worker_name TEXT,
  endpoint TEXT,
  depends_on_steps TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(depends_on_steps) AND json_type(depends_on_steps) = 'array'),
  condition TEXT,
  input_mapping TEXT CHECK (input_mapping IS NULL OR json_valid(input_mapping)),
  output_mapping TEXT CHECK (output_mapping IS NULL OR json_valid(output_mapping)),
  is_optional INTEGER NOT NULL DEFAULT 0 CHECK (is_optional IN (0, 1)),
  timeout_ms INTEGER CHECK (timeout_ms > 0),
  retry_policy TEXT CHECK (retry_policy IS NULL OR json_valid(retry_policy)),
  fallback_worker TEXT,
  config TEXT CHECK (config IS NULL OR json_valid(config)),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (template_name, step_name)
) STRICT;

-- What was published, for ever. No foreign key: executions name revisions of templates that are
-- gone, and a template made again under its old name goes on counting. Several may hold the same:
-- a rollback publishes old content anew. The newest that holds what the rows say counts.
CREATE TABLE IF NOT EXISTS template_revisions (
  template_name TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision > 0),
  content_hash TEXT NOT NULL CHECK (length(content_hash) = 64),
  definition TEXT NOT NULL CHECK (json_valid(definition)),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  PRIMARY KEY (template_name, revision)
) STRICT;
CREATE INDEX IF NOT EXISTS template_revisions_by_content
  ON template_revisions (template_name, content_hash, revision DESC);

-- The entry of the audit log that says who published a revision. No foreign keys: both outlive the
-- template, and entries of the log are removed when their time is over.
CREATE TABLE IF NOT EXISTS template_publications (
  template_name TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision > 0),
  audit_id TEXT NOT NULL,
  PRIMARY KEY (template_name, revision)
) STRICT, WITHOUT ROWID;

-- One row. What isolates keep in memory is good for as long as the count stands still.
CREATE TABLE IF NOT EXISTS change_counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  count INTEGER NOT NULL DEFAULT 0
) STRICT;

-- ---- executions: a projection of the journals, for queries ------------------------------------

-- `pipeline_id` is the execution's id, `id` only the row's. `journal_seq` is how far into the
-- journal the row has seen; a projection that has seen less changes nothing. No foreign keys to
-- accounts and templates: a projection must never be refused, and history outlives both.
CREATE TABLE IF NOT EXISTS pipeline_executions (
  id INTEGER PRIMARY KEY,
  pipeline_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  template_name TEXT NOT NULL,
  template_revision INTEGER NOT NULL DEFAULT 0,
  topic TEXT,
  status TEXT NOT NULL CHECK (status IN (
    'pending', 'running', 'waiting', 'paused', 'completed', 'partial', 'failed', 'cancelled')),
  execution_strategy TEXT NOT NULL DEFAULT 'balanced' CHECK (execution_strategy IN (
    'speed_optimized', 'cost_optimized', 'quality_optimized', 'balanced')),
  optimize_for TEXT NOT NULL DEFAULT 'balanced'
    CHECK (optimize_for IN ('speed', 'cost', 'quality', 'balanced')),
  urgency TEXT NOT NULL DEFAULT 'medium'
    CHECK (urgency IN ('low', 'medium', 'high', 'critical')),
  quality_level TEXT NOT NULL DEFAULT 'standard'
    CHECK (quality_level IN ('basic', 'standard', 'premium', 'enterprise')),
  request TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(request)),
  result TEXT CHECK (result IS NULL OR json_valid(result)),
  error TEXT CHECK (error IS NULL OR json_valid(error)),
  total_cost_micro_usd INTEGER NOT NULL DEFAULT 0 CHECK (total_cost_micro_usd >= 0),
  cost_estimated INTEGER NOT NULL DEFAULT 0 CHECK (cost_estimated IN (0, 1)),
  budget_micro_usd INTEGER CHECK (budget_micro_usd >= 0),
  sources_discovered INTEGER NOT NULL DEFAULT 0,
  articles_processed INTEGER NOT NULL DEFAULT 0,
  final_quality_score REAL,
  optimization_applied TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(optimization_applied) AND json_type(optimization_applied) = 'array'),
  cache_hit INTEGER NOT NULL DEFAULT 0 CHECK (cache_hit IN (0, 1)),
  total_execution_time_ms INTEGER NOT NULL DEFAULT 0,
  waiting_reason TEXT,
  journal_seq INTEGER NOT NULL DEFAULT 0 CHECK (journal_seq >= 0),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS pipeline_executions_history
  ON pipeline_executions (account_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS pipeline_executions_by_template
  ON pipeline_executions (account_id, template_name, created_at DESC, id DESC);
-- Most executions are completed: they need no entry here, the history has them in order already.
CREATE INDEX IF NOT EXISTS pipeline_executions_by_status
  ON pipeline_executions (account_id, status, created_at DESC, id DESC)
  WHERE status <> 'completed';

-- One row a step; `step_name` is the step's path. `data` is its output, `{"v": value}`, or where a
-- large one lies, `{"r": {"key": …, "bytes": …}}`. `attempts` and `failed_attempts` are those of
-- `generation`; `cost_micro_usd` is the sum over all generations. WITHOUT ROWID: the row is written
-- once, not once more for an index.
CREATE TABLE IF NOT EXISTS worker_execution_results (
  pipeline_id TEXT NOT NULL
    REFERENCES pipeline_executions (pipeline_id) ON DELETE CASCADE ON UPDATE CASCADE,
  step_name TEXT NOT NULL,
  step_order INTEGER NOT NULL DEFAULT 0,
  worker_name TEXT,
  kind TEXT NOT NULL DEFAULT 'worker'
    CHECK (kind IN ('worker', 'transform', 'map', 'wait', 'pipeline', 'tool')),
  status TEXT NOT NULL CHECK (status IN (
    'pending', 'ready', 'running', 'retrying', 'waiting', 'succeeded', 'skipped', 'failed',
    'cancelled', 'compensated')),
  success INTEGER NOT NULL DEFAULT 0 CHECK (success IN (0, 1)),
  generation INTEGER NOT NULL DEFAULT 1,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  failed_attempts INTEGER NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0),
  execution_time_ms INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0 CHECK (cost_micro_usd >= 0),
  cost_estimated INTEGER NOT NULL DEFAULT 0 CHECK (cost_estimated IN (0, 1)),
  cache_hit INTEGER NOT NULL DEFAULT 0 CHECK (cache_hit IN (0, 1)),
  communication_method TEXT NOT NULL DEFAULT 'internal'
    CHECK (communication_method IN ('service_binding', 'http', 'internal')),
  error TEXT CHECK (error IS NULL OR json_valid(error)),
  data TEXT CHECK (data IS NULL OR json_valid(data)),
  started_at TEXT,
  completed_at TEXT,
  PRIMARY KEY (pipeline_id, step_name)
) STRICT, WITHOUT ROWID;

-- What each worker did and cost on each day (UTC), for each account. Written with the projection
-- that it counts, in one transaction.
CREATE TABLE IF NOT EXISTS cost_tracking (
  day TEXT NOT NULL CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
  account_id TEXT NOT NULL,
  worker_name TEXT NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  cost_micro_usd INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, account_id, worker_name)
) STRICT, WITHOUT ROWID;

-- ---- policy: what each label of a request changes ----------------------------------------------

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

-- ---- the tool registry ---------------------------------------------------------------------------

-- `seq` counts rows as they come in and is never given twice: pages go by it, so that what is added
-- while somebody reads comes behind what he has read.

-- An address that runs tools. The columns after `status` are kept by health checks: how often in a
-- row the node failed or passed, and what was wrong when it last failed.
CREATE TABLE IF NOT EXISTS nodes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  node_id TEXT NOT NULL UNIQUE CHECK (length(node_id) = 36),
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  node_type TEXT NOT NULL CHECK (node_type IN (
    'TOOL_EXECUTOR', 'OBSERVATION_NODE', 'ANALYSIS_NODE', 'STORAGE_NODE')),
  address TEXT NOT NULL CHECK (length(address) BETWEEN 1 AND 2048),
  status TEXT NOT NULL DEFAULT 'INACTIVE'
    CHECK (status IN ('ACTIVE', 'INACTIVE', 'MAINTENANCE', 'ERROR')),
  last_health_check TEXT,
  checks_failed INTEGER NOT NULL DEFAULT 0 CHECK (checks_failed >= 0),
  checks_passed INTEGER NOT NULL DEFAULT 0 CHECK (checks_passed >= 0),
  last_error TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS nodes_by_account ON nodes (account_id, seq);
CREATE INDEX IF NOT EXISTS nodes_by_status ON nodes (status, seq);

-- One callable operation of a node. `disabled_by_node` is 1 where maintenance disabled the tool
-- because its node was not active: only such a tool comes back when the node does.
CREATE TABLE IF NOT EXISTS tools (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tool_id TEXT NOT NULL UNIQUE CHECK (length(tool_id) = 36),
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  description TEXT,
  category TEXT NOT NULL CHECK (category IN ('ANALYSIS', 'PROCESSING', 'VALIDATION', 'STORAGE')),
  version TEXT NOT NULL DEFAULT '1.0.0' CHECK (length(version) BETWEEN 1 AND 50),
  status TEXT NOT NULL DEFAULT 'ENABLED' CHECK (status IN ('ENABLED', 'DISABLED', 'DEPRECATED')),
  disabled_by_node INTEGER NOT NULL DEFAULT 0 CHECK (disabled_by_node IN (0, 1)),
  input_schema TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(input_schema) AND json_type(input_schema) = 'object'),
  output_schema TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(output_schema) AND json_type(output_schema) = 'object'),
  target_node_id TEXT REFERENCES nodes (node_id) ON DELETE SET NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (account_id, name),
  UNIQUE (account_id, tool_id)
) STRICT;
CREATE INDEX IF NOT EXISTS tools_by_account ON tools (account_id, seq);
CREATE INDEX IF NOT EXISTS tools_by_category ON tools (account_id, category, seq);
CREATE INDEX IF NOT EXISTS tools_by_node ON tools (target_node_id);
CREATE INDEX IF NOT EXISTS tools_disabled_by_node ON tools (account_id, seq)
  WHERE disabled_by_node = 1;

-- Nodes are asked in the order in which they were last asked.
CREATE INDEX IF NOT EXISTS nodes_by_check ON nodes (last_health_check, seq)
  WHERE status IN ('ACTIVE', 'ERROR');

-- What a call of a tool costs and takes; the columns mean what they mean for workers. A tool
-- without a row has no price, and cannot be called; 0 is a price.
CREATE TABLE IF NOT EXISTS tool_terms (
  tool_id TEXT PRIMARY KEY NOT NULL REFERENCES tools (tool_id) ON DELETE CASCADE,
  estimated_cost_usd REAL NOT NULL CHECK (estimated_cost_usd >= 0),
  avg_response_time_ms INTEGER CHECK (avg_response_time_ms >= 0),
  timeout_ms INTEGER CHECK (timeout_ms > 0),
  max_retries INTEGER CHECK (max_retries >= 0),
  max_concurrency INTEGER CHECK (max_concurrency > 0),
  max_per_minute INTEGER CHECK (max_per_minute > 0),
  breaker TEXT CHECK (breaker IS NULL OR json_valid(breaker) AND json_type(breaker) = 'object'),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- What tools are found by. A tag is the same in any case.
CREATE TABLE IF NOT EXISTS tool_tags (
  account_id TEXT NOT NULL,
  tag_name TEXT NOT NULL COLLATE NOCASE CHECK (length(tag_name) BETWEEN 1 AND 50),
  tool_id TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  PRIMARY KEY (account_id, tag_name, tool_id),
  FOREIGN KEY (account_id, tool_id) REFERENCES tools (account_id, tool_id)
    ON DELETE CASCADE ON UPDATE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tool_tags_by_tool ON tool_tags (account_id, tool_id, tag_name);

-- The properties that the schemas of tools name, `author.name` for one within another. Kept by
-- triggers, so that a search for tools by what they take or give reads no schema.
CREATE TABLE IF NOT EXISTS tool_properties (
  account_id TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('input', 'output')),
  property TEXT NOT NULL,
  tool_seq INTEGER NOT NULL REFERENCES tools (seq) ON DELETE CASCADE,
  PRIMARY KEY (account_id, direction, property, tool_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tool_properties_by_tool ON tool_properties (tool_seq);

-- What is known of a file that a tool or a step made. `content_key` is the object of the bucket
-- that holds the bytes where they were stored here; else they lie where `storage_pointer` says.
-- No foreign key to executions: one is recorded here only once it has ended or waits.
CREATE TABLE IF NOT EXISTS artifacts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  artifact_id TEXT NOT NULL UNIQUE CHECK (length(artifact_id) = 36),
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  file_name TEXT NOT NULL CHECK (length(file_name) BETWEEN 1 AND 255),
  mime_type TEXT NOT NULL DEFAULT 'application/octet-stream'
    CHECK (length(mime_type) BETWEEN 3 AND 255),
  storage_pointer TEXT CHECK (length(storage_pointer) BETWEEN 1 AND 2048),
  size_bytes INTEGER NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
  sha256 TEXT CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  content_key TEXT UNIQUE,
  created_by_tool_id TEXT REFERENCES tools (tool_id) ON DELETE SET NULL,
  pipeline_id TEXT,
  step TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS artifacts_by_account ON artifacts (account_id, seq);
CREATE INDEX IF NOT EXISTS artifacts_by_tool ON artifacts (created_by_tool_id, seq);
CREATE INDEX IF NOT EXISTS artifacts_by_size ON artifacts (account_id, size_bytes);
CREATE INDEX IF NOT EXISTS artifacts_by_execution ON artifacts (pipeline_id, seq)
  WHERE pipeline_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS artifacts_orphaned ON artifacts (account_id, seq)
  WHERE created_by_tool_id IS NULL AND pipeline_id IS NULL;

CREATE VIEW IF NOT EXISTS active_tools_with_nodes AS
SELECT t.account_id, t.seq, t.tool_id, t.name, t.description, t.category, t.version,
  t.input_schema, t.output_schema, n.node_id, n.node_type, n.address AS node_address,
  n.status AS node_status
FROM tools AS t JOIN nodes AS n ON n.node_id = t.target_node_id AND n.account_id = t.account_id
WHERE t.status = 'ENABLED' AND n.status = 'ACTIVE';

CREATE VIEW IF NOT EXISTS tools_with_tags AS
SELECT t.account_id, t.seq, t.tool_id, t.name, t.description, t.category, t.version, t.status,
  t.target_node_id, (
    SELECT json_group_array(g.tag_name) FROM (
      SELECT s.tag_name FROM tool_tags AS s
      WHERE s.account_id = t.account_id AND s.tool_id = t.tool_id ORDER BY s.tag_name
    ) AS g
  ) AS tags
FROM tools AS t;

CREATE VIEW IF NOT EXISTS artifacts_with_tools AS
SELECT a.account_id, a.seq, a.artifact_id, a.file_name, a.mime_type, a.storage_pointer,
  a.size_bytes, a.sha256, a.pipeline_id, a.step, a.created_at, a.created_by_tool_id,
  t.name AS tool_name, t.category AS tool_category, t.version AS tool_version
FROM artifacts AS a LEFT JOIN tools AS t ON t.tool_id = a.created_by_tool_id;

-- ---- operation -----------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS schema_version (
  version INTEGER PRIMARY KEY CHECK (version > 0),
  name TEXT NOT NULL,
  applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- One row for as long as something is wrong: opened, perhaps acknowledged, resolved. `account_id`
-- is NULL for what concerns the whole installation. `evidence` holds the figures that opened it.
CREATE TABLE IF NOT EXISTS performance_alerts (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN (
    'degradation', 'cost_spike', 'worker_failure', 'quality_drop', 'capacity')),
  severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  subject_type TEXT NOT NULL CHECK (subject_type IN (
    'system', 'account', 'worker', 'template', 'strategy')),
  subject TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL,
  metric TEXT NOT NULL,
  observed REAL NOT NULL,
  baseline REAL,
  threshold REAL NOT NULL,
  evidence TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence)),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
  opened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  acknowledged_at TEXT,
  acknowledged_by TEXT,
  resolved_at TEXT,
  resolved_by TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS performance_alerts_by_status
  ON performance_alerts (status, opened_at DESC);
CREATE UNIQUE INDEX IF NOT EXISTS performance_alerts_one_unresolved
  ON performance_alerts (coalesce(account_id, ''), kind, subject_type, subject)
  WHERE status <> 'resolved';

-- An account's alerts, newest first.
CREATE INDEX IF NOT EXISTS performance_alerts_by_account
  ON performance_alerts (account_id, opened_at DESC);

-- What the cron does every now and then: one row a duty. `fence` is the number of whoever does it,
-- until `held_until` at the latest; whoever holds an older one changes nothing any more.
CREATE TABLE IF NOT EXISTS cron_duties (
  name TEXT PRIMARY KEY NOT NULL,
  fence INTEGER NOT NULL DEFAULT 0,
  held_until TEXT,
  next_at TEXT,
  done_at TEXT,
  state TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(state) AND json_type(state) = 'object')
) STRICT, WITHOUT ROWID;

-- Objects in R2 that hold executions which left this database: gzip members, one an execution, so
-- that one is read without the others and the whole is a gzip file of NDJSON.
CREATE TABLE IF NOT EXISTS archive_objects (
  id INTEGER PRIMARY KEY,
  object_key TEXT NOT NULL UNIQUE,
  executions INTEGER NOT NULL CHECK (executions > 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

-- Where in its object each of them lies. No foreign key: objects stay, and one that went would be
-- looked for in every row.
CREATE TABLE IF NOT EXISTS archived_executions (
  pipeline_id TEXT PRIMARY KEY NOT NULL,
  object_id INTEGER NOT NULL,
  first_byte INTEGER NOT NULL CHECK (first_byte >= 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0)
) STRICT, WITHOUT ROWID;

-- How many executions of each account are archived, and when the newest of them was asked for.
CREATE TABLE IF NOT EXISTS archived_accounts (
  account_id TEXT PRIMARY KEY NOT NULL,
  executions INTEGER NOT NULL DEFAULT 0 CHECK (executions >= 0),
  newest_created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Executions that start by the clock. `next_due_at` is NULL while a schedule rests.
CREATE TABLE IF NOT EXISTS schedules (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  cron_expression TEXT NOT NULL,
  timezone TEXT NOT NULL DEFAULT 'UTC',
  request TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(request) AND json_type(request) = 'object'),
  is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  overlap TEXT NOT NULL DEFAULT 'skip' CHECK (overlap IN ('skip', 'allow')),
  next_due_at TEXT,
  last_started_at TEXT,
  last_pipeline_id TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UNIQUE (account_id, name)
) STRICT;
CREATE INDEX IF NOT EXISTS schedules_due
  ON schedules (next_due_at) WHERE is_active = 1 AND next_due_at IS NOT NULL;

-- Who changed what. Rows are added and, when their time is over, removed; never changed. No foreign
-- key to accounts: the trail of an account outlives it.
CREATE TABLE IF NOT EXISTS audit_log (
  id TEXT PRIMARY KEY NOT NULL,
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  account_id TEXT,
  actor_type TEXT NOT NULL CHECK (actor_type IN ('api_key', 'worker', 'user', 'system')),
  actor TEXT NOT NULL,
  change TEXT NOT NULL,
  subject_type TEXT NOT NULL,
  subject TEXT NOT NULL,
  before TEXT CHECK (before IS NULL OR json_valid(before)),
  after TEXT CHECK (after IS NULL OR json_valid(after)),
  request_id TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS audit_log_by_time ON audit_log (at DESC);
CREATE INDEX IF NOT EXISTS audit_log_by_subject ON audit_log (subject_type, subject, at DESC);
CREATE INDEX IF NOT EXISTS audit_log_by_account ON audit_log (account_id, at DESC);

-- What is counted where it happens, in the memory of isolates that share nothing. Each row is what
-- one isolate counted between two visits; the cron adds up rows that nobody sends again into those
-- with `is_total`.
CREATE TABLE IF NOT EXISTS operation_counts (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  label TEXT NOT NULL DEFAULT '',
  value INTEGER NOT NULL CHECK (value >= 0),
  is_total INTEGER NOT NULL DEFAULT 0 CHECK (is_total IN (0, 1)),
  counted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The last known figures of something that is looked at once a minute, such as `shards`.
CREATE TABLE IF NOT EXISTS operation_figures (
  name TEXT PRIMARY KEY NOT NULL,
  figures TEXT NOT NULL CHECK (json_valid(figures)),
  noted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What metrics have counted since the beginning, by account: what happened, not what is, so no
-- value ever falls. `labels` is a JSON array of what tells the counts of a name apart; `since` is
-- when the first of them was met.
CREATE TABLE IF NOT EXISTS metric_totals (
  account_id TEXT NOT NULL,
  name TEXT NOT NULL,
  labels TEXT NOT NULL CHECK (json_valid(labels) AND json_type(labels) = 'array'),
  value INTEGER NOT NULL CHECK (value >= 0),
  since TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  PRIMARY KEY (account_id, name, labels)
) STRICT, WITHOUT ROWID;

-- ---- triggers: what may not be changed --------------------------------------------------------

CREATE TRIGGER IF NOT EXISTS template_revisions_immutable BEFORE UPDATE ON template_revisions
BEGIN
  SELECT RAISE(ABORT, 'a published revision never changes');
END;

CREATE TRIGGER IF NOT EXISTS audit_log_append_only BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- ---- triggers: updated_at ----------------------------------------------------------------------
-- Each steps back where the statement itself sets updated_at, and where the time is right already,
-- so that it ends even where recursive triggers are on.

CREATE TRIGGER IF NOT EXISTS accounts_updated_at AFTER UPDATE ON accounts
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE accounts SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

-- That a key was used is no change of the key.
CREATE TRIGGER IF NOT EXISTS api_keys_updated_at AFTER UPDATE ON api_keys
WHEN NEW.updated_at IS OLD.updated_at AND NEW.last_used_at IS OLD.last_used_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE api_keys SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS worker_registry_updated_at AFTER UPDATE ON worker_registry
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE worker_registry SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE worker_name = NEW.worker_name;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_templates_updated_at AFTER UPDATE ON pipeline_templates
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE pipeline_templates SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE name = NEW.name;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_steps_updated_at AFTER UPDATE ON pipeline_steps
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE pipeline_steps SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_executions_updated_at AFTER UPDATE ON pipeline_executions
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE pipeline_executions SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS performance_alerts_updated_at AFTER UPDATE ON performance_alerts
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE performance_alerts SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS schedules_updated_at AFTER UPDATE ON schedules
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE schedules SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

-- What a health check finds is no change of the node, its status is.
CREATE TRIGGER IF NOT EXISTS nodes_updated_at AFTER UPDATE OF
  node_id, account_id, node_type, address, status, created_at
ON nodes
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE nodes SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE seq = NEW.seq;
END;

CREATE TRIGGER IF NOT EXISTS tools_updated_at AFTER UPDATE ON tools
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE tools SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE seq = NEW.seq;
END;

CREATE TRIGGER IF NOT EXISTS artifacts_updated_at AFTER UPDATE ON artifacts
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE artifacts SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE seq = NEW.seq;
END;

CREATE TRIGGER IF NOT EXISTS tool_terms_updated_at AFTER UPDATE ON tool_terms
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE tool_terms SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE tool_id = NEW.tool_id;
END;

-- ---- triggers: what schemas name ----------------------------------------------------------------
-- Properties within `items`, `allOf`, `anyOf` and `oneOf` count as the schema's own, 16 levels deep.

CREATE TRIGGER IF NOT EXISTS tools_insert_properties AFTER INSERT ON tools
BEGIN
  INSERT INTO tool_properties (account_id, direction, property, tool_seq)
  WITH RECURSIVE part (direction, path, schema, depth) AS (
    SELECT 'input', '', NEW.input_schema, 0
    UNION ALL
    SELECT 'output', '', NEW.output_schema, 0
    UNION ALL
    SELECT part.direction,
      iif(k.key <> '$.properties', part.path, iif(part.path = '', e.key, part.path || '.' || e.key)),
      e.value, part.depth + 1
    FROM part
    CROSS JOIN (
      SELECT '$.properties' AS key UNION ALL SELECT '$.allOf' UNION ALL SELECT '$.anyOf'
      UNION ALL SELECT '$.oneOf'
    ) AS k
    CROSS JOIN json_each(part.schema, k.key) AS e
    WHERE e.type IN ('object', 'true', 'false') AND part.depth < 16
    UNION ALL
    SELECT part.direction, part.path, part.schema -> '$.items', part.depth + 1
    FROM part
    WHERE json_type(part.schema, '$.items') = 'object' AND part.depth < 16
  )
  SELECT DISTINCT NEW.account_id, part.direction, part.path, NEW.seq FROM part
  WHERE length(part.path) BETWEEN 1 AND 256
  LIMIT 1000;
END;

CREATE TRIGGER IF NOT EXISTS tools_update_properties AFTER UPDATE OF
  account_id, input_schema, output_schema
ON tools
BEGIN
  DELETE FROM tool_properties WHERE tool_seq = NEW.seq;
  INSERT INTO tool_properties (account_id, direction, property, tool_seq)
  WITH RECURSIVE part (direction, path, schema, depth) AS (
    SELECT 'input', '', NEW.input_schema, 0
    UNION ALL
    SELECT 'output', '', NEW.output_schema, 0
    UNION ALL
    SELECT part.direction,
      iif(k.key <> '$.properties', part.path, iif(part.path = '', e.key, part.path || '.' || e.key)),
      e.value, part.depth + 1
    FROM part
    CROSS JOIN (
      SELECT '$.properties' AS key UNION ALL SELECT '$.allOf' UNION ALL SELECT '$.anyOf'
      UNION ALL SELECT '$.oneOf'
    ) AS k
    CROSS JOIN json_each(part.schema, k.key) AS e
    WHERE e.type IN ('object', 'true', 'false') AND part.depth < 16
    UNION ALL
    SELECT part.direction, part.path, part.schema -> '$.items', part.depth + 1
    FROM part
    WHERE json_type(part.schema, '$.items') = 'object' AND part.depth < 16
  )
  SELECT DISTINCT NEW.account_id, part.direction, part.path, NEW.seq FROM part
  WHERE length(part.path) BETWEEN 1 AND 256
  LIMIT 1000;
END;

-- A status that anybody else sets is his own: what maintenance did no longer counts.
CREATE TRIGGER IF NOT EXISTS tools_status_is_set AFTER UPDATE OF status ON tools
WHEN NEW.disabled_by_node = 1 AND OLD.disabled_by_node = 1
BEGIN
  UPDATE tools SET disabled_by_node = 0 WHERE seq = NEW.seq;
END;

-- ---- triggers: the change counter --------------------------------------------------------------
-- They name the columns that a plan or a policy is made of: what a health check writes, and
-- updated_at, which follows the others, raise nothing.

CREATE TRIGGER IF NOT EXISTS worker_registry_insert_counts AFTER INSERT ON worker_registry
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS worker_registry_update_counts AFTER UPDATE OF
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms, timeout_ms,
  max_retries, max_concurrency, max_per_minute, breaker, quality_score, is_active,
  health_check_endpoint, default_config
ON worker_registry
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS worker_registry_delete_counts AFTER DELETE ON worker_registry
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_templates_insert_counts AFTER INSERT ON pipeline_templates
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_templates_update_counts AFTER UPDATE OF
  name, display_name, description, category, is_active, is_default, allow_parallel,
  failure_tolerance, input_schema, output_mapping, deadline_ms, cache_ttl_seconds,
  estimated_cost_usd, estimated_time_ms
ON pipeline_templates
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_templates_delete_counts AFTER DELETE ON pipeline_templates
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_steps_insert_counts AFTER INSERT ON pipeline_steps
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_steps_update_counts AFTER UPDATE OF
  id, template_name, step_order, step_name, kind, worker_name, endpoint, depends_on_steps,
  condition, input_mapping, output_mapping, is_optional, timeout_ms, retry_policy,
  fallback_worker, config
ON pipeline_steps
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS pipeline_steps_delete_counts AFTER DELETE ON pipeline_steps
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

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

-- Templates name the tools of the account `default`: those of others raise nothing.

CREATE TRIGGER IF NOT EXISTS tools_insert_counts AFTER INSERT ON tools
WHEN NEW.account_id = 'default'
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS tools_update_counts AFTER UPDATE OF
  tool_id, account_id, name, version, status, input_schema, output_schema, target_node_id
ON tools
WHEN 'default' IN (OLD.account_id, NEW.account_id)
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS tools_delete_counts AFTER DELETE ON tools
WHEN OLD.account_id = 'default'
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS nodes_insert_counts AFTER INSERT ON nodes
WHEN NEW.account_id = 'default'
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS nodes_update_counts AFTER UPDATE OF node_id, account_id, address, status ON nodes
WHEN 'default' IN (OLD.account_id, NEW.account_id)
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS nodes_delete_counts AFTER DELETE ON nodes
WHEN OLD.account_id = 'default'
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS tool_terms_insert_counts AFTER INSERT ON tool_terms
WHEN EXISTS (
  SELECT 1 FROM tools AS t WHERE t.tool_id = NEW.tool_id AND t.account_id = 'default')
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS tool_terms_update_counts AFTER UPDATE OF
  tool_id, estimated_cost_usd, avg_response_time_ms, timeout_ms, max_retries, max_concurrency,
  max_per_minute, breaker
ON tool_terms
WHEN EXISTS (
  SELECT 1 FROM tools AS t WHERE t.tool_id = NEW.tool_id AND t.account_id = 'default')
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

CREATE TRIGGER IF NOT EXISTS tool_terms_delete_counts AFTER DELETE ON tool_terms
WHEN EXISTS (
  SELECT 1 FROM tools AS t WHERE t.tool_id = OLD.tool_id AND t.account_id = 'default')
BEGIN
  UPDATE change_counter SET count = count + 1 WHERE id = 1;
END;

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

-- ---- agents: what each was asked, what it did, what it cost -----------------------------------
-- `agent_id` of what is recorded has no foreign key: the record outlives the agent. What only grows
-- has a number `seq` in the order of arrival, which readers go on from; its `id` is the client's,
-- so that what is sent twice is there once. Searched texts stand in FTS5 tables beside theirs,
-- which hold an index and no text, and can be dropped and built anew at any time.

-- The agent that leads an account's others: one that lives, and those before it.
CREATE TABLE IF NOT EXISTS orchestrator_agents (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  session_id TEXT,
  system_prompt TEXT,
  status TEXT NOT NULL DEFAULT 'idle'
    CHECK (status IN ('idle', 'executing', 'waiting', 'blocked', 'complete')),
  working_dir TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  output_tokens INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  total_cost_micro_usd INTEGER NOT NULL DEFAULT 0 CHECK (total_cost_micro_usd >= 0),
  archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS orchestrator_agents_one_live
  ON orchestrator_agents (account_id) WHERE archived = 0;
CREATE INDEX IF NOT EXISTS orchestrator_agents_by_time
  ON orchestrator_agents (account_id, created_at DESC, id DESC);

CREATE TABLE IF NOT EXISTS agents (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  system_prompt TEXT,
  status TEXT NOT NULL DEFAULT 'idle'
    CHECK (status IN ('idle', 'executing', 'waiting', 'blocked', 'complete')),
  working_dir TEXT,
  git_worktree TEXT,
  session_id TEXT,
  adw_id TEXT,
  adw_step TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  output_tokens INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  total_cost_micro_usd INTEGER NOT NULL DEFAULT 0 CHECK (total_cost_micro_usd >= 0),
  archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS agents_one_live_of_a_name
  ON agents (account_id, name) WHERE archived = 0;
CREATE INDEX IF NOT EXISTS agents_by_time ON agents (account_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS agents_live
  ON agents (account_id, created_at DESC, id DESC) WHERE archived = 0;
CREATE INDEX IF NOT EXISTS agents_by_status
  ON agents (account_id, status, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS agents_by_model
  ON agents (account_id, model, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS agents_by_session
  ON agents (account_id, session_id, created_at DESC, id DESC) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS agents_by_adw
  ON agents (account_id, adw_id, created_at DESC, id DESC) WHERE adw_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS agents_by_worktree
  ON agents (account_id, git_worktree, created_at DESC, id DESC) WHERE git_worktree IS NOT NULL;

CREATE TABLE IF NOT EXISTS prompts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  agent_id TEXT,
  task_slug TEXT,
  author TEXT NOT NULL CHECK (author IN ('engineer', 'orchestrator_agent')),
  prompt_text TEXT NOT NULL,
  summary TEXT,
  timestamp TEXT NOT NULL,
  session_id TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS prompts_by_id ON prompts (account_id, id);
CREATE INDEX IF NOT EXISTS prompts_by_time ON prompts (account_id, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS prompts_by_agent
  ON prompts (account_id, agent_id, timestamp DESC, seq DESC) WHERE agent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS prompts_by_author
  ON prompts (account_id, author, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS prompts_by_task
  ON prompts (account_id, task_slug, timestamp DESC, seq DESC) WHERE task_slug IS NOT NULL;
CREATE INDEX IF NOT EXISTS prompts_by_session
  ON prompts (account_id, session_id, timestamp DESC, seq DESC) WHERE session_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS agent_logs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  agent_id TEXT NOT NULL,
  session_id TEXT,
  task_slug TEXT,
  adw_id TEXT,
  adw_step TEXT,
  entry_index INTEGER CHECK (entry_index >= 0),
  event_category TEXT NOT NULL CHECK (event_category IN ('hook', 'response')),
  event_type TEXT NOT NULL,
  content TEXT,
  payload TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload)),
  summary TEXT,
  timestamp TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS agent_logs_by_id ON agent_logs (account_id, id);
CREATE INDEX IF NOT EXISTS agent_logs_by_time
  ON agent_logs (account_id, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS agent_logs_by_agent
  ON agent_logs (account_id, agent_id, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS agent_logs_by_session
  ON agent_logs (account_id, session_id, timestamp DESC, seq DESC) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS agent_logs_by_task
  ON agent_logs (account_id, task_slug, timestamp DESC, seq DESC) WHERE task_slug IS NOT NULL;
CREATE INDEX IF NOT EXISTS agent_logs_by_adw
  ON agent_logs (account_id, adw_id, timestamp DESC, seq DESC) WHERE adw_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS agent_logs_by_type
  ON agent_logs (account_id, event_type, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS agent_logs_by_category
  ON agent_logs (account_id, event_category, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS agent_logs_by_entry
  ON agent_logs (account_id, agent_id, entry_index, seq) WHERE entry_index IS NOT NULL;
CREATE INDEX IF NOT EXISTS agent_logs_arrived ON agent_logs (account_id, seq);
CREATE INDEX IF NOT EXISTS agent_logs_arrived_of_agent ON agent_logs (account_id, agent_id, seq);

CREATE TABLE IF NOT EXISTS system_logs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  file_path TEXT,
  adw_id TEXT,
  adw_step TEXT,
  level TEXT NOT NULL CHECK (level IN ('DEBUG', 'INFO', 'WARNING', 'ERROR')),
  message TEXT NOT NULL,
  summary TEXT,
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  timestamp TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS system_logs_by_id ON system_logs (account_id, id);
CREATE INDEX IF NOT EXISTS system_logs_by_time
  ON system_logs (account_id, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS system_logs_by_level
  ON system_logs (account_id, level, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS system_logs_by_file
  ON system_logs (account_id, file_path, timestamp DESC, seq DESC) WHERE file_path IS NOT NULL;
CREATE INDEX IF NOT EXISTS system_logs_by_adw
  ON system_logs (account_id, adw_id, timestamp DESC, seq DESC) WHERE adw_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS system_logs_errors
  ON system_logs (account_id, timestamp DESC, seq DESC) WHERE level = 'ERROR';

CREATE TABLE IF NOT EXISTS orchestrator_chat (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  sender_type TEXT NOT NULL CHECK (sender_type IN ('user', 'orchestrator', 'agent')),
  receiver_type TEXT NOT NULL CHECK (receiver_type IN ('user', 'orchestrator', 'agent')),
  message TEXT NOT NULL,
  summary TEXT,
  agent_id TEXT,
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  timestamp TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS orchestrator_chat_by_id ON orchestrator_chat (account_id, id);
CREATE INDEX IF NOT EXISTS orchestrator_chat_by_time
  ON orchestrator_chat (account_id, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS orchestrator_chat_by_agent
  ON orchestrator_chat (account_id, agent_id, timestamp DESC, seq DESC)
  WHERE agent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS orchestrator_chat_by_sender
  ON orchestrator_chat (account_id, sender_type, timestamp DESC, seq DESC);
CREATE INDEX IF NOT EXISTS orchestrator_chat_by_receiver
  ON orchestrator_chat (account_id, receiver_type, timestamp DESC, seq DESC);

-- What agents used, one row a report. Its trigger moves the counters of the agent and of the
-- orchestrator agent, so they move once with each row and never without one.
CREATE TABLE IF NOT EXISTS agent_usage (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  report_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
  output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
  cost_micro_usd INTEGER NOT NULL CHECK (cost_micro_usd >= 0),
  day TEXT NOT NULL,
  reported_at TEXT NOT NULL,
  PRIMARY KEY (account_id, report_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS agent_usage_by_day ON agent_usage (account_id, day, model);
CREATE INDEX IF NOT EXISTS agent_usage_by_agent ON agent_usage (account_id, agent_id, day, model);

CREATE VIRTUAL TABLE IF NOT EXISTS prompts_text USING fts5 (
  account_id, prompt_text, summary, content = 'prompts', content_rowid = 'seq',
  tokenize = 'unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE IF NOT EXISTS agent_logs_text USING fts5 (
  account_id, content, summary, content = 'agent_logs', content_rowid = 'seq',
  tokenize = 'unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE IF NOT EXISTS system_logs_text USING fts5 (
  account_id, message, summary, content = 'system_logs', content_rowid = 'seq',
  tokenize = 'unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE IF NOT EXISTS orchestrator_chat_text USING fts5 (
  account_id, message, summary, content = 'orchestrator_chat', content_rowid = 'seq',
  tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER IF NOT EXISTS agent_usage_counts AFTER INSERT ON agent_usage
BEGIN
  UPDATE agents SET input_tokens = input_tokens + NEW.input_tokens,
    output_tokens = output_tokens + NEW.output_tokens,
    total_cost_micro_usd = total_cost_micro_usd + NEW.cost_micro_usd
  WHERE id = NEW.agent_id;
  UPDATE orchestrator_agents SET input_tokens = input_tokens + NEW.input_tokens,
    output_tokens = output_tokens + NEW.output_tokens,
    total_cost_micro_usd = total_cost_micro_usd + NEW.cost_micro_usd
  WHERE account_id = NEW.account_id AND archived = 0;
END;
CREATE TRIGGER IF NOT EXISTS agent_usage_append_only BEFORE UPDATE ON agent_usage
BEGIN
  SELECT RAISE(ABORT, 'agent_usage is append-only');
END;

CREATE TRIGGER IF NOT EXISTS orchestrator_agents_updated_at AFTER UPDATE ON orchestrator_agents
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE orchestrator_agents SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE id = NEW.id;
END;
CREATE TRIGGER IF NOT EXISTS agents_updated_at AFTER UPDATE ON agents
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE agents SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

-- What was recorded stays as it is; only a summary may be added to what has none.
CREATE TRIGGER IF NOT EXISTS prompts_append_only BEFORE UPDATE OF
  seq, id, account_id, agent_id, task_slug, author, prompt_text, timestamp, session_id, created_at
ON prompts
BEGIN
  SELECT RAISE(ABORT, 'prompts is append-only');
END;
CREATE TRIGGER IF NOT EXISTS prompts_summary_once BEFORE UPDATE OF summary ON prompts
WHEN OLD.summary IS NOT NULL AND NEW.summary IS NOT OLD.summary
BEGIN
  SELECT RAISE(ABORT, 'prompts is append-only');
END;
CREATE TRIGGER IF NOT EXISTS prompts_text_insert AFTER INSERT ON prompts
BEGIN
  INSERT INTO prompts_text (rowid, account_id, prompt_text, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.prompt_text, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS prompts_text_update AFTER UPDATE ON prompts
BEGIN
  INSERT INTO prompts_text (prompts_text, rowid, account_id, prompt_text, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.prompt_text, OLD.summary);
  INSERT INTO prompts_text (rowid, account_id, prompt_text, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.prompt_text, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS prompts_text_delete AFTER DELETE ON prompts
BEGIN
  INSERT INTO prompts_text (prompts_text, rowid, account_id, prompt_text, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.prompt_text, OLD.summary);
END;
CREATE TRIGGER IF NOT EXISTS agent_logs_append_only BEFORE UPDATE OF
  seq, id, account_id, agent_id, session_id, task_slug, adw_id, adw_step, entry_index,
  event_category, event_type, content, payload, timestamp, created_at
ON agent_logs
BEGIN
  SELECT RAISE(ABORT, 'agent_logs is append-only');
END;
CREATE TRIGGER IF NOT EXISTS agent_logs_summary_once BEFORE UPDATE OF summary ON agent_logs
WHEN OLD.summary IS NOT NULL AND NEW.summary IS NOT OLD.summary
BEGIN
  SELECT RAISE(ABORT, 'agent_logs is append-only');
END;
CREATE TRIGGER IF NOT EXISTS agent_logs_text_insert AFTER INSERT ON agent_logs
BEGIN
  INSERT INTO agent_logs_text (rowid, account_id, content, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.content, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS agent_logs_text_update AFTER UPDATE ON agent_logs
BEGIN
  INSERT INTO agent_logs_text (agent_logs_text, rowid, account_id, content, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.content, OLD.summary);
  INSERT INTO agent_logs_text (rowid, account_id, content, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.content, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS agent_logs_text_delete AFTER DELETE ON agent_logs
BEGIN
  INSERT INTO agent_logs_text (agent_logs_text, rowid, account_id, content, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.content, OLD.summary);
END;
CREATE TRIGGER IF NOT EXISTS system_logs_append_only BEFORE UPDATE OF
  seq, id, account_id, file_path, adw_id, adw_step, level, message, metadata, timestamp,
  created_at
ON system_logs
BEGIN
  SELECT RAISE(ABORT, 'system_logs is append-only');
END;
CREATE TRIGGER IF NOT EXISTS system_logs_summary_once BEFORE UPDATE OF summary ON system_logs
WHEN OLD.summary IS NOT NULL AND NEW.summary IS NOT OLD.summary
BEGIN
  SELECT RAISE(ABORT, 'system_logs is append-only');
END;
CREATE TRIGGER IF NOT EXISTS system_logs_text_insert AFTER INSERT ON system_logs
BEGIN
  INSERT INTO system_logs_text (rowid, account_id, message, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.message, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS system_logs_text_update AFTER UPDATE ON system_logs
BEGIN
  INSERT INTO system_logs_text (system_logs_text, rowid, account_id, message, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.message, OLD.summary);
  INSERT INTO system_logs_text (rowid, account_id, message, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.message, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS system_logs_text_delete AFTER DELETE ON system_logs
BEGIN
  INSERT INTO system_logs_text (system_logs_text, rowid, account_id, message, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.message, OLD.summary);
END;
CREATE TRIGGER IF NOT EXISTS orchestrator_chat_append_only BEFORE UPDATE OF
  seq, id, account_id, sender_type, receiver_type, message, agent_id, metadata, timestamp,
  created_at
ON orchestrator_chat
BEGIN
  SELECT RAISE(ABORT, 'orchestrator_chat is append-only');
END;
CREATE TRIGGER IF NOT EXISTS orchestrator_chat_summary_once BEFORE UPDATE OF summary ON orchestrator_chat
WHEN OLD.summary IS NOT NULL AND NEW.summary IS NOT OLD.summary
BEGIN
  SELECT RAISE(ABORT, 'orchestrator_chat is append-only');
END;
CREATE TRIGGER IF NOT EXISTS orchestrator_chat_text_insert AFTER INSERT ON orchestrator_chat
BEGIN
  INSERT INTO orchestrator_chat_text (rowid, account_id, message, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.message, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS orchestrator_chat_text_update AFTER UPDATE ON orchestrator_chat
BEGIN
  INSERT INTO orchestrator_chat_text (orchestrator_chat_text, rowid, account_id, message, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.message, OLD.summary);
  INSERT INTO orchestrator_chat_text (rowid, account_id, message, summary)
  VALUES (NEW.seq, NEW.account_id, NEW.message, NEW.summary);
END;
CREATE TRIGGER IF NOT EXISTS orchestrator_chat_text_delete AFTER DELETE ON orchestrator_chat
BEGIN
  INSERT INTO orchestrator_chat_text (orchestrator_chat_text, rowid, account_id, message, summary)
  VALUES ('delete', OLD.seq, OLD.account_id, OLD.message, OLD.summary);
END;

-- ---- people: who signs in ---------------------------------------------------------------------
-- `email_key` and `name_key` are the texts in lower case: whoever signs in writes them as they like.
-- Nothing that names a user has a foreign key to here: what a person did outlives the person.

CREATE TABLE IF NOT EXISTS users (
  user_id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL
    CHECK (length(password_hash) = 60 AND password_hash GLOB '$2[abxy]$[0-3][0-9]$*'),
  role TEXT NOT NULL CHECK (role IN ('admin', 'user', 'viewer')),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  password_changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  last_sign_in_at TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS users_by_account ON users (account_id, user_id);
CREATE INDEX IF NOT EXISTS users_administrators
  ON users (account_id, user_id) WHERE role = 'admin' AND active = 1;

-- A sign-in and all that was refreshed from it. Access tokens name it, so they end with it.
CREATE TABLE IF NOT EXISTS user_sessions (
  id TEXT PRIMARY KEY NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  refreshed_at TEXT,
  refreshes INTEGER NOT NULL DEFAULT 0 CHECK (refreshes >= 0),
  ended_at TEXT,
  end_reason TEXT CHECK (end_reason IN
    ('signed_out', 'password_changed', 'password_reset', 'deactivated', 'moved', 'reused', 'surplus'))
) STRICT;
CREATE INDEX IF NOT EXISTS user_sessions_by_user ON user_sessions (user_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS user_sessions_by_end ON user_sessions (expires_at);

-- The SHA-256 of each token, never the token. `parent_hash` is the token whose place it took: it is
-- unique, so a token has one successor, whoever asks how often.
CREATE TABLE IF NOT EXISTS refresh_tokens (
  token_hash TEXT PRIMARY KEY NOT NULL
    CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'),
  session_id TEXT NOT NULL REFERENCES user_sessions (id) ON DELETE CASCADE,
  parent_hash TEXT UNIQUE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_end ON refresh_tokens (expires_at);

-- Attempts to sign in that have not succeeded, of a user, of a name that nobody has (as a keyed
-- hash: people type passwords there) and of an address. `attempt` is the last one that was let
-- through to the password.
CREATE TABLE IF NOT EXISTS sign_in_attempts (
  subject TEXT PRIMARY KEY NOT NULL,
  failures INTEGER NOT NULL CHECK (failures >= 0),
  attempt TEXT NOT NULL,
  last_at TEXT NOT NULL,
  blocked_until TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sign_in_attempts_by_time ON sign_in_attempts (last_at);

-- A sign-in is no change of the user.
CREATE TRIGGER IF NOT EXISTS users_updated_at AFTER UPDATE ON users
WHEN NEW.updated_at IS OLD.updated_at AND NEW.last_sign_in_at IS OLD.last_sign_in_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE users SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE user_id = NEW.user_id;
END;

-- ---- jobs and events ------------------------------------------------------------------------
-- What happened, in the order in which it was committed: `id` is the cursor that readers go on
-- from. Rows are added, and removed when their time is over; never changed. Those of the product's
-- own topics are written by triggers, so that they stand in the transaction of what they tell of;
-- `custom` ones are clients'. `event_id` is the client's: what is sent twice is there once.
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  topic TEXT NOT NULL CHECK (topic IN (
    'executions', 'jobs', 'tasks', 'workers', 'alerts', 'administration', 'custom')),
  event_type TEXT NOT NULL CHECK (length(event_type) BETWEEN 1 AND 128),
  subject TEXT,
  actor TEXT,
  payload TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload)),
  event_id TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_account ON events (account, id);
CREATE INDEX IF NOT EXISTS events_by_topic ON events (account, topic, id);
CREATE INDEX IF NOT EXISTS events_by_type ON events (account, event_type, id);
CREATE INDEX IF NOT EXISTS events_by_subject
  ON events (account, subject, id) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS events_by_event_id
  ON events (account, event_id) WHERE event_id IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS events_append_only BEFORE UPDATE ON events
BEGIN
  SELECT RAISE(ABORT, 'events is append-only');
END;

-- What people and clients want done. A job may own an execution: its id is drawn before the row is
-- written, and nobody sees the row (`begun` 0) before the execution is there. `status` follows the
-- execution's row; `changed_by` is who made the last change, NULL where the execution did, and
-- `request_id` the request that made it.
-- `key_hash` and `body_hash` are those of the request that made it, for as long as it is known.
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  description TEXT,
  priority TEXT NOT NULL DEFAULT 'medium'
    CHECK (priority IN ('low', 'medium', 'high', 'critical')),
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN (
    'pending', 'running', 'waiting', 'paused', 'completed', 'partial', 'failed', 'cancelled')),
  pipeline_template TEXT,
  pipeline_id TEXT,
  request TEXT CHECK (request IS NULL OR json_valid(request) AND json_type(request) = 'object'),
  begun INTEGER NOT NULL DEFAULT 1 CHECK (begun IN (0, 1)),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
  key_hash TEXT,
  body_hash TEXT,
  created_by TEXT NOT NULL,
  request_id TEXT,
  changed_by TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_execution
  ON jobs (pipeline_id) WHERE pipeline_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key
  ON jobs (account_id, key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (account_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_by_change ON jobs (account_id, updated_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_by_priority ON jobs (account_id, (CASE priority
  WHEN 'critical' THEN '4 ' WHEN 'high' THEN '3 ' WHEN 'medium' THEN '2 ' ELSE '1 ' END
  || created_at) DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (account_id, status)
  WHERE status IN ('pending', 'running', 'waiting', 'paused');
CREATE INDEX IF NOT EXISTS jobs_cut_off ON jobs (created_at) WHERE begun = 0;

CREATE TRIGGER IF NOT EXISTS jobs_updated_at
AFTER UPDATE OF
  title, description, priority, metadata, status, begun, created_at, completed_at
ON jobs
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE jobs SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;

-- ---- tasks: work for people and external agents ------------------------------------------------
-- Each change raises `version`. What an execution opened (`pipeline_id`, `step_name`, `generation`)
-- has an id made of these, is written by the projection, and closes as the journal says. `candidates`
-- may claim and complete it; none, everybody of the account may. `initiators` are those who began
-- what the task decides on. `changed_by` is who made the last change, NULL where nobody did.
-- `key_hash` and `body_hash` are those of the request that made it, for as long as it is known.
CREATE TABLE IF NOT EXISTS tasks (
  task_id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  description TEXT,
  status TEXT NOT NULL DEFAULT 'open'
    CHECK (status IN ('open', 'claimed', 'completed', 'cancelled', 'expired')),
  priority TEXT NOT NULL DEFAULT 'medium'
    CHECK (priority IN ('low', 'medium', 'high', 'critical')),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
  metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(metadata) AND json_type(metadata) = 'object'),
  form TEXT CHECK (form IS NULL OR json_valid(form) AND json_type(form) = 'object'),
  candidates TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(candidates) AND json_type(candidates) = 'array'),
  forbid_self_approval INTEGER NOT NULL DEFAULT 0 CHECK (forbid_self_approval IN (0, 1)),
  initiators TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(initiators) AND json_type(initiators) = 'array'),
  due_at TEXT,
  overdue_at TEXT,
  escalate_at TEXT,
  escalate_to TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(escalate_to) AND json_type(escalate_to) = 'array'),
  escalated_at TEXT,
  claimed_by TEXT,
  claimed_at TEXT,
  result TEXT CHECK (result IS NULL OR json_valid(result)),
  completed_by TEXT,
  closed_at TEXT,
  job_id TEXT,
  pipeline_id TEXT,
  step_name TEXT,
  generation INTEGER CHECK (generation > 0),
  key_hash TEXT,
  body_hash TEXT,
  created_by TEXT NOT NULL,
  changed_by TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  CHECK ((status = 'claimed') = (claimed_by IS NOT NULL)
    OR status IN ('completed', 'cancelled', 'expired')),
  CHECK ((status IN ('open', 'claimed')) = (closed_at IS NULL)),
  CHECK ((pipeline_id IS NULL) = (step_name IS NULL)
    AND (pipeline_id IS NULL) = (generation IS NULL))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_key
  ON tasks (account_id, key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_by_time ON tasks (account_id, created_at DESC, task_id DESC);
CREATE INDEX IF NOT EXISTS tasks_by_status
  ON tasks (account_id, status, created_at DESC, task_id DESC);
CREATE INDEX IF NOT EXISTS tasks_by_claim
  ON tasks (account_id, claimed_by, created_at DESC, task_id DESC) WHERE claimed_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_by_execution
  ON tasks (pipeline_id, step_name, generation) WHERE pipeline_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_by_job ON tasks (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS tasks_due ON tasks (due_at)
  WHERE overdue_at IS NULL AND due_at IS NOT NULL AND status IN ('open', 'claimed');
CREATE INDEX IF NOT EXISTS tasks_to_escalate ON tasks (escalate_at)
  WHERE escalated_at IS NULL AND escalate_at IS NOT NULL AND status IN ('open', 'claimed');

CREATE TRIGGER IF NOT EXISTS tasks_updated_at AFTER UPDATE ON tasks
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE tasks SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE task_id = NEW.task_id;
END;

-- Tasks tell what becomes of them in the transaction in which it does.
CREATE TRIGGER IF NOT EXISTS tasks_insert_tells AFTER INSERT ON tasks
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'tasks', 'task.created', NEW.task_id, NEW.created_by, json_object(
    'status', 'open', 'title', NEW.title, 'priority', NEW.priority, 'version', NEW.version,
    'job_id', NEW.job_id, 'pipeline_id', NEW.pipeline_id, 'step', NEW.step_name)
  FROM accounts WHERE id = NEW.account_id;
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'tasks', 'task.' || NEW.status, NEW.task_id, NEW.changed_by, json_object(
    'status', NEW.status, 'previous_status', 'open', 'title', NEW.title,
    'priority', NEW.priority, 'version', NEW.version, 'job_id', NEW.job_id,
    'pipeline_id', NEW.pipeline_id, 'step', NEW.step_name)
  FROM accounts WHERE id = NEW.account_id AND NEW.status <> 'open';
END;
CREATE TRIGGER IF NOT EXISTS tasks_status_tells AFTER UPDATE OF status, claimed_by ON tasks
WHEN NEW.status IS NOT OLD.status OR NEW.claimed_by IS NOT OLD.claimed_by
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'tasks', 'task.' || iif(NEW.status = 'open', 'released', NEW.status), NEW.task_id,
    NEW.changed_by, json_object(
    'status', NEW.status, 'previous_status', OLD.status, 'title', NEW.title,
    'priority', NEW.priority, 'version', NEW.version, 'job_id', NEW.job_id,
    'pipeline_id', NEW.pipeline_id, 'step', NEW.step_name)
  FROM accounts WHERE id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS tasks_update_tells
AFTER UPDATE OF title, description, priority, metadata, form, candidates, due_at, overdue_at,
  escalate_at, escalate_to, escalated_at ON tasks
WHEN NEW.overdue_at IS NOT OLD.overdue_at OR NEW.escalated_at IS NOT OLD.escalated_at
  OR (NEW.title, NEW.description, NEW.priority, NEW.metadata, NEW.form, NEW.candidates,
    NEW.due_at, NEW.escalate_at, NEW.escalate_to)
  IS NOT (OLD.title, OLD.description, OLD.priority, OLD.metadata, OLD.form, OLD.candidates,
    OLD.due_at, OLD.escalate_at, OLD.escalate_to)
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'tasks', CASE
      WHEN NEW.overdue_at IS NOT OLD.overdue_at AND NEW.overdue_at IS NOT NULL
        THEN 'task.overdue'
      WHEN NEW.escalated_at IS NOT OLD.escalated_at AND NEW.escalated_at IS NOT NULL
        THEN 'task.escalated'
      ELSE 'task.updated' END,
    NEW.task_id, NEW.changed_by, json_object(
    'status', NEW.status, 'title', NEW.title, 'priority', NEW.priority,
    'version', NEW.version, 'job_id', NEW.job_id, 'pipeline_id', NEW.pipeline_id,
    'step', NEW.step_name, 'due_at', NEW.due_at)
  FROM accounts WHERE id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS tasks_delete_tells AFTER DELETE ON tasks
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'tasks', 'task.deleted', OLD.task_id, OLD.changed_by, json_object(
    'status', OLD.status, 'title', OLD.title, 'priority', OLD.priority,
    'version', OLD.version, 'job_id', OLD.job_id, 'pipeline_id', OLD.pipeline_id,
    'step', OLD.step_name)
  FROM accounts WHERE id = OLD.account_id;
END;

-- Who decided on an execution stands in the audit log, whoever wrote the row: the request that
-- completed the task, or the projection that found it in the journal.
CREATE TRIGGER IF NOT EXISTS tasks_insert_logs AFTER INSERT ON tasks
WHEN NEW.pipeline_id IS NOT NULL AND NEW.status = 'completed' AND NEW.completed_by IS NOT NULL
BEGIN
  INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject, after)
  SELECT 'task.completed/' || NEW.task_id, NEW.account_id,
    CASE WHEN NEW.completed_by LIKE 'key:%' THEN 'api_key'
      WHEN NEW.completed_by LIKE 'user:%' THEN 'user'
      WHEN NEW.completed_by LIKE 'worker:%' THEN 'worker' ELSE 'system' END,
    substr(NEW.completed_by, instr(NEW.completed_by, ':') + 1), 'task.completed', 'task',
    NEW.task_id, json_object('pipeline_id', NEW.pipeline_id, 'step', NEW.step_name,
      'title', NEW.title, 'approved', json(iif(NEW.result ->> '$.approved' = 1, 'true', 'false')))
  WHERE true ON CONFLICT (id) DO NOTHING;
END;
CREATE TRIGGER IF NOT EXISTS tasks_status_logs AFTER UPDATE OF status ON tasks
WHEN NEW.pipeline_id IS NOT NULL AND NEW.status = 'completed' AND OLD.status <> 'completed'
  AND NEW.completed_by IS NOT NULL
BEGIN
  INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject, after)
  SELECT 'task.completed/' || NEW.task_id, NEW.account_id,
    CASE WHEN NEW.completed_by LIKE 'key:%' THEN 'api_key'
      WHEN NEW.completed_by LIKE 'user:%' THEN 'user'
      WHEN NEW.completed_by LIKE 'worker:%' THEN 'worker' ELSE 'system' END,
    substr(NEW.completed_by, instr(NEW.completed_by, ':') + 1), 'task.completed', 'task',
    NEW.task_id, json_object('pipeline_id', NEW.pipeline_id, 'step', NEW.step_name,
      'title', NEW.title, 'approved', json(iif(NEW.result ->> '$.approved' = 1, 'true', 'false')))
  WHERE true ON CONFLICT (id) DO NOTHING;
END;

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

-- == part 1b: triggers that tell of changes ==

-- ---- triggers: what tells of changes ----------------------------------------------------------
-- Events go to accounts that are there: a row of an account that is gone tells nobody. Workers,
-- and what else belongs to the installation, tell the account `default`.
CREATE TRIGGER IF NOT EXISTS pipeline_executions_insert_tells AFTER INSERT ON pipeline_executions
BEGIN
  INSERT INTO events (account, topic, event_type, subject, payload)
  SELECT id, 'executions', 'execution.' || NEW.status, NEW.pipeline_id, json_object(
    'status', NEW.status, 'previous_status', NULL, 'template', NEW.template_name,
    'total_execution_time_ms', NEW.total_execution_time_ms,
    'total_cost_usd', NEW.total_cost_micro_usd / 1000000.0,
    'waiting_reason', NEW.waiting_reason, 'error_code', NEW.error ->> '$.code')
  FROM accounts WHERE id = NEW.account_id AND NEW.status <> 'pending';
  UPDATE jobs SET begun = 1, status = NEW.status, changed_by = NULL,
    started_at = coalesce(NEW.started_at, started_at), completed_at = NEW.completed_at
  WHERE pipeline_id = NEW.pipeline_id AND (begun = 0 OR status IS NOT NEW.status
    OR completed_at IS NOT NEW.completed_at);
END;
CREATE TRIGGER IF NOT EXISTS pipeline_executions_update_tells
AFTER UPDATE OF status, completed_at ON pipeline_executions
WHEN NEW.status IS NOT OLD.status OR NEW.completed_at IS NOT OLD.completed_at
BEGIN
  INSERT INTO events (account, topic, event_type, subject, payload)
  SELECT id, 'executions', 'execution.' || NEW.status, NEW.pipeline_id, json_object(
    'status', NEW.status, 'previous_status', OLD.status, 'template', NEW.template_name,
    'total_execution_time_ms', NEW.total_execution_time_ms,
    'total_cost_usd', NEW.total_cost_micro_usd / 1000000.0,
    'waiting_reason', NEW.waiting_reason, 'error_code', NEW.error ->> '$.code')
  FROM accounts WHERE id = NEW.account_id AND NEW.status <> 'pending';
  UPDATE jobs SET begun = 1, status = NEW.status, changed_by = NULL,
    started_at = coalesce(NEW.started_at, started_at), completed_at = NEW.completed_at
  WHERE pipeline_id = NEW.pipeline_id AND (begun = 0 OR status IS NOT NEW.status
    OR completed_at IS NOT NEW.completed_at);
END;

CREATE TRIGGER IF NOT EXISTS jobs_insert_tells AFTER INSERT ON jobs WHEN NEW.begun = 1
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.created', NEW.id, NEW.created_by, json_object(
    'status', NEW.status, 'title', NEW.title, 'priority', NEW.priority,
    'pipeline_id', NEW.pipeline_id)
  FROM accounts WHERE id = NEW.account_id;
  INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject, after,
    request_id)
  VALUES (lower(hex(randomblob(16))), NEW.account_id,
    CASE substr(NEW.created_by, 1, instr(NEW.created_by, ':')) WHEN 'key:' THEN 'api_key'
      WHEN 'worker:' THEN 'worker' WHEN 'user:' THEN 'user' ELSE 'system' END,
    substr(NEW.created_by, instr(NEW.created_by, ':') + 1), 'job.created', 'job', NEW.id,
    json_object('title', NEW.title, 'priority', NEW.priority, 'pipeline_id', NEW.pipeline_id),
    NEW.request_id);
END;
CREATE TRIGGER IF NOT EXISTS jobs_begin_tells AFTER UPDATE OF begun ON jobs
WHEN NEW.begun = 1 AND OLD.begun = 0
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.created', NEW.id, NEW.created_by, json_object(
    'status', 'pending', 'title', NEW.title, 'priority', NEW.priority,
    'pipeline_id', NEW.pipeline_id)
  FROM accounts WHERE id = NEW.account_id;
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.' || NEW.status, NEW.id, NEW.changed_by, json_object(
    'status', NEW.status, 'previous_status', OLD.status, 'title', NEW.title,
    'priority', NEW.priority, 'pipeline_id', NEW.pipeline_id)
  FROM accounts WHERE id = NEW.account_id AND NEW.status IS NOT OLD.status;
  INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject, after,
    request_id)
  VALUES (lower(hex(randomblob(16))), NEW.account_id,
    CASE substr(NEW.created_by, 1, instr(NEW.created_by, ':')) WHEN 'key:' THEN 'api_key'
      WHEN 'worker:' THEN 'worker' WHEN 'user:' THEN 'user' ELSE 'system' END,
    substr(NEW.created_by, instr(NEW.created_by, ':') + 1), 'job.created', 'job', NEW.id,
    json_object('title', NEW.title, 'priority', NEW.priority, 'pipeline_id', NEW.pipeline_id),
    NEW.request_id);
END;
CREATE TRIGGER IF NOT EXISTS jobs_status_tells AFTER UPDATE OF status, completed_at ON jobs
WHEN OLD.begun = 1
  AND (NEW.status IS NOT OLD.status OR NEW.completed_at IS NOT OLD.completed_at)
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.' || NEW.status, NEW.id, NEW.changed_by, json_object(
    'status', NEW.status, 'previous_status', OLD.status, 'title', NEW.title,
    'priority', NEW.priority, 'pipeline_id', NEW.pipeline_id)
  FROM accounts WHERE id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS jobs_update_tells
AFTER UPDATE OF title, description, priority, metadata ON jobs
WHEN OLD.begun = 1 AND (NEW.title, NEW.description, NEW.priority, NEW.metadata)
  IS NOT (OLD.title, OLD.description, OLD.priority, OLD.metadata)
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.updated', NEW.id, NEW.changed_by, json_object(
    'status', NEW.status, 'title', NEW.title, 'priority', NEW.priority,
    'pipeline_id', NEW.pipeline_id, 'version', NEW.version)
  FROM accounts WHERE id = NEW.account_id;
END;
CREATE TRIGGER IF NOT EXISTS jobs_delete_tells AFTER DELETE ON jobs WHEN OLD.begun = 1
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'jobs', 'job.deleted', OLD.id, OLD.changed_by, json_object(
    'status', OLD.status, 'title', OLD.title, 'priority', OLD.priority,
    'pipeline_id', OLD.pipeline_id)
  FROM accounts WHERE id = OLD.account_id;
END;

CREATE TRIGGER IF NOT EXISTS worker_registry_tells
AFTER UPDATE OF health_status, is_active ON worker_registry
WHEN NEW.health_status IS NOT OLD.health_status OR NEW.is_active IS NOT OLD.is_active
BEGIN
  INSERT INTO events (account, topic, event_type, subject, payload)
  SELECT id, 'workers', 'worker.health_changed', NEW.worker_name, json_object(
    'health_status', NEW.health_status, 'previous_health_status', OLD.health_status)
  FROM accounts WHERE id = 'default' AND NEW.health_status IS NOT OLD.health_status;
  INSERT INTO events (account, topic, event_type, subject, payload)
  SELECT id, 'workers', iif(NEW.is_active = 1, 'worker.activated', 'worker.deactivated'),
    NEW.worker_name, json_object('health_status', NEW.health_status)
  FROM accounts WHERE id = 'default' AND NEW.is_active IS NOT OLD.is_active;
END;

CREATE TRIGGER IF NOT EXISTS performance_alerts_insert_tells AFTER INSERT ON performance_alerts
BEGIN
  INSERT INTO events (account, topic, event_type, subject, payload)
  SELECT id, 'alerts', 'alert.opened', NEW.id, json_object(
    'kind', NEW.kind, 'severity', NEW.severity, 'subject_type', NEW.subject_type,
    'subject', NEW.subject, 'message', NEW.message, 'status', NEW.status)
  FROM accounts WHERE id = coalesce(NEW.account_id, 'default');
END;
CREATE TRIGGER IF NOT EXISTS performance_alerts_update_tells
AFTER UPDATE OF status ON performance_alerts
WHEN NEW.status IS NOT OLD.status
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload)
  SELECT id, 'alerts', iif(NEW.status = 'open', 'alert.opened', 'alert.' || NEW.status), NEW.id,
    iif(NEW.status = 'acknowledged', NEW.acknowledged_by, NEW.resolved_by), json_object(
    'kind', NEW.kind, 'severity', NEW.severity, 'subject_type', NEW.subject_type,
    'subject', NEW.subject, 'message', NEW.message, 'status', NEW.status)
  FROM accounts WHERE id = coalesce(NEW.account_id, 'default');
END;

-- What is done to jobs and tasks they tell themselves, and who was refused is for administrators
-- alone. What was done to an account that is gone, the installation learns.
CREATE TRIGGER IF NOT EXISTS audit_log_tells AFTER INSERT ON audit_log
WHEN NEW.subject_type NOT IN ('job', 'task', 'security')
BEGIN
  INSERT INTO events (account, topic, event_type, subject, actor, payload, created_at)
  SELECT id, 'administration', 'administration.' || replace(NEW.change, '.', '_'), NEW.subject,
    CASE NEW.actor_type WHEN 'api_key' THEN 'key:' WHEN 'system' THEN ''
      ELSE NEW.actor_type || ':' END || NEW.actor,
    json_object('audit_id', NEW.id, 'change', NEW.change, 'subject_type', NEW.subject_type,
      'request_id', NEW.request_id),
    strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  FROM accounts WHERE id IN (NEW.account_id, 'default')
  ORDER BY id IS NEW.account_id DESC LIMIT 1;
END;

-- == part 2: seed rows ==
-- They are added where they are missing and never touched where they are there (DO NOTHING, not OR
-- IGNORE, which would swallow a row that breaks a CHECK). A template's steps are added only where
-- it has none: a step that an operator took out stays out.

INSERT INTO change_counter (id, count) VALUES (1, 0)
ON CONFLICT DO NOTHING;

INSERT INTO accounts (id, name) VALUES ('default', 'Default account')
ON CONFLICT DO NOTHING;

INSERT INTO execution_strategies (
  name, label, worker_choice, max_parallel_steps, skip_optional_steps, use_cache, use_step_cache,
  max_retries, deadline_ms, description
) VALUES
  ('speed', 'speed_optimized', 'fastest', 16, 1, 1, 1, 1, 90000,
   'The fastest workers, as many steps at once as may be, optional steps left out, one retry.'),
  ('cost', 'cost_optimized', 'cheapest', 2, 1, 1, 1, 1, 180000,
   'The cheapest workers, cached results first, optional steps left out, one retry.'),
  ('quality', 'quality_optimized', 'best', 8, 0, 0, 0, NULL, 300000,
   'The best workers, every step and all its retries, always computed anew.'),
  ('balanced', 'balanced', 'declared', 8, 0, 1, 1, NULL, 150000,
   'The workers that the steps name first, every step and its retries, cached results.')
ON CONFLICT DO NOTHING;

INSERT INTO quality_levels (
  name, source_discovery_depth, max_articles, min_quality, skip_optional_steps, max_retries,
  deadline_factor, description
) VALUES
  ('basic', 2, 40, 0.2, 1, 1, 0.5,
   'A quick look: few sources, few articles, no optional steps, half the time.'),
  ('standard', 3, 100, 0.3, 0, NULL, 1.0, 'The usual breadth of sources and articles.'),
  ('premium', 4, 150, 0.4, 0, NULL, 1.25, 'A wider search that is stricter about its sources.'),
  ('enterprise', 5, 200, 0.5, 0, NULL, 1.5, 'The widest search, with the best sources only.')
ON CONFLICT DO NOTHING;

INSERT INTO urgency_levels (
  name, deadline_ms, priority, use_emergency_budget, description
) VALUES
  ('low', NULL, 0, 0, 'May take as long as the environment allows; admitted last.'),
  ('medium', 180000, 1, 0, 'Three minutes.'),
  ('high', 60000, 2, 0, 'One minute; admitted before the usual.'),
  ('critical', 30000, 3, 1, 'Half a minute; admitted first, with the emergency budget.')
ON CONFLICT DO NOTHING;

-- Without a model these workers cost nothing and say so. Where a model is bound they report what
-- it cost, and that is what counts: the estimate is 0 because it is right for what is shipped.
INSERT INTO worker_registry (
  worker_name, display_name, description, version, service_binding, endpoints, input_format,
  output_format, dependencies, estimated_cost_usd, timeout_ms, max_retries, health_check_endpoint
) VALUES
  ('topic_researcher', 'Topic researcher',
   'Derives angles of a topic and finds candidate sources for it.', '1.0.0', 'TOPIC_RESEARCHER',
   '["/research"]',
   '{"topic":"string","depth":"integer 1-5","min_quality":"number 0-1",
     "max_sources":"integer 1-50"}',
   '{"topic":"string","angles":"array","sources":"array","avg_quality_score":"number",
     "sources_discovered":"integer"}',
   '[]', 0.0, 20000, 3, '/health'),
  ('rss_librarian', 'RSS librarian',
   'Searches a curated catalogue of feeds.', '1.0.0', 'RSS_LIBRARIAN',
   '["/sources"]',
   '{"topic":"string","max_feeds":"integer 1-100","min_score":"number 0-1"}',
   '{"topic":"string","sources":"array","total_matches":"integer"}',
   '[]', 0.0, 20000, 3, '/health'),
  ('feed_fetcher', 'Feed fetcher',
   'Reads RSS, Atom and JSON feeds into articles, with a status for each feed.', '1.0.0',
   'FEED_FETCHER', '["/fetch"]',
   '{"feed_urls":"array 1-100","max_articles":"integer 1-500","per_feed_max":"integer",
     "since":"RFC 3339"}',
   '{"articles":"array","feeds":"array","articles_fetched":"integer","feeds_ok":"integer",
     "feeds_failed":"integer"}',
   '["topic_researcher","rss_librarian"]', 0.0, 20000, 3, '/health'),
  ('content_classifier', 'Content classifier',
   'Scores articles for relevance, category, language and sentiment, and finds duplicates.',
   '1.0.0', 'CONTENT_CLASSIFIER', '["/analyze"]',
   '{"articles":"array","topic":"string","min_relevance":"number 0-1","max_results":"integer"}',
   '{"analyzed_articles":"array","insights":"object","quality_score":"number"}',
   '["feed_fetcher"]', 0.0, 20000, 3, '/health'),
  ('report_builder', 'Report builder',
   'Writes an intelligence report in Markdown and HTML from analysed articles.', '1.0.0',
   'REPORT_BUILDER', '["/generate"]',
   '{"topic":"string","articles":"array","insights":"object","angles":"array",
     "report_type":"executive, detailed or brief","format":"html, markdown or both"}',
   '{"report":"object","summary":"string","key_findings":"array","artifact":"object",
     "quality_score":"number"}',
   '["content_classifier"]', 0.0, 20000, 3, '/health')
ON CONFLICT DO NOTHING;

-- A template becomes the default only where there is none.
INSERT INTO pipeline_templates (
  name, display_name, description, category, is_default, allow_parallel, failure_tolerance,
  input_schema, output_mapping, estimated_cost_usd, estimated_time_ms
) SELECT
  'rss_intelligence_pipeline', 'RSS intelligence pipeline',
  'From a topic to an intelligence report: sources are researched and curated side by side, '
    || 'their feeds read, the articles classified and a report written.',
  'rss_intelligence', NOT EXISTS (SELECT 1 FROM pipeline_templates WHERE is_default = 1), 1,
  'partial',
  '{"type":"object","properties":{
     "report_type":{"enum":["executive","detailed","brief"]},
     "report_format":{"enum":["html","markdown","both"]},
     "min_relevance":{"type":"number","minimum":0,"maximum":1}}}',
  '{"report":"=has(data.report) ? data.report : null",
    "summary":"=has(data.summary) ? data.summary : null",
    "key_findings":"=has(data.key_findings) ? data.key_findings : []",
    "artifact":"=has(data.artifact) ? data.artifact : null",
    "insights":"=has(data.insights) ? data.insights : null",
    "angles":"=has(data.angles) ? data.angles : []",
    "sources":"=has(data.sources) ? data.sources : []"}',
  0.0, 15000
WHERE true ON CONFLICT DO NOTHING;

INSERT INTO pipeline_templates (
  name, display_name, description, category, allow_parallel, failure_tolerance, input_schema,
  estimated_cost_usd, estimated_time_ms
) VALUES (
  'basic_research_pipeline', 'Basic research pipeline',
  'Angles of a topic and candidate sources for it; nothing is fetched.', 'research', 1, 'strict',
  '{"type":"object"}', 0.0, 3000
)
ON CONFLICT DO NOTHING;

-- Its review may take three days, during which it holds no place and costs nothing. What a person
-- has decided is decided for that one execution: no result of it is served to another.
INSERT INTO pipeline_templates (
  name, display_name, description, category, allow_parallel, failure_tolerance, input_schema,
  output_mapping, cache_ttl_seconds, estimated_cost_usd, estimated_time_ms
) VALUES (
  'reviewed_intelligence_pipeline', 'Reviewed intelligence pipeline',
  'As the RSS intelligence pipeline, but a person approves the classified articles before the '
    || 'report is written.',
  'rss_intelligence', 1, 'partial',
  '{"type":"object","properties":{
     "report_type":{"enum":["executive","detailed","brief"]},
     "report_format":{"enum":["html","markdown","both"]},
     "min_relevance":{"type":"number","minimum":0,"maximum":1}}}',
  '{"report":"=has(data.report) ? data.report : null",
    "summary":"=has(data.summary) ? data.summary : null",
    "key_findings":"=has(data.key_findings) ? data.key_findings : []",
    "artifact":"=has(data.artifact) ? data.artifact : null",
    "insights":"=has(data.insights) ? data.insights : null",
    "angles":"=has(data.angles) ? data.angles : []",
    "sources":"=has(data.sources) ? data.sources : []",
    "review":"=has(data.review) ? data.review : null"}',
  0, 0.0, 15000
)
ON CONFLICT DO NOTHING;

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition,
  input_mapping, output_mapping, is_optional, timeout_ms
)
WITH steps (
  step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition, input_mapping,
  output_mapping, is_optional, timeout_ms
) AS (VALUES
  (1, 'topic_research', 'worker', 'topic_researcher', '/research', '[]', NULL,
   '{"topic":"$.topic","depth":"=request.source_discovery_depth",
     "min_quality":"=request.min_quality"}',
   '{"researched_sources":"$.sources","angles":"$.angles"}', 0, 20000),
  (1, 'source_curation', 'worker', 'rss_librarian', '/sources', '[]', NULL,
   '{"topic":"$.topic","max_feeds":20}',
   '{"curated_sources":"$.sources"}', 1, 20000),
  (2, 'merge_sources', 'transform', NULL, NULL, '["topic_research","source_curation"]', NULL,
   '{"sources":"=distinct_by(concat('
     || 'has(data.researched_sources) ? data.researched_sources : [], '
     || 'has(data.curated_sources) ? data.curated_sources : []), ''url'')"}',
   NULL, 0, NULL),
  (3, 'feed_fetching', 'worker', 'feed_fetcher', '/fetch', '["merge_sources"]',
   '{"sources_available": "> 0"}',
   '{"feed_urls":"=take(data.sources, 20).map(source, source.url)",
     "max_articles":"=request.max_articles"}',
   '{"articles":"$.articles","feeds":"$.feeds"}', 0, 20000),
  (4, 'content_classification', 'worker', 'content_classifier', '/analyze', '["feed_fetching"]',
   '{"articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.articles",
     "min_relevance":"=has(data.min_relevance) ? data.min_relevance : 0.1"}',
   '{"analyzed_articles":"$.analyzed_articles","insights":"$.insights",
     "quality_score":"$.quality_score"}', 0, 20000),
  (5, 'report_generation', 'worker', 'report_builder', '/generate', '["content_classification"]',
   '{"analyzed_articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.analyzed_articles","insights":"=data.insights",
     "angles":"=has(data.angles) ? data.angles : []",
     "report_type":"=has(data.report_type) ? data.report_type : ''executive''",
     "format":"=has(data.report_format) ? data.report_format : ''both''"}',
   '{"report":"$.report","summary":"$.summary","key_findings":"$.key_findings",
     "artifact":"$.artifact"}', 0, 20000)
)
SELECT 'rss_intelligence_pipeline', steps.* FROM steps
WHERE EXISTS (SELECT 1 FROM pipeline_templates WHERE name = 'rss_intelligence_pipeline')
  AND NOT EXISTS (
    SELECT 1 FROM pipeline_steps WHERE template_name = 'rss_intelligence_pipeline');

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, worker_name, endpoint, input_mapping, timeout_ms
)
SELECT 'basic_research_pipeline', 1, 'topic_research', 'topic_researcher', '/research',
  '{"topic":"$.topic","depth":"=request.source_discovery_depth",
    "min_quality":"=request.min_quality"}',
  20000
WHERE EXISTS (SELECT 1 FROM pipeline_templates WHERE name = 'basic_research_pipeline')
  AND NOT EXISTS (
    SELECT 1 FROM pipeline_steps WHERE template_name = 'basic_research_pipeline');

INSERT INTO pipeline_steps (
  template_name, step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition,
  input_mapping, output_mapping, is_optional, timeout_ms, config
)
WITH steps (
  step_order, step_name, kind, worker_name, endpoint, depends_on_steps, condition, input_mapping,
  output_mapping, is_optional, timeout_ms, config
) AS (VALUES
  (1, 'topic_research', 'worker', 'topic_researcher', '/research', '[]', NULL,
   '{"topic":"$.topic","depth":"=request.source_discovery_depth",
     "min_quality":"=request.min_quality"}',
   '{"researched_sources":"$.sources","angles":"$.angles"}', 0, 20000, NULL),
  (1, 'source_curation', 'worker', 'rss_librarian', '/sources', '[]', NULL,
   '{"topic":"$.topic","max_feeds":20}',
   '{"curated_sources":"$.sources"}', 1, 20000, NULL),
  (2, 'merge_sources', 'transform', NULL, NULL, '["topic_research","source_curation"]', NULL,
   '{"sources":"=distinct_by(concat('
     || 'has(data.researched_sources) ? data.researched_sources : [], '
     || 'has(data.curated_sources) ? data.curated_sources : []), ''url'')"}',
   NULL, 0, NULL, NULL),
  (3, 'feed_fetching', 'worker', 'feed_fetcher', '/fetch', '["merge_sources"]',
   '{"sources_available": "> 0"}',
   '{"feed_urls":"=take(data.sources, 20).map(source, source.url)",
     "max_articles":"=request.max_articles"}',
   '{"articles":"$.articles","feeds":"$.feeds"}', 0, 20000, NULL),
  (4, 'content_classification', 'worker', 'content_classifier', '/analyze', '["feed_fetching"]',
   '{"articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.articles",
     "min_relevance":"=has(data.min_relevance) ? data.min_relevance : 0.1"}',
   '{"analyzed_articles":"$.analyzed_articles","insights":"$.insights",
     "quality_score":"$.quality_score"}', 0, 20000, NULL),
  (5, 'review', 'wait', NULL, NULL, '["content_classification"]',
   '{"analyzed_articles_available": "> 0"}', NULL, '{"review":"$"}', 0, NULL,
   '{"approval":true,"timeout_ms":259200000}'),
  (6, 'report_generation', 'worker', 'report_builder', '/generate', '["review"]',
   '{"analyzed_articles_available": "> 0"}',
   '{"topic":"$.topic","articles":"=data.analyzed_articles","insights":"=data.insights",
     "angles":"=has(data.angles) ? data.angles : []",
     "report_type":"=has(data.report_type) ? data.report_type : ''executive''",
     "format":"=has(data.report_format) ? data.report_format : ''both''"}',
   '{"report":"$.report","summary":"$.summary","key_findings":"$.key_findings",
     "artifact":"$.artifact"}', 0, 20000, NULL)
)
SELECT 'reviewed_intelligence_pipeline', steps.* FROM steps
WHERE EXISTS (SELECT 1 FROM pipeline_templates WHERE name = 'reviewed_intelligence_pipeline')
  AND NOT EXISTS (
    SELECT 1 FROM pipeline_steps WHERE template_name = 'reviewed_intelligence_pipeline');

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

INSERT INTO schema_version (version, name) VALUES
  (1, '0001_foundation'),
  (2, '0002_worker_gates'),
  (3, '0003_strategies'),
  (4, '0004_reviewed_pipeline'),
  (5, '0005_administration'),
  (6, '0006_template_publications'),
  (7, '0007_rollups'),
  (8, '0008_retention'),
  (9, '0009_operation'),
  (10, '0010_tool_registry'),
  (11, '0011_tool_terms'),
  (12, '0012_agents'),
  (13, '0013_users'),
  (14, '0014_jobs_and_events'),
  (15, '0015_tasks'),
  (16, '0016_scale')
ON CONFLICT DO NOTHING;
