//! Doing steps anew: what they were is forgotten but for what they cost, and everything that is
//! derived from the steps is derived again.

use std::sync::Arc;

use serde_json::Value;

use super::{Applied, illegal};
use crate::execution::work::{MapState, StepState, Writes};
use crate::execution::{Part, Payload, State, Status, StepStatus, Unit, Work};
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
        if units.iter().any(|unit| unit.part == Part::Undo) {
            return Err(illegal("reset", "what undoes a step is not done anew"));
        }
        if self.paused.is_some() {
            self.resume(at, None);
        }
        for unit in &units {
            match unit.part {
                Part::Whole | Part::Undo => self.renew_step(unit.step, at),
                Part::Element(number) => self.renew_element(*unit, number, at),
            }
        }
        // What could not be undone stands, and is undone anew should it come to that again.
        for step in &mut self.steps {
            step.undo = None;
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
        self.short = !self.could_pay(self.kept);
        Ok(())
    }

    fn renew_step(&mut self, index: StepIndex, at: Timestamp) {
        self.end_approval(index, at, (StepStatus::Cancelled, None));
        let step = &mut self.steps[index.position()];
        // Its elements are done anew, too: in a generation that none of them has had.
        let elements = step.map.iter().flat_map(|map| &map.elements);
        let last = elements.map(|element| element.generation).max().unwrap_or_default();
        step.work.generation = last.max(step.generation);
        *step = StepState::of(step.work.renewed(StepStatus::Pending), 0);
    }

    /// The map goes on with this element; the others keep what they have.
    fn renew_element(&mut self, unit: Unit, number: u32, at: Timestamp) {
        let index = unit.step;
        let total = self.plan.step(index).retry.total_deadline;
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
        let dropped = element.output.as_ref().map_or(0, Payload::bytes);
        map.bytes = map.bytes.saturating_sub(dropped);
        *element = element.renewed(StepStatus::Ready);
        step.skipped = None;
        step.writes = Writes::Nothing;
        let work = &mut step.work;
        work.status = StepStatus::Running;
        work.finished_at = None;
        work.fault = None;
        work.give_up_at = total.map(|total| at.plus(total));
    }

    /// Everything that follows from where the steps stand.
    fn derive(&mut self, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        self.ready.clear();
        self.queue_deadlines.clear();
        self.open_maps.clear();
        self.derive_moments();
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
            step.map.iter_mut().for_each(|map| map.count());
            let open = step.map.as_ref().is_some_and(|map| !map.pending.is_empty());
            if open && !step.status.is_settled() {
                self.open_maps.insert((plan.step(index).order, index));
            }
            let step = self.step(index);
            let under_way = step.map.is_some() && !step.status.is_settled();
            let (holds, silent) = (under_way || step.is_to_be_undone(), step.output.is_none());
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

    /// The moments of units that are not settled: those of what was renewed are forgotten.
    fn derive_moments(&mut self) {
        let plan = Arc::clone(&self.plan);
        self.retrying.clear();
        self.unit_deadlines.clear();
        self.waits.clear();
        self.waiting.clear();
        for index in plan.indices() {
            let step = &self.steps[index.position()];
            let elements = step.map.iter().flat_map(|map| map.elements.iter().zip(0..));
            let elements = elements.map(|(work, at)| (Unit::element(index, at), work));
            let units = std::iter::once((Unit::whole(index), &step.work)).chain(elements);
            for (unit, work) in units.filter(|(_, work)| !work.status.is_settled()) {
                self.retrying.extend(work.retry_at.map(|due| (due, unit)));
                self.unit_deadlines.extend(work.give_up_at.map(|due| (due, unit)));
            }
            if let Some(wait) = &step.wait {
                self.waiting.insert(index);
                self.waits.extend(wait.until.map(|until| (until, index)));
            }
        }
    }

    /// Whether some step of the plan starts before all that it depends on is settled.
    pub(in crate::execution) fn joins_early(plan: &crate::plan::Plan) -> bool {
        plan.steps.iter().any(|step| step.join != Join::All)
    }

    /// What is reset together with `units`: what depends on them, and what the end of the execution
    /// cut short or undid. `all` that depends on them, or only what did not succeed without them.
    pub(in crate::execution) fn to_be_reset(&self, units: &[Unit], all: bool) -> Vec<Unit> {
        let mut found: Vec<Unit> = units.to_vec();
        let mut renewed = vec![false; self.steps.len()];
        // Steps whose output others may have used.
        let mut used = vec![false; self.steps.len()];
        for unit in units {
            renewed[unit.step.position()] = true;
            used[unit.step.position()] = all;
            // What was called off with the map cannot count as done.
            let others = self.open_elements(unit.step).into_iter();
            let cut = others.filter(|other| {
                let called_off = |work: &Work| work.status == StepStatus::Cancelled;
                unit.part != Part::Whole && self.work(*other).is_some_and(called_off)
            });
            found.extend(cut.filter(|other| !units.contains(other)));
        }
        for index in self.plan.indices() {
            let step = self.step(index);
            let undone = step.status == StepStatus::Compensated;
            let cut = undone || (step.status == StepStatus::Cancelled && !step.needless);
            let depends = self.plan.step(index).dependencies.iter().any(|on| {
                let left_out = step.status.is_settled() && step.status != StepStatus::Succeeded;
                renewed[on.position()] && (used[on.position()] || left_out)
            });
            if renewed[index.position()] || !(cut || depends) {
                continue;
            }
            renewed[index.position()] = true;
            used[index.position()] = undone || step.status == StepStatus::Succeeded || all;
            match if depends { Vec::new() } else { self.unfinished_elements(index) } {
                elements if elements.is_empty() => found.push(Unit::whole(index)),
                elements => found.extend(elements),
            }
        }
        found
    }

    /// What of a map is done anew rather than the whole: the elements that did not succeed, where
    /// others did. Where none did, no money is kept for undoing the map any more, so it begins
    /// anew, once there is enough.
    pub(in crate::execution) fn unfinished_elements(&self, index: StepIndex) -> Vec<Unit> {
        let step = self.step(index);
        let whole = matches!(step.status, StepStatus::Succeeded | StepStatus::Compensated);
        match &step.map {
            Some(map) if !whole && map.elements.iter().any(has_succeeded) => {
                self.open_elements(index)
            }
            _ => Vec::new(),
        }
    }

    /// The elements of a map that did not succeed.
    fn open_elements(&self, index: StepIndex) -> Vec<Unit> {
        let elements = self.step(index).map.iter().flat_map(|map| map.elements.iter().zip(0..));
        let open = elements.filter(|(element, _)| !has_succeeded(element));
        open.map(|(_, number)| Unit::element(index, number)).collect()
    }
}

fn has_succeeded(element: &Work) -> bool {
    element.status == StepStatus::Succeeded
}

impl MapState {
    /// Counts its elements.
    fn count(&mut self) {
        let counted = |is: fn(StepStatus) -> bool| {
            let matching = self.elements.iter().filter(|element| is(element.status)).count();
            u32::try_from(matching).expect("a map's elements are counted")
        };
        let busy = |status| matches!(status, StepStatus::Running | StepStatus::Retrying);
        let (busy, settled) = (counted(busy), counted(StepStatus::is_settled));
        let failed = counted(|status| status == StepStatus::Failed);
        let ready = self.elements.iter().zip(0..);
        let ready = ready.filter(|(element, _)| element.status == StepStatus::Ready);
        self.pending = ready.map(|(_, number)| number).collect();
        (self.busy, self.settled, self.failed) = (busy, settled, failed);
    }
}
