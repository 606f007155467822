//! What comes in: met once, acknowledged with the append that carries what followed, and never
//! swallowed by an end.

use serde_json::json;

use super::super::*;
use super::bench::{Bench, entry, limits, ms};
use crate::execution::tests::asking::{cancel, completed, kill, outcome, pause, resume, retry};
use crate::execution::tests::asking::{rerun, signal, wait};
use crate::execution::tests::story::{Shape, http, retries, step};
use crate::shard::After;

fn renewed(inbox: Vec<InboxEntry>) -> Answer {
    Answer::Renewed(Ok(inbox))
}

/// What the append among these actions acknowledges.
fn acknowledged(actions: &[Action]) -> Option<(u64, After)> {
    actions.iter().find_map(|action| match action {
        Action::Append { seen, after, .. } => Some((seen.0, *after)),
        _ => None,
    })
}

#[test]
fn an_entry_is_met_once_and_its_append_acknowledges_it() {
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], limits());
    bench.act(0);
    assert_eq!(bench.act(10_000), ["renew 1"]);
    bench.answer(renewed(vec![entry(1, &pause())]));
    let actions = bench.driver.actions(ms(10_001), 0);
    assert_eq!(acknowledged(&actions), Some((1, After::Active)));
    bench.now_ms = 10_002;
    bench.answer(Answer::Appended(Err(Trouble::Unavailable)));
    let again = bench.driver.actions(ms(10_100), 0);
    assert_eq!(again, actions, "the same record, with the same acknowledgement");
    bench.answer(Answer::Appended(Ok(vec![entry(1, &pause()), entry(2, &resume(None))])));
    assert_eq!(bench.act(10_101), ["append 3: asked, resumed"], "the first was met already");
}

#[test]
fn what_comes_in_while_an_append_is_in_flight_goes_with_the_next() {
    let mut bench = Bench::begun(vec![step("a"), step("b")], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(10_000);
    bench.answer(renewed(vec![entry(1, &pause())]));
    assert_eq!(bench.act(10_001), Vec::<String>::new(), "one append at a time");
    bench.now_ms = 10_002;
    bench.appended();
    let actions = bench.driver.actions(ms(10_003), 0);
    assert_eq!(acknowledged(&actions), Some((1, After::Active)));
}

#[test]
fn an_entry_that_cannot_be_read_or_does_not_apply_is_passed_over() {
    let brief = Limits { lifetime_end: ms(25_000), ..limits() };
    let unreadable = InboxEntry { n: InboxSeq(1), entry: json!({"type": "from the future"}) };
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], brief);
    bench.act(0);
    bench.act(10_000);
    bench.answer(renewed(vec![unreadable, entry(2, &retry()), entry(3, &resume(None))]));
    assert_eq!(bench.act(10_001), Vec::<String>::new(), "nothing changed: nothing to append");
    bench.now_ms = 10_002;
    bench.succeed("a", json!({}));
    let actions = bench.driver.actions(ms(10_002), 0);
    assert_eq!(acknowledged(&actions), Some((3, After::Active)));
}

#[test]
fn a_cancel_is_met_with_the_next_renewal_and_a_kill_gives_calls_up() {
    let mut bench = Bench::begun(vec![step("a"), step("b")], limits());
    bench.act(0);
    bench.act(10_000);
    bench.answer(renewed(vec![entry(1, &kill())]));
    let actions = bench.act(10_001);
    assert_eq!(actions, ["append 2: asked, finished (ended)", "abort a", "abort b"]);
    bench.appended();
    assert_eq!(bench.driver.ending(), Some(Ending::Ended));
}

#[test]
fn a_release_is_refused_by_what_came_in_and_the_driver_goes_on() {
    let mut bench =
        Bench::begun(vec![wait("ok", json!({"signal": "go"})), step("b").after(&["ok"])], limits());
    assert_eq!(bench.act(0), ["release seen 0 wake 604800000"]);
    bench.answer(Answer::Released(Ok(vec![entry(1, &signal("go", json!({"n": 1})))])));
    let record = "append 2: signal_received, step_succeeded ok, woken, attempt_started b";
    assert_eq!(bench.act(1), [record]);
}

#[test]
fn what_waits_for_a_driver_is_met_before_it_counts_what_was_lost() {
    let steps = vec![step("a").retry(retries(3)), step("b").retry(retries(3))];
    let bench = Bench::begun(steps, limits());
    let mut bench = bench.taken_with(5_000, limits(), &[entry(1, &cancel())]);
    let actions = bench.driver.actions(ms(5_000), 0);
    assert_eq!(acknowledged(&actions), Some((1, After::Ended)), "nobody is called for nothing");
}

#[test]
fn a_result_that_was_reported_before_the_take_over_is_not_lost() {
    let bench = Bench::begun(vec![step("a"), step("b")], limits());
    let fence = bench.fence("a");
    let report = completed(fence, outcome(Ok(json!({})), None));
    let mut bench = bench.taken_with(5_000, limits(), &[entry(1, &report)]);
    let record = "append 2: step_succeeded a, taken_over, attempt_failed b, step_failed b, \
                  finished (ended)";
    assert_eq!(bench.act(5_000), [record]);
}

#[test]
fn a_verb_that_comes_with_an_end_is_left_to_whoever_reopens() {
    let mut bench = Bench::begun(vec![step("a"), step("b")], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    assert_eq!(bench.act(1), ["append 2: step_succeeded a"]);
    // The end is decided while the first append is in flight, and not durable.
    bench.fail("b", http(400));
    bench.appended_with(vec![entry(1, &retry())]);
    let actions = bench.driver.actions(ms(2), 0);
    assert_eq!(acknowledged(&actions), Some((0, After::Ended)), "the shard opens it again");
    let Some(Action::Append { events, .. }) = actions.first() else { panic!("{actions:?}") };
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
    bench.answer(renewed(vec![entry(1, &retry())]));
    bench.answer(Answer::Appended(Ok(Vec::new())));
    assert_eq!(bench.driver.ending(), Some(Ending::Ended));
}

#[test]
fn a_retry_behind_the_entry_that_ends_it_waits_for_the_end_to_be_durable() {
    let mut bench = Bench::begun(vec![step("a")], limits());
    bench.act(0);
    bench.act(10_000);
    bench.answer(renewed(vec![entry(1, &kill()), entry(2, &retry()), entry(3, &pause())]));
    let actions = bench.driver.actions(ms(10_001), 0);
    assert_eq!(acknowledged(&actions), Some((1, After::Ended)));
}

/// A driver of an execution that has failed, for which these entries wait.
fn failed(inbox: &[InboxEntry]) -> Bench {
    let mut bench = Bench::begun(vec![step("a"), step("b").after(&["a"])], limits());
    bench.act(0);
    bench.succeed("a", json!({}));
    bench.act(1);
    bench.appended();
    bench.act(2);
    bench.fail("b", http(400));
    bench.act(3);
    bench.appended();
    assert_eq!(bench.driver.ending(), Some(Ending::Ended));
    bench.taken_with(60_000, limits(), inbox)
}

#[test]
fn an_execution_that_has_ended_goes_on_when_it_is_reopened() {
    let mut bench = failed(&[entry(4, &retry())]);
    assert_eq!(bench.act(60_000), ["append 4: asked, reset, attempt_started b"]);
    bench.appended();
    assert_eq!(bench.act(60_001), ["call b"]);
    bench.succeed("b", json!({}));
    assert_eq!(bench.act(60_002), ["append 5: step_succeeded b, finished (ended)"]);

    let mut bench = failed(&[entry(1, &pause()), entry(2, &rerun("a", None)), entry(3, &pause())]);
    let record = "append 4: asked, reset, attempt_started a, asked, paused";
    assert_eq!(bench.act(60_000), [record], "what came too late for the first end is passed over");
}

#[test]
fn an_end_of_which_the_shard_does_not_know_is_said_again() {
    for inbox in [vec![], vec![entry(1, &pause())], vec![entry(1, &rerun("nobody", None))]] {
        let mut bench = failed(&inbox);
        let actions = bench.driver.actions(ms(60_000), 0);
        let seen = u64::try_from(inbox.len()).unwrap();
        assert_eq!(acknowledged(&actions), Some((seen, After::Ended)));
        assert_eq!(actions.len(), 1, "an empty record");
        bench.answer(Answer::Appended(Err(Trouble::Unavailable)));
        bench.answer(renewed(vec![entry(9, &retry())]));
        let again = bench.driver.actions(ms(60_100), 0);
        assert_eq!(again, actions, "and whatever comes meanwhile waits for the next");
        bench.answer(Answer::Appended(Ok(Vec::new())));
        assert_eq!(bench.driver.ending(), Some(Ending::Ended));
    }
}

#[test]
fn an_end_that_follows_at_once_on_a_reopening_holds_back_what_comes_after() {
    let mut bench = failed(&[entry(1, &retry()), entry(2, &kill()), entry(3, &retry())]);
    let actions = bench.driver.actions(ms(60_000), 0);
    assert_eq!(acknowledged(&actions), Some((2, After::Ended)));
}
