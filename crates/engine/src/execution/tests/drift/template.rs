//! A template that has everything, with some of it drawn.

use serde_json::json;

use super::Draw;
use crate::execution::Terms;
use crate::execution::tests::asking::{child, configured, map, undo_by, wait, with_others};
use crate::execution::tests::story::{Shape, retries, step, template, terms, transform, usd};
use crate::plan::definition::{
    FailureTolerance, RetryDefinition, StepDefinition, TemplateDefinition,
};
use crate::time::Millis;

/// A template and terms.
pub fn drawn(draw: &mut Draw) -> (TemplateDefinition, Terms) {
    let tolerances = [FailureTolerance::Strict, FailureTolerance::Partial, FailureTolerance::Park];
    let mut definition = with_others(template(steps()));
    definition.failure_tolerance = draw.one_of(&tolerances).expect("there are some");
    definition.allow_parallel = !draw.one_in(4);
    let terms = Terms {
        parallelism: draw.one_of(&[1, 2, 3, 8]).expect("there are some"),
        skip_optional: draw.one_in(5),
        budget: draw.one_of(&[None, Some(usd(500)), Some(usd(1_500)), Some(usd(9_000))]).flatten(),
        deadline: Millis::from_secs(draw.one_of(&[60, 3_600]).expect("there are some")),
        waiting_max: Millis::from_secs(3_600),
        ..terms()
    };
    (definition, terms)
}

fn undone(name: &str) -> StepDefinition {
    let retry = json!({"max_retries": 2, "jitter": false, "total_deadline_ms": 20_000});
    let undo = json!({"worker": "paid", "retry": retry});
    let config = json!({"compensate": undo, "heartbeat_ms": 5_000, "accepted_max_ms": 30_000});
    configured(step(name).worker("paid").retry(retries(2)), config)
}

fn steps() -> Vec<StepDefinition> {
    let brief = RetryDefinition { total_deadline_ms: Some(15_000), ..retries(3) };
    let each = json!({
        "concurrency": 2, "tolerated_failures": 1, "compensate": undo_by("paid"),
        "heartbeat_ms": 5_000,
    });
    let first = json!({"join": "any", "losers": "cancel", "queue_timeout_ms": 20_000});
    vec![
        undone("a"),
        step("b").worker("paid").retry(brief.clone()).fallback("w"),
        step("maybe").worker("paid").optional().retry(retries(1)),
        map("each", each).worker("paid").retry(brief).after(&["a"]),
        wait("go", json!({"signal": "go", "timeout_ms": 40_000, "on_timeout": "continue"})),
        wait("ok", json!({"approval": "ok", "timeout_ms": 90_000})).after(&["a"]),
        wait("nap", json!({"delay_ms": 3_000})).after(&["b"]),
        child("sub").after(&["b"]).retry(retries(1)),
        configured(step("race_1").worker("paid"), json!({"heartbeat_ms": 3_000})).after(&["a"]),
        undone("race_2").after(&["a"]),
        configured(step("first"), first).after(&["race_1", "race_2"]),
        step("gate").worker("gated").retry(retries(2)).after(&["b"]),
        transform("sum", json!({"sum": "=1 + 1"})).after(&["each", "maybe"]),
        undone("last").after(&["sum", "first", "go"]),
    ]
}
