//! What an execution will cost and how long it will take, told before it starts from the plan, the
//! terms and the registry's figures alone.
//!
//! Three figures for money: the *least* that an execution without faults must spend, what it is
//! *expected* to spend when every step that may be done is done once, and the *worst case*, all
//! retries, fallbacks and compensations included. Times are active times, as for the deadline:
//! what waits for a moment, a signal or another execution counts as nothing.

mod choice;
mod measured;
mod places;

use crate::execution::Terms;
use crate::money::MicroUsd;
use crate::time::Millis;

pub use measured::{Figures, Measured};

use super::{Call, Join, Kind, Losers, Plan, RetryPolicy, Step, StepIndex, Target};

/// What an execution of a plan will cost and how long it will take.
#[derive(Clone, Debug)]
pub struct Estimate<'p> {
    /// The steps, in the plan's order.
    pub steps: Vec<StepEstimate<'p>>,
    /// Money.
    pub cost: CostEstimate,
    /// Active time.
    pub time: TimeEstimate,
}

/// What an execution will cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostEstimate {
    /// What an execution without faults spends at least: a smaller budget cannot be enough.
    pub least: MicroUsd,
    /// What it spends when every step that may be done is done, each at its first attempt. Of a
    /// map this counts nothing, because nobody knows how many elements there will be.
    pub expected: MicroUsd,
    /// What it can spend at most; `None` where nothing but the budget limits it.
    pub worst: Option<MicroUsd>,
    /// Whether `expected` knows the cost of every step.
    pub is_complete: bool,
}

/// How long an execution will be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEstimate {
    /// What the steps that are certain take, each as long as expected, with places enough.
    pub least: Millis,
    /// The expected time with the places that the terms give; steps of unknown length count as
    /// nothing.
    pub expected: Millis,
    /// The longest it can take before its deadline ends it; `None` where nothing else would.
    pub worst: Option<Millis>,
    /// Whether `expected` knows the length of every step.
    pub is_complete: bool,
}

/// What one step will cost and how long it will take.
#[derive(Clone, Debug)]
pub struct StepEstimate<'p> {
    /// The step.
    pub step: &'p Step,
    /// Whether it will be done.
    pub fate: Fate,
    /// Who will be asked: the strategy's choice.
    pub target: Option<&'p Target>,
    /// What it adds to the least cost.
    pub least: MicroUsd,
    /// One attempt; for a map, one attempt of one element; for a pipeline, the least it costs.
    pub cost: MicroUsd,
    /// All that it can cost; `None` where nothing but the budget limits it.
    pub worst: Option<MicroUsd>,
    /// How often it may be tried, the fallback's attempts included; of a map, each element.
    pub attempts_max: u32,
    /// How long it takes when all goes well; `None` where nobody knows.
    pub length: Option<Millis>,
    /// How long it takes at most; `None` where only the deadline ends it.
    pub length_max: Option<Millis>,
    /// What past executions came to, where that stands in for the registry's figures.
    pub measured: Option<Measured>,
    /// When it is expected to start and to end, from the start of the execution.
    pub starts: Millis,
    /// See [`Self::starts`].
    pub ends: Millis,
}

/// Whether a step will be done in an execution without faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It will be done.
    Certain,
    /// Its condition decides.
    Conditional,
    /// It will be done, unless a join that others have reached first calls it off.
    Raced,
    /// What it depends on decides: a join may not be reached, or a race may take it along.
    Uncertain,
    /// The strategy leaves it out, because it is optional.
    LeftOut,
    /// It cannot be done: its join waits for more steps than the strategy leaves.
    Unreachable,
}

impl Fate {
    /// Whether it may be done.
    pub fn may_be(self) -> bool {
        matches!(self, Self::Certain | Self::Conditional | Self::Raced | Self::Uncertain)
    }
}

impl Plan {
    /// What an execution under `terms` will cost and how long it will take, by the registry.
    pub fn estimate(&self, terms: &Terms) -> Estimate<'_> {
        self.estimate_by(terms, &Figures::default())
    }

    /// The same with what is expected of steps by what was measured, where it was. What is spent at
    /// least and at most stays the registry's: by that budgets are kept.
    pub fn estimate_by(&self, terms: &Terms, figures: &Figures) -> Estimate<'_> {
        let fates = self.fates(terms);
        let mut steps: Vec<StepEstimate<'_>> = self
            .steps
            .iter()
            .zip(fates)
            .map(|(step, fate)| StepEstimate::of(step, fate, terms, figures))
            .collect();
        let time = self.time(&mut steps, terms.parallelism);
        let sum =
            |costs: &mut dyn Iterator<Item = MicroUsd>| costs.fold(MicroUsd::ZERO, MicroUsd::plus);
        let least = sum(&mut steps.iter().map(|step| step.least));
        let cost = CostEstimate {
            least: least.plus(self.least_of_raced(&steps, terms)),
            expected: sum(&mut steps.iter().map(StepEstimate::expected)),
            worst: steps.iter().try_fold(MicroUsd::ZERO, |sum, step| Some(sum.plus(step.worst?))),
            is_complete: !steps.iter().any(|step| step.fate.may_be() && step.is_unknown()),
        };
        Estimate { steps, cost, time }
    }

    /// In the plan's order dependencies come first, so one pass settles what depends on them.
    fn fates(&self, terms: &Terms) -> Vec<Fate> {
        let raced = self.raced();
        let mut fates: Vec<Fate> = Vec::with_capacity(self.steps.len());
        for (step, raced) in self.steps.iter().zip(raced) {
            let count = |which: &dyn Fn(Fate) -> bool| {
                step.required.iter().filter(|index| which(fates[index.position()])).count()
            };
            let (lost, doubtful) = match step.join {
                Join::All => (
                    count(&|fate| fate == Fate::Unreachable) > 0,
                    count(&|fate| fate == Fate::Uncertain || fate == Fate::Raced && !raced) > 0,
                ),
                Join::Some(n) => {
                    let ends = step.calls_losers_off();
                    let sure = |fate| fate == Fate::Certain || fate == Fate::Raced && ends;
                    (count(&Fate::may_be) < n as usize, count(&sure) < n as usize)
                }
            };
            fates.push(match step {
                _ if lost => Fate::Unreachable,
                _ if step.optional && terms.skip_optional => Fate::LeftOut,
                _ if step.optional && step.unavailable().is_some() => Fate::LeftOut,
                _ if step.condition.is_some() => Fate::Conditional,
                _ if doubtful => Fate::Uncertain,
                _ if raced => Fate::Raced,
                _ => Fate::Certain,
            });
        }
        fates
    }

    /// For each step, whether a join that calls its losers off may call it off: the join needs it,
    /// or only steps that are called off need it.
    fn raced(&self) -> Vec<bool> {
        let mut raced = vec![false; self.steps.len()];
        for index in self.indices().rev() {
            let needed_by = self
                .step(index)
                .dependents
                .iter()
                .filter(|dependent| self.step(**dependent).required.contains(&index));
            let (mut calls_off, mut others) = (false, false);
            for dependent in needed_by {
                calls_off |= self.step(*dependent).calls_losers_off();
                others |= !raced[dependent.position()];
            }
            let only_raced = !others && self.is_required(index);
            raced[index.position()] = calls_off || only_raced;
        }
        raced
    }

    fn is_required(&self, index: StepIndex) -> bool {
        let dependents = &self.step(index).dependents;
        dependents.iter().any(|dependent| self.step(*dependent).required.contains(&index))
    }

    /// Of the steps that race for a join, so many must succeed: the cheapest of them are the least.
    /// Joins may share steps, so that only the dearest join is certain to add to the sum.
    fn least_of_raced(&self, steps: &[StepEstimate<'_>], terms: &Terms) -> MicroUsd {
        let joins = self.steps.iter().zip(steps).filter(|(step, estimate)| {
            step.calls_losers_off() && matches!(estimate.fate, Fate::Certain)
        });
        let least = joins.map(|(step, _)| {
            let racing = step.required.iter().map(|index| &steps[index.position()]);
            let mut costs: Vec<MicroUsd> = racing
                .filter(|racer| racer.fate.may_be())
                .map(|racer| match racer.fate == Fate::Raced {
                    true => least_of(racer.step, racer.cost, terms),
                    false => MicroUsd::ZERO,
                })
                .collect();
            costs.sort_unstable();
            let needed = match step.join {
                Join::All => 0,
                Join::Some(n) => n as usize,
            };
            costs.into_iter().take(needed).fold(MicroUsd::ZERO, MicroUsd::plus)
        });
        least.max().unwrap_or_default()
    }

    fn time(&self, steps: &mut [StepEstimate<'_>], parallelism: u32) -> TimeEstimate {
        let lengths: Vec<Millis> = steps.iter().map(StepEstimate::active).collect();
        let fates: Vec<Fate> = steps.iter().map(|step| step.fate).collect();
        let timeline = places::best(self, &lengths, &fates, parallelism);
        for (estimate, (starts, ends)) in steps.iter_mut().zip(&timeline.spans) {
            (estimate.starts, estimate.ends) = (*starts, *ends);
        }
        let longest: Option<Vec<Millis>> = steps
            .iter()
            .map(|step| if step.fate.may_be() { step.length_max } else { Some(Millis::ZERO) })
            .collect();
        let certain: Vec<Millis> = steps.iter().map(StepEstimate::certain).collect();
        TimeEstimate {
            least: measured::chain(self, &certain),
            expected: timeline.end,
            worst: longest.map(|longest| places::longest(self, &longest, parallelism)),
            is_complete: steps.iter().all(|step| !step.fate.may_be() || step.length.is_some()),
        }
    }
}

impl<'p> StepEstimate<'p> {
    fn of(step: &'p Step, fate: Fate, terms: &Terms, figures: &Figures) -> Self {
        let call = step.call();
        let target = call.map(|call| call.chosen(terms.choice));
        let cost = match &step.kind {
            Kind::Pipeline(sub) => sub.cost_min,
            Kind::Worker(_) | Kind::Tool(_) | Kind::Map(_) | Kind::Transform | Kind::Wait(_) => {
                target.and_then(|target| target.estimated_cost).unwrap_or_default()
            }
        };
        let attempts = attempts_of(&step.retry, terms);
        let fallback = call.and_then(|call| call.fallback.as_ref());
        let attempts_max = match (target, fallback) {
            (None, _) => 1,
            (Some(_), None) => attempts,
            (Some(_), Some(_)) => attempts.saturating_mul(2),
        };
        let mut estimate = Self {
            step,
            fate,
            target,
            least: MicroUsd::ZERO,
            cost,
            worst: Some(MicroUsd::ZERO),
            attempts_max,
            length: None,
            length_max: None,
            measured: target.and_then(|target| figures.of(&step.name, &target.worker)),
            starts: Millis::ZERO,
            ends: Millis::ZERO,
        };
        (estimate.length, estimate.length_max) = estimate.lengths(fallback, terms);
        if let Some(measured) = estimate.measured {
            estimate.length = Some(measured.time);
        }
        if fate == Fate::Certain {
            estimate.least = least_of(step, cost, terms);
        }
        if fate.may_be() {
            estimate.worst = estimate.worst_cost(attempts, fallback);
        }
        estimate
    }

    /// What it adds to the expected cost.
    fn expected(&self) -> MicroUsd {
        if !self.fate.may_be() || self.is_unknown() {
            return MicroUsd::ZERO;
        }
        self.measured.map_or(self.cost, |measured| measured.cost)
    }

    /// Whether nobody knows what it will cost: how many elements there will be.
    fn is_unknown(&self) -> bool {
        self.is_per_element() && self.measured.is_none()
    }

    /// What it adds to the expected time.
    fn active(&self) -> Millis {
        let length = self.length.filter(|_| self.fate.may_be());
        length.unwrap_or(Millis::ZERO)
    }

    /// Whether its figures are those of one element of many.
    pub fn is_per_element(&self) -> bool {
        matches!(self.step.kind, Kind::Map(_))
    }

    fn worst_cost(&self, attempts: u32, fallback: Option<&Target>) -> Option<MicroUsd> {
        let price = |target: &Target| target.estimated_cost.unwrap_or_default();
        let done = match &self.step.kind {
            Kind::Map(_) => return None,
            Kind::Pipeline(sub) => sub.budget?.max(sub.cost_min),
            Kind::Transform | Kind::Wait(_) => MicroUsd::ZERO,
            Kind::Worker(_) | Kind::Tool(_) => {
                let fallback = fallback.map(price).unwrap_or_default();
                self.cost.times(attempts.into()).plus(fallback.times(attempts.into()))
            }
        };
        let undone = self.step.compensation.as_ref().map(|compensation| {
            price(&compensation.target).times(u64::from(compensation.retry.retries_max) + 1)
        });
        Some(done.plus(undone.unwrap_or_default()))
    }

    /// The expected and the longest active time.
    fn lengths(
        &self,
        fallback: Option<&Target>,
        terms: &Terms,
    ) -> (Option<Millis>, Option<Millis>) {
        let target = match (&self.step.kind, self.target) {
            (Kind::Map(_), _) => return (None, None),
            (Kind::Worker(_) | Kind::Tool(_), Some(target)) => target,
            (Kind::Transform | Kind::Wait(_) | Kind::Pipeline(_), _)
            | (Kind::Worker(_) | Kind::Tool(_), None) => {
                return (Some(Millis::ZERO), Some(Millis::ZERO));
            }
        };
        let limit = |target: &Target| {
            target.timeout.map_or(terms.attempt_timeout, |own| own.min(terms.attempt_timeout))
        };
        let retry = &self.step.retry;
        let all = |target: &Target| {
            let retries = attempts_of(retry, terms) - 1;
            let attempts = limit(target).get().saturating_mul(u64::from(retries) + 1);
            let delays = (1..=retries).map(|retry_no| retry.delay(retry_no, u64::MAX, None));
            delays.fold(Millis::new(attempts), Millis::plus)
        };
        let both = fallback.map_or(all(target), |other| all(target).plus(all(other)));
        let at_most = |length: Millis| retry.total_deadline.map_or(length, |all| length.min(all));
        let length = target.expected.map(|expected| at_most(expected.min(limit(target))));
        (length, Some(at_most(both)))
    }
}

/// What a step that will be done costs at least: an answer that may come from an earlier execution
/// may cost nothing.
fn least_of(step: &Step, cost: MicroUsd, terms: &Terms) -> MicroUsd {
    let remembered = terms.memo && step.call().is_some_and(|call| call.memo.is_some());
    let is_counted = !remembered && !matches!(step.kind, Kind::Map(_));
    if is_counted { cost } else { MicroUsd::ZERO }
}

/// Attempts of one worker: the first and its retries, of which the strategy may allow fewer.
fn attempts_of(retry: &RetryPolicy, terms: &Terms) -> u32 {
    retry.retries_max.min(terms.retries_max.unwrap_or(u32::MAX)).saturating_add(1)
}

impl Step {
    /// The call of a step that makes one, for each element where it makes several.
    pub fn call(&self) -> Option<&Call> {
        match &self.kind {
            Kind::Worker(call) | Kind::Tool(call) => Some(call),
            Kind::Map(each) => Some(&each.call),
            Kind::Transform | Kind::Wait(_) | Kind::Pipeline(_) => None,
        }
    }

    fn calls_losers_off(&self) -> bool {
        self.losers == Losers::Cancel && matches!(self.join, Join::Some(_))
    }
}

#[cfg(test)]
mod tests;
