//! Folding events into the state: the same code live and on replay. It takes no decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::Writes;
use super::{
    Attempt, Event, Fault, Payload, SkipReason, Started, State, Status, StepState, StepStatus,
};
use crate::expr::Scope;
use crate::ids::Fence;
use crate::money::MicroUsd;
use crate::plan::{Plan, StepIndex};
use crate::time::Timestamp;

/// An event that cannot follow on the state: the journal is damaged, or from another plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event `{event}` cannot follow: {why}")]
pub struct IllegalEvent {
    /// The event's type.
    pub event: &'static str,
    /// Why it does not fit.
    pub why: String,
}

fn illegal(event: &'static str, why: impl Into<String>) -> IllegalEvent {
    IllegalEvent { event, why: why.into() }
}

impl State {
    /// Replays a journal whose outputs were resolved. `plan` gives the compiled plan of a start.
    pub fn replay<E>(
        events: impl IntoIterator<Item = Event>,
        plan: impl FnOnce(&Started) -> Result<Arc<Plan>, E>,
    ) -> Result<Self, ReplayError<E>> {
        let mut events = events.into_iter();
        let Some(Event::Started(started)) = events.next() else {
            return Err(ReplayError::Illegal(illegal(
                "(first)",
                "a journal begins with its start",
            )));
        };
        let plan = plan(&started).map_err(ReplayError::Plan)?;
        let mut state = Self::new(Arc::new(*started), plan);
        for event in events {
            state.apply(&event).map_err(ReplayError::Illegal)?;
        }
        Ok(state)
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if self.status.is_final() {
            return Err(illegal("(any)", "the execution has ended"));
        }
        match event {
            Event::Started(_) => Err(illegal("started", "the execution has started already")),
            Event::AttemptStarted { step, .. } => {
                let index = self.free("attempt_started", step)?;
                self.attempt_started(index, event)
            }
            Event::AttemptFailed {
                step,
                fence,
                fault,
                cost,
                estimated,
                retry_at,
                fallback,
                ..
            } => {
                let index = self.index("attempt_failed", step)?;
                self.end_attempt("attempt_failed", index, *fence, *cost, *estimated)?;
                if fault.is_unanswered() {
                    self.unknown.insert(*fence, (index, *cost));
                }
                self.attempt_failed(index, fault, *retry_at, *fallback);
                Ok(())
            }
            Event::StepSucceeded { step, fence, at, output, cost, estimated } => {
                let index = match fence {
                    None => self.free("step_succeeded", step)?,
                    Some(fence) => {
                        let index = self.index("step_succeeded", step)?;
                        self.end_attempt("step_succeeded", index, *fence, *cost, *estimated)?;
                        index
                    }
                };
                self.succeeded(index, *at, output)
            }
            Event::StepReused { step, at, output, from } => {
                let index = self.free("step_reused", step)?;
                self.steps[index.position()].reused_from = Some(from.clone());
                self.succeeded(index, *at, output)
            }
            Event::StepFailed { step, at, fault } => {
                let index = self.free("step_failed", step)?;
                self.steps[index.position()].fault = Some(fault.clone());
                self.settle(index, *at, StepStatus::Failed);
                Ok(())
            }
            Event::StepSkipped { step, at, reason } => {
                let index = self.free("step_skipped", step)?;
                if let SkipReason::Failed { fault } = reason {
                    self.steps[index.position()].fault = Some(fault.clone());
                }
                self.steps[index.position()].skipped = Some(reason.clone());
                self.settle(index, *at, StepStatus::Skipped);
                Ok(())
            }
            Event::LateAnswer { step, fence, cost, .. } => {
                let index = self.index("late_answer", step)?;
                self.late_answer(index, *fence, *cost);
                Ok(())
            }
            Event::TakenOver { .. } => Ok(()),
            Event::Finished { status, at, fault, figures } => {
                self.finished(*status, *at, fault.as_ref());
                self.figures = Some(*figures);
                Ok(())
            }
        }
    }

    fn index(&self, event: &'static str, step: &str) -> Result<StepIndex, IllegalEvent> {
        let found = self.plan.find(step);
        found.ok_or_else(|| illegal(event, format!("the plan has no step `{step}`")))
    }

    /// A step that something may happen to: its dependencies are settled, it is not, and no attempt
    /// is in flight.
    fn free(&self, event: &'static str, step: &str) -> Result<StepIndex, IllegalEvent> {
        let index = self.index(event, step)?;
        let known = self.step(index);
        if known.status.is_settled() {
            return Err(illegal(event, format!("`{step}` is settled")));
        }
        if known.attempt.is_some() {
            return Err(illegal(event, format!("an attempt of `{step}` is in flight")));
        }
        if known.waits_for > 0 {
            return Err(illegal(event, format!("`{step}` waits for others")));
        }
        Ok(index)
    }

    fn attempt_started(&mut self, index: StepIndex, event: &Event) -> Result<(), IllegalEvent> {
        let Event::AttemptStarted {
            generation,
            attempt,
            fence,
            at,
            deadline_at,
            reserved,
            fallback,
            ..
        } = event
        else {
            return Err(illegal("attempt_started", "not an attempt"));
        };
        let known = self.step(index);
        if *generation != known.generation || *attempt != known.attempts + 1 {
            return Err(illegal("attempt_started", "the step is at another attempt"));
        }
        if *fence <= self.fence {
            return Err(illegal("attempt_started", format!("fence {fence} was given out before")));
        }
        if self.plan.step(index).target(*fallback).is_none() {
            return Err(illegal("attempt_started", "there is nobody to ask"));
        }
        let order = self.plan.step(index).order;
        let total = self.plan.step(index).retry.total_deadline;
        self.ready.remove(&(order, index));
        let step = &mut self.steps[index.position()];
        if let Some(due) = step.retry_at.take() {
            self.retrying.remove(&(due, index));
        }
        if step.started_at.is_none()
            && let Some(total) = total
        {
            self.step_deadlines.insert((at.plus(total), index));
        }
        step.status = StepStatus::Running;
        step.started_at.get_or_insert(*at);
        step.attempts = *attempt;
        step.attempts_of_target += 1;
        step.fallback = *fallback;
        step.attempt = Some(Attempt {
            fence: *fence,
            started_at: *at,
            deadline_at: *deadline_at,
            reserved: *reserved,
        });
        self.fence = *fence;
        self.in_flight.insert(*fence, index);
        self.attempt_deadlines.insert((*deadline_at, *fence));
        self.reserved = self.reserved.plus(*reserved);
        self.overlapped |= self.in_flight.len() > 1;
        Ok(())
    }

    /// Takes the attempt out of flight and turns its reservation into what it cost.
    fn end_attempt(
        &mut self,
        event: &'static str,
        index: StepIndex,
        fence: Fence,
        cost: MicroUsd,
        estimated: bool,
    ) -> Result<(), IllegalEvent> {
        let step = &mut self.steps[index.position()];
        let attempt = match step.attempt.take() {
            Some(attempt) if attempt.fence == fence => attempt,
            other => {
                step.attempt = other;
                return Err(illegal(event, format!("fence {fence} is not in flight")));
            }
        };
        step.cost = step.cost.plus(cost);
        step.cost_estimated |= estimated;
        self.in_flight.remove(&fence);
        self.attempt_deadlines.remove(&(attempt.deadline_at, fence));
        self.reserved = self.reserved.minus(attempt.reserved);
        self.spent = self.spent.plus(cost);
        self.cost_estimated |= estimated;
        Ok(())
    }

    fn attempt_failed(
        &mut self,
        index: StepIndex,
        fault: &Fault,
        retry_at: Option<Timestamp>,
        fallback: bool,
    ) {
        let step = &mut self.steps[index.position()];
        step.fault = Some(fault.clone());
        if fallback && !step.fallback {
            step.fallback = true;
            step.attempts_of_target = 0;
        }
        if let Some(due) = retry_at {
            step.status = StepStatus::Retrying;
            step.retry_at = Some(due);
            self.retrying.insert((due, index));
        }
    }

    fn succeeded(
        &mut self,
        index: StepIndex,
        at: Timestamp,
        output: &Payload,
    ) -> Result<(), IllegalEvent> {
        let writes = self.writes(index, output)?;
        match &writes {
            Writes::Nothing => {}
            Writes::Fields => {
                let fields = output.value().and_then(|value| value.as_object());
                for key in fields.into_iter().flatten().map(|(key, _)| key) {
                    note_writer(&mut self.writers, key, index);
                }
            }
            Writes::Mapped(values) => {
                for key in values.keys() {
                    note_writer(&mut self.writers, key, index);
                }
            }
            Writes::Named => note_writer(&mut self.writers, &self.plan.step(index).name, index),
        }
        let step = &mut self.steps[index.position()];
        step.started_at.get_or_insert(at);
        step.output = Some(output.clone());
        step.writes = writes;
        step.fault = None;
        self.settle(index, at, StepStatus::Succeeded);
        Ok(())
    }

    /// What an output puts into `data`. An output that was not resolved puts nothing: a state
    /// with such outputs serves for its statuses, not for decisions.
    fn writes(&self, index: StepIndex, output: &Payload) -> Result<Writes, IllegalEvent> {
        let Some(value) = output.value() else { return Ok(Writes::Nothing) };
        let step = self.plan.step(index);
        match &step.output {
            None if value.is_object() => Ok(Writes::Fields),
            None => Ok(Writes::Named),
            Some(mapping) => {
                let view = self.view(index);
                let scope = Scope { output: Some(value), ..view.scope() };
                let mapped = mapping.eval(&scope);
                let mapped =
                    mapped.map_err(|error| illegal("step_succeeded", error.to_string()))?;
                let fields = mapped.as_object().into_iter().flatten();
                let fields = fields.map(|(key, value)| (key.clone(), Arc::new(value.clone())));
                Ok(Writes::Mapped(fields.collect()))
            }
        }
    }

    /// Notes that nothing more will happen to a step, and frees what waited for it.
    fn settle(&mut self, index: StepIndex, at: Timestamp, status: StepStatus) {
        let plan = Arc::clone(&self.plan);
        let planned = plan.step(index);
        self.ready.remove(&(planned.order, index));
        let step = &mut self.steps[index.position()];
        if let Some(due) = step.retry_at.take() {
            self.retrying.remove(&(due, index));
        }
        if let (Some(begun), Some(total)) = (step.started_at, planned.retry.total_deadline) {
            self.step_deadlines.remove(&(begun.plus(total), index));
        }
        step.status = status;
        step.finished_at = Some(at);
        self.unsettled -= 1;
        for dependent in &planned.dependents {
            let step = &mut self.steps[dependent.position()];
            step.waits_for -= 1;
            if step.waits_for == 0 && step.status == StepStatus::Pending {
                step.status = StepStatus::Ready;
                self.ready.insert((plan.step(*dependent).order, *dependent));
            }
        }
    }

    /// What was counted as spent for an unknown answer becomes what the worker says it cost.
    fn late_answer(&mut self, index: StepIndex, fence: Fence, cost: Option<MicroUsd>) {
        if let (Some((_, counted)), Some(cost)) = (self.unknown.remove(&fence), cost) {
            self.spent = self.spent.minus(counted).plus(cost);
            let step = &mut self.steps[index.position()];
            step.cost = step.cost.minus(counted).plus(cost);
        }
    }

    fn finished(&mut self, status: Status, at: Timestamp, fault: Option<&Fault>) {
        for step in self.steps.iter_mut().filter(|step| !step.status.is_settled()) {
            step.status = StepStatus::Cancelled;
            step.retry_at = None;
            cancel_attempt(step, &mut self.spent, &mut self.cost_estimated);
            step.finished_at = step.started_at.map(|_| at);
        }
        self.reserved = MicroUsd::ZERO;
        self.in_flight.clear();
        self.attempt_deadlines.clear();
        self.step_deadlines.clear();
        self.retrying.clear();
        self.ready.clear();
        self.unsettled = 0;
        self.status = status;
        self.finished_at = Some(at);
        self.fault = fault.cloned();
    }
}

/// An attempt that is given up counts as spent what was kept back for it.
fn cancel_attempt(step: &mut StepState, spent: &mut MicroUsd, estimated: &mut bool) {
    if let Some(attempt) = step.attempt.take() {
        step.cost = step.cost.plus(attempt.reserved);
        *spent = spent.plus(attempt.reserved);
        if attempt.reserved > MicroUsd::ZERO {
            step.cost_estimated = true;
            *estimated = true;
        }
    }
}

fn note_writer(
    writers: &mut BTreeMap<String, std::collections::BTreeSet<StepIndex>>,
    key: &str,
    index: StepIndex,
) {
    match writers.get_mut(key) {
        Some(known) => {
            known.insert(index);
        }
        None => {
            writers.insert(key.to_owned(), std::iter::once(index).collect());
        }
    }
}

/// Why a journal could not be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError<E> {
    /// An event does not fit.
    #[error(transparent)]
    Illegal(IllegalEvent),
    /// The plan could not be compiled.
    #[error("the plan in the journal does not compile")]
    Plan(E),
}
