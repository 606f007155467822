//! Units that come to their end, and what that frees.

use std::sync::Arc;

use serde_json::Value;

use crate::execution::work::MapState;
use crate::execution::{Part, State, StepState, StepStatus, Unit, WaitState, Work};
use crate::plan::{Join, StepIndex};
use crate::time::Timestamp;

impl State {
    /// Notes that nothing more will happen to a unit.
    pub(super) fn settle_unit(&mut self, unit: Unit, at: Timestamp, status: StepStatus) {
        match unit.part {
            Part::Whole => self.settle(unit.step, at, status),
            Part::Element(number) => self.settle_element(unit, number, at, status),
            Part::Undo => {
                self.forget_moments(unit);
                if let Some(undo) = self.work_mut(unit) {
                    undo.status = status;
                    undo.finished_at = Some(at);
                }
                if status == StepStatus::Succeeded {
                    self.steps[unit.step.position()].status = StepStatus::Compensated;
                }
            }
        }
    }

    /// Notes that nothing more will happen to a step, and frees what waited for it.
    pub(super) fn settle(&mut self, index: StepIndex, at: Timestamp, status: StepStatus) {
        let plan = Arc::clone(&self.plan);
        let planned = plan.step(index);
        self.leave_the_queue(Unit::whole(index));
        self.forget_moments(Unit::whole(index));
        self.open_maps.remove(&(planned.order, index));
        self.stop_waiting(index, at, status);
        self.set_status(Unit::whole(index), status);
        let succeeded = status == StepStatus::Succeeded;
        if self.step(index).map.is_some() && !succeeded {
            self.call_off_elements(index, at, false);
            if !self.step(index).is_to_be_undone() {
                self.kept = self.kept.minus(self.undo_price(index));
            }
        }
        self.completions += u64::from(succeeded);
        let completion = self.completions;
        let step = &mut self.steps[index.position()];
        step.finished_at = Some(at);
        if succeeded {
            step.completion = completion;
            step.fault = None;
            if step.map.is_none() {
                self.kept = self.kept.plus(self.undo_price(index));
            }
        }
        self.unsettled -= 1;
        for dependent in &planned.dependents {
            let step = &mut self.steps[dependent.position()];
            step.waits_for -= 1;
            let pending = step.status == StepStatus::Pending;
            if pending && self.unwinding.is_none() && self.may_start(*dependent) {
                self.make_ready(*dependent, at);
            }
        }
    }

    fn settle_element(&mut self, unit: Unit, number: u32, at: Timestamp, status: StepStatus) {
        self.leave_the_queue(unit);
        self.forget_moments(unit);
        let Some(map) = self.map_mut(unit.step) else { return };
        map.busy = map.busy.saturating_sub(1);
        map.settled += 1;
        map.failed += u32::from(status == StepStatus::Failed);
        if let Some(element) = map.elements.get_mut(number as usize) {
            element.status = status;
            element.finished_at = Some(at);
        }
    }

    /// A unit is not needed any more, or nobody waits for it.
    pub(super) fn call_off(&mut self, unit: Unit, at: Timestamp) {
        self.give_up_attempt(unit);
        self.settle_unit(unit, at, StepStatus::Cancelled);
    }

    /// Calls off the elements of a map that are not settled; of those in flight only where they
    /// are not waited for.
    pub(super) fn call_off_elements(&mut self, index: StepIndex, at: Timestamp, waits: bool) {
        let count = self.step(index).map.as_ref().map_or(0, |map| map.elements.len());
        for number in (0..count).map(|n| u32::try_from(n).expect("a map's elements are counted")) {
            let unit = Unit::element(index, number);
            let goes = |work: &Work| !(work.status.is_settled() || waits && work.attempt.is_some());
            if self.work(unit).is_some_and(goes) {
                self.call_off(unit, at);
            }
        }
    }

    /// Whether what a step depends on lets it start: or shows that it never will.
    pub(in crate::execution) fn may_start(&self, index: StepIndex) -> bool {
        let planned = self.plan.step(index);
        // Where one step is done after the other there is nobody to be waited for less.
        let wanted = match planned.join {
            Join::Some(wanted) if self.plan.allow_parallel => wanted,
            Join::Some(_) | Join::All => return self.step(index).waits_for == 0,
        };
        let (done, open) = self.counts(index);
        done >= wanted || done + open < wanted
    }

    /// How many of the required steps have succeeded, and how many still may.
    pub(in crate::execution) fn counts(&self, index: StepIndex) -> (u32, u32) {
        let required = &self.plan.step(index).required;
        required.iter().fold((0, 0), |(done, open), on| match self.step(*on).status {
            StepStatus::Succeeded => (done + 1, open),
            status if !status.is_settled() => (done, open + 1),
            _ => (done, open),
        })
    }

    /// A step could start now.
    pub(in crate::execution) fn make_ready(&mut self, index: StepIndex, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        let planned = plan.step(index);
        self.ready.insert((planned.order, index));
        if let Some(timeout) = planned.queue_timeout {
            self.queue_deadlines.insert((at.plus(timeout), index));
        }
        if self.partial_joins {
            for on in plan.indices().filter(|on| planned.ancestors.contains(*on)) {
                if !self.step(on).status.is_settled() {
                    self.steps[index.position()].blind.insert(on);
                }
            }
        }
        let step = &mut self.steps[index.position()];
        step.status = StepStatus::Ready;
        step.ready_at = Some(at);
    }

    pub(super) fn start_map(
        &mut self,
        index: StepIndex,
        at: Timestamp,
        items: Arc<Vec<Value>>,
        count: u32,
    ) {
        self.leave_the_queue(Unit::whole(index));
        let order = self.plan.step(index).order;
        let price = self.undo_price(index);
        let total = self.plan.step(index).retry.total_deadline;
        let step = &mut self.steps[index.position()];
        step.map = Some(Box::new(MapState::new(items, count, step.generation)));
        step.started_at.get_or_insert(at);
        step.attempts = 1;
        step.held = None;
        if count > 0 {
            self.open_maps.insert((order, index));
        }
        if let Some(total) = total {
            self.steps[index.position()].give_up_at = Some(at.plus(total));
            self.unit_deadlines.insert((at.plus(total), Unit::whole(index)));
        }
        self.kept = self.kept.plus(price);
        self.set_status(Unit::whole(index), StepStatus::Running);
    }

    pub(super) fn start_wait(&mut self, index: StepIndex, at: Timestamp, wait: WaitState) {
        self.leave_the_queue(Unit::whole(index));
        if let Some(until) = wait.until {
            self.waits.insert((until, index));
        }
        self.waiting.insert(index);
        let step = &mut self.steps[index.position()];
        step.started_at.get_or_insert(at);
        step.attempts = 1;
        step.wait = Some(wait);
        self.ask_approval(index, at);
        self.set_status(Unit::whole(index), StepStatus::Waiting);
    }

    /// A wait that ends takes the signal that ended it.
    fn stop_waiting(&mut self, index: StepIndex, at: Timestamp, status: StepStatus) {
        let Some(wait) = self.steps[index.position()].wait.take() else { return };
        self.waiting.remove(&index);
        if let Some(until) = wait.until {
            self.waits.remove(&(until, index));
        }
        let name = wait.signal.filter(|_| status != StepStatus::Cancelled);
        let took = name.and_then(|name| self.take_signal(index, &name));
        self.end_approval(index, at, (status, took));
    }

    fn forget_moments(&mut self, unit: Unit) {
        let Some(work) = self.work_mut(unit) else { return };
        work.held = None;
        let (retry_at, give_up_at) = (work.retry_at.take(), work.give_up_at);
        if let Some(due) = retry_at {
            self.retrying.remove(&(due, unit));
        }
        if let Some(at) = give_up_at {
            self.unit_deadlines.remove(&(at, unit));
        }
    }

    /// Sets a unit's status and counts the steps in progress.
    pub(super) fn set_status(&mut self, unit: Unit, status: StepStatus) {
        let is_busy = |status| matches!(status, StepStatus::Running | StepStatus::Retrying);
        let Some(work) = self.work_mut(unit) else { return };
        let before = std::mem::replace(&mut work.status, status);
        if unit.part == Part::Whole {
            self.busy += usize::from(is_busy(status));
            self.busy -= usize::from(is_busy(before));
        }
    }
}

impl StepState {
    /// Whether the execution would have to undo it: it succeeded, or some elements of it did.
    pub(in crate::execution) fn is_to_be_undone(&self) -> bool {
        let some = self.map.as_ref().is_some_and(|map| {
            map.elements.iter().any(|element| element.status == StepStatus::Succeeded)
        });
        self.status == StepStatus::Succeeded || (some && self.status != StepStatus::Compensated)
    }
}
