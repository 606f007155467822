//! How long steps take together when only so many have a place at the same time.
//!
//! Greedy scheduling has anomalies: with more places, or with shorter steps, it can take longer
//! (Graham, "Bounds on Multiprocessing Timing Anomalies", 1969). What is told here has none: the
//! expected time is the best of all smaller numbers of places, and the longest is Graham's bound,
//! which holds for every greedy schedule.

use std::collections::BTreeSet;

use super::Fate;
use crate::plan::{Join, Plan, StepIndex};
use crate::time::Millis;

/// The most places that make a difference here; more count as so many.
const PLACES_MAX: usize = 64;

/// When each step starts and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    /// Start and end of each step.
    pub(super) spans: Vec<(Millis, Millis)>,
    /// The last end.
    pub(super) end: Millis,
}

/// The shortest timeline with at most `parallelism` places.
pub(super) fn best(plan: &Plan, lengths: &[Millis], fates: &[Fate], parallelism: u32) -> Timeline {
    let most = (parallelism as usize).clamp(1, PLACES_MAX.min(plan.steps.len().max(1)));
    let mut best = greedy(plan, lengths, fates, 1);
    for places in 2..=most {
        let timeline = greedy(plan, lengths, fates, places);
        if timeline.end < best.end {
            best = timeline;
        }
    }
    best
}

/// The longest that any greedy schedule of steps of at most these lengths takes: all work divided
/// by the places, and the longest chain for what may stand idle beside it.
pub(super) fn longest(plan: &Plan, lengths: &[Millis], parallelism: u32) -> Millis {
    let places = u128::from(parallelism.max(1));
    let mut chains = vec![Millis::ZERO; lengths.len()];
    for index in plan.indices() {
        let before = plan.step(index).dependencies.iter().map(|d| chains[d.position()]).max();
        chains[index.position()] = before.unwrap_or(Millis::ZERO).plus(lengths[index.position()]);
    }
    let chain = u128::from(chains.iter().max().map_or(0, |chain| chain.get()));
    let work: u128 = lengths.iter().map(|length| u128::from(length.get())).sum();
    let bound = (work + chain * (places - 1)).div_ceil(places);
    Millis::new(u64::try_from(bound).unwrap_or(u64::MAX))
}

/// Who is free begins, in the plan's order, as long as there are places. A step without a length
/// needs none.
fn greedy(plan: &Plan, lengths: &[Millis], fates: &[Fate], places: usize) -> Timeline {
    let mut doing = Doing {
        plan,
        fates,
        missing: plan.indices().map(|index| missing(plan, fates, index)).collect(),
        ready: plan.indices().filter(|i| plan.step(*i).dependencies.is_empty()).collect(),
        spans: vec![(Millis::ZERO, Millis::ZERO); lengths.len()],
        end: Millis::ZERO,
    };
    let mut in_progress: BTreeSet<(Millis, StepIndex)> = BTreeSet::new();
    let mut now = Millis::ZERO;
    loop {
        let next =
            doing.ready.iter().copied().find(|index| {
                lengths[index.position()] == Millis::ZERO || in_progress.len() < places
            });
        if let Some(index) = next {
            doing.ready.remove(&index);
            let ends = now.plus(lengths[index.position()]);
            doing.spans[index.position()] = (now, ends);
            if ends == now {
                doing.finish(index, now);
            } else {
                in_progress.insert((ends, index));
            }
        } else if let Some((at, index)) = in_progress.pop_first() {
            now = at;
            doing.finish(index, now);
        } else {
            return Timeline { spans: doing.spans, end: doing.end };
        }
    }
}

struct Doing<'p> {
    plan: &'p Plan,
    fates: &'p [Fate],
    /// Of each step, how many that come before it and how many that it requires are missing.
    missing: Vec<(usize, usize)>,
    ready: BTreeSet<StepIndex>,
    spans: Vec<(Millis, Millis)>,
    end: Millis,
}

impl Doing<'_> {
    fn finish(&mut self, index: StepIndex, at: Millis) {
        self.end = self.end.max(at);
        for dependent in &self.plan.step(index).dependents {
            let requires = self.plan.step(*dependent).required.contains(&index);
            let of_few = is_of_few(self.plan, self.fates, *dependent);
            if requires && of_few && !self.fates[index.position()].may_be() {
                continue;
            }
            let (before, required) = &mut self.missing[dependent.position()];
            let missing = if requires { required } else { before };
            let was_free = *missing == 0;
            *missing = missing.saturating_sub(1);
            if !was_free && self.missing[dependent.position()] == (0, 0) {
                self.ready.insert(*dependent);
            }
        }
    }
}

/// How many steps must be done before the one at `index`, besides those that it requires; and how
/// many of those.
fn missing(plan: &Plan, fates: &[Fate], index: StepIndex) -> (usize, usize) {
    let step = plan.step(index);
    let required = match step.join {
        Join::Some(n) if is_of_few(plan, fates, index) => step.required.len().min(n as usize),
        Join::Some(_) | Join::All => step.required.len(),
    };
    (step.dependencies.len() - step.required.len(), required)
}

/// Whether a step starts when some of its required steps are done: then those that are left out do
/// not count.
fn is_of_few(plan: &Plan, fates: &[Fate], index: StepIndex) -> bool {
    matches!(plan.step(index).join, Join::Some(_)) && fates[index.position()].may_be()
}
