//! Approvals that were asked for, what each came to, and which signal may answer which wait.

use serde::{Deserialize, Serialize};

use super::refusal::refuse;
use super::{Applies, Payload, State, StepStatus};
use crate::plan::{Approval, Awaited, Kind, StepIndex};
use crate::time::Timestamp;

/// The one wait that a signal answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// The step.
    pub step: String,
    /// Its generation: done anew, it asks anew.
    pub generation: u32,
}

/// A signal that no wait has taken yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub payload: Payload,
    pub by: String,
    pub answers: Option<Answers>,
}

/// An approval that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalRequest {
    /// The step.
    pub step: StepIndex,
    /// The generation of the step that asks.
    pub generation: u32,
    /// Since when it is waited for.
    pub at: Timestamp,
    /// When it was over, and how; `None` while it is waited for.
    pub end: Option<(Timestamp, ApprovalOutcome)>,
}

/// What came of an approval that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum ApprovalOutcome {
    /// Somebody gave it, or withheld it.
    Answered {
        /// Who.
        by: String,
        /// In what words.
        payload: Payload,
    },
    /// Nobody did in time.
    TimedOut,
    /// It is not needed any more.
    CalledOff,
}

impl State {
    /// What the task of an approval asks; `None` for a step that asks for none.
    pub fn asks(&self, index: StepIndex) -> Option<&Approval> {
        match &self.plan.step(index).kind {
            Kind::Wait(wait) => wait.asks.as_deref(),
            _ => None,
        }
    }

    /// The approval that a step of this name is asking for.
    pub fn open_approval(&self, step: &str) -> Option<&ApprovalRequest> {
        let index = self.plan.find(step)?;
        self.approvals.iter().rfind(|request| request.step == index && request.end.is_none())
    }

    /// The approval that a step asked for in a generation.
    pub fn approval(&self, answers: &Answers) -> Option<&ApprovalRequest> {
        let index = self.plan.find(&answers.step)?;
        let asked = |request: &&ApprovalRequest| {
            request.step == index && request.generation == answers.generation
        };
        self.approvals.iter().rfind(asked)
    }

    /// A wait for an approval has begun.
    pub(super) fn ask_approval(&mut self, index: StepIndex, at: Timestamp) {
        if self.asks(index).is_some() {
            let generation = self.step(index).generation;
            self.approvals.push(ApprovalRequest { step: index, generation, at, end: None });
        }
    }

    /// A wait is over; `took` is the signal that ended it.
    pub(super) fn end_approval(
        &mut self,
        index: StepIndex,
        at: Timestamp,
        (status, took): (StepStatus, Option<Kept>),
    ) {
        let mut open = self.approvals.iter_mut().rev();
        let open = open.find(|request| request.step == index && request.end.is_none());
        let Some(request) = open else { return };
        let outcome = match (took, status) {
            (Some(Kept { by, payload, answers: _ }), _) => {
                ApprovalOutcome::Answered { by, payload }
            }
            (None, StepStatus::Succeeded | StepStatus::Failed | StepStatus::Skipped) => {
                ApprovalOutcome::TimedOut
            }
            (None, _) => ApprovalOutcome::CalledOff,
        };
        request.end = Some((at, outcome));
    }

    /// The oldest signal of this name that some wait may take, and the first wait that may.
    pub(super) fn next_answered(&self, name: &str) -> Option<(StepIndex, Payload)> {
        let waits = |index: &&StepIndex| {
            let wait = self.step(**index).wait.as_ref();
            wait.and_then(|wait| wait.signal.as_deref()) == Some(name)
        };
        self.signals.get(name)?.iter().find_map(|kept| {
            let mut waiting = self.waiting.iter().filter(waits);
            let index = waiting.find(|index| self.may_take(**index, kept))?;
            Some((*index, kept.payload.clone()))
        })
    }

    /// Takes the signal that ends the wait of a step.
    pub(super) fn take_signal(&mut self, index: StepIndex, name: &str) -> Option<Kept> {
        let place = self.signals.get(name)?.iter().position(|kept| self.may_take(index, kept))?;
        self.signals.get_mut(name)?.remove(place)
    }

    /// A signal for one wait is no other's; a guarded approval takes no signal that nobody checked.
    fn may_take(&self, index: StepIndex, kept: &Kept) -> bool {
        match &kept.answers {
            Some(Answers { step, generation }) => {
                self.plan.step(index).name == *step && self.step(index).generation == *generation
            }
            None => !self.is_guarded(index),
        }
    }

    /// Whether only its task gives the approval of a step.
    pub(super) fn is_guarded(&self, index: StepIndex) -> bool {
        self.asks(index).is_some_and(Approval::is_guarded)
    }

    /// What the completion of a task would do now.
    pub(super) fn applies_answer(&self, name: &str, answers: &Answers) -> Applies {
        let index = self.plan.find(&answers.step);
        let waits = index.filter(|index| match &self.plan.step(*index).kind {
            Kind::Wait(wait) => matches!(&wait.of, Awaited::Approval(of) if of == name),
            _ => false,
        });
        let Some(index) = waits else {
            let message = format!("step `{}` waits for no approval `{name}`", answers.step);
            return refuse("signal.unknown", message);
        };
        let step = self.step(index);
        if step.wait.is_some() && step.generation == answers.generation {
            return Applies::Yes;
        }
        let message = format!("step `{}` does not wait for this approval any more", answers.step);
        refuse("signal.not_awaited", message)
    }
}
