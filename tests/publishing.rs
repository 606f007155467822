//! Templates that are published by the API: what is written is what a start reads, and changes that
//! come together never mix.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod publisher;
mod sqlite;

use std::cell::Cell;

use bitware_orchestrator::db::{Database, DbError, DbErrorKind, Rows, Statement, revisions};
use bitware_orchestrator::publishing::{Refusal, Wish, of_definition, of_rows, state};
use publisher::{
    RSS, change, change_if, document, entries, numbers, patch, remove, started, two_steps,
};
use serde_json::{Value, json};
use sqlite::{Sqlite, interleave, wait};

#[test]
fn what_is_published_is_what_a_start_reads() {
    let db = Sqlite::new();
    let made = change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    let before = numbers(&db, "made");
    let plan = started(&db, "made");
    assert_eq!((before, made.revision), (1, Some(1)));
    assert_eq!((plan.revision, plan.content_hash), (1, made.content_hash));
    assert_eq!(numbers(&db, "made"), 1, "the start had nothing to store");
    assert_eq!(plan.plan.steps[0].name, "first_one", "step_order decides");
    let logged = db.lines("SELECT actor, change, subject, before IS NULL FROM audit_log");
    assert_eq!(logged, ["tester|template.changed|made|1"]);
    let history = wait(revisions::history(&db, "made", None, 9)).unwrap();
    assert_eq!((history.len(), history[0].actor.as_deref()), (1, Some("tester")));
    assert!(matches!(change(&db, "made", Wish::Create(two_steps("two"))), Err(Refusal::Exists)));
    assert!(matches!(
        change(&db, "other", Wish::Replace(two_steps("two"))),
        Err(Refusal::NotFound)
    ));
}

#[test]
fn each_change_is_one_revision_and_the_same_document_none() {
    let db = Sqlite::new();
    change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    let replace = |word| change(&db, "made", Wish::Replace(two_steps(word))).unwrap().revision;
    assert_eq!(replace("two"), Some(2));
    assert_eq!((replace("two"), entries(&db)), (Some(2), 2), "nothing was written");
    assert_eq!(replace("one"), Some(3), "old content under a new number");
    assert_eq!(started(&db, "made").revision, 3);
    let described = change(&db, "made", patch(json!({ "description": "d" }))).unwrap();
    assert_eq!((described.revision, numbers(&db, "made")), (Some(3), 3), "people's text is none");
    assert_eq!(described.detail.template.description, "d");
    let old = wait(revisions::definition(&db, "made", 2)).unwrap().unwrap();
    let old = of_definition(&serde_json::from_str(&old).unwrap());
    let back = change(&db, "made", Wish::Restore(old)).unwrap();
    assert_eq!((back.revision, started(&db, "made").revision), (Some(4), 4));
    assert_eq!(back.detail.template.description, "d", "what is for people stays");
    assert_eq!(started(&db, "made").plan.steps[0].name, "first_two");
    let contents = db.lines(
        "SELECT min(revision), max(revision) FROM template_revisions GROUP BY content_hash
         ORDER BY min(revision)",
    );
    assert_eq!(contents, ["1|3", "2|4"]);
    db.shell("UPDATE worker_registry SET timeout_ms = 7");
    assert_eq!(started(&db, "made").revision, 5, "a start still publishes what it meets");
    let again = change(&db, "made", Wish::Replace(two_steps("two"))).unwrap();
    assert_eq!((again.revision, numbers(&db, "made")), (Some(5), 5));
}

#[test]
fn what_a_change_leaves_out_has_its_default_and_its_state_stays() {
    let db = Sqlite::new();
    let mut full = two_steps("one");
    full.deadline_ms = Some(5);
    full.category = Some("odd".to_owned());
    full.is_active = Some(false);
    change(&db, "made", Wish::Create(full)).unwrap();
    let replaced = change(&db, "made", Wish::Replace(two_steps("one"))).unwrap();
    let row = replaced.detail.template;
    assert_eq!((row.deadline_ms, row.category.as_str(), row.is_active), (None, "general", false));
    let patched =
        change(&db, "made", patch(json!({ "deadline_ms": 9, "is_active": true }))).unwrap();
    assert_eq!(patched.detail.template.deadline_ms, Some(9));
    let nulled = change(&db, "made", patch(json!({ "deadline_ms": null }))).unwrap();
    assert_eq!(nulled.detail.template.deadline_ms, None);
    let logged = db.lines("SELECT before, after FROM audit_log ORDER BY rowid DESC LIMIT 1");
    let (before, after) = logged[0].split_once('|').unwrap();
    let before: Value = serde_json::from_str(before).unwrap();
    assert_eq!((&before["deadline_ms"], &before["revision"]), (&json!(9), &json!(3)));
    assert!(before.get("steps").is_none() && after.contains("content_hash"), "{logged:?}");
}

#[test]
fn of_changes_that_expect_the_same_state_one_is_made() {
    let db = Sqlite::new();
    let made = change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    let seen = state(&of_rows(&made.detail));
    db.slow.set(true);
    let words: Vec<String> = (0..20).map(|n| format!("w{n}")).collect();
    let all = words.iter().map(|word| {
        change_if(&db, "made", Wish::Replace(two_steps(word)), |now: &str| now == seen)
    });
    let outcomes = interleave(all.collect());
    let won: Vec<usize> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(n, _)| n)
        .collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(Refusal::Changed))));
    db.slow.set(false);
    assert_eq!(started(&db, "made").plan.steps[0].name, format!("first_w{}", won[0]));
    assert_eq!((numbers(&db, "made"), entries(&db)), (2, 2));
}

#[test]
fn changes_that_come_together_follow_each_other() {
    let db = Sqlite::new();
    change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    db.slow.set(true);
    let words: Vec<String> = (0..20).map(|n| format!("w{n}")).collect();
    let all = words
        .iter()
        .map(|word| change_if(&db, "made", Wish::Replace(two_steps(word)), |_: &str| true));
    let outcomes = interleave(all.collect());
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut revisions: Vec<_> = outcomes.into_iter().map(|o| o.unwrap().revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (2..=21).map(Some).collect::<Vec<_>>());
    db.slow.set(false);
    let steps = db.lines("SELECT step_name FROM pipeline_steps WHERE template_name = 'made'");
    let words: Vec<&str> = steps.iter().map(|name| name.split_once('_').unwrap().1).collect();
    assert!(steps.len() == 2 && words[0] == words[1], "{steps:?}");
}

/// A database whose answers are lost once: every batch comes twice.
struct Twice<'a>(&'a Sqlite);

impl Database for Twice<'_> {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        self.0.batch(statements.clone()).await.ok();
        self.0.batch(statements).await
    }
}

#[test]
fn a_batch_that_is_sent_again_is_done_once() {
    let db = Sqlite::new();
    let twice = Twice(&db);
    assert_eq!(change(&twice, "made", Wish::Create(two_steps("one"))).unwrap().revision, Some(1));
    assert_eq!(change(&twice, "made", Wish::Replace(two_steps("two"))).unwrap().revision, Some(2));
    assert_eq!((numbers(&db, "made"), entries(&db)), (2, 2));
    remove(&twice, "made").unwrap();
    assert_eq!(entries(&db), 3);
}

/// A database where somebody changes a worker between the check and the write, once.
struct Meddled<'a>(&'a Sqlite, Cell<bool>);

impl Database for Meddled<'_> {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        if statements[0].sql.name == "drafts.EXPECT_COUNT" && !self.1.replace(true) {
            self.0.shell("UPDATE worker_registry SET timeout_ms = 77");
        }
        self.0.batch(statements).await
    }
}

#[test]
fn what_changed_since_the_check_is_checked_again() {
    let db = Sqlite::new();
    let made = change(&Meddled(&db, Cell::new(false)), "made", Wish::Create(two_steps("a")));
    let made = made.unwrap();
    let plan = started(&db, "made");
    assert_eq!((plan.revision, &plan.content_hash), (1, &made.content_hash));
    assert_eq!(plan.definition.workers["topic_researcher"].timeout_ms, Some(77));
}

#[test]
fn a_refusal_of_the_database_itself_is_no_endless_loop() {
    let db = Sqlite::new();
    db.outage.set(Some(DbErrorKind::Unavailable));
    let error = change(&db, "made", Wish::Create(two_steps("a"))).unwrap_err();
    assert!(matches!(error, Refusal::Db(_)), "{error:?}");
    db.outage.set(None);
    db.shell(
        "CREATE TRIGGER no_more BEFORE INSERT ON template_revisions
         BEGIN SELECT RAISE(ABORT, 'constraint failed'); END",
    );
    let error = change(&db, "made", Wish::Create(two_steps("a"))).unwrap_err();
    assert!(matches!(error, Refusal::Db(_)), "{error:?}");
    assert_eq!(db.lines("SELECT name FROM pipeline_templates WHERE name = 'made'"), [""; 0]);
    assert_eq!(entries(&db), 0, "all or nothing");
}

#[test]
fn everything_that_is_wrong_is_told_where_the_document_says_it() {
    let db = Sqlite::new();
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url, is_active) VALUES ('idle', 'x', 0)",
    );
    let bad = document(json!({ "name": "made", "input_schema": { "type": "nonsense" }, "steps": [
        { "step_order": 9, "step_name": "last", "worker_name": "nobody", "condition": "size(",
          "depends_on_steps": ["first"] },
        { "step_order": 1, "step_name": "first", "worker_name": "idle", "is_optional": true,
          "retry_policy": { "max_retries": -1, "speed": 1 }, "depends_on_steps": ["last", 77],
          "config": { "alternatives": ["topic_researcher", 5] } },
        { "step_order": 5, "step_name": "", "kind": "pipeline", "condition": 7,
          "config": { "template": "nobody" } },
    ] }));
    let Err(Refusal::Invalid(found)) = change(&db, "made", Wish::Create(bad)) else {
        panic!("it is refused")
    };
    let told: Vec<String> = found.iter().map(|v| format!("{} {}", v.pointer, v.code)).collect();
    for expected in [
        "/steps/0/condition expression.malformed",
        "/steps/0/worker_name worker.unknown",
        "/steps/1/worker_name worker.inactive",
        "/steps/1/worker_name worker.malformed_url",
        "/steps/1/worker_name worker.unpriced",
        "/steps/1/retry_policy/speed template.malformed_field",
        "/steps/1/depends_on_steps/1 step.unknown_dependency",
        "/steps/1/config/alternatives/1 config.wrong_type",
        "/steps/2/step_name name.malformed",
        "/steps/2/condition type",
        "/steps/2/config/template pipeline.unknown_template",
        "/input_schema schema.invalid",
    ] {
        assert!(told.contains(&expected.to_owned()), "{expected} in {told:#?}");
    }
    assert!(told.iter().any(|told| told.ends_with("template.cycle")), "{told:#?}");
    let condition = found.iter().find(|found| found.pointer == "/steps/0/condition").unwrap();
    assert!(condition.message.contains("column"), "{}", condition.message);
    assert_eq!((entries(&db), numbers(&db, "made")), (0, 0));
}

#[test]
fn the_default_stays_one_that_can_be_started() {
    let db = Sqlite::new();
    change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    let is_default = |refused| matches!(refused, Err(Refusal::IsDefault));
    assert!(is_default(change(&db, RSS, patch(json!({ "is_active": false })))));
    assert!(is_default(change(&db, RSS, patch(json!({ "is_default": false })))));
    assert!(matches!(remove(&db, RSS), Err(Refusal::IsDefault)));
    change(&db, "made", patch(json!({ "is_active": false }))).unwrap();
    let inactive = change(&db, "made", patch(json!({ "is_default": true })));
    assert!(matches!(inactive, Err(Refusal::Invalid(_))), "{inactive:?}");
    change(&db, "made", patch(json!({ "is_active": true, "is_default": true }))).unwrap();
    assert_eq!(db.lines("SELECT name FROM pipeline_templates WHERE is_default = 1"), ["made"]);
    change(&db, RSS, patch(json!({ "is_active": false }))).unwrap();
}

#[test]
fn what_others_name_is_not_removed_and_history_outlives_a_template() {
    let db = Sqlite::new();
    change(&db, "made", Wish::Create(two_steps("one"))).unwrap();
    let outer = document(json!({ "name": "outer", "steps": [
        { "step_order": 1, "step_name": "a", "kind": "pipeline", "config": { "template": "made" } },
    ] }));
    change(&db, "outer", Wish::Create(outer)).unwrap();
    let Err(Refusal::NamedBy(names)) = remove(&db, "made") else { panic!("it is in use") };
    assert_eq!(names, ["outer"]);
    let off = change(&db, "made", patch(json!({ "is_active": false }))).unwrap();
    assert_eq!(off.named_by, ["outer"]);
    let refused = change(&db, "outer", patch(json!({ "deadline_ms": 5 }))).unwrap_err();
    let Refusal::Invalid(found) = refused else { panic!("{refused:?}") };
    assert_eq!(found[0].pointer, "/steps/0/config/template");
    change(&db, "outer", patch(json!({ "description": "no matter" }))).unwrap();
    remove(&db, "outer").unwrap();
    remove(&db, "made").unwrap();
    assert!(matches!(remove(&db, "made"), Err(Refusal::NotFound)));
    assert_eq!(db.number("SELECT count(*) FROM pipeline_steps WHERE template_name = 'made'"), 0);
    assert!(wait(revisions::definition(&db, "made", 1)).unwrap().is_some());
    let again = change(&db, "made", Wish::Create(two_steps("two"))).unwrap();
    assert_eq!(again.revision, Some(2), "a name that comes again goes on counting");
}
