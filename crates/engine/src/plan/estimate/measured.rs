//! What steps came to in past executions, where somebody has measured it: figures that stand in for
//! the registry's.

use std::collections::BTreeMap;

use crate::money::MicroUsd;
use crate::plan::{Join, Plan, StepIndex};
use crate::time::Millis;

use super::{Estimate, Fate, StepEstimate};

/// What a step came to when one worker did it: all its attempts, and all elements of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// How long it took.
    pub time: Millis,
    /// What it cost.
    pub cost: MicroUsd,
}

/// What was measured, by the step's name and the worker that did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(BTreeMap<(String, String), Measured>);

impl Figures {
    /// Adds what a step comes to when `worker` does it.
    pub fn insert(&mut self, step: &str, worker: &str, measured: Measured) {
        self.0.insert((step.to_owned(), worker.to_owned()), measured);
    }

    pub(super) fn of(&self, step: &str, worker: &str) -> Option<Measured> {
        // No figure is the usual case, and then no key is made.
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(step.to_owned(), worker.to_owned())).copied()
    }
}

/// The longest chain of steps of these lengths, each after what it waits for: no number of places
/// makes them end sooner.
pub(super) fn chain(plan: &Plan, lengths: &[Millis]) -> Millis {
    let mut ends = vec![Millis::ZERO; lengths.len()];
    for index in plan.indices() {
        let step = plan.step(index);
        let mut required: Vec<Millis> =
            step.required.iter().map(|index| ends[index.position()]).collect();
        required.sort_unstable();
        let joined = match step.join {
            Join::All => required.last(),
            Join::Some(n) => required.get((n as usize).saturating_sub(1)),
        };
        let others = step.dependencies.iter().filter(|index| !step.required.contains(index));
        let others = others.map(|index| ends[index.position()]).max();
        let begins = joined.copied().unwrap_or_default().max(others.unwrap_or_default());
        ends[index.position()] = begins.plus(lengths[index.position()]);
    }
    ends.into_iter().max().unwrap_or_default()
}

impl Estimate<'_> {
    /// The steps that the least cost is made of, dearest first.
    pub fn dearest(&self, count: usize) -> Vec<&StepEstimate<'_>> {
        let mut paid: Vec<_> =
            self.steps.iter().filter(|step| step.least > MicroUsd::ZERO).collect();
        paid.sort_by_key(|step| std::cmp::Reverse(step.least));
        paid.truncate(count);
        paid
    }

    /// The steps that the expected time is made of, in their order: each starts when the one before
    /// it ends, because it depends on it or has its place.
    pub fn critical_path(&self, plan: &Plan) -> Vec<StepIndex> {
        let takes = |step: &StepEstimate<'_>| step.ends > step.starts;
        let in_time = || {
            let each = plan.indices().map(|index| (index, &self.steps[index.position()]));
            each.filter(|(_, step)| step.fate.may_be() && takes(step))
        };
        let Some((last, _)) = in_time().max_by_key(|(_, step)| step.ends) else {
            return Vec::new();
        };
        let mut path = vec![last];
        let mut at = last;
        loop {
            let starts = self.steps[at.position()].starts;
            if starts == Millis::ZERO {
                break;
            }
            let ends_then = |index: &StepIndex| {
                let step = &self.steps[index.position()];
                step.fate.may_be() && step.ends == starts
            };
            let needed = plan.step(at).dependencies.iter().copied().find(ends_then);
            let placed = || in_time().map(|(index, _)| index).find(ends_then);
            // A dependency stands earlier in the plan, a step that had the place earlier in time.
            let Some(before) = needed.or_else(placed) else { break };
            if takes(&self.steps[before.position()]) {
                path.push(before);
            }
            at = before;
        }
        path.reverse();
        path
    }
}

impl StepEstimate<'_> {
    /// Whether the step is certain to take its time.
    pub(super) fn certain(&self) -> Millis {
        match self.fate {
            Fate::Certain => self.length.unwrap_or_default(),
            Fate::Conditional
            | Fate::Raced
            | Fate::Uncertain
            | Fate::LeftOut
            | Fate::Unreachable => Millis::ZERO,
        }
    }
}
