//! Changes of one task. Each statement changes nothing unless the task is as the change needs it.

use engine::time::Timestamp;
use serde_json::Value;

use super::Task;
use super::columns;
use crate::db::{Database, DbError, Statement, iso, statements};

statements! { "tasks_change":
    /// Adds a task of the job ?12, or of none. Sent again, or with a key that is known, it is
    /// there.
    ADD = "INSERT INTO tasks (task_id, account_id, title, description, priority, metadata, form,
        candidates, forbid_self_approval, initiators, due_at, job_id, escalate_at, escalate_to,
        key_hash, body_hash, created_by, changed_by)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17
      WHERE ?12 IS NULL OR EXISTS (SELECT 1 FROM jobs WHERE id = ?12 AND account_id = ?2)
      ON CONFLICT DO NOTHING";

    /// Forgets the key ?2 of an account where it was used before ?3.
    FORGET_KEY = "UPDATE tasks SET key_hash = NULL, body_hash = NULL
      WHERE account_id = ?1 AND key_hash = ?2 AND created_at < ?3";

    /// The task that a key of an account made.
    BY_KEY = concat!(columns!(), "WHERE account_id = ?1 AND key_hash = ?2");

    /// Changes a task that is unfinished and in the version ?3. A moment that was moved is told of
    /// anew.
    CHANGE = "UPDATE tasks SET title = ?4, description = ?5, priority = ?6, metadata = ?7,
        candidates = ?8, due_at = ?9, overdue_at = iif(due_at IS ?9, overdue_at, NULL),
        escalate_at = ?10, escalate_to = ?11,
        escalated_at = iif(escalate_at IS ?10, escalated_at, NULL), changed_by = ?12,
        version = version + 1
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND status IN ('open', 'claimed')";

    /// Closes one that no execution waits for.
    CANCEL = "UPDATE tasks SET status = 'cancelled', closed_at = ?5, changed_by = ?4,
        version = version + 1
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND status IN ('open', 'claimed')
        AND pipeline_id IS NULL";

    /// Takes an open one.
    CLAIM = "UPDATE tasks SET status = 'claimed', claimed_by = ?4, claimed_at = ?5, changed_by = ?4,
        version = version + 1
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND status = 'open'";

    /// Gives back one that was claimed.
    RELEASE = "UPDATE tasks SET status = 'open', claimed_by = NULL, claimed_at = NULL,
        changed_by = ?4, version = version + 1
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND status = 'claimed'";

    /// Completes one that no execution waits for, and that nobody else has claimed.
    COMPLETE = "UPDATE tasks SET status = 'completed', result = ?6, completed_by = ?4,
        closed_at = ?5, changed_by = ?4, version = version + 1
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND status IN ('open', 'claimed')
        AND (claimed_by IS NULL OR claimed_by = ?4) AND pipeline_id IS NULL";

    /// Says who is about to remove one.
    TOUCH = "UPDATE tasks SET changed_by = ?4
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND pipeline_id IS NULL";

    /// Removes one that no execution opened.
    REMOVE = "DELETE FROM tasks
      WHERE task_id = ?1 AND account_id = ?2 AND version = ?3 AND pipeline_id IS NULL";
}

/// A task to be added.
#[derive(Clone, Debug)]
pub struct NewTask<'a> {
    /// What its row will have.
    pub task: &'a Task,
    /// The hash of the idempotency key that came with it.
    pub key_hash: Option<&'a str>,
}

/// A change of one task by somebody.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    /// The task as it was read.
    pub was: &'a Task,
    /// Who.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

impl Edit<'_> {
    fn of(&self, sql: crate::db::Sql) -> Statement {
        let Self { was, by, at: _ } = self;
        sql.with(was.task_id.as_str()).with(was.account_id.as_str()).with(was.version).with(*by)
    }
}

/// The statement that adds a task.
pub fn add(new: &NewTask<'_>) -> Statement {
    let NewTask { task, key_hash } = new;
    ADD.with(task.task_id.as_str())
        .with(task.account_id.as_str())
        .with(task.title.as_str())
        .with(task.description.as_deref())
        .with(task.priority.as_str())
        .with(&task.metadata)
        .with(task.form.as_ref().map(Value::to_string))
        .with(texts(&task.candidates))
        .with(task.forbid_self_approval)
        .with(texts(&task.initiators))
        .with(task.due_at.as_deref())
        .with(task.job_id.as_deref())
        .with(task.escalate_at.as_deref())
        .with(texts(&task.escalate_to))
        .with(*key_hash)
        .with(task.body_hash.as_deref())
        .with(task.created_by.as_str())
}

/// The statement that forgets an idempotency key which was used before a moment.
pub fn forget_key(account: &str, key_hash: &str, before: Timestamp) -> Statement {
    FORGET_KEY.with(account).with(key_hash).with(before)
}

/// The task that an idempotency key made.
pub async fn by_key(
    db: &impl Database,
    account: &str,
    key_hash: &str,
) -> Result<Option<Task>, DbError> {
    db.query(BY_KEY.with(account).with(key_hash)).await?.first()
}

/// The statement that makes of a task what `wanted` is.
pub fn change(edit: Edit<'_>, wanted: &Task) -> Statement {
    let Edit { was, by, at: _ } = edit;
    CHANGE
        .with(was.task_id.as_str())
        .with(was.account_id.as_str())
        .with(was.version)
        .with(wanted.title.as_str())
        .with(wanted.description.as_deref())
        .with(wanted.priority.as_str())
        .with(&wanted.metadata)
        .with(texts(&wanted.candidates))
        .with(wanted.due_at.as_deref())
        .with(wanted.escalate_at.as_deref())
        .with(texts(&wanted.escalate_to))
        .with(by)
}

/// The statement that closes a task which is not needed any more.
pub fn cancel(edit: Edit<'_>) -> Statement {
    edit.of(CANCEL).with(iso(edit.at))
}

/// The statement that claims a task.
pub fn claim(edit: Edit<'_>) -> Statement {
    edit.of(CLAIM).with(iso(edit.at))
}

/// The statement that gives a claimed task back.
pub fn release(edit: Edit<'_>) -> Statement {
    edit.of(RELEASE)
}

/// The statement that completes a task which no execution waits for.
pub fn complete(edit: Edit<'_>, result: Option<&Value>) -> Statement {
    edit.of(COMPLETE).with(iso(edit.at)).with(result.map(Value::to_string))
}

/// The statement that says who is about to remove a task: nothing tells that afterwards.
pub fn touch(edit: Edit<'_>) -> Statement {
    edit.of(TOUCH)
}

/// The statement that removes a task.
pub fn remove(edit: Edit<'_>) -> Statement {
    let was = edit.was;
    REMOVE.with(was.task_id.as_str()).with(was.account_id.as_str()).with(was.version)
}

fn texts(list: &[String]) -> String {
    serde_json::json!(list).to_string()
}
