//! What the events of an execution come to. Only [`State::apply`] changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::approvals::Kept;
use super::work::MapState;
use super::{
    ApprovalRequest, Fault, Figures, Part, PauseReason, Started, Status, StepState, Unit, Work,
};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::{Kind, Plan, StepIndex};
use crate::time::{Millis, Timestamp};

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
    /// Why it is paused.
    pub paused: Option<PauseReason>,
    /// How it will end, once what was done is undone.
    pub unwinding: Option<(Status, Option<Fault>)>,
    /// What it came to, once it has ended.
    pub(super) figures: Option<Figures>,
    /// When it is given up: for being active, or, while it waits or is paused, for that.
    pub deadline_at: Timestamp,
    /// The most that it may cost.
    pub budget: Option<MicroUsd>,
    /// What was spent, estimates included.
    pub spent: MicroUsd,
    /// What is kept back for attempts in flight.
    pub reserved: MicroUsd,
    /// What is kept back for undoing what succeeded.
    pub(super) kept: MicroUsd,
    /// Whether, since steps were done anew, less is left than that.
    pub(super) short: bool,
    /// Whether some of what was spent is an estimate.
    pub cost_estimated: bool,
    /// Whether two steps were in flight at the same time.
    pub overlapped: bool,
    /// When it last became active, and how long it had been active before.
    pub(super) clock: Clock,
    /// The last fence that was given out.
    pub(super) fence: Fence,
    /// Attempts in flight.
    pub(super) in_flight: BTreeMap<Fence, Unit>,
    /// Attempts in flight whose results come by themselves.
    pub(super) handed_over: usize,
    /// When attempts in flight are given up.
    pub(super) attempt_deadlines: BTreeSet<(Timestamp, Fence)>,
    /// When units that have begun are given up.
    pub(super) unit_deadlines: BTreeSet<(Timestamp, Unit)>,
    /// When steps that could start, and have not, are given up.
    pub(super) queue_deadlines: BTreeSet<(Timestamp, StepIndex)>,
    /// Units whose next attempt is due at a moment.
    pub(super) retrying: BTreeSet<(Timestamp, Unit)>,
    /// Waits that are over, or given up, at a moment.
    pub(super) waits: BTreeSet<(Timestamp, StepIndex)>,
    /// Waits that have begun.
    pub(super) waiting: BTreeSet<StepIndex>,
    /// Steps that could start, by order.
    pub(super) ready: BTreeSet<(i64, StepIndex)>,
    /// Maps that have elements to begin.
    pub(super) open_maps: BTreeSet<(i64, StepIndex)>,
    /// Steps that are in progress, waits aside.
    pub(super) busy: usize,
    /// Steps that are not settled.
    pub(super) unsettled: usize,
    /// Whether some step of the plan starts before all that it depends on is settled.
    pub(super) partial_joins: bool,
    /// How many steps have succeeded so far, in any generation.
    pub(super) completions: u64,
    /// Signals that nobody has waited for yet.
    pub(super) signals: BTreeMap<String, VecDeque<Kept>>,
    /// Approvals that were asked for, in the order in which they were.
    pub approvals: Vec<ApprovalRequest>,
    /// Reservations of attempts whose answer is unknown: counted as spent until it comes.
    pub(super) unknown: BTreeMap<Fence, (Unit, MicroUsd)>,
    /// `data` before any step wrote into it.
    pub(super) initial: BTreeMap<String, Arc<Value>>,
    /// Who wrote each key of `data`, in plan order.
    pub(super) writers: BTreeMap<String, BTreeSet<StepIndex>>,
}

/// Counts the time that an execution is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Since when it is as it is: active, or not.
    pub since: Timestamp,
    /// How long it had been active before.
    pub before: Millis,
    /// Whether it is active.
    pub runs: bool,
}

impl State {
    /// The state before anything was done: the fold of the first event alone.
    pub(super) fn new(started: Arc<Started>, plan: Arc<Plan>) -> Self {
        let steps = plan.steps.iter().map(|step| {
            StepState::new(u32::try_from(step.dependencies.len()).expect("at most STEPS_MAX"))
        });
        let mut state = Self {
            status: Status::Running,
            unsettled: plan.steps.len(),
            steps: steps.collect(),
            finished_at: None,
            fault: None,
            paused: None,
            unwinding: None,
            figures: None,
            deadline_at: started.at.plus(started.terms.deadline),
            budget: started.terms.budget,
            spent: MicroUsd::ZERO,
            reserved: MicroUsd::ZERO,
            kept: MicroUsd::ZERO,
            short: false,
            cost_estimated: false,
            overlapped: false,
            clock: Clock { since: started.at, before: Millis::ZERO, runs: true },
            fence: Fence::default(),
            in_flight: BTreeMap::new(),
            handed_over: 0,
            attempt_deadlines: BTreeSet::new(),
            unit_deadlines: BTreeSet::new(),
            queue_deadlines: BTreeSet::new(),
            retrying: BTreeSet::new(),
            waits: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ready: BTreeSet::new(),
            open_maps: BTreeSet::new(),
            busy: 0,
            partial_joins: Self::joins_early(&plan),
            completions: 0,
            signals: BTreeMap::new(),
            approvals: Vec::new(),
            unknown: BTreeMap::new(),
            initial: initial_data(&started.request),
            writers: BTreeMap::new(),
            started,
            plan,
        };
        for index in state.plan.indices() {
            if state.step(index).waits_for == 0 {
                state.make_ready(index, state.started.at);
            }
        }
        state
    }

    /// The step at `index`.
    pub fn step(&self, index: StepIndex) -> &StepState {
        &self.steps[index.position()]
    }

    /// A unit of work; `None` where the map has no such element, or nothing is undone.
    pub fn work(&self, unit: Unit) -> Option<&Work> {
        let step = self.step(unit.step);
        match unit.part {
            Part::Whole => Some(&step.work),
            Part::Element(at) => step.map.as_ref()?.elements.get(at as usize),
            Part::Undo => step.undo.as_deref(),
        }
    }

    pub(super) fn work_mut(&mut self, unit: Unit) -> Option<&mut Work> {
        let step = &mut self.steps[unit.step.position()];
        match unit.part {
            Part::Whole => Some(&mut step.work),
            Part::Element(at) => step.map.as_mut()?.elements.get_mut(at as usize),
            Part::Undo => step.undo.as_deref_mut(),
        }
    }

    pub(super) fn map_mut(&mut self, step: StepIndex) -> Option<&mut MapState> {
        self.steps[step.position()].map.as_deref_mut()
    }

    /// Attempts in flight: the fence that each result must carry, and its unit.
    pub fn in_flight(&self) -> impl Iterator<Item = (Fence, Unit)> + '_ {
        self.in_flight.iter().map(|(fence, unit)| (*fence, *unit))
    }

    /// The last fence that was given out.
    pub fn last_fence(&self) -> Fence {
        self.fence
    }

    /// The attempt in flight with this fence, and its unit.
    pub fn attempt(&self, fence: Fence) -> Option<(Unit, &super::Attempt)> {
        let unit = *self.in_flight.get(&fence)?;
        Some((unit, self.work(unit)?.attempt.as_ref()?))
    }

    /// Attempts in flight that somebody must be there for.
    pub fn connected(&self) -> usize {
        self.in_flight.len() - self.handed_over
    }

    /// Whether a signal, a callback or the end of another execution may come.
    pub fn awaits_somebody(&self) -> bool {
        self.handed_over > 0 || !self.waiting.is_empty()
    }

    /// Whether the attempt with this fence is in flight.
    pub fn is_in_flight(&self, fence: Fence) -> bool {
        self.in_flight.contains_key(&fence)
    }

    /// Executions that attempts in flight are, with the fences that their results carry.
    pub fn children(&self) -> impl Iterator<Item = (Fence, &ExecutionId)> + '_ {
        let child = |(fence, unit): (&Fence, &Unit)| {
            Some((*fence, self.work(*unit)?.attempt.as_ref()?.child.as_ref()?))
        };
        self.in_flight.iter().filter_map(child)
    }

    /// Executions that steps began and that are not needed any more.
    pub fn abandoned_children(&self) -> Vec<ExecutionId> {
        let called_off = |step: &&StepState| {
            let unneeded = step.status == super::StepStatus::Cancelled;
            let given_up = step.status.is_settled()
                && step.attempt.is_none()
                && step.fault.as_ref().is_some_and(Fault::is_unanswered);
            unneeded || given_up || self.unwinding.is_some() && step.attempt.is_some()
        };
        self.steps.iter().filter(called_off).filter_map(|step| step.child.clone()).collect()
    }

    /// Whether the terms leave a place for one more step besides those in progress. One step may
    /// always be in progress.
    pub(super) fn may_begin(&self) -> bool {
        self.busy < self.started.terms.parallelism.max(1) as usize
    }

    /// How many elements of a map may begin besides those that are in progress.
    pub(super) fn places_for_elements(&self, step: StepIndex) -> usize {
        let (Kind::Map(each), Some(map)) = (&self.plan.step(step).kind, &self.step(step).map)
        else {
            return 0;
        };
        let one = (self.started.terms.parallelism <= 1).then_some(1);
        let most = one.or(each.concurrency).unwrap_or(u32::MAX);
        most.saturating_sub(map.busy) as usize
    }

    /// The next moment at which time alone changes something; `None` when it never does.
    pub fn next_timer(&self, now: Timestamp) -> Option<Timestamp> {
        if self.status.is_final() {
            return None;
        }
        let attempt = self.attempt_deadlines.first().map(|(at, _)| *at);
        let own = [attempt, Some(self.deadline_at)];
        if self.paused.is_some() {
            return own.into_iter().flatten().min();
        }
        let retry = self.retrying.iter().map(|(at, _)| *at).find(|at| *at > now);
        let unit = self.unit_deadlines.first().map(|(at, _)| *at);
        let queue = self.queue_deadlines.first().map(|(at, _)| *at);
        let wait = self.waits.first().map(|(at, _)| *at);
        own.into_iter().chain([retry, unit, queue, wait]).flatten().min()
    }

    /// How long it has been active.
    pub fn active(&self, now: Timestamp) -> Millis {
        let until = self.finished_at.unwrap_or(now);
        let running = if self.clock.runs { until.since(self.clock.since) } else { Millis::ZERO };
        self.clock.before.plus(running)
    }

    /// Since when it waits or is paused.
    pub fn idle_since(&self) -> Option<Timestamp> {
        (!self.clock.runs).then_some(self.clock.since)
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
