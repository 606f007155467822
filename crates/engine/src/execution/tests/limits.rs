//! Deadlines: of an attempt, of a step, of an execution; and clocks that misbehave.

use serde_json::json;

use super::story::{
    DEADLINE, Shape, Story, at, http, retries, step, template, terms, tolerant, transform,
};
use crate::execution::{Event, Input, Outcome, Payload, Rejection, Terms};
use crate::plan::definition::RetryDefinition;
use crate::time::Millis;

fn within(total_ms: i64) -> RetryDefinition {
    RetryDefinition { total_deadline_ms: Some(total_ms), ..retries(9) }
}

#[test]
fn an_attempt_without_an_answer_is_given_up_at_its_time_out_and_tried_again() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    let first = story.fence("a");
    assert_eq!(story.state.next_timer(story.now), Some(at(20_000)));
    story.wait(19_999);
    assert_eq!(story.in_flight(), ["a"]);
    story.wait(1);
    assert_eq!(story.status("a"), "retrying");
    assert!(!story.state.is_in_flight(first));
    assert_eq!(story.step("a").fault.as_ref().unwrap().code, "worker.timeout");
}

#[test]
fn the_steps_time_out_goes_before_the_workers_and_neither_exceeds_the_environments() {
    let cases = [(None, None, 20_000), (Some(5_000), None, 5_000), (None, Some(7_000), 7_000)];
    let both = [(Some(5_000), Some(7_000), 5_000), (Some(60_000), None, 20_000)];
    for (of_step, of_worker, expected) in cases.into_iter().chain(both) {
        let mut template = template(vec![step("a").edit(|step| step.timeout_ms = of_step)]);
        template.workers.get_mut("w").unwrap().timeout_ms = of_worker;
        let story = Story::of(template, terms());
        let deadline_at = story.calls[0].deadline_at;
        assert_eq!(deadline_at, at(expected), "step {of_step:?}, worker {of_worker:?}");
    }
}

#[test]
fn a_steps_total_deadline_ends_it_in_the_middle_of_an_attempt() {
    let mut story = Story::of(tolerant(vec![step("a").retry(within(12_000)), step("b")]), terms());
    assert_eq!(story.calls[0].deadline_at, at(12_000), "no attempt outlives its step");
    story.wait(12_000);
    assert_eq!(story.status("a"), "failed");
    assert_eq!(story.step("a").fault.as_ref().unwrap().code, "step.deadline_exceeded");
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_steps_total_deadline_does_not_give_the_fallback_a_try() {
    let mut story = Story::begin(vec![step("a").retry(within(12_000)).fallback("other")]);
    story.wait(12_000);
    assert_eq!((story.ended(), story.code()), ("failed", "step.deadline_exceeded"));
    assert_eq!(story.told("attempt_started").len(), 1);
}

#[test]
fn a_steps_total_deadline_counts_from_its_first_attempt() {
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"]).retry(within(12_000))]);
    story.wait(10_000);
    story.succeed("a", json!({}));
    story.wait(11_999);
    assert_eq!(story.in_flight(), ["b"]);
    story.wait(1);
    assert_eq!(story.code(), "step.deadline_exceeded");
}

#[test]
fn an_optional_step_that_exceeds_its_deadline_is_skipped() {
    let mut story = Story::begin(vec![step("a").retry(within(5_000)).optional(), step("b")]);
    story.wait(5_000);
    assert_eq!(story.status("a"), "skipped");
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn the_executions_deadline_ends_it_whatever_is_in_flight() {
    let brief = Terms { deadline: Millis::from_secs(10), ..terms() };
    let mut story = Story::of(template(vec![step("a"), step("b").after(&["a"])]), brief.clone());
    assert_eq!(story.calls[0].deadline_at, at(10_000), "no attempt outlives its execution");
    story.wait(10_000);
    assert_eq!((story.ended(), story.code()), ("failed", "execution.deadline_exceeded"));
    assert_eq!(story.status("a"), "cancelled");
    assert_eq!(story.state.next_timer(story.now), None);

    let mut story = Story::of(tolerant(vec![step("a"), step("b").after(&["a"])]), brief);
    story.succeed("a", json!({}));
    story.wait(10_000);
    assert_eq!(story.ended(), "partial", "what succeeded is kept");
}

#[test]
fn an_answer_that_comes_before_the_time_is_looked_at_still_counts() {
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"])]);
    story.now = at(25_000);
    story.succeed("a", json!({}));
    assert_eq!(story.in_flight(), ["b"], "nobody had given the attempt up yet");
}

#[test]
fn the_last_answer_completes_the_execution_though_its_deadline_has_just_passed() {
    let mut story = Story::begin(vec![step("a")]);
    story.now = at(0).plus(DEADLINE);
    story.succeed("a", json!({}));
    assert_eq!(story.ended(), "completed");
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"])]);
    story.now = at(0).plus(DEADLINE);
    story.succeed("a", json!({}));
    assert_eq!((story.ended(), story.code()), ("failed", "execution.deadline_exceeded"));
}

#[test]
fn after_the_end_every_input_is_refused_and_changes_nothing() {
    let mut story = Story::begin(vec![step("a")]);
    let fence = story.fence("a");
    story.wait(DEADLINE.get());
    let before = story.state.clone();
    let outcome = Outcome { result: Ok(Payload::inline(json!({}))), cost: None, memoised: None };
    for input in [
        Input::Tick,
        Input::Resume,
        Input::TakenOver { epoch: crate::ids::Epoch(9), up_to: crate::ids::Fence(u64::MAX) },
        Input::Answered { fence, outcome },
    ] {
        assert_eq!(story.input(input), Err(Rejection::Ended));
    }
    assert_eq!(story.state, before);
    assert!(matches!(story.journal.last(), Some(Event::Finished { .. })));
}

#[test]
fn a_clock_that_jumps_far_ahead_ends_the_execution_once() {
    let mut story = Story::begin(vec![step("a").retry(within(9_000)), step("b")]);
    story.wait(u64::from(u32::MAX));
    let ends = story.journal.iter().filter(|event| matches!(event, Event::Finished { .. }));
    assert_eq!((ends.count(), story.code()), (1, "execution.deadline_exceeded"));
}

#[test]
fn a_clock_that_goes_back_neither_panics_nor_starts_anything_twice() {
    let mut story = Story::begin(vec![step("a").retry(retries(2)), step("b").after(&["a"])]);
    story.now = at(-500_000);
    story.input(Input::Tick).unwrap();
    assert_eq!(story.in_flight(), ["a"]);
    story.fail("a", http(503));
    assert_eq!(story.step("a").retry_at, Some(at(-499_000)));
    story.wait(1_000);
    story.succeed("a", json!({}));
    story.succeed("b", json!({}));
    assert_eq!(story.ended(), "completed");
    assert_eq!(story.state.summary(story.now).duration, Millis::ZERO);
}

#[test]
fn an_execution_of_transforms_alone_ends_where_it_begins() {
    let story = Story::begin(vec![transform("a", json!({"x": 1}))]);
    assert_eq!(story.ended(), "completed");
    assert_eq!(story.state.finished_at, Some(at(0)));
    assert!(!story.state.has_startable(story.now));
}
