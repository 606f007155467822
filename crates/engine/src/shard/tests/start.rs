//! Stories of starts.

use super::*;

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
