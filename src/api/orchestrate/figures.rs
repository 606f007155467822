//! What is expected of the steps of a plan by what was measured: of the step itself where it was
//! done often enough, else of its worker. An isolate asks the database once a minute.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use engine::money::MicroUsd;
use engine::plan::definition::TemplateDefinition;
use engine::plan::{Figures, Kind, Measured, Plan};
use engine::time::{Millis, Timestamp};

use crate::db::samples::{self, Sample};
use crate::db::{Database, DbError};

/// How many samples a figure takes: of fewer, a percentile says little.
pub const SAMPLES_MIN: usize = 5;
const KNOWN_FOR: Millis = Millis::from_secs(60);
const KNOWN_MAX: usize = 64;

/// What was measured of steps and workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurements {
    steps: BTreeMap<(String, String), Statistic>,
    workers: BTreeMap<String, Statistic>,
}

/// What so many samples say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// How many there are.
    pub samples: u64,
    /// What half of them stay within.
    pub p50: Measured,
    /// What 19 of 20 stay within.
    pub p95: Measured,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From this step of earlier executions.
    Step,
    /// From other steps that the same worker did.
    Worker,
}

/// What is expected of each step, by its name and worker.
pub type Expected = BTreeMap<(String, String), (Origin, Statistic)>;

/// Figures, and when they were read.
type Known = (Timestamp, Rc<Measurements>);

thread_local! {
    static KNOWN: RefCell<HashMap<(String, String), Known>> =
        RefCell::default();
}

/// What was measured of a template in an account.
pub async fn measurements(
    db: &impl Database,
    (account, template): (&str, &str),
    now: Timestamp,
) -> Result<Rc<Measurements>, DbError> {
    let key = (account.to_owned(), template.to_owned());
    let fresh = |at: &Timestamp| *at <= now && now.since(*at) < KNOWN_FOR;
    let known = KNOWN.with_borrow(|known| {
        known.get(&key).filter(|(at, _)| fresh(at)).map(|(_, found)| Rc::clone(found))
    });
    if let Some(found) = known {
        return Ok(found);
    }
    let (own, all) = samples::newest(db, account, template).await?;
    let found = Rc::new(Measurements::of(own, all));
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, (now, Rc::clone(&found)));
    });
    Ok(found)
}

impl Measurements {
    fn of(own: Vec<Sample>, all: Vec<Sample>) -> Self {
        let mut steps: BTreeMap<(String, String), Vec<Sample>> = BTreeMap::new();
        for sample in own {
            let key = (sample.step_name.clone(), sample.worker_name.clone());
            steps.entry(key).or_default().push(sample);
        }
        let mut workers: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for sample in all {
            workers.entry(sample.worker_name.clone()).or_default().push(sample);
        }
        let enough =
            |samples: &[Sample]| (samples.len() >= SAMPLES_MIN).then(|| statistic(samples));
        let steps = steps.into_iter().filter_map(|(key, samples)| Some((key, enough(&samples)?)));
        let workers =
            workers.into_iter().filter_map(|(key, samples)| Some((key, enough(&samples)?)));
        Self { steps: steps.collect(), workers: workers.collect() }
    }

    /// What is expected of the steps of a plan. Of a worker with several operations nobody knows
    /// which of them other steps asked for, and what a map takes is its own.
    pub fn expected(&self, plan: &Plan, definition: &TemplateDefinition) -> Expected {
        let mut expected = Expected::new();
        for step in &plan.steps {
            let Some(call) = step.call() else { continue };
            for target in std::iter::once(&call.primary).chain(&call.alternatives) {
                let key = (step.name.clone(), target.worker.clone());
                let operations =
                    definition.workers.get(&target.worker).map_or(0, |it| it.endpoints.len());
                let by_worker = || {
                    let one = operations <= 1 && !matches!(step.kind, Kind::Map(_));
                    self.workers.get(&target.worker).filter(|_| one)
                };
                let found = self.steps.get(&key).map(|own| (Origin::Step, *own));
                let found = found.or_else(|| by_worker().map(|its| (Origin::Worker, *its)));
                expected.extend(found.map(|found| (key, found)));
            }
        }
        expected
    }
}

/// The figures of an estimate: what `of` takes of each statistic.
pub fn figures(expected: &Expected, of: fn(&Statistic) -> Measured) -> Figures {
    let mut figures = Figures::default();
    for ((step, worker), (_, statistic)) in expected {
        figures.insert(step, worker, of(statistic));
    }
    figures
}

fn statistic(samples: &[Sample]) -> Statistic {
    let sorted = |of: fn(&Sample) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(of).collect();
        values.sort_unstable();
        values
    };
    let (times, costs) = (sorted(|s| s.time_ms), sorted(|s| s.cost_micro_usd));
    let at = |share: f64| Measured {
        time: Millis::new(percentile(&times, share)),
        cost: MicroUsd::from_micros(percentile(&costs, share)),
    };
    Statistic { samples: samples.len() as u64, p50: at(0.5), p95: at(0.95) }
}

/// The smallest value that at least this share of all does not exceed (the nearest rank).
fn percentile(sorted: &[u64], share: f64) -> u64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(step: &str, worker: &str, time_ms: u64) -> Sample {
        Sample {
            step_name: step.to_owned(),
            worker_name: worker.to_owned(),
            time_ms,
            cost_micro_usd: time_ms * 2,
        }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=20).collect();
        assert_eq!((percentile(&values, 0.5), percentile(&values, 0.95)), (10, 19));
        assert_eq!((percentile(&[7], 0.5), percentile(&[7], 0.95)), (7, 7));
        assert_eq!(percentile(&[], 0.5), 0);
        assert_eq!(percentile(&[1, 2, 3, 4, 100], 0.95), 100);
    }

    #[test]
    fn a_steps_own_past_goes_before_its_workers_and_both_before_nothing() {
        let definition: TemplateDefinition = serde_json::from_value(json!({
            "name": "t",
            "steps": [
                { "name": "own", "order": 1, "worker": "w" },
                { "name": "new", "order": 2, "worker": "w" },
                { "name": "rare", "order": 3, "worker": "v" },
                { "name": "many", "order": 4, "worker": "two" },
                { "name": "map", "order": 5, "kind": "map", "worker": "w",
                  "config": { "items": "$.list" } },
            ],
            "workers": {
                "w": { "base_url": "https://w.test", "endpoints": ["/a"], "estimated_cost": 1 },
                "v": { "base_url": "https://v.test", "endpoints": ["/a"], "estimated_cost": 1 },
                "two": { "base_url": "https://t.test", "endpoints": ["/a", "/b"],
                    "estimated_cost": 1 },
            },
        }))
        .unwrap();
        let plan = Plan::compile(&definition).unwrap();
        let own = (1..=5).map(|n| sample("own", "w", n * 10));
        let few = (1..=4).map(|n| sample("rare", "v", n));
        let own: Vec<Sample> = own.chain(few).collect();
        let all = (1..=10).map(|n| sample("x", "w", n));
        let all: Vec<Sample> = all.chain((1..=10).map(|n| sample("x", "two", n))).collect();
        let expected = Measurements::of(own, all).expected(&plan, &definition);
        let told: Vec<(&str, Origin, u64, u64)> = expected
            .iter()
            .map(|((step, _), (origin, s))| (step.as_str(), *origin, s.samples, s.p50.time.get()))
            .collect();
        assert_eq!(told, [("new", Origin::Worker, 10, 5), ("own", Origin::Step, 5, 30)]);
        let (_, own) = expected[&("own".to_owned(), "w".to_owned())];
        assert_eq!((own.p95.time.get(), own.p95.cost.as_micros()), (50, 100));
    }
}
