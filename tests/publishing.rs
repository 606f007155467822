//! Templates that are published by the API: what is written, that it is what a start reads, and that
//! changes which come together never mix.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::cell::Cell;
use std::collections::BTreeMap;

use api_types::admin::TemplateDocument;
use bitware_orchestrator::db::audit::Entry;
use bitware_orchestrator::db::{
    Database, DbError, DbErrorKind, Rows, Statement, drafts, revisions,
};
use bitware_orchestrator::publishing::{
    Changed, Logged, Publisher, Refusal, Wish, check, of_definition, of_rows, rows, state,
};
use bitware_orchestrator::templates::{PublishedPlan, TemplateCache};
use engine::time::Timestamp;
use serde_json::{Map, Value, json};
use sqlite::{Sqlite, interleave, wait};

const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);
const RSS: &str = "rss_intelligence_pipeline";

thread_local! {
    static ENTRIES: Cell<u32> = const { Cell::new(0) };
}

fn entry(name: &str, logged: Logged) -> Entry {
    let number = ENTRIES.replace(ENTRIES.get() + 1);
    Entry {
        id: format!("entry-{number}"),
        at: "2026-11-21T10:00:00.000Z".to_owned(),
        account_id: None,
        actor_type: "worker".to_owned(),
        actor: "tester".to_owned(),
        change: "template.changed".to_owned(),
        subject_type: "template".to_owned(),
        subject: name.to_owned(),
        before: logged.before,
        after: logged.after,
        request_id: None,
    }
}

async fn change_if(
    db: &impl Database,
    name: &str,
    wish: Wish,
    expected: impl Fn(&str) -> bool,
) -> Result<Changed, Refusal> {
    let publisher = Publisher {
        db,
        worker_urls: &BTreeMap::new(),
        name,
        expected: &expected,
        entry: &|logged| entry(name, logged),
    };
    publisher.change(&wish).await
}

fn change(db: &impl Database, name: &str, wish: Wish) -> Result<Changed, Refusal> {
    wait(change_if(db, name, wish, |_| true))
}

fn remove(db: &impl Database, name: &str) -> Result<(), Refusal> {
    let publisher = Publisher {
        db,
        worker_urls: &BTreeMap::new(),
        name,
        expected: &|_| true,
        entry: &|logged| entry(name, logged),
    };
    wait(publisher.remove())
}

fn patch(value: Value) -> Wish {
    Wish::Merge(value.as_object().cloned().unwrap_or_else(Map::new))
}

fn document(value: Value) -> TemplateDocument {
    serde_json::from_value(value).unwrap()
}

/// A template of two steps that say `word`.
fn two_steps(word: &str) -> TemplateDocument {
    document(json!({ "name": "made", "steps": [
        { "step_order": 2, "step_name": format!("second_{word}"), "kind": "transform",
          "depends_on_steps": [format!("first_{word}")], "input_mapping": { "word": word } },
        { "step_order": 1, "step_name": format!("first_{word}"), "worker_name": "topic_researcher",
          "input_mapping": { "topic": word } },
    ] }))
}

fn started(db: &Sqlite, name: &str) -> PublishedPlan {
    let plan = wait(TemplateCache::default().plan(db, Some(name), NOW)).unwrap();
    std::sync::Arc::into_inner(plan).unwrap()
}

fn numbers(db: &Sqlite, name: &str) -> i64 {
    db.number(&format!("SELECT count(*) FROM template_revisions WHERE template_name = '{name}'"))
}

fn entries(db: &Sqlite) -> i64 {
    db.number("SELECT count(*) FROM audit_log")
}

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

/// Every template of the documentation and of the schema, and templates that reach themselves: the
/// document that is shown makes the very content that a start makes of the rows.
#[test]
fn a_document_makes_the_content_of_its_rows() {
    let db = Sqlite::new();
    for block in include_str!("../docs/templates.md").split("```sql\n").skip(1) {
        db.shell(block.split("\n```").next().unwrap());
    }
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url, estimated_cost_usd, endpoints)
         VALUES ('odd~/worker', 'https://o.example', 0.1, '[]');
         INSERT INTO pipeline_templates (name, input_schema) VALUES ('loop', NULL), ('leaf', '{}');
         INSERT INTO pipeline_steps (template_name, step_order, step_name, kind, worker_name,
           condition, retry_policy, config, depends_on_steps)
         VALUES
           ('loop', 1, 'b', 'pipeline', NULL, 'null == 1', NULL, '{\"template\": \"leaf\"}', '[]'),
           ('loop', 1, 'a', 'worker', 'odd~/worker', '{\"x_available\": \"> 0\"}',
            '{\"factor\": 1.1000000000000001e0}', 'null', '[\"b\"]'),
           ('leaf', 1, 'up', 'pipeline', NULL, '\"true\"', NULL, '{\"template\": \"loop\"}', '[]'),
           ('leaf', 0, 'w', 'map', 'odd~/worker', NULL, NULL, '{\"items\": [0.1, 1e300]}', '[]')",
    );
    let names = db.lines("SELECT name FROM pipeline_templates ORDER BY name");
    assert!(names.len() > 8);
    for name in names {
        let plan = started(&db, &name);
        let current = wait(drafts::current(&db, &name)).unwrap().rows.unwrap();
        let shown = of_rows(&current);
        let none = BTreeMap::new();
        let made = rows(&shown, &name);
        let checked = wait(check(&db, &none, &shown, made, Vec::new())).unwrap();
        assert_eq!(checked.violations, [], "{name}");
        if name != "loop" {
            assert_eq!(checked.content_hash, plan.content_hash, "{name}");
        }
        let published = change(&db, &name, patch(json!({ "deadline_ms": 54_321 }))).unwrap();
        let then = started(&db, &name);
        assert_eq!(
            (published.revision, &published.content_hash),
            (Some(then.revision), &then.content_hash)
        );
        assert_eq!(then.plan.steps.len(), plan.plan.steps.len());
    }
}

/// The documents of the page, in its order: the first is new, the others take its place.
#[test]
fn the_documents_of_the_page_are_published() {
    let db = Sqlite::new();
    let page = include_str!("../docs/templates.md");
    for block in page.split("```sql\n").skip(1) {
        db.shell(block.split("\n```").next().unwrap());
    }
    let documents: Vec<TemplateDocument> = page
        .split("```json\n")
        .skip(1)
        .map(|block| serde_json::from_str(block.split("\n```").next().unwrap()).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    let name = documents[0].name.clone().unwrap();
    for (revision, document) in (1..).zip(documents) {
        let wish = match revision {
            1 => Wish::Create(document),
            _ => Wish::Replace(document),
        };
        let made = change(&db, &name, wish).unwrap();
        assert_eq!((made.revision, made.warnings), (Some(revision), vec![]));
        assert_eq!(started(&db, &name).revision, revision);
    }
}

#[test]
fn a_template_of_two_thousand_steps_is_one_batch() {
    let db = Sqlite::new();
    let step = |n: usize| {
        json!({ "step_order": n, "step_name": format!("s{n}"), "kind": "transform",
            "input_mapping": { "n": n, "text": "\"\u{0}ä\\'" } })
    };
    let steps: Vec<Value> = (0..2000).map(step).collect();
    let large = document(json!({ "name": "made", "steps": steps }));
    let made = change(&db, "made", Wish::Create(large.clone())).unwrap();
    let plan = started(&db, "made");
    assert_eq!((plan.plan.steps.len(), &plan.content_hash), (2000, &made.content_hash));
    let before = db.trips.get();
    let mut other = large;
    other.steps[7].is_optional = Some(true);
    change(&db, "made", Wish::Replace(other)).unwrap();
    assert!(db.trips.get() - before <= 6, "{} round trips", db.trips.get() - before);
    let bytes = db.number("SELECT max(length(before) + length(after)) FROM audit_log");
    assert!(bytes < 10_000, "the log leaves long steps out, and has {bytes} bytes");
    let all = (0..2001).map(step).collect::<Vec<Value>>();
    let refused =
        change(&db, "made", Wish::Replace(document(json!({ "steps": all })))).unwrap_err();
    let Refusal::Invalid(found) = refused else { panic!("{refused:?}") };
    assert_eq!(found[0].code, "template.too_many_steps");
}

#[test]
fn revisions_are_found_by_their_content_through_an_index() {
    let db = Sqlite::new();
    let plan = db.query_plan(&revisions::BY_HASH.with("t").with("h"));
    assert!(
        plan.contains("template_revisions_by_content (template_name=? AND content_hash=?)"),
        "{plan}"
    );
    let plan = db.query_plan(&revisions::HISTORY.with("t").with(None::<u64>).with(5_u32));
    assert!(plan.contains("SEARCH r USING") && !plan.contains("SCAN"), "{plan}");
}
