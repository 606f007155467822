//! What can start now. A step is considered the moment that its dependencies let it; a slow
//! sibling never holds back an unrelated branch.

use std::sync::Arc;

use super::advance::Deciding;
use super::{Event, Fault, FaultKind, PauseReason, SkipReason, State, Status, StepStatus, Unit};
use crate::plan::definition::FailureTolerance;
use crate::plan::{Join, Kind, Losers, Step, StepIndex};
use crate::time::Timestamp;

/// How many elements of a map that have not begun are looked at together: more than calls are
/// begun in one decision need no look.
const ELEMENTS_AHEAD_MAX: usize = 64;

/// Whether a step moved on, or must wait.
#[derive(PartialEq, Eq)]
pub(super) enum Considered {
    Moved,
    Waits,
}

impl Deciding<'_> {
    /// Starts, skips and settles until nothing more can be done now; then perhaps ends.
    pub(super) fn schedule(&mut self) {
        if self.may_go_on() {
            self.go_on();
        }
        // Perhaps since just now.
        self.unwind();
    }

    fn go_on(&mut self) {
        if let Some(step) = self.state.parked_on() {
            let (at, reason) = (self.context.now, PauseReason::Failure { step });
            self.emit(Event::Paused { at, reason });
            return;
        }
        while self.may_go_on() {
            if self.state.status == Status::Waiting && self.state.could_go_on(self.context.now) {
                self.emit(Event::Woken { at: self.context.now });
            }
            if !self.pass_through() {
                break;
            }
        }
        if !self.may_go_on() {
            return;
        }
        if self.state.unsettled == 0 {
            self.end();
        } else if self.pause_if_unaffordable() {
        } else if self.state.status == Status::Running && self.state.only_waits(self.context.now) {
            self.emit(Event::Parked { at: self.context.now });
        }
    }

    fn may_go_on(&self) -> bool {
        let state = &self.state;
        !state.status.is_final() && state.paused.is_none() && state.unwinding.is_none()
    }

    /// Considers everything once; whether something moved.
    fn pass_through(&mut self) -> bool {
        let mut moved = false;
        let now = self.context.now;
        for unit in self.state.due(now) {
            if self.may_go_on() && self.has_slot() && self.is_open(unit) {
                moved |= self.attempt(unit) == Considered::Moved;
            }
        }
        let ready: Vec<StepIndex> = self.state.ready.iter().map(|(_, index)| *index).collect();
        for index in ready {
            if self.may_go_on() && self.state.step(index).status == StepStatus::Ready {
                moved |= self.consider(index) == Considered::Moved;
            }
        }
        let maps: Vec<StepIndex> = self.state.open_maps.iter().map(|(_, index)| *index).collect();
        for index in maps {
            while self.may_go_on() && self.begin_element(index) == Considered::Moved {
                moved = true;
            }
        }
        moved
    }

    fn is_open(&self, unit: Unit) -> bool {
        self.state.work(unit).is_some_and(|work| work.status == StepStatus::Retrying)
    }

    pub(super) fn has_slot(&self) -> bool {
        self.begun < self.context.slots
    }

    fn consider(&mut self, index: StepIndex) -> Considered {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        // What cannot start now, and cannot be skipped, need not be looked at. An execution of
        // another template takes no slot: nobody waits for it.
        let calls = matches!(planned.kind, Kind::Worker(_) | Kind::Tool(_) | Kind::Pipeline(_));
        let slot = matches!(planned.kind, Kind::Pipeline(_)) || self.has_slot();
        let may_begin = self.state.may_begin() && slot;
        if calls && !may_begin && planned.condition.is_none() && planned.required.is_empty() {
            return Considered::Waits;
        }
        if let Some(reason) = self.reason_to_skip(index, planned) {
            let (step, at) = (planned.name.clone(), self.context.now);
            self.emit(Event::StepSkipped { step, at, reason });
            return Considered::Moved;
        }
        if self.call_off_losers(index, planned) {
            // That may have been what it lacked a place for.
            return Considered::Moved;
        }
        if calls && !may_begin && planned.condition.is_none() {
            return Considered::Waits;
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
        if let Some(reason) = planned.unavailable() {
            let message = format!("step `{}`: {reason}", planned.name);
            self.step_failed(index, Fault::new(FaultKind::Refused, "tool.unavailable", message));
            return Considered::Moved;
        }
        match &planned.kind {
            Kind::Transform => self.transform(index, planned),
            Kind::Worker(_) | Kind::Tool(_) => self.begin_call(index),
            Kind::Map(_) => self.begin_map(index),
            Kind::Wait(wait) => self.begin_wait(index, wait),
            Kind::Pipeline(sub) => self.begin_child(index, sub),
        }
    }

    /// A dependency that failed takes its dependents with it, and so does one that was left out
    /// for that reason; one that was left out for any other reason counts as done. A join that can
    /// no longer be reached is such a dependency, too.
    fn reason_to_skip(&self, index: StepIndex, planned: &Step) -> Option<SkipReason> {
        let name = |on: &StepIndex| self.state.plan.step(*on).name.clone();
        match planned.join {
            Join::All => {
                for dependency in &planned.required {
                    let state = self.state.step(*dependency);
                    let gone = matches!(state.status, StepStatus::Failed | StepStatus::Cancelled);
                    if gone || matches!(state.skipped, Some(SkipReason::Dependency { .. })) {
                        return Some(SkipReason::Dependency { step: name(dependency) });
                    }
                }
            }
            Join::Some(wanted) => {
                let (done, _) = self.state.counts(index);
                let undone =
                    |on: &&StepIndex| self.state.step(**on).status != StepStatus::Succeeded;
                if done < wanted {
                    let step = planned.required.iter().find(undone).map(name).unwrap_or_default();
                    return Some(SkipReason::Dependency { step });
                }
            }
        }
        let left_out = planned.optional && self.state.started.terms.skip_optional;
        left_out.then_some(SkipReason::Strategy)
    }

    /// What a join did not wait for is called off where the step says so, and with it what only
    /// it needs. Whether there was something.
    fn call_off_losers(&mut self, index: StepIndex, planned: &Step) -> bool {
        if planned.losers != Losers::Cancel || planned.join == Join::All {
            return false;
        }
        let mut some = false;
        let plan = Arc::clone(&self.state.plan);
        let mut unneeded: Vec<StepIndex> = planned.required.clone();
        while let Some(loser) = unneeded.pop() {
            if loser == index || self.state.step(loser).status.is_settled() {
                continue;
            }
            let (step, at) = (plan.step(loser).name.clone(), self.context.now);
            self.emit(Event::StepCancelled { step, at });
            some = true;
            for needed in &plan.step(loser).required {
                let dependents = &plan.step(*needed).dependents;
                let only = dependents.iter().all(|d| self.state.step(*d).status.is_settled());
                if only {
                    unneeded.push(*needed);
                }
            }
        }
        some
    }

    /// What the budget cannot cover waits for an operator, once nothing else goes on.
    fn pause_if_unaffordable(&mut self) -> bool {
        let now = self.context.now;
        let state = &self.state;
        let Some(unit) = state.unaffordable(now) else { return false };
        let limit = state.budget.unwrap_or_default();
        let reason = PauseReason::Budget {
            step: state.plan.path(unit),
            needed: state.least(unit),
            spent: state.spent.plus(state.kept),
            limit,
        };
        self.emit(Event::Paused { at: now, reason });
        true
    }

    fn end(&mut self) {
        let failed = self.state.steps.iter().find(|step| step.status == StepStatus::Failed);
        if let Some(failed) = failed {
            let fault = failed.fault.clone();
            let status = self.status_of_what_is_settled();
            return self.end_as(status, fault);
        }
        match self.state.result() {
            Ok(_) => self.finish(Status::Completed, None),
            Err(fault) => self.end_as(Status::Failed, Some(fault)),
        }
    }

    /// A template that tolerates failures ends `partial` with whatever succeeded.
    pub(super) fn status_of_what_is_settled(&self) -> Status {
        let tolerant = self.state.plan.failure_tolerance == FailureTolerance::Partial;
        let some = self.state.steps.iter().any(|step| step.status == StepStatus::Succeeded);
        if tolerant && some { Status::Partial } else { Status::Failed }
    }
}

impl State {
    /// Units whose next attempt is due.
    fn due(&self, now: Timestamp) -> Vec<Unit> {
        let due = self.retrying.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, unit)| *unit).collect()
    }

    /// Units that could start now if their driver had places, money and time for them.
    pub(super) fn startable(&self, now: Timestamp) -> impl Iterator<Item = Unit> + '_ {
        let may_begin = self.may_begin();
        let due = self.retrying.iter().take_while(move |(at, _)| *at <= now).map(|(_, unit)| *unit);
        let ready = self.ready.iter().map(|(_, index)| Unit::whole(*index));
        let ready = ready.filter(move |unit| may_begin || !self.takes_place(*unit));
        let elements = self.open_maps.iter().flat_map(|(_, index)| self.next_elements(*index));
        due.chain(ready).chain(elements)
    }

    /// The elements of a map that could begin next, as far as it is worth looking.
    pub(super) fn next_elements(&self, index: StepIndex) -> impl Iterator<Item = Unit> + '_ {
        let pending = self.step(index).map.iter().flat_map(|map| &map.pending);
        let places = self.places_for_elements(index).min(ELEMENTS_AHEAD_MAX);
        pending.take(places).map(move |at| Unit::element(index, *at))
    }

    /// Whether what is neither spent nor kept back lets a unit begin. What would be given to
    /// another execution must be something, as long as more may come free.
    pub(super) fn affords(&self, unit: Unit) -> bool {
        let planned = self.plan.step(unit.step);
        let takes_the_rest = match &planned.kind {
            Kind::Pipeline(sub) => sub.budget.is_none() && unit.part == super::Part::Whole,
            _ => false,
        };
        let nothing = self.left() == Some(crate::money::MicroUsd::ZERO);
        let may_come = self.reserved > crate::money::MicroUsd::ZERO;
        self.can_afford(self.least(unit)) && !(takes_the_rest && nothing && may_come)
    }

    fn takes_place(&self, unit: Unit) -> bool {
        !matches!(self.plan.step(unit.step).kind, Kind::Wait(_) | Kind::Transform)
    }

    /// The least that must be left for a unit to start.
    pub(super) fn least(&self, unit: Unit) -> crate::money::MicroUsd {
        match (&self.plan.step(unit.step).kind, unit.part) {
            (Kind::Pipeline(sub), super::Part::Whole) => {
                sub.budget.unwrap_or(sub.cost_min).plus(self.undo_price(unit.step))
            }
            // Its elements are paid for one by one.
            (Kind::Map(_), super::Part::Whole) => self.undo_price(unit.step),
            _ => self.reservation(unit),
        }
    }

    /// Whether some unit could start now if its driver had a place and time for it.
    pub fn has_startable(&self, now: Timestamp) -> bool {
        if self.status.is_final() || self.paused.is_some() {
            return false;
        }
        if self.unwinding.is_some() {
            return self.next_undo(now).is_some();
        }
        self.startable(now).any(|unit| self.affords(unit))
    }

    /// What the budget does not cover while nothing is in flight and no retry is to come. A step
    /// that only lacks a slot or time starts under the next driver.
    fn unaffordable(&self, now: Timestamp) -> Option<Unit> {
        let retry_to_come = self.retrying.last().is_some_and(|(at, _)| *at > now);
        if !self.in_flight.is_empty() || retry_to_come || self.has_startable(now) {
            return None;
        }
        self.startable(now).find(|unit| !self.affords(*unit))
    }

    /// Whether it must be paused for want of money: a retry that the budget covers no more has
    /// just come due.
    pub fn lacks_money(&self, now: Timestamp) -> bool {
        let goes_on = !self.status.is_final() && self.paused.is_none() && self.unwinding.is_none();
        goes_on && self.unaffordable(now).is_some()
    }

    /// Whether some unit could start now that no gate holds.
    pub fn has_startable_within(&self, now: Timestamp, context: &super::Context<'_>) -> bool {
        if self.status.is_final() || self.paused.is_some() {
            return false;
        }
        let open = |unit: &Unit| !self.must_ask(*unit, context);
        match self.unwinding {
            Some(_) => self.next_undo(now).filter(open).is_some(),
            None => self.startable(now).filter(open).any(|unit| self.affords(unit)),
        }
    }

    /// The step that an operator must look at before the execution goes on.
    fn parked_on(&self) -> Option<String> {
        let parks = self.plan.failure_tolerance == FailureTolerance::Park;
        let failed = |index: &StepIndex| self.step(*index).status == StepStatus::Failed;
        let failed = self.plan.indices().filter(|_| parks).find(failed);
        failed.map(|index| self.plan.step(index).name.clone())
    }

    /// Whether something could happen in an execution that waits, now or after a pause of its own.
    fn could_go_on(&self, now: Timestamp) -> bool {
        !self.retrying.is_empty() || self.has_startable(now)
    }

    /// Whether nothing is left to do before something comes: a moment, a signal, a callback, the
    /// end of another execution. What only a place or money is missing for that the others have
    /// waits with them.
    fn only_waits(&self, now: Timestamp) -> bool {
        let comes = !self.waiting.is_empty() || self.handed_over > 0;
        let rests = self.connected() == 0 && self.retrying.is_empty();
        comes && rests && !self.has_startable(now)
    }
}
