//! The stream of events: what happens to rows tells itself, once and in order; pages walk an index.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::events::{self, Filter, Range, Told};
use engine::time::Timestamp;
use serde_json::json;
use sqlite::{Sqlite, wait};

fn with_execution(status: &str) -> Sqlite {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    db.shell(&format!(
        "INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status)
         VALUES ('pipe_1', 'acme', 't', '{status}')"
    ));
    db
}

fn told(db: &Sqlite) -> Vec<String> {
    db.lines("SELECT account, event_type, subject, coalesce(actor, '-') FROM events ORDER BY id")
}

fn everything() -> Filter {
    Filter { administration: true, ..Filter::default() }
}

#[test]
fn an_execution_tells_of_each_status_once() {
    let db = with_execution("pending");
    assert_eq!(told(&db), Vec::<String>::new());
    let set = |sql: &str| db.shell(&format!("UPDATE pipeline_executions SET {sql}"));
    set("status = 'running', journal_seq = 2");
    set("status = 'running', journal_seq = 3");
    set("status = 'failed', completed_at = 'a', error = '{\"code\":\"x.y\"}'");
    // A retry that was never projected, and failed again.
    set("status = 'failed', completed_at = 'b', total_cost_micro_usd = 20000");
    let expected =
        ["running", "failed", "failed"].map(|it| format!("acme|execution.{it}|pipe_1|-"));
    assert_eq!(told(&db), expected);
    let last = wait(events::after(&db, "acme", 0, 10)).unwrap().pop().unwrap();
    assert_eq!(last.payload["error_code"], "x.y");
    assert_eq!(last.payload["total_cost_usd"], 0.02);
    assert_eq!(last.payload["previous_status"], "failed");
}

#[test]
fn an_execution_that_ends_at_once_costs_one_row() {
    let db = with_execution("completed");
    assert_eq!(told(&db), ["acme|execution.completed|pipe_1|-"]);
    db.shell(
        "INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status)
         VALUES ('pipe_2', 'gone', 't', 'completed')",
    );
    assert_eq!(told(&db).len(), 1, "an account that is gone hears nothing");
}

#[test]
fn workers_alerts_and_administration_tell() {
    let db = with_execution("pending");
    let steps = [
        "UPDATE worker_registry SET last_health_check = 'x' WHERE worker_name = 'feed_fetcher'",
        "UPDATE worker_registry SET health_status = 'degraded', is_active = 0
         WHERE worker_name = 'feed_fetcher'",
        "INSERT INTO performance_alerts (id, account_id, kind, severity, subject_type, message,
           metric, observed, threshold)
         VALUES ('a1', 'acme', 'capacity', 'info', 'system', 'm', 'x', 1, 1),
           ('a2', NULL, 'capacity', 'info', 'system', 'm', 'x', 1, 1)",
        "UPDATE performance_alerts SET status = 'acknowledged', acknowledged_by = 'worker:w'
         WHERE id = 'a1'",
        "UPDATE performance_alerts SET observed = 2 WHERE id = 'a1'",
        "UPDATE performance_alerts SET status = 'resolved', resolved_by = 'system' WHERE id = 'a1'",
        "INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject)
         VALUES ('l1', 'acme', 'api_key', 'k1', 'api_key.revoked', 'api_key', 'k2'),
           ('l2', 'gone', 'worker', 'w', 'account.deleted', 'account', 'gone'),
           ('l3', NULL, 'system', 'cron', 'worker.added', 'worker', 'x'),
           ('l4', 'acme', 'api_key', 'k1', 'job.deleted', 'job', 'j')",
    ];
    for step in steps {
        db.shell(step);
    }
    let expected = [
        "default|worker.health_changed|feed_fetcher|-",
        "default|worker.deactivated|feed_fetcher|-",
        "acme|alert.opened|a1|-",
        "default|alert.opened|a2|-",
        "acme|alert.acknowledged|a1|worker:w",
        "acme|alert.resolved|a1|system",
        "acme|administration.api_key_revoked|k2|key:k1",
        "default|administration.account_deleted|gone|worker:w",
        "default|administration.worker_added|x|cron",
    ];
    assert_eq!(told(&db), expected);
}

#[test]
fn events_are_added_and_never_changed() {
    let db = with_execution("running");
    let refused = db.connection.borrow().execute("UPDATE events SET payload = '{}'", []);
    assert!(refused.unwrap_err().to_string().contains("append-only"));
}

fn tell<'a>(event_type: &'a str, subject: &'a str, event_id: &'a str) -> Told<'a> {
    static PAYLOAD: std::sync::LazyLock<serde_json::Value> =
        std::sync::LazyLock::new(|| json!({ "v": 1 }));
    let payload = &*PAYLOAD;
    let subject = Some(subject);
    Told { account: "acme", event_type, subject, actor: "key:k", payload, event_id }
}

#[test]
fn what_a_client_tells_twice_is_there_once() {
    let db = with_execution("pending");
    let (first, new) = wait(events::add(&db, tell("deploy.done", "web", "d1"))).unwrap();
    let (again, anew) = wait(events::add(&db, tell("deploy.failed", "web", "d1"))).unwrap();
    assert_eq!((&first, new, anew), (&again, true, false));
    let other = Told { account: "default", ..tell("deploy.done", "web", "d1") };
    assert_ne!(wait(events::add(&db, other)).unwrap().0.id, first.id);
    assert_eq!(wait(events::newest(&db, "acme")).unwrap(), first.id);
}

#[test]
fn pages_show_what_was_asked_for_and_walk_an_index() {
    let db = with_execution("running");
    for n in 0..6 {
        let (kind, id) = (["deploy.done", "deploy.failed"][n % 2], format!("e{n}"));
        wait(events::add(&db, tell(kind, ["web", "api"][n / 3], &id))).unwrap();
    }
    db.shell(
        "INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject)
         VALUES ('l1', 'acme', 'api_key', 'k1', 'x.y', 'x', 'web')",
    );
    let count = |filter: &Filter, range: Range| {
        let statement = events::page_statement("acme", filter, range);
        let plan = db.query_plan(&statement);
        assert!(plan.contains("USING INDEX") && !plan.contains("TEMP B-TREE"), "{plan}");
        let (rows, more) = wait(events::page(&db, "acme", filter, range)).unwrap();
        (rows.iter().map(|row| row.id).collect::<Vec<_>>(), more)
    };
    let some = |text: &str| Some(text.to_owned());
    let range = Range::default();
    assert_eq!(count(&everything(), range), ((1..=8).collect(), false));
    assert_eq!(count(&Filter::default(), range), ((1..=7).collect(), false));
    let topic = Filter { topic: some("executions"), ..everything() };
    assert_eq!(count(&topic, range), (vec![1], false));
    let kind = Filter { event_type: some("deploy.done"), ..everything() };
    assert_eq!(count(&kind, range), (vec![2, 4, 6], false));
    let both = Filter { subject: some("web"), ..kind };
    assert_eq!(count(&both, range), (vec![2, 4], false));
    let web = Filter { subject: some("web"), ..Filter::default() };
    assert_eq!(count(&web, range), (vec![2, 3, 4], false), "administration does not show");
    let down = Range { newest_first: true, limit: 3, before: 8, ..range };
    assert_eq!(count(&everything(), down), (vec![7, 6, 5], true));
    assert_eq!(count(&everything(), Range { after: 5, limit: 2, ..range }), (vec![6, 7], true));
}

#[test]
fn a_moment_is_found_among_numbers_with_gaps() {
    let db = Sqlite::new();
    assert!(wait(events::first_from(&db, Timestamp::from_millis(0))).unwrap() >= 1);
    for n in [3, 4, 9, 10, 11, 40] {
        db.shell(&format!(
            "INSERT INTO events (id, account, topic, event_type, created_at) VALUES ({n},
             'default', 'custom', 'x', '1970-01-01T00:00:{n:02}.000Z')"
        ));
    }
    let ids = [3, 4, 9, 10, 11, 40];
    for second in 0..=41 {
        let first = wait(events::first_from(&db, Timestamp::from_millis(second * 1000))).unwrap();
        let expected: Vec<u64> = ids.into_iter().filter(|id| *id >= second as u64).collect();
        let found: Vec<u64> = ids.into_iter().filter(|id| *id >= first).collect();
        assert_eq!(found, expected, "second {second}, {first}");
    }
}

#[test]
fn what_is_old_goes_a_slice_at_a_time() {
    let db = Sqlite::new();
    for n in 1..=5 {
        db.shell(&format!(
            "INSERT INTO events (account, topic, event_type, created_at)
             VALUES ('default', 'custom', 'x', '1970-01-01T00:00:0{n}.000Z')"
        ));
    }
    let moment = Timestamp::from_millis(4000);
    let expire = |look_at| wait(events::expire(&db, moment, look_at)).unwrap();
    assert_eq!((expire(2), expire(2), expire(2)), (2, 1, 0));
    assert_eq!(db.lines("SELECT id FROM events"), ["4", "5"]);
}

/// Drawn before its row, an execution's job is seen when the execution is there, and follows it.
#[test]
fn a_job_follows_its_execution() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO jobs (id, account_id, title, pipeline_id, begun, created_by)
         VALUES ('j1', 'default', 'T', 'pipe_1', 0, 'key:k'), ('j2', 'default', 'U', NULL, 1, 'u')",
    );
    assert_eq!(told(&db), ["default|job.created|j2|u"]);
    db.shell(
        "INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status)
         VALUES ('pipe_1', 'default', 't', 'running')",
    );
    db.shell("UPDATE jobs SET title = 'V', changed_by = 'key:k' WHERE id = 'j1'");
    db.shell("UPDATE jobs SET title = 'V' WHERE id = 'j1'");
    db.shell("UPDATE pipeline_executions SET status = 'completed', completed_at = 'z'");
    db.shell("UPDATE jobs SET status = 'running', changed_by = 'u' WHERE id = 'j2'");
    db.shell("DELETE FROM jobs");
    let expected = [
        "default|execution.running|pipe_1|-",
        "default|job.created|j1|key:k",
        "default|job.running|j1|-",
        "default|job.updated|j1|key:k",
        "default|execution.completed|pipe_1|-",
        "default|job.completed|j1|-",
        "default|job.running|j2|u",
        "default|job.deleted|j1|-",
        "default|job.deleted|j2|u",
    ];
    assert_eq!(told(&db)[1..], expected);
}
