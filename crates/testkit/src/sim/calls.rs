//! Calls of workers: made by drivers, answered whether or not anybody still waits.

use std::collections::BTreeSet;

use engine::driver::Answer;
use engine::execution::{Effect, Event, Request as Call, effects};
use engine::ids::{ExecutionId, Fence};
use engine::plan::Address;

use super::Sabotage;
use super::check::NodeId;
use super::governor::Permit;
use super::node::{Node, Stage};
use super::worker::Said;
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
        self.check_gate(node, request)?;
        let quiet = self.is_quiet();
        let treatment = self.workers.treat(request, &self.odds, &mut self.rng, quiet);
        self.tell(|| {
            let Call { step, fence, .. } = request;
            format!("{node} calls {step} under {fence}: {:?}", treatment.said)
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
            let Call { execution, step, worker, .. } = request;
            let permit = (execution.clone(), step.clone(), worker.clone());
            one.gated.insert(request.fence, permit);
            one.bound_calls += u32::from(matches!(request.address, Address::Binding(_)));
        }
        if late {
            self.fault("the worker takes too long");
        }
        let (fence, id) = (request.fence, request.execution.clone());
        let said = treatment.said;
        let mut latency_ms = treatment.latency_ms;
        match said {
            Said::Nothing => return Ok(()),
            Said::Accepted => latency_ms = self.accepted(request, latency_ms),
            Said::Answer(_) => {}
        }
        if self.strikes(self.odds.answer_doubled) {
            self.fault("an answer is doubled");
            let late_ms = latency_ms + self.rng.between(0, 30_000);
            let (id, said) = (id.clone(), said.clone());
            self.after(late_ms, Happening::Called { node, fence, id, said });
        }
        self.after(latency_ms, Happening::Called { node, fence, id, said });
        Ok(())
    }

    /// A call of a worker with a gate was let through, and not too many are under way.
    fn check_gate(&self, node: NodeId, request: &Call) -> Lived {
        let Some(template) = self.checker.template_of(&request.execution) else { return Ok(()) };
        let Some(worker) = template.own.definition.workers.get(&request.worker) else {
            return Ok(());
        };
        let gated = worker.max_concurrency.is_some() || worker.max_per_minute.is_some();
        if !gated {
            return Ok(());
        }
        let Call { execution, step, worker: name, .. } = request;
        let now = self.clock(0);
        let permit = (execution.clone(), step.clone(), name.clone());
        let own = self.governor.permit(&permit)?;
        let Some(most) = worker.max_concurrency else { return Ok(()) };
        // Permits run out by themselves: a call that was long on its way may have none any more.
        let lasts = |permit: &&Permit| self.governor.permit(permit).is_ok_and(|until| until > now);
        // What a driver that was lost has under way, its successor answers for.
        let nodes = self.nodes.values().filter(|node| self.checker.holds(&node.exec, node.id));
        let others = nodes.flat_map(|node| node.gated.values());
        let others = others.filter(|other| other.2 == *name && **other != permit).filter(lasts);
        let others = others.collect::<BTreeSet<_>>().len();
        if !self.governor.forgot && own > now && others >= most as usize {
            return Err(format!(
                "{node} calls `{name}` for `{step}`: {others} calls are under way, of {most}"
            ));
        }
        Ok(())
    }

    pub fn call_answered(
        &mut self,
        node: NodeId,
        fence: Fence,
        id: &ExecutionId,
        said: Said,
    ) -> Lived {
        let Some(one) = self.nodes.get_mut(&node) else { return Ok(()) };
        one.in_air.remove(&fence);
        one.gated.remove(&fence);
        if !one.flights.contains(&fence) {
            return Ok(());
        }
        if let Said::Answer(outcome) = &said {
            self.checker.answered(id, fence, outcome);
        }
        if self.dies(node) {
            return Ok(());
        }
        let fence = self.fence_of_answer(node, fence);
        match said {
            Said::Answer(outcome) => self.bring(node, Answer::Called { fence, outcome }),
            Said::Accepted => self.bring(node, Answer::Accepted { fence, silence: None }),
            Said::Nothing => Ok(()),
        }
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
        let unit = driver.state().plan.find_unit(&step);
        let work = unit.and_then(|unit| driver.state().work(unit));
        let current = work.and_then(|work| work.attempt.as_ref());
        current.map_or(fence, |attempt| attempt.fence)
    }
}
