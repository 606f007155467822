//! Calls of workers: made by drivers, answered whether or not anybody still waits.

use engine::driver::Answer;
use engine::execution::{Effect, Event, Outcome, Request as Call, effects};
use engine::ids::{ExecutionId, Fence};
use engine::plan::Address;

use super::Sabotage;
use super::check::NodeId;
use super::node::{Node, Stage};
use super::world::{Happening, Lived, World};

impl World {
    /// The sabotage of the journal: calls before their attempts are durable.
    pub fn call_ahead(&mut self, node: NodeId, events: &[Event]) -> Lived {
        let Some(Node { stage: Stage::Driving(driver), .. }) = self.nodes.get(&node) else {
            return Ok(());
        };
        let state = driver.state().clone();
        for event in events {
            for effect in effects(&state, event) {
                if let Effect::Call(request) = effect {
                    self.call(node, &request)?;
                }
            }
        }
        Ok(())
    }

    pub fn call(&mut self, node: NodeId, request: &Call) -> Lived {
        self.report.calls += 1;
        self.checker.called(request)?;
        let quiet = self.is_quiet();
        let treatment = self.workers.treat(request, &self.odds, &mut self.rng, quiet);
        self.tell(|| {
            let Call { step, fence, .. } = request;
            format!("{node} calls {step} under {fence}: {:?}", treatment.outcome)
        });
        if treatment.failed {
            self.fault("the worker fails");
        }
        self.checker.charged(&request.execution, treatment.charged)?;
        let clock = self.clock(0);
        let mut late = false;
        if let Some(one) = self.nodes.get_mut(&node) {
            if request.deadline_at > one.limits.lifetime_end {
                return Err(format!("{node} makes a call that may outlive it: {request:?}"));
            }
            let answered_ms = clock.as_millis() + one.ahead_ms + treatment.latency_ms;
            late = answered_ms >= request.deadline_at.as_millis();
            one.flights.insert(request.fence);
            one.in_air.insert(request.fence);
            one.bound_calls += u32::from(matches!(request.address, Address::Binding(_)));
        }
        if late {
            self.fault("the worker takes too long");
        }
        let Some(outcome) = treatment.outcome else { return Ok(()) };
        let (fence, id) = (request.fence, request.execution.clone());
        if self.strikes(self.odds.answer_doubled) {
            self.fault("an answer is doubled");
            let late_ms = treatment.latency_ms + self.rng.between(0, 30_000);
            let (id, outcome) = (id.clone(), outcome.clone());
            self.after(late_ms, Happening::Called { node, fence, id, outcome });
        }
        self.after(treatment.latency_ms, Happening::Called { node, fence, id, outcome });
        Ok(())
    }

    pub fn call_answered(
        &mut self,
        node: NodeId,
        fence: Fence,
        id: &ExecutionId,
        outcome: Outcome,
    ) -> Lived {
        let Some(one) = self.nodes.get_mut(&node) else { return Ok(()) };
        one.in_air.remove(&fence);
        if !one.flights.contains(&fence) {
            return Ok(());
        }
        self.checker.answered(id, fence, &outcome);
        if self.dies(node) {
            return Ok(());
        }
        let fence = self.fence_of_answer(node, fence);
        self.bring(node, Answer::Called { fence, outcome })
    }

    /// Without the fence check an answer counts for the step's attempt, whichever that is.
    fn fence_of_answer(&self, node: NodeId, fence: Fence) -> Fence {
        let Some(Node { stage: Stage::Driving(driver), exec, .. }) = self.nodes.get(&node) else {
            return fence;
        };
        if self.sabotage != Some(Sabotage::FenceCheck) {
            return fence;
        }
        let Some(step) = self.checker.step_of(exec, fence) else { return fence };
        let index = driver.state().plan.find(&step);
        let current = index.and_then(|index| driver.state().step(index).attempt.as_ref());
        current.map_or(fence, |attempt| attempt.fence)
    }
}
