//! Stories of projections, and of what is forgotten.

use super::*;

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
fn an_execution_in_progress_is_kept_and_so_is_what_nobody_looked_for() {
    let mut shard = shard();
    start(&mut shard, 1);
    let ids = vec![id(1), id(2)];
    assert_eq!(ask(&mut shard, 5, Request::Kept { ids }, ""), Reply::Kept { ids: vec![id(1)] });
    let ids: Vec<_> = (0..KEPT_MAX + 2).map(|_| id(9)).collect();
    let beyond = Reply::Kept { ids: vec![id(9); 2] };
    assert_eq!(ask(&mut shard, 5, Request::Kept { ids }, ""), beyond, "too many to look for");
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
    let kept = || Request::Kept { ids: vec![id(1), id(7), id(2)] };
    let both = Reply::Kept { ids: vec![id(1), id(2)] };
    assert_eq!(ask(&mut shard, day_ms * 2, kept(), ""), both, "projected, and not forgotten");
    ask(&mut shard, day_ms * 2 + 1, Request::Sweep, "");
    assert_eq!(ask(&mut shard, day_ms * 2 + 1, peek(1), ""), Reply::Unknown);
    assert_eq!(ask(&mut shard, day_ms * 2 + 1, kept(), ""), Reply::Kept { ids: vec![] });
    let mut shard = restarted(&shard, day_ms * 3);
    start(&mut shard, 3);
    ask(&mut shard, day_ms * 3, append(3, 1, 2, After::Ended), "[2]");
    let Ok(tasks) = shard.tasks(at(day_ms * 3 + 1_000));
    assert_eq!(tasks.project.len(), 1, "numbers of ends go on after a purge");
}
