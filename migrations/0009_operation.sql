-- What operators are told: counts that isolates bring together, and figures that the cron notes.

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

INSERT INTO schema_version (version, name) VALUES (9, '0009_operation')
ON CONFLICT DO NOTHING;
