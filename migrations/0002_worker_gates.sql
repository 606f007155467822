-- What calls of a worker must pass (a rate, a circuit breaker), and how good its results are.
--
-- ALTER TABLE … ADD COLUMN fails where the column is there, as it is in a database that schema.sql
-- or database_fix.sql has made; so the table is made anew, with what it holds, and a column that is
-- missing is read as NULL. database_fix.sql does the same and says why: it is safe to run twice, and
-- again after it was cut off.

-- A cut between DROP and CREATE leaves the table out.
CREATE TABLE IF NOT EXISTS worker_registry (
  worker_name TEXT PRIMARY KEY, display_name, description, version, service_binding, base_url,
  endpoints, input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency, is_active, health_check_endpoint, last_health_check,
  health_status, default_config, created_at, updated_at
);

CREATE TABLE IF NOT EXISTS kept_worker_registry (
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency,
  max_per_minute, breaker, quality_score,
  is_active, health_check_endpoint, last_health_check, health_status, default_config,
  created_at, updated_at,
  PRIMARY KEY (worker_name)
);

INSERT OR REPLACE INTO kept_worker_registry (
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency,
  max_per_minute, breaker, quality_score,
  is_active, health_check_endpoint, last_health_check, health_status, default_config,
  created_at, updated_at
)
SELECT
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency,
  (SELECT max_per_minute FROM worker_registry AS o WHERE o.rowid = k.rowid),
  (SELECT breaker FROM worker_registry AS o WHERE o.rowid = k.rowid),
  (SELECT quality_score FROM worker_registry AS o WHERE o.rowid = k.rowid),
  is_active, health_check_endpoint, last_health_check, health_status, default_config,
  created_at, updated_at
FROM worker_registry AS k CROSS JOIN (
  SELECT NULL AS max_per_minute, NULL AS breaker, NULL AS quality_score
) AS absent;

DROP TABLE worker_registry;

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

INSERT INTO worker_registry (
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency,
  max_per_minute, breaker, quality_score,
  is_active, health_check_endpoint, last_health_check, health_status, default_config,
  created_at, updated_at
)
SELECT
  worker_name, display_name, description, version, service_binding, base_url, endpoints,
  input_format, output_format, dependencies, estimated_cost_usd, avg_response_time_ms,
  timeout_ms, max_retries, max_concurrency,
  max_per_minute, breaker, quality_score,
  is_active, health_check_endpoint, last_health_check, health_status, default_config,
  created_at, updated_at
FROM kept_worker_registry;

DROP TABLE kept_worker_registry;

CREATE TRIGGER IF NOT EXISTS worker_registry_updated_at AFTER UPDATE ON worker_registry
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE worker_registry SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE worker_name = NEW.worker_name;
END;

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

INSERT INTO schema_version (version, name) VALUES (2, '0002_worker_gates')
ON CONFLICT DO NOTHING;
