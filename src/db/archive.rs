//! The archive's index, and the executions on their way there.
//!
//! What is archived is indexed and removed in one transaction, so an execution is either here or
//! there. The transaction names the number of whoever sweeps: one that was given up for dead and
//! goes on changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::executions::{Execution, Step};
use super::{Database, DbError, Statement, duties, statements};

/// The duty of archiving.
pub const DUTY: &str = "retention";

/// Whether the holder ?2 of the duty still holds it.
macro_rules! held {
    () => {
        "EXISTS (SELECT 1 FROM cron_duties WHERE name = 'retention' AND fence = ?2)"
    };
}

/// ?1 is a JSON array of {id, seq, first_byte, bytes}; of those executions, the ones that stand as
/// they were read.
macro_rules! moved {
    () => {
        "FROM json_each(?1) AS n JOIN pipeline_executions AS e
          ON e.pipeline_id = n.value ->> 'id' AND e.journal_seq = n.value ->> 'seq' "
    };
}

/// The ids of those in ?1 that are indexed in the object ?3.
macro_rules! indexed {
    () => {
        "SELECT a.pipeline_id FROM json_each(?1) AS n
        JOIN archived_executions AS a ON a.pipeline_id = n.value ->> 'id'
        JOIN archive_objects AS o ON o.id = a.object_id AND o.object_key = ?3"
    };
}

statements! { "archive":
    /// Rows after the row ?1 in the order in which they came, ?2 at most: about the order of age.
    CANDIDATES = "SELECT id, pipeline_id, status, created_at, completed_at, journal_seq
      FROM pipeline_executions WHERE id > ?1 ORDER BY id LIMIT ?2";

    /// About how many bytes each of the executions in the JSON array ?1 has.
    SIZES = "SELECT e.pipeline_id,
        1000 + length(e.request) + coalesce(length(e.result), 0) + coalesce(length(e.error), 0)
        + coalesce((
          SELECT sum(400 + coalesce(length(w.data), 0) + coalesce(length(w.error), 0))
          FROM worker_execution_results AS w WHERE w.pipeline_id = e.pipeline_id), 0) AS bytes
      FROM json_each(?1) AS n JOIN pipeline_executions AS e ON e.pipeline_id = n.value";

    /// The executions in the JSON array ?1.
    EXECUTIONS = "SELECT e.pipeline_id, e.account_id, e.template_name, e.template_revision, e.topic,
        e.status, e.execution_strategy, e.optimize_for, e.urgency, e.quality_level, e.request,
        e.result, e.error, e.total_cost_micro_usd, e.cost_estimated, e.budget_micro_usd,
        e.sources_discovered, e.articles_processed, e.final_quality_score, e.optimization_applied,
        e.cache_hit, e.total_execution_time_ms, e.waiting_reason, e.journal_seq, e.created_at,
        e.started_at, e.completed_at, e.updated_at
      FROM json_each(?1) AS n JOIN pipeline_executions AS e ON e.pipeline_id = n.value
      ORDER BY n.key";

    /// Their steps.
    STEPS = "SELECT w.pipeline_id, w.step_name, w.step_order, w.worker_name, w.kind, w.status,
        w.success, w.generation, w.attempts, w.failed_attempts, w.execution_time_ms,
        w.cost_micro_usd, w.cost_estimated, w.cache_hit, w.communication_method, w.error, w.data,
        w.started_at, w.completed_at
      FROM json_each(?1) AS n JOIN worker_execution_results AS w ON w.pipeline_id = n.value
      ORDER BY n.key, w.step_order, w.started_at, w.step_name";

    /// The object ?3 with ?4 executions in ?5 bytes, if any of ?1 is still to be moved there.
    OBJECT = concat!(
        "INSERT INTO archive_objects (object_key, executions, bytes)
        SELECT ?3, ?4, ?5 WHERE ", held!(), " AND EXISTS (SELECT 1 ", moved!(), ")
        ON CONFLICT (object_key) DO NOTHING");

    /// Where each of ?1 lies in the object ?3. One that came back after it was archived lies there
    /// now.
    INDEX = concat!(
        "INSERT INTO archived_executions (pipeline_id, object_id, first_byte, bytes)
        SELECT e.pipeline_id, o.id, n.value ->> 'first_byte', n.value ->> 'bytes' ", moved!(),
        "JOIN archive_objects AS o ON o.object_key = ?3 WHERE ", held!(),
        " ON CONFLICT (pipeline_id) DO UPDATE SET object_id = excluded.object_id,
          first_byte = excluded.first_byte, bytes = excluded.bytes");

    /// What the accounts of ?1 have in the archive from now on.
    ACCOUNTS = concat!(
        "INSERT INTO archived_accounts (account_id, executions, newest_created_at)
        SELECT e.account_id, count(*), max(e.created_at) ", moved!(), "WHERE ", held!(),
        " GROUP BY e.account_id
        ON CONFLICT (account_id) DO UPDATE SET executions = executions + excluded.executions,
          newest_created_at = max(newest_created_at, excluded.newest_created_at)");

    /// Removes the steps of those of ?1 that the object ?3 has.
    REMOVE_STEPS = concat!(
        "DELETE FROM worker_execution_results WHERE ", held!(),
        " AND pipeline_id IN (", indexed!(), ")");

    /// Removes those of ?1 that the object ?3 has.
    REMOVE = concat!(
        "DELETE FROM pipeline_executions WHERE ", held!(),
        " AND pipeline_id IN (", indexed!(), ") RETURNING pipeline_id");

    /// Whether the index knows an object.
    KNOWS = "SELECT id FROM archive_objects WHERE object_key = ?1";

    /// Where an execution lies.
    FIND = "SELECT o.object_key, a.first_byte, a.bytes FROM archived_executions AS a
      JOIN archive_objects AS o ON o.id = a.object_id WHERE a.pipeline_id = ?1";

    /// Until when executions of an account were archived.
    NEWEST = "SELECT newest_created_at FROM archived_accounts WHERE account_id = ?1";
}

/// A row that may be old enough.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Candidate {
    /// The row's number.
    pub id: i64,
    /// The execution.
    pub pipeline_id: String,
    /// Where it stands.
    pub status: String,
    /// When it was asked for.
    pub created_at: String,
    /// When it ended.
    pub completed_at: Option<String>,
    /// How much of the journal was seen.
    pub journal_seq: u64,
}

/// An execution as it is archived: its row and those of its steps, as the database gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The execution's row.
    pub execution: Value,
    /// The rows of its steps.
    pub steps: Vec<Value>,
}

/// Where an execution lies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// The object.
    pub object_key: String,
    /// The first byte.
    pub first_byte: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// An execution in an object that is about to be indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The execution.
    pub id: String,
    /// How much of its journal its row had seen when it was read.
    pub seq: u64,
    /// Where it begins.
    pub first_byte: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Size {
    pipeline_id: String,
    bytes: u64,
}

#[derive(Deserialize)]
struct Newest {
    newest_created_at: String,
}

impl Record {
    /// The rows as the shell knows them; why they are none.
    pub fn read(self) -> Result<(Execution, Vec<Step>), serde_json::Error> {
        let execution = serde_json::from_value(self.execution)?;
        let steps = self.steps.into_iter().map(serde_json::from_value);
        Ok((execution, steps.collect::<Result<_, _>>()?))
    }
}

/// The next rows that may be old enough.
pub async fn candidates(
    db: &impl Database,
    after: i64,
    rows: u32,
) -> Result<Vec<Candidate>, DbError> {
    db.query(CANDIDATES.with(after).with(rows)).await?.decode()
}

/// About how many bytes each of these executions has, in no order.
pub async fn sizes(db: &impl Database, ids: &[&str]) -> Result<Vec<(String, u64)>, DbError> {
    let rows: Vec<Size> = db.query(SIZES.with(array(ids))).await?.decode()?;
    Ok(rows.into_iter().map(|row| (row.pipeline_id, row.bytes)).collect())
}

/// These executions whole, in this order; one that is no longer there is left out.
pub async fn records(db: &impl Database, ids: &[&str]) -> Result<Vec<Record>, DbError> {
    let ids = array(ids);
    let [executions, steps] = db.batch_of([EXECUTIONS.with(ids.clone()), STEPS.with(ids)]).await?;
    let executions: Vec<Value> = executions.decode()?;
    let mut steps = steps.decode::<Value>()?.into_iter().peekable();
    let mut records = Vec::with_capacity(executions.len());
    for execution in executions {
        let mut own = Vec::new();
        while let Some(mut step) =
            steps.next_if(|step| step["pipeline_id"] == execution["pipeline_id"])
        {
            if let Some(columns) = step.as_object_mut() {
                columns.remove("pipeline_id");
            }
            own.push(step);
        }
        records.push(Record { execution, steps: own });
    }
    Ok(records)
}

/// What an object holds, and who wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The number of whoever sweeps.
    pub fence: u64,
    /// The object.
    pub object_key: &'a str,
    /// Its length.
    pub bytes: u64,
    /// What it holds.
    pub moved: &'a [Moved],
    /// Where the duty stands when that is done.
    pub state: &'a Value,
}

/// Indexes what an object holds and removes it from the tables, in one transaction; how many rows
/// of executions went. Done again, it does nothing.
pub async fn commit(db: &impl Database, it: Move<'_>) -> Result<usize, DbError> {
    let Move { fence, object_key, bytes, moved, state } = it;
    let rows = serde_json::to_string(moved).expect("texts and numbers are JSON");
    let of = |sql: super::Sql| sql.with(rows.as_str()).with(fence);
    let [_, _, _, _, gone, _] = db
        .batch_of([
            of(OBJECT).with(object_key).with(moved.len() as u64).with(bytes),
            of(INDEX).with(object_key),
            of(ACCOUNTS),
            of(REMOVE_STEPS).with(object_key),
            of(REMOVE).with(object_key),
            duties::noting(DUTY, fence, state),
        ])
        .await?;
    Ok(gone.decode::<Value>()?.len())
}

/// Whether the index knows an object.
pub async fn knows(db: &impl Database, object_key: &str) -> Result<bool, DbError> {
    Ok(db.query(KNOWS.with(object_key)).await?.first::<Value>()?.is_some())
}

/// Where an execution lies; `None` when it is not archived.
pub async fn find(db: &impl Database, pipeline_id: &str) -> Result<Option<Place>, DbError> {
    db.query(FIND.with(pipeline_id)).await?.first()
}

/// When the newest archived execution of an account was asked for.
pub fn newest_statement(account: &str) -> Statement {
    NEWEST.with(account)
}

/// See [`newest_statement`].
pub async fn newest(db: &impl Database, account: &str) -> Result<Option<String>, DbError> {
    let row: Option<Newest> = db.query(newest_statement(account)).await?.first()?;
    Ok(row.map(|row| row.newest_created_at))
}

fn array(ids: &[&str]) -> String {
    Value::from(ids).to_string()
}
