//! Executions that steps begin: begun once, looked at when their end is told, and told when they
//! are not needed any more.

use serde_json::json;

use super::super::*;
use super::bench::{Bench, entry, limits, ms};
use crate::execution::Message;
use crate::execution::tests::asking::{cancel, child, configured, outcome};
use crate::execution::tests::asking::{pause, rerun, with_others};
use crate::execution::tests::story::{Shape, step, template, terms, transform};
use crate::plan::definition::StepDefinition;

fn bench(steps: Vec<StepDefinition>) -> Bench {
    Bench::on(with_others(template(steps)), terms(), limits())
}

fn sub(bench: &Bench) -> (Fence, ExecutionId) {
    let (fence, id) = bench.driver.state().children().next().expect("it has begun");
    (fence, id.clone())
}

fn accepted(fence: Fence) -> Answer {
    Answer::Accepted { fence, silence: None }
}

fn called(fence: Fence) -> Answer {
    Answer::Called { fence, outcome: outcome(Ok(json!({})), Some(0)) }
}

#[test]
fn a_child_is_begun_and_its_end_is_looked_at_when_it_is_told() {
    let mut bench = bench(vec![child("sub"), step("b").after(&["sub"])]);
    let (fence, id) = sub(&bench);
    assert_eq!(bench.act(0), [format!("begin {id}")]);
    assert_eq!(bench.act(1), Vec::<String>::new(), "once");
    bench.answer(accepted(fence));
    assert_eq!(bench.act(2), ["append 2: attempt_accepted sub"]);
    let notice = entry(1, &Message::ChildEnded { child: id.clone() });
    bench.now_ms = 3;
    bench.appended_with(vec![notice]);
    assert_eq!(bench.act(3), [format!("begin {id}")], "which also says whether it has ended");
    bench.answer(called(fence));
    assert_eq!(bench.act(4), ["append 3: step_succeeded sub, woken, attempt_started b"]);
}

#[test]
fn an_end_that_is_told_while_it_is_looked_at_is_looked_at_again() {
    let mut bench = bench(vec![child("sub"), step("b")]);
    let (fence, id) = sub(&bench);
    assert_eq!(bench.act(0), [format!("begin {id}"), "call b".to_owned()]);
    bench.act(10_000);
    bench.answer(Answer::Renewed(Ok(vec![entry(1, &Message::ChildEnded { child: id.clone() })])));
    assert!(!bench.act(10_001).contains(&format!("begin {id}")), "one look at a time");
    // What was seen is older than the end.
    bench.answer(accepted(fence));
    assert!(bench.act(10_002).contains(&format!("begin {id}")));
    bench.answer(called(fence));
    assert!(bench.driver.state().children().next().is_none());
}

#[test]
fn a_child_that_could_not_be_looked_at_is_looked_at_again_after_a_pause() {
    let mut bench = bench(vec![child("sub")]);
    let (fence, id) = sub(&bench);
    bench.act(0);
    bench.answer(Answer::ChildUnknown(fence));
    assert_eq!(bench.act(1), Vec::<String>::new());
    assert_eq!(bench.driver.wake_at(ms(1)), Some(ms(500)));
    assert_eq!(bench.act(500), [format!("begin {id}")]);
}

#[test]
fn a_driver_at_its_end_leaves_the_looking_to_the_next() {
    let brief = Limits { lifetime_end: ms(1_000), ..limits() };
    let template = with_others(template(vec![child("sub")]));
    let mut bench = Bench::on(template, terms(), brief);
    let (fence, id) = sub(&bench);
    bench.act(0);
    bench.now_ms = 900;
    bench.answer(Answer::ChildUnknown(fence));
    assert_eq!(bench.act(999), Vec::<String>::new());
    assert_eq!(bench.act(1_000), ["release seen 0 wake 1500"]);
    let mut next = bench.taken(1_500, limits());
    assert_eq!(next.act(1_500), [format!("begin {id}")], "under the same id");
}

#[test]
fn a_take_over_looks_after_children_and_loses_none() {
    let mut bench = bench(vec![child("sub"), step("b")]);
    let (fence, id) = sub(&bench);
    bench.act(0);
    bench.succeed("b", json!({}));
    bench.act(1);
    bench.appended();
    let mut next = bench.taken(40_000, limits());
    assert_eq!(next.act(40_000), [format!("begin {id}")], "whether it was begun or not");
    next.answer(called(fence));
    assert_eq!(next.act(40_001), ["append 3: step_succeeded sub, finished (ended)"]);
}

#[test]
fn a_child_that_is_not_needed_is_told_until_it_knows() {
    let first = configured(step("first"), json!({"join": "any", "losers": "cancel"}));
    let mut bench = bench(vec![child("sub"), step("b"), first.after(&["sub", "b"])]);
    let (fence, _) = sub(&bench);
    bench.act(0);
    bench.answer(accepted(fence));
    bench.succeed("b", json!({}));
    let record = "append 2: attempt_accepted sub, step_succeeded b, step_cancelled sub, \
                  attempt_started first";
    assert_eq!(bench.act(1), [record]);
    bench.appended();
    let told = |actions: Vec<String>| actions.contains(&"call a child off".to_owned());
    assert!(told(bench.act(2)));
    let id = bench.driver.state().abandoned_children()[0].clone();
    bench.now_ms = 3;
    bench.answer(Answer::Told { child: id.clone(), told: false });
    assert!(!told(bench.act(3)), "not in a hot circle");
    assert!(told(bench.act(503)));
    bench.answer(Answer::Told { child: id, told: true });
    assert!(!told(bench.act(2_000)));
    let mut next = bench.taken(40_000, limits());
    assert!(told(next.act(40_000)), "nobody knows whether it was told");
}

#[test]
fn a_cancel_reaches_the_child_and_waits_for_it() {
    let mut bench = bench(vec![child("sub")]);
    let (fence, id) = sub(&bench);
    bench.act(0);
    bench.answer(accepted(fence));
    bench.act(1);
    bench.appended_with(vec![entry(1, &cancel())]);
    assert_eq!(bench.act(2), ["append 3: asked, unwinding"]);
    bench.appended();
    assert_eq!(bench.act(3), ["call a child off"]);
    bench.answer(Answer::Told { child: id.clone(), told: true });
    let actions = bench.act(4);
    assert!(actions.is_empty() || actions[0].starts_with("release"), "{actions:?}");
    let ended = entry(2, &Message::ChildEnded { child: id.clone() });
    match actions.is_empty() {
        true => bench.answer(Answer::Renewed(Ok(vec![ended]))),
        false => bench.answer(Answer::Released(Ok(vec![ended]))),
    }
    assert_eq!(bench.act(5), [format!("begin {id}")]);
    let fault = crate::execution::Fault::new(
        crate::execution::FaultKind::Child,
        "execution.cancelled",
        "called off",
    );
    bench.answer(Answer::Called { fence, outcome: outcome(Err(fault), Some(0)) });
    let record = "append 4: attempt_failed sub, step_cancelled sub, finished (ended)";
    assert_eq!(bench.act(6), [record]);
}

#[test]
fn a_child_whose_start_is_on_the_way_is_told_after_it() {
    let first = configured(step("first"), json!({"join": "any", "losers": "cancel"}));
    let mut bench = bench(vec![child("sub"), step("b"), first.after(&["sub", "b"])]);
    let (fence, _) = sub(&bench);
    bench.act(0);
    bench.succeed("b", json!({}));
    bench.act(1);
    bench.appended();
    assert_eq!(bench.act(2), ["call first"], "a call-off that came first would find nobody");
    bench.answer(accepted(fence));
    assert_eq!(bench.act(3), ["call a child off"]);
}

#[test]
fn a_child_is_called_off_though_its_step_is_done_anew_before_that_is_durable() {
    let first = transform("first", json!({"x": 1})).edit(|step| {
        step.config = Some(json!({"join": "any", "losers": "cancel"}));
    });
    let steps = vec![
        step("a"),
        child("sub").after(&["a"]),
        step("b"),
        first.after(&["sub", "b"]),
        step("c"),
        step("d"),
    ];
    let mut bench = bench(steps);
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.appended();
    let (fence, _) = sub(&bench);
    bench.act(2);
    bench.answer(accepted(fence));
    bench.succeed("c", json!({}));
    bench.act(3);
    bench.succeed("b", json!({}));
    bench.appended_with(vec![entry(1, &pause()), entry(2, &rerun("a", None))]);
    let record = bench.act(4);
    assert!(record[0].contains("step_cancelled sub") && record[0].contains("reset"), "{record:?}");
    bench.appended();
    assert!(bench.act(5).contains(&"call a child off".to_owned()));
}
