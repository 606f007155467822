//! The books of one execution, kept from its durable events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::execution::{Event, FaultKind, Outcome, SkipReason, Started, State};
use engine::ids::{ExecutionId, Fence};

use super::clock::Clock;
use super::facts::{Facts, Part};
use super::inbox::{Inbox, Standing};
use super::money::Money;
use super::units::{Fate, Units};
use super::{Checked, same};

/// An attempt that is durable.
#[derive(Debug)]
pub struct Attempt {
    pub step: String,
    /// When it became durable.
    pub at_ms: i64,
    pub generation: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    pub units: Units,
    pub money: Money,
    pub inbox: Inbox,
    pub clock: Clock,
    pub ended: bool,
    begun: bool,
    pub(super) paused: bool,
    /// Whether somebody asked for its end at once.
    pub(super) killed: bool,
    pub(super) unwinding: bool,
    attempts: BTreeMap<Fence, Attempt>,
    called: BTreeSet<String>,
    /// Executions that steps began, with the effects that they are.
    pub children: BTreeMap<ExecutionId, (String, u32)>,
    pub compensations: u64,
    pub ends: u64,
}

impl Book {
    pub fn new(facts: Arc<Facts>) -> Self {
        Self {
            units: Units::new(facts),
            money: Money::default(),
            inbox: Inbox::default(),
            clock: Clock::default(),
            ended: false,
            begun: false,
            paused: false,
            killed: false,
            unwinding: false,
            attempts: BTreeMap::new(),
            called: BTreeSet::new(),
            children: BTreeMap::new(),
            compensations: 0,
            ends: 0,
        }
    }

    pub fn attempt(&self, fence: Fence) -> Option<&Attempt> {
        self.attempts.get(&fence)
    }

    pub fn standing(&self) -> Standing {
        let Self { ended, paused, unwinding, .. } = *self;
        Standing { ended, paused, unwinding }
    }

    /// Whether the path's output came from a worker.
    pub fn was_called(&self, path: &str) -> bool {
        self.called.contains(path)
    }

    /// Enters an event that has become durable.
    pub fn enter(
        &mut self,
        now_ms: i64,
        event: &Event,
        answers: &BTreeMap<Fence, Outcome>,
    ) -> Checked {
        if self.ended && !matches!(event, Event::Asked { .. } | Event::Reset { .. }) {
            return Err(format!("{event:?} follows on the end"));
        }
        if self.begun == matches!(event, Event::Started(_)) {
            return Err(format!("{event:?} is out of place"));
        }
        match event {
            Event::Started(started) => self.started(started),
            Event::AttemptStarted { .. }
            | Event::AttemptAccepted { .. }
            | Event::Heartbeat { .. }
            | Event::AttemptFailed { .. }
            | Event::LateAnswer { .. } => self.enter_attempt(now_ms, event)?,
            Event::StepSucceeded { .. }
            | Event::StepReused { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::StepCancelled { .. }
            | Event::StepHeld { .. }
            | Event::MapStarted { .. }
            | Event::WaitStarted { .. } => self.enter_step(event, answers)?,
            Event::SignalReceived { name, payload, answers, .. } => {
                let tag = payload.value().and_then(|value| value.get("tag")?.as_str());
                let tag = tag.unwrap_or_default();
                match answers {
                    Some(answers) => self.inbox.answered(&answers.step, tag)?,
                    None => self.inbox.received(name, tag)?,
                }
            }
            _ => self.enter_whole(event)?,
        }
        self.money.within(self.kept())
    }

    fn started(&mut self, started: &Started) {
        self.begun = true;
        self.clock.start(started.at, started.terms.deadline);
        self.money.raise(started.terms.budget.map(engine::money::MicroUsd::as_micros));
    }

    fn enter_attempt(&mut self, now_ms: i64, event: &Event) -> Checked {
        match event {
            Event::AttemptStarted {
                step, generation, fence, deadline_at, reserved, child, ..
            } => {
                self.units.may_begin(step)?;
                self.may_attempt(step)?;
                self.clock.may_begin(step, Some(*deadline_at).filter(|_| child.is_none()))?;
                self.units.begin(step, *generation)?;
                if self.attempts.last_key_value().is_some_and(|(last, _)| last >= fence) {
                    return Err(format!("fence {fence} is given out again"));
                }
                let attempt =
                    Attempt { step: step.clone(), at_ms: now_ms, generation: *generation };
                self.attempts.insert(*fence, attempt);
                let undo_price = self.units.facts.undo_price_of(step);
                self.money.begin(*fence, step, reserved.as_micros(), undo_price);
                if let Some(child) = child {
                    self.begin_child(child, step, *generation)?;
                }
            }
            Event::AttemptAccepted { step, fence, .. } | Event::Heartbeat { step, fence, .. }
                if !self.money.is_in_flight(*fence) =>
            {
                return Err(format!("`{step}`: {fence} is heard of, and not in flight"));
            }
            Event::AttemptFailed { step, fence, fault, cost, .. } => {
                let open = [FaultKind::Timeout, FaultKind::Lost, FaultKind::Limit];
                let open = open.contains(&fault.kind);
                self.money.end(step, *fence, cost.as_micros(), open)?;
            }
            Event::LateAnswer { step, fence, cost, .. } => {
                let cost = cost.map(engine::money::MicroUsd::as_micros);
                self.money.late(step, *fence, cost)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin_child(&mut self, child: &ExecutionId, path: &str, generation: u32) -> Checked {
        let effect = (path.to_owned(), generation);
        if let Some((other, _)) = self.children.iter().find(|(_, known)| **known == effect) {
            return Err(format!("`{path}`/{generation} is {other}, and begins {child}"));
        }
        self.children.insert(child.clone(), effect);
        Ok(())
    }

    fn enter_step(&mut self, event: &Event, answers: &BTreeMap<Fence, Outcome>) -> Checked {
        match event {
            Event::StepSucceeded { step, fence: Some(fence), output, cost, .. } => {
                let price = self.money.price(*fence);
                self.money.end(step, *fence, cost.as_micros(), false)?;
                let answer = answers.get(fence);
                let brought = answer.and_then(|answer| answer.result.as_ref().ok());
                if !brought.is_some_and(|brought| same(brought, output)) {
                    return Err(format!("`{step}` has an output that {fence} did not bring"));
                }
                let fits = |value: &std::sync::Arc<serde_json::Value>| {
                    self.units.facts.may_be_given(step, value)
                };
                if !output.value().is_some_and(fits) {
                    return Err(format!("`{step}` takes from a tool what it must not give"));
                }
                let said = answer.and_then(|answer| answer.cost);
                let due = said.map_or(price, engine::money::MicroUsd::as_micros);
                if cost.as_micros() != due {
                    return Err(format!("`{step}` is settled at {cost}, not {due}"));
                }
                if !self.children.values().any(|(path, _)| path == step) {
                    self.called.insert(step.clone());
                }
                self.compensations += u64::from(Facts::part(step).1 == Part::Undo);
                self.units.settle(step, Fate::Succeeded)
            }
            Event::StepSucceeded { step, fence: None, output, .. } => {
                self.units.may_begin(step)?;
                let facts = &self.units.facts.steps[step];
                let tag = output.value().and_then(|value| value.get("tag")?.as_str());
                match (&facts.signal, tag) {
                    (Some(name), Some(tag)) => self.inbox.consumed(name, tag)?,
                    (None, Some(tag)) if facts.is_guarded => self.inbox.took_answer(step, tag)?,
                    (_, Some(_) | None) => {}
                }
                self.units.settle(step, Fate::Succeeded)
            }
            Event::StepReused { step, .. } => Err(format!("`{step}` is reused")),
            Event::StepFailed { step, fault, .. } => self.failed(step, &fault.code, Fate::Failed),
            Event::StepSkipped { step, reason, .. } => {
                let code = match reason {
                    SkipReason::Failed { fault } => fault.code.as_str(),
                    _ => "",
                };
                self.failed(step, code, Fate::Skipped)
            }
            Event::StepCancelled { step, .. } => self.call_off(step),
            Event::MapStarted { step, elements, .. } => {
                self.units.may_begin(step)?;
                self.clock.may_begin(step, None)?;
                self.units.begin_map(step, *elements);
                Ok(())
            }
            Event::WaitStarted { step, .. } => {
                self.units.may_begin(step)?;
                self.clock.may_begin(step, None)?;
                self.units.begin_wait(step);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn failed(&mut self, path: &str, code: &str, fate: Fate) -> Checked {
        self.units.may_begin(path)?;
        let (step, part) = Facts::part(path);
        if code == "wait.rejected"
            && let Some(name) = self.units.facts.steps[step].signal.clone()
        {
            self.inbox.refused(&name);
        }
        let in_flight = self.money.paths().any(|(_, known)| known == path);
        if in_flight {
            return Err(format!("`{path}` fails while an attempt is in flight"));
        }
        if part == Part::Whole {
            self.call_off_elements(path)?;
        }
        self.units.settle(path, fate)
    }

    pub(super) fn call_off_elements(&mut self, step: &str) -> Checked {
        let elements: Vec<String> = self.units.elements(step).collect();
        self.money.give_up(|path| elements.iter().any(|element| element == path));
        for element in elements {
            if !self.units.is_settled(&element) {
                self.units.settle(&element, Fate::Cancelled)?;
            }
        }
        Ok(())
    }

    pub(super) fn call_off(&mut self, path: &str) -> Checked {
        self.money.give_up(|known| known == path);
        if Facts::part(path).1 == Part::Whole {
            self.call_off_elements(path)?;
        }
        self.units.settle(path, Fate::Cancelled)
    }

    fn enter_whole(&mut self, event: &Event) -> Checked {
        match event {
            Event::Asked { asked, verb, .. } => {
                self.killed |= *verb == engine::execution::Verb::Kill;
                self.inbox.asked(asked.reason.as_ref())?;
            }
            Event::Paused { at, .. } => {
                self.clock.stop(*at);
                self.paused = true;
            }
            Event::Parked { at } => self.clock.stop(*at),
            Event::Woken { at } => self.clock.go_on(*at),
            Event::Resumed { at, budget } => {
                self.money.raise(budget.map(engine::money::MicroUsd::as_micros));
                if std::mem::take(&mut self.paused) {
                    self.clock.go_on(*at);
                }
            }
            Event::Unwinding { at, .. } => {
                self.clock.restart(*at);
                (self.unwinding, self.paused) = (true, false);
                self.begin_unwinding()?;
            }
            Event::Reset { at, steps, .. } => {
                self.clock.restart(*at);
                (self.ended, self.paused, self.unwinding) = (false, false, false);
                self.killed = false;
                // What could not be undone is kept for again, whatever is left.
                self.money.lax |= self.units.has_failed_undo();
                self.units.reset(steps);
            }
            Event::Finished { status, fault, .. } => {
                let code = fault.as_ref().map_or("", |fault| fault.code.as_str());
                self.finished(*status, code)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn kept(&self) -> u64 {
        let facts = self.units.facts.steps.iter();
        let prices = facts.filter_map(|(name, step)| Some((name, step.undo_price?)));
        prices.filter(|(name, _)| self.units.keeps(name)).map(|(_, price)| price).sum()
    }

    /// No signal is kept that a wait could have.
    pub fn has_delivered(&self) -> Checked {
        for step in self.units.waiting.iter().filter(|_| !self.paused && !self.ended) {
            let signal = self.units.facts.steps[step].signal.as_ref();
            if let Some(name) = signal.filter(|name| self.inbox.keeps(name)) {
                return Err(format!("`{step}` waits for `{name}`, which has come"));
            }
        }
        Ok(())
    }

    /// Names of signals that some wait is not settled for.
    pub fn awaited(&self) -> BTreeSet<String> {
        let facts = self.units.facts.steps.values();
        let names = facts.filter_map(|step| step.signal.clone());
        names.filter(|name| self.awaits(name)).collect()
    }

    /// Whether some wait for a signal of this name is not settled.
    pub fn awaits(&self, name: &str) -> bool {
        let mut steps = self.units.facts.steps.iter();
        steps.any(|(step, facts)| {
            facts.signal.as_deref() == Some(name) && !self.units.is_settled(step)
        })
    }

    /// Whether the machine, from the same journal, comes to the same.
    pub fn agrees(&self, state: &State) -> Checked {
        if state.spent.as_micros() != self.money.spent {
            let counted = self.money.spent;
            return Err(format!("{} are spent; the books say {counted}", state.spent));
        }
        let of_plan = state.plan.steps.iter().zip(&state.steps);
        let mut names = of_plan.filter(|(planned, step)| {
            let done = self.units.fate(&planned.name) == Some(Fate::Succeeded);
            let undone = format!("{}/compensate", planned.name);
            let undone = self.units.fate(&undone) == Some(Fate::Succeeded);
            let says = step.status.as_str();
            (says == "succeeded") != (done && !undone) || (says == "compensated") != undone
        });
        if let Some((planned, step)) = names.next() {
            let (name, fate) = (&planned.name, self.units.fate(&planned.name));
            return Err(format!("`{name}` is {:?}; the books say {fate:?}", step.status));
        }
        if state.status.is_final() { Ok(()) } else { Err("it has not ended".to_owned()) }
    }
}
