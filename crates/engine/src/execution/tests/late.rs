//! Answers that nobody waits for, and drivers that take over from lost ones.

use serde_json::json;

use super::story::{Shape, Story, at, broken, http, retries, step, template, terms};
use crate::execution::{Event, FaultKind, Input, Outcome, Payload, Rejection, Terms};
use crate::ids::Fence;
use crate::plan::definition::RetryDefinition;

fn paid(name: &str) -> crate::plan::definition::StepDefinition {
    step(name).worker("paid").retry(retries(2))
}

#[test]
fn a_late_answer_is_noted_its_cost_counted_and_its_output_ignored() {
    let mut story = Story::begin(vec![paid("a")]);
    let late = story.fence("a");
    story.wait(20_000);
    assert_eq!(story.state.spent.as_micros(), 100, "it may have been done: it counts as spent");
    story.wait(1_000);
    story.answer(late, Ok(json!({"from": "late"})), Some(30));
    assert_eq!(story.told("late_answer"), ["a"]);
    assert_eq!(story.state.spent.as_micros(), 30, "the worker's word replaces the estimate");
    assert_eq!(story.in_flight(), ["a"], "the second attempt goes on");
    story.answer(story.fence("a"), Ok(json!({"from": "second"})), Some(40));
    assert_eq!(story.state.result().unwrap()["from"], "second");
    assert_eq!((story.state.spent.as_micros(), story.step("a").cost.as_micros()), (70, 70));
}

#[test]
fn a_late_answer_that_comes_twice_counts_once() {
    let mut story = Story::begin(vec![paid("a")]);
    let late = story.fence("a");
    story.wait(20_000);
    story.answer(late, Ok(json!({})), Some(30));
    story.answer(late, Ok(json!({})), Some(50));
    assert_eq!(story.told("late_answer").len(), 1);
    assert_eq!(story.state.spent.as_micros(), 30);
}

#[test]
fn a_late_answer_after_the_steps_deadline_is_noted_as_well() {
    let brief = RetryDefinition { total_deadline_ms: Some(5_000), ..retries(2) };
    let optional = paid("a").retry(brief).optional();
    let mut story = Story::begin(vec![optional, step("b")]);
    let late = story.fence("a");
    story.wait(5_000);
    assert_eq!(story.status("a"), "skipped");
    story.answer(late, Ok(json!({})), Some(30));
    assert_eq!(story.told("late_answer"), ["a"]);
    assert_eq!(story.state.spent.as_micros(), 30);
}

#[test]
fn a_second_answer_under_a_fence_that_was_answered_changes_nothing() {
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"])]);
    let fence = story.fence("a");
    story.succeed("a", json!({"n": 1}));
    let before = story.state.clone();
    story.answer(fence, Ok(json!({"n": 2})), Some(9));
    story.answer(fence, Err(broken()), Some(9));
    assert_eq!(story.state, before);
}

#[test]
fn a_fence_that_was_never_given_out_is_refused() {
    let mut story = Story::begin(vec![step("a")]);
    for fence in [Fence(0), Fence(2), Fence(u64::MAX)] {
        let outcome =
            Outcome { result: Ok(Payload::inline(json!({}))), cost: None, memoised: None };
        let refused = story.input(Input::Answered { fence, outcome });
        assert_eq!(refused, Err(Rejection::UnknownFence));
    }
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn attempts_under_a_lost_driver_count_and_are_made_again_at_once() {
    let mut story = Story::begin(vec![paid("a"), step("b").retry(retries(1))]);
    let lost: Vec<Fence> = story.state.in_flight().map(|(fence, _)| fence).collect();
    let events = story.take_over();
    assert!(matches!(&events[0], Event::TakenOver { .. }));
    assert_eq!(story.in_flight(), ["a", "b"], "without a pause");
    assert!(story.state.in_flight().all(|(fence, _)| !lost.contains(&fence)), "new fences");
    assert_eq!((story.step("a").attempts, story.step("b").attempts), (2, 2));
    assert_eq!(story.state.spent.as_micros(), 100, "the lost attempt may have been paid for");
    assert_eq!(story.state.reserved.as_micros(), 100);
    assert_eq!(story.step("a").fault.as_ref().unwrap().kind, FaultKind::Lost);
}

#[test]
fn an_answer_of_before_the_take_over_is_late() {
    let mut story = Story::begin(vec![paid("a")]);
    let lost = story.fence("a");
    story.take_over();
    story.answer(lost, Ok(json!({"from": "lost"})), Some(10));
    assert_eq!(story.told("late_answer"), ["a"]);
    assert_eq!(story.state.spent.as_micros(), 10);
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn losing_drivers_uses_retries_up() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    story.take_over();
    story.take_over();
    assert_eq!((story.ended(), story.code()), ("failed", "attempt.lost"));
    assert_eq!(story.told("attempt_failed").len(), 2);
}

#[test]
fn a_take_over_with_nothing_in_flight_is_no_event() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    story.fail("a", http(503));
    assert_eq!(story.take_over(), []);
    story.now = at(1_000);
    let events = story.take_over();
    assert!(matches!(events[..], [Event::AttemptStarted { .. }]), "{events:?}");
}

#[test]
fn a_strict_execution_that_a_lost_attempt_ends_loses_no_further_attempts() {
    let mut story = Story::begin(vec![step("a"), step("b"), step("c")]);
    story.take_over();
    assert_eq!((story.ended(), story.code()), ("failed", "attempt.lost"));
    assert_eq!(story.told("attempt_failed"), ["a"], "the end comes with the first");
    assert_eq!(story.told("finished").len(), 1);
}

#[test]
fn a_take_over_after_the_deadline_ends_the_execution() {
    let brief = Terms { deadline: crate::time::Millis::from_secs(10), ..terms() };
    let mut story = Story::of(template(vec![step("a").retry(retries(5))]), brief);
    story.now = at(60_000);
    story.take_over();
    assert_eq!((story.ended(), story.told("attempt_started").len()), ("failed", 1));
}
