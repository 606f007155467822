//! Tasks: each version is changed once, what an execution asks follows its journal, time does what
//! it does once, and everything is told and logged.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::tasks::{self, Edit, Filter, NewTask, Task};
use bitware_orchestrator::db::{Database, Statement};
use engine::plan::definition::TemplateDefinition;
use engine::plan::{Kind, Plan};
use engine::time::Timestamp;
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_000 + second * 1000)
}

fn new(id: &str) -> Task {
    Task {
        task_id: id.to_owned(),
        account_id: "default".to_owned(),
        title: format!("Read {id}"),
        priority: "medium".to_owned(),
        status: "open".to_owned(),
        metadata: json!({}),
        created_by: "key:k".to_owned(),
        ..Task::default()
    }
}

fn add(db: &Sqlite, task: &Task) {
    wait(db.query(tasks::add(&NewTask { task, key_hash: None }))).unwrap();
}

fn find(db: &Sqlite, id: &str) -> Task {
    wait(tasks::find(db, "default", id)).unwrap().unwrap()
}

fn changes(db: &Sqlite, statement: Statement) -> bool {
    let version = |db: &Sqlite| db.number("SELECT coalesce(sum(version), 0) FROM tasks");
    let before = version(db);
    wait(db.query(statement)).unwrap();
    version(db) != before
}

fn told(db: &Sqlite, id: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT event_type, coalesce(actor, '-') FROM events WHERE subject = '{id}' ORDER BY id"
    ))
}

/// What an execution asks, as the projection brings it.
fn asked(status: &str, generation: u32) -> Value {
    let over = status != "open";
    let answered = status == "completed";
    json!({
        "task_id": format!("t-{generation}"), "account_id": "default", "title": "Release?",
        "description": null, "status": status, "form": {"type": "object"},
        "candidates": ["role:admin"], "forbid_self_approval": 1, "initiators": ["key:k"],
        "due_at": "2026-11-21T10:01:00.000Z", "escalate_at": "2026-11-21T10:02:00.000Z",
        "escalate_to": ["ada@example.org", "role:admin"],
        "result": if answered { json!({"approved": true, "note": "fine"}) } else { Value::Null },
        "completed_by": answered.then_some("user:ada"),
        "closed_at": over.then_some("2026-11-21T10:00:30.000Z"),
        "pipeline_id": "pipe_1", "step_name": "review", "generation": generation,
        "created_at": "2026-11-21T10:00:00.000Z",
    })
}

fn record(db: &Sqlite, rows: &[Value]) {
    wait(tasks::record_now(db, &json!(rows))).unwrap();
}

#[test]
fn of_all_changes_of_one_version_one_is_made() {
    let db = Sqlite::new();
    add(&db, &new("a"));
    let was = find(&db, "a");
    let mut made = 0;
    for n in 0..100 {
        let by = format!("key:{n}");
        let wanted = Task { metadata: json!({ "writer": n }), ..was.clone() };
        let edit = Edit { was: &was, by: &by, at: at(0) };
        made += u32::from(changes(&db, tasks::change(edit, &wanted)));
    }
    let is = find(&db, "a");
    assert_eq!((made, is.version, &is.metadata), (1, 2, &json!({"writer": 0})));
    assert_eq!(told(&db, "a"), ["task.created|key:k", "task.updated|key:0"]);
}

#[test]
fn it_is_claimed_once_given_back_and_completed() {
    let db = Sqlite::new();
    add(&db, &new("a"));
    let open = find(&db, "a");
    let by = |name: &'static str, was| Edit { was, by: name, at: at(0) };
    assert!(changes(&db, tasks::claim(by("key:1", &open))));
    assert!(!changes(&db, tasks::claim(by("key:2", &open))), "it is claimed");
    let claimed = find(&db, "a");
    assert_eq!(claimed.claimed_by.as_deref(), Some("key:1"));
    assert!(!changes(&db, tasks::complete(by("key:2", &claimed), None)), "by another");
    assert!(changes(&db, tasks::release(by("key:1", &claimed))));
    let again = find(&db, "a");
    assert_eq!((again.status.as_str(), again.claimed_by.as_deref()), ("open", None));
    let data = json!({"verdict": "good"});
    assert!(changes(&db, tasks::complete(by("key:2", &again), Some(&data))));
    let done = find(&db, "a");
    assert_eq!((done.result.as_ref(), done.version), (Some(&data), 4));
    assert!(!changes(&db, tasks::cancel(by("key:2", &done))), "it is closed");
    assert!(!changes(
        &db,
        tasks::change(by("key:2", &done), &Task { title: "x".into(), ..done.clone() })
    ));
    let expected =
        ["task.created|key:k", "task.claimed|key:1", "task.released|key:1", "task.completed|key:2"];
    assert_eq!(told(&db, "a"), expected);
}

#[test]
fn a_key_makes_one_task_and_is_forgotten() {
    let db = Sqlite::new();
    let with_key = |id: &str| {
        let task = Task { body_hash: Some("b".to_owned()), ..new(id) };
        wait(db.query(tasks::add(&NewTask { task: &task, key_hash: Some("h") }))).unwrap();
    };
    with_key("a");
    with_key("b");
    let first = wait(tasks::by_key(&db, "default", "h")).unwrap().unwrap();
    assert_eq!((first.task_id.as_str(), first.body_hash.as_deref()), ("a", Some("b")));
    db.shell("UPDATE tasks SET created_at = '2026-01-01T00:00:00.000Z'");
    wait(db.query(tasks::forget_key("default", "h", at(0)))).unwrap();
    with_key("b");
    assert_eq!(wait(tasks::by_key(&db, "default", "h")).unwrap().unwrap().task_id, "b");
    let of_nothing = Task { job_id: Some("nowhere".to_owned()), ..new("c") };
    add(&db, &of_nothing);
    assert_eq!(wait(tasks::find(&db, "default", "c")).unwrap(), None, "there is no such job");
}

#[test]
fn what_an_execution_asks_is_written_once_and_closed_once() {
    let db = Sqlite::new();
    record(&db, &[asked("open", 1)]);
    record(&db, &[asked("open", 1)]);
    let open = find(&db, "t-1");
    assert_eq!((open.status.as_str(), open.version), ("open", 1));
    assert_eq!(open.initiators, ["key:k"]);
    let edit = Edit { was: &open, by: "user:bob", at: at(1) };
    assert!(changes(&db, tasks::claim(edit)));
    record(&db, &[asked("open", 1)]);
    assert_eq!(find(&db, "t-1").claimed_by.as_deref(), Some("user:bob"), "the claim stays");
    let claimed = find(&db, "t-1");
    let edit = Edit { was: &claimed, by: "user:bob", at: at(1) };
    for refused in [tasks::complete(edit, None), tasks::cancel(edit), tasks::remove(edit)] {
        assert!(!changes(&db, refused), "the journal decides about it");
    }
    for _ in 0..2 {
        record(&db, &[asked("completed", 1)]);
    }
    record(&db, &[asked("open", 1)]);
    record(&db, &[asked("cancelled", 1)]);
    let done = find(&db, "t-1");
    assert_eq!((done.status.as_str(), done.version), ("completed", 3));
    assert_eq!(done.result, Some(json!({"approved": true, "note": "fine"})));
    let of_it =
        ["task.created|execution:pipe_1", "task.claimed|user:bob", "task.completed|user:ada"];
    assert_eq!(told(&db, "t-1"), of_it);
    let logged = db.lines(
        "SELECT id, actor_type, actor, change, after ->> 'approved' FROM audit_log
         WHERE subject = 't-1'",
    );
    assert_eq!(logged, ["task.completed/t-1|user|ada|task.completed|1"]);
}

#[test]
fn one_that_was_over_before_it_was_written_is_there_all_the_same() {
    let db = Sqlite::new();
    record(&db, &[asked("completed", 1), asked("expired", 2), asked("cancelled", 3)]);
    let of = |id: &str| find(&db, id).status;
    assert_eq!(["t-1", "t-2", "t-3"].map(of), ["completed", "expired", "cancelled"]);
    assert_eq!(
        told(&db, "t-2"),
        ["task.created|execution:pipe_1", "task.expired|execution:pipe_1"]
    );
    assert_eq!(db.number("SELECT count(*) FROM audit_log WHERE subject_type = 'task'"), 1);
    assert!(wait(tasks::of_execution(&db, "pipe_1")).unwrap().is_empty());
    let mut foreign = asked("open", 4);
    foreign["account_id"] = json!("gone");
    record(&db, &[foreign]);
    assert_eq!(db.number("SELECT count(*) FROM tasks"), 3, "an account that is gone has none");
}

#[test]
fn time_is_told_once_and_escalation_gives_it_to_others() {
    let db = Sqlite::new();
    record(&db, &[asked("open", 1), asked("completed", 2)]);
    let open = find(&db, "t-1");
    assert!(changes(&db, tasks::claim(Edit { was: &open, by: "user:bob", at: at(1) })));
    for (second, overdue, escalated) in
        [(59, 0, 0), (60, 1, 0), (61, 0, 0), (120, 0, 1), (121, 0, 0)]
    {
        assert_eq!(wait(tasks::note_overdue(&db, at(second), 5)).unwrap().len(), overdue);
        assert_eq!(wait(tasks::escalate(&db, at(second), 5)).unwrap().len(), escalated);
    }
    let late = find(&db, "t-1");
    assert_eq!(late.overdue_at.as_deref(), Some("2026-11-21T10:01:00.000Z"));
    let mut candidates = late.candidates.clone();
    candidates.sort();
    assert_eq!(candidates, ["ada@example.org", "role:admin"]);
    assert_eq!((late.status.as_str(), late.claimed_by), ("open", None), "nobody sits on it");
    let types: Vec<String> = told(&db, "t-1");
    assert_eq!(types.iter().filter(|told| told.starts_with("task.overdue")).count(), 1);
    assert_eq!(types.iter().filter(|told| told.starts_with("task.escalated")).count(), 1);
    let moved = Task { due_at: Some("2026-11-21T11:00:00.000Z".to_owned()), ..find(&db, "t-1") };
    let was = find(&db, "t-1");
    assert!(changes(&db, tasks::change(Edit { was: &was, by: "key:k", at: at(130) }, &moved)));
    assert_eq!(wait(tasks::note_overdue(&db, at(3600), 5)).unwrap(), ["default"], "told anew");
}

#[test]
fn lists_are_filtered_and_paged() {
    let db = Sqlite::new();
    for n in 0..5 {
        let candidates = if n == 4 { vec!["Ada@example.org".to_owned()] } else { Vec::new() };
        let forbid_self_approval = n == 3;
        let initiators = vec!["key:k".to_owned()];
        let task = Task { candidates, forbid_self_approval, initiators, ..new(&format!("t{n}")) };
        add(&db, &task);
        db.shell(&format!(
            "UPDATE tasks SET created_at = '2026-11-21T10:00:0{n}.000Z' WHERE task_id = 't{n}'"
        ));
    }
    let was = find(&db, "t0");
    assert!(changes(&db, tasks::claim(Edit { was: &was, by: "key:k", at: at(0) })));
    let ids = |filter: Filter| -> Vec<String> {
        let (tasks, _) = wait(tasks::page(&db, "default", &filter, None, 50)).unwrap();
        let count = wait(tasks::count(&db, "default", &filter)).unwrap();
        assert_eq!(count, tasks.len() as u64);
        tasks.into_iter().map(|task| task.task_id).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(ids(Filter::default()), ["t4", "t3", "t2", "t1", "t0"]);
    assert_eq!(ids(Filter { status: text("claimed"), ..Filter::default() }), ["t0"]);
    assert_eq!(ids(Filter { assignee: text("key:k"), ..Filter::default() }), ["t0"]);
    assert_eq!(ids(Filter { candidate: text("ada@EXAMPLE.org"), ..Filter::default() }), ["t4"]);
    assert_eq!(ids(Filter { text: text("READ T3"), ..Filter::default() }), ["t3"]);
    assert_eq!(ids(Filter { text: text("%"), ..Filter::default() }), Vec::<String>::new());
    let mine = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        ids(Filter { mine: Some((words[0].clone(), words)), ..Filter::default() })
    };
    assert_eq!(mine(&["key:k"]), ["t2", "t1", "t0"], "not what it began and may not complete");
    assert_eq!(mine(&["user:1", "ada@example.org"]), ["t4", "t3", "t2", "t1"]);
    let (first, more) = wait(tasks::page(&db, "default", &Filter::default(), None, 2)).unwrap();
    let last = first.last().unwrap();
    let after = Some((last.created_at.as_str(), last.task_id.as_str()));
    let (second, _) = wait(tasks::page(&db, "default", &Filter::default(), after, 2)).unwrap();
    assert_eq!((more, second[0].task_id.as_str()), (true, "t2"));
    assert!(wait(tasks::page(&db, "acme", &Filter::default(), None, 2)).unwrap().0.is_empty());
}

/// What people copy from docs/tasks.md can be published.
#[test]
fn the_step_of_the_documentation_is_one() {
    let page = include_str!("../docs/tasks.md");
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let step: Value = serde_json::from_str(example).unwrap();
    let definition: TemplateDefinition = serde_json::from_value(json!({
        "name": "t",
        "steps": [
            {"name": "classify", "order": 1, "kind": "transform", "input_mapping": {}},
            {"name": step["step_name"], "order": step["step_order"], "kind": step["kind"],
                "depends_on": step["depends_on_steps"], "config": step["config"]},
        ],
    }))
    .unwrap();
    let plan = Plan::compile(&definition).unwrap();
    let Kind::Wait(wait) = &plan.steps[1].kind else { panic!("it is a wait") };
    let asks = wait.asks.as_ref().unwrap();
    assert!(asks.is_guarded() && asks.forbids_self && asks.escalation.is_some());
}
