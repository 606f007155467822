//! Decisions: what follows from an input. All branching about executions is here and in
//! [`super::schedule`]; the events that come out are facts and carry their consequences.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Event, Fault, FaultKind, Payload, SkipReason, Started, State, Status};
use crate::expr::Scope;
use crate::ids::{Epoch, ExecutionId, Fence};
use crate::money::MicroUsd;
use crate::plan::definition::FailureTolerance;
use crate::plan::{Kind, Plan, StepIndex};
use crate::time::{Millis, Timestamp};

/// What a decision may use besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Randomness for the jitter of retries.
    pub entropy: u64,
    /// Calls that the driver can make now, besides those in flight.
    pub slots: u32,
    /// An attempt must be over by then: the end of the driver's lifetime.
    pub latest_end: Timestamp,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A driver is there, or has a place again: what can start shall start.
    Resume,
    /// A driver took the execution over from one that was lost.
    TakenOver(Epoch),
    /// An attempt came back.
    Answered {
        /// The fence that it carried.
        fence: Fence,
        /// What it brought.
        outcome: Outcome,
    },
    /// Time went by.
    Tick,
}

/// What an attempt brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The output, or what went wrong.
    pub result: Result<Payload, Fault>,
    /// What it cost, where the worker said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroUsd>,
    /// What was saved, where an earlier answer to the same call served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memoised: Option<Memoised>,
}

/// What an earlier answer to the same call saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memoised {
    /// What the call cost then.
    pub cost: MicroUsd,
    /// How long it took then.
    pub duration: Millis,
}

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The execution is over.
    #[error("the execution has ended")]
    Ended,
    /// No attempt ever had that fence.
    #[error("no attempt carries this fence")]
    UnknownFence,
}

/// The decision about `input`, over a copy of the state.
pub fn decide(state: &State, context: &Context, input: Input) -> Result<Vec<Event>, Rejection> {
    state.clone().advance(context, input)
}

/// Begins an execution: its state and the events that begin its journal.
pub fn start(started: Started, plan: Arc<Plan>, context: &Context) -> (State, Vec<Event>) {
    let first = Event::Started(Box::new(started.clone()));
    let mut state = State::new(Arc::new(started), plan);
    let mut deciding = Deciding { state: &mut state, context, events: vec![first] };
    deciding.schedule();
    let events = deciding.events;
    (state, events)
}

/// Begins and ends an execution whose steps all have the outputs of an earlier one.
pub fn reuse(
    started: Started,
    plan: Arc<Plan>,
    outputs: Vec<(String, Payload)>,
    from: &ExecutionId,
) -> Result<(State, Vec<Event>), super::IllegalEvent> {
    let at = started.at;
    let mut events = vec![Event::Started(Box::new(started.clone()))];
    let mut state = State::new(Arc::new(started), Arc::clone(&plan));
    for step in &plan.steps {
        let name = step.name.clone();
        let event = match outputs.iter().find(|(of, _)| *of == name) {
            Some((_, output)) => {
                Event::StepReused { step: name, at, output: output.clone(), from: from.clone() }
            }
            None => Event::StepSkipped { step: name, at, reason: SkipReason::Condition },
        };
        state.apply(&event)?;
        events.push(event);
    }
    let figures = state.count();
    let end = Event::Finished { status: Status::Completed, at, fault: None, figures };
    state.apply(&end)?;
    events.push(end);
    Ok((state, events))
}

impl State {
    /// Takes the decision about `input`, applies its events and returns them. A rejected input
    /// leaves the state as it was.
    pub fn advance(&mut self, context: &Context, input: Input) -> Result<Vec<Event>, Rejection> {
        if self.status.is_final() {
            return Err(Rejection::Ended);
        }
        let mut deciding = Deciding { state: self, context, events: Vec::new() };
        match input {
            Input::Resume | Input::Tick => {}
            Input::TakenOver(epoch) => deciding.taken_over(epoch),
            Input::Answered { fence, outcome } => deciding.answered(fence, outcome)?,
        }
        deciding.expire();
        deciding.schedule();
        Ok(deciding.events)
    }
}

/// A decision in the making.
pub(super) struct Deciding<'a> {
    pub(super) state: &'a mut State,
    pub(super) context: &'a Context,
    events: Vec<Event>,
}

impl Deciding<'_> {
    /// Attempts that this decision has started: they have taken slots already.
    pub(super) fn events_started(&self) -> usize {
        let started = |event: &&Event| matches!(event, Event::AttemptStarted { .. });
        self.events.iter().filter(started).count()
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.state.apply(&event).expect("a decision emits only events that fit its state");
        self.events.push(event);
    }

    fn answered(&mut self, fence: Fence, outcome: Outcome) -> Result<(), Rejection> {
        if let Some(index) = self.state.in_flight.get(&fence).copied() {
            match outcome.result {
                Ok(output) => self.succeeded(index, fence, output, outcome.cost),
                Err(fault) => self.attempt_failed(index, fence, fault, outcome.cost),
            }
            return Ok(());
        }
        if fence > self.state.fence || fence == Fence::default() {
            return Err(Rejection::UnknownFence);
        }
        if let Some(step) = self.state.lost_step(fence) {
            let at = self.context.now;
            self.emit(Event::LateAnswer { step, fence, at, cost: outcome.cost });
        }
        Ok(())
    }

    fn succeeded(
        &mut self,
        index: StepIndex,
        fence: Fence,
        output: Payload,
        cost: Option<MicroUsd>,
    ) {
        let name = self.state.plan.step(index).name.clone();
        if let Err(fault) = self.check_output(index, &output) {
            return self.attempt_failed(index, fence, fault, cost);
        }
        let reserved = self.state.step(index).attempt.as_ref().map(|attempt| attempt.reserved);
        self.emit(Event::StepSucceeded {
            step: name,
            fence: Some(fence),
            at: self.context.now,
            output,
            cost: cost.or(reserved).unwrap_or_default(),
            estimated: cost.is_none() && reserved.is_some_and(|kept| kept > MicroUsd::ZERO),
        });
    }

    /// An output mapping that cannot be evaluated makes the output worthless to the template.
    pub(super) fn check_output(&self, index: StepIndex, output: &Payload) -> Result<(), Fault> {
        let plan = &self.state.plan;
        let (Some(mapping), Some(value)) = (&plan.step(index).output, output.value()) else {
            return Ok(());
        };
        let view = self.state.view(index);
        let scope = Scope { output: Some(value), ..view.scope() };
        mapping.eval(&scope).map(drop).map_err(|error| {
            let name = &plan.step(index).name;
            let message = format!("step `{name}`, output_mapping: {error}");
            Fault::new(FaultKind::Expression, error.code(), message)
        })
    }

    pub(super) fn attempt_failed(
        &mut self,
        index: StepIndex,
        fence: Fence,
        fault: Fault,
        cost: Option<MicroUsd>,
    ) {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        let step = self.state.step(index);
        let reserved = step.attempt.as_ref().map(|a| a.reserved).unwrap_or_default();
        let spent = cost.unwrap_or(if fault.is_free() { MicroUsd::ZERO } else { reserved });
        let retry_at = self.retry_at(index, fence, &fault);
        let has_fallback = matches!(&planned.kind, Kind::Worker(call) if call.fallback.is_some());
        // The fallback shares the step's deadline: when that has passed it is not asked.
        let over = fault.kind == FaultKind::Limit;
        let falls_back = retry_at.is_none() && has_fallback && !step.fallback && !over;
        self.emit(Event::AttemptFailed {
            step: planned.name.clone(),
            fence,
            at: self.context.now,
            fault: fault.clone(),
            cost: spent,
            estimated: cost.is_none() && spent > MicroUsd::ZERO,
            retry_at: retry_at.or(falls_back.then_some(self.context.now)),
            fallback: falls_back || step.fallback,
        });
        if retry_at.is_none() && !falls_back {
            self.step_failed(index, fault);
        }
    }

    /// When the step is tried again after `fault`; `None` when it is not: the fault will not
    /// pass, the retries are used up, or the next attempt could not begin within the deadlines.
    fn retry_at(&self, index: StepIndex, fence: Fence, fault: &Fault) -> Option<Timestamp> {
        let policy = &self.state.plan.step(index).retry;
        let step = self.state.step(index);
        let terms = &self.state.started.terms;
        let retries_max = policy.retries_max.min(terms.retries_max.unwrap_or(u32::MAX));
        if !fault.may_pass(policy) || step.attempts_of_target > retries_max {
            return None;
        }
        let delay = match fault.kind {
            // Nobody was asked too often: the next driver goes on at once.
            FaultKind::Lost => Millis::ZERO,
            _ => {
                let entropy = mix(self.context.entropy, fence);
                policy.delay(step.attempts_of_target, entropy, fault.retry_after)
            }
        };
        let at = self.context.now.plus(delay);
        let total = step.started_at.zip(policy.total_deadline).map(|(from, span)| from.plus(span));
        let end = total.map_or(self.state.deadline_at, |total| total.min(self.state.deadline_at));
        (at < end).then_some(at)
    }

    pub(super) fn step_failed(&mut self, index: StepIndex, fault: Fault) {
        let plan = Arc::clone(&self.state.plan);
        let planned = plan.step(index);
        let (step, at) = (planned.name.clone(), self.context.now);
        if planned.optional {
            self.emit(Event::StepSkipped { step, at, reason: SkipReason::Failed { fault } });
            return;
        }
        self.emit(Event::StepFailed { step, at, fault: fault.clone() });
        match plan.failure_tolerance {
            FailureTolerance::Partial => {}
            FailureTolerance::Strict | FailureTolerance::Park => {
                self.finish(Status::Failed, Some(fault));
            }
        }
    }

    pub(super) fn finish(&mut self, status: Status, fault: Option<Fault>) {
        let figures = self.state.count();
        self.emit(Event::Finished { status, at: self.context.now, fault, figures });
    }

    /// Attempts that were in flight under a lost driver count as attempts; their answers are lost.
    fn taken_over(&mut self, epoch: Epoch) {
        let lost: Vec<(Fence, StepIndex)> = self.state.in_flight().collect();
        if lost.is_empty() {
            return;
        }
        self.emit(Event::TakenOver { epoch, at: self.context.now });
        for (fence, index) in lost {
            if self.state.status.is_final() {
                return;
            }
            let message = "the driver that made this attempt was lost before the answer was kept";
            let fault = Fault::new(FaultKind::Lost, "attempt.lost", message);
            self.attempt_failed(index, fence, fault, None);
        }
    }

    /// Gives up what has passed its deadline: the execution, then steps, then attempts.
    fn expire(&mut self) {
        let now = self.context.now;
        // Where all is done nothing is late, though nobody has looked at the clock meanwhile.
        if self.state.status.is_final() || self.state.unsettled == 0 {
            return;
        }
        if now >= self.state.deadline_at {
            let limit = self.state.started.terms.deadline;
            let message = format!("the execution did not end within its deadline of {limit}");
            let fault = Fault::new(FaultKind::Limit, "execution.deadline_exceeded", message);
            let status = self.status_of_what_is_settled();
            return self.finish(status, Some(fault));
        }
        while let Some((_, index)) = self.state.due_step(now) {
            let planned = self.state.plan.step(index);
            let limit = planned.retry.total_deadline.unwrap_or_default();
            let message = format!("step `{}` did not end within {limit}", planned.name);
            let fault = Fault::new(FaultKind::Limit, "step.deadline_exceeded", message);
            match self.state.step(index).attempt.as_ref().map(|attempt| attempt.fence) {
                Some(fence) => self.attempt_failed(index, fence, fault, None),
                None => self.step_failed(index, fault),
            }
        }
        while let Some((fence, index)) = self.state.due_attempt(now) {
            let name = &self.state.plan.step(index).name;
            let message = format!("step `{name}`: the worker gave no answer within its time-out");
            let fault = Fault::new(FaultKind::Timeout, "worker.timeout", message);
            self.attempt_failed(index, fence, fault, None);
        }
    }
}

impl State {
    fn due_step(&self, now: Timestamp) -> Option<(Timestamp, StepIndex)> {
        let due = self.step_deadlines.first().copied();
        due.filter(|(at, _)| *at <= now && !self.status.is_final())
    }

    fn due_attempt(&self, now: Timestamp) -> Option<(Fence, StepIndex)> {
        let (at, fence) = self.attempt_deadlines.first()?;
        let due = *at <= now && !self.status.is_final();
        due.then(|| (*fence, self.in_flight[fence]))
    }

    /// The step that an attempt with an unknown answer belonged to.
    fn lost_step(&self, fence: Fence) -> Option<String> {
        self.unknown.get(&fence).map(|(index, _)| self.plan.step(*index).name.clone())
    }
}

/// Spreads one draw of randomness over the fences of a decision (SplitMix64's finaliser).
fn mix(entropy: u64, fence: Fence) -> u64 {
    let mut z = entropy.wrapping_add(fence.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
