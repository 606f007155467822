//! What a projection notes for the figures: what the rows that it changes said before, and what
//! they say now. [`super::rollup_log`] makes figures of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::executions::{Execution, Step};
use super::statements;

statements! { "projection_counts":
    /// ?1 is a JSON array of [pipeline_id, journal_seq, what its row will say or null]. What a row
    /// says is null while the execution goes on; `ExecutionFacts` in rollup_log.rs reads it.
    COUNT_EXECUTIONS = "INSERT INTO rollup_log (kind, entries)
      SELECT 'executions', entries FROM (
        SELECT count(*) AS changes, json_group_array(json_array(json(n.value -> 2), json(iif(
          e.status IN ('completed', 'partial', 'failed', 'cancelled'),
          json_array(e.account_id, e.template_name, e.execution_strategy, e.status,
            coalesce(e.completed_at, e.created_at), e.total_execution_time_ms,
            e.total_cost_micro_usd, e.final_quality_score, e.cache_hit, coalesce(f.nested, 0),
            json(coalesce(f.optimizations, '[]'))), NULL)))) AS entries
        FROM json_each(?1) AS n
        LEFT JOIN pipeline_executions AS e ON e.pipeline_id = n.value ->> 0
        LEFT JOIN execution_facts AS f ON f.pipeline_id = e.pipeline_id
        WHERE n.value ->> 1 > coalesce(e.journal_seq, -1)
          AND (n.value ->> 2 IS NOT NULL
            OR e.status IN ('completed', 'partial', 'failed', 'cancelled'))
      ) WHERE changes > 0";

    /// ?1 is a JSON array of [pipeline_id, journal_seq, nested, optimizations]. It stands before
    /// the statement that writes the executions, and changes only what that one will change.
    FACTS = "INSERT INTO execution_facts (pipeline_id, nested, optimizations)
      SELECT n.value ->> 0, n.value ->> 2, n.value -> 3
      FROM json_each(?1) AS n
      LEFT JOIN pipeline_executions AS e ON e.pipeline_id = n.value ->> 0
      LEFT JOIN execution_facts AS f ON f.pipeline_id = n.value ->> 0
      WHERE n.value ->> 1 > coalesce(e.journal_seq, -1)
        AND (coalesce(f.nested, 0), coalesce(f.optimizations, '[]'))
          IS NOT (n.value ->> 2, n.value -> 3)
      ON CONFLICT (pipeline_id) DO UPDATE SET
        nested = excluded.nested, optimizations = excluded.optimizations";

    /// ?1 is a JSON array of [pipeline_id, journal_seq, step_name, what its row will say or null].
    /// What a row says is null while the step goes on; `StepFacts` in rollup_log.rs reads it.
    COUNT_STEPS = "INSERT INTO rollup_log (kind, entries)
      WITH said AS (
        SELECT e.account_id, e.template_name, n.value ->> 2 AS step_name,
          nullif(n.value -> 3, 'null') AS now,
          iif(o.status IN ('succeeded', 'failed', 'skipped', 'cancelled', 'compensated'),
            json_array(coalesce(o.completed_at, o.started_at, e.created_at),
              coalesce(o.worker_name, ''), o.status, o.attempts, o.failed_attempts,
              o.cost_micro_usd, o.cache_hit, o.execution_time_ms), NULL) AS before
        FROM json_each(?1) AS n
        JOIN pipeline_executions AS e
          ON e.pipeline_id = n.value ->> 0 AND e.journal_seq = n.value ->> 1
        LEFT JOIN worker_execution_results AS o
          ON o.pipeline_id = n.value ->> 0 AND o.step_name = n.value ->> 2
      )
      SELECT 'steps', entries FROM (
        SELECT count(*) AS changes, json_group_array(
          json_array(account_id, template_name, step_name, json(now), json(before))) AS entries
        FROM said WHERE now IS NOT before
      ) WHERE changes > 0";
}

/// What the row of an execution has no room for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Whether it is part of another execution.
    pub nested: bool,
    /// What it saved.
    pub optimizations: Vec<Saving>,
}

/// What was done in an execution, and what that saved by the estimates of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// The word in `optimization_applied`.
    pub kind: String,
    /// The steps that it concerned.
    pub steps: Vec<String>,
    /// Money that was not spent.
    pub saved_cost_micro_usd: u64,
    /// Time that did not pass.
    pub saved_ms: u64,
}

/// What the figures count of an execution that has ended.
pub(super) fn execution_facts(
    execution: &Execution,
    nested: u8,
    optimizations: &[Saving],
) -> Value {
    if !matches!(execution.status.as_str(), "completed" | "partial" | "failed" | "cancelled") {
        return Value::Null;
    }
    json!([
        execution.account_id,
        execution.template_name,
        execution.execution_strategy,
        execution.status,
        execution.completed_at.as_ref().unwrap_or(&execution.created_at),
        execution.total_execution_time_ms,
        execution.total_cost_micro_usd,
        execution.final_quality_score,
        u8::from(execution.cache_hit),
        nested,
        optimizations,
    ])
}

/// What the figures count of a step that was settled.
pub(super) fn step_facts(step: &Step, execution: &Execution) -> Value {
    let status = step.status.as_str();
    if !matches!(status, "succeeded" | "failed" | "skipped" | "cancelled" | "compensated") {
        return Value::Null;
    }
    json!([
        step.completed_at.as_ref().or(step.started_at.as_ref()).unwrap_or(&execution.created_at),
        step.worker_name.as_deref().unwrap_or_default(),
        status,
        step.attempts,
        step.failed_attempts,
        step.cost_micro_usd,
        u8::from(step.cache_hit),
        step.execution_time_ms,
    ])
}
