//! The queue time-out: how long a step that could start may wait for a place, a slot, a gate or
//! money.

use serde_json::json;

use super::kinds::{Settings, budget, by_key, child, map, over, wait, with_inner};
use super::story::{Shape, Story, at, http, retries, step, template, terms, tolerant, transform};
use crate::admission::HeldBy;
use crate::execution::{Blocker, Context, Gates, Input, Message, Terms, Unit};
use crate::plan::StepIndex;
use crate::plan::definition::StepDefinition;

fn queued(step: StepDefinition) -> StepDefinition {
    step.set("queue_timeout_ms", json!(5_000))
}

fn one() -> Terms {
    Terms { parallelism: 1, ..terms() }
}

#[test]
fn a_step_that_finds_no_place_in_time_fails() {
    let mut story = Story::of(tolerant(vec![step("a"), queued(step("b"))]), one());
    let why = story.state.why(story.now);
    assert_eq!((&why[1].by, why[1].next_at), (&Blocker::Parallelism, Some(at(5_000))));
    assert_eq!(story.state.next_timer(story.now), Some(at(5_000)));
    story.wait(4_999);
    assert_eq!(story.status("b"), "ready");
    story.wait(1);
    assert_eq!((story.status("b"), story.fault("b").0), ("failed", "step.queue_timeout"));
    assert!(story.fault("b").1.contains("step `b` could not begin"), "{:?}", story.fault("b"));
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn a_step_that_began_in_time_is_not_bound_by_it_any_more() {
    let mut story =
        Story::of(template(vec![step("a"), queued(step("b").retry(retries(1)))]), one());
    story.wait(4_000);
    story.succeed("a", json!({}));
    story.wait(10_000);
    assert_eq!(story.in_flight(), ["b"]);
    story.fail("b", http(503));
    story.slots = 0;
    story.wait(9_000);
    assert_eq!(story.status("b"), "retrying", "nor between two attempts");
}

#[test]
fn it_counts_from_when_the_step_could_start() {
    let mut story = Story::of(template(vec![step("a"), queued(step("b").after(&["a"]))]), one());
    story.wait(15_000);
    assert_eq!(story.status("b"), "pending");
    story.slots = 0;
    story.succeed("a", json!({}));
    assert_eq!(story.state.next_timer(story.now), Some(at(20_000)));
    story.wait(5_000);
    assert_eq!(story.code(), "step.queue_timeout", "a driver without slots is a queue, too");
}

#[test]
fn money_that_is_kept_for_others_is_waited_for_so_long() {
    let steps = vec![step("a").worker("paid"), queued(step("b").worker("paid")).optional()];
    let mut story = Story::of(template(steps), budget(150));
    assert_eq!(story.in_flight(), ["a"]);
    story.wait(5_000);
    assert_eq!((story.status("b"), story.fault("b").0), ("skipped", "step.queue_timeout"));
    story.succeed("a", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_gate_is_waited_for_so_long_and_says_which() {
    let mut template = template(vec![queued(step("a"))]);
    template.workers.get_mut("w").unwrap().max_per_minute = Some(1);
    let mut story = Story::of(template, terms());
    let unit = Unit::whole(StepIndex(0));
    assert_eq!(story.state.asking(&story.context(), 9), [unit]);
    let held = |until| Input::Held { unit, reason: HeldBy::Rate, until: at(until) };
    story.input(held(3_000)).unwrap();
    let why = story.state.why(story.now);
    assert_eq!((&why[0].by, why[0].next_at), (&Blocker::Gate(HeldBy::Rate), Some(at(3_000))));
    assert!(story.input(held(4_000)).unwrap().is_empty(), "a reason is said once");
    story.wait(5_000);
    assert_eq!((story.ended(), story.code()), ("failed", "step.queue_timeout"));
}

#[test]
fn a_gate_that_opens_in_time_lets_the_step_begin() {
    let mut template = template(vec![queued(step("a"))]);
    template.workers.get_mut("w").unwrap().max_concurrency = Some(1);
    let mut story = Story::of(template, terms());
    let mut gates = Gates::default();
    gates.passes.insert(Unit::whole(StepIndex(0)));
    story.now = at(4_999);
    let context = Context { gates: &gates, ..story.context() };
    story.state.advance(&context, Input::Tick).unwrap();
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn maps_and_children_wait_for_their_place_so_long() {
    let steps = vec![step("a"), queued(map("m")), queued(child("c"))];
    let template = with_inner(tolerant(steps), vec![step("i")]);
    let mut story = over(json!([1]), template, one());
    story.wait(5_000);
    assert_eq!([story.fault("m").0, story.fault("c").0], ["step.queue_timeout"; 2]);
    assert!(story.begun.is_empty());
}

#[test]
fn what_needs_nothing_never_waits() {
    let steps = vec![
        step("a"),
        queued(transform("t", json!({}))),
        queued(wait("w", json!({"delay_ms": 60_000}))),
    ];
    let mut story = Story::asked(template(steps), one(), json!({}), 1);
    story.wait(6_000);
    assert_eq!((story.status("t"), story.status("w")), ("succeeded", "waiting"));
}

#[test]
fn a_pause_takes_nothing_of_it() {
    let mut story = Story::of(tolerant(vec![step("a"), queued(step("b"))]), one());
    story.wait(2_000);
    story.message(Message::Pause { asked: by_key() });
    story.wait(9_000);
    assert_eq!(story.status("b"), "ready");
    story.message(Message::Resume { asked: by_key(), budget: None });
    assert_eq!(story.state.why(story.now)[1].next_at, Some(at(14_000)), "3 s are left");
    story.wait(2_999);
    assert_eq!(story.status("b"), "ready");
    story.wait(1);
    assert_eq!(story.fault("b").0, "step.queue_timeout");
}
