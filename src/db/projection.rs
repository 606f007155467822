//! The projection: what journals say of executions, written to where queries find it.
//!
//! A batch may come twice, late, or after a newer one, so each part of it is safe by itself:
//! - an execution's row changes only when the batch has seen more of the journal than the row
//!   (`journal_seq`);
//! - its steps are written only while the row stands exactly where the batch stands;
//! - costs are what the steps have grown by since they were last written, found and added in the
//!   same transaction that writes them: the second time they have grown by nothing;
//! - what the figures must learn is what rows said before and say now, noted in `rollup_log` in the
//!   same transaction: the second time they say the same. [`super::rollup_log`] goes on from there.
//!
//! Rows go as JSON, many in one parameter, because D1 takes 100 parameters a statement.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::executions::{Execution, Step};
use super::projection_counts::{COUNT_EXECUTIONS, COUNT_STEPS, FACTS, execution_facts, step_facts};
pub use super::projection_counts::{Facts, Saving};
use super::{Database, DbError, DbErrorKind, Statement, execution_artifacts, statements, tasks};

/// The most bytes of rows in one parameter; D1 takes 2 MB.
const PARAM_BYTES_MAX: usize = 1_000_000;
/// The most bytes of rows in one transaction.
const BATCH_BYTES_MAX: usize = 4_000_000;
/// The most rows that one statement writes.
const ROWS_MAX: usize = 2_000;
/// The largest row. What it cannot hold is left out rather than stop the projection for ever.
const ROW_BYTES_MAX: usize = 1_500_000;

statements! { "projection":
    /// ?1 is a JSON array of executions, keyed by column.
    EXECUTIONS = "INSERT INTO pipeline_executions (
        pipeline_id, account_id, template_name, template_revision, topic, status,
        execution_strategy, optimize_for, urgency, quality_level, request, result, error,
        total_cost_micro_usd, cost_estimated, budget_micro_usd, sources_discovered,
        articles_processed, final_quality_score, optimization_applied, cache_hit,
        total_execution_time_ms, waiting_reason, journal_seq, created_at, started_at,
        completed_at, updated_at)
      SELECT
        e.value ->> 'pipeline_id', e.value ->> 'account_id', e.value ->> 'template_name',
        e.value ->> 'template_revision', e.value ->> 'topic', e.value ->> 'status',
        e.value ->> 'execution_strategy', e.value ->> 'optimize_for', e.value ->> 'urgency',
        e.value ->> 'quality_level', e.value -> 'request', nullif(e.value -> 'result', 'null'),
        nullif(e.value -> 'error', 'null'), e.value ->> 'total_cost_micro_usd',
        e.value ->> 'cost_estimated', e.value ->> 'budget_micro_usd',
        e.value ->> 'sources_discovered', e.value ->> 'articles_processed',
        e.value ->> 'final_quality_score', e.value -> 'optimization_applied',
        e.value ->> 'cache_hit', e.value ->> 'total_execution_time_ms',
        e.value ->> 'waiting_reason', e.value ->> 'journal_seq', e.value ->> 'created_at',
        e.value ->> 'started_at', e.value ->> 'completed_at', e.value ->> 'updated_at'
      FROM json_each(?1) AS e
      WHERE true ON CONFLICT (pipeline_id) DO UPDATE SET
        status = excluded.status, result = excluded.result, error = excluded.error,
        total_cost_micro_usd = excluded.total_cost_micro_usd,
        cost_estimated = excluded.cost_estimated, budget_micro_usd = excluded.budget_micro_usd,
        sources_discovered = excluded.sources_discovered,
        articles_processed = excluded.articles_processed,
        final_quality_score = excluded.final_quality_score,
        optimization_applied = excluded.optimization_applied, cache_hit = excluded.cache_hit,
        total_execution_time_ms = excluded.total_execution_time_ms,
        waiting_reason = excluded.waiting_reason, journal_seq = excluded.journal_seq,
        started_at = excluded.started_at, completed_at = excluded.completed_at,
        updated_at = excluded.updated_at
      WHERE excluded.journal_seq > pipeline_executions.journal_seq";

    /// ?1 is a JSON array of what steps have done so far, each an array: pipeline_id, journal_seq,
    /// step_name, worker_name, day, generation, attempts, failed attempts, cost.
    COSTS = "INSERT INTO cost_tracking (
        day, account_id, worker_name, calls, failures, cost_micro_usd)
      WITH grown AS (
        SELECT n.value ->> 4 AS day, e.account_id, n.value ->> 3 AS worker_name,
          max((n.value ->> 6) - iif(o.generation = n.value ->> 5, o.attempts, 0), 0) AS calls,
          max((n.value ->> 7) - iif(o.generation = n.value ->> 5, o.failed_attempts, 0), 0)
            AS failures,
          max((n.value ->> 8) - coalesce(o.cost_micro_usd, 0), 0) AS cost
        FROM json_each(?1) AS n
        JOIN pipeline_executions AS e
          ON e.pipeline_id = n.value ->> 0 AND e.journal_seq = n.value ->> 1
        LEFT JOIN worker_execution_results AS o
          ON o.pipeline_id = n.value ->> 0 AND o.step_name = n.value ->> 2
      )
      SELECT day, account_id, worker_name, sum(calls), sum(failures), sum(cost) FROM grown
      GROUP BY day, account_id, worker_name HAVING sum(calls) + sum(failures) + sum(cost) > 0
      ON CONFLICT (day, account_id, worker_name) DO UPDATE SET
        calls = calls + excluded.calls, failures = failures + excluded.failures,
        cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd";

    /// ?1 is a JSON array of steps, keyed by column, each with its execution's journal_seq. A row
    /// that would stay as it is is not written.
    STEPS = "INSERT INTO worker_execution_results (
        pipeline_id, step_name, step_order, worker_name, kind, status, success, generation,
        attempts, failed_attempts, execution_time_ms, cost_micro_usd, cost_estimated, cache_hit,
        communication_method, error, data, started_at, completed_at)
      SELECT
        e.pipeline_id, n.value ->> 'step_name', n.value ->> 'step_order',
        n.value ->> 'worker_name', n.value ->> 'kind', n.value ->> 'status',
        n.value ->> 'success', n.value ->> 'generation', n.value ->> 'attempts',
        n.value ->> 'failed_attempts', n.value ->> 'execution_time_ms',
        n.value ->> 'cost_micro_usd', n.value ->> 'cost_estimated', n.value ->> 'cache_hit',
        n.value ->> 'communication_method', nullif(n.value -> 'error', 'null'),
        nullif(n.value -> 'data', 'null'), n.value ->> 'started_at', n.value ->> 'completed_at'
      FROM json_each(?1) AS n
      JOIN pipeline_executions AS e ON e.pipeline_id = n.value ->> 'pipeline_id'
        AND e.journal_seq = n.value ->> 'journal_seq'
      WHERE true ON CONFLICT (pipeline_id, step_name) DO UPDATE SET
        worker_name = excluded.worker_name, status = excluded.status,
        success = excluded.success, generation = excluded.generation,
        attempts = excluded.attempts, failed_attempts = excluded.failed_attempts,
        execution_time_ms = excluded.execution_time_ms,
        cost_micro_usd = excluded.cost_micro_usd, cost_estimated = excluded.cost_estimated,
        cache_hit = excluded.cache_hit, communication_method = excluded.communication_method,
        error = excluded.error, data = excluded.data, started_at = excluded.started_at,
        completed_at = excluded.completed_at
      WHERE (worker_name, status, generation, attempts, failed_attempts, execution_time_ms,
          cost_micro_usd, cost_estimated, cache_hit, error, started_at, completed_at)
        IS NOT (excluded.worker_name, excluded.status, excluded.generation, excluded.attempts,
          excluded.failed_attempts, excluded.execution_time_ms, excluded.cost_micro_usd,
          excluded.cost_estimated, excluded.cache_hit, excluded.error, excluded.started_at,
          excluded.completed_at)";
}

/// An execution as its journal has it now, with all its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Projected {
    /// The execution.
    pub execution: Execution,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What its row has no room for.
    pub facts: Facts,
    /// What its tools made: see [`execution_artifacts`].
    pub artifacts: Vec<Value>,
    /// The approvals that it asked for: see [`tasks`].
    pub tasks: Vec<Value>,
}

#[derive(Serialize)]
struct StepRow<'a> {
    pipeline_id: &'a str,
    journal_seq: u64,
    #[serde(flatten)]
    step: &'a Step,
}

/// Writes executions and their steps. It may be repeated, in whole or from where it broke off.
///
/// After an outage ([`DbError::is_outage`]) it should be. Any other error means that the database
/// refuses some of the rows and always will: all others are written then, and the error's detail
/// names the executions that are not.
pub async fn project(db: &impl Database, executions: &[Projected]) -> Result<(), DbError> {
    let mut refused: Vec<(&str, DbError)> = Vec::new();
    let mut left = vec![executions];
    while let Some(part) = left.pop() {
        let Err(error) = write(db, part).await else {
            continue;
        };
        match part {
            _ if error.is_outage() || error.kind() == DbErrorKind::Schema => return Err(error),
            [only] => refused.push((&only.execution.pipeline_id, error)),
            _ => left.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
        }
    }
    let Some((_, first)) = refused.first() else {
        return Ok(());
    };
    let names: Vec<&str> = refused.iter().map(|(id, _)| *id).collect();
    let detail = format!("{}: {}", names.join(", "), first.detail());
    Err(DbError::new(first.kind(), first.statement(), detail))
}

async fn write(db: &impl Database, executions: &[Projected]) -> Result<(), DbError> {
    for batch in batches(executions) {
        db.batch(batch).await?;
    }
    Ok(())
}

/// The statements that write `executions`, each element one transaction.
pub fn batches(executions: &[Projected]) -> Vec<Vec<Statement>> {
    // Of two states of one execution only the newer counts: together they would be paid for twice.
    let mut newest: BTreeMap<&str, &Projected> = BTreeMap::new();
    for projected in executions {
        let kept = newest.entry(&projected.execution.pipeline_id).or_insert(projected);
        if projected.execution.journal_seq > kept.execution.journal_seq {
            *kept = projected;
        }
    }
    let mut writer = Writer::default();
    for projected in newest.into_values() {
        writer.execution(projected);
        for step in &projected.steps {
            writer.step(&projected.execution, step);
        }
    }
    writer.flush();
    writer.done
}

/// Gathers rows into statements and statements into transactions. An execution's row always goes
/// before its steps, in the same transaction or an earlier one.
#[derive(Default)]
struct Writer {
    done: Vec<Vec<Statement>>,
    /// What tools made: it goes before the rows that say that it was seen.
    artifacts: Vec<Array>,
    /// What people are asked.
    tasks: Vec<Array>,
    executions: Array,
    ends: Array,
    facts: Array,
    steps: Vec<StepArrays>,
    bytes: usize,
}

#[derive(Default)]
struct StepArrays {
    costs: Array,
    ends: Array,
    steps: Array,
}

/// A JSON array as text.
#[derive(Default)]
struct Array {
    text: String,
    rows: usize,
}

impl Writer {
    fn execution(&mut self, projected: &Projected) {
        let Projected { execution, facts, artifacts, tasks, steps: _ } = projected;
        let row = fitting(execution, &["result", "request"]);
        let made: Vec<String> = artifacts.iter().map(Value::to_string).collect();
        if !self.executions.has_room(&row) {
            self.flush();
        }
        let (pipeline_id, journal_seq) = (&execution.pipeline_id, execution.journal_seq);
        let Facts { nested, optimizations } = facts;
        let nested = u8::from(*nested);
        let said = execution_facts(execution, nested, optimizations);
        let end = json!([pipeline_id, journal_seq, said]).to_string();
        let facts = json!([pipeline_id, journal_seq, nested, optimizations]).to_string();
        self.bytes += row.len() + end.len() + facts.len();
        let asked: Vec<String> = tasks.iter().map(Value::to_string).collect();
        for (rows, arrays) in [(&made, &mut self.artifacts), (&asked, &mut self.tasks)] {
            for row in rows {
                if arrays.last().is_none_or(|array| !array.has_room(row)) {
                    arrays.push(Array::default());
                }
                arrays.last_mut().expect("one was pushed").push(row);
                self.bytes += row.len();
            }
        }
        self.executions.push(&row);
        self.ends.push(&end);
        self.facts.push(&facts);
    }

    fn step(&mut self, execution: &Execution, step: &Step) {
        let (pipeline_id, journal_seq) = (execution.pipeline_id.as_str(), execution.journal_seq);
        let row = fitting(&StepRow { pipeline_id, journal_seq, step }, &["data"]);
        if self.bytes + row.len() > BATCH_BYTES_MAX {
            self.flush();
        }
        if self.steps.last().is_none_or(|arrays| !arrays.steps.has_room(&row)) {
            self.steps.push(StepArrays::default());
        }
        let arrays = self.steps.last_mut().expect("one was pushed");
        if let (Some(worker), true) = (&step.worker_name, step.attempts > 0) {
            let moment = step.completed_at.as_ref().or(step.started_at.as_ref());
            let day = moment.unwrap_or(&execution.created_at).get(..10).unwrap_or_default();
            let cost = json!([
                pipeline_id,
                journal_seq,
                step.step_name,
                worker,
                day,
                step.generation,
                step.attempts,
                step.failed_attempts,
                step.cost_micro_usd,
            ])
            .to_string();
            self.bytes += cost.len();
            arrays.costs.push(&cost);
        }
        let said = step_facts(step, execution);
        let end = json!([pipeline_id, journal_seq, step.step_name, said]).to_string();
        self.bytes += row.len() + end.len();
        arrays.ends.push(&end);
        arrays.steps.push(&row);
    }

    /// Ends the transaction.
    fn flush(&mut self) {
        let mut batch = Vec::new();
        for array in std::mem::take(&mut self.artifacts) {
            batch.push(execution_artifacts::RECORD.with(array.close()));
        }
        for array in std::mem::take(&mut self.tasks) {
            batch.push(tasks::recording(array.close()));
        }
        if self.executions.rows > 0 {
            let [ends, executions, facts] =
                [&mut self.ends, &mut self.executions, &mut self.facts].map(std::mem::take);
            batch.push(COUNT_EXECUTIONS.with(ends.close()));
            batch.push(FACTS.with(facts.close()));
            batch.push(EXECUTIONS.with(executions.close()));
        }
        for arrays in std::mem::take(&mut self.steps) {
            if arrays.costs.rows > 0 {
                batch.push(COSTS.with(arrays.costs.close()));
            }
            batch.push(COUNT_STEPS.with(arrays.ends.close()));
            batch.push(STEPS.with(arrays.steps.close()));
        }
        self.bytes = 0;
        if !batch.is_empty() {
            self.done.push(batch);
        }
    }
}

impl Array {
    fn has_room(&self, row: &str) -> bool {
        self.rows == 0 || (self.rows < ROWS_MAX && self.text.len() + row.len() < PARAM_BYTES_MAX)
    }

    fn push(&mut self, row: &str) {
        self.text.push(if self.rows == 0 { '[' } else { ',' });
        self.text.push_str(row);
        self.rows += 1;
    }

    fn close(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

/// A row as JSON. When it is too large, the `large` fields are left out in turn until it fits; each
/// says how large it was.
fn fitting(row: &impl Serialize, large: &[&str]) -> String {
    let text = serde_json::to_string(row).expect("rows have text keys and finite numbers");
    if text.len() <= ROW_BYTES_MAX {
        return text;
    }
    let mut row = serde_json::to_value(row).expect("it was serialised above");
    for field in large {
        let bytes = row[*field].to_string().len();
        row[*field] = json!({ "omitted_bytes": bytes });
        let text = row.to_string();
        if text.len() <= ROW_BYTES_MAX {
            return text;
        }
    }
    Value::to_string(&row)
}
