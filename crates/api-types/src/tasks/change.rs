//! What is said of tasks: made, changed, claimed, completed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{TaskPriority, TaskStatus};

/// Who becomes a candidate when a task takes long, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// When.
    #[schema(format = DateTime, max_length = 40)]
    pub at: String,
    /// Who.
    #[schema(min_items = 1, max_items = 50)]
    pub candidates: Vec<String>,
}

/// A task to be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "Check the sources of the tide report", "priority": "high",
    "candidates": ["role:user"], "due_at": "2026-11-28T10:00:00Z",
    "form": {
        "type": "object", "required": ["verdict"],
        "properties": { "verdict": { "enum": ["good", "poor"] } }
    }
}))]
pub struct NewTask {
    /// What is to be done, in a line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub title: String,
    /// The same at length.
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// How much it matters; default `medium`.
    pub priority: Option<TaskPriority>,
    /// Whatever belongs to it besides, at most 16 KiB.
    pub metadata: Option<Map<String, Value>>,
    /// JSON Schema of the data that completes it, at most 64 KiB.
    pub form: Option<Map<String, Value>>,
    /// Who may claim and complete it: `user:<id>`, `key:<id>`, `worker:<id>`, `role:<role>` or an
    /// e-mail address; none, everybody of the account.
    #[schema(max_items = 50)]
    pub candidates: Option<Vec<String>>,
    /// Whether whoever makes it, or the job that it belongs to, may not complete it; default no.
    pub forbid_self_approval: Option<bool>,
    /// When it is overdue.
    #[schema(format = DateTime, max_length = 40)]
    pub due_at: Option<String>,
    /// Who becomes a candidate, too, when it takes long.
    pub escalation: Option<Escalate>,
    /// The job that it belongs to, one of the account's.
    #[schema(min_length = 1, max_length = 64)]
    pub job_id: Option<String>,
}

/// A change of a task, as a merge patch (RFC 7396): fields that are left out stay as they are,
/// `null` empties one that may be empty, `metadata` is merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "version": 3, "priority": "high", "metadata": { "source": "tides" } }))]
pub struct TaskPatch {
    /// The version that the change is meant of; may be left out where If-Match says it.
    #[schema(nullable = false, minimum = 1)]
    pub version: Option<u64>,
    /// What is to be done, in a line.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )]
    pub title: Option<String>,
    /// The same at length.
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// How much it matters.
    #[schema(nullable = false)]
    pub priority: Option<TaskPriority>,
    /// What is merged into what belongs to it besides.
    #[schema(nullable = false)]
    pub metadata: Option<Map<String, Value>>,
    /// Who may claim and complete it.
    #[schema(nullable = false, max_items = 50)]
    pub candidates: Option<Vec<String>>,
    /// When it is overdue.
    #[schema(format = DateTime, max_length = 40)]
    pub due_at: Option<String>,
    /// Who becomes a candidate, too, when it takes long.
    pub escalation: Option<Escalate>,
    /// `cancelled` closes it; what it is already changes nothing.
    #[schema(nullable = false)]
    pub status: Option<TaskStatus>,
}

/// A claim, or its release. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "version": 1 }))]
pub struct ClaimTask {
    /// The version that it is meant of; any, where it is left out.
    #[schema(minimum = 1)]
    pub version: Option<u64>,
}

/// What completes a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "approved": true, "data": { "note": "Figures checked." } }))]
pub struct CompleteTask {
    /// Whether the approval is given. An approval demands it, any other task takes none.
    pub approved: Option<bool>,
    /// What fits the task's form; of an approval an object.
    #[schema(value_type = Option<Value>)]
    pub data: Option<Value>,
    /// The version that it is meant of; any, where it is left out.
    #[schema(minimum = 1)]
    pub version: Option<u64>,
}
