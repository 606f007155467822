//! What the cron does every now and then: who does it, until when, and where it stands.
//!
//! Whoever takes a duty gets a number that is greater than all before. A holder that was given up
//! for dead may still be at work: its writes name its number, and change nothing any more.

use engine::time::{Millis, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::row::json;
use super::{Database, DbError, Statement, statements};

statements! { "duties":
    /// Takes the duty ?1 until ?3 if it is due at ?2 and nobody holds it.
    TAKE = "INSERT INTO cron_duties (name, fence, held_until) VALUES (?1, 1, ?3)
      ON CONFLICT (name) DO UPDATE SET fence = fence + 1, held_until = excluded.held_until
      WHERE coalesce(cron_duties.held_until, '') < ?2 AND coalesce(cron_duties.next_at, '') <= ?2
      RETURNING fence, state";

    /// Notes where the holder ?2 of the duty ?1 stands.
    NOTE = "UPDATE cron_duties SET state = ?3 WHERE name = ?1 AND fence = ?2 RETURNING fence";

    /// The holder ?2 of the duty ?1 is done at ?4; it is due again at ?5.
    DONE = "UPDATE cron_duties SET state = ?3, done_at = ?4, next_at = ?5, held_until = NULL
      WHERE name = ?1 AND fence = ?2";

    /// Where the duty ?1 stands.
    STANDING = "SELECT done_at, state FROM cron_duties WHERE name = ?1";
}

/// A duty that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// The number of its holder.
    pub fence: u64,
    /// What the holder before left.
    #[serde(deserialize_with = "json")]
    pub state: Value,
}

/// Where a duty stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Standing {
    /// When it was last done to its end.
    pub done_at: Option<String>,
    /// What the last holder left.
    #[serde(deserialize_with = "json")]
    pub state: Value,
}

/// Takes a duty for so long, if it is due and free.
pub async fn take(
    db: &impl Database,
    name: &str,
    now: Timestamp,
    hold: Millis,
) -> Result<Option<Held>, DbError> {
    db.query(TAKE.with(name).with(now).with(now.plus(hold))).await?.first()
}

/// The statement that notes where the holder stands. It gives a row only to the holder.
pub fn noting(name: &str, fence: u64, state: &Value) -> Statement {
    NOTE.with(name).with(fence).with(state)
}

/// Notes where the holder stands; says whether it still is the holder.
pub async fn note(
    db: &impl Database,
    name: &str,
    fence: u64,
    state: &Value,
) -> Result<bool, DbError> {
    let row: Option<Value> = db.query(noting(name, fence, state)).await?.first()?;
    Ok(row.is_some())
}

/// Gives a duty back until it is due again.
pub async fn done(
    db: &impl Database,
    name: &str,
    held: &Held,
    now: Timestamp,
    next_at: Timestamp,
) -> Result<(), DbError> {
    let Held { fence, state } = held;
    db.query(DONE.with(name).with(*fence).with(state).with(now).with(next_at)).await.map(drop)
}

/// Where a duty stands; `None` when it was never taken.
pub async fn standing(db: &impl Database, name: &str) -> Result<Option<Standing>, DbError> {
    db.query(STANDING.with(name)).await?.first()
}
