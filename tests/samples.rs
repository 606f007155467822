//! Figures for plans: which steps count, whose, and how they are found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::samples::{self, EXECUTIONS_MAX, Sample};
use sqlite::{Sqlite, wait};

/// 150 executions of one template and one of another, and steps that do not count.
fn database() -> Sqlite {
    let db = Sqlite::new();
    db.shell(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
         INSERT INTO pipeline_executions (
           pipeline_id, account_id, template_name, status, created_at)
         SELECT 'pipe_' || i, 'acme', 't', 'completed',
           strftime('%Y-%m-%dT%H:%M:%fZ', 1772000000 + i, 'unixepoch') FROM n;
         INSERT INTO pipeline_executions (
           pipeline_id, account_id, template_name, status, created_at)
         VALUES ('pipe_other', 'acme', 'other', 'completed', '2026-11-21T00:00:00.000Z'),
           ('pipe_foreign', 'rival', 't', 'completed', '2026-11-21T00:00:00.000Z');
         INSERT INTO worker_execution_results (pipeline_id, step_name, worker_name, kind, status,
           success, attempts, execution_time_ms, cost_micro_usd, cache_hit)
         SELECT pipeline_id, 'done', 'w', 'worker', 'succeeded', 1, 2,
           CAST(replace(pipeline_id, 'pipe_', '') AS INTEGER), 5, 0 FROM pipeline_executions;
         INSERT INTO worker_execution_results (pipeline_id, step_name, worker_name, kind, status,
           success, attempts, execution_time_ms, cache_hit)
         VALUES ('pipe_150', 'failed', 'w', 'worker', 'failed', 0, 1, 9, 0),
           ('pipe_150', 'cached', 'w', 'worker', 'succeeded', 1, 1, 9, 1),
           ('pipe_150', 'reused', 'w', 'worker', 'succeeded', 1, 0, 9, 0),
           ('pipe_150', 'mapped', 'w', 'map', 'succeeded', 1, 1, 9, 0),
           ('pipe_150', 'computed', NULL, 'transform', 'succeeded', 1, 1, 9, 0);",
    );
    db
}

#[test]
fn only_what_workers_did_of_late_for_the_account_counts() {
    let db = database();
    let (own, all) = wait(samples::newest(&db, "acme", "t")).unwrap();
    assert_eq!(db.trips.get(), 1);
    let of = |samples: &[Sample], step: &str| {
        samples.iter().filter(|sample| sample.step_name == step).count()
    };
    assert_eq!((of(&own, "done"), of(&own, "mapped")), (EXECUTIONS_MAX as usize, 1));
    assert_eq!(own.len(), EXECUTIONS_MAX as usize + 1);
    assert!(own.iter().filter(|s| s.step_name == "done").all(|s| s.time_ms > 50), "the newest");
    assert_eq!((of(&all, "done"), all.len()), (EXECUTIONS_MAX as usize, EXECUTIONS_MAX as usize));
    let (foreign, _) = wait(samples::newest(&db, "rival", "t")).unwrap();
    assert_eq!(foreign.len(), 1);
    assert_eq!(wait(samples::newest(&db, "nobody", "t")).unwrap(), (vec![], vec![]));
}

#[test]
fn they_are_found_through_the_indexes_of_the_history() {
    let db = database();
    let own = samples::OF_TEMPLATE.with("acme").with("t").with(100_u32).with(5000_u32);
    let plan = db.query_plan(&own);
    assert!(plan.contains("USING INDEX pipeline_executions_by_template"), "{plan}");
    assert!(plan.contains("SEARCH w USING PRIMARY KEY (pipeline_id=?)"), "{plan}");
    let all = samples::OF_ACCOUNT.with("acme").with(100_u32).with(5000_u32);
    let plan = db.query_plan(&all);
    assert!(plan.contains("USING INDEX pipeline_executions_history"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}
