//! Workers that can do the same for less.

use std::collections::BTreeMap;

use api_types::insights::{Evidence, Recommendation, RecommendationKind};
use engine::plan::definition::StepDefinition;

use super::{About, CASES_MIN, Saving, evidence, figures, mean, percent, recommendation};
use crate::db::rollups::Steps;
use crate::insights::material::{Material, usd};

/// An alternative must cost at most this share of what is paid.
const CHEAPER: f64 = 0.8;
/// It may fail this much more often, as a share of its attempts, …
const FAILS_MORE_MAX: f64 = 0.05;
/// … and the quality of executions with it be this much lower.
const QUALITY_LOWER_MAX: f64 = 0.02;

/// A worker that can do a step, and what one step costs with it.
struct Candidate<'a> {
    worker: &'a str,
    micro_usd: f64,
    measured: Option<&'a Steps>,
}

pub fn found(material: &Material) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for (template, definition) in &material.definitions {
        for step in &definition.steps {
            found.extend(tell(material, template, step));
        }
    }
    found
}

fn tell(material: &Material, template: &str, step: &StepDefinition) -> Option<Recommendation> {
    let named = step.config.as_ref()?.get("alternatives")?.as_array()?;
    let named = named.iter().filter_map(|name| name.as_str()).chain(step.worker.as_deref());
    let candidates: Vec<Candidate<'_>> =
        named.filter_map(|worker| candidate(material, template, step, worker)).collect();
    let timed = |one: &&Candidate<'_>| one.measured.map_or(0, |row| row.timed);
    let used = candidates.iter().max_by_key(timed).filter(|one| timed(one) >= CASES_MIN)?;
    let others = candidates.iter().filter(|one| one.worker != used.worker);
    let cheapest = others.min_by(|a, b| a.micro_usd.total_cmp(&b.micro_usd))?;
    let times = timed(&used);
    if cheapest.micro_usd > used.micro_usd * CHEAPER
        || is_worse(material, template, step, used, cheapest)
    {
        return None;
    }
    let source = match cheapest.measured {
        Some(row) => format!("measured over {} steps", row.timed),
        None => "by the registry's estimate".to_owned(),
    };
    let detail = format!(
        "`{}` cost {} USD a step ({times} steps), `{}` costs {} USD ({source}): {} less. Make it \
         the step's first worker, or start with optimize_for `cost`.",
        used.worker,
        usd(used.micro_usd.round() as i64),
        cheapest.worker,
        usd(cheapest.micro_usd.round() as i64),
        percent(1.0 - cheapest.micro_usd / used.micro_usd),
    );
    let title = format!("Ask `{}` for `{}` of `{template}`", cheapest.worker, step.name);
    Some(recommendation(
        RecommendationKind::UseCheaperWorker,
        About { template: Some(template), step: Some(&step.name), worker: Some(cheapest.worker) },
        [title, detail],
        Saving {
            micro_usd: ((used.micro_usd - cheapest.micro_usd) * times as f64) as i64,
            ms: 0,
            basis: "the difference for one step × the steps that the dearer one did",
        },
        vec![shown(used), shown(cheapest)],
    ))
}

fn candidate<'a>(
    material: &'a Material,
    template: &'a str,
    step: &'a StepDefinition,
    worker: &'a str,
) -> Option<Candidate<'a>> {
    let mut rows = material.figures_of(template, &step.name);
    let row = rows.find(|row| row.worker_name == worker && row.timed >= CASES_MIN);
    let registry = material.definitions.get(template)?.workers.get(worker)?.estimated_cost;
    let micro_usd = match row {
        Some(row) => row.cost_micro_usd as f64 / row.timed as f64,
        None => registry?.as_micros() as f64,
    };
    Some(Candidate { worker, micro_usd, measured: row })
}

/// Whether the cheaper one fails more often, or what it gives is worse.
fn is_worse(
    material: &Material,
    template: &str,
    step: &StepDefinition,
    used: &Candidate<'_>,
    cheaper: &Candidate<'_>,
) -> bool {
    let fails = |one: &Candidate<'_>| {
        one.measured.map(|row| row.failed_attempts as f64 / row.attempts.max(1) as f64)
    };
    let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (execution, steps) in material.detailed() {
        let done = steps.iter().find(|one| one.step_name == step.name && one.status == "succeeded");
        let worker = done.and_then(|one| one.worker_name.as_deref());
        let of_template = execution.template_name == template;
        if let (Some(worker), Some(score), true) =
            (worker, execution.final_quality_score, of_template)
        {
            scores.entry(worker).or_default().push(score);
        }
    }
    let quality = |one: &Candidate<'_>| {
        let scores = scores.get(one.worker).filter(|all| all.len() as i64 >= CASES_MIN);
        scores.and_then(|scores| mean(scores))
    };
    let fails_more = fails(cheaper).zip(fails(used)).map(|(one, other)| one - other);
    let lower = quality(used).zip(quality(cheaper)).map(|(one, other)| one - other);
    fails_more.is_some_and(|more| more > FAILS_MORE_MAX)
        || lower.is_some_and(|lower| lower > QUALITY_LOWER_MAX)
}

fn shown(candidate: &Candidate<'_>) -> Evidence {
    match candidate.measured {
        Some(row) => figures(row),
        None => {
            let cost = [("estimated_cost_usd", usd(candidate.micro_usd as i64).into())];
            evidence("worker_registry", candidate.worker.to_owned(), &cost)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::scene;
    use super::*;

    /// `w1` did a step for 3,000 micro-USD each; the registry says that `w2` does it for 1,000.
    fn scene(config: &Value) -> Material {
        let steps = json!([{ "name": "s", "order": 1, "worker": "w1", "config": config }]);
        let mut material = scene::template(&steps);
        let mut row = scene::figures("s", "w1", 100, 50);
        row.cost_micro_usd = 300_000;
        material.figures.push(row);
        material
    }

    fn measured(cost_micro_usd: i64) -> Material {
        let mut material = scene(&json!({ "alternatives": ["w2"] }));
        let mut row = scene::figures("s", "w2", 10, 50);
        row.cost_micro_usd = 10 * cost_micro_usd;
        material.figures.push(row);
        for n in 0..20 {
            let one = scene::execution(n);
            let step = scene::step("s", if n < 10 { "w1" } else { "w2" });
            material.steps.insert(one.pipeline_id.clone(), vec![step]);
            material.executions.push(one);
        }
        material
    }

    #[test]
    fn a_cheaper_worker_is_named_by_estimate_or_by_measure() {
        let found = found(&scene(&json!({ "alternatives": ["w2"] })));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.worker.as_deref(), one.estimated_saving.cost_usd), (Some("w2"), 0.2));
        assert_eq!(one.evidence[1].source, "worker_registry");
        let found = super::found(&measured(1500));
        assert_eq!((found.len(), found[0].estimated_saving.cost_usd), (1, 0.15));
        assert_eq!(found[0].evidence[1].source, "step_rollups");
    }

    #[test]
    fn a_worker_that_is_dearer_worse_or_none_is_not() {
        assert_eq!(found(&scene(&json!({}))), [], "there is no other");
        assert_eq!(found(&measured(2900)), [], "it is hardly cheaper, whatever the registry says");
        let mut fails = measured(1000);
        fails.figures[1].failed_attempts = 3;
        assert_eq!(found(&fails), [], "it fails often");
        let mut worse = measured(1000);
        worse.executions[10..].iter_mut().for_each(|one| one.final_quality_score = Some(0.5));
        assert_eq!(found(&worse), [], "its results are worse");
    }
}
