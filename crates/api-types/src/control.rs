//! What is said to an execution on its way: verbs, and the results of workers that answered 202.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ExecutionStatus;

/// The body of a verb that takes no more than a reason. It may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "the topic was misspelt" }))]
pub struct VerbRequest {
    /// Why it is asked for; it stands in the journal.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// The body of a resumption. It may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "budget_limit": 1.5 }))]
pub struct ResumeRequest {
    /// Why it is asked for; it stands in the journal.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// The most that the execution may cost from now on, in USD, what was spent included.
    #[schema(minimum = 0, maximum = 1000000)]
    pub budget_limit: Option<f64>,
}

/// What is to be done anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "step": "classify[3]", "input": { "topic": "rust" } }))]
pub struct RerunRequest {
    /// The step, with all that depends on it; `step[index]` for one element of a map.
    #[schema(min_length = 1, max_length = 200)]
    pub step: String,
    /// What it is sent instead of what its mapping gives.
    #[schema(value_type = Option<Value>)]
    pub input: Option<Value>,
    /// Why it is asked for; it stands in the journal.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// How an execution is done again. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "revision": "newest" }))]
pub struct RestartRequest {
    /// Which revision of the template is followed. Default `same`.
    pub revision: Option<RevisionChoice>,
    /// Why it is asked for; it stands in the log.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A revision of a template, as seen from an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevisionChoice {
    /// The one that the execution followed, with the workers as they were.
    #[default]
    Same,
    /// The one that is published now.
    Newest,
}

/// What came of something that was said to an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "status": "accepted", "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "verb": "cancel", "execution_status": "running",
    "pipeline_url": "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g", "entry": 1
}))]
pub struct VerbReply {
    /// What came of it.
    pub status: VerbStatus,
    /// The execution.
    pub pipeline_id: String,
    /// What was asked for.
    #[schema(example = "cancel")]
    pub verb: String,
    /// Where the execution stands.
    pub execution_status: ExecutionStatus,
    /// Where it can be read.
    pub pipeline_url: String,
    /// The place in the execution's inbox; absent when nothing was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub entry: Option<u64>,
}

/// What came of something that was said to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerbStatus {
    /// It is stored, and will take effect once.
    Accepted,
    /// The execution has met it.
    Done,
    /// It was so already: nothing was stored.
    Unchanged,
}

/// What a worker that had answered 202 reports of its attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "status": "succeeded", "output": { "articles": [] }, "cost_usd": 0.02, "fence": 7
}))]
pub struct CompletionRequest {
    /// How the attempt stands.
    pub status: CompletionStatus,
    /// What the attempt carried in `X-Fence`; needed here unless that header is sent again.
    #[schema(minimum = 1)]
    pub fence: Option<u64>,
    /// What it produced: required when it succeeded.
    #[schema(value_type = Option<Value>)]
    pub output: Option<Value>,
    /// What went wrong: required when it failed.
    pub error: Option<CompletionError>,
    /// What it cost, in USD.
    #[schema(minimum = 0, maximum = 1000000)]
    pub cost_usd: Option<f64>,
    /// With `running`: the longest silence to expect from now on.
    #[schema(minimum = 1000, maximum = 604800000)]
    pub heartbeat_ms: Option<u64>,
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletionStatus {
    /// It has its output.
    Succeeded,
    /// It has failed.
    Failed,
    /// It is still at it: a heartbeat.
    Running,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompletionError {
    /// A stable code of the worker's own.
    #[schema(min_length = 1, max_length = 100)]
    pub code: String,
    /// What happened, for a person.
    #[schema(min_length = 1, max_length = 2000)]
    pub message: String,
    /// Whether another attempt may succeed. Default: as the step's policy says.
    pub retryable: Option<bool>,
    /// How long the worker wants to be left alone.
    #[schema(maximum = 86400)]
    pub retry_after_s: Option<u32>,
}
