//! Money: what is kept back, what is settled, and what a budget refuses.

use serde_json::json;

use super::story::{Shape, Story, broken, http, retries, step, template, terms, tolerant, usd};
use crate::execution::{Asked, Fault, FaultKind, Input, Message, PauseReason, Rejection, Terms};
use crate::plan::definition::{StepDefinition, TemplateDefinition};
use crate::time::Millis;

fn paid(name: &str) -> StepDefinition {
    step(name).worker("paid")
}

fn budget(micros: u64) -> Terms {
    Terms { budget: Some(usd(micros)), ..terms() }
}

fn spent(story: &Story) -> (u64, u64) {
    (story.state.spent.as_micros(), story.state.reserved.as_micros())
}

#[test]
fn a_reservation_stands_while_the_call_is_made_and_the_real_cost_replaces_it() {
    let mut story = Story::begin(vec![paid("a")]);
    assert_eq!(spent(&story), (0, 100));
    story.answer(story.fence("a"), Ok(json!({})), Some(37));
    assert_eq!(spent(&story), (37, 0));
    assert!(!story.state.cost_estimated);
}

#[test]
fn a_worker_that_names_no_cost_is_settled_at_its_estimate_and_marked() {
    let mut story = Story::begin(vec![paid("a")]);
    story.answer(story.fence("a"), Ok(json!({})), None);
    assert_eq!(spent(&story), (100, 0));
    assert!(story.state.cost_estimated && story.step("a").cost_estimated);
    let mut story = Story::begin(vec![step("free")]);
    story.answer(story.fence("free"), Ok(json!({})), None);
    assert_eq!((spent(&story), story.state.cost_estimated), ((0, 0), false));
}

#[test]
fn what_a_failed_attempt_costs_depends_on_whether_the_work_may_have_been_done() {
    let refused = || Fault::new(FaultKind::Refused, "worker.binding_missing", "never sent");
    let output = || Fault::new(FaultKind::Output, "worker.malformed_output", "no JSON");
    for (fault, said, counted) in [
        (http(503), None, 0),
        (http(503), Some(12), 12),
        (output(), None, 100),
        (output(), Some(12), 12),
        (broken(), None, 100),
        (refused(), None, 0),
    ] {
        let mut story = Story::begin(vec![paid("a")]);
        story.answer(story.fence("a"), Err(fault.clone()), said);
        assert_eq!(spent(&story), (counted, 0), "{fault:?} {said:?}");
        assert_eq!(story.state.cost_estimated, said.is_none() && counted > 0);
    }
}

#[test]
fn a_step_that_the_budget_cannot_pay_for_now_waits_until_money_comes_free() {
    let mut story = Story::of(template(vec![paid("a"), paid("b")]), budget(150));
    assert_eq!(story.in_flight(), ["a"], "two reservations do not fit");
    assert_eq!(story.status("b"), "ready");
    story.answer(story.fence("a"), Ok(json!({})), Some(40));
    assert_eq!(story.in_flight(), ["b"], "a cost 40 of its 100");
    story.answer(story.fence("b"), Ok(json!({})), Some(100));
    assert_eq!((story.ended(), spent(&story)), ("completed", (140, 0)));
}

#[test]
fn what_fits_exactly_is_started() {
    let story = Story::of(template(vec![paid("a"), paid("b")]), budget(200));
    assert_eq!(story.in_flight(), ["a", "b"]);
}

fn resume(story: &mut Story, budget: Option<u64>) {
    let asked = Asked { by: "key:1".to_owned(), reason: None };
    let resume = Message::Resume { asked, budget: budget.map(usd) };
    story.input(Input::Message(resume)).expect("a paused execution goes on");
}

/// What a pause for want of money says: the step, what it needs, what is spent, the limit.
fn paused(story: &Story) -> Option<(&str, u64, u64, u64)> {
    match story.state.paused.as_ref()? {
        PauseReason::Budget { step, needed, spent, limit } => {
            Some((step, needed.as_micros(), spent.as_micros(), limit.as_micros()))
        }
        other => panic!("paused for {other:?}"),
    }
}

#[test]
fn an_execution_that_can_pay_for_nothing_more_is_paused_and_says_why() {
    for template in [template, tolerant] {
        let mut story = Story::of(template(vec![paid("a"), paid("b").after(&["a"])]), budget(150));
        story.answer(story.fence("a"), Ok(json!({})), Some(100));
        assert_eq!((story.ended(), paused(&story)), ("paused", Some(("b", 100, 100, 150))));
        assert!(story.state.fault.is_none() && story.in_flight().is_empty());
        assert!(!story.state.has_startable(story.now));
    }
}

#[test]
fn a_budget_that_cannot_pay_for_the_first_step_pauses_the_execution_at_its_start() {
    let story = Story::of(template(vec![paid("a")]), budget(99));
    assert_eq!((story.ended(), paused(&story)), ("paused", Some(("a", 100, 0, 99))));
    assert!(story.calls.is_empty());
}

#[test]
fn a_paused_execution_goes_on_with_a_higher_budget() {
    let mut story = Story::of(template(vec![paid("a"), paid("b").after(&["a"])]), budget(150));
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    story.now = story.now.plus(Millis::from_secs(3_600));
    resume(&mut story, Some(200));
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["b".to_owned()]));
    story.answer(story.fence("b"), Ok(json!({})), Some(100));
    assert_eq!((story.ended(), spent(&story)), ("completed", (200, 0)));
    assert_eq!(story.state.summary(story.now).duration, Millis::ZERO, "a pause takes no time");
}

#[test]
fn a_budget_that_is_raised_too_little_pauses_the_execution_again() {
    let mut story = Story::of(template(vec![paid("a"), paid("b").after(&["a"])]), budget(150));
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    resume(&mut story, Some(199));
    assert_eq!((story.ended(), paused(&story)), ("paused", Some(("b", 100, 100, 199))));
    let asked = Asked { by: "key:1".to_owned(), reason: None };
    let same = Input::Message(Message::Resume { asked, budget: None });
    assert_eq!(story.input(same), Err(Rejection::NotApplicable), "nothing would be different");
}

#[test]
fn an_execution_that_nobody_gives_money_to_ends_when_it_was_paused_too_long() {
    let mut story = Story::of(template(vec![paid("a")]), budget(99));
    let week = terms().waiting_max;
    assert_eq!(story.state.next_timer(story.now), Some(story.now.plus(week)));
    story.wait(week.get());
    assert_eq!((story.ended(), story.code()), ("failed", "execution.waited_too_long"));
}

#[test]
fn steps_that_cost_nothing_go_on_though_others_cannot_be_paid_for() {
    let mut story = Story::of(tolerant(vec![paid("a"), step("free"), paid("b")]), budget(100));
    assert_eq!(story.in_flight(), ["a", "free"]);
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    assert_eq!(story.ended(), "running");
    story.succeed("free", json!({}));
    assert_eq!((story.ended(), paused(&story)), ("paused", Some(("b", 100, 100, 100))));
    resume(&mut story, Some(200));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_driver_without_slots_does_not_pause_what_the_next_driver_can_pay_for() {
    let steps = vec![paid("a"), step("free").after(&["a"]), paid("b").after(&["a"])];
    let mut story = Story::of(template(steps), budget(100));
    story.slots = 0;
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    assert_eq!(story.ended(), "running", "`free` can go on under the next driver");
    story.slots = 4;
    story.input(Input::Resume).unwrap();
    assert_eq!(story.in_flight(), ["free"]);
}

#[test]
fn a_retry_that_cannot_be_paid_for_pauses_the_execution_when_it_is_due() {
    let mut story = Story::of(template(vec![paid("a").retry(retries(3))]), budget(150));
    story.answer(story.fence("a"), Err(broken()), None);
    assert_eq!(story.status("a"), "retrying");
    story.wait(1_000);
    assert_eq!((story.ended(), paused(&story)), ("paused", Some(("a", 100, 100, 150))));
    resume(&mut story, Some(200));
    assert_eq!((story.in_flight(), story.step("a").attempts), (vec!["a".to_owned()], 2));
}

#[test]
fn a_retry_that_is_not_due_yet_keeps_the_execution_open() {
    let steps = vec![step("a").retry(retries(3)), paid("b")];
    let mut story = Story::of(template(steps), budget(50));
    story.answer(story.fence("a"), Err(broken()), None);
    assert_eq!(story.ended(), "running");
    story.wait(1_000);
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn a_budget_of_nothing_pays_for_what_costs_nothing() {
    let mut story = Story::of(template(vec![step("a")]), budget(0));
    story.succeed("a", json!({}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_attempt_that_is_cut_off_by_the_end_counts_as_spent() {
    let mut story = Story::begin(vec![paid("a"), step("b")]);
    story.fail("b", http(400));
    assert_eq!((story.ended(), spent(&story)), ("failed", (100, 0)));
    assert!(story.state.cost_estimated);
    assert_eq!(story.step("a").cost.as_micros(), 100);
}

#[test]
fn the_fallbacks_estimate_is_what_is_kept_back_for_it() {
    let mut template = template(vec![step("a").fallback("paid")]);
    template.failure_tolerance = TemplateDefinition::default().failure_tolerance;
    let mut story = Story::of(template, budget(100));
    assert_eq!(spent(&story), (0, 0));
    story.fail("a", http(503));
    assert_eq!(spent(&story), (0, 100));
}

#[test]
fn a_worker_that_charges_more_than_its_estimate_is_booked_in_full() {
    let mut story = Story::of(template(vec![paid("a"), paid("b").after(&["a"])]), budget(150));
    story.answer(story.fence("a"), Ok(json!({})), Some(900));
    assert_eq!((story.ended(), spent(&story)), ("paused", (900, 0)));
    assert_eq!(paused(&story), Some(("b", 100, 900, 150)));
}
