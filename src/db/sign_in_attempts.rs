//! Attempts to sign in: how many have failed for a user, a name or an address, and until when no
//! more are let through. An attempt is counted before the password is looked at, so that as many
//! at once count as many, and taken back when it succeeds.

use engine::time::{Millis, Timestamp};
use serde::Deserialize;

use super::row::moment;
use super::{Database, DbError, Statement, iso, statements};

statements! { "sign_in_attempts":
    /// Counts the attempt ?3 of the subject ?1 at ?2, unless that is blocked, or the subject ?8 has
    /// not let the attempt through. What failed before ?4 is forgotten. From the failure number ?5
    /// on the subject is blocked for ?6 seconds, twice as long each time, at most ?7.
    COUNT = "INSERT INTO sign_in_attempts (subject, failures, attempt, last_at)
      SELECT ?1, 1, ?3, ?2
      WHERE ?8 IS NULL
        OR EXISTS (SELECT 1 FROM sign_in_attempts WHERE subject = ?8 AND attempt = ?3)
      ON CONFLICT (subject) DO UPDATE SET
        failures = CASE WHEN last_at < ?4 THEN 1 ELSE failures + 1 END,
        attempt = excluded.attempt, last_at = excluded.last_at,
        blocked_until = CASE WHEN last_at >= ?4 AND failures + 1 >= ?5 THEN
          strftime('%Y-%m-%dT%H:%M:%fZ', ?2, '+' || CAST(
            min(?7, ?6 * (1 << min(CAST(failures + 1 - ?5 AS INTEGER), 20))) AS INTEGER
          ) || ' seconds') END
      WHERE (blocked_until IS NULL OR blocked_until <= excluded.last_at)
        AND attempt <> excluded.attempt";

    /// How the subjects ?1 and ?2 stand.
    STANDING = "SELECT subject, failures, attempt, blocked_until FROM sign_in_attempts
      WHERE subject IN (?1, ?2)";

    /// Forgets what failed of a subject.
    CLEAR = "DELETE FROM sign_in_attempts WHERE subject = ?1 RETURNING subject";

    /// Takes back the attempt ?2 of the subject ?1: it has not failed.
    TAKE_BACK = "UPDATE sign_in_attempts SET failures = max(failures - 1, 0),
        blocked_until = CASE WHEN attempt = ?2 THEN NULL ELSE blocked_until END
      WHERE subject = ?1";

    /// Removes what failed before ?1, at most ?2.
    FORGET = "DELETE FROM sign_in_attempts WHERE subject IN (
        SELECT subject FROM sign_in_attempts WHERE last_at < ?1
          AND coalesce(blocked_until, '') < ?1 LIMIT ?2)";
}

/// When a subject is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The failure from which on it is; two at least.
    pub failures: u32,
    /// How long the first time; twice as long each time after.
    pub block: Millis,
    /// How long at most.
    pub block_max: Millis,
    /// After how long without an attempt all is forgotten.
    pub forgotten_after: Millis,
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What tells it from others.
    pub id: &'a str,
    /// Who is meant.
    pub who: &'a str,
    /// Where it comes from, if the platform says.
    pub address: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// What came of counting an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The password may be looked at; if it is wrong, further ones are not until the moment.
    Through(Option<Timestamp>),
    /// It may not, until the moment.
    Blocked(Timestamp),
}

#[derive(Deserialize)]
struct Standing {
    subject: String,
    attempt: String,
    blocked_until: Option<String>,
}

/// Counts an attempt.
pub async fn count(
    db: &impl Database,
    attempt: Attempt<'_>,
    (of_who, of_address): (Limit, Limit),
) -> Result<Counted, DbError> {
    let Attempt { id, who, address, at } = attempt;
    let mut statements = Vec::new();
    if let Some(address) = address {
        statements.push(counting(address, id, at, of_address).with(None::<&str>));
    }
    statements.push(counting(who, id, at, of_who).with(address));
    statements.push(STANDING.with(who).with(address));
    let results = db.batch(statements).await?;
    let standing: Vec<Standing> =
        results.last().map_or_else(|| Ok(Vec::new()), super::Rows::decode)?;
    let end = |it: &Standing| {
        let end = it.blocked_until.as_deref().and_then(moment);
        end.filter(|end| *end > at)
    };
    let through = standing.iter().any(|it| it.subject == who && it.attempt == id);
    let ends = standing.iter().filter_map(end).max();
    Ok(match (through, ends) {
        (true, end) => Counted::Through(end),
        (false, Some(end)) => Counted::Blocked(end),
        // The row went between two statements: the next attempt begins anew.
        (false, None) => Counted::Blocked(at.plus(of_who.block)),
    })
}

fn counting(subject: &str, id: &str, at: Timestamp, limit: Limit) -> Statement {
    let Limit { failures, block, block_max, forgotten_after } = limit;
    let age = i64::try_from(forgotten_after.get()).unwrap_or(i64::MAX);
    let since = Timestamp::from_millis(at.as_millis().saturating_sub(age));
    COUNT
        .with(subject)
        .with(at)
        .with(id)
        .with(iso(since))
        .with(failures)
        .with(block.get() / 1000)
        .with(block_max.get() / 1000)
}

/// The statement that forgets what failed of a subject; it gives a row if there was anything.
pub fn clear(subject: &str) -> Statement {
    CLEAR.with(subject)
}

/// The statement that takes back an attempt.
pub fn take_back(subject: &str, attempt: &str) -> Statement {
    TAKE_BACK.with(subject).with(attempt)
}

/// The statement that removes what has long been over.
pub fn forget(before: Timestamp, rows_max: u32) -> Statement {
    FORGET.with(before).with(rows_max)
}
