-- Migration 0014: events of everything that happens, and jobs. Safe to run twice; it drops nothing.

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

INSERT INTO schema_version (version, name) VALUES (14, '0014_jobs_and_events')
ON CONFLICT DO NOTHING;
