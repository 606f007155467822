//! What each kind of step and each setting compiles to; templates within templates; prices.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use engine::money::MicroUsd;
use engine::plan::definition::{TEMPLATES_MAX, TemplateDefinition};
use engine::plan::{
    Awaited, BreakerPolicy, Join, Kind, Losers, Plan, Step, Tolerated, overlooked, unpriced,
};
use engine::time::Millis;
use serde_json::{Value, json};

fn definition(template: Value) -> TemplateDefinition {
    serde_json::from_value(template).unwrap()
}

fn workers() -> Value {
    json!({
        "w": {"base_url": "https://w.test", "endpoints": ["/do"], "estimated_cost": 300,
              "quality_score": 0.9, "version": "2.0.0", "max_concurrency": 2, "max_retries": 7},
        "cheap": {"base_url": "https://c.test", "endpoints": ["/c"], "estimated_cost": 100,
                  "max_per_minute": 60, "breaker": {"failures": 2, "open_ms": 5}},
        "free": {"base_url": "https://f.test", "estimated_cost": 0},
    })
}

/// The plan of a step that depends on two others.
fn step(fields: Value) -> Step {
    let mut step = json!({"name": "s", "order": 2, "depends_on": ["a", "b"]});
    step.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let template = definition(json!({
        "name": "t", "workers": workers(),
        "steps": [
            {"name": "a", "order": 1, "worker": "w"},
            {"name": "b", "order": 1, "worker": "w"},
            step,
        ],
        "templates": {"inner": {"name": "inner", "workers": workers(), "steps": [
            {"name": "x", "order": 1, "worker": "w", "config": {"alternatives": ["cheap"]}},
            {"name": "y", "order": 2, "worker": "w", "condition": "false"},
            {"name": "z", "order": 3, "worker": "w", "optional": true},
        ]}},
    }));
    assert_eq!(overlooked(&template), []);
    Plan::compile(&template).unwrap_or_else(|found| panic!("{found:#?}")).steps.pop().unwrap()
}

#[test]
fn a_call_has_its_targets_and_what_they_must_pass() {
    let step = step(json!({
        "worker": "w", "endpoint": "/other", "fallback_worker": "free", "timeout_ms": 50,
        "config": {"alternatives": ["cheap"], "cache_ttl_s": 60, "heartbeat_ms": 1000,
                   "accepted_max_ms": 604_800_000, "queue_timeout_ms": 5.0, "join": null},
    }));
    let Kind::Worker(call) = &step.kind else { panic!("{step:?}") };
    assert_eq!((call.primary.worker.as_str(), call.primary.endpoint.as_str()), ("w", "/other"));
    assert_eq!((call.primary.quality, call.primary.version.as_str()), (Some(0.9), "2.0.0"));
    assert_eq!(call.primary.gate.concurrency_max, Some(2));
    assert_eq!(call.primary.gate.breaker, BreakerPolicy::default());
    let [cheap] = call.alternatives.as_slice() else { panic!("{call:?}") };
    assert_eq!((cheap.worker.as_str(), cheap.endpoint.as_str()), ("cheap", "/c"));
    assert_eq!(cheap.timeout, Some(Millis::new(50)), "the step's time-out is everybody's");
    assert_eq!(cheap.gate.per_minute_max, Some(60));
    let breaker = BreakerPolicy { failures: 2, open_ms: 5, ..BreakerPolicy::default() };
    assert_eq!(cheap.gate.breaker, breaker);
    assert_eq!(call.fallback.as_ref().unwrap().endpoint, "/");
    assert_eq!(call.memo, Some(Millis::from_secs(60)));
    assert_eq!((call.heartbeat, call.accepted_max.get()), (Millis::from_secs(1), 604_800_000));
    assert_eq!(step.queue_timeout, Some(Millis::new(5)));
    assert_eq!((step.join, step.losers), (Join::All, Losers::Continue));
}

#[test]
fn joins_count_and_losers_go_on_or_not() {
    let join = |join: Value| step(json!({"worker": "w", "config": {"join": join}})).join;
    assert_eq!(join(json!("all")), Join::All);
    assert_eq!(join(json!("any")), Join::Some(1));
    assert_eq!(join(json!({"n_of_m": 2})), Join::Some(2));
    let step = step(json!({"worker": "w", "config": {"join": "any", "losers": "cancel"}}));
    assert_eq!(step.losers, Losers::Cancel);
}

#[test]
fn a_compensation_is_a_call_over_the_output() {
    let undo = json!({
        "worker": "cheap", "endpoint": "/undo", "timeout_ms": 9, "retry": {"factor": 3.0},
        "input_mapping": {"id": "$.id", "same": "=output.id", "of": "=data.order"},
    });
    let step = step(json!({"worker": "w", "config": {"compensate": undo}}));
    let compensation = step.compensation.unwrap();
    let target = &compensation.target;
    assert_eq!((target.worker.as_str(), target.endpoint.as_str()), ("cheap", "/undo"));
    assert_eq!(target.timeout, Some(Millis::new(9)));
    assert_eq!((compensation.retry.factor, compensation.retry.retries_max), (3.0, 3));
    assert!(compensation.input.is_some());
    let least = json!({"worker": "w", "config": {"compensate": {"worker": "w"}}});
    let compensation = self::step(least).compensation.unwrap();
    assert_eq!(compensation.retry.retries_max, 7, "the worker says how often");
    assert!(compensation.input.is_none());
}

#[test]
fn a_map_goes_through_an_array() {
    let step = step(json!({
        "kind": "map", "worker": "w", "input_mapping": {"url": "=item.url", "n": "=index"},
        "config": {"items": "$.sources", "concurrency": 1000, "tolerated_failure_share": 0.25,
                   "alternatives": ["cheap"], "compensate": {"worker": "free"}},
    }));
    let Kind::Map(each) = &step.kind else { panic!("{step:?}") };
    assert_eq!(each.items.source(), &json!("$.sources"));
    assert_eq!((each.concurrency, each.tolerated), (Some(1000), Tolerated::Share(0.25)));
    assert_eq!(each.call.alternatives.len(), 1);
    assert!(step.compensation.is_some());
    let least = json!({"kind": "map", "worker": "w", "config": {"items": [1, "=data.x"]}});
    let Kind::Map(each) = self::step(least).kind else { panic!("it is a map") };
    assert_eq!((each.concurrency, each.tolerated), (None, Tolerated::Count(0)));
    let count = json!({"kind": "map", "worker": "w",
                       "config": {"items": "=data.x", "tolerated_failures": 3}});
    let Kind::Map(each) = self::step(count).kind else { panic!("it is a map") };
    assert_eq!(each.tolerated, Tolerated::Count(3));
}

#[test]
fn a_wait_ends_in_one_of_four_ways() {
    let wait = |config: Value| match step(json!({"kind": "wait", "config": config})).kind {
        Kind::Wait(wait) => wait,
        other => panic!("{other:?}"),
    };
    let delay = wait(json!({"delay_ms": 604_800_000_u64}));
    assert!(matches!(delay.of, Awaited::Delay(ms) if ms.get() == 604_800_000));
    assert_eq!((delay.timeout, delay.continues), (None, false));
    for until in [
        json!("=data.at"),
        json!("$.at"),
        json!(1_772_000_000_000_u64),
        json!("2026-03-01T12:00:00Z"),
    ] {
        let Awaited::Until(mapping) = wait(json!({"until": until})).of else { panic!("{until}") };
        assert_eq!(mapping.source(), &until);
    }
    let signal = wait(json!({"signal": "paid", "timeout_ms": 5, "on_timeout": "continue"}));
    assert!(matches!(&signal.of, Awaited::Signal(name) if name == "paid"));
    assert_eq!((signal.timeout, signal.continues), (Some(Millis::new(5)), true));
    let approval = |approval: Value| match wait(json!({ "approval": approval })).of {
        Awaited::Approval(name) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(approval(json!(true)), "s", "the signal is called like the step");
    assert_eq!(approval(json!("release")), "release");
    assert_eq!(approval(json!({"signal": "release"})), "release");
    assert_eq!(approval(json!({"title": "Release?"})), "s");
}

#[test]
fn an_approval_says_what_its_task_asks_and_who_may_complete_it() {
    let asks = |approval: Value| {
        let step = step(json!({"kind": "wait", "config": { "approval": approval }}));
        let Kind::Wait(wait) = step.kind else { panic!("it is a wait") };
        *wait.asks.expect("an approval asks")
    };
    let form = json!({"type": "object", "required": ["note"]});
    let whole = asks(json!({
        "title": "Publish?", "description": "Read the report.", "form": form,
        "candidates": ["role:admin", "ada@example.org"], "due_ms": 60_000,
        "escalation": {"after_ms": 90_000, "candidates": ["user:1"]},
        "forbid_self_approval": true,
    }));
    assert_eq!((whole.title.as_str(), whole.form.as_ref()), ("Publish?", Some(&form)));
    assert_eq!(whole.candidates, ["role:admin", "ada@example.org"]);
    assert_eq!(whole.due, Some(Millis::new(60_000)));
    let escalation = whole.escalation.as_ref().expect("it has one");
    assert_eq!((escalation.after.get(), &escalation.candidates), (90_000, &vec!["user:1".into()]));
    assert!(whole.forbids_self && whole.is_guarded());
    for plain in [json!(true), json!("name"), json!({}), json!({"due_ms": 5, "title": null})] {
        let asks = asks(plain);
        assert_eq!(asks.title, "Approve `s`");
        assert!(!asks.is_guarded());
    }
}

#[test]
fn a_pipeline_names_its_template() {
    let sub = |config: Value| match step(json!({"kind": "pipeline", "config": config})).kind {
        Kind::Pipeline(sub) => sub,
        other => panic!("{other:?}"),
    };
    let least = sub(json!({"template": "inner"}));
    assert_eq!((least.template.as_str(), least.accepts_partial), ("inner", true));
    assert_eq!(least.budget, None);
    assert_eq!(least.cost_min.as_micros(), 100, "the cheapest of what must be done");
    let strict = sub(json!({"template": "inner", "budget_usd": 0.5, "accept_partial": false}));
    assert_eq!(strict.budget, Some(MicroUsd::from_micros(500_000)));
    assert!(!strict.accepts_partial);
}

/// `outer` → `a` → `b` → `a`, and `outer` → `outer`.
fn entangled() -> TemplateDefinition {
    let pipeline = |name: &str, of: &str| {
        let config = json!({"template": of});
        json!({"name": name, "order": 2, "kind": "pipeline", "config": config})
    };
    let call = json!({"name": "call", "order": 1, "worker": "w"});
    let of = |name: &str, steps: Value| json!({"name": name, "steps": steps, "workers": workers()});
    let mut outer = of("outer", json!([call, pipeline("p", "a"), pipeline("again", "outer")]));
    let templates = json!({
        "outer": outer,
        "a": of("a", json!([call, pipeline("p", "b")])),
        "b": of("b", json!([call, pipeline("p", "a")])),
    });
    outer["templates"] = templates;
    definition(outer)
}

#[test]
fn templates_may_reach_themselves() {
    let outer = entangled();
    let plan = Plan::compile(&outer).unwrap();
    let cost = |name: &str| match &plan.step(plan.find(name).unwrap()).kind {
        Kind::Pipeline(sub) => sub.cost_min.as_micros(),
        other => panic!("{other:?}"),
    };
    assert_eq!((cost("p"), cost("again")), (600, 0), "what comes up again counts nothing");
    assert_eq!(plan.cost_min().as_micros(), 900);
}

#[test]
fn a_child_is_the_document_that_its_own_rows_would_make() {
    let outer = entangled();
    let names = |of: &TemplateDefinition| of.templates.keys().cloned().collect::<Vec<_>>();
    let a = outer.child("a").unwrap();
    assert_eq!((a.name.as_str(), names(&a)), ("a", vec!["a".to_owned(), "b".to_owned()]));
    assert!(Plan::compile(&a).is_ok());
    assert_eq!(a.child("b").unwrap().child("a").unwrap(), a, "however it is reached");
    assert_eq!(outer.child("outer").unwrap(), outer);
    assert_eq!(a.child("outer"), None);
}

#[test]
fn mistakes_of_nested_templates_are_reported_under_their_names() {
    let mut outer = entangled();
    let b = outer.templates.get_mut("b").unwrap();
    b.steps[0].worker = Some("nobody".to_owned());
    b.steps[1].config = Some(json!({"template": "missing"}));
    let a = outer.templates.get_mut("a").unwrap();
    a.steps[0].config = Some(json!({"jion": "any"}));
    let pointers = |found: &[engine::plan::Violation]| -> Vec<(String, String)> {
        found.iter().map(|v| (v.pointer.clone(), v.code.clone())).collect()
    };
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        pointers(&Plan::compile(&outer).unwrap_err()),
        [
            pair("/templates/b/steps/0/worker", "worker.unknown"),
            pair("/templates/b/steps/1/config/template", "pipeline.unknown_template"),
        ]
    );
    let overlooked = pointers(&overlooked(&outer));
    assert_eq!(overlooked, [pair("/templates/a/steps/0/config/jion", "config.unknown_field")]);
}

#[test]
fn only_so_many_templates_are_reached() {
    let mut outer = entangled();
    let a = outer.templates["a"].clone();
    for n in outer.templates.len()..TEMPLATES_MAX {
        outer.templates.insert(format!("t{n}"), a.clone());
    }
    assert!(Plan::compile(&outer).is_ok());
    outer.templates.insert("one_more".to_owned(), a);
    let found = Plan::compile(&outer).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "pipeline.too_many_templates");
}

#[test]
fn workers_without_a_price_are_told_once_and_compile() {
    let mut outer = entangled();
    assert_eq!(unpriced(&outer), []);
    outer.workers.get_mut("w").unwrap().estimated_cost = None;
    for name in ["a", "b"] {
        let workers = &mut outer.templates.get_mut(name).unwrap().workers;
        workers.get_mut("w").unwrap().estimated_cost = None;
        workers.get_mut("cheap").unwrap().estimated_cost = None;
    }
    let found = unpriced(&outer);
    let told: Vec<_> = found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect();
    let code = "worker.unpriced";
    let nested = "/templates/a/workers/cheap/estimated_cost";
    assert_eq!(told, [("/workers/w/estimated_cost", code), (nested, code)]);
    assert!(found[0].message.contains("estimated_cost_usd"));
    assert!(Plan::compile(&outer).is_ok(), "definitions from before the rule compile");
}
