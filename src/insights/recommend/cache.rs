//! Requests that come again after their result was forgotten: the result should be kept for longer.

use std::collections::BTreeMap;

use api_types::insights::{Recommendation, RecommendationKind};
use chrono::DateTime;
use serde_json::Value;

use super::{About, CASES_MIN, Saving, execution, recommendation};
use crate::db::insights::Execution;
use crate::insights::material::{Material, usd};
use crate::templates::canonical_json;

/// What a template's results may be kept for, in seconds: 2 hours to 7 days.
const TTLS_S: [u64; 6] = [7_200, 14_400, 28_800, 86_400, 259_200, 604_800];
/// The share of the repeats that the proposed time covers.
const COVERED: f64 = 0.8;
/// Fields of a request that do not change its result, as the cache sees it.
const BESIDE_THE_RESULT: [&str; 2] = ["since", "use_cache"];

/// An execution and when it was asked for.
type Timed<'a> = (i64, &'a Execution);

struct Repeat<'a> {
    execution: &'a Execution,
    gap_s: u64,
}

pub fn found(material: &Material) -> Vec<Recommendation> {
    let mut alike: BTreeMap<(&str, u64, String), Vec<Timed<'_>>> = BTreeMap::new();
    for execution in material.executions.iter().rev() {
        let Some((request, at)) = identity(execution).zip(moment(&execution.created_at)) else {
            continue;
        };
        let key = (execution.template_name.as_str(), execution.template_revision, request);
        alike.entry(key).or_default().push((at, execution));
    }
    let mut by_template: BTreeMap<&str, Vec<Repeat<'_>>> = BTreeMap::new();
    for ((template, _, _), times) in &alike {
        let ttl_s = ttl_s(material, template);
        for pair in times.windows(2) {
            let gap_s = u64::try_from((pair[1].0 - pair[0].0) / 1000).unwrap_or(0);
            let execution = pair[1].1;
            if ttl_s.is_some_and(|ttl_s| gap_s >= ttl_s) && !execution.cache_hit {
                by_template.entry(template).or_default().push(Repeat { execution, gap_s });
            }
        }
    }
    let told = |(template, repeats)| tell(material, template, repeats);
    by_template.into_iter().filter_map(told).collect()
}

fn tell(
    material: &Material,
    template: &str,
    mut repeats: Vec<Repeat<'_>>,
) -> Option<Recommendation> {
    if (repeats.len() as i64) < CASES_MIN {
        return None;
    }
    repeats.sort_by_key(|repeat| repeat.gap_s);
    let most = repeats[((repeats.len() - 1) as f64 * COVERED) as usize].gap_s;
    let proposed = TTLS_S.into_iter().find(|ttl_s| *ttl_s > most)?;
    let covered: Vec<&Repeat<'_>> = repeats.iter().filter(|one| one.gap_s < proposed).collect();
    let sum = |of: fn(&Execution) -> u64| -> i64 {
        covered.iter().map(|repeat| of(repeat.execution) as i64).sum()
    };
    let micro_usd = sum(|execution| execution.total_cost_micro_usd);
    let ms = sum(|execution| execution.total_execution_time_ms);
    let now = ttl_s(material, template)?;
    let detail = format!(
        "{} of the sampled executions repeated an identical request after its result, kept for \
         {now} s, was forgotten; {} of them came within {proposed} s. They cost {} USD.",
        repeats.len(),
        covered.len(),
        usd(micro_usd),
    );
    let rows = covered
        .iter()
        .map(|repeat| execution(repeat.execution, &[("after_s", repeat.gap_s.into())]));
    Some(recommendation(
        RecommendationKind::RaiseCacheTtl,
        About { template: Some(template), ..About::default() },
        [format!("Keep results of `{template}` for {proposed} s instead of {now} s"), detail],
        Saving { micro_usd, ms, basis: "what these repeats cost and took" },
        rows.collect(),
    ))
}

/// How long the template's results are kept; `None` for never.
fn ttl_s(material: &Material, template: &str) -> Option<u64> {
    let own = material.definitions.get(template)?.cache_ttl_s;
    Some(own.unwrap_or(material.cache_ttl_s)).filter(|ttl_s| *ttl_s > 0)
}

/// What makes requests identical; `None` where the cache was not to be used, or nothing was found.
fn identity(execution: &Execution) -> Option<String> {
    if execution.status != "completed" || execution.execution_strategy == "quality_optimized" {
        return None;
    }
    let mut request: Value = serde_json::from_str(execution.request.as_deref()?).ok()?;
    let fields = request.as_object_mut()?;
    if fields.get("use_cache") == Some(&Value::Bool(false)) {
        return None;
    }
    fields.retain(|name, _| !BESIDE_THE_RESULT.contains(&name.as_str()));
    Some(canonical_json(&request))
}

fn moment(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scene;
    use super::*;

    /// Seven identical requests, `hours` apart, newest first.
    fn repeated(hours: usize) -> Material {
        let mut material = scene::template(&json!([]));
        material.executions = (0..7)
            .rev()
            .map(|n| {
                let day = 1 + n * hours / 24;
                let mut one = scene::execution(n);
                one.created_at = format!("2026-11-{day:02}T{:02}:00:00.000Z", n * hours % 24);
                let since = one.created_at.clone();
                let request = json!({ "topic": "a", "since": since, "use_cache": true });
                one.request = Some(request.to_string());
                one
            })
            .collect();
        material
    }

    #[test]
    fn repeats_after_the_result_was_forgotten_ask_for_a_longer_time() {
        let found = found(&repeated(3));
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(one.title, "Keep results of `t` for 14400 s instead of 3600 s");
        assert_eq!(one.estimated_saving.cost_usd, 0.0006);
        assert_eq!(one.estimated_saving.duration_ms, 300);
        assert_eq!(one.evidence.len(), 5);
        assert_eq!(one.evidence[0].values["after_s"], 10_800);
    }

    #[test]
    fn repeats_that_no_longer_time_would_have_met_ask_for_nothing() {
        assert_eq!(found(&repeated(0)), [], "they came while the result was kept");
        let mut hits = repeated(3);
        hits.executions.iter_mut().for_each(|one| one.cache_hit = true);
        assert_eq!(found(&hits), [], "the result was known");
        let mut never = repeated(3);
        never.definitions.get_mut("t").unwrap().cache_ttl_s = Some(0);
        assert_eq!(found(&never), [], "the template's results must not be kept");
        let mut others = repeated(3);
        for (n, one) in others.executions.iter_mut().enumerate() {
            one.request = Some(json!({ "topic": n }).to_string());
        }
        assert_eq!(found(&others), [], "no two requests are alike");
        let mut few = repeated(3);
        few.executions.truncate(5);
        assert_eq!(found(&few), [], "four repeats say nothing");
    }
}
