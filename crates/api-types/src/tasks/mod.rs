//! Tasks: work for people and external agents, and the approvals that executions wait for.

mod change;
mod list;

pub use change::{ClaimTask, CompleteTask, Escalate, NewTask, TaskPatch};
pub use list::{TaskQuery, TasksReply};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Claimed,
    /// It is done.
    Completed,
    /// It is not needed any more.
    Cancelled,
    /// Nobody did it in time.
    Expired,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskPriority {
    /// It can wait.
    Low,
    /// As most do.
    #[default]
    Medium,
    /// Before others.
    High,
    /// Before all.
    Critical,
}

/// Who becomes a candidate when a task takes long, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Escalation {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub candidates: Vec<String>,
    /// When it happened; null while it has not.
    #[schema(format = DateTime)]
    pub escalated_at: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "task_id": "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e71", "title": "Release the report?",
    "description": null, "status": "open", "priority": "medium", "version": 1, "metadata": {},
    "form": { "type": "object", "required": ["note"] }, "candidates": ["role:admin"],
    "forbid_self_approval": true, "due_at": "2026-11-22T10:00:00.000Z", "overdue_at": null,
    "escalation": null, "claimed_by": null, "claimed_at": null, "result": null,
    "completed_by": null, "closed_at": null, "job_id": null,
    "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g", "step": "review",
    "generation": 1, "created_by": "execution:pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g",
    "created_at": "2026-11-21T10:00:00.000Z", "updated_at": "2026-11-21T10:00:00.000Z"
}))]
pub struct Task {
    /// Its id.
    #[schema(format = "uuid")]
    pub task_id: String,
    /// What is to be done, in a line.
    pub title: String,
    /// The same at length.
    pub description: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// How much it matters.
    pub priority: TaskPriority,
    /// Raised by each change; a change names the version that it is meant of.
    #[schema(minimum = 1)]
    pub version: u64,
    /// Whatever belongs to it besides.
    pub metadata: Map<String, Value>,
    /// JSON Schema of the data that completes it; null where any will do.
    pub form: Option<Map<String, Value>>,
    /// Who may claim and complete it: `user:<id>`, `key:<id>`, `worker:<id>`, `role:<role>` or an
    /// e-mail address. None: everybody of the account may.
    pub candidates: Vec<String>,
    /// Whether those who began what it decides on may not complete it.
    pub forbid_self_approval: bool,
    /// When it is overdue.
    #[schema(format = DateTime)]
    pub due_at: Option<String>,
    /// When it was found to be overdue.
    #[schema(format = DateTime)]
    pub overdue_at: Option<String>,
    /// Who becomes a candidate, too, when it takes long.
    pub escalation: Option<Escalation>,
    /// Who has taken it: `user:<id>`, `key:<id>` or `worker:<id>`.
    pub claimed_by: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub claimed_at: Option<String>,
    /// What it came to: the data that completed it. Of an approval the form's data, with
    /// `approved`.
    #[schema(value_type = Option<Value>)]
    pub result: Option<Value>,
    /// Who completed it.
    pub completed_by: Option<String>,
    /// When it was completed, cancelled or expired.
    #[schema(format = DateTime)]
    pub closed_at: Option<String>,
    /// The job that it belongs to.
    pub job_id: Option<String>,
    /// The execution that waits for it.
    pub pipeline_id: Option<String>,
    /// The step of that execution.
    pub step: Option<String>,
    /// The generation of the step: done anew, it asks anew.
    #[schema(minimum = 1)]
    pub generation: Option<u32>,
    /// Who made it: as in `claimed_by`, or `execution:<id>`.
    pub created_by: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}
