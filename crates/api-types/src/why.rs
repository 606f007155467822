//! Looking into an execution: what happens in it, and why it is not moving.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{ExecutionStatus, StepStatus};

/// From where the events of an execution are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The last event that was received: `<record>.<n>`.
    #[param(example = "3.1")]
    pub last_event_id: Option<String>,
}

/// What an execution waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "pipeline_id": "pipe_1795255200000_0k4f0q9c8r1x2v7m3n5b6j8h9g", "status": "running",
    "since": "2026-11-21T12:03:00.000Z", "last_event_at": "2026-11-21T12:03:01.120Z",
    "summary": "step `classify` waits for its next attempt at 12:03:05 after: worker answered 503",
    "driver": { "phase": "active", "at_work": true, "until": "2026-11-21T12:03:31.120Z" },
    "unheard": 0,
    "steps": [{
        "step": "classify", "status": "retrying", "blocker": "timer",
        "reason": "waits for its next attempt", "next_at": "2026-11-21T12:03:05.000Z"
    }]
}))]
pub struct WhyReply {
    /// The execution.
    pub pipeline_id: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Since when it stands there.
    #[schema(format = DateTime)]
    pub since: String,
    /// When something last happened.
    #[schema(format = DateTime)]
    pub last_event_at: String,
    /// What holds it, in one sentence.
    pub summary: String,
    /// Who is at work on it.
    pub driver: WhyDriver,
    /// How many messages have come in that no driver has met.
    pub unheard: u64,
    /// What holds each unfinished step, in the plan's order.
    pub steps: Vec<WhyStep>,
    /// Tools that steps name and that could not be called when the execution started; left out
    /// where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_chosen: Vec<WhyTool>,
}

/// A tool that was not chosen for a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyTool {
    /// The step.
    pub step: String,
    /// The tool's name.
    pub tool: String,
    /// Why it could not be called.
    #[schema(example = "the node of tool `word_counter` is in status ERROR")]
    pub reason: String,
}

/// Who is at work on an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyDriver {
    /// Whether it needs a driver.
    pub phase: ExecutionPhase,
    /// Whether a driver is at work.
    pub at_work: bool,
    /// When its lease ends unless it is renewed, else when a driver comes next.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// Whether an execution needs a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionPhase {
    /// It is driven, or in need of a driver.
    Active,
    /// Nothing can be done before a moment or a message comes.
    Parked,
    /// It is over.
    Ended,
}

/// What holds a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyStep {
    /// The step's path.
    #[schema(example = "classify[3]")]
    pub step: String,
    /// Where it stands; absent for what is no step of the template, such as an element of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<StepStatus>,
    /// What kind of thing holds it: `dependency`, `answer`, `timer`, `parallelism`, `budget`,
    /// `gate`, `breaker`, `signal`, `lease` and others.
    #[schema(example = "timer")]
    pub blocker: String,
    /// The same in words.
    pub reason: String,
    /// When it will next be tried or given up, where that is known.
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
    /// The task that gives the approval it waits for; left out where it waits for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub task: Option<WhyTask>,
}

/// The task that somebody must complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyTask {
    /// Its id.
    #[schema(format = "uuid")]
    pub task_id: String,
    /// What is to be decided.
    pub title: String,
    /// Who may complete it; none, everybody of the account may.
    pub candidates: Vec<String>,
    /// Who has claimed it.
    pub claimed_by: Option<String>,
    /// When it is overdue.
    #[schema(format = DateTime)]
    pub due_at: Option<String>,
    /// Where it is.
    pub task_url: String,
}
