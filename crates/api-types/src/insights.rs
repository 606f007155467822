//! What executions came to, where their time and money went, and what would help.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which insights are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InsightsQuery {
    /// How far back; default `24h`.
    #[param(inline, nullable = false)]
    pub time_range: Option<TimeRange>,
    /// Whose executions; the caller's own by default. Others are for the operator: worker
    /// credentials, or a key with the scope `admin` of the account `default`.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Whether to look anew although there is an answer that is younger than 15 minutes. An answer
    /// that is younger than 5 seconds is served all the same.
    #[param(nullable = false)]
    pub fresh: Option<bool>,
}

/// A length of time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum TimeRange {
    /// One hour.
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

/// What an account's executions came to within a time range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InsightsReply {
    /// Whose executions.
    pub account: String,
    /// The time range.
    pub time_range: TimeRange,
    /// Where it begins: the time range, widened to whole 5 minutes (whole hours from 3 days on).
    #[schema(format = DateTime)]
    pub from: String,
    /// Where it ends.
    #[schema(format = DateTime)]
    pub to: String,
    /// Where the preceding period begins, which trends compare with; it ends at `from`.
    #[schema(format = DateTime)]
    pub previous_from: String,
    /// When this was found.
    #[schema(format = DateTime)]
    pub generated_at: String,
    /// All executions that ended.
    pub overall: Measures,
    /// The same by the strategy's label.
    pub by_strategy: Vec<StrategyMeasures>,
    /// The same by template.
    pub by_template: Vec<TemplateMeasures>,
    /// What workers did.
    pub by_worker: Vec<WorkerMeasures>,
    /// The steps that executions waited for, the worst first.
    pub bottlenecks: Vec<Bottleneck>,
    /// What would help, the largest saving first.
    pub recommendations: Vec<Recommendation>,
    /// What was saved already.
    pub savings: Savings,
    /// What bottlenecks and recommendations were found in, besides the counts of the whole period.
    pub sample: Sample,
}

/// A figure and how it moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trend {
    /// Within the period; null where nothing has it.
    pub value: Option<f64>,
    /// Within the period before.
    pub previous: Option<f64>,
    /// By which share of the previous value it moved: 0.1 is 10 % more. Null where it was nothing.
    pub change: Option<f64>,
    /// Which way it moved.
    pub direction: Direction,
}

/// Which way a figure moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// By 2 % or more.
    Up,
    /// By 2 % or more.
    Down,
    /// By less.
    Steady,
    /// One of the periods has no value.
    Unknown,
}

/// What executions that ended came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measures {
    /// How many ended.
    pub executions: Trend,
    /// The share that ended `completed` or `partial` among those that were not cancelled.
    pub success_rate: Trend,
    /// The median of their active time, of those with a result; quantiles are within 12 %.
    pub duration_p50_ms: Trend,
    /// What 95 % did not take longer than.
    pub duration_p95_ms: Trend,
    /// What 99 % did not take longer than.
    pub duration_p99_ms: Trend,
    /// What they cost together. What is part of another execution is counted with that one only,
    /// except where templates are told apart.
    pub total_cost_usd: Trend,
    /// What one cost on average.
    pub mean_cost_usd: Trend,
    /// The mean of their quality scores, 0 to 1.
    pub quality_score: Trend,
    /// The share whose whole result was known.
    pub cache_hit_rate: Trend,
}

/// What executions of a strategy came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StrategyMeasures {
    /// The strategy's label.
    pub strategy: String,
    /// Their measures.
    #[serde(flatten)]
    pub measures: Measures,
}

/// What executions of a template came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateMeasures {
    /// The template.
    pub template: String,
    /// Their measures.
    #[serde(flatten)]
    pub measures: Measures,
}

/// What a worker did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerMeasures {
    /// The worker.
    pub worker: String,
    /// Attempts that it got.
    pub attempts: Trend,
    /// The share of them that did not fail.
    pub success_rate: Trend,
    /// The median time of its steps, from the first attempt to the end; within 12 %.
    pub duration_p50_ms: Trend,
    /// What 95 % did not take longer than.
    pub duration_p95_ms: Trend,
    /// What 99 % did not take longer than.
    pub duration_p99_ms: Trend,
    /// What its steps cost together.
    pub total_cost_usd: Trend,
    /// The share of its steps whose answer was known.
    pub cache_hit_rate: Trend,
    /// The share of its steps that took more than one attempt.
    pub retry_rate: Trend,
}

/// A step that executions waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bottleneck {
    /// The template.
    pub template: String,
    /// The step.
    pub step: String,
    /// The worker that did it most of the time; null where none is asked.
    pub worker: Option<String>,
    /// Its share of the critical path of all sampled executions together, 0 to 1.
    pub critical_path_share: f64,
    /// How many of the sampled executions had it on their critical path.
    pub executions: u64,
    /// How long it was on the critical path on average.
    pub mean_on_path_ms: f64,
    /// What 95 % of these steps did not take longer than, of all within the period.
    pub duration_p95_ms: Option<u64>,
}

/// Something that would help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recommendation {
    /// What kind of thing to do.
    pub kind: RecommendationKind,
    /// The template that it is about.
    pub template: Option<String>,
    /// The step that it is about.
    pub step: Option<String>,
    /// The worker that it is about.
    pub worker: Option<String>,
    /// What to do, in a sentence.
    pub title: String,
    /// Why, with the figures.
    pub detail: String,
    /// What it would have saved within the period.
    pub estimated_saving: EstimatedSaving,
    /// The rows that it follows from.
    pub evidence: Vec<Evidence>,
}

/// What kind of thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecommendationKind {
    /// Serve known results for longer.
    RaiseCacheTtl,
    /// Leave out an optional step that changes nothing.
    DropOptionalStep,
    /// Give a worker more time.
    RaiseTimeout,
    /// Give up sooner on a worker that hangs.
    LowerTimeout,
    /// Do steps at the same time that do not need each other.
    RunInParallel,
    /// Ask a cheaper worker that can do the same.
    UseCheaperWorker,
    /// See to a worker that fails often.
    FixFlakyWorker,
    /// Give executions the money that they need.
    RaiseBudget,
}

/// What something would have saved within the period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimatedSaving {
    /// Money.
    pub cost_usd: f64,
    /// Time, of all executions together.
    pub duration_ms: u64,
    /// How that was estimated.
    pub basis: String,
}

/// A row that something follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The table: `pipeline_executions`, `step_rollups`, `template_revisions` …
    pub source: String,
    /// Which row of it: an execution's id, or what the figures are of.
    pub key: String,
    /// What it says.
    #[schema(value_type = Object)]
    pub values: BTreeMap<String, Value>,
}

/// What was saved already, by what saved it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Savings {
    /// Results and answers that were known.
    pub cache: Saved,
    /// Another worker than the first was asked.
    pub cheaper_routes: Saved,
    /// Steps were left out or called off.
    pub skipped_steps: Saved,
    /// Steps were in progress at the same time.
    pub parallel_steps: Saved,
    /// All of it.
    pub total: Saved,
}

/// Money that was not spent and time that did not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Saved {
    /// Money.
    pub cost_usd: f64,
    /// Time.
    pub duration_ms: i64,
}

/// What was looked at row by row: the newest of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// Executions: at most 1,000.
    pub executions: u64,
    /// Those whose steps were looked at too: at most 200.
    pub with_steps: u64,
}
