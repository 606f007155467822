//! Workers that fail often and succeed when they are asked again.

use std::collections::BTreeMap;

use api_types::insights::{Recommendation, RecommendationKind};

use super::{About, Saving, figures, percent, recommendation};
use crate::db::rollups::Steps;
use crate::insights::material::Material;

/// Fewer attempts than this say nothing.
const ATTEMPTS_MIN: i64 = 20;
/// A worker is flaky when this share of its attempts fails.
const FAILED_SHARE: f64 = 0.1;

pub fn found(material: &Material) -> Vec<Recommendation> {
    let mut workers: BTreeMap<&str, Vec<&Steps>> = BTreeMap::new();
    for row in material.figures.iter().filter(|row| !row.worker_name.is_empty()) {
        workers.entry(&row.worker_name).or_default().push(row);
    }
    workers.into_iter().filter_map(|(worker, rows)| tell(worker, rows)).collect()
}

fn tell(worker: &str, mut rows: Vec<&Steps>) -> Option<Recommendation> {
    let sum = |of: fn(&Steps) -> i64| rows.iter().map(|row| of(row)).sum::<i64>();
    let (attempts, failed) = (sum(|row| row.attempts), sum(|row| row.failed_attempts));
    let share = failed as f64 / attempts.max(1) as f64;
    if attempts < ATTEMPTS_MIN || share < FAILED_SHARE {
        return None;
    }
    let (retried, succeeded) = (sum(|row| row.retried), sum(|row| row.succeeded));
    let (timed, total_ms) = (sum(|row| row.timed), sum(|row| row.duration_ms));
    let mean_ms = total_ms as f64 / timed.max(1) as f64;
    let detail = format!(
        "{failed} of {attempts} attempts failed ({}); {retried} steps took more than one, and \
         {succeeded} succeeded in the end. Its errors stand in the steps' rows.",
        percent(share),
    );
    let saving = Saving {
        micro_usd: 0,
        ms: (failed as f64 * mean_ms) as i64,
        basis: "failed attempts × the mean time of its steps",
    };
    rows.sort_by_key(|row| std::cmp::Reverse(row.failed_attempts));
    let title = format!("See to the worker `{worker}`: {} of its attempts fail", percent(share));
    let about = About { worker: Some(worker), ..About::default() };
    let evidence = rows.into_iter().map(figures).collect();
    let kind = RecommendationKind::FixFlakyWorker;
    Some(recommendation(kind, about, [title, detail], saving, evidence))
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    fn scene(failed: i64) -> Material {
        let mut first = scene::figures("a", "w1", 30, 100);
        first.failed_attempts = failed;
        let second = scene::figures("b", "w1", 10, 100);
        Material { figures: vec![second, first], ..Material::default() }
    }

    #[test]
    fn a_worker_that_fails_often_is_named_with_its_worst_step() {
        let found = found(&scene(8));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.title, "See to the worker `w1`: 20 % of its attempts fail");
        assert_eq!(one.estimated_saving.duration_ms, 800);
        assert_eq!(one.evidence[0].key, "t/a/w1");
    }

    #[test]
    fn a_worker_that_fails_now_and_then_is_left_alone() {
        assert_eq!(found(&scene(3)), []);
        let mut few = scene(8);
        few.figures.iter_mut().for_each(|row| row.attempts = 9);
        assert_eq!(found(&few), [], "18 attempts say nothing");
        let mut nobody = scene(8);
        nobody.figures.iter_mut().for_each(|row| row.worker_name.clear());
        assert_eq!(found(&nobody), [], "no worker was asked");
    }
}
