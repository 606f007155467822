//! Tasks: work for people and external agents. Each change names the version that it is meant of,
//! and raises it: of two that name the same one, one changes nothing.

mod change;
mod execution;
mod list;
mod upkeep;

use serde::Deserialize;
use serde_json::Value;

use super::Sql;
use super::row::{flag, json, optional_json};

pub use change::{
    Edit, NewTask, add, by_key, cancel, change, claim, complete, forget_key, release,
};
pub use change::{remove, touch};
pub use execution::{of_execution, record_now, recording};
pub use list::{Filter, PAGE_MAX, count, find, page};
pub use upkeep::{escalate, note_overdue};

macro_rules! columns {
    () => {
        "SELECT task_id, account_id, title, description, status, priority, version, metadata,
        form, candidates, forbid_self_approval, initiators, due_at, overdue_at, escalate_at,
        escalate_to, escalated_at, claimed_by, claimed_at, result, completed_by, closed_at,
        job_id, pipeline_id, step_name, generation, body_hash, created_by, created_at, updated_at,
        (SELECT j.created_by FROM jobs AS j WHERE j.id = tasks.job_id) AS job_created_by
      FROM tasks "
    };
}
use columns;

/// Every statement of the family.
pub fn statements() -> Vec<Sql> {
    [change::STATEMENTS, execution::STATEMENTS, list::STATEMENTS, upkeep::STATEMENTS].concat()
}

/// A task as its row has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Task {
    /// The key.
    pub task_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// What is to be done, in a line.
    pub title: String,
    /// The same at length.
    pub description: Option<String>,
    /// `open`, `claimed`, `completed`, `cancelled` or `expired`.
    pub status: String,
    /// `low`, `medium`, `high` or `critical`.
    pub priority: String,
    /// Raised by each change.
    pub version: u64,
    /// Whatever belongs to it besides.
    #[serde(deserialize_with = "json")]
    pub metadata: Value,
    /// JSON Schema of the data that completes it.
    #[serde(deserialize_with = "optional_json")]
    pub form: Option<Value>,
    /// Who may claim and complete it.
    #[serde(deserialize_with = "json")]
    pub candidates: Vec<String>,
    /// Whether those who began what it decides on may not complete it.
    #[serde(deserialize_with = "flag")]
    pub forbid_self_approval: bool,
    /// Those who began it.
    #[serde(deserialize_with = "json")]
    pub initiators: Vec<String>,
    /// When it is overdue.
    pub due_at: Option<String>,
    /// When it was found to be.
    pub overdue_at: Option<String>,
    /// When others become candidates.
    pub escalate_at: Option<String>,
    /// Who.
    #[serde(deserialize_with = "json")]
    pub escalate_to: Vec<String>,
    /// When they did.
    pub escalated_at: Option<String>,
    /// Who has taken it.
    pub claimed_by: Option<String>,
    /// When.
    pub claimed_at: Option<String>,
    /// What it came to.
    #[serde(deserialize_with = "optional_json")]
    pub result: Option<Value>,
    /// Who completed it.
    pub completed_by: Option<String>,
    /// When it was completed, cancelled or expired.
    pub closed_at: Option<String>,
    /// The job that it belongs to.
    pub job_id: Option<String>,
    /// The execution that waits for it.
    pub pipeline_id: Option<String>,
    /// The step of that execution.
    pub step_name: Option<String>,
    /// The generation of the step.
    pub generation: Option<u32>,
    /// SHA-256 of the request that made it with an idempotency key.
    pub body_hash: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Who made the job that it belongs to.
    pub job_created_by: Option<String>,
}

impl Task {
    /// Whether it is still to be done.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.status.as_str(), "open" | "claimed")
    }
}
