//! Why something is as it is: the small vocabularies that events carry.

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::money::MicroUsd;

/// How a worker was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A call over a service binding.
    ServiceBinding,
    /// An HTTP call by URL.
    Http,
    /// No call: the step is a mapping.
    Internal,
}

/// Why a step was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum SkipReason {
    /// Its condition was false.
    Condition,
    /// It is optional and failed.
    Failed {
        /// The failure.
        fault: Fault,
    },
    /// A step that it depends on failed, or was left out for that reason.
    Dependency {
        /// The step that it waited for.
        step: String,
    },
    /// The strategy leaves optional steps out.
    Strategy,
}

/// What somebody asked of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Call it off and undo what was done.
    Cancel,
    /// End it at once.
    Kill,
    /// Start nothing more.
    Pause,
    /// Go on.
    Resume,
    /// Do the failed steps anew.
    Retry,
    /// Do a step anew, and what depends on it.
    Rerun,
}

impl Verb {
    /// The word in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Rerun => "rerun",
        }
    }
}

/// Why an execution is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody asked for it.
    Asked,
    /// The budget does not cover a step.
    Budget {
        /// The path of what could not start.
        step: String,
        /// What it needs.
        needed: MicroUsd,
        /// What is spent, and kept back for what is done already.
        spent: MicroUsd,
        /// The limit.
        limit: MicroUsd,
    },
    /// A step failed, and the template leaves what follows to an operator.
    Failure {
        /// The step.
        step: String,
    },
}
