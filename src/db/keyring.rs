//! Issued keys as administrators see and change them. A row has the hash of the secret, never the
//! secret.

use engine::time::Timestamp;
use serde::Deserialize;

use super::row::{lenient_json, moment};
use super::{Database, DbError, Param, Statement, statements};

/// What administrators change of a key, to tell one state from another.
macro_rules! state {
    () => {
        "json_array(k.name, k.scopes, k.rate_per_minute, k.daily_budget_micro_usd,
        k.monthly_budget_micro_usd, k.expires_at, k.revoked_at)"
    };
}

macro_rules! columns {
    () => {
        concat!(
            "SELECT k.id, k.account_id, k.name, k.scopes, k.rate_per_minute,
        k.daily_budget_micro_usd, k.monthly_budget_micro_usd, k.expires_at, k.revoked_at,
        k.last_used_at, k.created_at, k.updated_at, old.rotated_from, new.key_id AS rotated_to, ",
            state!(),
            " AS state
      FROM api_keys AS k LEFT JOIN api_key_lineage AS old ON old.key_id = k.id
      LEFT JOIN api_key_lineage AS new ON new.rotated_from = k.id "
        )
    };
}

statements! { "keyring":
    /// A key by id, of the account ?2 or of any.
    BY_ID = concat!(columns!(), "WHERE k.id = ?1 AND (?2 IS NULL OR k.account_id = ?2)");

    /// A page of keys, by id. ?1 account, ?2 status at the moment ?3; NULL filters nothing. ?4 is
    /// the key that the page comes after, ?5 is how many.
    PAGE = concat!(columns!(), "WHERE (?1 IS NULL OR k.account_id = ?1)
        AND (?2 IS NULL OR ?2 = CASE
          WHEN k.revoked_at IS NOT NULL THEN 'revoked'
          WHEN k.expires_at <= ?3 THEN 'expired'
          ELSE 'active' END)
        AND (?4 IS NULL OR k.id > ?4)
      ORDER BY k.id LIMIT ?5");

    /// A new key of an account that there is.
    ISSUE = "INSERT INTO api_keys (id, account_id, name, scopes, rate_per_minute,
        daily_budget_micro_usd, monthly_budget_micro_usd, expires_at, key_hash)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?2)
      ON CONFLICT (id) DO NOTHING";

    /// A new key (?1, with the hash ?2 and the end ?3) in the place of the key ?4, which is still
    /// in the state ?5 and has no other in its place.
    REPLACE = concat!("INSERT INTO api_keys (id, account_id, name, scopes, rate_per_minute,
        daily_budget_micro_usd, monthly_budget_micro_usd, expires_at, key_hash)
      SELECT ?1, k.account_id, k.name, k.scopes, k.rate_per_minute, k.daily_budget_micro_usd,
        k.monthly_budget_micro_usd, ?3, ?2
      FROM api_keys AS k WHERE k.id = ?4 AND ", state!(), " = ?5
        AND NOT EXISTS (SELECT 1 FROM api_key_lineage WHERE rotated_from = ?4)
      ON CONFLICT (id) DO NOTHING");

    /// Notes that the key ?1, if there is one, took the place of the key ?2.
    NOTE_LINE = "INSERT INTO api_key_lineage (key_id, rotated_from, root_id)
      SELECT ?1, ?2, coalesce((SELECT root_id FROM api_key_lineage WHERE key_id = ?2), ?2)
      WHERE EXISTS (SELECT 1 FROM api_keys WHERE id = ?1)
      ON CONFLICT DO NOTHING";

    /// Ends the key ?1 at the moment ?2, unless it ends before, if the key ?3 took its place.
    END = "UPDATE api_keys SET expires_at = ?2
      WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)
        AND EXISTS (SELECT 1 FROM api_key_lineage WHERE key_id = ?3 AND rotated_from = ?1)";

    /// Changes a key that is still in the state ?8.
    CHANGE = concat!("UPDATE api_keys AS k SET name = ?2, scopes = ?3, rate_per_minute = ?4,
        daily_budget_micro_usd = ?5, monthly_budget_micro_usd = ?6, expires_at = ?7
      WHERE id = ?1 AND ", state!(), " = ?8");

    /// Revokes a key, once.
    REVOKE = "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
}

/// A key as its row has it, and its neighbours in the line of rotations.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Key {
    /// The row's id.
    pub id: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// What people call it.
    pub name: String,
    /// What it allows: words that are no scope give no right.
    #[serde(deserialize_with = "lenient_json")]
    pub scopes: Option<serde_json::Value>,
    /// How many requests a minute it may make.
    pub rate_per_minute: Option<u32>,
    /// The most that its executions may cost in a day (UTC).
    pub daily_budget_micro_usd: Option<u64>,
    /// The most that its executions may cost in a month (UTC).
    pub monthly_budget_micro_usd: Option<u64>,
    /// When it ends to be valid.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was last seen, to the hour.
    pub last_used_at: Option<String>,
    /// When it was issued.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// The key whose place it took.
    pub rotated_from: Option<String>,
    /// The key that took its place.
    pub rotated_to: Option<String>,
    /// All of it that administrators change, as one text.
    pub state: String,
}

impl Key {
    /// When it ends to be valid: a moment that nobody can read is in the past.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let text = self.expires_at.as_deref()?;
        Some(moment(text).unwrap_or(Timestamp::from_millis(0)))
    }
}

/// Which keys are meant; what is `None` filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this account.
    pub account: Option<&'a str>,
    /// `active`, `expired` or `revoked`.
    pub status: Option<&'a str>,
}

/// The key `id`, if it is of `account` or no account is named.
pub async fn find(
    db: &impl Database,
    id: &str,
    account: Option<&str>,
) -> Result<Option<Key>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// A page of keys, by id, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    filter: Filter<'_>,
    (after, limit): (Option<&str>, u32),
    now: Timestamp,
) -> Result<(Vec<Key>, bool), DbError> {
    let Filter { account, status } = filter;
    let limited = limit.saturating_add(1);
    let statement = PAGE.with(account).with(status).with(now).with(after).with(limited);
    let mut found: Vec<Key> = db.query(statement).await?.decode()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}

/// The statement that issues a key, if its account exists. `hash` is that of its secret.
pub fn issue(key: &Key, hash: &str) -> Statement {
    let statement = ISSUE.with(key.id.as_str()).with(key.account_id.as_str());
    settings(statement, key).with(hash)
}

/// The statement that puts a new key, `(id, hash, end)`, into the place of `old`.
pub fn replace(old: &Key, (id, hash, end): (&str, &str, Option<&str>)) -> Statement {
    REPLACE.with(id).with(hash).with(end).with(old.id.as_str()).with(old.state.as_str())
}

/// What belongs behind [`replace`]: the line, and the end of the old key.
pub fn follow(old: &str, new: &str, old_ends_at: Timestamp) -> Vec<Statement> {
    vec![NOTE_LINE.with(new).with(old), END.with(old).with(old_ends_at).with(new)]
}

/// The statement that changes a key that is still in the state that `key` was read in.
pub fn change(key: &Key) -> Statement {
    settings(CHANGE.with(key.id.as_str()), key).with(key.state.as_str())
}

/// The statement that revokes a key, once.
pub fn revoke(id: &str, now: Timestamp) -> Statement {
    REVOKE.with(id).with(now)
}

fn settings(statement: Statement, key: &Key) -> Statement {
    statement
        .with(key.name.as_str())
        .with(key.scopes.as_ref().map_or(Param::Null, Param::from))
        .with(key.rate_per_minute)
        .with(key.daily_budget_micro_usd)
        .with(key.monthly_budget_micro_usd)
        .with(key.expires_at.as_deref())
}
