//! Many executions that wait: they cost nothing while nothing comes.

use std::cell::Cell;

use super::*;
use crate::shard::tasks::HINTS_MAX;

const PARKED: u128 = 10_000;
const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;

/// Counts what is asked of it.
#[derive(Clone, Debug, Default)]
struct Counting {
    memory: MemoryStore,
    scans: Cell<usize>,
    reads: Cell<usize>,
    writes: Cell<usize>,
}

impl Counting {
    fn read(&self) -> &MemoryStore {
        self.reads.set(self.reads.get() + 1);
        &self.memory
    }

    /// Scans, reads and writes since the last look.
    fn work(&self) -> (usize, usize, usize) {
        (self.scans.take(), self.reads.take(), self.writes.take())
    }
}

impl Store for Counting {
    type Error = Infallible;

    fn commit(&mut self, writes: &[Write<'_>]) -> Result<(), Infallible> {
        self.writes.set(self.writes.get() + writes.len());
        self.memory.commit(writes)
    }

    fn inbox(&self, id: &ExecutionId, after: InboxSeq) -> Result<Vec<InboxEntry>, Infallible> {
        self.read().inbox(id, after)
    }

    fn posted(&self, id: &ExecutionId, key: &str) -> Result<Option<InboxSeq>, Infallible> {
        self.read().posted(id, key)
    }

    fn reopening(&self, id: &ExecutionId, after: InboxSeq) -> Result<Option<InboxSeq>, Infallible> {
        self.read().reopening(id, after)
    }

    fn execution(&self, id: &ExecutionId) -> Result<Option<ExecutionRow>, Infallible> {
        self.read().execution(id)
    }

    fn open(&self) -> Result<Vec<ExecutionRow>, Infallible> {
        self.scans.set(self.scans.get() + 1);
        self.memory.open()
    }

    fn records(&self, id: &ExecutionId, after: Seq) -> Result<Vec<String>, Infallible> {
        self.read().records(id, after)
    }

    fn key(&self, key_hash: &str) -> Result<Option<IdempotencyRow>, Infallible> {
        self.read().key(key_hash)
    }

    fn last_ended(&self) -> Result<u64, Infallible> {
        self.memory.last_ended()
    }

    fn ended_after(&self, number: u64, limit: usize) -> Result<Vec<EndedRow>, Infallible> {
        self.read().ended_after(number, limit)
    }

    fn projected(&self) -> Result<u64, Infallible> {
        self.memory.projected()
    }

    fn purge(
        &mut self,
        projected: u64,
        ended_before: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Infallible> {
        self.memory.purge(projected, ended_before, now, limit)
    }
}

/// All parked until next week and projected, the way that it goes.
fn all_parked() -> (Shard<Counting>, i64) {
    let Ok(mut shard) = Shard::load(Counting::default(), Timing::default(), at(0));
    for n in 0..PARKED {
        ask(&mut shard, 0, start_with(None, n, After::Active), "[0]");
        assert_eq!(ask(&mut shard, 0, release(n, 1, 0, WEEK_MS), ""), Reply::Released);
    }
    let mut now_ms = 0;
    while let Some(alarm) = shard.alarm_at().filter(|alarm| alarm.as_millis() < WEEK_MS) {
        now_ms = alarm.as_millis().max(now_ms);
        assert_eq!(hints(&mut shard, now_ms), []);
    }
    shard.store().work();
    (shard, now_ms)
}

#[test]
fn ten_thousand_parked_executions_cost_nothing_while_nothing_comes() {
    let (mut shard, now_ms) = all_parked();
    assert_eq!(shard.alarm_at(), Some(at(WEEK_MS)), "nothing is to be done before");
    assert_eq!(shard.timers.len(), PARKED as usize, "one timer each");
    for later in 1..=1_000 {
        let Ok(tasks) = shard.tasks(at(now_ms + later * 60_000));
        assert_eq!(tasks, Tasks::default());
    }
    assert_eq!(shard.store().work(), (0, 0, 0));
}

#[test]
fn a_restart_with_ten_thousand_parked_executions_is_one_scan() {
    let (shard, now_ms) = all_parked();
    let Ok(mut shard) = Shard::load(shard.store().clone(), Timing::default(), at(now_ms));
    assert_eq!(shard.store().work(), (1, 0, 0));
    assert_eq!(shard.alarm_at(), Some(at(WEEK_MS)));
    let Ok(tasks) = shard.tasks(at(now_ms + 3_600_000));
    assert_eq!(tasks, Tasks::default(), "what was projected is not projected again");
    assert_eq!(shard.store().work(), (0, 0, 0));
}

#[test]
fn ten_thousand_parked_executions_wake_for_what_comes() {
    let (mut shard, now_ms) = all_parked();
    for n in 0..PARKED {
        assert_eq!(ask(&mut shard, now_ms, post(n, "go"), ""), posted(1));
    }
    assert_eq!(shard.store().work(), (0, 0, PARKED as usize), "a row each");
    let mut woken = Vec::new();
    while shard.alarm_at().is_some_and(|alarm| alarm <= at(now_ms)) {
        let asked = hints(&mut shard, now_ms);
        assert!((1..=HINTS_MAX).contains(&asked.len()), "{}", asked.len());
        woken.extend(asked);
    }
    woken.sort();
    woken.dedup();
    assert_eq!(woken.len(), PARKED as usize);
    for n in 0..PARKED {
        assert_eq!(brought(&ask(&mut shard, now_ms + 1, take(n), "")), [1]);
        let end = Request::Append {
            id: id(n),
            epoch: Epoch(2),
            seq: Seq(2),
            after: After::Ended,
            seen: InboxSeq(1),
        };
        assert_eq!(ask(&mut shard, now_ms + 2, end, "[2]"), appended());
    }
    assert_eq!((shard.open_count(), shard.timers.len(), shard.behind.len()), (0, 0, 0));
}

#[test]
fn an_execution_that_wakes_and_parks_often_has_one_timer() {
    let mut shard = shard();
    start(&mut shard, 1);
    for n in 1..=100 {
        let ms = i64::try_from(n).unwrap() * 1_000;
        let seen = release(1, n, n - 1, WEEK_MS + ms);
        assert_eq!(ask(&mut shard, ms, seen, ""), Reply::Released);
        assert_eq!(ask(&mut shard, ms, post(1, "go"), ""), posted(n));
        assert_eq!(hints(&mut shard, ms), [id(1)]);
        ask(&mut shard, ms, take(1), "");
        let epoch = Epoch(n + 1);
        let (seq, seen, after) = (Seq(n + 1), InboxSeq(n), After::Active);
        ask(&mut shard, ms, Request::Append { id: id(1), epoch, seq, after, seen }, "[]");
    }
    assert_eq!(shard.timers.len(), 1);
}
