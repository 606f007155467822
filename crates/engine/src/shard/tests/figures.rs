//! What a shard tells operators.

use super::*;

fn told(shard: &mut Shard<MemoryStore>, ms: i64) -> Figures {
    match ask(shard, ms, Request::Figures, "") {
        Reply::Figures(figures) => figures,
        other => panic!("{other:?}"),
    }
}

#[test]
fn executions_are_counted_by_what_they_need() {
    let mut shard = shard();
    for n in 1..=3 {
        start(&mut shard, n);
    }
    let driven = Figures { open: 3, driven: 3, ..Figures::default() };
    assert_eq!(told(&mut shard, 10), driven);
    ask(&mut shard, 20, append(1, 1, 2, After::Ended), "[1]");
    let (epoch, seen, seq) = (Epoch(1), InboxSeq(0), None);
    let release = Request::Release { id: id(2), epoch, seen, wake_at: at(600_000), seq };
    assert_eq!(ask(&mut shard, 30, release, ""), Reply::Released);
    let found = told(&mut shard, 40);
    assert_eq!((found.open, found.driven, found.parked, found.due), (2, 1, 1, 0));
    assert_eq!((found.ended, found.unheard), (1, 0));
    assert!(found.unprojected >= 1, "the one that ended is not in D1");
    ask(&mut shard, 50, post(2, "a"), "");
    let found = told(&mut shard, 60);
    assert_eq!((found.parked, found.due, found.unheard, found.stalled), (0, 1, 1, 0));
}

#[test]
fn one_that_nobody_takes_is_stalled_after_the_second_hint() {
    let mut shard = shard();
    start(&mut shard, 1);
    let lost = LEASE_MS + 1;
    assert_eq!(told(&mut shard, lost).due, 1);
    for (ms, stalled) in [(lost, 0), (lost + 5_001, 1)] {
        shard.tasks(at(ms)).unwrap();
        assert_eq!(told(&mut shard, ms).stalled, stalled, "{ms}");
    }
    ask(&mut shard, lost + 6_000, Request::Take { id: id(1) }, "");
    let found = told(&mut shard, lost + 6_001);
    assert_eq!((found.driven, found.due, found.stalled), (1, 0, 0));
}

#[test]
fn figures_of_shards_add_up() {
    let one = Figures { open: 1, due: 2, size_bytes: 3, ..Figures::default() };
    let sum = one.plus(one).plus(Figures { ended: 4, ..Figures::default() });
    assert_eq!(sum, Figures { open: 2, due: 4, size_bytes: 6, ended: 4, ..Figures::default() });
}
