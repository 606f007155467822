-- Migration 0012: the store of agents: prompts, logs, chat and what was used.
-- Safe to run twice; it drops nothing.

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

INSERT INTO schema_version (version, name) VALUES (12, '0012_agents')
ON CONFLICT DO NOTHING;
