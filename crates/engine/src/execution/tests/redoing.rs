//! Retry and rerun: what is done anew, in which generation, and what stays as it was.

use serde_json::{Value, json};

use super::asking::{
    cancel, kill, map, pause, rerun, resume, retry, signal, undo_by, undone, wait,
};
use super::asking::{configured, tolerating};
use super::story::{Shape, Story, at, broken, http, retries, step, template, terms, tolerant};
use crate::execution::{Event, Input, Message};
use crate::plan::definition::{FailureTolerance, StepDefinition, TemplateDefinition};
use crate::time::Millis;

fn mapped(template: TemplateDefinition) -> Story {
    Story::asked(template, terms(), json!({"items": [10, 11, 12, 13]}), u32::MAX)
}

fn generations(story: &Story, paths: &[&str]) -> Vec<u32> {
    paths.iter().map(|path| story.work(path).generation).collect()
}

fn reset(story: &Story) -> Vec<String> {
    let last = story.journal.iter().rev().find_map(|event| match event {
        Event::Reset { steps, .. } => Some(steps.clone()),
        _ => None,
    });
    last.expect("something was reset")
}

#[test]
fn a_retry_does_what_failed_anew_and_what_was_left_out_because_of_it() {
    let steps = vec![
        step("good"),
        step("bad").worker("paid"),
        step("next").after(&["bad"]),
        step("after_good").after(&["good"]),
    ];
    let mut story = Story::of(tolerant(steps), terms());
    story.done("good");
    story.done("after_good");
    assert_eq!(story.refused(retry()), "execution.in_progress");
    story.answer(story.fence("bad"), Err(http(400)), Some(40));
    assert_eq!((story.ended(), story.status("next")), ("partial", "skipped"));
    story.now = at(50_000);
    story.ask(retry());
    assert_eq!(reset(&story), ["bad", "next"]);
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["bad".to_owned()]));
    assert_eq!(generations(&story, &["good", "bad", "next", "after_good"]), [1, 2, 2, 1]);
    assert_eq!(story.state.deadline_at, at(350_000), "with its whole time");
    assert_eq!((story.state.finished_at, &story.state.fault), (None, &None));
    assert_eq!(story.refused(retry()), "execution.in_progress", "twice is once");
    assert!(story.calls.last().unwrap().idempotency_key().ends_with("/bad/2"));
    story.answer(story.fence("bad"), Ok(json!({})), Some(50));
    story.done("next");
    assert_eq!(story.ended(), "completed");
    assert_eq!((story.state.spent.as_micros(), story.step("bad").cost.as_micros()), (90, 90));
    assert_eq!(story.refused(retry()), "execution.nothing_failed");
}

#[test]
fn a_retry_leaves_alone_what_succeeded_without_the_failed_step() {
    let either = configured(step("either"), json!({"join": "any"})).after(&["bad", "good"]);
    let mut story = Story::of(tolerant(vec![step("bad"), step("good"), either]), terms());
    story.breaks("bad", http(400));
    story.done("good");
    story.done("either");
    story.ask(retry());
    assert_eq!(reset(&story), ["bad"]);
    let mut one_by_one = tolerant(vec![step("bad"), step("good")]);
    one_by_one.allow_parallel = false;
    let mut story = Story::of(one_by_one, terms());
    story.breaks("bad", http(400));
    story.done("good");
    assert_eq!(story.ended(), "partial");
    story.ask(retry());
    assert_eq!((reset(&story), story.in_flight()), (vec!["bad".to_owned()], vec!["bad".into()]));
}

#[test]
fn a_retry_does_what_the_end_cut_short_and_not_what_was_needless() {
    let winner = configured(step("first"), json!({"join": "any", "losers": "cancel"}));
    let steps = vec![step("a"), step("b"), winner.after(&["a", "b"]), step("slow"), step("x")];
    let mut story = Story::begin(steps);
    story.done("a");
    assert_eq!(story.status("b"), "cancelled");
    story.breaks("x", http(400));
    assert_eq!((story.ended(), story.status("slow")), ("failed", "cancelled"));
    story.ask(retry());
    assert_eq!(reset(&story), ["x", "first", "slow"]);
    for name in ["x", "first", "slow"] {
        story.done(name);
    }
    assert_eq!(story.ended(), "completed");
    assert_eq!(story.status("b"), "cancelled", "others had done what it was for");
}

#[test]
fn an_execution_that_was_killed_or_ran_out_of_time_goes_on_after_a_retry() {
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"])]);
    story.done("a");
    story.ask(kill());
    story.ask(retry());
    assert_eq!((reset(&story), story.in_flight()), (vec!["b".to_owned()], vec!["b".to_owned()]));
    let mut story = Story::begin(vec![step("a").retry(retries(99))]);
    story.now = at(300_000);
    story.input(Input::Tick).unwrap();
    assert_eq!(story.code(), "execution.deadline_exceeded");
    story.ask(retry());
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn of_a_failed_map_only_the_elements_are_done_anew_that_did_not_succeed() {
    let each = map("each", json!({"concurrency": 2}));
    let mut story = mapped(tolerant(vec![each, step("after").after(&["each"]), step("free")]));
    story.done("free");
    story.succeed_at("each[0]", json!({"n": 0}));
    story.breaks("each[1]", http(400));
    assert_eq!((story.ended(), story.status("after")), ("partial", "skipped"));
    story.ask(retry());
    assert_eq!(reset(&story), ["each[1]", "each[2]", "each[3]", "after"]);
    assert_eq!(story.in_flight(), ["each[1]", "each[2]"]);
    assert_eq!(generations(&story, &["each[0]", "each[1]", "each[3]", "each"]), [1, 2, 2, 1]);
    assert_eq!(story.sent("each[1]"), &json!({"n": 11}));
    for path in ["each[2]", "each[1]", "each[3]", "after"] {
        story.done(path);
    }
    assert_eq!(story.ended(), "completed");
    let results = story.step("each").output.as_ref().unwrap().value().unwrap()["results"].clone();
    assert_eq!(results[0], json!({"n": 0}));
    assert_eq!(results[3], json!({"by": "each[3]"}));
}

#[test]
fn elements_between_two_attempts_of_a_map_that_failed_are_not_tried_again() {
    let each = map("each", json!({})).retry(retries(1));
    let mut story = mapped(tolerant(vec![each, step("slow")]));
    story.breaks("each[0]", http(503));
    story.breaks("each[1]", http(400));
    assert_eq!(story.status("each"), "failed");
    assert_eq!(story.work("each[0]").status.as_str(), "cancelled");
    story.wait(5_000);
    assert_eq!(story.in_flight(), ["slow"]);
    story.done("slow");
    story.ask(retry());
    assert_eq!(story.in_flight().len(), 4);
}

#[test]
fn what_was_undone_is_done_anew_with_all_that_used_it() {
    let steps = vec![undone("a"), step("b").after(&["a"]), step("free"), step("x").after(&["b"])];
    let mut story = Story::begin(steps);
    for name in ["a", "b", "free"] {
        story.done(name);
    }
    story.breaks("x", http(400));
    story.done("a/compensate");
    assert_eq!(story.ended(), "failed");
    story.ask(retry());
    assert_eq!(reset(&story), ["x", "a", "b"]);
    assert_eq!(story.in_flight(), ["a"]);
    for name in ["a", "b"] {
        story.done(name);
    }
    story.breaks("x", http(400));
    assert_eq!(story.in_flight(), ["a/compensate"]);
    assert!(story.calls.last().unwrap().idempotency_key().ends_with("/a/compensate/2"));
    assert_eq!(story.refused(rerun("a", None)), "execution.in_progress");
}

#[test]
fn a_rerun_does_a_step_anew_and_all_that_depends_on_it_and_reuses_the_rest() {
    let steps = vec![
        step("a"),
        step("b").after(&["a"]).sends(json!({"n": "$.n"})),
        step("c").after(&["b"]),
        step("d"),
    ];
    let mut story = Story::begin(steps);
    story.succeed("a", json!({"n": 1}));
    story.succeed("b", json!({"m": 2}));
    story.done("c");
    story.done("d");
    assert_eq!(story.ended(), "completed");
    story.ask(rerun("b", None));
    assert_eq!(
        (reset(&story), story.in_flight()),
        (vec!["b".into(), "c".into()], vec!["b".into()])
    );
    assert_eq!(story.sent("b"), &json!({"n": 1}), "by what `a` produced then");
    assert!(story.state.result().unwrap().get("m").is_none(), "what it produced is forgotten");
    story.succeed("b", json!({"m": 3}));
    story.done("c");
    assert_eq!(
        (story.ended(), story.state.result().unwrap()["m"].clone()),
        ("completed", 3.into())
    );
    assert_eq!(generations(&story, &["a", "b", "c", "d"]), [1, 2, 2, 1]);
}

#[test]
fn a_rerun_may_send_something_else() {
    let steps = vec![step("a").worker("other"), super::story::transform("t", json!({"x": 1}))];
    let mut story = Story::begin(steps);
    story.done("a");
    story.ask(rerun("a", Some(json!({"topic": "wasps"}))));
    assert_eq!(story.sent("a"), &json!({"topic": "wasps", "depth": 3}), "over the defaults");
    story.done("a");
    story.ask(rerun("t", Some(json!({"x": 2}))));
    assert_eq!(story.state.result().unwrap()["x"], 2);
    story.ask(rerun("t", None));
    assert_eq!(story.state.result().unwrap()["x"], 1, "by its mapping again");
}

#[test]
fn one_element_of_a_map_is_done_anew_and_the_others_keep_what_they_have() {
    let each = map("each", json!({"tolerated_failures": 1}));
    let mut story = mapped(template(vec![each, step("after").after(&["each"])]));
    for path in ["each[0]", "each[1]", "each[3]"] {
        story.done(path);
    }
    story.breaks("each[2]", http(400));
    story.done("after");
    assert_eq!(story.ended(), "completed");
    story.ask(rerun("each[2]", Some(json!({"n": 99}))));
    assert_eq!(reset(&story), ["each[2]", "after"]);
    assert_eq!((story.in_flight(), story.status("each")), (vec!["each[2]".into()], "running"));
    assert_eq!(story.sent("each[2]"), &json!({"n": 99}));
    story.done("each[2]");
    story.done("after");
    let output = story.step("each").output.as_ref().unwrap().value().unwrap().clone();
    assert_eq!(output["statuses"], json!(["succeeded", "succeeded", "succeeded", "succeeded"]));
    assert_eq!(output["results"][1], json!({"by": "each[1]"}));
    assert_eq!(output["errors"], json!([]));
    story.ask(rerun("each", None));
    assert_eq!(story.in_flight().len(), 4, "the map as a whole");
}

#[test]
fn an_element_of_a_map_that_was_cut_short_takes_those_along_that_never_came_to_an_end() {
    let mut story = mapped(template(vec![map("each", json!({"concurrency": 2}))]));
    story.done("each[1]");
    story.ask(kill());
    story.ask(rerun("each[0]", None));
    assert_eq!(reset(&story), ["each[0]", "each[2]", "each[3]"]);
    for path in ["each[0]", "each[2]", "each[3]"] {
        story.done(path);
    }
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_element_is_done_anew_while_its_map_is_paused() {
    let each = map("each", json!({"concurrency": 2, "tolerated_failures": 2})).retry(retries(1));
    let mut story = mapped(template(vec![each]));
    story.breaks("each[0]", http(503));
    story.breaks("each[1]", http(400));
    assert_eq!(story.in_flight(), ["each[2]"], "one is between two attempts");
    story.ask(pause());
    assert_eq!(story.refused(rerun("each[1]", None)), "step.in_flight");
    story.done("each[2]");
    story.ask(rerun("each[0]", None));
    assert_eq!(story.in_flight(), ["each[0]", "each[3]"], "two at a time, and none of them twice");
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["each[0]", "each[3]"], "its retry is forgotten");
    assert_eq!(generations(&story, &["each[0]", "each[1]", "each[3]"]), [2, 1, 1]);
    story.done("each[0]");
    story.done("each[3]");
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_map_that_was_undone_is_rerun_as_a_whole_only() {
    let each = map("each", json!({"compensate": undo_by("paid")}));
    let mut story = mapped(template(vec![each, step("b")]));
    for at in 0..4 {
        story.done(&format!("each[{at}]"));
    }
    story.ask(cancel());
    story.done("each/compensate");
    assert_eq!(story.refused(rerun("each[1]", None)), "step.compensated");
    story.ask(rerun("each", None));
    assert_eq!(story.in_flight().len(), 5, "and what the cancel cut short");
}

#[test]
fn a_step_that_waits_or_is_retried_is_done_anew_in_a_pause() {
    let steps = vec![wait("nap", json!({"delay_ms": 10_000})), step("a").retry(retries(3))];
    let mut story = Story::begin(steps);
    story.breaks("a", http(503));
    story.ask(pause());
    story.now = at(500);
    story.ask(rerun("nap", None));
    assert_eq!(story.step("nap").wait.as_ref().unwrap().until, Some(at(10_500)));
    assert_eq!(story.status("a"), "retrying", "others go on where they were");
    story.ask(pause());
    story.ask(rerun("a", None));
    assert_eq!((story.in_flight(), story.step("a").attempts), (vec!["a".to_owned()], 1));
    story.wait(500);
    story.done("a");
    story.wait(8_999);
    assert_eq!(story.ended(), "waiting");
    story.wait(1_000);
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_signal_that_came_in_a_pause_is_delivered_after_a_retry_too() {
    let steps = vec![wait("ok", json!({"signal": "go"})), step("a")];
    let mut story = Story::of(tolerating(FailureTolerance::Park, template(steps)), terms());
    story.breaks("a", http(400));
    story.ask(signal("go", json!({"n": 1})));
    assert_eq!(story.status("ok"), "waiting");
    story.ask(retry());
    assert_eq!((story.status("ok"), story.in_flight()), ("succeeded", vec!["a".to_owned()]));
}

#[test]
fn what_was_in_flight_before_a_reset_is_late_and_its_cost_is_corrected() {
    let mut story = Story::begin(vec![step("a").worker("paid"), step("b")]);
    let late = story.fence("a");
    story.breaks("b", http(400));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("failed", 100));
    story.ask(retry());
    assert_eq!(story.in_flight(), ["a", "b"]);
    story.answer(late, Ok(json!({"from": "late"})), Some(30));
    assert_eq!((story.told("late_answer"), story.state.spent.as_micros()), (vec!["a".into()], 30));
    assert_eq!((story.status("a"), story.step("a").cost.as_micros()), ("running", 30));
}

#[test]
fn what_cannot_be_done_anew_is_refused_by_name() {
    let steps = vec![step("a"), step("b").after(&["a"]), map("each", json!({})), naps()];
    let mut story = mapped(template(steps));
    assert_eq!(story.refused(rerun("a", None)), "execution.in_progress");
    story.ask(pause());
    assert_eq!(story.refused(retry()), "execution.nothing_failed");
    for (path, input, code) in [
        ("nobody", None, "step.unknown"),
        ("each[4]", None, "step.unknown"),
        ("each[x]", None, "step.unknown"),
        ("a[0]", None, "step.unknown"),
        ("a/compensate", None, "step.unknown"),
        ("b", None, "step.not_reached"),
        ("a", None, "step.in_flight"),
        ("each[1]", None, "step.in_flight"),
        ("each", Some(json!({})), "step.takes_no_input"),
        ("nap", Some(json!({})), "step.takes_no_input"),
    ] {
        let input: Option<Value> = input;
        assert_eq!(story.refused(rerun(path, input)), code, "{path}");
    }
    story.ask(resume(None));
    story.ask(kill());
    assert_eq!(story.refused(signal("go", json!({}))), "execution.ended");
    assert_eq!(story.refused(pause()), "execution.ended");
    assert_eq!(story.refused(resume(None)), "execution.ended");
    let heartbeat = Message::Heartbeat { fence: crate::ids::Fence(1), silence: None };
    assert_eq!(story.refused(heartbeat), "execution.ended");
}

fn naps() -> StepDefinition {
    wait("nap", json!({"delay_ms": 1_000}))
}

#[test]
fn a_reset_gives_money_back_to_nobody_and_keeps_what_undoing_costs() {
    let steps = vec![undone("a").worker("paid"), step("b").worker("paid").after(&["a"])];
    let budget = crate::execution::Terms { budget: Some(super::story::usd(1_000)), ..terms() };
    let mut story = Story::of(template(steps), budget);
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    assert_eq!(story.state.left().unwrap().as_micros(), 1_000 - 100 - 100 - 100);
    story.answer(story.fence("b"), Err(broken()), Some(100));
    story.answer(story.fence_at("a/compensate"), Ok(json!({})), Some(100));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("failed", 300));
    story.ask(retry());
    assert_eq!(story.state.left().unwrap().as_micros(), 1_000 - 300 - 200, "`a` and its undoing");
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    story.answer(story.fence("b"), Ok(json!({})), Some(100));
    assert_eq!(story.ended(), "completed");
    story.ask(rerun("b", None));
    assert_eq!(story.state.left().unwrap().as_micros(), 1_000 - 500 - 100 - 100, "`a` stands");
    assert_eq!(story.state.active(story.now), Millis::ZERO);
}
