//! Waits: for time, for signals, for approvals.

use serde_json::{Value, json};

use super::kinds::{Settings, wait};
use super::story::{Shape, Story, at, step, template, terms, tolerant};
use crate::execution::{Applies, Blocker, Message, Payload};
use crate::time::Millis;

/// A wait for the signal `go`, with these settings besides.
fn signal(name: &str) -> crate::plan::definition::StepDefinition {
    wait(name, json!({"signal": "go"}))
}

fn asked(input: Value, steps: Vec<crate::plan::definition::StepDefinition>) -> Story {
    let request = json!({"topic": "bees", "input": input});
    Story::asked(template(steps), terms(), request, u32::MAX)
}

#[test]
fn a_delay_ends_when_it_is_over_and_the_next_step_begins() {
    let mut story =
        Story::begin(vec![wait("w", json!({"delay_ms": 90_000})), step("n").after(&["w"])]);
    assert_eq!((story.status("w"), story.ended()), ("waiting", "waiting"));
    assert_eq!(story.state.next_timer(story.now), Some(at(90_000)));
    story.wait(89_999);
    assert_eq!(story.status("w"), "waiting");
    story.wait(1);
    assert_eq!(story.output("w"), &json!({"timed_out": false}));
    assert_eq!((story.in_flight(), story.ended()), (vec!["n".to_owned()], "running"));
    assert_eq!(story.active_ms(), 0);
}

#[test]
fn no_delay_is_over_in_the_decision_that_begins_it() {
    let story = Story::begin(vec![wait("w", json!({"delay_ms": 0})), step("n").after(&["w"])]);
    assert_eq!((story.in_flight(), story.ended()), (vec!["n".to_owned()], "running"));
    assert!(story.told("parked").is_empty(), "it never waited");
}

#[test]
fn a_moment_is_a_number_or_text_of_the_template_or_of_what_the_step_sees() {
    let ms = at(5_000).as_millis();
    let text = "1970-01-01T00:16:45Z";
    for until in [json!(ms), json!(text), json!("$.when"), json!("=data.when"), json!("$.said")] {
        let input = json!({"when": ms, "said": text});
        let mut story = asked(input, vec![wait("w", json!({ "until": until }))]);
        assert_eq!(story.status("w"), "waiting", "{until}");
        assert_eq!(story.state.next_timer(story.now), Some(at(5_000)));
        story.wait(5_000);
        assert_eq!(story.ended(), "completed", "{until}");
    }
}

#[test]
fn a_moment_that_has_passed_is_over_at_once() {
    for until in [json!(at(0).as_millis()), json!(-1), json!("1969-01-01T00:00:00+01:00")] {
        let story = asked(json!({"when": until}), vec![wait("w", json!({"until": "$.when"}))]);
        assert_eq!(story.ended(), "completed", "{until}");
    }
}

#[test]
fn what_is_no_moment_fails_the_wait_with_its_name_and_field() {
    for (when, code) in [
        (json!("tomorrow"), "wait.not_a_moment"),
        (json!("2026-02-30T00:00:00Z"), "wait.not_a_moment"),
        (json!({"at": 1}), "wait.not_a_moment"),
        (json!(null), "wait.not_a_moment"),
        (json!(1.5), "wait.not_a_moment"),
    ] {
        let story = asked(json!({ "when": when }), vec![wait("w", json!({"until": "$.when"}))]);
        assert_eq!((story.ended(), story.code()), ("failed", code), "{when}");
        assert!(story.fault("w").1.contains("step `w`, config.until"), "{:?}", story.fault("w"));
    }
    let story = asked(json!({}), vec![wait("w", json!({"until": "$.when"}))]);
    assert_eq!(story.code(), "expression.missing_value");
    assert!(story.fault("w").1.contains("step `w`, config.until"), "{:?}", story.fault("w"));
}

#[test]
fn a_moment_beyond_the_limit_of_waiting_is_given_up_by_that_limit() {
    let mut story = asked(json!({}), vec![wait("w", json!({"until": "9999-12-31T23:59:59Z"}))]);
    let week = terms().waiting_max;
    assert_eq!(story.state.next_timer(story.now), Some(at(0).plus(week)));
    story.wait(week.get());
    assert_eq!((story.ended(), story.code()), ("failed", "execution.waited_too_long"));
}

#[test]
fn a_signal_ends_its_wait_and_brings_the_output() {
    let mut story = Story::begin(vec![signal("w"), step("n").after(&["w"]).sends(json!("$.n"))]);
    assert_eq!(story.ended(), "waiting");
    story.wait(3_600_000);
    story.signal("go", json!({"n": 2}));
    assert_eq!((story.ended(), story.sent("n")), ("running", &json!(2)));
    assert_eq!(story.output("w"), &json!({"n": 2}));
    assert_eq!(story.active_ms(), 0, "an hour of waiting is no activity");
}

#[test]
fn a_signal_that_comes_before_its_wait_is_kept_for_it() {
    let mut story = Story::begin(vec![step("a"), signal("w").after(&["a"])]);
    story.signal("go", json!("first"));
    story.signal("go", json!("second"));
    assert_eq!(story.ended(), "running");
    story.succeed("a", json!({}));
    assert_eq!((story.ended(), story.output("w")), ("completed", &json!("first")));
}

#[test]
fn two_waits_for_one_name_get_one_signal_each_in_their_order() {
    let mut story = Story::begin(vec![signal("v"), signal("w"), signal("x").after(&["w"])]);
    story.signal("go", json!(1));
    assert_eq!((story.status("v"), story.status("w")), ("succeeded", "waiting"));
    story.signal("go", json!(2));
    assert_eq!((story.output("w"), story.status("x")), (&json!(2), "waiting"));
    story.signal("go", json!(3));
    let outputs = ["v", "w", "x"].map(|name| story.output(name).clone());
    assert_eq!((outputs, story.ended()), ([json!(1), json!(2), json!(3)], "completed"));
}

#[test]
fn a_signal_that_does_not_come_in_time_fails_the_wait_or_lets_it_go_on() {
    let timed = signal("w").set("timeout_ms", json!(60_000));
    let mut story = Story::begin(vec![timed.clone(), step("n").after(&["w"])]);
    assert_eq!(story.state.next_timer(story.now), Some(at(60_000)));
    story.wait(60_000);
    assert_eq!((story.ended(), story.code()), ("failed", "wait.timed_out"));
    assert!(story.fault("w").1.contains("step `w`: the signal `go`"), "{:?}", story.fault("w"));

    let goes_on = timed.set("on_timeout", json!("continue"));
    let mut story = Story::begin(vec![goes_on, step("n").after(&["w"])]);
    story.wait(60_000);
    assert_eq!((story.output("w"), story.ended()), (&json!({"timed_out": true}), "running"));
    let (asked, payload) = (super::kinds::by_key(), Payload::inline(json!("late")));
    let late = Message::Signal { asked, name: "go".to_owned(), payload, answers: None };
    assert!(matches!(story.state.applies(&late), Applies::Refused(_)), "no step waits for it");
}

#[test]
fn a_wait_that_timed_out_takes_no_signal_from_the_next_one() {
    let timed = signal("w").set("timeout_ms", json!(1_000)).set("on_timeout", json!("continue"));
    let steps = vec![timed, step("a"), signal("x").after(&["a"])];
    let mut story = Story::begin(steps);
    story.wait(1_000);
    story.signal("go", json!("for x"));
    story.succeed("a", json!({}));
    assert_eq!((story.output("x"), story.ended()), (&json!("for x"), "completed"));
}

#[test]
fn an_approval_is_a_signal_called_like_the_step_and_must_say_yes() {
    for (payload, granted) in [
        (json!({"approved": true, "by": "ann"}), true),
        (json!({"approved": false}), false),
        (json!({"approved": "true"}), false),
        (json!({}), false),
        (json!(true), false),
        (json!(null), false),
    ] {
        let release = wait("release", json!({"approval": true}));
        let mut story = Story::begin(vec![release, step("n").after(&["release"])]);
        story.signal("release", payload.clone());
        if granted {
            assert_eq!((story.in_flight(), story.output("release")), (vec!["n".into()], &payload));
        } else {
            assert_eq!((story.ended(), story.code()), ("failed", "wait.rejected"), "{payload}");
            assert!(story.fault("release").1.contains("step `release`"));
        }
    }
    let named = wait("w", json!({"approval": "boss"}));
    let mut story = Story::begin(vec![named]);
    story.signal("boss", json!({"approved": true}));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn an_approval_that_is_withheld_takes_that_signal_and_no_more() {
    let steps =
        vec![wait("v", json!({"approval": "boss"})), wait("w", json!({"approval": "boss"}))];
    let mut story = Story::of(tolerant(steps), terms());
    story.signal("boss", json!({"approved": false}));
    assert_eq!((story.status("v"), story.status("w")), ("failed", "waiting"));
    story.signal("boss", json!({"approved": true}));
    assert_eq!((story.status("w"), story.ended()), ("succeeded", "partial"));
}

#[test]
fn an_optional_wait_that_fails_is_skipped_and_its_dependents_go_on() {
    let timed = signal("w").set("timeout_ms", json!(1_000)).optional();
    let steps = vec![timed, wait("v", json!({"until": "$.nothing"})).optional()];
    let mut story = Story::begin([steps, vec![step("n").after(&["v", "w"])]].concat());
    assert_eq!((story.status("v"), story.status("w")), ("skipped", "waiting"));
    story.wait(1_000);
    assert_eq!((story.status("w"), story.in_flight()), ("skipped", vec!["n".to_owned()]));
}

#[test]
fn an_output_mapping_applies_to_what_a_signal_brings() {
    let who = || signal("w").writes(json!({"who": "$.name"}));
    let mut story = Story::begin(vec![who()]);
    story.signal("go", json!({"name": "ann", "secret": 1}));
    assert_eq!(story.state.result().unwrap(), json!({"topic": "bees", "who": "ann"}));
    let mut story = Story::begin(vec![who()]);
    story.signal("go", json!({}));
    assert_eq!((story.ended(), story.code()), ("failed", "expression.missing_value"));
    assert!(story.fault("w").1.contains("step `w`, output_mapping"), "{:?}", story.fault("w"));
}

#[test]
fn waits_take_no_place_of_the_steps_and_no_slot() {
    let one = crate::execution::Terms { parallelism: 1, ..terms() };
    let steps = vec![signal("v"), wait("w", json!({"delay_ms": 5})), step("a")];
    let mut story = Story::asked(template(steps), one, json!({}), 1);
    assert_eq!((story.status("v"), story.status("w")), ("waiting", "waiting"));
    assert_eq!(story.in_flight(), ["a"]);
    story.slots = 0;
    story.wait(5);
    assert_eq!(story.status("w"), "succeeded");
}

#[test]
fn a_wait_whose_condition_is_false_is_left_out() {
    let mut story = Story::begin(vec![signal("w").when(json!("false")), signal("v")]);
    assert_eq!(story.status("w"), "skipped");
    story.signal("go", json!(1));
    assert_eq!((story.output("v"), story.ended()), (&json!(1), "completed"));
}

#[test]
fn why_names_the_signal_and_the_moment_of_each_wait() {
    let timed = signal("v").set("timeout_ms", json!(60_000));
    let story = Story::begin(vec![timed, wait("w", json!({"delay_ms": 500}))]);
    let why = story.state.why(story.now);
    assert_eq!((&why[0].by, why[0].next_at), (&Blocker::Signal("go".into()), Some(at(60_000))));
    assert_eq!((&why[1].by, why[1].next_at), (&Blocker::Timer, Some(at(500))));
}

#[test]
fn a_signal_of_an_execution_that_has_ended_is_refused() {
    let mut story = Story::begin(vec![signal("w")]);
    story.signal("go", json!(1));
    let (asked, payload) = (super::kinds::by_key(), Payload::inline(json!(2)));
    let late = Message::Signal { asked, name: "go".to_owned(), payload, answers: None };
    let Applies::Refused(refusal) = story.state.applies(&late) else { panic!("it has ended") };
    assert_eq!(refusal.code, "execution.ended");
    assert_eq!(story.state.active(story.now.plus(Millis::from_secs(9))), Millis::ZERO);
}
