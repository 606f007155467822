//! Stories of what comes in for an execution.

use super::*;

#[test]
fn what_comes_in_is_met_before_the_lease_goes_back() {
    let mut shard = shard();
    start(&mut shard, 1);
    let post =
        Request::Post { id: id(1), entry: json!({"signal": "go"}), key: None, reopens: false };
    assert_eq!(ask(&mut shard, 1, post, ""), Reply::Posted { n: InboxSeq(1) });
    let release = |seen| Request::Release {
        seq: None,
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
fn an_entry_is_handed_out_until_an_append_acknowledges_it() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, post(1, "a"), "");
    let met = ask(&mut shard, 2, hearing(1, 2, After::Active, 0), "[2]");
    assert_eq!(brought(&met), [1]);
    ask(&mut shard, 3, post(1, "b"), "");
    let met = ask(&mut shard, 4, hearing(1, 3, After::Active, 1), "[3]");
    assert_eq!(brought(&met), [2], "the first has taken effect");
    let renewed = ask(&mut shard, 5, Request::Renew { id: id(1), epoch: Epoch(1) }, "");
    assert_eq!(brought(&renewed), [2]);
    let mut shard = restarted(&shard, 6);
    let taken = ask(&mut shard, 6 + LEASE_MS, take(1), "");
    assert_eq!(brought(&taken), [2], "the next driver meets what the last one did not acknowledge");
}

#[test]
fn a_late_double_of_an_append_takes_nothing_back() {
    let mut shard = shard();
    start(&mut shard, 1);
    for entry in ["a", "b"] {
        ask(&mut shard, 1, post(1, entry), "");
    }
    ask(&mut shard, 2, hearing(1, 2, After::Active, 2), "[2]");
    let again = ask(&mut shard, 3, hearing(1, 2, After::Active, 1), "[2]");
    assert_eq!(brought(&again), [] as [u64; 0]);
    let released = ask(&mut shard, 4, release(1, 1, 0, 99_000), "");
    assert_eq!(released, Reply::Released, "what was acknowledged need not be named again");
}

#[test]
fn a_repeated_append_acknowledges_too() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, hearing(1, 2, After::Active, 0), "[2]");
    ask(&mut shard, 2, post(1, "a"), "");
    let again = ask(&mut shard, 3, hearing(1, 2, After::Active, 1), "[2]");
    assert_eq!(brought(&again), [] as [u64; 0]);
    let mut shard = restarted(&shard, 4);
    assert_eq!(brought(&ask(&mut shard, 5 + LEASE_MS, take(1), "")), [] as [u64; 0]);
}

#[test]
fn nobody_acknowledges_what_has_not_come() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, hearing(1, 2, After::Active, 7), "[2]");
    ask(&mut shard, 2, post(1, "a"), "");
    let met = ask(&mut shard, 3, hearing(1, 3, After::Active, 0), "[3]");
    assert_eq!(brought(&met), [1]);
}

#[test]
fn an_append_that_is_refused_acknowledges_nothing() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, post(1, "a"), "");
    let late = ask(&mut shard, 2, hearing(1, 5, After::Active, 1), "[5]");
    assert_eq!(late, Reply::OutOfSequence { seq: Seq(1) });
    let other = ask(&mut shard, 3, hearing(1, 1, After::Active, 1), "[another]");
    assert_eq!(other, Reply::OutOfSequence { seq: Seq(1) });
    assert_eq!(inbox_of(&shard, 1), [json!("a")]);
}

#[test]
fn the_same_key_is_stored_once_for_each_execution() {
    let mut shard = shard();
    start(&mut shard, 1);
    start(&mut shard, 2);
    assert_eq!(ask(&mut shard, 1, post_with("k", 1, "a"), ""), posted(1));
    assert_eq!(ask(&mut shard, 2, post(1, "b"), ""), posted(2));
    assert_eq!(ask(&mut shard, 3, post_with("k", 1, "other"), ""), posted(1));
    assert_eq!(ask(&mut shard, 3, post_with("k", 2, "c"), ""), posted(1));
    let mut shard = restarted(&shard, 4);
    assert_eq!(ask(&mut shard, 5, post_with("k", 1, "a"), ""), posted(1));
    assert_eq!(inbox_of(&shard, 1), [json!("a"), json!("b")]);
    ask(&mut shard, 6, hearing(1, 2, After::Active, 2), "[2]");
    assert_eq!(ask(&mut shard, 7, post_with("k", 1, "a"), ""), posted(1), "heard long ago");
    ask(&mut shard, 8, hearing(1, 3, After::Ended, 2), "[3]");
    assert_eq!(ask(&mut shard, 9, post_with("k", 1, "a"), ""), posted(1), "it did count");
    assert_eq!(ask(&mut shard, 9, post_with("l", 1, "a"), ""), Reply::Ended);
}

#[test]
fn an_inbox_takes_a_thousand_entries_that_nobody_heard() {
    let mut shard = shard();
    start(&mut shard, 1);
    for n in 1..=UNHEARD_MAX {
        assert_eq!(ask(&mut shard, 1, post_with(&n.to_string(), 1, "a"), ""), posted(n));
    }
    let full = Reply::InboxFull { max: UNHEARD_MAX };
    assert_eq!(ask(&mut shard, 2, post_with("more", 1, "a"), ""), full);
    let mut shard = restarted(&shard, 3);
    assert_eq!(ask(&mut shard, 4, post_with("more", 1, "a"), ""), full);
    assert_eq!(ask(&mut shard, 4, post_with("7", 1, "a"), ""), posted(7), "it is there");
    ask(&mut shard, 5, hearing(1, 2, After::Active, 1), "[2]");
    assert_eq!(ask(&mut shard, 6, post_with("more", 1, "a"), ""), posted(UNHEARD_MAX + 1));
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let mut shard = shard();
    start(&mut shard, 1);
    let quotes = 2;
    let fits = "x".repeat(ENTRY_BYTES_MAX - quotes);
    assert_eq!(ask(&mut shard, 1, post(1, &fits), ""), posted(1));
    let large = Reply::TooLarge { max_bytes: 256 * 1024 };
    assert_eq!(ask(&mut shard, 2, post(1, &format!("{fits}x")), ""), large);
    assert_eq!(ask(&mut shard, 3, post(9, "a"), ""), Reply::Unknown);
}

#[test]
fn a_parked_execution_is_hinted_at_once_and_again_until_somebody_takes_it() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, release(1, 1, 0, 900_000), "");
    assert_eq!(hints(&mut shard, 5_000), []);
    ask(&mut shard, 6_000, post(1, "a"), "");
    assert!(shard.alarm_at().is_some_and(|alarm| alarm <= at(6_000)), "{:?}", shard.alarm_at());
    assert_eq!(hints(&mut shard, 6_000), [id(1)]);
    ask(&mut shard, 6_001, post(1, "b"), "");
    assert_eq!(hints(&mut shard, 6_001), [], "somebody was just asked");
    let mut again = restarted(&shard, 6_500);
    assert_eq!(hints(&mut again, 6_500), [id(1)], "a restart forgets the hint, not the entry");
    assert_eq!(hints(&mut shard, 11_000), [id(1)]);
    let taken = ask(&mut shard, 11_001, take(1), "");
    assert_eq!(brought(&taken), [1, 2]);
}

#[test]
fn whoever_asks_is_told_how_it_stands() {
    let mut shard = shard();
    start(&mut shard, 1);
    ask(&mut shard, 1, post(1, "a"), "");
    let peek = || Request::Peek { id: id(1) };
    let standing = |phase, lease_until, unheard, wake_at| Reply::Standing {
        seq: Seq(1),
        phase,
        lease_until,
        unheard,
        wake_at,
    };
    let driven = standing(Phase::Active, Some(at(LEASE_MS)), 1, None);
    assert_eq!(ask(&mut shard, 2, peek(), ""), driven);
    let forsaken = standing(Phase::Active, None, 1, None);
    assert_eq!(ask(&mut shard, LEASE_MS, peek(), ""), forsaken);
    ask(&mut shard, 3, release(1, 1, 1, 70_000), "");
    let parked = standing(Phase::Parked, None, 0, Some(at(70_000)));
    assert_eq!(ask(&mut shard, 4, peek(), ""), parked);
    let mut shard = restarted(&shard, 5);
    assert_eq!(ask(&mut shard, 6, peek(), ""), parked);
    let read = ask(&mut shard, 6, Request::Read { id: id(1), after: Seq(0) }, "");
    let (account, wake_at) = ("default".to_owned(), Some(at(70_000)));
    let phase = Phase::Parked;
    let records =
        Reply::Records { seq: Seq(1), phase, account, lease_until: None, unheard: 0, wake_at };
    assert_eq!(read, records);
}

#[test]
fn a_driver_of_the_first_version_is_sent_away_when_something_comes_in() {
    let mut shard = shard();
    start(&mut shard, 1);
    let first = |shard: &mut Shard<MemoryStore>, ms, request: Request| {
        let Ok(reply) = shard.handle_first_version(at(ms), &request);
        reply
    };
    assert_eq!(first(&mut shard, 1, append(1, 1, 2, After::Active)), None, "nothing came in");
    ask(&mut shard, 2, post(1, "a"), "");
    let stranger = append(1, 7, 2, After::Active);
    assert_eq!(first(&mut shard, 3, stranger), None, "answered like any other");
    let stale = Some(Reply::StaleEpoch { epoch: Epoch(1) });
    assert_eq!(first(&mut shard, 4, append(1, 1, 2, After::Active)), stale);
    assert_eq!(hints(&mut shard, 5), [id(1)]);
    let held = first(&mut shard, 6, take(1));
    assert!(matches!(held, Some(Reply::Held { .. })), "{held:?}");
    let mut shard = restarted(&shard, 7);
    let taken = ask(&mut shard, 8, take(1), "");
    assert_eq!(brought(&taken), [1], "the entry waits for one that understands");
}
