//! The figures of executions and steps, read for reports, alerts and metrics.
//!
//! A span of time is put together from the coarsest buckets that fit into it, so that a month reads
//! about as many rows as an hour. The sums of all accounts are rows of their own, which triggers
//! keep, so that the installation reads about as many rows as an account. Whoever wants what ended
//! in the last seconds folds first: [`super::rollup_log::fold`]. docs/figures.md says what each
//! figure counts.

use serde::Deserialize;

use super::bins::{bin_sum, for_bins};
use super::metrics::EVERYBODY;
pub use super::window::{Grain, Window};
use super::{Database, DbError, Statement, statements};
use crate::insights::Histogram;
use crate::insights::histogram::from_halves;

statements! { "rollups":
    /// ?1 segments [grain, from, to) as JSON, ?2 account, ?3 what to group by, ?4 template; NULL
    /// filters nothing.
    EXECUTIONS = concat!("SELECT
        CASE ?3 WHEN 'bucket' THEN r.bucket WHEN 'template' THEN r.template_name
          WHEN 'strategy' THEN r.execution_strategy ELSE '' END AS subject,
        sum(r.completed) AS completed, sum(r.partial) AS partial, sum(r.failed) AS failed,
        sum(r.cancelled) AS cancelled, sum(r.cache_hits) AS cache_hits, sum(r.nested) AS nested,
        sum(r.cost_micro_usd) AS cost_micro_usd,
        sum(r.nested_cost_micro_usd) AS nested_cost_micro_usd,
        sum(r.quality_sum_bp) AS quality_sum_bp, sum(r.quality_count) AS quality_count,
        sum(r.saved_by_cache_micro_usd) AS saved_by_cache_micro_usd,
        sum(r.saved_by_cache_ms) AS saved_by_cache_ms,
        sum(r.saved_by_route_micro_usd) AS saved_by_route_micro_usd,
        sum(r.saved_by_route_ms) AS saved_by_route_ms,
        sum(r.saved_by_skipping_micro_usd) AS saved_by_skipping_micro_usd,
        sum(r.saved_by_skipping_ms) AS saved_by_skipping_ms,
        sum(r.saved_in_parallel_ms) AS saved_in_parallel_ms,
        sum(r.timed) AS timed, sum(r.duration_ms) AS duration_ms,
        json_array(json_array(", for_bins!(bin_sum low), "),
          json_array(", for_bins!(bin_sum high), ")) AS durations
      FROM json_each(?1) AS s CROSS JOIN execution_rollups AS r
      WHERE r.account_id = ?2 AND r.grain = s.value ->> 0
        AND r.bucket >= s.value ->> 1 AND r.bucket < s.value ->> 2
        AND (?4 IS NULL OR r.template_name = ?4)
      GROUP BY subject ORDER BY subject");

    /// As `EXECUTIONS`; ?5 worker.
    STEPS = concat!("SELECT CASE ?3 WHEN 'bucket' THEN r.bucket ELSE '' END AS subject,
        CASE WHEN ?3 IN ('worker', 'step') THEN r.worker_name ELSE '' END AS worker_name,
        CASE WHEN ?3 IN ('template', 'step') THEN r.template_name ELSE '' END AS template_name,
        CASE WHEN ?3 = 'step' THEN r.step_name ELSE '' END AS step_name,
        sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.skipped) AS skipped,
        sum(r.cancelled) AS cancelled, sum(r.compensated) AS compensated,
        sum(r.attempts) AS attempts, sum(r.failed_attempts) AS failed_attempts,
        sum(r.retried) AS retried, sum(r.cache_hits) AS cache_hits,
        sum(r.cost_micro_usd) AS cost_micro_usd, sum(r.timed) AS timed,
        sum(r.duration_ms) AS duration_ms,
        json_array(json_array(", for_bins!(bin_sum low), "),
          json_array(", for_bins!(bin_sum high), ")) AS durations
      FROM json_each(?1) AS s CROSS JOIN step_rollups AS r
      WHERE r.account_id = ?2 AND r.grain = s.value ->> 0
        AND r.bucket >= s.value ->> 1 AND r.bucket < s.value ->> 2
        AND (?4 IS NULL OR r.template_name = ?4) AND (?5 IS NULL OR r.worker_name = ?5)
      GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4");

    /// What came to an end in each account; ?1 as above, ?2 the only account or NULL for all.
    ACCOUNTS = "SELECT r.account_id, sum(r.completed) AS completed, sum(r.partial) AS partial,
        sum(r.failed) AS failed, sum(r.cancelled) AS cancelled,
        sum(r.cost_micro_usd) AS cost_micro_usd,
        sum(r.nested_cost_micro_usd) AS nested_cost_micro_usd
      FROM json_each(?1) AS s CROSS JOIN account_rollups AS r
      WHERE r.grain = s.value ->> 0 AND r.bucket >= s.value ->> 1 AND r.bucket < s.value ->> 2
        AND (?2 IS NULL OR r.account_id = ?2)
      GROUP BY r.account_id ORDER BY r.account_id";
}

/// Whose figures are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Those of one account.
    Account(&'a str),
    /// Those of all accounts together.
    Installation,
}

/// What figures of executions are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionsBy {
    /// Nothing: one row, or none where nothing ended.
    Total,
    /// The bucket; of use with [`Window::series`].
    Bucket,
    /// The template.
    Template,
    /// The strategy's label.
    Strategy,
}

/// What figures of steps are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepsBy {
    /// Nothing.
    Total,
    /// The bucket; of use with [`Window::series`].
    Bucket,
    /// The worker.
    Worker,
    /// The template.
    Template,
    /// Worker, template and step.
    Step,
}

/// What executions that ended came to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Executions {
    /// The bucket, template or strategy; empty for a total.
    pub subject: String,
    /// Ended `completed`.
    pub completed: i64,
    /// Ended `partial`.
    pub partial: i64,
    /// Ended `failed`.
    pub failed: i64,
    /// Ended `cancelled`.
    pub cancelled: i64,
    /// Their whole result was that of an earlier one.
    pub cache_hits: i64,
    /// Were part of another execution.
    pub nested: i64,
    /// What they cost; what is part of another stands in both.
    pub cost_micro_usd: i64,
    /// What those cost that were part of another.
    pub nested_cost_micro_usd: i64,
    /// The sum of their quality scores, in ten-thousandths.
    pub quality_sum_bp: i64,
    /// How many had a quality score.
    pub quality_count: i64,
    /// Saved by results and answers that were known.
    pub saved_by_cache_micro_usd: i64,
    /// See above.
    pub saved_by_cache_ms: i64,
    /// Saved by asking another worker than the first.
    pub saved_by_route_micro_usd: i64,
    /// See above.
    pub saved_by_route_ms: i64,
    /// Saved by steps that were left out or called off.
    pub saved_by_skipping_micro_usd: i64,
    /// See above.
    pub saved_by_skipping_ms: i64,
    /// Saved by steps at the same time.
    pub saved_in_parallel_ms: i64,
    /// How many durations were counted: those of `completed` and `partial`.
    pub timed: i64,
    /// The sum of these durations.
    pub duration_ms: i64,
    /// Their distribution.
    #[serde(deserialize_with = "from_halves")]
    pub durations: Histogram,
}

/// What steps that were settled came to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Steps {
    /// The bucket; else empty.
    pub subject: String,
    /// The worker; empty where it does not tell them apart, or none was asked.
    pub worker_name: String,
    /// The template, likewise.
    pub template_name: String,
    /// The step, likewise.
    pub step_name: String,
    /// Brought their output, from a worker or a cache.
    pub succeeded: i64,
    /// Failed.
    pub failed: i64,
    /// Were left out.
    pub skipped: i64,
    /// Were called off.
    pub cancelled: i64,
    /// Succeeded and were undone.
    pub compensated: i64,
    /// Attempts that began, in the newest generation of each.
    pub attempts: i64,
    /// Attempts that failed.
    pub failed_attempts: i64,
    /// Steps that took more than one attempt.
    pub retried: i64,
    /// Steps whose output was known.
    pub cache_hits: i64,
    /// What they cost.
    pub cost_micro_usd: i64,
    /// How many durations were counted: of those that succeeded and were not known.
    pub timed: i64,
    /// The sum of these durations, from the first attempt to the end.
    pub duration_ms: i64,
    /// Their distribution.
    #[serde(deserialize_with = "from_halves")]
    pub durations: Histogram,
}

/// What executions of one account came to that ended, whatever their template and strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AccountTotal {
    /// The account.
    pub account_id: String,
    /// Ended `completed`.
    pub completed: i64,
    /// Ended `partial`.
    pub partial: i64,
    /// Ended `failed`.
    pub failed: i64,
    /// Ended `cancelled`.
    pub cancelled: i64,
    /// What they cost; what is part of another stands in both.
    pub cost_micro_usd: i64,
    /// What those cost that were part of another.
    pub nested_cost_micro_usd: i64,
}

impl Scope<'_> {
    /// The account whose rows these figures are; the sums of all have an empty one.
    fn account(self) -> String {
        match self {
            Self::Account(account) => account.to_owned(),
            Self::Installation => EVERYBODY.to_owned(),
        }
    }
}

impl AccountTotal {
    /// How many ended.
    pub fn ended(&self) -> i64 {
        self.completed + self.partial + self.failed + self.cancelled
    }

    /// What they cost, each once.
    pub fn own_cost_micro_usd(&self) -> i64 {
        self.cost_micro_usd - self.nested_cost_micro_usd
    }
}

/// What executions came to that ended within `window`; `template` limits them to one.
pub async fn executions(
    db: &impl Database,
    scope: Scope<'_>,
    window: &Window,
    by: ExecutionsBy,
    template: Option<&str>,
) -> Result<Vec<Executions>, DbError> {
    db.query(executions_statement(scope, window, by, template)).await?.decode()
}

/// What steps came to that were settled within `window`; `template` and `worker` limit them.
pub async fn steps(
    db: &impl Database,
    scope: Scope<'_>,
    window: &Window,
    by: StepsBy,
    template: Option<&str>,
    worker: Option<&str>,
) -> Result<Vec<Steps>, DbError> {
    db.query(steps_statement(scope, window, by, template, worker)).await?.decode()
}

/// The statement of [`executions()`], for a batch; its rows are [`Executions`].
pub fn executions_statement(
    scope: Scope<'_>,
    window: &Window,
    by: ExecutionsBy,
    template: Option<&str>,
) -> Statement {
    let by = match by {
        ExecutionsBy::Total => "total",
        ExecutionsBy::Bucket => "bucket",
        ExecutionsBy::Template => "template",
        ExecutionsBy::Strategy => "strategy",
    };
    EXECUTIONS.with(window.json()).with(scope.account()).with(by).with(template)
}

/// The statement of [`steps()`], for a batch; its rows are [`Steps`].
pub fn steps_statement(
    scope: Scope<'_>,
    window: &Window,
    by: StepsBy,
    template: Option<&str>,
    worker: Option<&str>,
) -> Statement {
    let by = match by {
        StepsBy::Total => "total",
        StepsBy::Bucket => "bucket",
        StepsBy::Worker => "worker",
        StepsBy::Template => "template",
        StepsBy::Step => "step",
    };
    STEPS.with(window.json()).with(scope.account()).with(by).with(template).with(worker)
}

/// The statement of what ended in each account, for a batch; its rows are [`AccountTotal`].
pub fn accounts_statement(account: Option<&str>, window: &Window) -> Statement {
    ACCOUNTS.with(window.json()).with(account)
}
