//! The projection of executions: what it writes, what it leaves alone, and what it costs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::executions::{Execution, Step, by_pipeline_id};
use bitware_orchestrator::db::projection::{Facts, Projected, batches, project};
use bitware_orchestrator::db::{Database, DbErrorKind};
use engine::execution::Payload;
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

fn execution(id: &str, journal_seq: u64) -> Execution {
    Execution {
        pipeline_id: id.to_owned(),
        account_id: "default".to_owned(),
        template_name: "five_steps".to_owned(),
        template_revision: 2,
        topic: Some("tides & \"winds\" \u{0} ü".to_owned()),
        status: "completed".to_owned(),
        execution_strategy: "quality_optimized".to_owned(),
        optimize_for: "quality".to_owned(),
        urgency: "high".to_owned(),
        quality_level: "premium".to_owned(),
        request: json!({"topic": "tides", "n": 9_007_199_254_740_993_i64, "x": 0.1}),
        result: Some(json!({"report": ["a", null, {"b": 1.0}]})),
        error: None,
        total_cost_micro_usd: 70_000,
        cost_estimated: true,
        budget_micro_usd: Some(2_000_000),
        sources_discovered: 15,
        articles_processed: 142,
        final_quality_score: Some(0.87),
        optimization_applied: vec!["parallel_processing".to_owned()],
        cache_hit: false,
        total_execution_time_ms: 456,
        waiting_reason: None,
        journal_seq,
        created_at: "2026-03-01T23:59:59.900Z".to_owned(),
        started_at: Some("2026-03-01T23:59:59.901Z".to_owned()),
        completed_at: Some("2026-03-02T00:00:01.000Z".to_owned()),
        updated_at: format!("2026-03-02T00:00:01.{journal_seq:03}Z"),
    }
}

fn step(name: &str, worker: Option<&str>) -> Step {
    Step {
        step_name: name.to_owned(),
        step_order: 1,
        worker_name: worker.map(str::to_owned),
        kind: if worker.is_some() { "worker" } else { "transform" }.to_owned(),
        status: "succeeded".to_owned(),
        success: true,
        generation: 1,
        attempts: u64::from(worker.is_some()),
        failed_attempts: 0,
        execution_time_ms: 12,
        cost_micro_usd: if worker.is_some() { 10 } else { 0 },
        cost_estimated: false,
        cache_hit: false,
        communication_method: "service_binding".to_owned(),
        error: None,
        data: Some(Payload::inline(json!({"text": "ö", "r": {"key": "not a reference"}}))),
        started_at: Some("2026-03-01T23:59:59.950Z".to_owned()),
        completed_at: Some("2026-03-02T00:00:00.000Z".to_owned()),
    }
}

fn five_steps(id: &str, journal_seq: u64) -> Projected {
    let steps = ["one", "two", "three", "four", "five"];
    let steps = steps.map(|name| step(name, Some("w"))).to_vec();
    Projected {
        execution: execution(id, journal_seq),
        steps,
        facts: Facts::default(),
        artifacts: Vec::new(),
        tasks: Vec::new(),
    }
}

fn costs(db: &Sqlite) -> Vec<String> {
    db.lines(
        "SELECT day, worker_name, calls, failures, cost_micro_usd FROM cost_tracking
        ORDER BY day, worker_name",
    )
}

#[test]
fn what_was_projected_is_read_back_whole() {
    let db = Sqlite::new();
    let mut failed = step("fetch[3]", Some("w"));
    failed.status = "skipped".to_owned();
    failed.success = false;
    failed.error = Some(json!({"code": "worker.failed", "message": "HTTP 502"}));
    failed.data = None;
    failed.completed_at = None;
    let projected = Projected {
        execution: execution("pipe_1", 9),
        steps: vec![failed, step("merge", None), step("one", Some("w"))],
        facts: Facts::default(),
        artifacts: Vec::new(),
        tasks: Vec::new(),
    };
    wait(project(&db, std::slice::from_ref(&projected))).unwrap();
    let (execution, mut steps) = wait(by_pipeline_id(&db, "pipe_1")).unwrap().unwrap();
    assert_eq!(execution, projected.execution);
    steps.sort_by(|a, b| a.step_name.cmp(&b.step_name));
    assert_eq!(steps, projected.steps);
    assert_eq!(wait(by_pipeline_id(&db, "pipe_2")), Ok(None));
}

#[test]
fn five_steps_cost_one_row_each_one_for_the_execution_and_one_for_its_event() {
    let db = Sqlite::new();
    let all: Vec<Projected> = (0..100).map(|n| five_steps(&format!("pipe_{n}"), 7)).collect();
    let statements = batches(&all);
    assert_eq!(statements.len(), 1, "a hundred executions are one transaction");
    assert_eq!(statements[0].len(), 6, "of six statements");
    wait(project(&db, &all)).unwrap();
    let for_all = 3;
    let each = 7;
    assert_eq!(db.changes.get(), 100 * each + for_all, "the day's cost, two notes for the figures");
    assert_eq!(costs(&db), ["2026-03-02|w|500|0|5000"]);
}

#[test]
fn a_batch_that_is_sent_again_changes_nothing() {
    let db = Sqlite::new();
    let batch = [five_steps("pipe_1", 7), five_steps("pipe_2", 3)];
    wait(project(&db, &batch)).unwrap();
    let (paid, rows) = (costs(&db), db.lines("SELECT * FROM worker_execution_results"));
    for _ in 0..3 {
        wait(project(&db, &batch)).unwrap();
        assert_eq!(db.changes.get(), 0, "nothing is written a second time");
    }
    assert_eq!(costs(&db), paid);
    assert_eq!(db.lines("SELECT * FROM worker_execution_results"), rows);
}

#[test]
fn of_two_states_in_one_batch_the_newer_counts_once() {
    let db = Sqlite::new();
    let mut early = five_steps("pipe_1", 3);
    early.execution.status = "running".to_owned();
    wait(project(&db, &[early.clone(), five_steps("pipe_1", 9), early])).unwrap();
    assert_eq!(costs(&db), ["2026-03-02|w|5|0|50"]);
    assert_eq!(db.lines("SELECT status, journal_seq FROM pipeline_executions"), ["completed|9"]);
}

#[test]
fn a_late_batch_changes_nothing() {
    let db = Sqlite::new();
    let mut early = five_steps("pipe_1", 3);
    early.execution.status = "running".to_owned();
    early.steps.truncate(2);
    early.steps[1].status = "running".to_owned();
    early.steps[1].success = false;
    wait(project(&db, &[five_steps("pipe_1", 9)])).unwrap();
    let (paid, rows) = (costs(&db), db.lines("SELECT * FROM worker_execution_results"));
    wait(project(&db, &[early])).unwrap();
    assert_eq!(db.changes.get(), 0);
    assert_eq!(costs(&db), paid);
    assert_eq!(db.lines("SELECT * FROM worker_execution_results"), rows);
    assert_eq!(db.lines("SELECT status, journal_seq FROM pipeline_executions"), ["completed|9"]);
}

#[test]
fn an_execution_that_goes_on_pays_only_what_it_has_grown_by() {
    let db = Sqlite::new();
    let mut projected = five_steps("pipe_1", 3);
    projected.execution.status = "running".to_owned();
    projected.execution.completed_at = None;
    projected.steps[4] = Step {
        status: "retrying".to_owned(),
        success: false,
        attempts: 2,
        failed_attempts: 2,
        cost_micro_usd: 4,
        completed_at: None,
        data: None,
        ..step("five", Some("w"))
    };
    wait(project(&db, std::slice::from_ref(&projected))).unwrap();
    assert_eq!(costs(&db), ["2026-03-01|w|2|2|4", "2026-03-02|w|4|0|40"]);
    projected.execution = execution("pipe_1", 8);
    projected.steps[4] =
        Step { attempts: 3, failed_attempts: 2, cost_micro_usd: 9, ..step("five", Some("w")) };
    wait(project(&db, std::slice::from_ref(&projected))).unwrap();
    assert_eq!(
        db.changes.get(),
        6,
        "the execution and its event, the step that changed, the cost, two notes for the figures"
    );
    assert_eq!(costs(&db), ["2026-03-01|w|2|2|4", "2026-03-02|w|5|0|45"]);
    projected.execution = execution("pipe_1", 12);
    projected.steps[0] = Step {
        generation: 2,
        attempts: 1,
        failed_attempts: 1,
        cost_micro_usd: 17,
        status: "failed".to_owned(),
        ..step("one", Some("w"))
    };
    wait(project(&db, &[projected])).unwrap();
    assert_eq!(
        costs(&db),
        ["2026-03-01|w|2|2|4", "2026-03-02|w|6|1|52"],
        "an attempt of a new generation is a call of its own"
    );
}

#[test]
fn costs_and_rows_stand_or_fall_together() {
    let db = Sqlite::new();
    let mut bad = five_steps("pipe_1", 7);
    bad.steps[3].status = "done".to_owned();
    let error = wait(project(&db, &[bad])).expect_err("there is no such status");
    assert_eq!(error.kind(), DbErrorKind::Constraint);
    assert_eq!(costs(&db), Vec::<String>::new());
    assert_eq!(db.number("SELECT count(*) FROM pipeline_executions"), 0);
    wait(project(&db, &[five_steps("pipe_1", 7)])).unwrap();
    assert_eq!(costs(&db), ["2026-03-02|w|5|0|50"]);
}

#[test]
fn rows_that_are_refused_hold_no_others_back() {
    let db = Sqlite::new();
    let mut all: Vec<Projected> = (0..20).map(|n| five_steps(&format!("pipe_{n}"), 7)).collect();
    all[3].execution.urgency = "yesterday".to_owned();
    all[17].steps[0].kind = "agent".to_owned();
    let error = wait(project(&db, &all)).expect_err("two of them cannot be written");
    assert!(!error.is_outage());
    assert!(error.detail().starts_with("pipe_17, pipe_3: "), "{}", error.detail());
    assert_eq!(db.number("SELECT count(*) FROM pipeline_executions"), 18);
    assert_eq!(costs(&db), ["2026-03-02|w|90|0|900"]);
    assert!(db.trips.get() < 20, "{} round trips", db.trips.get());
    db.outage.set(Some(DbErrorKind::Unavailable));
    let before = db.trips.get();
    assert!(wait(project(&db, &all)).expect_err("it is away").is_outage());
    assert_eq!(db.trips.get() - before, 1, "an outage is not looked into");
}

/// An execution too large for one transaction is written in several, and any of them may come twice
/// or not at all before the whole is sent again.
#[test]
fn an_execution_in_many_parts_may_break_off_after_each() {
    let mut large = five_steps("pipe_large", 5);
    let filling = "x".repeat(60_000);
    large.steps = (0..200)
        .map(|n| Step {
            data: Some(Payload::inline(json!(filling))),
            ..step(&format!("map[{n}]"), Some("w"))
        })
        .collect();
    let parts = batches(std::slice::from_ref(&large));
    assert!(parts.len() >= 3, "{} transactions", parts.len());
    for part in &parts {
        for statement in part {
            statement.bound().expect("each parameter is one that D1 takes");
        }
    }
    for broken_after in 0..parts.len() {
        let db = Sqlite::new();
        for part in &parts[..broken_after] {
            wait(db.batch(part.clone())).unwrap();
        }
        wait(project(&db, std::slice::from_ref(&large))).unwrap();
        wait(project(&db, std::slice::from_ref(&large))).unwrap();
        assert_eq!(costs(&db), ["2026-03-02|w|200|0|2000"], "broken off after {broken_after}");
        assert_eq!(db.number("SELECT count(*) FROM worker_execution_results"), 200);
    }
    let db = Sqlite::new();
    wait(db.batch(parts[0].clone())).unwrap();
    let mut newer = large.clone();
    newer.execution.journal_seq = 6;
    wait(project(&db, &[newer])).unwrap();
    for part in &parts {
        wait(db.batch(part.clone())).unwrap();
        assert_eq!(db.changes.get(), 0, "parts of an older state change nothing");
    }
    assert_eq!(costs(&db), ["2026-03-02|w|200|0|2000"]);
}

#[test]
fn a_row_that_d1_cannot_hold_leaves_out_what_is_largest() {
    let db = Sqlite::new();
    let mut projected = five_steps("pipe_1", 5);
    projected.execution.result = Some(json!("x".repeat(1_600_000)));
    projected.execution.request = json!({"input": "y".repeat(100_000)});
    wait(project(&db, &[projected.clone()])).unwrap();
    let (execution, steps) = wait(by_pipeline_id(&db, "pipe_1")).unwrap().unwrap();
    assert_eq!(execution.result, Some(json!({"omitted_bytes": 1_600_002})));
    assert_eq!(execution.request, projected.execution.request);
    assert_eq!(steps.len(), 5);
}

#[test]
fn a_stored_output_is_never_mistaken_for_a_value() {
    let db = Sqlite::new();
    let mut stored = Payload::inline(json!({"large": true}));
    stored.set_stored(engine::execution::StoredRef { key: "k".to_owned(), bytes: 70_000 });
    let mut projected = five_steps("pipe_1", 5);
    projected.steps[0].data = Some(stored);
    wait(project(&db, &[projected])).unwrap();
    let data = db.lines(
        "SELECT step_name, data FROM worker_execution_results
        WHERE step_name IN ('one', 'two') ORDER BY 1",
    );
    let one: Value = serde_json::from_str(data[0].strip_prefix("one|").unwrap()).unwrap();
    assert_eq!(one, json!({"r": {"key": "k", "bytes": 70_000}}));
    let (_, steps) = wait(by_pipeline_id(&db, "pipe_1")).unwrap().unwrap();
    let found = |name: &str| {
        steps.iter().find(|step| step.step_name == name).unwrap().data.clone().unwrap()
    };
    assert_eq!(found("one").unresolved().map(|r| r.bytes), Some(70_000));
    assert_eq!(found("two").unresolved(), None, "a value that looks like a reference is a value");
}
