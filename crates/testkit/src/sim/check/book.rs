//! The books of one execution, kept from its durable events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::execution::{Event, FaultKind, Outcome, State, StepStatus};
use engine::ids::Fence;

use super::{Checked, Template, same};

/// An attempt that is durable.
#[derive(Debug)]
pub struct Attempt {
    pub step: String,
    /// When it became durable.
    pub at_ms: i64,
    reserved: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    template: Arc<Template>,
    pub ended: bool,
    begun: bool,
    attempts: BTreeMap<Fence, Attempt>,
    in_flight: BTreeSet<Fence>,
    settled: BTreeSet<String>,
    succeeded: BTreeSet<String>,
    called: BTreeSet<String>,
    unanswered: BTreeMap<Fence, u64>,
    spent: u64,
}

impl Book {
    pub fn new(template: Arc<Template>) -> Self {
        Self {
            template,
            ended: false,
            begun: false,
            attempts: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            settled: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            called: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            spent: 0,
        }
    }

    pub fn attempt(&self, fence: Fence) -> Option<&Attempt> {
        self.attempts.get(&fence)
    }

    pub fn is_in_flight(&self, fence: Fence) -> bool {
        self.in_flight.contains(&fence)
    }

    pub fn succeeded(&self) -> impl Iterator<Item = &String> {
        self.succeeded.iter()
    }

    /// Whether the step's output came from a worker.
    pub fn was_called(&self, step: &str) -> bool {
        self.called.contains(step)
    }

    /// Enters an event that has become durable.
    pub fn enter(
        &mut self,
        now_ms: i64,
        event: &Event,
        answers: &BTreeMap<Fence, Outcome>,
    ) -> Checked {
        if self.ended {
            return Err(format!("{event:?} follows on the end"));
        }
        if self.begun == matches!(event, Event::Started(_)) {
            return Err(format!("{event:?} is out of place"));
        }
        self.begun = true;
        match event {
            Event::Started(_) | Event::TakenOver { .. } => {}
            Event::AttemptStarted { step, fence, reserved, .. } => {
                self.may_begin(step)?;
                if self.attempts.last_key_value().is_some_and(|(last, _)| last >= fence) {
                    return Err(format!("fence {fence} is given out again"));
                }
                let reserved = reserved.as_micros();
                let attempt = Attempt { step: step.clone(), at_ms: now_ms, reserved };
                self.attempts.insert(*fence, attempt);
                self.in_flight.insert(*fence);
            }
            Event::AttemptFailed { step, fence, fault, cost, .. } => {
                self.end_attempt(step, *fence, cost.as_micros())?;
                let open = [FaultKind::Timeout, FaultKind::Lost, FaultKind::Limit];
                if open.contains(&fault.kind) {
                    self.unanswered.insert(*fence, cost.as_micros());
                }
            }
            Event::StepSucceeded { step, fence: Some(fence), output, cost, .. } => {
                let reserved = self.attempts.get(fence).map_or(0, |attempt| attempt.reserved);
                self.end_attempt(step, *fence, cost.as_micros())?;
                let answer = answers.get(fence);
                let brought = answer.and_then(|answer| answer.result.as_ref().ok());
                if !brought.is_some_and(|brought| same(brought, output)) {
                    return Err(format!("`{step}` has an output that {fence} did not bring"));
                }
                let said = answer.and_then(|answer| answer.cost);
                let due = said.map_or(reserved, engine::money::MicroUsd::as_micros);
                if cost.as_micros() != due {
                    return Err(format!("`{step}` is settled at {cost}, not {due}"));
                }
                self.called.insert(step.clone());
                self.succeed(step)?;
            }
            Event::StepSucceeded { step, fence: None, .. } | Event::StepReused { step, .. } => {
                self.may_begin(step)?;
                self.succeed(step)?;
            }
            Event::StepFailed { step, .. } | Event::StepSkipped { step, .. } => {
                self.may_begin(step)?;
                self.settle(step)?;
            }
            Event::LateAnswer { step, fence, cost, .. } => {
                let Some(counted) = self.unanswered.remove(fence) else {
                    return Err(format!("`{step}`: nobody waited for the answer under {fence}"));
                };
                let cost = cost.map_or(counted, engine::money::MicroUsd::as_micros);
                self.spent = self.spent - counted + cost;
            }
            Event::Finished { .. } => self.end(),
            Event::Paused { .. } => {}
            other => return Err(format!("no template gives {other:?}")),
        }
        self.within_budget()
    }

    /// Only what its dependencies are settled for, what is not settled and has nothing in flight.
    fn may_begin(&self, step: &str) -> Checked {
        let plan = &self.template.plan;
        let Some(index) = plan.find(step) else { return Err(format!("there is no `{step}`")) };
        for dependency in &plan.step(index).dependencies {
            let needed = &plan.step(*dependency).name;
            if !self.settled.contains(needed) {
                return Err(format!("`{step}` begins before `{needed}` is settled"));
            }
        }
        if self.settled.contains(step) {
            return Err(format!("`{step}` is settled already"));
        }
        match self.in_flight.iter().find(|fence| self.attempts[fence].step == step) {
            Some(fence) => Err(format!("`{step}` is in flight already, under {fence}")),
            None => Ok(()),
        }
    }

    fn end_attempt(&mut self, step: &str, fence: Fence, cost: u64) -> Checked {
        let of_step = self.attempts.get(&fence).is_some_and(|attempt| attempt.step == step);
        if !of_step || !self.in_flight.remove(&fence) {
            return Err(format!("`{step}`: no attempt under {fence} is in flight"));
        }
        self.spent += cost;
        Ok(())
    }

    fn succeed(&mut self, step: &str) -> Checked {
        self.succeeded.insert(step.to_owned());
        self.settle(step)
    }

    fn settle(&mut self, step: &str) -> Checked {
        match self.settled.insert(step.to_owned()) {
            true => Ok(()),
            false => Err(format!("`{step}` is settled twice")),
        }
    }

    fn end(&mut self) {
        self.spent += self.reserved();
        self.in_flight.clear();
        self.ended = true;
    }

    fn reserved(&self) -> u64 {
        self.in_flight.iter().map(|fence| self.attempts[fence].reserved).sum()
    }

    /// Workers charge at most their estimate, so nothing may lead beyond a budget.
    fn within_budget(&self) -> Checked {
        let bound = self.spent + self.reserved();
        match self.template.terms.budget {
            Some(budget) if bound > budget.as_micros() => {
                Err(format!("{bound} are spent or kept back, of a budget of {budget}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the machine, from the same journal, comes to the same.
    pub fn agrees(&self, state: &State) -> Checked {
        if state.spent.as_micros() != self.spent {
            return Err(format!("{} are spent; the books say {}", state.spent, self.spent));
        }
        let of_plan = state.plan.steps.iter().zip(&state.steps);
        let succeeded = of_plan.filter(|(_, step)| step.status == StepStatus::Succeeded);
        let names: BTreeSet<&String> = succeeded.map(|(planned, _)| &planned.name).collect();
        if names != self.succeeded.iter().collect() {
            return Err(format!("{names:?} succeeded; the books say {:?}", self.succeeded));
        }
        if state.status.is_final() { Ok(()) } else { Err("it has not ended".to_owned()) }
    }
}
