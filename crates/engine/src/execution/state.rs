//! What the events of an execution come to. Only [`State::apply`] changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fault, Figures, Payload, SkipReason, Started};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::{Plan, StepIndex};
use crate::time::Timestamp;

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for, not begun.
    Pending,
    /// In progress.
    Running,
    /// Nothing can be done before a moment or a signal comes.
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

/// One try of a step that is in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// What its result must carry.
    pub fence: Fence,
    /// When it started.
    pub started_at: Timestamp,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// What is kept back for its cost.
    pub reserved: MicroUsd,
}

/// One step of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was asked for anew.
    pub generation: u32,
    /// Attempts in this generation, of both workers.
    pub attempts: u32,
    /// Attempts of the worker that is asked now.
    pub attempts_of_target: u32,
    /// The attempt in flight.
    pub attempt: Option<Attempt>,
    /// Whether the fallback worker is asked.
    pub fallback: bool,
    /// When the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// When the first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    pub finished_at: Option<Timestamp>,
    /// What it produced.
    pub output: Option<Payload>,
    /// Whose output it has, when it was not done here.
    pub reused_from: Option<ExecutionId>,
    /// The last failure.
    pub fault: Option<Fault>,
    /// Why it was left out.
    pub skipped: Option<SkipReason>,
    /// What its attempts cost.
    pub cost: MicroUsd,
    /// Whether some of that is an estimate.
    pub cost_estimated: bool,
    /// What it wrote into `data`.
    pub(super) writes: Writes,
    /// Dependencies that are not settled.
    pub(super) waits_for: u32,
}

/// What a step wrote into `data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Writes {
    #[default]
    Nothing,
    /// Each top-level field of its output.
    Fields,
    /// What its output mapping gave.
    Mapped(BTreeMap<String, Arc<Value>>),
    /// The whole output under the step's name: it is no object.
    Named,
}

/// One execution.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What it started from.
    pub started: Arc<Started>,
    /// The plan that it follows.
    pub plan: Arc<Plan>,
    /// Where it stands.
    pub status: Status,
    /// Its steps, in plan order.
    pub steps: Vec<StepState>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it did not complete.
    pub fault: Option<Fault>,
    /// What it came to, once it has ended.
    pub(super) figures: Option<Figures>,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// What was spent, estimates included.
    pub spent: MicroUsd,
    /// What is kept back for attempts in flight.
    pub reserved: MicroUsd,
    /// Whether some of what was spent is an estimate.
    pub cost_estimated: bool,
    /// Whether two steps were in flight at the same time.
    pub overlapped: bool,
    /// The last fence that was given out.
    pub(super) fence: Fence,
    /// Attempts in flight.
    pub(super) in_flight: BTreeMap<Fence, StepIndex>,
    /// When attempts in flight are given up.
    pub(super) attempt_deadlines: BTreeSet<(Timestamp, Fence)>,
    /// When steps that have begun are given up.
    pub(super) step_deadlines: BTreeSet<(Timestamp, StepIndex)>,
    /// Steps whose next attempt is due at a moment.
    pub(super) retrying: BTreeSet<(Timestamp, StepIndex)>,
    /// Steps that could start, by order.
    pub(super) ready: BTreeSet<(i64, StepIndex)>,
    /// Steps that are not settled.
    pub(super) unsettled: usize,
    /// Reservations of attempts whose answer is unknown: counted as spent until it comes.
    pub(super) unknown: BTreeMap<Fence, (StepIndex, MicroUsd)>,
    /// `data` before any step wrote into it.
    pub(super) initial: BTreeMap<String, Arc<Value>>,
    /// Who wrote each key of `data`, in plan order.
    pub(super) writers: BTreeMap<String, BTreeSet<StepIndex>>,
}

impl State {
    /// The state before anything was done: the fold of the first event alone.
    pub(super) fn new(started: Arc<Started>, plan: Arc<Plan>) -> Self {
        let mut ready = BTreeSet::new();
        let mut steps = Vec::with_capacity(plan.steps.len());
        for (index, step) in plan.indices().zip(&plan.steps) {
            let waits_for = u32::try_from(step.dependencies.len()).expect("at most STEPS_MAX");
            if waits_for == 0 {
                ready.insert((step.order, index));
            }
            steps.push(StepState::new(waits_for));
        }
        Self {
            status: Status::Running,
            unsettled: steps.len(),
            steps,
            finished_at: None,
            fault: None,
            figures: None,
            deadline_at: started.at.plus(started.terms.deadline),
            spent: MicroUsd::ZERO,
            reserved: MicroUsd::ZERO,
            cost_estimated: false,
            overlapped: false,
            fence: Fence::default(),
            in_flight: BTreeMap::new(),
            attempt_deadlines: BTreeSet::new(),
            step_deadlines: BTreeSet::new(),
            retrying: BTreeSet::new(),
            ready,
            unknown: BTreeMap::new(),
            initial: initial_data(&started.request),
            writers: BTreeMap::new(),
            started,
            plan,
        }
    }

    /// The step at `index`.
    pub fn step(&self, index: StepIndex) -> &StepState {
        &self.steps[index.position()]
    }

    /// Attempts in flight: the fence that each result must carry, and its step.
    pub fn in_flight(&self) -> impl Iterator<Item = (Fence, StepIndex)> + '_ {
        self.in_flight.iter().map(|(fence, step)| (*fence, *step))
    }

    /// Whether the attempt with this fence is in flight.
    pub fn is_in_flight(&self, fence: Fence) -> bool {
        self.in_flight.contains_key(&fence)
    }

    /// Whether the terms leave a place for one more step besides those that are in flight or
    /// between two attempts. One step may always be in progress.
    pub(super) fn may_begin(&self) -> bool {
        let places = self.started.terms.parallelism.max(1) as usize;
        self.in_flight.len() + self.retrying.len() < places
    }

    /// The next moment at which time alone changes something; `None` when it never does.
    pub fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        if self.status.is_final() {
            return None;
        }
        let retry = self.retrying.iter().map(|(at, _)| *at).find(|at| *at > now);
        let attempt = self.attempt_deadlines.first().map(|(at, _)| *at);
        let step = self.step_deadlines.first().map(|(at, _)| *at);
        [retry, attempt, step, Some(self.deadline_at)].into_iter().flatten().min()
    }

    /// Whether some step could start now if its driver had a place and time for it.
    pub fn has_startable(&self, now: Timestamp) -> bool {
        if self.status.is_final() {
            return false;
        }
        let may_begin = self.may_begin();
        let due = self.retrying.iter().take_while(|(at, _)| *at <= now).map(|(_, index)| *index);
        let ready = self.ready.iter().map(|(_, index)| *index).filter(|_| may_begin);
        due.chain(ready).any(|index| {
            self.can_afford(self.plan.step(index).reservation(self.step(index).fallback))
        })
    }
}

impl StepState {
    fn new(waits_for: u32) -> Self {
        Self {
            status: if waits_for == 0 { StepStatus::Ready } else { StepStatus::Pending },
            generation: 1,
            attempts: 0,
            attempts_of_target: 0,
            attempt: None,
            fallback: false,
            retry_at: None,
            started_at: None,
            finished_at: None,
            output: None,
            reused_from: None,
            fault: None,
            skipped: None,
            cost: MicroUsd::ZERO,
            cost_estimated: false,
            writes: Writes::Nothing,
            waits_for,
        }
    }
}

/// `data` begins as the request's `input` (where that is an object) with its `topic`.
fn initial_data(request: &Value) -> BTreeMap<String, Arc<Value>> {
    let mut data = BTreeMap::new();
    if let Some(topic) = request.get("topic").filter(|topic| !topic.is_null()) {
        data.insert("topic".to_owned(), Arc::new(topic.clone()));
    }
    if let Some(Value::Object(input)) = request.get("input") {
        for (key, value) in input {
            data.insert(key.clone(), Arc::new(value.clone()));
        }
    }
    data
}
