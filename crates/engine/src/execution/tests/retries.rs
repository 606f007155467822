//! When a failed attempt is repeated, after how long, and when no more.

use serde_json::json;

use super::story::{Shape, Story, at, broken, http, retries, step, template, terms};
use crate::execution::Terms;
use crate::plan::definition::RetryDefinition;
use crate::time::{Millis, Timestamp};

fn due(story: &Story, step: &str) -> Option<i64> {
    story.step(step).retry_at.map(|due| due.as_millis() - at(0).as_millis())
}

#[test]
fn delays_double_and_the_step_fails_when_its_retries_are_used_up() {
    let mut story = Story::begin(vec![step("a").retry(retries(2))]);
    story.fail("a", http(503));
    assert_eq!((story.status("a"), due(&story, "a")), ("retrying", Some(1_000)));
    story.wait(999);
    assert!(story.in_flight().is_empty(), "not before its moment");
    story.wait(1);
    assert_eq!(story.in_flight(), ["a"]);
    story.fail("a", broken());
    assert_eq!(due(&story, "a"), Some(3_000));
    story.wait(2_000);
    story.fail("a", http(500));
    assert_eq!((story.ended(), story.step("a").attempts), ("failed", 3));
    assert_eq!(story.told("attempt_failed").len(), 3);
}

#[test]
fn the_retry_asks_under_the_same_key_and_a_new_fence() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    story.fail("a", http(503));
    story.wait(1_000);
    let [first, second] = &story.calls[..] else { panic!("two calls") };
    assert_eq!(first.idempotency_key(), second.idempotency_key());
    assert!(first.fence < second.fence);
    assert_eq!((first.attempt, second.attempt), (1, 2));
}

#[test]
fn what_will_not_pass_is_not_repeated_unless_the_worker_or_the_policy_says_so() {
    let policy = |list: Option<Vec<u16>>| RetryDefinition { retry_on: list, ..retries(3) };
    let said = |status, retryable| {
        let mut fault = http(status);
        fault.retryable = retryable;
        fault
    };
    let cases = [
        (None, said(422, None), false),
        (None, said(503, None), true),
        (None, said(503, Some(false)), false),
        (None, said(422, Some(true)), true),
        (Some(vec![422]), said(422, None), true),
        (Some(vec![422]), said(503, None), false),
        (Some(vec![]), broken(), true),
    ];
    for (list, fault, repeated) in cases {
        let mut story = Story::begin(vec![step("a").retry(policy(list.clone()))]);
        story.fail("a", fault.clone());
        assert_eq!(story.status("a") == "retrying", repeated, "{list:?} {fault:?}");
    }
}

#[test]
fn the_pause_that_a_worker_asks_for_is_kept() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    let mut fault = http(429);
    fault.retry_after = Some(Millis::from_secs(30));
    story.fail("a", fault);
    assert_eq!(due(&story, "a"), Some(30_000));
}

#[test]
fn jitter_draws_from_the_whole_range_and_each_attempt_draws_its_own() {
    let jittery = RetryDefinition { jitter: Some(true), ..retries(1) };
    let steps = (0..8).map(|n| step(&format!("s{n}")).retry(jittery.clone())).collect();
    let mut story = Story::begin(steps);
    let mut together = Vec::new();
    for n in 0..8 {
        story.fail(&format!("s{n}"), http(503));
        together.push(due(&story, &format!("s{n}")).unwrap());
    }
    assert!(together.iter().all(|ms| (0..=1_000).contains(ms)), "{together:?}");
    let mut distinct = together.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 5, "one draw of randomness serves all: {together:?}");
}

#[test]
fn attempts_that_time_out_together_do_not_return_together() {
    let jittery = RetryDefinition { jitter: Some(true), ..retries(1) };
    let steps = (0..8).map(|n| step(&format!("s{n}")).retry(jittery.clone())).collect();
    let mut story = Story::begin(steps);
    story.wait(20_000);
    let mut moments: Vec<Timestamp> =
        story.state.steps.iter().filter_map(|step| step.retry_at).collect();
    assert_eq!(moments.len(), 8);
    moments.sort_unstable();
    moments.dedup();
    assert!(moments.len() > 5, "{moments:?}");
}

#[test]
fn the_terms_may_allow_fewer_retries_than_the_step() {
    let capped = Terms { retries_max: Some(1), ..terms() };
    let mut story = Story::of(template(vec![step("a").retry(retries(9))]), capped);
    story.fail("a", http(503));
    story.wait(1_000);
    story.fail("a", http(503));
    assert_eq!(story.ended(), "failed");
}

#[test]
fn no_retry_is_planned_beyond_the_steps_total_deadline() {
    let brief = RetryDefinition { total_deadline_ms: Some(2_500), ..retries(9) };
    let mut story = Story::begin(vec![step("a").retry(brief)]);
    story.fail("a", http(503));
    story.wait(1_000);
    story.fail("a", http(503));
    assert_eq!(story.status("a"), "failed", "the next would be due at 3 s");
    assert_eq!(story.code(), "worker.refused", "and the step failed of what the worker said");
}

#[test]
fn no_retry_is_planned_beyond_the_executions_deadline() {
    let brief = Terms { deadline: Millis::new(900), ..terms() };
    let mut story = Story::of(template(vec![step("a").retry(retries(9))]), brief);
    story.fail("a", http(503));
    assert_eq!((story.ended(), story.code()), ("failed", "worker.refused"));
}

#[test]
fn a_retry_waits_for_its_moment_and_not_for_its_siblings() {
    let mut story = Story::begin(vec![step("a").retry(retries(1)), step("slow")]);
    story.fail("a", http(503));
    assert_eq!(story.state.next_timer(story.now), Some(at(1_000)));
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["slow", "a"]);
}

#[test]
fn a_success_after_failures_leaves_no_trace_of_them_but_their_cost() {
    let mut story = Story::begin(vec![step("a").retry(retries(1))]);
    story.answer(story.fence("a"), Err(http(503)), Some(5));
    story.wait(1_000);
    story.answer(story.fence("a"), Ok(json!({})), Some(8));
    let step = story.step("a");
    assert_eq!((step.fault.as_ref(), step.cost.as_micros(), step.attempts), (None, 13, 2));
    assert_eq!(story.ended(), "completed");
}
