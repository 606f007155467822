//! Gates: asked before a call that wants it, said once where they hold it, and told what calls came
//! to.

use serde_json::json;

use super::super::*;
use super::bench::{Bench, entry, limits, ms};
use crate::admission::HeldBy;
use crate::execution::tests::asking::{pause, with_others};
use crate::execution::tests::story::{Shape, http, retries, step, template, terms};
use crate::plan::definition::StepDefinition;
use crate::time::Millis;

fn gated(name: &str) -> StepDefinition {
    step(name).worker("gated")
}

fn bench(steps: Vec<StepDefinition>) -> Bench {
    Bench::on(with_others(template(steps)), terms(), limits())
}

fn passed(bench: &Bench, step: &str, answer: Option<Result<(), (HeldBy, Millis)>>) -> Answer {
    Answer::Passed { unit: bench.plan.find_unit(step).expect("it is in the plan"), answer }
}

fn held(reason: HeldBy, ms: u64) -> Option<Result<(), (HeldBy, Millis)>> {
    Some(Err((reason, Millis::new(ms))))
}

fn pass(bench: &mut Bench, step: &str) {
    let answer = passed(bench, step, Some(Ok(())));
    bench.answer(answer);
}

#[test]
fn a_gate_is_asked_before_the_attempt_begins_and_its_permit_is_used_and_given_back() {
    let mut bench = bench(vec![gated("a"), step("b")]);
    assert_eq!(bench.act(0), ["call b", "ask gated for a"]);
    assert_eq!(bench.act(1), Vec::<String>::new(), "asked once");
    pass(&mut bench, "a");
    assert_eq!(bench.act(2), ["append 2: attempt_started a"]);
    bench.appended();
    assert_eq!(bench.act(3), ["call a"]);
    bench.succeed("a", json!({}));
    let actions = bench.act(4);
    assert_eq!(actions, ["append 3: step_succeeded a", "report 1", "return gated for a"]);
}

#[test]
fn a_gate_that_holds_is_said_once_for_each_reason_and_asked_again() {
    let mut bench = bench(vec![gated("a"), step("b")]);
    bench.act(0);
    let answer = passed(&bench, "a", held(HeldBy::Concurrency, 200));
    bench.answer(answer.clone());
    assert_eq!(bench.act(1), ["append 2: step_held a"]);
    bench.appended();
    assert_eq!(bench.act(199), Vec::<String>::new());
    assert_eq!(bench.driver.wake_at(ms(199)), Some(ms(200)));
    assert_eq!(bench.act(200), ["ask gated for a"]);
    bench.answer(answer);
    assert_eq!(bench.act(201), Vec::<String>::new(), "it is known");
    assert_eq!(bench.act(400), ["ask gated for a"]);
    let answer = passed(&bench, "a", held(HeldBy::Rate, 500));
    bench.answer(answer);
    assert_eq!(bench.act(401), ["append 3: step_held a"]);
    bench.appended();
    assert_eq!(bench.act(900), ["ask gated for a"]);
    let answer = passed(&bench, "a", None);
    bench.answer(answer);
    assert_eq!(bench.act(1_899), Vec::<String>::new(), "the Governor gave no answer");
    assert_eq!(bench.act(1_900), ["ask gated for a"]);
    pass(&mut bench, "a");
    assert_eq!(bench.act(1_901), ["append 4: attempt_started a"]);
}

#[test]
fn a_permit_that_is_not_needed_goes_back() {
    let mut bench = bench(vec![gated("a"), step("b")]);
    bench.act(0);
    bench.act(10_000);
    bench.answer(Answer::Renewed(Ok(vec![entry(1, &pause())])));
    bench.act(10_001);
    pass(&mut bench, "a");
    assert_eq!(bench.act(10_002), ["return gated for a"], "nothing begins in a pause");
    assert_eq!(bench.act(10_003), Vec::<String>::new());
}

#[test]
fn a_driver_without_a_place_asks_for_none_and_gives_back_what_it_has_when_it_goes() {
    let one = Limits { in_flight_max: 1, ..limits() };
    let template = with_others(template(vec![step("a"), gated("b")]));
    let mut bench = Bench::on(template, terms(), one);
    assert_eq!(bench.act(0), ["call a"]);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a", "ask gated for b"]);
    bench.appended();
    assert_eq!(bench.act(2), Vec::<String>::new(), "it waits for the answer");
    let answer = passed(&bench, "b", held(HeldBy::Breaker, 3_600_000));
    bench.answer(answer);
    assert_eq!(bench.act(3), ["append 3: step_held b"]);
    bench.appended();
    assert_eq!(bench.driver.wake_at(ms(4)), Some(ms(10_003)), "nothing but its lease");
}

#[test]
fn failures_are_told_at_once_and_successes_with_whatever_is_said_next() {
    let mut bench = bench(vec![step("a"), step("b").retry(retries(1)), step("c"), step("d")]);
    bench.act(0);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a"]);
    bench.appended();
    bench.fail("b", http(503));
    assert_eq!(bench.act(2), ["append 3: attempt_failed b", "report 1"]);
    bench.appended();
    bench.succeed("c", json!({}));
    assert_eq!(bench.act(3), ["append 4: step_succeeded c"]);
    let reports = bench.driver.take_reports();
    assert_eq!((reports.len(), reports[0].succeeded, reports[0].failed), (1, 1, 0));
    assert!(bench.driver.take_reports().is_empty());
}

#[test]
fn a_worker_whose_gate_is_shut_is_asked_for_by_every_call() {
    let mut bench = bench(vec![step("a"), step("b").after(&["a"]), step("c").after(&["b"])]);
    bench.act(0);
    bench.answer(Answer::Gates(vec!["w".to_owned()]));
    bench.succeed("a", json!({}));
    let actions = bench.act(1);
    assert_eq!(actions[0], "append 2: step_succeeded a");
    assert!(actions.contains(&"ask w for b".to_owned()), "{actions:?}");
    bench.appended();
    pass(&mut bench, "b");
    assert_eq!(bench.act(2), ["append 3: attempt_started b"]);
    bench.appended();
    bench.act(3);
    bench.answer(Answer::Gates(Vec::new()));
    bench.succeed("b", json!({}));
    let actions = bench.act(4);
    assert_eq!(actions[0], "append 4: step_succeeded b, attempt_started c");
}

#[test]
fn the_permit_of_a_call_that_was_called_off_goes_back() {
    let mut bench = bench(vec![gated("a"), step("b")]);
    bench.act(0);
    pass(&mut bench, "a");
    bench.act(1);
    bench.appended();
    bench.act(2);
    bench.fail("b", http(400));
    let actions = bench.act(3);
    assert_eq!(actions[0], "append 3: attempt_failed b, step_failed b, finished (ended)");
    assert!(actions.contains(&"return gated for a".to_owned()), "{actions:?}");
    assert!(actions.contains(&"abort a".to_owned()), "{actions:?}");
}
