//! Doing steps anew: what they were is forgotten but for what they cost, and everything that is
//! derived from the steps is derived again.

use std::sync::Arc;

use serde_json::Value;

use super::{Applied, illegal};
use crate::execution::work::{StepState, Writes};
use crate::execution::{Part, Payload, State, Status, StepStatus, Unit};
use crate::plan::{Join, StepIndex};
use crate::time::Timestamp;

impl State {
    pub(super) fn reset(
        &mut self,
        at: Timestamp,
        paths: &[String],
        input: Option<&Value>,
    ) -> Applied {
        let mut units = Vec::with_capacity(paths.len());
        for path in paths {
            let unit = self.unit("reset", path)?;
            let step = self.step(unit.step);
            let busy = step.map.iter().flat_map(|map| &map.elements).any(|e| e.attempt.is_some());
            if self.work(unit).is_none() || step.attempt.is_some() || busy {
                return Err(illegal("reset", format!("`{path}` cannot be done anew")));
            }
            units.push(unit);
        }
        if self.paused.is_some() {
            self.resume(at, None);
        }
        for unit in &units {
            match unit.part {
                Part::Whole => self.renew_step(unit.step),
                Part::Element(number) => self.renew_element(unit.step, number),
                Part::Undo => return Err(illegal("reset", "what undoes a step is not done anew")),
            }
        }
        if let (Some(first), Some(input)) = (units.first(), input)
            && let Some(work) = self.work_mut(*first)
        {
            work.input = Some(Arc::new(input.clone()));
        }
        self.status = Status::Running;
        self.finished_at = None;
        self.fault = None;
        self.figures = None;
        self.unwinding = None;
        self.restart_clock(at);
        self.derive(at);
        Ok(())
    }

    fn renew_step(&mut self, index: StepIndex) {
        let step = &mut self.steps[index.position()];
        *step = StepState::of(step.work.renewed(StepStatus::Pending), 0);
    }

    /// The map goes on with this element; the others keep what they have.
    fn renew_element(&mut self, index: StepIndex, number: u32) {
        let step = &mut self.steps[index.position()];
        let Some(map) = &mut step.map else { return };
        if let Some(output) = step.work.output.take() {
            let results = output.value().and_then(|value| value.get("results")?.as_array());
            for (element, result) in map.elements.iter_mut().zip(results.into_iter().flatten()) {
                if element.status == StepStatus::Succeeded {
                    element.output = Some(Payload::inline(result.clone()));
                }
            }
        }
        let element = &mut map.elements[number as usize];
        map.settled -= u32::from(element.status.is_settled());
        map.failed -= u32::from(element.status == StepStatus::Failed);
        let dropped = element.output.as_ref().map_or(0, Payload::bytes);
        map.bytes = map.bytes.saturating_sub(dropped);
        *element = element.renewed(StepStatus::Ready);
        map.pending.insert(number);
        step.undo = None;
        step.skipped = None;
        step.writes = Writes::Nothing;
        let work = &mut step.work;
        work.status = StepStatus::Running;
        work.finished_at = None;
        work.fault = None;
        work.give_up_at = None;
    }

    /// Everything that follows from where the steps stand.
    fn derive(&mut self, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        self.ready.clear();
        self.queue_deadlines.clear();
        self.open_maps.clear();
        self.unsettled = self.steps.iter().filter(|step| !step.status.is_settled()).count();
        self.busy = 0;
        self.kept = crate::money::MicroUsd::ZERO;
        for index in plan.indices() {
            let waits_for = plan.step(index).dependencies.iter();
            let waits_for = waits_for.filter(|on| !self.step(**on).status.is_settled()).count();
            let step = &mut self.steps[index.position()];
            step.waits_for = u32::try_from(waits_for).expect("at most STEPS_MAX");
            self.busy +=
                usize::from(matches!(step.status, StepStatus::Running | StepStatus::Retrying));
            if step.status == StepStatus::Ready {
                step.status = StepStatus::Pending;
            }
            if step.map.as_ref().is_some_and(|map| !map.pending.is_empty()) {
                self.open_maps.insert((plan.step(index).order, index));
            }
            let step = self.step(index);
            let holds = step.status == StepStatus::Succeeded || step.map.is_some();
            let (holds, silent) = (step.undo.is_none() && holds, step.output.is_none());
            if holds {
                self.kept = self.kept.plus(self.undo_price(index));
            }
            if silent {
                self.writers.values_mut().for_each(|writers| {
                    writers.remove(&index);
                });
            }
        }
        for index in plan.indices() {
            if self.step(index).status == StepStatus::Pending && self.may_start(index) {
                self.make_ready(index, at);
            }
        }
    }

    /// Whether some step of the plan starts before all that it depends on is settled.
    pub(in crate::execution) fn joins_early(plan: &crate::plan::Plan) -> bool {
        plan.steps.iter().any(|step| step.join != Join::All)
    }

    /// What is reset together with `units`: all that depends on them, and what the end of the
    /// execution cut short or undid.
    pub(in crate::execution) fn to_be_reset(&self, units: &[Unit]) -> Vec<Unit> {
        let mut found: Vec<Unit> = units.to_vec();
        let mut renewed = vec![false; self.steps.len()];
        for unit in units {
            renewed[unit.step.position()] = true;
        }
        for index in self.plan.indices() {
            let step = self.step(index);
            let cut = matches!(step.status, StepStatus::Cancelled | StepStatus::Compensated);
            let depends = self.plan.step(index).dependencies.iter();
            let depends = depends.into_iter().any(|on| renewed[on.position()]);
            if renewed[index.position()] || !(cut || depends) {
                continue;
            }
            renewed[index.position()] = true;
            match if depends { Vec::new() } else { self.unfinished_elements(index) } {
                elements if elements.is_empty() => found.push(Unit::whole(index)),
                elements => found.extend(elements),
            }
        }
        found
    }

    /// The elements of a map that did not succeed, where others did.
    pub(in crate::execution) fn unfinished_elements(&self, index: StepIndex) -> Vec<Unit> {
        let step = self.step(index);
        let Some(map) = &step.map else { return Vec::new() };
        if matches!(step.status, StepStatus::Succeeded | StepStatus::Compensated) {
            return Vec::new();
        }
        let numbered = map.elements.iter().zip(0..);
        let open = numbered.filter(|(element, _)| element.status != StepStatus::Succeeded);
        open.map(|(_, number)| Unit::element(index, number)).collect()
    }
}
