//! Templates as operators read and publish them: the whole definition as one document, whose
//! fields are the columns of its rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Violation;

/// A template with its steps. What is left out, or `null`, has the column's default; in the
/// replacement of a template `is_active` and `is_default` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "quick_look", "description": "Sources for a topic", "failure_tolerance": "partial",
    "steps": [{
        "step_order": 1, "step_name": "research", "worker_name": "topic_researcher",
        "input_mapping": { "topic": "$.topic" }, "output_mapping": { "sources": "$.sources" }
    }]
}))]
pub struct TemplateDocument {
    /// The key: a letter, then letters, digits, `_` or `-`. Where the path names the template, it
    /// may be left out.
    #[schema(max_length = 64)]
    pub name: Option<String>,
    /// What people call it.
    #[schema(max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub display_name: Option<String>,
    /// What it is for.
    #[schema(max_length = 4000, pattern = "^[^\\x00]*$")]
    pub description: Option<String>,
    /// What it is filed under; default `general`.
    #[schema(max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub category: Option<String>,
    /// Whether it can be started; default true.
    pub is_active: Option<bool>,
    /// Whether requests that name no template get it; default false.
    pub is_default: Option<bool>,
    /// Whether independent steps may be in progress at the same time; default true.
    pub allow_parallel: Option<bool>,
    /// What becomes of an execution when a required step fails; default `strict`.
    #[schema(value_type = Option<FailureToleranceWord>)]
    pub failure_tolerance: Option<String>,
    /// JSON Schema of the request's `input`.
    #[schema(value_type = Option<Value>)]
    pub input_schema: Option<Value>,
    /// Mapping of the result; left out, the whole of `data`.
    #[schema(value_type = Option<Value>)]
    pub output_mapping: Option<Value>,
    /// The longest an execution may take, in active time.
    #[schema(minimum = 1)]
    pub deadline_ms: Option<u64>,
    /// How long the result of an identical request may be served; 0, never.
    #[schema(minimum = 0)]
    pub cache_ttl_seconds: Option<u64>,
    /// What an execution is expected to cost, for people.
    #[schema(minimum = 0, maximum = 1000000)]
    pub estimated_cost_usd: Option<f64>,
    /// How long it is expected to take, for people.
    #[schema(minimum = 0)]
    pub estimated_time_ms: Option<u64>,
    /// The steps, in any order: `step_order` decides, and where that is equal their place here.
    #[serde(default)]
    #[schema(required)]
    pub steps: Vec<StepDocument>,
}

/// A step of a template. docs/templates.md says what each field means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDocument {
    /// Its place among its siblings where nothing else decides.
    #[serde(default)]
    #[schema(required)]
    pub step_order: i64,
    /// Its name, unique within the template.
    #[serde(default)]
    #[schema(required, max_length = 1000)]
    pub step_name: String,
    /// What doing it means; default `worker`.
    #[schema(value_type = Option<StepKindWord>)]
    pub kind: Option<String>,
    /// The worker that is asked.
    #[schema(max_length = 1000)]
    pub worker_name: Option<String>,
    /// The operation; left out, the worker's first.
    #[schema(max_length = 2000, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub endpoint: Option<String>,
    /// The steps that must be settled first: names, or numbers that only one step has.
    #[schema(value_type = Option<Vec<Value>>)]
    pub depends_on_steps: Option<Vec<Value>>,
    /// CEL, or `{"<name>_available": "> 0"}`; where it is false the step is skipped.
    #[schema(value_type = Option<Value>)]
    pub condition: Option<Value>,
    /// What the worker is sent.
    #[schema(value_type = Option<Value>)]
    pub input_mapping: Option<Value>,
    /// What goes from the output into `data`; left out, each top-level field.
    #[schema(value_type = Option<Value>)]
    pub output_mapping: Option<Value>,
    /// Whether the execution goes on without it when it fails; default false.
    pub is_optional: Option<bool>,
    /// The longest that an attempt may take.
    #[schema(minimum = 1)]
    pub timeout_ms: Option<u64>,
    /// How failed attempts are repeated.
    #[schema(value_type = Option<Value>)]
    pub retry_policy: Option<Value>,
    /// Who is asked when the worker's attempts are used up.
    #[schema(max_length = 1000)]
    pub fallback_worker: Option<String>,
    /// Settings of the step's kind.
    #[schema(value_type = Option<Value>)]
    pub config: Option<Value>,
}

/// What becomes of an execution when a required step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureToleranceWord {
    /// It fails at once.
    Strict,
    /// What does not depend on the step is done.
    Partial,
    /// It waits for an operator.
    Park,
}

/// What doing a step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKindWord {
    /// One call of a worker.
    Worker,
    /// A mapping only.
    Transform,
    /// One call for each element of an array.
    Map,
    /// A moment, a signal or an approval.
    Wait,
    /// Another template.
    Pipeline,
    /// A registered tool.
    Tool,
}

/// Attributes of a template that change; what is left out stays, `null` is the column's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "description": "Sources for a topic", "deadline_ms": 60000 }))]
pub struct TemplatePatch {
    /// What people call it.
    #[schema(max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub display_name: Option<String>,
    /// What it is for.
    #[schema(max_length = 4000, pattern = "^[^\\x00]*$")]
    pub description: Option<String>,
    /// What it is filed under.
    #[schema(max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub category: Option<String>,
    /// Whether it can be started.
    pub is_active: Option<bool>,
    /// Whether requests that name no template get it.
    pub is_default: Option<bool>,
    /// Whether independent steps may be in progress at the same time.
    pub allow_parallel: Option<bool>,
    /// What becomes of an execution when a required step fails.
    #[schema(value_type = Option<FailureToleranceWord>)]
    pub failure_tolerance: Option<String>,
    /// JSON Schema of the request's `input`.
    #[schema(value_type = Option<Value>)]
    pub input_schema: Option<Value>,
    /// Mapping of the result.
    #[schema(value_type = Option<Value>)]
    pub output_mapping: Option<Value>,
    /// The longest an execution may take, in active time.
    #[schema(minimum = 1)]
    pub deadline_ms: Option<u64>,
    /// How long the result of an identical request may be served; 0, never.
    #[schema(minimum = 0)]
    pub cache_ttl_seconds: Option<u64>,
    /// What an execution is expected to cost, for people.
    #[schema(minimum = 0, maximum = 1000000)]
    pub estimated_cost_usd: Option<f64>,
    /// How long it is expected to take, for people.
    #[schema(minimum = 0)]
    pub estimated_time_ms: Option<u64>,
}

/// A template as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdminTemplateReply {
    /// The document, as a replacement takes it. Its tag is in the header `ETag`.
    pub template: TemplateDocument,
    /// The revision that a start gets; null where no start and nobody else has published what the
    /// rows say.
    pub revision: Option<u64>,
    /// SHA-256 of what a start gets: the document without what is for people, its workers, and the
    /// templates that it reaches.
    pub content_hash: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its row was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Why it cannot be started, with pointers into the document; empty where it can be.
    pub violations: Vec<Violation>,
    /// What may not be meant.
    pub warnings: Vec<Violation>,
}

/// Which templates are wanted, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AdminTemplatesQuery {
    /// Only those that can be started, or that cannot.
    #[param(nullable = false)]
    pub is_active: Option<bool>,
    /// Only those that are filed under this.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub category: Option<String>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub cursor: Option<String>,
}

/// A page of the templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdminTemplatesReply {
    /// The templates, by name.
    pub templates: Vec<AdminTemplateEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// A template in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdminTemplateEntry {
    /// The key.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// What it is filed under.
    pub category: String,
    /// Whether it can be started.
    pub is_active: bool,
    /// Whether requests that name no template get it.
    pub is_default: bool,
    /// How many steps it has.
    pub step_count: u64,
    /// The number of the revision that was published last; null where there is none.
    pub newest_revision: Option<u64>,
    /// When its row was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// What publishing a document would come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateValidationReply {
    /// Whether it would be published.
    pub valid: bool,
    /// What is wrong, with pointers into the document that was sent: the first thousand.
    pub violations: Vec<Violation>,
    /// How many violations there are.
    pub violations_total: u64,
    /// What may not be meant.
    pub warnings: Vec<Violation>,
    /// What the content would be known by; null where the document is not valid.
    pub content_hash: Option<String>,
    /// The revision that holds this content already; null where there is none.
    pub revision: Option<u64>,
}
