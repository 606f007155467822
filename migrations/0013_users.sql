-- Migration 0013: people: users, their sessions, and what guards their sign-in.
-- Safe to run twice; it drops nothing.

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

INSERT INTO schema_version (version, name) VALUES (13, '0013_users')
ON CONFLICT DO NOTHING;
