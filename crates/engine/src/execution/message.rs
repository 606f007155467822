//! What comes in for an execution: verbs, signals, callbacks and notices. Stored in the shard's
//! inbox before it is answered, met by the driver, and turned into events.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answers, Outcome, Payload};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::time::Millis;

/// An inbox entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// Call the execution off: what succeeded is compensated.
    Cancel {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
    },
    /// End the execution at once: nothing is compensated.
    Kill {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
    },
    /// Start nothing more until it is resumed.
    Pause {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
    },
    /// Go on.
    Resume {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
        /// The new limit of the budget, where it is raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<MicroUsd>,
    },
    /// Do the steps that failed anew, and what was left out because of them.
    Retry {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
    },
    /// Do a step anew, and all that depends on it.
    Rerun {
        /// Who asks, and why.
        #[serde(flatten)]
        asked: Asked,
        /// The step's path; `map[3]` for one element of a map.
        step: String,
        /// What it is sent instead of what its mapping gives.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Value>,
    },
    /// A named signal.
    Signal {
        /// Who sends it, and why.
        #[serde(flatten)]
        asked: Asked,
        /// Its name.
        name: String,
        /// What it brings.
        payload: Payload,
        /// The one wait that it answers; absent, the first that takes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Answers>,
    },
    /// The result of an attempt whose worker had answered 202.
    Completed {
        /// Who reports it.
        by: String,
        /// The fence that it carried.
        fence: Fence,
        /// What it brought.
        outcome: Outcome,
    },
    /// A worker that has answered 202 is still at it.
    Heartbeat {
        /// The fence of its attempt.
        fence: Fence,
        /// The longest silence that it announces; absent, the step's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silence: Option<Millis>,
    },
    /// An execution that a step of this one began has ended. Written by the shard.
    ChildEnded {
        /// Which.
        child: ExecutionId,
    },
    /// The execution that began this one has ended: this one is called off. Written by the shard.
    ParentEnded {
        /// Which.
        parent: ExecutionId,
    },
}

/// Who asked for something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who: `key:<id>`, `worker:<id>`, `user:<id>`, `execution:<id>` or `system`.
    pub by: String,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
