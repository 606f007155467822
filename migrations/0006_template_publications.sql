-- A revision may hold what an older one held: a rollback publishes old content under a new number.
-- So the content of a template's revisions is no longer unique, and the newest that holds what the
-- rows say is the one that counts. And who published a revision, where that was by the API.
--
-- A constraint can only be taken out by making the table anew, with what it holds.
-- database_fix.sql does the same: it is safe to run twice, and again after it was cut off.

-- A cut between DROP and CREATE leaves the table out.
CREATE TABLE IF NOT EXISTS template_revisions (
  template_name, revision, content_hash, definition, created_at
);

CREATE TABLE IF NOT EXISTS kept_template_revisions (
  template_name, revision, content_hash, definition, created_at,
  PRIMARY KEY (template_name, revision)
);

INSERT OR REPLACE INTO kept_template_revisions (
  template_name, revision, content_hash, definition, created_at
)
SELECT template_name, revision, content_hash, definition, created_at FROM template_revisions;

DROP TABLE template_revisions;

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

INSERT INTO template_revisions (template_name, revision, content_hash, definition, created_at)
SELECT template_name, revision, content_hash, definition, created_at FROM kept_template_revisions;

DROP TABLE kept_template_revisions;

CREATE TRIGGER IF NOT EXISTS template_revisions_immutable BEFORE UPDATE ON template_revisions
BEGIN
  SELECT RAISE(ABORT, 'a published revision never changes');
END;

-- The entry of the audit log that says who published a revision. No foreign keys: both outlive the
-- template, and entries of the log are removed when their time is over.
CREATE TABLE IF NOT EXISTS template_publications (
  template_name TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision > 0),
  audit_id TEXT NOT NULL,
  PRIMARY KEY (template_name, revision)
) STRICT, WITHOUT ROWID;

INSERT INTO schema_version (version, name) VALUES (6, '0006_template_publications')
ON CONFLICT DO NOTHING;
