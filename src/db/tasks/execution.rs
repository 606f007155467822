//! Tasks that executions open: one for each approval that a step asks for. The journal is the
//! truth, so their rows follow it: written when the journal is projected, and by the request that
//! has just completed one. A task is known by execution, step and generation, of which its id is
//! made, so both may write it, in any order and as often as they like.

use serde_json::Value;

use super::Task;
use super::columns;
use crate::db::{Database, DbError, Statement, statements};

statements! { "tasks_execution":
    /// ?1 is a JSON array of tasks, keyed by column. What people did to one that is there stays; it
    /// is closed where the journal says that it is over.
    RECORD = "INSERT INTO tasks (task_id, account_id, title, description, status, form, candidates,
        forbid_self_approval, initiators, due_at, escalate_at, escalate_to, result, completed_by,
        closed_at, job_id, pipeline_id, step_name, generation, created_by, changed_by, created_at)
      SELECT t.value ->> 'task_id', a.id, t.value ->> 'title', t.value ->> 'description',
        t.value ->> 'status', nullif(t.value -> 'form', 'null'), t.value -> 'candidates',
        t.value ->> 'forbid_self_approval', t.value -> 'initiators', t.value ->> 'due_at',
        t.value ->> 'escalate_at', t.value -> 'escalate_to', nullif(t.value -> 'result', 'null'),
        t.value ->> 'completed_by', t.value ->> 'closed_at',
        (SELECT j.id FROM jobs AS j WHERE j.pipeline_id = t.value ->> 'pipeline_id'),
        t.value ->> 'pipeline_id', t.value ->> 'step_name', t.value ->> 'generation',
        'execution:' || (t.value ->> 'pipeline_id'),
        coalesce(t.value ->> 'completed_by', 'execution:' || (t.value ->> 'pipeline_id')),
        t.value ->> 'created_at'
      FROM json_each(?1) AS t
      JOIN accounts AS a ON a.id = t.value ->> 'account_id'
      WHERE true ON CONFLICT (task_id) DO UPDATE SET
        status = excluded.status, result = excluded.result, completed_by = excluded.completed_by,
        closed_at = excluded.closed_at, changed_by = excluded.changed_by, version = version + 1
      WHERE tasks.status IN ('open', 'claimed') AND excluded.closed_at IS NOT NULL";

    /// The tasks of an execution that are not over.
    OPEN = concat!(columns!(), "WHERE pipeline_id = ?1 AND status IN ('open', 'claimed')
      ORDER BY step_name, generation");
}

/// The statement that writes tasks as their journals have them: a JSON array as text.
pub fn recording(tasks: String) -> Statement {
    RECORD.with(tasks)
}

/// Writes tasks at once. The projection finds them there.
pub async fn record_now(db: &impl Database, tasks: &Value) -> Result<(), DbError> {
    db.query(RECORD.with(tasks)).await.map(drop)
}

/// The tasks that an execution waits for.
pub async fn of_execution(db: &impl Database, pipeline_id: &str) -> Result<Vec<Task>, DbError> {
    db.query(OPEN.with(pipeline_id)).await?.decode()
}
