//! What metrics count: equal to what the rows say where nothing was opened again, and never less
//! than it was.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;
#[path = "rollups/states.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod states;

use std::collections::BTreeMap;

use bitware_orchestrator::db::metrics::{
    ACCOUNTS, EVERYBODY, TOTALS, Total, names, of_account, of_all,
};
use bitware_orchestrator::db::projection::{Projected, project};
use bitware_orchestrator::db::rollup_log::fold;
use sqlite::{Sqlite, wait};
use states::{Random, state};

const TIMED: &str = "status IN ('completed', 'partial')";
const ENDED: &str = "status IN ('completed', 'partial', 'failed', 'cancelled')";
const SETTLED: &str = "s.status IN ('succeeded', 'failed', 'skipped', 'cancelled', 'compensated')";

fn totals(db: &Sqlite, account: &str) -> Vec<Total> {
    wait(of_account(db, account)).unwrap().0
}

/// The values of a name, by labels.
fn values(db: &Sqlite, account: &str, name: &str) -> BTreeMap<String, u64> {
    let own = totals(db, account).into_iter().filter(|total| total.name == name);
    own.filter(|total| total.value > 0).map(|it| (it.labels.join("|"), it.value)).collect()
}

/// `label|label|value` rows of a query, in the same form.
fn expected(db: &Sqlite, sql: &str) -> BTreeMap<String, u64> {
    let split = |line: String| {
        let (labels, value) = line.rsplit_once('|').unwrap();
        (labels.to_owned(), value.parse().unwrap())
    };
    let rows: BTreeMap<String, u64> = db.lines(sql).into_iter().map(split).collect();
    rows.into_iter().filter(|(_, value)| *value > 0).collect()
}

fn steps(what: &str, of: &str, condition: &str) -> String {
    format!(
        "SELECT coalesce(s.worker_name, '') {what}, {of} FROM worker_execution_results AS s
         JOIN pipeline_executions AS e ON e.pipeline_id = s.pipeline_id
         WHERE {SETTLED} AND {condition} GROUP BY ALL_BUT_LAST"
    )
}

/// Each execution is projected once, at its end or before.
fn filled(seed: u64) -> Sqlite {
    let (db, mut random) = (Sqlite::new(), Random(seed));
    for id in 0..60 {
        let projected = state(&mut random, id, 1);
        wait(project(&db, &[projected])).unwrap();
        if id % 7 == 0 {
            wait(fold(&db, 1)).unwrap();
        }
    }
    wait(fold(&db, 100)).unwrap();
    db
}

#[test]
fn counts_equal_the_rows_where_nothing_was_opened_again() {
    for seed in 1..8 {
        let db = filled(seed);
        for (account, whose) in [
            ("default", "account_id = 'default'"),
            ("acme", "account_id = 'acme'"),
            (EVERYBODY, "1"),
        ] {
            let executions = |what: &str, of: &str, condition: &str, by: &str| {
                let sql = format!(
                    "SELECT {what}, {of} FROM pipeline_executions
                     WHERE {ENDED} AND {whose} AND {condition} GROUP BY {by}"
                );
                expected(&db, &sql)
            };
            let all = "template_name, execution_strategy, status";
            let found = values(&db, account, names::EXECUTIONS);
            assert_eq!(found, executions(all, "count(*)", "1", "1, 2, 3"), "{account}");
            let of_template =
                |of: &str, condition: &str| executions("template_name", of, condition, "1");
            let hits = values(&db, account, names::EXECUTION_CACHE_HITS);
            assert_eq!(hits, of_template("sum(cache_hit)", "1"));
            let sum = values(&db, account, names::EXECUTION_DURATION_MS);
            assert_eq!(sum, of_template("sum(total_execution_time_ms)", TIMED));
            let mut timed: BTreeMap<String, u64> = BTreeMap::new();
            for (labels, value) in values(&db, account, names::EXECUTION_DURATION) {
                let (template, _) = labels.rsplit_once('|').unwrap();
                *timed.entry(template.to_owned()).or_default() += value;
            }
            assert_eq!(timed, of_template("count(*)", TIMED));
            let whose = whose.replace("account_id", "e.account_id");
            let of_steps = |by: &str, what: &str, of: &str| {
                let sql = steps(what, of, &whose).replace("ALL_BUT_LAST", by);
                expected(&db, &sql)
            };
            let found = values(&db, account, names::STEPS);
            assert_eq!(found, of_steps("1, 2", ", s.status", "count(*)"), "{account}");
            let found = values(&db, account, names::STEP_CACHE_HITS);
            assert_eq!(found, of_steps("1", "", "sum(s.cache_hit)"));
            let own = "s.status <> 'compensated' AND s.worker_name IS NOT NULL";
            let retries = format!("sum(iif({own}, max(s.attempts - 1, 0), 0))");
            assert_eq!(values(&db, account, names::STEP_RETRIES), of_steps("1", "", &retries));
            let done = format!("{own} AND s.status = 'succeeded' AND s.cache_hit = 0");
            let took = format!("sum(iif({done}, s.execution_time_ms, 0))");
            assert_eq!(values(&db, account, names::STEP_DURATION_MS), of_steps("1", "", &took));
        }
        let (_, spent, _) = wait(of_account(&db, "acme")).unwrap();
        let costs = "SELECT worker_name, sum(calls) FROM cost_tracking WHERE account_id = 'acme'
            GROUP BY 1";
        let calls = spent.into_iter().map(|it| (it.worker_name, it.calls));
        let calls: BTreeMap<String, u64> = calls.filter(|(_, calls)| *calls > 0).collect();
        assert_eq!(calls, expected(&db, costs));
    }
}

#[test]
fn no_count_ever_falls_and_none_counts_twice_what_came_twice() {
    for seed in 1..20 {
        let (db, mut random) = (Sqlite::new(), Random(seed));
        let mut before: BTreeMap<String, u64> = BTreeMap::new();
        let mut sent: Vec<Projected> = Vec::new();
        for seq in 1..40 {
            let id = random.below(6);
            let projected = state(&mut random, id, seq);
            wait(project(&db, std::slice::from_ref(&projected))).unwrap();
            sent.push(projected);
            let again = sent[random.below(seq) as usize].clone();
            wait(project(&db, &[again])).unwrap();
            wait(fold(&db, 10)).unwrap();
            let now: BTreeMap<String, u64> = totals(&db, EVERYBODY)
                .into_iter()
                .map(|it| (format!("{} {:?}", it.name, it.labels), it.value))
                .collect();
            let fell = before.iter().find(|(key, value)| now.get(*key).is_none_or(|n| n < value));
            assert_eq!(fell, None, "seed {seed}");
            before = now;
            wait(fold(&db, 10)).unwrap();
        }
        let parts = "SELECT name || labels, sum(iif(account_id = '', 0, value)) FROM metric_totals
            GROUP BY 1";
        let whole = "SELECT name || labels, sum(iif(account_id = '', value, 0)) FROM metric_totals
            GROUP BY 1";
        assert_eq!(expected(&db, parts), expected(&db, whole), "accounts add up to everybody");
    }
}

#[test]
fn one_that_is_opened_again_counts_with_each_of_its_ends() {
    let (db, mut random) = (Sqlite::new(), Random(3));
    let mut projected = state(&mut random, 0, 1);
    projected.steps.clear();
    for (seq, status) in [(1, "failed"), (2, "running"), (3, "completed"), (4, "completed")] {
        projected.execution.status = status.to_owned();
        projected.execution.journal_seq = seq;
        // The last brings a cost that came late: the end is the same.
        let at = format!("2026-11-20T10:00:0{}.000Z", seq.min(3));
        projected.execution.completed_at = (status != "running").then_some(at);
        wait(project(&db, std::slice::from_ref(&projected))).unwrap();
        wait(fold(&db, 10)).unwrap();
    }
    let found = values(&db, "default", names::EXECUTIONS);
    let of = |status: &str| (format!("t|balanced|{status}"), 1);
    assert_eq!(found, BTreeMap::from([of("failed"), of("completed")]));
}

#[test]
fn the_page_of_the_installation_is_read_at_once_by_indexes() {
    let db = filled(1);
    db.shell(
        "INSERT INTO accounts (id) VALUES ('acme'), ('idle') ON CONFLICT DO NOTHING;
         INSERT INTO pipeline_executions (
           pipeline_id, account_id, template_name, status, created_at)
         VALUES ('newest', 'acme', 't', 'running', '2030-01-01T00:00:00.000Z')",
    );
    let before = db.trips.get();
    let all = wait(of_all(&db, 2)).unwrap();
    assert_eq!(db.trips.get() - before, 1);
    assert_eq!(all.accounts, ["acme", "default"], "who started something last");
    assert_eq!(all.workers.len(), 5);
    let totals = db.query_plan(&TOTALS.with(EVERYBODY));
    assert!(totals.contains("SEARCH metric_totals USING PRIMARY KEY (account_id=?)"), "{totals}");
    let accounts = db.query_plan(&ACCOUNTS.with(2_u32));
    assert!(accounts.contains("pipeline_executions_history (account_id=?)"), "{accounts}");
}
