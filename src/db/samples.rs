//! What steps came to in the newest executions of an account: figures for plans. A bounded number
//! of executions is read, by the indexes of the history.

use serde::Deserialize;

use super::{Database, DbError, statements};

/// How many executions are looked at: of the template, and of the account.
pub const EXECUTIONS_MAX: u32 = 100;
/// The most rows of steps that are read of either.
const STEPS_MAX: u32 = 5_000;

statements! { "samples":
    /// Steps that workers did in the newest executions of a template; ?1 account, ?2 template, ?3
    /// how many executions, ?4 how many steps.
    OF_TEMPLATE = "SELECT w.step_name, w.worker_name, w.execution_time_ms AS time_ms,
        w.cost_micro_usd
      FROM (
        SELECT e.pipeline_id FROM pipeline_executions AS e
        WHERE e.account_id = ?1 AND e.template_name = ?2
        ORDER BY e.created_at DESC, e.id DESC LIMIT ?3
      ) AS newest
      JOIN worker_execution_results AS w ON w.pipeline_id = newest.pipeline_id
      WHERE w.success = 1 AND w.attempts > 0 AND w.cache_hit = 0 AND w.worker_name IS NOT NULL
      LIMIT ?4";

    /// Single calls of workers in the newest executions of an account, whatever their template; ?1
    /// account, ?2 how many executions, ?3 how many steps.
    OF_ACCOUNT = "SELECT w.step_name, w.worker_name, w.execution_time_ms AS time_ms,
        w.cost_micro_usd
      FROM (
        SELECT e.pipeline_id FROM pipeline_executions AS e
        WHERE e.account_id = ?1
        ORDER BY e.created_at DESC, e.id DESC LIMIT ?2
      ) AS newest
      JOIN worker_execution_results AS w ON w.pipeline_id = newest.pipeline_id
      WHERE w.success = 1 AND w.attempts > 0 AND w.cache_hit = 0 AND w.kind = 'worker'
        AND w.worker_name IS NOT NULL
      LIMIT ?3";
}

/// What one step came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sample {
    /// The step.
    pub step_name: String,
    /// The worker that did it.
    pub worker_name: String,
    /// How long it took, all attempts together.
    pub time_ms: u64,
    /// What it cost.
    pub cost_micro_usd: u64,
}

/// The samples of a template's own steps, and those of all calls of the account.
pub async fn newest(
    db: &impl Database,
    account: &str,
    template: &str,
) -> Result<(Vec<Sample>, Vec<Sample>), DbError> {
    let of_template = OF_TEMPLATE.with(account).with(template).with(EXECUTIONS_MAX).with(STEPS_MAX);
    let of_account = OF_ACCOUNT.with(account).with(EXECUTIONS_MAX).with(STEPS_MAX);
    let [own, all] = db.batch_of([of_template, of_account]).await?;
    Ok((own.decode()?, all.decode()?))
}
