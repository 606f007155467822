//! Executions within executions: what they start from, what they may spend, and what their end
//! means to the step that began them.

use serde_json::{Value, json};

use super::kinds::{Settings, begun_at_depth, budget, by_key, child, child_failed, with_inner};
use super::story::{
    DEADLINE, Shape, Story, at, http, retries, step, template, terms, tolerant, transform,
};
use crate::execution::{Applies, Message, Terms};
use crate::plan::definition::{FailureTolerance, RetryDefinition, StepDefinition};
use crate::time::Millis;

fn of(steps: Vec<StepDefinition>, terms: Terms) -> Story {
    Story::of(with_inner(tolerant(steps), vec![step("i").worker("paid")]), terms)
}

#[test]
fn a_child_is_begun_once_in_the_shard_of_its_parent_and_keeps_its_id() {
    let mut story = of(vec![child("c")], terms());
    assert_eq!((story.begun.len(), story.calls.len()), (1, 0));
    let begun = story.begun[0].clone();
    assert_eq!(begun.id.shard(), story.state.started.id.shard());
    assert_ne!(begun.id, story.state.started.id);
    assert_eq!(story.step("c").attempt.as_ref().unwrap().child, Some(begun.id.clone()));
    assert!(story.take_over().is_empty(), "a lost driver loses no execution");
    assert_eq!(story.in_flight(), ["c"]);
    let again = story.state.child(begun.fence, at(0)).unwrap();
    assert_eq!(again, begun, "the next driver begins the very same");
    story.wait(3_600_000);
    assert_eq!(story.begun.len(), 1);
}

#[test]
fn two_children_have_ids_of_their_own() {
    let story = of(vec![child("c"), child("d")], terms());
    assert_ne!(story.child_of("c").id, story.child_of("d").id);
}

#[test]
fn a_child_starts_from_its_parents_snapshot_request_and_terms() {
    let lean = Terms { strategy: "lean".into(), skip_optional: true, parallelism: 3, ..terms() };
    let sends = json!({"n": "=data.n + 1", "topic": "wasps"});
    let steps = vec![step("a"), child("c").after(&["a"]).sends(sends)];
    let request = json!({"topic": "bees", "depth": 4, "input": {"n": 1}});
    let template = with_inner(template(steps), vec![step("i")]);
    let mut story = Story::asked(template, lean.clone(), request, u32::MAX);
    story.wait(7_000);
    story.succeed("a", json!({}));
    let started = story.child_of("c").started.clone().unwrap();
    let input = json!({"n": 2, "topic": "wasps"});
    assert_eq!(started.request, json!({"topic": "wasps", "depth": 4, "input": input}));
    assert_eq!((started.definition.name.as_str(), started.at), ("inner", at(7_000)));
    assert_eq!(started.terms, lean);
    assert_eq!(started.account, story.state.started.account);
    assert_eq!(started.traceparent, story.state.started.traceparent);
    let parent = started.parent.unwrap();
    assert_eq!((&parent.id, parent.step.as_str()), (&story.state.started.id, "c"));
    assert_eq!(parent.depth, 1);
}

#[test]
fn a_childs_deadline_is_its_templates_within_its_parents() {
    for (own_ms, expected) in
        [(None, DEADLINE), (Some(5_000), Millis::new(5_000)), (Some(u64::MAX), DEADLINE)]
    {
        let mut template = with_inner(template(vec![child("c")]), vec![step("i")]);
        template.templates.get_mut("inner").unwrap().deadline_ms = own_ms;
        let story = Story::of(template, terms());
        let started = story.begun[0].started.clone().unwrap();
        assert_eq!(started.terms.deadline, expected, "{own_ms:?}");
    }
}

fn share(story: &Story, step: &str) -> Option<u64> {
    let started = story.child_of(step).started.clone().unwrap();
    started.terms.budget.map(crate::money::MicroUsd::as_micros)
}

#[test]
fn a_child_may_spend_what_its_step_says_or_what_is_left() {
    let own = || child("c").set("budget_usd", json!(0.0004));
    for (step, terms, expected) in [
        (child("c"), terms(), None),
        (child("c"), budget(1_000), Some(1_000)),
        (own(), terms(), Some(400)),
        (own(), budget(1_000), Some(400)),
    ] {
        let story = of(vec![step], terms);
        assert_eq!(share(&story, "c"), expected);
        assert_eq!(story.state.reserved.as_micros(), expected.unwrap_or_default());
    }
    let story = of(vec![own()], budget(399));
    assert_eq!((story.ended(), story.begun.len()), ("paused", 0), "a share is given whole");
}

#[test]
fn what_is_kept_for_others_is_not_given_to_a_child() {
    let mut story = of(vec![step("a").worker("paid"), child("c")], budget(1_000));
    assert_eq!((share(&story, "c"), story.state.reserved.as_micros()), (Some(900), 1_000));
    story.answer(story.fence("a"), Ok(json!({})), Some(60));
    story.answer(story.fence("c"), Ok(json!({})), Some(123));
    assert_eq!((story.ended(), story.state.spent.as_micros()), ("completed", 183));
    assert_eq!((story.state.reserved.as_micros(), story.state.cost_estimated), (0, false));
    assert_eq!(story.step("c").cost.as_micros(), 123, "to the micro-dollar");
}

#[test]
fn two_children_that_share_a_budget_never_hold_more_than_it() {
    let mut story = of(vec![child("c"), child("d")], budget(500));
    assert_eq!((story.in_flight(), share(&story, "c")), (vec!["c".to_owned()], Some(500)));
    assert_eq!((story.status("d"), story.ended()), ("ready", "waiting"));
    story.answer(story.fence("c"), Ok(json!({})), Some(180));
    assert_eq!((story.in_flight(), share(&story, "d")), (vec!["d".to_owned()], Some(320)));
    let halves = |name: &str| child(name).set("budget_usd", json!(0.00025));
    let story = of(vec![halves("c"), halves("d")], budget(500));
    assert_eq!(story.in_flight(), ["c", "d"]);
    assert_eq!((share(&story, "c"), share(&story, "d")), (Some(250), Some(250)));
}

#[test]
fn a_child_that_may_cost_nothing_waits_for_something_to_spend_all_the_same() {
    let inner = vec![step("i")];
    let template = with_inner(template(vec![child("c"), child("d")]), inner.clone());
    let mut story = Story::of(template, budget(500));
    assert_eq!((story.in_flight(), story.status("d")), (vec!["c".to_owned()], "ready"));
    story.answer(story.fence("c"), Ok(json!({})), Some(500));
    assert_eq!((story.in_flight(), share(&story, "d")), (vec!["d".to_owned()], Some(0)));
    let alone = with_inner(super::story::template(vec![child("c")]), inner);
    let story = Story::of(alone, budget(0));
    assert_eq!(story.in_flight(), ["c"], "nothing pays for what costs nothing");
}

/// A child whose two steps end so, and what its parent makes of that.
fn ends(results: [Option<Value>; 2], accept_partial: bool, cancelled: bool) -> (Story, Story) {
    let steps = vec![child("c").set("accept_partial", json!(accept_partial))];
    let mut template = with_inner(tolerant(steps), vec![step("i"), step("k")]);
    let inner = template.templates.get_mut("inner").unwrap();
    inner.failure_tolerance = FailureTolerance::Partial;
    let mut parent = Story::of(template, terms());
    let begun = parent.begun[0].clone();
    let mut child = Story::within(&begun);
    for (name, result) in ["i", "k"].into_iter().zip(results) {
        let cost = Some(if name == "i" { 10 } else { 7 });
        child.answer(child.fence(name), result.ok_or(http(400)), cost);
        if cancelled {
            child.message(Message::Cancel { asked: by_key() });
            break;
        }
    }
    let outcome = child.state.outcome_of_step(begun.accepts_partial);
    let (fence, input) =
        (begun.fence, crate::execution::Input::Answered { fence: begun.fence, outcome });
    assert!(parent.state.is_in_flight(fence));
    parent.input(input).unwrap();
    (parent, child)
}

#[test]
fn the_end_of_a_child_is_the_end_of_its_step_at_its_cost() {
    let (one, two) = (Some(json!({"x": 1})), Some(json!({"y": 2})));
    let (parent, child) = ends([one.clone(), two], true, false);
    assert_eq!((child.ended(), parent.ended()), ("completed", "completed"));
    assert_eq!(parent.output("c"), &json!({"topic": "bees", "x": 1, "y": 2}));
    assert_eq!(parent.state.spent.as_micros(), 17);

    let (parent, child) = ends([one.clone(), None], true, false);
    assert_eq!((child.ended(), parent.ended()), ("partial", "completed"));
    assert_eq!(parent.output("c"), &json!({"topic": "bees", "x": 1}));

    let (parent, child) = ends([one.clone(), None], false, false);
    assert_eq!((child.ended(), parent.fault("c").0), ("partial", "pipeline.failed"));
    let told = format!("the execution {} of `inner` is partial", child.state.started.id);
    assert!(parent.fault("c").1.contains(&told), "{:?}", parent.fault("c"));

    let (parent, child) = ends([None, None], true, false);
    assert_eq!((child.ended(), parent.ended()), ("failed", "failed"));
    assert_eq!((parent.code(), parent.state.spent.as_micros()), ("pipeline.failed", 17));

    let (parent, child) = ends([one, None], true, true);
    assert_eq!((child.ended(), parent.code()), ("cancelled", "pipeline.cancelled"));
    assert!(parent.state.spent.as_micros() >= 10);
}

#[test]
fn a_child_that_failed_is_not_begun_again_by_itself() {
    let steps = vec![child("c").retry(retries(3)), step("n").after(&["c"])];
    let mut story = of(steps, terms());
    story.answer(story.fence("c"), Err(child_failed()), Some(5));
    assert_eq!((story.ended(), story.status("n"), story.begun.len()), ("failed", "skipped", 1));
    assert_eq!(story.state.spent.as_micros(), 5);
    let mut story = of(vec![child("c").optional(), step("n").after(&["c"])], terms());
    story.answer(story.fence("c"), Err(child_failed()), Some(5));
    assert_eq!((story.status("c"), story.in_flight()), ("skipped", vec!["n".to_owned()]));
}

#[test]
fn executions_stand_at_most_so_deep_within_each_other() {
    let template = || with_inner(template(vec![child("c")]), vec![step("i")]);
    for depth in [0, 1, 4] {
        let (state, called_for) = begun_at_depth(template(), depth);
        assert_eq!((state.status.as_str(), called_for), ("waiting", 1), "{depth}");
    }
    for depth in [5, 6] {
        let (state, called_for) = begun_at_depth(template(), depth);
        assert_eq!((state.status.as_str(), called_for), ("failed", 0), "{depth}");
        let fault = state.fault.unwrap();
        assert_eq!(fault.code, "pipeline.too_deep");
        assert!(fault.message.contains("step `c`: `inner` would stand"), "{fault:?}");
    }
}

#[test]
fn a_child_that_its_step_gives_up_is_called_off_and_counts_as_what_it_was_given() {
    let within = RetryDefinition { total_deadline_ms: Some(9_000), ..retries(3) };
    let mut story = of(vec![child("c").retry(within), step("b")], budget(500));
    let begun = story.begun[0].id.clone();
    story.wait(9_000);
    assert_eq!((story.status("c"), story.fault("c").0), ("failed", "step.deadline_exceeded"));
    assert_eq!((story.called_off.clone(), story.begun.len()), (vec![begun.clone()], 1));
    assert_eq!(story.state.spent.as_micros(), 500, "nobody knows yet what it spent");
    assert_eq!(story.state.abandoned_children(), [begun], "a driver after this one tells it too");
    story.answer(crate::ids::Fence(1), Err(child_failed()), Some(20));
    assert_eq!((story.state.spent.as_micros(), story.in_flight()), (20, vec!["b".to_owned()]));
}

#[test]
fn a_child_is_waited_for_no_longer_than_an_execution_may_wait() {
    let brief = Terms { waiting_max: Millis::from_secs(10), ..terms() };
    let mut story = of(vec![child("c").retry(retries(3)), step("b")], brief);
    story.wait(10_000);
    assert_eq!((story.status("c"), story.fault("c").0), ("failed", "pipeline.waited_too_long"));
    assert!(story.fault("c").1.contains("step `c`: the execution"), "{:?}", story.fault("c"));
    assert_eq!((story.called_off.len(), story.begun.len()), (1, 1));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_child_takes_no_slot_but_a_place_among_the_steps() {
    let template = || with_inner(template(vec![child("c"), child("d")]), vec![step("i")]);
    let story = Story::asked(template(), terms(), json!({}), 0);
    assert_eq!(story.in_flight(), ["c", "d"]);
    let one = Terms { parallelism: 1, ..terms() };
    let story = Story::asked(template(), one, json!({}), 9);
    assert_eq!((story.in_flight(), story.status("d")), (vec!["c".to_owned()], "ready"));
}

#[test]
fn a_child_whose_input_cannot_be_made_is_not_begun() {
    let story = of(vec![child("c").sends(json!({"x": "$.nowhere"}))], terms());
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    assert!(story.fault("c").1.contains("step `c`, input_mapping"), "{:?}", story.fault("c"));
    assert!(story.begun.is_empty());
}

#[test]
fn a_rerun_begins_another_execution() {
    let mut story = of(vec![child("c")], terms());
    story.succeed("c", json!({"x": 1}));
    let (asked, step) = (by_key(), "c".to_owned());
    story.message(Message::Rerun { asked, step, input: Some(json!({"n": 5})) });
    assert_eq!((story.begun.len(), story.in_flight()), (2, vec!["c".to_owned()]));
    assert_ne!(story.begun[0].id, story.begun[1].id);
    let started = story.begun[1].started.clone().unwrap();
    assert_eq!(started.request["input"], json!({"n": 5}));
}

#[test]
fn what_a_child_came_to_is_its_parents_and_not_done_anew() {
    let (state, _) = begun_at_depth(template(vec![transform("a", json!({"x": 1}))]), 1);
    let rerun = Message::Rerun { asked: by_key(), step: "a".to_owned(), input: None };
    for message in [rerun, Message::Retry { asked: by_key() }] {
        let Applies::Refused(refusal) = state.applies(&message) else {
            panic!("{message:?} would spend what the parent never counts");
        };
        assert_eq!(refusal.code, "execution.of_parent");
    }
}
