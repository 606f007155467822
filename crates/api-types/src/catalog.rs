//! What an installation offers: workers, templates and the labels of a request.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::plan::WorkerChoice;

/// What an installation can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    /// Always `bitware-orchestrator`.
    pub service: String,
    /// Its version.
    pub version: String,
    /// Always `dynamic_database_driven`: pipelines are rows in a database.
    #[schema(example = "dynamic_database_driven")]
    pub orchestrator_type: String,
    /// The registered workers that are active.
    pub available_workers: Vec<WorkerEntry>,
    /// The templates that can be started.
    pub available_templates: Vec<TemplateEntry>,
    /// The kinds of step that a template can have.
    pub step_kinds: Vec<String>,
    /// What `optimize_for` changes.
    pub strategies: Vec<StrategyEntry>,
    /// What `quality_level` changes.
    pub quality_levels: Vec<QualityLevelEntry>,
    /// What `urgency` changes.
    pub urgency_levels: Vec<UrgencyLevelEntry>,
    /// What this environment allows.
    pub limits: Limits,
}

/// A registered worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerEntry {
    /// Its name, by which steps call it.
    #[schema(example = "topic_researcher")]
    pub worker_name: String,
    /// Its name for people.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// Its version.
    pub version: String,
    /// The paths of its operations; the first is the default.
    pub endpoints: Vec<String>,
    /// What it takes.
    #[schema(value_type = Value)]
    pub input_format: Value,
    /// What it gives.
    #[schema(value_type = Value)]
    pub output_format: Value,
    /// The workers whose output it usually takes.
    pub dependencies: Vec<String>,
    /// What a call is expected to cost; null when nobody knows.
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take; null when nobody knows.
    pub avg_response_time_ms: Option<u64>,
    /// The longest that an attempt may take, where the worker says so.
    pub timeout_ms: Option<u64>,
    /// How a call reaches it.
    pub communication_method: crate::CommunicationMethod,
    /// What the last check found.
    pub health_status: WorkerHealth,
    /// How its steps went in the last 7 days, all accounts together.
    pub measured: MeasuredPerformance,
}

/// How the steps of a worker went in the last 7 days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredPerformance {
    /// How many of its steps succeeded or failed; answers that were known do not count.
    pub samples: u64,
    /// The share of them that succeeded, 0 to 1; null when there were none.
    pub success_rate: Option<f64>,
    /// The duration that half of those that succeeded did not exceed, to 12 %; null when none did.
    pub p50_ms: Option<u64>,
    /// The duration that 95 % of them did not exceed, to 12 %.
    pub p95_ms: Option<u64>,
}

/// What a check of a worker found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerHealth {
    /// It has not been checked yet.
    Unknown,
    /// It answers as it should.
    Healthy,
    /// It answers and says that something is missing, or is slow.
    Degraded,
    /// It does not answer, or refuses.
    Unhealthy,
}

/// The templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplatesReply {
    /// Those that can be started, by name.
    pub templates: Vec<TemplateEntry>,
}

/// A template in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateEntry {
    /// Its name, as `pipeline_template` takes it.
    #[schema(example = "rss_intelligence_pipeline")]
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// What kind of template it is.
    pub category: String,
    /// Whether a request that names no template gets this one.
    pub is_default: bool,
    /// Whether independent steps may be in progress at the same time.
    pub allow_parallel: bool,
    /// How many steps it has.
    pub step_count: u64,
    /// What an execution is expected to cost; null when nobody knows.
    pub estimated_cost_usd: Option<f64>,
    /// How long an execution is expected to take; null when nobody knows.
    pub estimated_time_ms: Option<u64>,
}

/// A template with its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateReply {
    /// What stands in the list too.
    #[serde(flatten)]
    pub template: TemplateEntry,
    /// What becomes of an execution when a required step fails: `strict`, `partial` or `park`.
    pub failure_tolerance: String,
    /// JSON Schema of the request's `input`; null when anything goes.
    #[schema(value_type = Value)]
    pub input_schema: Value,
    /// How the result is put together; null when it is the whole of `data`.
    #[schema(value_type = Value)]
    pub output_mapping: Value,
    /// The longest that an execution may be active, where the template says so.
    pub deadline_ms: Option<u64>,
    /// How long a result may be served from the cache, where the template says so.
    pub cache_ttl_seconds: Option<u64>,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its steps, in order.
    pub steps: Vec<TemplateStep>,
}

/// A step of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateStep {
    /// Its place among its siblings where nothing else decides.
    pub step_order: i64,
    /// Its name.
    pub step_name: String,
    /// What doing it means: `worker`, `transform`, …
    pub kind: String,
    /// The worker that does it.
    pub worker_name: Option<String>,
    /// The operation; null for the worker's first.
    pub endpoint: Option<String>,
    /// The steps that must be settled first, by name or order.
    #[schema(value_type = Vec<Value>)]
    pub depends_on_steps: Vec<Value>,
    /// When it is done; null for always.
    #[schema(value_type = Value)]
    pub condition: Value,
    /// What the worker is sent.
    #[schema(value_type = Value)]
    pub input_mapping: Value,
    /// What goes into `data`; null for every field of the output.
    #[schema(value_type = Value)]
    pub output_mapping: Value,
    /// Whether the execution goes on without it when it fails.
    pub is_optional: bool,
    /// The longest that an attempt may take, where the step says so.
    pub timeout_ms: Option<u64>,
    /// How failed attempts are repeated; null for the defaults.
    #[schema(value_type = Value)]
    pub retry_policy: Value,
    /// Who is asked when the worker's attempts are used up.
    pub fallback_worker: Option<String>,
    /// Settings of the step's kind.
    #[schema(value_type = Value)]
    pub config: Value,
}

/// A strategy and what it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StrategyEntry {
    /// The word for `optimize_for`.
    pub name: String,
    /// The label in replies.
    pub label: String,
    /// What it is for.
    pub description: String,
    /// Which of several workers that can do the same is asked.
    pub worker_choice: WorkerChoice,
    /// The most steps in progress at the same time.
    pub max_parallel_steps: u32,
    /// Whether optional steps are left out.
    pub skip_optional_steps: bool,
    /// Whether a stored result of an identical request is used.
    pub use_cache: bool,
    /// Whether stored answers of single steps are used.
    pub use_step_cache: bool,
    /// The most retries of a step; null leaves them as the steps have them.
    pub max_retries: Option<u32>,
    /// The longest an execution may be active.
    pub deadline_ms: u64,
}

/// A quality level and what it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityLevelEntry {
    /// The word for `quality_level`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The default of `source_discovery_depth`.
    pub source_discovery_depth: u32,
    /// The default of `max_articles`.
    pub max_articles: u32,
    /// The least quality of a source.
    pub min_quality: f64,
    /// Whether optional steps are left out, whatever the strategy says.
    pub skip_optional_steps: bool,
    /// The most retries of a step, where the strategy allows no fewer; null for no limit.
    pub max_retries: Option<u32>,
    /// What the strategy's deadline is multiplied by.
    pub deadline_factor: f64,
}

/// An urgency and what it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UrgencyLevelEntry {
    /// The word for `urgency`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The longest an execution may be active; null for the longest that the environment allows.
    pub deadline_ms: Option<u64>,
    /// Who is admitted first: the higher.
    pub priority: i64,
    /// Whether a request that names no budget has the environment's emergency budget.
    pub use_emergency_budget: bool,
}

/// What this environment allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// The largest request body.
    pub body_bytes_max: u64,
    /// The longest an execution may be active.
    pub execution_ms_max: u64,
    /// Executions of one account in progress at the same time.
    pub concurrent_executions_max: u32,
    /// The budget of a request that names none.
    pub default_budget_usd: f64,
    /// The same for an urgency with `use_emergency_budget`.
    pub emergency_budget_usd: f64,
    /// How long a synchronous request waits where it does not say how long.
    pub sync_window_ms: u64,
}
