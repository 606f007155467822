//! Folding events into the state: the same code live and on replay. It takes no decisions.

mod attempts;
mod outputs;
mod phases;
mod reset;
mod settle;

use std::sync::Arc;

use super::approvals::Kept;
use super::{Event, Part, SkipReason, Started, State, StepStatus, Unit, WaitState};
use crate::plan::{Plan, StepIndex};
use crate::time::Timestamp;
use attempts::Beginning;

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

type Applied = Result<(), IllegalEvent>;

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
    pub fn apply(&mut self, event: &Event) -> Applied {
        let may_follow_the_end = matches!(event, Event::Reset { .. } | Event::Asked { .. });
        if self.status.is_final() && !may_follow_the_end {
            return Err(illegal("(any)", "the execution has ended"));
        }
        match event {
            Event::Started(_) => Err(illegal("started", "the execution has started already")),
            Event::AttemptStarted { .. }
            | Event::AttemptAccepted { .. }
            | Event::Heartbeat { .. }
            | Event::AttemptFailed { .. }
            | Event::LateAnswer { .. } => self.apply_to_attempt(event),
            Event::StepSucceeded { .. }
            | Event::StepReused { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::StepCancelled { .. }
            | Event::StepHeld { .. }
            | Event::MapStarted { .. }
            | Event::WaitStarted { .. } => self.apply_to_step(event),
            Event::Reset { at, steps, input } => self.reset(*at, steps, input.as_ref()),
            Event::SignalReceived { .. }
            | Event::Asked { .. }
            | Event::TakenOver { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Parked { .. }
            | Event::Woken { .. }
            | Event::Unwinding { .. }
            | Event::Finished { .. } => self.apply_to_whole(event),
        }
    }

    fn apply_to_attempt(&mut self, event: &Event) -> Applied {
        match event {
            Event::AttemptStarted {
                step,
                generation,
                attempt,
                fence,
                at,
                deadline_at,
                reserved,
                fallback,
                child,
            } => {
                let beginning = Beginning {
                    generation: *generation,
                    attempt: *attempt,
                    fence: *fence,
                    at: *at,
                    deadline_at: *deadline_at,
                    reserved: *reserved,
                    fallback: *fallback,
                    child: child.clone(),
                };
                self.attempt_started(step, beginning)
            }
            Event::AttemptAccepted { step, fence, deadline_at, .. } => {
                self.heard_of("attempt_accepted", step, *fence, *deadline_at)
            }
            Event::Heartbeat { step, fence, deadline_at, .. } => {
                self.heard_of("heartbeat", step, *fence, *deadline_at)
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
                let unit = self.unit("attempt_failed", step)?;
                self.end_attempt("attempt_failed", unit, *fence, *cost, *estimated)?;
                if fault.is_unanswered() {
                    self.unknown.insert(*fence, (unit, *cost));
                }
                self.attempt_failed(unit, fault, *retry_at, *fallback);
                Ok(())
            }
            Event::LateAnswer { step, fence, cost, .. } => {
                let unit = self.unit("late_answer", step)?;
                self.late_answer(unit, *fence, *cost);
                Ok(())
            }
            _ => Err(illegal("(attempt)", "it is about no attempt")),
        }
    }

    fn apply_to_step(&mut self, event: &Event) -> Applied {
        match event {
            Event::StepSucceeded { step, fence, at, output, cost, estimated, memoised } => {
                let unit = match fence {
                    None => self.free("step_succeeded", step)?,
                    Some(fence) => {
                        let unit = self.unit("step_succeeded", step)?;
                        self.end_attempt("step_succeeded", unit, *fence, *cost, *estimated)?;
                        unit
                    }
                };
                if let Some(work) = self.work_mut(unit) {
                    work.memoised = *memoised;
                }
                self.succeeded(unit, *at, output)
            }
            Event::StepReused { step, at, output, from } => {
                let index = self.free_step("step_reused", step)?;
                self.steps[index.position()].reused_from = Some(from.clone());
                self.succeeded(Unit::whole(index), *at, output)
            }
            Event::StepFailed { step, at, fault } => {
                self.know_undo("step_failed", step)?;
                let unit = self.free("step_failed", step)?;
                if let Some(work) = self.work_mut(unit) {
                    work.fault = Some(fault.clone());
                }
                self.settle_unit(unit, *at, StepStatus::Failed);
                Ok(())
            }
            Event::StepSkipped { step, at, reason } => {
                let index = self.free_step("step_skipped", step)?;
                if let SkipReason::Failed { fault } = reason {
                    self.steps[index.position()].fault = Some(fault.clone());
                }
                self.steps[index.position()].skipped = Some(reason.clone());
                self.settle(index, *at, StepStatus::Skipped);
                Ok(())
            }
            Event::StepCancelled { step, at } => {
                let unit = self.unit("step_cancelled", step)?;
                if self.work(unit).is_none_or(|work| work.status.is_settled()) {
                    return Err(illegal("step_cancelled", format!("`{step}` is settled")));
                }
                let needless = self.unwinding.is_none() && unit.part == Part::Whole;
                self.steps[unit.step.position()].needless = needless;
                self.call_off(unit, *at);
                Ok(())
            }
            Event::StepHeld { step, reason, until, .. } => {
                self.know_undo("step_held", step)?;
                let unit = self.free("step_held", step)?;
                if let Some(work) = self.work_mut(unit) {
                    work.held = Some((*reason, *until));
                }
                Ok(())
            }
            Event::MapStarted { step, at, elements } => self.map_started(step, *at, *elements),
            Event::WaitStarted { step, at, until, signal } => {
                let wait = WaitState { until: *until, signal: signal.clone() };
                self.wait_started(step, *at, wait)
            }
            _ => Err(illegal("(step)", "it is about no step")),
        }
    }

    fn apply_to_whole(&mut self, event: &Event) -> Applied {
        match event {
            Event::SignalReceived { name, payload, by, answers, at: _ } => {
                let (payload, by, answers) = (payload.clone(), by.clone(), answers.clone());
                let kept = Kept { payload, by, answers };
                self.signals.entry(name.clone()).or_default().push_back(kept);
            }
            Event::Paused { at, reason } => self.pause(*at, reason),
            Event::Resumed { at, budget } => self.resume(*at, *budget),
            Event::Parked { at } => self.park(*at),
            Event::Woken { at } => self.wake(*at),
            Event::Unwinding { status, at, fault } => self.unwind(*status, *at, fault.as_ref()),
            Event::Finished { status, at, fault, figures } => {
                self.finished(*status, *at, fault.as_ref());
                self.figures = Some(*figures);
            }
            _ => {}
        }
        Ok(())
    }

    /// What undoes a step has its work from the first that happens to it.
    fn know_undo(&mut self, event: &'static str, path: &str) -> Applied {
        let found = self.unit(event, path)?;
        match found.part == Part::Undo && self.step(found.step).undo.is_none() {
            true => self.begin_undo(event, found, path),
            false => Ok(()),
        }
    }

    fn unit(&self, event: &'static str, path: &str) -> Result<Unit, IllegalEvent> {
        let found = self.plan.find_unit(path);
        found.ok_or_else(|| illegal(event, format!("the plan has no step `{path}`")))
    }

    /// A unit that something may happen to: it is not settled, no attempt of it is in flight and,
    /// for a step, what it depends on lets it start.
    fn free(&self, event: &'static str, path: &str) -> Result<Unit, IllegalEvent> {
        let unit = self.unit(event, path)?;
        let Some(work) = self.work(unit) else {
            return Err(illegal(event, format!("there is no `{path}`")));
        };
        if work.status.is_settled() {
            return Err(illegal(event, format!("`{path}` is settled")));
        }
        if work.attempt.is_some() {
            return Err(illegal(event, format!("an attempt of `{path}` is in flight")));
        }
        if unit.part == Part::Whole && work.status == StepStatus::Pending {
            return Err(illegal(event, format!("`{path}` waits for others")));
        }
        Ok(unit)
    }

    fn free_step(&self, event: &'static str, path: &str) -> Result<StepIndex, IllegalEvent> {
        match self.free(event, path)? {
            Unit { step, part: Part::Whole } => Ok(step),
            Unit { .. } => Err(illegal(event, format!("`{path}` is no step"))),
        }
    }

    fn map_started(&mut self, path: &str, at: Timestamp, elements: u32) -> Applied {
        let index = self.free_step("map_started", path)?;
        let items = self.items(index);
        if items.as_ref().is_ok_and(|items| items.len() != elements as usize) {
            return Err(illegal("map_started", format!("`{path}` has another number of elements")));
        }
        // Without large outputs the elements cannot be read: the state serves for its statuses.
        let items = Arc::new(items.unwrap_or_default());
        self.start_map(index, at, items, elements);
        Ok(())
    }

    fn wait_started(&mut self, path: &str, at: Timestamp, wait: WaitState) -> Applied {
        let index = self.free_step("wait_started", path)?;
        self.start_wait(index, at, wait);
        Ok(())
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
