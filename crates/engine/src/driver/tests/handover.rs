//! When a driver gives its lease back, and with which word for the next one.

use serde_json::json;

use super::super::*;
use super::bench::{Bench, limits, ms};
use crate::execution::Terms;
use crate::execution::tests::story::{Shape, http, retries, step, terms};
use crate::plan::definition::RetryDefinition;
use crate::time::Millis;

fn released(inbox: Vec<InboxEntry>) -> Answer {
    Answer::Released(Ok(inbox))
}

fn entry(n: u64) -> InboxEntry {
    InboxEntry { n: InboxSeq(n), entry: json!({"signal": n}) }
}

#[test]
fn a_driver_waits_itself_for_what_comes_due_within_its_lifetime() {
    let mut bench = Bench::begun(vec![step("a").retry(retries(1))], limits());
    bench.act(0);
    bench.fail("a", http(503));
    bench.act(0);
    bench.appended();
    assert_eq!(bench.act(1), Vec::<String>::new());
    assert_eq!(bench.driver.wake_at(ms(1)), Some(ms(1_000)));
    assert_eq!(bench.act(1_000), ["append 3: attempt_started a"]);
}

#[test]
fn a_driver_gives_its_lease_back_when_the_next_moment_lies_beyond_its_lifetime() {
    let brief = Limits { lifetime_end: ms(25_000), ..limits() };
    let later = RetryDefinition { initial_ms: Some(30_000), ..retries(1) };
    let mut bench = Bench::begun(vec![step("a").retry(later)], brief);
    bench.act(0);
    bench.now_ms = 5;
    bench.fail("a", http(503));
    bench.act(5);
    bench.appended();
    assert_eq!(bench.act(6), ["release seen 0 wake 30005"]);
    bench.answer(released(Vec::new()));
    assert_eq!(bench.driver.ending(), Some(Ending::Released));
}

#[test]
fn a_driver_hands_over_at_once_when_an_attempt_does_not_fit_in_what_is_left() {
    let brief = Limits { lifetime_end: ms(25_000), ..limits() };
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], brief);
    bench.act(0);
    bench.now_ms = 6_000;
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(6_000), ["append 2: step_succeeded a"], "20 s do not fit in 19");
    bench.appended();
    assert_eq!(bench.act(6_001), ["hand over, seen 0"]);
}

#[test]
fn a_driver_hands_over_only_when_its_last_call_is_answered() {
    let brief = Limits { lifetime_end: ms(25_000), ..limits() };
    let mut bench = Bench::begun(vec![step("slow"), step("a"), step("b").after(&["a"])], brief);
    bench.act(0);
    bench.now_ms = 6_000;
    bench.succeed("a", json!({}));
    bench.act(6_000);
    bench.appended();
    assert_eq!(bench.act(6_001), Vec::<String>::new());
    bench.now_ms = 7_000;
    bench.succeed("slow", json!({}));
    bench.act(7_000);
    bench.appended();
    assert_eq!(bench.act(7_001), ["hand over, seen 0"]);
}

#[test]
fn calls_by_binding_are_counted_from_the_first_and_end_the_drivers_work() {
    let bound = |name: &str| step(name).worker("other");
    let few = Limits { calls_max: 3, ..limits() };
    let steps = vec![bound("a"), bound("b"), bound("c").after(&["a"]), bound("d").after(&["a"])];
    let mut bench = Bench::begun(steps, few);
    assert_eq!(bench.act(0), ["call a", "call b"]);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a, attempt_started c"], "the third call");
    bench.appended();
    bench.act(2);
    bench.succeed("b", json!({}));
    bench.succeed("c", json!({}));
    assert_eq!(bench.act(3), ["append 3: step_succeeded b, step_succeeded c"]);
    bench.appended();
    assert_eq!(bench.act(4), ["hand over, seen 0"]);
}

#[test]
fn calls_by_url_are_not_counted() {
    let few = Limits { calls_max: 1, ..limits() };
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], few);
    bench.act(0);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a, attempt_started b"]);
}

#[test]
fn a_driver_that_took_over_and_can_do_nothing_asks_for_the_next_after_a_pause() {
    let long = Terms { attempt_timeout: Millis::from_secs(120), ..terms() };
    let short = Limits { lifetime_end: ms(60_000), ..limits() };
    let bench = Bench::of(vec![step("a")], long, short);
    assert!(bench.driver.state().has_startable(ms(0)), "120 s fit in no driver of 60");
    let mut first = bench;
    assert_eq!(first.act(0), ["hand over, seen 0"], "the next one may live longer");
    let mut second = first.taken(1_000, Limits { lifetime_end: ms(61_000), ..limits() });
    assert_eq!(second.act(1_000), ["release seen 0 wake 11000"], "or not: no hot circle");
}

#[test]
fn a_driver_that_was_woken_too_early_stays_for_what_is_near() {
    let nap = |ms: u64| {
        step("nap").edit(|step| {
            step.kind = crate::plan::definition::StepKind::Wait;
            (step.worker, step.input_mapping, step.retry) = (None, None, None);
            step.config = Some(json!({ "delay_ms": ms }));
        })
    };
    for (delay_ms, stays) in [(10_000, true), (20_000, false)] {
        let mut first = Bench::begun(vec![nap(delay_ms)], limits());
        let release = format!("release seen 0 wake {delay_ms}");
        assert_eq!(first.act(0), [release.as_str()], "nobody is needed before");
        let mut second = first.taken(100, limits());
        let expected = if stays { vec![] } else { vec![release] };
        assert_eq!(
            second.act(100),
            expected,
            "or every clock that is ahead wakes one after another"
        );
        if stays {
            assert_eq!(second.act(10_000), ["append 2: step_succeeded nap, finished (ended)"]);
        }
    }
}

#[test]
fn a_release_is_repeated_after_what_came_in_was_met() {
    let brief = Limits { lifetime_end: ms(20_500), ..limits() };
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], brief);
    bench.act(0);
    bench.now_ms = 1_000;
    bench.succeed("a", json!({}));
    bench.act(1_000);
    bench.appended();
    assert_eq!(bench.act(1_001), ["hand over, seen 0"]);
    bench.answer(released(vec![entry(1), entry(2)]));
    assert_eq!(bench.act(1_002), ["hand over, seen 2"]);
    bench.answer(released(Vec::new()));
    assert_eq!(bench.driver.ending(), Some(Ending::Released));
}

#[test]
fn entries_that_came_with_appends_and_renewals_count_as_met() {
    let brief = Limits { lifetime_end: ms(40_000), ..limits() };
    let steps = vec![step("a"), step("b").after(&["a"]), step("c").after(&["b"])];
    let mut bench = Bench::begun(steps, brief);
    bench.act(0);
    bench.act(10_000);
    bench.answer(Answer::Renewed(Ok(vec![entry(1)])));
    bench.now_ms = 19_000;
    bench.succeed("a", json!({}));
    bench.act(19_000);
    bench.answer(Answer::Appended(Ok(vec![entry(1), entry(2), entry(3)])));
    assert_eq!(bench.act(19_001), ["call b"]);
    bench.now_ms = 21_000;
    bench.succeed("b", json!({}));
    bench.act(21_000);
    bench.answer(Answer::Appended(Ok(vec![entry(2), entry(3)])));
    assert_eq!(bench.act(21_001), ["hand over, seen 3"], "`c` does not fit any more");
}

#[test]
fn while_the_lease_goes_back_nothing_is_decided_appended_or_renewed() {
    let brief = Limits { lifetime_end: ms(25_000), ..limits() };
    let steps = vec![step("a"), step("b").after(&["a"])];
    let short = Terms { deadline: Millis::from_secs(40), ..terms() };
    let mut bench = Bench::of(steps, short, brief);
    bench.act(0);
    bench.now_ms = 6_000;
    bench.succeed("a", json!({}));
    bench.act(6_000);
    bench.appended();
    assert_eq!(bench.act(6_001), ["hand over, seen 0"]);
    assert_eq!(bench.act(16_500), Vec::<String>::new(), "no renewal of what is given back");
    assert_eq!(
        bench.act(40_000),
        Vec::<String>::new(),
        "nor is the deadline this driver's any more"
    );
    bench.answer(released(vec![entry(1)]));
    assert_eq!(bench.act(40_001), ["append 3: finished (ended)"], "unless the lease was kept");
}
