//! The templates of a seed and what is asked of them.

mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::execution::{Choice, FORMAT, Started, Terms};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::plan::definition::{
    FailureTolerance, StepKind, TemplateDefinition, ToolDefinition, WorkerDefinition,
};
use engine::plan::{Fits, Plan, Schemas, Violation};
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::Sabotage;
use super::rng::Rng;
use super::world::EPOCH_MS;
use crate::schemas::JsonSchemas;
use steps::Drawing;

/// What the priced worker is estimated at, in micro-USD.
pub const ESTIMATE: u64 = 100;
/// An execution of a patient template may take this long: far longer than any seed lives.
const PATIENT_DEADLINE: Millis = Millis::from_secs(48 * 3_600);
/// The templates that a template may begin, from the leaf upwards.
const CHILDREN: [&str; 2] = ["leaf", "branch"];

/// The workers of an account, by name.
pub type Workers = BTreeMap<String, WorkerDefinition>;

/// One definition with the plan that the machines go by.
#[derive(Debug)]
pub struct Recipe {
    /// As the checkers read it: whatever is taken out of the plan, it is in here.
    pub definition: Arc<TemplateDefinition>,
    pub plan: Arc<Plan>,
    /// By which it is found again.
    pub content_hash: String,
}

/// A template and the terms of its executions.
#[derive(Debug)]
pub struct Template {
    pub own: Arc<Recipe>,
    /// Those that its steps begin, directly or through others, by name.
    pub children: BTreeMap<String, Arc<Recipe>>,
    pub terms: Terms,
    pub request: Value,
    /// Whether its outcome is that of a world without faults: faults can only delay it, and
    /// nothing hangs on who is quicker.
    pub comparable: bool,
    /// Whether nothing of it waits for anything but its workers.
    pub plain: bool,
}

impl Template {
    pub fn draw(
        rng: &mut Rng,
        number: usize,
        workers: &Workers,
        sabotage: Option<Sabotage>,
    ) -> Self {
        let mut drawing = Drawing::new(rng.chance(600), rng.chance(600));
        let patient = drawing.patient;
        let mut templates: BTreeMap<String, TemplateDefinition> = BTreeMap::new();
        let rich = drawing.rich;
        for name in CHILDREN.into_iter().filter(|_| rich) {
            let most = if name == "leaf" { 4 } else { 3 };
            let count = rng.between(1, most);
            let below: Vec<String> = templates.keys().cloned().collect();
            let steps = drawing.steps(rng, count, &below);
            let child = definition(rng, name.to_owned(), patient, steps);
            templates.insert(name.to_owned(), child);
        }
        let count = rng.between(2, 8);
        let below: Vec<String> = templates.keys().cloned().collect();
        let steps = drawing.steps(rng, count, &below);
        let mut definition = definition(rng, format!("t{number}"), patient, steps);
        templates.values_mut().for_each(|child| child.workers.clone_from(workers));
        definition.workers.clone_from(workers);
        templates.values_mut().for_each(|child| child.tools = tools(sabotage));
        definition.tools = tools(sabotage);
        definition.templates = templates;
        let terms = terms(rng, patient, count);
        let request = json!({
            "topic": format!("topic {number}"),
            "input": {
                "n": rng.below(1_000),
                "items": (0..rng.between(0, 12)).collect::<Vec<_>>(),
                "until": EPOCH_MS + rng.between(0, 90_000),
            },
        });
        let parks = |of: &TemplateDefinition| of.failure_tolerance == FailureTolerance::Park;
        let parks = parks(&definition) || definition.templates.values().any(parks);
        let kinds = definition.steps.iter().map(|step| step.kind);
        let plain = |kind| matches!(kind, StepKind::Worker | StepKind::Transform);
        let plain = kinds.into_iter().all(plain) && !drawing.waits_for_others;
        let children = CHILDREN.iter().filter_map(|name| {
            let child = definition.child(name)?;
            let hash = format!("t{number}/{name}");
            Some(((*name).to_owned(), Arc::new(Recipe::of(child, hash, sabotage))))
        });
        let children = children.collect();
        let own = Arc::new(Recipe::of(definition, format!("t{number}"), sabotage));
        let comparable = patient && !drawing.races && !parks;
        Self { own, children, terms, request, comparable, plain }
    }

    /// What an execution of it starts from.
    pub fn started(&self, id: ExecutionId, at: Timestamp) -> Started {
        Started {
            format: FORMAT,
            id,
            account: "default".to_owned(),
            at,
            revision: 1,
            content_hash: self.own.content_hash.clone(),
            definition: Arc::clone(&self.own.definition),
            request: self.request.clone(),
            terms: self.terms.clone(),
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        }
    }

    /// Every definition with its plan.
    pub fn recipes(&self) -> impl Iterator<Item = &Arc<Recipe>> {
        std::iter::once(&self.own).chain(self.children.values())
    }
}

impl Recipe {
    fn of(definition: TemplateDefinition, content_hash: String, without: Option<Sabotage>) -> Self {
        let mut followed = definition.clone();
        match without {
            Some(Sabotage::Compensation) => strip(&mut followed, "compensate"),
            Some(Sabotage::Reservation) => unprice(&mut followed),
            _ => {}
        }
        let schemas: &dyn Schemas = match without {
            Some(Sabotage::Schemas) => &Anything,
            _ => &JsonSchemas,
        };
        let plan = Plan::compile_with(&followed, schemas).expect("templates are drawn valid");
        Self { definition: Arc::new(definition), plan: Arc::new(plan), content_hash }
    }
}

/// Knows schemas that everything fits.
#[derive(Clone, Copy, Debug)]
struct Anything;

impl Schemas for Anything {
    fn compile(&self, _: &Value) -> Result<Arc<dyn Fits>, String> {
        Ok(Arc::new(Self))
    }
}

impl Fits for Anything {
    fn violations(&self, _: &Value, _: usize) -> Vec<Violation> {
        Vec::new()
    }
}

fn strip(definition: &mut TemplateDefinition, field: &str) {
    let own = definition.steps.iter_mut();
    let below = definition.templates.values_mut().flat_map(|child| &mut child.steps);
    for config in own.chain(below).filter_map(|step| step.config.as_mut()) {
        config.as_object_mut().map(|fields| fields.remove(field));
    }
}

fn unprice(definition: &mut TemplateDefinition) {
    let below = definition.templates.values_mut().flat_map(|child| child.workers.values_mut());
    for worker in definition.workers.values_mut().chain(below) {
        worker.estimated_cost = None;
    }
}

fn definition(
    rng: &mut Rng,
    name: String,
    patient: bool,
    steps: Vec<engine::plan::definition::StepDefinition>,
) -> TemplateDefinition {
    TemplateDefinition {
        name,
        failure_tolerance: match rng.below(if patient { 9 } else { 10 }) {
            0..=3 => FailureTolerance::Partial,
            9 => FailureTolerance::Park,
            _ => FailureTolerance::Strict,
        },
        allow_parallel: !rng.chance(150),
        steps,
        ..TemplateDefinition::default()
    }
}

/// What the endpoints answer, `worker` says. `gated` and `paced` are called with permission only.
pub fn workers(rng: &mut Rng, sabotage: Option<Sabotage>) -> Workers {
    let estimate = match sabotage {
        Some(Sabotage::Reservation) => None,
        _ => Some(MicroUsd::from_micros(ESTIMATE)),
    };
    let worker = |cost, binding: Option<&str>| WorkerDefinition {
        service_binding: binding.map(str::to_owned),
        base_url: binding.is_none().then(|| "https://worker.test".to_owned()),
        endpoints: vec!["/ok".to_owned()],
        estimated_cost: cost,
        active: true,
        ..WorkerDefinition::default()
    };
    let small = |most: u64, rng: &mut Rng| u32::try_from(rng.below(most) + 1).ok();
    let gated = WorkerDefinition { max_concurrency: small(3, rng), ..worker(estimate, None) };
    let paced = WorkerDefinition {
        max_per_minute: small(40, rng).map(|rate| rate + 5),
        max_concurrency: small(4, rng).filter(|_| rng.chance(500)),
        breaker: Some(json!({"failures": 2, "open_ms": 5_000})),
        ..worker(estimate, Some("PACED"))
    };
    let all = [
        ("paid", worker(estimate, None)),
        ("bound", worker(estimate, Some("BOUND"))),
        ("free", worker(None, None)),
        ("gated", gated),
        ("paced", paced),
    ];
    BTreeMap::from(all.map(|(name, worker)| (name.to_owned(), worker)))
}

/// The tools, by name: one answers, one reports later. What they give is at times not what they
/// must give.
fn tools(sabotage: Option<Sabotage>) -> BTreeMap<String, ToolDefinition> {
    let estimate = match sabotage {
        Some(Sabotage::Reservation) => None,
        _ => Some(MicroUsd::from_micros(ESTIMATE)),
    };
    let tool = |name: &str| ToolDefinition {
        id: format!("id of {name}"),
        name: name.to_owned(),
        address: Some("https://node.test".to_owned()),
        input_schema: Some(json!({"required": ["topic"]})),
        output_schema: Some(json!({
            "required": ["count"], "properties": {"count": {"type": "integer"}},
        })),
        estimated_cost: estimate,
        ..ToolDefinition::default()
    };
    BTreeMap::from(["counts", "reports"].map(|name| (name.to_owned(), tool(name))))
}

fn terms(rng: &mut Rng, patient: bool, steps: i64) -> Terms {
    let most = ESTIMATE * u64::try_from(steps).unwrap_or(1) * 2;
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
        choice: match rng.below(3) {
            0 => Choice::Cheapest,
            1 => Choice::Fastest,
            _ => Choice::Declared,
        },
        priority: rng.between(0, 2),
        budget: (!patient && rng.chance(500)).then(|| MicroUsd::from_micros(rng.below(most))),
        ..Terms::default()
    }
}
