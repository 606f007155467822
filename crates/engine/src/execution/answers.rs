//! Attempts that come back, are taken by their workers, or are lost.

use std::sync::Arc;

use super::advance::{Deciding, Outcome, Rejection};
use super::{Event, Fault, FaultKind, Part, PauseReason, Payload, SkipReason, State, Status, Unit};
use crate::expr::Scope;
use crate::ids::{Epoch, Fence};
use crate::money::MicroUsd;
use crate::plan::StepIndex;
use crate::plan::definition::FailureTolerance;
use crate::time::{Millis, Timestamp};

impl Deciding<'_> {
    pub(super) fn answered(&mut self, fence: Fence, outcome: Outcome) -> Result<(), Rejection> {
        if let Some(unit) = self.state.in_flight.get(&fence).copied() {
            match outcome.result {
                Ok(_) => self.succeeded(unit, fence, outcome),
                Err(fault) => self.attempt_failed(unit, fence, fault, outcome.cost),
            }
            return Ok(());
        }
        if fence > self.state.fence || fence == Fence::default() {
            return Err(Rejection::UnknownFence);
        }
        if let Some(step) = self.state.lost_path(fence) {
            let at = self.context.now;
            self.emit(Event::LateAnswer { step, fence, at, cost: outcome.cost });
        }
        Ok(())
    }

    /// The worker answers later, or the execution has begun: nobody needs to wait for it.
    pub(super) fn accepted(
        &mut self,
        fence: Fence,
        silence: Option<Millis>,
    ) -> Result<(), Rejection> {
        let Some((unit, attempt)) = self.state.attempt(fence) else {
            return Err(Rejection::UnknownFence);
        };
        if attempt.accepted {
            return Ok(());
        }
        let (step, at) = (self.state.plan.path(unit), self.context.now);
        let deadline_at = match attempt.child {
            Some(_) => attempt.deadline_at,
            None => self.state.silent_until(unit, attempt.started_at, at, silence),
        };
        self.emit(Event::AttemptAccepted { step, fence, at, deadline_at });
        Ok(())
    }

    pub(super) fn heartbeat(
        &mut self,
        fence: Fence,
        silence: Option<Millis>,
    ) -> Result<(), Rejection> {
        let Some((unit, attempt)) = self.state.attempt(fence) else {
            return Err(Rejection::UnknownFence);
        };
        let (step, at) = (self.state.plan.path(unit), self.context.now);
        let deadline_at = self.state.silent_until(unit, attempt.started_at, at, silence);
        self.emit(match attempt.accepted {
            true => Event::Heartbeat { step, fence, at, deadline_at },
            false => Event::AttemptAccepted { step, fence, at, deadline_at },
        });
        Ok(())
    }

    fn succeeded(&mut self, unit: Unit, fence: Fence, outcome: Outcome) {
        let Outcome { result: Ok(output), cost, memoised } = outcome else { return };
        let fits = self.state.check_given(unit, &output);
        if let Err(fault) = fits.and_then(|()| self.check_output(unit, &output)) {
            return self.attempt_failed(unit, fence, fault, cost);
        }
        let estimate = self.state.estimate(unit);
        self.emit(Event::StepSucceeded {
            step: self.state.plan.path(unit),
            fence: Some(fence),
            at: self.context.now,
            output,
            cost: cost.unwrap_or(estimate),
            estimated: cost.is_none() && estimate > MicroUsd::ZERO,
            memoised,
        });
        if let Part::Element(_) = unit.part {
            self.settle_map(unit.step);
        }
    }

    /// An output mapping that cannot be evaluated makes the output worthless to the template.
    pub(super) fn check_output(&self, unit: Unit, output: &Payload) -> Result<(), Fault> {
        let plan = &self.state.plan;
        let mapping = plan.step(unit.step).output.as_ref().filter(|_| unit.part == Part::Whole);
        let (Some(mapping), Some(value)) = (mapping, output.value()) else {
            return Ok(());
        };
        let view = self.state.view(unit.step);
        let scope = Scope { output: Some(value), ..view.scope() };
        mapping.eval(&scope).map(drop).map_err(|error| {
            let name = &plan.step(unit.step).name;
            let message = format!("step `{name}`, output_mapping: {error}");
            Fault::new(FaultKind::Expression, error.code(), message)
        })
    }

    pub(super) fn attempt_failed(
        &mut self,
        unit: Unit,
        fence: Fence,
        fault: Fault,
        cost: Option<MicroUsd>,
    ) {
        let Some(work) = self.state.work(unit) else { return };
        let estimate = self.state.estimate(unit);
        let spent = cost.unwrap_or(if fault.is_free() { MicroUsd::ZERO } else { estimate });
        let gives_up = self.state.unwinding.is_some() && unit.part != Part::Undo;
        let retry_at = self.retry_at(unit, fence, &fault).filter(|_| !gives_up);
        // The fallback shares the step's deadline: when that has passed it is not asked.
        let over = fault.kind == FaultKind::Limit || gives_up;
        let falls_back = retry_at.is_none() && self.has_fallback(unit) && !work.fallback && !over;
        let fallback = falls_back || work.fallback;
        self.emit(Event::AttemptFailed {
            step: self.state.plan.path(unit),
            fence,
            at: self.context.now,
            fault: fault.clone(),
            cost: spent,
            estimated: cost.is_none() && spent > MicroUsd::ZERO,
            retry_at: retry_at.or(falls_back.then_some(self.context.now)),
            fallback,
        });
        if retry_at.is_some() || falls_back {
            return;
        }
        if gives_up {
            let (step, at) = (self.state.plan.path(unit), self.context.now);
            self.emit(Event::StepCancelled { step, at });
            if let Part::Element(_) = unit.part {
                self.settle_map(unit.step);
            }
            return;
        }
        self.unit_failed(unit, fault);
    }

    fn has_fallback(&self, unit: Unit) -> bool {
        let call = self.state.plan.step(unit.step).call();
        call.is_some_and(|call| call.fallback.is_some()) && unit.part != Part::Undo
    }

    /// When the unit is tried again after `fault`; `None` when it is not: the fault will not
    /// pass, the retries are used up, or the next attempt could not begin within the deadlines.
    fn retry_at(&self, unit: Unit, fence: Fence, fault: &Fault) -> Option<Timestamp> {
        let policy = self.state.policy(unit);
        let work = self.state.work(unit)?;
        let terms = &self.state.started.terms;
        // What undoes a step is repeated as its own policy says, whatever the strategy.
        let cap = terms.retries_max.filter(|_| unit.part != Part::Undo);
        let retries_max = policy.retries_max.min(cap.unwrap_or(u32::MAX));
        if !fault.may_pass(policy) || work.attempts_of_target > retries_max {
            return None;
        }
        let delay = match fault.kind {
            // Nobody was asked too often: the next driver goes on at once.
            FaultKind::Lost => Millis::ZERO,
            _ => {
                let entropy = mix(self.context.entropy, fence);
                policy.delay(work.attempts_of_target, entropy, fault.retry_after)
            }
        };
        let at = self.context.now.plus(delay);
        let end = self.state.runs_out_at(self.context.now);
        // What a pause takes of the unit's time is given back.
        let paused_for = self.state.paused.as_ref().map(|_| self.context.now);
        let paused_for = paused_for.map(|now| now.since(self.state.clock.since));
        let give_up_at = work.give_up_at.map(|at| at.plus(paused_for.unwrap_or_default()));
        let end = give_up_at.map_or(end, |give_up_at| give_up_at.min(end));
        (at < end).then_some(at)
    }

    /// A unit failed for good.
    pub(super) fn unit_failed(&mut self, unit: Unit, fault: Fault) {
        match unit.part {
            Part::Whole => self.step_failed(unit.step, fault),
            Part::Element(_) | Part::Undo => {
                let (step, at) = (self.state.plan.path(unit), self.context.now);
                self.emit(Event::StepFailed { step, at, fault });
                if let Part::Element(_) = unit.part {
                    self.settle_map(unit.step);
                }
            }
        }
    }

    pub(super) fn step_failed(&mut self, index: StepIndex, fault: Fault) {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        let (step, at) = (planned.name.clone(), self.context.now);
        if planned.optional {
            self.emit(Event::StepSkipped { step, at, reason: SkipReason::Failed { fault } });
            return;
        }
        self.emit(Event::StepFailed { step: step.clone(), at, fault: fault.clone() });
        match plan.failure_tolerance {
            FailureTolerance::Partial => {}
            FailureTolerance::Strict => self.end_as(Status::Failed, Some(fault)),
            FailureTolerance::Park
                if self.state.paused.is_none() && self.state.unwinding.is_none() =>
            {
                self.emit(Event::Paused { at, reason: PauseReason::Failure { step } });
            }
            FailureTolerance::Park => {}
        }
    }

    /// Attempts that were in flight under a lost driver count as attempts; their answers are lost.
    /// What its worker has taken goes on, and so does what is an execution.
    pub(super) fn taken_over(&mut self, epoch: Epoch, up_to: Fence) {
        let connected = |(fence, unit): &(Fence, Unit)| {
            let attempt = self.state.work(*unit).and_then(|work| work.attempt.as_ref());
            *fence <= up_to && attempt.is_some_and(|attempt| !attempt.is_handed_over())
        };
        let lost: Vec<(Fence, Unit)> = self.state.in_flight().filter(connected).collect();
        if lost.is_empty() {
            return;
        }
        self.emit(Event::TakenOver { epoch, at: self.context.now });
        for (fence, unit) in lost {
            if self.state.is_in_flight(fence) {
                let message =
                    "the driver that made this attempt was lost before the answer was kept";
                let fault = Fault::new(FaultKind::Lost, "attempt.lost", message);
                self.attempt_failed(unit, fence, fault, None);
            }
        }
    }
}

impl State {
    /// The path that an attempt with an unknown answer belonged to.
    fn lost_path(&self, fence: Fence) -> Option<String> {
        self.unknown.get(&fence).map(|(unit, _)| self.plan.path(*unit))
    }

    /// Whether the cost of an attempt that was given up is not known yet.
    pub fn awaits_cost_of(&self, fence: Fence) -> bool {
        self.unknown.contains_key(&fence)
    }

    /// When an accepted attempt is given up unless something is heard of it.
    fn silent_until(
        &self,
        unit: Unit,
        started_at: Timestamp,
        now: Timestamp,
        silence: Option<Millis>,
    ) -> Timestamp {
        let Some(call) = self.plan.step(unit.step).call() else { return self.deadline_at };
        let most = started_at.plus(call.accepted_max);
        now.plus(silence.unwrap_or(call.heartbeat)).min(most)
    }

    /// When the time of the execution runs out if it is active from now on.
    pub(super) fn runs_out_at(&self, now: Timestamp) -> Timestamp {
        match self.clock.runs {
            true => self.deadline_at,
            false => now.plus(self.started.terms.deadline.minus(self.clock.before)),
        }
    }
}

/// Spreads one draw of randomness over the fences of a decision (SplitMix64's finaliser).
pub(super) fn mix(entropy: u64, fence: Fence) -> u64 {
    let mut z = entropy.wrapping_add(fence.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
