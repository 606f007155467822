//! The events of a journal. They are the on-disk format: variants and fields are only ever added,
//! and golden files replay what earlier versions wrote.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answers, Asked, Fault, Figures, HeldBy, Memoised, PauseReason, Payload, SkipReason};
use super::{Started, Status, Verb};
use crate::ids::{Epoch, ExecutionId, Fence};
use crate::money::MicroUsd;
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
        /// The execution that the attempt begins, where the step is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child: Option<ExecutionId>,
    },
    /// The worker took the attempt and works on; its result will be reported. Or the execution
    /// that the attempt is has begun.
    AttemptAccepted {
        /// The path.
        step: String,
        /// The attempt's fence.
        fence: Fence,
        /// When.
        at: Timestamp,
        /// When the attempt is given up unless something is heard of it.
        deadline_at: Timestamp,
    },
    /// A worker that took an attempt is still at it.
    Heartbeat {
        /// The path.
        step: String,
        /// The attempt's fence.
        fence: Fence,
        /// When.
        at: Timestamp,
        /// When the attempt is given up unless something is heard of it again.
        deadline_at: Timestamp,
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
        /// What was saved, where an earlier answer to the same call served.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memoised: Option<Memoised>,
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
    /// A step is called off: others have done what it was for, or the execution is being undone.
    StepCancelled {
        /// The path.
        step: String,
        /// When.
        at: Timestamp,
    },
    /// A step may not begin: the gate of its worker is shut.
    StepHeld {
        /// The path.
        step: String,
        /// When.
        at: Timestamp,
        /// Which rule holds it.
        reason: HeldBy,
        /// When it is worth asking again.
        until: Timestamp,
    },
    /// A map knows its elements.
    MapStarted {
        /// The step.
        step: String,
        /// When.
        at: Timestamp,
        /// How many there are.
        elements: u32,
    },
    /// A wait has begun.
    WaitStarted {
        /// The step.
        step: String,
        /// When.
        at: Timestamp,
        /// When it is over, or given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The signal that it waits for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
    },
    /// A signal came. It is kept until a step waits for it.
    SignalReceived {
        /// Its name.
        name: String,
        /// When.
        at: Timestamp,
        /// What it brought.
        payload: Payload,
        /// Who sent it.
        by: String,
        /// The one wait that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Answers>,
    },
    /// Somebody asked for something, and what follows comes of it.
    Asked {
        /// For what.
        verb: Verb,
        /// Who, and why.
        #[serde(flatten)]
        asked: Asked,
        /// When.
        at: Timestamp,
    },
    /// Nothing is started until somebody resumes it.
    Paused {
        /// When.
        at: Timestamp,
        /// Why.
        reason: PauseReason,
    },
    /// It goes on after a pause.
    Resumed {
        /// When.
        at: Timestamp,
        /// The new limit of the budget, where it was raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<MicroUsd>,
    },
    /// Nothing is left to do before something comes.
    Parked {
        /// When.
        at: Timestamp,
    },
    /// Something came.
    Woken {
        /// When.
        at: Timestamp,
    },
    /// The execution will end so; what was done is undone first.
    Unwinding {
        /// How it will end.
        status: Status,
        /// When.
        at: Timestamp,
        /// Why it did not complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// Steps are done anew: each in a new generation. An execution that had ended goes on.
    Reset {
        /// When.
        at: Timestamp,
        /// The paths, those that are done anew themselves first.
        steps: Vec<String>,
        /// What the first of them is sent instead of what its mapping gives.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Value>,
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
    /// The execution is over. Nothing follows but a reset.
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
