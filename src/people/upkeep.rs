//! Removes what has long been over: refresh tokens, sessions, failures, and the entries of the
//! audit log that strangers can bring about. It removes nothing that an answer depends on.

use engine::time::{Millis, Timestamp};
use serde_json::json;

use crate::bindings::Bindings;
use crate::clock::now;
use crate::db::duties;
use crate::db::{D1, Database, DbError, audit, sessions, sign_in_attempts};
use crate::log::{self, Level};

const DUTY: &str = "people";
const HOLD: Millis = Millis::from_secs(60);
const PAUSE: Millis = Millis::from_secs(3_600);
/// How long sessions and tokens stay after their end, so that an administrator can look.
const OVER_FOR: Millis = Millis::from_secs(86_400);
/// How long failures stay that block nobody any more.
const FAILED_FOR: Millis = Millis::from_secs(2 * 86_400);
/// How long the log keeps what strangers can bring about.
const STRANGERS_FOR: Millis = Millis::from_secs(14 * 86_400);
/// The most rows of a kind that one visit removes.
const ROWS_MAX: u32 = 5_000;

/// Does so if it is due.
pub async fn forget_if_due(bindings: &Bindings) {
    let Ok(database) = bindings.database() else { return };
    if let Err(error) = forget(&D1::new(database), now()).await {
        let error = error.to_string();
        log::write(Level::Warn, json!({ "event": "people.not_forgotten", "error": error }));
    }
}

/// Does so if it is due at `now`.
pub async fn forget(db: &impl Database, now: Timestamp) -> Result<(), DbError> {
    let Some(held) = duties::take(db, DUTY, now, HOLD).await? else { return Ok(()) };
    let before = |age: Millis| {
        let age = i64::try_from(age.get()).unwrap_or(i64::MAX);
        Timestamp::from_millis(now.as_millis().saturating_sub(age))
    };
    let mut batch = Vec::from(sessions::forget(before(OVER_FOR), ROWS_MAX));
    batch.push(sign_in_attempts::forget(before(FAILED_FOR), ROWS_MAX));
    batch.push(audit::forget_strangers(before(STRANGERS_FOR), ROWS_MAX));
    db.batch(batch).await?;
    duties::done(db, DUTY, &held, now, now.plus(PAUSE)).await
}
