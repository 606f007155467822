//! Executions in which nothing is left to do before something comes: their status, their clock
//! and their limit.

use serde_json::json;

use super::kinds::{Settings, budget, by_key, child, map, over, wait, with_inner};
use super::story::{DEADLINE, Shape, Story, at, http, retries, step, template, terms, tolerant};
use crate::execution::{Input, Message, Terms};
use crate::time::Millis;

const HOUR: u64 = 3_600_000;

fn signal(name: &str) -> crate::plan::definition::StepDefinition {
    wait(name, json!({"signal": name}))
}

#[test]
fn a_wait_beside_a_running_call_leaves_the_execution_running_until_the_call_is_over() {
    let mut story = Story::begin(vec![signal("w"), step("a").retry(retries(1))]);
    assert_eq!(story.ended(), "running");
    story.wait(700);
    story.fail("a", http(503));
    assert_eq!(story.ended(), "running", "a retry is to come");
    story.wait(1_000);
    story.succeed("a", json!({}));
    assert_eq!((story.ended(), story.active_ms()), ("waiting", 1_700));
    story.wait(HOUR);
    assert_eq!(story.active_ms(), 1_700);
}

#[test]
fn the_deadline_stands_still_while_the_execution_waits_and_goes_on_after() {
    let mut story =
        Story::begin(vec![step("a"), signal("w").after(&["a"]), step("b").after(&["w"])]);
    story.wait(10_000);
    story.succeed("a", json!({}));
    story.wait(HOUR);
    story.signal("w", json!(1));
    assert_eq!(story.in_flight(), ["b"]);
    let left = DEADLINE.minus(Millis::from_secs(10));
    assert_eq!(story.state.deadline_at, story.now.plus(left));
    story.wait(left.get());
    assert_eq!((story.ended(), story.code()), ("failed", "execution.deadline_exceeded"));
    assert_eq!(story.active_ms(), DEADLINE.get());
}

#[test]
fn what_waits_longer_than_it_may_is_given_up() {
    let brief = Terms { waiting_max: Millis::from_secs(60), ..terms() };
    let steps = || vec![step("a"), signal("w").after(&["a"])];
    for (template, status) in [(template(steps()), "failed"), (tolerant(steps()), "partial")] {
        let mut story = Story::of(template, brief.clone());
        story.wait(5_000);
        story.succeed("a", json!({}));
        assert_eq!(story.state.next_timer(story.now), Some(at(65_000)));
        story.wait(59_999);
        assert_eq!(story.ended(), "waiting");
        story.wait(1);
        assert_eq!((story.ended(), story.code()), (status, "execution.waited_too_long"));
        assert_eq!((story.status("w"), story.active_ms()), ("cancelled", 5_000));
    }
}

#[test]
fn each_time_of_waiting_has_the_whole_limit() {
    let brief = Terms { waiting_max: Millis::from_secs(60), ..terms() };
    let steps = vec![signal("v"), step("a").after(&["v"]), signal("w").after(&["a"])];
    let mut story = Story::of(template(steps), brief);
    story.wait(59_000);
    story.signal("v", json!(1));
    story.succeed("a", json!({}));
    story.wait(59_000);
    story.signal("w", json!(1));
    assert_eq!(story.ended(), "completed");
}

#[test]
fn one_of_two_waits_that_ends_wakes_nobody_when_nothing_follows() {
    let mut story = Story::begin(vec![signal("v"), signal("w"), step("n").after(&["v", "w"])]);
    story.wait(1_000);
    story.signal("v", json!(1));
    assert_eq!(story.ended(), "waiting");
    assert!(story.told("woken").is_empty());
    story.signal("w", json!(1));
    assert_eq!((story.ended(), story.told("woken").len()), ("running", 1));
}

#[test]
fn an_execution_that_waits_for_another_is_waiting_and_wakes_with_its_end() {
    let steps = vec![child("c"), step("n").after(&["c"])];
    let mut story = Story::of(with_inner(template(steps), vec![step("i")]), terms());
    assert_eq!((story.status("c"), story.ended()), ("running", "waiting"));
    story.wait(HOUR);
    story.succeed("c", json!({"done": true}));
    assert_eq!((story.in_flight(), story.ended()), (vec!["n".to_owned()], "running"));
    assert_eq!(story.active_ms(), 0);
}

#[test]
fn what_waits_for_the_place_of_another_execution_waits_with_it() {
    let one = Terms { parallelism: 1, ..terms() };
    let steps = vec![child("c"), step("b")];
    let mut story = Story::of(with_inner(template(steps), vec![step("i")]), one);
    assert_eq!((story.status("b"), story.ended()), ("ready", "waiting"));
    story.wait(HOUR);
    story.succeed("c", json!({}));
    assert_eq!((story.in_flight(), story.ended()), (vec!["b".to_owned()], "running"));
}

#[test]
fn what_waits_for_the_money_of_another_execution_waits_with_it() {
    let steps = vec![child("c"), step("b").worker("paid")];
    let mut story = Story::of(with_inner(template(steps), vec![step("i")]), budget(150));
    assert_eq!((story.status("b"), story.ended()), ("ready", "waiting"));
    story.wait(HOUR);
    story.answer(story.fence("c"), Ok(json!({})), Some(20));
    assert_eq!((story.in_flight(), story.ended()), (vec!["b".to_owned()], "running"));
}

#[test]
fn what_is_left_out_for_its_condition_lets_a_waiting_execution_go_on() {
    let dear = step("dear").worker("paid").after(&["w"]).when(json!("false"));
    let steps = vec![child("c"), signal("w"), dear, step("n").after(&["dear"])];
    let mut story = Story::of(with_inner(template(steps), vec![step("i")]), budget(90));
    assert_eq!(story.ended(), "waiting");
    story.wait(HOUR);
    story.signal("w", json!(1));
    assert_eq!((story.status("dear"), story.in_flight().len()), ("skipped", 2));
    assert_eq!(story.ended(), "running", "the clock goes on with `n`");
}

#[test]
fn elements_in_flight_keep_an_execution_running_and_accepted_ones_let_it_wait() {
    let mut story = over(json!([1, 2]), template(vec![map("m")]), terms());
    assert_eq!(story.ended(), "running");
    for path in ["m[0]", "m[1]"] {
        let fence = story.fence_at(path);
        story.input(Input::Accepted { fence, silence: None }).unwrap();
    }
    assert_eq!((story.ended(), story.state.connected()), ("waiting", 0));
    for path in ["m[0]", "m[1]"] {
        story.succeed_at(path, json!(path));
    }
    assert_eq!(story.ended(), "completed");
}

#[test]
fn a_signal_that_comes_during_a_pause_is_kept_and_given_on_resume() {
    let steps = vec![signal("w"), step("n").after(&["w"])];
    let mut story = Story::begin(steps);
    story.message(Message::Pause { asked: by_key() });
    assert_eq!(story.ended(), "paused");
    story.signal("w", json!("kept"));
    assert_eq!((story.status("w"), story.in_flight().len()), ("waiting", 0));
    story.message(Message::Resume { asked: by_key(), budget: None });
    assert_eq!((story.output("w"), story.in_flight()), (&json!("kept"), vec!["n".to_owned()]));
}

#[test]
fn a_wait_that_came_due_during_a_pause_is_over_on_resume() {
    let steps = vec![wait("w", json!({"delay_ms": 1_000})), step("n").after(&["w"])];
    let mut story = Story::begin(steps);
    story.message(Message::Pause { asked: by_key() });
    story.wait(5_000);
    assert_eq!((story.status("w"), story.ended()), ("waiting", "paused"));
    story.message(Message::Resume { asked: by_key(), budget: None });
    assert_eq!(story.in_flight(), ["n"]);
}

#[test]
fn an_execution_that_waits_is_woken_by_its_own_moment_only() {
    let steps = vec![signal("v"), wait("w", json!({"delay_ms": HOUR}))];
    let mut story = Story::begin(steps);
    let before = story.journal.len();
    story.now = at(1_000);
    assert!(story.input(Input::Tick).unwrap().is_empty());
    assert!(story.input(Input::Resume).unwrap().is_empty());
    assert!(story.take_over().is_empty(), "no driver was lost with a call");
    assert_eq!(story.journal.len(), before);
    assert!(!story.state.has_startable(story.now));
}

#[test]
fn a_signal_at_the_very_moment_of_the_time_out_is_in_time() {
    let timed = signal("w").set("timeout_ms", json!(1_000));
    let mut story = Story::begin(vec![timed]);
    story.now = at(1_000);
    story.signal("w", json!("just in time"));
    assert_eq!((story.ended(), story.output("w")), ("completed", &json!("just in time")));
}
