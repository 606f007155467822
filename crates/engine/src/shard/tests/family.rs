//! Stories of parents and children.

use super::*;

fn begun(parent: u128, children: &[u128]) -> Shard<MemoryStore> {
    let mut shard = shard();
    start(&mut shard, parent);
    for n in children {
        let started = ask(&mut shard, 1, child(*n, parent, After::Active), "[0]");
        assert_eq!(started, Reply::Started { epoch: Epoch(1) });
    }
    shard
}

fn end(shard: &mut Shard<MemoryStore>, ms: i64, n: u128, epoch: u64, seq: u64) {
    let reply = ask(shard, ms, append(n, epoch, seq, After::Ended), &format!("[{seq}]"));
    assert_eq!(reply, appended());
}

fn child_ended(n: u128) -> Value {
    json!({"type": "child_ended", "child": id(n)})
}

fn parent_ended(n: u128) -> Value {
    json!({"type": "parent_ended", "parent": id(n)})
}

#[test]
fn a_child_is_hinted_at_once_because_nobody_drives_it() {
    let mut shard = begun(1, &[2]);
    assert_eq!(hints(&mut shard, 1), [id(2)]);
    let mut shard = restarted(&shard, 2);
    assert_eq!(hints(&mut shard, 2), [id(2)]);
    let stale = Reply::StaleEpoch { epoch: Epoch(1) };
    assert_eq!(ask(&mut shard, 3, append(2, 1, 2, After::Active), "[2]"), stale);
    let taken = ask(&mut shard, 4, take(2), "");
    assert!(matches!(taken, Reply::Taken { epoch: Epoch(2), .. }), "{taken:?}");
}

#[test]
fn a_child_that_is_started_again_is_found_open_or_ended() {
    let mut shard = begun(1, &[2]);
    let existing = Reply::Existing { id: id(2) };
    assert_eq!(ask(&mut shard, 2, child(2, 1, After::Active), "[0]"), existing);
    ask(&mut shard, 3, take(2), "");
    assert_eq!(ask(&mut shard, 4, child(2, 1, After::Active), "[0]"), existing);
    end(&mut shard, 5, 2, 2, 2);
    let mut shard = restarted(&shard, 6);
    assert_eq!(ask(&mut shard, 7, child(2, 1, After::Active), "[0]"), existing);
    assert_eq!(ask(&mut shard, 8, child(3, 1, After::Ended), "[0]"), started());
    assert_eq!(ask(&mut shard, 9, child(3, 1, After::Ended), "[0]"), Reply::Existing { id: id(3) });
}

fn started() -> Reply {
    Reply::Started { epoch: Epoch(1) }
}

#[test]
fn a_parent_hears_of_the_end_of_its_child_and_wakes() {
    let mut shard = begun(1, &[2]);
    ask(&mut shard, 2, take(2), "");
    ask(&mut shard, 3, release(1, 1, 0, 900_000), "");
    hints(&mut shard, 4);
    end(&mut shard, 5, 2, 2, 2);
    assert_eq!(inbox_of(&shard, 1), [child_ended(2)]);
    for mut shard in [restarted(&shard, 6), shard] {
        assert_eq!(hints(&mut shard, 6), [id(1)]);
        assert_eq!(brought(&ask(&mut shard, 7, take(1), "")), [1]);
    }
}

#[test]
fn the_answer_to_a_childs_end_may_be_lost_and_its_parent_hears_of_it_once() {
    let mut shard = begun(1, &[2]);
    ask(&mut shard, 2, take(2), "");
    for _ in 0..3 {
        end(&mut shard, 5, 2, 2, 2);
    }
    let mut shard = restarted(&shard, 6);
    end(&mut shard, 7, 2, 2, 2);
    assert_eq!(inbox_of(&shard, 1), [child_ended(2)]);
}

#[test]
fn a_child_that_ends_as_it_starts_is_heard_of_too() {
    let mut shard = begun(1, &[]);
    assert_eq!(ask(&mut shard, 2, child(2, 1, After::Ended), "[0]"), started());
    assert_eq!(inbox_of(&shard, 1), [child_ended(2)]);
    assert_eq!(hints(&mut shard, 2), [], "its parent is being driven");
}

#[test]
fn open_children_hear_of_the_end_of_their_parent() {
    let mut shard = begun(1, &[2, 3, 4]);
    ask(&mut shard, 2, take(2), "");
    end(&mut shard, 3, 2, 2, 2);
    let mut shard = restarted(&shard, 4);
    end(&mut shard, 5, 1, 1, 2);
    assert_eq!(inbox_of(&shard, 2), [] as [Value; 0], "it has ended");
    for n in [3, 4] {
        assert_eq!(inbox_of(&shard, n), [parent_ended(1)]);
    }
    assert_eq!(hints(&mut shard, 6), [id(3), id(4)]);
    ask(&mut shard, 7, take(3), "");
    end(&mut shard, 8, 3, 2, 2);
    let row = row_of(&shard, 1);
    assert_eq!(row.inbox, InboxSeq(1), "a parent that has ended hears nothing more");
}

#[test]
fn a_child_whose_start_came_after_its_parents_end_hears_of_that_at_once() {
    let mut shard = begun(1, &[]);
    end(&mut shard, 2, 1, 1, 2);
    assert_eq!(ask(&mut shard, 3, child(2, 1, After::Active), "[0]"), started());
    assert_eq!(inbox_of(&shard, 2), [parent_ended(1)]);
    assert_eq!(brought(&ask(&mut shard, 4, take(2), "")), [1]);
}

#[test]
fn a_child_that_was_opened_again_is_heard_of_again() {
    let mut shard = begun(1, &[2]);
    ask(&mut shard, 2, take(2), "");
    end(&mut shard, 3, 2, 2, 2);
    ask(&mut shard, 4, reopen(2, "retry"), "");
    let mut shard = restarted(&shard, 5);
    ask(&mut shard, 6, take(2), "");
    let again = Request::Append {
        id: id(2),
        epoch: Epoch(3),
        seq: Seq(3),
        after: After::Ended,
        seen: InboxSeq(1),
    };
    assert_eq!(ask(&mut shard, 7, again, "[3]"), appended());
    assert_eq!(inbox_of(&shard, 1), [child_ended(2), child_ended(2)]);
}

#[test]
fn a_parent_that_was_opened_again_is_told_of_the_children_that_are_open() {
    let mut shard = begun(1, &[2]);
    end(&mut shard, 2, 1, 1, 2);
    ask(&mut shard, 3, reopen(1, "retry"), "");
    let mut shard = restarted(&shard, 4);
    ask(&mut shard, 5, take(2), "");
    end(&mut shard, 6, 2, 2, 2);
    assert_eq!(inbox_of(&shard, 1), [json!("retry"), child_ended(2)]);
    ask(&mut shard, 7, child(3, 1, After::Active), "[0]");
    ask(&mut shard, 8, take(1), "");
    let again = Request::Append {
        id: id(1),
        epoch: Epoch(2),
        seq: Seq(3),
        after: After::Ended,
        seen: InboxSeq(2),
    };
    assert_eq!(ask(&mut shard, 9, again, "[3]"), appended());
    assert_eq!(inbox_of(&shard, 3), [parent_ended(1)]);
}

#[test]
fn a_callers_key_never_stands_in_the_way_of_a_notice() {
    let mut shard = begun(1, &[2]);
    let seq = 2;
    ask(&mut shard, 2, post_with(&format!("child:{}:{seq}", id(2)), 1, "mine"), "");
    ask(&mut shard, 3, take(2), "");
    end(&mut shard, 4, 2, 2, seq);
    assert_eq!(inbox_of(&shard, 1), [json!("mine"), child_ended(2)]);
}

#[test]
fn a_full_inbox_takes_notices_of_the_shard() {
    let mut shard = begun(1, &[2]);
    for _ in 0..UNHEARD_MAX {
        ask(&mut shard, 2, post(1, "a"), "");
    }
    ask(&mut shard, 3, take(2), "");
    end(&mut shard, 4, 2, 2, 2);
    assert_eq!(inbox_of(&shard, 1).last(), Some(&child_ended(2)));
}
