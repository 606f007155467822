//! The events of a journal. They are the on-disk format: variants and fields are only ever added,
//! and golden files replay what earlier versions wrote.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fault, Payload, Status, Terms};
use crate::ids::{Epoch, ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::definition::TemplateDefinition;
use crate::time::Timestamp;

/// The version of the journal format that this build writes.
pub const FORMAT: u32 = 1;

/// A fact about an execution. Steps are named by their path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The execution was asked for and admitted. Always the first.
    Started(Box<Started>),
    /// A step is being asked for. Written before the call is made.
    AttemptStarted {
        /// The step's path.
        step: String,
        /// How often the step was asked for anew; part of the idempotency key.
        generation: u32,
        /// The number of the attempt within the generation; the first is 1.
        attempt: u32,
        /// What the result must carry.
        fence: Fence,
        /// When.
        at: Timestamp,
        /// When the attempt is given up.
        deadline_at: Timestamp,
        /// What is kept back for its cost.
        reserved: MicroUsd,
        /// Whether the fallback worker is asked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fallback: bool,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The step's path.
        step: String,
        /// The attempt's fence.
        fence: Fence,
        /// When.
        at: Timestamp,
        /// Why.
        fault: Fault,
        /// What it cost.
        cost: MicroUsd,
        /// Whether the cost is an estimate.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        estimated: bool,
        /// When the step is tried again; absent when it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// Whether the next attempt asks the fallback worker.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fallback: bool,
    },
    /// A step has its output.
    StepSucceeded {
        /// The step's path.
        step: String,
        /// The attempt's fence; absent for a transform.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fence: Option<Fence>,
        /// When.
        at: Timestamp,
        /// What it produced.
        output: Payload,
        /// What it cost.
        cost: MicroUsd,
        /// Whether the cost is an estimate.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        estimated: bool,
    },
    /// A step has the output of an earlier execution and was not done again.
    StepReused {
        /// The step's path.
        step: String,
        /// When.
        at: Timestamp,
        /// What it produced then.
        output: Payload,
        /// Whose output it is.
        from: ExecutionId,
    },
    /// A required step failed for good.
    StepFailed {
        /// The step's path.
        step: String,
        /// When.
        at: Timestamp,
        /// Why.
        fault: Fault,
    },
    /// A step was left out.
    StepSkipped {
        /// The step's path.
        step: String,
        /// When.
        at: Timestamp,
        /// Why.
        reason: SkipReason,
    },
    /// The answer of an attempt came when nobody waited for it any more: it is noted, its cost
    /// counted, its output ignored.
    LateAnswer {
        /// The step's path.
        step: String,
        /// The fence that it carried.
        fence: Fence,
        /// When.
        at: Timestamp,
        /// What it cost, where the worker said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<MicroUsd>,
    },
    /// Another driver has taken the execution over while attempts were in flight.
    TakenOver {
        /// The lease under which it goes on.
        epoch: Epoch,
        /// When.
        at: Timestamp,
    },
    /// The execution is over. Always the last.
    Finished {
        /// How it ended.
        status: Status,
        /// When.
        at: Timestamp,
        /// Why it did not complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// What it came to: outputs may lie elsewhere when the journal is read.
        figures: Figures,
    },
}

/// The figures of an execution that its reply shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Size of `data.sources`.
    pub sources_discovered: u64,
    /// Size of `data.articles`.
    pub articles_processed: u64,
    /// The final quality score, 0 to 1: the mean of the scores that steps report about their own
    /// output (`quality_score`, else `avg_quality_score`, at the top level), times the share of
    /// steps that succeeded among those that were not left out by condition or strategy. `None`
    /// when no step reports a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
}

/// What an execution starts from. Nothing that is published later alters it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The version of the journal format.
    pub format: u32,
    /// The execution.
    pub id: ExecutionId,
    /// The tenant that it belongs to.
    pub account: String,
    /// When.
    pub at: Timestamp,
    /// The template's revision number.
    pub revision: u64,
    /// SHA-256 of the definition, in hex: compiled plans are kept by it.
    pub content_hash: String,
    /// The template with the workers that it names, as they were.
    pub definition: Arc<TemplateDefinition>,
    /// The request's parameters: `request` in expressions.
    pub request: Value,
    /// What the execution may do.
    pub terms: Terms,
    /// W3C trace context that calls continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The step of another execution that began this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The execution that this one does again, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_from: Option<ExecutionId>,
}

/// The step of another execution that began this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The execution.
    pub id: ExecutionId,
    /// The step's path.
    pub step: String,
    /// How many executions stand above this one.
    pub depth: u32,
}

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
