//! The figures of an installation or of one account: what is going on, how well, at what cost.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whose figures are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Only of this account. An administrator of one account sees no other.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsReply {
    /// The account whose figures these are; null for the whole installation.
    pub account: Option<String>,
    /// When they were taken.
    #[schema(format = DateTime)]
    pub as_of: String,
    /// Executions that have not ended, as last projected.
    pub unfinished: Unfinished,
    /// Executions that have ended, by when they did.
    pub ended: Vec<EndedIn>,
    /// How full the accounts are: the one, or the busiest of the last day.
    pub capacity: Vec<Capacity>,
    /// The registered workers, as their last health check found them.
    pub workers: WorkerCounts,
    /// The templates.
    pub templates: TemplateCounts,
    /// The keys that were issued.
    pub api_keys: KeyCounts,
    /// Alerts that are not resolved.
    pub unresolved_alerts: u64,
    /// What is stored, from what is counted anyway.
    pub storage: Storage,
}

/// Executions that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unfinished {
    /// Not begun.
    pub pending: u64,
    /// In progress.
    pub running: u64,
    /// Waiting for a moment, a message or a person.
    pub waiting: u64,
    /// Paused.
    pub paused: u64,
}

/// Executions that ended within a period; sub-executions count as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndedIn {
    /// The period that ends now.
    pub period: StatsPeriod,
    /// Completed.
    pub completed: u64,
    /// Ended with a part of their steps.
    pub partial: u64,
    /// Failed.
    pub failed: u64,
    /// Called off.
    pub cancelled: u64,
}

/// A period that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum StatsPeriod {
    /// The last hour.
    #[serde(rename = "1h")]
    Hour,
    /// The last 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// The last 7 days.
    #[serde(rename = "7d")]
    Week,
    /// The last 30 days.
    #[serde(rename = "30d")]
    Month,
    /// Everything that was ever counted.
    #[serde(rename = "all")]
    All,
}

/// How full an account is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capacity {
    /// The account.
    pub account: String,
    /// Executions that are driven.
    pub places_in_use: u32,
    /// How many may be.
    pub places_max: u32,
    /// Starts that wait in the line.
    pub waiting_in_line: u32,
}

/// The registered workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkerCounts {
    /// All of them.
    pub total: u64,
    /// Those that may be asked.
    pub active: u64,
    /// Of the active ones: found well.
    pub healthy: u64,
    /// Of the active ones: found slow or unwell.
    pub degraded: u64,
    /// Of the active ones: did not answer as they should.
    pub unhealthy: u64,
    /// Of the active ones: not looked at yet.
    pub unknown: u64,
}

/// The templates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateCounts {
    /// All of them.
    pub total: u64,
    /// Those that can be started.
    pub active: u64,
    /// What was ever published of them.
    pub revisions: u64,
}

/// The keys that were issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyCounts {
    /// Those that are good.
    pub active: u64,
    /// Those whose time is over.
    pub expired: u64,
    /// Those that were revoked.
    pub revoked: u64,
}

/// What is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Storage {
    /// Executions in the database: those that ended and are not archived, and those that have not
    /// ended.
    pub executions: u64,
    /// Executions in the archive.
    pub archived_executions: u64,
    /// Objects of the archive; null for one account.
    pub archive_objects: Option<u64>,
    /// Their bytes, compressed; null for one account.
    pub archive_bytes: Option<u64>,
}

/// Which figures of performance are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PerformanceQuery {
    /// Only of this account. An administrator of one account sees no other.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// How far back; default `24h`.
    #[param(inline, nullable = false)]
    pub time_range: Option<FiguresRange>,
    /// The most workers, templates and strategies; default 50. The busiest are shown.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// How many of each list are left out; default 0. What follows a `truncated` reply.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
}

/// How far back figures go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum FiguresRange {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// 24 hours.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// 7 days.
    #[serde(rename = "7d")]
    Week,
    /// 30 days.
    #[serde(rename = "30d")]
    Month,
}

/// How well things go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PerformanceReply {
    /// The account whose figures these are; null for the whole installation.
    pub account: Option<String>,
    /// Where the period begins, widened to a whole bucket of figures.
    #[schema(format = DateTime)]
    pub from: String,
    /// Where it ends.
    #[schema(format = DateTime)]
    pub to: String,
    /// By worker: steps that were settled.
    pub workers: Vec<WorkerPerformance>,
    /// By template: executions that ended.
    pub templates: Vec<ExecutionPerformance>,
    /// By strategy: executions that ended.
    pub strategies: Vec<ExecutionPerformance>,
    /// Whether there are more than are shown.
    pub truncated: bool,
}

/// What a worker did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerPerformance {
    /// The worker.
    pub worker: String,
    /// Steps that brought their output.
    pub succeeded: u64,
    /// Steps that failed.
    pub failed: u64,
    /// Attempts that were made.
    pub attempts: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// The share of attempts that did not fail, 0 to 1; null when there was none.
    pub success_rate: Option<f64>,
    /// Steps that took more than one attempt.
    pub retried: u64,
    /// Steps whose output was known.
    pub cache_hits: u64,
    /// What it cost.
    pub cost_usd: f64,
    /// Durations of steps that succeeded.
    pub duration: Percentiles,
    /// Where calls of it are held back, by account.
    pub gates: Vec<GateState>,
}

/// What executions came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionPerformance {
    /// The template, or the strategy's label.
    pub name: String,
    /// Completed.
    pub completed: u64,
    /// Ended with a part of their steps.
    pub partial: u64,
    /// Failed.
    pub failed: u64,
    /// Called off.
    pub cancelled: u64,
    /// The share that brought a result of those not called off, 0 to 1; null when there was none.
    pub success_rate: Option<f64>,
    /// Whole results that were known.
    pub cache_hits: u64,
    /// The mean quality score, 0 to 1; null when nothing had one.
    pub quality_score: Option<f64>,
    /// What they cost.
    pub cost_usd: f64,
    /// Durations of those that completed, also in part.
    pub duration: Percentiles,
}

/// A distribution of durations, each to 12 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Percentiles {
    /// The median; null of nothing.
    pub p50_ms: Option<u64>,
    /// What 95 of 100 stay below.
    pub p95_ms: Option<u64>,
    /// What 99 of 100 stay below.
    pub p99_ms: Option<u64>,
}

/// A gate that not every call passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateState {
    /// Whose calls are held back.
    pub account: String,
    /// `open` (its breaker), `half_open` (one call probes) or `cooling_down` (it asked for it).
    #[schema(example = "open")]
    pub state: String,
    /// Until when, where that is known.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// Which costs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CostsQuery {
    /// Only of this account. An administrator of one account sees no other.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// The first day (UTC); default 30 days before the last.
    #[param(nullable = false, format = Date)]
    pub from: Option<String>,
    /// The last day (UTC); default today. At most 366 days are shown.
    #[param(nullable = false, format = Date)]
    pub to: Option<String>,
    /// The most workers, templates, accounts and budgets; default 50. The dearest are shown.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// How many of each list are left out; default 0. What follows a `truncated` reply.
    #[param(nullable = false, minimum = 0, maximum = 1_000_000)]
    pub skip: Option<u32>,
    /// Where to go on in `budgets`: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}

/// What things cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CostsReply {
    /// The account whose costs these are; null for the whole installation.
    pub account: Option<String>,
    /// The first day.
    #[schema(format = Date)]
    pub from: String,
    /// The last day.
    #[schema(format = Date)]
    pub to: String,
    /// What executions cost that ended on these days; what is part of another counts once.
    pub total_usd: f64,
    /// The same by day; days without an end are left out.
    pub by_day: Vec<DayCost>,
    /// What steps cost, by the worker that did them.
    pub by_worker: Vec<NamedCost>,
    /// What executions cost, by template; what is part of another counts for its own template too.
    pub by_template: Vec<NamedCost>,
    /// What executions cost, by account; empty for one account.
    pub by_account: Vec<NamedCost>,
    /// Whether there are more workers, templates or accounts than are shown.
    pub truncated: bool,
    /// Accounts with a limit, and what is left of it.
    pub budgets: Vec<Budget>,
    /// Where the next page of `budgets` begins; null when there is none.
    pub next_cursor: Option<String>,
    /// What this month will probably cost.
    pub forecast: Forecast,
}

/// What a day cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DayCost {
    /// The day (UTC).
    #[schema(format = Date)]
    pub day: String,
    /// What executions cost that ended on it.
    pub cost_usd: f64,
    /// How many did.
    pub executions: u64,
}

/// What something cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NamedCost {
    /// Its name.
    pub name: String,
    /// What it cost.
    pub cost_usd: f64,
}

/// A limit of an account and what is left of it, as its ledger says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// The account.
    pub account: String,
    /// `daily` or `monthly` (UTC).
    #[schema(example = "monthly")]
    pub period: String,
    /// The limit.
    pub limit_usd: f64,
    /// What was spent of it.
    pub spent_usd: f64,
    /// What is reserved for executions that have not ended.
    pub reserved_usd: f64,
    /// What is left.
    pub left_usd: f64,
}

/// What this month will probably cost: what was spent, and the mean of the last seven full days for
/// each day that is left, today's rest included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// The month (UTC).
    #[schema(example = "2026-11")]
    pub month: String,
    /// What was spent of it so far.
    pub spent_usd: f64,
    /// The mean of the last seven full days.
    pub daily_mean_usd: f64,
    /// Days that are left, today's rest as a part of one.
    pub days_left: f64,
    /// What it will come to.
    pub forecast_usd: f64,
}
