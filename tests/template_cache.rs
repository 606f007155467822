//! What an isolate keeps of templates: how soon it sees a change, how rarely it asks, and what it
//! reports of rows that make no plan.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::DbErrorKind;
use bitware_orchestrator::templates::{TemplateCache, TemplateError, sha256_hex};
use engine::time::Timestamp;
use sqlite::{Sqlite, interleave, wait};

const RSS: &str = "rss_intelligence_pipeline";

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_772_000_000_000 + ms)
}

fn revision(cache: &TemplateCache, db: &Sqlite, name: Option<&str>, ms: i64) -> u64 {
    wait(cache.plan(db, name, at(ms))).unwrap().revision
}

fn trips(db: &Sqlite, does: impl FnOnce()) -> usize {
    let before = db.trips.get();
    does();
    db.trips.get() - before
}

#[test]
fn a_warm_start_asks_nothing_and_looks_every_four_seconds() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    let ask = |ms| trips(&db, || assert_eq!(revision(&cache, &db, Some(RSS), ms), 1));
    assert_eq!(ask(0), 2, "the first reads the rows and stores the revision");
    for ms in [1, 1000, 3999] {
        assert_eq!(ask(ms), 0);
    }
    assert_eq!(ask(4000), 1, "a look");
    assert_eq!(ask(7999), 0);
    assert_eq!(ask(8000), 1);
    let other = TemplateCache::default();
    let cold = trips(&db, || assert_eq!(revision(&other, &db, Some(RSS), 0), 1));
    assert_eq!(cold, 1, "another isolate finds the revision along with the rows");
}

#[test]
fn what_is_published_is_what_the_revision_holds() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    let published = wait(cache.plan(&db, None, at(0))).unwrap();
    assert_eq!(published.definition.name, RSS, "without a name it is the default template");
    assert_eq!(published.plan.steps.len(), 6);
    assert_eq!(sha256_hex(published.definition_json.as_bytes()), published.content_hash);
    let stored = db.lines(
        "SELECT template_name, revision, content_hash, definition
        FROM template_revisions",
    );
    let expected = format!("{RSS}|1|{}|{}", published.content_hash, published.definition_json);
    assert_eq!(stored, [expected]);
    assert_eq!(wait(cache.default_name(&db, at(1))).unwrap().as_deref(), Some(RSS));
    let again = wait(cache.plan(&db, Some(RSS), at(2))).unwrap();
    assert!(std::sync::Arc::ptr_eq(&published, &again), "both names lead to the same plan");
}

#[test]
fn a_change_by_plain_sql_is_a_new_revision_within_five_seconds() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    assert_eq!(revision(&cache, &db, Some(RSS), 0), 1);
    let first = wait(cache.plan(&db, Some(RSS), at(0))).unwrap();
    db.shell("UPDATE worker_registry SET timeout_ms = 7 WHERE worker_name = 'feed_fetcher'");
    assert_eq!(revision(&cache, &db, Some(RSS), 3999), 1);
    assert_eq!(revision(&cache, &db, Some(RSS), 4999), 2);
    assert_eq!(first.definition.workers["feed_fetcher"].timeout_ms, Some(20_000), "it stays");
    db.shell("UPDATE worker_registry SET timeout_ms = 20000 WHERE worker_name = 'feed_fetcher'");
    assert_eq!(revision(&cache, &db, Some(RSS), 9999), 1, "the old content is the old revision");
    db.shell("UPDATE worker_registry SET display_name = 'x', health_status = 'healthy'");
    assert_eq!(revision(&cache, &db, Some(RSS), 14_999), 1, "not all that counts is content");
    assert_eq!(db.number("SELECT count(*) FROM template_revisions"), 2);
}

#[test]
fn a_worker_and_a_step_added_by_hand_are_in_the_next_plan() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    assert_eq!(revision(&cache, &db, None, 0), 1);
    db.shell(
        "INSERT INTO worker_registry (worker_name, base_url, endpoints, estimated_cost_usd)
         VALUES ('translator', 'https://translator.example', '[\"/translate\"]', 0.001);
         INSERT INTO pipeline_steps (
           template_name, step_order, step_name, worker_name, depends_on_steps, input_mapping)
         VALUES ('rss_intelligence_pipeline', 6, 'translation', 'translator',
           '[\"report_generation\"]', '{\"text\": \"$.summary\"}')",
    );
    let published = wait(cache.plan(&db, None, at(5000))).unwrap();
    assert_eq!((published.revision, published.plan.steps.len()), (2, 7));
    assert!(published.definition.workers.contains_key("translator"));
}

#[test]
fn the_default_template_may_change() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    let default = |ms| wait(cache.plan(&db, None, at(ms))).map(|plan| plan.definition.name.clone());
    assert_eq!(default(0).unwrap(), RSS);
    db.shell(
        "UPDATE pipeline_templates SET is_default = 0;
         UPDATE pipeline_templates SET is_default = 1 WHERE name = 'basic_research_pipeline'",
    );
    assert_eq!(default(5000).unwrap(), "basic_research_pipeline");
    db.shell("UPDATE pipeline_templates SET is_default = 0");
    assert_eq!(default(10_000), Err(TemplateError::NotFound));
    assert_eq!(wait(cache.default_name(&db, at(10_001))).unwrap(), None);
}

#[test]
fn templates_that_cannot_be_started_say_why_and_are_not_read_each_time() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    db.shell(
        "INSERT INTO pipeline_templates (name, is_active) VALUES ('resting', 0), ('empty', 1);
         INSERT INTO pipeline_templates (name) VALUES ('broken');
         INSERT INTO pipeline_steps (
           template_name, step_order, step_name, worker_name, depends_on_steps, condition,
           input_mapping, retry_policy)
         VALUES
           ('broken', 1, 'a', 'nobody', '[\"b\"]', NULL, NULL, '{\"max_retires\": 1}'),
           ('broken', 2, 'b', 'feed_fetcher', '[\"a\"]', 'size(', '{\"x\": [\"$.[\"]}', NULL)",
    );
    let find = |name: &str, ms| wait(cache.plan(&db, Some(name), at(ms))).map(|_| ()).unwrap_err();
    assert_eq!(find("unknown", 0), TemplateError::NotFound);
    assert_eq!(find("resting", 0), TemplateError::Inactive);
    let TemplateError::Invalid(violations) = find("broken", 0) else {
        panic!("it has violations");
    };
    let pointers: Vec<&str> = violations.iter().map(|found| found.pointer.as_str()).collect();
    for pointer in [
        "/steps/0/retry/max_retires",
        "/steps/0/worker",
        "/steps/1/condition",
        "/steps/1/input_mapping/x/0",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
    assert!(violations.iter().any(|found| found.code == "template.cycle"), "{violations:?}");
    assert!(matches!(find("empty", 0), TemplateError::Invalid(_)));
    let again = trips(&db, || {
        for name in ["unknown", "resting", "broken", "empty"] {
            find(name, 100);
        }
    });
    assert_eq!(again, 0);
    assert_eq!(db.number("SELECT count(*) FROM template_revisions"), 0);
    let absurd = trips(&db, || {
        assert_eq!(find(&"x".repeat(65), 0), TemplateError::NotFound);
        assert_eq!(find("", 0), TemplateError::NotFound);
    });
    assert_eq!(absurd, 0, "what cannot be a name is not looked up");
}

#[test]
fn policy_is_kept_and_changes_with_its_rows() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    let deadline =
        |ms| wait(cache.policy(&db, at(ms))).unwrap().strategy("speed").unwrap().deadline_ms;
    let plan_first = trips(&db, || {
        revision(&cache, &db, None, 0);
        assert_eq!(deadline(1), 90_000);
    });
    assert_eq!(plan_first, 2, "the rows of a template bring the policy along");
    db.shell("UPDATE execution_strategies SET deadline_ms = 80000 WHERE name = 'speed'");
    assert_eq!((deadline(3999), deadline(5000)), (90_000, 80_000));
    let fresh = TemplateCache::default();
    let cold = trips(&db, || {
        wait(fresh.policy(&db, at(0))).unwrap();
        wait(fresh.policy(&db, at(1))).unwrap();
    });
    assert_eq!(cold, 1);
}

#[test]
fn requests_that_come_together_do_not_wait_for_each_other() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    db.slow.set(true);
    let all = |ms| {
        let asked: Vec<_> = (0..20).map(|_| cache.plan(&db, Some(RSS), at(ms))).collect();
        let plans = interleave(asked);
        plans.into_iter().map(|plan| plan.unwrap().revision).collect::<Vec<_>>()
    };
    assert_eq!(all(0), [1; 20]);
    assert_eq!(db.number("SELECT count(*) FROM template_revisions"), 1);
    let looks = trips(&db, || assert_eq!(all(5000), [1; 20]));
    assert_eq!(looks, 1, "one of them looks, the others go on with what is known");
}

#[test]
fn a_look_that_never_comes_back_is_made_again_by_another() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    assert_eq!(revision(&cache, &db, Some(RSS), 0), 1);
    db.slow.set(true);
    {
        let mut lost = Box::pin(cache.plan(&db, Some(RSS), at(4000)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(lost.as_mut().poll(&mut context).is_pending());
    }
    db.slow.set(false);
    db.shell("UPDATE worker_registry SET timeout_ms = 7");
    assert_eq!(trips(&db, || assert_eq!(revision(&cache, &db, Some(RSS), 4999), 1)), 0);
    assert_eq!(revision(&cache, &db, Some(RSS), 5000), 2);
}

#[test]
fn while_the_database_is_away_what_is_known_serves_for_a_minute() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    assert_eq!(revision(&cache, &db, Some(RSS), 0), 1);
    db.outage.set(Some(DbErrorKind::Unavailable));
    for ms in [5000, 10_000, 60_000] {
        assert_eq!(revision(&cache, &db, Some(RSS), ms), 1);
    }
    let late = wait(cache.plan(&db, Some(RSS), at(60_001))).unwrap_err();
    assert!(matches!(late, TemplateError::Db(_)), "{late:?}");
    let unknown = wait(cache.plan(&db, Some("other"), at(5000))).unwrap_err();
    assert!(matches!(unknown, TemplateError::Db(_)), "an outage is not kept as an answer");
    db.outage.set(None);
    assert_eq!(
        wait(cache.plan(&db, Some("other"), at(61_000))).unwrap_err(),
        TemplateError::NotFound
    );
    assert_eq!(revision(&cache, &db, Some(RSS), 61_000), 1);
    db.outage.set(Some(DbErrorKind::Schema));
    let broken = wait(cache.plan(&db, Some(RSS), at(70_000))).unwrap_err();
    assert!(matches!(broken, TemplateError::Db(_)), "a database that is wrong is not away");
}

#[test]
fn a_clock_that_goes_back_makes_it_look() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    assert_eq!(revision(&cache, &db, Some(RSS), 100_000), 1);
    assert_eq!(trips(&db, || assert_eq!(revision(&cache, &db, Some(RSS), 0), 1)), 1);
}

#[test]
fn unknown_names_do_not_crowd_out_the_known_ones_for_ever() {
    let (db, cache) = (Sqlite::new(), TemplateCache::default());
    for n in 0..1000 {
        let found = wait(cache.plan(&db, Some(&format!("unknown_{n}")), at(n)));
        assert_eq!(found.unwrap_err(), TemplateError::NotFound);
    }
    assert_eq!(revision(&cache, &db, Some(RSS), 1000), 1);
    assert_eq!(trips(&db, || assert_eq!(revision(&cache, &db, Some(RSS), 1001), 1)), 0);
    assert!(cache.len() <= 256);
}
