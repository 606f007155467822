-- Migration 0015: tasks, and the approvals that executions wait for. Safe to run twice; it drops
-- nothing.

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

INSERT INTO schema_version (version, name) VALUES (15, '0015_tasks')
ON CONFLICT DO NOTHING;
