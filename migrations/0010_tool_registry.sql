-- The tool registry: nodes, tools, tags, artifacts, and what tools are found by.

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

-- ---- triggers: updated_at ----------------------------------------------------------------------

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

INSERT INTO schema_version (version, name) VALUES (10, '0010_tool_registry')
ON CONFLICT DO NOTHING;
