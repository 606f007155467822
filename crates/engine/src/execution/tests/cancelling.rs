//! Cancel and kill, and the way back of executions that fail: what succeeded is undone, in reverse
//! order of completion, and only that.

use serde_json::json;

use super::asking::{cancel, child, completed, kill, map, outcome, pause, undo_by, undone};
use super::asking::{configured, tolerating, with_others};
use super::story::{Shape, Story, broken, http, retries, step, template, terms, tolerant};
use crate::execution::{Event, FaultKind, Input, Rejection, Verb};
use crate::ids::Fence;
use crate::plan::definition::FailureTolerance;

fn asked_verbs(story: &Story) -> Vec<(Verb, String)> {
    let asked = story.journal.iter().filter_map(|event| match event {
        Event::Asked { verb, asked, .. } => Some((*verb, asked.by.clone())),
        _ => None,
    });
    asked.collect()
}

#[test]
fn a_cancel_without_compensations_ends_the_execution_at_once() {
    let mut story = Story::begin(vec![step("a"), step("b").after(&["a"])]);
    let late = story.fence("a");
    let events = story.ask(cancel());
    assert_eq!(Story::types(&events), ["asked", "finished"]);
    assert_eq!((story.ended(), story.code()), ("cancelled", "execution.cancelled"));
    assert_eq!((story.status("a"), story.status("b")), ("cancelled", "cancelled"));
    let fault = story.state.fault.as_ref().unwrap();
    assert_eq!(fault.message, "the execution was cancelled by user:ada: because");
    assert_eq!(asked_verbs(&story), [(Verb::Cancel, "user:ada".to_owned())]);
    let met = story.input(Input::Answered { fence: late, outcome: outcome(Ok(json!({})), None) });
    assert_eq!(met, Err(Rejection::Ended));
    assert_eq!(story.refused(cancel()), "already");
    assert_eq!(story.refused(kill()), "already");
}

#[test]
fn what_succeeded_is_undone_in_reverse_order_of_completion_one_after_the_other() {
    let steps = vec![undone("a"), undone("b"), undone("c"), step("d").after(&["a", "b", "c"])];
    let mut story = Story::begin(steps);
    for name in ["b", "c", "a"] {
        story.done(name);
    }
    let events = story.ask(cancel());
    assert_eq!(Story::types(&events), ["asked", "unwinding", "attempt_started"]);
    assert_eq!((story.ended(), story.status("d")), ("running", "cancelled"), "`d` is let go");
    assert_eq!(story.refused(cancel()), "already");
    for name in ["a", "c", "b"] {
        let path = format!("{name}/compensate");
        assert_eq!(story.in_flight(), [path.as_str()]);
        assert_eq!(story.sent(&path), &json!({"by": name}), "the output, where nothing is mapped");
        assert_eq!(story.calls.last().unwrap().worker, "paid");
        let key = story.calls.last().unwrap().idempotency_key();
        assert_eq!(key, format!("{}/{path}/1", story.state.started.id));
        story.done(&path);
        assert_eq!(story.status(name), "compensated");
    }
    assert_eq!((story.ended(), story.code()), ("cancelled", "execution.cancelled"));
}

#[test]
fn what_is_in_flight_is_drained_and_undone_only_where_it_succeeds() {
    let steps = || vec![undone("good"), undone("bad").retry(retries(3)), step("plain")];
    let mut story = Story::begin(steps());
    story.ask(cancel());
    assert_eq!(story.in_flight(), ["good", "bad"], "nobody waits for `plain`");
    assert_eq!(story.status("plain"), "cancelled");
    story.breaks("bad", broken());
    assert_eq!(story.status("bad"), "cancelled", "a failed attempt is not repeated");
    assert_eq!(story.in_flight(), ["good"], "nothing is undone while something may succeed");
    story.done("good");
    assert_eq!(story.in_flight(), ["good/compensate"]);
    story.done("good/compensate");
    assert_eq!((story.ended(), story.code()), ("cancelled", "execution.cancelled"));
    assert_eq!((story.status("good"), story.status("bad")), ("compensated", "cancelled"));
    let mut story = Story::begin(steps());
    story.ask(cancel());
    story.breaks("bad", broken());
    story.breaks("good", broken());
    assert_eq!(story.ended(), "cancelled", "there was nothing to undo");
    assert_eq!(story.begun_paths(), ["good", "bad", "plain"]);
}

#[test]
fn attempts_that_a_lost_driver_left_are_not_repeated_on_the_way_back() {
    let mut story = Story::begin(vec![undone("a"), undone("b").retry(retries(3))]);
    story.done("a");
    story.ask(cancel());
    story.take_over();
    assert_eq!((story.status("b"), story.in_flight()), ("cancelled", vec!["a/compensate".into()]));
    story.take_over();
    assert_eq!((story.ended(), story.code()), ("cancelled", "compensation.failed"));
}

#[test]
fn an_attempt_that_was_accepted_is_drained_as_well() {
    let mut story = Story::begin(vec![undone("a"), step("b")]);
    let fence = story.fence("a");
    story.accept("a", None);
    story.accept("b", None);
    assert_eq!(story.ended(), "waiting");
    story.ask(cancel());
    assert_eq!((story.in_flight(), story.status("b")), (vec!["a".to_owned()], "cancelled"));
    story.ask(completed(fence, outcome(Ok(json!({})), None)));
    assert_eq!(story.in_flight(), ["a/compensate"]);
}

#[test]
fn a_strict_failure_undoes_what_succeeded_and_a_tolerant_one_does_not() {
    let steps = || vec![undone("a"), step("b").after(&["a"])];
    let mut story = Story::begin(steps());
    story.done("a");
    story.breaks("b", http(400));
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["a/compensate".to_owned()]));
    assert_eq!(story.refused(cancel()), "execution.ending");
    assert_eq!(story.refused(pause()), "execution.ending");
    story.done("a/compensate");
    assert_eq!((story.ended(), story.code()), ("failed", "worker.refused"));
    assert_eq!((story.status("a"), story.status("b")), ("compensated", "failed"));

    let mut story = Story::of(tolerant(steps()), terms());
    story.done("a");
    story.breaks("b", http(400));
    assert_eq!((story.ended(), story.status("a")), ("partial", "succeeded"));
    assert_eq!(story.told("unwinding").len(), 0);
}

#[test]
fn an_output_mapping_that_fails_undoes_everything() {
    let mut definition = template(vec![undone("a")]);
    definition.output_mapping = Some(json!({"x": "=data.missing.x"}));
    let mut story = Story::of(definition, terms());
    story.done("a");
    assert_eq!(story.in_flight(), ["a/compensate"]);
    story.done("a/compensate");
    assert_eq!(story.ended(), "failed");
    assert_eq!(story.state.fault.as_ref().unwrap().kind, FaultKind::Expression);
}

#[test]
fn a_deadline_undoes_as_well_and_the_way_back_has_its_own() {
    let mut story = Story::begin(vec![undone("a"), undone("b"), step("c").retry(retries(99))]);
    story.done("a");
    story.done("b");
    story.now = super::story::at(300_000);
    story.input(Input::Tick).unwrap();
    assert_eq!(story.in_flight(), ["b/compensate"]);
    assert_eq!(story.state.deadline_at, super::story::at(600_000));
    story.breaks("b/compensate", http(503));
    assert_eq!(story.in_flight(), ["a/compensate"], "the rest is undone all the same");
    story.done("a/compensate");
    assert_eq!((story.ended(), story.code()), ("failed", "compensation.failed"));
    let message = &story.state.fault.as_ref().unwrap().message;
    assert!(message.contains("deadline of 300") && message.contains("`b`"), "{message}");
}

#[test]
fn a_kill_ends_at_once_and_undoes_nothing_even_on_the_way_back() {
    let mut story = Story::begin(vec![undone("a"), step("b")]);
    story.done("a");
    let events = story.ask(kill());
    assert_eq!(Story::types(&events), ["asked", "finished"]);
    assert_eq!((story.ended(), story.code()), ("cancelled", "execution.killed"));
    assert_eq!((story.status("a"), story.status("b")), ("succeeded", "cancelled"));
    assert_eq!(story.refused(kill()), "already");

    let mut story = Story::begin(vec![undone("a"), undone("b"), step("c")]);
    story.done("a");
    story.done("b");
    story.ask(cancel());
    story.ask(kill());
    assert_eq!((story.ended(), story.code()), ("cancelled", "execution.killed"));
    assert_eq!((story.status("a"), story.status("b")), ("succeeded", "succeeded"));
    let verbs: Vec<Verb> = asked_verbs(&story).into_iter().map(|(verb, _)| verb).collect();
    assert_eq!(verbs, [Verb::Cancel, Verb::Kill]);
}

#[test]
fn a_cancel_while_it_waits_or_is_paused_ends_it() {
    let approval = super::asking::wait("ok", json!({"signal": "go"}));
    let mut story = Story::begin(vec![approval.clone()]);
    assert_eq!(story.ended(), "waiting");
    story.ask(cancel());
    assert_eq!((story.ended(), story.status("ok")), ("cancelled", "cancelled"));
    let mut story = Story::begin(vec![undone("a"), approval]);
    story.ask(pause());
    story.done("a");
    assert_eq!(story.ended(), "paused");
    story.ask(cancel());
    assert_eq!((story.ended(), story.in_flight()), ("running", vec!["a/compensate".to_owned()]));
    assert!(story.state.paused.is_none() && story.status("ok") == "cancelled");
    story.done("a/compensate");
    assert_eq!(story.ended(), "cancelled");
}

#[test]
fn an_execution_that_a_step_began_is_called_off_and_waited_for() {
    let steps = vec![child("sub"), undone("a")];
    let mut story = Story::of(with_others(template(steps)), terms());
    story.done("a");
    let sub = story.begun[0].id.clone();
    story.ask(cancel());
    assert_eq!(story.called_off, std::slice::from_ref(&sub));
    assert_eq!(story.in_flight(), ["sub"], "what it did may have to be undone first, by itself");
    let ended = crate::execution::Fault::new(FaultKind::Child, "execution.cancelled", "called off");
    story.breaks("sub", ended);
    assert_eq!(story.in_flight(), ["a/compensate"]);
    story.done("a/compensate");
    assert_eq!((story.ended(), story.status("sub")), ("cancelled", "cancelled"));
}

#[test]
fn the_end_of_its_parent_cancels_an_execution() {
    let parent = crate::ids::ExecutionId::new(super::story::at(0), crate::ids::ShardId(0), 99);
    let ended = || crate::execution::Message::ParentEnded { parent: parent.clone() };
    let mut story = Story::begin(vec![undone("a"), step("b")]);
    story.done("a");
    story.ask(ended());
    assert_eq!(story.in_flight(), ["a/compensate"]);
    assert_eq!(asked_verbs(&story), [(Verb::Cancel, format!("execution:{parent}"))]);
    assert_eq!(story.refused(ended()), "already", "it is on its way back");
    story.done("a/compensate");
    assert_eq!(story.refused(ended()), "already");
    let mut story = Story::begin(vec![undone("a"), step("b").after(&["a"])]);
    story.done("a");
    story.breaks("b", http(400));
    assert_eq!(story.refused(ended()), "already", "it fails anyway");
}

#[test]
fn a_map_of_which_some_elements_are_done_is_undone_once() {
    let mapped = map("each", json!({"compensate": undo_by("paid"), "concurrency": 2}));
    let request = json!({"topic": "bees", "items": [1, 2, 3, 4]});
    let mut story =
        Story::asked(template(vec![mapped, step("b")]), terms(), request.clone(), u32::MAX);
    story.done("each[0]");
    assert_eq!(story.in_flight(), ["b", "each[1]", "each[2]"].map(str::to_owned));
    story.ask(cancel());
    assert_eq!(story.in_flight(), ["each[1]", "each[2]"], "drained");
    assert_eq!(story.work("each[3]").status.as_str(), "cancelled");
    story.done("each[2]");
    story.breaks("each[1]", broken());
    assert_eq!(story.in_flight(), ["each/compensate"]);
    let sent = story.sent("each/compensate");
    assert_eq!(sent["results"], json!([{"by": "each[0]"}, null, {"by": "each[2]"}, null]));
    assert_eq!(sent["statuses"], json!(["succeeded", "cancelled", "succeeded", "cancelled"]));
    story.done("each/compensate");
    assert_eq!((story.ended(), story.status("each")), ("cancelled", "compensated"));

    let mapped = map("each", json!({"compensate": undo_by("paid")}));
    let mut story = Story::asked(template(vec![mapped]), terms(), request, u32::MAX);
    story.done("each[3]");
    story.breaks("each[0]", http(400));
    assert_eq!(story.in_flight(), ["each/compensate"], "a map that failed had done something");
    assert_eq!(story.work("each[1]").status.as_str(), "cancelled");
}

#[test]
fn nothing_is_undone_of_a_step_that_was_called_off_or_never_asked() {
    let steps = vec![undone("a").optional(), undone("b"), undone("c").after(&["b"])];
    let parks = tolerating(FailureTolerance::Park, template(steps));
    let mut story = Story::of(parks, terms());
    story.breaks("a", http(400));
    story.breaks("b", http(400));
    assert_eq!(story.ended(), "paused");
    story.ask(cancel());
    assert_eq!(story.ended(), "cancelled", "nothing had succeeded");
    assert!(story.state.in_flight().all(|(fence, _)| fence == Fence::default()));
    let mapped = configured(step("a"), json!({"compensate": undo_by("w")}));
    let mut story = Story::begin(vec![mapped, step("b")]);
    story.breaks("b", http(400));
    story.breaks("a", http(400));
    assert_eq!((story.ended(), story.begun_paths()), ("failed", vec!["a".into(), "b".into()]));
}
