//! One execution as D1 has it: the row that a projection wrote, with its steps.

use engine::execution::Payload;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::projection_counts::Saving;
use super::row::{flag, json, optional_json};
use super::{Database, DbError, statements};

statements! { "executions":
    /// An execution by its id.
    BY_ID = "SELECT pipeline_id, account_id, template_name, template_revision, topic, status,
        execution_strategy, optimize_for, urgency, quality_level, request, result, error,
        total_cost_micro_usd, cost_estimated, budget_micro_usd, sources_discovered,
        articles_processed, final_quality_score, optimization_applied, cache_hit,
        total_execution_time_ms, waiting_reason, journal_seq, created_at, started_at,
        completed_at, updated_at
      FROM pipeline_executions WHERE pipeline_id = ?1";

    /// The steps of an execution in order.
    STEPS = "SELECT step_name, step_order, worker_name, kind, status, success, generation,
        attempts, failed_attempts, execution_time_ms, cost_micro_usd, cost_estimated, cache_hit,
        communication_method, error, data, started_at, completed_at
      FROM worker_execution_results WHERE pipeline_id = ?1
      ORDER BY step_order, started_at, step_name";

    /// What an execution saved.
    SAVINGS = "SELECT optimizations FROM execution_facts WHERE pipeline_id = ?1";
}

/// An execution. Moments are text as [`super::iso`] writes it; enumerations have the values that
/// the columns allow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The execution's id.
    pub pipeline_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// The template.
    pub template_name: String,
    /// The template's revision.
    pub template_revision: u64,
    /// What it is about.
    pub topic: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Label of the strategy, such as `quality_optimized`.
    pub execution_strategy: String,
    /// What the request asked for.
    pub optimize_for: String,
    /// How urgent it is.
    pub urgency: String,
    /// How thorough it is.
    pub quality_level: String,
    /// The request's parameters.
    #[serde(deserialize_with = "json")]
    pub request: Value,
    /// What it produced.
    #[serde(deserialize_with = "optional_json")]
    pub result: Option<Value>,
    /// Why it did not complete.
    #[serde(deserialize_with = "optional_json")]
    pub error: Option<Value>,
    /// What it cost.
    pub total_cost_micro_usd: u64,
    /// Whether some of that is an estimate.
    #[serde(deserialize_with = "flag")]
    pub cost_estimated: bool,
    /// The most it may cost.
    pub budget_micro_usd: Option<u64>,
    /// The size of `data.sources`.
    pub sources_discovered: u64,
    /// The size of `data.articles`.
    pub articles_processed: u64,
    /// How good the result is, 0 to 1.
    pub final_quality_score: Option<f64>,
    /// What its strategy and the cache did for it.
    #[serde(deserialize_with = "json")]
    pub optimization_applied: Vec<String>,
    /// Whether its result is that of an earlier one.
    #[serde(deserialize_with = "flag")]
    pub cache_hit: bool,
    /// How long it took, or has taken.
    pub total_execution_time_ms: u64,
    /// What it waits for.
    pub waiting_reason: Option<String>,
    /// How much of the journal was seen.
    pub journal_seq: u64,
    /// When it was asked for.
    pub created_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: Option<String>,
    /// When this was written.
    pub updated_at: String,
}

/// A step of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The step's path.
    pub step_name: String,
    /// Its place in the template.
    pub step_order: i64,
    /// The worker that was asked last; none for a transform.
    pub worker_name: Option<String>,
    /// What doing it means.
    pub kind: String,
    /// Where it stands.
    pub status: String,
    /// Whether it has its output.
    #[serde(deserialize_with = "flag")]
    pub success: bool,
    /// How often it was asked for anew.
    pub generation: u64,
    /// Attempts of this generation that have begun.
    pub attempts: u64,
    /// Attempts of this generation that failed.
    pub failed_attempts: u64,
    /// How long it took, or has taken.
    pub execution_time_ms: u64,
    /// What it cost, in all generations.
    pub cost_micro_usd: u64,
    /// Whether some of that is an estimate.
    #[serde(deserialize_with = "flag")]
    pub cost_estimated: bool,
    /// Whether its output is that of an earlier call.
    #[serde(deserialize_with = "flag")]
    pub cache_hit: bool,
    /// `service_binding`, `http` or `internal`.
    pub communication_method: String,
    /// Why it failed or was left out.
    #[serde(deserialize_with = "optional_json")]
    pub error: Option<Value>,
    /// Its output, or where that lies.
    #[serde(deserialize_with = "optional_json")]
    pub data: Option<Payload>,
    /// When its first attempt began.
    pub started_at: Option<String>,
    /// When it was settled.
    pub completed_at: Option<String>,
}

#[derive(Deserialize)]
struct Savings {
    #[serde(deserialize_with = "json")]
    optimizations: Vec<Saving>,
}

/// What the execution `pipeline_id` saved, as its journal told when it ended.
pub async fn savings(db: &impl Database, pipeline_id: &str) -> Result<Vec<Saving>, DbError> {
    let row: Option<Savings> = db.query(SAVINGS.with(pipeline_id)).await?.first()?;
    Ok(row.map_or_else(Vec::new, |row| row.optimizations))
}

/// The execution `pipeline_id` with its steps, whatever account it belongs to.
pub async fn by_pipeline_id(
    db: &impl Database,
    pipeline_id: &str,
) -> Result<Option<(Execution, Vec<Step>)>, DbError> {
    let statements = [BY_ID.with(pipeline_id), STEPS.with(pipeline_id)];
    let [execution, steps] = db.batch_of(statements).await?;
    let Some(execution) = execution.first()? else {
        return Ok(None);
    };
    Ok(Some((execution, steps.decode()?)))
}
