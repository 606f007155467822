//! What went wrong with an attempt, a step or an execution.

use serde::{Deserialize, Serialize};

use crate::plan::{RetryPolicy, Violation};
use crate::time::Millis;

/// The longest message that is kept of what a worker said.
const MESSAGE_CHARS_MAX: usize = 500;

/// A failure: a stable code, a message for a person, and what decides whether to try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A stable code, such as `worker.timeout`.
    pub code: String,
    /// What happened, naming the step and the field where there is one.
    pub message: String,
    /// Where it happened.
    pub kind: FaultKind,
    /// What the worker itself said about trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// How long the worker asked to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
    /// Which properties do not fit a schema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

/// Where a failure happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The worker answered with this HTTP status.
    Http(u16),
    /// The worker could not be reached, or the connection broke.
    Network,
    /// The attempt took longer than it may.
    Timeout,
    /// The driver that made the attempt was lost, and the answer with it.
    Lost,
    /// The worker answered with something that is no output.
    Output,
    /// The call was refused before it was made.
    Refused,
    /// A mapping or condition could not be evaluated.
    Expression,
    /// A limit of time or money of the step or the execution was met.
    Limit,
    /// The execution that the step is ended without its result.
    Child,
}

impl Fault {
    /// A failure with a message cut to a bounded length.
    pub fn new(kind: FaultKind, code: &str, message: impl AsRef<str>) -> Self {
        let message = message.as_ref();
        let message = match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((cut, _)) => format!("{}…", &message[..cut]),
            None => message.to_owned(),
        };
        Self {
            code: code.to_owned(),
            message,
            kind,
            retryable: None,
            retry_after: None,
            violations: Vec::new(),
        }
    }

    /// Whether an attempt that failed so and names no cost has cost nothing: the worker refused, or
    /// was never asked. Where it did the work, or nobody knows whether it did, the estimate counts.
    pub(crate) fn is_free(&self) -> bool {
        match self.kind {
            FaultKind::Http(_) | FaultKind::Refused => true,
            FaultKind::Output
            | FaultKind::Network
            | FaultKind::Timeout
            | FaultKind::Lost
            | FaultKind::Expression
            | FaultKind::Limit
            | FaultKind::Child => false,
        }
    }

    /// Whether the answer may still come: the attempt was given up, not answered.
    pub(crate) fn is_unanswered(&self) -> bool {
        match self.kind {
            FaultKind::Timeout | FaultKind::Lost | FaultKind::Limit => true,
            FaultKind::Http(_)
            | FaultKind::Network
            | FaultKind::Output
            | FaultKind::Refused
            | FaultKind::Expression
            | FaultKind::Child => false,
        }
    }

    /// Whether another attempt may succeed where this one did not.
    pub(crate) fn may_pass(&self, policy: &RetryPolicy) -> bool {
        match (self.retryable, self.kind) {
            (Some(said), FaultKind::Http(_)) => said,
            (_, FaultKind::Http(status)) => policy.retries_status(status),
            (_, FaultKind::Network | FaultKind::Timeout | FaultKind::Lost) => true,
            (
                _,
                FaultKind::Output
                | FaultKind::Refused
                | FaultKind::Expression
                | FaultKind::Limit
                | FaultKind::Child,
            ) => false,
        }
    }
}
