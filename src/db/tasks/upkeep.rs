//! What time does to tasks: they become overdue, and others become candidates.

use engine::time::Timestamp;
use serde::Deserialize;

use crate::db::{Database, DbError, statements};

statements! { "tasks_upkeep":
    /// Notes that tasks are overdue at ?1, at most ?2 of them.
    OVERDUE = "UPDATE tasks SET overdue_at = ?1, changed_by = 'system', version = version + 1
      WHERE task_id IN (SELECT task_id FROM tasks WHERE overdue_at IS NULL AND due_at IS NOT NULL
        AND due_at <= ?1 AND status IN ('open', 'claimed') ORDER BY due_at LIMIT ?2)
      RETURNING account_id";

    /// Shows tasks that have taken too long at ?1 to others as well, at most ?2 of them. Whoever
    /// had claimed one and let it lie has it no more.
    ESCALATE = "UPDATE tasks SET escalated_at = ?1, changed_by = 'system', version = version + 1,
        status = 'open', claimed_by = NULL, claimed_at = NULL,
        candidates = iif(candidates = '[]', candidates, (SELECT json_group_array(value) FROM (
          SELECT value FROM json_each(candidates) UNION SELECT value FROM json_each(escalate_to))))
      WHERE task_id IN (SELECT task_id FROM tasks WHERE escalated_at IS NULL
        AND escalate_at IS NOT NULL AND escalate_at <= ?1 AND status IN ('open', 'claimed')
        ORDER BY escalate_at LIMIT ?2)
      RETURNING account_id";
}

#[derive(Deserialize)]
struct Touched {
    account_id: String,
}

/// Notes which tasks are overdue, at most so many; gives the account of each.
pub async fn note_overdue(
    db: &impl Database,
    now: Timestamp,
    most: u32,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<Touched> = db.query(OVERDUE.with(now).with(most)).await?.decode()?;
    Ok(rows.into_iter().map(|row| row.account_id).collect())
}

/// Makes others candidates of tasks that have taken too long, at most so many; gives the account
/// of each.
pub async fn escalate(
    db: &impl Database,
    now: Timestamp,
    most: u32,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<Touched> = db.query(ESCALATE.with(now).with(most)).await?.decode()?;
    Ok(rows.into_iter().map(|row| row.account_id).collect())
}
