//! Jobs: what people and clients want done. An execution is how it is done.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{ExecutionStatus, OptimizeFor, OutputFormat, QualityLevel, Urgency};

/// A job to be made. With `pipeline_template` it starts and owns an execution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "Morning report", "description": "What happened in AI since yesterday",
    "priority": "high", "metadata": { "team": "research" },
    "pipeline_template": "rss_intelligence_pipeline", "topic": "artificial intelligence",
    "input": {}
}))]
pub struct NewJob {
    /// What is to be done, in a few words. It or `name` is required.
    #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
    pub title: Option<String>,
    /// The same as `title`, for clients that call it so.
    #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
    pub name: Option<String>,
    /// What is to be done.
    #[schema(max_length = 10000)]
    pub description: Option<String>,
    /// How soon it is wanted; the urgency of its execution is the same word. Default `medium`.
    pub priority: Option<Urgency>,
    /// Whatever else you want to keep with it: at most 64 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The template whose execution does the job. Without one nothing is started, and you set the
    /// job's status yourself.
    #[schema(min_length = 1, max_length = 64)]
    pub pipeline_template: Option<String>,
    /// The execution's input, as the template's `input_schema` describes it.
    #[schema(value_type = Option<Value>)]
    pub input: Option<Value>,
    /// What the execution is about; left out, the title.
    #[schema(min_length = 1, max_length = 2000)]
    pub topic: Option<String>,
    /// How good the result must be. Default `standard`.
    pub quality_level: Option<QualityLevel>,
    /// The strategy. Default `balanced`.
    pub optimize_for: Option<OptimizeFor>,
    /// Whether steps that do not depend on each other may be in progress at the same time.
    pub enable_parallel_processing: Option<bool>,
    /// The most that the execution may cost, in USD. Default: the environment's.
    #[schema(minimum = 0, maximum = 1000000)]
    pub budget_limit: Option<f64>,
    /// How widely sources are looked for. Default: the quality level's.
    #[schema(minimum = 1, maximum = 5)]
    pub source_discovery_depth: Option<u32>,
    /// The most articles to work on. Default: the quality level's.
    #[schema(minimum = 1, maximum = 500)]
    pub max_articles: Option<u32>,
    /// How far back to look: a number with `m`, `h`, `d` or `w`, such as `24h` or `7d`.
    #[schema(pattern = "^[1-9][0-9]{0,3}[mhdw]$")]
    pub time_range: Option<String>,
    /// The longest that the execution may take; never longer than the environment allows.
    #[schema(exclusive_minimum = 0, maximum = 10080)]
    pub deadline_minutes: Option<f64>,
    /// The form of reports. Default `both`.
    pub output_format: Option<OutputFormat>,
    /// Whether the stored result of an identical request will do. Default true.
    pub use_cache: Option<bool>,
}

/// What is changed of a job (JSON merge patch): what is left out stays, null empties.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "priority": "critical", "metadata": { "team": null } }))]
pub struct JobPatch {
    /// What is to be done, in a few words.
    #[schema(min_length = 1, max_length = 200, pattern = "\\S", nullable = false)]
    pub title: Option<String>,
    /// What is to be done.
    #[schema(max_length = 10000)]
    pub description: Option<String>,
    /// How soon it is wanted. An execution that has begun keeps its urgency.
    #[schema(nullable = false)]
    pub priority: Option<Urgency>,
    /// Merged into what is there.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

/// The status that a job is to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "paused" }))]
pub struct JobStatusRequest {
    /// The status. Of a job with an execution only `cancelled`, `paused` and `running` (again) can
    /// be asked for.
    pub status: ExecutionStatus,
    /// Why; it stands in the audit log and, where there is one, in the execution's journal.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "0193a1c2-7c1e-7000-8000-00000000000a", "title": "Morning report",
    "description": "What happened in AI since yesterday", "priority": "high",
    "status": "completed", "metadata": { "team": "research" },
    "pipeline_template": "rss_intelligence_pipeline",
    "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "pipeline_url": "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "result_url": "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g/result",
    "execution": { "status": "completed", "total_execution_time_ms": 456, "total_cost_usd": 0.02,
        "waiting_reason": null, "error": null },
    "version": 1, "created_by": "key:bootstrap", "created_at": "2026-11-21T10:00:00.000Z",
    "started_at": "2026-11-21T10:00:00.010Z", "completed_at": "2026-11-21T10:00:00.466Z",
    "updated_at": "2026-11-21T10:00:00.480Z"
}))]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What is to be done, in a few words.
    pub title: String,
    /// What is to be done.
    pub description: Option<String>,
    /// How soon it is wanted.
    pub priority: Urgency,
    /// Where it stands: with an execution, where that stands at this moment.
    pub status: ExecutionStatus,
    /// What was kept with it.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// The template whose execution does it.
    pub pipeline_template: Option<String>,
    /// The execution that does it.
    pub pipeline_id: Option<String>,
    /// Where the execution is.
    pub pipeline_url: Option<String>,
    /// Where the result is, once there is one.
    pub result_url: Option<String>,
    /// How the execution stands.
    pub execution: Option<JobExecution>,
    /// How often it was changed by its users, counted from 1.
    #[schema(minimum = 1)]
    pub version: u64,
    /// Who made it: `key:<id>`, `worker:<id>` or `user:<id>`.
    pub created_by: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When work on it began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: Option<String>,
    /// When its row was last written.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// How the execution of a job stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobExecution {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// How long it took, or has taken; null where only the archive knows.
    pub total_execution_time_ms: Option<u64>,
    /// What it cost so far; null where only the archive knows.
    pub total_cost_usd: Option<f64>,
    /// What it waits for.
    pub waiting_reason: Option<String>,
    /// Why it has not its result: code and message.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}

/// In which order jobs are listed; a minus sign brings the greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum JobSort {
    /// The newest first.
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    /// The oldest first.
    #[serde(rename = "created_at")]
    Oldest,
    /// What was changed last first.
    #[serde(rename = "-updated_at")]
    ChangedLast,
    /// What was changed longest ago first.
    #[serde(rename = "updated_at")]
    ChangedFirst,
    /// The most urgent first, of those the newest.
    #[serde(rename = "-priority")]
    MostUrgent,
    /// The least urgent first, of those the oldest.
    #[serde(rename = "priority")]
    LeastUrgent,
}

/// Which jobs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Only those that stand so at this moment.
    #[param(inline, nullable = false)]
    pub status: Option<ExecutionStatus>,
    /// Only of this priority.
    #[param(inline, nullable = false)]
    pub priority: Option<Urgency>,
    /// Only where title or description contains this text, whatever the case of its ASCII letters.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub search: Option<String>,
    /// Only those made at this moment or later.
    #[param(nullable = false, format = DateTime)]
    pub created_from: Option<String>,
    /// Only those made at this moment or earlier.
    #[param(nullable = false, format = DateTime)]
    pub created_to: Option<String>,
    /// The order; default `-created_at`.
    #[param(inline, nullable = false)]
    pub sort: Option<JobSort>,
    /// The most jobs; default 50. A page with a `status` may be shorter while there are more.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before, with the same `sort`.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
    /// Whether to count all that the filters leave.
    #[param(nullable = false)]
    pub total: Option<bool>,
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobsReply {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
    /// How many jobs the filters leave, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<u64>,
}
