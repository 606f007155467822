//! Whether a message applies to an execution as it stands: said to whoever sends it, before it is
//! stored, and asked again by the driver that meets it.

use super::{Message, Part, PauseReason, State, Status, StepStatus, Unit};
use crate::ids::Fence;
use crate::money::MicroUsd;
use crate::plan::{Kind, StepIndex};

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// What is in the way, and what would help.
    pub message: String,
}

/// What a message would do to an execution as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applies {
    /// It changes something.
    Yes,
    /// What it asks for is so already.
    Already,
    /// It does not fit.
    Refused(Refusal),
}

pub(super) fn refuse(code: &'static str, message: impl Into<String>) -> Applies {
    Applies::Refused(Refusal { code, message: message.into() })
}

impl State {
    /// What `message` would do now.
    pub fn applies(&self, message: &Message) -> Applies {
        match message {
            Message::Cancel { .. } => self.applies_cancel(),
            Message::Kill { .. } => match self.status {
                Status::Cancelled => Applies::Already,
                status if status.is_final() => self.has_ended(),
                _ => Applies::Yes,
            },
            Message::Pause { .. } => self.applies_pause(),
            Message::Resume { budget, .. } => self.applies_resume(*budget),
            Message::Retry { .. } => self.applies_retry(),
            Message::Rerun { step, input, .. } => self.applies_rerun(step, input.is_some()),
            Message::Signal { name, answers, .. } if !self.status.is_final() => match answers {
                Some(answers) => self.applies_answer(name, answers),
                None => self.applies_signal(name),
            },
            Message::Completed { fence, .. } if !self.status.is_final() => {
                self.applies_completion(*fence)
            }
            Message::Heartbeat { fence, .. } if !self.status.is_final() => {
                match self.attempt(*fence) {
                    Some((_, attempt)) if attempt.child.is_none() => Applies::Yes,
                    _ => self.stale(*fence),
                }
            }
            Message::Signal { .. } | Message::Completed { .. } | Message::Heartbeat { .. } => {
                self.has_ended()
            }
            Message::ChildEnded { .. } if self.status.is_final() => Applies::Already,
            Message::ChildEnded { .. } => Applies::Yes,
            Message::ParentEnded { .. } => match self.applies_cancel() {
                Applies::Refused(_) => Applies::Already,
                applies => applies,
            },
        }
    }

    fn has_ended(&self) -> Applies {
        let status = self.status.as_str();
        refuse("execution.ended", format!("the execution has ended: it is {status}"))
    }

    fn applies_cancel(&self) -> Applies {
        match (&self.unwinding, self.status) {
            (_, Status::Cancelled) | (Some((Status::Cancelled, _)), _) => Applies::Already,
            (Some(_), _) => refuse(
                "execution.ending",
                "the execution has failed and is undoing what it did; kill it to stop that",
            ),
            (None, status) if status.is_final() => self.has_ended(),
            (None, _) => Applies::Yes,
        }
    }

    fn applies_pause(&self) -> Applies {
        if self.status.is_final() {
            return self.has_ended();
        }
        match (&self.paused, &self.unwinding) {
            (Some(_), _) => Applies::Already,
            (None, Some(_)) => refuse(
                "execution.ending",
                "the execution is undoing what it did: that is not interrupted",
            ),
            (None, None) => Applies::Yes,
        }
    }

    fn applies_resume(&self, budget: Option<MicroUsd>) -> Applies {
        if self.status.is_final() {
            return self.has_ended();
        }
        if let (Some(wanted), Some(limit)) = (budget, self.budget)
            && wanted < limit
        {
            return refuse(
                "budget.not_raised",
                format!("the limit is {limit}: it can be raised, not lowered to {wanted}"),
            );
        }
        let raises = budget.is_some();
        if raises && self.started.parent.is_some() {
            return refuse(
                "budget.of_parent",
                "a sub-execution spends its share of its parent's budget: to give it more, cancel \
                 it, raise the parent's and rerun the step",
            );
        }
        match &self.paused {
            None if raises => Applies::Yes,
            None => Applies::Already,
            Some(PauseReason::Failure { step }) => refuse(
                "execution.parked_on_failure",
                format!("step `{step}` failed: retry it, rerun it, or cancel the execution"),
            ),
            Some(PauseReason::Budget { step, needed, .. })
                if !raises && !self.can_afford(*needed) =>
            {
                refuse(
                    "budget.exhausted",
                    format!("step `{step}` needs {needed}: resume with a higher budget_limit"),
                )
            }
            Some(PauseReason::Budget { .. } | PauseReason::Asked) => Applies::Yes,
        }
    }

    fn applies_retry(&self) -> Applies {
        let settled = self.status.is_final() || self.paused.is_some();
        if !settled {
            return refuse(
                "execution.in_progress",
                "the execution is in progress; what failed is retried when it has ended or parked",
            );
        }
        if let Some(refused) = self.is_settled_with_parent() {
            return refused;
        }
        let cut = |status| matches!(status, StepStatus::Cancelled | StepStatus::Compensated);
        let some = self.steps.iter().any(|step| {
            let cut = self.status.is_final() && cut(step.status) && !step.needless;
            step.status == StepStatus::Failed || cut
        });
        match some {
            false => {
                refuse("execution.nothing_failed", "no step failed: there is nothing to retry")
            }
            true if self.are_in_flight(&self.to_be_reset(&self.failed_units(), false)) => {
                self.still_in_flight()
            }
            true => Applies::Yes,
        }
    }

    /// What a sub-execution came to, and cost, its parent has taken: more would count nowhere.
    fn is_settled_with_parent(&self) -> Option<Applies> {
        let parent = self.started.parent.as_ref().filter(|_| self.status.is_final())?;
        Some(refuse(
            "execution.of_parent",
            format!("it was begun by {}: rerun its step `{}`", parent.id, parent.step),
        ))
    }

    fn applies_rerun(&self, path: &str, edited: bool) -> Applies {
        let Some(unit) = self.plan.find_unit(path).filter(|unit| unit.part != Part::Undo) else {
            return refuse("step.unknown", format!("the template has no step `{path}`"));
        };
        if self.work(unit).is_none() {
            return refuse("step.unknown", format!("the map has no element `{path}`"));
        }
        if !self.status.is_final() && self.paused.is_none() {
            return refuse(
                "execution.in_progress",
                "the execution is in progress: pause it, or wait for its end, to do a step anew",
            );
        }
        if let Some(refused) = self.is_settled_with_parent() {
            return refused;
        }
        let planned = self.plan.step(unit.step);
        let takes_input = match planned.kind {
            Kind::Worker(_) | Kind::Tool(_) | Kind::Transform | Kind::Pipeline(_) => true,
            Kind::Map(_) => unit.part != Part::Whole,
            Kind::Wait(_) => false,
        };
        if edited && !takes_input {
            return refuse(
                "step.takes_no_input",
                format!("step `{path}` takes no input that could be edited"),
            );
        }
        let open = planned.dependencies.iter().find(|on| !self.step(**on).status.is_settled());
        if let Some(open) = open {
            let name = &self.plan.step(*open).name;
            return refuse("step.not_reached", format!("step `{path}` waits for `{name}`"));
        }
        if unit.part != Part::Whole && self.step(unit.step).status == StepStatus::Compensated {
            let name = &planned.name;
            return refuse(
                "step.compensated",
                format!("step `{name}` was undone as a whole: rerun `{name}`"),
            );
        }
        match self.are_in_flight(&self.to_be_reset(&[unit], true)) {
            true => self.still_in_flight(),
            false => Applies::Yes,
        }
    }

    fn are_in_flight(&self, units: &[Unit]) -> bool {
        let in_flight = |unit: &Unit| self.in_flight.values().any(|other| other.step == unit.step);
        units.iter().any(in_flight)
    }

    fn still_in_flight(&self) -> Applies {
        refuse(
            "step.in_flight",
            "an attempt of a step that would be done anew is in flight: ask again when it is over",
        )
    }

    fn applies_signal(&self, name: &str) -> Applies {
        let awaits = |step: &crate::plan::Step| match &step.kind {
            Kind::Wait(wait) => wait.of.signal() == Some(name),
            Kind::Worker(_)
            | Kind::Tool(_)
            | Kind::Transform
            | Kind::Map(_)
            | Kind::Pipeline(_) => false,
        };
        let waits = self.plan.indices().filter(|index| awaits(self.plan.step(*index)));
        let waits: Vec<StepIndex> = waits.collect();
        let is_open = |index: &&StepIndex| !self.step(**index).status.is_settled();
        let open: Vec<StepIndex> = waits.iter().filter(is_open).copied().collect();
        let takes = open.iter().find(|index| !self.is_guarded(**index));
        match (waits.first(), takes, open.first()) {
            (None, ..) => refuse(
                "signal.unknown",
                format!("no step of the template waits for a signal `{name}`"),
            ),
            (Some(_), Some(_), _) => Applies::Yes,
            (Some(_), None, Some(guarded)) => {
                let step = &self.plan.step(*guarded).name;
                let message = format!(
                    "step `{step}` says who may approve it, or how: complete the task that it opens"
                );
                refuse("approval.by_task", message)
            }
            (Some(_), None, None) => refuse(
                "signal.not_awaited",
                format!("what waited for the signal `{name}` has come to its end"),
            ),
        }
    }

    fn applies_completion(&self, fence: Fence) -> Applies {
        match self.attempt(fence) {
            // The outcome of an execution is nobody's to report.
            Some((_, attempt)) if attempt.child.is_some() => self.stale(fence),
            None if !self.awaits_cost_of(fence) => self.stale(fence),
            Some(_) | None => Applies::Yes,
        }
    }

    fn stale(&self, fence: Fence) -> Applies {
        refuse(
            "fence.stale",
            format!(
                "fence {fence} is not that of an attempt in flight: another one may do the step"
            ),
        )
    }
}

impl crate::plan::Awaited {
    /// The signal that is waited for.
    pub fn signal(&self) -> Option<&str> {
        match self {
            Self::Signal(name) | Self::Approval(name) => Some(name),
            Self::Delay(_) | Self::Until(_) => None,
        }
    }
}
