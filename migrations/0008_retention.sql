-- What the cron does by itself: finished executions go to the archive, alerts are looked for.

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

-- An account's alerts, newest first.
CREATE INDEX IF NOT EXISTS performance_alerts_by_account
  ON performance_alerts (account_id, opened_at DESC);

INSERT INTO schema_version (version, name) VALUES (8, '0008_retention')
ON CONFLICT DO NOTHING;
