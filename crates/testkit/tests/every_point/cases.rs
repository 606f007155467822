//! What is lived through: the fixture templates, and small ones for what those leave out.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use engine::execution::{FORMAT, Started, Terms};
use engine::ids::{ExecutionId, ShardId};
use engine::money::MicroUsd;
use engine::plan::Plan;
use engine::plan::definition::TemplateDefinition;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};
use testkit::schemas::JsonSchemas;

/// The fixture templates; tests/fixture_templates.rs holds them against their rows.
const FIXTURES: &str = include_str!("../../fixtures/templates.json");

/// What an execution may cost where its case says nothing: 1 USD.
const BUDGET_MICRO_USD: u64 = 1_000_000;

/// A template that executions are made of.
pub struct Case {
    pub name: &'static str,
    pub definition: Arc<TemplateDefinition>,
    pub terms: Terms,
    /// Whether it hangs on who is quicker which steps succeed.
    pub races: bool,
    /// What somebody signals, and with what.
    pub signal: Option<(&'static str, Value)>,
}

impl Case {
    /// What an execution of it starts from.
    pub fn started(&self, at: Timestamp) -> Started {
        Started {
            format: FORMAT,
            id: ExecutionId::new(at, ShardId(0), 0x5eed),
            account: "default".to_owned(),
            at,
            revision: 1,
            content_hash: self.name.to_owned(),
            definition: Arc::clone(&self.definition),
            request: json!({"topic": "bees"}),
            terms: self.terms.clone(),
            traceparent: None,
            parent: None,
            restarted_from: None,
            key: None,
            initiators: Vec::new(),
        }
    }

    /// The paths of its steps.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.definition.steps.iter().map(|step| step.name.as_str())
    }
}

/// All cases, by the order in which they are told of.
pub fn all() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| fixtures().chain(own()).collect());
    &CASES
}

/// The case of this name.
pub fn case(name: &str) -> &'static Case {
    all().iter().find(|case| case.name == name).expect("a test names a case")
}

/// The plan of a definition that starts an execution.
pub fn plan(definition: &TemplateDefinition) -> Arc<Plan> {
    type Plans = BTreeMap<(String, String), Arc<Plan>>;
    static PLANS: LazyLock<Plans> = LazyLock::new(|| {
        let mut plans = Plans::new();
        for case in all() {
            let own = std::iter::once(("", TemplateDefinition::clone(&case.definition)));
            let below = case.definition.templates.keys();
            let below =
                below.filter_map(|name| Some((name.as_str(), case.definition.child(name)?)));
            for (name, definition) in own.chain(below) {
                let plan = Plan::compile_with(&definition, &JsonSchemas);
                let plan = plan.expect("a case's template is valid");
                plans.insert((case.name.to_owned(), name.to_owned()), Arc::new(plan));
            }
        }
        plans
    });
    let own = PLANS.get(&(definition.name.clone(), String::new()));
    let mut others = PLANS.iter().filter(|((_, name), _)| *name == definition.name);
    Arc::clone(own.or_else(|| others.next().map(|(_, plan)| plan)).expect("it is of a case"))
}

fn terms() -> Terms {
    let budget = Some(MicroUsd::from_micros(BUDGET_MICRO_USD));
    Terms { deadline: Millis::from_secs(600), budget, ..Terms::default() }
}

fn fixtures() -> impl Iterator<Item = Case> {
    let read: BTreeMap<String, TemplateDefinition> =
        serde_json::from_str(FIXTURES).expect("the fixtures are definitions");
    read.into_values().map(|definition| Case {
        name: definition.name.clone().leak(),
        signal: (definition.name == "wait").then(|| ("go", json!({"gone": true}))),
        definition: Arc::new(definition),
        terms: terms(),
        races: false,
    })
}

/// Templates of this test: joins, choices after a failure, money, and what is undone.
fn own() -> impl Iterator<Item = Case> {
    let joins = [
        ("any_cancel", json!("any"), "cancel"),
        ("any_continue", json!("any"), "continue"),
        ("two_of_three_cancel", json!({"n_of_m": 2}), "cancel"),
        ("two_of_three_continue", json!({"n_of_m": 2}), "continue"),
    ];
    let joins = joins.map(|(name, join, losers)| Case {
        races: true,
        ..small(name, &raced(&join, losers), json!({}))
    });
    let undone = json!({"compensate": {"worker": "echo", "input_mapping": {"undo": "=output"}}});
    joins.into_iter().chain(after_failures()).chain(undoing(&undone)).chain([paid(), approved()])
}

fn raced(join: &Value, losers: &str) -> Value {
    json!([
        {"name": "quick", "order": 1, "worker": "echo", "input_mapping": {"quick": 1}},
        {"name": "slow", "order": 2, "worker": "slow", "input_mapping": {"slow": 2}},
        {"name": "slower", "order": 3, "worker": "slower", "input_mapping": {"slower": 3}},
        {"name": "joined", "order": 4, "worker": "echo", "depends_on": ["quick", "slow", "slower"],
            "input_mapping": {"joined": 4}, "config": {"join": join, "losers": losers}},
    ])
}

fn after_failures() -> [Case; 4] {
    let fallback = json!([
        {"name": "first", "order": 1, "worker": "charger", "fallback_worker": "standby"},
        {"name": "after", "order": 2, "worker": "echo", "depends_on": ["first"]},
    ]);
    let optional = json!([
        {"name": "extra", "order": 1, "worker": "slow", "optional": true,
            "input_mapping": {"extra": 1}},
        {"name": "after", "order": 2, "worker": "echo", "depends_on": ["extra"]},
    ]);
    let apart = json!([
        {"name": "left", "order": 1, "worker": "slow", "input_mapping": {"left": 1}},
        {"name": "below", "order": 2, "worker": "echo", "depends_on": ["left"]},
        {"name": "right", "order": 3, "worker": "slow", "input_mapping": {"right": 1}},
    ]);
    [
        small("fallback", &fallback, json!({})),
        small("optional", &optional, json!({})),
        small("partial", &apart, json!({"failure_tolerance": "partial"})),
        small("park", &apart, json!({"failure_tolerance": "park"})),
    ]
}

/// Executions in which several kinds of steps are undone, in an order that does not hang on luck.
fn undoing(undone: &Value) -> [Case; 3] {
    let with = |more: Value| {
        let mut config = undone.clone();
        let fields = config.as_object_mut().expect("it is an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        config
    };
    let map = json!([
        {"name": "each", "order": 1, "kind": "map", "worker": "slow",
            "input_mapping": {"n": "=item"},
            "config": with(json!({"items": [1, 2, 3], "concurrency": 2}))},
        {"name": "charge", "order": 2, "worker": "charger", "depends_on": ["each"],
            "config": undone},
        {"name": "fail", "order": 3, "worker": "refuser", "depends_on": ["charge"]},
    ]);
    let tolerant = json!([
        {"name": "each", "order": 1, "kind": "map", "worker": "slow",
            "input_mapping": {"n": "=item"},
            "config": {"items": [1, 2, 3], "concurrency": 2, "tolerated_failures": 1}},
        {"name": "after", "order": 2, "worker": "echo", "depends_on": ["each"],
            "input_mapping": {"each": "$.each"}},
    ]);
    let nested = json!([
        {"name": "inner", "order": 1, "kind": "pipeline", "input_mapping": {"topic": "$.topic"},
            "config": with(json!({"template": "below"}))},
        {"name": "beside", "order": 2, "worker": "slower", "input_mapping": {"beside": 1},
            "config": undone},
        {"name": "fail", "order": 3, "worker": "refuser", "depends_on": ["inner", "beside"]},
    ]);
    let below = json!({"name": "below", "workers": workers(), "steps": [
        {"name": "charge", "order": 1, "worker": "charger", "retry": retries(), "config": undone},
        {"name": "check", "order": 2, "worker": "slow", "depends_on": ["charge"],
            "retry": retries()},
    ]});
    [
        small("map_undone", &map, json!({})),
        small("map_tolerant", &tolerant, json!({})),
        small("nested_undone", &nested, json!({"templates": {"below": below}})),
    ]
}

/// As much money as the steps cost, and no more.
fn paid() -> Case {
    let steps = json!([
        {"name": "one", "order": 1, "worker": "charger", "input_mapping": {"n": 1}},
        {"name": "two", "order": 2, "worker": "charger", "input_mapping": {"n": 2}},
        {"name": "three", "order": 3, "worker": "charger", "depends_on": ["one", "two"]},
    ]);
    let terms = Terms { budget: Some(MicroUsd::from_micros(3_000)), ..terms() };
    Case { terms, ..small("paid", &steps, json!({})) }
}

fn approved() -> Case {
    let steps = json!([
        {"name": "ask", "order": 1, "worker": "caller_back", "input_mapping": {"ask": 1},
            "config": {"heartbeat_ms": 5_000, "accepted_max_ms": 60_000,
                "compensate": {"worker": "echo"}}},
        {"name": "approve", "order": 2, "kind": "wait", "depends_on": ["ask"],
            "config": {"approval": true, "timeout_ms": 600_000}},
        {"name": "after", "order": 3, "worker": "echo", "depends_on": ["approve"]},
    ]);
    let signal = Some(("approve", json!({"approved": true})));
    Case { signal, ..small("approved", &steps, json!({})) }
}

fn retries() -> Value {
    json!({"max_retries": 20, "initial_ms": 50, "cap_ms": 1_000})
}

fn small(name: &'static str, steps: &Value, more: Value) -> Case {
    let mut steps = steps.clone();
    for step in steps.as_array_mut().expect("steps are listed") {
        if step["kind"].as_str().is_none_or(|kind| kind == "map") {
            step["retry"] = retries();
        }
    }
    let mut definition = json!({"name": name, "steps": steps, "workers": workers()});
    let fields = definition.as_object_mut().expect("it is an object");
    fields.extend(more.as_object().cloned().unwrap_or_default());
    let definition = serde_json::from_value(definition).expect("a case's template is a definition");
    Case { name, definition: Arc::new(definition), terms: terms(), races: false, signal: None }
}

fn workers() -> Value {
    let worker = |endpoint: &str, cost: u64| {
        json!({"base_url": "https://workers.invalid", "endpoints": [endpoint],
            "estimated_cost": cost, "timeout_ms": 10_000})
    };
    json!({
        "echo": worker("/echo", 0),
        "standby": worker("/echo", 0),
        "slow": worker("/slow/200", 0),
        "slower": worker("/slow/3000", 0),
        "charger": worker("/costly/1000", 1_000),
        "caller_back": worker("/async/300", 0),
        "refuser": worker("/refuse", 0),
    })
}
