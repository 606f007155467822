//! When a step starts: dependencies, parallelism, conditions, and what a skipped one means.

use serde_json::json;

use super::story::{Shape, Story, at, http, step, template, terms, tolerant, transform};
use crate::execution::{Input, SkipReason, Terms};
use crate::plan::definition::TemplateDefinition;
use crate::time::Millis;

#[test]
fn a_step_starts_the_moment_that_its_dependencies_are_settled() {
    let mut story = Story::begin(vec![
        step("slow"),
        step("quick"),
        step("after_quick").after(&["quick"]),
        step("after_both").after(&["slow", "quick"]),
    ]);
    assert_eq!(story.in_flight(), ["slow", "quick"]);
    assert_eq!(story.status("after_both"), "pending");
    story.succeed("quick", json!({}));
    assert_eq!(story.in_flight(), ["slow", "after_quick"], "a slow sibling holds nobody back");
    story.succeed("after_quick", json!({}));
    assert_eq!(story.in_flight(), ["slow"]);
    story.succeed("slow", json!({}));
    assert_eq!(story.in_flight(), ["after_both"]);
    story.succeed("after_both", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn terms_bound_how_many_steps_are_in_progress() {
    let steps = || vec![step("a"), step("b"), step("c")];
    let two = Terms { parallelism: 2, ..terms() };
    let mut story = Story::of(template(steps()), two);
    assert_eq!(story.in_flight(), ["a", "b"]);
    story.succeed("b", json!({}));
    assert_eq!(story.in_flight(), ["a", "c"]);
    let one = Terms { parallelism: 1, ..terms() };
    let mut story = Story::of(template(steps()), one);
    for name in ["a", "b", "c"] {
        assert_eq!(story.in_flight(), [name], "one after the other, in their order");
        story.succeed(name, json!({}));
    }
    assert_eq!(story.ended(), "completed");
}

#[test]
fn terms_of_no_parallelism_at_all_still_do_one_step_at_a_time() {
    let none = Terms { parallelism: 0, ..terms() };
    let mut story = Story::of(template(vec![step("a"), step("b")]), none);
    assert_eq!(story.in_flight(), ["a"]);
    story.succeed("a", json!({}));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_step_between_two_attempts_keeps_its_place() {
    let again = super::story::retries(1);
    let one = Terms { parallelism: 1, ..terms() };
    let mut story = Story::of(template(vec![step("a").retry(again), step("b")]), one);
    story.fail("a", http(503));
    assert_eq!(story.in_flight(), Vec::<&str>::new(), "`b` comes after `a`, not in its pause");
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["a"]);
}

fn sequential(steps: Vec<crate::plan::definition::StepDefinition>) -> TemplateDefinition {
    TemplateDefinition { allow_parallel: false, ..tolerant(steps) }
}

#[test]
fn a_template_without_parallelism_follows_the_order_of_its_steps() {
    let mut story = Story::of(sequential(vec![step("a"), step("b"), step("c")]), terms());
    for name in ["a", "b", "c"] {
        assert_eq!(story.in_flight(), [name]);
        story.succeed(name, json!({ name: 1 }));
    }
    assert_eq!(story.ended(), "completed");
}

#[test]
fn in_a_template_without_parallelism_each_step_sees_what_came_before() {
    let reads = transform("c", json!({"seen": "=[data.x, data.y]"}));
    let mut story = Story::of(sequential(vec![step("a"), step("b"), reads]), terms());
    story.succeed("a", json!({"x": 1}));
    story.succeed("b", json!({"y": 2}));
    assert_eq!(story.state.result().unwrap()["seen"], json!([1, 2]));
}

#[test]
fn order_alone_is_no_reason_to_be_left_out_when_the_step_before_failed() {
    let steps = vec![step("a"), step("b"), step("c").after(&["a"])];
    let mut story = Story::of(sequential(steps), terms());
    story.fail("a", http(400));
    assert_eq!(story.in_flight(), ["b"], "`b` follows `a` and does not need it");
    story.succeed("b", json!({}));
    assert_eq!(story.status("c"), "skipped");
    assert_eq!(story.ended(), "partial");
}

#[test]
fn a_step_whose_condition_is_false_is_left_out_and_satisfies_its_dependents() {
    let mut story = Story::begin(vec![
        step("find"),
        step("fetch").after(&["find"]).when(json!("size(data.sources) > 0")),
        step("report").after(&["fetch"]),
    ]);
    story.succeed("find", json!({"sources": []}));
    assert_eq!(story.step("fetch").skipped, Some(SkipReason::Condition));
    assert_eq!(story.in_flight(), ["report"]);
    story.succeed("report", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn the_object_form_counts_what_a_step_found() {
    let counted = || json!({"sources_available": "> 1"});
    let steps = || vec![step("find"), step("fetch").after(&["find"]).when(counted())];
    for (sources, status) in [(json!(["u"]), "skipped"), (json!(["u", "v"]), "running")] {
        let mut story = Story::begin(steps());
        story.succeed("find", json!({ "sources": sources }));
        assert_eq!(story.status("fetch"), status);
    }
    let mut story = Story::begin(steps());
    story.succeed("find", json!({}));
    assert_eq!(story.status("fetch"), "skipped", "what is not there counts as none");
}

#[test]
fn a_condition_that_cannot_be_told_fails_its_step_with_its_name() {
    let mut story =
        Story::begin(vec![step("a"), step("b").after(&["a"]).when(json!("data.n > 1"))]);
    story.succeed("a", json!({"m": 2}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert!(message.contains("step `b`, condition"), "{message}");
}

#[test]
fn conditions_see_steps_and_request() {
    let request = json!({"topic": "bees", "depth": 3});
    let told = json!("steps.a.succeeded && steps.a.attempts == 1 && request.depth == 3");
    let steps = vec![step("a"), step("b").after(&["a"]).when(told)];
    let mut story = Story::asked(template(steps), terms(), request, u32::MAX);
    story.succeed("a", json!({}));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn the_strategy_leaves_optional_steps_out_and_their_dependents_go_on() {
    let lean = Terms { skip_optional: true, ..terms() };
    let steps = vec![step("a"), step("extra").optional(), step("b").after(&["a", "extra"])];
    let mut story = Story::of(template(steps), lean);
    assert_eq!(story.step("extra").skipped, Some(SkipReason::Strategy));
    story.succeed("a", json!({}));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_driver_without_free_slots_starts_nothing_and_one_with_slots_goes_on() {
    let request = json!({"topic": "bees"});
    let steps = vec![step("a"), step("b"), step("c")];
    let mut story = Story::asked(template(steps), terms(), request, 1);
    assert_eq!(story.in_flight(), ["a"]);
    story.slots = 0;
    story.succeed("a", json!({}));
    assert!(story.in_flight().is_empty() && story.state.has_startable(story.now));
    story.slots = 2;
    story.input(Input::Resume).unwrap();
    assert_eq!(story.in_flight(), ["b", "c"]);
}

#[test]
fn an_attempt_that_does_not_fit_in_the_drivers_lifetime_is_left_to_the_next() {
    let brief = step("brief").edit(|step| step.timeout_ms = Some(1_000));
    let mut story = Story::asked(
        template(vec![step("first"), step("long").after(&["first"]), brief.after(&["first"])]),
        terms(),
        json!({"topic": "bees"}),
        4,
    );
    story.latest_end = at(5_000);
    story.succeed("first", json!({}));
    assert_eq!(story.in_flight(), ["brief"], "20 s do not fit in 5, and 1 s does");
    assert!(story.state.has_startable(story.now));
    story.latest_end = story.now.plus(Millis::from_secs(20));
    story.input(Input::Resume).unwrap();
    assert_eq!(story.in_flight(), ["brief", "long"], "fences rise as attempts start");
}

#[test]
fn transforms_need_no_slot_and_chain_within_one_decision() {
    let request = json!({"topic": "bees", "input": {"n": 2}});
    let steps = vec![
        transform("double", json!({"n": "=data.n * 2"})),
        transform("again", json!({"n": "=data.n * 2"})).after(&["double"]),
        transform("name", json!("=data.topic")).after(&["again"]),
    ];
    let story = Story::asked(template(steps), terms(), request, 0);
    assert_eq!(story.ended(), "completed");
    let result = story.state.result().unwrap();
    assert_eq!(result, json!({"topic": "bees", "n": 8, "name": "bees"}));
}
