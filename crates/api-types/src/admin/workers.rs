//! The registry of workers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::WorkerHealth;

/// A worker as an administrator writes it. In `PATCH` a field that is left out stays as it is and
/// null brings its default back; in `PUT` both bring the default. What is read-only is taken, so
/// that what was read can be sent back, and not heeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "display_name": "Summarizer", "description": "Condenses articles.", "version": "1.0.0",
    "base_url": "https://summarizer.example.com", "endpoints": ["/summarize"],
    "estimated_cost_usd": 0.002, "timeout_ms": 20000, "max_concurrency": 8
}))]
pub struct WorkerDocument {
    /// Its name: that in the path.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", example = "summarizer")]
    pub worker_name: Option<String>,
    /// What people call it.
    #[schema(max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub display_name: Option<String>,
    /// What it does.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Its version; stored results of another version are not used. Default `1.0.0`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub version: Option<String>,
    /// The service binding of this deployment that reaches it. It goes before `base_url`.
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$", example = "SUMMARIZER")]
    pub service_binding: Option<String>,
    /// Where it is reached without a binding: https, without query, and no private address.
    #[schema(min_length = 1, max_length = 2048)]
    pub base_url: Option<String>,
    /// The paths of its operations; the first is the default. Default `/`.
    #[schema(min_items = 1, max_items = 64)]
    pub endpoints: Option<Vec<String>>,
    /// What it takes: a JSON Schema or an example.
    #[schema(value_type = Option<Object>)]
    pub input_format: Option<Map<String, Value>>,
    /// What it gives.
    #[schema(value_type = Option<Object>)]
    pub output_format: Option<Map<String, Value>>,
    /// The names of the workers whose output it needs.
    #[schema(max_items = 64)]
    pub dependencies: Option<Vec<String>>,
    /// What one call is expected to cost, in USD. 0 is a price; null says that nobody knows, and
    /// nothing can be started with such a worker.
    #[schema(minimum = 0, maximum = 1000000)]
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take.
    #[schema(minimum = 0, maximum = 840000)]
    pub avg_response_time_ms: Option<u64>,
    /// The longest that one attempt may take; null is the environment's limit.
    #[schema(minimum = 1, maximum = 840000)]
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    #[schema(minimum = 0, maximum = 100)]
    pub max_retries: Option<u32>,
    /// How many calls it takes at the same time, all executions of an account together; null is no
    /// limit.
    #[schema(minimum = 1, maximum = 100000)]
    pub max_concurrency: Option<u32>,
    /// How many calls it takes within a minute, all executions of an account together; null is no
    /// limit.
    #[schema(minimum = 1, maximum = 1000000)]
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens; null is the usual.
    pub breaker: Option<WorkerBreaker>,
    /// How good its results are.
    #[schema(minimum = 0, maximum = 1)]
    pub quality_score: Option<f64>,
    /// Whether the registry offers it. Default true.
    pub is_active: Option<bool>,
    /// The path that its health is asked at. Default `/health`.
    #[schema(min_length = 1, max_length = 512)]
    pub health_check_endpoint: Option<String>,
    /// Default values of the request's body.
    #[schema(value_type = Option<Object>)]
    pub default_config: Option<Map<String, Value>>,
    /// Read-only.
    #[schema(read_only)]
    pub health_status: Option<WorkerHealth>,
    /// Read-only.
    #[schema(read_only)]
    pub last_health_check: Option<String>,
    /// Read-only.
    #[schema(read_only)]
    pub created_at: Option<String>,
    /// Read-only.
    #[schema(read_only)]
    pub updated_at: Option<String>,
    /// Read-only.
    #[schema(read_only)]
    pub used_by: Option<Vec<String>>,
}

/// A worker that is to be: as [`WorkerDocument`], and `worker_name` is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NewWorker(pub WorkerDocument);

impl PartialSchema for NewWorker {
    fn schema() -> RefOr<Schema> {
        match WorkerDocument::schema() {
            RefOr::T(Schema::Object(mut object)) => {
                object.required.push("worker_name".to_owned());
                if let Some(Value::Object(example)) = &mut object.example {
                    example.insert("worker_name".to_owned(), "summarizer".into());
                }
                RefOr::T(Schema::Object(object))
            }
            other => other,
        }
    }
}

impl ToSchema for NewWorker {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WorkerDocument::schemas(schemas);
    }
}

/// When a circuit breaker opens; what is left out is as usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "failures": 5, "failure_rate": 0.5, "window": 20, "open_ms": 30000 }))]
pub struct WorkerBreaker {
    /// Failures in a row that open it; 0, it never opens.
    #[schema(minimum = 0, maximum = 100000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// The share of failed calls that opens it.
    #[schema(minimum = 0, maximum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// How many of the last calls the share is taken of.
    #[schema(minimum = 1, maximum = 1000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// How long it stays open before one call may probe.
    #[schema(minimum = 1, maximum = 3600000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_ms: Option<u64>,
}

/// Which workers are wanted, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkersQuery {
    /// Only those that the registry offers, or only those that are retired.
    #[param(nullable = false)]
    pub active: Option<bool>,
    /// Only those that were last found so.
    #[param(nullable = false, inline)]
    pub health: Option<WorkerHealth>,
    /// Only those with this text in their name or display name, in whatever case.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub search: Option<String>,
    /// The most workers; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// How a worker is taken out of the registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RetireQuery {
    /// Delete it for good instead of retiring it. Refused while a template names it.
    #[param(nullable = false)]
    pub permanent: Option<bool>,
}

/// A page of workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkersReply {
    /// The workers, by name.
    pub workers: Vec<RegisteredWorker>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// A worker as the registry has it. JSON columns that were written by hand and hold something else
/// are shown as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredWorker {
    /// Its name.
    #[schema(example = "summarizer")]
    pub worker_name: String,
    /// What people call it.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// Its version.
    pub version: String,
    /// The service binding that reaches it.
    pub service_binding: Option<String>,
    /// Where it is reached without a binding.
    pub base_url: Option<String>,
    /// The paths of its operations; the first is the default.
    #[schema(value_type = Value)]
    pub endpoints: Value,
    /// What it takes.
    #[schema(value_type = Value)]
    pub input_format: Value,
    /// What it gives.
    #[schema(value_type = Value)]
    pub output_format: Value,
    /// The names of the workers whose output it needs.
    #[schema(value_type = Value)]
    pub dependencies: Value,
    /// What one call is expected to cost, in USD; null when nobody knows.
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take.
    pub avg_response_time_ms: Option<u64>,
    /// The longest that one attempt may take; null is the environment's limit.
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    pub max_retries: Option<i64>,
    /// How many calls it takes at the same time; null is no limit.
    pub max_concurrency: Option<u32>,
    /// How many calls it takes within a minute; null is no limit.
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens; null is the usual.
    #[schema(value_type = Value)]
    pub breaker: Value,
    /// How good its results are, 0 to 1.
    pub quality_score: Option<f64>,
    /// Whether the registry offers it.
    pub is_active: bool,
    /// The path that its health is asked at.
    pub health_check_endpoint: String,
    /// Default values of the request's body.
    #[schema(value_type = Value)]
    pub default_config: Value,
    /// How it was last found.
    pub health_status: WorkerHealth,
    /// When its health was last asked.
    #[schema(format = DateTime)]
    pub last_health_check: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its row was last written, by a health check too.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Templates whose steps name it, at most 100; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<Vec<String>>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerCheckReply {
    /// The worker.
    pub worker_name: String,
    /// The verdict.
    pub status: WorkerHealth,
    /// How long the answer took; null when there was none.
    pub latency_ms: Option<u64>,
    /// When it was asked.
    #[schema(format = DateTime)]
    pub checked_at: String,
    /// The status of the answer; null when there was none.
    pub http_status: Option<u16>,
    /// What the answer's field `status` says, if it has one.
    pub reported_status: Option<String>,
    /// What the answer's field `version` says, if it has one.
    pub reported_version: Option<String>,
    /// Why there was no answer.
    #[schema(example = "url.private_address")]
    pub error: Option<String>,
}
