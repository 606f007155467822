//! What is called for: whom, with what, under which key, until when; and what is given up.

use serde_json::json;

use super::story::{Shape, Story, at, http, retries, step, template, terms, transform};
use crate::execution::{Effect, effects};
use crate::plan::Address;

#[test]
fn a_call_names_the_worker_its_address_and_the_operation() {
    let mut story = Story::begin(vec![
        step("a").sends(json!({"topic": "$.topic", "depth": 2})),
        step("b").worker("other").edit(|step| step.endpoint = Some("/else".to_owned())),
    ]);
    let [a, b] = &story.calls[..] else { panic!("two calls") };
    assert_eq!((a.worker.as_str(), a.endpoint.as_str()), ("w", "/do"));
    assert_eq!(a.address, Address::Url("https://worker.test".to_owned()), "without its last slash");
    assert_eq!(a.body, Ok(json!({"topic": "bees", "depth": 2})));
    assert_eq!((a.attempt, a.generation, a.deadline_at), (1, 1, at(20_000)));
    assert_eq!(a.idempotency_key(), format!("{}/a/1", a.execution));
    assert!(a.traceparent.as_deref().is_some_and(|text| text.starts_with("00-0af7")));
    assert_eq!(b.address, Address::Binding("OTHER".to_owned()));
    assert_eq!(b.endpoint, "/else");
    story.succeed("a", json!({}));
}

#[test]
fn defaults_of_the_worker_stand_in_for_what_the_mapping_leaves_out() {
    let sends = json!({"topic": "$.topic"});
    let story = Story::begin(vec![step("a").worker("other").sends(sends)]);
    assert_eq!(story.sent("a"), &json!({"topic": "bees", "depth": 3}));
}

#[test]
fn the_fallback_has_an_endpoint_and_defaults_of_its_own() {
    let mut story = Story::begin(vec![
        step("a").fallback("other").edit(|step| step.endpoint = Some("/first".to_owned())),
    ]);
    assert_eq!(story.calls[0].endpoint, "/first");
    story.fail("a", http(503));
    assert_eq!(story.calls[1].endpoint, "/do");
    assert_eq!(story.sent("a"), &json!({"topic": "default", "depth": 3}));
}

#[test]
fn without_a_mapping_a_worker_is_sent_all_that_its_step_sees() {
    let all = step("b").edit(|step| step.input_mapping = None).after(&["a"]);
    let mut story = Story::begin(vec![step("a"), all]);
    story.succeed("a", json!({"x": 1, "y": [2]}));
    assert_eq!(story.sent("b"), &json!({"topic": "bees", "x": 1, "y": [2]}));
}

#[test]
fn only_starts_of_attempts_call_for_anything() {
    let mut story = Story::begin(vec![
        step("a").retry(retries(1)),
        step("extra").optional(),
        transform("t", json!({"t": 1})).after(&["a"]),
    ]);
    story.fail("extra", http(400));
    story.take_over();
    story.succeed("a", json!({}));
    assert_eq!(story.ended(), "completed");
    for event in &story.journal {
        let told = serde_json::to_value(event).unwrap()["type"].clone();
        let called_for = effects(&story.state, event);
        match told.as_str().unwrap() {
            "attempt_started" => assert!(matches!(called_for[..], [Effect::Call(_)])),
            _ => assert_eq!(called_for, [], "{told}"),
        }
    }
}

#[test]
fn effects_of_a_journal_read_back_are_the_same_calls() {
    let mut story = Story::of(template(vec![step("a"), step("b").after(&["a"])]), terms());
    story.succeed("a", json!({"n": 0.1}));
    let state = super::story::replayed(&story.journal, &story.plan);
    let calls: Vec<Effect> =
        story.journal.iter().flat_map(|event| effects(&state, event)).collect();
    let made = story.calls.iter().map(|call| Effect::Call(Box::new(call.clone())));
    assert_eq!(calls, made.collect::<Vec<_>>());
}
