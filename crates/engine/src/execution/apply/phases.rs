//! The execution as a whole: paused, parked, on its way back, over.

use std::sync::Arc;

use crate::execution::state::Clock;
use crate::execution::{Fault, PauseReason, State, Status, StepStatus, Unit};
use crate::money::MicroUsd;
use crate::plan::StepIndex;
use crate::time::{Millis, Timestamp};

impl State {
    pub(super) fn pause(&mut self, at: Timestamp, reason: &PauseReason) {
        self.status = Status::Paused;
        self.paused = Some(reason.clone());
        self.stop_clock(at);
    }

    /// Goes on after a pause. Time that ran out meanwhile is given back.
    pub(super) fn resume(&mut self, at: Timestamp, budget: Option<MicroUsd>) {
        self.budget = budget.or(self.budget);
        if self.paused.take().is_none() {
            return;
        }
        let paused_for = at.since(self.clock.since);
        self.status = Status::Running;
        self.unit_deadlines = std::mem::take(&mut self.unit_deadlines)
            .into_iter()
            .map(|(give_up_at, unit)| (give_up_at.plus(paused_for), unit))
            .collect();
        for (give_up_at, unit) in self.unit_deadlines.clone() {
            if let Some(work) = self.work_mut(unit) {
                work.give_up_at = Some(give_up_at);
            }
        }
        self.queue_deadlines = std::mem::take(&mut self.queue_deadlines)
            .into_iter()
            .map(|(at, index)| (at.plus(paused_for), index))
            .collect();
        for step in self.steps.iter_mut().filter(|step| step.status == StepStatus::Ready) {
            step.ready_at = step.ready_at.map(|ready_at| ready_at.plus(paused_for));
        }
        self.start_clock(at);
    }

    pub(super) fn park(&mut self, at: Timestamp) {
        self.status = Status::Waiting;
        self.stop_clock(at);
    }

    pub(super) fn wake(&mut self, at: Timestamp) {
        self.status = Status::Running;
        self.start_clock(at);
    }

    fn stop_clock(&mut self, at: Timestamp) {
        self.clock = Clock { since: at, before: self.active(at), runs: false };
        self.deadline_at = at.plus(self.started.terms.waiting_max);
    }

    fn start_clock(&mut self, at: Timestamp) {
        self.clock = Clock { since: at, runs: true, ..self.clock };
        self.deadline_at = at.plus(self.started.terms.deadline.minus(self.clock.before));
    }

    /// Gives the execution its whole time anew.
    pub(super) fn restart_clock(&mut self, at: Timestamp) {
        self.clock = Clock { since: at, before: Millis::ZERO, runs: true };
        self.deadline_at = at.plus(self.started.terms.deadline);
    }

    /// The way back begins: nothing new starts. What is in flight is waited for where its success
    /// would have to be undone.
    pub(super) fn unwind(&mut self, status: Status, at: Timestamp, fault: Option<&Fault>) {
        self.unwinding = Some((status, fault.cloned()));
        self.paused = None;
        self.status = Status::Running;
        self.restart_clock(at);
        let plan = Arc::clone(&self.plan);
        self.let_children_end();
        for index in plan.indices() {
            if self.step(index).status.is_settled() {
                continue;
            }
            let undone = plan.step(index).compensation.is_some();
            if self.is_waited_for(index, undone) {
                self.call_off_elements(index, at, true);
            } else {
                self.call_off(Unit::whole(index), at);
            }
        }
    }

    /// Executions that steps began have the time of the way back for their own.
    fn let_children_end(&mut self) {
        let end = self.deadline_at;
        for (fence, unit) in self.in_flight.clone() {
            let attempt = self.work_mut(unit).and_then(|work| work.attempt.as_mut());
            if let Some(attempt) = attempt.filter(|attempt| attempt.child.is_some()) {
                let before = std::mem::replace(&mut attempt.deadline_at, end);
                self.attempt_deadlines.remove(&(before, fence));
                self.attempt_deadlines.insert((end, fence));
            }
        }
    }

    fn is_waited_for(&self, index: StepIndex, undone: bool) -> bool {
        let step = self.step(index);
        let child = step.attempt.as_ref().is_some_and(|attempt| attempt.child.is_some());
        let elements = step.map.iter().flat_map(|map| &map.elements);
        let in_flight = step.attempt.is_some() || elements.clone().any(|e| e.attempt.is_some());
        child || (undone && in_flight)
    }

    pub(super) fn finished(&mut self, status: Status, at: Timestamp, fault: Option<&Fault>) {
        let in_flight: Vec<Unit> = self.in_flight.values().copied().collect();
        for unit in in_flight {
            self.give_up_attempt(unit);
        }
        for index in std::mem::take(&mut self.waiting) {
            self.end_approval(index, at, (StepStatus::Cancelled, None));
        }
        for step in &mut self.steps {
            for work in step.map.iter_mut().flat_map(|map| &mut map.elements) {
                cancel(work, at);
            }
            if let Some(map) = &mut step.map {
                map.pending.clear();
                map.busy = 0;
                map.settled =
                    u32::try_from(map.elements.len()).expect("a map's elements are counted");
            }
            step.undo.iter_mut().for_each(|undo| cancel(undo, at));
            cancel(&mut step.work, at);
            step.wait = None;
        }
        self.stop_clock(at);
        self.attempt_deadlines.clear();
        self.unit_deadlines.clear();
        self.queue_deadlines.clear();
        self.retrying.clear();
        self.waits.clear();
        self.ready.clear();
        self.open_maps.clear();
        self.busy = 0;
        self.unsettled = 0;
        self.paused = None;
        self.unwinding = None;
        self.status = status;
        self.finished_at = Some(at);
        self.fault = fault.cloned();
    }
}

fn cancel(work: &mut crate::execution::Work, at: Timestamp) {
    if !work.status.is_settled() {
        work.status = StepStatus::Cancelled;
        work.retry_at = None;
        work.held = None;
        work.finished_at = work.started_at.map(|_| at);
    }
}
