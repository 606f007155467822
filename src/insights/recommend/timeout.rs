//! Timeouts that cut off what would have come, or wait for what never comes.

use api_types::insights::{Recommendation, RecommendationKind};
use engine::plan::definition::StepKind;

use super::{About, Saving, figures, recommendation};
use crate::db::rollups::Steps;
use crate::insights::material::Material;

/// Fewer steps than this have no 99th percentile worth the name.
const STEPS_MIN: i64 = 20;
/// A timeout is too short where the 99th percentile reaches this share of it.
const NEAR: f64 = 0.9;
/// A timeout is far above where it is so many times the 99th percentile.
const FAR: u64 = 10;
/// What is proposed is so many times the 99th percentile, and at least a second.
const PROPOSED: u64 = 3;
const PROPOSED_MS_MIN: u64 = 1_000;
/// Fewer failed attempts than this are not worth a change.
const FAILED_MIN: i64 = 3;

pub fn found(material: &Material) -> Vec<Recommendation> {
    material.figures.iter().filter_map(|row| tell(material, row)).collect()
}

fn tell(material: &Material, row: &Steps) -> Option<Recommendation> {
    let (template, step, worker) = (&row.template_name, &row.step_name, &row.worker_name);
    let planned = material.step(template, step).filter(|one| one.kind == StepKind::Worker)?;
    let of_worker = material.definitions.get(template)?.workers.get(worker)?.timeout_ms;
    let timeout_ms = planned.timeout_ms.or(of_worker).unwrap_or(material.attempt_timeout_ms);
    let p99_ms = row.durations.quantile_ms(0.99).filter(|_| row.timed >= STEPS_MIN)?;
    let proposed_ms = (p99_ms * PROPOSED).div_ceil(1000).max(PROPOSED_MS_MIN / 1000) * 1000;
    let failed = row.failed_attempts;
    let near = p99_ms as f64 >= timeout_ms as f64 * NEAR;
    let far = timeout_ms >= p99_ms.saturating_mul(FAR) && proposed_ms < timeout_ms;
    let (kind, verb, saved_ms, basis) = if near {
        (RecommendationKind::RaiseTimeout, "Raise", timeout_ms, "failed attempts × the timeout")
    } else if far && failed >= FAILED_MIN {
        let saved = timeout_ms - proposed_ms;
        let basis = "failed attempts × the difference, at most: all of them hung";
        (RecommendationKind::LowerTimeout, "Lower", saved, basis)
    } else {
        return None;
    };
    let detail = format!(
        "99 % of {} steps took no longer than {p99_ms} ms, retries included; an attempt may take \
         {timeout_ms} ms. {failed} of {} attempts failed.",
        row.timed, row.attempts,
    );
    let title = format!(
        "{verb} the timeout of `{step}` ({template}) by `{worker}` from {timeout_ms} ms to \
         {proposed_ms} ms"
    );
    let saving = Saving { micro_usd: 0, ms: failed * saved_ms as i64, basis };
    let about = About { template: Some(template), step: Some(step), worker: Some(worker) };
    Some(recommendation(kind, about, [title, detail], saving, vec![figures(row)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scene;
    use super::*;

    fn scene(duration_ms: u64, times: i64, failed: i64) -> Material {
        let steps = json!([{ "name": "s", "order": 1, "worker": "w1", "timeout_ms": 5000 }]);
        let mut material = scene::template(&steps);
        let mut row = scene::figures("s", "w1", times, duration_ms);
        row.failed_attempts = failed;
        material.figures.push(row);
        material
    }

    #[test]
    fn a_timeout_that_the_slowest_reach_is_raised() {
        let found = found(&scene(5000, 100, 7));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.kind, RecommendationKind::RaiseTimeout);
        assert!(one.title.ends_with("from 5000 ms to 14000 ms"), "{}", one.title);
        assert_eq!(one.estimated_saving.duration_ms, 35_000);
        assert_eq!(one.evidence[0].key, "t/s/w1");
    }

    #[test]
    fn a_timeout_far_above_is_lowered_where_attempts_fail() {
        let found = found(&scene(100, 100, 4));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.kind, RecommendationKind::LowerTimeout);
        assert!(one.title.ends_with("from 5000 ms to 1000 ms"), "{}", one.title);
        assert_eq!(one.estimated_saving.duration_ms, 16_000);
    }

    #[test]
    fn a_timeout_that_fits_stays() {
        assert_eq!(found(&scene(2000, 100, 50)), [], "it is between");
        assert_eq!(found(&scene(100, 100, 2)), [], "far above, but hardly anything fails");
        assert_eq!(found(&scene(5000, 19, 9)), [], "there are too few to tell");
    }
}
