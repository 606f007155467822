//! Calls of registered tools outside pipelines, and what calls cost and take.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{ExecutionStatus, Urgency, Violation};

/// What a tool is called with. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "input": { "text": "one two three" }, "budget_limit": 0.01 }))]
pub struct InvokeRequest {
    /// What the tool is sent; it must fit the tool's `input_schema`. Default: an empty object.
    #[schema(value_type = Option<Value>)]
    pub input: Option<Value>,
    /// The most that the call may cost, retries included, in USD. Default: the environment's.
    #[schema(minimum = 0, maximum = 1000000)]
    pub budget_limit: Option<f64>,
    /// How soon the result is wanted; decides deadline and priority. Default `medium`.
    pub urgency: Option<Urgency>,
    /// The longest that it may take; never longer than the environment allows.
    #[schema(exclusive_minimum = 0, maximum = 10080)]
    pub deadline_minutes: Option<f64>,
    /// How often a failed attempt is repeated. Default: as the tool's terms say, else 3.
    #[schema(minimum = 0, maximum = 100)]
    pub max_retries: Option<u32>,
    /// Answer 202 at once instead of waiting for the end.
    #[serde(rename = "async")]
    pub asynchronous: Option<bool>,
}

/// What a call of a tool came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "status": "completed", "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "pipeline_url": "/pipeline/pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "tool_id": "7b1f0c52-3a55-4c1e-9a4c-0d8f5b1f2a02", "tool_name": "word_counter",
    "tool_version": "1.0.0", "output": { "words": 3 }, "cost_usd": 0.001, "cost_estimated": false,
    "attempts": 1, "execution_time_ms": 41, "artifacts": [], "artifacts_refused": []
}))]
pub struct InvokeReply {
    /// Where the execution that makes the call stands.
    pub status: ExecutionStatus,
    /// Its id.
    pub pipeline_id: String,
    /// Where it can be followed.
    pub pipeline_url: String,
    /// The tool.
    pub tool_id: String,
    /// Its name.
    pub tool_name: String,
    /// Its version.
    pub tool_version: String,
    /// What the tool gave; null while it has not answered.
    #[schema(value_type = Option<Value>)]
    pub output: Option<Value>,
    /// What it cost so far.
    pub cost_usd: f64,
    /// Whether that is the estimate, because the tool did not say.
    pub cost_estimated: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// How long it took, or has taken.
    pub execution_time_ms: u64,
    /// What the tool made.
    pub artifacts: Vec<InvokedArtifact>,
    /// What the tool returned under `artifacts` and could not be recorded, with pointers into the
    /// output.
    pub artifacts_refused: Vec<Violation>,
}

/// An artifact of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InvokedArtifact {
    /// The id under which it is recorded.
    pub artifact_id: String,
    /// Its name.
    pub file_name: String,
    /// What it is.
    pub mime_type: String,
    /// Where it lies.
    pub storage_pointer: Option<String>,
    /// How large it is.
    pub size_bytes: u64,
}

/// What calls of a tool cost and take. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "estimated_cost_usd": 0.002, "timeout_ms": 9000 }))]
pub struct ToolTermsRequest {
    /// What one call is expected to cost, in USD; 0 is a price. Without one nothing calls the tool.
    #[schema(minimum = 0, maximum = 1000000)]
    pub estimated_cost_usd: f64,
    /// How long a call is expected to take.
    #[schema(minimum = 0, maximum = 604800000)]
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take. Default: the environment's.
    #[schema(minimum = 1, maximum = 840000)]
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated. Default 3.
    #[schema(minimum = 0, maximum = 100)]
    pub max_retries: Option<u32>,
    /// The most calls at the same time, all executions of an account together. Default: no limit.
    #[schema(minimum = 1, maximum = 1000000)]
    pub max_concurrency: Option<u32>,
    /// The most calls that begin within a minute, counted alike. Default: no limit.
    #[schema(minimum = 1, maximum = 1000000)]
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens.
    pub breaker: Option<ToolBreaker>,
}

/// When a circuit breaker opens, and for how long. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolBreaker {
    /// Failures in a row that open it; 0, it never opens. Default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000000)]
    pub failures: Option<u32>,
    /// The share of the last calls whose failure opens it. Default 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub failure_rate: Option<f64>,
    /// How many of the last calls that is taken of. Default 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub window: Option<u32>,
    /// How long it stays open before one call may probe. Default 30000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600000)]
    pub open_ms: Option<u64>,
}

/// What calls of a tool cost and take, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolTerms {
    /// The tool.
    pub tool_id: String,
    /// What one call is expected to cost, in USD; null when nobody has said, and then nothing calls
    /// the tool.
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take.
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take.
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated.
    pub max_retries: Option<u32>,
    /// The most calls at the same time.
    pub max_concurrency: Option<u32>,
    /// The most calls that begin within a minute.
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens, where that was said.
    pub breaker: Option<ToolBreaker>,
    /// When it was last said; null when never.
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
}
