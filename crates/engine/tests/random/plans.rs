//! Random templates that are valid, and the terms of their executions.

use std::collections::BTreeMap;

use engine::execution::Terms;
use engine::money::MicroUsd;
use engine::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, StepKind, TemplateDefinition,
    WorkerDefinition,
};
use engine::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the priced worker is estimated at; `free` has no price.
pub const ESTIMATE: u64 = 100;

/// A template and what its execution may do.
#[derive(Clone, Debug)]
pub struct Case {
    pub template: TemplateDefinition,
    pub terms: Terms,
    pub request: Value,
}

pub fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(step(), 3..=25);
    (steps, any::<bool>(), 0..4u8, terms(), -1_000.0..1_000.0f64).prop_map(
        |(seeds, tolerant, sequential, terms, number)| Case {
            template: template(&seeds, tolerant, sequential == 0),
            terms,
            request: json!({"topic": "bees", "input": {"n": number, "feeds": [1, 2]}}),
        },
    )
}

/// What is drawn for one step.
#[derive(Clone, Debug)]
struct Seed {
    /// Earlier steps, each by one bit.
    dependencies: u32,
    kind: u8,
    condition: u8,
    input: u8,
    output: u8,
    optional: bool,
    retries: i64,
    total_deadline_ms: Option<i64>,
    fallback: bool,
    order: i64,
}

fn step() -> impl Strategy<Value = Seed> {
    let shape = (any::<u32>(), any::<u32>(), 0..8u8, 0..12u8, 0..8u8, 0..8u8);
    let policy = (
        prop::bool::weighted(0.25),
        0..3i64,
        prop::option::weighted(0.2, 1_000..60_000i64),
        prop::bool::weighted(0.2),
        -3..9i64,
    );
    (shape, policy).prop_map(|((a, b, kind, condition, input, output), policy)| {
        let (optional, retries, total_deadline_ms, fallback, order) = policy;
        // Two draws: each earlier step is a dependency with a chance of one in four.
        let dependencies = a & b;
        Seed {
            dependencies,
            kind,
            condition,
            input,
            output,
            optional,
            retries,
            total_deadline_ms,
            fallback,
            order,
        }
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let budget = prop::option::weighted(0.6, prop_oneof![0..400u64, 0..2_500u64]);
    let bounds = (1..6u32, prop::bool::weighted(0.2), prop::option::weighted(0.2, 0..2u32));
    (bounds, 5_000..400_000u64, 1_000..30_000u64, budget).prop_map(
        |((parallelism, skip_optional, retries_max), deadline, attempt, budget)| Terms {
            strategy: "balanced".to_owned(),
            parallelism,
            skip_optional,
            retries_max,
            deadline: Millis::new(deadline),
            attempt_timeout: Millis::new(attempt),
            budget: budget.map(MicroUsd::from_micros),
            ..Terms::default()
        },
    )
}

fn template(seeds: &[Seed], tolerant: bool, sequential: bool) -> TemplateDefinition {
    let worker = |cost: Option<u64>| WorkerDefinition {
        base_url: Some("https://worker.test".to_owned()),
        estimated_cost: cost.map(MicroUsd::from_micros),
        active: true,
        ..WorkerDefinition::default()
    };
    let workers = [("free", worker(None)), ("paid", worker(Some(ESTIMATE)))];
    TemplateDefinition {
        name: "random".to_owned(),
        failure_tolerance: match tolerant {
            true => FailureTolerance::Partial,
            false => FailureTolerance::Strict,
        },
        allow_parallel: !sequential,
        steps: seeds.iter().enumerate().map(|(at, seed)| definition(at, seed)).collect(),
        workers: BTreeMap::from(workers.map(|(name, worker)| (name.to_owned(), worker))),
        ..TemplateDefinition::default()
    }
}

fn definition(at: usize, seed: &Seed) -> StepDefinition {
    let earlier = (0..at).filter(|n| seed.dependencies >> (n % 32) & 1 == 1);
    let needs: Vec<usize> = earlier.collect();
    let is_transform = seed.kind < 2;
    let worker = if seed.kind < 5 { "paid" } else { "free" };
    StepDefinition {
        name: format!("s{at}"),
        order: seed.order,
        kind: if is_transform { StepKind::Transform } else { StepKind::Worker },
        worker: (!is_transform).then(|| worker.to_owned()),
        fallback_worker: (seed.fallback && !is_transform).then(|| "paid".to_owned()),
        depends_on: needs.iter().map(|n| json!(format!("s{n}"))).collect(),
        condition: condition(seed.condition, needs.first()),
        input_mapping: input(seed.input, needs.last(), is_transform),
        output_mapping: (seed.output == 0).then(|| json!({"mapped": "$.n", "by": at})),
        optional: seed.optional,
        retry: Some(RetryDefinition {
            max_retries: Some(seed.retries),
            total_deadline_ms: seed.total_deadline_ms,
            ..RetryDefinition::default()
        }),
        ..StepDefinition::default()
    }
}

/// Mostly none; else true, false, of an ancestor's fate, or one that cannot be told.
fn condition(drawn: u8, need: Option<&usize>) -> Option<Value> {
    match (drawn, need) {
        (0, _) => Some(json!("false")),
        (1, _) => Some(json!({"feeds_available": "> 1"})),
        (2, Some(need)) => Some(json!(format!("steps.s{need}.succeeded"))),
        (3, Some(need)) => Some(json!(format!("data.n > 0 || steps.s{need}.attempts < 2"))),
        (4, _) => Some(json!("data.nothing > 1")),
        _ => None,
    }
}

/// Mostly something that can be told; at times what an ancestor may not have written.
fn input(drawn: u8, need: Option<&usize>, is_transform: bool) -> Option<Value> {
    match (drawn, need) {
        (0, _) if !is_transform => None,
        (1, Some(need)) => Some(json!({"n": format!("=steps.s{need}.output.n")})),
        (2, _) => Some(json!({"n": "=data.n * 1.1"})),
        _ => Some(json!({"n": "$.n", "topic": "$.topic"})),
    }
}
