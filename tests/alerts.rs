//! Alerts in the database: one stands for each thing, somebody sees it, it is over; and the counts
//! of administrators walk indexes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::alerts::{
    self, Act, Alert, Figures, Filter, Opened, acknowledge, end, find, note, open, page, resolve,
    unresolved, update,
};
use bitware_orchestrator::db::stats;
use bitware_orchestrator::db::{Database, Statement, duties};
use engine::time::{Millis, Timestamp};
use serde_json::json;
use sqlite::{Sqlite, wait};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + second * 1000)
}

fn figures(observed: f64) -> Figures {
    Figures {
        severity: "warning",
        message: "It is worse".to_owned(),
        metric: "failed_attempts_share",
        observed,
        baseline: None,
        threshold: 0.3,
        evidence: json!({ "quiet": 0 }),
    }
}

fn opened<'a>(id: &'a str, account: Option<&'a str>, subject: &'a str) -> Opened<'a> {
    Opened { id, account, kind: "worker_failure", subject_type: "worker", subject }
}

/// How many rows were written, without the events that tell of it.
fn perform(db: &Sqlite, statements: Vec<Statement>) -> u64 {
    let events = || db.number("SELECT count(*) FROM events").cast_unsigned();
    let before = events();
    wait(db.batch(statements)).unwrap();
    db.changes.get() - (events() - before)
}

fn standing(db: &Sqlite) -> Vec<Alert> {
    wait(unresolved(db, 100)).unwrap()
}

#[test]
fn one_alert_stands_for_each_thing_until_it_is_resolved() {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    for (id, account, subject, written) in [
        ("a1", None, "w", 1),
        ("a2", None, "w", 0),
        ("a3", None, "other", 1),
        ("a4", Some("acme"), "w", 1),
        ("a5", Some("acme"), "w", 0),
        ("a6", Some("gone"), "w", 0),
    ] {
        let statement = open(opened(id, account, subject), &figures(0.6), at(0));
        assert_eq!(perform(&db, vec![statement]), written, "{id}");
    }
    let ids: Vec<String> = standing(&db).into_iter().map(|alert| alert.id).collect();
    assert_eq!(ids, ["a1", "a3", "a4"]);
    perform(&db, vec![end("a1", &json!({ "quiet": 12 }), at(9))]);
    let again = open(opened("a7", None, "w"), &figures(0.7), at(10));
    assert_eq!(perform(&db, vec![again]), 1, "it went wrong anew");
    let over = wait(find(&db, "a1", None)).unwrap().unwrap();
    assert_eq!((over.status.as_str(), over.resolved_by.as_deref()), ("resolved", Some("system")));
}

#[test]
fn what_is_resolved_never_changes_again() {
    let db = Sqlite::new();
    perform(&db, vec![open(opened("a1", None, "w"), &figures(0.6), at(0))]);
    perform(&db, vec![update("a1", &figures(0.8), at(5)), note("a1", &json!({"quiet": 4}), at(6))]);
    let alert = wait(find(&db, "a1", None)).unwrap().unwrap();
    assert_eq!((alert.observed, &alert.evidence), (0.8, &json!({ "quiet": 4 })));
    assert_eq!(alert.opened_at, "2023-11-14T22:13:20.000Z");
    let act = Act { id: "a1", account: None, by: "key:k", at: at(7) };
    assert_eq!(perform(&db, vec![resolve(act)]), 1);
    let before = wait(find(&db, "a1", None)).unwrap().unwrap();
    assert_eq!(before.resolved_by.as_deref(), Some("key:k"));
    let later = Act { at: at(8), by: "key:other", ..act };
    let evidence = json!({});
    for statement in [
        update("a1", &figures(0.9), at(8)),
        note("a1", &evidence, at(8)),
        end("a1", &evidence, at(8)),
        acknowledge(later),
        resolve(later),
    ] {
        assert_eq!(perform(&db, vec![statement]), 0);
    }
    assert_eq!(wait(find(&db, "a1", None)).unwrap().unwrap(), before);
}

#[test]
fn an_account_touches_its_own_alerts_alone() {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme'), ('other')");
    perform(
        &db,
        vec![
            open(opened("mine", Some("acme"), "w"), &figures(0.6), at(0)),
            open(opened("whole", None, "w"), &figures(0.6), at(1)),
        ],
    );
    for (id, account, changes) in
        [("mine", Some("other"), 0), ("whole", Some("acme"), 0), ("mine", Some("acme"), 1)]
    {
        let act = Act { id, account, by: "key:k", at: at(3) };
        assert_eq!(perform(&db, vec![acknowledge(act)]), changes, "{id} of {account:?}");
        assert_eq!(wait(find(&db, id, account)).unwrap().is_some(), changes == 1);
    }
    let own = Filter { account: Some("acme".to_owned()), ..Filter::default() };
    let (found, more) = wait(page(&db, &own, None, 50)).unwrap();
    assert_eq!((found.len(), more, found[0].status.as_str()), (1, false, "acknowledged"));
}

#[test]
fn pages_meet_every_alert_once_newest_first() {
    let db = Sqlite::new();
    for n in 0..25 {
        let (id, subject) = (format!("a{n:02}"), format!("w{n}"));
        perform(&db, vec![open(opened(&id, None, &subject), &figures(0.6), at(n / 3))]);
    }
    let act = Act { id: "a03", account: None, by: "key:k", at: at(99) };
    perform(&db, vec![resolve(act), acknowledge(Act { id: "a04", ..act })]);
    let walk = |filter: &Filter| {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let last: Option<(String, String)> = after.take();
            let last = last.as_ref().map(|(at, id)| (at.as_str(), id.as_str()));
            let (alerts, more) = wait(page(&db, filter, last, 4)).unwrap();
            ids.extend(alerts.iter().map(|alert| alert.id.clone()));
            match alerts.last().filter(|_| more) {
                Some(alert) => after = Some((alert.opened_at.clone(), alert.id.clone())),
                None => return ids,
            }
        }
    };
    let all: Vec<String> = (0..25).rev().map(|n| format!("a{n:02}")).collect();
    assert_eq!(walk(&Filter::default()), all);
    let of = |status: &str| Filter { status: Some(status.to_owned()), ..Filter::default() };
    let without = |gone: &[&str]| -> Vec<String> {
        all.iter().filter(|id| !gone.contains(&id.as_str())).cloned().collect()
    };
    assert_eq!(walk(&of("unresolved")), without(&["a03"]));
    assert_eq!(walk(&of("open")), without(&["a03", "a04"]));
    assert_eq!(walk(&of("resolved")), ["a03"]);
    let subject = Filter { subject: Some("w7".to_owned()), ..Filter::default() };
    assert_eq!(walk(&subject), ["a07"]);
    for nothing in [
        Filter { kind: Some("capacity".to_owned()), ..Filter::default() },
        Filter { severity: Some("critical".to_owned()), ..Filter::default() },
        Filter { subject_type: Some("template".to_owned()), ..Filter::default() },
    ] {
        assert_eq!(walk(&nothing), [""; 0], "{nothing:?}");
    }
}

#[test]
fn a_duty_is_done_by_one_at_a_time_and_only_when_it_is_due() {
    let db = Sqlite::new();
    let take =
        |second| wait(duties::take(&db, "alerts", at(second), Millis::from_secs(60))).unwrap();
    let first = take(0).unwrap();
    assert_eq!((first.fence, &first.state), (1, &json!({})));
    assert_eq!(take(59), None, "somebody is at it");
    let second = take(61).unwrap();
    assert_eq!(second.fence, 2, "the first did not come back");
    assert!(!wait(duties::note(&db, "alerts", 1, &json!({ "n": 1 }))).unwrap());
    assert!(wait(duties::note(&db, "alerts", 2, &json!({ "n": 2 }))).unwrap());
    wait(duties::done(&db, "alerts", &first, at(62), at(0))).unwrap();
    assert_eq!(take(63), None, "what an old holder says counts nothing");
    let left = duties::Held { state: json!({ "n": 3 }), ..second };
    wait(duties::done(&db, "alerts", &left, at(64), at(300))).unwrap();
    assert_eq!(take(299), None, "it is not due");
    assert_eq!(take(300).unwrap().state, json!({ "n": 3 }));
    let standing = wait(duties::standing(&db, "alerts")).unwrap().unwrap();
    assert_eq!(standing.done_at.as_deref(), Some("2023-11-14T22:14:24.000Z"));
    assert_eq!(wait(duties::standing(&db, "nothing")), Ok(None));
}

#[test]
fn counts_say_what_is_there_for_everybody_and_for_one() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO accounts (id, daily_budget_micro_usd) VALUES ('acme', 5), ('poor', NULL);
        INSERT INTO pipeline_executions (pipeline_id, account_id, template_name, status)
        VALUES ('p1', 'acme', 't', 'running'), ('p2', 'default', 't', 'running'),
          ('p3', 'acme', 't', 'waiting'), ('p4', 'acme', 't', 'failed'),
          ('p5', 'acme', 't', 'completed');
        INSERT INTO api_keys (id, account_id, key_hash, revoked_at, expires_at) VALUES
          ('k1', 'acme', printf('%064d', 1), NULL, NULL),
          ('k2', 'acme', printf('%064d', 2), '2020-01-01T00:00:00.000Z', NULL),
          ('k3', 'default', printf('%064d', 3), NULL, '2020-01-01T00:00:00.000Z'),
          ('k4', 'default', printf('%064d', 4), NULL, '2999-01-01T00:00:00.000Z')",
    );
    let unfinished = |account| {
        let rows = wait(db.query(stats::unfinished(account))).unwrap();
        let mut rows: Vec<stats::OfStatus> = rows.decode().unwrap();
        rows.retain(|row| row.count > 0);
        rows.sort_by(|a, b| a.status.cmp(&b.status));
        rows.into_iter().map(|row| (row.status, row.count)).collect::<Vec<_>>()
    };
    let of = |word: &str, count| (word.to_owned(), count);
    assert_eq!(unfinished(None), [of("running", 2), of("waiting", 1)]);
    assert_eq!(unfinished(Some("acme")), [of("running", 1), of("waiting", 1)]);
    let counts = |account| -> stats::Counts {
        wait(db.query(stats::counts(account, at(0)))).unwrap().first().unwrap().unwrap()
    };
    let (all, acme) = (counts(None), counts(Some("acme")));
    assert_eq!((all.keys_active, all.keys_revoked, all.keys_expired), (2, 1, 1));
    assert_eq!((acme.keys_active, acme.keys_revoked, acme.keys_expired), (1, 1, 0));
    assert_eq!((all.workers, all.workers_active, all.templates), (5, 5, 3));
    let budgeted = wait(stats::budgeted(&db, None, "", 10)).unwrap();
    assert_eq!(budgeted.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["acme"]);
    for account in [None, Some("acme")] {
        let plan = db.query_plan(&stats::unfinished(account));
        assert!(
            plan.contains("pipeline_executions_by_status (account_id=? AND status=?"),
            "{plan}"
        );
    }
    let counted = db.query_plan(&stats::counts(None, at(0)));
    assert!(!counted.contains("pipeline_executions"), "{counted}");
    assert_eq!(alerts::PAGE_MAX, 200);
}
