//! What can start now. A step is considered the moment that its dependencies are settled; a slow
//! sibling never holds back an unrelated branch.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::advance::Deciding;
use super::{Event, Fault, FaultKind, Payload, SkipReason, State, Status, StepStatus};
use crate::money::MicroUsd;
use crate::plan::{Kind, Step, StepIndex, Target};
use crate::time::Timestamp;

/// Whether a step moved on, or must wait.
enum Considered {
    Moved,
    Waits,
}

impl Deciding<'_> {
    /// Starts, skips and settles until nothing more can be done now; then perhaps ends.
    pub(super) fn schedule(&mut self) {
        while !self.state.status.is_final() {
            let mut moved = false;
            for index in self.candidates() {
                let free = !self.state.step(index).status.is_settled();
                if free && !self.state.status.is_final() {
                    moved |= matches!(self.consider(index), Considered::Moved);
                }
            }
            if !moved {
                break;
            }
        }
        if self.state.status.is_final() {
            return;
        }
        if self.state.unsettled == 0 {
            self.end();
        } else if self.state.in_flight.is_empty() {
            self.end_if_unaffordable();
        }
    }

    /// Retries that are due, then steps that are ready, in their order.
    fn candidates(&self) -> Vec<StepIndex> {
        let now = self.context.now;
        let due = self.state.retrying.iter().take_while(|(at, _)| *at <= now).map(|(_, i)| *i);
        due.chain(self.state.ready.iter().map(|(_, index)| *index)).collect()
    }

    fn consider(&mut self, index: StepIndex) -> Considered {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        if self.state.step(index).status == StepStatus::Retrying {
            return self.attempt(index, planned);
        }
        if let Some(reason) = self.reason_to_skip(index, planned) {
            let (step, at) = (planned.name.clone(), self.context.now);
            self.emit(Event::StepSkipped { step, at, reason });
            return Considered::Moved;
        }
        match planned.condition.as_ref().map(|c| c.eval(&self.state.view(index).scope())) {
            Some(Ok(false)) => {
                let (step, at) = (planned.name.clone(), self.context.now);
                let reason = SkipReason::Condition;
                self.emit(Event::StepSkipped { step, at, reason });
                return Considered::Moved;
            }
            Some(Err(error)) => {
                let message = format!("step `{}`, condition: {error}", planned.name);
                let fault = Fault::new(FaultKind::Expression, error.code(), message);
                self.step_failed(index, fault);
                return Considered::Moved;
            }
            Some(Ok(true)) | None => {}
        }
        match &planned.kind {
            Kind::Transform => self.transform(index, planned),
            Kind::Worker(_) => self.attempt(index, planned),
            Kind::Map(_) | Kind::Wait(_) | Kind::Pipeline(_) => Considered::Waits,
        }
    }

    /// A dependency that failed takes its dependents with it, and so does one that was left out
    /// for that reason; one that was left out for any other reason counts as done.
    fn reason_to_skip(&self, index: StepIndex, planned: &Step) -> Option<SkipReason> {
        debug_assert_eq!(self.state.step(index).waits_for, 0);
        for dependency in &planned.required {
            let state = self.state.step(*dependency);
            let failed = state.status == StepStatus::Failed;
            if failed || matches!(state.skipped, Some(SkipReason::Dependency { .. })) {
                let step = self.state.plan.step(*dependency).name.clone();
                return Some(SkipReason::Dependency { step });
            }
        }
        let left_out = planned.optional && self.state.started.terms.skip_optional;
        left_out.then_some(SkipReason::Strategy)
    }

    fn transform(&mut self, index: StepIndex, planned: &Step) -> Considered {
        let output = match self.state.body(index, &Map::new()) {
            Ok(value) => Payload::inline(value),
            Err(fault) => {
                self.step_failed(index, fault);
                return Considered::Moved;
            }
        };
        if let Err(fault) = self.check_output(index, &output) {
            self.step_failed(index, fault);
            return Considered::Moved;
        }
        self.emit(Event::StepSucceeded {
            step: planned.name.clone(),
            fence: None,
            at: self.context.now,
            output,
            cost: MicroUsd::ZERO,
            estimated: false,
        });
        Considered::Moved
    }

    fn attempt(&mut self, index: StepIndex, planned: &Step) -> Considered {
        let step = self.state.step(index);
        let target = planned.target(step.fallback).expect("a worker step has its targets");
        let (attempt, generation, fallback) = (step.attempts + 1, step.generation, step.fallback);
        let deadline_at = self.state.attempt_deadline(index, target, self.context.now);
        if !self.has_place(index) || deadline_at > self.context.latest_end {
            return Considered::Waits;
        }
        if let Err(fault) = self.state.body(index, &target.defaults) {
            self.step_failed(index, fault);
            return Considered::Moved;
        }
        let reserved = target.estimated_cost.unwrap_or_default();
        if !self.state.can_afford(reserved) {
            return Considered::Waits;
        }
        self.emit(Event::AttemptStarted {
            step: planned.name.clone(),
            generation,
            attempt,
            fence: self.state.fence.next(),
            at: self.context.now,
            deadline_at,
            reserved,
            fallback,
        });
        Considered::Moved
    }

    fn has_place(&self, index: StepIndex) -> bool {
        let started = self.events_started();
        let retries = self.state.step(index).status == StepStatus::Retrying;
        let may_begin = retries || self.state.may_begin();
        started < self.context.slots as usize && may_begin
    }

    /// With nothing in flight and no retry to come, what the budget cannot cover it never
    /// can. A step that only lacks a slot or time starts under the next driver.
    fn end_if_unaffordable(&mut self) {
        let now = self.context.now;
        let retry_to_come = self.state.retrying.last().is_some_and(|(at, _)| *at > now);
        if retry_to_come || self.state.has_startable(now) {
            return;
        }
        let Some(index) = self.candidates().into_iter().find(|index| {
            let planned = self.state.plan.step(*index);
            !self.state.can_afford(planned.reservation(self.state.step(*index).fallback))
        }) else {
            return;
        };
        let state = &self.state;
        let planned = state.plan.step(index);
        let message = format!(
            "step `{}` needs {}, and {} of the budget of {} are spent",
            planned.name,
            planned.reservation(state.step(index).fallback),
            state.spent,
            state.started.terms.budget.unwrap_or_default(),
        );
        let fault = Fault::new(FaultKind::Limit, "budget.exhausted", message);
        let status = self.status_of_what_is_settled();
        self.finish(status, Some(fault));
    }

    fn end(&mut self) {
        let failed = self.state.steps.iter().any(|step| step.status == StepStatus::Failed);
        if failed {
            let fault = self.state.steps.iter().find(|step| step.status == StepStatus::Failed);
            let fault = fault.and_then(|step| step.fault.clone());
            let status = self.status_of_what_is_settled();
            return self.finish(status, fault);
        }
        match self.state.result() {
            Ok(_) => self.finish(Status::Completed, None),
            Err(fault) => self.finish(Status::Failed, Some(fault)),
        }
    }

    /// A template that tolerates failures ends `partial` with whatever succeeded.
    pub(super) fn status_of_what_is_settled(&self) -> Status {
        let tolerant = matches!(
            self.state.plan.failure_tolerance,
            crate::plan::definition::FailureTolerance::Partial
        );
        let some = self.state.steps.iter().any(|step| step.status == StepStatus::Succeeded);
        if tolerant && some { Status::Partial } else { Status::Failed }
    }
}

impl State {
    /// What the step at `index` sends or produces: its mapping over what it sees, or all that it
    /// sees where it has none; `defaults` stand in for what is missing.
    pub(super) fn body(
        &self,
        index: StepIndex,
        defaults: &Map<String, Value>,
    ) -> Result<Value, Fault> {
        let planned = self.plan.step(index);
        let view = self.view(index);
        let mut body = match &planned.input {
            None => view.data(),
            Some(mapping) => mapping.eval(&view.scope()).map_err(|error| {
                let message = format!("step `{}`, input_mapping: {error}", planned.name);
                Fault::new(FaultKind::Expression, error.code(), message)
            })?,
        };
        if let Value::Object(fields) = &mut body {
            for (key, value) in defaults {
                fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(body)
    }

    /// The execution's result: its output mapping, or the whole of `data`.
    pub fn result(&self) -> Result<Value, Fault> {
        let view = self.view_of_all();
        match &self.plan.output {
            None => Ok(view.data()),
            Some(mapping) => mapping.eval(&view.scope()).map_err(|error| {
                let message = format!("the template's output_mapping: {error}");
                Fault::new(FaultKind::Expression, error.code(), message)
            }),
        }
    }

    /// When an attempt that starts now is given up: its own time-out, and no later than the
    /// step's total deadline and the execution's.
    fn attempt_deadline(&self, index: StepIndex, target: &Target, now: Timestamp) -> Timestamp {
        let longest = self.started.terms.attempt_timeout;
        let own = now.plus(target.timeout.map_or(longest, |timeout| timeout.min(longest)));
        let total = self.plan.step(index).retry.total_deadline;
        let begun = self.step(index).started_at.unwrap_or(now);
        let step = total.map_or(self.deadline_at, |total| begun.plus(total));
        own.min(step).min(self.deadline_at)
    }

    /// Whether `more` fits in what is neither spent nor kept back.
    pub(super) fn can_afford(&self, more: MicroUsd) -> bool {
        let budget = self.started.terms.budget;
        budget.is_none_or(|budget| self.spent.plus(self.reserved).plus(more) <= budget)
    }
}

impl Step {
    /// Who is asked; `None` for a step that asks nobody.
    pub fn target(&self, fallback: bool) -> Option<&Target> {
        match &self.kind {
            Kind::Transform | Kind::Wait(_) | Kind::Pipeline(_) => None,
            Kind::Map(each) if fallback => each.call.fallback.as_ref(),
            Kind::Map(each) => Some(&each.call.primary),
            Kind::Worker(call) if fallback => call.fallback.as_ref(),
            Kind::Worker(call) => Some(&call.primary),
        }
    }

    /// What is kept back for one attempt.
    pub(super) fn reservation(&self, fallback: bool) -> MicroUsd {
        self.target(fallback).and_then(|target| target.estimated_cost).unwrap_or_default()
    }
}
