//! Stories of executions that are opened again after their end.

use super::*;

fn ended(shard: &mut Shard<MemoryStore>, n: u128) {
    start(shard, n);
    assert_eq!(ask(shard, 10, append(n, 1, 2, After::Ended), "[2]"), appended());
}

#[test]
fn only_what_reopens_reaches_an_execution_that_has_ended() {
    let mut shard = shard();
    ended(&mut shard, 1);
    assert_eq!(ask(&mut shard, 11, post(1, "signal"), ""), Reply::Ended);
    assert_eq!(ask(&mut shard, 12, reopen(1, "retry"), ""), posted(1));
    assert_eq!(phase_of(&mut shard, 1), Phase::Active);
    assert_eq!(hints(&mut shard, 12), [id(1)], "it needs a driver at once");
    let stale = Reply::StaleEpoch { epoch: Epoch(1) };
    let late = ask(&mut shard, 13, append(1, 1, 3, After::Active), "[3]");
    assert_eq!(late, stale, "the driver that ended it has no lease");
    let taken = ask(&mut shard, 14, take(1), "");
    assert!(matches!(&taken, Reply::Taken { epoch: Epoch(2), seq: Seq(2), .. }), "{taken:?}");
    assert_eq!(brought(&taken), [1]);
    let end = Request::Append {
        id: id(1),
        epoch: Epoch(2),
        seq: Seq(3),
        after: After::Ended,
        seen: InboxSeq(1),
    };
    assert_eq!(ask(&mut shard, 15, end, "[3]"), appended());
    assert_eq!(phase_of(&mut shard, 1), Phase::Ended);
}

#[test]
fn a_reopened_execution_stays_open_after_a_restart() {
    let mut shard = shard();
    ended(&mut shard, 1);
    ask(&mut shard, 12, reopen(1, "retry"), "");
    let mut shard = restarted(&shard, 13);
    assert_eq!(phase_of(&mut shard, 1), Phase::Active);
    assert_eq!(hints(&mut shard, 13), [id(1)], "nobody holds its lease");
    assert_eq!(brought(&ask(&mut shard, 14, take(1), "")), [1]);
}

#[test]
fn the_same_key_opens_an_execution_once() {
    let mut shard = shard();
    ended(&mut shard, 1);
    let retry = || Request::Post {
        id: id(1),
        entry: json!("retry"),
        key: Some("k".to_owned()),
        reopens: true,
    };
    assert_eq!(ask(&mut shard, 11, retry(), ""), posted(1));
    assert_eq!(ask(&mut shard, 12, retry(), ""), posted(1));
    ask(&mut shard, 13, take(1), "");
    let end = Request::Append {
        id: id(1),
        epoch: Epoch(2),
        seq: Seq(3),
        after: After::Ended,
        seen: InboxSeq(1),
    };
    ask(&mut shard, 14, end, "[3]");
    let mut shard = restarted(&shard, 15);
    assert_eq!(ask(&mut shard, 16, retry(), ""), posted(1), "a late double");
    assert_eq!(phase_of(&mut shard, 1), Phase::Ended);
}

#[test]
fn an_end_that_had_not_heard_of_a_reopening_is_followed_by_it() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, post(1, "cancel"), "");
    ask(&mut shard, 2, reopen(1, "retry"), "");
    ask(&mut shard, 3, post(1, "signal"), "");
    assert_eq!(ask(&mut shard, 4, append(1, 1, 2, After::Ended), "[2]"), appended());
    assert_eq!(phase_of(&mut shard, 1), Phase::Active);
    for mut shard in [restarted(&shard, 5), shard] {
        assert_eq!(hints(&mut shard, 5), [id(1)]);
        let taken = ask(&mut shard, 6, take(1), "");
        assert_eq!(brought(&taken), [2, 3], "the cancel came before the end and found nothing");
    }
}

#[test]
fn an_end_that_has_heard_it_all_is_an_end() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, reopen(1, "retry"), "");
    ask(&mut shard, 2, hearing(1, 2, After::Ended, 1), "[2]");
    assert_eq!(phase_of(&mut shard, 1), Phase::Ended);
    start(&mut shard, 2);
    ask(&mut shard, 3, post(2, "signal"), "");
    ask(&mut shard, 4, hearing(2, 2, After::Ended, 0), "[2]");
    assert_eq!(phase_of(&mut shard, 2), Phase::Ended, "a signal opens nothing");
    ask(&mut shard, 5, reopen(2, "retry"), "");
    assert_eq!(brought(&ask(&mut shard, 6, take(2), "")), [2], "and came too late for good");
}

#[test]
fn the_number_of_an_end_is_never_given_again() {
    let mut shard = shard();
    ended(&mut shard, 1);
    ended(&mut shard, 2);
    hints(&mut shard, 1_000);
    let Ok(projected) = shard.store().projected();
    assert_eq!(projected, 2);
    ask(&mut shard, 1_001, reopen(2, "retry"), "");
    let mut shard = restarted(&shard, 1_002);
    ended(&mut shard, 3);
    let Ok(tasks) = shard.tasks(at(2_000));
    let third = Projected { id: id(3), seq: Seq(2), ended: Some(3) };
    assert!(tasks.project.contains(&third), "{tasks:?}");
}

#[test]
fn an_end_that_is_undone_before_it_was_projected_is_shown_as_going_on() {
    let mut shard = shard();
    ended(&mut shard, 1);
    ask(&mut shard, 11, reopen(1, "retry"), "");
    let Ok(tasks) = shard.tasks(at(2_011));
    assert_eq!(tasks.project, [Projected { id: id(1), seq: Seq(2), ended: None }]);
    let Ok(()) = shard.projected(at(2_012), Ok(&tasks.project));
    let Ok(tasks) = shard.tasks(at(60_000));
    assert_eq!(tasks.project, [], "nothing is new");
}

#[test]
fn an_end_that_is_undone_while_it_is_projected_is_projected_again_when_it_ends() {
    let mut shard = shard();
    ended(&mut shard, 1);
    let Ok(tasks) = shard.tasks(at(260));
    assert_eq!(tasks.project, [Projected { id: id(1), seq: Seq(2), ended: Some(1) }]);
    ask(&mut shard, 261, reopen(1, "retry"), "");
    let Ok(()) = shard.projected(at(262), Ok(&tasks.project));
    ask(&mut shard, 263, take(1), "");
    ask(&mut shard, 264, append(1, 2, 3, After::Ended), "[3]");
    let Ok(tasks) = shard.tasks(at(9_000));
    let expected = [Projected { id: id(1), seq: Seq(3), ended: Some(2) }];
    // The reopening entry was not acknowledged: the execution is open once more.
    assert_eq!(phase_of(&mut shard, 1), Phase::Active);
    assert!(tasks.project.iter().all(|shown| shown.id == id(1) && shown.seq == Seq(3)));
    ask(&mut shard, 9_001, take(1), "");
    let end = Request::Append {
        id: id(1),
        epoch: Epoch(3),
        seq: Seq(4),
        after: After::Ended,
        seen: InboxSeq(1),
    };
    let Ok(()) = shard.projected(at(9_002), Ok(&expected[..0]));
    ask(&mut shard, 9_003, end, "[4]");
    let Ok(tasks) = shard.tasks(at(20_000));
    assert_eq!(tasks.project, [Projected { id: id(1), seq: Seq(4), ended: Some(3) }]);
}

#[test]
fn a_reopened_execution_is_kept_and_its_idempotency_key_finds_it() {
    let mut shard = shard();
    ask(&mut shard, 0, start_with(Some(("k", "b")), 1, After::Active), "[0]");
    ask(&mut shard, 1, append(1, 1, 2, After::Ended), "[2]");
    hints(&mut shard, 1_000);
    ask(&mut shard, 1_001, reopen(1, "retry"), "");
    let again = ask(&mut shard, 1_002, start_with(Some(("k", "b")), 2, After::Active), "[0]");
    assert_eq!(again, Reply::Existing { id: id(1) });
    let later_ms = 48 * 3600 * 1000;
    ask(&mut shard, later_ms, Request::Sweep, "");
    assert_eq!(phase_of(&mut shard, 1), Phase::Active, "what is open is not forgotten");
    ask(&mut shard, later_ms, take(1), "");
    let end = Request::Append {
        id: id(1),
        epoch: Epoch(2),
        seq: Seq(3),
        after: After::Ended,
        seen: InboxSeq(1),
    };
    ask(&mut shard, later_ms, end, "[3]");
    hints(&mut shard, later_ms + 1_000);
    ask(&mut shard, later_ms + 2_000, Request::Sweep, "");
    assert_eq!(phase_of(&mut shard, 1), Phase::Ended, "its time begins with its last end");
}
