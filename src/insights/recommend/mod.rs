//! What would help: one file for each kind of thing to do. Each finds its cases in the rows, says
//! which rows these are, and what doing it would have saved within the period.

mod budget;
mod cache;
mod flaky;
mod optional;
mod parallel;
mod route;
#[cfg(test)]
mod scene;
mod timeout;

use std::collections::BTreeMap;

use api_types::insights::{EstimatedSaving, Evidence, Recommendation, RecommendationKind};
use serde_json::Value;

use super::material::{Material, usd};
use crate::db::insights::Execution;
use crate::db::rollups::Steps;

/// The most recommendations that are shown.
const RECOMMENDATIONS_MAX: usize = 20;
/// The most rows that one of them brings as evidence.
const EVIDENCE_MAX: usize = 5;
/// Fewer cases than this say nothing.
const CASES_MIN: i64 = 5;

/// What would help, the largest saving first: money before time.
pub fn recommendations(material: &Material) -> Vec<Recommendation> {
    let mut found = [
        cache::found(material),
        optional::found(material),
        timeout::found(material),
        parallel::found(material),
        route::found(material),
        flaky::found(material),
        budget::found(material),
    ]
    .concat();
    found.sort_by(|a, b| {
        let (a, b) = (&a.estimated_saving, &b.estimated_saving);
        b.cost_usd.total_cmp(&a.cost_usd).then(b.duration_ms.cmp(&a.duration_ms))
    });
    found.truncate(RECOMMENDATIONS_MAX);
    found
}

/// What a recommendation is about.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    template: Option<&'a str>,
    step: Option<&'a str>,
    worker: Option<&'a str>,
}

/// What it would have saved.
struct Saving {
    micro_usd: i64,
    ms: i64,
    basis: &'static str,
}

fn recommendation(
    kind: RecommendationKind,
    about: About<'_>,
    [title, detail]: [String; 2],
    saving: Saving,
    mut evidence: Vec<Evidence>,
) -> Recommendation {
    evidence.truncate(EVIDENCE_MAX);
    Recommendation {
        kind,
        template: about.template.map(str::to_owned),
        step: about.step.map(str::to_owned),
        worker: about.worker.map(str::to_owned),
        title,
        detail,
        estimated_saving: EstimatedSaving {
            cost_usd: usd(saving.micro_usd.max(0)),
            duration_ms: saving.ms.max(0) as u64,
            basis: saving.basis.to_owned(),
        },
        evidence,
    }
}

fn evidence(source: &str, key: String, values: &[(&str, Value)]) -> Evidence {
    let named = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Evidence { source: source.to_owned(), key, values: named.collect::<BTreeMap<_, _>>() }
}

/// The figures of a step by a worker, as evidence.
fn figures(row: &Steps) -> Evidence {
    let key = format!("{}/{}/{}", row.template_name, row.step_name, row.worker_name);
    let quantile = |q| Value::from(row.durations.quantile_ms(q));
    let values = [
        ("attempts", row.attempts.into()),
        ("failed_attempts", row.failed_attempts.into()),
        ("succeeded", row.succeeded.into()),
        ("retried", row.retried.into()),
        ("cost_usd", usd(row.cost_micro_usd).into()),
        ("duration_p50_ms", quantile(0.5)),
        ("duration_p99_ms", quantile(0.99)),
    ];
    evidence("step_rollups", key, &values)
}

/// An execution, as evidence.
fn execution(row: &Execution, beside: &[(&str, Value)]) -> Evidence {
    let mut values = vec![
        ("created_at", row.created_at.as_str().into()),
        ("cost_usd", usd(row.total_cost_micro_usd as i64).into()),
        ("duration_ms", row.total_execution_time_ms.into()),
        ("quality_score", row.final_quality_score.into()),
    ];
    values.extend_from_slice(beside);
    evidence("pipeline_executions", row.pipeline_id.clone(), &values)
}

/// A share in percent, as people read it.
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The mean of some numbers; nothing of none.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}
