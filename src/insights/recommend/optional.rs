//! Optional steps that cost something and change nothing.

use std::collections::BTreeMap;

use api_types::insights::{Recommendation, RecommendationKind};

use super::{About, CASES_MIN, Saving, execution, figures, mean, percent, recommendation};
use crate::db::insights::Execution;
use crate::insights::material::Material;

/// A step below this share of cost and of time is not worth a thought.
const SHARE_MIN: f64 = 0.05;
/// Qualities that are this close are the same.
const QUALITY_SAME: f64 = 0.01;

#[derive(Default)]
struct Seen<'a> {
    with: Vec<&'a Execution>,
    without: Vec<&'a Execution>,
    /// Of executions with it: cost and time of the step, cost and time of all steps.
    step: (u64, u64),
    all: (u64, u64),
}

pub fn found(material: &Material) -> Vec<Recommendation> {
    let mut places: BTreeMap<(&str, &str), Seen<'_>> = BTreeMap::new();
    for (execution, steps) in material.detailed() {
        if execution.cache_hit || execution.final_quality_score.is_none() {
            continue;
        }
        let cost = steps.iter().map(|step| step.cost_micro_usd).sum::<u64>();
        let time = steps.iter().map(|step| step.execution_time_ms).sum::<u64>();
        for step in steps {
            let planned = material.step(&execution.template_name, &step.step_name);
            if planned.is_none_or(|planned| !planned.optional) {
                continue;
            }
            let key = (execution.template_name.as_str(), step.step_name.as_str());
            let seen = places.entry(key).or_default();
            if step.status == "succeeded" {
                seen.with.push(execution);
                seen.step.0 += step.cost_micro_usd;
                seen.step.1 += step.execution_time_ms;
                seen.all.0 += cost;
                seen.all.1 += time;
            } else if step.status == "skipped" {
                seen.without.push(execution);
            }
        }
    }
    let told = |((template, step), seen)| tell(material, template, step, &seen);
    places.into_iter().filter_map(told).collect()
}

fn tell(
    material: &Material,
    template: &str,
    step: &str,
    seen: &Seen<'_>,
) -> Option<Recommendation> {
    let quality = |of: &[&Execution]| {
        let scores: Vec<f64> = of.iter().filter_map(|one| one.final_quality_score).collect();
        mean(&scores)
    };
    let enough = seen.with.len().min(seen.without.len()) as i64 >= CASES_MIN;
    let (with, without) = quality(&seen.with).zip(quality(&seen.without)).filter(|_| enough)?;
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let (cost, time) = (share(seen.step.0, seen.all.0), share(seen.step.1, seen.all.1));
    if with - without >= QUALITY_SAME || cost.max(time) < SHARE_MIN {
        return None;
    }
    let detail = format!(
        "It takes {} of the cost and {} of the time that all steps take together. With it the \
         quality score is {with:.3} on average ({} executions), without it {without:.3} ({}).",
        percent(cost),
        percent(time),
        seen.with.len(),
        seen.without.len(),
    );
    let rows: Vec<_> = material.figures_of(template, step).collect();
    let saving = Saving {
        micro_usd: rows.iter().map(|row| row.cost_micro_usd).sum(),
        ms: rows.iter().map(|row| row.duration_ms).sum(),
        basis: "what the step cost and took within the period",
    };
    let mut shown: Vec<_> = rows.into_iter().take(1).map(figures).collect();
    let present = |is: bool| [("with_step", is.into())];
    shown.extend(seen.with.iter().take(2).map(|one| execution(one, &present(true))));
    shown.extend(seen.without.iter().take(2).map(|one| execution(one, &present(false))));
    Some(recommendation(
        RecommendationKind::DropOptionalStep,
        About { template: Some(template), step: Some(step), worker: None },
        [
            format!("Leave out the optional step `{step}` of `{template}`: it changes nothing"),
            detail,
        ],
        saving,
        shown,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scene;
    use super::*;

    /// Twenty executions; every second one leaves `extra` out. It is a quarter of cost and time.
    fn scene(quality_without: f64) -> Material {
        let steps = json!([
            { "name": "main", "order": 1, "worker": "w1" },
            { "name": "extra", "order": 2, "worker": "w2", "optional": true },
        ]);
        let mut material = scene::template(&steps);
        for n in 0..20 {
            let mut one = scene::execution(n);
            let (mut main, mut extra) = (scene::step("main", "w1"), scene::step("extra", "w2"));
            (main.cost_micro_usd, main.execution_time_ms) = (300, 30);
            if n % 2 == 0 {
                (extra.cost_micro_usd, extra.execution_time_ms) = (100, 10);
            } else {
                extra.status = "skipped".to_owned();
                one.final_quality_score = Some(quality_without);
            }
            material.steps.insert(one.pipeline_id.clone(), vec![main, extra]);
            material.executions.push(one);
        }
        let mut figures = scene::figures("extra", "w2", 1000, 10);
        figures.cost_micro_usd = 100_000;
        material.figures.push(figures);
        material
    }

    #[test]
    fn a_step_that_changes_nothing_can_be_left_out() {
        let found = found(&scene(0.8));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert!(one.detail.starts_with("It takes 25 % of the cost and 25 % of the time"));
        assert_eq!(one.step.as_deref(), Some("extra"));
        assert_eq!(one.estimated_saving.cost_usd, 0.1);
        assert_eq!(one.estimated_saving.duration_ms, 10_000);
        let sources: Vec<_> = one.evidence.iter().map(|row| row.source.as_str()).collect();
        assert_eq!(sources[..2], ["step_rollups", "pipeline_executions"]);
        assert_eq!(one.evidence[4].values["with_step"], false);
    }

    #[test]
    fn a_step_that_changes_something_or_costs_nothing_stays() {
        assert_eq!(found(&scene(0.7)), [], "the quality is better with it");
        let mut cheap = scene(0.8);
        for step in cheap.steps.values_mut().flatten().filter(|step| step.step_name == "extra") {
            (step.cost_micro_usd, step.execution_time_ms) = (1, 0);
        }
        assert_eq!(found(&cheap), [], "it costs next to nothing");
        let mut required = scene(0.8);
        required.definitions.get_mut("t").unwrap().steps[1].optional = false;
        assert_eq!(found(&required), [], "it is required");
        let mut few = scene(0.8);
        few.executions.truncate(8);
        assert_eq!(found(&few), [], "four cases say nothing");
    }
}
