-- What a call of a tool costs and takes, and that plans are made of tools and nodes.

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

CREATE TRIGGER IF NOT EXISTS tool_terms_updated_at AFTER UPDATE ON tool_terms
WHEN NEW.updated_at IS OLD.updated_at
  AND NEW.updated_at IS NOT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  UPDATE tool_terms SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  WHERE tool_id = NEW.tool_id;
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

INSERT INTO schema_version (version, name) VALUES (11, '0011_tool_terms')
ON CONFLICT DO NOTHING;
