//! Stories of a shard.

use std::convert::Infallible;

use serde_json::json;

use super::memory::MemoryStore;
use super::*;
use crate::ids::{Epoch, InboxSeq, Seq, ShardId};

const LEASE_MS: i64 = 30_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id(n: u128) -> ExecutionId {
    ExecutionId::new(at(0), ShardId(0), n)
}

fn shard() -> Shard<MemoryStore> {
    let Ok(shard) = Shard::load(MemoryStore::default(), Timing::default(), at(0));
    shard
}

fn restarted(shard: &Shard<MemoryStore>, ms: i64) -> Shard<MemoryStore> {
    let Ok(shard) = Shard::load(shard.store().clone(), Timing::default(), at(ms));
    shard
}

fn ask(shard: &mut Shard<MemoryStore>, ms: i64, request: Request, record: &str) -> Reply {
    let answer: Result<_, Infallible> = shard.handle(at(ms), request, record);
    let Ok((reply, _)) = answer;
    reply
}

fn start_with(key: Option<(&str, &str)>, n: u128, after: After) -> Request {
    let idempotency =
        key.map(|(key, body)| Idempotency { key_hash: key.to_owned(), body_hash: body.to_owned() });
    Request::Start {
        id: id(n),
        account: "default".to_owned(),
        at: at(0),
        idempotency,
        after,
        parent: None,
        driven: true,
    }
}

fn start(shard: &mut Shard<MemoryStore>, n: u128) {
    let reply = ask(shard, 0, start_with(None, n, After::Active), "[0]");
    assert_eq!(reply, Reply::Started { epoch: Epoch(1) });
}

fn append(n: u128, epoch: u64, seq: u64, after: After) -> Request {
    Request::Append { id: id(n), epoch: Epoch(epoch), seq: Seq(seq), after, seen: InboxSeq(0) }
}

fn appended() -> Reply {
    Reply::Appended { inbox: Vec::new() }
}

fn hints(shard: &mut Shard<MemoryStore>, ms: i64) -> Vec<ExecutionId> {
    let Ok(tasks) = shard.tasks(at(ms));
    if !tasks.project.is_empty() {
        let Ok(()) = shard.projected(at(ms), Ok(&tasks.project));
    }
    tasks.hints
}

#[test]
fn an_append_needs_the_current_epoch_and_the_next_place() {
    let mut shard = shard();
    start(&mut shard, 1);
    assert_eq!(ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]"), appended());
    let out_of_sequence = Reply::OutOfSequence { seq: Seq(2) };
    assert_eq!(ask(&mut shard, 2, append(1, 1, 4, After::Active), "[4]"), out_of_sequence);
    let stale = Reply::StaleEpoch { epoch: Epoch(1) };
    assert_eq!(ask(&mut shard, 3, append(1, 2, 3, After::Active), "[3]"), stale);
    assert_eq!(ask(&mut shard, 4, append(9, 1, 2, After::Active), "[2]"), Reply::Unknown);
}

#[test]
fn a_repeated_append_gets_its_first_answer_and_another_one_does_not() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]");
    assert_eq!(ask(&mut shard, 2, append(1, 1, 2, After::Active), "[2]"), appended());
    let out_of_sequence = Reply::OutOfSequence { seq: Seq(2) };
    assert_eq!(ask(&mut shard, 3, append(1, 1, 2, After::Active), "[other]"), out_of_sequence);
    ask(&mut shard, 4, append(1, 1, 3, After::Ended), "[3]");
    assert_eq!(ask(&mut shard, 5, append(1, 1, 3, After::Ended), "[3]"), appended());
    assert_eq!(ask(&mut shard, 6, append(1, 1, 4, After::Active), "[4]"), Reply::Ended);
}

#[test]
fn a_lease_is_one_drivers_until_it_runs_out() {
    let mut shard = shard();
    start(&mut shard, 1);
    let take = || Request::Take { id: id(1) };
    assert_eq!(ask(&mut shard, 1, take(), ""), Reply::Held { until: at(LEASE_MS) });
    ask(&mut shard, 20_000, Request::Renew { id: id(1), epoch: Epoch(1) }, "");
    assert_eq!(ask(&mut shard, LEASE_MS, take(), ""), Reply::Held { until: at(50_000) });
    let Ok((reply, records)) = shard.handle(at(50_000), take(), "");
    assert_eq!(reply, Reply::Taken { epoch: Epoch(2), seq: Seq(1), inbox: Vec::new() });
    assert_eq!(records, ["[0]"]);
    let stale = Reply::StaleEpoch { epoch: Epoch(2) };
    assert_eq!(ask(&mut shard, 50_001, append(1, 1, 2, After::Active), "[2]"), stale);
}

#[test]
fn an_expired_lease_is_hinted_and_hinted_again_until_somebody_takes_it() {
    let mut shard = shard();
    start(&mut shard, 1);
    assert_eq!(hints(&mut shard, LEASE_MS - 1), []);
    assert_eq!(hints(&mut shard, LEASE_MS), [id(1)]);
    assert_eq!(hints(&mut shard, LEASE_MS + 4_999), []);
    assert_eq!(hints(&mut shard, LEASE_MS + 5_000), [id(1)]);
    ask(&mut shard, LEASE_MS + 5_001, Request::Take { id: id(1) }, "");
    assert_eq!(hints(&mut shard, LEASE_MS + 20_000), []);
}

#[test]
fn after_a_restart_a_driven_execution_has_one_grace_period() {
    let mut before = shard();
    start(&mut before, 1);
    let mut shard = restarted(&before, 10_000);
    assert!(matches!(ask(&mut shard, 10_001, Request::Take { id: id(1) }, ""), Reply::Held { .. }));
    assert_eq!(ask(&mut shard, 10_002, append(1, 1, 2, After::Active), "[2]"), appended());
    let mut shard = restarted(&shard, 20_000);
    assert_eq!(hints(&mut shard, 20_000 + LEASE_MS), [id(1)]);
}

#[test]
fn a_hand_over_is_hinted_at_once_and_a_parked_execution_when_its_moment_comes() {
    let mut shard = shard();
    let release = |wake_at| Request::Release {
        id: id(1),
        epoch: Epoch(1),
        seen: InboxSeq(0),
        wake_at: at(wake_at),
    };
    start(&mut shard, 1);
    assert_eq!(ask(&mut shard, 5, release(90_000), ""), Reply::Released);
    let mut shard = restarted(&shard, 6);
    assert_eq!(hints(&mut shard, 60_000), []);
    assert_eq!(hints(&mut shard, 90_000), [id(1)]);
    let taken = ask(&mut shard, 90_001, Request::Take { id: id(1) }, "");
    assert!(matches!(taken, Reply::Taken { epoch: Epoch(2), .. }), "{taken:?}");
    let hand_over =
        Request::Release { id: id(1), epoch: Epoch(2), seen: InboxSeq(0), wake_at: at(0) };
    assert_eq!(ask(&mut shard, 90_002, hand_over, ""), Reply::Released);
    let mut again = restarted(&shard, 90_003);
    assert_eq!(hints(&mut shard, 90_002), [id(1)]);
    assert_eq!(hints(&mut again, 90_003), [id(1)], "a restart leaves no grace to nobody");
}

#[test]
fn what_comes_in_is_met_before_the_lease_goes_back() {
    let mut shard = shard();
    start(&mut shard, 1);
    let post =
        Request::Post { id: id(1), entry: json!({"signal": "go"}), key: None, reopens: false };
    assert_eq!(ask(&mut shard, 1, post, ""), Reply::Posted { n: InboxSeq(1) });
    let release = |seen| Request::Release {
        id: id(1),
        epoch: Epoch(1),
        seen: InboxSeq(seen),
        wake_at: at(99_000),
    };
    let kept = ask(&mut shard, 2, release(0), "");
    assert!(matches!(&kept, Reply::InboxNotEmpty { inbox } if inbox.len() == 1), "{kept:?}");
    let met = ask(&mut shard, 3, append(1, 1, 2, After::Active), "[2]");
    assert!(matches!(&met, Reply::Appended { inbox } if inbox.len() == 1), "{met:?}");
    assert_eq!(ask(&mut shard, 4, release(1), ""), Reply::Released);
    assert_eq!(hints(&mut shard, 5), []);
    let post =
        Request::Post { id: id(1), entry: json!({"signal": "go on"}), key: None, reopens: false };
    ask(&mut shard, 6, post, "");
    assert_eq!(hints(&mut shard, 6), [id(1)], "a parked execution wakes for its inbox");
}

#[test]
fn the_same_key_finds_the_first_start_and_another_body_is_a_conflict() {
    let mut shard = shard();
    ask(&mut shard, 0, start_with(Some(("k", "b")), 1, After::Active), "[0]");
    let again = ask(&mut shard, 1, start_with(Some(("k", "b")), 2, After::Active), "[0]");
    assert_eq!(again, Reply::Existing { id: id(1) });
    let other = ask(&mut shard, 2, start_with(Some(("k", "x")), 3, After::Active), "[0]");
    assert_eq!(other, Reply::KeyConflict);
    let mut shard = restarted(&shard, 3);
    let late = ask(&mut shard, 4, start_with(Some(("k", "b")), 4, After::Active), "[0]");
    assert_eq!(late, Reply::Existing { id: id(1) });
    let day_ms = 24 * 3600 * 1000;
    let forgotten = ask(&mut shard, day_ms, start_with(Some(("k", "b")), 5, After::Active), "[0]");
    assert_eq!(forgotten, Reply::Started { epoch: Epoch(1) });
}

#[test]
fn a_start_whose_answer_was_lost_is_answered_again() {
    let mut shard = shard();
    let request = start_with(Some(("k", "b")), 1, After::Active);
    ask(&mut shard, 0, request.clone(), "[0]");
    assert_eq!(ask(&mut shard, 1, request, "[0]"), Reply::Started { epoch: Epoch(1) });
    assert_eq!(shard.open_count(), 1);
}

#[test]
fn a_start_that_comes_again_after_another_driver_went_on_begins_nothing() {
    let mut shard = shard();
    let request = start_with(None, 1, After::Active);
    ask(&mut shard, 0, request.clone(), "[0]");
    ask(&mut shard, LEASE_MS, Request::Take { id: id(1) }, "");
    let existing = Reply::Existing { id: id(1) };
    assert_eq!(ask(&mut shard, LEASE_MS + 1, request.clone(), "[0]"), existing);
    ask(&mut shard, LEASE_MS + 2, append(1, 2, 2, After::Ended), "[2]");
    assert_eq!(ask(&mut shard, LEASE_MS + 3, request, "[0]"), existing);
    let over = start_with(None, 2, After::Ended);
    assert_eq!(ask(&mut shard, 5, over.clone(), "[0]"), Reply::Started { epoch: Epoch(1) });
    assert_eq!(ask(&mut shard, 6, over, "[0]"), Reply::Started { epoch: Epoch(1) });
}

#[test]
fn what_a_driver_sent_before_it_gave_its_lease_back_and_comes_late_holds_nothing() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]");
    let hand_over =
        || Request::Release { id: id(1), epoch: Epoch(1), seen: InboxSeq(0), wake_at: at(2) };
    assert_eq!(ask(&mut shard, 2, hand_over(), ""), Reply::Released);
    let stale = Reply::StaleEpoch { epoch: Epoch(1) };
    assert_eq!(ask(&mut shard, 3, Request::Renew { id: id(1), epoch: Epoch(1) }, ""), stale);
    assert_eq!(ask(&mut shard, 3, append(1, 1, 2, After::Active), "[2]"), stale);
    assert_eq!(ask(&mut shard, 3, append(1, 1, 3, After::Active), "[3]"), stale);
    assert_eq!(ask(&mut shard, 3, hand_over(), ""), Reply::Released);
    assert_eq!(hints(&mut shard, 4), [id(1)], "nobody drives it, and somebody is asked to");
    let taken = ask(&mut shard, 5, Request::Take { id: id(1) }, "");
    assert!(matches!(taken, Reply::Taken { epoch: Epoch(2), seq: Seq(2), .. }), "{taken:?}");
}

#[test]
fn an_append_that_is_repeated_shows_that_its_driver_lives() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]");
    ask(&mut shard, 20_000, append(1, 1, 2, After::Active), "[2]");
    let held = ask(&mut shard, LEASE_MS + 5, Request::Take { id: id(1) }, "");
    assert_eq!(held, Reply::Held { until: at(20_000 + LEASE_MS) });
}

#[test]
fn ended_executions_are_projected_together_until_that_is_acknowledged() {
    let mut shard = shard();
    for n in 1..=3 {
        start(&mut shard, n);
        ask(&mut shard, 10, append(n, 1, 2, After::Ended), "[2]");
    }
    assert_eq!(shard.alarm_at(), Some(at(260)));
    let Ok(tasks) = shard.tasks(at(260));
    assert_eq!(tasks.project.len(), 3);
    let Ok(again) = shard.tasks(at(10_000));
    assert_eq!(again, Tasks::default(), "one projection at a time");
    let Ok(()) = shard.projected(at(300), Err(()));
    let Ok(tasks) = shard.tasks(at(5_300));
    assert_eq!(tasks.project.len(), 3, "a projection that failed is made again");
    let mut shard = restarted(&shard, 6_000);
    let Ok(tasks) = shard.tasks(at(6_000));
    assert_eq!(tasks.project.len(), 3, "and so is one that was forgotten");
    let Ok(()) = shard.projected(at(6_001), Ok(&tasks.project));
    let mut shard = restarted(&shard, 7_000);
    let Ok(tasks) = shard.tasks(at(8_000));
    assert_eq!(tasks, Tasks::default());
}

#[test]
fn an_execution_that_goes_on_is_projected_after_two_seconds_and_when_it_parks() {
    let mut shard = shard();
    start(&mut shard, 1);
    let Ok(tasks) = shard.tasks(at(2_000));
    assert_eq!(tasks.project, [Projected { id: id(1), seq: Seq(1), ended: None }]);
    let Ok(()) = shard.projected(at(2_001), Ok(&tasks.project));
    ask(&mut shard, 3_000, append(1, 1, 2, After::Active), "[2]");
    let Ok(tasks) = shard.tasks(at(5_000));
    assert_eq!(tasks.project, [Projected { id: id(1), seq: Seq(2), ended: None }]);
    let Ok(()) = shard.projected(at(5_001), Ok(&tasks.project));
    let Ok(tasks) = shard.tasks(at(9_000));
    assert_eq!(tasks.project, [], "nothing is new");
}

#[test]
fn only_what_is_projected_and_old_is_forgotten() {
    let mut shard = shard();
    for n in 1..=2 {
        start(&mut shard, n);
        ask(&mut shard, 10, append(n, 1, 2, After::Ended), "[2]");
    }
    let day_ms = 24 * 3600 * 1000;
    ask(&mut shard, day_ms * 2, Request::Sweep, "");
    let peek = |n| Request::Peek { id: id(n) };
    let standing = Reply::Standing {
        seq: Seq(2),
        phase: Phase::Ended,
        lease_until: None,
        unheard: 0,
        wake_at: None,
    };
    assert_eq!(ask(&mut shard, day_ms * 2, peek(1), ""), standing, "not projected yet");
    hints(&mut shard, day_ms * 2);
    ask(&mut shard, day_ms * 2 + 1, Request::Sweep, "");
    assert_eq!(ask(&mut shard, day_ms * 2 + 1, peek(1), ""), Reply::Unknown);
    let mut shard = restarted(&shard, day_ms * 3);
    start(&mut shard, 3);
    ask(&mut shard, day_ms * 3, append(3, 1, 2, After::Ended), "[2]");
    let Ok(tasks) = shard.tasks(at(day_ms * 3 + 1_000));
    assert_eq!(tasks.project.len(), 1, "numbers of ends go on after a purge");
}

#[test]
fn messages_and_records_cross_the_wire_line_by_line() {
    let request = append(1, 1, 2, After::Active);
    let text = encode(&request, ["[1]", "[2]"]).unwrap();
    let (back, records) = decode::<Request>(&text).unwrap();
    assert_eq!((back, records), (request, vec!["[1]", "[2]"]));
}
