//! Approvals that say who may give them: only what their task says answers them.

use serde_json::{Value, json};

use super::kinds::{Settings, by_key, wait};
use super::story::{Shape, Story, step, terms, tolerant};
use crate::execution::{Answers, Applies, ApprovalOutcome, Asked, Message, Payload};
use crate::plan::definition::StepDefinition;

/// A wait for an approval that only its task gives.
fn guarded(name: &str) -> StepDefinition {
    let asks = json!({"signal": "boss", "title": "Release?", "candidates": ["role:admin"]});
    wait(name, json!({ "approval": asks }))
}

fn plain(payload: Value) -> Message {
    let payload = Payload::inline(payload);
    Message::Signal { asked: by_key(), name: "boss".to_owned(), payload, answers: None }
}

fn answer(step: &str, generation: u32, payload: Value) -> Message {
    let answers = Some(Answers { step: step.to_owned(), generation });
    let asked = Asked { by: "user:ada".to_owned(), reason: None };
    let payload = Payload::inline(payload);
    Message::Signal { asked, name: "boss".to_owned(), payload, answers }
}

fn refused(story: &Story, message: &Message) -> &'static str {
    match story.state.applies(message) {
        Applies::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

/// Step, generation and how it ended, of every approval that was asked for.
fn asked_for(story: &Story) -> Vec<(String, u32, &'static str)> {
    let how = |outcome: &ApprovalOutcome| match outcome {
        ApprovalOutcome::Answered { .. } => "answered",
        ApprovalOutcome::TimedOut => "timed out",
        ApprovalOutcome::CalledOff => "called off",
    };
    let requests = story.state.approvals.iter();
    let told = requests.map(|request| {
        let name = story.plan.step(request.step).name.clone();
        (name, request.generation, request.end.as_ref().map_or("open", |(_, end)| how(end)))
    });
    told.collect()
}

fn told(step: &str, generation: u32, how: &'static str) -> (String, u32, &'static str) {
    (step.to_owned(), generation, how)
}

#[test]
fn a_guarded_approval_takes_no_signal_but_the_one_of_its_task() {
    for asks in [
        json!({"candidates": ["ada@example.org"]}),
        json!({"form": {"type": "object"}}),
        json!({"forbid_self_approval": true}),
    ] {
        let asks = json!({"approval": asks});
        let mut story = Story::begin(vec![wait("boss", asks), step("n").after(&["boss"])]);
        assert_eq!(refused(&story, &plain(json!({"approved": true}))), "approval.by_task");
        assert_eq!(story.status("boss"), "waiting");
        story.message(answer("boss", 1, json!({"approved": true, "note": "fine"})));
        assert_eq!(story.output("boss"), &json!({"approved": true, "note": "fine"}));
        assert_eq!((story.in_flight(), story.ended()), (vec!["n".to_owned()], "running"));
        let state = &story.state;
        let request = state.approval(&Answers { step: "boss".to_owned(), generation: 1 });
        let Some((_, ApprovalOutcome::Answered { by, .. })) = &request.unwrap().end else {
            panic!("{request:?}")
        };
        assert_eq!(by, "user:ada");
    }
}

#[test]
fn an_approval_that_says_only_what_it_is_about_takes_any_signal() {
    let asks = json!({"signal": "boss", "title": "Release?", "description": "Read it first."});
    let mut story = Story::begin(vec![wait("w", json!({"approval": asks}))]);
    story.message(plain(json!({"approved": true})));
    assert_eq!((story.ended(), asked_for(&story)), ("completed", vec![told("w", 1, "answered")]));
}

#[test]
fn an_answer_is_for_its_step_and_generation_alone() {
    let steps = vec![guarded("v"), guarded("w"), wait("open", json!({"approval": "boss"}))];
    let mut story = Story::of(tolerant(steps), terms());
    assert_eq!(refused(&story, &answer("w", 2, json!({}))), "signal.not_awaited");
    assert_eq!(refused(&story, &answer("x", 1, json!({}))), "signal.unknown");
    story.message(answer("w", 1, json!({"approved": true})));
    let stand = |story: &Story| ["v", "w", "open"].map(|name| story.status(name));
    assert_eq!(stand(&story), ["waiting", "succeeded", "waiting"]);
    assert_eq!(refused(&story, &answer("w", 1, json!({}))), "signal.not_awaited");
    story.message(plain(json!({"approved": true})));
    assert_eq!(stand(&story), ["waiting", "succeeded", "succeeded"], "it passed the guarded by");
    assert_eq!(refused(&story, &plain(json!({"approved": true}))), "approval.by_task");
    story.message(answer("v", 1, json!({"approved": false})));
    assert_eq!((story.fault("v").0, story.ended()), ("wait.rejected", "partial"));
}

#[test]
fn done_anew_it_asks_anew_and_what_answered_the_first_answers_nothing() {
    let mut story = Story::of(tolerant(vec![guarded("w")]), terms());
    story.message(answer("w", 1, json!({"approved": false})));
    assert_eq!(asked_for(&story), [told("w", 1, "answered")]);
    story.message(Message::Retry { asked: by_key() });
    assert_eq!(asked_for(&story), [told("w", 1, "answered"), told("w", 2, "open")]);
    assert_eq!(refused(&story, &answer("w", 1, json!({"approved": true}))), "signal.not_awaited");
    story.message(answer("w", 2, json!({"approved": true})));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_answer_that_came_while_the_execution_was_paused_is_met_when_it_goes_on() {
    let mut story = Story::begin(vec![guarded("w")]);
    story.message(Message::Pause { asked: by_key() });
    story.message(answer("w", 1, json!({"approved": true})));
    assert_eq!((story.status("w"), asked_for(&story)), ("waiting", vec![told("w", 1, "open")]));
    story.message(Message::Rerun { asked: by_key(), step: "w".to_owned(), input: None });
    assert_eq!(asked_for(&story), [told("w", 1, "called off"), told("w", 2, "open")]);
    story.message(Message::Pause { asked: by_key() });
    story.message(answer("w", 2, json!({"approved": true})));
    story.message(Message::Resume { asked: by_key(), budget: None });
    assert_eq!(story.ended(), "completed", "what answered the first one was left where it was");
}

#[test]
fn whatever_ends_a_wait_closes_what_was_asked_for() {
    let timed = guarded("w").set("timeout_ms", json!(1_000));
    let mut story = Story::begin(vec![timed.clone()]);
    story.wait(1_000);
    assert_eq!((story.ended(), asked_for(&story)), ("failed", vec![told("w", 1, "timed out")]));
    let mut story = Story::begin(vec![timed.set("on_timeout", json!("continue"))]);
    story.wait(1_000);
    assert_eq!(asked_for(&story), [told("w", 1, "timed out")]);
    for message in [Message::Cancel { asked: by_key() }, Message::Kill { asked: by_key() }] {
        let mut story = Story::begin(vec![guarded("w"), step("a")]);
        story.message(message);
        assert_eq!(asked_for(&story), [told("w", 1, "called off")]);
    }
}
