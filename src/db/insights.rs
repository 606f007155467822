//! The rows that insights look at one by one: the newest executions of a period, and the steps of
//! the newest of these. All else comes from the figures.

use serde::Deserialize;
use serde_json::json;

use super::row::flag;
use super::{Database, DbError, Statement, statements};

/// The most executions that are looked at.
pub const EXECUTIONS_MAX: u32 = 1_000;
/// The most executions whose steps are looked at.
pub const WITH_STEPS_MAX: usize = 200;
/// The most executions that stand still which are looked at.
const PAUSED_MAX: u32 = 50;
/// The longest request that is compared with others, in characters.
const REQUEST_CHARS_MAX: u32 = 2_000;
/// The most revisions that are read.
const REVISIONS_MAX: usize = 50;

statements! { "insights":
    /// The newest executions of account ?1 that were asked for from ?2 to ?3; ?4 is how many, ?5
    /// the longest request that is brought along.
    EXECUTIONS = "SELECT pipeline_id, template_name, template_revision, execution_strategy, status,
        total_cost_micro_usd, final_quality_score, cache_hit, total_execution_time_ms, created_at,
        iif(length(request) <= ?5, request, NULL) AS request
      FROM pipeline_executions INDEXED BY pipeline_executions_history
      WHERE account_id = ?1 AND created_at >= ?2 AND created_at < ?3
      ORDER BY created_at DESC, id DESC LIMIT ?4";

    /// The newest executions of account ?1, asked for from ?2 to ?3, that stand still for want of
    /// a budget; ?4 is how many.
    PAUSED = "SELECT pipeline_id, template_name, total_cost_micro_usd, budget_micro_usd,
        waiting_reason
      FROM pipeline_executions INDEXED BY pipeline_executions_by_status
      WHERE account_id = ?1 AND status = 'paused' AND status <> 'completed'
        AND created_at >= ?2 AND created_at < ?3
        AND instr(coalesce(waiting_reason, ''), 'waits for a higher budget') > 0
      ORDER BY created_at DESC, id DESC LIMIT ?4";

    /// The steps of the executions whose ids ?1 is a JSON array of.
    STEPS = "SELECT s.pipeline_id, s.step_name, s.worker_name, s.kind, s.status,
        s.execution_time_ms, s.cost_micro_usd, s.cache_hit, s.started_at, s.completed_at
      FROM json_each(?1) AS i CROSS JOIN worker_execution_results AS s
      WHERE s.pipeline_id = i.value";

    /// The definitions of the revisions that ?1 is a JSON array of, each [template, revision].
    DEFINITIONS = "SELECT r.template_name, r.definition
      FROM json_each(?1) AS i CROSS JOIN template_revisions AS r
      WHERE r.template_name = i.value ->> 0 AND r.revision = i.value ->> 1";
}

/// An execution.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Execution {
    /// Its id.
    pub pipeline_id: String,
    /// Its template.
    pub template_name: String,
    /// The template's revision.
    pub template_revision: u64,
    /// The label of its strategy.
    pub execution_strategy: String,
    /// Where it stands.
    pub status: String,
    /// What it cost.
    pub total_cost_micro_usd: u64,
    /// 0 to 1.
    pub final_quality_score: Option<f64>,
    /// Whether its whole result was known.
    #[serde(deserialize_with = "flag")]
    pub cache_hit: bool,
    /// Its active time.
    pub total_execution_time_ms: u64,
    /// When it was asked for.
    pub created_at: String,
    /// What was asked for, as JSON; `None` where that is long.
    pub request: Option<String>,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Step {
    /// Its execution.
    pub pipeline_id: String,
    /// Its name.
    pub step_name: String,
    /// The worker that was asked last.
    pub worker_name: Option<String>,
    /// What doing it means.
    pub kind: String,
    /// Where it stands.
    pub status: String,
    /// From its first attempt to its end.
    pub execution_time_ms: u64,
    /// What it cost.
    pub cost_micro_usd: u64,
    /// Whether its output was known.
    #[serde(deserialize_with = "flag")]
    pub cache_hit: bool,
    /// When its first attempt began.
    pub started_at: Option<String>,
    /// When it was settled.
    pub completed_at: Option<String>,
}

/// An execution that stands still for want of a budget.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Paused {
    /// Its id.
    pub pipeline_id: String,
    /// Its template.
    pub template_name: String,
    /// What it cost so far.
    pub total_cost_micro_usd: u64,
    /// The most it may cost.
    pub budget_micro_usd: Option<u64>,
    /// What it waits for.
    pub waiting_reason: Option<String>,
}

/// What a revision holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Definition {
    /// The template.
    pub template_name: String,
    /// The definition, as JSON.
    pub definition: String,
}

/// The statement of the newest executions of `account` that were asked for within a period.
pub fn executions_statement(account: &str, from: &str, to: &str) -> Statement {
    let statement = EXECUTIONS.with(account).with(from).with(to);
    statement.with(EXECUTIONS_MAX).with(REQUEST_CHARS_MAX)
}

/// The statement of the newest executions of `account` that stand still for want of a budget.
pub fn paused_statement(account: &str, from: &str, to: &str) -> Statement {
    PAUSED.with(account).with(from).with(to).with(PAUSED_MAX)
}

/// The steps of executions, and the definitions of revisions; of too many, the first.
pub async fn details(
    db: &impl Database,
    executions: &[&str],
    revisions: &[(&str, u64)],
) -> Result<(Vec<Step>, Vec<Definition>), DbError> {
    let executions = &executions[..executions.len().min(WITH_STEPS_MAX)];
    let revisions = &revisions[..revisions.len().min(REVISIONS_MAX)];
    let steps = STEPS.with(json!(executions).to_string());
    let definitions = DEFINITIONS.with(json!(revisions).to_string());
    let [steps, definitions] = db.batch_of([steps, definitions]).await?;
    Ok((steps.decode()?, definitions.decode()?))
}
