//! The whole report: measures of two periods, and what was found in the rows of the newer one.

use std::collections::{BTreeMap, BTreeSet};

use api_types::insights::{
    InsightsReply, Sample, StrategyMeasures, TemplateMeasures, TimeRange, WorkerMeasures,
};
use engine::time::Timestamp;

use super::bottlenecks::bottlenecks;
use super::material::Material;
use super::measures::{Nested, measures, savings, worker_measures};
use super::recommend::recommendations;
use crate::db::iso;
use crate::db::rollups::{Executions, Steps, Window};
use crate::insights::Histogram;

/// A period and the one before it.
#[derive(Clone, Debug)]
pub struct Period {
    /// How long it is.
    pub range: TimeRange,
    /// The period.
    pub now: Window,
    /// The one before it, which ends where it begins.
    pub before: Window,
}

/// Figures of both periods.
pub type Both<T> = [Vec<T>; 2];

/// What the figures of a period say, the newer period first.
pub struct Figures {
    /// Without a distinction.
    pub total: Both<Executions>,
    /// By strategy.
    pub by_strategy: Both<Executions>,
    /// By template.
    pub by_template: Both<Executions>,
    /// Of steps, by worker, of the period before.
    pub workers_before: Vec<Steps>,
}

impl Period {
    /// The period of this length that ends now.
    pub fn ending(range: TimeRange, now: Timestamp) -> Self {
        let length_ms = match range {
            TimeRange::Hour => 3_600_000,
            TimeRange::Day => 24 * 3_600_000,
            TimeRange::Week => 7 * 24 * 3_600_000,
            TimeRange::Month => 30 * 24 * 3_600_000,
        };
        let back = |at: Timestamp| Timestamp::from_millis(at.as_millis() - length_ms);
        let newer = Window::between(back(now), now, now);
        let before = Window::between(back(newer.from()), newer.from(), now);
        Self { range, now: newer, before }
    }
}

/// The report about `account`, as of `at`.
pub fn report(
    account: &str,
    period: &Period,
    at: Timestamp,
    figures: &Figures,
    material: &Material,
) -> InsightsReply {
    let total = |of: &[Executions]| of.first().cloned().unwrap_or_default();
    let [now, before] = [total(&figures.total[0]), total(&figures.total[1])];
    InsightsReply {
        account: account.to_owned(),
        time_range: period.range,
        from: iso(period.now.from()),
        to: iso(at),
        previous_from: iso(period.before.from()),
        generated_at: iso(at),
        overall: measures(&now, &before, Nested::Within),
        by_strategy: pairs(&figures.by_strategy)
            .map(|(strategy, now, before)| {
                let measures = measures(&now, &before, Nested::Within);
                StrategyMeasures { strategy, measures }
            })
            .collect(),
        by_template: pairs(&figures.by_template)
            .map(|(template, now, before)| {
                let measures = measures(&now, &before, Nested::Apart);
                TemplateMeasures { template, measures }
            })
            .collect(),
        by_worker: workers(&material.figures, &figures.workers_before),
        bottlenecks: bottlenecks(material),
        recommendations: recommendations(material),
        savings: savings(&now),
        sample: Sample {
            executions: material.executions.len() as u64,
            with_steps: material.steps.len() as u64,
        },
    }
}

/// What occurs in the newer period, with what it was in the older one.
fn pairs(both: &Both<Executions>) -> impl Iterator<Item = (String, Executions, Executions)> {
    let [now, before] = both;
    now.iter().map(move |row| {
        let earlier = before.iter().find(|earlier| earlier.subject == row.subject);
        (row.subject.clone(), row.clone(), earlier.cloned().unwrap_or_default())
    })
}

fn workers(now: &[Steps], before: &[Steps]) -> Vec<WorkerMeasures> {
    let [now, before] = [now, before].map(by_worker);
    let was_asked = |row: &Steps| !row.worker_name.is_empty() && row.attempts + row.cache_hits > 0;
    let names: BTreeSet<&str> =
        now.iter().filter(|(_, row)| was_asked(row)).map(|(name, _)| *name).collect();
    let of = |rows: &BTreeMap<&str, Steps>, name| rows.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| worker_measures(name, &of(&now, name), &of(&before, name)))
        .collect()
}

/// Figures of steps added up by worker.
fn by_worker(rows: &[Steps]) -> BTreeMap<&str, Steps> {
    let mut sums: BTreeMap<&str, Steps> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(&row.worker_name).or_default();
        sum.worker_name.clone_from(&row.worker_name);
        sum.succeeded += row.succeeded;
        sum.failed += row.failed;
        sum.skipped += row.skipped;
        sum.cancelled += row.cancelled;
        sum.compensated += row.compensated;
        sum.attempts += row.attempts;
        sum.failed_attempts += row.failed_attempts;
        sum.retried += row.retried;
        sum.cache_hits += row.cache_hits;
        sum.cost_micro_usd += row.cost_micro_usd;
        sum.timed += row.timed;
        sum.duration_ms += row.duration_ms;
        let mut durations = Histogram::default();
        durations.add(&sum.durations);
        durations.add(&row.durations);
        sum.durations = durations;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_and_the_one_before_it_meet() {
        let now = Timestamp::from_millis(1_795_255_321_987);
        for range in [TimeRange::Hour, TimeRange::Day, TimeRange::Week, TimeRange::Month] {
            let period = Period::ending(range, now);
            assert_eq!(period.before.to(), period.now.from(), "{range:?}");
            assert!(period.now.from() < now && now <= period.now.to(), "{range:?}");
        }
    }

    #[test]
    fn what_a_worker_did_for_several_steps_is_added_up() {
        let row = |step: &str, worker: &str, attempts| {
            let mut row = Steps {
                worker_name: worker.to_owned(),
                step_name: step.to_owned(),
                attempts,
                ..Steps::default()
            };
            row.durations.count(100, attempts);
            row
        };
        let skipped = row("e", "nobody asked", 0);
        let now = [row("a", "w", 1), row("b", "w", 2), row("c", "", 9), row("d", "v", 5), skipped];
        let before = [row("a", "w", 1), row("a", "gone", 7)];
        let found = workers(&now, &before);
        let shown: Vec<_> = found
            .iter()
            .map(|w| (w.worker.as_str(), w.attempts.value, w.attempts.previous))
            .collect();
        assert_eq!(shown, [("v", Some(5.0), Some(0.0)), ("w", Some(3.0), Some(1.0))]);
    }
}
