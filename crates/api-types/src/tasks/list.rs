//! Lists of tasks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Task, TaskPriority, TaskStatus};

/// Which tasks are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
    /// Only those that stand so.
    #[param(inline, nullable = false)]
    pub status: Option<TaskStatus>,
    /// Only those that matter so much.
    #[param(inline, nullable = false)]
    pub priority: Option<TaskPriority>,
    /// Only those that this one has claimed or completed: `user:<id>`, `key:<id>`, `worker:<id>`.
    #[param(nullable = false, min_length = 1, max_length = 254)]
    pub assignee: Option<String>,
    /// Only those that name this candidate.
    #[param(nullable = false, min_length = 1, max_length = 254)]
    pub candidate: Option<String>,
    /// `true`: only those that the caller has claimed, or may claim.
    #[param(nullable = false)]
    pub mine: Option<bool>,
    /// Only those of this job.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub job_id: Option<String>,
    /// Only those that this execution waits for, or waited for.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub pipeline_id: Option<String>,
    /// Only those that are due before this moment.
    #[param(nullable = false, format = DateTime, max_length = 40)]
    pub due_before: Option<String>,
    /// Only those in whose title or description this text stands, whatever the case of its ASCII
    /// letters.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub search: Option<String>,
    /// Whether to count all that match.
    #[param(nullable = false)]
    pub total: Option<bool>,
    /// The most tasks; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TasksReply {
    /// The tasks, newest first.
    pub tasks: Vec<Task>,
    /// How many match; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<u64>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
