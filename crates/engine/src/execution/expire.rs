//! What has passed its deadline: the execution, then steps that never began, then units, then
//! attempts; and waits that are over.

use super::advance::Deciding;
use super::{Fault, FaultKind, Payload, State, Unit};
use crate::ids::Fence;
use crate::plan::{Kind, StepIndex};
use crate::time::Timestamp;
use serde_json::json;

impl Deciding<'_> {
    pub(super) fn expire(&mut self) {
        let now = self.context.now;
        // Where all is done nothing is late, though nobody has looked at the clock meanwhile.
        let ends = self.state.unsettled == 0 && self.state.paused.is_none();
        if self.state.status.is_final() || (ends && self.state.unwinding.is_none()) {
            return;
        }
        // What is drained on the way back may be late as well.
        if now >= self.state.deadline_at {
            self.expire_whole();
        }
        while self.goes_on()
            && let Some(index) = self.state.due_in_queue(now)
        {
            let name = &self.state.plan.step(index).name;
            let limit = self.state.plan.step(index).queue_timeout.unwrap_or_default();
            let message = format!("step `{name}` could not begin within {limit}");
            let fault = Fault::new(FaultKind::Limit, "step.queue_timeout", message);
            self.step_failed(index, fault);
        }
        while self.goes_on()
            && let Some(unit) = self.state.due_unit(now)
        {
            self.expire_unit(unit);
        }
        while !self.state.status.is_final()
            && let Some((fence, unit)) = self.state.due_attempt(now, self.heard_until())
        {
            self.expire_attempt(fence, unit);
        }
        while self.goes_on()
            && let Some(index) = self.state.due_wait(now, self.heard_until())
        {
            self.expire_wait(index);
        }
    }

    fn heard_until(&self) -> Timestamp {
        self.context.gates.heard_until
    }

    /// While it is paused, only attempts that were in flight run out.
    fn goes_on(&self) -> bool {
        !self.state.status.is_final() && self.state.paused.is_none()
    }

    fn expire_whole(&mut self) {
        let terms = &self.state.started.terms;
        let (code, message) = if self.state.clock.runs {
            let limit = terms.deadline;
            let message = format!("the execution did not end within its deadline of {limit}");
            ("execution.deadline_exceeded", message)
        } else {
            let limit = terms.waiting_max;
            let message = format!("the execution waited longer than {limit}");
            ("execution.waited_too_long", message)
        };
        if self.state.unwinding.is_some() {
            return self.unwound();
        }
        let fault = Fault::new(FaultKind::Limit, code, message);
        let status = self.status_of_what_is_settled();
        self.end_as(status, Some(fault));
    }

    fn expire_unit(&mut self, unit: Unit) {
        let path = self.state.plan.path(unit);
        let limit = self.state.policy(unit).total_deadline.unwrap_or_default();
        let message = format!("step `{path}` did not end within {limit}");
        let fault = Fault::new(FaultKind::Limit, "step.deadline_exceeded", message);
        let attempt = self.state.work(unit).and_then(|work| work.attempt.as_ref());
        match attempt.map(|attempt| attempt.fence) {
            Some(fence) => self.attempt_failed(unit, fence, fault, None),
            None => self.unit_failed(unit, fault),
        }
    }

    fn expire_attempt(&mut self, fence: Fence, unit: Unit) {
        let path = self.state.plan.path(unit);
        let attempt = self.state.attempt(fence).map(|(_, attempt)| attempt);
        if let Some(child) = attempt.and_then(|attempt| attempt.child.clone()) {
            let limit = self.state.started.terms.waiting_max;
            let message = format!("step `{path}`: the execution {child} did not end in {limit}");
            let fault = Fault::new(FaultKind::Limit, "pipeline.waited_too_long", message);
            return self.attempt_failed(unit, fence, fault, None);
        }
        let (code, message) = match attempt.is_some_and(|attempt| attempt.accepted) {
            true => (
                "worker.heartbeat_missed",
                format!(
                    "step `{path}`: nothing was heard of the worker that took it within its time"
                ),
            ),
            false => (
                "worker.timeout",
                format!("step `{path}`: the worker gave no answer within its time-out"),
            ),
        };
        let fault = Fault::new(FaultKind::Timeout, code, message);
        self.attempt_failed(unit, fence, fault, None);
    }

    pub(super) fn expire_wait(&mut self, index: StepIndex) {
        let name = self.state.plan.step(index).name.clone();
        let waited = self.state.step(index).wait.clone();
        let signal = waited.and_then(|wait| wait.signal);
        let continues = match &self.state.plan.step(index).kind {
            Kind::Wait(wait) => wait.continues,
            _ => false,
        };
        match signal {
            Some(signal) if !continues => {
                let message = format!("step `{name}`: the signal `{signal}` did not come in time");
                let fault = Fault::new(FaultKind::Limit, "wait.timed_out", message);
                self.step_failed(index, fault);
            }
            signal => {
                let output = Payload::inline(json!({ "timed_out": signal.is_some() }));
                match self.check_output(Unit::whole(index), &output) {
                    Ok(()) => self.done(name, output),
                    Err(fault) => self.step_failed(index, fault),
                }
            }
        }
    }

    /// Gives the oldest signal of this name to the first step that waits for it and may take it.
    pub(super) fn deliver(&mut self, name: &str) {
        while self.goes_on()
            && let Some((index, payload)) = self.state.next_answered(name)
        {
            let step = self.state.plan.step(index).name.clone();
            let refused = match &self.state.plan.step(index).kind {
                Kind::Wait(wait) => wait.of.refusal(&step, &payload),
                _ => None,
            };
            let checked =
                refused.map_or_else(|| self.check_output(Unit::whole(index), &payload), Err);
            match checked {
                Ok(()) => self.done(step, payload),
                Err(fault) => self.step_failed(index, fault),
            }
        }
    }
}

impl crate::plan::Awaited {
    /// Why the signal fails the step; an approval may be withheld.
    fn refusal(&self, step: &str, payload: &Payload) -> Option<Fault> {
        let Self::Approval(_) = self else { return None };
        let given = payload.value().and_then(|value| value.get("approved")?.as_bool());
        if given == Some(true) {
            return None;
        }
        let message = format!("step `{step}`: the approval was withheld");
        Some(Fault::new(FaultKind::Limit, "wait.rejected", message))
    }
}

impl State {
    fn due_in_queue(&self, now: Timestamp) -> Option<StepIndex> {
        let (at, index) = self.queue_deadlines.first()?;
        (*at <= now).then_some(*index)
    }

    fn due_unit(&self, now: Timestamp) -> Option<Unit> {
        let (at, unit) = self.unit_deadlines.first()?;
        (*at <= now).then_some(*unit)
    }

    /// Whose word may lie in the inbox is not given up before that has been looked into.
    fn due_attempt(&self, now: Timestamp, heard_until: Timestamp) -> Option<(Fence, Unit)> {
        let due = self.attempt_deadlines.iter().take_while(|(at, _)| *at <= now);
        let mut due = due.map(|(at, fence)| (*at, *fence, self.in_flight[fence]));
        let silent = |(at, fence, _): &(Timestamp, Fence, Unit)| {
            *at <= heard_until || !self.attempt(*fence).is_some_and(|(_, a)| a.is_handed_over())
        };
        due.find(silent).map(|(_, fence, unit)| (fence, unit))
    }

    fn due_wait(&self, now: Timestamp, heard_until: Timestamp) -> Option<StepIndex> {
        let mut due = self.waits.iter().take_while(|(at, _)| *at <= now);
        let signal = |index| self.step(index).wait.as_ref().is_some_and(|w| w.signal.is_some());
        let silent = |(at, index): &&(Timestamp, StepIndex)| *at <= heard_until || !signal(*index);
        due.find(silent).map(|(_, index)| *index)
    }

    /// The last moment at which somebody who may have spoken would be given up by `now`.
    pub fn awaits_word_since(&self, now: Timestamp) -> Option<Timestamp> {
        let attempts = self.attempt_deadlines.iter().take_while(|(at, _)| *at <= now);
        let handed_over = |(_, fence): &&(Timestamp, Fence)| {
            self.attempt(*fence).is_some_and(|(_, attempt)| attempt.is_handed_over())
        };
        let attempts = attempts.filter(handed_over).map(|(at, _)| *at);
        let waits = self.waits.iter().take_while(|(at, _)| *at <= now).map(|(at, _)| *at);
        attempts.chain(waits).max()
    }
}
