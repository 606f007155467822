//! Beginning: attempts, elements, waits and executions of other templates.

use std::sync::Arc;

use serde_json::Map;

use super::advance::Deciding;
use super::answers::mix;
use super::asks::MAP_OUTPUT_BYTES_MAX;
use super::schedule::Considered;
use super::{Event, Fault, FaultKind, Part, Payload, State, Status, StepStatus, Unit};
use crate::ids::{ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::{Address, Awaited, Kind, Step, StepIndex, Sub, Target, Tolerated, Wait};
use crate::time::{Millis, Timestamp};

/// How many executions may stand above one.
pub const DEPTH_MAX: u32 = 5;

impl Deciding<'_> {
    pub(super) fn transform(&mut self, index: StepIndex, planned: &Step) -> Considered {
        let unit = Unit::whole(index);
        let output = self.state.body(unit, &Map::new()).map(Payload::inline);
        let checked = output.and_then(|output| {
            self.check_output(unit, &output)?;
            Ok(output)
        });
        match checked {
            Ok(output) => self.done(planned.name.clone(), output),
            Err(fault) => self.step_failed(index, fault),
        }
        Considered::Moved
    }

    /// A step has its output without an attempt.
    pub(super) fn done(&mut self, step: String, output: Payload) {
        self.emit(Event::StepSucceeded {
            step,
            fence: None,
            at: self.context.now,
            output,
            cost: MicroUsd::ZERO,
            estimated: false,
            memoised: None,
        });
    }

    pub(super) fn begin_call(&mut self, index: StepIndex) -> Considered {
        if !self.state.may_begin() || !self.has_slot() {
            return Considered::Waits;
        }
        self.attempt(Unit::whole(index))
    }

    /// Starts an attempt if there are time, money and an open gate for it.
    pub(super) fn attempt(&mut self, unit: Unit) -> Considered {
        let plan = Arc::clone(&self.state.plan);
        if let (Kind::Pipeline(sub), Part::Whole) = (&plan.step(unit.step).kind, unit.part) {
            return self.begin_child(unit.step, sub);
        }
        let begun =
            self.state.work(unit).map(|work| (work.attempts, work.generation, work.fallback));
        // What undoes a step has its work from its first attempt on.
        let generation = self.state.step(unit.step).generation;
        let (attempts, generation, fallback) = begun.unwrap_or((0, generation, false));
        let attempt = attempts + 1;
        let target = self.state.target(unit, fallback).expect("a call has its targets");
        let deadline_at = self.state.attempt_deadline(unit, target, self.context.now);
        if deadline_at > self.context.latest_end {
            return Considered::Waits;
        }
        let body = self.state.body(unit, &target.defaults);
        if let Err(fault) = body.and_then(|body| self.state.check_sent(unit, target, &body)) {
            self.unit_failed(unit, fault);
            return Considered::Moved;
        }
        let reserved = self.state.reservation(unit);
        // For the first attempt to undo a step money was kept, unless that was spent before steps
        // were done anew.
        let first = unit.part == Part::Undo && attempts == 0;
        let affordable = match first {
            true => !self.state.short || self.state.could_pay(reserved),
            false => self.state.can_afford(reserved),
        };
        if !affordable && unit.part == Part::Undo {
            let message = format!("what is left of the budget does not cover {reserved} more");
            self.unit_failed(unit, Fault::new(FaultKind::Limit, "budget.exhausted", message));
            return Considered::Moved;
        }
        if !affordable || self.state.must_ask(unit, self.context) {
            return Considered::Waits;
        }
        self.begun += 1;
        self.wake();
        self.emit(Event::AttemptStarted {
            step: plan.path(unit),
            generation,
            attempt,
            fence: self.state.fence.next(),
            at: self.context.now,
            deadline_at,
            reserved,
            fallback,
            child: None,
        });
        Considered::Moved
    }

    /// What begins is active.
    fn wake(&mut self) {
        if self.state.status == Status::Waiting {
            self.emit(Event::Woken { at: self.context.now });
        }
    }

    pub(super) fn begin_map(&mut self, index: StepIndex) -> Considered {
        if !self.state.may_begin() || !self.state.affords(Unit::whole(index)) {
            return Considered::Waits;
        }
        let planned = self.state.plan.step(index);
        let step = planned.name.clone();
        match self.state.items(index) {
            Ok(items) => {
                let elements = u32::try_from(items.len()).expect("at most ELEMENTS_MAX");
                self.emit(Event::MapStarted { step, at: self.context.now, elements });
                self.settle_map(index);
            }
            Err(fault) => self.step_failed(index, fault),
        }
        Considered::Moved
    }

    pub(super) fn begin_element(&mut self, index: StepIndex) -> Considered {
        if !self.has_slot() {
            return Considered::Waits;
        }
        // One whose gate is open goes before others that wait for theirs.
        let open = |unit: &Unit| !self.state.must_ask(*unit, self.context);
        let next = self.state.next_elements(index).find(open);
        next.map_or(Considered::Waits, |unit| self.attempt(unit))
    }

    /// A map whose elements are all settled, or too many of which failed, is settled.
    pub(super) fn settle_map(&mut self, index: StepIndex) {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        let (Kind::Map(each), Some(map)) = (&planned.kind, &self.state.step(index).map) else {
            return;
        };
        if self.state.step(index).status.is_settled() {
            return;
        }
        let total = u32::try_from(map.elements.len()).expect("at most ELEMENTS_MAX");
        let (failed, settled, bytes) = (map.failed, map.settled, map.bytes);
        let at = self.context.now;
        if self.state.unwinding.is_some() {
            if settled == total {
                self.emit(Event::StepCancelled { step: planned.name.clone(), at });
            }
        } else if !each.tolerated.allows(failed, total) {
            let first = map.elements.iter().find(|element| element.status == StepStatus::Failed);
            let why = first.and_then(|element| element.fault.as_ref());
            let why = why.map(|fault| format!("; the first: {}", fault.message));
            let message = format!(
                "step `{}`: {failed} of {total} elements failed{}",
                planned.name,
                why.unwrap_or_default(),
            );
            self.step_failed(index, Fault::new(FaultKind::Output, "map.too_many_failed", message));
        } else if bytes > MAP_OUTPUT_BYTES_MAX {
            let message = format!(
                "step `{}`: the outputs of its elements come to more than {MAP_OUTPUT_BYTES_MAX} \
                 bytes",
                planned.name,
            );
            self.step_failed(index, Fault::new(FaultKind::Output, "map.output_too_large", message));
        } else if settled == total {
            let output = Payload::inline(self.state.results(index));
            match self.check_output(Unit::whole(index), &output) {
                Ok(()) => self.done(planned.name.clone(), output),
                Err(fault) => self.step_failed(index, fault),
            }
        }
    }

    pub(super) fn begin_wait(&mut self, index: StepIndex, wait: &Wait) -> Considered {
        let (step, at) = (self.state.plan.step(index).name.clone(), self.context.now);
        let (until, signal) = match &wait.of {
            Awaited::Delay(length) => (Some(at.plus(*length)), None),
            Awaited::Until(mapping) => match self.state.moment(index, mapping) {
                Ok(until) => (Some(until), None),
                Err(fault) => {
                    self.step_failed(index, fault);
                    return Considered::Moved;
                }
            },
            Awaited::Signal(name) | Awaited::Approval(name) => {
                (wait.timeout.map(|timeout| at.plus(timeout)), Some(name.clone()))
            }
        };
        self.emit(Event::WaitStarted { step, at, until, signal: signal.clone() });
        match signal {
            Some(name) => self.deliver(&name),
            None if until.is_some_and(|until| until <= at) => self.expire_wait(index),
            None => {}
        }
        Considered::Moved
    }

    /// Starts an execution of another template as an attempt of the step.
    pub(super) fn begin_child(&mut self, index: StepIndex, sub: &Sub) -> Considered {
        let unit = Unit::whole(index);
        let retries = self.state.step(index).status == StepStatus::Retrying;
        if !retries && !self.state.may_begin() {
            return Considered::Waits;
        }
        let depth = self.state.started.parent.as_ref().map_or(0, |parent| parent.depth);
        if depth >= DEPTH_MAX {
            let message = format!(
                "step `{}`: `{}` would stand {} executions deep; at most {DEPTH_MAX} may stand \
                 above one",
                self.state.plan.step(index).name,
                sub.template,
                depth + 1,
            );
            let fault = Fault::new(FaultKind::Limit, "pipeline.too_deep", message);
            self.step_failed(index, fault);
            return Considered::Moved;
        }
        if let Err(fault) = self.state.body(unit, &Map::new()) {
            self.step_failed(index, fault);
            return Considered::Moved;
        }
        if !self.state.affords(unit) {
            return Considered::Waits;
        }
        let undo = self.state.undo_price(index);
        let left = self.state.left().map(|left| left.minus(undo));
        let share = sub.budget.or(left).unwrap_or_default();
        let work = self.state.step(index);
        let (attempt, generation) = (work.attempts + 1, work.generation);
        let fence = self.state.fence.next();
        self.wake();
        self.emit(Event::AttemptStarted {
            step: self.state.plan.step(index).name.clone(),
            generation,
            attempt,
            fence,
            at: self.context.now,
            deadline_at: self.context.now.plus(self.state.started.terms.waiting_max),
            reserved: share.plus(undo),
            fallback: false,
            child: Some(self.child_id(fence)),
        });
        Considered::Moved
    }

    /// Parent and child live in one shard, which tells each of the other's end.
    fn child_id(&self, fence: Fence) -> ExecutionId {
        let high = mix(self.context.entropy, fence);
        let low = mix(high, fence);
        let random = u128::from(high) << 64 | u128::from(low);
        ExecutionId::new(self.context.now, self.state.started.id.shard(), random)
    }
}

impl Tolerated {
    /// Whether so many of all may fail.
    pub fn allows(self, failed: u32, total: u32) -> bool {
        match self {
            Self::Count(most) => failed <= most,
            Self::Share(share) => f64::from(failed) <= share * f64::from(total),
        }
    }
}

impl State {
    /// When an attempt that starts now is given up: its own time-out, and no later than the
    /// unit's total deadline and the execution's.
    fn attempt_deadline(&self, unit: Unit, target: &Target, now: Timestamp) -> Timestamp {
        let longest = self.started.terms.attempt_timeout;
        let own = now.plus(target.timeout.map_or(longest, |timeout| timeout.min(longest)));
        let total = self.policy(unit).total_deadline.map(|total| now.plus(total));
        let unit_end = self.work(unit).and_then(|work| work.give_up_at).or(total);
        let step_end = self.step(unit.step).give_up_at.filter(|_| unit.part != Part::Undo);
        let ends = [unit_end, step_end, Some(self.deadline_at)];
        ends.into_iter().flatten().fold(own, Timestamp::min)
    }

    /// Whether a call must be let through by the gate of its worker before it may begin.
    pub(super) fn must_ask(&self, unit: Unit, context: &super::Context<'_>) -> bool {
        let fallback = self.work(unit).is_some_and(|work| work.fallback);
        let Some(target) = self.target(unit, fallback) else { return false };
        let gated = target.gate.must_be_asked() || context.gates.shut.contains(&target.worker);
        gated && !context.gates.passes.contains(&unit)
    }

    /// Calls that could begin if the gates of their workers let them, at most `most`.
    pub fn asking(&self, context: &super::Context<'_>, most: usize) -> Vec<Unit> {
        if self.status.is_final() || self.paused.is_some() {
            return Vec::new();
        }
        let undo = self.next_undo(context.now);
        let units: Box<dyn Iterator<Item = Unit>> = match self.unwinding {
            Some(_) => Box::new(undo.into_iter()),
            None => Box::new(self.startable(context.now)),
        };
        let fits = |unit: &Unit| {
            let fallback = self.work(*unit).is_some_and(|work| work.fallback);
            let Some(target) = self.target(*unit, fallback) else { return false };
            let affordable = unit.part == Part::Undo || self.affords(*unit);
            affordable && self.attempt_deadline(*unit, target, context.now) <= context.latest_end
        };
        units.filter(|unit| self.must_ask(*unit, context)).filter(fits).take(most).collect()
    }

    /// The moment that a mapping gives.
    fn moment(&self, index: StepIndex, mapping: &crate::expr::Mapping) -> Result<Timestamp, Fault> {
        let name = &self.plan.step(index).name;
        let view = self.view(index);
        let given = mapping.eval(&view.scope()).map_err(|error| {
            let message = format!("step `{name}`, config.until: {error}");
            Fault::new(FaultKind::Expression, error.code(), message)
        })?;
        let at = crate::plan::moment(&given).ok_or_else(|| {
            let message = format!(
                "step `{name}`, config.until gives neither Unix milliseconds nor a moment as in \
                 2026-01-31T12:00:00Z"
            );
            Fault::new(FaultKind::Expression, "wait.not_a_moment", message)
        })?;
        // What lies beyond the limit of waiting is given up by that limit.
        Ok(at.min(self.deadline_at.plus(self.started.terms.waiting_max).plus(Millis::new(1))))
    }
}

/// Whether a call counts against what a driver's platform allows: a call over a service binding.
pub fn is_by_binding(target: &Target) -> bool {
    matches!(target.address, Address::Binding(_))
}
