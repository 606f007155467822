//! Joins: when a step starts that does not wait for all that it depends on, and what becomes of
//! the rest.

use serde_json::{Value, json};

use super::kinds::{Settings, child, over, wait, with_inner};
use super::story::{Shape, Story, http, retries, step, template, terms, tolerant, transform};
use crate::execution::{SkipReason, Terms};
use crate::plan::definition::{StepDefinition, TemplateDefinition};

/// What becomes of a dependency.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Succeeded,
    Failed,
    Condition,
    Strategy,
    OptionalFailed,
    Dependency,
    CalledOff,
    Open,
}

use Fate::{CalledOff, Condition, Dependency, Failed, Open, OptionalFailed, Strategy, Succeeded};

const FATES: [Fate; 8] =
    [Succeeded, Failed, Condition, Strategy, OptionalFailed, Dependency, CalledOff, Open];

impl Fate {
    /// A step `name` with this fate before it, and what must be there for that.
    fn steps(self, name: &str) -> Vec<StepDefinition> {
        let before = format!("{name}_before");
        match self {
            Succeeded | Failed | Open => vec![step(name)],
            Condition => vec![step(name).when(json!("false"))],
            Strategy | OptionalFailed => vec![step(name).optional()],
            Dependency => vec![step(&before), step(name).after(&[&before])],
            CalledOff => {
                let any = step(&format!("{name}_join")).after(&[&before, name]);
                let any = any.set("join", json!("any")).set("losers", json!("cancel"));
                vec![step(&before), step(name), any]
            }
        }
    }

    fn befalls(self, name: &str, story: &mut Story) {
        let before = format!("{name}_before");
        match self {
            Succeeded => story.succeed(name, json!({ name: 1 })),
            Failed | OptionalFailed => story.fail(name, http(400)),
            Dependency => story.fail(&before, http(400)),
            CalledOff => story.succeed(&before, json!({})),
            Condition | Strategy | Open => {}
        }
    }
}

/// What becomes of `j` with this join when these are the fates of what it depends on.
fn becomes(join: &Value, fates: &[Fate]) -> String {
    let names = &["d", "e", "f"][..fates.len()];
    let before = fates.iter().zip(names).flat_map(|(fate, name)| fate.steps(name));
    let join = step("j").after(names).set("join", join.clone());
    let lean = Terms { skip_optional: fates.contains(&Strategy), parallelism: 99, ..terms() };
    let mut story = Story::of(tolerant(before.chain([join]).collect()), lean);
    for (fate, name) in fates.iter().zip(names) {
        fate.befalls(name, &mut story);
    }
    let status = story.status("j").to_owned();
    if status == "skipped" {
        let reason = story.step("j").skipped.as_ref();
        assert!(matches!(reason, Some(SkipReason::Dependency { .. })), "{reason:?}");
    }
    status
}

#[test]
fn what_becomes_of_a_step_by_its_join_and_the_fates_of_what_it_depends_on() {
    let all = json!("all");
    let any = json!("any");
    let two = json!({"n_of_m": 2});
    // In the order of `FATES`: what became of the first dependency. `+` it starts, `-` it is
    // skipped, `.` it waits.
    let table: [(&Value, &[Fate], &str); 11] = [
        (&all, &[], "+-+++--."),
        (&all, &[Succeeded], "+-+++--."),
        (&all, &[Failed], "-------."),
        (&all, &[Open], "........"),
        (&any, &[], "+------."),
        (&any, &[Open], "+......."),
        (&any, &[Failed], "+------."),
        (&any, &[Condition], "+------."),
        (&two, &[Succeeded, Open], "+......."),
        (&two, &[Succeeded, Failed], "+------."),
        (&two, &[Failed, Failed], "--------"),
    ];
    for (join, others, expected) in table {
        for (fate, mark) in FATES.into_iter().zip(expected.chars()) {
            let fates: Vec<Fate> = [fate].into_iter().chain(others.iter().copied()).collect();
            let status = match mark {
                '+' => "running",
                '-' => "skipped",
                _ => "pending",
            };
            assert_eq!(becomes(join, &fates), status, "{join} over {fates:?}");
        }
    }
}

fn any(name: &str, of: &[&str]) -> StepDefinition {
    step(name).after(of).set("join", json!("any"))
}

#[test]
fn losers_go_on_and_the_step_sees_none_of_what_they_produce() {
    let sees = json!({"a": "=has(data.a)", "b": "=has(data.b)", "s": "=has(steps.b)"});
    let join = any("j", &["a", "b"]).sends(sees).retry(retries(1));
    let reads = transform("k", json!({"k": "=data.b"})).after(&["j", "b"]);
    let mut story = Story::begin(vec![step("a"), step("b"), join, reads]);
    story.succeed("a", json!({"a": 1}));
    assert_eq!(story.in_flight(), ["b", "j"]);
    story.fail("j", http(503));
    story.succeed("b", json!({"b": 2}));
    story.wait(1_000);
    let seen = json!({"a": true, "b": false, "s": false});
    assert_eq!(story.sent("j"), &seen, "nor what came before its second attempt");
    story.succeed("j", json!({}));
    assert_eq!(story.state.result().unwrap()["k"], json!(2), "a step that waited for it sees it");
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_join_sees_all_that_was_done_when_it_fired() {
    let reads = transform("j", json!({"seen": "=[data.a, data.b]"})).after(&["a", "b", "c"]);
    let reads = reads.set("join", json!({"n_of_m": 2}));
    let mut story = Story::begin(vec![step("a"), step("b"), step("c"), reads]);
    story.succeed("b", json!({"b": 2}));
    assert_eq!(story.status("j"), "pending");
    story.succeed("a", json!({"a": 1}));
    assert_eq!(story.status("j"), "succeeded");
    story.succeed("c", json!({}));
    assert_eq!(story.state.result().unwrap()["seen"], json!([1, 2]));
}

#[test]
fn losers_are_called_off_with_what_only_they_need() {
    let steps = vec![
        step("a"),
        step("only"),
        step("shared"),
        step("b").after(&["only", "shared"]),
        step("c").worker("paid"),
        any("j", &["a", "b", "c"]).set("losers", json!("cancel")),
        step("other").after(&["shared"]),
    ];
    let mut story = Story::begin(steps);
    let late = story.fence("c");
    story.succeed("a", json!({}));
    let statuses = ["only", "shared", "b", "c"].map(|name| story.status(name).to_owned());
    assert_eq!(statuses, ["cancelled", "running", "cancelled", "cancelled"]);
    assert_eq!(story.in_flight(), ["shared", "j"]);
    assert_eq!(story.state.spent.as_micros(), 100, "what a loser cost is not known yet");
    story.answer(late, Ok(json!({"c": 1})), Some(3));
    assert_eq!(story.state.spent.as_micros(), 3);
    for name in ["shared", "other", "j"] {
        story.succeed(name, json!({}));
    }
    assert_eq!(story.ended(), "completed", "nothing that was needed is missing");
    let made = story.state.summary(story.now).optimizations;
    let called_off = made.iter().find(|made| made.kind.as_str() == "losers_cancelled").unwrap();
    assert_eq!(called_off.steps, ["only", "b", "c"]);
}

#[test]
fn losers_of_every_kind_are_called_off() {
    let losers = vec![
        super::kinds::map("m").retry(retries(1)),
        wait("w", json!({"signal": "go"})),
        child("c"),
        step("r").retry(retries(1)),
        step("held").edit(|step| step.worker = Some("other".to_owned())),
    ];
    let join = any("j", &["a", "m", "w", "c", "r", "held"]).set("losers", json!("cancel"));
    let steps = [vec![step("a")], losers, vec![join]].concat();
    let template = with_inner(template(steps), vec![step("i")]);
    let mut story = over(json!([1, 2, 3]), template, terms());
    story.fail_at("m[1]", http(503));
    story.fail("r", http(503));
    let begun = story.begun[0].id.clone();
    story.succeed("a", json!({}));
    for name in ["m", "m[0]", "m[1]", "m[2]", "w", "c", "r", "held"] {
        assert_eq!(story.status_at(name), "cancelled", "{name}");
    }
    assert_eq!((story.called_off.clone(), story.in_flight()), (vec![begun], vec!["j".to_owned()]));
    assert_eq!(story.state.next_timer(story.now), Some(super::story::at(20_000)), "`j` alone");
    story.succeed("j", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_step_that_needs_a_loser_is_skipped_with_it() {
    let steps = vec![
        step("a"),
        step("b"),
        any("j", &["a", "b"]).set("losers", json!("cancel")),
        step("n").after(&["b"]),
    ];
    let mut story = Story::begin(steps);
    story.succeed("a", json!({}));
    let reason = SkipReason::Dependency { step: "b".to_owned() };
    assert_eq!((story.status("b"), &story.step("n").skipped), ("cancelled", &Some(reason)));
}

#[test]
fn a_join_that_fired_calls_off_though_no_place_is_free_for_the_step() {
    let steps =
        vec![step("a"), step("b"), step("x"), any("j", &["a", "b"]).set("losers", json!("cancel"))];
    let mut story = Story::of(template(steps), Terms { parallelism: 3, ..terms() });
    story.slots = 0;
    story.succeed("a", json!({}));
    assert_eq!((story.status("b"), story.status("j")), ("cancelled", "ready"));
}

#[test]
fn the_answer_of_a_loser_that_fails_later_does_not_fail_what_has_started() {
    let mut story = Story::of(tolerant(vec![step("a"), step("b"), any("j", &["a", "b"])]), terms());
    story.succeed("b", json!({}));
    story.fail("a", http(400));
    assert_eq!(story.in_flight(), ["j"]);
    story.succeed("j", json!({}));
    assert_eq!(story.ended(), "partial", "a required step failed all the same");
}

fn sequential(template: TemplateDefinition) -> TemplateDefinition {
    TemplateDefinition { allow_parallel: false, ..template }
}

#[test]
fn a_template_without_parallelism_does_one_step_after_the_other_joins_included() {
    for join in [json!("any"), json!({"n_of_m": 1})] {
        let join = step("j").after(&["a", "b"]).set("join", join).set("losers", json!("cancel"));
        let steps = vec![step("a"), step("b"), join, step("z")];
        let mut story = Story::of(sequential(tolerant(steps)), terms());
        story.succeed("a", json!({}));
        assert_eq!(story.in_flight(), ["b"]);
        story.fail("b", http(400));
        assert_eq!(story.in_flight(), ["j"], "one of the two succeeded");
        story.succeed("j", json!({}));
        story.succeed("z", json!({}));
        assert_eq!(story.ended(), "partial");
    }
}

#[test]
fn joins_over_joins_see_what_each_waited_for() {
    let first = transform("x", json!({"x": "=has(data.b)"})).after(&["a", "b"]);
    let first = first.set("join", json!("any"));
    let last = transform("y", json!({"y": "=[data.x, has(data.b)]"})).after(&["x", "w"]);
    let mut story = Story::begin(vec![step("a"), step("b"), first, step("w"), last]);
    story.succeed("a", json!({}));
    assert_eq!(story.status("x"), "succeeded");
    story.succeed("b", json!({"b": 1}));
    story.succeed("w", json!({}));
    assert_eq!(story.state.result().unwrap()["y"], json!([false, true]));
}

#[test]
fn the_place_of_a_loser_is_the_steps_at_once() {
    let delay = wait("w", json!({"delay_ms": 7_000}));
    let join = any("j", &["c", "w"]).set("losers", json!("cancel"));
    let template = with_inner(template(vec![child("c"), delay, join]), vec![step("i")]);
    let mut story = Story::of(template, Terms { parallelism: 1, ..terms() });
    assert_eq!((story.in_flight(), story.ended()), (vec!["c".to_owned()], "waiting"));
    story.wait(7_000);
    assert_eq!((story.in_flight(), story.ended()), (vec!["j".to_owned()], "running"));
}

#[test]
fn a_step_that_begins_with_the_money_of_a_loser_wakes_the_execution() {
    let join = any("j", &["c", "w"]).worker("paid").set("losers", json!("cancel"));
    let undone = child("c").set("compensate", json!({"worker": "paid"}));
    let steps = vec![undone, wait("w", json!({"signal": "go"})), join.when(json!("false"))];
    let other = step("k").worker("paid").after(&["w"]);
    let template = with_inner(template([steps, vec![other]].concat()), vec![step("i")]);
    let mut story = Story::of(template, super::kinds::budget(250));
    assert_eq!(story.ended(), "waiting");
    story.wait(1_000);
    story.signal("go", json!(1));
    assert_eq!((story.status("j"), story.in_flight()), ("skipped", vec!["k".to_owned()]));
    assert_eq!((story.ended(), story.told("woken").len()), ("running", 1));
}
