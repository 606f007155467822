//! Jobs: what people and clients want done. Where a job has an execution, a trigger moves its
//! status with that of the execution's row.
//!
//! A job with an execution is written before the execution starts, with the id that it will have,
//! and is seen only once it has begun: see [`crate::jobs`].

pub mod list;

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::row::{flag, json, optional_json};
use super::{Database, DbError, Statement, statements};
pub use list::{Filter, Order, Page, page, page_statement, total};

/// What a job's row says, with what the row of its execution says.
macro_rules! columns {
    () => {
        "SELECT j.id, j.account_id, j.title, j.description, j.priority, j.metadata, j.status,
        j.pipeline_template, j.pipeline_id, j.request, j.begun, j.version, j.body_hash,
        j.created_by, j.created_at, j.started_at, j.completed_at, j.updated_at,
        e.total_execution_time_ms, e.total_cost_micro_usd, e.waiting_reason, e.error,
        e.journal_seq FROM jobs AS j "
    };
}
pub(super) use columns;

/// The execution's row beside the job's.
macro_rules! with_execution {
    () => {
        " LEFT JOIN pipeline_executions AS e ON e.pipeline_id = j.pipeline_id "
    };
}
pub(super) use with_execution;

statements! { "jobs":
    /// A key that was used longer ago than it is remembered is free again.
    FREE_KEY = "UPDATE jobs SET key_hash = NULL
      WHERE account_id = ?1 AND key_hash = ?2 AND created_at < ?3";

    /// A new job; nothing where its id or its key is known.
    ADD = "INSERT INTO jobs (id, account_id, title, description, priority, metadata,
        pipeline_template, pipeline_id, request, begun, key_hash, body_hash, created_by,
        changed_by, created_at, request_id)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15 WHERE true
      ON CONFLICT DO NOTHING";

    /// Its execution is there: from now on it is seen, and stands where the execution's row does.
    BEGIN = "UPDATE jobs SET begun = 1, request = NULL, (status, started_at, completed_at) = (
        SELECT coalesce(max(e.status), 'pending'), max(e.started_at), max(e.completed_at)
        FROM pipeline_executions AS e WHERE e.pipeline_id = jobs.pipeline_id)
      WHERE id = ?1 AND begun = 0";

    /// Takes away one whose execution was refused.
    FORGET = "DELETE FROM jobs WHERE id = ?1 AND begun = 0";

    /// One that is seen.
    BY_ID = concat!(columns!(), with_execution!(),
        "WHERE j.id = ?1 AND j.account_id = ?2 AND j.begun = 1");

    /// One, seen or not.
    ANY_BY_ID = concat!(columns!(), with_execution!(), "WHERE j.id = ?1");

    /// The one of a key.
    BY_KEY = concat!(columns!(), with_execution!(), "WHERE j.account_id = ?1 AND j.key_hash = ?2");

    /// Those that were cut off before they were seen, ?1 or longer ago, ?2 at most.
    CUT_OFF = concat!(columns!(), with_execution!(),
        "WHERE j.begun = 0 AND j.created_at < ?1 ORDER BY j.created_at LIMIT ?2");

    /// Changes what a document ?3 names, where the version is ?4. ?5 is who.
    PATCH = "UPDATE jobs SET
        title = coalesce(?3 ->> 'title', title), priority = coalesce(?3 ->> 'priority', priority),
        description = iif(json_type(?3, '$.description') IS NULL, description,
          ?3 ->> 'description'),
        metadata = iif(json_type(?3, '$.metadata') IS NULL, metadata,
          coalesce(?3 -> 'metadata', '{}')),
        changed_by = ?5, version = version + 1
      WHERE id = ?1 AND account_id = ?2 AND begun = 1 AND version = ?4";

    /// Sets the status of one without an execution, where the version is ?4. ?5 is who, ?6 when;
    /// ?7 says whether the status is a final one, ?8 whether work has begun.
    SET_STATUS = "UPDATE jobs SET status = ?3, changed_by = ?5, version = version + 1,
        started_at = iif(?8, coalesce(started_at, ?6), started_at),
        completed_at = iif(?7, ?6, NULL)
      WHERE id = ?1 AND account_id = ?2 AND version = ?4 AND pipeline_id IS NULL";

    /// The execution of a job that had ended goes on: the job does at once.
    REOPEN = "UPDATE jobs SET status = 'running', completed_at = NULL, changed_by = ?2
      WHERE pipeline_id = ?1 AND status IN ('completed', 'partial', 'failed', 'cancelled')";

    /// Who is about to take one away.
    SIGN = "UPDATE jobs SET changed_by = ?3 WHERE id = ?1 AND account_id = ?2";

    /// Takes one away, where the version is ?3, or any is meant.
    REMOVE = "DELETE FROM jobs
      WHERE id = ?1 AND account_id = ?2 AND begun = 1 AND (?3 IS NULL OR version = ?3)";
}

/// A job.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account_id: String,
    /// What is to be done, in a few words.
    pub title: String,
    /// What is to be done.
    pub description: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    pub priority: String,
    /// What was kept with it.
    #[serde(deserialize_with = "json")]
    pub metadata: Value,
    /// Where it stands, as far as the database knows.
    pub status: String,
    /// The template whose execution does it.
    pub pipeline_template: Option<String>,
    /// The execution that does it.
    pub pipeline_id: Option<String>,
    /// What its execution is to be asked for, until it has begun.
    #[serde(deserialize_with = "optional_json")]
    pub request: Option<Value>,
    /// Whether it is seen.
    #[serde(deserialize_with = "flag")]
    pub begun: bool,
    /// How often its users changed it, counted from 1.
    pub version: u64,
    /// SHA-256 of the request that made it, in hex, where that had a key.
    pub body_hash: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When work on it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: Option<String>,
    /// When its row was last written.
    pub updated_at: String,
    /// How long its execution took, or has taken.
    pub total_execution_time_ms: Option<u64>,
    /// What its execution cost.
    pub total_cost_micro_usd: Option<u64>,
    /// What its execution waits for.
    pub waiting_reason: Option<String>,
    /// Why its execution has not its result.
    #[serde(deserialize_with = "optional_json")]
    pub error: Option<Value>,
    /// How much of the execution's journal the database has seen.
    pub journal_seq: Option<u64>,
}

/// The key that a job is made with, and what was asked for with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 of the key, in hex.
    pub key_hash: String,
    /// SHA-256 of the canonical request, in hex.
    pub body_hash: String,
}

/// A job that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct New {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// What is to be done, in a few words.
    pub title: String,
    /// What is to be done.
    pub description: Option<String>,
    /// How soon it is wanted.
    pub priority: &'static str,
    /// What is kept with it.
    pub metadata: Value,
    /// The template, the execution's id, and what it is to be asked for.
    pub execution: Option<(String, String, Value)>,
    /// The key of the request.
    pub key: Option<Key>,
    /// Who makes it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// The request that makes it.
    pub request_id: String,
}

/// A status that a job without an execution is to have.
#[derive(Clone, Copy, Debug)]
pub struct StatusChange<'a> {
    /// The status.
    pub status: &'a str,
    /// Whether nothing follows on it.
    pub is_final: bool,
    /// Who wants it.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// The statement that frees a key whose time is over.
pub fn free_key(account: &str, key: &Key, before: Timestamp) -> Statement {
    FREE_KEY.with(account).with(key.key_hash.as_str()).with(before)
}

/// The statement that adds a job; one with an execution is not seen yet.
pub fn add(new: &New) -> Statement {
    let execution = new.execution.as_ref();
    ADD.with(new.id.as_str())
        .with(new.account.as_str())
        .with(new.title.as_str())
        .with(new.description.as_deref())
        .with(new.priority)
        .with(&new.metadata)
        .with(execution.map(|(template, _, _)| template.as_str()))
        .with(execution.map(|(_, id, _)| id.as_str()))
        .with(execution.map(|(_, _, request)| request.to_string()))
        .with(execution.is_none())
        .with(new.key.as_ref().map(|key| key.key_hash.as_str()))
        .with(new.key.as_ref().map(|key| key.body_hash.as_str()))
        .with(new.created_by.as_str())
        .with(new.created_at)
        .with(new.request_id.as_str())
}

/// The statement that lets a job be seen whose execution is there.
pub fn begin(id: &str) -> Statement {
    BEGIN.with(id)
}

/// Takes away a job whose execution was refused, unless it has begun all the same.
pub async fn forget(db: &impl Database, id: &str) -> Result<(), DbError> {
    db.query(FORGET.with(id)).await.map(drop)
}

/// The statement that looks for a job, seen or not.
pub fn any_by_id(id: &str) -> Statement {
    ANY_BY_ID.with(id)
}

/// The statement that looks for the job of a key.
pub fn by_key(account: &str, key: &Key) -> Statement {
    BY_KEY.with(account).with(key.key_hash.as_str())
}

/// The job `id` of an account.
pub async fn find(db: &impl Database, account: &str, id: &str) -> Result<Option<Job>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// Jobs that were cut off before they were seen.
pub async fn cut_off(
    db: &impl Database,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Job>, DbError> {
    db.query(CUT_OFF.with(before).with(limit)).await?.decode()
}

/// The statement that changes what `document` names of a job of this version.
pub fn patch(job: &Job, document: &Value, by: &str) -> Statement {
    PATCH
        .with(job.id.as_str())
        .with(job.account_id.as_str())
        .with(document)
        .with(job.version)
        .with(by)
}

/// The statement that sets the status of a job of this version that has no execution.
pub fn set_status(job: &Job, change: StatusChange<'_>) -> Statement {
    let StatusChange { status, is_final, by, at } = change;
    SET_STATUS
        .with(job.id.as_str())
        .with(job.account_id.as_str())
        .with(status)
        .with(job.version)
        .with(by)
        .with(at)
        .with(is_final)
        .with(status != "pending" && status != "cancelled")
}

/// Says at once that the execution of a job goes on that had ended.
pub async fn reopen(db: &impl Database, pipeline_id: &str, by: &str) -> Result<(), DbError> {
    db.query(REOPEN.with(pipeline_id).with(by)).await.map(drop)
}

/// The statements that take a job away; the last one does. With a version only that one goes.
pub fn remove(job: &Job, version: Option<u64>, by: &str) -> [Statement; 2] {
    let of = |sql: super::Sql| sql.with(job.id.as_str()).with(job.account_id.as_str());
    [of(SIGN).with(by), of(REMOVE).with(version)]
}
