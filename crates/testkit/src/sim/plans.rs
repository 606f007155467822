//! The templates of a seed and what is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::execution::{FORMAT, Started, Terms};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::plan::Plan;
use engine::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, StepKind, TemplateDefinition,
    WorkerDefinition,
};
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::Sabotage;
use super::rng::Rng;

/// What the priced worker is estimated at, in micro-USD.
pub const ESTIMATE: u64 = 100;
/// An execution of a patient template may take this long: far longer than any seed lives.
const PATIENT_DEADLINE: Millis = Millis::from_secs(48 * 3_600);

/// A template and the terms of its executions.
#[derive(Debug)]
pub struct Template {
    pub definition: Arc<TemplateDefinition>,
    pub plan: Arc<Plan>,
    pub terms: Terms,
    pub request: Value,
    /// Whether faults can only delay it: its outcome is that of a world without faults.
    pub patient: bool,
    /// By which the plan is found again.
    pub content_hash: String,
}

impl Template {
    pub fn draw(rng: &mut Rng, number: usize, sabotage: Option<Sabotage>) -> Self {
        let patient = rng.chance(600);
        let count = rng.between(2, 9);
        let steps: Vec<StepDefinition> =
            (0..count).map(|at| step(rng, usize::try_from(at).unwrap_or(0), patient)).collect();
        let estimate = match sabotage {
            Some(Sabotage::Reservation) => None,
            _ => Some(MicroUsd::from_micros(ESTIMATE)),
        };
        let definition = TemplateDefinition {
            name: format!("t{number}"),
            failure_tolerance: match rng.chance(500) {
                true => FailureTolerance::Partial,
                false => FailureTolerance::Strict,
            },
            allow_parallel: !rng.chance(150),
            steps,
            workers: workers(estimate),
            ..TemplateDefinition::default()
        };
        let plan = Plan::compile(&definition).expect("templates are drawn valid");
        let terms = terms(rng, patient, count);
        let request = json!({"topic": format!("topic {number}"), "input": {"n": rng.below(1_000)}});
        let content_hash = format!("t{number}");
        let (definition, plan) = (Arc::new(definition), Arc::new(plan));
        Self { definition, plan, terms, request, patient, content_hash }
    }

    /// What an execution of it starts from.
    pub fn started(&self, id: ExecutionId, at: Timestamp) -> Started {
        Started {
            format: FORMAT,
            id,
            account: "default".to_owned(),
            at,
            revision: 1,
            content_hash: self.content_hash.clone(),
            definition: Arc::clone(&self.definition),
            request: self.request.clone(),
            terms: self.terms.clone(),
            traceparent: None,
            parent: None,
            restarted_from: None,
        }
    }
}

/// `/ok` answers, `/refuses` always says 422, `/garbles` answers with no output: see `worker`.
fn workers(estimate: Option<MicroUsd>) -> BTreeMap<String, WorkerDefinition> {
    let worker = |cost, binding: Option<&str>| WorkerDefinition {
        service_binding: binding.map(str::to_owned),
        base_url: binding.is_none().then(|| "https://worker.test".to_owned()),
        endpoints: vec!["/ok".to_owned()],
        estimated_cost: cost,
        active: true,
        ..WorkerDefinition::default()
    };
    let all = [
        ("paid", worker(estimate, None)),
        ("bound", worker(estimate, Some("BOUND"))),
        ("free", worker(None, None)),
    ];
    BTreeMap::from(all.map(|(name, worker)| (name.to_owned(), worker)))
}

fn step(rng: &mut Rng, at: usize, patient: bool) -> StepDefinition {
    let needs: Vec<usize> = (0..at).filter(|_| rng.chance(330)).collect();
    let transform = rng.chance(160);
    let worker = ["paid", "bound", "bound", "free"][usize::try_from(rng.below(4)).unwrap_or(0)];
    let endpoint = match rng.below(30) {
        0..=2 => "/refuses",
        3 => "/garbles",
        _ => "/ok",
    };
    let of: BTreeMap<String, String> =
        needs.iter().map(|n| (format!("s{n}"), format!("=steps.s{n}.output"))).collect();
    StepDefinition {
        name: format!("s{at}"),
        order: rng.between(-2, 6),
        kind: if transform { StepKind::Transform } else { StepKind::Worker },
        worker: (!transform).then(|| worker.to_owned()),
        endpoint: (!transform).then(|| endpoint.to_owned()),
        fallback_worker: (!transform && rng.chance(150)).then(|| "paid".to_owned()),
        depends_on: needs.iter().map(|n| json!(format!("s{n}"))).collect(),
        condition: needs.first().filter(|_| rng.chance(200)).map(|n| condition(rng, *n)),
        input_mapping: Some(json!({"topic": "$.topic", "step": at, "of": of})),
        optional: rng.chance(200),
        timeout_ms: rng.chance(300).then(|| 2_000 + rng.below(6_000)),
        retry: Some(if patient { patience(rng) } else { impatience(rng) }),
        ..StepDefinition::default()
    }
}

fn condition(rng: &mut Rng, need: usize) -> Value {
    match rng.below(3) {
        0 => json!(format!("steps.s{need}.succeeded")),
        1 => json!("data.n >= 500"),
        _ => json!(format!("!steps.s{need}.succeeded || data.s{need} > 300")),
    }
}

/// More retries than a seed has faults.
fn patience(rng: &mut Rng) -> RetryDefinition {
    RetryDefinition {
        max_retries: Some(100),
        initial_ms: Some(if rng.chance(700) { rng.between(0, 3_000) } else { 45_000 }),
        cap_ms: Some(rng.between(500, 60_000)),
        ..RetryDefinition::default()
    }
}

fn impatience(rng: &mut Rng) -> RetryDefinition {
    RetryDefinition {
        max_retries: Some(rng.between(0, 3)),
        initial_ms: Some(rng.between(0, 5_000)),
        total_deadline_ms: rng.chance(300).then(|| rng.between(3_000, 40_000)),
        ..RetryDefinition::default()
    }
}

fn terms(rng: &mut Rng, patient: bool, steps: i64) -> Terms {
    let most = ESTIMATE * u64::try_from(steps).unwrap_or(1);
    Terms {
        strategy: "balanced".to_owned(),
        parallelism: u32::try_from(rng.between(1, 5)).unwrap_or(1),
        skip_optional: rng.chance(150),
        retries_max: None,
        deadline: match patient {
            true => PATIENT_DEADLINE,
            false => Millis::new(rng.between(10_000, 200_000).unsigned_abs()),
        },
        attempt_timeout: Millis::new(rng.between(4_000, 20_000).unsigned_abs()),
        budget: (!patient && rng.chance(500)).then(|| MicroUsd::from_micros(rng.below(most * 2))),
        ..Terms::default()
    }
}
