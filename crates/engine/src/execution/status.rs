//! Where executions and steps stand.

use serde::{Deserialize, Serialize};

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for, not begun.
    Pending,
    /// In progress.
    Running,
    /// Nothing can be done before a moment, a signal, a callback or another execution comes.
    Waiting,
    /// Held by an operator or a limit.
    Paused,
    /// Every required step succeeded.
    Completed,
    /// Some required step failed and the rest was settled.
    Partial,
    /// It ended without its result.
    Failed,
    /// It was called off.
    Cancelled,
}

impl Status {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Partial | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running | Self::Waiting | Self::Paused => false,
        }
    }

    /// The word in replies and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Its dependencies are not settled.
    Pending,
    /// It could start; a place or the budget is missing.
    Ready,
    /// An attempt is in flight.
    Running,
    /// An attempt failed; another one is due later.
    Retrying,
    /// It waits for a moment, a signal or a person.
    Waiting,
    /// It has its output.
    Succeeded,
    /// It was left out.
    Skipped,
    /// It failed for good.
    Failed,
    /// The execution ended before it did.
    Cancelled,
    /// It had succeeded and was undone.
    Compensated,
}

impl StepStatus {
    /// Whether nothing more will happen to the step.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Ready | Self::Running | Self::Retrying | Self::Waiting => false,
            Self::Succeeded
            | Self::Skipped
            | Self::Failed
            | Self::Cancelled
            | Self::Compensated => true,
        }
    }

    /// The word in replies and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Compensated => "compensated",
        }
    }
}
