//! Scenarios of registered tools.

use engine::execution::{Input, Message, Outcome, Payload};
use engine::money::MicroUsd;
use serde_json::{Value, json};

use super::{Play, Scenario, template, terms};

/// One that does what it should, one that is sent and one that gives what it must not, one that
/// another stands in for, one that reports later, and one that nobody can call.
pub fn tooled() -> Scenario {
    let calls = |name: &str, order: u32, more: Value| {
        let mut step = json!({
            "name": name, "order": order, "kind": "tool", "optional": true,
            "input_mapping": {"text": "$.topic"}, "config": {"tool": "count"},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            step[field] = value.clone();
        }
        step
    };
    let steps = json!([
        calls("counts", 1, json!({})),
        calls("is_sent_nothing", 2, json!({"input_mapping": {}})),
        calls("gives_nothing", 3, json!({"retry": {"max_retries": 5}})),
        calls("stood_in", 4, json!({"config": {"tool": "count", "fallback_tool": "other"}})),
        calls("reports", 5, json!({"config": {"tool": "count", "alternatives": ["other"]}})),
        calls("away", 6, json!({"config": {"tool": "away"}})),
        {"name": "each", "order": 7, "kind": "map", "depends_on": ["counts"],
            "input_mapping": {"text": "=item"},
            "config": {"items": ["a", 2], "tool": "other", "tolerated_failures": 1}},
    ]);
    let mut definition = template(&steps);
    let tool = |id: &str, name: &str, cost: u64| {
        json!({
            "id": id, "name": name, "version": "1.0.0", "node": "n-1",
            "address": "https://node.test/tools", "estimated_cost": cost, "timeout_ms": 9_000,
            "input_schema": {"required": ["text"], "properties": {"text": {"type": "string"}}},
            "output_schema": {"required": ["words"], "properties": {"words": {"type": "integer"}}},
        })
    };
    let mut away = tool("t-3", "away", 1);
    away["unavailable"] = json!("the node of tool `away` is in status ERROR");
    let (count, other) = (tool("t-1", "count", 100), tool("t-2", "other", 40));
    definition["tools"] = json!({"count": count, "other": other, "away": away});
    let mut play = Play::begin(definition, terms());
    play.succeed("counts", json!({"words": 3, "artifacts": []}), Some(90));
    play.succeed("gives_nothing", json!({}), Some(5));
    play.succeed("stood_in", json!({"words": "many"}), None);
    play.succeed("stood_in", json!({"words": 4}), None);
    let fence = play.fence("reports");
    play.input(Input::Accepted { fence, silence: None });
    let result = Ok(Payload::inline(json!({"words": 2.5})));
    let outcome = Outcome { result, cost: Some(MicroUsd::from_micros(7)), memoised: None };
    play.message(Message::Completed { by: "worker:node".to_owned(), fence, outcome });
    play.succeed("each[0]", json!({"words": 1}), Some(3));
    play.end("tooled")
}
