//! The lease: renewed while nothing is appended, and never relied on when its confirmation is old.

use serde_json::json;

use super::super::*;
use super::bench::{Bench, limits, ms};
use crate::execution::Outcome;
use crate::execution::tests::story::{Shape, retries, step};
use crate::time::Millis;

fn renewed() -> Answer {
    Answer::Renewed(Ok(Vec::new()))
}

#[test]
fn a_lease_is_renewed_while_a_long_call_goes_on() {
    let mut bench = Bench::begun(vec![step("a")], limits());
    bench.act(0);
    assert_eq!(bench.driver.wake_at(ms(0)), Some(ms(10_000)));
    assert_eq!(bench.act(9_999), Vec::<String>::new());
    assert_eq!(bench.act(10_000), ["renew 1"]);
    assert_eq!(bench.act(10_500), Vec::<String>::new(), "one renewal at a time");
    bench.answer(renewed());
    assert_eq!(bench.act(19_000), Vec::<String>::new());
}

#[test]
fn a_renewal_without_an_answer_is_made_again_soon_and_then_less_often() {
    let patient = crate::execution::Terms {
        attempt_timeout: Millis::from_secs(200),
        ..crate::execution::tests::story::terms()
    };
    let mut bench = Bench::of(vec![step("a")], patient, limits());
    bench.act(0);
    let mut now = 10_000;
    assert_eq!(bench.act(now), ["renew 1"]);
    for pause in [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
        bench.now_ms = now;
        bench.answer(Answer::Renewed(Err(Trouble::Unavailable)));
        assert_eq!(bench.act(now + pause - 1), Vec::<String>::new());
        now += pause;
        assert_eq!(bench.act(now), ["renew 1"]);
    }
    bench.now_ms = now;
    bench.answer(renewed());
    bench.act(now + 10_000);
    bench.answer(Answer::Renewed(Err(Trouble::Unavailable)));
    assert_eq!(bench.act(now + 10_050), ["renew 1"], "soon again");
}

#[test]
fn an_append_renews_as_well() {
    let mut bench = Bench::begun(vec![step("a"), step("b")], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(9_000);
    bench.appended();
    assert_eq!(bench.act(10_000), Vec::<String>::new());
    assert_eq!(bench.act(19_000), ["renew 1"]);
}

#[test]
fn a_driver_that_lost_its_lease_does_nothing_more() {
    for trouble in [
        Answer::Renewed(Err(Trouble::Lost)),
        Answer::Appended(Err(Trouble::Lost)),
        Answer::Released(Err(Trouble::Lost)),
        Answer::Released(Err(Trouble::Unavailable)),
    ] {
        let mut bench = Bench::begun(vec![step("a")], limits());
        bench.act(0);
        bench.answer(trouble);
        assert_eq!(bench.driver.ending(), Some(Ending::Lost));
        bench.answer(Answer::Called {
            fence: Fence(1),
            outcome: Outcome {
                result: Ok(crate::execution::Payload::inline(json!({}))),
                cost: None,
                memoised: None,
            },
        });
        assert_eq!(bench.act(20_000), Vec::<String>::new());
    }
}

#[test]
fn a_call_whose_append_was_confirmed_long_ago_waits_for_a_renewal() {
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    // The answer was on its way for longer than a lease may be relied on.
    bench.now_ms = 19_000;
    bench.appended();
    assert_eq!(bench.act(19_000), ["call b"]);

    let slow = step("b").after(&["a"]).edit(|step| step.timeout_ms = Some(60_000));
    let long = crate::execution::Terms {
        attempt_timeout: Millis::from_secs(60),
        ..crate::execution::tests::story::terms()
    };
    let mut bench = Bench::of(vec![step("a"), slow], long, limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.now_ms = 40_000;
    bench.appended();
    assert_eq!(bench.act(40_000), ["renew 1"], "another driver may have taken over meanwhile");
    bench.answer(renewed());
    assert_eq!(bench.act(40_001), ["call b"]);
}

#[test]
fn a_start_whose_answer_was_long_on_its_way_is_confirmed_before_anybody_is_called() {
    let mut bench = Bench::begun(vec![step("a").retry(retries(1))], limits());
    let state = bench.driver.state().clone();
    bench.driver = Driver::begun(ms(25_000), state, &bench.journal, Epoch(1), limits());
    // The attempt's own time is over as well: it is given up and made anew.
    assert!(bench.act(25_000).iter().all(|action| !action.starts_with("call")));

    let mut bench = Bench::begun(vec![step("a")], limits());
    let state = bench.driver.state().clone();
    let quick = Limits { renew_every: Millis::from_secs(1), ..limits() };
    bench.driver = Driver::begun(ms(3_000), state, &bench.journal, Epoch(1), quick);
    assert_eq!(bench.act(3_000), ["renew 1"]);
    bench.answer(Answer::Renewed(Err(Trouble::Lost)));
    assert_eq!(bench.driver.ending(), Some(Ending::Lost), "and nobody was called");
}

#[test]
fn a_clock_that_jumped_ahead_is_a_reason_to_ask_first() {
    let steps = vec![step("a"), step("b").after(&["a"]).retry(retries(2))];
    let patient = crate::execution::Terms {
        deadline: Millis::from_secs(9_999),
        attempt_timeout: Millis::from_secs(500),
        ..crate::execution::tests::story::terms()
    };
    let mut bench = Bench::of(steps, patient, limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.now_ms = 90_000;
    bench.appended();
    assert_eq!(bench.act(90_000), ["renew 1"]);
    bench.answer(Answer::Renewed(Err(Trouble::Lost)));
    assert_eq!(bench.act(90_001), Vec::<String>::new());
}

#[test]
fn a_call_that_waited_for_a_renewal_in_vain_is_not_made_after_its_time() {
    let brief = step("b").after(&["a"]).edit(|step| step.timeout_ms = Some(5_000));
    let quick = Limits { renew_every: Millis::from_secs(1), ..limits() };
    let mut bench = Bench::begun(vec![step("a"), brief.retry(retries(2))], quick);
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.now_ms = 4_000;
    bench.appended();
    assert_eq!(bench.act(4_000), ["renew 1"]);
    assert_eq!(bench.act(5_000), ["append 3: attempt_failed b"], "its time is over");
    bench.now_ms = 5_001;
    bench.answer(renewed());
    assert_eq!(bench.act(5_001), Vec::<String>::new());
}
