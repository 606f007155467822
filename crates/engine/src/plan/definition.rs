//! A template as data: what the rows of `pipeline_templates`, `pipeline_steps` and
//! `worker_registry` say, gathered into one immutable document. It is what a revision stores, what
//! the first event of an execution carries, and what [`super::Plan::compile`] checks.
//!
//! It may hold anything that the rows can hold, mistakes included: a plan is what cannot be wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::money::MicroUsd;

/// The most templates that one may reach through steps of kind `pipeline`.
pub const TEMPLATES_MAX: usize = 50;

/// A template revision as it was read from its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateDefinition {
    /// The template's key.
    pub name: String,
    /// What becomes of an execution when a required step fails.
    #[serde(default)]
    pub failure_tolerance: FailureTolerance,
    /// Whether independent steps may be in progress at the same time.
    #[serde(default = "yes")]
    pub allow_parallel: bool,
    /// JSON Schema of the request's `input`; checked before an execution starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// Mapping of the execution's result; absent, the result is the whole of `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_mapping: Option<Value>,
    /// The longest the template may take, in active milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// How long the result of an identical request may be served from the cache, in seconds;
    /// absent, the installation's default; 0, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_ttl_s: Option<u64>,
    /// The steps, in `step_order`.
    pub steps: Vec<StepDefinition>,
    /// The workers that the steps name, by `worker_name`.
    #[serde(default)]
    pub workers: BTreeMap<String, WorkerDefinition>,
    /// The tools that the steps name, by what the steps call them: a name or an id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, ToolDefinition>,
    /// The templates that steps of kind `pipeline` name, directly or through others, by name. Only
    /// the outermost definition has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, TemplateDefinition>,
}

/// What becomes of an execution when a required step fails for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureTolerance {
    /// The execution fails at once.
    #[default]
    Strict,
    /// What does not depend on the failed step is settled; the execution ends `partial`.
    Partial,
    /// The execution waits for an operator.
    Park,
}

/// One unit of a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    /// The step's name, unique within its template.
    pub name: String,
    /// The place among its siblings where nothing else decides.
    pub order: i64,
    /// What doing the step means.
    #[serde(default)]
    pub kind: StepKind,
    /// For `worker`: the worker's `worker_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// For `worker`: the path of the operation; absent, the worker's first endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Names (or `step_order` numbers) of the steps that must be settled first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Value>,
    /// CEL, or the object form; a step whose condition is false is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
    /// What the worker is sent, or what a transform produces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_mapping: Option<Value>,
    /// What goes from the output into `data`, by key; absent, each top-level field of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_mapping: Option<Value>,
    /// An optional step that fails is skipped.
    #[serde(default)]
    pub optional: bool,
    /// The longest one attempt may take; absent, the worker's, at most the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How failed attempts are repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryDefinition>,
    /// The worker that is asked when this one's attempts are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_worker: Option<String>,
    /// Settings of the step's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
}

/// What doing a step means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// One HTTP call of a worker.
    #[default]
    Worker,
    /// A mapping only: no call, no cost.
    Transform,
    /// One call for each element of an array.
    Map,
    /// A delay, a named signal, or an approval.
    Wait,
    /// Another template.
    Pipeline,
    /// A registered tool.
    Tool,
}

impl StepKind {
    /// The kind as rows and documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Transform => "transform",
            Self::Map => "map",
            Self::Wait => "wait",
            Self::Pipeline => "pipeline",
            Self::Tool => "tool",
        }
    }
}

/// The retry policy of a step, as its row has it; what is absent takes the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryDefinition {
    /// How often a failed attempt is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i64>,
    /// The delay before the first retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_ms: Option<i64>,
    /// What the delay is multiplied by from one retry to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The longest delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_ms: Option<i64>,
    /// Whether delays are drawn from the whole range below them (full jitter).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<bool>,
    /// The longest the step may take, all attempts and delays together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_deadline_ms: Option<i64>,
    /// HTTP statuses that are retried besides network faults; absent, 408 409 425 429 and 5xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<Vec<u16>>,
}

/// A worker as its registry row has it at the moment of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerDefinition {
    /// Name of the service binding, when the worker is reached by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_binding: Option<String>,
    /// Base URL, when it is reached by URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Paths of its operations; the first is the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// The worker's version, part of what a cached result depends on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What one call is expected to cost; absent when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<MicroUsd>,
    /// How long a call is expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i64>,
    /// Whether the registry offers it; an inactive worker makes a plan invalid.
    #[serde(default = "yes")]
    pub active: bool,
    /// The most calls in progress at the same time, all executions of an account together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// The most calls that begin within a minute, all executions of an account together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens: a [`super::BreakerPolicy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Value>,
    /// How good its results are, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_score: Option<f64>,
    /// Default values of the request body, under what the mapping gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_config: Option<Value>,
}

/// A registered tool, with the node that it is resolved to, at the moment of the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolDefinition {
    /// The tool's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The tenant that it belongs to; absent where it is the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its version, part of what a cached result depends on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The id of the node that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The node's address: where it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why it cannot be called; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// JSON Schema of what it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of what it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What one call is expected to cost; absent when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<MicroUsd>,
    /// How long a call is expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i64>,
    /// The most calls in progress at the same time, all executions of an account together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// The most calls that begin within a minute, all executions of an account together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens: a [`super::BreakerPolicy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Value>,
}

fn yes() -> bool {
    true
}
