//! The way back in detail: retries of what undoes, the money that is kept for it, its deadlines and
//! its gates.

use serde_json::json;

use super::asking::{cancel, configured, map, resume, retry, undo_by, undone, wait, with_others};
use super::story::{Shape, Story, at, broken, http, step, template, terms, tolerant, usd};
use crate::execution::{Blocker, HeldBy, Input, Terms};
use crate::time::Millis;

fn budget(micros: u64) -> Terms {
    Terms { budget: Some(usd(micros)), ..terms() }
}

fn thrice(name: &str) -> crate::plan::definition::StepDefinition {
    let retry = json!({"max_retries": 2, "jitter": false, "initial_ms": 1_000});
    configured(step(name), json!({"compensate": {"worker": "paid", "retry": retry}}))
}

#[test]
fn an_undo_is_retried_by_its_own_policy() {
    let mut story = Story::begin(vec![thrice("a"), step("b")]);
    story.done("a");
    story.ask(cancel());
    story.breaks("a/compensate", http(503));
    assert_eq!(story.work("a/compensate").status.as_str(), "retrying");
    assert_eq!(story.state.next_timer(story.now), Some(at(1_000)));
    assert_eq!(story.state.why(story.now)[0].by, Blocker::Retry);
    story.wait(999);
    assert_eq!(story.in_flight(), Vec::<String>::new());
    story.wait(1);
    story.breaks("a/compensate", broken());
    story.wait(2_000);
    story.done("a/compensate");
    assert_eq!((story.ended(), story.status("a")), ("cancelled", "compensated"));
    assert_eq!(story.work("a/compensate").attempts, 3);
}

#[test]
fn an_undo_whose_retries_are_used_up_fails_and_the_execution_ends_all_the_same() {
    let mut story = Story::begin(vec![undone("first"), thrice("a"), step("b")]);
    story.done("first");
    story.done("a");
    story.breaks("b", http(400));
    for pause in [1_000, 2_000, 0] {
        story.breaks("a/compensate", http(503));
        story.wait(pause);
    }
    assert_eq!(story.told("step_failed"), ["b", "a/compensate"]);
    story.done("first/compensate");
    assert_eq!((story.ended(), story.code()), ("failed", "compensation.failed"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert_eq!(message, "status 400; step `a` could not be undone: status 503");
    assert_eq!((story.status("a"), story.status("first")), ("succeeded", "compensated"));
}

#[test]
fn what_cannot_be_sent_fails_the_undo_and_not_the_decision() {
    let input = json!({"worker": "paid", "input_mapping": {"x": "$.missing"}});
    let steps = vec![configured(step("a"), json!({"compensate": input})), step("b")];
    let mut story = Story::begin(steps);
    story.done("a");
    story.ask(cancel());
    assert_eq!((story.ended(), story.code()), ("cancelled", "compensation.failed"));
    assert_eq!(story.told("step_failed"), ["a/compensate"]);
    assert_eq!(story.begun_paths(), ["a", "b"], "nobody was asked");
}

#[test]
fn an_undo_is_sent_what_its_mapping_gives_over_the_output_and_what_the_step_saw() {
    let input = json!({"charge": "$.id", "topic": "=data.topic", "n": "=steps.first.output.n"});
    let config = json!({"compensate": {"worker": "other", "input_mapping": input}});
    let steps = vec![step("first"), configured(step("a"), config).after(&["first"]), step("b")];
    let mut story = Story::begin(steps);
    story.succeed("first", json!({"n": 7}));
    story.succeed("a", json!({"id": "ch_1"}));
    story.ask(cancel());
    let sent = story.sent("a/compensate");
    assert_eq!(sent, &json!({"charge": "ch_1", "topic": "bees", "n": 7, "depth": 3}));
}

#[test]
fn money_for_undoing_is_kept_from_the_start_so_that_no_budget_prevents_it() {
    // 100 for `a`, 100 for undoing it, and not enough for `b`.
    let steps = vec![undone("a").worker("paid"), step("b").worker("paid").after(&["a"])];
    let mut story = Story::of(template(steps.clone()), budget(250));
    assert_eq!(story.state.reserved.as_micros(), 200);
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    assert_eq!(story.ended(), "paused", "50 are left for `b`");
    assert_eq!(story.state.left(), Some(usd(50)));
    story.ask(cancel());
    assert_eq!(story.in_flight(), ["a/compensate"]);
    assert_eq!(story.state.left(), Some(usd(50)), "what was kept is reserved now");
    story.answer(story.fence_at("a/compensate"), Ok(json!({})), Some(90));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("cancelled", 190));
    assert_eq!(story.step("a").cost.as_micros(), 190);

    let story = Story::of(template(steps), budget(199));
    assert_eq!(story.ended(), "paused", "what could not be undone does not begin");
    assert_eq!(story.begun_paths(), Vec::<String>::new());
}

#[test]
fn a_map_of_which_nothing_succeeded_keeps_the_price_of_its_undo_only_once_it_begins_anew() {
    let paid = |name| map(name, json!({"compensate": undo_by("paid")})).worker("paid");
    let nap = wait("nap", json!({"delay_ms": 1_000}));
    let both = tolerant(vec![paid("each"), nap, paid("other").after(&["nap"])]);
    let mut story = Story::asked(both, budget(250), json!({"items": [1]}), u32::MAX);
    story.answer(story.fence_at("each[0]"), Err(broken()), Some(100));
    story.wait(1_000);
    assert_eq!((story.ended(), story.state.left()), ("paused", Some(usd(50))), "for `other[0]`");
    story.ask(retry());
    assert_eq!((story.status("each"), story.state.left()), ("ready", Some(usd(50))));
    story.ask(resume(Some(500)));
    assert_eq!(story.in_flight(), ["each[0]", "other[0]"]);
}

#[test]
fn a_map_keeps_the_price_of_its_undo_once_and_lets_it_go_when_nothing_succeeded() {
    let mapped = || map("each", json!({"compensate": undo_by("paid")})).worker("paid").optional();
    let request = json!({"items": [1, 2, 3]});
    let mut story = Story::asked(
        template(vec![mapped(), step("z").worker("paid").after(&["each"])]),
        budget(400),
        request,
        u32::MAX,
    );
    assert_eq!(story.in_flight(), ["each[0]", "each[1]", "each[2]"]);
    assert_eq!(story.state.left(), Some(usd(0)));
    story.breaks("each[0]", http(400));
    assert_eq!(story.status("each"), "skipped", "none of its elements may fail");
    assert_eq!(story.in_flight(), ["z"]);
    assert_eq!(story.state.spent.as_micros(), 200, "two may have been done");
    assert_eq!(story.state.left(), Some(usd(100)));
}

#[test]
fn a_second_attempt_to_undo_needs_money_of_its_own() {
    let mut story = Story::of(template(vec![thrice("a"), step("b")]), budget(150));
    story.done("a");
    story.ask(cancel());
    story.answer(story.fence_at("a/compensate"), Err(broken()), Some(100));
    story.wait(1_000);
    assert_eq!((story.ended(), story.code()), ("cancelled", "compensation.failed"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert!(message.contains("budget"), "{message}");

    let mut story = Story::of(template(vec![thrice("a"), step("b")]), budget(150));
    story.done("a");
    story.ask(cancel());
    story.answer(story.fence_at("a/compensate"), Err(broken()), Some(100));
    story.ask(resume(Some(200)));
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["a/compensate"], "somebody raised the limit meanwhile");
}

#[test]
fn a_way_back_that_takes_too_long_ends_and_names_what_stands() {
    let mut story = Story::begin(vec![undone("a"), undone("b"), undone("slow")]);
    story.done("a");
    story.done("b");
    let fence = story.fence("slow");
    story.accept("slow", Some(3_600_000));
    story.ask(cancel());
    assert_eq!(story.in_flight(), ["slow"]);
    story.wait(300_000);
    assert_eq!((story.ended(), story.code()), ("cancelled", "compensation.failed"));
    assert_eq!((story.status("a"), story.status("slow")), ("succeeded", "cancelled"));
    assert_eq!(story.begun_paths().len(), 3, "its deadline passed before anything was undone");
    assert!(!story.state.is_in_flight(fence));
}

#[test]
fn an_undo_has_its_own_time_out_and_total_deadline() {
    let retry = json!({"max_retries": 9, "jitter": false, "total_deadline_ms": 1_500});
    let config = json!({"compensate": {"worker": "w", "timeout_ms": 1_000, "retry": retry}});
    let mut story = Story::begin(vec![configured(step("a"), config), step("b")]);
    story.done("a");
    story.wait(10_000);
    story.ask(cancel());
    story.wait(1_000);
    assert_eq!(story.work("a/compensate").fault.as_ref().unwrap().code, "worker.timeout");
    assert_eq!((story.ended(), story.code()), ("cancelled", "compensation.failed"));
}

#[test]
fn an_undo_waits_for_the_gate_of_its_worker_and_says_so() {
    let gated = configured(step("a"), json!({"compensate": undo_by("gated")}));
    let mut story = Story::of(with_others(template(vec![gated, step("b")])), terms());
    story.done("a");
    story.ask(cancel());
    assert_eq!(story.in_flight(), Vec::<String>::new());
    let unit = story.unit("a/compensate");
    let context = story.context();
    assert_eq!(story.state.asking(&context, 9), [unit]);
    let why = story.state.why(story.now);
    assert_eq!((why.len(), why[0].step.as_str()), (1, "a/compensate"));
    let held = |reason| Input::Held { unit, reason, until: at(500) };
    let told = story.input(held(HeldBy::Concurrency)).unwrap();
    assert_eq!(Story::types(&told), ["step_held"]);
    assert_eq!(story.input(held(HeldBy::Concurrency)).unwrap(), [], "once for each reason");
    assert_eq!(story.state.why(story.now)[0].by, Blocker::Gate(HeldBy::Concurrency));
    let gates = crate::execution::Gates {
        passes: std::iter::once(unit).collect(),
        ..crate::execution::Gates::default()
    };
    let context = crate::execution::Context { gates: &gates, ..story.context() };
    let events = story.state.advance(&context, Input::Tick).unwrap();
    assert_eq!(Story::types(&events), ["attempt_started"]);
}

#[test]
fn what_could_not_be_undone_stands_and_is_undone_anew_after_a_retry() {
    let mut story = Story::begin(vec![undone("a"), step("b").after(&["a"])]);
    story.done("a");
    story.breaks("b", http(400));
    story.breaks("a/compensate", http(400));
    assert_eq!((story.ended(), story.code()), ("failed", "compensation.failed"));
    story.ask(retry());
    assert_eq!(story.in_flight(), ["b"], "`a` stands, and is not done a second time");
    assert!(story.step("a").undo.is_none());
    assert_eq!(story.state.deadline_at, story.now.plus(Millis::from_secs(300)));
    story.breaks("b", http(400));
    story.done("a/compensate");
    assert_eq!((story.ended(), story.code()), ("failed", "worker.refused"));
    assert_eq!(story.status("a"), "compensated");
}
