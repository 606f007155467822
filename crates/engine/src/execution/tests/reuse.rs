//! Executions whose outputs are those of an earlier one.

use std::sync::Arc;

use serde_json::json;

use super::story::{Shape, at, replayed, started, step, template, terms, transform};
use crate::execution::{Payload, SkipReason, Status, reuse};
use crate::ids::{ExecutionId, ShardId};
use crate::plan::Plan;

#[test]
fn an_execution_of_known_outputs_begins_and_ends_in_one_record_and_costs_nothing() {
    let template = template(vec![
        step("a").worker("paid").writes(json!({"sources": "$.found"})),
        transform("b", json!({"n": "=size(data.sources)"})).after(&["a"]),
        step("extra").optional(),
    ]);
    let plan = Arc::new(Plan::compile(&template).unwrap());
    let from = ExecutionId::new(at(-9), ShardId(3), 1);
    let outputs = vec![
        ("b".to_owned(), Payload::inline(json!({"n": 2}))),
        ("a".to_owned(), Payload::inline(json!({"found": [1, 2], "quality_score": 0.5}))),
    ];
    let begun = started(template, terms(), json!({"topic": "bees"}));
    let (state, events) = reuse(begun, Arc::clone(&plan), outputs, &from).unwrap();
    assert_eq!((state.status, state.spent.as_micros()), (Status::Completed, 0));
    assert!(state.is_cache_hit());
    assert_eq!(state.result().unwrap()["n"], 2);
    assert_eq!(state.summary(at(0)).figures.sources_discovered, 2);
    assert_eq!(state.summary(at(0)).figures.quality, Some(0.5));
    assert_eq!(state.steps[0].reused_from, Some(from));
    assert_eq!(state.steps[2].skipped, Some(SkipReason::Condition), "it had no output then either");
    assert_eq!(replayed(&events, &plan), state);
}

#[test]
fn outputs_that_do_not_fit_the_plan_any_more_are_refused() {
    let template = template(vec![step("a").writes(json!({"sources": "$.found"}))]);
    let plan = Arc::new(Plan::compile(&template).unwrap());
    let from = ExecutionId::new(at(-9), ShardId(3), 1);
    let outputs = vec![("a".to_owned(), Payload::inline(json!({"other": 1})))];
    let begun = started(template, terms(), json!({"topic": "bees"}));
    let refused = reuse(begun, plan, outputs, &from).unwrap_err();
    assert!(refused.to_string().contains("there is no value"), "{refused}");
}

#[test]
fn an_execution_that_did_its_own_work_is_no_cache_hit() {
    let mut story = super::story::Story::begin(vec![step("a")]);
    assert!(!story.state.is_cache_hit(), "nothing has an output yet");
    story.succeed("a", json!({}));
    assert!(!story.state.is_cache_hit());
}
