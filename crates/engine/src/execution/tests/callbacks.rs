//! Workers that answer 202 and report later: no connection is held, no driver is needed, and
//! silence is a failed attempt.

use serde_json::json;

use super::asking::{ada, cancel, child, completed, configured, heartbeat, map, outcome};
use super::asking::{undo_by, with_others};
use super::story::{Shape, Story, at, broken, http, retries, step, template, terms};
use crate::execution::{Blocker, Event, Input, Message, Rejection, Terms};
use crate::ids::Fence;
use crate::plan::definition::StepDefinition;
use crate::time::Millis;

/// A step whose worker is given up after a second of silence, or five in all.
fn reports(name: &str) -> StepDefinition {
    configured(step(name), json!({"heartbeat_ms": 1_000, "accepted_max_ms": 5_000}))
}

#[test]
fn an_accepted_attempt_takes_no_slot_and_lets_the_execution_wait() {
    let mut story = Story::asked(template(vec![reports("a"), step("b")]), terms(), json!({}), 1);
    story.slots = 0;
    assert_eq!((story.in_flight(), story.state.connected()), (vec!["a".to_owned()], 1));
    let events = story.accept("a", None);
    assert_eq!(Story::types(&events), ["attempt_accepted"]);
    assert_eq!((story.state.connected(), story.ended()), (0, "running"), "`b` may begin");
    story.slots = 1;
    story.input(Input::Resume).unwrap();
    story.done("b");
    assert_eq!((story.ended(), story.state.idle_since()), ("waiting", Some(at(0))));
    let why = story.state.why(story.now);
    assert_eq!(why[0].by, Blocker::Callback(story.fence("a")));
    assert_eq!(why[0].next_at, Some(at(1_000)));
    let fence = story.fence("a");
    let events = story.ask(completed(fence, outcome(Ok(json!({"n": 1})), Some(5))));
    assert_eq!(Story::types(&events), ["step_succeeded", "finished"]);
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("completed", 5));
}

#[test]
fn an_acceptance_is_noted_once() {
    let mut story = Story::begin(vec![reports("a")]);
    let fence = story.fence("a");
    story.accept("a", Some(300));
    assert_eq!(story.step("a").attempt.as_ref().unwrap().deadline_at, at(300));
    assert_eq!(story.accept("a", Some(900)), []);
    let never = Fence(9);
    let silence = None;
    let met = story.input(Input::Accepted { fence: never, silence });
    assert_eq!(met, Err(Rejection::UnknownFence));
    story.ask(completed(fence, outcome(Ok(json!({})), None)));
    let mut story = Story::begin(vec![reports("a"), step("b")]);
    let fence = story.fence("a");
    story.ask(completed(fence, outcome(Ok(json!({})), None)));
    assert_eq!(story.status("a"), "succeeded", "it was done before its acceptance was noted");
    let met = story.input(Input::Accepted { fence, silence });
    assert_eq!(met, Err(Rejection::UnknownFence));
}

#[test]
fn a_take_over_loses_what_is_connected_and_not_what_was_accepted() {
    let mut story = Story::begin(vec![reports("a"), step("b").retry(retries(1)), child_free("c")]);
    let (accepted, lost) = (story.fence("a"), story.fence("b"));
    story.accept("a", None);
    story.take_over();
    assert_eq!(story.fence("a"), accepted);
    assert_ne!(story.fence("b"), lost);
    let met = story.refused(completed(Fence(77), outcome(Ok(json!({})), None)));
    assert_eq!(met, "fence.stale");
    story.ask(completed(lost, outcome(Ok(json!({})), Some(3))));
    assert_eq!(story.told("late_answer"), ["b"], "what it cost is known now");
    assert_eq!(story.refused(completed(lost, outcome(Ok(json!({})), Some(3)))), "fence.stale");
}

fn child_free(name: &str) -> StepDefinition {
    step(name).retry(retries(1))
}

#[test]
fn a_heartbeat_extends_and_silence_is_a_failed_attempt() {
    let mut story = Story::begin(vec![reports("a").retry(retries(1))]);
    let fence = story.fence("a");
    story.accept("a", None);
    story.wait(900);
    let events = story.ask(heartbeat(fence, None));
    assert_eq!(Story::types(&events), ["heartbeat"]);
    story.wait(900);
    story.ask(heartbeat(fence, Some(400)));
    story.wait(399);
    assert_eq!(story.in_flight(), ["a"]);
    story.wait(1);
    assert_eq!(story.step("a").fault.as_ref().unwrap().code, "worker.heartbeat_missed");
    assert_eq!((story.status("a"), story.ended()), ("retrying", "running"));
    assert_eq!(story.refused(heartbeat(fence, None)), "fence.stale");
    story.wait(1_000);
    assert_eq!((story.in_flight(), story.step("a").attempts), (vec!["a".to_owned()], 2));
    assert!(story.fence("a") > fence);
    story.ask(completed(fence, outcome(Ok(json!({"from": "first"})), Some(7))));
    assert_eq!((story.told("late_answer").len(), story.status("a")), (1, "running"));
}

#[test]
fn a_heartbeat_may_come_before_the_acceptance_was_noted() {
    let mut story = Story::begin(vec![reports("a")]);
    let events = story.ask(heartbeat(story.fence("a"), None));
    assert_eq!(Story::types(&events), ["attempt_accepted", "parked"]);
    assert_eq!(story.state.connected(), 0);
}

#[test]
fn an_accepted_attempt_has_a_longest_time_however_often_it_is_heard_of() {
    let mut story = Story::begin(vec![reports("a")]);
    let fence = story.fence("a");
    story.accept("a", Some(3_600_000));
    assert_eq!(story.step("a").attempt.as_ref().unwrap().deadline_at, at(5_000));
    story.wait(4_900);
    story.ask(heartbeat(fence, Some(u64::MAX)));
    story.wait(100);
    assert_eq!((story.ended(), story.code()), ("failed", "worker.heartbeat_missed"));
}

#[test]
fn waiting_for_a_callback_does_not_count_as_active_and_has_its_own_limit() {
    let brief =
        Terms { deadline: Millis::from_secs(10), waiting_max: Millis::from_secs(50), ..terms() };
    let patient =
        configured(step("a"), json!({"heartbeat_ms": 100_000, "accepted_max_ms": 100_000}));
    let mut story = Story::of(template(vec![patient]), brief);
    story.wait(4_000);
    story.accept("a", None);
    story.wait(30_000);
    assert_eq!((story.ended(), story.state.active(story.now)), ("waiting", Millis::from_secs(4)));
    story.wait(20_000);
    assert_eq!((story.ended(), story.code()), ("failed", "execution.waited_too_long"));
}

#[test]
fn a_failure_that_is_reported_is_retried_by_the_policy_and_a_final_one_is_not() {
    let mut story = Story::begin(vec![reports("a").retry(retries(1)), step("b")]);
    story.accept("a", None);
    let fence = story.fence("a");
    story.ask(completed(fence, outcome(Err(broken()), Some(2))));
    assert_eq!(story.status("a"), "retrying");
    story.wait(1_000);
    story.accept("a", None);
    let fence = story.fence("a");
    story.ask(completed(fence, outcome(Err(http(400)), Some(2))));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("failed", 4));
}

#[test]
fn a_retry_that_follows_a_callback_counts_as_active() {
    let mut story = Story::begin(vec![reports("a").retry(retries(1))]);
    story.accept("a", None);
    assert_eq!(story.ended(), "waiting");
    let fence = story.fence("a");
    let events = story.ask(completed(fence, outcome(Err(broken()), None)));
    assert_eq!(Story::types(&events), ["attempt_failed", "woken"]);
    assert_eq!((story.ended(), story.state.idle_since()), ("running", None));
}

#[test]
fn elements_and_undos_are_accepted_and_reported_as_steps_are() {
    let each = map("each", json!({"compensate": undo_by("w"), "heartbeat_ms": 1_000}));
    let mut story = Story::asked(template(vec![each]), terms(), json!({"items": [1, 2]}), u32::MAX);
    story.accept("each[0]", None);
    story.accept("each[1]", None);
    assert_eq!(story.ended(), "waiting");
    let first = story.fence_at("each[0]");
    story.ask(completed(first, outcome(Ok(json!({})), None)));
    story.ask(cancel());
    assert_eq!(story.in_flight(), ["each[1]"]);
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["each/compensate"], "its worker was not heard of");
    story.accept("each/compensate", Some(2_000));
    story.take_over();
    let undo = story.fence_at("each/compensate");
    story.ask(completed(undo, outcome(Ok(json!({})), None)));
    assert_eq!((story.ended(), story.status("each")), ("cancelled", "compensated"));
}

#[test]
fn an_execution_that_a_step_began_is_no_callback() {
    let mut story = Story::of(with_others(template(vec![child("sub")])), terms());
    let fence = story.fence("sub");
    let deadline = story.step("sub").attempt.as_ref().unwrap().deadline_at;
    assert_eq!(story.ended(), "waiting", "nobody need be there for it");
    story.accept("sub", Some(10));
    assert_eq!(story.step("sub").attempt.as_ref().unwrap().deadline_at, deadline);
    assert_eq!(story.refused(heartbeat(fence, None)), "fence.stale");
    assert_eq!(story.refused(completed(fence, outcome(Ok(json!({})), None))), "fence.stale");
    story.done("sub");
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_attempt_that_was_called_off_is_late_when_it_is_reported() {
    let winner = configured(step("first"), json!({"join": "any", "losers": "cancel"}));
    let steps = vec![reports("a").worker("paid"), step("b"), winner.after(&["a", "b"])];
    let mut story = Story::begin(steps);
    let fence = story.fence("a");
    story.accept("a", None);
    story.done("b");
    assert_eq!((story.status("a"), story.state.spent.as_micros()), ("cancelled", 100));
    assert_eq!(story.state.connected(), 1);
    story.ask(completed(fence, outcome(Ok(json!({})), Some(30))));
    assert_eq!((story.status("a"), story.state.spent.as_micros()), ("cancelled", 30));
    assert!(matches!(story.journal.last(), Some(Event::LateAnswer { .. })));
    let asked = Message::Signal {
        asked: ada(),
        name: "none".to_owned(),
        payload: crate::execution::Payload::inline(json!({})),
        answers: None,
    };
    assert_eq!(story.refused(asked), "signal.unknown");
}
