//! Attempts: begun, taken by their workers, ended.

use super::{Applied, IllegalEvent, illegal};
use crate::execution::{Attempt, Fault, Part, State, StepStatus, Unit, Work};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// An attempt that begins.
pub(super) struct Beginning {
    pub generation: u32,
    pub attempt: u32,
    pub fence: Fence,
    pub at: Timestamp,
    pub deadline_at: Timestamp,
    pub reserved: MicroUsd,
    pub fallback: bool,
    pub child: Option<ExecutionId>,
}

impl State {
    pub(super) fn attempt_started(&mut self, path: &str, begins: Beginning) -> Applied {
        self.know_undo("attempt_started", path)?;
        let unit = self.free("attempt_started", path)?;
        let work = self.work(unit).ok_or_else(|| illegal("attempt_started", "no such work"))?;
        if begins.generation != work.generation || begins.attempt != work.attempts + 1 {
            return Err(illegal("attempt_started", "the step is at another attempt"));
        }
        if begins.fence <= self.fence {
            let message = format!("fence {} was given out before", begins.fence);
            return Err(illegal("attempt_started", message));
        }
        if begins.child.is_none() && self.target(unit, begins.fallback).is_none() {
            return Err(illegal("attempt_started", "there is nobody to ask"));
        }
        self.leave_the_queue(unit);
        let begun_at = begins.at;
        let total = self.policy(unit).total_deadline;
        let Some(work) = self.work_mut(unit) else { return Ok(()) };
        if work.started_at.is_none() {
            work.give_up_at = total.map(|total| begun_at.plus(total));
        }
        let first_give_up = work.give_up_at.filter(|_| work.started_at.is_none());
        work.started_at.get_or_insert(begun_at);
        work.retry_at = None;
        work.held = None;
        work.attempts = begins.attempt;
        work.attempts_of_target += 1;
        work.fallback = begins.fallback;
        work.child = begins.child.clone();
        let handed_over = begins.child.is_some();
        work.attempt = Some(Attempt {
            fence: begins.fence,
            started_at: begun_at,
            deadline_at: begins.deadline_at,
            reserved: begins.reserved,
            accepted: false,
            child: begins.child,
        });
        if let Some(at) = first_give_up {
            self.unit_deadlines.insert((at, unit));
        }
        self.set_status(unit, StepStatus::Running);
        self.fence = begins.fence;
        self.in_flight.insert(begins.fence, unit);
        self.handed_over += usize::from(handed_over);
        self.attempt_deadlines.insert((begins.deadline_at, begins.fence));
        self.reserved = self.reserved.plus(begins.reserved);
        self.overlapped |= self.in_flight.len() > 1;
        Ok(())
    }

    /// What undoes a step has its own attempts; the money that was kept for it is free for them.
    pub(super) fn begin_undo(&mut self, event: &'static str, unit: Unit, path: &str) -> Applied {
        let price = self.undo_price(unit.step);
        let undone = self.plan.step(unit.step).compensation.is_some();
        let step = &mut self.steps[unit.step.position()];
        if self.unwinding.is_none() || !undone || !step.is_to_be_undone() {
            return Err(illegal(event, format!("`{path}` has nothing to undo")));
        }
        let generation = step.generation;
        step.undo = Some(Box::new(Work::new(StepStatus::Ready, generation)));
        self.kept = self.kept.minus(price);
        Ok(())
    }

    /// It waits for no slot, no gate and no moment any more.
    pub(super) fn leave_the_queue(&mut self, unit: Unit) {
        let order = self.plan.step(unit.step).order;
        let step = &self.steps[unit.step.position()];
        let queue_at = step.ready_at.zip(self.plan.step(unit.step).queue_timeout);
        if let Some(due) = self.work(unit).and_then(|work| work.retry_at) {
            self.retrying.remove(&(due, unit));
        }
        match unit.part {
            Part::Whole => {
                self.ready.remove(&(order, unit.step));
                if let Some((ready_at, timeout)) = queue_at {
                    self.queue_deadlines.remove(&(ready_at.plus(timeout), unit.step));
                }
            }
            Part::Element(at) => {
                let fresh = self.map_mut(unit.step).is_some_and(|map| map.pending.remove(&at));
                let open = self.map_mut(unit.step).is_some_and(|map| {
                    map.busy += u32::from(fresh);
                    !map.pending.is_empty()
                });
                if !open {
                    self.open_maps.remove(&(order, unit.step));
                }
            }
            Part::Undo => {}
        }
    }

    /// Its worker has taken it, or is still at it.
    pub(super) fn heard_of(
        &mut self,
        event: &'static str,
        path: &str,
        fence: Fence,
        deadline_at: Timestamp,
    ) -> Applied {
        let unit = self.unit(event, path)?;
        let attempt = self.work_mut(unit).and_then(|work| work.attempt.as_mut());
        let Some(attempt) = attempt.filter(|attempt| attempt.fence == fence) else {
            return Err(illegal(event, format!("fence {fence} is not in flight")));
        };
        let newly = !attempt.is_handed_over();
        let before = std::mem::replace(&mut attempt.deadline_at, deadline_at);
        attempt.accepted = true;
        self.handed_over += usize::from(newly);
        self.attempt_deadlines.remove(&(before, fence));
        self.attempt_deadlines.insert((deadline_at, fence));
        Ok(())
    }

    /// Takes the attempt out of flight and turns its reservation into what it cost.
    pub(super) fn end_attempt(
        &mut self,
        event: &'static str,
        unit: Unit,
        fence: Fence,
        cost: MicroUsd,
        estimated: bool,
    ) -> Result<(), IllegalEvent> {
        let attempt = self
            .work_mut(unit)
            .and_then(|work| work.attempt.take_if(|attempt| attempt.fence == fence));
        let Some(attempt) = attempt else {
            return Err(illegal(event, format!("fence {fence} is not in flight")));
        };
        self.land(fence, &attempt);
        self.charge(unit, cost, estimated);
        Ok(())
    }

    fn land(&mut self, fence: Fence, attempt: &Attempt) {
        self.in_flight.remove(&fence);
        self.handed_over -= usize::from(attempt.is_handed_over());
        self.attempt_deadlines.remove(&(attempt.deadline_at, fence));
        self.reserved = self.reserved.minus(attempt.reserved);
    }

    fn charge(&mut self, unit: Unit, cost: MicroUsd, estimated: bool) {
        if let Some(work) = self.work_mut(unit) {
            work.cost = work.cost.plus(cost);
            work.cost_estimated |= estimated;
        }
        if let Part::Element(_) | Part::Undo = unit.part {
            let step = &mut self.steps[unit.step.position()];
            step.cost = step.cost.plus(cost);
            step.cost_estimated |= estimated;
        }
        self.spent = self.spent.plus(cost);
        self.cost_estimated |= estimated;
    }

    /// An attempt that nobody waits for any more counts as spent what it was expected to cost;
    /// what its worker says later corrects that.
    pub(super) fn give_up_attempt(&mut self, unit: Unit) {
        let cost = self.estimate(unit);
        let Some(attempt) = self.work_mut(unit).and_then(|work| work.attempt.take()) else {
            return;
        };
        self.land(attempt.fence, &attempt);
        self.charge(unit, cost, cost > MicroUsd::ZERO);
        self.unknown.insert(attempt.fence, (unit, cost));
    }

    pub(super) fn attempt_failed(
        &mut self,
        unit: Unit,
        fault: &Fault,
        retry_at: Option<Timestamp>,
        fallback: bool,
    ) {
        let Some(work) = self.work_mut(unit) else { return };
        work.fault = Some(fault.clone());
        if fallback && !work.fallback {
            work.fallback = true;
            work.attempts_of_target = 0;
        }
        if let Some(due) = retry_at {
            work.retry_at = Some(due);
            self.set_status(unit, StepStatus::Retrying);
            self.retrying.insert((due, unit));
        }
    }

    /// What was counted as spent for an unknown answer becomes what the worker says it cost.
    pub(super) fn late_answer(&mut self, unit: Unit, fence: Fence, cost: Option<MicroUsd>) {
        if let (Some((_, counted)), Some(cost)) = (self.unknown.remove(&fence), cost) {
            self.spent = self.spent.minus(counted);
            if let Some(work) = self.work_mut(unit) {
                work.cost = work.cost.minus(counted);
            }
            if unit.part != Part::Whole {
                let step = &mut self.steps[unit.step.position()];
                step.cost = step.cost.minus(counted);
            }
            self.charge(unit, cost, false);
        }
    }
}
