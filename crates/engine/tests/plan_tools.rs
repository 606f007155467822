//! Steps that call registered tools: every mistake with its pointer and code, and which definitions
//! cannot be started.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod required;

use engine::plan::definition::TemplateDefinition;
use engine::plan::{Kind, Plan, Violation, overlooked, unavailable, unpriced, unusable};
use required::Required;
use serde_json::{Value, json};

fn tool(name: &str) -> Value {
    json!({
        "id": format!("id-{name}"), "name": name, "version": "1.0.0", "node": "n",
        "address": "https://node.test/", "estimated_cost": 100,
        "input_schema": {"required": ["text"]},
    })
}

/// A template with one step, after which another stands.
fn template(step: &Value) -> TemplateDefinition {
    let mut away = tool("away");
    away["unavailable"] = json!("its node is in status ERROR");
    let mut nowhere = tool("nowhere");
    nowhere["address"] = json!("node-1:8080");
    let mut odd = tool("odd");
    odd["output_schema"] = json!({"$schema": "mine"});
    odd["breaker"] = json!({"failures": "many"});
    odd["timeout_ms"] = json!(0);
    odd["max_retries"] = json!(-1);
    odd["estimated_cost"] = Value::Null;
    let mut looked_at = json!({"name": "s", "order": 1, "kind": "tool"});
    looked_at.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    let template = json!({
        "name": "t",
        "steps": [looked_at, {"name": "z", "order": 2, "worker": "w"}],
        "workers": {"w": {"base_url": "https://w.test", "estimated_cost": 1}},
        "tools": {
            "count": tool("count"), "id-other": tool("other"), "away": away, "nowhere": nowhere,
            "odd": odd,
        },
    });
    serde_json::from_value(template).expect("a definition, valid or not")
}

fn told(found: &[Violation]) -> Vec<(&str, &str)> {
    found.iter().map(|v| (v.pointer.as_str(), v.code.as_str())).collect()
}

fn refused(step: &Value) -> Vec<Violation> {
    let template = template(step);
    assert_eq!(overlooked(&template), []);
    Plan::compile_with(&template, &Required).err().unwrap_or_default()
}

#[test]
fn each_mistake_of_a_step_that_calls_a_tool_is_told() {
    let config = |config: Value| json!({"config": config});
    let with = |field: &str, value: Value| json!({"config": {"tool": "count"}, field: value});
    let setting = |field: &str, value: Value| config(json!({"tool": "count", field: value}));
    let map = |config: Value| json!({"kind": "map", "config": config});
    let unexpected = "step.unexpected_worker";
    for (step, pointer, code) in [
        (json!({}), "/config/tool", "config.missing_field"),
        (config(json!({"tool": 1})), "/config/tool", "config.wrong_type"),
        (config(json!({"tool": "nobody"})), "/config/tool", "tool.unknown"),
        (config(json!({"tool": "nowhere"})), "/config/tool", "tool.malformed_address"),
        (with("worker", json!("w")), "/worker", unexpected),
        (with("endpoint", json!("/x")), "/endpoint", unexpected),
        (with("fallback_worker", json!("w")), "/fallback_worker", unexpected),
        (with("timeout_ms", json!(0)), "/timeout_ms", "step.timeout_out_of_range"),
        (setting("fallback_tool", json!("w")), "/config/fallback_tool", "tool.unknown"),
        (setting("fallback_tool", json!(7)), "/config/fallback_tool", "config.wrong_type"),
        (setting("alternatives", json!(["w"])), "/config/alternatives/0", "tool.unknown"),
        (setting("alternatives", json!(["count"])), "/config/alternatives/0", "config.duplicate"),
        (setting("items", json!([])), "/config/items", "config.misplaced_field"),
        (setting("signal", json!("go")), "/config/signal", "config.misplaced_field"),
        (setting("compensate", json!({"tool": "w"})), "/config/compensate/tool", "tool.unknown"),
        (
            setting("compensate", json!({"tool": "count", "worker": "w"})),
            "/config/compensate/worker",
            "config.conflicting_fields",
        ),
        (
            setting("compensate", json!({"tool": "count", "endpoint": "/x"})),
            "/config/compensate/endpoint",
            "config.conflicting_fields",
        ),
        (
            map(json!({"items": [], "fallback_tool": "count"})),
            "/config/tool",
            "config.missing_field",
        ),
        (
            json!({"kind": "worker", "worker": "w", "config": {}, "fallback_worker": "x"}),
            "/fallback_worker",
            "worker.unknown",
        ),
    ] {
        let found = refused(&step);
        let pointer = format!("/steps/0{pointer}");
        assert!(told(&found).contains(&(pointer.as_str(), code)), "{step}: {found:?}");
        assert!(found.len() <= 2, "{step}: {found:?}");
    }
    let misplaced = json!({"kind": "worker", "worker": "w", "config": {"tool": "count"}});
    let found = overlooked(&template(&misplaced));
    assert_eq!(told(&found), [("/steps/0/config/tool", "config.misplaced_field")]);
    let found = refused(&config(json!({"tool": "odd"})));
    let expected = [
        ("/tools/odd/timeout_ms", "step.timeout_out_of_range"),
        ("/tools/odd/breaker", "worker.malformed_breaker"),
        ("/tools/odd/max_retries", "retry.out_of_range"),
    ];
    assert_eq!(told(&found), expected);
}

#[test]
fn a_map_calls_a_tool_for_each_element() {
    let step = json!({"kind": "map", "config": {
        "items": "$.list", "tool": "id-other", "alternatives": ["count"],
    }});
    let plan = Plan::compile_with(&template(&step), &Required).unwrap();
    let Kind::Map(each) = &plan.steps[0].kind else { panic!("{plan:?}") };
    let call = &each.call;
    assert_eq!((call.primary.worker.as_str(), call.alternatives.len()), ("tool:other", 1));
    assert_eq!(template(&step).named_tools().len(), 2);
    assert_eq!(template(&step).named_workers().len(), 1);
}

#[test]
fn a_step_that_must_be_done_needs_a_tool_that_can_be_called() {
    let step = |config: Value, optional: bool| json!({"config": config, "optional": optional});
    let away = json!({"tool": "away"});
    let found = unavailable(&template(&step(away.clone(), false)));
    assert_eq!(told(&found), [("/steps/0/config/tool", "tool.unavailable")]);
    assert!(found[0].message.ends_with("its node is in status ERROR"), "{}", found[0].message);
    assert_eq!(unavailable(&template(&step(away.clone(), true))), []);
    let either = json!({"tool": "away", "alternatives": ["count"]});
    assert_eq!(unavailable(&template(&step(either, false))), []);
    let fallback = json!({"tool": "away", "fallback_tool": "count"});
    assert_eq!(unavailable(&template(&step(fallback, false))).len(), 1, "it is asked afterwards");

    let mut outer = template(&json!({"kind": "pipeline", "config": {"template": "inner"}}));
    outer.templates.insert("inner".to_owned(), template(&step(away, false)));
    let nested = [("/templates/inner/steps/0/config/tool", "tool.unavailable")];
    assert_eq!(told(&unavailable(&outer)), nested);
    outer.steps[0].optional = true;
    assert_eq!(unavailable(&outer), [], "what nobody needs may fail");
    assert!(Plan::compile_with(&outer, &Required).is_ok(), "nodes come back");
}

#[test]
fn prices_and_schemas_are_looked_at_before_a_start() {
    let template = template(&json!({"config": {"tool": "count"}}));
    let found = unpriced(&template);
    assert_eq!(told(&found), [("/tools/odd/estimated_cost", "tool.unpriced")]);
    assert!(found[0].message.contains("PUT /tools/id-odd/terms"), "{}", found[0].message);
    let found = unusable(&template, &Required);
    assert_eq!(told(&found), [("/tools/odd/output_schema", "tool.malformed_schema")]);
}

#[test]
fn what_a_plan_costs_at_least_counts_tools() {
    let step = json!({"config": {"tool": "count", "alternatives": ["id-other", "away"]}});
    let mut definition = template(&step);
    definition.tools.get_mut("id-other").unwrap().estimated_cost =
        Some(engine::money::MicroUsd::from_micros(30));
    let plan = Plan::compile_with(&definition, &Required).unwrap();
    assert_eq!(plan.cost_min().as_micros(), 31);
    let mut outer = template(&json!({"kind": "pipeline", "config": {"template": "inner"}}));
    outer.tools.clear();
    outer.templates.insert("inner".to_owned(), definition);
    outer.templates.get_mut("inner").unwrap().tools.remove("odd");
    let plan = Plan::compile_with(&outer, &Required).unwrap();
    assert_eq!(plan.cost_min().as_micros(), 32, "and those of a nested one");
}

#[test]
fn without_json_schema_nothing_that_has_one_is_called() {
    let plan = Plan::compile(&template(&json!({"config": {"tool": "count"}}))).unwrap();
    let tool = plan.steps[0].call().unwrap().primary.tool.clone().unwrap();
    let found = tool.input.violations(&json!({"text": "x"}));
    assert_eq!(told(&found), [("", "schema_unusable")]);
    assert_eq!(tool.output.violations(&json!(7)), []);
}
