//! The archive: every execution is in the database or in the archive, exactly once, wherever a
//! sweep is cut off, and is read as it was.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use bitware_orchestrator::archive::sweep::{Bounds, Swept, sweep};
use bitware_orchestrator::archive::{ArchiveError, Shelf, find};
use bitware_orchestrator::db::executions::by_pipeline_id;
use bitware_orchestrator::db::projection::{Facts, Projected};
use bitware_orchestrator::db::{Database, DbError, DbErrorKind, Rows, Statement, archive, duties};
use engine::time::{Millis, Timestamp};
use sqlite::{Sqlite, wait};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// 2026-03-01.
const NOW_MS: i64 = 1_772_323_200_000;

/// A database, an object storage and journals, which die together after so many calls: what was
/// asked of them last is done, or not, and nobody hears of it.
struct World {
    db: Sqlite,
    objects: RefCell<BTreeMap<String, Vec<u8>>>,
    journals: RefCell<BTreeSet<String>>,
    calls_left: Cell<usize>,
    does_the_last: Cell<bool>,
    now: Cell<Timestamp>,
}

impl World {
    fn new() -> Self {
        Self {
            db: Sqlite::new(),
            objects: RefCell::default(),
            journals: RefCell::default(),
            calls_left: Cell::new(usize::MAX),
            does_the_last: Cell::new(false),
            now: Cell::new(Timestamp::from_millis(NOW_MS)),
        }
    }

    /// Whether a call is done, and whether its answer arrives.
    fn call(&self) -> (bool, bool) {
        match self.calls_left.get() {
            0 => (false, false),
            1 => {
                self.calls_left.set(0);
                (self.does_the_last.get(), false)
            }
            left => {
                self.calls_left.set(left - 1);
                (true, true)
            }
        }
    }

    fn shelved<T>(&self, does: impl FnOnce() -> T) -> Result<T, ArchiveError> {
        let (done, heard) = self.call();
        let value = done.then(does);
        let value = value.filter(|_| heard);
        value.ok_or_else(|| ArchiveError::Storage("killed".to_owned()))
    }

    fn sweep(&self, executions_max: usize) -> Result<Option<Swept>, ArchiveError> {
        let bounds = Bounds {
            ended_before: Timestamp::from_millis(NOW_MS - 30 * DAY_MS),
            until: self.now.get().plus(Millis::from_secs(20)),
            executions_max,
        };
        wait(sweep(self, self, bounds, || self.now.get()))
    }

    /// A later cron, when whoever was killed holds nothing any more.
    fn later(&self) {
        self.calls_left.set(usize::MAX);
        self.now.set(self.now.get().plus(Millis::from_secs(600)));
    }

    fn anywhere(&self, id: &str) -> (Option<Projected>, Option<Projected>) {
        let here = wait(by_pipeline_id(&self.db, id)).unwrap();
        let here = here.map(|(execution, steps)| Projected {
            execution,
            steps,
            facts: Facts::default(),
            artifacts: Vec::new(),
            tasks: Vec::new(),
        });
        (here, wait(find(&self.db, self, id)).unwrap())
    }
}

impl Database for World {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let name = statements.first().map_or("", |statement| statement.sql.name);
        let (done, heard) = self.call();
        let rows = match done {
            true => Some(self.db.batch(statements).await?),
            false => None,
        };
        rows.filter(|_| heard).ok_or_else(|| DbError::new(DbErrorKind::Unavailable, name, "killed"))
    }
}

impl Shelf for World {
    async fn put(&self, key: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.shelved(|| drop(self.objects.borrow_mut().insert(key.to_owned(), bytes.to_vec())))
    }

    async fn read(&self, key: &str, part: Option<(u64, u64)>) -> Result<Vec<u8>, ArchiveError> {
        let object = self.shelved(|| self.objects.borrow().get(key).cloned())?;
        let object = object.ok_or_else(|| ArchiveError::Storage(format!("no {key}")))?;
        let (from, length) = part.unwrap_or((0, object.len() as u64));
        let from = usize::try_from(from).unwrap();
        Ok(object[from..from + usize::try_from(length).unwrap()].to_vec())
    }

    async fn delete(&self, key: &str) -> Result<(), ArchiveError> {
        self.shelved(|| drop(self.objects.borrow_mut().remove(key)))
    }

    async fn kept(&self, ids: &[&str]) -> Result<BTreeSet<String>, ArchiveError> {
        let kept = |id: &&str| self.journals.borrow().contains(*id);
        self.shelved(|| ids.iter().filter(|id| kept(id)).map(|id| (*id).to_owned()).collect())
    }
}

/// `count` executions of two accounts that ended one an hour, the last one now; every seventh goes
/// on. Each has two steps.
fn filled(count: usize) -> World {
    let world = World::new();
    world.db.shell(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
        INSERT INTO pipeline_executions (
          pipeline_id, account_id, template_name, topic, status, request, result,
          total_cost_micro_usd, journal_seq, created_at, completed_at)
        SELECT 'pipe_' || n, iif(n % 3 = 0, 'acme', 'default'), 't', 'Topic ' || n,
          iif(n % 7 = 0, 'waiting', 'completed'), '{{\"topic\":\"ä\"}}',
          json_object('text', hex(zeroblob(n % 50))), n, 4,
          strftime('%Y-%m-%dT%H:%M:%fZ', {now} - ({count} - n) * 3600, 'unixepoch'),
          iif(n % 7 = 0, NULL,
            strftime('%Y-%m-%dT%H:%M:%fZ', {now} - ({count} - n) * 3600, 'unixepoch'))
        FROM n;
        INSERT INTO worker_execution_results (pipeline_id, step_name, step_order, status, success,
          data)
        SELECT pipeline_id, s.value, s.key, 'succeeded', 1, '{{\"v\":{{\"n\":' || e.id || '}}}}'
        FROM pipeline_executions AS e, json_each('[\"first\",\"second\"]') AS s",
        now = NOW_MS / 1000,
    ));
    world
}

fn everything(world: &World) -> BTreeMap<String, Projected> {
    let ids = world.db.lines("SELECT pipeline_id FROM pipeline_executions");
    ids.into_iter().map(|id| (id.clone(), world.anywhere(&id).0.unwrap())).collect()
}

/// Everything is at one place, as it was.
fn check(world: &World, before: &BTreeMap<String, Projected>) -> usize {
    let mut archived = 0;
    for (id, was) in before {
        match world.anywhere(id) {
            (Some(here), None) => assert_eq!(&here, was),
            (None, Some(there)) => {
                assert_eq!(&there, was);
                archived += 1;
            }
            (here, there) => {
                panic!("{id}: here {}, there {}", here.is_some(), there.is_some())
            }
        }
    }
    let steps = world.db.number("SELECT count(*) FROM worker_execution_results");
    assert_eq!(steps as usize, 2 * (before.len() - archived), "no step without its execution");
    let counted = world.db.number("SELECT coalesce(sum(executions), 0) FROM archived_accounts");
    assert_eq!(counted as usize, archived);
    archived
}

#[test]
fn what_is_old_moves_and_the_rest_stays() {
    let world = filled(1000);
    let before = everything(&world);
    let swept = world.sweep(10_000).unwrap().unwrap();
    // 720 hours are 30 days; of the 279 older ones every seventh goes on.
    assert_eq!((swept.executions, swept.kept), (279 - 39, 0));
    assert_eq!(check(&world, &before), 240);
    let accounts = world.db.lines("SELECT account_id, executions FROM archived_accounts");
    assert_eq!(accounts.len(), 2);
    let left = world.db.lines("SELECT status FROM pipeline_executions WHERE id < 280");
    assert_eq!(left.iter().collect::<BTreeSet<_>>().len(), 1, "{left:?}");
    let newest = wait(archive::newest(&world.db, "default")).unwrap().unwrap();
    assert!(newest.as_str() < "2026-01-30T00:00:00.000Z", "{newest}");
    assert_eq!(wait(archive::newest(&world.db, "nobody")), Ok(None));
}

#[test]
fn an_execution_whose_journal_is_there_stays() {
    let world = filled(1000);
    let before = everything(&world);
    world.journals.borrow_mut().extend(["pipe_1", "pipe_9", "pipe_200"].map(str::to_owned));
    let swept = world.sweep(10_000).unwrap().unwrap();
    assert_eq!((swept.executions, swept.kept), (237, 3));
    check(&world, &before);
    assert!(world.anywhere("pipe_9").0.is_some());
    world.journals.borrow_mut().clear();
    world.later();
    assert_eq!(world.sweep(10_000).unwrap().unwrap().executions, 3, "found from the beginning");
}

#[test]
fn a_sweep_is_bounded_and_the_next_goes_on() {
    let world = filled(2000);
    let before = everything(&world);
    let mut moved = Vec::new();
    for _ in 0..20 {
        match world.sweep(100).unwrap() {
            Some(swept) if swept.executions > 0 => moved.push(swept.executions),
            _ => break,
        }
    }
    assert!(moved.len() > 3 && moved.iter().all(|n| *n <= 200), "{moved:?}");
    assert_eq!(check(&world, &before), moved.iter().sum::<usize>());
    assert_eq!(world.sweep(100).unwrap(), None, "nothing is due for a while");
}

#[test]
fn two_sweeps_are_never_at_it_together() {
    let world = filled(1000);
    let held = wait(duties::take(&world.db, archive::DUTY, world.now.get(), Millis::from_secs(9)));
    assert!(held.unwrap().is_some());
    assert_eq!(world.sweep(100).unwrap(), None);
    world.later();
    assert!(world.sweep(100).unwrap().is_some(), "whoever does not come back loses it");
}

#[test]
fn one_that_was_given_up_for_dead_changes_nothing_any_more() {
    let world = filled(1000);
    let before = everything(&world);
    let now = world.now.get();
    let old = wait(duties::take(&world.db, archive::DUTY, now, Millis::new(1))).unwrap().unwrap();
    let records = wait(archive::records(&world.db, &["pipe_1", "pipe_2"])).unwrap();
    let packed = bitware_orchestrator::archive::pack::pack(&records).unwrap();
    world.later();
    assert!(world.sweep(1).unwrap().is_some());
    let moved = archive::Move {
        fence: old.fence,
        object_key: &packed.object_key,
        bytes: packed.bytes.len() as u64,
        moved: &packed.moved,
        state: &old.state,
    };
    assert_eq!(wait(archive::commit(&world.db, moved)), Ok(0));
    check(&world, &before);
}

#[test]
fn a_row_that_changed_after_it_was_read_stays() {
    let world = filled(1000);
    let fence = wait(duties::take(&world.db, archive::DUTY, world.now.get(), Millis::from_secs(9)));
    let fence = fence.unwrap().unwrap().fence;
    let records = wait(archive::records(&world.db, &["pipe_1", "pipe_2"])).unwrap();
    let packed = bitware_orchestrator::archive::pack::pack(&records).unwrap();
    world.objects.borrow_mut().insert(packed.object_key.clone(), packed.bytes.clone());
    world.db.shell("UPDATE pipeline_executions SET journal_seq = 5 WHERE pipeline_id = 'pipe_2'");
    let before = everything(&world);
    let moved = archive::Move {
        fence,
        object_key: &packed.object_key,
        bytes: packed.bytes.len() as u64,
        moved: &packed.moved,
        state: &serde_json::json!({}),
    };
    assert_eq!(wait(archive::commit(&world.db, moved)), Ok(1));
    assert_eq!(wait(archive::commit(&world.db, moved)), Ok(0), "again it does nothing");
    assert_eq!(check(&world, &before), 1);
    assert!(world.anywhere("pipe_2").0.is_some());
}

/// Killed at its n-th call, for every n, with the call done or not: nothing is lost or there twice,
/// and the sweeps that follow do the rest and leave no object that nothing refers to.
#[test]
fn a_sweep_may_be_killed_anywhere() {
    let mut kills = 0;
    for does_the_last in [false, true] {
        for calls in 1.. {
            let world = filled(760);
            let before = everything(&world);
            world.calls_left.set(calls);
            world.does_the_last.set(does_the_last);
            let outcome = world.sweep(10_000);
            let survived = world.calls_left.get() > 0;
            world.calls_left.set(usize::MAX);
            check(&world, &before);
            if survived {
                assert!(outcome.is_ok());
                break;
            }
            kills += 1;
            // What is old when the rest is done differs from what was old when it was cut off.
            if calls % 2 == 0 {
                world.journals.borrow_mut().insert("pipe_1".to_owned());
            }
            world.later();
            world.sweep(10_000).unwrap().expect("it is due");
            let expected = 39 - 5 - world.journals.borrow().len();
            let archived = check(&world, &before);
            assert!(archived == expected || archived == 34, "{archived} after {calls}");
            let orphans: Vec<String> = world
                .objects
                .borrow()
                .keys()
                .filter(|key| !wait(archive::knows(&world.db, key)).unwrap())
                .cloned()
                .collect();
            assert_eq!(orphans, Vec::<String>::new(), "after {calls}");
        }
    }
    assert!(kills >= 16, "{kills} kills");
}

#[test]
fn sweeps_look_rows_up_by_their_keys() {
    let world = filled(100);
    let ids = "[\"pipe_1\",\"pipe_2\"]";
    for sql in archive::STATEMENTS {
        let mut statement = sql.with(ids);
        for _ in 1..5 {
            statement = statement.with("x");
        }
        let parameters = (1..=5).filter(|n| sql.text.contains(&format!("?{n}"))).count();
        statement.params.truncate(parameters);
        let plan = world.db.query_plan(&statement);
        for line in plan.lines().filter(|line| line.contains("SCAN")) {
            assert!(line.contains("VIRTUAL TABLE"), "{}: {line}", sql.name);
        }
    }
}
