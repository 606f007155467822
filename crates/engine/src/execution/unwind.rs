//! The way back: what succeeded is undone, in reverse order of completion, one step after the
//! other.

use super::advance::Deciding;
use super::{Event, Fault, FaultKind, Part, State, Status, StepStatus, Unit};
use crate::plan::StepIndex;
use crate::time::Timestamp;

impl Deciding<'_> {
    /// Ends the execution; where something would have to be undone, that comes first.
    pub(super) fn end_as(&mut self, status: Status, fault: Option<Fault>) {
        if self.state.unwinding.is_some() || self.state.status.is_final() {
            return;
        }
        if status == Status::Partial || !self.state.has_to_undo() {
            return self.finish(status, fault);
        }
        self.emit(Event::Unwinding { status, at: self.context.now, fault });
    }

    /// Goes on undoing, and ends when nothing is left to be undone.
    pub(super) fn unwind(&mut self) {
        while self.state.unwinding.is_some() {
            if self.state.in_flight.values().any(|unit| unit.part != Part::Undo) {
                return;
            }
            let Some(index) = self.state.next_to_undo() else { return self.unwound() };
            let undo = self.state.step(index).undo.as_ref();
            let rests = undo.is_none_or(|undo| match undo.status {
                StepStatus::Retrying => undo.retry_at.is_some_and(|at| at <= self.context.now),
                status => status == StepStatus::Ready,
            });
            let goes_on = rests && self.has_slot();
            if !goes_on || self.attempt(Unit::undo(index)) == super::schedule::Considered::Waits {
                return;
            }
        }
    }

    /// All is undone that could be.
    pub(super) fn unwound(&mut self) {
        let Some((status, fault)) = self.state.unwinding.clone() else { return };
        let failed = self.state.plan.indices().find_map(|index| {
            let why = self.state.step(index).undo.as_ref().and_then(|undo| undo.fault.clone());
            let stands = self.state.may_have_to_be_undone(index);
            stands.then(|| (self.state.plan.step(index).name.clone(), why))
        });
        let Some((name, why)) = failed else { return self.finish(status, fault) };
        let first = fault.map(|fault| format!("{}; ", fault.message)).unwrap_or_default();
        let why = why.map(|fault| format!(": {}", fault.message)).unwrap_or_default();
        let message = format!("{first}step `{name}` could not be undone{why}");
        let fault = Fault::new(FaultKind::Limit, "compensation.failed", message);
        self.finish(status, Some(fault));
    }
}

impl State {
    /// Whether something succeeded that would have to be undone, or is in flight and may.
    fn has_to_undo(&self) -> bool {
        self.plan.indices().any(|index| {
            let attempt = self.step(index).attempt.as_ref();
            let child = attempt.is_some_and(|attempt| attempt.child.is_some());
            child || self.may_have_to_be_undone(index)
        })
    }

    /// Whether a step that can be undone has succeeded, or is in flight and may.
    fn may_have_to_be_undone(&self, index: StepIndex) -> bool {
        let step = self.step(index);
        let mut elements = step.map.iter().flat_map(|map| &map.elements);
        let undone = self.plan.step(index).compensation.is_some();
        let in_flight = step.attempt.is_some() || elements.any(|e| e.attempt.is_some());
        undone && (step.is_to_be_undone() || in_flight)
    }

    /// The step that is undone next: the last to succeed of those that are left.
    pub(super) fn next_to_undo(&self) -> Option<StepIndex> {
        let left = self.plan.indices().filter(|index| {
            let step = self.step(*index);
            let open = step.undo.as_ref().is_none_or(|undo| !undo.status.is_settled());
            self.plan.step(*index).compensation.is_some() && step.is_to_be_undone() && open
        });
        // A map that did not come to its end was the last to be at work.
        left.max_by_key(|index| {
            let step = self.step(*index);
            if step.status == StepStatus::Succeeded { step.completion } else { u64::MAX }
        })
    }

    /// What could be undone now.
    pub(super) fn next_undo(&self, now: Timestamp) -> Option<Unit> {
        let rests = self.unwinding.is_some() && self.in_flight.is_empty();
        let index = self.next_to_undo().filter(|_| rests)?;
        let undo = self.step(index).undo.as_ref();
        let due = undo.is_none_or(|undo| undo.retry_at.is_none_or(|at| at <= now));
        due.then(|| Unit::undo(index))
    }
}
