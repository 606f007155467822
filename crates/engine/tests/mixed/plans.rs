//! Random templates with steps of every kind and joins of every kind.

use std::collections::BTreeMap;

use engine::execution::Terms;
use engine::money::MicroUsd;
use engine::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, StepKind, TemplateDefinition,
    ToolDefinition, WorkerDefinition,
};
use engine::time::Millis;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the priced worker is estimated at.
pub const ESTIMATE: u64 = 100;

/// A template and what its execution may do.
#[derive(Clone, Debug)]
pub struct Case {
    pub template: TemplateDefinition,
    pub terms: Terms,
}

/// What is drawn for one step.
#[derive(Clone, Debug)]
struct Seed {
    /// Earlier steps, each by one bit.
    dependencies: u32,
    kind: u8,
    join: u8,
    setting: u8,
    condition: u8,
    optional: bool,
    undone: bool,
    retries: i64,
    total_deadline_ms: Option<i64>,
    queue_timeout_ms: Option<u32>,
}

pub fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(step(), 2..=12);
    (steps, 0..4u8, prop::bool::weighted(0.85), terms()).prop_map(
        |(seeds, tolerance, parallel, terms)| {
            let failure_tolerance = match tolerance {
                0 | 1 => FailureTolerance::Strict,
                2 => FailureTolerance::Partial,
                _ => FailureTolerance::Park,
            };
            let steps = seeds.iter().enumerate().map(|(at, seed)| definition(at, seed));
            let template = TemplateDefinition {
                name: "mixed".to_owned(),
                failure_tolerance,
                allow_parallel: parallel,
                steps: steps.collect(),
                workers: workers(),
                tools: tools(),
                templates: BTreeMap::from([("inner".to_owned(), inner())]),
                ..TemplateDefinition::default()
            };
            Case { template, terms }
        },
    )
}

fn step() -> impl Strategy<Value = Seed> {
    let shape = (any::<u32>(), any::<u32>(), 0..8u8, 0..8u8, 0..6u8, 0..8u8);
    let policy = (
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
        0..3i64,
        prop::option::weighted(0.15, 1_000..60_000i64),
        prop::option::weighted(0.15, 1..20_000u32),
    );
    (shape, policy).prop_map(|((a, b, kind, join, setting, condition), policy)| {
        let (optional, undone, retries, total_deadline_ms, queue_timeout_ms) = policy;
        Seed {
            dependencies: a & b,
            kind,
            join,
            setting,
            condition,
            optional,
            undone,
            retries,
            total_deadline_ms,
            queue_timeout_ms,
        }
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let budget = prop::option::weighted(0.6, prop_oneof![0..500u64, 0..4_000u64]);
    (1..5u32, any::<bool>(), 20_000..400_000u64, 30_000..200_000u64, budget).prop_map(
        |(parallelism, skip_optional, deadline, waiting, budget)| Terms {
            parallelism,
            skip_optional,
            deadline: Millis::new(deadline),
            waiting_max: Millis::new(waiting),
            attempt_timeout: Millis::new(15_000),
            budget: budget.map(MicroUsd::from_micros),
            ..Terms::default()
        },
    )
}

fn workers() -> BTreeMap<String, WorkerDefinition> {
    let worker = |cost: u64| WorkerDefinition {
        base_url: Some("https://worker.test".to_owned()),
        estimated_cost: Some(MicroUsd::from_micros(cost)),
        active: true,
        ..WorkerDefinition::default()
    };
    let workers = [("free", worker(0)), ("paid", worker(ESTIMATE))];
    BTreeMap::from(workers.map(|(name, worker)| (name.to_owned(), worker)))
}

fn tools() -> BTreeMap<String, ToolDefinition> {
    let tool = |id: &str, name: &str| ToolDefinition {
        id: id.to_owned(),
        name: name.to_owned(),
        address: Some("https://node.test".to_owned()),
        output_schema: Some(json!({"required": ["n"], "properties": {"n": {"type": "integer"}}})),
        estimated_cost: Some(MicroUsd::from_micros(ESTIMATE)),
        ..ToolDefinition::default()
    };
    let tools = [("counts", tool("t-1", "counts")), ("t-2", tool("t-2", "stands_in"))];
    BTreeMap::from(tools.map(|(name, tool)| (name.to_owned(), tool)))
}

fn inner() -> TemplateDefinition {
    let step = StepDefinition {
        name: "i".to_owned(),
        worker: Some("paid".to_owned()),
        ..StepDefinition::default()
    };
    TemplateDefinition {
        name: "inner".to_owned(),
        steps: vec![step],
        workers: workers(),
        tools: tools(),
        ..TemplateDefinition::default()
    }
}

fn definition(at: usize, seed: &Seed) -> StepDefinition {
    let needs: Vec<usize> = (0..at).filter(|n| seed.dependencies >> (n % 32) & 1 == 1).collect();
    let kind = match seed.kind {
        0..=2 if seed.setting == 4 => StepKind::Tool,
        0..=2 => StepKind::Worker,
        3 => StepKind::Transform,
        4 | 5 => StepKind::Map,
        6 => StepKind::Wait,
        _ => StepKind::Pipeline,
    };
    let asks = matches!(kind, StepKind::Worker | StepKind::Map);
    let waits = kind == StepKind::Wait;
    let retry = RetryDefinition {
        max_retries: Some(seed.retries),
        total_deadline_ms: seed.total_deadline_ms,
        ..RetryDefinition::default()
    };
    StepDefinition {
        name: format!("s{at}"),
        order: i64::try_from(at).expect("few steps"),
        kind,
        worker: asks.then(|| if seed.setting < 3 { "paid" } else { "free" }.to_owned()),
        fallback_worker: (asks && seed.setting == 5).then(|| "paid".to_owned()),
        depends_on: needs.iter().map(|n| json!(format!("s{n}"))).collect(),
        condition: (seed.condition == 0).then(|| json!("false")),
        input_mapping: (!waits).then(|| json!({"topic": "$.topic"})),
        output_mapping: (seed.condition == 1).then(|| json!({"mapped": "$.n"})),
        optional: seed.optional,
        retry: (!waits).then_some(retry),
        config: Some(config(kind, seed, needs.len())),
        ..StepDefinition::default()
    }
}

fn config(kind: StepKind, seed: &Seed, needs: usize) -> Value {
    let mut config = match (kind, seed.setting) {
        (StepKind::Map, setting) => json!({
            "items": (0..usize::from(setting)).collect::<Vec<_>>(),
            "concurrency": 1 + setting / 2, "tolerated_failures": setting / 3,
        }),
        (StepKind::Wait, 0) => json!({"delay_ms": 7_000}),
        (StepKind::Wait, 1) => json!({"until": 1_030_000}),
        (StepKind::Wait, 2) => json!({"approval": "go"}),
        (StepKind::Wait, 3) => {
            json!({"signal": "go", "timeout_ms": 9_000, "on_timeout": "continue"})
        }
        (StepKind::Wait, 4) => json!({"signal": "go", "timeout_ms": 9_000}),
        (StepKind::Wait, _) => json!({"signal": "went"}),
        (StepKind::Pipeline, 0..=2) => json!({"template": "inner", "budget_usd": 0.0002}),
        (StepKind::Pipeline, _) => json!({"template": "inner"}),
        (StepKind::Tool, _) => json!({"tool": "counts", "fallback_tool": "t-2"}),
        _ => json!({}),
    };
    if needs > 0 && seed.join < 4 {
        let join = if seed.join < 2 { json!("any") } else { json!({"n_of_m": needs.div_ceil(2)}) };
        config["join"] = join;
        config["losers"] = json!(if seed.join.is_multiple_of(2) { "cancel" } else { "continue" });
    }
    let undone = !matches!(kind, StepKind::Transform | StepKind::Wait);
    if undone && seed.undone {
        config["compensate"] = json!({"worker": "paid", "retry": {"max_retries": seed.retries}});
    }
    if let Some(timeout) = seed.queue_timeout_ms {
        config["queue_timeout_ms"] = json!(timeout);
    }
    config
}
