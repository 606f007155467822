//! What a failure does to its step, to those that wait for it, and to the execution.

use serde_json::json;

use super::story::{
    Shape, Story, broken, http, retries, step, template, terms, tolerant, transform,
};
use crate::execution::{FaultKind, SkipReason};

#[test]
fn a_strict_template_fails_with_its_first_required_step() {
    let mut story = Story::begin(vec![step("a"), step("b"), step("c").after(&["a"])]);
    story.fail("a", http(400));
    assert_eq!((story.ended(), story.code()), ("failed", "worker.refused"));
    assert_eq!(story.status("a"), "failed");
    assert_eq!(story.status("b"), "cancelled", "it was in flight");
    assert_eq!(story.status("c"), "cancelled");
    assert_eq!(story.journal.len(), 6, "nothing follows on the end: {:?}", story.journal);
}

#[test]
fn a_tolerant_template_settles_what_does_not_depend_on_the_failure() {
    let mut story = Story::of(
        tolerant(vec![
            step("a"),
            step("b"),
            step("of_a").after(&["a"]),
            step("of_that").after(&["of_a"]),
            step("of_b").after(&["b"]),
        ]),
        terms(),
    );
    story.fail("a", http(400));
    let dependency = |step: &str| Some(SkipReason::Dependency { step: step.to_owned() });
    assert_eq!(story.step("of_a").skipped, dependency("a"));
    assert_eq!(story.step("of_that").skipped, dependency("of_a"), "and so on down the line");
    story.succeed("b", json!({}));
    assert_eq!(story.in_flight(), ["of_b"]);
    story.succeed("of_b", json!({}));
    assert_eq!((story.ended(), story.code()), ("partial", "worker.refused"));
}

#[test]
fn a_tolerant_template_of_which_nothing_succeeded_has_failed() {
    let mut story = Story::of(tolerant(vec![step("a"), step("b").after(&["a"])]), terms());
    story.fail("a", http(400));
    assert_eq!(story.ended(), "failed");
}

#[test]
fn an_optional_step_that_fails_is_skipped_and_counts_as_done() {
    let mut story = Story::begin(vec![step("extra").optional(), step("b").after(&["extra"])]);
    story.fail("extra", http(400));
    assert!(matches!(story.step("extra").skipped, Some(SkipReason::Failed { .. })));
    assert_eq!(story.step("extra").fault.as_ref().unwrap().kind, FaultKind::Http(400));
    assert_eq!(story.in_flight(), ["b"]);
    story.succeed("b", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_optional_step_whose_dependency_failed_takes_its_dependents_along() {
    let mut story = Story::of(
        tolerant(vec![step("a"), step("b").after(&["a"]).optional(), step("c").after(&["b"])]),
        terms(),
    );
    story.fail("a", http(400));
    assert_eq!(story.status("b"), "skipped");
    assert_eq!(story.status("c"), "skipped");
}

#[test]
fn the_fallback_worker_is_asked_when_the_first_ones_attempts_are_used_up() {
    let stands_in = step("a").retry(retries(1)).fallback("other");
    let mut story = Story::begin(vec![stands_in]);
    story.fail("a", http(503));
    story.wait(1_000);
    story.fail("a", http(503));
    assert_eq!(story.in_flight(), ["a"], "the fallback is asked at once");
    let workers: Vec<&str> = story.calls.iter().map(|call| call.worker.as_str()).collect();
    assert_eq!(workers, ["w", "w", "other"]);
    story.fail("a", http(503));
    story.wait(1_000);
    assert_eq!(story.calls.len(), 4, "the fallback has retries of its own");
    story.fail("a", broken());
    assert_eq!((story.ended(), story.code()), ("failed", "worker.unreachable"));
    assert_eq!(story.step("a").attempts, 4);
}

#[test]
fn an_answer_that_is_not_to_be_retried_goes_straight_to_the_fallback() {
    let mut story = Story::begin(vec![step("a").retry(retries(3)).fallback("other")]);
    story.fail("a", http(422));
    assert_eq!(story.calls.last().unwrap().worker, "other");
    story.succeed("a", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_input_mapping_that_misses_a_value_fails_its_step_before_any_call() {
    let mut story = Story::begin(vec![
        step("a"),
        step("b").after(&["a"]).sends(json!({"urls": "$.sources"})).fallback("other"),
    ]);
    story.succeed("a", json!({}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert!(message.contains("step `b`, input_mapping") && message.contains("/urls"), "{message}");
    assert_eq!(story.calls.len(), 1, "neither worker is asked for what cannot be sent");
}

#[test]
fn an_output_that_its_mapping_cannot_use_is_a_failed_attempt() {
    let strict = step("a").writes(json!({"urls": "$.sources"})).retry(retries(3));
    let mut story = Story::begin(vec![strict]);
    story.answer(story.fence("a"), Ok(json!({"other": 1})), Some(7));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    assert_eq!(story.state.spent.as_micros(), 7, "the work was paid for");
    assert_eq!(story.calls.len(), 1, "the same answer would come again");
}

#[test]
fn a_transform_that_cannot_be_told_fails_like_any_step() {
    let mut story = Story::of(
        tolerant(vec![step("a"), transform("b", json!({"n": "=1 / data.zero"})).after(&["a"])]),
        terms(),
    );
    story.succeed("a", json!({"zero": 0}));
    assert_eq!((story.ended(), story.code()), ("partial", "expression.failed"));
    let odd = transform("b", json!({"n": 1})).writes(json!({"m": "$.missing"}));
    let story = Story::begin(vec![odd]);
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
}

#[test]
fn a_result_that_cannot_be_mapped_fails_the_execution_though_all_steps_succeeded() {
    let mut template = template(vec![step("a")]);
    template.output_mapping = Some(json!({"report": "$.report"}));
    let mut story = Story::of(template.clone(), terms());
    story.succeed("a", json!({}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    assert_eq!(story.status("a"), "succeeded");
    let mut story = Story::of(template, terms());
    story.succeed("a", json!({"report": "text"}));
    assert_eq!(story.ended(), "completed");
    assert_eq!(story.state.result().unwrap(), json!({"report": "text"}));
}

#[test]
fn what_a_worker_says_is_cut_to_a_bounded_length() {
    let mut story = Story::begin(vec![step("a")]);
    let long =
        crate::execution::Fault::new(FaultKind::Http(400), "worker.refused", "é".repeat(9_999));
    story.fail("a", long);
    assert_eq!(story.state.fault.as_ref().unwrap().message.chars().count(), 501);
}
