//! Stories of leases, appends and hints.

use super::*;

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
        seq: None,
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
    let hand_over = Request::Release {
        seq: None,
        id: id(1),
        epoch: Epoch(2),
        seen: InboxSeq(0),
        wake_at: at(0),
    };
    assert_eq!(ask(&mut shard, 90_002, hand_over, ""), Reply::Released);
    let mut again = restarted(&shard, 90_003);
    assert_eq!(hints(&mut shard, 90_002), [id(1)]);
    assert_eq!(hints(&mut again, 90_003), [id(1)], "a restart leaves no grace to nobody");
}

#[test]
fn what_a_driver_sent_before_it_gave_its_lease_back_and_comes_late_holds_nothing() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]");
    let hand_over = || Request::Release {
        seq: None,
        id: id(1),
        epoch: Epoch(1),
        seen: InboxSeq(0),
        wake_at: at(2),
    };
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
fn a_release_that_comes_after_its_driver_went_on_takes_nothing() {
    let mut shard = shard();
    start(&mut shard, 1);
    assert_eq!(ask(&mut shard, 1, append(1, 1, 2, After::Active), "[2]"), appended());
    let late = Request::Release {
        id: id(1),
        epoch: Epoch(1),
        seen: InboxSeq(0),
        wake_at: at(1_000_000),
        seq: Some(Seq(1)),
    };
    assert_eq!(ask(&mut shard, 2, late, ""), Reply::OutOfSequence { seq: Seq(2) });
    assert!(shard.open[&id(1)].is_held(at(1)), "its driver goes on");
}
