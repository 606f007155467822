//! The figures: equal to what the rows say, after whatever happened to these.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "rollups/by_hand.rs"]
mod by_hand;
mod sqlite;
#[path = "rollups/states.rs"]
mod states;

use std::cell::Cell;

use bitware_orchestrator::db::executions::{Step, savings};
use bitware_orchestrator::db::projection::{Facts, Projected, Saving, batches, project};
use bitware_orchestrator::db::rollup_log::{Folded, fold, prune};
use bitware_orchestrator::db::rollups::{
    AccountTotal, ExecutionsBy, Grain, Scope, StepsBy, Window, accounts_statement, executions,
    executions_statement, steps, steps_statement,
};
use bitware_orchestrator::db::{Database, DbError, DbErrorKind, Rows, Statement, iso};
use by_hand::{assert_exact, figures};
use engine::time::Timestamp;
use serde_json::{Value, json};
use sqlite::{Sqlite, interleave, wait};
use states::{BEGIN_MS, HOUR_MS, Random, state};

/// States come in any order, alone and together, again and too late; executions end and are opened
/// again; figures are added at any moment.
#[test]
fn figures_are_what_the_rows_say_whatever_happened_to_these() {
    let mut ended_again = 0;
    for seed in 1..60 {
        let (db, mut random) = (Sqlite::new(), Random(seed));
        let mut sent: Vec<Vec<Projected>> = Vec::new();
        let mut seq = 0;
        for _ in 0..30 {
            match random.below(10) {
                0..6 => {
                    let many = 1 + random.below(4);
                    let batch: Vec<Projected> = (0..many)
                        .map(|_| {
                            seq += random.below(2);
                            let id = random.below(9);
                            state(&mut random, id, seq)
                        })
                        .collect();
                    wait(project(&db, &batch)).unwrap();
                    sent.push(batch);
                }
                6..8 => {
                    let again = sent.get(random.below(40) as usize).cloned().unwrap_or_default();
                    wait(project(&db, &again)).unwrap();
                }
                _ => drop(wait(fold(&db, 1 + random.below(2) as usize)).unwrap()),
            }
        }
        wait(fold(&db, 100)).unwrap();
        assert_eq!(db.number("SELECT count(*) FROM rollup_log"), 0);
        assert_exact(&db, &format!("seed {seed}"));
        ended_again += db.number(
            "SELECT count(*) FROM execution_rollups WHERE grain = 'five_minutes'
              AND completed + partial + failed + cancelled = 0",
        );
    }
    assert!(ended_again > 100, "{ended_again} buckets lost what was opened again");
}

#[test]
fn two_who_fold_at_the_same_time_count_once() {
    for readers in 2..6 {
        let (db, mut random) = (Sqlite::new(), Random(readers));
        for id in 0..20 {
            let state = state(&mut random, id, 1);
            wait(project(&db, &[state])).unwrap();
        }
        db.slow.set(true);
        let folds = (0..readers).map(|_| fold(&db, 10)).collect();
        for folded in interleave(folds) {
            folded.unwrap();
        }
        db.slow.set(false);
        assert_eq!(db.number("SELECT count(*) FROM rollup_log"), 0);
        assert_exact(&db, &format!("{readers} readers"));
    }
}

/// Something came between reading and adding: nothing is added, and nothing is lost.
#[test]
fn entries_that_others_added_meanwhile_hold_a_transaction_back() {
    let (db, mut random) = (Sqlite::new(), Random(7));
    for id in 0..3 {
        let state = state(&mut random, id, 1);
        wait(project(&db, &[state])).unwrap();
    }
    struct Overtaken<'a>(&'a Sqlite, Cell<bool>);
    impl Database for Overtaken<'_> {
        async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
            let done = self.0.batch(statements).await;
            if !self.1.replace(true) {
                let one = "DELETE FROM rollup_log WHERE id = (SELECT min(id) FROM rollup_log)";
                self.0.shell(one);
            }
            done
        }
    }
    let left = db.number("SELECT count(*) FROM rollup_log") - 1;
    wait(fold(&Overtaken(&db, false.into()), 1)).unwrap();
    assert_eq!(db.number("SELECT count(*) FROM rollup_log"), left);
    assert_eq!(db.number("SELECT count(*) FROM execution_rollups"), 0);
    assert_eq!(db.number("SELECT count(*) FROM step_rollups"), 0);
}

#[test]
fn an_outage_loses_nothing_and_repeats_nothing() {
    let (db, mut random) = (Sqlite::new(), Random(3));
    let batch: Vec<Projected> = (0..5).map(|id| state(&mut random, id, 1)).collect();
    wait(project(&db, &batch)).unwrap();
    db.outage.set(Some(DbErrorKind::Unavailable));
    assert!(wait(fold(&db, 5)).is_err());
    db.outage.set(None);
    wait(fold(&db, 5)).unwrap();
    wait(fold(&db, 5)).unwrap();
    assert_exact(&db, "after an outage");
}

#[test]
fn archived_executions_stay_in_the_figures_and_their_facts_go() {
    let (db, mut random) = (Sqlite::new(), Random(5));
    let batch: Vec<Projected> = (0..30).map(|id| state(&mut random, id, 1)).collect();
    wait(project(&db, &batch)).unwrap();
    wait(fold(&db, 5)).unwrap();
    let before = figures(&db, "execution_rollups", 5);
    assert!(db.number("SELECT count(*) FROM execution_facts") > 0);
    db.shell("DELETE FROM pipeline_executions");
    wait(fold(&db, 5)).unwrap();
    assert_eq!(figures(&db, "execution_rollups", 5), before);
    assert_eq!(db.number("SELECT count(*) FROM execution_facts"), 0);
    assert_eq!(db.number("SELECT count(*) FROM worker_execution_results"), 0);
}

#[test]
fn what_cannot_be_read_is_told_and_holds_nothing_back() {
    let (db, mut random) = (Sqlite::new(), Random(2));
    db.shell("INSERT INTO rollup_log (kind, entries) VALUES ('executions', '[[1]]')");
    wait(project(&db, &[state(&mut random, 1, 1)])).unwrap();
    let folded = wait(fold(&db, 1)).unwrap();
    assert_eq!((folded.unreadable, folded.more), (1, true));
    assert_eq!(wait(fold(&db, 1)).unwrap(), Folded::default());
    assert_exact(&db, "beside an unreadable entry");
}

/// Databases in use get the figures of what they have, once.
#[test]
fn executions_from_before_the_figures_are_counted_once() {
    let migration = concat!(
        include_str!("../migrations/0007_rollups.sql"),
        include_str!("../migrations/0016_scale.sql")
    );
    let fix = include_str!("../database_fix.sql");
    let (db, mut random) = (Sqlite::new(), Random(11));
    let batch: Vec<Projected> = (0..12).map(|id| state(&mut random, id, 1)).collect();
    wait(project(&db, &batch)).unwrap();
    db.shell(
        "DROP TABLE execution_rollups; DROP TABLE step_rollups; DROP TABLE rollup_log;
         DROP TABLE account_rollups;
         DELETE FROM execution_facts; DELETE FROM schema_version WHERE version IN (7, 16);",
    );
    for road in [migration, fix, migration] {
        db.shell(road);
        wait(fold(&db, 50)).unwrap();
        assert_exact(&db, "before the figures");
    }
}

/// Databases in use get the sums of what was counted, while others count.
#[test]
fn figures_from_before_the_sums_are_added_up() {
    let migration = include_str!("../migrations/0016_scale.sql");
    let (tables, sums) = migration.split_once("-- The sums of what was counted").unwrap();
    let (db, mut random) = (Sqlite::new(), Random(12));
    db.shell(
        "DROP TRIGGER execution_rollups_sum_insert; DROP TRIGGER execution_rollups_sum_update;
         DROP TRIGGER step_rollups_sum_insert; DROP TRIGGER step_rollups_sum_update;
         DROP TABLE account_rollups; DELETE FROM schema_version WHERE version = 16;",
    );
    let mut more = |db: &Sqlite, seq: u64| {
        let batch: Vec<Projected> = (0..20).map(|id| state(&mut random, id, seq)).collect();
        wait(project(db, &batch)).unwrap();
        wait(fold(db, 50)).unwrap();
    };
    more(&db, 1);
    assert_eq!(db.number("SELECT count(*) FROM step_rollups WHERE account_id = ''"), 0);
    db.shell(tables);
    more(&db, 2);
    db.shell(&format!("--{sums}"));
    assert_exact(&db, "sums of what was there");
    more(&db, 3);
    db.shell(migration);
    assert_exact(&db, "once more");
}

#[test]
fn fine_figures_go_when_they_are_old() {
    let (db, mut random) = (Sqlite::new(), Random(9));
    let batch: Vec<Projected> = (0..9).map(|id| state(&mut random, id, 1)).collect();
    wait(project(&db, &batch)).unwrap();
    wait(fold(&db, 5)).unwrap();
    let left = |days: i64| {
        wait(prune(&db, Timestamp::from_millis(BEGIN_MS + days * 24 * HOUR_MS))).unwrap();
        db.lines(
            "SELECT DISTINCT grain FROM execution_rollups UNION SELECT grain FROM step_rollups
             UNION SELECT grain FROM account_rollups",
        )
    };
    assert_eq!(left(1), ["all", "day", "five_minutes", "hour"]);
    assert_eq!(left(6), ["all", "day", "hour"]);
    assert_eq!(left(99), ["all", "day"]);
}

#[test]
fn spans_and_groups_add_up() {
    let (db, mut random) = (Sqlite::new(), Random(21));
    let batch: Vec<Projected> = (0..200).map(|id| state(&mut random, id, 1)).collect();
    wait(project(&db, &batch)).unwrap();
    wait(fold(&db, 5)).unwrap();
    let moment = |hours: i64| Timestamp::from_millis(BEGIN_MS + hours * HOUR_MS);
    let now = moment(40);
    for (from, to) in [(0, 30), (2, 3), (5, 29)] {
        let window = Window::between(moment(from), moment(to), now);
        let by_hand = db.number(&format!(
            "SELECT count(*) FROM pipeline_executions WHERE status = 'completed'
              AND account_id = 'acme' AND completed_at >= '{}' AND completed_at < '{}'",
            iso(moment(from)),
            iso(moment(to)),
        ));
        let acme = Scope::Account("acme");
        for by in [ExecutionsBy::Total, ExecutionsBy::Template, ExecutionsBy::Strategy] {
            let found = wait(executions(&db, acme, &window, by, None)).unwrap();
            let sum: i64 = found.iter().map(|row| row.completed).sum();
            assert_eq!(sum, by_hand, "{from} to {to} by {by:?}");
            assert_eq!(found.iter().map(|row| row.durations.total() - row.timed).sum::<i64>(), 0);
        }
        let series = Window::series(Grain::Hour, moment(from), moment(to));
        let found = wait(executions(&db, acme, &series, ExecutionsBy::Bucket, None)).unwrap();
        assert_eq!(found.iter().map(|row| row.completed).sum::<i64>(), by_hand);
        assert!(found.iter().all(|row| row.subject.ends_with(":00:00.000Z")));
    }
    let all = Scope::Installation;
    let total = |sql: &str| db.number(sql);
    let of = |account| -> Vec<AccountTotal> {
        let statement = accounts_statement(account, &Window::all_time());
        wait(db.query(statement)).unwrap().decode().unwrap()
    };
    let found = of(None);
    let names: Vec<&str> = found.iter().map(|row| row.account_id.as_str()).collect();
    assert_eq!(names, ["acme", "default"]);
    assert_eq!(of(Some("acme")), found[..1]);
    let whole = wait(executions(&db, all, &Window::all_time(), ExecutionsBy::Total, None)).unwrap();
    let ended: i64 = found.iter().map(AccountTotal::ended).sum();
    assert_eq!(ended, whole[0].completed + whole[0].partial + whole[0].failed + whole[0].cancelled);
    assert_eq!(
        ended,
        total(
            "SELECT count(*) FROM pipeline_executions WHERE status IN
        ('completed', 'partial', 'failed', 'cancelled')"
        )
    );
    let found = wait(steps(&db, all, &Window::all_time(), StepsBy::Worker, Some("t"), Some("w1")));
    let by_hand = total(
        "SELECT sum(cost_micro_usd) FROM worker_execution_results JOIN pipeline_executions
          USING (pipeline_id) WHERE worker_name = 'w1' AND template_name = 't' AND
          worker_execution_results.status IN
            ('succeeded', 'failed', 'skipped', 'cancelled', 'compensated')",
    );
    let found = found.unwrap();
    assert_eq!((found.len(), found[0].cost_micro_usd), (1, by_hand));
    assert_eq!((found[0].worker_name.as_str(), found[0].template_name.as_str()), ("w1", ""));
}

#[test]
fn figures_are_read_by_index() {
    let db = Sqlite::new();
    let window = Window::between(
        Timestamp::from_millis(0),
        Timestamp::from_millis(1),
        Timestamp::from_millis(9),
    );
    let index = "PRIMARY KEY (account_id=? AND grain=? AND bucket>? AND bucket<?)";
    for scope in [Scope::Account("a"), Scope::Installation] {
        let executions = executions_statement(scope, &window, ExecutionsBy::Template, None);
        let steps = steps_statement(scope, &window, StepsBy::Worker, None, None);
        for statement in [executions, steps] {
            let plan = db.query_plan(&statement);
            assert!(plan.contains(index), "{plan}");
        }
    }
    let plan = db.query_plan(&accounts_statement(None, &window));
    assert!(plan.contains("PRIMARY KEY (grain=? AND bucket>? AND bucket<?)"), "{plan}");
}

/// The value that readers of the log would see must be the one of the documentation.
#[test]
fn facts_are_kept_as_they_were_told() {
    let (db, mut random) = (Sqlite::new(), Random(4));
    let mut told = state(&mut random, 1, 1);
    told.execution.status = "completed".to_owned();
    told.facts = Facts {
        nested: false,
        optimizations: vec![Saving {
            kind: "caching".to_owned(),
            steps: vec!["s1".to_owned()],
            saved_cost_micro_usd: 7,
            saved_ms: 8,
        }],
    };
    wait(project(&db, &[told])).unwrap();
    let read = wait(savings(&db, "pipe_1")).unwrap();
    assert_eq!((read.len(), read[0].saved_ms), (1, 8));
    assert_eq!(wait(savings(&db, "pipe_2")).unwrap(), []);
    let found = db.lines("SELECT optimizations FROM execution_facts");
    let found: Value = serde_json::from_str(&found[0]).unwrap();
    let expected =
        json!([{"kind": "caching", "steps": ["s1"], "saved_cost_micro_usd": 7, "saved_ms": 8}]);
    assert_eq!(found, expected);
}

/// What counting costs a projection:
/// `cargo test --release --test rollups -- --ignored --nocapture`.
#[test]
#[ignore = "it measures"]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn what_counting_costs() {
    for together in [1, 100] {
        for counting in [false, true] {
            let (db, mut random) = (Sqlite::new(), Random(1));
            let all: Vec<Projected> = (0..1000).map(|id| five_steps(&mut random, id)).collect();
            let (mut changes, began) = (0, std::time::Instant::now());
            for part in all.chunks(together) {
                for mut statements in batches(part) {
                    let counts = |one: &Statement| one.sql.name.starts_with("projection_counts");
                    statements.retain(|one| counting || !counts(one));
                    wait(db.batch(statements)).unwrap();
                    changes += db.changes.get();
                }
            }
            let projected_ms = began.elapsed().as_millis();
            let began = std::time::Instant::now();
            let mut folded = 0;
            if counting {
                folded = wait(fold(&db, 100)).unwrap().entries;
            }
            let folded_ms = began.elapsed().as_millis();
            println!(
                "1,000 executions, {together} at a time, counting: {counting}: {projected_ms} ms, \
                 {changes} rows written; folding {folded} notes: {folded_ms} ms"
            );
        }
    }
}

fn five_steps(random: &mut Random, id: u64) -> Projected {
    let mut found = state(random, id, 1);
    found.execution.status = "completed".to_owned();
    found.execution.completed_at = Some(iso(Timestamp::from_millis(BEGIN_MS + id as i64)));
    let mut step = found.steps[0].clone();
    step.status = "succeeded".to_owned();
    step.completed_at.clone_from(&found.execution.completed_at);
    let named = |n: usize| Step { step_name: format!("s{n}"), ..step.clone() };
    found.steps = (0..5).map(named).collect();
    found
}
