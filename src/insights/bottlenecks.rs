//! Where executions waited: the steps on their critical paths.
//!
//! The critical path of an execution is found from its end: the step that was settled last, then
//! the one that was settled last before that began, and so on. What a step is on the path for is
//! the time from then to its own end. Steps that wait for a person or a moment are left out.

use std::collections::BTreeMap;

use api_types::insights::Bottleneck;
use chrono::DateTime;

use super::material::Material;
use super::measures::rounded;
use crate::db::insights::Step;
use crate::insights::Histogram;

/// The most bottlenecks that are shown.
const BOTTLENECKS_MAX: usize = 10;
/// A driver needs a moment from one step's end to the next one's start.
const HANDOVER_MS: i64 = 50;

/// A step on a critical path, and for how long in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnPath<'a> {
    /// The step.
    pub step: &'a Step,
    /// From the end of the one before it to its own.
    pub length_ms: i64,
}

/// The steps that executions waited for, the worst first.
pub fn bottlenecks(material: &Material) -> Vec<Bottleneck> {
    let mut places: BTreeMap<(&str, &str), Place<'_>> = BTreeMap::new();
    let mut total_ms = 0;
    for (execution, steps) in material.detailed() {
        for OnPath { step, length_ms } in critical_path(steps) {
            let key = (execution.template_name.as_str(), step.step_name.as_str());
            let place = places.entry(key).or_default();
            place.executions += 1;
            place.length_ms += length_ms;
            *place.workers.entry(step.worker_name.as_deref()).or_default() += 1;
            total_ms += length_ms;
        }
    }
    let mut found: Vec<Bottleneck> = places
        .into_iter()
        .filter(|(_, place)| place.length_ms > 0)
        .map(|((template, step), place)| place.shown(material, template, step, total_ms))
        .collect();
    found.sort_by(|a, b| b.critical_path_share.total_cmp(&a.critical_path_share));
    found.truncate(BOTTLENECKS_MAX);
    found
}

#[derive(Default)]
struct Place<'a> {
    executions: u64,
    length_ms: i64,
    workers: BTreeMap<Option<&'a str>, u64>,
}

impl Place<'_> {
    fn shown(self, material: &Material, template: &str, step: &str, total_ms: i64) -> Bottleneck {
        let mut durations = Histogram::default();
        material.figures_of(template, step).for_each(|row| durations.add(&row.durations));
        let most = self.workers.into_iter().max_by_key(|(_, times)| *times);
        Bottleneck {
            template: template.to_owned(),
            step: step.to_owned(),
            worker: most.and_then(|(worker, _)| worker).map(str::to_owned),
            critical_path_share: rounded(self.length_ms as f64 / total_ms.max(1) as f64, 4),
            executions: self.executions,
            mean_on_path_ms: rounded(self.length_ms as f64 / self.executions.max(1) as f64, 1),
            duration_p95_ms: durations.quantile_ms(0.95),
        }
    }
}

/// The critical path of one execution, from its end to its start.
pub fn critical_path(steps: &[Step]) -> Vec<OnPath<'_>> {
    let mut spans: Vec<(i64, i64, &Step)> = steps
        .iter()
        .filter(|step| {
            step.kind != "wait" && matches!(step.status.as_str(), "succeeded" | "failed")
        })
        .filter_map(|step| {
            let (from, to) = (step.started_at.as_deref()?, step.completed_at.as_deref()?);
            Some((millis(from)?, millis(to)?, step))
        })
        .collect();
    spans.sort_by_key(|(from, to, _)| (*to, *from));
    let mut path = Vec::new();
    while let Some((from, to, step)) = spans.pop() {
        while spans.last().is_some_and(|(_, end, _)| *end > from) {
            spans.pop();
        }
        let before = spans.last().map(|(_, end, _)| *end);
        let handed_over = before.filter(|end| from - end <= HANDOVER_MS);
        path.push(OnPath { step, length_ms: to - handed_over.unwrap_or(from) });
    }
    path
}

fn millis(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::insights::Execution;

    fn step(name: &str, from_s: u32, to_s: u32) -> Step {
        Step {
            step_name: name.to_owned(),
            worker_name: Some(format!("w_{name}")),
            kind: "worker".to_owned(),
            status: "succeeded".to_owned(),
            started_at: Some(format!("2026-11-21T10:00:{from_s:02}.000Z")),
            completed_at: Some(format!("2026-11-21T10:00:{to_s:02}.000Z")),
            ..Step::default()
        }
    }

    fn path(steps: &[Step]) -> Vec<(&str, i64)> {
        let path = critical_path(steps).into_iter();
        path.map(|on| (on.step.step_name.as_str(), on.length_ms / 1000)).collect()
    }

    #[test]
    fn the_slower_branch_is_the_path() {
        let steps = [step("a", 0, 2), step("fast", 2, 4), step("slow", 2, 9), step("z", 9, 10)];
        assert_eq!(path(&steps), [("z", 1), ("slow", 7), ("a", 2)]);
    }

    #[test]
    fn what_waited_for_a_person_or_never_ran_is_no_part_of_it() {
        let mut wait = step("review", 2, 50);
        wait.kind = "wait".to_owned();
        let mut skipped = step("skipped", 3, 55);
        skipped.status = "skipped".to_owned();
        let steps = [step("a", 0, 2), wait, skipped, step("z", 50, 51)];
        assert_eq!(path(&steps), [("z", 1), ("a", 2)]);
        assert_eq!(path(&[]), []);
    }

    #[test]
    fn shares_add_up_and_the_worst_comes_first() {
        let execution = |id: &str| Execution {
            pipeline_id: id.to_owned(),
            template_name: "t".to_owned(),
            ..Execution::default()
        };
        let steps = vec![step("a", 0, 2), step("b", 2, 10)];
        let material = Material {
            executions: vec![execution("1"), execution("2"), execution("without steps")],
            steps: [("1".to_owned(), steps.clone()), ("2".to_owned(), steps)].into(),
            ..Material::default()
        };
        let found = bottlenecks(&material);
        let shown: Vec<_> =
            found.iter().map(|b| (b.step.as_str(), b.critical_path_share, b.executions)).collect();
        assert_eq!(shown, [("b", 0.8, 2), ("a", 0.2, 2)]);
        assert_eq!(found[0].worker.as_deref(), Some("w_b"));
        assert!((found[0].mean_on_path_ms - 8000.0).abs() < 0.1);
    }
}
