//! What metrics are made of, read at once.

use serde::Deserialize;

use super::operation::{self, Count};
use super::row::json;
use super::{Database, DbError, statements};

/// The account under which `metric_totals` has the sums of all accounts.
pub const EVERYBODY: &str = "";

/// The names of what `metric_totals` counts.
pub mod names {
    /// Ends of executions: template, strategy, status.
    pub const EXECUTIONS: &str = "executions";
    /// Ends of executions whose result was known: template.
    pub const EXECUTION_CACHE_HITS: &str = "execution_cache_hits";
    /// Durations of executions: template, number of the bucket.
    pub const EXECUTION_DURATION: &str = "execution_duration";
    /// The sum of these durations: template.
    pub const EXECUTION_DURATION_MS: &str = "execution_duration_ms";
    /// Steps that were settled: worker, status.
    pub const STEPS: &str = "steps";
    /// Steps whose output was known: worker.
    pub const STEP_CACHE_HITS: &str = "step_cache_hits";
    /// Attempts after the first: worker.
    pub const STEP_RETRIES: &str = "step_retries";
    /// Durations of steps: worker, number of the bucket.
    pub const STEP_DURATION: &str = "step_duration";
    /// The sum of these durations: worker.
    pub const STEP_DURATION_MS: &str = "step_duration_ms";
}

statements! { "metrics":
    /// What was counted for an account since the beginning.
    TOTALS = "SELECT name, labels, value, since FROM metric_totals WHERE account_id = ?1
      ORDER BY name, labels";

    /// What workers did and charged, for an account or, with NULL, for all. Days are only added.
    SPENT = "SELECT worker_name, sum(calls) AS calls, sum(failures) AS failures,
        sum(cost_micro_usd) AS cost_micro_usd, min(day) AS since
      FROM cost_tracking WHERE ?1 IS NULL OR account_id = ?1
      GROUP BY worker_name ORDER BY worker_name";

    /// How the workers were when they were last checked.
    WORKERS = "SELECT worker_name, health_status FROM worker_registry WHERE is_active = 1
      ORDER BY worker_name";

    /// Alerts that are not resolved.
    ALERTS = "SELECT kind, severity, count(*) AS count FROM performance_alerts
      WHERE status <> 'resolved' GROUP BY kind, severity ORDER BY kind, severity";

    /// Jobs that have not ended, of an account or, with NULL, of all.
    JOBS = "SELECT status, count(*) AS count FROM jobs INDEXED BY jobs_open
      WHERE status IN ('pending', 'running', 'waiting', 'paused')
        AND (?1 IS NULL OR account_id = ?1) GROUP BY status ORDER BY status";

    /// The accounts that started an execution last; ?1 is how many.
    ACCOUNTS = "SELECT id FROM accounts AS a ORDER BY (
        SELECT max(e.created_at) FROM pipeline_executions AS e WHERE e.account_id = a.id
      ) DESC, id LIMIT ?1";
}

/// Something that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Total {
    /// One of [`names`].
    pub name: String,
    /// What tells it apart.
    #[serde(deserialize_with = "json")]
    pub labels: Vec<String>,
    /// How often, or how much.
    pub value: u64,
    /// When it was first met.
    pub since: String,
}

/// What a worker did and charged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Spent {
    /// The worker.
    pub worker_name: String,
    /// Attempts.
    pub calls: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// What they cost.
    pub cost_micro_usd: u64,
    /// The first day of it.
    pub since: String,
}

/// How a worker was when it was last checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkerState {
    /// The worker.
    pub worker_name: String,
    /// `unknown`, `healthy`, `degraded` or `unhealthy`.
    pub health_status: String,
}

/// Alerts of a kind that are not resolved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Alerts {
    /// What they warn of.
    pub kind: String,
    /// How much they matter.
    pub severity: String,
    /// How many there are.
    pub count: u64,
}

/// Jobs of a status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Jobs {
    /// The status.
    pub status: String,
    /// How many have it.
    pub count: u64,
}

/// What the metrics of an account are made of.
pub async fn of_account(
    db: &impl Database,
    account: &str,
) -> Result<(Vec<Total>, Vec<Spent>, Vec<Jobs>), DbError> {
    let asked = [TOTALS.with(account), SPENT.with(account), JOBS.with(account)];
    let [totals, spent, jobs] = db.batch_of(asked).await?;
    Ok((totals.decode()?, spent.decode()?, jobs.decode()?))
}

/// What the metrics of the installation are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfAll {
    /// What was counted.
    pub totals: Vec<Total>,
    /// What workers did and charged.
    pub spent: Vec<Spent>,
    /// How they were when they were last checked.
    pub workers: Vec<WorkerState>,
    /// Alerts that are not resolved.
    pub alerts: Vec<Alerts>,
    /// What isolates have counted.
    pub counts: Vec<Count>,
    /// Jobs that have not ended.
    pub jobs: Vec<Jobs>,
    /// The accounts that started an execution last.
    pub accounts: Vec<String>,
}

/// What the metrics of the installation are made of, with `accounts_max` accounts.
pub async fn of_all(db: &impl Database, accounts_max: u32) -> Result<OfAll, DbError> {
    #[derive(Deserialize)]
    struct Account {
        id: String,
    }
    let [totals, spent, workers, alerts, counts, jobs, accounts] = db
        .batch_of([
            TOTALS.with(EVERYBODY),
            SPENT.with(None::<&str>),
            WORKERS.statement(),
            ALERTS.statement(),
            operation::COUNTS.statement(),
            JOBS.with(None::<&str>),
            ACCOUNTS.with(accounts_max),
        ])
        .await?;
    let accounts: Vec<Account> = accounts.decode()?;
    Ok(OfAll {
        totals: totals.decode()?,
        spent: spent.decode()?,
        workers: workers.decode()?,
        alerts: alerts.decode()?,
        counts: counts.decode()?,
        jobs: jobs.decode()?,
        accounts: accounts.into_iter().map(|account| account.id).collect(),
    })
}
