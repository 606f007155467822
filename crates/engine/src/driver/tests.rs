//! Stories of a driver. Each plays the shell by hand: it takes the driver's actions and brings the
//! answers one by one.

mod bench;
mod children;
mod gated;
mod handover;
mod inbox;
mod lease;

use serde_json::json;

use super::*;
use crate::execution::tests::story::{Shape, broken, http, retries, step, template};
use bench::{Bench, limits, ms};

#[test]
fn the_calls_of_a_start_are_made_at_once_and_later_ones_when_they_are_durable() {
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], limits());
    assert_eq!(bench.act(0), ["call a"]);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a, attempt_started b"]);
    assert_eq!(bench.act(2), Vec::<String>::new(), "nothing before it is durable");
    bench.appended();
    assert_eq!(bench.act(3), ["call b"]);
    bench.succeed("b", json!({}));
    assert_eq!(bench.act(4), ["append 3: step_succeeded b, finished (ended)"]);
    assert_eq!(bench.driver.ending(), None, "the end is not durable yet");
    bench.appended();
    assert_eq!(bench.driver.ending(), Some(Ending::Ended));
    assert_eq!(bench.act(99_999), Vec::<String>::new());
}

#[test]
fn what_is_decided_while_an_append_is_in_flight_shares_the_next_one() {
    let mut bench = Bench::begun(vec![step("a"), step("b"), step("c")], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a"]);
    bench.succeed("b", json!({}));
    assert_eq!(bench.act(2), Vec::<String>::new());
    bench.succeed("c", json!({}));
    bench.appended();
    assert_eq!(bench.act(3), ["append 3: step_succeeded b, step_succeeded c, finished (ended)"]);
}

#[test]
fn answers_that_arrive_together_share_one_append() {
    let mut bench =
        Bench::begun(vec![step("a"), step("b"), step("c").after(&["a", "b"])], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.succeed("b", json!({}));
    let shared = "append 2: step_succeeded a, step_succeeded b, attempt_started c";
    assert_eq!(bench.act(1), [shared]);
}

#[test]
fn an_append_without_an_answer_is_made_again_and_again_with_growing_pauses() {
    let mut bench = Bench::begun(vec![step("a")], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    let append = "append 2: step_succeeded a, finished (ended)";
    assert_eq!(bench.act(1), [append]);
    let mut now = 1;
    for pause in [50, 100, 200, 400, 800, 1_600] {
        bench.now_ms = now;
        bench.answer(Answer::Appended(Err(Trouble::Unavailable)));
        assert_eq!(bench.driver.wake_at(ms(now)), Some(ms(now + pause)));
        assert_eq!(bench.act(now + pause - 1), Vec::<String>::new());
        assert_eq!(bench.act(now + pause), [append], "the same record at the same place");
        now += pause;
    }
    bench.answer(Answer::Appended(Err(Trouble::Unavailable)));
    assert_eq!(bench.driver.ending(), Some(Ending::Lost));
}

#[test]
fn a_slot_that_comes_free_is_used_in_the_same_append() {
    let two = Limits { in_flight_max: 2, ..limits() };
    let mut bench = Bench::begun(vec![step("slow"), step("b"), step("c")], two);
    assert_eq!(bench.act(0), ["call slow", "call b"]);
    bench.succeed("b", json!({}));
    let actions = bench.act(1);
    assert_eq!(
        actions,
        ["append 2: step_succeeded b, attempt_started c"],
        "`slow` holds nobody back"
    );
}

#[test]
fn a_retry_that_is_due_does_not_wait_for_a_slow_sibling() {
    let steps = vec![step("slow"), step("b").retry(retries(1))];
    let mut bench = Bench::begun(steps, limits());
    bench.act(0);
    bench.fail("b", http(503));
    bench.act(1);
    bench.appended();
    bench.act(1);
    assert_eq!(bench.driver.wake_at(ms(1)), Some(ms(1_000)), "the moment of the retry");
    assert_eq!(bench.act(1_000), ["append 3: attempt_started b"]);
}

#[test]
fn a_retry_that_is_due_and_cannot_be_paid_pauses_the_execution() {
    let terms = crate::execution::Terms {
        budget: Some(crate::money::MicroUsd::from_micros(150)),
        ..crate::execution::tests::story::terms()
    };
    let steps = vec![step("a").worker("paid").retry(retries(1))];
    let mut bench = Bench::of(steps, terms, limits());
    bench.act(0);
    bench.fail("a", broken());
    bench.act(1);
    bench.appended();
    bench.act(1);
    assert_eq!(bench.driver.wake_at(ms(1)), Some(ms(1_000)), "the moment of the retry");
    let paused = bench.act(1_000);
    assert_eq!(paused, ["append 3: paused"], "what the first try cost leaves too little");
}

#[test]
fn a_retry_that_is_due_while_all_slots_are_taken_starts_with_the_first_that_comes_free() {
    let one = Limits { in_flight_max: 1, ..limits() };
    let mut bench = Bench::begun(vec![step("a").retry(retries(1)), step("b")], one);
    bench.act(0);
    bench.fail("a", http(503));
    let record = "append 2: attempt_failed a, attempt_started b";
    assert_eq!(bench.act(1), [record, "report 1"], "a failure is told though no slot is free");
    bench.appended();
    bench.act(1);
    assert_eq!(bench.act(2_000), Vec::<String>::new(), "`b` has the only slot");
    bench.succeed("b", json!({}));
    assert_eq!(bench.act(2_001), ["append 3: step_succeeded b, attempt_started a"]);
}

#[test]
fn an_attempt_that_times_out_is_given_up_and_its_worker_reported() {
    let mut bench = Bench::begun(vec![step("a").retry(retries(1)), step("b")], limits());
    bench.act(0);
    bench.succeed("b", json!({}));
    bench.act(1);
    bench.appended();
    bench.act(2);
    assert_eq!(bench.act(20_000), ["append 3: attempt_failed a", "abort a", "report 1"]);
    bench.appended();
    assert_eq!(bench.act(20_001), Vec::<String>::new(), "each is asked for once");
    assert_eq!(bench.act(21_000), ["append 4: attempt_started a"]);
}

#[test]
fn an_attempt_that_is_given_up_before_its_start_was_durable_is_never_made() {
    let steps = vec![step("a"), step("b").after(&["a"]).retry(retries(2)), step("c")];
    let mut bench = Bench::begun(steps, limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a, attempt_started b"]);
    bench.fail("c", broken());
    bench.now_ms = 2;
    bench.appended();
    let end = "append 3: attempt_failed c, step_failed c, finished (ended)";
    assert_eq!(bench.act(2), [end, "report 1"], "the report is about `c`");
    bench.appended();
    assert_eq!(bench.act(3), Vec::<String>::new(), "`b` is not called for an ended execution");
}

#[test]
fn a_driver_that_takes_over_writes_that_down_before_it_calls_anybody() {
    let steps = vec![step("a").retry(retries(3)), step("b").retry(retries(3))];
    let mut bench = Bench::begun(steps, limits()).taken(5_000, limits());
    let record = "append 2: taken_over, attempt_failed a, attempt_failed b, \
                  attempt_started a, attempt_started b";
    assert_eq!(bench.act(5_000), [record]);
    bench.appended();
    assert_eq!(bench.act(5_001), ["call a", "call b"]);
    let fences: Vec<u64> = bench.driver.state().in_flight().map(|(fence, _)| fence.0).collect();
    assert_eq!(fences, [3, 4], "under new fences");
}

#[test]
fn a_take_over_of_all_slots_starts_them_again_in_one_append() {
    let two = Limits { in_flight_max: 2, ..limits() };
    let steps = vec![step("a").retry(retries(3)), step("b").retry(retries(3)), step("c")];
    let mut bench = Bench::begun(steps, two).taken(5_000, two);
    let record = "append 2: taken_over, attempt_failed a, attempt_failed b, \
                  attempt_started a, attempt_started b";
    assert_eq!(bench.act(5_000), [record], "what was in flight under another driver takes no slot");
}

#[test]
fn an_answer_that_nobody_waits_for_is_no_reason_for_an_append() {
    let mut bench = Bench::begun(vec![step("a"), step("b")], limits());
    bench.act(0);
    let fence = bench.fence("a");
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.appended();
    bench.called(fence, Ok(json!({"again": 1})));
    bench.called(Fence(77), Ok(json!({})));
    assert_eq!(bench.act(2), Vec::<String>::new());
}

#[test]
fn a_start_that_ended_at_once_needs_no_driver() {
    let absurd = step("a").sends(json!({"x": "$.missing"}));
    let mut bench = Bench::begun(vec![absurd, step("b")], limits());
    assert_eq!(bench.driver.ending(), Some(Ending::Ended));
    assert_eq!(bench.act(0), Vec::<String>::new());
}

#[test]
fn nothing_is_asked_for_twice_however_often_the_driver_is_looked_at() {
    let mut bench = Bench::begun(vec![step("a"), step("b").retry(retries(2))], limits());
    assert_eq!(bench.act(0), ["call a", "call b"]);
    for now in 1..50 {
        assert_eq!(bench.act(now), Vec::<String>::new());
    }
    assert_eq!(template(Vec::new()).steps.len(), 0);
}
