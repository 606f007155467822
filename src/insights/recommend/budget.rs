//! Executions that stand still because their budget is too small for their template.

use std::collections::BTreeMap;

use api_types::insights::{Recommendation, RecommendationKind};

use super::{About, Saving, evidence, recommendation};
use crate::db::insights::Paused;
use crate::insights::material::{Material, usd};

/// The share of finished executions that the proposed budget would have carried, and the reserve
/// above it.
const CARRIED: f64 = 0.95;
const RESERVE: f64 = 1.2;

pub fn found(material: &Material) -> Vec<Recommendation> {
    let mut templates: BTreeMap<&str, Vec<&Paused>> = BTreeMap::new();
    for one in &material.paused {
        templates.entry(&one.template_name).or_default().push(one);
    }
    templates.into_iter().map(|(template, paused)| tell(material, template, &paused)).collect()
}

fn tell(material: &Material, template: &str, paused: &[&Paused]) -> Recommendation {
    let of_template = material.executions.iter().filter(|one| one.template_name == template);
    let done = of_template.filter(|one| one.status == "completed" && !one.cache_hit);
    let mut costs: Vec<u64> = done.map(|one| one.total_cost_micro_usd).collect();
    costs.sort_unstable();
    let rank = (costs.len() as f64 * CARRIED).ceil() as usize;
    let usual = rank.checked_sub(1).map(|at| costs[at]);
    let advice = match usual {
        Some(usual) => {
            let proposed = usd((usual as f64 * RESERVE).ceil() as i64);
            let usual = usd(usual as i64);
            format!(
                "95 % of {} that completed cost {usual} USD or less: a budget_limit of {proposed} \
                 USD would carry them.",
                costs.len(),
            )
        }
        None => {
            "None completed within the period; `why` of each says what its step needs.".to_owned()
        }
    };
    let detail = format!(
        "{} executions are paused because the budget of their request is spent or kept back. \
         {advice} Resume them with a higher budget_limit.",
        paused.len(),
    );
    let spent = paused.iter().map(|one| one.total_cost_micro_usd as i64).sum();
    let rows = paused.iter().map(|one| {
        let values = [
            ("budget_usd", one.budget_micro_usd.map(|budget| usd(budget as i64)).into()),
            ("cost_usd", usd(one.total_cost_micro_usd as i64).into()),
            ("waiting_reason", one.waiting_reason.as_deref().into()),
        ];
        evidence("pipeline_executions", one.pipeline_id.clone(), &values)
    });
    recommendation(
        RecommendationKind::RaiseBudget,
        About { template: Some(template), ..About::default() },
        [format!("Give executions of `{template}` a larger budget"), detail],
        Saving { micro_usd: spent, ms: 0, basis: "what the paused executions have spent so far" },
        rows.collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn paused_executions_ask_for_what_others_cost() {
        let paused = Paused {
            pipeline_id: "pipe_9".to_owned(),
            template_name: "t".to_owned(),
            total_cost_micro_usd: 40,
            budget_micro_usd: Some(50),
            waiting_reason: Some("step `s` waits for a higher budget".to_owned()),
        };
        let executions = (0..10).map(scene::execution).collect();
        let material = Material { executions, paused: vec![paused], ..Material::default() };
        let found = found(&material);
        let [one] = &found[..] else { panic!("{found:?}") };
        assert!(one.detail.contains("a budget_limit of 0.00012 USD"), "{}", one.detail);
        assert_eq!(one.estimated_saving.cost_usd, 0.00004);
        assert_eq!(one.evidence[0].values["budget_usd"], 0.00005);
    }

    #[test]
    fn where_nothing_stands_still_nothing_is_said() {
        let executions = (0..10).map(scene::execution).collect();
        assert_eq!(found(&Material { executions, ..Material::default() }), []);
    }
}
