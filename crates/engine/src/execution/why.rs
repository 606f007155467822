//! Why an execution is not moving: for each unfinished step what it waits for.

use std::fmt;

use super::{State, StepStatus};
use crate::ids::Fence;
use crate::time::Timestamp;

/// An unfinished step and what holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The step's path.
    pub step: String,
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
    /// The moment of its next attempt.
    Retry,
    /// As many steps as the terms allow are in progress.
    Parallelism,
    /// The budget: what is kept back for others must come free first.
    Budget,
    /// A driver with a free slot and enough lifetime.
    Driver,
}

impl Blocker {
    /// The word in replies.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dependencies(_) => "dependency",
            Self::Answer(_) => "answer",
            Self::Retry => "timer",
            Self::Parallelism => "parallelism",
            Self::Budget => "budget",
            Self::Driver => "lease",
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependencies(names) => write!(f, "waits for {}", names.join(", ")),
            Self::Answer(_) => f.write_str("waits for its worker's answer"),
            Self::Retry => f.write_str("waits for its next attempt"),
            Self::Parallelism => f.write_str("waits until fewer steps are in progress"),
            Self::Budget => f.write_str("waits for money that is kept back for others"),
            Self::Driver => f.write_str("waits for a driver"),
        }
    }
}

impl State {
    /// What holds each unfinished step, in plan order.
    pub fn why(&self, now: Timestamp) -> Vec<Blocked> {
        let mut blocked = Vec::new();
        for (index, step) in self.plan.indices().zip(&self.steps) {
            let planned = self.plan.step(index);
            let (by, next_at) = match step.status {
                StepStatus::Pending => {
                    let open = planned.dependencies.iter();
                    let open = open.filter(|on| !self.step(**on).status.is_settled());
                    let names = open.map(|on| self.plan.step(*on).name.clone()).collect();
                    (Blocker::Dependencies(names), None)
                }
                StepStatus::Running => match &step.attempt {
                    Some(attempt) => (Blocker::Answer(attempt.fence), Some(attempt.deadline_at)),
                    None => (Blocker::Driver, None),
                },
                StepStatus::Retrying if step.retry_at.is_some_and(|at| at > now) => {
                    (Blocker::Retry, step.retry_at)
                }
                StepStatus::Ready | StepStatus::Retrying | StepStatus::Waiting => {
                    (self.holds_back(planned.reservation(step.fallback), step.status), None)
                }
                StepStatus::Succeeded
                | StepStatus::Skipped
                | StepStatus::Failed
                | StepStatus::Cancelled
                | StepStatus::Compensated => continue,
            };
            blocked.push(Blocked { step: planned.name.clone(), by, next_at });
        }
        blocked
    }

    fn holds_back(&self, reservation: crate::money::MicroUsd, status: StepStatus) -> Blocker {
        if status == StepStatus::Ready && !self.may_begin() {
            Blocker::Parallelism
        } else if !self.can_afford(reservation) {
            Blocker::Budget
        } else {
            Blocker::Driver
        }
    }
}
