//! Jobs in the database: seen when their execution is there, found along an index, and never made
//! twice.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::jobs::{self, Filter, Key, New, Order, Page, StatusChange};
use bitware_orchestrator::db::{Database, Statement};
use engine::time::Timestamp;
use serde_json::json;
use sqlite::{Sqlite, wait};

const ACCOUNT: &str = "default";

fn new(id: &str, second: i64) -> New {
    New {
        id: id.to_owned(),
        account: ACCOUNT.to_owned(),
        title: format!("Title {id}"),
        description: None,
        priority: "medium",
        metadata: json!({}),
        execution: None,
        key: None,
        created_by: "key:k".to_owned(),
        created_at: Timestamp::from_millis(1_700_000_000_000 + second * 1000),
        request_id: "r-1".to_owned(),
    }
}

fn owning(id: &str) -> New {
    let execution = ("t".to_owned(), format!("pipe_{id}"), json!({ "topic": "x" }));
    New { execution: Some(execution), ..new(id, 0) }
}

fn add(db: &Sqlite, new: &New) {
    wait(db.query(jobs::add(new))).unwrap();
}

fn find(db: &Sqlite, id: &str) -> Option<jobs::Job> {
    wait(jobs::find(db, ACCOUNT, id)).unwrap()
}

fn events(db: &Sqlite) -> Vec<String> {
    db.lines("SELECT event_type FROM events ORDER BY id")
}

#[test]
fn a_job_is_seen_once_its_execution_is_there() {
    let db = Sqlite::new();
    add(&db, &owning("a"));
    assert!(find(&db, "a").is_none() && events(&db).is_empty());
    wait(db.query(jobs::begin("a"))).unwrap();
    let job = find(&db, "a").unwrap();
    assert_eq!((job.status.as_str(), job.pipeline_id.as_deref()), ("pending", Some("pipe_a")));
    assert!(job.request.is_none(), "what it was asked for stands in its execution");
    wait(db.query(jobs::begin("a"))).unwrap();
    assert_eq!(events(&db), ["job.created"]);
    let logged = "SELECT change, actor_type, actor, request_id FROM audit_log";
    assert_eq!(db.lines(logged), ["job.created|api_key|k|r-1"]);
}

/// The request was cut off, and the execution has ended before anybody looks.
#[test]
fn the_executions_row_brings_a_job_to_light() {
    let db = Sqlite::new();
    add(&db, &owning("a"));
    db.shell(
        "INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status,
           started_at, completed_at)
         VALUES ('pipe_a', 'default', 't', 'completed', 's', 'c')",
    );
    let job = find(&db, "a").unwrap();
    assert_eq!((job.status.as_str(), job.completed_at.as_deref()), ("completed", Some("c")));
    assert_eq!(events(&db), ["execution.completed", "job.created", "job.completed"]);
}

#[test]
fn one_that_began_elsewhere_is_not_forgotten() {
    let db = Sqlite::new();
    add(&db, &owning("a"));
    add(&db, &owning("b"));
    wait(db.query(jobs::begin("a"))).unwrap();
    for id in ["a", "b"] {
        wait(jobs::forget(&db, id)).unwrap();
    }
    assert_eq!(db.lines("SELECT id FROM jobs"), ["a"]);
    assert_eq!(events(&db), ["job.created"], "a refused start is told to nobody");
}

#[test]
fn a_key_makes_one_job_until_it_is_free_again() {
    let db = Sqlite::new();
    let key = Key { key_hash: "k".to_owned(), body_hash: "b".to_owned() };
    let with_key = |id| New { key: Some(key.clone()), ..new(id, 0) };
    add(&db, &with_key("a"));
    add(&db, &with_key("b"));
    assert_eq!(db.lines("SELECT id FROM jobs"), ["a"]);
    let found = wait(db.query(jobs::by_key(ACCOUNT, &key))).unwrap();
    assert_eq!(found.first::<jobs::Job>().unwrap().unwrap().id, "a");
    let later = Timestamp::from_millis(1_700_000_000_001);
    wait(db.query(jobs::free_key(ACCOUNT, &key, later))).unwrap();
    add(&db, &with_key("c"));
    assert_eq!(db.lines("SELECT id FROM jobs ORDER BY id"), ["a", "c"]);
}

#[test]
fn of_changes_of_one_version_the_first_is_made() {
    let db = Sqlite::new();
    add(&db, &new("a", 0));
    let job = find(&db, "a").unwrap();
    let patch = |title: &str| jobs::patch(&job, &json!({ "title": title }), "user:u");
    wait(db.batch(vec![patch("one"), patch("two")])).unwrap();
    let changed = find(&db, "a").unwrap();
    assert_eq!((changed.title.as_str(), changed.version), ("one", 2));
    let at = Timestamp::from_millis(1_700_000_009_000);
    let set = |job: &jobs::Job, status: &'static str, is_final| {
        jobs::set_status(job, StatusChange { status, is_final, by: "user:u", at })
    };
    wait(db.query(set(&job, "failed", true))).unwrap();
    assert_eq!(find(&db, "a").unwrap().status, "pending", "it was changed meanwhile");
    wait(db.query(set(&changed, "completed", true))).unwrap();
    let done = find(&db, "a").unwrap();
    assert!(done.started_at.is_some() && done.completed_at.is_some());
    assert_eq!(events(&db), ["job.created", "job.updated", "job.completed"]);
}

#[test]
fn an_execution_that_goes_on_takes_its_job_with_it() {
    let db = Sqlite::new();
    add(&db, &owning("a"));
    db.shell(
        "INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status,
           completed_at) VALUES ('pipe_a', 'default', 't', 'failed', 'c')",
    );
    wait(jobs::reopen(&db, "pipe_a", "key:k")).unwrap();
    let job = find(&db, "a").unwrap();
    assert_eq!((job.status.as_str(), job.completed_at), ("running", None));
    db.shell("UPDATE pipeline_executions SET status = 'completed', completed_at = 'd'");
    assert_eq!(find(&db, "a").unwrap().status, "completed");
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn ids(db: &Sqlite, filter: &Filter, order: Order, limit: u32) -> Vec<String> {
    let mut page = Page { order, after: None, limit };
    let mut found = Vec::new();
    for _ in 0..10 {
        let statement = jobs::page_statement(ACCOUNT, filter, &page);
        let plan = db.query_plan(&statement);
        assert!(plan.contains("USING INDEX jobs_by") && !plan.contains("TEMP B-TREE"), "{plan}");
        let (rows, more) = wait(jobs::page(db, ACCOUNT, filter, &page)).unwrap();
        page.after = rows.last().map(|job| (order.key(job), job.id.clone()));
        found.extend(rows.into_iter().map(|job| job.id));
        if !more {
            return found;
        }
    }
    panic!("the pages have no end");
}

#[test]
fn lists_walk_an_index_in_every_order() {
    let db = Sqlite::new();
    for (n, priority) in (0..).zip(["low", "critical", "medium", "high", "critical"]) {
        add(&db, &New { priority, ..new(&format!("j{n}"), n) });
    }
    db.shell("UPDATE jobs SET title = 'Needle' WHERE id = 'j2'");
    add(&db, &owning("unseen"));
    let all = Filter::default();
    for (order, expected) in [
        (Order::Newest, ["j4", "j3", "j2", "j1", "j0"]),
        (Order::Oldest, ["j0", "j1", "j2", "j3", "j4"]),
        (Order::MostUrgent, ["j4", "j1", "j3", "j2", "j0"]),
        (Order::LeastUrgent, ["j0", "j2", "j3", "j1", "j4"]),
    ] {
        assert_eq!(ids(&db, &all, order, 2), expected, "{order:?}");
    }
    assert_eq!(ids(&db, &all, Order::ChangedLast, 2).len(), 5);
    assert_eq!(ids(&db, &all, Order::ChangedFirst, 2).len(), 5);
    let needle = Filter { search: some("nEEdle"), ..all.clone() };
    assert_eq!(ids(&db, &needle, Order::Newest, 2), ["j2"]);
    let urgent = Filter { priority: some("critical"), ..all };
    assert_eq!(ids(&db, &urgent, Order::Oldest, 1), ["j1", "j4"]);
}

#[test]
fn a_status_brings_what_may_have_it() {
    let db = Sqlite::new();
    for id in ["a", "b"] {
        add(&db, &new(id, 0));
    }
    for id in ["c", "d"] {
        add(&db, &owning(id));
        wait(db.query(jobs::begin(id))).unwrap();
    }
    db.shell("UPDATE jobs SET status = 'completed' WHERE id IN ('a', 'd')");
    let completed = Filter { status: some("completed"), ..Filter::default() };
    let mut found = ids(&db, &completed, Order::Newest, 1);
    found.sort();
    assert_eq!(found, ["a", "c", "d"], "c may have ended meanwhile");
    let (settled, following) = wait(jobs::total(&db, ACCOUNT, &completed, 10)).unwrap();
    let following: Vec<&str> = following.iter().map(|job| job.id.as_str()).collect();
    assert_eq!((settled, following), (2, vec!["c"]));
    assert_eq!(wait(jobs::total(&db, ACCOUNT, &Filter::default(), 10)).unwrap().0, 4);
}

#[test]
fn what_is_taken_away_leaves_its_events() {
    let db = Sqlite::new();
    add(&db, &new("a", 0));
    let job = find(&db, "a").unwrap();
    let batch: Vec<Statement> = jobs::remove(&job, Some(9), "user:u").into();
    wait(db.batch(batch)).unwrap();
    assert!(find(&db, "a").is_some(), "another version was meant");
    wait(db.batch(jobs::remove(&job, Some(1), "user:u").into())).unwrap();
    assert!(find(&db, "a").is_none());
    let told = "SELECT event_type, actor FROM events ORDER BY id";
    assert_eq!(db.lines(told), ["job.created|key:k", "job.deleted|user:u"]);
}
