//! Pause, resume and parking: nothing starts, what comes counts, and the time that passed is given
//! back.

use serde_json::json;

use super::asking::{ada, cancel, completed, outcome, pause, rerun, resume, retry, signal};
use super::asking::{child, tolerating, wait, with_others};
use super::story::{Shape, Story, at, broken, http, retries, step, template, terms, usd};
use crate::execution::{Blocker, Event, PauseReason, Terms};
use crate::plan::definition::{FailureTolerance, RetryDefinition};
use crate::time::Millis;

fn budget(micros: u64) -> Terms {
    Terms { budget: Some(usd(micros)), ..terms() }
}

#[test]
fn nothing_starts_while_it_is_paused_and_answers_count() {
    let steps = vec![step("a"), step("b").retry(retries(3)), step("c").after(&["a"])];
    let mut story = Story::begin(steps);
    let events = story.ask(pause());
    assert_eq!(Story::types(&events), ["asked", "paused"]);
    assert_eq!(story.refused(pause()), "already");
    story.done("a");
    story.breaks("b", http(503));
    assert_eq!((story.status("a"), story.status("c")), ("succeeded", "ready"));
    story.wait(60_000);
    assert_eq!((story.in_flight(), story.status("b")), (Vec::<String>::new(), "retrying"));
    let why = story.state.why(story.now);
    assert_eq!(why.len(), 2);
    assert!(why.iter().all(|blocked| blocked.by == Blocker::Pause(PauseReason::Asked)));
    let events = story.ask(resume(None));
    assert_eq!(Story::types(&events)[..2], ["asked", "resumed"]);
    assert_eq!(story.in_flight(), ["b", "c"]);
    assert_eq!(story.refused(resume(None)), "already");
}

#[test]
fn the_clock_and_total_deadlines_stand_still_and_waiting_has_its_own_limit() {
    let slow = RetryDefinition { total_deadline_ms: Some(30_000), ..retries(9) };
    let steps = vec![step("a").retry(slow), step("b").after(&["a"])];
    let mut story = Story::begin(steps);
    story.wait(10_000);
    story.ask(pause());
    assert_eq!(story.state.deadline_at, story.now.plus(terms().waiting_max));
    assert_eq!(story.state.idle_since(), Some(at(10_000)));
    story.wait(9_999);
    story.breaks("a", http(503));
    assert_eq!(story.status("a"), "retrying");
    story.wait(3_600_000);
    assert_eq!(story.state.active(story.now), Millis::from_secs(10));
    story.ask(resume(None));
    assert_eq!(story.in_flight(), ["a"], "its total deadline did not pass meanwhile");
    let resumed_at = story.now;
    assert_eq!(story.step("a").give_up_at, Some(resumed_at.plus(Millis::from_secs(20))));
    assert_eq!(story.state.deadline_at, resumed_at.plus(Millis::from_secs(290)));
    story.wait(20_000);
    assert_eq!((story.ended(), story.code()), ("failed", "step.deadline_exceeded"));
}

#[test]
fn a_failure_late_in_a_pause_is_retried_in_the_time_that_is_given_back() {
    let slow = RetryDefinition { total_deadline_ms: Some(30_000), ..retries(9) };
    let mut story = Story::begin(vec![step("a").retry(slow)]);
    story.accept("a", Some(600_000));
    story.wait(1_000);
    story.ask(pause());
    story.wait(100_000);
    story.breaks("a", http(503));
    assert_eq!(story.status("a"), "retrying", "29 s are left of its 30");
    story.ask(resume(None));
    assert_eq!(story.step("a").give_up_at, Some(at(130_000)));
}

#[test]
fn time_in_the_queue_stands_still_as_well() {
    let queued = super::asking::configured(step("b"), json!({"queue_timeout_ms": 5_000}));
    let one = Terms { parallelism: 1, ..terms() };
    let mut story = Story::of(template(vec![step("a"), queued]), one);
    story.wait(1_000);
    story.ask(pause());
    story.wait(10_000);
    story.ask(resume(None));
    assert_eq!(story.status("b"), "ready");
    story.wait(3_999);
    assert_eq!(story.status("b"), "ready");
    story.wait(1);
    assert_eq!((story.ended(), story.code()), ("failed", "step.queue_timeout"));
}

#[test]
fn a_pause_that_is_forgotten_ends_after_the_limit_of_waiting() {
    for settled in [false, true] {
        let mut story = Story::begin(vec![step("a").retry(retries(0))]);
        story.ask(pause());
        if settled {
            story.done("a");
            assert_eq!(story.ended(), "paused", "it does not end behind an operator's back");
        }
        story.now = story.state.deadline_at;
        story.input(crate::execution::Input::Tick).unwrap();
        assert_eq!((story.ended(), story.code()), ("failed", "execution.waited_too_long"));
        assert_eq!(story.now, at(0).plus(terms().waiting_max));
    }
}

#[test]
fn what_was_all_done_in_a_pause_ends_with_the_resume() {
    let mut story = Story::begin(vec![step("a")]);
    story.ask(pause());
    story.done("a");
    let events = story.ask(resume(None));
    assert_eq!(Story::types(&events), ["asked", "resumed", "finished"]);
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_signal_and_the_time_of_a_wait_are_felt_after_the_pause() {
    let signalled = wait("ok", json!({"signal": "go", "timeout_ms": 5_000}));
    let delayed = wait("nap", json!({"delay_ms": 3_000}));
    let mut story = Story::begin(vec![signalled, delayed, step("b").after(&["ok"])]);
    assert_eq!(story.ended(), "waiting");
    story.ask(pause());
    story.wait(4_000);
    story.ask(signal("go", json!({"n": 1})));
    story.wait(4_000);
    assert_eq!((story.status("ok"), story.status("nap")), ("waiting", "waiting"));
    story.ask(resume(None));
    assert_eq!((story.status("ok"), story.status("nap")), ("succeeded", "succeeded"));
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["b".to_owned()]));
}

#[test]
fn a_pause_while_it_waits_and_a_resume_into_waiting() {
    let mut story = Story::begin(vec![wait("ok", json!({"signal": "go"}))]);
    story.ask(pause());
    assert_eq!(story.ended(), "paused");
    let events = story.ask(resume(None));
    assert_eq!(Story::types(&events), ["asked", "resumed", "parked"]);
    assert_eq!(story.ended(), "waiting");
    story.ask(signal("go", json!({})));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_spent_budget_pauses_and_a_higher_one_resumes() {
    let paid = |name: &str| step(name).worker("paid");
    let mut story = Story::of(template(vec![paid("a"), paid("b").after(&["a"])]), budget(150));
    story.answer(story.fence("a"), Ok(json!({})), Some(100));
    let reason = PauseReason::Budget {
        step: "b".to_owned(),
        needed: usd(100),
        spent: usd(100),
        limit: usd(150),
    };
    assert_eq!(story.state.paused, Some(reason.clone()));
    assert_eq!(story.refused(resume(None)), "budget.exhausted");
    assert_eq!(story.refused(pause()), "already");
    assert_eq!(story.refused(resume(Some(149))), "budget.not_raised");
    story.ask(resume(Some(160)));
    assert_eq!(story.ended(), "paused", "not enough, and it says so once more");
    story.ask(resume(Some(200)));
    assert_eq!(story.in_flight(), ["b"]);
    assert_eq!(story.state.budget, Some(usd(200)));
}

#[test]
fn a_budget_can_be_raised_while_it_is_running() {
    let paid = |name: &str| step(name).worker("paid");
    let mut story = Story::of(template(vec![paid("a"), paid("b")]), budget(100));
    assert_eq!(story.in_flight(), ["a"]);
    let events = story.ask(resume(Some(200)));
    assert_eq!(Story::types(&events), ["asked", "resumed", "attempt_started"]);
    assert_eq!((story.ended(), story.in_flight().len()), ("running", 2));
}

#[test]
fn an_execution_that_parks_on_failure_waits_for_an_operator() {
    let steps = vec![step("a"), step("b").after(&["a"]), step("c"), step("d").after(&["c"])];
    let mut story = Story::of(tolerating(FailureTolerance::Park, template(steps)), terms());
    story.breaks("a", http(400));
    assert_eq!(story.state.paused, Some(PauseReason::Failure { step: "a".to_owned() }));
    assert_eq!(story.refused(resume(None)), "execution.parked_on_failure");
    story.done("c");
    assert_eq!(story.status("d"), "ready");
    let events = story.ask(retry());
    assert_eq!(Story::types(&events)[..2], ["asked", "reset"]);
    assert_eq!(story.in_flight(), ["a", "d"].map(str::to_owned));
    assert_eq!((story.step("a").generation, story.step("d").generation), (2, 1));
    story.done("a");
    story.done("b");
    story.done("d");
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_failure_while_somebody_holds_it_parks_it_when_it_is_resumed() {
    let steps = vec![step("a"), step("b"), step("c").after(&["b"])];
    let mut story = Story::of(tolerating(FailureTolerance::Park, template(steps)), terms());
    story.ask(pause());
    story.breaks("a", broken());
    story.breaks("b", broken());
    assert_eq!(story.state.paused, Some(PauseReason::Asked));
    story.ask(resume(None));
    assert_eq!(story.state.paused, Some(PauseReason::Failure { step: "a".to_owned() }));
    story.ask(rerun("a", None));
    assert_eq!(story.state.paused, Some(PauseReason::Failure { step: "b".to_owned() }));
    story.ask(retry());
    assert_eq!(story.in_flight(), ["a", "b"]);
    assert_eq!(story.step("a").generation, 2, "it did not fail again");
}

#[test]
fn a_strict_failure_in_a_pause_ends_it() {
    let mut story = Story::begin(vec![super::asking::undone("u"), step("a")]);
    story.ask(pause());
    story.done("u");
    story.breaks("a", http(400));
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["u/compensate".to_owned()]));
    assert!(story.state.paused.is_none());
}

#[test]
fn an_execution_that_a_step_began_ends_while_it_is_paused() {
    let steps = vec![child("sub"), step("b").after(&["sub"])];
    let mut story = Story::of(with_others(template(steps)), terms());
    assert_eq!(story.ended(), "waiting");
    story.ask(pause());
    let notice = crate::execution::Message::ChildEnded { child: story.begun[0].id.clone() };
    assert_eq!(story.ask(notice), [], "the notice alone says nothing");
    story.done("sub");
    assert_eq!((story.ended(), story.status("b")), ("paused", "ready"));
    story.ask(resume(None));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_callback_counts_in_a_pause_and_missed_heartbeats_do_too() {
    let mut story = Story::begin(vec![step("a"), step("b").retry(retries(2))]);
    story.accept("a", None);
    story.accept("b", Some(5_000));
    let fence = story.fence("a");
    story.ask(pause());
    story.ask(completed(fence, outcome(Ok(json!({})), None)));
    story.wait(5_000);
    assert_eq!((story.status("a"), story.status("b")), ("succeeded", "retrying"));
    story.wait(60_000);
    assert_eq!(story.in_flight(), Vec::<String>::new());
    story.ask(resume(None));
    assert_eq!(story.in_flight(), ["b"]);
}

#[test]
fn a_take_over_in_a_pause_notes_what_was_lost_and_starts_nothing() {
    let mut story = Story::begin(vec![step("a").retry(retries(2))]);
    story.ask(pause());
    story.take_over();
    assert_eq!((story.ended(), story.status("a")), ("paused", "retrying"));
    story.ask(resume(None));
    assert_eq!(story.in_flight(), ["a"]);
}

#[test]
fn who_asked_and_why_is_in_the_journal_for_every_verb() {
    let steps = vec![step("a").retry(retries(0)), step("b")];
    let mut story = Story::of(tolerating(FailureTolerance::Park, template(steps)), terms());
    story.ask(pause());
    story.ask(resume(None));
    story.breaks("a", broken());
    story.ask(retry());
    story.breaks("a", broken());
    story.ask(rerun("a", None));
    story.ask(cancel());
    let asked = story.journal.iter().filter_map(|event| match event {
        Event::Asked { verb, asked, .. } => Some((verb.as_str(), asked.clone())),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let verbs = ["pause", "resume", "retry", "rerun", "cancel"];
    assert_eq!(asked, verbs.map(|verb| (verb, ada())));
}

#[test]
fn signals_are_refused_that_no_step_waits_for() {
    let steps = vec![wait("ok", json!({"signal": "go"})), wait("then", json!({"signal": "on"}))];
    let mut story = Story::begin(steps);
    assert_eq!(story.refused(signal("nobody", json!({}))), "signal.unknown");
    story.ask(signal("go", json!({})));
    assert_eq!(story.refused(signal("go", json!({}))), "signal.not_awaited");
    story.ask(signal("on", json!({})));
    assert_eq!(story.refused(signal("on", json!({}))), "execution.ended");
    assert_eq!(story.ended(), "completed");
    story.ask(rerun("then", None));
    assert_eq!(
        (story.ended(), story.status("then")),
        ("waiting", "waiting"),
        "one signal, one wait"
    );
}
