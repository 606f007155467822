//! Why an execution is not moving: for each unfinished step what it waits for.

use std::fmt;

use super::{HeldBy, Part, PauseReason, State, StepState, StepStatus, Unit};
use crate::ids::{ExecutionId, Fence};
use crate::plan::{Kind, StepIndex};
use crate::time::Timestamp;

/// The most elements of one map that are named.
const ELEMENTS_NAMED_MAX: usize = 20;

/// An unfinished step and what holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The step's path.
    pub step: String,
    /// Where it stands.
    pub status: StepStatus,
    /// What it waits for.
    pub by: Blocker,
    /// When it will next be tried or given up, where that is known.
    pub next_at: Option<Timestamp>,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Steps that are not settled.
    Dependencies(Vec<String>),
    /// The answer of the attempt with this fence.
    Answer(Fence),
    /// The report of a worker that has taken the attempt with this fence.
    Callback(Fence),
    /// The end of another execution.
    Child(ExecutionId),
    /// A moment.
    Timer,
    /// A signal.
    Signal(String),
    /// The moment of its next attempt.
    Retry,
    /// The gate of its worker.
    Gate(HeldBy),
    /// As many steps as the terms allow are in progress.
    Parallelism,
    /// The budget: what is kept back for others must come free first, or the limit be raised.
    Budget,
    /// Elements of its map: so many of so many are settled.
    Elements(u32, u32),
    /// Somebody must resume the execution.
    Pause(PauseReason),
    /// What was done is being undone.
    Unwinding,
    /// A driver with a free slot and enough lifetime.
    Driver,
}

impl Blocker {
    /// The word in replies.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dependencies(_) => "dependency",
            Self::Answer(_) => "answer",
            Self::Callback(_) => "callback",
            Self::Child(_) => "execution",
            Self::Timer | Self::Retry => "timer",
            Self::Signal(_) => "signal",
            Self::Gate(HeldBy::Breaker) => "breaker",
            Self::Gate(_) => "gate",
            Self::Parallelism => "parallelism",
            Self::Budget | Self::Pause(PauseReason::Budget { .. }) => "budget",
            Self::Elements(..) => "elements",
            Self::Pause(_) => "pause",
            Self::Unwinding => "compensation",
            Self::Driver => "lease",
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependencies(names) => write!(f, "waits for {}", names.join(", ")),
            Self::Answer(_) => f.write_str("waits for its worker's answer"),
            Self::Callback(_) => f.write_str("waits for its worker to report the result"),
            Self::Child(id) => write!(f, "waits for the execution {id}"),
            Self::Timer => f.write_str("waits for its moment"),
            Self::Signal(name) => write!(f, "waits for the signal `{name}`"),
            Self::Retry => f.write_str("waits for its next attempt"),
            Self::Gate(HeldBy::Concurrency) => {
                f.write_str("waits until its worker does fewer calls at once")
            }
            Self::Gate(HeldBy::Rate) => f.write_str("waits for the rate that its worker takes"),
            Self::Gate(HeldBy::Cooldown) => f.write_str("waits as its worker asked everybody to"),
            Self::Gate(HeldBy::Breaker) => {
                f.write_str("waits because its worker failed too often: its breaker is open")
            }
            Self::Parallelism => f.write_str("waits until fewer steps are in progress"),
            Self::Budget => f.write_str("waits for money that is kept back for others"),
            Self::Elements(settled, total) => {
                write!(f, "has {settled} of {total} elements settled")
            }
            Self::Pause(PauseReason::Asked) => f.write_str("waits until the execution is resumed"),
            Self::Pause(PauseReason::Budget { step, needed, spent, limit }) => write!(
                f,
                "waits for a higher budget: step `{step}` needs {needed}, {spent} of {limit} are \
                 spent"
            ),
            Self::Pause(PauseReason::Failure { step }) => {
                write!(f, "waits for an operator: step `{step}` failed")
            }
            Self::Unwinding => f.write_str("is being undone"),
            Self::Driver => f.write_str("waits for a driver"),
        }
    }
}

impl State {
    /// What holds each unfinished step, in plan order.
    pub fn why(&self, now: Timestamp) -> Vec<Blocked> {
        let mut blocked = Vec::new();
        for index in self.plan.indices() {
            let step = self.step(index);
            let begun = step.undo.as_ref().is_some_and(|undo| !undo.status.is_settled());
            let next = self.unwinding.is_some() && self.next_to_undo() == Some(index);
            if begun || next {
                blocked.push(self.blocked_unit(Unit::undo(index), now));
            }
            if step.status.is_settled() {
                continue;
            }
            blocked.push(self.blocked_unit(Unit::whole(index), now));
            blocked.extend(self.blocked_elements(index, step, now));
        }
        blocked
    }

    fn blocked_elements<'a>(
        &'a self,
        index: StepIndex,
        step: &'a StepState,
        now: Timestamp,
    ) -> impl Iterator<Item = Blocked> + 'a {
        let elements = step.map.iter().flat_map(|map| map.elements.iter().zip(0..));
        let begun = elements.filter(|(element, _)| {
            matches!(element.status, StepStatus::Running | StepStatus::Retrying)
        });
        let begun = begun.take(ELEMENTS_NAMED_MAX);
        begun.map(move |(_, at)| self.blocked_unit(Unit::element(index, at), now))
    }

    fn blocked_unit(&self, unit: Unit, now: Timestamp) -> Blocked {
        let (by, next_at) = self.blocker(unit, now);
        let status = self.work(unit).map_or(StepStatus::Pending, |work| work.status);
        Blocked { step: self.plan.path(unit), status, by, next_at }
    }

    fn blocker(&self, unit: Unit, now: Timestamp) -> (Blocker, Option<Timestamp>) {
        let planned = self.plan.step(unit.step);
        let Some(work) = self.work(unit) else { return (Blocker::Driver, None) };
        if let Some(attempt) = &work.attempt {
            let by = match &attempt.child {
                Some(child) => Blocker::Child(child.clone()),
                None if attempt.accepted => Blocker::Callback(attempt.fence),
                None => Blocker::Answer(attempt.fence),
            };
            return (by, Some(attempt.deadline_at));
        }
        if let (Some(map), Part::Whole) = (&self.step(unit.step).map, unit.part) {
            let total = u32::try_from(map.elements.len()).unwrap_or(u32::MAX);
            return (Blocker::Elements(map.settled, total), work.give_up_at);
        }
        if let (Some(wait), Part::Whole) = (&self.step(unit.step).wait, unit.part) {
            let by = wait.signal.clone().map_or(Blocker::Timer, Blocker::Signal);
            return (by, wait.until);
        }
        if work.status == StepStatus::Pending {
            let open = planned.dependencies.iter();
            let open = open.filter(|on| !self.step(**on).status.is_settled());
            let names = open.map(|on| self.plan.step(*on).name.clone()).collect();
            return (Blocker::Dependencies(names), None);
        }
        if let Some(reason) = &self.paused {
            return (Blocker::Pause(reason.clone()), None);
        }
        if self.unwinding.is_some() && unit.part != Part::Undo {
            return (Blocker::Unwinding, None);
        }
        match (work.held, work.retry_at) {
            (_, Some(at)) if at > now => (Blocker::Retry, Some(at)),
            (Some((reason, until)), _) => (Blocker::Gate(reason), Some(until)),
            (None, _) => (self.holds_back(unit, work.status), self.queue_end(unit)),
        }
    }

    fn queue_end(&self, unit: Unit) -> Option<Timestamp> {
        let ready_at = self.step(unit.step).ready_at?;
        self.plan.step(unit.step).queue_timeout.map(|timeout| ready_at.plus(timeout))
    }

    fn holds_back(&self, unit: Unit, status: StepStatus) -> Blocker {
        let planned = &self.plan.step(unit.step).kind;
        let takes_place = !matches!(planned, Kind::Wait(_) | Kind::Transform);
        let begins = status == StepStatus::Ready && unit.part == Part::Whole && takes_place;
        if begins && !self.may_begin() {
            Blocker::Parallelism
        } else if !self.affords(unit) {
            Blocker::Budget
        } else {
            Blocker::Driver
        }
    }
}
